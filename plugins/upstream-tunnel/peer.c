/* SPDX-License-Identifier: Apache-2.0 */
/* peer.c - one tunnel's WebSocket. */
#include <stdlib.h>
#include <string.h>

#include <webpubsub/plugin.h>

#include "plugins/common/cloudevents/text.h"
#include "plugins/upstream-tunnel/message.h"
#include "plugins/upstream-tunnel/tunnel.h"

/* ---- sending ---- */

struct wps_frame *tunnel_frame(const struct tunnel_message *m)
{
  struct text bytes = {0};
  struct wps_frame *frame = NULL;

  tunnel_message_write(m, &bytes);
  if (!bytes.failed)
    frame = wps->message->frame(WPS_BINARY,
                                (struct wps_bytes){bytes.ptr, bytes.len});
  text_free(&bytes);
  return frame;
}

int tunnel_send(struct tunnel *t, struct wps_conn *conn,
                struct wps_frame *frame)
{
  int rc = wps->conn->send(conn, frame);

  t->sent_us = wps->worker->now_us(t->worker);
  if (rc == WPS_EAGAIN)
    atomic_store(&t->full, true);
  return rc;
}

int tunnel_send_message(struct tunnel *t, struct wps_conn *conn,
                        const struct tunnel_message *m)
{
  struct wps_frame *frame = tunnel_frame(m);
  int rc = WPS_ENOMEM;

  if (frame != NULL) {
    rc = tunnel_send(t, conn, frame);
    wps->message->frame_unref(frame);
  }
  return rc;
}

/* The client of the official packages takes silence for a dead connection; a
 * WebSocket ping is no message to it. */
static void look_at_idleness(struct wps_conn *conn, void *arg)
{
  const struct tunnel_message status = {.type = TUNNEL_STATUS, .text = STR("")};
  struct tunnel *t = arg;
  int64_t span_us = (int64_t)t->service->idle_status_ms * 1000, left_us;

  left_us = t->sent_us + span_us - wps->worker->now_us(t->worker);
  if (left_us <= 0) {
    tunnel_send_message(t, conn, &status);
    left_us = span_us;
  }
  wps->conn->timer_start(conn, ((uint64_t)left_us + 999) / 1000, 0,
                         look_at_idleness, t);
}

/* ---- beginning and end ---- */

static struct tunnel *tunnel_new(struct tunnel_service *s,
                                 struct wps_conn *conn, struct wps_str hub)
{
  struct tunnel *t = calloc(1, sizeof(*t));

  if (t == NULL)
    return NULL;
  atomic_init(&t->refs, 1);
  t->service = s;
  t->ref = wps->conn->ref(conn);
  t->worker = wps->conn->worker(conn);
  t->sent_us = wps->worker->now_us(t->worker);
  list_init(&t->rest);
  azure_lower(t->name, hub);
  return t;
}

static int greet(struct tunnel *t, struct wps_conn *conn)
{
  struct tunnel_message m = {.type = TUNNEL_CONNECTED,
                             .connection = wps->conn->id(conn)};
  struct wps_str user = wps->conn->user(conn);

  if (user.len > 0)
    m.user = user;
  return tunnel_send_message(t, conn, &m);
}

static int open_peer(void *inst, struct wps_conn *conn,
                     const struct wps_hello *hello, void **state)
{
  struct tunnel_service *s = inst;
  struct wps_str hub = wps->request->hub(hello->req);
  struct tunnel *t;
  int rc;

  if (!azure_hub_ok(hub))
    return WPS_EINVAL;
  t = tunnel_new(s, conn, hub);
  if (t == NULL)
    return WPS_ENOMEM;
  rc = greet(t, conn);
  if (rc != WPS_OK)
    goto fail;
  rc = tunnels_add(t);
  if (rc != WPS_OK)
    goto fail;
  if (s->idle_status_ms > 0)
    wps->conn->timer_start(conn, s->idle_status_ms, 0, look_at_idleness, t);
  wps->log->write(s->self, conn, WPS_LOG_INFO, "a tunnel for the hub %s",
                  t->name);
  *state = t;
  return WPS_OK;

fail:
  tunnel_unref(t);
  return rc;
}

void tunnel_end(struct tunnel *t, struct wps_conn *conn, uint16_t code,
                struct wps_str reason)
{
  tunnels_leave(t);
  wps->conn->close(conn, code, reason);
}

static void close_peer(struct wps_conn *conn, void *state, uint16_t code,
                       struct wps_str reason)
{
  struct tunnel *t = state;
  struct tunnel_service *s = t->service;

  (void)conn, (void)code, (void)reason;
  t->closed = true;
  tunnels_leave(t);
  event_fail_all(t);
  rest_free_all(t);
  tunnel_unref(t);
  tunnels_closed(s);
}

/* ---- frames ---- */

static int frame(struct wps_conn *conn, void *state, uint32_t opcode,
                 struct wps_bytes data)
{
  struct tunnel *t = state;
  struct tunnel_message_in in;
  int rc;

  if (opcode != WPS_BINARY) {
    tunnel_end(t, conn, 1003, STR("Only binary messages are allowed."));
    return WPS_OK;
  }
  rc = tunnel_message_read(data, &in);
  if (rc == WPS_EPROTO) {
    tunnel_end(t, conn, 1007, STR("The message is no valid tunnel message."));
    return WPS_OK;
  }
  if (rc != WPS_OK)
    return rc;
  if (in.m.type == TUNNEL_RESPONSE)
    event_answered(t, &in.m);
  else if (in.m.type == TUNNEL_REQUEST)
    rc = rest_request(t, conn, &in);
  tunnel_message_free(&in);
  return rc;
}

static void drained(struct wps_conn *conn, void *state)
{
  struct tunnel *t = state;

  atomic_store(&t->full, false);
  rest_go_on(t, conn);
}

const struct wps_subprotocol tunnel_peer_ops = {
    .struct_size = sizeof(tunnel_peer_ops),
    .open = open_peer,
    .frame = frame,
    .drained = drained,
    .close = close_peer,
};
