/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - what a request does, and when. */
#include "plugins/common/azure/client.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/azure/event.h"
#include "plugins/common/azure/names.h"

/* What may still come from a client that is held: a receive buffer of the
 * smallest frames. */
enum { WAITING_MORE = 256 * 1024 / 6 };

/* A request that waits for its turn; its payload is a message already. */
struct azure_waiting {
  struct azure_waiting *next;
  struct azure_waiting *last; /* of the queue, in its first one */
  struct wps_message *msg;    /* or NULL */
  size_t bytes;
  struct azure_request req; /* name points behind; no data, no metadata */
  char name[];
};

static const struct azure_error internal_error = {
    WPS_STR_INIT("InternalServerError"), WPS_STR_INIT("Internal server error")};
static const struct azure_error no_invoke = {
    WPS_STR_INIT("BadRequest"), WPS_STR_INIT("Invocations are not supported.")};
static const struct azure_error no_streams = {
    WPS_STR_INIT("BadRequest"), WPS_STR_INIT("Streams are not supported.")};
static const struct azure_error no_such_stream = {
    WPS_STR_INIT("StreamNotFound"), WPS_STR_INIT("The stream was not found.")};
static const struct azure_error no_states = {
    WPS_STR_INIT("BadRequest"),
    WPS_STR_INIT("Group states are not supported.")};
static const struct wps_str too_many_waiting =
    WPS_STR_INIT("Too many requests wait for an event handler.");

static void count_waiting(struct azure_client *client, size_t bytes, bool more)
{
  client->waiting += more ? 1 : (uint32_t)-1;
  client->waiting_bytes += more ? bytes : -bytes;
  atomic_fetch_add_explicit(client->rules->waiting_total, more ? bytes : -bytes,
                            memory_order_relaxed);
}

static void drop_waiting(struct azure_client *client)
{
  struct azure_waiting *w = client->first;

  client->first = NULL;
  while (w != NULL) {
    struct azure_waiting *next = w->next;

    count_waiting(client, w->bytes, false);
    if (w->msg != NULL)
      wps->message->unref(w->msg);
    free(w);
    w = next;
  }
}

void azure_client_clear(struct azure_client *client)
{
  drop_waiting(client);
  azure_acks_clear(&client->acks);
  free(client->told);
  client->told = NULL;
}

void azure_client_close(struct azure_client *client, struct wps_conn *conn,
                        uint16_t code, struct wps_str reason)
{
  client->flags |= AZURE_CLIENT_CLOSED;
  drop_waiting(client);
  wps->conn->close(conn, code, reason);
}

/* A request gets its answer or the connection ends; one that is detached or
 * closing has no use for it, and EAGAIN is sent all the same. */
static void sent(struct azure_client *client, struct wps_conn *conn, int rc)
{
  if (rc == WPS_ENOMEM)
    azure_client_close(client, conn, 1011, internal_error.message);
}

static void answer(struct azure_client *client, struct wps_conn *conn,
                   uint32_t flags, uint64_t id, const struct azure_error *error)
{
  if (flags & AZURE_HAS_ACK)
    sent(client, conn, client->rules->writer->ack(conn, id, error));
  else if (error != NULL &&
           wps->log->enabled(client->rules->self, WPS_LOG_DEBUG))
    wps->log->write(client->rules->self, conn, WPS_LOG_DEBUG,
                    "request without ackId failed: %.*s", (int)error->name.len,
                    error->name.ptr);
}

/* An event that nobody wants to hear of (azure-server.md 3.13). */
static void event_failed(struct azure_client *client, struct wps_conn *conn)
{
  answer(client, conn, 0, 0, &internal_error);
  if (client->rules->drop_on_event_failure)
    azure_client_close(client, conn, 1011, internal_error.message);
}

static void answer_duplicate(struct azure_client *client, struct wps_conn *conn,
                             uint64_t id)
{
  struct azure_error error = {.name = WPS_STR_INIT("Duplicate")};
  char text[80];
  int len = snprintf(text, sizeof(text),
                     "Message with ack-id: %llu has been processed",
                     (unsigned long long)id);

  error.message = (struct wps_str){text, (size_t)len};
  answer(client, conn, AZURE_HAS_ACK, id, &error);
}

static void answer_forbidden(struct azure_client *client, struct wps_conn *conn,
                             const struct azure_request *req)
{
  static const char head[] = "The client does not have permission to ";
  const char *verb = req->kind == AZURE_JOIN    ? "join group '"
                     : req->kind == AZURE_LEAVE ? "leave group '"
                                                : "send to group '";
  struct azure_error error = {.name = WPS_STR_INIT("Forbidden")};
  char text[sizeof(head) + 16 + AZURE_GROUP_BYTES_MAX + 2];
  size_t verb_len = strlen(verb);
  char *at = text;

  if (!(req->flags & AZURE_HAS_ACK)) {
    answer(client, conn, 0, 0, &error);
    return;
  }
  memcpy(at, head, sizeof(head) - 1);
  at += sizeof(head) - 1;
  memcpy(at, verb, verb_len);
  at += verb_len;
  memcpy(at, req->name.ptr, req->name.len);
  at += req->name.len;
  memcpy(at, "'.", 2);
  at += 2;
  error.message = (struct wps_str){text, (size_t)(at - text)};
  answer(client, conn, AZURE_HAS_ACK, req->id, &error);
}

static void run_waiting(struct azure_client *client, struct wps_conn *conn);

/* The end of a request that azure_acks_begin() was called for. */
static void finish(struct azure_client *client, struct wps_conn *conn,
                   uint64_t id, int status)
{
  azure_acks_end(&client->acks, id, status == WPS_OK,
                 client->rules->ack_window);
  answer(client, conn, AZURE_HAS_ACK, id,
         status == WPS_OK ? NULL : &internal_error);
}

static void on_joined(struct wps_conn *conn, void *arg, uint64_t tag,
                      const struct wps_joined *result)
{
  struct azure_client *client = arg;
  int status = result->status;

  if (conn == NULL)
    return;
  /* It was in, and a later request or command has taken it out again. */
  if (status == WPS_ECANCELED)
    status = WPS_OK;
  finish(client, conn, tag, status);
  run_waiting(client, conn);
}

static void on_left(struct wps_conn *conn, void *arg, uint64_t tag, int status)
{
  if (conn == NULL)
    return;
  finish(arg, conn, tag, status);
  run_waiting(arg, conn);
}

static void on_published(struct wps_conn *conn, void *arg, uint64_t tag,
                         const struct wps_published *result)
{
  if (conn == NULL)
    return;
  finish(arg, conn, tag, result->status);
  run_waiting(arg, conn);
}

static void on_answer(struct wps_conn *conn, void *arg, uint64_t tag,
                      int status, const struct wps_event_answer *reply)
{
  struct azure_client *client = arg;
  struct wps_message *msg = NULL;
  bool wants_ack;

  if (conn == NULL)
    return;
  wants_ack = client->flags & AZURE_CLIENT_EVENT_ACK;
  client->flags &= ~(uint32_t)(AZURE_CLIENT_EVENT | AZURE_CLIENT_EVENT_ACK);
  if (status == WPS_OK)
    status = azure_answer_message(reply, &msg);
  if (msg != NULL) {
    status = wps->conn->deliver(conn, msg);
    if (status == WPS_EAGAIN || status == WPS_ECLOSED)
      status = WPS_OK;
    wps->message->unref(msg);
  }
  if (wants_ack)
    finish(client, conn, tag, status);
  else if (status != WPS_OK)
    event_failed(client, conn);
  run_waiting(client, conn);
}

static struct wps_message *make_message(struct wps_conn *conn,
                                        const struct azure_request *req)
{
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = req->data_type,
                                  .data = req->data,
                                  .kind = WPS_MSG_DATA,
                                  .ttl_ms = req->ttl_ms,
                                  .user = wps->conn->user(conn),
                                  .conn = wps->conn->id(conn),
                                  .tags = req->metadata,
                                  .tag_count = req->metadata_count};

  if (req->kind == AZURE_SEND) {
    info.from = WPS_FROM_GROUP;
    info.group = req->name;
  }
  return wps->message->create(&info);
}

static int publish(struct azure_client *client, struct wps_conn *conn,
                   const struct azure_request *req, struct wps_message *msg,
                   wps_published_fn done)
{
  struct wps_target target = {.struct_size = sizeof(target),
                              .kind = WPS_TO_GROUP,
                              .hub = wps->conn->hub(conn),
                              .name = req->name};

  if (req->flags & AZURE_NO_ECHO)
    target.flags = WPS_TARGET_NOT_SELF;
  return wps->hub->publish(client->rules->self, conn, msg, &target, done,
                           client, req->id);
}

static int raise_event(struct azure_client *client, struct wps_conn *conn,
                       const struct azure_request *req, struct wps_message *msg)
{
  int rc = azure_event(conn, req->name, msg, on_answer, client, req->id);

  if (rc == WPS_OK) {
    client->flags |= AZURE_CLIENT_EVENT;
    if (req->flags & AZURE_HAS_ACK)
      client->flags |= AZURE_CLIENT_EVENT_ACK;
  }
  return rc;
}

/* Start what changes something: join, leave, send, event. `msg` is NULL when
 * the payload is still in the request. */
static void start(struct azure_client *client, struct wps_conn *conn,
                  const struct azure_request *req, struct wps_message *msg)
{
  bool wants_ack = req->flags & AZURE_HAS_ACK;
  struct wps_message *own = NULL;
  int rc = WPS_OK;

  if (req->kind != AZURE_EVENT &&
      !wps->conn->allowed(
          conn, req->kind == AZURE_SEND ? WPS_ACT_PUBLISH : WPS_ACT_JOIN,
          req->name)) {
    answer_forbidden(client, conn, req);
    return;
  }
  if (wants_ack && azure_acks_begin(&client->acks, req->id) != WPS_OK) {
    answer(client, conn, req->flags, req->id, &internal_error);
    return;
  }
  if (msg == NULL && (req->kind == AZURE_SEND || req->kind == AZURE_EVENT)) {
    msg = own = make_message(conn, req);
    if (msg == NULL)
      rc = WPS_ENOMEM;
  }
  if (rc == WPS_OK) {
    switch (req->kind) {
    case AZURE_JOIN:
      rc = wps->hub->join(conn, req->name, NULL, wants_ack ? on_joined : NULL,
                          client, req->id);
      break;
    case AZURE_LEAVE:
      rc = wps->hub->leave(conn, req->name, wants_ack ? on_left : NULL, client,
                           req->id);
      break;
    case AZURE_SEND:
      rc = publish(client, conn, req, msg, wants_ack ? on_published : NULL);
      break;
    default:
      rc = raise_event(client, conn, req, msg);
      break;
    }
  }
  if (own != NULL)
    wps->message->unref(own);
  if (rc != WPS_OK && wants_ack)
    finish(client, conn, req->id, rc);
  else if (rc != WPS_OK && req->kind == AZURE_EVENT)
    event_failed(client, conn);
  else if (rc != WPS_OK)
    answer(client, conn, 0, 0, &internal_error);
}

static void run(struct azure_client *client, struct wps_conn *conn,
                const struct azure_request *req, struct wps_message *msg)
{
  const struct azure_writer *writer = client->rules->writer;

  if (req->flags & AZURE_HAS_ACK &&
      azure_acks_find(&client->acks, req->id) == AZURE_ACK_DONE) {
    answer_duplicate(client, conn, req->id);
    return;
  }
  switch (req->kind) {
  case AZURE_STREAM_START:
    sent(client, conn, writer->stream_closed(conn, req->name, &no_streams));
    if (req->flags & AZURE_HAS_ACK)
      answer(client, conn, req->flags, req->id, &no_streams);
    break;
  case AZURE_STREAM_DATA:
  case AZURE_STREAM_END:
    sent(client, conn, writer->stream_closed(conn, req->name, &no_such_stream));
    break;
  case AZURE_GROUP_STATE:
    answer(client, conn, req->flags, req->id, &no_states);
    break;
  default:
    start(client, conn, req, msg);
    break;
  }
}

/* Behind an event everything waits; a repeated request waits for the outcome
 * of the first. */
static bool must_wait(const struct azure_client *client,
                      const struct azure_request *req)
{
  return client->flags & AZURE_CLIENT_EVENT ||
         (req->flags & AZURE_HAS_ACK &&
          azure_acks_find(&client->acks, req->id) == AZURE_ACK_PENDING);
}

static bool waiting_full(const struct azure_client *client, uint32_t parts)
{
  return (uint64_t)client->waiting * parts >= client->rules->waiting_max ||
         client->waiting_bytes * parts >= client->rules->waiting_bytes_max ||
         (client->waiting != 0 &&
          atomic_load_explicit(client->rules->waiting_total,
                               memory_order_relaxed) >=
              client->rules->waiting_total_max);
}

/* Full: nothing is read from it; half empty: it is read again. */
static void regulate(struct azure_client *client, struct wps_conn *conn)
{
  bool held = client->flags & AZURE_CLIENT_HELD;

  if (client->flags & AZURE_CLIENT_CLOSED ||
      (held ? waiting_full(client, 2) : !waiting_full(client, 1)))
    return;
  client->flags ^= AZURE_CLIENT_HELD;
  wps->conn->hold(conn, !held);
}

static void run_waiting(struct azure_client *client, struct wps_conn *conn)
{
  while (client->first != NULL && !must_wait(client, &client->first->req)) {
    struct azure_waiting *w = client->first;

    client->first = w->next;
    if (client->first != NULL)
      client->first->last = w->last;
    count_waiting(client, w->bytes, false);
    run(client, conn, &w->req, w->msg);
    if (w->msg != NULL)
      wps->message->unref(w->msg);
    free(w);
  }
  regulate(client, conn);
}

/* Is it a repetition of one that is under way or was? */
static bool repeated(struct azure_client *client,
                     const struct azure_request *req)
{
  if (!(req->flags & AZURE_HAS_ACK))
    return false;
  if (azure_acks_find(&client->acks, req->id) != AZURE_ACK_NEW)
    return true;
  (void)azure_acks_begin(&client->acks, req->id);
  return false;
}

void azure_client_end(struct azure_client *client, struct wps_conn *conn)
{
  struct azure_waiting *w;

  for (w = client->first; w != NULL; w = w->next) {
    if (repeated(client, &w->req))
      continue;
    if (w->req.kind == AZURE_EVENT)
      (void)azure_event(conn, w->req.name, w->msg, on_answer, client, 0);
    else if (w->req.kind == AZURE_SEND &&
             wps->conn->allowed(conn, WPS_ACT_PUBLISH, w->req.name))
      (void)publish(client, conn, &w->req, w->msg, NULL);
  }
  drop_waiting(client);
}

static int wait_for_turn(struct azure_client *client, struct wps_conn *conn,
                         const struct azure_request *req)
{
  size_t bytes = sizeof(struct azure_waiting) + req->name.len + req->data.len;
  struct azure_waiting *w;

  for (size_t i = 0; i < req->metadata_count; i++)
    bytes += req->metadata[i].name.len + req->metadata[i].value.len;
  if (client->waiting >= client->rules->waiting_max + WAITING_MORE) {
    azure_client_close(client, conn, 1008, too_many_waiting);
    return WPS_OK;
  }
  w = calloc(1, sizeof(*w) + req->name.len);
  if (w == NULL)
    return WPS_ENOMEM;
  if (req->kind == AZURE_SEND || req->kind == AZURE_EVENT) {
    w->msg = make_message(conn, req);
    if (w->msg == NULL) {
      free(w);
      return WPS_ENOMEM;
    }
  }
  if (req->name.len > 0)
    memcpy(w->name, req->name.ptr, req->name.len);
  w->req = (struct azure_request){.kind = req->kind,
                                  .flags = req->flags,
                                  .id = req->id,
                                  .name = {w->name, req->name.len}};
  w->bytes = bytes;
  if (client->first != NULL)
    client->first->last->next = w;
  else
    client->first = w;
  client->first->last = w;
  count_waiting(client, bytes, true);
  regulate(client, conn);
  return WPS_OK;
}

int azure_client_request(struct azure_client *client, struct wps_conn *conn,
                         const struct azure_request *req)
{
  if (client->flags & AZURE_CLIENT_CLOSED)
    return WPS_OK;
  switch (req->kind) {
  case AZURE_PING:
    sent(client, conn, client->rules->writer->pong(conn));
    return WPS_OK;
  case AZURE_SEQUENCE_ACK:
    if (client->flags & AZURE_CLIENT_RELIABLE)
      (void)wps->conn->session_ack(conn, req->id);
    return WPS_OK;
  case AZURE_INVOKE:
    sent(client, conn,
         client->rules->writer->invoke_refused(conn, req->name, &no_invoke));
    return WPS_OK;
  case AZURE_CANCEL_INVOCATION:
    return WPS_OK;
  default:
    break;
  }
  if (client->first != NULL || must_wait(client, req))
    return wait_for_turn(client, conn, req);
  run(client, conn, req, NULL);
  return WPS_OK;
}
