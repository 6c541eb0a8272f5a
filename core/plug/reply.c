/* SPDX-License-Identifier: Apache-2.0 */
/* plug/reply.c - one word of bits decides every race.
 *
 * CONSUMED is set by the finishing call, GONE by the asker (abandon, deadline);
 * each by one fetch_or, so that whoever comes second sees the other:
 *
 *   CONSUMED first   the result travels to the asking worker, which runs fn
 *                    unless the asker has lost interest in between
 *   GONE first       the finishing call frees its value and nothing else
 *   WATCHED, GONE    on_abandon runs; GONE, WATCHED: it says ECLOSED instead
 *
 * References: one of the plugin until it has finished (then it travels with the
 * result), one of the asker until fn has run or never will, one of a
 * notification under way. Result and notification exclude each other, so that
 * they share the post and the deferred call.
 */
#include "plug/reply.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/quarantine.h"
#include "base/str.h"
#include "loop/post.h"
#include "loop/timer.h"
#include "loop/worker.h"
#include "plug/plugin.h"

enum { CONSUMED = 1 << 0, GONE = 1 << 1, WATCHED = 1 << 2 };

struct wps_reply {
  _Atomic uint32_t bits;
  _Atomic uint32_t refs;
  struct wps_worker *asker;
  struct wps_instance *owes; /* not followed once CONSUMED */
  int64_t deadline_us;
  struct timer timer;
  struct post post;
  struct defer defer;
  bool closed; /* asking worker only: fn has run or never will */
  reply_fn fn;
  void *arg;
  struct reply_result
      result; /* written by the finishing call that came first */
  char *detail;
  wps_fn free_value;
  wps_fn hold_release;
  void *hold_arg;
  struct wps_worker *watcher;
  wps_fn watch_fn;
  void *watch_arg;
#ifdef WPS_DEBUG
  uint32_t finished_as;
  char who[64];
#endif
};

static const char *reply_kind_text(uint32_t kind)
{
  static const char *const names[] = {
      "ok", "fail", "decline", "accept", "answer", "respond", "conn->accept"};

  return kind < ARRAY_LEN(names) ? names[kind] : "?";
}

static void reply_unref(struct wps_reply *r)
{
  if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) == 1) {
    free(r->detail);
    r->detail = NULL;
    quarantine_free(r);
  }
}

/* The plugin is through with it: what was kept for it may go. */
static void reply_end(struct wps_reply *r)
{
  if (r->hold_release != NULL)
    r->hold_release(r->hold_arg);
  reply_unref(r);
}

/* ---- the result's way back ---- */

static void reply_deliver(struct wps_reply *r)
{
  if (!r->closed) {
    r->closed = true;
    timer_stop(r->asker, &r->timer);
    r->fn(r->arg, &r->result);
    reply_unref(r);
  }
  if (r->result.value != NULL && r->free_value != NULL)
    r->free_value(r->result.value);
  r->result.value = NULL;
  reply_end(r);
}

static void reply_deliver_deferred(struct defer *d)
{
  reply_deliver(CONTAINER_OF(d, struct wps_reply, defer));
}

static void reply_deliver_posted(struct post *p)
{
  reply_deliver(CONTAINER_OF(p, struct wps_reply, post));
}

/* ---- the notification of an abandoned one ---- */

static void reply_notify(struct wps_reply *r)
{
  if ((atomic_load_explicit(&r->bits, memory_order_acquire) & CONSUMED) == 0)
    r->watch_fn(r->watch_arg);
  reply_unref(r);
}

static void reply_notify_deferred(struct defer *d)
{
  reply_notify(CONTAINER_OF(d, struct wps_reply, defer));
}

static void reply_notify_posted(struct post *p)
{
  reply_notify(CONTAINER_OF(p, struct wps_reply, post));
}

/* False when the plugin has finished it before. */
static bool reply_set_gone(struct wps_reply *r)
{
  uint32_t old = atomic_fetch_or_explicit(&r->bits, GONE, memory_order_acq_rel);

  if ((old & CONSUMED) != 0)
    return false;
  if ((old & WATCHED) == 0)
    return true;
  atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
  if (r->watcher != r->asker) {
    r->post.fn = reply_notify_posted;
    if (!worker_post(r->watcher, &r->post))
      reply_unref(
          r); /* that worker has stopped, and its plugin state with it */
  } else if (r->asker->stopping != 0) {
    reply_notify(r); /* there may be no later in this turn */
  } else {
    defer_init(&r->defer, reply_notify_deferred);
    worker_defer(r->asker, &r->defer);
  }
  return true;
}

static void reply_deadline(struct timer *t)
{
  struct wps_reply *r = CONTAINER_OF(t, struct wps_reply, timer);
  struct reply_result late = {REPLY_FAIL, WPS_ETIMEOUT,
                              STR("no answer within the deadline"), NULL};

  if (!reply_set_gone(r))
    return; /* the result is on its way */
  r->closed = true;
  r->fn(r->arg, &late);
  reply_unref(r);
}

/* ---- the asker's side ---- */

struct wps_reply *reply_new(struct wps_worker *w, struct wps_instance *owes,
                            uint64_t timeout_ms, reply_fn fn, void *arg)
{
  struct wps_reply *r = calloc(1, sizeof(*r));

  if (r == NULL)
    return NULL;
  DCHECK(worker_current() == w);
  atomic_init(&r->bits, 0);
  atomic_init(&r->refs, 2);
  r->asker = w;
  r->owes = owes;
  r->fn = fn;
  r->arg = arg;
  r->deadline_us = INT64_MAX;
  timer_init(&r->timer, reply_deadline);
  if (owes != NULL) {
    atomic_fetch_add_explicit(&owes->replies_owed, 1, memory_order_relaxed);
#ifdef WPS_DEBUG
    snprintf(r->who, sizeof(r->who), "%s", owes->name);
#endif
  }
  if (timeout_ms != 0) {
    /* Longer than a year is as good as for ever, and cannot overflow. */
    const uint64_t most = UINT64_C(366) * 86400 * 1000;
    uint64_t ms = timeout_ms < most ? timeout_ms : most;

    r->deadline_us = w->now_us + (int64_t)ms * 1000;
    timer_start(w, &r->timer, ms);
  }
  return r;
}

void reply_hold(struct wps_reply *r, wps_fn release, void *arg)
{
  DCHECK(r->hold_release == NULL);
  r->hold_release = release;
  r->hold_arg = arg;
}

void reply_abandon(struct wps_reply *r)
{
  DCHECK(worker_current() == r->asker);
  DCHECK(!r->closed);
  r->closed = true;
  timer_stop(r->asker, &r->timer);
  reply_set_gone(r);
  reply_unref(r);
}

/* ---- the plugin's side ---- */

static void reply_finished_twice(struct wps_reply *r, uint32_t kind)
{
#ifdef WPS_DEBUG
  check_failed(
      __FILE__, __LINE__,
      "contract violated: reply %p of %s finished twice: by %s, then by %s",
      (void *)r, r->who[0] != '\0' ? r->who : "the core",
      reply_kind_text(r->finished_as), reply_kind_text(kind));
#else
  log_line(WPS_LOG_ERROR, "core", "reply %p finished twice, now by %s",
           (void *)r, reply_kind_text(kind));
#endif
}

void reply_finish(struct wps_reply *r, uint32_t kind, int status,
                  struct wps_str detail, void *value, wps_fn free_value)
{
  uint32_t old =
      atomic_fetch_or_explicit(&r->bits, CONSUMED, memory_order_acq_rel);

  if (UNLIKELY((old & CONSUMED) != 0)) {
    reply_finished_twice(r, kind);
    if (value != NULL && free_value != NULL)
      free_value(value);
    return;
  }
#ifdef WPS_DEBUG
  r->finished_as = kind;
#endif
  if ((old & GONE) != 0) {
    struct wps_instance *owes = r->owes;

    if (value != NULL && free_value != NULL)
      free_value(value);
    reply_end(r);
    /* Last: from zero on the instance may be destroyed. */
    if (owes != NULL)
      atomic_fetch_sub_explicit(&owes->replies_owed, 1, memory_order_release);
    return;
  }
  r->result.kind = kind;
  r->result.status = status;
  r->result.value = value;
  r->free_value = free_value;
  if (detail.len > 0 && detail.ptr != NULL) {
    r->detail = str_dup(detail);
    if (r->detail != NULL)
      r->result.detail = (struct wps_str){r->detail, detail.len};
  }
  if (r->owes != NULL)
    atomic_fetch_sub_explicit(&r->owes->replies_owed, 1, memory_order_release);
  if (worker_current() == r->asker) {
    defer_init(&r->defer, reply_deliver_deferred);
    worker_defer(r->asker, &r->defer);
    return;
  }
  r->post.fn = reply_deliver_posted;
  if (!worker_post(r->asker, &r->post)) {
    /* Stopped: nobody is left to run fn. */
    if (value != NULL && free_value != NULL)
      free_value(value);
    r->result.value = NULL;
    reply_end(r);
  }
}

static void api_ok(struct wps_reply *reply)
{
  reply_finish(reply, REPLY_OK, WPS_OK, STR_NONE, NULL, NULL);
}

static void api_fail(struct wps_reply *reply, int status, struct wps_str detail)
{
  if (status >= WPS_OK || status < WPS_EINTERNAL)
    status = WPS_EINTERNAL;
  reply_finish(reply, REPLY_FAIL, status, detail, NULL, NULL);
}

static void api_decline(struct wps_reply *reply)
{
  reply_finish(reply, REPLY_DECLINE, WPS_OK, STR_NONE, NULL, NULL);
}

static bool api_abandoned(const struct wps_reply *reply)
{
  return (atomic_load_explicit(&reply->bits, memory_order_relaxed) & GONE) != 0;
}

static int api_on_abandon(struct wps_reply *reply, struct wps_worker *worker,
                          wps_fn fn, void *arg)
{
  uint32_t old;

  if (reply->watch_fn != NULL)
    return WPS_EEXIST;
  DCHECK(worker_current() == worker);
  reply->watcher = worker;
  reply->watch_arg = arg;
  reply->watch_fn = fn;
  old = atomic_fetch_or_explicit(&reply->bits, WATCHED, memory_order_acq_rel);
  return (old & GONE) != 0 ? WPS_ECLOSED : WPS_OK;
}

static int64_t api_deadline_us(const struct wps_reply *reply)
{
  return reply->deadline_us;
}

const struct wps_reply_api reply_api = {
    .struct_size = sizeof(struct wps_reply_api),
    .ok = api_ok,
    .fail = api_fail,
    .decline = api_decline,
    .abandoned = api_abandoned,
    .on_abandon = api_on_abandon,
    .deadline_us = api_deadline_us,
};
