/* SPDX-License-Identifier: Apache-2.0 */
/* plug/drain.c - shutdown: each kind finishes what is under way.
 *
 * Thread: main, all of it. A kind is through when its drain() replies have come
 * and none of its instances owes any other reply; only then is the next kind
 * asked, because it may be needed until then. One deadline bounds all. */
#include "plug/plugin.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "loop/timer.h"
#include "loop/worker.h"
#include "plug/reply.h"

enum { OWED_POLL_MS = 5 };

static const uint32_t drain_order[] = {WPS_KIND_HTTP, WPS_KIND_SUBPROTOCOL,
                                       WPS_KIND_UPSTREAM, WPS_KIND_AUTH};

struct drain {
  struct instances *all;
  struct wps_worker *w;
  wps_fn done;
  void *arg;
  size_t order;           /* the kind under way; ARRAY_LEN: through */
  bool asked;             /* its drain() functions have been called */
  size_t waiting;         /* entries of `replies` that are not NULL */
  struct drain_one *ones; /* by instance id */
  struct timer deadline;
  struct timer poll;
  struct defer defer;
  int64_t deadline_us;
};

struct drain_one {
  struct drain *drain;
  struct wps_instance *instance;
  struct wps_reply *reply;
};

static void drain_end(struct drain *d)
{
  wps_fn done = d->done;
  void *arg = d->arg;

  timer_stop(d->w, &d->deadline);
  timer_stop(d->w, &d->poll);
  defer_cancel(&d->defer);
  free(d->ones);
  free(d);
  done(arg);
}

static void drain_finished(void *arg, struct reply_result *result)
{
  struct drain_one *one = arg;
  struct drain *d = one->drain;

  one->reply = NULL;
  d->waiting--;
  if (result->kind == REPLY_FAIL && result->status != WPS_ETIMEOUT)
    log_line(WPS_LOG_WARN, one->instance->name, "drain failed: %.*s",
             STR_ARG(result->detail));
  worker_defer(d->w, &d->defer);
}

static void drain_ask(struct drain *d, struct wps_instance *i)
{
  struct drain_one *one = &d->ones[i->id];
  int64_t left_ms = (d->deadline_us - d->w->now_us) / 1000;

  one->drain = d;
  one->instance = i;
  one->reply = reply_new(d->w, i, left_ms > 0 ? (uint64_t)left_ms + 1 : 1,
                         drain_finished, one);
  if (one->reply == NULL)
    return; /* no memory: nothing to wait for */
  d->waiting++;
  i->component->drain(i->inst, one->reply);
}

static bool drain_kind_quiet(const struct drain *d)
{
  size_t k;

  if (d->waiting > 0)
    return false;
  for (k = 0; k < d->all->count; k++) {
    const struct wps_instance *i = d->all->items[k];

    if (i->component->kind == drain_order[d->order] &&
        atomic_load_explicit(&i->replies_owed, memory_order_acquire) > 0)
      return false;
  }
  return true;
}

static void drain_step(struct drain *d)
{
  size_t k;

  for (; d->order < ARRAY_LEN(drain_order); d->order++, d->asked = false) {
    for (k = 0; !d->asked && k < d->all->count; k++) {
      struct wps_instance *i = d->all->items[k];

      if (i->component->kind == drain_order[d->order] && i->created &&
          WPS_CAN(i->component, drain))
        drain_ask(d, i);
    }
    d->asked = true;
    if (!drain_kind_quiet(d)) {
      /* A counter wakes nobody; a reply of drain() comes by itself. */
      timer_start(d->w, &d->poll, OWED_POLL_MS);
      return;
    }
  }
  drain_end(d);
}

static void drain_deferred(struct defer *defer)
{
  drain_step(CONTAINER_OF(defer, struct drain, defer));
}

static void drain_poll(struct timer *t)
{
  drain_step(CONTAINER_OF(t, struct drain, poll));
}

static void drain_too_late(struct timer *t)
{
  struct drain *d = CONTAINER_OF(t, struct drain, deadline);
  size_t k;

  for (k = 0; k < d->all->count; k++) {
    struct wps_instance *i = d->all->items[k];
    uint64_t owed =
        atomic_load_explicit(&i->replies_owed, memory_order_relaxed);

    if (owed > 0)
      log_line(WPS_LOG_WARN, i->name,
               "has not finished in time: %llu replies are still owed",
               (unsigned long long)owed);
    if (d->ones[k].reply != NULL) {
      reply_abandon(d->ones[k].reply);
      d->ones[k].reply = NULL;
    }
  }
  drain_end(d);
}

int instances_drain(struct instances *all, struct wps_worker *main_loop,
                    uint64_t timeout_ms, wps_fn done, void *arg)
{
  struct drain *d = calloc(1, sizeof(*d));

  if (d == NULL)
    return WPS_ENOMEM;
  d->ones = calloc(all->count > 0 ? all->count : 1, sizeof(*d->ones));
  if (d->ones == NULL) {
    free(d);
    return WPS_ENOMEM;
  }
  d->all = all;
  d->w = main_loop;
  d->done = done;
  d->arg = arg;
  d->deadline_us = main_loop->now_us + (int64_t)timeout_ms * 1000;
  timer_init(&d->deadline, drain_too_late);
  timer_init(&d->poll, drain_poll);
  defer_init(&d->defer, drain_deferred);
  timer_start(d->w, &d->deadline, timeout_ms);
  worker_defer(d->w, &d->defer); /* done never runs inside this call */
  return WPS_OK;
}
