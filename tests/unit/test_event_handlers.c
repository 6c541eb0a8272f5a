/* SPDX-License-Identifier: Apache-2.0 */
/* Which handler takes an event: what the configuration names, and what somebody
 * wants. */
#include <check.h>
#include <stdlib.h>

#include "base/str.h"
#include "conn/event_handlers.h"
#include "plug/plugin.h"

static uint32_t wanted; /* WPS_EVENT_* */
static unsigned asked;
static struct wps_worker *w;
static struct workers *all;

static bool wants(void *inst, void *wstate, const struct wps_handler *handler,
                  const struct wps_event *event)
{
  ck_assert_ptr_eq(inst, &wanted);
  ck_assert_ptr_null(wstate);
  ck_assert_ptr_nonnull(handler);
  asked++;
  return (wanted & event->type) != 0;
}

static const struct wps_upstream ops = {.struct_size = sizeof(ops),
                                        .wants = wants};
static const struct wps_component component = {.kind = WPS_KIND_UPSTREAM,
                                               .ops.upstream = &ops};
static struct wps_instance upstream = {.component = &component,
                                       .inst = &wanted};

static void setup(void)
{
  wanted = 0;
  asked = 0;
  all = workers_new(1);
  w = workers_at(all, 0);
}

static void teardown(void)
{
  workers_free(all);
}

/* The index of the handler that takes it, -1: none. */
static int taker(const struct hub_settings *s, const struct wps_event *event)
{
  const struct hub_handler *h = handler_for(w, s, event);

  return h == NULL ? -1 : (int)(h - s->handlers);
}

static int system_taker(const struct hub_settings *s, uint32_t type)
{
  return taker(s, &(struct wps_event){.type = type});
}

static int user_taker(const struct hub_settings *s, const char *name)
{
  return taker(s, &(struct wps_event){.type = WPS_EVENT_MESSAGE,
                                      .name = str_from(name)});
}

static int group_taker(const struct hub_settings *s, uint32_t type,
                       const char *group)
{
  return taker(s, &(struct wps_event){.type = type, .group = str_from(group)});
}

START_TEST(configured)
{
  struct wps_str names[] = {STR("one"), STR("Two")};
  struct wps_str patterns[] = {STR("room-*"), STR("x?")};
  struct hub_handler handlers[] = {
      {.user_events = names, .user_event_count = 2},
      {.events = WPS_EVENT_CONNECT | WPS_EVENT_LEFT | WPS_EVENT_JOINED,
       .presence_groups = patterns,
       .presence_group_count = 2},
      {.events = WPS_EVENT_CONNECT | WPS_EVENT_JOINED | WPS_EVENT_JOIN,
       .all_user_events = true},
  };
  const struct hub_settings s = {.handlers = handlers, .handler_count = 3};
  const struct hub_settings none = {.handler_count = 0};

  ck_assert_int_eq(user_taker(&s, "ONE"), 0);
  ck_assert_int_eq(user_taker(&s, "two"), 0);
  ck_assert_int_eq(user_taker(&s, "three"), 2);
  ck_assert_int_eq(system_taker(&s, WPS_EVENT_CONNECT), 1);
  ck_assert_int_eq(system_taker(&s, WPS_EVENT_DISCONNECTED), -1);
  ck_assert_int_eq(group_taker(&s, WPS_EVENT_JOINED, "room-1"), 1);
  ck_assert_int_eq(group_taker(&s, WPS_EVENT_JOINED, "room-1.a"), 2);
  ck_assert_int_eq(group_taker(&s, WPS_EVENT_LEFT, "x1"), 1);
  ck_assert_int_eq(group_taker(&s, WPS_EVENT_LEFT, "x12"), -1);
  /* Patterns are of presence, not of requests. */
  ck_assert_int_eq(group_taker(&s, WPS_EVENT_JOIN, "any"), 2);
  ck_assert_int_eq(group_taker(&s, WPS_EVENT_PUBLISH, "any"), -1);
  ck_assert_uint_eq(handlers_configured(&s),
                    WPS_EVENT_CONNECT | WPS_EVENT_LEFT | WPS_EVENT_JOINED |
                        WPS_EVENT_JOIN | WPS_EVENT_MESSAGE);
  ck_assert_uint_eq(handlers_may_take(&s), handlers_configured(&s));
  ck_assert_uint_eq(handlers_may_take(&none), 0);
  ck_assert_int_eq(system_taker(&none, WPS_EVENT_CONNECT), -1);
}
END_TEST

START_TEST(wanted_ones)
{
  struct hub_handler handlers[] = {
      {.upstream = &upstream, .dynamic = true, .events = WPS_EVENT_JOIN},
      {.upstream = &upstream, .events = WPS_EVENT_CONNECT},
      {.upstream = &upstream, .dynamic = true, .all_user_events = true},
  };
  const struct hub_settings s = {.handlers = handlers, .handler_count = 3};

  ck_assert_uint_eq(handlers_may_take(&s), UINT32_MAX);
  ck_assert_uint_eq(handlers_configured(&s),
                    WPS_EVENT_JOIN | WPS_EVENT_CONNECT | WPS_EVENT_MESSAGE);
  /* What is configured is not asked about. */
  ck_assert_int_eq(group_taker(&s, WPS_EVENT_JOIN, "g"), 0);
  ck_assert_uint_eq(asked, 0);
  /* In the order of the list, wanted and configured alike. */
  ck_assert_int_eq(system_taker(&s, WPS_EVENT_CONNECT), 1);
  ck_assert_uint_eq(asked, 1);
  wanted = WPS_EVENT_CONNECT | WPS_EVENT_PUBLISH;
  ck_assert_int_eq(system_taker(&s, WPS_EVENT_CONNECT), 0);
  ck_assert_int_eq(group_taker(&s, WPS_EVENT_PUBLISH, "g"), 0);
  ck_assert_int_eq(group_taker(&s, WPS_EVENT_LEAVE, "g"), -1);
  ck_assert_int_eq(user_taker(&s, "x"), 2);
  wanted = WPS_EVENT_MESSAGE;
  ck_assert_int_eq(user_taker(&s, "x"), 0);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("event_handlers");
  TCase *t = tcase_create("event_handlers");
  SRunner *r;
  int failed;

  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, configured);
  tcase_add_test(t, wanted_ones);
  suite_add_tcase(s, t);
  r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
