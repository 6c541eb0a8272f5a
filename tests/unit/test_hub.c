/* SPDX-License-Identifier: Apache-2.0 */
/* Hubs, groups, users and fan-out on one and on several workers, with clients
 * that are nothing but their place in the index. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "hub/fanout.h"
#include "hub/filter.h"
#include "hub/pending.h"
#include "hub/shared.h"
#include "plug/plugin.h"

/* A client of this test: counts what it gets, and may leave in the middle. */
struct client {
  struct hub_client hub; /* first */
  struct shared_client shared;
  struct wps_str id, user;
  struct wps_member *leaves;
  const struct wps_target *publishes; /* inside deliver(), once */
  unsigned got;
};

static void deliver(struct hub_client *c, struct wps_member *m,
                    struct fanout *f)
{
  struct client *client = (struct client *)c;

  (void)m;
  client->got++;
  if (client->publishes != NULL) {
    const struct wps_target *t = client->publishes;
    uint64_t receivers;
    bool later;

    client->publishes = NULL;
    ck_assert_int_eq(
        hub_publish(c->hw->worker, t, c, f->msg, NULL, &receivers, &later),
        WPS_OK);
  }
  if (client->leaves != NULL) {
    struct wps_member *leaving = client->leaves;

    client->leaves = NULL;
    group_leave(leaving);
  }
}

static struct hub_client *find(struct wps_worker *w, struct wps_conn_ref ref)
{
  (void)w;
  return (struct hub_client *)(uintptr_t)ref.opaque[1];
}

static bool facts(const struct hub_client *c, struct hub_facts *out)
{
  const struct client *client = (const struct client *)c;

  *out = (struct hub_facts){client->id, client->user, STR_NONE};
  return true;
}

static struct wps_conn_ref ref_of(const struct hub_client *c)
{
  return (struct wps_conn_ref){
      {(uint64_t)c->hw->worker->index << 32, (uint64_t)(uintptr_t)c}};
}

/* What takes all at once is in test_pending.c. */
static bool take(struct hub_client *c, struct wps_member *m,
                 const struct pending *p)
{
  (void)c;
  (void)m;
  (void)p;
  return false;
}

static void nothing(struct hub_client *c)
{
  (void)c;
}

static void nothing_yet(const struct hub_client *c)
{
  (void)c;
}

static const struct hub_ops ops = {.deliver = deliver,
                                   .send = take,
                                   .soon = nothing_yet,
                                   .flush = nothing,
                                   .missed = nothing,
                                   .find = find,
                                   .ref = ref_of,
                                   .facts = facts};
static const struct hub_settings settings[] = {
    {.pattern = {"*", 1}, .ping_interval_ms = 1000}};

struct world {
  struct workers *workers;
  struct hubs *hubs;
  struct wps_worker *w;
  struct hub_worker *hw;
};

/* Workers that are never started: everything runs on this thread. */
static void world_make(struct world *x, uint32_t workers)
{
  x->workers = workers_new(workers);
  ck_assert_ptr_nonnull(x->workers);
  x->hubs = hubs_new(x->workers, settings, ARRAY_LEN(settings), 3);
  for (uint32_t i = 0; i < workers; i++)
    ck_assert_int_eq(hub_worker_start(workers_at(x->workers, i), x->hubs, &ops),
                     WPS_OK);
  x->w = workers_at(x->workers, 0);
  ck_assert_int_eq(hub_worker_get(x->w, STR("chat"), true, &x->hw), WPS_OK);
}

static void world_free(struct world *x)
{
  for (uint32_t i = 0; i < workers_count(x->workers); i++)
    hub_worker_stop(workers_at(x->workers, i));
  hubs_free(x->hubs);
  workers_free(x->workers);
}

static void client_make(struct client *c, struct hub_worker *hw,
                        struct wps_str user, const char *id)
{
  memset(c, 0, sizeof(*c));
  c->id = str_from(id);
  c->user = user;
  list_init(&c->hub.in_hub);
  list_init(&c->hub.in_user);
  ck_assert_int_eq(hub_add(hw, &c->hub, user), WPS_OK);
  c->shared = (struct shared_client){
      {{(uint64_t)hw->worker->index << 32, (uint64_t)(uintptr_t)c}}, c->id};
  ck_assert_int_eq(shared_client_add(hw->hub->shared, &c->shared), WPS_OK);
}

static void client_end(struct client *c, const char *id)
{
  struct hub *hub = c->hub.hw->hub;

  while (c->hub.member_count != 0)
    group_leave(c->hub.members[0]);
  hub_remove(&c->hub);
  shared_client_remove(hub->shared, str_from(id));
}

static struct wps_member *join(struct client *c, const char *group)
{
  struct wps_member *m;
  bool fresh;

  ck_assert_int_eq(group_join(&c->hub, str_from(group), 1, &m, &fresh), WPS_OK);
  return m;
}

static struct wps_message *message(void)
{
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = WPS_DATA_TEXT,
                                  .data = {"x", 1}};

  return message_api.create(&info);
}

/* What the worker does at the end of a turn. */
static void turn_end(struct world *x)
{
  struct flusher *f = &x->w->hubs->pending_flusher;

  while (f->fn(f, x->w))
    ;
}

static uint64_t publish_to(struct world *x, const struct wps_target *t,
                           struct client *self)
{
  struct wps_message *m = message();
  uint64_t receivers;
  bool later;

  ck_assert_int_eq(hub_publish(x->w, t, self != NULL ? &self->hub : NULL, m,
                               NULL, &receivers, &later),
                   WPS_OK);
  ck_assert(!later);
  message_unref(m);
  turn_end(x);
  return receivers;
}

static uint64_t publish(struct world *x, uint32_t kind, const char *name,
                        const struct wps_str *excluded, size_t count,
                        struct client *self)
{
  struct wps_target t = {.struct_size = sizeof(t),
                         .kind = kind,
                         .hub = STR("chat"),
                         .name = str_from(name),
                         .excluded = excluded,
                         .excluded_count = count,
                         .flags = self != NULL ? WPS_TARGET_NOT_SELF : 0};

  return publish_to(x, &t, self);
}

static const struct wps_filter *filter(const char *text)
{
  const struct wps_filter *f;
  char why[200] = "";

  ck_assert_msg(filter_new(str_from(text), &f, why, sizeof(why)) == WPS_OK,
                "%s", why);
  return f;
}

START_TEST(names)
{
  char long_name[1100];
  struct wps_str blank = STR(" \t\xc2\xa0\xe3\x80\x80");

  memset(long_name, 'a', sizeof(long_name));
  ck_assert(hub_name_ok((struct wps_str){long_name, 128}));
  ck_assert(!hub_name_ok((struct wps_str){long_name, 129}));
  ck_assert(!hub_name_ok(STR("")));
  ck_assert(!hub_name_ok(STR("1abc")));
  ck_assert(!hub_name_ok(STR("a-b")));
  ck_assert(!hub_name_ok(STR("a\0b")));
  ck_assert(hub_name_ok(STR("a_`,.[]9")));
  ck_assert(group_name_ok((struct wps_str){long_name, 1024}));
  ck_assert(!group_name_ok((struct wps_str){long_name, 1025}));
  ck_assert(!group_name_ok(blank));
  ck_assert(!group_name_ok(STR("")));
  ck_assert(group_name_ok(STR(" x")));
  /* 1024 UTF-16 units of three bytes each. */
  for (size_t i = 0; i < 366; i++)
    memcpy(long_name + 3 * i, "\xe2\x82\xac", 3);
  ck_assert(group_name_ok((struct wps_str){long_name, 3 * 366}));
}
END_TEST

START_TEST(who_leaves_during_a_walk_does_not_upset_it)
{
  struct world x;
  struct client c[4];
  struct wps_member *m[4];
  static const char *const ids[] = {"c0", "c1", "c2", "c3"};

  world_make(&x, 1);
  for (size_t i = 0; i < 4; i++) {
    client_make(&c[i], x.hw, STR_NONE, ids[i]);
    m[i] = join(&c[i], "g");
  }
  c[0].leaves = m[1]; /* somebody further on  */
  c[2].leaves = m[2]; /* itself               */
  ck_assert_uint_eq(publish(&x, WPS_TO_GROUP, "g", NULL, 0, NULL), 4);
  ck_assert_uint_eq(c[1].got, 1); /* it was in when that was published */
  ck_assert_uint_eq(group_find(x.hw, STR("g"))->count, 2);
  ck_assert_uint_eq(publish(&x, WPS_TO_GROUP, "g", NULL, 0, NULL), 2);
  /* The last one takes the group away from under the walk. */
  group_leave(m[3]);
  c[0].leaves = m[0];
  ck_assert_uint_eq(publish(&x, WPS_TO_GROUP, "g", NULL, 0, NULL), 1);
  ck_assert_ptr_null(group_find(x.hw, STR("g")));
  for (size_t i = 0; i < 4; i++)
    client_end(&c[i], ids[i]);
  world_free(&x);
}
END_TEST

START_TEST(targets_and_exclusions)
{
  struct world x;
  struct client c[3];
  struct wps_str excluded[] = {STR("c1"), STR("unknown")};
  struct wps_target count = {
      .struct_size = sizeof(count), .kind = WPS_TO_HUB, .hub = STR("chat")};
  static const char *const ids[] = {"c0", "c1", "c2"};

  world_make(&x, 1);
  for (size_t i = 0; i < 3; i++) {
    client_make(&c[i], x.hw, i < 2 ? STR("alice") : STR_NONE, ids[i]);
    join(&c[i], "g");
  }
  ck_assert_uint_eq(publish(&x, WPS_TO_HUB, NULL, NULL, 0, NULL), 3);
  ck_assert_uint_eq(publish(&x, WPS_TO_USER, "alice", NULL, 0, NULL), 2);
  ck_assert_uint_eq(publish(&x, WPS_TO_USER, "bob", NULL, 0, NULL), 0);
  ck_assert_uint_eq(publish(&x, WPS_TO_CONN, "c2", NULL, 0, NULL), 1);
  ck_assert_uint_eq(publish(&x, WPS_TO_CONN, "c9", NULL, 0, NULL), 0);
  ck_assert_uint_eq(publish(&x, WPS_TO_GROUP, "g", excluded, 2, NULL), 2);
  ck_assert_uint_eq(publish(&x, WPS_TO_GROUP, "g", NULL, 0, &c[0]), 2);
  ck_assert_uint_eq(publish(&x, WPS_TO_GROUP, "other", NULL, 0, NULL), 0);
  ck_assert_uint_eq(hub_count(x.hw, &count), 3);
  count.excluded = excluded;
  count.excluded_count = 2;
  ck_assert_uint_eq(hub_count(x.hw, &count), 2);
  for (size_t i = 0; i < 3; i++)
    client_end(&c[i], ids[i]);
  ck_assert_uint_eq(hub_count(x.hw, &count), 0);
  world_free(&x);
}
END_TEST

static int only(void *arg, struct hub_client *c)
{
  return c == arg ? WPS_OK : WPS_EINTERNAL;
}

START_TEST(a_filter_is_one_more_condition)
{
  struct world x;
  struct client c[4];
  struct wps_str excluded[] = {STR("c0")};
  struct wps_target t = {
      .struct_size = sizeof(t), .kind = WPS_TO_HUB, .hub = STR("chat")};
  static const char *const ids[] = {"c0", "c1", "c2", "c3"};

  world_make(&x, 1);
  for (size_t i = 0; i < 4; i++) {
    client_make(&c[i], x.hw, i < 2 ? STR("alice") : STR_NONE, ids[i]);
    join(&c[i], "g");
  }
  join(&c[1], "h");
  join(&c[2], "h");
  t.filter = filter("'h' in groups");
  ck_assert_uint_eq(publish_to(&x, &t, NULL), 2);
  ck_assert_uint_eq(hub_count(x.hw, &t), 2);
  t.kind = WPS_TO_GROUP;
  t.name = STR("g");
  ck_assert_uint_eq(publish_to(&x, &t, NULL), 2);
  t.kind = WPS_TO_USER;
  t.name = STR("alice");
  ck_assert_uint_eq(publish_to(&x, &t, NULL), 1);
  t.kind = WPS_TO_CONN;
  t.name = STR("c2");
  ck_assert_uint_eq(publish_to(&x, &t, NULL), 1);
  t.name = STR("c3");
  ck_assert_uint_eq(publish_to(&x, &t, NULL), 0);
  ck_assert_uint_eq(hub_count(x.hw, &t), 0);
  filter_unref(t.filter);
  ck_assert_uint_eq(c[0].got, 0);
  ck_assert_uint_eq(c[1].got, 3);
  ck_assert_uint_eq(c[2].got, 3);
  ck_assert_uint_eq(c[3].got, 0);
  /* With the list and the publisher, too. */
  t.kind = WPS_TO_HUB;
  t.filter = filter("userId eq 'alice'");
  t.excluded = excluded;
  t.excluded_count = 1;
  ck_assert_uint_eq(hub_count(x.hw, &t), 1);
  ck_assert_int_eq(hub_each(x.hw, &t, only, &c[1].hub), WPS_OK);
  t.flags = WPS_TARGET_NOT_SELF;
  ck_assert_uint_eq(publish_to(&x, &t, &c[1]), 0);
  filter_unref(t.filter);
  for (size_t i = 0; i < 4; i++)
    client_end(&c[i], ids[i]);
  world_free(&x);
}
END_TEST

/* One that gets the message publishes inside deliver(), with others excluded:
 * the walk around it goes on passing over its own. */
START_TEST(a_publish_within_leaves_exclusions_alone)
{
  struct world x;
  struct client c[5];
  struct wps_str excluded[] = {STR("c3")};
  struct wps_target inner = {.struct_size = sizeof(inner),
                             .kind = WPS_TO_HUB,
                             .hub = STR("chat"),
                             .excluded = excluded,
                             .excluded_count = 1,
                             .flags = WPS_TARGET_NOT_SELF};
  struct wps_target outer = {.struct_size = sizeof(outer),
                             .kind = WPS_TO_HUB,
                             .hub = STR("chat"),
                             .excluded = excluded,
                             .excluded_count = 1};
  static const char *const ids[] = {"c0", "c1", "c2", "c3", "c4"};

  world_make(&x, 1);
  for (size_t i = 0; i < 5; i++)
    client_make(&c[i], x.hw, i == 4 ? STR("alice") : STR("bob"), ids[i]);
  outer.filter = filter("userId eq 'bob'");
  inner.filter = filter("connectionId ne 'c1'");
  c[0].publishes = &inner;
  c[2].publishes = &inner;
  ck_assert_uint_eq(publish_to(&x, &outer, NULL), 3);
  /* From outside to 0, 1 and 2; from 0 to 2 and 4, and then from 2, which is
   * reached first by the inner one, to 0 and 4. */
  ck_assert_uint_eq(c[0].got, 2);
  ck_assert_uint_eq(c[1].got, 1);
  ck_assert_uint_eq(c[2].got, 2);
  ck_assert_uint_eq(c[3].got, 0);
  ck_assert_uint_eq(c[4].got, 2);
  ck_assert_ptr_null(x.hw->walk);
  filter_unref(outer.filter);
  filter_unref(inner.filter);
  for (size_t i = 0; i < 5; i++)
    client_end(&c[i], ids[i]);
  world_free(&x);
}
END_TEST

/* The same through one in between that excludes nobody. */
START_TEST(a_publish_deep_within_leaves_exclusions_alone)
{
  struct world x;
  struct client c[4];
  struct wps_str excluded[] = {STR("c3")};
  struct wps_target all = {.struct_size = sizeof(all),
                           .kind = WPS_TO_HUB,
                           .hub = STR("chat"),
                           .excluded = excluded,
                           .excluded_count = 1};
  struct wps_target one = {.struct_size = sizeof(one),
                           .kind = WPS_TO_CONN,
                           .hub = STR("chat"),
                           .name = STR("c1")};
  static const char *const ids[] = {"c0", "c1", "c2", "c3"};

  world_make(&x, 1);
  for (size_t i = 0; i < 4; i++)
    client_make(&c[i], x.hw, STR("bob"), ids[i]);
  c[0].publishes = &one;
  c[1].publishes = &all;
  ck_assert_uint_eq(publish_to(&x, &all, NULL), 3);
  ck_assert_uint_eq(c[0].got, 2);
  ck_assert_uint_eq(c[1].got, 3);
  ck_assert_uint_eq(c[2].got, 2);
  ck_assert_uint_eq(c[3].got, 0);
  for (size_t i = 0; i < 4; i++)
    client_end(&c[i], ids[i]);
  world_free(&x);
}
END_TEST

START_TEST(many_memberships_are_found_like_few)
{
  struct world x;
  struct client c;
  char name[16];

  world_make(&x, 1);
  client_make(&c, x.hw, STR_NONE, "c");
  for (unsigned round = 0; round < 2; round++) {
    for (unsigned i = 0; i < 40; i++) {
      snprintf(name, sizeof(name), "g%u", i);
      ck_assert_ptr_null(group_membership(&c.hub, str_from(name)));
      join(&c, name);
      for (unsigned k = 0; k <= i; k++) {
        struct wps_member *m;

        snprintf(name, sizeof(name), "g%u", k);
        m = group_membership(&c.hub, str_from(name));
        ck_assert_ptr_nonnull(m);
        ck_assert(str_eq_c(m->group->name, name));
      }
    }
    for (unsigned i = 0; i < 40; i++) {
      snprintf(name, sizeof(name), "g%u", (i * 7) % 40);
      group_leave(group_membership(&c.hub, str_from(name)));
      ck_assert_ptr_null(group_membership(&c.hub, str_from(name)));
    }
  }
  client_end(&c, "c");
  world_free(&x);
}
END_TEST

START_TEST(a_membership_is_known_to_all_workers_at_once)
{
  struct world x;
  struct client c[2];
  struct hub_worker *other;
  struct wps_target t = {.struct_size = sizeof(t),
                         .kind = WPS_TO_GROUP,
                         .hub = STR("chat"),
                         .name = STR("g")};

  world_make(&x, 3);
  ck_assert_int_eq(
      hub_worker_get(workers_at(x.workers, 2), STR("chat"), true, &other),
      WPS_OK);
  client_make(&c[0], x.hw, STR_NONE, "c0");
  client_make(&c[1], other, STR_NONE, "c1");
  ck_assert_uint_eq(hub_target_workers(x.hw->hub, &t), 0);
  join(&c[0], "g");
  ck_assert_uint_eq(hub_target_workers(x.hw->hub, &t), 1);
  join(&c[1], "g");
  ck_assert_uint_eq(hub_target_workers(x.hw->hub, &t), 5);
  group_leave(c[0].hub.members[0]);
  ck_assert_uint_eq(hub_target_workers(x.hw->hub, &t), 4);
  t.kind = WPS_TO_CONN;
  t.name = STR("c1");
  ck_assert_uint_eq(hub_target_workers(x.hw->hub, &t), 4);
  client_end(&c[0], "c0");
  client_end(&c[1], "c1");
  world_free(&x);
}
END_TEST

START_TEST(hubs_are_bounded)
{
  struct world x;
  struct hub_worker *hw;

  world_make(&x, 1);
  ck_assert_int_eq(hub_worker_get(x.w, STR("b"), false, &hw), WPS_ENOTFOUND);
  ck_assert_int_eq(hub_worker_get(x.w, STR("b"), true, &hw), WPS_OK);
  ck_assert_int_eq(hub_worker_get(x.w, STR("c"), true, &hw), WPS_OK);
  ck_assert_int_eq(hub_worker_get(x.w, STR("d"), true, &hw), WPS_ELIMIT);
  ck_assert_int_eq(hub_worker_get(x.w, STR("CHAT"), true, &hw), WPS_OK);
  ck_assert_ptr_eq(hw, x.hw);
  world_free(&x);
}
END_TEST

START_TEST(an_id_is_taken_once)
{
  struct hub_shared *s = hub_shared_new();
  struct shared_client one = {{{1, 2}}, STR("a")}, other = {{{3, 4}}, STR("a")};
  struct wps_conn_ref ref;

  ck_assert_int_eq(shared_client_add(s, &one), WPS_OK);
  ck_assert_int_eq(shared_client_add(s, &other), WPS_EEXIST);
  ck_assert(shared_client_find(s, STR("a"), &ref));
  ck_assert_uint_eq(ref.opaque[1], 2);
  shared_client_remove(s, STR("a"));
  ck_assert(!shared_client_find(s, STR("a"), &ref));
  hub_shared_free(s);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("hub");
  TCase *tc = tcase_create("hub");
  SRunner *runner;
  int failed;

  tcase_add_test(tc, names);
  tcase_add_test(tc, who_leaves_during_a_walk_does_not_upset_it);
  tcase_add_test(tc, targets_and_exclusions);
  tcase_add_test(tc, a_filter_is_one_more_condition);
  tcase_add_test(tc, a_publish_within_leaves_exclusions_alone);
  tcase_add_test(tc, a_publish_deep_within_leaves_exclusions_alone);
  tcase_add_test(tc, many_memberships_are_found_like_few);
  tcase_add_test(tc, a_membership_is_known_to_all_workers_at_once);
  tcase_add_test(tc, hubs_are_bounded);
  tcase_add_test(tc, an_id_is_taken_once);
  suite_add_tcase(suite, tc);
  runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
