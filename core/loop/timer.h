/* SPDX-License-Identifier: Apache-2.0 */
/* loop/timer.h - timers in a hierarchical wheel: no heap entry per timer.
 *
 * One ev_timer per worker drives a wheel with a resolution of 1 ms. A timer is
 * 48 bytes inside its owner; starting and stopping are O(1). Thread: the
 * worker that owns the wheel, for everything here.
 */
#ifndef WPS_LOOP_TIMER_H
#define WPS_LOOP_TIMER_H

#include "base/list.h"

struct wps_worker;

struct timer {
  struct list node;
  uint64_t due_ms; /* on the wheel's scale; valid while running */
  void (*fn)(struct timer *self);
};

enum { TIMER_LEVELS = 4, TIMER_SLOTS = 256 };

struct timers {
  uint64_t now_ms; /* last tick handled */
  uint64_t running;
  struct list (*slots)[TIMER_SLOTS]; /* TIMER_LEVELS of them, malloc'ed */
  uint64_t bitmap[TIMER_LEVELS][TIMER_SLOTS / 64];
  uint64_t next; /* tick at which something is to be done ... */
  bool known;    /* ... unless timers have come, gone or moved since */
};

void timer_init(struct timer *t, void (*fn)(struct timer *self));
/* (Re)start: fn once, delay_ms after the worker's now (at least the next
 * millisecond; beyond about 49 days it is cut to that). */
void timer_start(struct wps_worker *w, struct timer *t, uint64_t delay_ms);
void timer_stop(struct wps_worker *w, struct timer *t); /* harmless when idle */
bool timer_running(const struct timer *t);
/* Until it is due, at least 1; 0: it is not running. */
uint64_t timer_left_ms(const struct wps_worker *w, const struct timer *t);

/* For worker.c: */
int timers_init(struct timers *ts, uint64_t now_ms);
void timers_free(struct timers *ts);
/* Run everything due up to now_ms. */
void timers_advance(struct timers *ts, uint64_t now_ms);
/* Milliseconds from now_ms until the next one may be due, UINT64_MAX: none. */
uint64_t timers_next(struct timers *ts, uint64_t now_ms);

#endif
