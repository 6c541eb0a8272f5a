/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/clock.h"
#include "conn/plugin_timer.h"
#include "host/contract.h"
#include "host/host.h"
#include "loop/offload.h"
#include "plug/plugin.h"

static struct wps_worker *current(void)
{
  struct wps_worker *w = worker_current();

  return w != NULL && w->index != WORKER_MAIN ? w : NULL;
}

static uint32_t index_of(const struct wps_worker *w)
{
  return w->index;
}

static uint32_t count(void)
{
  return workers_count(host_context()->workers);
}

static struct wps_worker *at(uint32_t index)
{
  return workers_at(host_context()->workers, index);
}

static void *state(struct wps_instance *self, struct wps_worker *w)
{
  return instance_worker_state(self, w);
}

static int64_t now_us(const struct wps_worker *w)
{
  return w->now_us;
}

static struct wps_timer *timer_begin(struct wps_instance *self,
                                     struct wps_worker *w, uint64_t delay_ms,
                                     uint64_t repeat_ms, wps_fn fn, void *arg)
{
  UNUSED(self);
  CONTRACT_WORKER(w, "worker->timer_start");
  return plugin_timer_start(w, &w->conns->timers, delay_ms, repeat_ms, fn, arg);
}

struct wps_watch {
  struct io io;
  struct wps_worker *worker;
  wps_watch_fn fn;
  void *arg;
};

static void ready(struct io *io, uint32_t events)
{
  struct wps_watch *watch = CONTAINER_OF(io, struct wps_watch, io);

  watch->fn(watch->arg, io_fd(io), events);
}

static struct wps_watch *watch_begin(struct wps_instance *self,
                                     struct wps_worker *w, int fd,
                                     uint32_t events, wps_watch_fn fn,
                                     void *arg)
{
  struct wps_watch *watch;

  UNUSED(self);
  CONTRACT_WORKER(w, "worker->watch");
  if (fd < 0)
    return NULL;
  watch = calloc(1, sizeof(*watch));
  if (watch == NULL)
    return NULL;
  watch->worker = w;
  watch->fn = fn;
  watch->arg = arg;
  io_init(&watch->io, fd, ready);
  io_want(w, &watch->io, events);
  return watch;
}

static void watch_update(struct wps_watch *watch, uint32_t events)
{
  CONTRACT_WORKER(watch->worker, "worker->watch_update");
  io_want(watch->worker, &watch->io, events);
}

static void watch_stop(struct wps_watch *watch)
{
  CONTRACT_WORKER(watch->worker, "worker->watch_stop");
  io_stop(watch->worker, &watch->io);
  free(watch);
}

static int offload(struct wps_instance *self, struct wps_worker *w, wps_fn work,
                   wps_done_fn done, void *arg)
{
  UNUSED(self);
  CONTRACT_WORKER(w, "worker->offload");
  return offload_submit(host_context()->offload, w, work, done, arg);
}

const struct wps_worker_api host_worker_api = {
    .struct_size = sizeof(host_worker_api),
    .current = current,
    .index = index_of,
    .count = count,
    .at = at,
    .state = state,
    .now_us = now_us,
    .unix_ms = clock_unix_ms,
    .post = worker_post_fn,
    .timer_start = timer_begin,
    .timer_stop = plugin_timer_stop,
    .watch = watch_begin,
    .watch_update = watch_update,
    .watch_stop = watch_stop,
    .offload = offload,
};
