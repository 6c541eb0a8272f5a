/* SPDX-License-Identifier: Apache-2.0 */
/* conn/deliver.c - from a message to units in the outbound queue. */
#include "conn/deliver.h"

#include "base/check.h"
#include "base/fault.h"
#include "conn/close.h"
#include "conn/out_shared.h"
#include "conn/session.h"

/* While all messages that wait are still kept by the session, its own bounds
 * hold for them, also when a resume queues all of them at once; a client that
 * acknowledges what it has not read is slow like any other. */
static bool over_limit(const struct wps_conn *c)
{
  const struct conn_limits *l = &conn_server_of(c)->limits;

  if (c->session != NULL && c->out.counted <= session_kept(c))
    return c->out.bytes - c->out.counted_bytes > l->queue_bytes;
  return c->out.counted > l->queue_messages || c->out.bytes > l->queue_bytes;
}

static bool over_watermark(const struct wps_conn *c)
{
  return c->out.bytes > conn_server_of(c)->limits.queue_bytes / 2;
}

/* While the socket takes nothing no flush looks at the limits. A queue that
 * only waits for its turn has a socket that would take more. */
void conn_check_full(struct wps_conn *c)
{
  if (c->out.full && over_limit(c))
    conn_close_later(c, WPS_CLOSED_SLOW);
}

int conn_deliver_private(struct wps_conn *c, struct wps_member *m,
                         struct wps_message *msg, struct wps_frame *frame,
                         uint64_t sequence, uint32_t flags, bool mortal)
{
  struct wps_delivery d = {.struct_size = sizeof(d),
                           .flags = flags,
                           .sequence = sequence,
                           .msg = msg,
                           .frame = frame,
                           .member = m,
                           .data = m != NULL ? m->data : NULL};
  struct conn_worker *cw = c->worker->conns;
  struct wps_message *outer = cw->delivering;
  struct wps_message *outer_expires = cw->expires;
  int rc;

  cw->delivering = msg;
  cw->expires = mortal ? msg : NULL;
  rc = c->ops->deliver(c, c->own, &d);
  cw->delivering = outer;
  cw->expires = outer_expires;
  return rc == WPS_EAGAIN ? WPS_OK : rc;
}

static bool wants_private(const struct wps_conn *c, const struct wps_member *m)
{
  return m != NULL && (m->flags & WPS_MEMBER_DELIVER) != 0 &&
         WPS_CAN(c->ops, deliver);
}

static int deliver(struct wps_conn *c, struct wps_member *m,
                   struct wps_message *msg, struct wps_frame *frame,
                   uint32_t variant)
{
  int rc;

  if (c->session != NULL)
    return session_deliver(c, m, msg, frame, variant);
  if (wants_private(c, m))
    rc = conn_deliver_private(c, m, msg, frame, 0, 0, true);
  else
    rc = outbound_frame(&c->out, c->worker, frame, OUT_COUNTED, msg);
  conn_check_full(c);
  return rc;
}

static uint32_t variant_of(const struct wps_conn *c, const struct wps_member *m)
{
  return m != NULL && (m->flags & WPS_MEMBER_VARIANT) != 0 ? m->variant
                                                           : c->variant;
}

/* A client must not go on as if it had got everything. */
void conn_missed(struct hub_client *client)
{
  struct wps_conn *c = conn_of_client(client);

  if (!conn_alive(c))
    return;
  conn_log(c, WPS_LOG_ERROR, "out of memory while delivering", NULL, 0);
  conn_close_later(c, WPS_CLOSED_FAILURE);
}

void conn_deliver(struct hub_client *client, struct wps_member *m,
                  struct fanout *f)
{
  struct wps_conn *c = conn_of_client(client);
  uint32_t variant = variant_of(c, m);
  struct wps_frame *frame;
  int rc;

  if (UNLIKELY(!conn_alive(c)))
    return;
  rc = fanout_frame(f, c->instance, variant, &frame);
  if (LIKELY(rc == WPS_OK))
    rc = deliver(c, m, f->msg, frame, variant);
  if (UNLIKELY(rc == WPS_ENOMEM))
    conn_missed(client);
}

/* ---- what a group owes, at the end of the turn ---- */

/* The socket has taken `sent` bytes of them, and no more for now. */
static void keep_rest(struct wps_conn *c, const struct pending *p,
                      const struct out_shared *s, size_t sent)
{
  for (uint32_t i = 0; i < s->count; i++) {
    struct wps_frame *frame = s->frames[i];
    size_t len = frame != NULL ? frame_wire_len(frame) : 0;

    if (c->out.count == 0 && sent >= len) {
      sent -= len;
      continue;
    }
    if (frame == NULL)
      continue;
    if (FAULT("keep_rest") ||
        outbound_frame(&c->out, c->worker, frame, OUT_COUNTED,
                       p->entries[i].msg) != WPS_OK) {
      /* What is on the wire may have ended within a frame. */
      conn_socket_lost(c, "out of memory");
      return;
    }
  }
  outbound_refused(&c->out, sent);
}

bool conn_send_pending(struct hub_client *client, struct wps_member *m,
                       const struct pending *p)
{
  struct wps_conn *c = conn_of_client(client);
  const struct out_shared *s;
  ssize_t n;

  if (UNLIKELY(!conn_alive(c)))
    return true;
  if (c->session != NULL || c->stream == NULL || c->out.count != 0 ||
      wants_private(c, m))
    return false;
  s = out_shared_get(&c->worker->conns->out_shared, p, c->instance,
                     variant_of(c, m));
  if (UNLIKELY(s == NULL))
    return false;
  if (UNLIKELY(s->bytes.iov_len == 0))
    return true;
  n = stream_writev(c->stream, &s->bytes, 1);
  if (LIKELY(n >= 0 && (size_t)n == s->bytes.iov_len))
    return true;
  if (n == STREAM_ERROR)
    conn_socket_lost(c, stream_error(c->stream));
  else
    keep_rest(c, p, s, n > 0 ? (size_t)n : 0);
  return true;
}

void conn_send_soon(const struct hub_client *client)
{
  const struct wps_conn *c = (const struct wps_conn *)(const void *)client;

  stream_prefetch(c->stream);
}

void conn_flush(struct hub_client *client)
{
  struct wps_conn *c = conn_of_client(client);

  outbound_flush(&c->out, c->worker);
}

int conn_deliver_one(struct wps_conn *c, struct wps_message *msg)
{
  struct wps_frame *frame;
  int rc;

  if ((c->flags & CONN_PEER) != 0)
    return WPS_EINVAL;
  if (!conn_alive(c))
    return WPS_ECLOSED;
  pending_settle(&c->client);
  rc = message_frame(msg, c->instance, c->variant, &frame);
  return rc == WPS_OK ? deliver(c, NULL, msg, frame, c->variant) : rc;
}

/* ---- what subprotocols send ---- */

static uint32_t unit_flags(const struct wps_conn *c)
{
  return c->worker->conns->delivering != NULL ? OUT_COUNTED : 0;
}

static int after_send(struct wps_conn *c, int rc)
{
  if (rc != WPS_OK)
    return rc;
  conn_check_full(c);
  if (!over_watermark(c))
    return WPS_OK;
  c->flags |= CONN_DRAIN_WANTED;
  return WPS_EAGAIN;
}

int conn_send(struct wps_conn *c, struct wps_frame *frame)
{
  if (c->stream == NULL)
    return WPS_ECLOSED;
  pending_settle(&c->client);
  return after_send(c, outbound_frame(&c->out, c->worker, frame, unit_flags(c),
                                      c->worker->conns->expires));
}

int conn_send_parts(struct wps_conn *c, uint32_t opcode,
                    const struct wps_part *parts, size_t count)
{
  if (c->stream == NULL)
    return WPS_ECLOSED;
  pending_settle(&c->client);
  return after_send(c,
                    outbound_parts(&c->out, c->worker, opcode, parts, count,
                                   unit_flags(c), c->worker->conns->expires));
}

/* ---- the flusher's side ---- */

static struct wps_conn *conn_of(struct outbound *o)
{
  return CONTAINER_OF(o, struct wps_conn, out);
}

static void drain(struct wps_conn *c)
{
  if ((c->flags & CONN_DRAIN_WANTED) == 0 || over_watermark(c))
    return;
  c->flags &= (uint16_t)~CONN_DRAIN_WANTED;
  if (WPS_CAN(c->ops, drained))
    c->ops->drained(c, c->own);
}

static void out_failed(struct outbound *o, const char *why)
{
  conn_socket_lost(conn_of(o), why);
}

static void out_left(struct outbound *o)
{
  struct wps_conn *c = conn_of(o);

  if (over_limit(c))
    conn_close_later(c, WPS_CLOSED_SLOW);
  else
    drain(c);
}

static void out_emptied(struct outbound *o)
{
  drain(conn_of(o));
}

static void out_wrote(struct outbound *o, struct wps_message *msg)
{
  struct wps_conn *c = conn_of(o);

  if (c->session != NULL)
    session_wrote(c, msg);
}

const struct outbound_ops conn_outbound_ops = {out_failed, out_left,
                                               out_emptied, out_wrote};
