/* SPDX-License-Identifier: Apache-2.0 */
/* conn/deliver.c - from a message to units in the outbound queue. */
#include "conn/deliver.h"

#include "base/check.h"
#include "conn/close.h"
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

void conn_deliver(struct hub_client *client, struct wps_member *m,
                  struct fanout *f)
{
  struct wps_conn *c = conn_of_client(client);
  uint32_t variant = m != NULL && (m->flags & WPS_MEMBER_VARIANT) != 0
                         ? m->variant
                         : c->variant;
  struct wps_frame *frame;
  int rc;

  if (UNLIKELY(!conn_alive(c)))
    return;
  rc = fanout_frame(f, c->instance, variant, &frame);
  if (LIKELY(rc == WPS_OK))
    rc = deliver(c, m, f->msg, frame, variant);
  if (UNLIKELY(rc == WPS_ENOMEM)) {
    /* A client must not go on as if it had got everything. */
    conn_log(c, WPS_LOG_ERROR, "out of memory while delivering", NULL, 0);
    conn_close_later(c, WPS_CLOSED_FAILURE);
  }
}

int conn_deliver_one(struct wps_conn *c, struct wps_message *msg)
{
  struct wps_frame *frame;
  int rc;

  if (!conn_alive(c))
    return WPS_ECLOSED;
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
  return after_send(c, outbound_frame(&c->out, c->worker, frame, unit_flags(c),
                                      c->worker->conns->expires));
}

int conn_send_parts(struct wps_conn *c, uint32_t opcode,
                    const struct wps_part *parts, size_t count)
{
  if (c->stream == NULL)
    return WPS_ECLOSED;
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

const struct outbound_ops conn_outbound_ops = {out_failed, out_left,
                                               out_emptied};
