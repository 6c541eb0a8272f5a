/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of what has a thread: run a step on a worker and wait for it. */
#ifndef WPS_TESTS_UNIT_ON_WORKER_H
#define WPS_TESTS_UNIT_ON_WORKER_H

#include <check.h>
#include <pthread.h>
#include <semaphore.h>

#include "loop/worker.h"

#undef fail /* Check has a macro of that name, wps->reply a function */

struct step {
  wps_fn fn;
  void *arg;
  sem_t done;
};

static inline void step_run(void *arg)
{
  struct step *s = arg;

  s->fn(s->arg);
  sem_post(&s->done);
}

/* Has run when this returns; what it deferred may not have. */
static inline void on_worker(struct workers *ws, uint32_t index, wps_fn fn,
                             void *arg)
{
  struct step s = {.fn = fn, .arg = arg};

  ck_assert_int_eq(sem_init(&s.done, 0, 0), 0);
  ck_assert_int_eq(worker_post_fn(workers_at(ws, index), step_run, &s), WPS_OK);
  while (sem_wait(&s.done) != 0)
    ;
  sem_destroy(&s.done);
}

struct turn {
  struct defer defer;
  struct wps_worker *worker;
  sem_t done;
};

static inline void turn_over(struct defer *self)
{
  sem_post(&CONTAINER_OF(self, struct turn, defer)->done);
}

static inline void turn_begin(void *arg)
{
  struct turn *t = arg;

  worker_defer_next(t->worker, &t->defer);
}

/* What that worker had deferred has run, and what those calls have deferred:
 * ours waits for the turn after. */
static inline void worker_turn(struct workers *ws, uint32_t index)
{
  struct turn t = {.worker = workers_at(ws, index)};

  defer_init(&t.defer, turn_over);
  ck_assert_int_eq(sem_init(&t.done, 0, 0), 0);
  on_worker(ws, index, turn_begin, &t);
  while (sem_wait(&t.done) != 0)
    ;
  sem_destroy(&t.done);
}

#endif
