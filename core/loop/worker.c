/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/worker.h"

#include <sched.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "loop/worker_private.h"

/* Bounds of one turn: what is left is the next turn's, which then does not
 * sleep. Neither is reached unless something feeds itself. */
enum { POSTS_PER_TURN = 16384, ROUNDS_PER_TURN = 64 };

/* This one is met whenever many clients arrive or go. A publish that comes
 * meanwhile waits for so long, and for the chore that is under way: some 25 us
 * for a handshake. A turn with nothing else in it costs one or two. */
enum { CHORES_US = 50, CHORES_PER_TURN = 64 };

/* libev's idea of now is taken a moment before ours; so the tick comes this
 * much after its millisecond has begun, and not just before it. */
static const double tick_slack = 100e-6;

static _Thread_local struct wps_worker *current;

struct wps_worker *worker_current(void)
{
  return current;
}

/* ---- deferred calls ---- */

void defer_init(struct defer *d, void (*fn)(struct defer *self))
{
  list_init(&d->node);
  d->fn = fn;
}

bool defer_pending(const struct defer *d)
{
  return !list_empty(&d->node);
}

void defer_cancel(struct defer *d)
{
  list_remove(&d->node);
}

static void worker_stay_awake(struct wps_worker *w)
{
  ev_idle_start(w->loop, &w->private_->restless);
}

void worker_defer(struct wps_worker *w, struct defer *d)
{
  if (defer_pending(d))
    return;
  list_add_tail(&w->deferred, &d->node);
  if (w->private_->settled)
    worker_stay_awake(w);
}

void worker_defer_next(struct wps_worker *w, struct defer *d)
{
  if (defer_pending(d))
    return;
  list_add_tail(&w->private_->later, &d->node);
  worker_stay_awake(w);
}

void worker_chore(struct wps_worker *w, struct defer *d)
{
  if (defer_pending(d))
    return;
  list_add_tail(&w->private_->chores, &d->node);
  if (w->private_->settled)
    worker_stay_awake(w);
}

void worker_add_flusher(struct wps_worker *w, struct flusher *f)
{
  list_add_tail(&w->flushers, &f->node);
}

static void list_move(struct list *from, struct list *to)
{
  if (list_empty(from))
    return;
  from->next->prev = to->prev;
  to->prev->next = from->next;
  from->prev->next = to;
  to->prev = from->prev;
  list_init(from);
}

static void run_one(struct list *node)
{
  struct defer *d = CONTAINER_OF(node, struct defer, node);

  d->fn(d);
}

/* Those that are queued now; what they queue is for the next round. */
static void run_round(struct wps_worker *w)
{
  struct list round, *node;

  list_init(&round);
  list_move(&w->deferred, &round);
  while ((node = list_pop(&round)) != NULL)
    run_one(node);
}

void worker_run_deferred(struct wps_worker *w)
{
  list_move(&w->private_->later, &w->deferred);
  list_move(&w->private_->chores, &w->deferred);
  for (int i = 0; i < ROUNDS_PER_TURN && !list_empty(&w->deferred); i++)
    run_round(w);
}

static bool run_flushers(struct wps_worker *w)
{
  bool any = false;

  for (struct list *node = w->flushers.next, *next; node != &w->flushers;
       node = next) {
    struct flusher *f = CONTAINER_OF(node, struct flusher, node);

    next = node->next;
    if (f->fn(f, w))
      any = true;
  }
  return any;
}

/* ---- waking others ---- */

void worker_wake(struct wps_worker *w)
{
  struct wps_worker *self = current;

  if (self != NULL && self->private_->in_turn && self->all == w->all &&
      w->index < WORKERS_MAX)
    self->private_->to_wake |= UINT64_C(1) << w->index;
  else
    ev_async_send(w->loop, &w->private_->wake);
}

/* Those sleep on while this turn runs, and their loops live as long as any
 * thread of a worker. */
static void wake_others(struct wps_worker *self)
{
  uint64_t workers = self->private_->to_wake;

  self->private_->to_wake = 0;
  for (; workers != 0; workers &= workers - 1) {
    struct wps_worker *w =
        workers_at(self->all, (uint32_t)__builtin_ctzll(workers));

    ev_async_send(w->loop, &w->private_->wake);
  }
}

/* ---- settling ---- */

/* False when the bound was met before there was nothing left to do. */
static bool worker_settle(struct wps_worker *w)
{
  for (int i = 0; i < ROUNDS_PER_TURN; i++) {
    bool any;

    run_round(w);
    /* They flush their part while we flush ours. */
    wake_others(w);
    any = run_flushers(w);
    if (!any && list_empty(&w->deferred))
      return true;
  }
  return false;
}

/* What a chore leads to is part of it, so that the clock counts that, too.
 * False when there is something left. */
static bool worker_do_chores(struct wps_worker *w)
{
  struct list *chores = &w->private_->chores;
  bool settled = true;
  int64_t end;

  if (list_empty(chores))
    return true;
  end = clock_now_us() + CHORES_US;
  for (int i = 0; i < CHORES_PER_TURN && settled && !list_empty(chores); i++) {
    run_one(list_pop(chores));
    settled = worker_settle(w);
    if (clock_now_us() >= end)
      break;
  }
  return settled && list_empty(chores);
}

/* ---- the turn ---- */

static void turn_begin(struct ev_loop *loop, ev_check *watcher, int revents)
{
  struct wps_worker *w = ev_userdata(loop);

  UNUSED(watcher);
  UNUSED(revents);
  w->now_us = clock_now_us();
  w->private_->settled = false;
  w->private_->in_turn = true;
  ev_idle_stop(loop, &w->private_->restless);
  list_move(&w->private_->later, &w->deferred);
}

static void tick_arm(struct wps_worker *w)
{
  struct worker_private *p = w->private_;
  uint64_t now_ms = (uint64_t)w->now_us / 1000;
  uint64_t in_ms = timers_next(&w->timers, now_ms);
  double after;

  if (in_ms == UINT64_MAX) {
    ev_timer_stop(w->loop, &p->tick);
    return;
  }
  if (ev_is_active(&p->tick) && p->tick_ms == now_ms + in_ms)
    return;
  p->tick_ms = now_ms + in_ms;
  /* now_us and libev's cached time, to which it adds, are of one moment. */
  after = ((double)p->tick_ms * 1000 - (double)w->now_us) / 1e6;
  ev_timer_stop(w->loop, &p->tick);
  ev_timer_set(&p->tick, (after > 0 ? after : 0) + tick_slack, 0);
  ev_timer_start(w->loop, &p->tick);
}

static void turn_end(struct ev_loop *loop, ev_prepare *watcher, int revents)
{
  struct wps_worker *w = ev_userdata(loop);

  UNUSED(watcher);
  UNUSED(revents);
  timers_advance(&w->timers, (uint64_t)w->now_us / 1000);
  if (!worker_settle(w) || !worker_do_chores(w))
    worker_stay_awake(w);
  tick_arm(w);
  w->private_->in_turn = false;
  wake_others(w);
  w->private_->settled = true;
}

static void tick_due(struct ev_loop *loop, ev_timer *watcher, int revents)
{
  UNUSED(loop);
  UNUSED(watcher);
  UNUSED(revents);
}

static void restless_due(struct ev_loop *loop, ev_idle *watcher, int revents)
{
  UNUSED(revents);
  ev_idle_stop(loop, watcher);
}

/* ---- mailbox ---- */

/* False when the bound was met. */
static bool mailbox_drain(struct wps_worker *w, size_t max)
{
  struct mpsc_node *node;

  for (size_t i = 0; i < max; i++) {
    struct post *post;

    node = mpsc_pop(&w->mailbox.queue);
    if (node == NULL)
      return true;
    post = CONTAINER_OF(node, struct post, node);
    post->fn(post);
  }
  return false;
}

static void mail_arrived(struct ev_loop *loop, ev_async *watcher, int revents)
{
  struct wps_worker *w = ev_userdata(loop);

  UNUSED(watcher);
  UNUSED(revents);
  if (!mailbox_drain(w, POSTS_PER_TURN))
    worker_wake(w);
}

void worker_shut_mailbox(struct wps_worker *w)
{
  atomic_store(&w->mailbox.closed, true);
  /* Those inside are between two instructions; see post.c. */
  while (atomic_load(&w->mailbox.posting) != 0)
    sched_yield();
  w->now_us = clock_now_us();
  mailbox_drain(w, SIZE_MAX);
  worker_settle(w);
}

/* ---- life ---- */

int worker_open(struct wps_worker *w, struct workers *all, uint32_t index)
{
  struct worker_private *p = calloc(1, sizeof(*p));

  w->index = index;
  w->all = all;
  w->private_ = p;
  w->now_us = clock_now_us();
  list_init(&w->deferred);
  list_init(&w->flushers);
  mpsc_init(&w->mailbox.queue);
  atomic_init(&w->mailbox.closed, false);
  atomic_init(&w->mailbox.posting, 0);
  if (p == NULL)
    return WPS_ENOMEM;
  list_init(&p->later);
  list_init(&p->chores);
  if (timers_init(&w->timers, (uint64_t)w->now_us / 1000) != WPS_OK)
    return WPS_ENOMEM;
  if (index != WORKER_MAIN) {
    w->receive_buffer = malloc(WORKER_RECEIVE_BUFFER);
    w->send_buffer = malloc(WORKER_SEND_BUFFER);
    if (w->receive_buffer == NULL || w->send_buffer == NULL)
      return WPS_ENOMEM;
  }
  w->loop = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
  if (w->loop == NULL)
    return WPS_ENOMEM;
  p->probe = ev_loop_new(EVFLAG_NOENV | EVBACKEND_SELECT);
  if (p->probe == NULL)
    return WPS_ENOMEM;
  ev_embed_init(&p->epoll, NULL, w->loop);
  ev_set_userdata(w->loop, w);
  ev_async_init(&p->wake, mail_arrived);
  ev_async_start(w->loop, &p->wake);
  ev_timer_init(&p->tick, tick_due, 0, 0);
  ev_idle_init(&p->restless, restless_due);
  ev_set_priority(&p->restless, EV_MINPRI);
  ev_check_init(&p->begin, turn_begin);
  ev_set_priority(&p->begin, EV_MAXPRI);
  ev_check_start(w->loop, &p->begin);
  ev_prepare_init(&p->end, turn_end);
  ev_set_priority(&p->end, EV_MINPRI);
  ev_prepare_start(w->loop, &p->end);
  return WPS_OK;
}

void worker_close(struct wps_worker *w)
{
  if (w->private_ != NULL && w->private_->probe != NULL)
    ev_loop_destroy(w->private_->probe);
  if (w->loop != NULL)
    ev_loop_destroy(w->loop);
  timers_free(&w->timers);
  free(w->receive_buffer);
  free(w->send_buffer);
  free(w->private_);
  if (current == w)
    current = NULL;
}

void worker_enter(struct wps_worker *w)
{
  current = w;
  w->now_us = clock_now_us();
}

void worker_run(struct wps_worker *w)
{
  CHECK(current == w);
  /* The two clocks of tick_arm() must agree in the first turn, too. */
  ev_now_update(w->loop);
  w->now_us = clock_now_us();
  ev_run(w->loop, 0);
  w->private_->in_turn = false;
  worker_settle(w);
  wake_others(w);
}
