/* SPDX-License-Identifier: Apache-2.0 */
#include "core_threads.h"

#include <stdlib.h>

#include "loop/timer.h"
#include "plug/reply.h"

#include "on_worker.h"

static struct workers *all;

void core_start(uint32_t workers)
{
  all = workers_new(workers);
  ck_assert_ptr_nonnull(all);
  ck_assert_int_eq(workers_start(all, NULL, 0), WPS_OK);
}

void core_stop(void)
{
  workers_stop(all);
  workers_free(all);
}

void core_step(uint32_t index, wps_fn fn, void *arg)
{
  on_worker(all, index, fn, arg);
}

void core_settle(void)
{
  for (int round = 0; round < 3; round++)
    for (uint32_t i = 0; i < workers_count(all); i++)
      worker_turn(all, i);
}

/* ---- workers ---- */

uint32_t core_index(const struct wps_worker *w)
{
  return w->index;
}

void core_post(struct wps_worker *w, wps_fn fn, void *arg)
{
  ck_assert_int_eq(worker_post_fn(w, fn, arg), WPS_OK);
}

static int64_t now_us(const struct wps_worker *w)
{
  ck_assert_ptr_eq(w, worker_current());
  return w->now_us;
}

static int64_t unix_ms(void)
{
  return 1000;
}

static struct wps_worker *at(uint32_t index)
{
  return workers_at(all, index);
}

const struct wps_worker_api core_worker_api = {
    .current = worker_current, .at = at, .now_us = now_us, .unix_ms = unix_ms};

/* ---- replies ---- */

struct asked {
  void (*fn)(void *arg, int status);
  void *arg;
};

static void replied(void *arg, struct reply_result *result)
{
  struct asked *a = arg;

  a->fn(a->arg, result->status);
}

static void asked_free(void *arg)
{
  free(arg);
}

struct wps_reply *core_reply(void (*fn)(void *arg, int status), void *arg)
{
  struct asked *a = malloc(sizeof(*a));
  struct wps_reply *r;

  *a = (struct asked){fn, arg};
  r = reply_new(worker_current(), NULL, 0, replied, a);
  ck_assert_ptr_nonnull(r);
  reply_hold(r, asked_free, a);
  return r;
}

void core_reply_abandon(struct wps_reply *reply)
{
  reply_abandon(reply);
}

const struct wps_reply_api *core_reply_api(void)
{
  return &reply_api;
}

/* ---- timers ---- */

struct wps_timer {
  struct timer timer;
  struct wps_worker *worker;
  wps_fn fn;
  void *arg;
};

static void fired(struct timer *timer)
{
  struct wps_timer *t = CONTAINER_OF(timer, struct wps_timer, timer);
  struct wps_timer copy = *t;

  free(t);
  copy.fn(copy.arg);
}

struct wps_timer *core_timer(uint64_t delay_ms, wps_fn fn, void *arg)
{
  struct wps_timer *t = calloc(1, sizeof(*t));

  timer_init(&t->timer, fired);
  t->worker = worker_current();
  t->fn = fn;
  t->arg = arg;
  timer_start(t->worker, &t->timer, delay_ms);
  return t;
}

void *core_timer_stop(struct wps_timer *t)
{
  void *arg = t->arg;

  ck_assert_ptr_eq(t->worker, worker_current());
  timer_stop(t->worker, &t->timer);
  free(t);
  return arg;
}
