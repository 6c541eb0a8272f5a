/* SPDX-License-Identifier: Apache-2.0 */
/* Workers as threads: start, stop, posts and signals. What happens inside one
 * turn of a loop is in test_worker_turn.c. */
#include "loop/worker.h"

#include <check.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/thread.h"

/* ---- start and stop ---- */

struct trail {
  char text[64]; /* of one worker at a time */
  size_t len;
  int fail_at; /* the n-th start fails */
  int starts;
};

static struct trail trail;
static pthread_mutex_t trail_lock = PTHREAD_MUTEX_INITIALIZER;

static void trail_note(char c)
{
  pthread_mutex_lock(&trail_lock);
  trail.text[trail.len++] = c;
  pthread_mutex_unlock(&trail_lock);
}

static int trail_start(struct wps_worker *w, void *arg)
{
  ck_assert_ptr_eq(worker_current(), w);
  ck_assert_ptr_nonnull(w->receive_buffer);
  ck_assert_ptr_nonnull(w->send_buffer);
  if (++trail.starts == trail.fail_at)
    return WPS_EUNAVAILABLE;
  trail_note(*(const char *)arg);
  return WPS_OK;
}

static void trail_stop(struct wps_worker *w, void *arg)
{
  ck_assert_ptr_eq(worker_current(), w);
  trail_note((char)(*(const char *)arg - 'a' + 'A'));
}

static char names[] = "abc";
static const struct worker_hooks trail_hooks[] = {
    {trail_start, trail_stop, &names[0]},
    {trail_start, trail_stop, &names[1]},
    {trail_start, trail_stop, &names[2]},
};

START_TEST(hooks_run_in_order_and_back)
{
  struct workers *ws = workers_new(1);

  ck_assert_int_eq(workers_start(ws, trail_hooks, 3), WPS_OK);
  ck_assert_uint_eq(workers_count(ws), 1);
  ck_assert_uint_eq(workers_at(ws, 0)->index, 0);
  ck_assert_ptr_null(workers_at(ws, 1));
  ck_assert_uint_eq(workers_main(ws)->index, WORKER_MAIN);
  ck_assert_ptr_eq(worker_current(), workers_main(ws));
  workers_stop(ws);
  workers_stop(ws);
  ck_assert_str_eq(trail.text, "abcCBA");
  workers_free(ws);
  ck_assert_ptr_null(worker_current());
}
END_TEST

START_TEST(failed_hook_fails_the_start)
{
  struct workers *ws = workers_new(3);

  trail.fail_at = 5; /* second hook of the second worker */
  ck_assert_int_eq(workers_start(ws, trail_hooks, 3), WPS_EUNAVAILABLE);
  ck_assert_uint_eq(trail.len, 8);
  ck_assert_int_eq(memcmp(trail.text, "abca", 4), 0);
  workers_stop(ws);
  ck_assert_uint_eq(trail.len, 8);
  workers_free(ws);
}
END_TEST

START_TEST(bad_counts_are_refused)
{
  ck_assert_ptr_null(workers_new(0));
  ck_assert_ptr_null(workers_new(WORKERS_MAX + 1));
}
END_TEST

/* ---- posts ---- */

enum { BATCH = 5 };

struct batched {
  struct post post;
  struct batch *batch;
  int64_t turn_us;
};

struct batch {
  struct batched items[BATCH];
  struct workers *workers;
  uint32_t arrived;
  sem_t done;
};

static void batched_run(struct post *post)
{
  struct batched *b = CONTAINER_OF(post, struct batched, post);

  b->turn_us = worker_current()->now_us;
  if (++b->batch->arrived == BATCH)
    sem_post(&b->batch->done);
}

static void post_batch(void *arg)
{
  struct batch *batch = arg;

  for (int i = 0; i < BATCH; i++) {
    int64_t end = clock_now_us() + 2000;

    batch->items[i].batch = batch;
    batch->items[i].post.fn = batched_run;
    ck_assert(
        worker_post(workers_at(batch->workers, 1), &batch->items[i].post));
    while (clock_now_us() < end)
      ;
  }
}

/* However long a turn takes: the other worker is to flush them together. */
START_TEST(posts_of_one_turn_arrive_in_one_turn)
{
  struct batch batch = {.workers = workers_new(2)};

  ck_assert_int_eq(sem_init(&batch.done, 0, 0), 0);
  ck_assert_int_eq(workers_start(batch.workers, NULL, 0), WPS_OK);
  ck_assert_int_eq(
      worker_post_fn(workers_at(batch.workers, 0), post_batch, &batch), WPS_OK);
  while (sem_wait(&batch.done) != 0)
    ;
  workers_stop(batch.workers);
  for (int i = 1; i < BATCH; i++)
    ck_assert_int_eq(batch.items[i].turn_us, batch.items[0].turn_us);
  workers_free(batch.workers);
  sem_destroy(&batch.done);
}
END_TEST

enum { SENDERS = 4, POSTS = 5000 };

struct numbered {
  struct post post;
  uint32_t sender, number;
};

static struct numbered *numbered[SENDERS];
static uint32_t expected[SENDERS];
static uint32_t arrived;
static struct workers *all;

static void numbered_arrived(struct post *self)
{
  struct numbered *n = CONTAINER_OF(self, struct numbered, post);

  ck_assert_uint_eq(worker_current()->index, 1);
  ck_assert_uint_eq(n->number, expected[n->sender]);
  expected[n->sender]++;
  if (++arrived == SENDERS * POSTS)
    workers_quit(all);
}

static void *numbered_send(void *arg)
{
  uint32_t sender = *(uint32_t *)arg;

  ck_assert_ptr_null(worker_current());
  for (uint32_t i = 0; i < POSTS; i++) {
    struct numbered *n = &numbered[sender][i];

    *n = (struct numbered){.sender = sender, .number = i};
    n->post.fn = numbered_arrived;
    ck_assert(worker_post(workers_at(all, 1), &n->post));
  }
  return NULL;
}

START_TEST(posts_arrive_in_order_of_each_sender)
{
  pthread_t threads[SENDERS];
  uint32_t ids[SENDERS];

  all = workers_new(2);
  ck_assert_int_eq(workers_start(all, NULL, 0), WPS_OK);
  for (uint32_t i = 0; i < SENDERS; i++) {
    ids[i] = i;
    numbered[i] = calloc(POSTS, sizeof(**numbered));
    ck_assert_int_eq(thread_start(&threads[i], numbered_send, &ids[i]), 0);
  }
  workers_run(all);
  for (uint32_t i = 0; i < SENDERS; i++) {
    pthread_join(threads[i], NULL);
    ck_assert_uint_eq(expected[i], POSTS);
    free(numbered[i]);
  }
  workers_stop(all);
  workers_free(all);
}
END_TEST

/* Workers that hand a ball to each other, and the main loop as one of them. */
struct ball {
  struct post post;
  uint32_t left;
};

static void ball_caught(struct post *self)
{
  struct ball *b = CONTAINER_OF(self, struct ball, post);
  uint32_t index = worker_current()->index;

  if (b->left-- == 0) {
    workers_quit(all);
    return;
  }
  ck_assert(worker_post(index == WORKER_MAIN ? workers_at(all, 0)
                        : index == 2         ? workers_main(all)
                                             : workers_at(all, index + 1),
                        &b->post));
}

START_TEST(posts_go_round)
{
  struct ball b = {.left = 3000};

  b.post.fn = ball_caught;
  all = workers_new(3);
  ck_assert_int_eq(workers_start(all, NULL, 0), WPS_OK);
  ck_assert(worker_post(workers_at(all, 0), &b.post));
  workers_run(all);
  workers_stop(all);
  workers_free(all);
}
END_TEST

static void count_up(void *arg)
{
  ++*(uint32_t *)arg;
}

static int posts_in_start(struct wps_worker *w, void *arg)
{
  return worker_post_fn(w, count_up, arg);
}

static void refused_in_stop(struct wps_worker *w, void *arg)
{
  ck_assert_uint_eq(*(uint32_t *)arg, 101);
  ck_assert_int_eq(worker_post_fn(w, count_up, arg), WPS_ECLOSED);
}

START_TEST(posts_before_stop_are_delivered_before_the_hooks)
{
  uint32_t count = 0;
  struct worker_hooks hook = {posts_in_start, refused_in_stop, &count};
  struct workers *ws = workers_new(1);

  ck_assert_int_eq(workers_start(ws, &hook, 1), WPS_OK);
  for (int i = 0; i < 100; i++)
    ck_assert_int_eq(worker_post_fn(workers_at(ws, 0), count_up, &count),
                     WPS_OK);
  workers_stop(ws);
  ck_assert_uint_eq(count, 101);
  ck_assert_int_eq(worker_post_fn(workers_at(ws, 0), count_up, &count),
                   WPS_ECLOSED);
  ck_assert_int_eq(worker_post_fn(workers_main(ws), count_up, &count),
                   WPS_ECLOSED);
  workers_free(ws);
}
END_TEST

static void reports_in_stop(struct wps_worker *w, void *arg)
{
  ck_assert_int_eq(worker_post_fn(workers_main(w->all), count_up, arg), WPS_OK);
}

START_TEST(reports_of_stopping_workers_reach_main)
{
  uint32_t count = 0;
  struct worker_hooks hook = {NULL, reports_in_stop, &count};
  struct workers *ws = workers_new(2);

  ck_assert_int_eq(workers_start(ws, &hook, 1), WPS_OK);
  workers_stop(ws);
  ck_assert_uint_eq(count, 2);
  workers_free(ws);
}
END_TEST

/* Accepted or refused, but never accepted and lost, while the worker stops. */
struct racer {
  pthread_t thread;
  uint32_t accepted;
};

static atomic_uint delivered;
static sem_t racing;

static void race_arrived(void *arg)
{
  UNUSED(arg);
  atomic_fetch_add(&delivered, 1);
}

static void *race(void *arg)
{
  struct racer *r = arg;

  while (worker_post_fn(workers_at(all, 0), race_arrived, NULL) == WPS_OK)
    if (++r->accepted == 50)
      sem_post(&racing);
  return NULL;
}

START_TEST(stop_loses_no_accepted_post)
{
  struct racer racers[3] = {0};
  uint32_t accepted = 0;

  sem_init(&racing, 0, 0);
  all = workers_new(1);
  ck_assert_int_eq(workers_start(all, NULL, 0), WPS_OK);
  for (size_t i = 0; i < ARRAY_LEN(racers); i++)
    ck_assert_int_eq(thread_start(&racers[i].thread, race, &racers[i]), 0);
  for (size_t i = 0; i < ARRAY_LEN(racers); i++)
    sem_wait(&racing);
  workers_stop(all);
  for (size_t i = 0; i < ARRAY_LEN(racers); i++) {
    pthread_join(racers[i].thread, NULL);
    accepted += racers[i].accepted;
  }
  ck_assert_uint_eq(atomic_load(&delivered), accepted);
  workers_free(all);
}
END_TEST

/* ---- signals ---- */

struct caught {
  struct workers *ws;
  pthread_t thread;
  int signum;
};

static void on_signal(void *arg, int signum)
{
  struct caught *c = arg;

  c->signum = signum;
  ck_assert(pthread_equal(pthread_self(), c->thread));
  ck_assert_ptr_eq(worker_current(), workers_main(c->ws));
  workers_quit(c->ws);
}

static void raise_here(void *arg)
{
  sigset_t mask;

  UNUSED(arg);
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  ck_assert(sigismember(&mask, SIGUSR1));
  ck_assert(!sigismember(&mask, SIGSEGV));
  ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
}

START_TEST(signals_arrive_on_the_main_loop)
{
  struct caught c = {.ws = workers_new(2), .thread = pthread_self()};

  ck_assert_int_eq(workers_on_signal(c.ws, SIGUSR1, on_signal, &c), WPS_OK);
  ck_assert_int_eq(workers_start(c.ws, NULL, 0), WPS_OK);
  ck_assert_int_eq(worker_post_fn(workers_at(c.ws, 1), raise_here, NULL),
                   WPS_OK);
  workers_run(c.ws);
  ck_assert_int_eq(c.signum, SIGUSR1);
  workers_stop(c.ws);
  workers_free(c.ws);
}
END_TEST

static void quit_post(void *arg)
{
  workers_quit(arg);
}

START_TEST(main_loop_runs_again_after_quit)
{
  struct workers *ws = workers_new(1);
  uint32_t count = 0;

  workers_quit(ws);
  workers_quit(ws);
  workers_run(ws);
  ck_assert_int_eq(worker_post_fn(workers_main(ws), count_up, &count), WPS_OK);
  ck_assert_int_eq(worker_post_fn(workers_main(ws), quit_post, ws), WPS_OK);
  workers_run(ws);
  ck_assert_uint_eq(count, 1);
  workers_stop(ws);
  workers_free(ws);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("worker");
  TCase *tc = tcase_create("worker");
  SRunner *r;
  int failed;

  tcase_set_timeout(tc, 60);
  tcase_add_test(tc, hooks_run_in_order_and_back);
  tcase_add_test(tc, failed_hook_fails_the_start);
  tcase_add_test(tc, posts_of_one_turn_arrive_in_one_turn);
  tcase_add_test(tc, bad_counts_are_refused);
  tcase_add_test(tc, posts_arrive_in_order_of_each_sender);
  tcase_add_test(tc, posts_go_round);
  tcase_add_test(tc, posts_before_stop_are_delivered_before_the_hooks);
  tcase_add_test(tc, reports_of_stopping_workers_reach_main);
  tcase_add_loop_test(tc, stop_loses_no_accepted_post, 0, 5);
  tcase_add_test(tc, signals_arrive_on_the_main_loop);
  tcase_add_test(tc, main_loop_runs_again_after_quit);
  suite_add_tcase(s, tc);
  r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
