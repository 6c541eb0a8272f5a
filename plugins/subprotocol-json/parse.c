/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/subprotocol-json/parse.h"

#include <stdlib.h>
#include <string.h>

#include <webpubsub/status.h>

#include "plugins/common/azure/names.h"
#include "plugins/subprotocol-json/parse_values.h"

static const struct wps_str key_names[KEY_COUNT] = {
#define X(name, text) WPS_STR_INIT(text),
    JSON_KEYS(X)
#undef X
};

/* The first key of a length. */
static int first_key(size_t len)
{
  switch (len) {
  case 4:
    return KEY_TYPE;
  case 5:
    return KEY_GROUP;
  case 6:
    return KEY_NO_ECHO;
  case 7:
    return KEY_PAYLOAD;
  case 8:
    return KEY_DATA_TYPE;
  case 10:
    return KEY_TTL;
  case 12:
    return KEY_INVOCATION_ID;
  case 16:
    return KEY_STREAM_SEQUENCE_ID;
  default:
    return KEY_COUNT;
  }
}

/* Longer than any key with each of its letters written as an escape. */
enum { ESCAPED_KEY_MAX = 6 * 24 };

static int find_key(const struct json_value *key)
{
  struct wps_str name = json_value_inner(key);
  char plain[ESCAPED_KEY_MAX];

  if (key->escaped) {
    if (name.len > sizeof(plain))
      return -1;
    name.len = json_scan_text(key, plain);
    name.ptr = plain;
  }
  for (int i = first_key(name.len);
       i < KEY_COUNT && key_names[i].len == name.len; i++)
    if (memcmp(name.ptr, key_names[i].ptr, name.len) == 0)
      return i;
  return -1;
}

static int parse_send(struct json_parse *p, const struct json_value *v)
{
  int rc;

  p->req.kind = AZURE_SEND;
  if ((rc = json_take_ack(p, v)) != WPS_OK ||
      (rc = json_take_echo(p, v)) != WPS_OK ||
      (rc = json_take_ttl(p, v)) != WPS_OK ||
      (rc = json_take_group(p, v)) != WPS_OK ||
      (rc = json_take_metadata(p, v)) != WPS_OK)
    return rc;
  if (json_absent(&v[KEY_STREAM]))
    return json_take_data(p, v);
  p->req.kind = AZURE_STREAM_START;
  rc = json_take_no_data(p, v);
  return rc == WPS_OK ? json_take_stream(p, v) : rc;
}

/* An event or invocation that is said to be a stream. */
static int refuse_stream(struct json_parse *p, const struct json_value *v)
{
  static const struct wps_str why = WPS_STR_INIT("Streams go to groups only.");
  int rc = json_take_no_data(p, v);

  p->req.kind = AZURE_STREAM_START;
  if (rc == WPS_OK)
    rc = json_take_stream(p, v);
  p->req.flags |= AZURE_BAD;
  p->req.why = why;
  return rc;
}

static int parse_event(struct json_parse *p, const struct json_value *v)
{
  int rc;

  p->req.kind = AZURE_EVENT;
  if ((rc = json_take_ack(p, v)) != WPS_OK ||
      (rc = json_take_ttl(p, v)) != WPS_OK ||
      (rc = json_take_event(p, v)) != WPS_OK ||
      (rc = json_take_metadata(p, v)) != WPS_OK)
    return rc;
  return json_absent(&v[KEY_STREAM]) ? json_take_data(p, v)
                                     : refuse_stream(p, v);
}

/* As before 5.3 had types: {"event": …, "payload": …}. */
static int parse_early(struct json_parse *p, struct json_value *v)
{
  if (v[KEY_EVENT].type == 0)
    return WPS_EPROTO;
  v[KEY_DATA] = v[KEY_PAYLOAD];
  return parse_event(p, v);
}

static int parse_member(struct json_parse *p, const struct json_value *v,
                        uint32_t kind)
{
  int rc;

  p->req.kind = kind;
  rc = json_take_ack(p, v);
  return rc == WPS_OK ? json_take_group(p, v) : rc;
}

static int parse_sequence_ack(struct json_parse *p, const struct json_value *v)
{
  p->req.kind = AZURE_SEQUENCE_ACK;
  return json_scan_u64(&v[KEY_SEQUENCE_ID], &p->req.id);
}

static int parse_invoke(struct json_parse *p, const struct json_value *v)
{
  static const struct wps_str event_target = WPS_STR_INIT("event");
  static const struct wps_str why = WPS_STR_INIT("Only events can be invoked.");
  const struct json_value *target = &v[KEY_TARGET];
  int rc = WPS_OK;

  p->req.kind = AZURE_INVOKE;
  if (!json_absent(target) && target->type != SCAN_STRING)
    return WPS_EPROTO;
  if (json_absent(target) || json_scan_equal(target, event_target, false)) {
    rc = json_take_event(p, v);
  } else {
    p->req.flags |= AZURE_BAD;
    p->req.why = why;
  }
  if (rc == WPS_OK)
    rc = json_take_metadata(p, v);
  if (rc == WPS_OK)
    rc = json_take_id(p, &v[KEY_INVOCATION_ID]);
  if (rc == WPS_OK && p->req.ref.len > AZURE_ID_MAX)
    rc = WPS_EPROTO;
  if (rc != WPS_OK)
    return rc;
  return json_absent(&v[KEY_STREAM]) ? json_take_data_pair(p, v)
                                     : refuse_stream(p, v);
}

static int parse_cancel(struct json_parse *p, const struct json_value *v)
{
  p->req.kind = AZURE_CANCEL_INVOCATION;
  return json_take_id(p, &v[KEY_INVOCATION_ID]);
}

/* All of number, type and data, or none of them, which keeps it alive. */
static int parse_stream_data(struct json_parse *p, const struct json_value *v)
{
  bool numbered = !json_absent(&v[KEY_STREAM_SEQUENCE_ID]);
  int rc;

  p->req.kind = AZURE_STREAM_DATA;
  rc = json_take_data_pair(p, v);
  if (rc != WPS_OK)
    return rc;
  if (numbered != !!(p->req.flags & AZURE_HAS_DATA))
    return WPS_EPROTO;
  if (numbered) {
    p->req.flags |= AZURE_HAS_SEQUENCE;
    rc = json_scan_u64(&v[KEY_STREAM_SEQUENCE_ID], &p->req.sequence);
  }
  return rc == WPS_OK ? json_take_id(p, &v[KEY_STREAM_ID]) : rc;
}

static int parse_stream_end(struct json_parse *p, const struct json_value *v)
{
  int rc = json_take_stream_error(p, v);

  p->req.kind = AZURE_STREAM_END;
  return rc == WPS_OK ? json_take_id(p, &v[KEY_STREAM_ID]) : rc;
}

static int parse_set_state(struct json_parse *p, const struct json_value *v)
{
  int rc = json_take_state(p, v);

  return rc == WPS_OK ? parse_member(p, v, AZURE_SET_STATE) : rc;
}

enum {
  TYPE_SEND,
  TYPE_EVENT,
  TYPE_JOIN,
  TYPE_LEAVE,
  TYPE_PING,
  TYPE_SEQUENCE_ACK,
  TYPE_INVOKE,
  TYPE_CANCEL,
  TYPE_STREAM_DATA,
  TYPE_STREAM_END,
  TYPE_SET_STATE,
  TYPE_SUBSCRIBE,
  TYPE_UNSUBSCRIBE,
  TYPE_COUNT
};

static const struct wps_str type_names[TYPE_COUNT] = {
    [TYPE_SEND] = WPS_STR_INIT("sendToGroup"),
    [TYPE_EVENT] = WPS_STR_INIT("event"),
    [TYPE_JOIN] = WPS_STR_INIT("joinGroup"),
    [TYPE_LEAVE] = WPS_STR_INIT("leaveGroup"),
    [TYPE_PING] = WPS_STR_INIT("ping"),
    [TYPE_SEQUENCE_ACK] = WPS_STR_INIT("sequenceAck"),
    [TYPE_INVOKE] = WPS_STR_INIT("invoke"),
    [TYPE_CANCEL] = WPS_STR_INIT("cancelInvocation"),
    [TYPE_STREAM_DATA] = WPS_STR_INIT("streamData"),
    [TYPE_STREAM_END] = WPS_STR_INIT("streamEnd"),
    [TYPE_SET_STATE] = WPS_STR_INIT("setGroupState"),
    [TYPE_SUBSCRIBE] = WPS_STR_INIT("subscribeGroupState"),
    [TYPE_UNSUBSCRIBE] = WPS_STR_INIT("unsubscribeGroupState")};

static int find_type(const struct json_value *type)
{
  if (type->type != SCAN_STRING)
    return TYPE_COUNT;
  for (int i = 0; i < TYPE_COUNT; i++)
    if ((type->escaped || type->len == type_names[i].len + 2) &&
        json_scan_equal(type, type_names[i], true))
      return i;
  return TYPE_COUNT;
}

int json_parse(struct json_parse *p, struct wps_str text, bool early)
{
  struct json_value v[KEY_COUNT];
  struct json_scan scan;
  struct json_member m;
  int more;

  memset(&p->req, 0, sizeof(p->req));
  p->text = text;
  p->room = p->heap = NULL;
  p->used = 0;
  p->pairs_heap = NULL;
  memset(v, 0, sizeof(v));
  if (json_scan_object(&scan, text) != WPS_OK)
    return WPS_EPROTO;
  while ((more = json_scan_member(&scan, &m)) > 0) {
    int key = find_key(&m.key);

    if (key >= 0)
      v[key] = m.value; /* of duplicates the last counts */
  }
  if (more < 0)
    return WPS_EPROTO;
  switch (find_type(&v[KEY_TYPE])) {
  case TYPE_SEND:
    return parse_send(p, v);
  case TYPE_EVENT:
    return parse_event(p, v);
  case TYPE_JOIN:
    return parse_member(p, v, AZURE_JOIN);
  case TYPE_LEAVE:
    return parse_member(p, v, AZURE_LEAVE);
  case TYPE_PING:
    p->req.kind = AZURE_PING;
    return WPS_OK;
  case TYPE_SEQUENCE_ACK:
    return parse_sequence_ack(p, v);
  case TYPE_INVOKE:
    return parse_invoke(p, v);
  case TYPE_CANCEL:
    return parse_cancel(p, v);
  case TYPE_STREAM_DATA:
    return parse_stream_data(p, v);
  case TYPE_STREAM_END:
    return parse_stream_end(p, v);
  case TYPE_SET_STATE:
    return parse_set_state(p, v);
  case TYPE_SUBSCRIBE:
    return parse_member(p, v, AZURE_WATCH_STATE);
  case TYPE_UNSUBSCRIBE:
    return parse_member(p, v, AZURE_UNWATCH_STATE);
  default:
    return early && v[KEY_TYPE].type == 0 ? parse_early(p, v) : WPS_EPROTO;
  }
}

void json_parse_free(struct json_parse *p)
{
  free(p->heap);
  free(p->pairs_heap);
}
