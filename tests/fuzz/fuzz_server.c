/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of application servers: the first byte chooses the form, even is
 * JSON. Whatever is accepted has to keep its promises, and what is said with
 * its texts can be read by whoever gets it. */
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <webpubsub/event.h>
#include <webpubsub/message.h>
#include <webpubsub/status.h>

#include "plugins/common/azure/names.h"
#include "plugins/common/json_scan.h"
#include "plugins/common/pb.h"
#include "plugins/upstream-server/command.h"

static void promise(bool kept)
{
  if (!kept)
    abort();
}

static void check_text(struct wps_str s)
{
  promise(s.ptr != NULL ? azure_utf8_ok(s) : s.len == 0);
}

static void check_names(const struct server_names *list)
{
  for (size_t i = 0; i < list->count; i++) {
    promise(list->items[i].ptr != NULL);
    check_text(list->items[i]);
  }
}

static void check_pairs(const struct server_pairs *list)
{
  for (size_t i = 0; i < list->count; i++) {
    promise(list->items[i].name.ptr != NULL &&
            list->items[i].value.ptr != NULL);
    check_text(list->items[i].name);
    check_text(list->items[i].value);
    promise(i == 0 ||
            !azure_equal(list->items[i - 1].name, list->items[i].name));
  }
}

static void check_payload(const struct server_payload *p)
{
  struct wps_str data = {p->data.ptr, p->data.len};
  struct json_value v;

  if (p->data_type == 0)
    return;
  promise(p->data.ptr != NULL);
  switch (p->data_type) {
  case WPS_DATA_JSON:
    promise(json_scan_value(data, &v) == WPS_OK && v.type != SCAN_NULL);
    break;
  case WPS_DATA_TEXT:
    promise(azure_utf8_ok(data));
    break;
  case WPS_DATA_PROTOBUF:
    promise(azure_any_ok(p->data));
    break;
  default:
    promise(p->data_type == WPS_DATA_BINARY);
    break;
  }
}

static void check_command(const struct server_command *c)
{
  promise(c->kind != 0 && c->ack_id <= INT_MAX && c->registration >= 0);
  check_text(c->connection);
  check_text(c->user);
  check_text(c->group);
  check_text(c->reason);
  check_text(c->filter);
  check_text(c->error_detail);
  check_text(c->subprotocol);
  check_text(c->state);
  check_payload(&c->payload);
  check_names(&c->excluded);
  check_names(&c->user_events);
  check_names(&c->groups);
  check_names(&c->roles);
  check_pairs(&c->headers);
  check_pairs(&c->metadata);
  promise(c->target <= COUNT_USER && c->permission <= PERMIT_SEND);
  promise(c->response <= RESPONSE_ERROR);
  promise(c->response != RESPONSE_PAYLOAD || c->payload.data_type != 0);
  promise((c->system_events & ~0x1ffU) == 0);
}

static void check_json(struct wps_str text)
{
  struct json_value v;

  promise(json_scan_value(text, &v) == WPS_OK && v.type == SCAN_OBJECT);
}

/* One submessage, of the notice's kind, with well-formed fields. */
static void check_protobuf(struct wps_bytes bytes, uint32_t kind)
{
  struct pb_in in;
  struct pb_field f, inner;
  int more;

  pb_in_init(&in, bytes);
  promise(pb_next(&in, &f) == 1 && f.number == kind && f.wire == PB_BYTES);
  promise(in.at == in.end);
  pb_in_init(&in, f.bytes);
  while ((more = pb_next(&in, &inner)) > 0)
    continue;
  promise(more == 0);
}

static void say(const struct server_notice *notice)
{
  void *bytes;
  size_t len;

  promise(server_json.write(notice, &bytes, &len) == WPS_OK);
  check_json((struct wps_str){bytes, len});
  free(bytes);
  promise(server_protobuf.write(notice, &bytes, &len) == WPS_OK);
  check_protobuf((struct wps_bytes){bytes, len}, notice->kind);
  free(bytes);
}

static void echo(const struct server_command *c)
{
  struct server_notice notice = {.kind = NOTICE_MESSAGE,
                                 .group = c->group,
                                 .from_user = c->user,
                                 .payload = c->payload,
                                 .metadata = c->metadata};

  say(&notice);
  notice = (struct server_notice){.kind = NOTICE_CONNECT,
                                  .ack_id = c->ack_id,
                                  .context = {.connection = c->connection,
                                              .user = c->user,
                                              .hub = c->group,
                                              .subprotocol = c->subprotocol,
                                              .state = c->state,
                                              .headers = c->headers,
                                              .query = c->metadata},
                                  .subprotocols = c->groups,
                                  .thumbprints = c->excluded};
  say(&notice);
  notice = (struct server_notice){.kind = NOTICE_ACK,
                                  .ack_id = c->ack_id,
                                  .result = c->response,
                                  .detail = c->error_detail,
                                  .error = c->reason,
                                  .has_count = c->no_echo,
                                  .count = c->ack_id};
  say(&notice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const struct server_codec *codec;
  struct command_room room = {NULL};
  struct server_command c;
  const char *why = NULL;
  int rc;

  if (size == 0)
    return 0;
  codec = data[0] & 1 ? &server_protobuf : &server_json;
  rc = codec->read((struct wps_bytes){data + 1, size - 1}, &room, &c, &why);
  if (rc == WPS_OK) {
    check_command(&c);
    echo(&c);
  } else if (rc == WPS_EINVAL) {
    promise(why != NULL && *why != '\0' && c.ack_id <= INT_MAX);
  } else {
    promise(rc == WPS_EPROTO);
  }
  command_room_clear(&room);
  return 0;
}
