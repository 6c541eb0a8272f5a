/* SPDX-License-Identifier: Apache-2.0 */
/* Taps that publish: what comes back to where it began is refused. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "hub/fanout.h"
#include "hub/tap.h"
#include "plug/plugin.h"

enum { GROUPS = 20 };

static const struct hub_settings settings[] = {
    {.pattern = {"*", 1}, .ping_interval_ms = 1000}};
static const struct hub_ops ops; /* there are no clients */

static struct workers *workers;
static struct hubs *hubs;
static struct wps_worker *w;
static char names[GROUPS][8];

/* Hears a group, and publishes to another one. */
struct ear {
  struct wps_tap *tap;
  struct wps_target to;
  unsigned heard;
  int status; /* of its latest publish */
};

static struct ear ears[GROUPS];

static int publish(const struct wps_target *t)
{
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .kind = WPS_MSG_DATA,
                                  .data_type = WPS_DATA_TEXT,
                                  .data = {"hi", 2}};
  struct wps_message *m = message_api.create(&info);
  uint64_t receivers;
  bool later;
  int rc = hub_publish(w, t, NULL, m, NULL, &receivers, &later);

  message_unref(m);
  return rc;
}

static struct wps_target group(unsigned n)
{
  return (struct wps_target){.struct_size = sizeof(struct wps_target),
                             .kind = WPS_TO_GROUP,
                             .hub = STR("chat"),
                             .name = str_from(names[n])};
}

static void hear(void *arg, struct wps_message *msg)
{
  struct ear *e = arg;

  (void)msg;
  e->heard++;
  if (e->to.kind != 0)
    e->status = publish(&e->to);
}

static void setup(void)
{
  workers = workers_new(1);
  hubs = hubs_new(workers, settings, ARRAY_LEN(settings), 3);
  w = workers_at(workers, 0);
  ck_assert_int_eq(hub_worker_start(w, hubs, &ops), WPS_OK);
  for (unsigned i = 0; i < GROUPS; i++) {
    snprintf(names[i], sizeof(names[i]), "g%u", i);
    ears[i] = (struct ear){.tap = NULL};
    ck_assert_int_eq(tap_new(w, STR("chat"), str_from(names[i]), hear, &ears[i],
                             &ears[i].tap),
                     WPS_OK);
  }
}

static void teardown(void)
{
  ck_assert_uint_eq(w->hubs->telling, 0);
  for (unsigned i = 0; i < GROUPS; i++)
    tap_free(ears[i].tap);
  hub_worker_stop(w);
  hubs_free(hubs);
  workers_free(workers);
}

START_TEST(its_own_group)
{
  struct wps_target g = group(0);

  ears[0].to = g;
  ck_assert_int_eq(publish(&g), WPS_OK);
  ck_assert_uint_eq(ears[0].heard, 1);
  ck_assert_int_eq(ears[0].status, WPS_ELIMIT);
  /* And that was that. */
  ck_assert_int_eq(publish(&g), WPS_OK);
  ck_assert_uint_eq(ears[0].heard, 2);
}
END_TEST

START_TEST(back_through_another)
{
  struct wps_target g = group(0);

  ears[0].to = group(1);
  ears[1].to = group(0);
  ck_assert_int_eq(publish(&g), WPS_OK);
  ck_assert_uint_eq(ears[0].heard, 1);
  ck_assert_uint_eq(ears[1].heard, 1);
  ck_assert_int_eq(ears[0].status, WPS_OK);
  ck_assert_int_eq(ears[1].status, WPS_ELIMIT);
}
END_TEST

START_TEST(deep)
{
  struct wps_target g = group(0);

  for (unsigned i = 0; i + 1 < GROUPS; i++)
    ears[i].to = group(i + 1);
  ck_assert_int_eq(publish(&g), WPS_OK);
  for (unsigned i = 0; i < 8; i++) {
    ck_assert_uint_eq(ears[i].heard, 1);
    ck_assert_int_eq(ears[i].status, i < 7 ? WPS_OK : WPS_ELIMIT);
  }
  ck_assert_uint_eq(ears[8].heard, 0);
}
END_TEST

/* What no tap hears may go anywhere. */
START_TEST(unheard)
{
  struct wps_target g = group(0);

  ears[0].to = (struct wps_target){.struct_size = sizeof(struct wps_target),
                                   .kind = WPS_TO_HUB,
                                   .hub = STR("chat")};
  ck_assert_int_eq(publish(&g), WPS_OK);
  ck_assert_int_eq(ears[0].status, WPS_OK);
  ears[0].to = group(1);
  ears[0].to.name = STR("nobody's");
  ck_assert_int_eq(publish(&g), WPS_OK);
  ck_assert_int_eq(ears[0].status, WPS_OK);
  ck_assert_uint_eq(ears[0].heard, 2);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("taps");
  TCase *tc = tcase_create("all");
  SRunner *runner;
  int failed;

  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_add_test(tc, its_own_group);
  tcase_add_test(tc, back_through_another);
  tcase_add_test(tc, deep);
  tcase_add_test(tc, unheard);
  suite_add_tcase(suite, tc);
  runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
