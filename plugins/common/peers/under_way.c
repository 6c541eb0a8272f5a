/* SPDX-License-Identifier: Apache-2.0 */
/* under_way.c - events from the worker of their client to that of their peer,
 * and what becomes of them. */
#include <stdlib.h>

#include <webpubsub/host.h>

#include "plugins/common/cloudevents/text.h"
#include "plugins/common/cloudevents/url.h"
#include "plugins/common/peers/internal.h"

enum {
  ACK_MAX = 0x7fffffff,
  EXPIRY_STEP_US = 10 * 1000, /* all of a peer's are looked at */
  REPORTS_PER_SECOND = 100
};

/* The core writes itself what became of these. */
enum {
  TOLD_BY_CORE =
      WPS_EVENT_MESSAGE | WPS_EVENT_JOIN | WPS_EVENT_LEAVE | WPS_EVENT_PUBLISH
};

/* ---- the end of one ---- */

void peer_event_over(struct peer_event *e)
{
  struct peer *p = e->peer;

  list_remove(&e->node);
  if (e->peers->ops->event_clear != NULL)
    e->peers->ops->event_clear(e);
  if (e->frame != NULL)
    wps->message->frame_unref(e->frame);
  wps->event->unref(e->event);
  free(e);
  if (p == NULL)
    return;
  peers_event_over(p);
  peer_unref(p);
}

static void describe(struct text *out, const struct peer_event *e,
                     const struct peer_failure *f)
{
  report_operation(out, e->event);
  if (f->code != 0)
    text_printf(out, " got unexpected response with status code %u.", f->code);
  else
    text_printf(out, " failed: %s.", f->why);
  text_printf(out, " (connection %.*s", STR_ARG(e->event->conn));
  if (e->url.ptr != NULL)
    text_printf(out, ", %.*s", STR_ARG(url_for_log(e->url)));
  text_add_str(out, STR(")"));
  text_terminate(out);
}

static bool may_log(struct peers *ps, uint32_t *hidden)
{
  int64_t now_us = wps->worker->unix_ms() * 1000;
  bool pass;

  pthread_mutex_lock(&ps->lock);
  pass = limiter_pass(&ps->failures, now_us, REPORTS_PER_SECOND, hidden);
  pthread_mutex_unlock(&ps->lock);
  return pass;
}

void peer_event_report(const struct peer_event *e, const struct peer_failure *f,
                       struct text *words)
{
  struct peers *ps = e->peers;
  bool refusal =
      e->event->type == WPS_EVENT_CONNECT && f->code >= 400 && f->code < 500;
  uint32_t hidden = 0;

  describe(words, e, f);
  if ((e->event->type & TOLD_BY_CORE) != 0 || words->failed ||
      !may_log(ps, &hidden))
    return;
  wps->log->write(ps->self, NULL, refusal ? WPS_LOG_INFO : WPS_LOG_WARN, "%s%s",
                  f->code != 0 ? "HttpHandlerUnexpectedResponse: " : "",
                  words->ptr);
  if (hidden > 0)
    wps->log->write(ps->self, NULL, WPS_LOG_WARN,
                    "%u more events failed since then", hidden);
}

/* Only that it is over counts for CONNECTED. */
static void finish(struct peer_event *e, int status, struct wps_str words)
{
  if (e->reply == NULL)
    ;
  else if (e->event->type == WPS_EVENT_CONNECTED)
    wps->reply->ok(e->reply);
  else
    wps->reply->fail(e->reply, status, words);
  peer_event_over(e);
}

void peer_event_fail(struct peer_event *e, const struct peer_failure *f)
{
  struct text words = {0};

  peer_event_report(e, f, &words);
  finish(e, f->status, text_str(&words));
  text_free(&words);
}

static void fail(struct peer_event *e, int status, const char *why)
{
  const struct peer_failure f = {.status = status, .why = why};

  peer_event_fail(e, &f);
}

static void fail_all(struct peer *p, int status, const char *why)
{
  for (size_t i = 0; i < PEERS_EVENT_BUCKETS; i++)
    while (!list_empty(&p->events[i]))
      fail(LIST_ITEM(p->events[i].next, struct peer_event, node), status, why);
}

void peer_events_fail(struct peer *p)
{
  fail_all(p, WPS_EUNAVAILABLE, p->peers->ops->gone);
}

/* ---- nobody waits any more ---- */

static void withdraw(void *arg)
{
  finish(arg, WPS_ECANCELED, STR("nobody waits any more"));
}

/* Of a connected event nobody needs to know: it goes on. False: it is over. */
static bool watch(struct peer_event *e)
{
  if (e->reply == NULL || e->event->type == WPS_EVENT_CONNECTED ||
      wps->reply->on_abandon(e->reply, e->peer->worker, withdraw, e) !=
          WPS_ECLOSED)
    return true;
  withdraw(e);
  return false;
}

/* ---- their time ---- */

static void expire(struct wps_conn *conn, void *arg);

/* The timer goes at `deadline_us` at the latest, or, without memory, when it
 * would have gone anyway. False: there is none. */
static bool await(struct peer *p, struct wps_conn *conn, int64_t deadline_us)
{
  int64_t left_us = deadline_us - wps->worker->now_us(p->worker);
  uint64_t ms = left_us > 0 ? ((uint64_t)left_us + 999) / 1000 : 0;
  struct wps_timer *timer;

  if (p->expiry != NULL && p->expiry_us <= deadline_us)
    return true;
  timer = wps->conn->timer_start(conn, ms, 0, expire, p);
  if (timer == NULL)
    return p->expiry != NULL;
  if (p->expiry != NULL)
    wps->conn->timer_stop(p->expiry);
  p->expiry = timer;
  p->expiry_us = deadline_us;
  return true;
}

static void expire(struct wps_conn *conn, void *arg)
{
  struct peer *p = arg;
  int64_t now_us = wps->worker->now_us(p->worker), next_us = INT64_MAX;

  p->expiry = NULL;
  for (size_t i = 0; i < PEERS_EVENT_BUCKETS; i++)
    for (struct list *n = p->events[i].next, *next; n != &p->events[i];
         n = next) {
      struct peer_event *e = LIST_ITEM(n, struct peer_event, node);

      next = n->next;
      if (e->deadline_us <= now_us)
        fail(e, WPS_ETIMEOUT, p->peers->ops->late);
      else if (e->deadline_us < next_us)
        next_us = e->deadline_us;
    }
  if (next_us == INT64_MAX)
    return;
  if (next_us < now_us + EXPIRY_STEP_US)
    next_us = now_us + EXPIRY_STEP_US;
  if (!await(p, conn, next_us))
    fail_all(p, WPS_ENOMEM, "out of memory");
}

/* ---- on their way ---- */

struct peer_event *peer_event_new(struct peers *ps,
                                  const struct wps_event *event,
                                  struct wps_reply *reply, struct wps_str url)
{
  struct peer_event *e = calloc(1, ps->ops->event_size);
  const char *why;

  if (e == NULL) {
    if (reply != NULL)
      wps->reply->fail(reply, WPS_ENOMEM, STR("out of memory"));
    return NULL;
  }
  list_init(&e->node);
  e->peers = ps;
  e->event = wps->event->ref(event);
  e->reply = reply;
  e->url = url;
  e->peer = peers_choose(ps, e, &why);
  if (e->peer == NULL) {
    fail(e, WPS_EUNAVAILABLE, why);
    return NULL;
  }
  do
    e->ack = (atomic_fetch_add(&e->peer->next_ack, 1) + 1) & ACK_MAX;
  while (e->ack == 0);
  return e;
}

static void send_event(struct wps_conn *conn, void *arg)
{
  struct peer_event *e = arg;
  struct peer *p = e->peer;
  int rc = WPS_ECLOSED;

  atomic_fetch_sub(&p->posted, e->frame_len);
  if (conn == NULL) {
    fail(e, WPS_EUNAVAILABLE, p->peers->ops->gone);
    return;
  }
  if (!watch(e))
    return;
  if (atomic_load(&p->full)) {
    fail(e, WPS_EUNAVAILABLE, p->peers->ops->slow);
    return;
  }
  rc = peer_send(p, conn, e->frame);
  wps->message->frame_unref(e->frame);
  e->frame = NULL;
  if (rc == WPS_OK || rc == WPS_EAGAIN) {
    list_add(&p->events[e->ack % PEERS_EVENT_BUCKETS], &e->node);
    if (await(p, conn, e->deadline_us))
      return;
    rc = WPS_ENOMEM;
  }
  if (rc == WPS_ENOMEM)
    fail(e, rc, "out of memory");
  else
    fail(e, WPS_EUNAVAILABLE, p->peers->ops->gone);
}

void peer_event_send(struct peer_event *e, struct wps_frame *frame,
                     uint64_t timeout_ms)
{
  struct peer *p = e->peer;

  e->frame = frame;
  e->frame_len = wps->message->frame_bytes(frame).len;
  e->deadline_us =
      wps->worker->now_us(wps->worker->current()) + (int64_t)timeout_ms * 1000;
  atomic_fetch_add(&p->posted, e->frame_len);
  if (wps->conn->post(p->ref, send_event, e) == WPS_OK)
    return;
  atomic_fetch_sub(&p->posted, e->frame_len);
  fail(e, WPS_ENOMEM, "out of memory");
}

/* ---- answers ---- */

struct peer_event *peer_event_find(struct peer *p, uint64_t ack)
{
  struct list *head = &p->events[ack % PEERS_EVENT_BUCKETS];

  for (struct list *n = head->next; n != head; n = n->next) {
    struct peer_event *e = LIST_ITEM(n, struct peer_event, node);

    if (e->ack == ack)
      return e;
  }
  wps->log->write(p->peers->self, wps->conn->find(p->ref), WPS_LOG_DEBUG,
                  "an answer to event %llu, for which nobody waits: ignored",
                  (unsigned long long)ack);
  return NULL;
}
