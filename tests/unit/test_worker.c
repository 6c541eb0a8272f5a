/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/worker.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/io.h"
#include "loop/thread.h"

static void quit_post(void *arg)
{
  workers_quit(arg);
}

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

/* ---- deferred calls and flushers; on the main loop, which has the same ----
 */

static char order[64];

static void note(char c)
{
  size_t len = strlen(order);

  ck_assert_uint_lt(len, sizeof(order) - 1);
  order[len] = c;
}

struct step {
  struct defer defer;
  struct wps_worker *w;
  struct step *then;
  char name;
};

static void step_run(struct defer *d)
{
  struct step *s = CONTAINER_OF(d, struct step, defer);

  note(s->name);
  if (s->then != NULL)
    worker_defer(s->w, &s->then->defer);
}

struct counted_flusher {
  struct flusher flusher;
  struct step *defers; /* once */
  int work;
  char name;
};

static bool flush(struct flusher *self, struct wps_worker *w)
{
  struct counted_flusher *f =
      CONTAINER_OF(self, struct counted_flusher, flusher);

  if (f->work == 0)
    return false;
  f->work--;
  note(f->name);
  if (f->defers != NULL) {
    worker_defer(w, &f->defers->defer);
    f->defers = NULL;
  }
  return true;
}

static void first_post(void *arg)
{
  struct step *s = arg;

  note('p');
  worker_defer(s->w, &s->defer);
  worker_defer(s->w, &s->defer);
  workers_quit(s->w->all);
}

START_TEST(turn_is_posts_then_deferred_then_flush_until_quiet)
{
  struct workers *ws = workers_new(1);
  struct wps_worker *m = workers_main(ws);
  struct step b = {.w = m, .name = 'b'}, a = {.w = m, .name = 'a', .then = &b};
  struct step c = {.w = m, .name = 'c'}, gone = {.w = m, .name = 'x'};
  struct counted_flusher f = {.defers = &c, .work = 2, .name = '1'};
  struct counted_flusher g = {.work = 1, .name = '2'};

  defer_init(&a.defer, step_run);
  defer_init(&b.defer, step_run);
  defer_init(&c.defer, step_run);
  defer_init(&gone.defer, step_run);
  f.flusher.fn = flush;
  g.flusher.fn = flush;
  worker_add_flusher(m, &f.flusher);
  worker_add_flusher(m, &g.flusher);
  worker_defer(m, &gone.defer);
  ck_assert(defer_pending(&gone.defer));
  defer_cancel(&gone.defer);
  ck_assert(!defer_pending(&gone.defer));
  ck_assert_int_eq(worker_post_fn(m, first_post, &a), WPS_OK);
  workers_run(ws);
  /* The flushers, once more with what the first of them deferred; then the
   * turn of the post. */
  ck_assert_str_eq(order, "12c1pab");
  workers_stop(ws);
  workers_free(ws);
}
END_TEST

struct endless {
  struct defer defer;
  struct wps_worker *w;
  struct timer timer;
  uint32_t runs;
  bool next_turn;
};

static void endless_run(struct defer *d)
{
  struct endless *e = CONTAINER_OF(d, struct endless, defer);

  e->runs++;
  if (e->next_turn)
    worker_defer_next(e->w, d);
  else
    worker_defer(e->w, d);
}

static void endless_due(struct timer *t)
{
  workers_quit(CONTAINER_OF(t, struct endless, timer)->w->all);
}

/* Work that never ends neither starves timers and mailboxes nor sleeps. */
START_TEST(endless_deferred_work_is_cut_into_turns)
{
  struct workers *ws = workers_new(1);
  struct endless e = {.w = workers_main(ws), .next_turn = _i == 1};

  defer_init(&e.defer, endless_run);
  timer_init(&e.timer, endless_due);
  timer_start(e.w, &e.timer, 20);
  worker_defer(e.w, &e.defer);
  workers_run(ws);
  ck_assert_uint_gt(e.runs, 20);
  defer_cancel(&e.defer);
  workers_stop(ws);
  workers_free(ws);
}
END_TEST

struct lifecycle {
  struct step start, stop;
};
static struct lifecycle life;

static int defers_in_start(struct wps_worker *w, void *arg)
{
  UNUSED(arg);
  life.start = (struct step){.w = w, .name = 's'};
  life.stop = (struct step){.w = w, .name = 't'};
  defer_init(&life.start.defer, step_run);
  defer_init(&life.stop.defer, step_run);
  worker_defer(w, &life.start.defer);
  return WPS_OK;
}

static void defers_in_stop(struct wps_worker *w, void *arg)
{
  UNUSED(arg);
  worker_defer(w, &life.stop.defer);
}

START_TEST(deferred_in_hooks_runs)
{
  struct worker_hooks hook = {defers_in_start, defers_in_stop, NULL};
  struct workers *ws = workers_new(1);

  ck_assert_int_eq(workers_start(ws, &hook, 1), WPS_OK);
  workers_stop(ws);
  ck_assert_str_eq(order, "st");
  workers_free(ws);
}
END_TEST

/* ---- time ---- */

struct alarm {
  struct timer timer;
  struct wps_worker *w;
  int64_t started_us, fired_us;
  uint64_t delay_ms;
  uint32_t left;
  int64_t worst_us;
};

static void alarm_start(struct alarm *a)
{
  a->started_us = clock_now_us();
  timer_start(a->w, &a->timer, a->delay_ms);
}

static void alarm_due(struct timer *t)
{
  struct alarm *a = CONTAINER_OF(t, struct alarm, timer);
  int64_t took = clock_now_us() - a->started_us;

  ck_assert_int_ge(took, (int64_t)a->delay_ms * 1000);
  if (took - (int64_t)a->delay_ms * 1000 > a->worst_us)
    a->worst_us = took - (int64_t)a->delay_ms * 1000;
  if (--a->left == 0) {
    workers_quit(a->w->all);
    return;
  }
  a->delay_ms = (a->delay_ms * 7 + 1) % 23;
  alarm_start(a);
}

START_TEST(timers_fire_and_never_early)
{
  struct workers *ws = workers_new(1);
  struct alarm a = {.w = workers_main(ws), .left = 40, .delay_ms = 3};

  timer_init(&a.timer, alarm_due);
  alarm_start(&a);
  workers_run(ws);
  /* Two milliseconds on a quiet machine; this one may be busy. */
  ck_assert_int_lt(a.worst_us, 500000);
  workers_stop(ws);
  workers_free(ws);
}
END_TEST

static bool count_turns(struct flusher *self, struct wps_worker *w)
{
  struct counted_flusher *f =
      CONTAINER_OF(self, struct counted_flusher, flusher);

  UNUSED(w);
  f->work++;
  return false;
}

/* A timer far away may cost a wake-up per level, not one per tick. */
START_TEST(waiting_costs_few_turns)
{
  struct workers *ws = workers_new(1);
  struct alarm a = {.w = workers_main(ws), .left = 1, .delay_ms = 400};
  struct counted_flusher f = {0};

  f.flusher.fn = count_turns;
  worker_add_flusher(a.w, &f.flusher);
  timer_init(&a.timer, alarm_due);
  alarm_start(&a);
  workers_run(ws);
  ck_assert_int_le(f.work, 8);
  workers_stop(ws);
  workers_free(ws);
}
END_TEST

/* Busy for a while inside a turn, then a timer: the cached time is old. */
static void busy_then_timer(void *arg)
{
  struct alarm *a = arg;
  int64_t until = clock_now_us() + 30000;

  while (clock_now_us() < until)
    sched_yield();
  ck_assert_int_lt(a->w->now_us, until - 20000);
  alarm_start(a);
}

START_TEST(timer_after_a_busy_callback_is_not_early)
{
  struct workers *ws = workers_new(1);
  struct alarm a = {.w = workers_main(ws), .left = 1, .delay_ms = 20};

  timer_init(&a.timer, alarm_due);
  ck_assert_int_eq(worker_post_fn(a.w, busy_then_timer, &a), WPS_OK);
  workers_run(ws);
  workers_stop(ws);
  workers_free(ws);
}
END_TEST

/* ---- descriptors ---- */

struct pair {
  struct io io;
  struct wps_worker *w;
  int other;
  uint32_t reads, writes;
};

static void pair_ready(struct io *self, uint32_t events)
{
  struct pair *p = CONTAINER_OF(self, struct pair, io);
  char c;

  if ((events & WPS_WRITE) != 0) {
    p->writes++;
    io_want(p->w, self, WPS_READ);
    ck_assert_int_eq(write(p->other, "x", 1), 1);
  }
  if ((events & WPS_READ) != 0) {
    ck_assert_int_eq(read(io_fd(self), &c, 1), 1);
    if (++p->reads == 3) {
      io_want(p->w, self, 0);
      ck_assert_int_eq(write(p->other, "y", 1), 1);
      workers_quit(p->w->all);
      return;
    }
    io_want(p->w, self, WPS_READ | WPS_WRITE);
    io_want(p->w, self, WPS_READ | WPS_WRITE);
  }
}

START_TEST(io_reports_what_is_wanted)
{
  struct workers *ws = workers_new(1);
  struct pair p = {.w = workers_main(ws)};
  int fds[2];

  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
  p.other = fds[1];
  io_init(&p.io, fds[0], pair_ready);
  io_want(p.w, &p.io, WPS_WRITE);
  workers_run(ws);
  ck_assert_uint_eq(p.reads, 3);
  ck_assert_uint_eq(p.writes, 3);
  io_stop(p.w, &p.io);
  close(fds[0]);
  close(fds[1]);
  workers_stop(ws);
  workers_free(ws);
}
END_TEST

/* How many epoll instances of this process watch the descriptor. */
static int watched_by(int fd)
{
  DIR *folder = opendir("/proc/self/fdinfo");
  struct dirent *entry;
  char path[300], line[256];
  int count = 0, found;

  ck_assert_ptr_nonnull(folder);
  while ((entry = readdir(folder)) != NULL) {
    FILE *in;

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", entry->d_name);
    in = fopen(path, "r");
    while (in != NULL && fgets(line, sizeof(line), in) != NULL)
      if (sscanf(line, "tfd: %d", &found) == 1 && found == fd)
        count++;
    if (in != NULL)
      fclose(in);
  }
  closedir(folder);
  return count;
}

static void one_turn(struct workers *ws)
{
  ck_assert_int_eq(worker_post_fn(workers_main(ws), quit_post, ws), WPS_OK);
  workers_run(ws);
}

static void not_ready(struct io *self, uint32_t events)
{
  UNUSED(self);
  UNUSED(events);
  ck_abort_msg("nothing was written");
}

START_TEST(io_that_leaves_is_forgotten_by_the_kernel)
{
  struct workers *ws = workers_new(1);
  struct wps_worker *m = workers_main(ws);
  struct io io;
  int fds[2];

  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
  io_init(&io, fds[0], not_ready);
  io_leave(m, &io);
  for (int i = 0; i < 3; i++) {
    io_want(m, &io, WPS_READ);
    one_turn(ws);
    ck_assert_int_eq(watched_by(fds[0]), 1);
    io_leave(m, &io);
    ck_assert_int_eq(watched_by(fds[0]), 0);
    /* And back within one turn, and with other events. */
    io_want(m, &io, i == 1 ? WPS_READ : WPS_READ | WPS_WRITE);
    io_want(m, &io, WPS_READ);
    one_turn(ws);
    ck_assert_int_eq(watched_by(fds[0]), 1);
  }
  io_stop(m, &io);
  close(fds[0]);
  close(fds[1]);
  workers_stop(ws);
  workers_free(ws);
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
  tcase_add_test(tc, bad_counts_are_refused);
  tcase_add_test(tc, posts_arrive_in_order_of_each_sender);
  tcase_add_test(tc, posts_go_round);
  tcase_add_test(tc, posts_before_stop_are_delivered_before_the_hooks);
  tcase_add_test(tc, reports_of_stopping_workers_reach_main);
  tcase_add_loop_test(tc, stop_loses_no_accepted_post, 0, 5);
  tcase_add_test(tc, turn_is_posts_then_deferred_then_flush_until_quiet);
  tcase_add_loop_test(tc, endless_deferred_work_is_cut_into_turns, 0, 2);
  tcase_add_test(tc, deferred_in_hooks_runs);
  tcase_add_test(tc, timers_fire_and_never_early);
  tcase_add_test(tc, waiting_costs_few_turns);
  tcase_add_test(tc, timer_after_a_busy_callback_is_not_early);
  tcase_add_test(tc, io_reports_what_is_wanted);
  tcase_add_test(tc, io_that_leaves_is_forgotten_by_the_kernel);
  tcase_add_test(tc, signals_arrive_on_the_main_loop);
  tcase_add_test(tc, main_loop_runs_again_after_quit);
  suite_add_tcase(s, tc);
  r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
