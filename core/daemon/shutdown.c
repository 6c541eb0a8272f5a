/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/shutdown.c - SIGTERM: no new clients, 1001 to those there are, last
 * events, plugins' drain(), end; all of it before the deadline. */
#include "base/clock.h"
#include "base/log.h"
#include "conn/drain.h"
#include "daemon/server.h"
#include "wire/listener.h"

static void quit(struct server *s)
{
  s->quitting = true;
  workers_quit(s->workers);
}

static uint64_t left_ms(const struct server *s)
{
  int64_t left = (s->drain_until_us - clock_now_us()) / 1000;

  return left > 1 ? (uint64_t)left : 1;
}

static void instances_drained(void *arg)
{
  quit(arg);
}

static void drain_instances(struct server *s)
{
  if (s->instances_draining)
    return;
  s->instances_draining = true;
  if (instances_drain(&s->instances, workers_main(s->workers), left_ms(s),
                      instances_drained, s) != WPS_OK)
    quit(s);
}

/* On the main loop, once per worker. */
static void worker_drained(void *arg)
{
  struct server *s = arg;

  /* A worker that is stopped at the deadline reports as well. */
  if (--s->workers_draining == 0 && !s->quitting)
    drain_instances(s);
}

/* ---- on each worker ---- */

static void clients_drained(void *arg)
{
  struct server *s = arg;

  /* Refused only when the main loop has ended, and then nobody waits. */
  (void)worker_post_fn(workers_main(s->workers), worker_drained, s);
}

static void drain_worker(void *arg)
{
  struct server *s = arg;
  struct wps_worker *w = worker_current();

  for (size_t i = 0; i < s->listener_count; i++)
    listener_stop(s->listeners[i], w);
  http_worker_drain(w);
  if (conn_drain_start(w, s->drain_spread_ms,
                       s->drain_spread_ms +
                           (s->drain_timeout_ms - s->drain_spread_ms) / 2,
                       clients_drained, s) != WPS_OK)
    clients_drained(s);
}

/* ---- begin ---- */

static void too_late(struct timer *t)
{
  struct server *s = CONTAINER_OF(t, struct server, deadline);

  log_line(WPS_LOG_WARN, "core",
           "shutdown.timeout is over: the rest is cut off");
  quit(s);
}

void shutdown_begin(struct server *s)
{
  uint32_t count = workers_count(s->workers);

  if (s->stopping) {
    log_line(WPS_LOG_WARN, "core", "told to stop again: at once");
    quit(s);
    return;
  }
  s->stopping = true;
  log_line(WPS_LOG_INFO, "core", "shutting down");
  atomic_store(&s->conns.draining, true);
  s->drain_until_us = clock_now_us() + (int64_t)s->drain_timeout_ms * 1000;
  timer_init(&s->deadline, too_late);
  timer_start(workers_main(s->workers), &s->deadline, s->drain_timeout_ms);
  s->workers_draining = count;
  for (uint32_t i = 0; i < count; i++)
    if (worker_post_fn(workers_at(s->workers, i), drain_worker, s) != WPS_OK)
      worker_drained(s);
}
