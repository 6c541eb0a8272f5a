/* SPDX-License-Identifier: Apache-2.0 */
/* plug/reply: who comes first, on which thread, and what is freed. */
#include <check.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "plug/plugin.h"
#include "plug/reply.h"
#include "tests/unit/on_worker.h"

static struct workers *ws;
static struct wps_instance instance = {.name = (char *)"auth-test"};

/* One question and what became of it. */
struct asked {
  struct wps_reply *reply;
  uint64_t timeout_ms;
  bool take; /* fn takes the value */
  /* what fn saw */
  int runs;
  uint32_t worker, kind;
  int status;
  char detail[64];
  void *value;
  /* what was released */
  atomic_int freed, released;
  sem_t *answered; /* NULL: nobody waits for it */
  /* on_abandon */
  atomic_int told;
  uint32_t told_on;
  int watch_status;
  bool finish_when_told;
};

static void setup(void)
{
  ws = workers_new(2);
  ck_assert_ptr_nonnull(ws);
  ck_assert_int_eq(workers_start(ws, NULL, 0), WPS_OK);
  atomic_store(&instance.replies_owed, 0);
}

static void teardown(void)
{
  workers_stop(ws);
  workers_free(ws);
  ck_assert_uint_eq(atomic_load(&instance.replies_owed), 0);
}

static void answered(void *arg, struct reply_result *result)
{
  struct asked *a = arg;

  a->runs++;
  a->worker = worker_current()->index;
  a->kind = result->kind;
  a->status = result->status;
  a->value = result->value;
  snprintf(a->detail, sizeof(a->detail), "%.*s", STR_ARG(result->detail));
  if (a->take)
    result->value = NULL;
  if (a->answered != NULL)
    sem_post(a->answered);
}

static void value_freed(void *arg)
{
  atomic_fetch_add(&((struct asked *)arg)->freed, 1);
}

static void released(void *arg)
{
  atomic_fetch_add(&((struct asked *)arg)->released, 1);
}

static void ask(void *arg)
{
  struct asked *a = arg;

  a->reply = reply_new(worker_current(), &instance, a->timeout_ms, answered, a);
  ck_assert_ptr_nonnull(a->reply);
  reply_hold(a->reply, released, a);
}

static void give_up(void *arg)
{
  reply_abandon(((struct asked *)arg)->reply);
}

static void finish_ok(void *arg)
{
  struct asked *a = arg;

  reply_api.ok(a->reply);
  if (worker_current()->index == 0)
    ck_assert_int_eq(a->runs, 0); /* never inside the call */
}

static void finish_value(void *arg)
{
  struct asked *a = arg;

  reply_finish(a->reply, REPLY_ANSWER, WPS_OK, STR("with a value"), a,
               value_freed);
}

static void told(void *arg)
{
  struct asked *a = arg;

  a->told_on = worker_current()->index;
  if (a->finish_when_told)
    reply_api.fail(a->reply, WPS_ECANCELED, STR_NONE);
  atomic_fetch_add(&a->told, 1);
}

static void watch(void *arg)
{
  struct asked *a = arg;

  a->watch_status = reply_api.on_abandon(a->reply, worker_current(), told, a);
}

static sem_t answer_came;

static void await_answer(void)
{
  while (sem_wait(&answer_came) != 0)
    ;
}

static void ask_and_watch(void *arg)
{
  ask(arg);
  watch(arg);
}

static void settle(void)
{
  worker_turn(ws, 0);
  worker_turn(ws, 1);
  worker_turn(ws, 0);
}

START_TEST(test_same_worker)
{
  struct asked a = {.runs = 0};

  on_worker(ws, 0, ask, &a);
  ck_assert_uint_eq(atomic_load(&instance.replies_owed), 1);
  on_worker(ws, 0, finish_ok, &a);
  settle();
  ck_assert_int_eq(a.runs, 1);
  ck_assert_uint_eq(a.worker, 0);
  ck_assert_uint_eq(a.kind, REPLY_OK);
  ck_assert_int_eq(a.released, 1);
}
END_TEST

START_TEST(test_other_threads)
{
  struct asked a = {.runs = 0}, b = {.runs = 0};

  on_worker(ws, 0, ask, &a);
  on_worker(ws, 1, finish_ok, &a);
  on_worker(ws, 0, ask, &b);
  reply_api.fail(b.reply, WPS_EFORBIDDEN, STR("not you")); /* foreign thread */
  settle();
  ck_assert_int_eq(a.runs, 1);
  ck_assert_uint_eq(a.worker, 0);
  ck_assert_int_eq(b.runs, 1);
  ck_assert_uint_eq(b.worker, 0);
  ck_assert_uint_eq(b.kind, REPLY_FAIL);
  ck_assert_int_eq(b.status, WPS_EFORBIDDEN);
  ck_assert_str_eq(b.detail, "not you");
  ck_assert_int_eq(b.released, 1);
}
END_TEST

START_TEST(test_decline_and_bad_status)
{
  struct asked a = {.runs = 0}, b = {.runs = 0}, c = {.runs = 0};

  on_worker(ws, 0, ask, &a);
  on_worker(ws, 0, ask, &b);
  on_worker(ws, 0, ask, &c);
  reply_api.decline(a.reply);
  reply_api.fail(b.reply, 7, STR_NONE);
  reply_api.fail(c.reply, -1000, STR_NONE);
  settle();
  ck_assert_uint_eq(a.kind, REPLY_DECLINE);
  ck_assert_int_eq(b.status, WPS_EINTERNAL);
  ck_assert_int_eq(c.status, WPS_EINTERNAL);
}
END_TEST

START_TEST(test_value_is_freed_or_taken)
{
  struct asked a = {.runs = 0}, b = {.take = true}, c = {.runs = 0};

  on_worker(ws, 0, ask, &a);
  on_worker(ws, 0, ask, &b);
  on_worker(ws, 0, ask, &c);
  finish_value(&a);
  on_worker(ws, 1, finish_value, &b);
  on_worker(ws, 0, give_up, &c);
  on_worker(ws, 1, finish_value, &c); /* nobody waits: freed at once */
  settle();
  ck_assert_ptr_eq(a.value, &a);
  ck_assert_str_eq(a.detail, "with a value");
  ck_assert_int_eq(a.freed, 1);
  ck_assert_int_eq(b.runs, 1);
  ck_assert_int_eq(b.freed, 0);
  ck_assert_int_eq(c.runs, 0);
  ck_assert_int_eq(c.freed, 1);
  ck_assert_int_eq(c.released, 1);
}
END_TEST

static void finish_and_give_up(void *arg)
{
  finish_value(arg);
  give_up(arg);
}

START_TEST(test_abandoned_with_the_result_under_way)
{
  struct asked a = {.runs = 0};

  on_worker(ws, 0, ask, &a);
  on_worker(ws, 0, finish_and_give_up, &a);
  settle();
  ck_assert_int_eq(a.runs, 0);
  ck_assert_int_eq(a.freed, 1);
  ck_assert_int_eq(a.released, 1);
}
END_TEST

START_TEST(test_held_until_the_plugin_has_finished)
{
  struct asked a = {.runs = 0};

  on_worker(ws, 0, ask, &a);
  ck_assert(!reply_api.abandoned(a.reply));
  on_worker(ws, 0, give_up, &a);
  settle();
  ck_assert(reply_api.abandoned(a.reply));
  ck_assert_int_eq(a.released, 0);
  ck_assert_uint_eq(atomic_load(&instance.replies_owed), 1);
  reply_api.ok(a.reply);
  ck_assert_int_eq(a.released, 1);
  settle();
  ck_assert_int_eq(a.runs, 0);
}
END_TEST

START_TEST(test_deadline)
{
  struct asked a = {.timeout_ms = 20, .answered = &answer_came};
  struct asked b = {.timeout_ms = 60000};

  ck_assert_int_eq(sem_init(&answer_came, 0, 0), 0);
  on_worker(ws, 0, ask, &a);
  on_worker(ws, 0, ask, &b);
  ck_assert_int_lt(reply_api.deadline_us(a.reply),
                   reply_api.deadline_us(b.reply));
  await_answer();
  settle();
  ck_assert_int_eq(a.runs, 1);
  ck_assert_uint_eq(a.kind, REPLY_FAIL);
  ck_assert_int_eq(a.status, WPS_ETIMEOUT);
  ck_assert(reply_api.abandoned(a.reply));
  ck_assert_int_eq(a.released, 0);
  finish_value(&a); /* too late, but owed */
  settle();
  ck_assert_int_eq(a.runs, 1);
  ck_assert_int_eq(a.freed, 1);
  ck_assert_int_eq(a.released, 1);
  on_worker(ws, 0, finish_ok, &b);
  settle();
  ck_assert_int_eq(b.runs, 1);
}
END_TEST

START_TEST(test_no_deadline)
{
  struct asked a = {.runs = 0};

  on_worker(ws, 0, ask, &a);
  ck_assert(reply_api.deadline_us(a.reply) == INT64_MAX);
  reply_api.ok(a.reply);
  settle();
}
END_TEST

START_TEST(test_told_on_its_worker)
{
  struct asked a = {.runs = 0}, b = {.runs = 0};

  on_worker(ws, 0, ask, &a);
  on_worker(ws, 0, ask, &b);
  on_worker(ws, 0, watch, &a);
  ck_assert_int_eq(a.watch_status, WPS_OK);
  on_worker(ws, 0, watch, &a);
  ck_assert_int_eq(a.watch_status, WPS_EEXIST);
  on_worker(ws, 1, watch, &b);
  on_worker(ws, 0, give_up, &a);
  on_worker(ws, 0, give_up, &b);
  settle();
  ck_assert_int_eq(a.told, 1);
  ck_assert_uint_eq(a.told_on, 0);
  ck_assert_int_eq(b.told, 1);
  ck_assert_uint_eq(b.told_on, 1);
  reply_api.ok(a.reply);
  reply_api.ok(b.reply);
}
END_TEST

START_TEST(test_finished_when_told)
{
  struct asked a = {.finish_when_told = true};
  struct asked b = {
      .finish_when_told = true, .timeout_ms = 10, .answered = &answer_came};

  ck_assert_int_eq(sem_init(&answer_came, 0, 0), 0);
  on_worker(ws, 0, ask, &a);
  on_worker(ws, 1, watch, &a);
  on_worker(ws, 0, give_up, &a);
  on_worker(ws, 0, ask_and_watch, &b);
  await_answer();
  settle();
  ck_assert_int_eq(a.told, 1);
  ck_assert_int_eq(a.runs, 0);
  ck_assert_int_eq(a.released, 1);
  ck_assert_int_eq(b.told, 1);
  ck_assert_int_eq(b.status, WPS_ETIMEOUT);
  ck_assert_int_eq(b.released, 1);
}
END_TEST

START_TEST(test_watched_too_late)
{
  struct asked a = {.runs = 0};

  on_worker(ws, 0, ask, &a);
  on_worker(ws, 0, give_up, &a);
  on_worker(ws, 1, watch, &a);
  ck_assert_int_eq(a.watch_status, WPS_ECLOSED);
  settle();
  ck_assert_int_eq(a.told, 0);
  reply_api.ok(a.reply);
}
END_TEST

static void give_up_then_finish(void *arg)
{
  give_up(arg);
  reply_api.ok(((struct asked *)arg)->reply);
}

START_TEST(test_not_told_after_finishing)
{
  struct asked a = {.runs = 0}, b = {.runs = 0};

  on_worker(ws, 0, ask, &a);
  on_worker(ws, 0, watch, &a);
  on_worker(ws, 0, give_up_then_finish, &a);
  on_worker(ws, 0, ask, &b);
  on_worker(ws, 0, watch, &b);
  on_worker(ws, 0, finish_ok, &b);
  settle();
  ck_assert_int_eq(a.told, 0);
  ck_assert_int_eq(b.told, 0);
  ck_assert_int_eq(b.runs, 1);
}
END_TEST

START_TEST(test_stopped_worker)
{
  struct asked a = {.runs = 0};

  on_worker(ws, 0, ask, &a);
  on_worker(ws, 0, give_up, &a);
  workers_stop(ws);
  reply_api.ok(a.reply);
  ck_assert_int_eq(a.runs, 0);
  ck_assert_int_eq(a.released, 1);
}
END_TEST

/* Finishing, abandoning, deadlines and watching at once, a few thousand times:
 * exactly one outcome each. For the thread sanitizer above all. */

enum { RACES = 4000 };
static struct asked races[RACES];

static void *race_finish(void *arg)
{
  (void)arg;
  for (size_t i = 0; i < RACES; i++)
    finish_value(&races[i]);
  return NULL;
}

static void race_watch(void *arg)
{
  (void)arg;
  for (size_t i = 0; i < RACES; i += 3)
    watch(&races[i]);
}

static void race_give_up(void *arg)
{
  (void)arg;
  for (size_t i = 0; i < RACES; i += 2)
    if (races[i].runs == 0)
      reply_abandon(races[i].reply);
}

START_TEST(test_races)
{
  pthread_t thread;
  int gone = 0;

  memset(races, 0, sizeof(races));
  for (size_t i = 0; i < RACES; i++) {
    races[i].timeout_ms = i % 2 == 1 ? 1 + i % 5 : 0;
    on_worker(ws, 0, ask, &races[i]);
  }
  on_worker(ws, 1, race_watch, NULL);
  ck_assert_int_eq(pthread_create(&thread, NULL, race_finish, NULL), 0);
  on_worker(ws, 0, race_give_up, NULL);
  ck_assert_int_eq(pthread_join(thread, NULL), 0);
  settle();
  for (size_t i = 0; i < RACES; i++) {
    ck_assert_int_le(races[i].runs, 1);
    ck_assert_int_eq(races[i].freed, 1);
    ck_assert_int_eq(races[i].released, 1);
    ck_assert_int_le(races[i].told, 1);
    gone += races[i].runs == 0;
  }
  ck_assert_int_le(gone, RACES / 2);
}
END_TEST

#ifdef WPS_DEBUG
START_TEST(test_finished_twice_aborts)
{
  struct asked a = {.runs = 0};

  on_worker(ws, 0, ask, &a);
  on_worker(ws, 0, finish_ok, &a);
  settle();
  reply_api.decline(a.reply);
}
END_TEST
#endif

int main(void)
{
  Suite *s = suite_create("reply");
  TCase *tc = tcase_create("reply");
  SRunner *sr;
  int failed;

  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_set_timeout(tc, 60);
  tcase_add_test(tc, test_same_worker);
  tcase_add_test(tc, test_other_threads);
  tcase_add_test(tc, test_decline_and_bad_status);
  tcase_add_test(tc, test_value_is_freed_or_taken);
  tcase_add_test(tc, test_abandoned_with_the_result_under_way);
  tcase_add_test(tc, test_held_until_the_plugin_has_finished);
  tcase_add_test(tc, test_deadline);
  tcase_add_test(tc, test_no_deadline);
  tcase_add_test(tc, test_told_on_its_worker);
  tcase_add_test(tc, test_finished_when_told);
  tcase_add_test(tc, test_watched_too_late);
  tcase_add_test(tc, test_not_told_after_finishing);
  tcase_add_test(tc, test_stopped_worker);
  tcase_add_test(tc, test_races);
#ifdef WPS_DEBUG
  tcase_add_test_raise_signal(tc, test_finished_twice_aborts, SIGABRT);
#endif
  suite_add_tcase(s, tc);
  sr = srunner_create(s);
  srunner_run_all(sr, CK_NORMAL);
  failed = srunner_ntests_failed(sr);
  srunner_free(sr);
  return failed != 0;
}
