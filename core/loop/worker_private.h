/* SPDX-License-Identifier: Apache-2.0 */
/* loop/worker_private.h - what only loop/ sees of a worker. */
#ifndef WPS_LOOP_WORKER_PRIVATE_H
#define WPS_LOOP_WORKER_PRIVATE_H

#include <ev.h>
#include <pthread.h>

#include "loop/worker.h"

struct worker_private {
  ev_async wake;         /* the mailbox has something                       */
  ev_timer tick;         /* wakes the loop for the wheel, does nothing else */
  ev_check begin;        /* first after the poll: takes the time            */
  ev_prepare end;        /* last before the poll: deferred calls, flushers  */
  ev_idle restless;      /* active: the next poll does not sleep            */
  struct ev_loop *probe; /* never run: io_leave() */
  ev_embed epoll;        /* on it                 */
  uint64_t tick_ms;      /* what `tick` is set for                          */
  struct list later;     /* worker_defer_next()                             */
  struct list chores;    /* worker_chore()                                  */
  uint64_t to_wake;      /* workers with posts from this turn               */
  bool in_turn;          /* so that `to_wake` will be seen to               */
  bool settled;          /* `end` has run and the poll comes next           */
  bool started;          /* thread runs                                     */
  struct post stop;
  pthread_t thread;
  char name[24];
};

/* Loop, wheel, mailbox; on the thread that makes the workers. Buffers only
 * where there are clients. Errors: ENOMEM. */
int worker_open(struct wps_worker *w, struct workers *all, uint32_t index);
void worker_close(struct wps_worker *w);

/* The rest: on the worker's own thread. */
void worker_enter(struct wps_worker *w);
/* Turns until the loop is broken, then once more what a turn ends with. */
void worker_run(struct wps_worker *w);
/* Deferred calls alone, chores among them: between stop hooks. */
void worker_run_deferred(struct wps_worker *w);
/* Refuse posts from now on, and deliver all that were accepted. */
void worker_shut_mailbox(struct wps_worker *w);

/* There is mail for it. Inside a turn it is woken at its end, so that it finds
 * all that the turn has for it at once. Thread: any; the mailbox must be held
 * open by the caller. */
void worker_wake(struct wps_worker *w);

#endif
