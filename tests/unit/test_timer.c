/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/timer.h"

#include <check.h>
#include <stdlib.h>

#include "base/clock.h"
#include "loop/worker.h"

/* The clock of this test: the wheel's code asks it, nothing sleeps. */
static int64_t fake_us;

int64_t clock_now_us(void)
{
  return fake_us;
}

int64_t clock_unix_ms(void)
{
  return 0;
}

static struct wps_worker w;

static void setup(void)
{
  fake_us = 5000000;
  ck_assert_int_eq(timers_init(&w.timers, 5000), WPS_OK);
}

static void teardown(void)
{
  timers_free(&w.timers);
}

static void go_to(uint64_t ms)
{
  fake_us = (int64_t)ms * 1000;
  timers_advance(&w.timers, ms);
}

struct probe {
  struct timer timer;
  uint64_t fired_ms;
  unsigned fired;
  struct probe *other;
  uint64_t restart_ms;
};

static void probe_fire(struct timer *t)
{
  struct probe *p = CONTAINER_OF(t, struct probe, timer);

  ck_assert(!timer_running(t));
  p->fired++;
  p->fired_ms = w.timers.now_ms;
}

START_TEST(fires_once_when_due)
{
  struct probe p = {0};

  timer_init(&p.timer, probe_fire);
  ck_assert(!timer_running(&p.timer));
  ck_assert_uint_eq(timers_next(&w.timers, 5000), UINT64_MAX);
  timer_start(&w, &p.timer, 10);
  ck_assert(timer_running(&p.timer));
  ck_assert_uint_eq(timers_next(&w.timers, 5000), 10);
  go_to(5009);
  ck_assert_uint_eq(p.fired, 0);
  ck_assert_uint_eq(timers_next(&w.timers, 5009), 1);
  go_to(5010);
  ck_assert_uint_eq(p.fired, 1);
  go_to(99999);
  ck_assert_uint_eq(p.fired, 1);
  ck_assert_uint_eq(w.timers.running, 0);
}
END_TEST

START_TEST(zero_delay_is_the_next_tick)
{
  struct probe p = {0};

  timer_init(&p.timer, probe_fire);
  timer_start(&w, &p.timer, 0);
  go_to(5000);
  ck_assert_uint_eq(p.fired, 0);
  go_to(5001);
  ck_assert_uint_eq(p.fired, 1);
}
END_TEST

START_TEST(stop_and_restart)
{
  struct probe p = {0};

  timer_init(&p.timer, probe_fire);
  timer_stop(&w, &p.timer);
  timer_start(&w, &p.timer, 10);
  timer_stop(&w, &p.timer);
  timer_stop(&w, &p.timer);
  ck_assert(!timer_running(&p.timer));
  ck_assert_uint_eq(timers_next(&w.timers, 5000), UINT64_MAX);
  timer_start(&w, &p.timer, 10);
  timer_start(&w, &p.timer, 300);
  ck_assert_uint_eq(w.timers.running, 1);
  go_to(5299);
  ck_assert_uint_eq(p.fired, 0);
  go_to(5300);
  ck_assert_uint_eq(p.fired, 1);
}
END_TEST

/* The cached time of the turn is 400 ms old when the timer is started, and the
 * clock stands between two ticks. */
START_TEST(tells_what_is_left)
{
  struct probe p = {.fired = 0};

  timer_init(&p.timer, probe_fire);
  w.now_us = fake_us;
  ck_assert_uint_eq(timer_left_ms(&w, &p.timer), 0);
  timer_start(&w, &p.timer, 100);
  ck_assert_uint_eq(timer_left_ms(&w, &p.timer), 100);
  w.now_us += 40500;
  ck_assert_uint_eq(timer_left_ms(&w, &p.timer), 60);
  w.now_us += 60000; /* due, and not run yet */
  ck_assert_uint_eq(timer_left_ms(&w, &p.timer), 1);
  timer_stop(&w, &p.timer);
  ck_assert_uint_eq(timer_left_ms(&w, &p.timer), 0);
}
END_TEST

START_TEST(never_early_in_a_long_turn)
{
  struct probe p = {0};

  timer_init(&p.timer, probe_fire);
  fake_us = 5400001;
  timer_start(&w, &p.timer, 100);
  timers_advance(&w.timers, 5500);
  ck_assert_uint_eq(p.fired, 0);
  timers_advance(&w.timers, 5501);
  ck_assert_uint_eq(p.fired, 1);
}
END_TEST

START_TEST(far_delays_are_cut)
{
  struct probe p = {0};

  timer_init(&p.timer, probe_fire);
  timer_start(&w, &p.timer, UINT64_MAX);
  ck_assert_uint_eq(p.timer.due_ms, 5000 + UINT64_C(0xffffffff));
  go_to(5000 + UINT64_C(0xfffffffe));
  ck_assert_uint_eq(p.fired, 0);
  go_to(5000 + UINT64_C(0xffffffff));
  ck_assert_uint_eq(p.fired, 1);
}
END_TEST

static void stop_other(struct timer *t)
{
  struct probe *p = CONTAINER_OF(t, struct probe, timer);

  probe_fire(t);
  timer_stop(&w, &p->other->timer);
}

START_TEST(callback_stops_one_of_the_same_tick)
{
  struct probe a = {0}, b = {0}, c = {0};

  timer_init(&a.timer, stop_other);
  timer_init(&b.timer, probe_fire);
  timer_init(&c.timer, probe_fire);
  a.other = &b;
  timer_start(&w, &a.timer, 7);
  timer_start(&w, &b.timer, 7);
  timer_start(&w, &c.timer, 7);
  go_to(5100);
  ck_assert_uint_eq(a.fired, 1);
  ck_assert_uint_eq(b.fired, 0);
  ck_assert_uint_eq(c.fired, 1);
  ck_assert_uint_eq(w.timers.running, 0);
}
END_TEST

static void restart_other(struct timer *t)
{
  struct probe *p = CONTAINER_OF(t, struct probe, timer);

  probe_fire(t);
  timer_start(&w, &p->other->timer, p->restart_ms);
}

START_TEST(callback_restarts_itself_and_others)
{
  struct probe a = {0}, b = {0};

  timer_init(&a.timer, restart_other);
  timer_init(&b.timer, probe_fire);
  a.other = &a;
  timer_start(&w, &a.timer, 1);
  for (uint64_t ms = 5001; ms <= 5010; ms++)
    go_to(ms);
  ck_assert_uint_eq(a.fired, 10);
  a.other = &b;
  a.restart_ms = 256;
  timer_start(&w, &b.timer, 1);
  go_to(5011);
  /* b was due in the same tick and has been put off by a, or came first. */
  ck_assert_uint_eq(a.fired, 11);
  ck_assert_uint_eq(timer_running(&b.timer), 1);
  ck_assert_uint_eq(b.timer.due_ms, 5011 + 256);
  go_to(5266);
  ck_assert_uint_eq(b.fired_ms == 5267, 0);
  go_to(5267);
  ck_assert_uint_eq(b.fired_ms, 5267);
}
END_TEST

/* After a long sleep a timer that restarts itself runs once, not as often as
 * ticks have passed. */
START_TEST(catching_up_does_not_loop)
{
  struct probe a = {0};

  timer_init(&a.timer, restart_other);
  a.other = &a;
  timer_start(&w, &a.timer, 1);
  go_to(1000000000);
  ck_assert_uint_eq(a.fired, 1);
  ck_assert_uint_eq(timers_next(&w.timers, 1000000000), 1);
  timer_stop(&w, &a.timer);
}
END_TEST

static void free_self(struct timer *t)
{
  free(CONTAINER_OF(t, struct probe, timer));
}

START_TEST(callback_frees_its_owner)
{
  for (uint64_t i = 0; i < 3; i++) {
    struct probe *p = calloc(1, sizeof(*p));

    ck_assert_ptr_nonnull(p);
    timer_init(&p->timer, free_self);
    timer_start(&w, &p->timer, 5);
  }
  go_to(5005);
  ck_assert_uint_eq(w.timers.running, 0);
}
END_TEST

START_TEST(freed_wheel_leaves_timers_stopped)
{
  struct probe p = {0};

  timer_init(&p.timer, probe_fire);
  timer_start(&w, &p.timer, 5);
  timers_free(&w.timers);
  ck_assert(!timer_running(&p.timer));
  timer_stop(&w, &p.timer);
}
END_TEST

/* A random walk against a plain array: each timer fires exactly at its tick,
 * whatever level it went through, and the announced next tick is never late
 * and never nothing but an empty slot. */
static uint32_t seed;

static uint32_t random_below(uint32_t n)
{
  seed = seed * 1664525u + 1013904223u;
  return (uint32_t)(((uint64_t)seed * n) >> 32);
}

enum { TIMERS = 200 };
static struct probe probes[TIMERS];
static uint64_t expected[TIMERS]; /* 0: not running */

static void model_fire(struct timer *t)
{
  struct probe *p = CONTAINER_OF(t, struct probe, timer);
  size_t i = (size_t)(p - probes);

  ck_assert_uint_eq(expected[i], w.timers.now_ms);
  expected[i] = 0;
  p->fired++;
  if (random_below(4) == 0) {
    size_t other = random_below(TIMERS);

    timer_stop(&w, &probes[other].timer);
    expected[other] = 0;
  }
}

START_TEST(agrees_with_a_model)
{
  static const uint32_t spans[] = {3,     256,      300,       65536,
                                   70000, 20000000, 0xffffffff};
  uint64_t now = 5000, fired = 0;

  seed = (uint32_t)_i * 7919u + 1;
  now += (uint64_t)random_below(0xffffffff) * (uint64_t)_i;
  timers_free(&w.timers);
  ck_assert_int_eq(timers_init(&w.timers, now), WPS_OK);
  fake_us = (int64_t)now * 1000;
  for (size_t i = 0; i < TIMERS; i++) {
    timer_init(&probes[i].timer, model_fire);
    probes[i].fired = 0;
    expected[i] = 0;
  }
  for (int step = 0; step < 20000; step++) {
    size_t i = random_below(TIMERS);
    uint64_t delay = random_below(spans[random_below(ARRAY_LEN(spans))]);
    uint64_t next, first = UINT64_MAX;

    if (random_below(3) == 0) {
      timer_stop(&w, &probes[i].timer);
      expected[i] = 0;
    } else {
      timer_start(&w, &probes[i].timer, delay);
      expected[i] = now + (delay == 0 ? 1 : delay);
    }
    if (random_below(3) != 0)
      continue;
    for (size_t j = 0; j < TIMERS; j++) {
      ck_assert_int_eq(timer_running(&probes[j].timer), expected[j] != 0);
      if (expected[j] != 0 && expected[j] < first)
        first = expected[j];
    }
    next = timers_next(&w.timers, now);
    if (first == UINT64_MAX) {
      ck_assert_uint_eq(next, UINT64_MAX);
      continue;
    }
    ck_assert_uint_le(now + next, first);
    if (first - now < 256 - (now & 255))
      ck_assert_uint_eq(now + next, first);
    /* By what is announced, or by any stride. */
    now += random_below(2) == 0 ? next : random_below(100000);
    fake_us = (int64_t)now * 1000;
    timers_advance(&w.timers, now);
    for (size_t j = 0; j < TIMERS; j++) {
      ck_assert(expected[j] == 0 || expected[j] > now);
      fired += probes[j].fired;
      probes[j].fired = 0;
    }
  }
  ck_assert_uint_gt(fired, 1000);
  for (size_t i = 0; i < TIMERS; i++)
    timer_stop(&w, &probes[i].timer);
  ck_assert_uint_eq(timers_next(&w.timers, now), UINT64_MAX);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("timer");
  TCase *tc = tcase_create("timer");
  SRunner *r;
  int failed;

  tcase_set_timeout(tc, 60);
  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_add_test(tc, fires_once_when_due);
  tcase_add_test(tc, zero_delay_is_the_next_tick);
  tcase_add_test(tc, stop_and_restart);
  tcase_add_test(tc, tells_what_is_left);
  tcase_add_test(tc, never_early_in_a_long_turn);
  tcase_add_test(tc, far_delays_are_cut);
  tcase_add_test(tc, callback_stops_one_of_the_same_tick);
  tcase_add_test(tc, callback_restarts_itself_and_others);
  tcase_add_test(tc, catching_up_does_not_loop);
  tcase_add_test(tc, callback_frees_its_owner);
  tcase_add_test(tc, freed_wheel_leaves_timers_stopped);
  tcase_add_loop_test(tc, agrees_with_a_model, 0, 4);
  suite_add_tcase(s, tc);
  r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
