/* SPDX-License-Identifier: Apache-2.0 */
/* What an application server may do (plugins/upstream-server/roles.c), and
 * which events its registrations take (handles.c). */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <webpubsub/host.h>

#include "base/str.h"
#include "hub/roles.h"
#include "plugins/common/azure/names.h"
#include "plugins/upstream-server/handles.h"
#include "plugins/upstream-server/roles.h"

/* ---- a host that knows patterns, and filters that say yes or no ---- */

struct wps_filter {
  size_t refs;
  bool passes;
  uint8_t reserved[7];
};
static struct wps_filter yes = {.passes = true}, no = {.passes = false};

static int filter(struct wps_str text, const struct wps_filter **out, char *why,
                  size_t why_size)
{
  struct wps_filter *f = azure_equal(text, STR("yes")) ? &yes : &no;

  if (azure_equal(text, STR("bad"))) {
    snprintf(why, why_size, "it is bad");
    return WPS_EINVAL;
  }
  f->refs++;
  *out = f;
  return WPS_OK;
}

static void filter_unref(const struct wps_filter *f)
{
  (f == &yes ? &yes : &no)->refs--;
}

static bool pattern_match(struct wps_str pattern, struct wps_str text)
{
  const char *why;

  return role_pattern_ok(pattern, &why) && role_pattern_match(pattern, text);
}

static bool matches(const struct wps_event *event, const struct wps_filter *f)
{
  return event != NULL && f->passes;
}

static const struct wps_hub_api hub = {.pattern_match = pattern_match,
                                       .filter = filter,
                                       .filter_unref = filter_unref};
static const struct wps_event_api events = {.matches = matches};
static const struct wps_host host = {.hub = &hub, .event = &events};
const struct wps_host *wps = &host;

static struct wps_str none(void)
{
  return (struct wps_str){NULL, 0};
}

/* ---- roles ---- */

static struct server_roles roles_of(const struct wps_str *names, size_t count)
{
  struct server_roles r;

  ck_assert_int_eq(server_roles_read(&r, names, count), WPS_OK);
  return r;
}

START_TEST(roles_are_read)
{
  const struct wps_str names[] = {
      WPS_STR_INIT("webpubsubd.owner"), WPS_STR_INIT("publisher"),
      WPS_STR_INIT("publisherx"),       WPS_STR_INIT("manager."),
      WPS_STR_INIT("manager.a.b"),      WPS_STR_INIT(""),
      WPS_STR_INIT("Subscriber"),       WPS_STR_INIT("subscriber.*")};
  struct server_roles r = roles_of(names, 8);

  ck_assert_uint_eq(r.count, 3);
  ck_assert(azure_equal(r.names[0], STR("publisher")));
  ck_assert(r.names[0].ptr != names[1].ptr);
  ck_assert(azure_equal(r.names[1], STR("manager.a.b")));
  ck_assert(azure_equal(r.items[1].pattern, STR("a.b")));
  ck_assert(azure_equal(r.names[2], STR("subscriber.*")));
  server_roles_free(&r);
  r = roles_of(NULL, 0);
  ck_assert_uint_eq(r.count, 0);
  ck_assert(!server_roles_any(&r, ROLE_MANAGER));
  server_roles_free(&r);
}
END_TEST

START_TEST(a_role_without_a_pattern_is_good_everywhere)
{
  const struct wps_str names[] = {WPS_STR_INIT("manager")};
  struct server_roles r = roles_of(names, 1);

  ck_assert(server_roles_allow(&r, ROLE_MANAGER, none()));
  ck_assert(server_roles_allow(&r, ROLE_MANAGER, STR("g")));
  ck_assert(server_roles_cover(&r, ROLE_MANAGER, STR("a.*")));
  ck_assert(server_roles_any(&r, ROLE_MANAGER));
  ck_assert(!server_roles_allow(&r, ROLE_PUBLISHER, STR("g")));
  ck_assert(!server_roles_cover(&r, ROLE_PUBLISHER, STR("g")));
  ck_assert(!server_roles_any(&r, ROLE_SUBSCRIBER));
  server_roles_free(&r);
}
END_TEST

START_TEST(a_role_with_a_pattern_is_good_where_it_matches)
{
  const struct wps_str names[] = {WPS_STR_INIT("publisher.a.*"),
                                  WPS_STR_INIT("publisher.x"),
                                  WPS_STR_INIT("publisher.bad\\")};
  struct server_roles r = roles_of(names, 3);

  ck_assert(!server_roles_allow(&r, ROLE_PUBLISHER, none()));
  ck_assert(server_roles_allow(&r, ROLE_PUBLISHER, STR("a.b")));
  ck_assert(server_roles_allow(&r, ROLE_PUBLISHER, STR("x")));
  ck_assert(!server_roles_allow(&r, ROLE_PUBLISHER, STR("a.b.c")));
  ck_assert(!server_roles_allow(&r, ROLE_PUBLISHER, STR("bad")));
  ck_assert(!server_roles_allow(&r, ROLE_PUBLISHER, STR("")));
  ck_assert(server_roles_cover(&r, ROLE_PUBLISHER, STR("a.*")));
  ck_assert(!server_roles_cover(&r, ROLE_PUBLISHER, STR("a.b")));
  ck_assert(server_roles_any(&r, ROLE_PUBLISHER));
  server_roles_free(&r);
}
END_TEST

/* ---- registrations ---- */

static struct registration *registration(const struct server_command *c)
{
  struct registration *r = NULL;
  char why[100];

  ck_assert_int_eq(registration_new(c, &r, why, sizeof(why)), WPS_OK);
  return r;
}

static struct wps_str text(const char *s)
{
  return s != NULL ? (struct wps_str){s, strlen(s)} : none();
}

static bool takes(const struct registration *r, uint32_t type, const char *name,
                  const char *group)
{
  const struct wps_event event = {.struct_size = sizeof(event),
                                  .type = type,
                                  .name = text(name),
                                  .group = text(group)};

  return registration_takes(r, &event);
}

START_TEST(user_events)
{
  struct wps_str names[] = {WPS_STR_INIT("Order"), WPS_STR_INIT("chat.*")};
  struct server_command c = {.registration = 7, .user_events = {names, 2}};
  struct registration *r = registration(&c);

  names[0] = names[1] = none(); /* it has copies */
  ck_assert_int_eq(r->id, 7);
  ck_assert_uint_eq(r->events, WPS_EVENT_MESSAGE);
  ck_assert(takes(r, WPS_EVENT_MESSAGE, "order", NULL));
  ck_assert(takes(r, WPS_EVENT_MESSAGE, "chat.a", NULL));
  ck_assert(!takes(r, WPS_EVENT_MESSAGE, "chat.a.b", NULL));
  ck_assert(!takes(r, WPS_EVENT_MESSAGE, "", NULL));
  ck_assert(!takes(r, WPS_EVENT_CONNECT, NULL, NULL));
  registration_unref(r);
}
END_TEST

START_TEST(all_user_events)
{
  const struct wps_str names[] = {WPS_STR_INIT("*")};
  struct server_command c = {
      .user_events = {names, 1}, .all_user_events = true, .with_payload = true};
  struct registration *r = registration(&c);

  ck_assert(takes(r, WPS_EVENT_MESSAGE, "a.b.c", NULL));
  ck_assert(r->with_payload);
  registration_unref(r);
}
END_TEST

START_TEST(groups_are_for_events_of_groups)
{
  const struct wps_str groups[] = {WPS_STR_INIT("a.*"), WPS_STR_INIT("x")};
  struct server_command c = {.system_events = WPS_EVENT_CONNECT |
                                              WPS_EVENT_JOIN | WPS_EVENT_LEFT,
                             .groups = {groups, 2}};
  struct registration *r = registration(&c);

  ck_assert(takes(r, WPS_EVENT_CONNECT, NULL, NULL));
  ck_assert(takes(r, WPS_EVENT_JOIN, NULL, "a.b"));
  ck_assert(takes(r, WPS_EVENT_LEFT, NULL, "x"));
  ck_assert(!takes(r, WPS_EVENT_JOIN, NULL, "b"));
  ck_assert(!takes(r, WPS_EVENT_LEAVE, NULL, "x"));
  registration_unref(r);
  c.groups.count = 0;
  r = registration(&c);
  ck_assert(takes(r, WPS_EVENT_JOIN, NULL, "b"));
  registration_unref(r);
}
END_TEST

START_TEST(filters)
{
  struct server_command c = {.system_events = WPS_EVENT_CONNECT,
                             .filter = WPS_STR_INIT("yes")};
  struct registration *r = registration(&c);
  char why[100] = "";

  ck_assert(takes(r, WPS_EVENT_CONNECT, NULL, NULL));
  registration_unref(r);
  c.filter = STR("no");
  r = registration(&c);
  ck_assert(!takes(r, WPS_EVENT_CONNECT, NULL, NULL));
  registration_unref(r);
  c.filter = STR("bad");
  ck_assert_int_eq(registration_new(&c, &r, why, sizeof(why)), WPS_EINVAL);
  ck_assert_str_eq(why, "it is bad");
  ck_assert_uint_eq(yes.refs + no.refs, 0);
}
END_TEST

START_TEST(too_many_names)
{
  struct wps_str names[REGISTRATION_NAMES_MAX + 1];
  struct server_command c = {.user_events = {names, REGISTRATION_NAMES_MAX}};
  struct registration *r;
  char why[100];

  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    names[i] = STR("x");
  registration_unref(registration(&c));
  c.user_events.count++;
  ck_assert_int_eq(registration_new(&c, &r, why, sizeof(why)), WPS_ELIMIT);
  c.groups = c.user_events;
  c.user_events.count = 0;
  ck_assert_int_eq(registration_new(&c, &r, why, sizeof(why)), WPS_ELIMIT);
}
END_TEST

START_TEST(no_events_at_all)
{
  struct server_command c = {.registration = 1};
  struct registration *r = registration(&c);

  ck_assert_uint_eq(r->events, 0);
  ck_assert(!takes(r, WPS_EVENT_MESSAGE, "x", NULL));
  registration_unref(r);
}
END_TEST

/* ---- all of a server ---- */

static struct offer *with(struct offer *old, int32_t id, uint32_t types)
{
  struct server_command c = {.registration = id, .system_events = types};
  struct registration *r = registration(&c);
  struct offer *o = NULL;

  ck_assert_int_eq(offer_make(old, r, &o), WPS_OK);
  registration_unref(r);
  if (old != NULL)
    peer_offer_unref(&old->base);
  return o;
}

static int32_t match(const struct offer *o, uint32_t type)
{
  const struct wps_event event = {.type = type};
  const struct registration *r = offer_match(&o->base, &event);

  return r != NULL ? r->id : 0;
}

START_TEST(an_offer_is_the_sum)
{
  struct offer *o = with(NULL, 1, WPS_EVENT_CONNECT | WPS_EVENT_JOIN);
  struct peer_offer *seen;

  o = with(o, 2, WPS_EVENT_JOIN | WPS_EVENT_LEAVE);
  ck_assert_uint_eq(o->base.events,
                    WPS_EVENT_CONNECT | WPS_EVENT_JOIN | WPS_EVENT_LEAVE);
  ck_assert_int_eq(match(o, WPS_EVENT_JOIN), 1);
  ck_assert_int_eq(match(o, WPS_EVENT_LEAVE), 2);
  ck_assert_int_eq(match(o, WPS_EVENT_PUBLISH), 0);

  /* Who looks at it still sees it as it was. */
  seen = peer_offer_ref(&o->base);
  o = with(o, 1, WPS_EVENT_PUBLISH);
  ck_assert_uint_eq(o->count, 2);
  ck_assert_int_eq(match(o, WPS_EVENT_JOIN), 2);
  ck_assert_int_eq(match(o, WPS_EVENT_PUBLISH), 1);
  ck_assert_int_eq(match((struct offer *)(void *)seen, WPS_EVENT_JOIN), 1);
  peer_offer_unref(seen);

  o = with(o, 2, 0);
  o = with(o, 3, 0);
  ck_assert_uint_eq(o->count, 1);
  ck_assert_uint_eq(o->base.events, WPS_EVENT_PUBLISH);
  o = with(o, 1, 0);
  ck_assert_uint_eq(o->count + o->base.events, 0);
  peer_offer_unref(&o->base);
}
END_TEST

START_TEST(an_offer_has_an_end)
{
  struct server_command c = {.registration = 0, .system_events = 1};
  struct registration *r = registration(&c);
  struct offer *o = NULL, *more = NULL;

  for (int32_t i = 1; i <= REGISTRATIONS_MAX; i++)
    o = with(o, i, WPS_EVENT_JOIN);
  ck_assert_int_eq(offer_make(o, r, &more), WPS_ELIMIT);
  o = with(o, REGISTRATIONS_MAX, WPS_EVENT_LEAVE); /* instead of one */
  o = with(o, 1, 0);
  ck_assert_int_eq(offer_make(o, r, &more), WPS_OK);
  registration_unref(r);
  peer_offer_unref(&more->base);
  peer_offer_unref(&o->base);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("server_roles");
  TCase *roles = tcase_create("roles"), *handles = tcase_create("handles");
  SRunner *runner = srunner_create(suite);
  int failed;

  tcase_add_test(roles, roles_are_read);
  tcase_add_test(roles, a_role_without_a_pattern_is_good_everywhere);
  tcase_add_test(roles, a_role_with_a_pattern_is_good_where_it_matches);
  suite_add_tcase(suite, roles);
  tcase_add_test(handles, user_events);
  tcase_add_test(handles, all_user_events);
  tcase_add_test(handles, groups_are_for_events_of_groups);
  tcase_add_test(handles, filters);
  tcase_add_test(handles, too_many_names);
  tcase_add_test(handles, no_events_at_all);
  tcase_add_test(handles, an_offer_is_the_sum);
  tcase_add_test(handles, an_offer_has_an_end);
  suite_add_tcase(suite, handles);
  srunner_run_all(runner, CK_ENV);
  failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
