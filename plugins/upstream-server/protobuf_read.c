/* SPDX-License-Identifier: Apache-2.0 */
/* protobuf_read.c - commands of the protobuf form (doc/server-protocol.md).
 *
 * First all fields are collected, as any parser of Protocol Buffers does it:
 * fields that are not known, or whose wire type is not that of their number,
 * are passed over; the last of a oneof wins; the same submessage again adds to
 * what is there. Then what has been collected is looked at as a whole, because
 * the ack id may come last.
 */
#include "plugins/upstream-server/protobuf.h"

#include <limits.h>
#include <string.h>

#include <webpubsub/message.h>
#include <webpubsub/status.h>

#include "plugins/common/azure/names.h"
#include "plugins/common/json_scan.h"
#include "plugins/common/pb.h"

/* What a field is. */
enum {
  UNKNOWN,
  ACK,
  ID,
  TARGET,
  PERMISSION,
  NO_ECHO,
  WITH_PAYLOAD,
  REPLACE_ROLES,
  NUMBERS, /* those before are varints, all others have a length */
  CONNECTION,
  USER,
  GROUP,
  ANY_GROUP, /* there or not, even when empty */
  NAME,      /* of TARGET */
  FILTER,
  REASON, /* from here to STATE: StringValue */
  USER_VALUE,
  SUBPROTOCOL,
  STATE,
  EXCLUDED, /* from here to ROLES: repeated */
  SYSTEM,
  EVENTS,
  GROUPS,
  ROLES,
  HEADERS, /* map, as is the next */
  METADATA,
  PAYLOAD,
  EMPTY, /* these three: a oneof */
  ANSWER,
  FAILURE
};

enum { FIELDS = 12 };

static const struct {
  uint8_t kind;
  uint8_t fields[FIELDS];
} members[] = {
    {COMMAND_CLOSE_CLIENT, {0, ACK, CONNECTION, REASON}},
    {COMMAND_CLIENT_EXISTS, {0, ACK, CONNECTION}},
    {COMMAND_SEND_TO_CLIENT, {0, ACK, CONNECTION, PAYLOAD}},
    {COMMAND_USER_EXISTS, {0, ACK, USER}},
    {COMMAND_SEND_TO_USER, {0, ACK, USER, PAYLOAD}},
    {COMMAND_SEND_TO_ALL, {0, ACK, PAYLOAD, EXCLUDED, FILTER}},
    {COMMAND_COUNT, {0, ACK, TARGET, NAME}},
    {COMMAND_CLOSE_USER, {0, ACK, USER, REASON, EXCLUDED}},
    {COMMAND_CLOSE_GROUP, {0, ACK, GROUP, REASON, EXCLUDED}},
    {COMMAND_CLOSE_ALL, {0, ACK, 0, REASON, EXCLUDED}},
    {COMMAND_ADD_CLIENT, {0, ACK, CONNECTION, GROUP}},
    {COMMAND_ADD_USER, {0, ACK, USER, GROUP}},
    {COMMAND_REMOVE_CLIENT, {0, ACK, CONNECTION, GROUP}},
    {COMMAND_REMOVE_USER, {0, ACK, USER, GROUP}},
    {COMMAND_GROUP_HAS_CLIENT, {0, ACK, CONNECTION, GROUP}},
    {COMMAND_GROUP_HAS_USER, {0, ACK, USER, GROUP}},
    {COMMAND_GRANT, {0, ACK, CONNECTION, PERMISSION, ANY_GROUP}},
    {COMMAND_REVOKE, {0, ACK, CONNECTION, PERMISSION, ANY_GROUP}},
    {COMMAND_PUBLISH, {0, ACK, GROUP, PAYLOAD, EXCLUDED, FILTER, NO_ECHO}},
    {COMMAND_SUBSCRIBE, {0, ACK, GROUP}},
    {COMMAND_UNSUBSCRIBE, {0, ACK, GROUP}},
    {COMMAND_HANDLE_EVENTS,
     {0, ACK, ID, SYSTEM, EVENTS, FILTER, GROUPS, WITH_PAYLOAD}},
    {COMMAND_CONNECT_RESPONSE,
     {0, ACK, EMPTY, ANSWER, FAILURE, GROUPS, USER_VALUE, SUBPROTOCOL, HEADERS,
      ROLES, REPLACE_ROLES, STATE}},
    {COMMAND_MESSAGE_RESPONSE,
     {0, ACK, EMPTY, ANSWER, FAILURE, METADATA, STATE}},
};

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* One frame that is being read. */
struct reading {
  struct command_room *room;
  struct server_command *out;
  const uint8_t *fields; /* of the member that is read */
  struct wps_str name;
  struct server_names system;
  uint32_t format; /* of the payload */
  bool has_payload;
  bool too_long; /* a list */
};

/* ---- lists ---- */

/* Lists have room for 4, 8, 16, ...: this is what one more takes. NULL: no
 * memory. */
static void *grow(struct command_room *room, const void *items, size_t count,
                  size_t size)
{
  void *more;

  if (count != 0 && (count < 4 || (count & (count - 1)) != 0))
    return (void *)items;
  more = command_room_take(room, (count == 0 ? 4 : 2 * count) * size);
  if (more != NULL && count != 0)
    memcpy(more, items, count * size);
  return more;
}

static int add_name(struct reading *r, struct server_names *list,
                    const struct pb_field *f)
{
  struct wps_str *items;
  struct wps_str name;

  if (pb_text(f, &name) != WPS_OK)
    return WPS_EPROTO;
  r->too_long |= list->count == COMMAND_NAMES_MAX;
  if (r->too_long)
    return WPS_OK;
  items = grow(r->room, list->items, list->count, sizeof(*items));
  if (items == NULL)
    return WPS_ENOMEM;
  items[list->count] = name;
  *list = (struct server_names){items, list->count + 1};
  return WPS_OK;
}

static int add_pair(struct reading *r, struct server_pairs *list,
                    struct wps_bytes entry)
{
  struct wps_pair pair = {{"", 0}, {"", 0}};
  struct wps_pair *items;
  struct pb_field f;
  struct pb_in in;
  int more;

  pb_in_init(&in, entry);
  while ((more = pb_next(&in, &f)) > 0)
    if (f.wire == PB_BYTES && (f.number == 1 || f.number == 2) &&
        pb_text(&f, f.number == 1 ? &pair.name : &pair.value) != WPS_OK)
      return WPS_EPROTO;
  if (more < 0)
    return more;
  r->too_long |= list->count == COMMAND_PAIRS_MAX;
  if (r->too_long)
    return WPS_OK;
  items = grow(r->room, list->items, list->count, sizeof(*items));
  if (items == NULL)
    return WPS_ENOMEM;
  items[list->count] = pair;
  *list = (struct server_pairs){items, list->count + 1};
  return WPS_OK;
}

/* ---- submessages ---- */

/* A string without presence: empty is absent. */
static int take_text(const struct pb_field *f, struct wps_str *out)
{
  int rc = pb_text(f, out);

  if (rc == WPS_OK && out->len == 0)
    *out = (struct wps_str){NULL, 0};
  return rc;
}

static int take_value(struct wps_bytes value, struct wps_str *out)
{
  struct pb_field f;
  struct pb_in in;
  int more;

  if (out->ptr == NULL)
    *out = (struct wps_str){"", 0};
  pb_in_init(&in, value);
  while ((more = pb_next(&in, &f)) > 0)
    if (f.number == 1 && f.wire == PB_BYTES && pb_text(&f, out) != WPS_OK)
      return WPS_EPROTO;
  return more;
}

static int take_payload(struct reading *r, struct wps_bytes detail)
{
  struct pb_field f;
  struct pb_in in;
  int more;

  r->has_payload = true;
  pb_in_init(&in, detail);
  while ((more = pb_next(&in, &f)) > 0)
    if (f.number == 1 && f.wire == PB_VARINT)
      r->format = (uint32_t)f.value;
    else if (f.number == 2 && f.wire == PB_BYTES)
      r->out->payload.data = f.bytes;
  return more;
}

static int take_error(struct server_command *out, struct wps_bytes error)
{
  struct pb_field f;
  struct pb_in in;
  int more, rc = WPS_OK;

  pb_in_init(&in, error);
  while (rc == WPS_OK && (more = pb_next(&in, &f)) != 0)
    if (more < 0)
      rc = more;
    else if (f.number == 1 && f.wire == PB_VARINT)
      out->error_code = (int32_t)(uint32_t)f.value;
    else if (f.number == 2 && f.wire == PB_BYTES)
      rc = take_value(f.bytes, &out->error_detail);
  return rc;
}

/* Empty, payload or error: another one than before starts anew. */
static int take_response(struct reading *r, uint32_t response,
                         struct wps_bytes bytes)
{
  struct server_command *out = r->out;
  struct pb_field f;
  struct pb_in in;
  int more;

  if (out->response != response) {
    r->has_payload = false;
    r->format = FORMAT_TEXT;
    out->payload = (struct server_payload){.data_type = 0};
    out->error_code = 0;
    out->error_detail = (struct wps_str){NULL, 0};
  }
  out->response = response;
  if (response == RESPONSE_PAYLOAD)
    return take_payload(r, bytes);
  if (response == RESPONSE_ERROR)
    return take_error(out, bytes);
  pb_in_init(&in, bytes);
  while ((more = pb_next(&in, &f)) > 0)
    continue;
  return more;
}

/* ---- fields ---- */

static void take_number(struct server_command *out, uint32_t what,
                        uint64_t value)
{
  switch (what) {
  case ACK:
    out->ack_id = (uint32_t)value;
    break;
  case ID:
    out->registration = (int32_t)(uint32_t)value;
    break;
  case TARGET:
    out->target = (uint32_t)value;
    break;
  case PERMISSION:
    out->permission = (uint32_t)value;
    break;
  case NO_ECHO:
    out->no_echo = value != 0;
    break;
  case WITH_PAYLOAD:
    out->with_payload = value != 0;
    break;
  case REPLACE_ROLES:
    out->replace_roles = value != 0;
    break;
  default:
    break;
  }
}

static int take_string(struct reading *r, uint32_t what,
                       const struct pb_field *f)
{
  struct server_command *out = r->out;

  switch (what) {
  case CONNECTION:
    return take_text(f, &out->connection);
  case USER:
    return take_text(f, &out->user);
  case GROUP:
    return take_text(f, &out->group);
  case ANY_GROUP:
    return pb_text(f, &out->group);
  case NAME:
    return take_text(f, &r->name);
  case FILTER:
    return take_text(f, &out->filter);
  case REASON:
    return take_value(f->bytes, &out->reason);
  case USER_VALUE:
    return take_value(f->bytes, &out->user);
  case SUBPROTOCOL:
    return take_value(f->bytes, &out->subprotocol);
  case STATE:
    return take_value(f->bytes, &out->state);
  default:
    return WPS_OK;
  }
}

static int take_field(struct reading *r, const struct pb_field *f)
{
  struct server_command *out = r->out;
  uint32_t what = f->number < FIELDS ? r->fields[f->number] : UNKNOWN;

  if (f->wire == PB_VARINT)
    take_number(out, what, f->value);
  if (f->wire != PB_BYTES)
    return WPS_OK;
  switch (what) {
  case EXCLUDED:
    return add_name(r, &out->excluded, f);
  case SYSTEM:
    return add_name(r, &r->system, f);
  case EVENTS:
    return add_name(r, &out->user_events, f);
  case GROUPS:
    return add_name(r, &out->groups, f);
  case ROLES:
    return add_name(r, &out->roles, f);
  case HEADERS:
    return add_pair(r, &out->headers, f->bytes);
  case METADATA:
    return add_pair(r, &out->metadata, f->bytes);
  case PAYLOAD:
    return take_payload(r, f->bytes);
  case EMPTY:
    return take_response(r, RESPONSE_EMPTY, f->bytes);
  case ANSWER:
    return take_response(r, RESPONSE_PAYLOAD, f->bytes);
  case FAILURE:
    return take_response(r, RESPONSE_ERROR, f->bytes);
  default:
    return take_string(r, what, f);
  }
}

static const uint8_t *fields_of(uint32_t kind)
{
  for (size_t i = 0; i < COUNT_OF(members); i++)
    if (members[i].kind == kind)
      return members[i].fields;
  return NULL;
}

static int take_member(struct reading *r, const struct pb_field *member)
{
  struct pb_field f;
  struct pb_in in;
  int more, rc = WPS_OK;

  if (r->out->kind != member->number) {
    *r = (struct reading){.room = r->room, .out = r->out, .fields = r->fields};
    *r->out = (struct server_command){.kind = member->number};
  }
  pb_in_init(&in, member->bytes);
  while (rc == WPS_OK && (more = pb_next(&in, &f)) != 0)
    rc = more < 0 ? more : take_field(r, &f);
  return rc;
}

/* A member that is not known: its ack id stands where that of all others does,
 * so that a newer application learns that it is not understood. */
static uint32_t ack_of(struct wps_bytes member)
{
  uint32_t ack_id = 0;
  struct pb_field f;
  struct pb_in in;
  int more;

  pb_in_init(&in, member);
  while ((more = pb_next(&in, &f)) > 0)
    if (f.number == 1 && f.wire == PB_VARINT)
      ack_id = (uint32_t)f.value;
  return more == 0 && ack_id <= INT_MAX ? ack_id : 0;
}

/* ---- what has been collected ---- */

static const char *check_payload(const struct reading *r)
{
  static const uint8_t types[] = {[FORMAT_TEXT] = WPS_DATA_TEXT,
                                  [FORMAT_BINARY] = WPS_DATA_BINARY,
                                  [FORMAT_JSON] = WPS_DATA_JSON,
                                  [FORMAT_PROTOBUF] = WPS_DATA_PROTOBUF};
  struct server_payload *p = &r->out->payload;
  struct json_value v;
  struct wps_str data;

  if (!r->has_payload)
    return NULL;
  if (p->data.ptr == NULL)
    p->data = (struct wps_bytes){"", 0};
  data = (struct wps_str){p->data.ptr, p->data.len};
  if (r->format >= COUNT_OF(types))
    return "the format of the payload is none";
  p->data_type = types[r->format];
  switch (r->format) {
  case FORMAT_TEXT:
    return azure_utf8_ok(data) ? NULL : "the payload is no text";
  case FORMAT_JSON:
    return json_scan_value(data, &v) == WPS_OK && v.type != SCAN_NULL
               ? NULL
               : "the payload is no JSON";
  case FORMAT_PROTOBUF:
    return azure_any_ok(p->data) ? NULL
                                 : "the payload is no google.protobuf.Any";
  default:
    return NULL;
  }
}

static const char *check_own(struct reading *r)
{
  struct server_command *out = r->out;

  switch (out->kind) {
  case COMMAND_COUNT:
    if (out->target > COUNT_USER)
      return "target has to be hub, group or user";
    if (out->target == COUNT_GROUP)
      out->group = r->name;
    else if (out->target == COUNT_USER)
      out->user = r->name;
    return NULL;
  case COMMAND_GRANT:
  case COMMAND_REVOKE:
    return out->permission <= PERMIT_SEND
               ? NULL
               : "permission has to be joinLeaveGroup or sendToGroup";
  case COMMAND_HANDLE_EVENTS:
    return command_take_events(out, &r->system)
               ? NULL
               : "systemEvents has a name that is none";
  default:
    return NULL;
  }
}

static int check(struct reading *r, const char **why)
{
  struct server_command *out = r->out;
  int rc;

  if (out->ack_id > INT_MAX || out->registration < 0)
    return WPS_EPROTO;
  if ((rc = azure_metadata_last((struct wps_pair *)out->headers.items,
                                &out->headers.count)) != WPS_OK ||
      (rc = azure_metadata_last((struct wps_pair *)out->metadata.items,
                                &out->metadata.count)) != WPS_OK)
    return rc;
  *why = r->too_long ? "a list is too long" : check_payload(r);
  if (*why == NULL)
    *why = check_own(r);
  return *why == NULL ? WPS_OK : WPS_EINVAL;
}

int server_protobuf_read(struct wps_bytes frame, struct command_room *room,
                         struct server_command *out, const char **why)
{
  struct reading r = {.room = room, .out = out};
  uint32_t strange = 0, ack_id = 0;
  struct pb_field f;
  struct pb_in in;
  int more, rc = WPS_OK;

  *out = (struct server_command){.kind = 0};
  *why = "";
  pb_in_init(&in, frame);
  while (rc == WPS_OK && (more = pb_next(&in, &f)) != 0) {
    if (more < 0)
      return more;
    if (f.wire != PB_BYTES)
      continue;
    r.fields = fields_of(f.number);
    if (r.fields != NULL) {
      rc = take_member(&r, &f);
    } else {
      strange = f.number;
      ack_id = ack_of(f.bytes);
    }
  }
  if (rc != WPS_OK)
    return rc;
  if (out->kind != 0)
    return check(&r, why);
  if (strange == 0)
    return WPS_EPROTO;
  out->ack_id = ack_id;
  *why = "no such type of message";
  return WPS_EINVAL;
}
