/* SPDX-License-Identifier: Apache-2.0 */
/* protobuf.c - notices in the protobuf form (doc/server-protocol.md). Fields
 * without presence are left out when they are zero, all stand in the order of
 * their numbers. */
#include "plugins/upstream-server/protobuf.h"

#include <stdlib.h>

#include <webpubsub/message.h>
#include <webpubsub/status.h>

#include "plugins/common/azure/names.h"
#include "plugins/common/pb.h"

static void number(struct pb_out *out, uint32_t field, uint64_t value)
{
  if (value != 0)
    pb_put_u64(out, field, value);
}

static void text(struct pb_out *out, uint32_t field, struct wps_str value)
{
  if (value.len != 0)
    pb_put_text(out, field, value);
}

static void put_string(struct pb_out *out, const void *arg)
{
  text(out, 1, *(const struct wps_str *)arg);
}

/* A google.protobuf.StringValue. */
static void string(struct pb_out *out, uint32_t field, struct wps_str value)
{
  if (value.ptr != NULL)
    pb_put_message(out, field, put_string, &value);
}

static void names(struct pb_out *out, uint32_t field,
                  const struct server_names *list)
{
  for (size_t i = 0; i < list->count; i++)
    pb_put_text(out, field, list->items[i]);
}

/* One name of a map that has one value for each: all of them, with commas. */
static void put_joined(struct pb_out *out, const void *arg)
{
  static const struct wps_bytes comma = {",", 1};
  const struct server_pairs *group = arg;
  size_t len = group->count - 1;

  for (size_t i = 0; i < group->count; i++)
    len += group->items[i].value.len;
  pb_put_text(out, 1, group->items[0].name);
  pb_put_head(out, 2, len);
  for (size_t i = 0; i < group->count; i++) {
    struct wps_str value = group->items[i].value;

    if (i != 0)
      pb_put_raw(out, comma);
    pb_put_raw(out, (struct wps_bytes){value.ptr, value.len});
  }
}

static void joined(struct pb_out *out, uint32_t field,
                   const struct server_pairs *pairs)
{
  struct server_pairs group;

  for (size_t i = 0; i < pairs->count; i += group.count) {
    group = (struct server_pairs){&pairs->items[i], 1};
    while (i + group.count < pairs->count &&
           azure_equal(group.items[0].name, group.items[group.count].name))
      group.count++;
    pb_put_message(out, field, put_joined, &group);
  }
}

static void put_context(struct pb_out *out, const void *arg)
{
  const struct server_notice *n = arg;
  const struct server_context *c = &n->context;

  text(out, 1, c->connection);
  string(out, 2, c->user);
  string(out, 3, c->hub);
  if (n->kind == NOTICE_CONNECT) {
    joined(out, 5, &c->claims);
    joined(out, 6, &c->headers);
    joined(out, 7, &c->query);
  }
  string(out, 8, c->subprotocol);
  string(out, 9, c->state);
}

static void put_payload(struct pb_out *out, const void *arg)
{
  static const uint8_t formats[] = {[WPS_DATA_TEXT] = FORMAT_TEXT,
                                    [WPS_DATA_JSON] = FORMAT_JSON,
                                    [WPS_DATA_BINARY] = FORMAT_BINARY,
                                    [WPS_DATA_PROTOBUF] = FORMAT_PROTOBUF};
  const struct server_payload *p = arg;

  number(out, 1,
         p->data_type < sizeof(formats) ? formats[p->data_type]
                                        : FORMAT_BINARY);
  if (p->data.len != 0)
    pb_put_bytes(out, 2, p->data);
}

static void payload(struct pb_out *out, uint32_t field,
                    const struct server_payload *p)
{
  if (p->data_type != 0)
    pb_put_message(out, field, put_payload, p);
}

static void put_payload_size(struct pb_out *out, const void *arg)
{
  number(out, 1, ((const struct server_notice *)arg)->payload_size);
}

static void connect(struct pb_out *out, const struct server_notice *n)
{
  names(out, 3, &n->subprotocols);
  for (size_t i = 0; i < n->thumbprints.count; i++)
    pb_put_message(out, 4, put_string, &n->thumbprints.items[i]);
}

static void message(struct pb_out *out, const struct server_notice *n)
{
  text(out, 1, n->group);
  payload(out, 2, &n->payload);
  string(out, 3, n->from_user);
  pb_put_map(out, 4, n->metadata.items, n->metadata.count);
}

static void ack(struct pb_out *out, const struct server_notice *n)
{
  number(out, 1, n->ack_id);
  number(out, 2, n->result);
  string(out, 3, n->detail);
  text(out, 4, n->error);
  if (n->has_count)
    pb_put_u64(out, 5, n->count);
}

static void hello(struct pb_out *out, const struct server_notice *n)
{
  text(out, 1, n->connection);
  text(out, 2, n->hub);
  names(out, 3, &n->roles);
}

static void event(struct pb_out *out, const struct server_notice *n)
{
  number(out, 1, n->ack_id);
  switch (n->kind) {
  case NOTICE_CONNECT:
  case NOTICE_DISCONNECTED:
  case NOTICE_CONNECTED:
    pb_put_message(out, 2, put_context, n);
    break;
  default:
    text(out, 2, n->kind == NOTICE_EVENT ? n->event : n->group);
    pb_put_message(out, 3, put_context, n);
    break;
  }
  switch (n->kind) {
  case NOTICE_CONNECT:
    connect(out, n);
    break;
  case NOTICE_DISCONNECTED:
    text(out, 3, n->reason);
    break;
  case NOTICE_EVENT:
    payload(out, 4, &n->payload);
    break;
  case NOTICE_PUBLISH:
    pb_put_message(out, 4, put_payload_size, n);
    payload(out, 5, &n->payload);
    break;
  default:
    break;
  }
  number(out, 15, n->registration > 0 ? (uint64_t)n->registration : 0);
}

static void put_notice(struct pb_out *out, const void *arg)
{
  const struct server_notice *n = arg;

  switch (n->kind) {
  case NOTICE_MESSAGE:
    message(out, n);
    break;
  case NOTICE_ACK:
    ack(out, n);
    break;
  case NOTICE_HELLO:
    hello(out, n);
    break;
  default:
    event(out, n);
    break;
  }
}

static int write_protobuf(const struct server_notice *notice, void **bytes,
                          size_t *len)
{
  struct pb_out out = {NULL, 0, 0};

  pb_put_message(&out, notice->kind, put_notice, notice);
  out = (struct pb_out){malloc(out.len), out.len, 0};
  if (out.buf == NULL)
    return WPS_ENOMEM;
  pb_put_message(&out, notice->kind, put_notice, notice);
  *bytes = out.buf;
  *len = out.len;
  return WPS_OK;
}

const struct server_codec server_protobuf = {.subprotocol =
                                                 WPS_STR_INIT("protobuf"),
                                             .opcode = WPS_BINARY,
                                             .read = server_protobuf_read,
                                             .write = write_protobuf};
