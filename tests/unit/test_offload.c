/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/offload.h"

#include <check.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "loop/worker.h"

static struct workers *all;
static struct offload *pool;

struct task {
  pthread_t thread;
  sem_t *entered, *hold; /* NULL: does not wait */
  uint32_t index;        /* of the worker that submits */
  int worked, status;
  atomic_uint *left; /* the last done quits, NULL: none does */
};

static void work(void *arg)
{
  struct task *t = arg;

  ck_assert_ptr_null(worker_current());
  t->worked++;
  t->thread = pthread_self();
  if (t->entered != NULL)
    sem_post(t->entered);
  if (t->hold != NULL)
    sem_wait(t->hold);
}

static void done(void *arg, int status)
{
  struct task *t = arg;

  ck_assert_uint_eq(worker_current()->index, t->index);
  ck_assert_int_eq(t->status, 1);
  t->status = status;
  if (t->left != NULL && atomic_fetch_sub(t->left, 1) == 1)
    workers_quit(all);
}

static void begin(uint32_t workers, uint32_t threads, uint32_t queue_max)
{
  all = workers_new(workers);
  ck_assert_int_eq(workers_start(all, NULL, 0), WPS_OK);
  pool = offload_new(threads, queue_max);
  ck_assert_ptr_nonnull(pool);
}

static void end(void)
{
  offload_stop(pool);
  workers_stop(all);
  offload_free(pool);
  workers_free(all);
}

START_TEST(work_elsewhere_done_here)
{
  enum { COUNT = 200 };
  static struct task tasks[COUNT];
  atomic_uint left = COUNT;

  begin(2, 3, COUNT);
  for (uint32_t i = 0; i < COUNT; i++) {
    tasks[i].status = 1;
    tasks[i].index = i % 3 == 2 ? WORKER_MAIN : i % 3;
    tasks[i].left = &left;
    ck_assert_int_eq(
        offload_submit(pool,
                       i % 3 == 2 ? workers_main(all) : workers_at(all, i % 3),
                       work, done, &tasks[i]),
        WPS_OK);
  }
  workers_run(all);
  for (uint32_t i = 0; i < COUNT; i++) {
    ck_assert_int_eq(tasks[i].worked, 1);
    ck_assert_int_eq(tasks[i].status, WPS_OK);
    ck_assert(!pthread_equal(tasks[i].thread, pthread_self()));
  }
  end();
}
END_TEST

START_TEST(full_queue_refuses)
{
  sem_t entered, hold;
  struct task tasks[4] = {0};
  struct wps_worker *w;

  sem_init(&entered, 0, 0);
  sem_init(&hold, 0, 0);
  begin(1, 1, 2);
  w = workers_at(all, 0);
  for (size_t i = 0; i < 4; i++)
    tasks[i].status = 1;
  tasks[0].entered = &entered;
  tasks[0].hold = &hold;
  ck_assert_int_eq(offload_submit(pool, w, work, done, &tasks[0]), WPS_OK);
  sem_wait(&entered);
  ck_assert_int_eq(offload_submit(pool, w, work, done, &tasks[1]), WPS_OK);
  ck_assert_int_eq(offload_submit(pool, w, work, done, &tasks[2]), WPS_OK);
  ck_assert_int_eq(offload_submit(pool, w, work, done, &tasks[3]), WPS_EAGAIN);
  sem_post(&hold);
  end();
  ck_assert_int_eq(tasks[0].status, WPS_OK);
  ck_assert_int_eq(tasks[3].status, 1);
  ck_assert_int_eq(tasks[3].worked, 0);
}
END_TEST

static sem_t stop_hold;

static void *let_go(void *arg)
{
  sem_t *canceled = arg;

  sem_wait(canceled);
  sem_post(&stop_hold);
  return NULL;
}

static void done_and_tell(void *arg, int status)
{
  struct task *t = arg;

  t->status = status;
  sem_post(t->entered);
}

/* offload_stop() waits for what runs; what is queued is canceled meanwhile. */
START_TEST(stop_cancels_what_is_queued)
{
  sem_t entered, canceled;
  struct task runs = {.status = 1}, queued = {.status = 1};
  pthread_t helper;
  struct wps_worker *w;

  sem_init(&entered, 0, 0);
  sem_init(&canceled, 0, 0);
  sem_init(&stop_hold, 0, 0);
  begin(1, 1, 8);
  w = workers_at(all, 0);
  runs.entered = &entered;
  runs.hold = &stop_hold;
  queued.entered = &canceled;
  ck_assert_int_eq(offload_submit(pool, w, work, done, &runs), WPS_OK);
  sem_wait(&entered);
  ck_assert_int_eq(offload_submit(pool, w, work, done_and_tell, &queued),
                   WPS_OK);
  ck_assert_int_eq(pthread_create(&helper, NULL, let_go, &canceled), 0);
  offload_stop(pool);
  pthread_join(helper, NULL);
  ck_assert_int_eq(queued.status, WPS_ECANCELED);
  ck_assert_int_eq(queued.worked, 0);
  ck_assert_int_eq(offload_submit(pool, w, work, done, &runs), WPS_ECLOSED);
  end();
  ck_assert_int_eq(runs.status, WPS_OK);
}
END_TEST

START_TEST(unused_pool_ends)
{
  begin(1, 4, 1);
  end();
  offload_free(NULL);
}
END_TEST

#ifdef WPS_DEBUG
START_TEST(fault_point_offload)
{
  struct task t = {.status = 1};

  setenv("WEBPUBSUBD_FAULT", "offload:1", 1);
  begin(1, 1, 8);
  ck_assert_int_eq(offload_submit(pool, workers_at(all, 0), work, done, &t),
                   WPS_EAGAIN);
  end();
  ck_assert_int_eq(t.status, 1);
}
END_TEST
#endif

int main(void)
{
  Suite *s = suite_create("offload");
  TCase *tc = tcase_create("offload");
  SRunner *r;
  int failed;

  tcase_set_timeout(tc, 60);
  tcase_add_test(tc, work_elsewhere_done_here);
  tcase_add_test(tc, full_queue_refuses);
  tcase_add_test(tc, stop_cancels_what_is_queued);
  tcase_add_test(tc, unused_pool_ends);
#ifdef WPS_DEBUG
  tcase_add_test(tc, fault_point_offload);
#endif
  suite_add_tcase(s, tc);
  r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
