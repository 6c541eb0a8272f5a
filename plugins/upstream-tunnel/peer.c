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

int tunnel_send_message(struct tunnel *t, struct wps_conn *conn,
                        const struct tunnel_message *m)
{
  return peer_send_new(&t->peer, conn, tunnel_frame(m));
}

/* The client of the official packages takes silence for a dead connection; a
 * WebSocket ping is no message to it. */
static void look_at_idleness(struct wps_conn *conn, void *arg)
{
  const struct tunnel_message status = {.type = TUNNEL_STATUS, .text = STR("")};
  struct tunnel *t = arg;
  int64_t span_us = (int64_t)t->service->idle_status_ms * 1000, left_us;

  left_us = t->peer.sent_us + span_us - wps->worker->now_us(t->peer.worker);
  if (left_us <= 0) {
    tunnel_send_message(t, conn, &status);
    left_us = span_us;
  }
  wps->conn->timer_start(conn, ((uint64_t)left_us + 999) / 1000, 0,
                         look_at_idleness, t);
}

/* ---- beginning and end ---- */

void tunnel_free(struct peer *p)
{
  free(LIST_ITEM(p, struct tunnel, peer));
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
  struct tunnel *t = calloc(1, sizeof(*t));
  int rc;

  if (t == NULL)
    return WPS_ENOMEM;
  peer_init(&t->peer, &s->peers, conn, wps->request->hub(hello->req));
  t->service = s;
  list_init(&t->rest);
  rc = greet(t, conn);
  if (rc == WPS_OK)
    rc = peer_open(&t->peer);
  if (rc != WPS_OK) {
    peer_unref(&t->peer);
    return rc;
  }
  if (s->idle_status_ms > 0)
    wps->conn->timer_start(conn, s->idle_status_ms, 0, look_at_idleness, t);
  wps->log->write(s->peers.self, conn, WPS_LOG_INFO, "a tunnel for the hub %s",
                  t->peer.name);
  *state = t;
  return WPS_OK;
}

static void close_peer(struct wps_conn *conn, void *state, uint16_t code,
                       struct wps_str reason)
{
  struct tunnel *t = state;

  (void)conn, (void)code, (void)reason;
  rest_free_all(t);
  peer_closed(&t->peer);
}

/* ---- frames ---- */

static int frame(struct wps_conn *conn, void *state, uint32_t opcode,
                 struct wps_bytes data)
{
  struct tunnel *t = state;
  struct tunnel_message_in in;
  int rc;

  if (opcode != WPS_BINARY) {
    peer_end(&t->peer, conn, 1003, STR("Only binary messages are allowed."));
    return WPS_OK;
  }
  rc = tunnel_message_read(data, &in);
  if (rc == WPS_EPROTO) {
    peer_end(&t->peer, conn, 1007,
             STR("The message is no valid tunnel message."));
    return WPS_OK;
  }
  if (rc != WPS_OK)
    return rc;
  if (in.m.type == TUNNEL_RESPONSE)
    event_answered(t, &in.m);
  else if (in.m.type == TUNNEL_REQUEST)
    rc = rest_request(t, conn, data);
  tunnel_message_free(&in);
  return rc;
}

static void drained(struct wps_conn *conn, void *state)
{
  struct tunnel *t = state;

  peer_drained(&t->peer);
  rest_go_on(t, conn);
}

const struct wps_subprotocol tunnel_peer_ops = {
    .struct_size = sizeof(tunnel_peer_ops),
    .open = open_peer,
    .frame = frame,
    .drained = drained,
    .close = close_peer,
};
