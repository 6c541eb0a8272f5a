/* SPDX-License-Identifier: Apache-2.0 */
/* loop/worker.h - a thread, its event loop, and what hangs on it.
 *
 * loop/ is the only room that includes <ev.h>. A worker's loop, timers and
 * descriptors are touched by its own thread only; what crosses threads goes
 * through post.h. One turn of the loop is:
 *
 *   poll -> watchers (sockets, timers, mailbox) -> deferred calls -> flushers
 *        -> some chores
 *
 * where deferred calls and flushers repeat until neither has anything to do, so
 * that effect, ack and write happen in one turn. Chores are what can wait, and
 * no turn is made long by them.
 *
 * Besides the numbered workers there is one main loop (index WORKER_MAIN) on
 * the thread that called workers_run(): signals, shutdown, and nothing of any
 * client. It can be posted to and can have timers like a worker.
 */
#ifndef WPS_LOOP_WORKER_H
#define WPS_LOOP_WORKER_H

#include "base/list.h"
#include "loop/post.h"
#include "loop/timer.h"

struct ev_loop;
struct workers;

enum { WORKERS_MAX = 64, WORKER_MAIN = 0xffffffff };

/* Rooms above keep their per-worker state here; typed pointers, so that no
 * room below includes them. Set in worker_start hooks, on the worker. */
struct conn_worker;
struct hub_worker_set;
struct http_worker;

struct wps_worker {
  uint32_t index;    /* 0..count-1, or WORKER_MAIN */
  uint32_t stopping; /* set by workers_stop(); the loop ends when idle */
  struct workers *all;
  struct ev_loop *loop;
  int64_t now_us; /* monotonic, taken once per turn */
  struct timers timers;
  struct mailbox mailbox;
  struct list deferred;   /* struct defer */
  struct list flushers;   /* struct flusher */
  void **instance_states; /* by instance id: plug/instance.c */
  size_t instance_state_count;
  struct conn_worker *conns;
  struct hub_worker_set *hubs;
  struct http_worker *http;
  unsigned char *receive_buffer; /* WORKER_RECEIVE_BUFFER bytes, scratch for one
                                    read at a time */
  unsigned char *send_buffer;    /* WORKER_SEND_BUFFER bytes, scratch for one
                                    flush at a time */
  struct worker_private *private_; /* ev watchers, thread */
};

enum { WORKER_RECEIVE_BUFFER = 256 * 1024, WORKER_SEND_BUFFER = 64 * 1024 };

/* A call that runs later in this turn, before the flush. Intrusive: zero is
 * "not queued" after defer_init(). Re-queuing while queued does nothing. */
struct defer {
  struct list node;
  void (*fn)(struct defer *self);
};
void defer_init(struct defer *d, void (*fn)(struct defer *self));
void worker_defer(struct wps_worker *w, struct defer *d);
/* In the next turn instead, which then comes without sleeping: for work that is
 * cut into pieces, so that sockets get their turn in between. */
void worker_defer_next(struct wps_worker *w, struct defer *d);
/* Last, behind the flushers, and only as many in one turn as its budget allows,
 * in order; the next one then comes without sleeping. For what comes in any
 * number at once and is not to hold up those who are there: clients that arrive
 * or go. */
void worker_chore(struct wps_worker *w, struct defer *d);
void defer_cancel(struct defer *d);
bool defer_pending(const struct defer *d);

/* Called after the deferred calls of each turn, in order of registration; says
 * whether it did anything (then deferred calls and flushers run once more). */
struct flusher {
  struct list node;
  bool (*fn)(struct flusher *self, struct wps_worker *w);
};
void worker_add_flusher(struct wps_worker *w, struct flusher *f);

/* What rooms above do when a worker starts and stops, in order (stop reversed),
 * on the worker's thread. start may fail: then workers_start() fails. */
struct worker_hooks {
  int (*start)(struct wps_worker *w, void *arg);
  void (*stop)(struct wps_worker *w, void *arg);
  void *arg;
};

/* Make `count` workers and the main loop; no threads yet. NULL when out of
 * memory. Thread: main. */
struct workers *workers_new(uint32_t count);
/* Start the threads and run the hooks on each; returns when all have started.
 * Errors: those of the hooks, ENOMEM. Thread: main. */
int workers_start(struct workers *ws, const struct worker_hooks *hooks,
                  size_t hook_count);
/* Run the main loop on the calling thread until workers_quit(). */
void workers_run(struct workers *ws);
/* Thread: any. */
void workers_quit(struct workers *ws);
/* Tell all workers to stop, run their stop hooks, join the threads. Posts made
 * before this are delivered first. Thread: main. */
void workers_stop(struct workers *ws);
void workers_free(struct workers *ws);

uint32_t workers_count(const struct workers *ws);
struct wps_worker *workers_at(struct workers *ws, uint32_t index); /* or NULL */
struct wps_worker *workers_main(struct workers *ws);
/* The worker (or main loop) whose thread this is; NULL on foreign threads. */
struct wps_worker *worker_current(void);

/* Call fn on the main loop when the signal arrives. Blocks the signal in all
 * threads that are started later. Thread: main, before workers_start(). */
int workers_on_signal(struct workers *ws, int signum,
                      void (*fn)(void *arg, int signum), void *arg);

#endif
