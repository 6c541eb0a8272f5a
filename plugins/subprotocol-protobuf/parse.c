/* SPDX-License-Identifier: Apache-2.0 */
/* parse.c - first all fields are collected, as any parser of Protocol Buffers
 * does it (the last of a oneof wins, the same submessage again adds to what is
 * there), then what is there makes a request.
 */
#include "plugins/subprotocol-protobuf/parse.h"

#include <stdlib.h>
#include <string.h>

#include <webpubsub/status.h>

#include "plugins/common/azure/names.h"
#include "plugins/common/json_scan.h"
#include "plugins/common/pb.h"

/* Members of UpstreamMessage. */
enum {
  SEND = 1,
  EVENT = 5,
  JOIN = 6,
  LEAVE = 7,
  SEQUENCE_ACK = 8,
  PING = 9,
  INVOKE = 10,
  CANCEL = 11,
  STREAM_DATA = 13,
  STREAM_END = 14,
  SET_STATE = 15,
  WATCH_STATE = 16,
  UNWATCH_STATE = 17,
  MEMBERS
};

static const uint8_t kinds[MEMBERS] = {
    [SEND] = AZURE_SEND,
    [EVENT] = AZURE_EVENT,
    [JOIN] = AZURE_JOIN,
    [LEAVE] = AZURE_LEAVE,
    [SEQUENCE_ACK] = AZURE_SEQUENCE_ACK,
    [PING] = AZURE_PING,
    [INVOKE] = AZURE_INVOKE,
    [CANCEL] = AZURE_CANCEL_INVOCATION,
    [STREAM_DATA] = AZURE_STREAM_DATA,
    [STREAM_END] = AZURE_STREAM_END,
    [SET_STATE] = AZURE_SET_STATE,
    [WATCH_STATE] = AZURE_WATCH_STATE,
    [UNWATCH_STATE] = AZURE_UNWATCH_STATE,
};

/* What a field of a member is. */
enum {
  UNKNOWN,
  NAME,     /* group, event */
  REF,      /* invocation or stream id */
  ACK,      /* u64? */
  SEQUENCE, /* u64, u64? */
  ECHO,     /* bool? */
  TTL,      /* u32? */
  DATA,     /* MessageData */
  METADATA, /* map */
  STREAM,   /* StreamStartInfo */
  ERROR,    /* {message, user_error_code} */
  STATE     /* GroupState */
};

enum { FIELDS = 8 };

static const uint8_t fields[MEMBERS][FIELDS] = {
    [SEND] = {0, NAME, ACK, DATA, ECHO, TTL, METADATA, STREAM},
    [EVENT] = {0, NAME, DATA, ACK, METADATA, STREAM},
    [JOIN] = {0, NAME, ACK},
    [LEAVE] = {0, NAME, ACK},
    [SEQUENCE_ACK] = {0, SEQUENCE},
    [INVOKE] = {0, NAME, REF, DATA, METADATA, STREAM},
    [CANCEL] = {0, REF},
    [STREAM_DATA] = {0, REF, SEQUENCE, DATA},
    [STREAM_END] = {0, REF, ERROR},
    [SET_STATE] = {0, NAME, ACK, STATE},
    [WATCH_STATE] = {0, NAME, ACK},
    [UNWATCH_STATE] = {0, NAME, ACK},
};

/* Members of MessageData. */
enum { DATA_TEXT = 1, DATA_BINARY = 2, DATA_ANY = 3, DATA_JSON = 4 };

enum { /* presence */
       HAS_ACK = 1 << 0,
       HAS_SEQUENCE = 1 << 1,
       HAS_DATA = 1 << 2, /* the submessage; data says what is in it */
       HAS_STREAM = 1 << 3,
       HAS_IDLE = 1 << 4,
       HAS_ERROR = 1 << 5,
       HAS_STATE = 1 << 6
};

struct parts {
  uint32_t member;
  uint32_t has; /* HAS_* */
  struct wps_str name, ref, stream;
  struct wps_str error_message, error_code;
  uint64_t ack, sequence;
  uint32_t ttl, idle;
  uint32_t data; /* DATA_*, 0: none of them */
  bool no_echo;
  uint8_t reserved[3];
  struct wps_bytes bytes; /* of data */
};

/* ---- collecting ---- */

static struct wps_pair *all_pairs(struct protobuf_parse *p)
{
  return p->heap != NULL ? p->heap : p->pairs;
}

/* Of so many, metadata would break their sum, and of a state most would be the
 * same key again. */
enum { PAIRS_MAX = 8192 };

static int add_pair(struct protobuf_parse *p, const struct wps_pair *pair)
{
  if (p->count == PAIRS_MAX)
    return WPS_EPROTO;
  if (p->count == p->room) {
    size_t room = p->room * 4;
    struct wps_pair *more = realloc(p->heap, room * sizeof(*more));

    if (more == NULL)
      return WPS_ENOMEM;
    if (p->heap == NULL)
      memcpy(more, p->pairs, sizeof(p->pairs));
    p->heap = more;
    p->room = room;
  }
  all_pairs(p)[p->count++] = *pair;
  return WPS_OK;
}

static int add_entry(struct protobuf_parse *p, struct wps_bytes bytes)
{
  struct wps_pair pair = {{"", 0}, {"", 0}};
  struct pb_in in;
  struct pb_field f;
  int more, rc = WPS_OK;

  pb_in_init(&in, bytes);
  while (rc == WPS_OK && (more = pb_next(&in, &f)) != 0) {
    if (more < 0)
      return more;
    if (f.wire != PB_BYTES)
      continue;
    if (f.number == 1)
      rc = pb_text(&f, &pair.name);
    else if (f.number == 2)
      rc = pb_text(&f, &pair.value);
  }
  return rc == WPS_OK ? add_pair(p, &pair) : rc;
}

static int add_data(struct parts *x, struct wps_bytes bytes)
{
  struct wps_str text;
  struct pb_in in;
  struct pb_field f;
  int more;

  x->has |= HAS_DATA;
  pb_in_init(&in, bytes);
  while ((more = pb_next(&in, &f)) > 0) {
    if (f.wire != PB_BYTES || f.number > DATA_JSON)
      continue;
    if ((f.number == DATA_TEXT || f.number == DATA_JSON) &&
        pb_text(&f, &text) != WPS_OK)
      return WPS_EPROTO;
    x->data = f.number;
    x->bytes = f.bytes;
  }
  return more;
}

static int add_stream(struct parts *x, struct wps_bytes bytes)
{
  struct pb_in in;
  struct pb_field f;
  int more;

  x->has |= HAS_STREAM;
  pb_in_init(&in, bytes);
  while ((more = pb_next(&in, &f)) > 0)
    if (f.number == 1 && f.wire == PB_BYTES) {
      if (pb_text(&f, &x->stream) != WPS_OK)
        return WPS_EPROTO;
    } else if (f.number == 2 && f.wire == PB_VARINT) {
      x->has |= HAS_IDLE;
      x->idle = (uint32_t)f.value;
    }
  return more;
}

static int add_error(struct parts *x, struct wps_bytes bytes)
{
  struct pb_in in;
  struct pb_field f;
  int more;

  x->has |= HAS_ERROR;
  pb_in_init(&in, bytes);
  while ((more = pb_next(&in, &f)) > 0)
    if (f.wire == PB_BYTES && (f.number == 1 || f.number == 2) &&
        pb_text(&f, f.number == 1 ? &x->error_message : &x->error_code) !=
            WPS_OK)
      return WPS_EPROTO;
  return more;
}

static int add_state(struct protobuf_parse *p, struct parts *x,
                     struct wps_bytes bytes)
{
  struct pb_in in;
  struct pb_field f;
  int more, rc = WPS_OK;

  x->has |= HAS_STATE;
  pb_in_init(&in, bytes);
  while (rc == WPS_OK && (more = pb_next(&in, &f)) != 0) {
    if (more < 0)
      return more;
    if (f.number == 1 && f.wire == PB_BYTES)
      rc = add_entry(p, f.bytes);
  }
  return rc;
}

static int add_varint(struct parts *x, uint32_t what, uint64_t value)
{
  switch (what) {
  case ACK:
    x->has |= HAS_ACK;
    x->ack = value;
    break;
  case SEQUENCE:
    x->has |= HAS_SEQUENCE;
    x->sequence = value;
    break;
  case ECHO:
    x->no_echo = value != 0;
    break;
  case TTL:
    x->ttl = (uint32_t)value;
    break;
  default:
    break;
  }
  return WPS_OK;
}

/* A field whose wire type is not that of its number is an unknown one. */
static int add_field(struct protobuf_parse *p, struct parts *x,
                     const struct pb_field *f)
{
  uint32_t what = f->number < FIELDS ? fields[x->member][f->number] : UNKNOWN;

  if (f->wire == PB_VARINT)
    return add_varint(x, what, f->value);
  if (f->wire != PB_BYTES)
    return WPS_OK;
  switch (what) {
  case NAME:
    return pb_text(f, &x->name);
  case REF:
    return pb_text(f, &x->ref);
  case DATA:
    return add_data(x, f->bytes);
  case METADATA:
    return add_entry(p, f->bytes);
  case STREAM:
    return add_stream(x, f->bytes);
  case ERROR:
    return add_error(x, f->bytes);
  case STATE:
    return add_state(p, x, f->bytes);
  default:
    return WPS_OK;
  }
}

static int add_member(struct protobuf_parse *p, struct parts *x,
                      const struct pb_field *member)
{
  struct pb_in in;
  struct pb_field f;
  int more, rc = WPS_OK;

  if (x->member != member->number) {
    *x = (struct parts){.member = member->number};
    p->count = 0;
  }
  pb_in_init(&in, member->bytes);
  while (rc == WPS_OK && (more = pb_next(&in, &f)) != 0)
    rc = more < 0 ? more : add_field(p, x, &f);
  return rc;
}

/* ---- what it asks for ---- */

static int take_group(struct azure_request *req, const struct parts *x)
{
  req->name = x->name;
  return azure_group_ok(x->name) ? WPS_OK : WPS_EPROTO;
}

static int take_event(struct azure_request *req, const struct parts *x)
{
  req->name = x->name;
  return azure_event_ok(x->name) ? WPS_OK : WPS_EPROTO;
}

/* A non-empty id of a client's own; how long one of a stream may be, is not
 * for here. */
static int take_ref(struct azure_request *req, struct wps_str ref)
{
  req->ref = ref;
  return ref.len > 0 ? WPS_OK : WPS_EPROTO;
}

static int take_metadata(struct protobuf_parse *p)
{
  p->req.metadata = all_pairs(p);
  p->req.metadata_count = p->count;
  return azure_metadata_check(all_pairs(p), p->count);
}

/* What has been chosen in a MessageData. */
static int take_chosen(struct azure_request *req, const struct parts *x)
{
  struct json_value v;

  req->data = x->bytes;
  req->flags |= AZURE_HAS_DATA;
  switch (x->data) {
  case DATA_TEXT:
    req->data_type = WPS_DATA_TEXT;
    return WPS_OK;
  case DATA_BINARY:
    req->data_type = WPS_DATA_BINARY;
    return WPS_OK;
  case DATA_ANY:
    req->data_type = WPS_DATA_PROTOBUF;
    return azure_any_ok(x->bytes) ? WPS_OK : WPS_EPROTO;
  default:
    req->data_type = WPS_DATA_JSON;
    if (json_scan_value((struct wps_str){x->bytes.ptr, x->bytes.len}, &v) !=
        WPS_OK)
      return WPS_EPROTO;
    return v.type == SCAN_NULL ? WPS_EPROTO : WPS_OK;
  }
}

/* Metadata have been taken before: with them, or where it is `optional`, there
 * may be none. */
static int take_data(struct azure_request *req, const struct parts *x,
                     bool optional)
{
  if (x->data != 0)
    return take_chosen(req, x);
  req->data_type = WPS_DATA_TEXT;
  req->data = (struct wps_bytes){"", 0};
  return optional || req->metadata_count > 0 ? WPS_OK : WPS_EPROTO;
}

/* Of a stream only its id has to be usable; all else is a refused request. */
static int take_stream(struct azure_request *req, const struct parts *x)
{
  static const struct wps_str idle =
      WPS_STR_INIT("idleTimeoutMs has to be an integer from 1 to 4294967295.");
  static const struct wps_str groups =
      WPS_STR_INIT("Streams go to groups only.");

  req->kind = AZURE_STREAM_START;
  req->idle_ms = x->idle;
  if (x->member != SEND) {
    req->flags |= AZURE_BAD;
    req->why = groups;
  } else if (x->has & HAS_IDLE && x->idle == 0) {
    req->flags |= AZURE_BAD;
    req->why = idle;
  }
  return take_ref(req, x->stream);
}

/* send_to_group, event, invoke. */
static int make_message(struct protobuf_parse *p, const struct parts *x)
{
  struct azure_request *req = &p->req;
  bool stream = x->has & HAS_STREAM;
  int rc;

  if (x->ttl > AZURE_TTL_MAX)
    return WPS_EPROTO;
  req->ttl_ms = x->ttl * 1000;
  if (x->no_echo)
    req->flags |= AZURE_NO_ECHO;
  rc = x->member == SEND ? take_group(req, x) : take_event(req, x);
  if (rc != WPS_OK)
    return rc;
  if (x->member == INVOKE &&
      (x->ref.len > AZURE_ID_MAX || take_ref(req, x->ref) != WPS_OK))
    return WPS_EPROTO;
  rc = take_metadata(p);
  if (rc == WPS_OK)
    rc = take_data(req, x,
                   stream || (x->member == INVOKE && !(x->has & HAS_DATA)));
  return rc == WPS_OK && stream ? take_stream(req, x) : rc;
}

static int make_stream_data(struct azure_request *req, const struct parts *x)
{
  bool sequence = x->has & HAS_SEQUENCE, data = x->has & HAS_DATA;

  if (sequence != data || (data && x->data == 0))
    return WPS_EPROTO;
  if (sequence) {
    req->flags |= AZURE_HAS_SEQUENCE;
    req->sequence = x->sequence;
    if (take_chosen(req, x) != WPS_OK)
      return WPS_EPROTO;
  }
  return take_ref(req, x->ref);
}

static int make_stream_end(struct azure_request *req, const struct parts *x)
{
  if (x->has & HAS_ERROR) {
    req->flags |= AZURE_HAS_ERROR;
    req->error_message = x->error_message;
    req->error_code = x->error_code;
  }
  return take_ref(req, x->ref);
}

static int make_state(struct protobuf_parse *p, const struct parts *x)
{
  int rc = WPS_OK;

  if (x->has & HAS_STATE) {
    p->req.flags |= AZURE_HAS_STATE;
    rc = azure_metadata_last(all_pairs(p), &p->count);
    p->req.state = all_pairs(p);
    p->req.state_count = p->count;
  }
  return rc == WPS_OK ? take_group(&p->req, x) : rc;
}

static int make_request(struct protobuf_parse *p, const struct parts *x)
{
  struct azure_request *req = &p->req;

  req->kind = kinds[x->member];
  if (x->has & HAS_ACK) {
    req->flags |= AZURE_HAS_ACK;
    req->id = x->ack;
  }
  switch (x->member) {
  case SEND:
  case EVENT:
  case INVOKE:
    return make_message(p, x);
  case SEQUENCE_ACK:
    req->id = x->sequence;
    return WPS_OK;
  case PING:
    return WPS_OK;
  case CANCEL:
    return take_ref(req, x->ref);
  case STREAM_DATA:
    return make_stream_data(req, x);
  case STREAM_END:
    return make_stream_end(req, x);
  case SET_STATE:
    return make_state(p, x);
  default:
    return take_group(req, x);
  }
}

int protobuf_parse(struct protobuf_parse *p, struct wps_bytes bytes)
{
  struct parts x = {.member = 0};
  struct pb_in in;
  struct pb_field f;
  int more, rc = WPS_OK;

  memset(&p->req, 0, sizeof(p->req));
  p->heap = NULL;
  p->count = 0;
  p->room = PROTOBUF_PARSE_PAIRS;
  pb_in_init(&in, bytes);
  while (rc == WPS_OK && (more = pb_next(&in, &f)) != 0) {
    if (more < 0)
      return more;
    if (f.wire == PB_BYTES && f.number < MEMBERS && kinds[f.number] != 0)
      rc = add_member(p, &x, &f);
  }
  if (rc != WPS_OK)
    return rc;
  return x.member != 0 ? make_request(p, &x) : WPS_EPROTO;
}

void protobuf_parse_free(struct protobuf_parse *p)
{
  free(p->heap);
}
