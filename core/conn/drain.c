/* SPDX-License-Identifier: Apache-2.0 */
/* conn/drain.c - close a share of the clients at every tick. */
#include "conn/drain.h"

#include <stdlib.h>

#include "conn/admit.h"
#include "conn/client_events.h"
#include "conn/close.h"
#include "conn/completion.h"
#include "conn/linger.h"
#include "http/server.h"

enum { TICK_MS = 20 };

struct conn_drain {
  struct timer timer;
  struct wps_worker *worker;
  int64_t begun_us;
  uint64_t spread_us, patience_us;
  uint32_t next, end; /* slots: those behind `next` have been looked at */
  wps_fn done;
  void *arg;
};

static void close_up_to(struct conn_drain *d, uint32_t end)
{
  struct conn_worker *cw = d->worker->conns;

  for (; d->next < end; d->next++) {
    struct wps_conn *c = conn_in_slot(cw, d->next);

    if (c != NULL && (c->flags & CONN_PEER) == 0)
      conn_close_core(c, WPS_CLOSED_SHUTDOWN, WPS_OK, 1001,
                      STR("Service reloading, reconnect"));
  }
}

/* Peers stay: the last events of the clients go through them. Who made them
 * closes them in its drain(). */
static bool clients_gone(const struct conn_worker *cw)
{
  return cw->live == cw->peers;
}

/* Who came in while the listeners were being closed sits in any slot. */
static void close_late(struct conn_drain *d)
{
  d->next = 0;
  close_up_to(d, d->worker->conns->slot_count);
}

static void tick(struct timer *t)
{
  struct conn_drain *d = CONTAINER_OF(t, struct conn_drain, timer);
  struct conn_worker *cw = d->worker->conns;
  uint64_t passed = (uint64_t)(d->worker->now_us - d->begun_us);

  if (passed >= d->spread_us)
    close_late(d);
  else
    close_up_to(d, (uint32_t)(d->end * passed / d->spread_us));
  /* Clients that end in this very turn still have their close frames to send
   * and their events to hand over. */
  if (passed >= d->patience_us && clients_gone(cw)) {
    lingers_close(d->worker);
    client_events_cancel(d->worker);
  }
  /* What servers have asked for is done, and they are to hear it. */
  if (clients_gone(cw) && list_empty(&cw->lingers) && list_empty(&cw->events) &&
      !http_worker_busy(d->worker)) {
    wps_fn done = d->done;

    d->done = NULL;
    done(d->arg);
    return;
  }
  timer_start(d->worker, &d->timer, TICK_MS);
}

int conn_drain_start(struct wps_worker *w, uint32_t spread_ms,
                     uint32_t patience_ms, wps_fn done, void *arg)
{
  struct conn_drain *d = calloc(1, sizeof(*d));

  if (d == NULL)
    return WPS_ENOMEM;
  d->worker = w;
  d->begun_us = w->now_us;
  d->spread_us = (uint64_t)spread_ms * 1000;
  d->patience_us = (uint64_t)patience_ms * 1000;
  d->end = w->conns->slot_count;
  d->done = done;
  d->arg = arg;
  w->conns->drain = d;
  admissions_refuse(w);
  timer_init(&d->timer, tick);
  timer_start(w, &d->timer, 0);
  return WPS_OK;
}

void conn_drain_end(struct wps_worker *w)
{
  struct conn_worker *cw = w->conns;
  struct conn_drain *d = cw->drain;

  admissions_refuse(w);
  for (uint32_t i = 0; i < cw->slot_count; i++)
    if (conn_in_slot(cw, i) != NULL)
      conn_end_now(conn_in_slot(cw, i));
  client_events_cancel(w); /* their last calls are before worker_stop() */
  completions_run_out(cw->completions);
  if (d == NULL)
    return;
  cw->drain = NULL;
  timer_stop(w, &d->timer);
  if (d->done != NULL)
    d->done(d->arg);
  free(d);
}
