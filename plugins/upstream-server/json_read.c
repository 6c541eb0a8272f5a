/* SPDX-License-Identifier: Apache-2.0 */
/* json_read.c - commands of the JSON form (doc/server-protocol.md). Members
 * that are not known are passed over, of one that comes twice the last counts,
 * null is as good as absent. */
#include "plugins/upstream-server/json.h"

#include <limits.h>
#include <string.h>

#include <webpubsub/status.h>

#include "plugins/common/azure/names.h"
#include "plugins/common/b64.h"
#include "plugins/common/json_scan.h"

/* X(NAME, text) */
#define KEYS(X)                                                                \
  X(TYPE, "type")                                                              \
  X(ACK_ID, "ackId")                                                           \
  X(CONNECTION, "connectionId")                                                \
  X(USER, "userId")                                                            \
  X(GROUP, "groupName")                                                        \
  X(REASON, "reason")                                                          \
  X(PAYLOAD, "payload")                                                        \
  X(EXCLUDED, "excluded")                                                      \
  X(FILTER, "filter")                                                          \
  X(TARGET, "target")                                                          \
  X(NAME, "name")                                                              \
  X(PERMISSION, "permission")                                                  \
  X(NO_ECHO, "noEcho")                                                         \
  X(WITH_PAYLOAD, "withPayload")                                               \
  X(ID, "id")                                                                  \
  X(SYSTEM_EVENTS, "systemEvents")                                             \
  X(USER_EVENTS, "userEvents")                                                 \
  X(GROUPS, "groups")                                                          \
  X(ERROR, "error")                                                            \
  X(SUBPROTOCOL, "subprotocol")                                                \
  X(HEADERS, "headers")                                                        \
  X(ROLES, "roles")                                                            \
  X(REPLACE_ROLES, "replaceRoles")                                             \
  X(STATE, "state")                                                            \
  X(METADATA, "metadata")

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

static const struct {
  struct wps_str name;
  uint32_t kind;
} types[] = {{WPS_STR_INIT("closeClient"), COMMAND_CLOSE_CLIENT},
             {WPS_STR_INIT("clientExists"), COMMAND_CLIENT_EXISTS},
             {WPS_STR_INIT("sendToClient"), COMMAND_SEND_TO_CLIENT},
             {WPS_STR_INIT("userExists"), COMMAND_USER_EXISTS},
             {WPS_STR_INIT("sendToUser"), COMMAND_SEND_TO_USER},
             {WPS_STR_INIT("sendToAll"), COMMAND_SEND_TO_ALL},
             {WPS_STR_INIT("count"), COMMAND_COUNT},
             {WPS_STR_INIT("closeUser"), COMMAND_CLOSE_USER},
             {WPS_STR_INIT("closeGroup"), COMMAND_CLOSE_GROUP},
             {WPS_STR_INIT("closeAll"), COMMAND_CLOSE_ALL},
             {WPS_STR_INIT("addClientToGroup"), COMMAND_ADD_CLIENT},
             {WPS_STR_INIT("addUserToGroup"), COMMAND_ADD_USER},
             {WPS_STR_INIT("removeClientFromGroup"), COMMAND_REMOVE_CLIENT},
             {WPS_STR_INIT("removeUserFromGroup"), COMMAND_REMOVE_USER},
             {WPS_STR_INIT("groupContainsClient"), COMMAND_GROUP_HAS_CLIENT},
             {WPS_STR_INIT("groupContainsUser"), COMMAND_GROUP_HAS_USER},
             {WPS_STR_INIT("grant"), COMMAND_GRANT},
             {WPS_STR_INIT("revoke"), COMMAND_REVOKE},
             {WPS_STR_INIT("publish"), COMMAND_PUBLISH},
             {WPS_STR_INIT("subscribe"), COMMAND_SUBSCRIBE},
             {WPS_STR_INIT("unsubscribe"), COMMAND_UNSUBSCRIBE},
             {WPS_STR_INIT("handleEvents"), COMMAND_HANDLE_EVENTS},
             {WPS_STR_INIT("connectResponse"), COMMAND_CONNECT_RESPONSE},
             {WPS_STR_INIT("messageResponse"), COMMAND_MESSAGE_RESPONSE}};

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* One frame that is being read. */
struct reading {
  struct command_room *room;
  struct server_command *out;
  const char *why;
};

static bool absent(const struct json_value *v)
{
  return v->type == 0 || v->type == SCAN_NULL;
}

/* ---- values ---- */

/* Well-formed, and to be refused. */
static int bad(struct reading *r, const char *why)
{
  r->why = why;
  return WPS_EINVAL;
}

static int take_text(struct reading *r, const struct json_value *v,
                     struct wps_str *out)
{
  char *at;

  if (absent(v))
    return WPS_OK;
  if (v->type != SCAN_STRING)
    return WPS_EPROTO;
  *out = json_value_inner(v);
  if (!v->escaped)
    return WPS_OK;
  at = command_room_take(r->room, out->len);
  if (at == NULL)
    return WPS_ENOMEM;
  *out = (struct wps_str){at, json_scan_text(v, at)};
  return WPS_OK;
}

static int take_bool(const struct json_value *v, bool *out)
{
  if (!absent(v) && v->type != SCAN_TRUE && v->type != SCAN_FALSE)
    return WPS_EPROTO;
  *out = v->type == SCAN_TRUE;
  return WPS_OK;
}

static int take_number(const struct json_value *v, uint64_t *out)
{
  if (absent(v))
    return WPS_OK;
  return json_scan_u64(v, out) == WPS_OK && *out <= INT_MAX ? WPS_OK
                                                            : WPS_EPROTO;
}

/* Elements of an array: the scanner knows objects only, and an array's elements
 * become the values of one with a key put before each. */
struct elements {
  const char *at, *end;
  bool more;
};

static int elements_begin(const struct json_value *v, struct elements *e)
{
  *e = (struct elements){v->ptr + 1, v->ptr + v->len - 1, false};
  return v->type == SCAN_ARRAY ? WPS_OK : WPS_EPROTO;
}

static bool is_space(char c)
{
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The array has been validated: strings alone are let through, which end at
 * their quote. 1: *out is one. Errors: EPROTO (not a string). */
static int elements_next(struct elements *e, struct json_value *out)
{
  const char *p = e->at;

  while (p < e->end && (is_space(*p) || *p == ','))
    p++;
  if (p == e->end)
    return 0;
  if (*p != '"')
    return WPS_EPROTO;
  *out = (struct json_value){.ptr = p, .type = SCAN_STRING};
  for (p++; *p != '"'; p++)
    if (*p == '\\') {
      out->escaped = 1;
      p++;
    }
  out->len = (uint32_t)(p + 1 - out->ptr);
  e->at = p + 1;
  return 1;
}

static int take_names(struct reading *r, const struct json_value *v,
                      struct server_names *out)
{
  struct json_value element;
  struct wps_str *items;
  struct elements e;
  size_t count = 0;
  int more;

  if (absent(v))
    return WPS_OK;
  if (elements_begin(v, &e) != WPS_OK)
    return WPS_EPROTO;
  while ((more = elements_next(&e, &element)) > 0)
    count++;
  if (more < 0)
    return more;
  if (count > COMMAND_NAMES_MAX)
    return bad(r, "a list is too long");
  items = command_room_take(r->room, (count + 1) * sizeof(*items));
  if (items == NULL)
    return WPS_ENOMEM;
  elements_begin(v, &e);
  for (size_t i = 0; i < count; i++) {
    int rc = elements_next(&e, &element);

    items[i] = (struct wps_str){"", 0};
    rc = rc > 0 ? take_text(r, &element, &items[i]) : WPS_EPROTO;
    if (rc != WPS_OK)
      return rc;
  }
  *out = (struct server_names){items, count};
  return WPS_OK;
}

static int take_pairs(struct reading *r, const struct json_value *v,
                      struct server_pairs *out)
{
  struct wps_pair *items;
  struct json_member m;
  struct json_scan scan;
  size_t count = 0;
  int more, rc;

  if (absent(v))
    return WPS_OK;
  if (v->type != SCAN_OBJECT ||
      json_scan_object(&scan, json_value_raw(v)) != WPS_OK)
    return WPS_EPROTO;
  while ((more = json_scan_member(&scan, &m)) > 0)
    count++;
  if (count > COMMAND_PAIRS_MAX)
    return bad(r, "a list is too long");
  items = command_room_take(r->room, (count + 1) * sizeof(*items));
  if (items == NULL)
    return WPS_ENOMEM;
  json_scan_object(&scan, json_value_raw(v));
  for (size_t i = 0; i < count && json_scan_member(&scan, &m) > 0; i++) {
    items[i] = (struct wps_pair){{"", 0}, {"", 0}};
    if (m.value.type != SCAN_STRING)
      return WPS_EPROTO;
    if ((rc = take_text(r, &m.key, &items[i].name)) != WPS_OK ||
        (rc = take_text(r, &m.value, &items[i].value)) != WPS_OK)
      return rc;
  }
  *out = (struct server_pairs){items, count};
  return azure_metadata_last(items, &out->count);
}

static const struct json_value *member(const struct json_value *object,
                                       struct wps_str name,
                                       struct json_value *room)
{
  struct json_scan scan;
  struct json_member m;

  *room = (struct json_value){.type = 0};
  if (json_scan_object(&scan, json_value_raw(object)) != WPS_OK)
    return room;
  while (json_scan_member(&scan, &m) > 0)
    if (json_scan_equal(&m.key, name, false))
      *room = m.value;
  return room;
}

#define MEMBER(object, name, room)                                             \
  member(object, (struct wps_str)WPS_STR_INIT(name), room)

static int data_type(struct reading *r, const struct json_value *v,
                     uint32_t *out)
{
  static const struct {
    struct wps_str name;
    uint32_t type;
  } names[] = {{WPS_STR_INIT("json"), WPS_DATA_JSON},
               {WPS_STR_INIT("text"), WPS_DATA_TEXT},
               {WPS_STR_INIT("binary"), WPS_DATA_BINARY},
               {WPS_STR_INIT("protobuf"), WPS_DATA_PROTOBUF}};

  *out = WPS_DATA_JSON;
  if (absent(v))
    return WPS_OK;
  if (v->type != SCAN_STRING)
    return WPS_EPROTO;
  for (size_t i = 0; i < COUNT_OF(names); i++)
    if (json_scan_equal(v, names[i].name, true)) {
      *out = names[i].type;
      return WPS_OK;
    }
  return bad(r, "dataType has to be json, text, binary or protobuf");
}

static int take_base64(struct reading *r, struct wps_str digits,
                       struct server_payload *out)
{
  char *at = command_room_take(r->room, digits.len);
  size_t len;

  if (at == NULL)
    return WPS_ENOMEM;
  if (b64_decode(digits, at, &len) != WPS_OK)
    return bad(r, "the payload is no base64");
  out->data = (struct wps_bytes){at, len};
  if (out->data_type == WPS_DATA_PROTOBUF && !azure_any_ok(out->data))
    return bad(r, "the payload is no google.protobuf.Any");
  return WPS_OK;
}

/* {"dataType": ..., "data": ...}, as in the protocol of clients. */
static int take_payload(struct reading *r, const struct json_value *v,
                        struct server_payload *out)
{
  struct json_value type_room, data_room;
  const struct json_value *data;
  struct wps_str text = {NULL, 0};
  int rc;

  if (absent(v))
    return WPS_OK;
  if (v->type != SCAN_OBJECT)
    return WPS_EPROTO;
  rc = data_type(r, MEMBER(v, "dataType", &type_room), &out->data_type);
  if (rc != WPS_OK)
    return rc;
  data = MEMBER(v, "data", &data_room);
  if (absent(data))
    return bad(r, "the payload has no data");
  if (out->data_type == WPS_DATA_JSON) {
    out->data = (struct wps_bytes){data->ptr, data->len};
    return WPS_OK;
  }
  rc = take_text(r, data, &text);
  if (rc != WPS_OK)
    return rc;
  out->data = (struct wps_bytes){text.ptr, text.len};
  return out->data_type == WPS_DATA_TEXT ? WPS_OK : take_base64(r, text, out);
}

/* ---- what is particular to a kind ---- */

static int take_target(struct reading *r, const struct json_value *v)
{
  static const struct wps_str names[] = {
      WPS_STR_INIT("hub"), WPS_STR_INIT("group"), WPS_STR_INIT("user")};
  struct server_command *out = r->out;
  struct wps_str name = {NULL, 0};
  int rc = take_text(r, &v[KEY_NAME], &name);

  if (rc != WPS_OK)
    return rc;
  if (absent(&v[KEY_TARGET]))
    return WPS_OK; /* the hub */
  if (v[KEY_TARGET].type != SCAN_STRING)
    return WPS_EPROTO;
  for (uint32_t i = 0; i < COUNT_OF(names); i++)
    if (json_scan_equal(&v[KEY_TARGET], names[i], false)) {
      out->target = i;
      if (i == COUNT_GROUP)
        out->group = name;
      else if (i == COUNT_USER)
        out->user = name;
      return WPS_OK;
    }
  return bad(r, "target has to be hub, group or user");
}

static int take_permission(struct reading *r, const struct json_value *v)
{
  static const struct wps_str join = WPS_STR_INIT("joinLeaveGroup"),
                              send = WPS_STR_INIT("sendToGroup");

  if (!absent(v) && v->type != SCAN_STRING)
    return WPS_EPROTO;
  if (!absent(v) && json_scan_equal(v, join, false)) {
    r->out->permission = PERMIT_JOIN_LEAVE;
    return WPS_OK;
  }
  if (!absent(v) && json_scan_equal(v, send, false)) {
    r->out->permission = PERMIT_SEND;
    return WPS_OK;
  }
  return bad(r, "permission has to be joinLeaveGroup or sendToGroup");
}

static int take_registration(struct reading *r, const struct json_value *v)
{
  struct server_command *out = r->out;
  struct server_names events = {NULL, 0};
  uint64_t id = 0;
  int rc;

  if ((rc = take_number(&v[KEY_ID], &id)) != WPS_OK ||
      (rc = take_names(r, &v[KEY_SYSTEM_EVENTS], &events)) != WPS_OK ||
      (rc = take_names(r, &v[KEY_USER_EVENTS], &out->user_events)) != WPS_OK)
    return rc;
  out->registration = (int32_t)id;
  if (!command_take_events(out, &events)) {
    return bad(r, "systemEvents has a name that is none");
  }
  return WPS_OK;
}

static int take_response(struct reading *r, const struct json_value *v)
{
  struct server_command *out = r->out;
  const struct json_value *error = &v[KEY_ERROR];
  struct json_value code_room, detail_room;
  uint64_t code = 0;
  int rc;

  if ((rc = take_pairs(r, &v[KEY_HEADERS], &out->headers)) != WPS_OK ||
      (rc = take_pairs(r, &v[KEY_METADATA], &out->metadata)) != WPS_OK)
    return rc;
  out->response =
      out->payload.data_type != 0 ? RESPONSE_PAYLOAD : RESPONSE_EMPTY;
  if (absent(error))
    return WPS_OK;
  if (error->type != SCAN_OBJECT)
    return WPS_EPROTO;
  out->response = RESPONSE_ERROR;
  rc = take_number(MEMBER(error, "code", &code_room), &code);
  if (rc != WPS_OK)
    return rc;
  out->error_code = (int32_t)code;
  return take_text(r, MEMBER(error, "detail", &detail_room),
                   &out->error_detail);
}

static int take_own(struct reading *r, const struct json_value *v)
{
  switch (r->out->kind) {
  case COMMAND_COUNT:
    return take_target(r, v);
  case COMMAND_GRANT:
  case COMMAND_REVOKE:
    return take_permission(r, &v[KEY_PERMISSION]);
  case COMMAND_HANDLE_EVENTS:
    return take_registration(r, v);
  case COMMAND_CONNECT_RESPONSE:
  case COMMAND_MESSAGE_RESPONSE:
    return take_response(r, v);
  default:
    return WPS_OK;
  }
}

/* ---- the frame ---- */

static int scan_frame(struct wps_str text, struct json_value v[KEY_COUNT])
{
  struct json_scan scan;
  struct json_member m;
  int more;

  if (json_scan_object(&scan, text) != WPS_OK)
    return WPS_EPROTO;
  while ((more = json_scan_member(&scan, &m)) > 0)
    for (size_t i = 0; i < KEY_COUNT; i++)
      if (json_scan_equal(&m.key, key_names[i], false)) {
        v[i] = m.value;
        break;
      }
  return more;
}

static int take_kind(struct reading *r, const struct json_value *v)
{
  if (v->type != SCAN_STRING)
    return WPS_EPROTO;
  for (size_t i = 0; i < COUNT_OF(types); i++)
    if (json_scan_equal(v, types[i].name, false)) {
      r->out->kind = types[i].kind;
      return WPS_OK;
    }
  return bad(r, "no such type of message");
}

static int take_all(struct reading *r, const struct json_value *v)
{
  struct server_command *out = r->out;
  uint64_t ack_id = 0;
  int rc;

  if ((rc = take_number(&v[KEY_ACK_ID], &ack_id)) != WPS_OK)
    return rc;
  out->ack_id = (uint32_t)ack_id;
  if ((rc = take_kind(r, &v[KEY_TYPE])) != WPS_OK ||
      (rc = take_text(r, &v[KEY_CONNECTION], &out->connection)) != WPS_OK ||
      (rc = take_text(r, &v[KEY_USER], &out->user)) != WPS_OK ||
      (rc = take_text(r, &v[KEY_GROUP], &out->group)) != WPS_OK ||
      (rc = take_text(r, &v[KEY_REASON], &out->reason)) != WPS_OK ||
      (rc = take_text(r, &v[KEY_FILTER], &out->filter)) != WPS_OK ||
      (rc = take_text(r, &v[KEY_SUBPROTOCOL], &out->subprotocol)) != WPS_OK ||
      (rc = take_text(r, &v[KEY_STATE], &out->state)) != WPS_OK ||
      (rc = take_payload(r, &v[KEY_PAYLOAD], &out->payload)) != WPS_OK ||
      (rc = take_names(r, &v[KEY_EXCLUDED], &out->excluded)) != WPS_OK ||
      (rc = take_names(r, &v[KEY_GROUPS], &out->groups)) != WPS_OK ||
      (rc = take_names(r, &v[KEY_ROLES], &out->roles)) != WPS_OK ||
      (rc = take_bool(&v[KEY_NO_ECHO], &out->no_echo)) != WPS_OK ||
      (rc = take_bool(&v[KEY_WITH_PAYLOAD], &out->with_payload)) != WPS_OK ||
      (rc = take_bool(&v[KEY_REPLACE_ROLES], &out->replace_roles)) != WPS_OK)
    return rc;
  return take_own(r, v);
}

int server_json_read(struct wps_bytes frame, struct command_room *room,
                     struct server_command *out, const char **why)
{
  struct json_value v[KEY_COUNT];
  struct reading r = {room, out, ""};
  int rc;

  memset(v, 0, sizeof(v));
  memset(out, 0, sizeof(*out));
  rc = scan_frame((struct wps_str){frame.ptr, frame.len}, v);
  if (rc == WPS_OK)
    rc = take_all(&r, v);
  *why = r.why;
  return rc;
}
