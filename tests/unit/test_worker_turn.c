/* SPDX-License-Identifier: Apache-2.0 */
/* The turns of a loop: deferred calls, flushers, timers and descriptors; on the
 * main loop, which has the same as any worker. */
#include "loop/worker.h"

#include <check.h>
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/io.h"

/* ---- deferred calls and flushers ---- */

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

static void quit_run(struct defer *d)
{
  workers_quit(CONTAINER_OF(d, struct step, defer)->w->all);
}

struct mixed {
  struct step *chores, *deferred;
  struct counted_flusher *f;
};

static void mixed_post(void *arg)
{
  struct mixed *m = arg;

  for (int i = 0; i < 4; i++)
    worker_chore(m->chores[i].w, &m->chores[i].defer);
  worker_chore(m->chores[0].w, &m->chores[0].defer);
  defer_cancel(&m->chores[2].defer);
  worker_defer(m->deferred->w, &m->deferred->defer);
  m->f->work = 1;
}

START_TEST(chores_come_last_each_with_what_it_leads_to)
{
  struct workers *ws = workers_new(1);
  struct wps_worker *w = workers_main(ws);
  struct step a = {.w = w, .name = 'a'}, b = {.w = w, .name = 'b'};
  struct step chores[] = {{.w = w, .name = 'x', .then = &b},
                          {.w = w, .name = 'y'},
                          {.w = w, .name = 'c'},
                          {.w = w}};
  struct counted_flusher f = {.name = '1'};
  struct mixed m = {chores, &a, &f};

  defer_init(&a.defer, step_run);
  defer_init(&b.defer, step_run);
  for (int i = 0; i < 3; i++)
    defer_init(&chores[i].defer, step_run);
  defer_init(&chores[3].defer, quit_run);
  f.flusher.fn = flush;
  worker_add_flusher(w, &f.flusher);
  ck_assert_int_eq(worker_post_fn(w, mixed_post, &m), WPS_OK);
  workers_run(ws);
  ck_assert_str_eq(order, "a1xby");
  workers_stop(ws);
  workers_free(ws);
}
END_TEST

enum { CHORES = 9, CHORE_US = 30 };

struct crowd;
struct crowd_chore {
  struct defer defer;
  struct crowd *crowd;
  uint32_t turn;
};

struct crowd {
  struct defer each_turn;
  struct wps_worker *w;
  struct crowd_chore chores[CHORES];
  uint32_t turn, done;
};

static void crowd_turn(struct defer *d)
{
  struct crowd *c = CONTAINER_OF(d, struct crowd, each_turn);

  c->turn++;
  if (c->done < CHORES)
    worker_defer_next(c->w, d);
  else
    workers_quit(c->w->all);
}

static void crowd_chore(struct defer *d)
{
  struct crowd *c = CONTAINER_OF(d, struct crowd_chore, defer)->crowd;
  int64_t end = clock_now_us() + CHORE_US;

  ck_assert_ptr_eq(d, &c->chores[c->done].defer);
  c->chores[c->done++].turn = c->turn;
  while (clock_now_us() < end)
    ;
}

/* Others get their turn after as many of them as make 0.05 ms. */
START_TEST(a_crowd_of_chores_is_many_turns)
{
  struct workers *ws = workers_new(1);
  struct crowd c = {.w = workers_main(ws)};

  defer_init(&c.each_turn, crowd_turn);
  worker_defer(c.w, &c.each_turn);
  for (int i = 0; i < CHORES; i++) {
    c.chores[i].crowd = &c;
    defer_init(&c.chores[i].defer, crowd_chore);
    worker_chore(c.w, &c.chores[i].defer);
  }
  workers_run(ws);
  ck_assert_uint_eq(c.done, CHORES);
  for (int i = 2; i < CHORES; i++)
    ck_assert_uint_gt(c.chores[i].turn, c.chores[i - 2].turn);
  workers_stop(ws);
  workers_free(ws);
}
END_TEST

enum { ENDLESS_MS = 20, PATIENCE = 500 };

struct endless {
  struct defer defer;
  struct wps_worker *w;
  struct timer timer;
  uint32_t runs, due;
  void (*again)(struct wps_worker *w, struct defer *d);
};

static void endless_run(struct defer *d)
{
  struct endless *e = CONTAINER_OF(d, struct endless, defer);

  e->runs++;
  e->again(e->w, d);
}

/* A machine that stands still for a while leaves no time for runs between two
 * of these. A loop that sleeps never has more than one there. */
static void endless_due(struct timer *t)
{
  struct endless *e = CONTAINER_OF(t, struct endless, timer);

  e->due++;
  if (e->runs > 20 + 2 * e->due || e->due == PATIENCE)
    workers_quit(e->w->all);
  else
    timer_start(e->w, t, ENDLESS_MS);
}

/* Work that never ends neither starves timers and mailboxes nor sleeps. */
START_TEST(endless_deferred_work_is_cut_into_turns)
{
  struct workers *ws = workers_new(1);
  void (*const again[])(struct wps_worker *, struct defer *) = {
      worker_defer, worker_defer_next, worker_chore};
  struct endless e = {.w = workers_main(ws), .again = again[_i]};

  defer_init(&e.defer, endless_run);
  timer_init(&e.timer, endless_due);
  timer_start(e.w, &e.timer, ENDLESS_MS);
  worker_defer(e.w, &e.defer);
  workers_run(ws);
  ck_assert_uint_lt(e.due, PATIENCE);
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
  (arg == NULL ? worker_defer : worker_chore)(w, &life.stop.defer);
}

START_TEST(deferred_in_hooks_runs)
{
  struct worker_hooks hook = {defers_in_start, defers_in_stop,
                              _i == 0 ? NULL : &life};
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

static void quit_post(void *arg)
{
  workers_quit(arg);
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

int main(void)
{
  Suite *s = suite_create("worker turns");
  TCase *tc = tcase_create("worker turns");
  SRunner *r;
  int failed;

  tcase_set_timeout(tc, 60);
  tcase_add_test(tc, turn_is_posts_then_deferred_then_flush_until_quiet);
  tcase_add_test(tc, chores_come_last_each_with_what_it_leads_to);
  tcase_add_test(tc, a_crowd_of_chores_is_many_turns);
  tcase_add_loop_test(tc, endless_deferred_work_is_cut_into_turns, 0, 3);
  tcase_add_loop_test(tc, deferred_in_hooks_runs, 0, 2);
  tcase_add_test(tc, timers_fire_and_never_early);
  tcase_add_test(tc, waiting_costs_few_turns);
  tcase_add_test(tc, timer_after_a_busy_callback_is_not_early);
  tcase_add_test(tc, io_reports_what_is_wanted);
  tcase_add_test(tc, io_that_leaves_is_forgotten_by_the_kernel);
  suite_add_tcase(s, tc);
  r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
