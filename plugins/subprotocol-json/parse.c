/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/subprotocol-json/parse.h"

#include <stdlib.h>
#include <string.h>

#include <webpubsub/status.h>

#include "plugins/common/azure/names.h"
#include "plugins/common/b64.h"
#include "plugins/common/json_scan.h"

/* X(NAME, text): the properties that mean something, by their length. */
#define KEYS(X)                                                                \
  X(TYPE, "type")                                                              \
  X(DATA, "data")                                                              \
  X(GROUP, "group")                                                            \
  X(EVENT, "event")                                                            \
  X(ACK_ID, "ackId")                                                           \
  X(ERROR, "error")                                                            \
  X(STATE, "state")                                                            \
  X(NO_ECHO, "noEcho")                                                         \
  X(TARGET, "target")                                                          \
  X(STREAM, "stream")                                                          \
  X(DATA_TYPE, "dataType")                                                     \
  X(METADATA, "metadata")                                                      \
  X(STREAM_ID, "streamId")                                                     \
  X(TTL, "ttlSeconds")                                                         \
  X(SEQUENCE_ID, "sequenceId")                                                 \
  X(INVOCATION_ID, "invocationId")                                             \
  X(STREAM_SEQUENCE_ID, "streamSequenceId")

enum {
#define X(name, text) KEY_##name,
  KEYS(X)
#undef X
      KEY_COUNT
};

static const struct wps_str key_names[KEY_COUNT] = {
#define X(name, text) WPS_STR_INIT(text),
    KEYS(X)
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

static bool absent(const struct json_value *v)
{
  return v->type == 0 || v->type == SCAN_NULL;
}

/* Room for `len` bytes. All that is ever asked for comes from different parts
 * of the text, each at most twice: free of escapes, and decoded. */
static char *take_room(struct json_parse *p, struct wps_str text, size_t len)
{
  char *at;

  if (p->room == NULL) {
    p->room = p->small;
    if (text.len > sizeof(p->small) / 2) {
      p->heap = malloc(text.len * 2);
      if (p->heap == NULL)
        return NULL;
      p->room = p->heap;
    }
  }
  at = p->room + p->used;
  p->used += len;
  return at;
}

/* The text of a string; in place when it has no escapes. */
static int take_text(struct json_parse *p, struct wps_str text,
                     const struct json_value *v, struct wps_str *out)
{
  char *at;

  if (v->type != SCAN_STRING)
    return WPS_EPROTO;
  *out = json_value_inner(v);
  if (!v->escaped)
    return WPS_OK;
  at = take_room(p, text, out->len);
  if (at == NULL)
    return WPS_ENOMEM;
  out->len = json_scan_text(v, at);
  out->ptr = at;
  return WPS_OK;
}

static int take_group(struct json_parse *p, struct wps_str text,
                      const struct json_value *v)
{
  int rc = take_text(p, text, &v[KEY_GROUP], &p->req.name);

  if (rc == WPS_OK && !azure_group_ok(p->req.name))
    rc = WPS_EPROTO;
  return rc;
}

static int take_event(struct json_parse *p, struct wps_str text,
                      const struct json_value *v, struct wps_str *out)
{
  int rc = take_text(p, text, &v[KEY_EVENT], out);

  if (rc == WPS_OK && !azure_event_ok(*out))
    rc = WPS_EPROTO;
  return rc;
}

/* A non-empty id of a client's own; its length is a matter of taste. */
static int take_id(struct json_parse *p, struct wps_str text,
                   const struct json_value *v)
{
  int rc = take_text(p, text, v, &p->req.name);

  if (rc == WPS_OK && p->req.name.len == 0)
    rc = WPS_EPROTO;
  return rc;
}

static int take_ack(struct json_parse *p, const struct json_value *v)
{
  if (absent(&v[KEY_ACK_ID]))
    return WPS_OK;
  p->req.flags |= AZURE_HAS_ACK;
  return json_scan_u64(&v[KEY_ACK_ID], &p->req.id);
}

static int take_ttl(struct json_parse *p, const struct json_value *v)
{
  uint64_t seconds;

  if (absent(&v[KEY_TTL]))
    return WPS_OK;
  if (json_scan_u64(&v[KEY_TTL], &seconds) != WPS_OK || seconds > AZURE_TTL_MAX)
    return WPS_EPROTO;
  p->req.ttl_ms = (uint32_t)seconds * 1000;
  return WPS_OK;
}

static int take_echo(struct json_parse *p, const struct json_value *v)
{
  switch (v[KEY_NO_ECHO].type) {
  case 0:
  case SCAN_NULL:
  case SCAN_FALSE:
    return WPS_OK;
  case SCAN_TRUE:
    p->req.flags |= AZURE_NO_ECHO;
    return WPS_OK;
  default:
    return WPS_EPROTO;
  }
}

/* Every value of an object is a string. */
static int check_strings(const struct json_value *object, size_t *count)
{
  struct json_scan scan;
  struct json_member m;
  int more;

  *count = 0;
  if (json_scan_object(&scan, json_value_raw(object)) != WPS_OK)
    return WPS_EPROTO;
  while ((more = json_scan_member(&scan, &m)) > 0) {
    if (m.value.type != SCAN_STRING)
      return WPS_EPROTO;
    ++*count;
  }
  return more;
}

static int take_metadata(struct json_parse *p, struct wps_str text,
                         const struct json_value *v)
{
  struct wps_pair *pairs = p->pairs;
  struct json_scan scan;
  struct json_member m;
  size_t count, i = 0;
  int rc;

  if (absent(&v[KEY_METADATA]))
    return WPS_OK;
  rc = check_strings(&v[KEY_METADATA], &count);
  /* A key has a byte at least, so that more would break the sum anyway. */
  if (rc != WPS_OK || count > AZURE_METADATA_MAX)
    return WPS_EPROTO;
  if (count > JSON_PARSE_PAIRS) {
    pairs = p->pairs_heap = malloc(count * sizeof(*pairs));
    if (pairs == NULL)
      return WPS_ENOMEM;
  }
  json_scan_object(&scan, json_value_raw(&v[KEY_METADATA]));
  while (json_scan_member(&scan, &m) > 0) {
    rc = take_text(p, text, &m.key, &pairs[i].name);
    if (rc == WPS_OK)
      rc = take_text(p, text, &m.value, &pairs[i].value);
    if (rc != WPS_OK)
      return rc;
    i++;
  }
  rc = azure_metadata_check(pairs, count);
  p->req.metadata = pairs;
  p->req.metadata_count = count;
  return rc;
}

static int read_data_type(const struct json_value *v, uint32_t *out)
{
  static const struct {
    struct wps_str name;
    uint32_t type;
  } types[] = {{WPS_STR_INIT("json"), WPS_DATA_JSON},
               {WPS_STR_INIT("text"), WPS_DATA_TEXT},
               {WPS_STR_INIT("binary"), WPS_DATA_BINARY},
               {WPS_STR_INIT("protobuf"), WPS_DATA_PROTOBUF}};

  *out = WPS_DATA_JSON;
  if (absent(&v[KEY_DATA_TYPE]))
    return WPS_OK;
  if (v[KEY_DATA_TYPE].type != SCAN_STRING)
    return WPS_EPROTO;
  for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
    if (json_scan_equal(&v[KEY_DATA_TYPE], types[i].name, true)) {
      *out = types[i].type;
      return WPS_OK;
    }
  return WPS_EPROTO;
}

static int decode_base64(struct json_parse *p, struct wps_str text,
                         struct wps_str digits)
{
  char *at = take_room(p, text, digits.len / 4 * 3);
  size_t len;

  if (at == NULL)
    return WPS_ENOMEM;
  if (b64_decode(digits, at, &len) != WPS_OK)
    return WPS_EPROTO;
  p->req.data = (struct wps_bytes){at, len};
  if (p->req.data_type == WPS_DATA_PROTOBUF && !azure_any_ok(p->req.data))
    return WPS_EPROTO;
  return WPS_OK;
}

/* `metadata` has been taken before: with it, data may be left out. */
static int take_data(struct json_parse *p, struct wps_str text,
                     const struct json_value *v)
{
  const struct json_value *data = &v[KEY_DATA];
  struct wps_str s;
  int rc;

  rc = read_data_type(v, &p->req.data_type);
  if (rc != WPS_OK)
    return rc;
  if (data->type == 0) {
    if (p->req.metadata_count == 0)
      return WPS_EPROTO;
    p->req.data_type = WPS_DATA_TEXT;
    p->req.data = (struct wps_bytes){"", 0};
    return WPS_OK;
  }
  if (p->req.data_type == WPS_DATA_JSON) {
    p->req.data = (struct wps_bytes){data->ptr, data->len};
    return data->type == SCAN_NULL ? WPS_EPROTO : WPS_OK;
  }
  rc = take_text(p, text, data, &s);
  if (rc != WPS_OK)
    return rc;
  if (p->req.data_type != WPS_DATA_TEXT)
    return decode_base64(p, text, s);
  p->req.data = (struct wps_bytes){s.ptr, s.len};
  return WPS_OK;
}

/* Where data and its type come together or not at all. */
static int take_data_pair(struct json_parse *p, struct wps_str text,
                          const struct json_value *v, bool *present)
{
  *present = v[KEY_DATA].type != 0;
  if (absent(&v[KEY_DATA_TYPE]) == *present)
    return WPS_EPROTO;
  return *present ? take_data(p, text, v) : WPS_OK;
}

/* {"streamId": …, "idleTimeoutMs": …}: of its content only the id has to be
 * usable, all else is a refused request, not a malformed one. */
static int take_stream(struct json_parse *p, struct wps_str text,
                       const struct json_value *stream)
{
  static const struct wps_str id_name = WPS_STR_INIT("streamId");
  struct json_value id = {.type = 0};
  struct json_scan scan;
  struct json_member m;

  if (json_scan_object(&scan, json_value_raw(stream)) != WPS_OK)
    return WPS_EPROTO;
  while (json_scan_member(&scan, &m) > 0)
    if (json_scan_equal(&m.key, id_name, false))
      id = m.value;
  return take_id(p, text, &id);
}

static int parse_send(struct json_parse *p, struct wps_str text,
                      const struct json_value *v)
{
  bool stream = !absent(&v[KEY_STREAM]);
  int rc;

  p->req.kind = AZURE_SEND;
  if ((rc = take_ack(p, v)) != WPS_OK || (rc = take_echo(p, v)) != WPS_OK ||
      (rc = take_ttl(p, v)) != WPS_OK ||
      (rc = take_group(p, text, v)) != WPS_OK ||
      (rc = take_metadata(p, text, v)) != WPS_OK)
    return rc;
  if (stream) {
    p->req.kind = AZURE_STREAM_START;
    if (absent(&v[KEY_DATA]))
      rc = read_data_type(v, &p->req.data_type);
    else
      rc = take_data(p, text, v);
    return rc == WPS_OK ? take_stream(p, text, &v[KEY_STREAM]) : rc;
  }
  return take_data(p, text, v);
}

static int parse_event(struct json_parse *p, struct wps_str text,
                       const struct json_value *v)
{
  int rc;

  p->req.kind = AZURE_EVENT;
  if ((rc = take_ack(p, v)) != WPS_OK || (rc = take_ttl(p, v)) != WPS_OK ||
      (rc = take_event(p, text, v, &p->req.name)) != WPS_OK ||
      (rc = take_metadata(p, text, v)) != WPS_OK)
    return rc;
  return take_data(p, text, v);
}

static int parse_member(struct json_parse *p, struct wps_str text,
                        const struct json_value *v, uint32_t kind)
{
  int rc;

  p->req.kind = kind;
  rc = take_ack(p, v);
  return rc == WPS_OK ? take_group(p, text, v) : rc;
}

static int parse_sequence_ack(struct json_parse *p, const struct json_value *v)
{
  p->req.kind = AZURE_SEQUENCE_ACK;
  return json_scan_u64(&v[KEY_SEQUENCE_ID], &p->req.id);
}

static int parse_invoke(struct json_parse *p, struct wps_str text,
                        const struct json_value *v)
{
  static const struct wps_str event_target = WPS_STR_INIT("event");
  const struct json_value *target = &v[KEY_TARGET];
  struct wps_str event;
  bool data;
  int rc;

  p->req.kind = AZURE_INVOKE;
  if (!absent(target) && target->type != SCAN_STRING)
    return WPS_EPROTO;
  if (absent(target) || json_scan_equal(target, event_target, false)) {
    rc = take_event(p, text, v, &event);
    if (rc != WPS_OK)
      return rc;
  }
  rc = take_metadata(p, text, v);
  if (rc == WPS_OK)
    rc = take_data_pair(p, text, v, &data);
  if (rc == WPS_OK)
    rc = take_id(p, text, &v[KEY_INVOCATION_ID]);
  return rc == WPS_OK && p->req.name.len > AZURE_ID_MAX ? WPS_EPROTO : rc;
}

static int parse_cancel(struct json_parse *p, struct wps_str text,
                        const struct json_value *v)
{
  p->req.kind = AZURE_CANCEL_INVOCATION;
  return take_id(p, text, &v[KEY_INVOCATION_ID]);
}

static int parse_stream_data(struct json_parse *p, struct wps_str text,
                             const struct json_value *v)
{
  uint64_t sequence;
  bool data, numbered = !absent(&v[KEY_STREAM_SEQUENCE_ID]);
  int rc;

  p->req.kind = AZURE_STREAM_DATA;
  rc = take_data_pair(p, text, v, &data);
  if (rc != WPS_OK)
    return rc;
  if (numbered != data || (numbered && json_scan_u64(&v[KEY_STREAM_SEQUENCE_ID],
                                                     &sequence) != WPS_OK))
    return WPS_EPROTO;
  return take_id(p, text, &v[KEY_STREAM_ID]);
}

static int parse_stream_end(struct json_parse *p, struct wps_str text,
                            const struct json_value *v)
{
  static const struct wps_str texts[] = {WPS_STR_INIT("message"),
                                         WPS_STR_INIT("userErrorCode")};
  const struct json_value *error = &v[KEY_ERROR];
  struct json_value last[2] = {{.type = 0}, {.type = 0}};
  struct json_scan scan;
  struct json_member m;

  p->req.kind = AZURE_STREAM_END;
  if (!absent(error)) {
    if (json_scan_object(&scan, json_value_raw(error)) != WPS_OK)
      return WPS_EPROTO;
    while (json_scan_member(&scan, &m) > 0)
      for (int i = 0; i < 2; i++)
        if (json_scan_equal(&m.key, texts[i], false))
          last[i] = m.value;
    for (int i = 0; i < 2; i++)
      if (!absent(&last[i]) && last[i].type != SCAN_STRING)
        return WPS_EPROTO;
  }
  return take_id(p, text, &v[KEY_STREAM_ID]);
}

static int parse_set_state(struct json_parse *p, struct wps_str text,
                           const struct json_value *v)
{
  size_t count;

  if (!absent(&v[KEY_STATE]) && check_strings(&v[KEY_STATE], &count) != WPS_OK)
    return WPS_EPROTO;
  return parse_member(p, text, v, AZURE_GROUP_STATE);
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

int json_parse(struct json_parse *p, struct wps_str text)
{
  struct json_value v[KEY_COUNT];
  struct json_scan scan;
  struct json_member m;
  int more;

  memset(&p->req, 0, sizeof(p->req));
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
    return parse_send(p, text, v);
  case TYPE_EVENT:
    return parse_event(p, text, v);
  case TYPE_JOIN:
    return parse_member(p, text, v, AZURE_JOIN);
  case TYPE_LEAVE:
    return parse_member(p, text, v, AZURE_LEAVE);
  case TYPE_PING:
    p->req.kind = AZURE_PING;
    return WPS_OK;
  case TYPE_SEQUENCE_ACK:
    return parse_sequence_ack(p, v);
  case TYPE_INVOKE:
    return parse_invoke(p, text, v);
  case TYPE_CANCEL:
    return parse_cancel(p, text, v);
  case TYPE_STREAM_DATA:
    return parse_stream_data(p, text, v);
  case TYPE_STREAM_END:
    return parse_stream_end(p, text, v);
  case TYPE_SET_STATE:
    return parse_set_state(p, text, v);
  case TYPE_SUBSCRIBE:
  case TYPE_UNSUBSCRIBE:
    return parse_member(p, text, v, AZURE_GROUP_STATE);
  default:
    return WPS_EPROTO;
  }
}

void json_parse_free(struct json_parse *p)
{
  free(p->heap);
  free(p->pairs_heap);
}
