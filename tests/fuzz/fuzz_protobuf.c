/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of protobuf clients: whatever is accepted has to keep its promises,
 * and what is written of it reads as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <webpubsub/host.h>
#include <webpubsub/status.h>

#include "plugins/common/azure/names.h"
#include "plugins/common/json_scan.h"
#include "plugins/subprotocol-protobuf/content.h"
#include "plugins/subprotocol-protobuf/parse.h"

/* For what is linked and not run. */
const struct wps_host *wps;

static void promise(bool kept)
{
  if (!kept)
    abort();
}

static bool within(const void *ptr, size_t len, struct wps_bytes all)
{
  const unsigned char *p = ptr, *from = all.ptr;

  return len == 0 || (p >= from && p + len <= from + all.len);
}

/* Numbers and octets are what they were when they are written again. */
static void round_trip(struct wps_bytes bytes)
{
  struct pb_in in, back;
  struct pb_field f, g;
  struct pb_out size = {NULL, 0, 0}, out;
  unsigned char *again;
  int more;

  pb_in_init(&in, bytes);
  while ((more = pb_next(&in, &f)) > 0) {
    promise(f.number > 0 && f.bytes.ptr != NULL);
    if (f.wire == PB_VARINT)
      pb_put_u64(&size, f.number, f.value);
    else if (f.wire == PB_BYTES)
      pb_put_bytes(&size, f.number, f.bytes);
  }
  if (more < 0)
    return;
  again = malloc(size.len + 1);
  out = (struct pb_out){again, size.len, 0};
  pb_in_init(&in, bytes);
  while (pb_next(&in, &f) > 0)
    if (f.wire == PB_VARINT)
      pb_put_u64(&out, f.number, f.value);
    else if (f.wire == PB_BYTES)
      pb_put_bytes(&out, f.number, f.bytes);
  promise(out.len == size.len);
  pb_in_init(&in, bytes);
  pb_in_init(&back, (struct wps_bytes){again, size.len});
  while (pb_next(&in, &f) > 0) {
    if (f.wire != PB_VARINT && f.wire != PB_BYTES)
      continue;
    promise(pb_next(&back, &g) == 1);
    promise(g.number == f.number && g.wire == f.wire && g.value == f.value &&
            g.bytes.len == f.bytes.len &&
            memcmp(g.bytes.ptr, f.bytes.ptr, f.bytes.len) == 0);
  }
  promise(pb_next(&back, &g) == 0);
  free(again);
}

static void check_data(const struct azure_request *req)
{
  struct wps_str data = {req->data.ptr, req->data.len};
  struct json_value v;

  promise(req->data.ptr != NULL);
  switch (req->data_type) {
  case WPS_DATA_JSON:
    promise(json_scan_value(data, &v) == WPS_OK && v.type != SCAN_NULL);
    break;
  case WPS_DATA_TEXT:
    promise(azure_utf8_ok(data));
    break;
  case WPS_DATA_PROTOBUF:
    promise(azure_any_ok(req->data));
    break;
  default:
    promise(req->data_type == WPS_DATA_BINARY);
    break;
  }
}

static void check_pairs(const struct wps_pair *pairs, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    promise(pairs[i].name.ptr != NULL && pairs[i].value.ptr != NULL);
    promise(azure_utf8_ok(pairs[i].name) && azure_utf8_ok(pairs[i].value));
  }
}

static void check_request(const struct azure_request *req,
                          struct wps_bytes bytes)
{
  promise(within(req->name.ptr, req->name.len, bytes));
  promise(within(req->ref.ptr, req->ref.len, bytes));
  check_pairs(req->metadata, req->metadata_count);
  check_pairs(req->state, req->state_count);
  switch (req->kind) {
  case AZURE_JOIN:
  case AZURE_LEAVE:
  case AZURE_SET_STATE:
  case AZURE_WATCH_STATE:
  case AZURE_UNWATCH_STATE:
    promise(azure_group_ok(req->name));
    break;
  case AZURE_SEND:
    promise(azure_group_ok(req->name));
    check_data(req);
    break;
  case AZURE_EVENT:
    promise(azure_event_ok(req->name));
    check_data(req);
    break;
  case AZURE_INVOKE:
    promise(azure_event_ok(req->name) && req->ref.len <= AZURE_ID_MAX);
    check_data(req);
    break;
  case AZURE_STREAM_DATA:
    promise(!(req->flags & AZURE_HAS_SEQUENCE) ==
            !(req->flags & AZURE_HAS_DATA));
    break;
  default:
    break;
  }
  if (req->kind == AZURE_INVOKE || req->kind == AZURE_CANCEL_INVOCATION ||
      req->kind == AZURE_STREAM_START || req->kind == AZURE_STREAM_DATA ||
      req->kind == AZURE_STREAM_END)
    promise(req->ref.len > 0 && azure_utf8_ok(req->ref));
  if (req->flags & AZURE_HAS_DATA)
    check_data(req);
  promise(req->ttl_ms <= AZURE_TTL_MAX * 1000);
  promise(azure_metadata_check(req->metadata, req->metadata_count) == WPS_OK);
}

/* The payload as a receiver finds it: {3: {chosen: bytes}}. */
static void find_data(struct wps_bytes content, uint32_t chosen,
                      struct wps_bytes want)
{
  struct pb_in in;
  struct pb_field f = {.number = 0}, data;

  pb_in_init(&in, content);
  while (pb_next(&in, &f) > 0) {
    if (f.number != 3)
      continue;
    pb_in_init(&in, f.bytes);
    promise(pb_next(&in, &data) == 1);
    promise(data.number == chosen && data.bytes.len == want.len &&
            memcmp(data.bytes.ptr, want.ptr, want.len) == 0);
    promise(pb_next(&in, &data) == 0);
    return;
  }
  promise(false);
}

/* What is published is what its receivers get. */
static void publish(const struct azure_request *req)
{
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = req->data_type,
                                  .data = req->data,
                                  .from = WPS_FROM_GROUP,
                                  .group = req->name,
                                  .tags = req->metadata,
                                  .tag_count = req->metadata_count};
  static const uint32_t fields[] = {[WPS_DATA_TEXT] = 1,
                                    [WPS_DATA_JSON] = 4,
                                    [WPS_DATA_BINARY] = 2,
                                    [WPS_DATA_PROTOBUF] = 3};
  struct content content = content_of(&info, false);
  struct pb_out size = {NULL, 0, 0}, out;
  unsigned char *bytes;

  promise(content_member(&info) == DOWN_DATA);
  content_put(&size, &content);
  bytes = malloc(size.len);
  out = (struct pb_out){bytes, size.len, 0};
  content_put(&out, &content);
  promise(out.len == size.len);
  find_data((struct wps_bytes){bytes, size.len}, fields[req->data_type],
            req->data);
  free(bytes);
}

static void show_state(const struct azure_request *req)
{
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .kind = WPS_MSG_STATE,
                                  .group = req->name,
                                  .conn = WPS_STR_INIT("c"),
                                  .tags = req->state,
                                  .tag_count = req->state_count};
  struct content content = content_of(&info, false);
  struct pb_out size = {NULL, 0, 0}, out;
  unsigned char *bytes;

  content_put(&size, &content);
  bytes = malloc(size.len);
  out = (struct pb_out){bytes, size.len, 0};
  content_put(&out, &content);
  promise(out.len == size.len);
  round_trip((struct wps_bytes){bytes, size.len});
  free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct wps_bytes bytes = {data, size};
  struct protobuf_parse parse;

  round_trip(bytes);
  if (protobuf_parse(&parse, bytes) == WPS_OK) {
    check_request(&parse.req, bytes);
    if (parse.req.kind == AZURE_SEND)
      publish(&parse.req);
    if (parse.req.flags & AZURE_HAS_STATE)
      show_state(&parse.req);
  }
  protobuf_parse_free(&parse);
  return 0;
}
