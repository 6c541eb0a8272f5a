/* SPDX-License-Identifier: Apache-2.0 */
/* conn/linger.c - the closing handshake, without a client. */
#include "conn/linger.h"

#include <stdlib.h>

#include "conn/inbound.h"

static void linger_free(struct linger *l, bool reset)
{
  struct wps_worker *w = l->worker;

  list_remove(&l->node);
  timer_stop(w, &l->timer);
  defer_cancel(&l->turn);
  frame_in_release(w->conns->frames, &l->in);
  outbound_clear(&l->out, w);
  stream_close(l->stream, reset);
  free(l);
}

static void expired(struct timer *t)
{
  linger_free(CONTAINER_OF(t, struct linger, timer), true);
}

static void written(struct linger *l)
{
  if (l->peer_closed) {
    linger_free(l, false);
  } else if (l->deaf && !l->shut) {
    /* The peer sees the end of the stream behind our close frame and closes. */
    l->shut = true;
    stream_shutdown(l->stream);
  }
}

static void out_failed(struct outbound *o, const char *why)
{
  UNUSED(why);
  linger_free(CONTAINER_OF(o, struct linger, out), false);
}

static void out_left(struct outbound *o)
{
  UNUSED(o);
}

static void out_emptied(struct outbound *o)
{
  written(CONTAINER_OF(o, struct linger, out));
}

static const struct outbound_ops out_ops = {out_failed, out_left, out_emptied,
                                            NULL};

/* ---- what still comes in ---- */

static bool pass_message(void *arg, uint32_t opcode, unsigned char *data,
                         size_t len)
{
  UNUSED(arg);
  UNUSED(opcode);
  UNUSED(data);
  UNUSED(len);
  return true;
}

static bool pass_control(void *arg, const unsigned char *data, size_t len)
{
  UNUSED(arg);
  UNUSED(data);
  UNUSED(len);
  return true;
}

static void closed(void *arg, uint16_t code, struct wps_str reason)
{
  struct linger *l = arg;

  UNUSED(code);
  UNUSED(reason);
  l->peer_closed = true;
}

static const struct frame_in_ops in_ops = {pass_message, pass_control,
                                           pass_control, closed};

static void turn_came(struct defer *d)
{
  struct linger *l = CONTAINER_OF(d, struct linger, turn);
  struct stream *s = l->stream;
  struct wps_worker *w = l->worker;
  struct frame_in_limits limits =
      inbound_limits(w->conns->server, l->message_max);
  ssize_t n = stream_read(s, w->receive_buffer, WORKER_RECEIVE_BUFFER);
  const char *why;

  stream_want_read(s, true);
  if (n == STREAM_AGAIN)
    return;
  if (n <= 0) {
    linger_free(l, false);
    return;
  }
  if (l->deaf || l->peer_closed)
    return;
  if (frame_in_feed(w->conns->frames, &l->in, &limits, w->receive_buffer,
                    (size_t)n, &in_ops, l, &why) != FRAME_OK &&
      !l->peer_closed)
    l->deaf = true;
  if ((l->peer_closed || l->deaf) && l->out.count == 0)
    written(l);
}

/* Nobody waits for what it says: it is read when those who are there have been
 * served. */
static void readable(struct stream *s, void *arg)
{
  struct linger *l = arg;

  stream_want_read(s, false);
  worker_chore(l->worker, &l->turn);
}

static void writable(struct stream *s, void *arg)
{
  struct linger *l = arg;

  UNUSED(s);
  outbound_writable(&l->out, l->worker);
}

static const struct stream_ops stream_ops = {readable, writable};

static struct linger *linger_new(struct wps_worker *w, struct stream *stream)
{
  struct linger *l = calloc(1, sizeof(*l));

  if (l == NULL) {
    stream_close(stream, false);
    return NULL;
  }
  l->worker = w;
  l->stream = stream;
  l->message_max = w->conns->server->limits.message_max;
  outbound_init(&l->out, &out_ops);
  defer_init(&l->turn, turn_came);
  timer_init(&l->timer, expired);
  timer_start(w, &l->timer, w->conns->server->limits.close_timeout_ms);
  list_add_tail(&w->conns->lingers, &l->node);
  return l;
}

struct linger *linger_take(struct wps_conn *c)
{
  struct linger *l = linger_new(c->worker, c->stream);
  bool held = conn_held(c);

  c->flags &= (uint16_t)~CONN_HELD_LOST;
  c->stream = NULL;
  c->out.stream = NULL;
  if (l == NULL) {
    outbound_clear(&c->out, c->worker);
    return NULL;
  }
  l->message_max = inbound_message_max(c);
  outbound_move(&l->out, &c->out, c->worker);
  l->out.stream = l->stream;
  stream_set_ops(l->stream, &stream_ops, l);
  if (held)
    stream_want_read(l->stream, true); /* there is the peer's close frame */
  return l;
}

void linger_adopt_input(struct linger *l, struct frame_in *in)
{
  l->in = *in;
  *in = (struct frame_in){0};
}

void linger_peer_closed(struct linger *l)
{
  l->peer_closed = true;
}

void linger_deafen(struct linger *l)
{
  l->deaf = true;
}

void linger_refuse(struct wps_worker *w, struct stream *stream,
                   const char *head, size_t head_len, uint16_t code,
                   struct wps_str reason)
{
  struct linger *l = linger_new(w, stream);

  if (l == NULL)
    return;
  stream_attach(stream, w, &stream_ops, l);
  l->out.stream = stream;
  if (outbound_handshake(&l->out, w, head, head_len) != WPS_OK ||
      outbound_close(&l->out, w, code, reason) != WPS_OK)
    linger_free(l, false);
}

void lingers_close(struct wps_worker *w)
{
  while (!list_empty(&w->conns->lingers))
    linger_free(CONTAINER_OF(w->conns->lingers.next, struct linger, node),
                false);
}
