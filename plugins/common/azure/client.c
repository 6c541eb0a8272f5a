/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - what a request does, and when. */
#include "plugins/common/azure/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/azure/event.h"
#include "plugins/common/azure/internal.h"
#include "plugins/common/azure/invoke.h"
#include "plugins/common/azure/order.h"
#include "plugins/common/azure/state.h"
#include "plugins/common/azure/stream.h"

const struct azure_error azure_internal_error = {
    WPS_STR_INIT("InternalServerError"), WPS_STR_INIT("Internal server error")};

void azure_client_clear(struct azure_client *client)
{
  azure_drop_waiting(client);
  azure_streams_free(client);
  azure_invocations_free(client);
  azure_acks_clear(&client->acks);
  free(client->told);
  client->told = NULL;
}

void azure_client_close(struct azure_client *client, struct wps_conn *conn,
                        uint16_t code, struct wps_str reason)
{
  client->flags |= AZURE_CLIENT_CLOSED;
  azure_drop_waiting(client);
  wps->conn->close(conn, code, reason);
}

/* A request gets its answer or the connection ends; one that is detached or
 * closing has no use for it, and EAGAIN is sent all the same. */
void azure_sent(struct azure_client *client, struct wps_conn *conn, int rc)
{
  if (rc == WPS_ENOMEM && !(client->flags & AZURE_CLIENT_CLOSED))
    azure_client_close(client, conn, 1011, azure_internal_error.message);
}

void azure_answer(struct azure_client *client, struct wps_conn *conn,
                  uint32_t flags, uint64_t id, const struct azure_error *error)
{
  if (flags & AZURE_HAS_ACK)
    azure_sent(client, conn, client->rules->writer->ack(conn, id, error));
  else if (error != NULL &&
           wps->log->enabled(client->rules->self, WPS_LOG_DEBUG))
    wps->log->write(client->rules->self, conn, WPS_LOG_DEBUG,
                    "request without ackId failed: %.*s", (int)error->name.len,
                    error->name.ptr);
}

/* An event that nobody wants to hear of (azure-server.md 3.13). */
static void event_failed(struct azure_client *client, struct wps_conn *conn)
{
  azure_answer(client, conn, 0, 0, &azure_internal_error);
  if (client->rules->drop_on_event_failure)
    azure_client_close(client, conn, 1011, azure_internal_error.message);
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
  azure_answer(client, conn, AZURE_HAS_ACK, id, &error);
}

struct wps_str azure_sentence(char *room, const char *head, struct wps_str name,
                              const char *tail)
{
  size_t head_len = strlen(head), tail_len = strlen(tail);

  memcpy(room, head, head_len);
  memcpy(room + head_len, name.ptr, name.len);
  memcpy(room + head_len + name.len, tail, tail_len);
  return (struct wps_str){room, head_len + name.len + tail_len};
}

void azure_forbidden(uint32_t kind, struct wps_str group, char *room,
                     struct azure_error *out)
{
  const char *head =
      kind == AZURE_JOIN ? "The client does not have permission to join group '"
      : kind == AZURE_LEAVE
          ? "The client does not have permission to leave group '"
          : "The client does not have permission to send to group '";

  out->name = (struct wps_str)WPS_STR_INIT("Forbidden");
  out->message = azure_sentence(room, head, group, "'.");
}

void azure_finish(struct azure_client *client, struct wps_conn *conn,
                  uint64_t id, const struct azure_error *error)
{
  azure_acks_end(&client->acks, id, error == NULL, client->rules->ack_window);
  azure_answer(client, conn, AZURE_HAS_ACK, id, error);
}

static void finish(struct azure_client *client, struct wps_conn *conn,
                   uint64_t id, int status)
{
  azure_finish(client, conn, id,
               status == WPS_OK ? NULL : &azure_internal_error);
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
  azure_run_waiting(client, conn);
}

static void on_left(struct wps_conn *conn, void *arg, uint64_t tag, int status)
{
  if (conn == NULL)
    return;
  finish(arg, conn, tag, status);
  azure_run_waiting(arg, conn);
}

static void on_published(struct wps_conn *conn, void *arg, uint64_t tag,
                         const struct wps_published *result)
{
  if (conn == NULL)
    return;
  finish(arg, conn, tag, result->status);
  azure_run_waiting(arg, conn);
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
  azure_run_waiting(client, conn);
}

struct wps_message *azure_make_message(struct wps_conn *conn,
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

void azure_refuse(struct azure_client *client, struct wps_conn *conn,
                  const struct azure_request *req,
                  const struct azure_error *error)
{
  if (req->kind == AZURE_STREAM_START)
    azure_stream_refuse(client, conn, req->ref, error);
  if (req->flags & AZURE_HAS_ACK)
    azure_finish(client, conn, req->id, error);
  else if (req->kind == AZURE_EVENT)
    event_failed(client, conn);
  else
    azure_answer(client, conn, 0, 0, error);
}

void azure_start(struct azure_client *client, struct wps_conn *conn,
                 const struct azure_request *req, struct wps_message *msg)
{
  bool wants_ack = req->flags & AZURE_HAS_ACK;
  int rc;

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
  case AZURE_STREAM_START:
    rc = azure_stream_open(client, conn, req);
    if (rc == WPS_OK && wants_ack)
      azure_finish(client, conn, req->id, NULL);
    break;
  default:
    rc = raise_event(client, conn, req, msg);
    break;
  }
  if (rc != WPS_OK)
    azure_refuse(client, conn, req, &azure_internal_error);
}

void azure_run(struct azure_client *client, struct wps_conn *conn,
               const struct azure_request *req, struct wps_message *msg)
{
  if (req->flags & AZURE_HAS_ACK &&
      azure_acks_find(&client->acks, req->id) == AZURE_ACK_DONE) {
    answer_duplicate(client, conn, req->id);
    return;
  }
  switch (req->kind) {
  case AZURE_STREAM_DATA:
    azure_stream_data(client, conn, req, msg);
    break;
  case AZURE_STREAM_END:
    azure_stream_end(client, conn, req);
    break;
  case AZURE_SET_STATE:
    azure_state_set(client, conn, req);
    break;
  case AZURE_WATCH_STATE:
    azure_state_watch(client, conn, req);
    break;
  case AZURE_UNWATCH_STATE:
    azure_state_unwatch(client, conn, req);
    break;
  default:
    azure_decide(client, conn, req, msg);
    break;
  }
}

void azure_run_last(struct azure_client *client, struct wps_conn *conn,
                    const struct azure_request *req, struct wps_message *msg)
{
  struct azure_error error;

  switch (req->kind) {
  case AZURE_EVENT:
    (void)azure_event(conn, req->name, msg, on_answer, client, 0);
    break;
  case AZURE_SEND:
    if (azure_undisputed(client, conn, req, msg))
      (void)publish(client, conn, req, msg, NULL);
    break;
  case AZURE_STREAM_START:
    if (azure_stream_check(client, req, &error) == NULL &&
        azure_undisputed(client, conn, req, NULL))
      (void)azure_stream_open(client, conn, req);
    break;
  case AZURE_STREAM_DATA:
    azure_stream_data(client, conn, req, msg);
    break;
  case AZURE_STREAM_END:
    azure_stream_end(client, conn, req);
    break;
  default:
    break;
  }
}

void azure_client_end(struct azure_client *client, struct wps_conn *conn)
{
  client->flags |= AZURE_CLIENT_CLOSED;
  azure_run_last_waiting(client, conn);
  azure_streams_end(client, conn);
}

int azure_client_request(struct azure_client *client, struct wps_conn *conn,
                         const struct azure_request *req)
{
  if (client->flags & AZURE_CLIENT_CLOSED)
    return WPS_OK;
  switch (req->kind) {
  case AZURE_PING:
    azure_sent(client, conn, client->rules->writer->pong(conn));
    return WPS_OK;
  case AZURE_SEQUENCE_ACK:
    if (client->flags & AZURE_CLIENT_RELIABLE)
      (void)wps->conn->session_ack(conn, req->id);
    return WPS_OK;
  case AZURE_INVOKE:
    azure_invoke(client, conn, req);
    return WPS_OK;
  case AZURE_CANCEL_INVOCATION:
    azure_cancel(client, conn, req->ref);
    return WPS_OK;
  default:
    break;
  }
  if (client->first != NULL || azure_must_wait(client, req)) {
    if (req->kind == AZURE_STREAM_DATA)
      azure_stream_touch(client, conn, req->ref);
    return azure_wait(client, conn, req);
  }
  azure_run(client, conn, req, NULL);
  return WPS_OK;
}
