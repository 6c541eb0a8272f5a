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

static void check_data(const struct azure_request *req)
{
  struct wps_str data = {req->data.ptr, req->data.len};
  struct json_value v;

  promise(req->data.ptr != NULL);
  if (req->data_type == WPS_DATA_JSON)
    promise(json_scan_value(data, &v) == WPS_OK && v.type != SCAN_NULL);
  if (req->data_type == WPS_DATA_TEXT)
    promise(azure_utf8_ok(data));
  if (req->data_type == WPS_DATA_PROTOBUF)
    promise(azure_any_ok(req->data));
}

/* Each key once. */
static void check_state(const struct azure_request *req)
{
  struct wps_pair *copy;
  size_t count = req->state_count;

  promise(req->flags & AZURE_HAS_STATE || count == 0);
  if (count == 0)
    return;
  copy = malloc(count * sizeof(*copy));
  memcpy(copy, req->state, count * sizeof(*copy));
  for (size_t i = 0; i < count; i++)
    promise(azure_utf8_ok(copy[i].name) && azure_utf8_ok(copy[i].value));
  promise(azure_metadata_last(copy, &count) == WPS_OK);
  promise(count == req->state_count);
  free(copy);
}

static void check_id(const struct azure_request *req)
{
  promise(req->ref.len > 0 && azure_utf8_ok(req->ref));
}

static void check_request(const struct azure_request *req)
{
  bool bad = req->flags & AZURE_BAD;

  switch (req->kind) {
  case AZURE_STREAM_START:
    check_id(req);
    if (bad)
      break;
    /* fall through */
  case AZURE_JOIN:
  case AZURE_LEAVE:
  case AZURE_SEND:
  case AZURE_SET_STATE:
  case AZURE_WATCH_STATE:
  case AZURE_UNWATCH_STATE:
    promise(azure_utf8_ok(req->name) && azure_group_ok(req->name));
    break;
  case AZURE_EVENT:
    promise(azure_event_ok(req->name));
    break;
  case AZURE_INVOKE:
    check_id(req);
    promise(req->ref.len <= AZURE_ID_MAX);
    promise(bad || azure_event_ok(req->name));
    promise(!(req->flags & AZURE_HAS_ACK));
    break;
  case AZURE_CANCEL_INVOCATION:
    check_id(req);
    break;
  case AZURE_STREAM_DATA:
    check_id(req);
    promise(!(req->flags & AZURE_HAS_DATA) ==
            !(req->flags & AZURE_HAS_SEQUENCE));
    break;
  case AZURE_STREAM_END:
    check_id(req);
    promise(azure_utf8_ok(req->error_message));
    promise(azure_utf8_ok(req->error_code));
    break;
  default:
    promise(req->kind == AZURE_PING || req->kind == AZURE_SEQUENCE_ACK);
    break;
  }
  promise(bad == (req->why.len > 0));
  promise(!bad || req->kind == AZURE_INVOKE || req->kind == AZURE_STREAM_START);
  check_state(req);
  promise(req->ttl_ms <= AZURE_TTL_MAX * 1000);
  promise(azure_metadata_check(req->metadata, req->metadata_count) == WPS_OK);
  if (req->kind == AZURE_SEND || req->kind == AZURE_EVENT ||
      ((req->kind == AZURE_INVOKE || req->kind == AZURE_STREAM_DATA) &&
       req->flags & AZURE_HAS_DATA))
    check_data(req);
}

/* Returns what it is, 0 when it is malformed. */
static uint32_t try_parse(struct wps_str text, bool early)
{
  struct json_parse parse;
  uint32_t kind = 0;

  if (json_parse(&parse, text, early) == WPS_OK) {
    kind = parse.req.kind;
    check_request(&parse.req);
  }
  json_parse_free(&parse);
  return kind;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct wps_str text = {(const char *)data, size};
  struct json_scan scan;
  struct json_member m;
  struct json_value v;
  bool whole = json_scan_value(text, &v) == WPS_OK;
  bool members = false;
  uint32_t kind, early;

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
  kind = try_parse(text, false);
  early = try_parse(text, true);
  promise(kind == 0 || members);
  /* The early form takes nothing away. */
  promise(early == kind || (kind == 0 && early == AZURE_EVENT) ||
          (kind == 0 && early == AZURE_STREAM_START));
  return 0;
}
