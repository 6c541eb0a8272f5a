/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of JSON clients: whatever is accepted has to keep its promises. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <webpubsub/status.h>

#include "plugins/common/azure/names.h"
#include "plugins/common/json_scan.h"
#include "plugins/common/json_write.h"
#include "plugins/subprotocol-json/parse.h"

static void promise(bool kept)
{
  if (!kept)
    abort();
}

/* What is read without escapes and written again reads as the same. */
static void round_trip(const struct json_value *string)
{
  char *plain = malloc(string->len), *back = malloc(string->len);
  char *again = malloc((size_t)string->len * 6);
  struct json_out out = {again, (size_t)string->len * 6, 0};
  size_t len = json_scan_text(string, plain);
  struct json_value v;

  promise(len <= (size_t)string->len - 2);
  promise(azure_utf8_ok((struct wps_str){plain, len}));
  json_out_text(&out, (struct wps_str){plain, len});
  promise(out.len <= out.cap);
  promise(json_scan_value((struct wps_str){again, out.len}, &v) == WPS_OK);
  promise(v.type == SCAN_STRING);
  promise(json_scan_text(&v, back) == len);
  promise(memcmp(back, plain, len) == 0);
  free(plain);
  free(back);
  free(again);
}

static void check_request(const struct azure_request *req)
{
  struct json_value v;

  switch (req->kind) {
  case AZURE_JOIN:
  case AZURE_LEAVE:
  case AZURE_SEND:
  case AZURE_STREAM_START:
  case AZURE_GROUP_STATE:
    promise(req->name.len > 0);
    promise(azure_utf8_ok(req->name));
    break;
  case AZURE_EVENT:
    promise(azure_event_ok(req->name));
    break;
  default:
    break;
  }
  if (req->kind == AZURE_SEND || req->kind == AZURE_EVENT) {
    struct wps_str data = {req->data.ptr, req->data.len};

    promise(req->data.ptr != NULL);
    promise(req->ttl_ms <= AZURE_TTL_MAX * 1000);
    promise(azure_metadata_check(req->metadata, req->metadata_count) == WPS_OK);
    if (req->data_type == WPS_DATA_JSON)
      promise(json_scan_value(data, &v) == WPS_OK && v.type != SCAN_NULL);
    if (req->data_type == WPS_DATA_TEXT)
      promise(azure_utf8_ok(data));
    if (req->data_type == WPS_DATA_PROTOBUF)
      promise(azure_any_ok(req->data));
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct wps_str text = {(const char *)data, size};
  struct json_parse parse;
  struct json_scan scan;
  struct json_member m;
  struct json_value v;
  bool whole = json_scan_value(text, &v) == WPS_OK;
  bool members = false;

  if (json_scan_object(&scan, text) == WPS_OK) {
    int more;

    while ((more = json_scan_member(&scan, &m)) > 0) {
      round_trip(&m.key);
      if (m.value.type == SCAN_STRING)
        round_trip(&m.value);
    }
    members = more == 0;
  }
  /* Member by member and at once are two ways through the same grammar. */
  if (size > 0 && (!whole || v.type == SCAN_OBJECT))
    promise(whole == members);
  if (json_parse(&parse, text) == WPS_OK) {
    promise(members);
    check_request(&parse.req);
  }
  json_parse_free(&parse);
  return 0;
}
