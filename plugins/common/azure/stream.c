/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/azure/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/azure/fragment.h"
#include "plugins/common/azure/internal.h"

/* How many ends, and how long, a client is told again that comes back: its old
 * socket may have died with the first word of it, and the next one, too. How
 * long it may be away comes on top. */
enum { ENDED_MIN = 32, ENDED_US = 120 * 1000 * 1000 };

/* Until a group is told again that a stream has ended, when there was no memory
 * for it. */
enum { BROKEN_US = 1000 * 1000 };

struct stream {
  uint64_t expected; /* number of the next fragment */
  int64_t last_us;   /* its last sign of life */
  int64_t idle_us;   /* may pass after that */
  uint32_t dirty;    /* fragments since the last ack */
  bool no_echo;
  bool broken; /* its publisher knows that it has ended, its group does not */
  struct wps_str id, group;
  char texts[];
};

struct ended {
  struct ended *next;
  int64_t at_us;
  bool failed;
  struct azure_error error;
  struct wps_str id;
  char texts[];
};

struct azure_streams {
  struct stream **at; /* oldest first */
  uint32_t count, cap;
  struct wps_timer *ack_timer;  /* while one is dirty */
  struct wps_timer *idle_timer; /* for the first that may be idle ... */
  int64_t idle_at_us;           /* ... then */
  struct ended *first, *last;   /* reliable clients only; oldest first */
  uint32_t ended;
};

static const struct azure_error not_found = {
    WPS_STR_INIT("StreamNotFound"), WPS_STR_INIT("The stream was not found.")};
static const struct azure_error idle = {
    WPS_STR_INIT("IdleTimeout"),
    WPS_STR_INIT("The stream was idle for too long.")};
static const struct azure_error cancelled = {
    WPS_STR_INIT("Cancelled"), WPS_STR_INIT("The publisher has gone.")};
static const struct azure_error no_memory = {
    WPS_STR_INIT("InternalServerError"),
    WPS_STR_INIT("The service is short of memory.")};

static int64_t now_us(const struct wps_conn *conn)
{
  return wps->worker->now_us(wps->conn->worker(conn));
}

static struct stream *named(const struct azure_client *client,
                            struct wps_str id)
{
  const struct azure_streams *streams = client->streams;

  for (uint32_t i = 0; streams != NULL && i < streams->count; i++)
    if (azure_equal(streams->at[i]->id, id))
      return streams->at[i];
  return NULL;
}

static struct stream *find(const struct azure_client *client, struct wps_str id)
{
  struct stream *s = named(client, id);

  return s != NULL && !s->broken ? s : NULL;
}

/* ---- what the publisher hears ---- */

static void say_closed(struct azure_client *client, struct wps_conn *conn,
                       struct wps_str id, const struct azure_error *error)
{
  azure_sent(client, conn,
             client->rules->writer->stream_closed(conn, id, error));
}

static void say_nack(struct azure_client *client, struct wps_conn *conn,
                     const struct stream *s, const struct azure_error *error)
{
  azure_sent(
      client, conn,
      client->rules->writer->stream_nack(conn, s->id, error, s->expected));
}

static void say_ack(struct azure_client *client, struct wps_conn *conn,
                    struct stream *s)
{
  s->dirty = 0;
  azure_sent(client, conn,
             client->rules->writer->stream_ack(conn, s->id, s->expected));
}

static void acks_due(struct wps_conn *conn, void *arg)
{
  struct azure_client *client = arg;
  struct azure_streams *streams = client->streams;

  streams->ack_timer = NULL;
  for (uint32_t i = 0; i < streams->count; i++)
    if (streams->at[i]->dirty > 0 && !(client->flags & AZURE_CLIENT_CLOSED))
      say_ack(client, conn, streams->at[i]);
}

/* One fragment more has to be acknowledged, soon. */
static void ack_soon(struct azure_client *client, struct wps_conn *conn,
                     struct stream *s)
{
  struct azure_streams *streams = client->streams;

  s->dirty++;
  if (s->dirty < client->rules->stream_ack_every) {
    if (streams->ack_timer == NULL && client->rules->stream_ack_ms > 0)
      streams->ack_timer = wps->conn->timer_start(
          conn, client->rules->stream_ack_ms, 0, acks_due, client);
    if (streams->ack_timer != NULL)
      return;
  }
  say_ack(client, conn, s);
}

/* ---- the end of one ---- */

static char *put(char *at, struct wps_str from, struct wps_str *out)
{
  *out = (struct wps_str){at, from.len};
  if (from.len > 0)
    memcpy(at, from.ptr, from.len);
  return at + from.len;
}

static void forget_first(struct azure_streams *streams)
{
  struct ended *e = streams->first;

  streams->first = e->next;
  if (streams->first == NULL)
    streams->last = NULL;
  streams->ended--;
  free(e);
}

/* An earlier stream of the same id is not what the client asks about. */
static void forget(struct azure_streams *streams, struct wps_str id)
{
  struct ended *before = NULL, *e = streams->first;

  while (e != NULL && !azure_equal(e->id, id)) {
    before = e;
    e = e->next;
  }
  if (e == NULL)
    return;
  if (before == NULL) {
    forget_first(streams);
    return;
  }
  before->next = e->next;
  if (streams->last == e)
    streams->last = before;
  streams->ended--;
  free(e);
}

/* Without memory for it the client learns by StreamNotFound. */
static void remember(struct azure_client *client, struct wps_conn *conn,
                     const struct stream *s, const struct azure_error *error)
{
  struct azure_streams *streams = client->streams;
  uint32_t max = client->rules->streams_max;
  struct ended *e;
  size_t len = s->id.len;
  char *at;

  if (!(client->flags & AZURE_CLIENT_RELIABLE))
    return;
  forget(streams, s->id);
  while (streams->ended >= (max > ENDED_MIN ? max : ENDED_MIN))
    forget_first(streams);
  if (error != NULL)
    len += error->name.len + error->message.len;
  e = calloc(1, sizeof(*e) + len);
  if (e == NULL)
    return;
  e->at_us = now_us(conn);
  at = put(e->texts, s->id, &e->id);
  if (error != NULL) {
    e->failed = true;
    at = put(at, error->name, &e->error.name);
    (void)put(at, error->message, &e->error.message);
  }
  if (streams->last != NULL)
    streams->last->next = e;
  else
    streams->first = e;
  streams->last = e;
  streams->ended++;
}

static void drop(struct azure_streams *streams, struct stream *s)
{
  uint32_t i = 0;

  while (streams->at[i] != s)
    i++;
  streams->count--;
  memmove(streams->at + i, streams->at + i + 1,
          (streams->count - i) * sizeof(struct stream *));
  free(s);
}

/* `msg`: as in azure_stream_data(); of the terminal one there is none. */
static int publish(struct azure_client *client, struct wps_conn *conn,
                   const struct stream *s, struct azure_fragment *fragment,
                   uint32_t data_type, struct wps_bytes data,
                   struct wps_message *msg)
{
  struct wps_message_info body = {.struct_size = sizeof(body),
                                  .data_type = data_type,
                                  .data = data,
                                  .kind = WPS_MSG_DATA,
                                  .from = WPS_FROM_GROUP,
                                  .group = s->group,
                                  .user = wps->conn->user(conn),
                                  .conn = wps->conn->id(conn)};
  struct wps_target target = {.struct_size = sizeof(target),
                              .kind = WPS_TO_GROUP,
                              .hub = wps->conn->hub(conn),
                              .name = s->group,
                              .flags = s->no_echo ? WPS_TARGET_NOT_SELF : 0};
  int rc;

  fragment->id = s->id;
  fragment->sequence = s->expected;
  msg = azure_fragment_make(fragment, &body, msg);
  if (msg == NULL)
    return WPS_ENOMEM;
  rc =
      wps->hub->publish(client->rules->self, conn, msg, &target, NULL, NULL, 0);
  wps->message->unref(msg);
  return rc;
}

static int publish_end(struct azure_client *client, struct wps_conn *conn,
                       const struct stream *s, struct azure_fragment *fragment)
{
  fragment->end = true;
  return publish(client, conn, s, fragment, WPS_DATA_TEXT,
                 (struct wps_bytes){"", 0}, NULL);
}

static int publish_failure(struct azure_client *client, struct wps_conn *conn,
                           const struct stream *s,
                           const struct azure_error *error)
{
  struct azure_fragment fragment = {.error_name = error->name,
                                    .error_message = error->message};

  return publish_end(client, conn, s, &fragment);
}

/* It is no more, and its publisher hears so. */
static void conclude(struct azure_client *client, struct wps_conn *conn,
                     struct stream *s, const struct azure_error *error)
{
  remember(client, conn, s, error);
  say_closed(client, conn, s->id, error);
  drop(client->streams, s);
}

static int arm_idle(struct azure_client *client, struct wps_conn *conn);

/* Both sides hear of it, if need be one of them later. */
static void break_off(struct azure_client *client, struct wps_conn *conn,
                      struct stream *s, const struct azure_error *error)
{
  if (publish_failure(client, conn, s, error) == WPS_OK) {
    conclude(client, conn, s, error);
    return;
  }
  remember(client, conn, s, error);
  say_closed(client, conn, s->id, error);
  s->broken = true;
  s->dirty = 0;
  s->last_us = now_us(conn);
  s->idle_us = BROKEN_US;
  (void)arm_idle(client, conn);
}

/* ---- idleness ---- */

static void idle_due(struct wps_conn *conn, void *arg);

/* Be there when the first may be idle; touching it moves no timer. */
static int arm_idle(struct azure_client *client, struct wps_conn *conn)
{
  struct azure_streams *streams = client->streams;
  int64_t first = INT64_MAX, now = now_us(conn);
  struct wps_timer *timer;

  for (uint32_t i = 0; i < streams->count; i++) {
    int64_t at = streams->at[i]->last_us + streams->at[i]->idle_us;

    if (at < first)
      first = at;
  }
  if (streams->count == 0)
    return WPS_OK;
  if (streams->idle_timer != NULL && streams->idle_at_us <= first)
    return WPS_OK;
  timer = wps->conn->timer_start(
      conn, first > now ? (uint64_t)(first - now + 999) / 1000 : 1, 0, idle_due,
      client);
  if (timer == NULL)
    return WPS_ENOMEM; /* the later one is better than none */
  if (streams->idle_timer != NULL)
    wps->conn->timer_stop(streams->idle_timer);
  streams->idle_timer = timer;
  streams->idle_at_us = first;
  return WPS_OK;
}

static void idle_due(struct wps_conn *conn, void *arg)
{
  struct azure_client *client = arg;
  struct azure_streams *streams = client->streams;
  int64_t now = now_us(conn);

  streams->idle_timer = NULL;
  for (uint32_t i = 0; i < streams->count;) {
    struct stream *s = streams->at[i];

    /* What it has to say, or its end, may wait for its turn, or in a socket
     * that is not read. */
    if (!s->broken &&
        (client->flags & AZURE_CLIENT_HELD || client->first != NULL))
      s->last_us = now;
    if (now - s->last_us < s->idle_us) {
      i++;
    } else if (!s->broken) {
      break_off(client, conn, s, &idle); /* the next one is at[i] now */
    } else if (publish_failure(client, conn, s, &no_memory) == WPS_OK) {
      drop(streams, s);
    } else {
      s->last_us = now;
    }
  }
  (void)arm_idle(client, conn);
}

static void touch(struct azure_client *client, struct wps_conn *conn,
                  struct stream *s)
{
  s->last_us = now_us(conn);
  /* Where there was no memory for it. */
  if (client->streams->idle_timer == NULL)
    (void)arm_idle(client, conn);
}

void azure_stream_touch(struct azure_client *client, struct wps_conn *conn,
                        struct wps_str id)
{
  struct stream *s = find(client, id);

  if (s != NULL)
    touch(client, conn, s);
}

/* ---- start ---- */

static const struct azure_error *bad(struct azure_error *room,
                                     struct wps_str why)
{
  *room =
      (struct azure_error){.name = WPS_STR_INIT("BadRequest"), .message = why};
  return room;
}

const struct azure_error *azure_stream_check(const struct azure_client *client,
                                             const struct azure_request *req,
                                             struct azure_error *room)
{
  static const struct wps_str too_long =
      WPS_STR_INIT("The id of a stream has at most 256 bytes.");
  static const struct wps_str has_data =
      WPS_STR_INIT("A stream starts without data.");
  static const struct wps_str active =
      WPS_STR_INIT("The stream is active already.");
  static const struct wps_str too_many =
      WPS_STR_INIT("Too many streams are active.");

  if (req->flags & AZURE_BAD)
    return bad(room, req->why);
  if (req->ref.len > AZURE_ID_MAX)
    return bad(room, too_long);
  if (req->flags & AZURE_HAS_DATA)
    return bad(room, has_data);
  if (named(client, req->ref) != NULL)
    return bad(room, active);
  if ((client->streams != NULL ? client->streams->count : 0) >=
      client->rules->streams_max)
    return bad(room, too_many);
  return NULL;
}

void azure_stream_refuse(struct azure_client *client, struct wps_conn *conn,
                         struct wps_str id, const struct azure_error *error)
{
  say_closed(client, conn, id, error);
}

/* Room for one more. */
static int reserve(struct azure_client *client)
{
  struct azure_streams *streams = client->streams;
  struct stream **bigger;
  uint32_t cap;

  if (streams == NULL) {
    streams = client->streams = calloc(1, sizeof(*streams));
    if (streams == NULL)
      return WPS_ENOMEM;
  }
  if (streams->count < streams->cap)
    return WPS_OK;
  cap = streams->cap == 0 ? 2 : streams->cap * 2;
  bigger = realloc(streams->at, cap * sizeof(struct stream *));
  if (bigger == NULL)
    return WPS_ENOMEM;
  streams->at = bigger;
  streams->cap = cap;
  return WPS_OK;
}

int azure_stream_open(struct azure_client *client, struct wps_conn *conn,
                      const struct azure_request *req)
{
  uint32_t idle_ms =
      req->idle_ms > 0 ? req->idle_ms : client->rules->stream_idle_ms;
  struct stream *s;
  char *at;

  if (reserve(client) != WPS_OK)
    return WPS_ENOMEM;
  s = calloc(1, sizeof(*s) + req->ref.len + req->name.len);
  if (s == NULL)
    return WPS_ENOMEM;
  s->expected = 1;
  s->last_us = now_us(conn);
  s->idle_us = (int64_t)idle_ms * 1000;
  s->no_echo = req->flags & AZURE_NO_ECHO;
  at = put(s->texts, req->ref, &s->id);
  (void)put(at, req->name, &s->group);
  client->streams->at[client->streams->count++] = s;
  if (arm_idle(client, conn) != WPS_OK) {
    drop(client->streams, s);
    return WPS_ENOMEM;
  }
  say_ack(client, conn, s);
  return WPS_OK;
}

/* ---- data and end ---- */

/* The stream of a request, if its publisher may still publish. */
static struct stream *usable(struct azure_client *client, struct wps_conn *conn,
                             const struct azure_request *req)
{
  struct stream *s = find(client, req->ref);
  struct azure_error error;
  char text[AZURE_SENTENCE_MAX];

  if (s == NULL) {
    say_closed(client, conn, req->ref, &not_found);
    return NULL;
  }
  if (wps->conn->allowed(conn, WPS_ACT_PUBLISH, s->group))
    return s;
  azure_forbidden(AZURE_STREAM_DATA, s->group, text, &error);
  break_off(client, conn, s, &error);
  return NULL;
}

void azure_stream_data(struct azure_client *client, struct wps_conn *conn,
                       const struct azure_request *req, struct wps_message *msg)
{
  struct stream *s = usable(client, conn, req);
  struct azure_fragment fragment = {.is = true};

  if (s == NULL)
    return;
  if (!(req->flags & AZURE_HAS_SEQUENCE)) {
    touch(client, conn, s);
    return;
  }
  if (req->sequence < s->expected) {
    say_ack(client, conn, s);
    return;
  }
  if (req->sequence > s->expected) {
    struct azure_error error = {.name = WPS_STR_INIT("InvalidSequenceId")};
    char text[40];
    int len = snprintf(text, sizeof(text), "Expected %llu.",
                       (unsigned long long)s->expected);

    error.message = (struct wps_str){text, (size_t)len};
    say_nack(client, conn, s, &error);
    return;
  }
  if (publish(client, conn, s, &fragment, req->data_type, req->data, msg) !=
      WPS_OK) {
    /* A nack makes the official client send no fragment again: it would go on
     * behind the gap, and end the stream as if nothing were missing. */
    break_off(client, conn, s, &no_memory);
    return;
  }
  s->expected++;
  touch(client, conn, s);
  ack_soon(client, conn, s);
}

void azure_stream_end(struct azure_client *client, struct wps_conn *conn,
                      const struct azure_request *req)
{
  struct stream *s = usable(client, conn, req);
  struct azure_fragment fragment = {.is = true};

  if (s == NULL)
    return;
  if (req->flags & AZURE_HAS_ERROR) {
    fragment.error_name = (struct wps_str)WPS_STR_INIT("UserError");
    fragment.error_message = req->error_message;
    fragment.error_code = req->error_code;
  }
  if (publish_end(client, conn, s, &fragment) != WPS_OK) {
    break_off(client, conn, s, &no_memory);
    return;
  }
  conclude(client, conn, s, NULL);
}

/* ---- the client's life ---- */

void azure_streams_resumed(struct azure_client *client, struct wps_conn *conn)
{
  struct azure_streams *streams = client->streams;
  int64_t us = ENDED_US + (int64_t)client->rules->session.retain_ms * 1000;

  if (streams == NULL)
    return;
  for (uint32_t i = 0; i < streams->count; i++)
    if (!streams->at[i]->broken)
      say_ack(client, conn, streams->at[i]);
  while (streams->first != NULL && now_us(conn) - streams->first->at_us > us)
    forget_first(streams);
  for (const struct ended *e = streams->first; e != NULL; e = e->next)
    if (find(client, e->id) == NULL)
      say_closed(client, conn, e->id, e->failed ? &e->error : NULL);
}

void azure_streams_end(struct azure_client *client, struct wps_conn *conn)
{
  struct azure_streams *streams = client->streams;

  for (uint32_t i = 0; streams != NULL && i < streams->count; i++)
    (void)publish_failure(client, conn, streams->at[i],
                          streams->at[i]->broken ? &no_memory : &cancelled);
}

void azure_streams_free(struct azure_client *client)
{
  struct azure_streams *streams = client->streams;

  if (streams == NULL)
    return;
  while (streams->first != NULL)
    forget_first(streams);
  for (uint32_t i = 0; i < streams->count; i++)
    free(streams->at[i]);
  free(streams->at);
  free(streams);
  client->streams = NULL;
}
