/* SPDX-License-Identifier: Apache-2.0 */
/* plug/instance, plug/drain: the order of calls, and back again on failure. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plug/plugin.h"
#include "plug/reply.h"
#include "plug/status_name.h"
#include "tests/unit/on_worker.h"

/* Calls in order: "+a" created, "-a" destroyed, ">a" and "<a" worker start and
 * stop, "~a" drained. One at a time, so a lock is enough. */
static char calls[512];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *fails;      /* the call that fails */
static struct wps_reply *kept; /* drain() of "late" */

static int called(char what, const char *name)
{
  char word[32];
  int rc;

  snprintf(word, sizeof(word), "%c%s", what, name);
  pthread_mutex_lock(&lock);
  snprintf(calls + strlen(calls), sizeof(calls) - strlen(calls), "%s ", word);
  rc = fails != NULL && strcmp(fails, word) == 0 ? WPS_EUNAVAILABLE : WPS_OK;
  pthread_mutex_unlock(&lock);
  return rc;
}

static int create(struct wps_instance *self, const struct wps_config *cfg,
                  void *old, void **inst)
{
  (void)cfg;
  ck_assert_ptr_null(old);
  *inst = self;
  return called('+', self->name);
}

static void destroy(void *inst)
{
  called('-', ((struct wps_instance *)inst)->name);
}

static int worker_start(void *inst, struct wps_worker *worker, void **wstate)
{
  struct wps_instance *self = inst;

  *wstate = self->name;
  if (worker->index == 0)
    return called('>', self->name);
  return WPS_OK;
}

static void worker_stop(void *inst, void *wstate)
{
  ck_assert_ptr_eq(wstate, ((struct wps_instance *)inst)->name);
  if (worker_current()->index == 0)
    called('<', wstate);
}

static void drain(void *inst, struct wps_reply *reply)
{
  struct wps_instance *self = inst;

  called('~', self->name);
  if (strcmp(self->name, "late") == 0)
    kept = reply;
  else
    reply_api.ok(reply);
}

#define COMPONENT(kind_)                                                       \
  {                                                                            \
    .struct_size = sizeof(struct wps_component), .kind = (kind_), .name = "x", \
    .create = create, .destroy = destroy, .worker_start = worker_start,        \
    .worker_stop = worker_stop, .drain = drain                                 \
  }

static const struct wps_component subprotocol = COMPONENT(WPS_KIND_SUBPROTOCOL);
static const struct wps_component auth = COMPONENT(WPS_KIND_AUTH);
static const struct wps_component upstream = COMPONENT(WPS_KIND_UPSTREAM);
static const struct wps_component http = COMPONENT(WPS_KIND_HTTP);
/* Built against a version that had no drain(). */
static const struct wps_component older = {
    .struct_size = offsetof(struct wps_component, drain),
    .kind = WPS_KIND_HTTP,
    .name = "y",
    .create = create,
    .destroy = destroy,
    .drain = (void (*)(void *, struct wps_reply *))(uintptr_t)1,
};

static struct instances all;

static struct wps_instance *add(const char *name,
                                const struct wps_component *component)
{
  struct wps_instance *i = instances_add(&all, name, component, NULL, NULL);

  ck_assert_ptr_nonnull(i);
  return i;
}

static void setup(void)
{
  memset(&all, 0, sizeof(all));
  calls[0] = '\0';
  fails = NULL;
  kept = NULL;
  add("h", &http);
  add("s1", &subprotocol);
  add("a1", &auth);
  add("u", &upstream);
  add("s2", &subprotocol);
  add("a2", &auth);
}

static int start(struct wps_worker *w, void *arg)
{
  return instances_worker_start(arg, w);
}

static void stop(struct wps_worker *w, void *arg)
{
  instances_worker_stop(arg, w);
}

START_TEST(test_orders)
{
  const struct worker_hooks hooks = {start, stop, &all};
  struct workers *ws = workers_new(2);
  char why[256];

  ck_assert_uint_eq(all.items[3]->id, 3);
  ck_assert_int_eq(instances_create(&all, why, sizeof(why)), WPS_OK);
  ck_assert_str_eq(calls, "+a1 +a2 +u +s1 +s2 +h ");
  calls[0] = '\0';
  ck_assert_int_eq(workers_start(ws, &hooks, 1), WPS_OK);
  ck_assert_str_eq(calls, ">a1 >a2 >u >s1 >s2 >h ");
  ck_assert_ptr_eq(instance_worker_state(all.items[4], workers_at(ws, 1)),
                   all.items[4]->name);
  calls[0] = '\0';
  workers_stop(ws);
  ck_assert_str_eq(calls, "<h <s2 <s1 <u <a2 <a1 ");
  workers_free(ws);
  calls[0] = '\0';
  instances_destroy(&all);
  ck_assert_str_eq(calls, "-h -s2 -s1 -u -a2 -a1 ");
}
END_TEST

START_TEST(test_create_fails)
{
  char why[256];

  fails = "+s1";
  ck_assert_int_eq(instances_create(&all, why, sizeof(why)), WPS_EUNAVAILABLE);
  ck_assert_str_eq(calls, "+a1 +a2 +u +s1 -u -a2 -a1 ");
  ck_assert_str_eq(why, "s1: could not be created: EUNAVAILABLE");
  instances_destroy(&all);
  ck_assert_str_eq(calls, "+a1 +a2 +u +s1 -u -a2 -a1 ");
}
END_TEST

START_TEST(test_worker_start_fails)
{
  const struct worker_hooks hooks = {start, stop, &all};
  struct workers *ws = workers_new(2);
  char why[256];

  fails = ">s2";
  ck_assert_int_eq(instances_create(&all, why, sizeof(why)), WPS_OK);
  calls[0] = '\0';
  ck_assert_int_eq(workers_start(ws, &hooks, 1), WPS_EUNAVAILABLE);
  ck_assert_str_eq(calls, ">a1 >a2 >u >s1 >s2 <s1 <u <a2 <a1 ");
  workers_free(ws);
  instances_destroy(&all);
}
END_TEST

static void drained(void *arg)
{
  called('!', "");
  workers_quit(arg);
}

START_TEST(test_drain)
{
  struct workers *ws = workers_new(1);
  char why[256];

  add("old", &older);
  ck_assert_int_eq(instances_create(&all, why, sizeof(why)), WPS_OK);
  ck_assert_int_eq(workers_start(ws, NULL, 0), WPS_OK);
  calls[0] = '\0';
  ck_assert_int_eq(instances_drain(&all, workers_main(ws), 60000, drained, ws),
                   WPS_OK);
  ck_assert_str_eq(calls, "");
  workers_run(ws);
  ck_assert_str_eq(calls, "~h ~s1 ~s2 ~u ~a1 ~a2 ! ");
  workers_stop(ws);
  workers_free(ws);
  instances_destroy(&all);
}
END_TEST

START_TEST(test_drain_waits_for_replies)
{
  struct workers *ws = workers_new(1);
  struct timespec begin, end;
  char why[256];

  add("late", &http);
  ck_assert_int_eq(instances_create(&all, why, sizeof(why)), WPS_OK);
  ck_assert_int_eq(workers_start(ws, NULL, 0), WPS_OK);
  calls[0] = '\0';
  clock_gettime(CLOCK_MONOTONIC, &begin);
  ck_assert_int_eq(instances_drain(&all, workers_main(ws), 100, drained, ws),
                   WPS_OK);
  workers_run(ws);
  clock_gettime(CLOCK_MONOTONIC, &end);
  /* The deadline ended it before the next kind was asked. */
  ck_assert_str_eq(calls, "~h ~late ! ");
  ck_assert_int_ge((end.tv_sec - begin.tv_sec) * 1000 +
                       (end.tv_nsec - begin.tv_nsec) / 1000000,
                   95);
  ck_assert(reply_api.abandoned(kept));
  reply_api.ok(kept);
  workers_stop(ws);
  workers_free(ws);
  instances_destroy(&all);
}
END_TEST

START_TEST(test_status_names)
{
  ck_assert_str_eq(status_name(WPS_OK), "OK");
  ck_assert_str_eq(status_name(WPS_EAGAIN), "EAGAIN");
  ck_assert_str_eq(status_name(WPS_EINTERNAL), "EINTERNAL");
  ck_assert_str_eq(status_name(1), "?");
}
END_TEST

static void nobody(void *arg, struct reply_result *result)
{
  (void)arg;
  (void)result;
}

/* Not destroyed and so not freed: kept where a leak checker sees it. */
static struct wps_instance *left;

START_TEST(test_destroyed_while_it_owes)
{
  struct workers *ws = workers_new(1);
  struct wps_reply *owed;
  char why[256];

  ck_assert_int_eq(instances_create(&all, why, sizeof(why)), WPS_OK);
  owed = reply_new(workers_main(ws), all.items[1], 0, nobody, NULL);
  reply_abandon(owed);
  left = all.items[1];
  instances_destroy(&all); /* debug builds abort */
  ck_assert_ptr_null(strstr(calls, "-s1 "));
  ck_assert_ptr_nonnull(strstr(calls, "-s2 "));
  reply_api.ok(owed);
  workers_free(ws);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("instance");
  TCase *tc = tcase_create("instance");
  SRunner *sr;
  int failed;

  tcase_add_checked_fixture(tc, setup, NULL);
  tcase_set_timeout(tc, 30);
  tcase_add_test(tc, test_orders);
  tcase_add_test(tc, test_create_fails);
  tcase_add_test(tc, test_worker_start_fails);
  tcase_add_test(tc, test_drain);
  tcase_add_test(tc, test_drain_waits_for_replies);
  tcase_add_test(tc, test_status_names);
#ifdef WPS_DEBUG
  tcase_add_test_raise_signal(tc, test_destroyed_while_it_owes, SIGABRT);
#else
  tcase_add_test(tc, test_destroyed_while_it_owes);
#endif
  suite_add_tcase(s, tc);
  sr = srunner_create(s);
  srunner_run_all(sr, CK_NORMAL);
  failed = srunner_ntests_failed(sr);
  srunner_free(sr);
  return failed != 0;
}
