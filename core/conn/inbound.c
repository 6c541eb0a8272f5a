/* SPDX-License-Identifier: Apache-2.0 */
/* conn/inbound.c - read, frame by frame, in order. */
#include "conn/inbound.h"

#include "base/str.h"
#include "conn/client_events.h"
#include "conn/close.h"
#include "conn/deliver.h"
#include "conn/linger.h"
#include "conn/peer.h"
#include "hub/pending.h"

/* Where events wait for upstreams a read is a short one: of what it brings,
 * nothing can be put back. */
enum { READS_PER_TURN = 4, READ_WITH_EVENTS = 16 * 1024 };

struct frame_in_limits inbound_limits(const struct conn_server *server,
                                      size_t message_max)
{
  return (struct frame_in_limits){message_max, server->limits.fragments_max};
}

size_t inbound_message_max(const struct wps_conn *c)
{
  return c->peer != NULL ? c->peer->message_max
                         : conn_server_of(c)->limits.message_max;
}

/* After the client has ended in the middle of a buffer the rest is still
 * parsed, so that the peer's close frame is seen; messages go nowhere. */
static bool on_message(void *arg, uint32_t opcode, unsigned char *data,
                       size_t len)
{
  struct wps_conn *c = arg;
  int rc;

  if (c->state != WPS_CONN_OPEN)
    return true;
  c->flags |= CONN_IN_CALLBACK;
  rc = c->ops->frame(c, c->own, opcode, (struct wps_bytes){data, len});
  c->flags &= (uint16_t) ~(CONN_IN_CALLBACK | CONN_EVENT_FAILED);
  if (rc != WPS_OK && c->state == WPS_CONN_OPEN)
    conn_close_failed(c, rc);
  return true;
}

static bool on_ping(void *arg, const unsigned char *data, size_t len)
{
  struct wps_conn *c = arg;
  struct wps_part part = {NULL, {data, len}};

  if (c->state != WPS_CONN_OPEN)
    return true;
  /* A pong says that everything before the ping has been done: what came of it
   * goes first. */
  pending_settle(&c->client);
  if (outbound_parts(&c->out, c->worker, FRAME_PONG, &part, 1, 0, NULL) ==
      WPS_OK)
    conn_check_full(c);
  return true;
}

static bool on_pong(void *arg, const unsigned char *data, size_t len)
{
  UNUSED(arg);
  UNUSED(data);
  UNUSED(len);
  return true;
}

struct feed {
  struct wps_conn *conn; /* first: the other callbacks get the conn itself */
  bool closed;
  uint16_t code;
  uint8_t reason_len;
  char reason[125];
};

static bool feed_message(void *arg, uint32_t opcode, unsigned char *data,
                         size_t len)
{
  return on_message(((struct feed *)arg)->conn, opcode, data, len);
}

static bool feed_ping(void *arg, const unsigned char *data, size_t len)
{
  return on_ping(((struct feed *)arg)->conn, data, len);
}

static void feed_closed(void *arg, uint16_t code, struct wps_str reason)
{
  struct feed *f = arg;

  f->closed = true;
  f->code = code;
  f->reason_len = (uint8_t)(reason.len < sizeof(f->reason) ? reason.len
                                                           : sizeof(f->reason));
  for (size_t i = 0; i < f->reason_len; i++)
    f->reason[i] = reason.ptr[i];
}

static const struct frame_in_ops feed_ops = {feed_message, feed_ping, on_pong,
                                             feed_closed};

/* False when the client has lost this socket. */
static bool feed(struct wps_conn *c, unsigned char *data, size_t len)
{
  struct conn_worker *cw = c->worker->conns;
  struct frame_in_limits limits =
      inbound_limits(cw->server, inbound_message_max(c));
  struct feed f = {.conn = c};
  const char *why = "";
  struct linger *l;
  int rc;

  cw->feed_linger = NULL;
  c->flags |= CONN_FEEDING;
  rc = frame_in_feed(cw->frames, &c->in, &limits, data, len, &feed_ops, &f,
                     &why);
  c->flags &= (uint16_t)~CONN_FEEDING;
  if (c->stream != NULL) {
    if (rc == FRAME_OK)
      return true;
    if (f.closed)
      conn_peer_closed(c, f.code, (struct wps_str){f.reason, f.reason_len});
    else
      conn_close_framing(c, (uint16_t)rc, str_from(why));
    return false;
  }
  /* A callback has ended the client; its socket lingers. */
  l = cw->feed_linger;
  cw->feed_linger = NULL;
  if (l == NULL || rc != FRAME_OK)
    frame_in_release(cw->frames, &c->in);
  if (l == NULL)
    return false;
  if (rc == FRAME_OK)
    linger_adopt_input(l, &c->in);
  else if (f.closed)
    linger_peer_closed(l);
  else
    linger_deafen(l);
  return false;
}

void inbound_feed(struct wps_conn *c, unsigned char *data, size_t len)
{
  if (c->stream != NULL && len != 0)
    feed(c, data, len);
}

void inbound_hold(struct wps_conn *c, uint16_t who, bool on)
{
  bool was = conn_held(c);

  if (on)
    c->flags |= who;
  else
    c->flags &= (uint16_t)~who;
  if (conn_held(c) == was)
    return;
  if (was)
    c->heard_us = c->worker->now_us; /* silence begins anew */
  if (c->stream != NULL)
    stream_want_read(c->stream, was);
}

static void readable(struct stream *s, void *arg)
{
  struct wps_conn *c = arg;
  struct wps_worker *w = c->worker;
  const size_t room =
      client_events_queues(c) ? READ_WITH_EVENTS : WORKER_RECEIVE_BUFFER;

  for (int i = 0; i < READS_PER_TURN; i++) {
    ssize_t n = stream_read(s, w->receive_buffer, room);

    if (n == STREAM_AGAIN)
      return;
    if (n <= 0) {
      conn_lost(c);
      return;
    }
    c->heard_us = w->now_us;
    if (!feed(c, w->receive_buffer, (size_t)n) || (size_t)n < room ||
        conn_held(c))
      return;
  }
}

static void writable(struct stream *s, void *arg)
{
  struct wps_conn *c = arg;

  UNUSED(s);
  outbound_writable(&c->out, c->worker);
}

const struct stream_ops conn_stream_ops = {readable, writable};
