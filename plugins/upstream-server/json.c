/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - notices in the JSON form (doc/server-protocol.md). */
#include "plugins/upstream-server/json.h"

#include <stdlib.h>

#include <webpubsub/message.h>
#include <webpubsub/status.h>

#include "plugins/common/azure/names.h"
#include "plugins/common/json_write.h"

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
  uint32_t kind;
  struct wps_str name;
} types[] = {{NOTICE_CONNECT, WPS_STR_INIT("connect")},
             {NOTICE_DISCONNECTED, WPS_STR_INIT("disconnected")},
             {NOTICE_CONNECTED, WPS_STR_INIT("clientConnected")},
             {NOTICE_EVENT, WPS_STR_INIT("event")},
             {NOTICE_PUBLISH, WPS_STR_INIT("publish")},
             {NOTICE_JOIN, WPS_STR_INIT("join")},
             {NOTICE_LEAVE, WPS_STR_INIT("leave")},
             {NOTICE_JOINED, WPS_STR_INIT("joined")},
             {NOTICE_LEFT, WPS_STR_INIT("left")},
             {NOTICE_MESSAGE, WPS_STR_INIT("message")},
             {NOTICE_ACK, WPS_STR_INIT("ack")},
             {NOTICE_HELLO, WPS_STR_INIT("connected")}};

/* Members of the object that is open; `first` says that none stands yet. */
struct object {
  struct json_out *out;
  bool first;
};

static void open_object(struct object *o, struct json_out *out)
{
  *o = (struct object){out, true};
  JSON_OUT(out, "{");
}

static void close_object(struct object *o)
{
  JSON_OUT(o->out, "}");
}

static void key(struct object *o, struct wps_str name)
{
  if (!o->first)
    JSON_OUT(o->out, ",");
  o->first = false;
  json_out_text(o->out, name);
  JSON_OUT(o->out, ":");
}

#define KEY(o, name) key((o), (struct wps_str)WPS_STR_INIT(name))

static void text(struct object *o, struct wps_str name, struct wps_str value)
{
  if (value.ptr == NULL)
    return;
  key(o, name);
  json_out_text(o->out, value);
}

#define TEXT(o, name, value)                                                   \
  text((o), (struct wps_str)WPS_STR_INIT(name), (value))

static void names(struct object *o, struct wps_str name,
                  const struct server_names *list)
{
  key(o, name);
  JSON_OUT(o->out, "[");
  for (size_t i = 0; i < list->count; i++) {
    if (i != 0)
      JSON_OUT(o->out, ",");
    json_out_text(o->out, list->items[i]);
  }
  JSON_OUT(o->out, "]");
}

/* {"name": ["value", ...]}: each name once, with all its values. */
static void lists(struct object *o, struct wps_str name,
                  const struct server_pairs *pairs)
{
  struct object inner;

  key(o, name);
  open_object(&inner, o->out);
  for (size_t i = 0; i < pairs->count; i++) {
    const struct wps_pair *pair = &pairs->items[i];

    if (i != 0 && azure_equal(pair->name, pair[-1].name)) {
      JSON_OUT(o->out, ",");
    } else {
      if (i != 0)
        JSON_OUT(o->out, "]");
      key(&inner, pair->name);
      JSON_OUT(o->out, "[");
    }
    json_out_text(o->out, pair->value);
  }
  if (pairs->count != 0)
    JSON_OUT(o->out, "]");
  close_object(&inner);
}

static void context(struct object *o, const struct server_notice *n)
{
  const struct server_context *c = &n->context;
  struct object inner;

  KEY(o, "context");
  open_object(&inner, o->out);
  TEXT(&inner, "connectionId", c->connection);
  TEXT(&inner, "userId", c->user);
  TEXT(&inner, "hub", c->hub);
  TEXT(&inner, "subprotocol", c->subprotocol);
  TEXT(&inner, "connectionState", c->state);
  if (n->kind == NOTICE_CONNECT) {
    lists(&inner, (struct wps_str)WPS_STR_INIT("claims"), &c->claims);
    lists(&inner, (struct wps_str)WPS_STR_INIT("headers"), &c->headers);
    lists(&inner, (struct wps_str)WPS_STR_INIT("query"), &c->query);
  }
  close_object(&inner);
}

static void payload(struct object *o, const struct server_payload *p)
{
  struct object inner;

  if (p->data_type == 0)
    return;
  KEY(o, "payload");
  open_object(&inner, o->out);
  KEY(&inner, "dataType");
  switch (p->data_type) {
  case WPS_DATA_JSON:
    JSON_OUT(o->out, "\"json\",\"data\":");
    json_out_raw(o->out, p->data.ptr, p->data.len);
    break;
  case WPS_DATA_TEXT:
    JSON_OUT(o->out, "\"text\",\"data\":");
    json_out_text(o->out, (struct wps_str){p->data.ptr, p->data.len});
    break;
  case WPS_DATA_PROTOBUF:
    JSON_OUT(o->out, "\"protobuf\",\"data\":");
    json_out_base64(o->out, p->data);
    break;
  default:
    JSON_OUT(o->out, "\"binary\",\"data\":");
    json_out_base64(o->out, p->data);
    break;
  }
  close_object(&inner);
}

static void connect(struct object *o, const struct server_notice *n)
{
  names(o, (struct wps_str)WPS_STR_INIT("subprotocols"), &n->subprotocols);
  KEY(o, "clientCertificates");
  JSON_OUT(o->out, "[");
  for (size_t i = 0; i < n->thumbprints.count; i++) {
    struct object certificate;

    if (i != 0)
      JSON_OUT(o->out, ",");
    open_object(&certificate, o->out);
    TEXT(&certificate, "thumbprint", n->thumbprints.items[i]);
    close_object(&certificate);
  }
  JSON_OUT(o->out, "]");
}

static void publish(struct object *o, const struct server_notice *n)
{
  struct object inner;

  KEY(o, "payloadMetadata");
  open_object(&inner, o->out);
  KEY(&inner, "payloadSize");
  json_out_u64(o->out, n->payload_size);
  close_object(&inner);
}

static void message(struct object *o, const struct server_notice *n)
{
  struct object inner;

  TEXT(o, "fromUserId", n->from_user);
  if (n->metadata.count == 0)
    return;
  KEY(o, "metadata");
  open_object(&inner, o->out);
  for (size_t i = 0; i < n->metadata.count; i++)
    text(&inner, n->metadata.items[i].name, n->metadata.items[i].value);
  close_object(&inner);
}

static void ack(struct object *o, const struct server_notice *n)
{
  static const struct wps_str results[] = {WPS_STR_INIT("success"),
                                           WPS_STR_INIT("failure"),
                                           WPS_STR_INIT("timeout")};

  TEXT(o, "result", results[n->result < COUNT_OF(results) ? n->result : 1]);
  TEXT(o, "error", n->error);
  TEXT(o, "detail", n->detail);
  if (n->has_count) {
    KEY(o, "count");
    json_out_u64(o->out, n->count);
  }
}

static void hello(struct object *o, const struct server_notice *n)
{
  TEXT(o, "connectionId", n->connection);
  TEXT(o, "hub", n->hub);
  names(o, (struct wps_str)WPS_STR_INIT("roles"), &n->roles);
}

static void put(struct json_out *out, const struct server_notice *n)
{
  struct object o;

  open_object(&o, out);
  for (size_t i = 0; i < COUNT_OF(types); i++)
    if (types[i].kind == n->kind)
      TEXT(&o, "type", types[i].name);
  if (n->ack_id != 0) {
    KEY(&o, "ackId");
    json_out_u64(out, n->ack_id);
  }
  if (n->registration > 0) {
    KEY(&o, "id");
    json_out_u64(out, (uint64_t)n->registration);
  }
  TEXT(&o, "eventName", n->event);
  TEXT(&o, "groupName", n->group);
  if (n->kind < NOTICE_MESSAGE)
    context(&o, n);
  switch (n->kind) {
  case NOTICE_CONNECT:
    connect(&o, n);
    break;
  case NOTICE_PUBLISH:
    publish(&o, n);
    break;
  case NOTICE_MESSAGE:
    message(&o, n);
    break;
  case NOTICE_ACK:
    ack(&o, n);
    break;
  case NOTICE_HELLO:
    hello(&o, n);
    break;
  default:
    TEXT(&o, "reason", n->reason);
    break;
  }
  payload(&o, &n->payload);
  close_object(&o);
}

static int write_json(const struct server_notice *notice, void **bytes,
                      size_t *len)
{
  struct json_out out = {.buf = NULL};

  put(&out, notice);
  out = (struct json_out){.buf = malloc(out.len), .cap = out.len};
  if (out.buf == NULL)
    return WPS_ENOMEM;
  put(&out, notice);
  *bytes = out.buf;
  *len = out.len;
  return WPS_OK;
}

const struct server_codec server_json = {.subprotocol = WPS_STR_INIT("json"),
                                         .opcode = WPS_TEXT,
                                         .read = server_json_read,
                                         .write = write_json};
