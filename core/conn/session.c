/* SPDX-License-Identifier: Apache-2.0 */
/* conn/session.c - replay queue and retention. */
#include "conn/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/fault.h"
#include "base/utf8.h"
#include "base/str.h"
#include "conn/close.h"
#include "conn/deliver.h"
#include "conn/ticket.h"
#include "hub/pending.h"

struct kept {
  struct wps_message *msg;
  uint32_t variant;
  uint32_t written; /* to a socket; only of those that may expire: they do not
                       any more */
};

struct session {
  uint32_t retain_ms, max_messages;
  uint64_t max_bytes;
  uint64_t next_sequence;  /* of the next delivery, from 1 */
  uint64_t first_sequence; /* of the oldest kept */
  uint64_t wrote_sequence; /* the next that is likely to be written */
  uint64_t bytes;
  struct kept *ring;
  uint32_t first, count, cap;
  bool holding; /* until the replay has been sent */
  uint16_t replaced_code;
  uint16_t replaced_len;
  char token[TICKET_LEN + 1];
  char replaced_reason[];
};

int session_enable(struct wps_conn *c, const struct wps_session *opts)
{
  struct wps_str reason = utf8_cut(opts->replaced_reason, 123);
  struct session *s;

  if (opts->max_messages == 0 || opts->max_bytes == 0 ||
      !WPS_CAN(c->ops, deliver))
    return WPS_EINVAL;
  pending_settle(&c->client); /* which is not numbered */
  if (c->session != NULL)
    return WPS_EEXIST;
  s = calloc(1, sizeof(*s) + reason.len);
  if (s == NULL)
    return WPS_ENOMEM;
  s->retain_ms = opts->retain_ms;
  s->max_messages = opts->max_messages;
  s->max_bytes = opts->max_bytes;
  s->next_sequence = s->first_sequence = 1;
  s->replaced_code =
      (uint16_t)(opts->replaced_code != 0 ? opts->replaced_code : 1008);
  s->replaced_len = (uint16_t)reason.len;
  if (reason.len != 0)
    memcpy(s->replaced_reason, reason.ptr, reason.len);
  c->session = s;
  return WPS_OK;
}

static struct kept *kept_at(struct session *s, uint32_t i)
{
  return &s->ring[(s->first + i) & (s->cap - 1)];
}

static void forget_first(struct session *s)
{
  struct kept *k = kept_at(s, 0);

  s->bytes -= k->msg->cost;
  message_unref(k->msg);
  s->first = (s->first + 1) & (s->cap - 1);
  s->count--;
  s->first_sequence++;
}

static void release_ring(struct session *s)
{
  free(s->ring);
  s->ring = NULL;
  s->first = s->cap = 0;
}

void session_free(struct wps_conn *c)
{
  struct session *s = c->session;

  if (s == NULL)
    return;
  while (s->count != 0)
    forget_first(s);
  release_ring(s);
  free(s);
  c->session = NULL;
}

uint32_t session_retain_ms(const struct wps_conn *c)
{
  return c->session->retain_ms;
}

uint32_t session_kept(const struct wps_conn *c)
{
  return c->session->count;
}

struct wps_str session_token(struct wps_conn *c)
{
  struct session *s = c->session;

  if (s == NULL || ticket_make(conn_server_of(c)->keys, conn_hub_name(c),
                               conn_id(c), s->token) != WPS_OK)
    return STR_NONE;
  return (struct wps_str){s->token, TICKET_LEN};
}

static int grow(struct session *s)
{
  uint32_t next = s->cap == 0 ? 8 : s->cap * 2;
  struct kept *bigger;

  if (next < s->cap || FAULT("alloc_kept"))
    return WPS_ENOMEM;
  bigger = malloc(next * sizeof(*bigger));
  if (bigger == NULL)
    return WPS_ENOMEM;
  for (uint32_t i = 0; i < s->count; i++)
    bigger[i] = *kept_at(s, i);
  free(s->ring);
  s->ring = bigger;
  s->first = 0;
  s->cap = next;
  return WPS_OK;
}

int session_deliver(struct wps_conn *c, struct wps_member *m,
                    struct wps_message *msg, struct wps_frame *frame,
                    uint32_t variant)
{
  struct session *s = c->session;
  struct kept *k;
  uint64_t sequence;
  bool now;

  if (s->count >= s->max_messages || s->bytes + msg->cost > s->max_bytes) {
    conn_close_later(c, WPS_CLOSED_SESSION_FULL);
    return WPS_OK;
  }
  if (s->count == s->cap && grow(s) != WPS_OK)
    return WPS_ENOMEM;
  k = kept_at(s, s->count++);
  k->msg = message_ref(msg);
  k->variant = variant;
  k->written = 0;
  now = c->stream != NULL && !s->holding;
  s->bytes += msg->cost;
  sequence = s->next_sequence++;
  if (!now)
    return WPS_OK;
  return conn_deliver_private(c, m, msg, frame, sequence, 0, true);
}

void session_ack(struct wps_conn *c, uint64_t sequence)
{
  struct session *s = c->session;

  while (s->count != 0 && s->first_sequence <= sequence)
    forget_first(s);
  /* A client that keeps up holds a small ring, an idle one none. */
  if (s->count == 0 && s->cap > 64)
    release_ring(s);
}

void session_wrote(struct wps_conn *c, const struct wps_message *msg)
{
  struct session *s = c->session;
  uint64_t from = s->wrote_sequence;

  /* What is written goes in the order of the numbers. */
  if (from < s->first_sequence || from >= s->next_sequence)
    from = s->first_sequence;
  for (uint32_t n = 0; n < s->count; n++) {
    uint32_t i = (uint32_t)((from - s->first_sequence + n) % s->count);
    struct kept *k = kept_at(s, i);

    if (k->msg != msg || k->written)
      continue;
    k->written = 1;
    s->wrote_sequence = s->first_sequence + i + 1;
    return;
  }
}

void session_wait(struct wps_conn *c)
{
  timer_start(c->worker, &c->timer, c->session->retain_ms);
}

/* A message that nobody has ever tried to write may have become stale
 * (azure-client.md 5.10); its number is a gap, which cumulative acks pass
 * over. */
static void replay_one(struct wps_conn *c, struct kept *k, uint64_t sequence)
{
  bool mortal = k->written == 0;
  struct wps_message *msg;
  struct wps_frame *frame;
  int rc;

  if (mortal && message_expired(k->msg, c->worker->now_us))
    return;
  rc = message_frame(k->msg, c->instance, k->variant, &frame);
  if (rc == WPS_OK) {
    /* deliver() may acknowledge it, and then `k` is gone. */
    msg = message_ref(k->msg);
    rc = conn_deliver_private(c, NULL, msg, frame, sequence,
                              WPS_DELIVERY_REPLAY, mortal);
    message_unref(msg);
  }
  if (rc == WPS_ENOMEM)
    conn_close_later(c, WPS_CLOSED_FAILURE);
}

void session_hold(struct wps_conn *c)
{
  c->session->holding = true;
}

void session_replay(struct wps_conn *c)
{
  struct session *s = c->session;
  uint64_t sequence = s->first_sequence;

  /* deliver() may acknowledge, and what it publishes may come back here. */
  for (; c->state == WPS_CONN_OPEN; sequence++) {
    if (sequence < s->first_sequence)
      sequence = s->first_sequence;
    if (sequence >= s->next_sequence)
      break;
    replay_one(c, kept_at(s, (uint32_t)(sequence - s->first_sequence)),
               sequence);
  }
  s->holding = false;
}

void session_replaced_close(const struct wps_conn *c, uint16_t *code,
                            struct wps_str *reason)
{
  *code = c->session->replaced_code;
  *reason =
      (struct wps_str){c->session->replaced_reason, c->session->replaced_len};
}
