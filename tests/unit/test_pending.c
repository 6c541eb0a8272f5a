/* SPDX-License-Identifier: Apache-2.0 */
/* What groups owe their members: whatever happens between a publish and the end
 * of the turn, every client gets what it would have got at once, in that order.
 * Clients of even number take what is owed in one piece where they may. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "hub/fanout.h"
#include "hub/pending.h"
#include "hub/shared.h"
#include "hub/tap.h"
#include "plug/plugin.h"

enum { CLIENTS = 9, GROUPS = 12, SEEN_MAX = 60000 };

struct client {
  struct hub_client hub; /* first */
  struct shared_client shared;
  unsigned number;
  char id[8];
  uint32_t *got, *expected; /* numbers of messages */
  unsigned got_count, expected_count;
  unsigned pieces;                    /* in one piece */
  bool in[GROUPS];                    /* of the model */
  const struct wps_target *publishes; /* inside deliver(), once */
  struct wps_member *leaves;          /* the same */
  struct wps_tap *untaps;             /* the same */
};

static struct client clients[CLIENTS];
static struct workers *workers;
static struct hubs *hubs;
static struct wps_worker *w;
static struct hub_worker *hw;
static uint32_t next_number;

static uint32_t number_of(const struct wps_message *m)
{
  uint32_t n;

  memcpy(&n, m->info.data.ptr, sizeof(n));
  return n;
}

static void got(struct client *c, const struct wps_message *m)
{
  ck_assert_uint_lt(c->got_count, SEEN_MAX);
  c->got[c->got_count++] = number_of(m);
}

static uint32_t publish(const struct wps_target *t, struct client *self);

static void deliver(struct hub_client *hub, struct wps_member *m,
                    struct fanout *f)
{
  struct client *c = (struct client *)hub;

  (void)m;
  got(c, f->msg);
  if (c->publishes != NULL) {
    const struct wps_target *t = c->publishes;

    c->publishes = NULL;
    publish(t, c);
  }
  if (c->leaves != NULL) {
    struct wps_member *leaving = c->leaves;

    c->leaves = NULL;
    group_leave(leaving);
  }
  tap_free(c->untaps);
  c->untaps = NULL;
}

static bool take(struct hub_client *hub, struct wps_member *m,
                 const struct pending *p)
{
  struct client *c = (struct client *)hub;

  ck_assert_ptr_eq(m->group->pending, p);
  if (c->number % 2 != 0)
    return false;
  for (uint32_t i = 0; i < p->count; i++)
    got(c, p->entries[i].msg);
  c->pieces++;
  return true;
}

static void nothing(struct hub_client *c)
{
  (void)c;
}

static void nothing_yet(const struct hub_client *c)
{
  (void)c;
}

static struct hub_client *find(struct wps_worker *worker,
                               struct wps_conn_ref ref)
{
  (void)worker;
  return (struct hub_client *)(uintptr_t)ref.opaque[1];
}

static struct wps_conn_ref ref_of(const struct hub_client *c)
{
  return (struct wps_conn_ref){{0, (uint64_t)(uintptr_t)c}};
}

static bool facts(const struct hub_client *c, struct hub_facts *out)
{
  const struct client *client = (const struct client *)c;

  *out = (struct hub_facts){str_from(client->id), STR_NONE, STR_NONE};
  return true;
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
static const char *const group_names[GROUPS] = {
    "g0", "g1", "g2", "g3", "g4", "g5", "g6", "g7", "g8", "g9", "g10", "g11"};

static void make(void)
{
  workers = workers_new(1);
  hubs = hubs_new(workers, settings, ARRAY_LEN(settings), 3);
  w = workers_at(workers, 0);
  ck_assert_int_eq(hub_worker_start(w, hubs, &ops), WPS_OK);
  ck_assert_int_eq(hub_worker_get(w, STR("chat"), true, &hw), WPS_OK);
  next_number = 0;
  for (unsigned i = 0; i < CLIENTS; i++) {
    struct client *c = &clients[i];

    memset(c, 0, sizeof(*c));
    c->number = i;
    snprintf(c->id, sizeof(c->id), "c%u", i);
    c->got = malloc(SEEN_MAX * sizeof(*c->got));
    c->expected = malloc(SEEN_MAX * sizeof(*c->expected));
    list_init(&c->hub.in_hub);
    list_init(&c->hub.in_user);
    ck_assert_int_eq(hub_add(hw, &c->hub, STR_NONE), WPS_OK);
    c->shared = (struct shared_client){ref_of(&c->hub), str_from(c->id)};
    ck_assert_int_eq(shared_client_add(hw->hub->shared, &c->shared), WPS_OK);
  }
}

static void turn_end(void)
{
  struct flusher *f = &w->hubs->pending_flusher;

  while (f->fn(f, w))
    ;
}

static void end(void)
{
  for (unsigned i = 0; i < CLIENTS; i++) {
    struct client *c = &clients[i];

    while (c->hub.member_count != 0)
      group_leave(c->hub.members[0]);
    hub_remove(&c->hub);
    shared_client_remove(hw->hub->shared, str_from(c->id));
    free(c->got);
    free(c->expected);
  }
  turn_end();
  hub_worker_stop(w);
  hubs_free(hubs);
  workers_free(workers);
}

static struct wps_member *join(unsigned client, unsigned group)
{
  struct wps_member *m;
  bool fresh;

  ck_assert_int_eq(group_join(&clients[client].hub,
                              str_from(group_names[group]), 1, &m, &fresh),
                   WPS_OK);
  return m;
}

static struct wps_target to_group(unsigned group, bool not_self)
{
  return (struct wps_target){.struct_size = sizeof(struct wps_target),
                             .kind = WPS_TO_GROUP,
                             .hub = STR("chat"),
                             .name = str_from(group_names[group]),
                             .flags = not_self ? WPS_TARGET_NOT_SELF : 0};
}

/* Its number. */
static uint32_t publish(const struct wps_target *t, struct client *self)
{
  uint32_t number = next_number++;
  struct wps_message_info info = {
      .struct_size = sizeof(info),
      .data_type = WPS_DATA_BINARY,
      .data = {(const unsigned char *)&number, sizeof(number)}};
  struct wps_message *m = message_api.create(&info);
  uint64_t receivers;
  bool later;

  ck_assert_ptr_nonnull(m);
  ck_assert_int_eq(hub_publish(w, t, self != NULL ? &self->hub : NULL, m, NULL,
                               &receivers, &later),
                   WPS_OK);
  message_unref(m);
  return number;
}

static void check_got(unsigned client, const uint32_t *numbers, unsigned count)
{
  const struct client *c = &clients[client];

  ck_assert_msg(c->got_count == count, "client %u got %u messages, not %u",
                client, c->got_count, count);
  for (unsigned i = 0; i < count; i++)
    ck_assert_msg(c->got[i] == numbers[i],
                  "client %u: message %u in place %u, not %u", client,
                  c->got[i], i, numbers[i]);
}
#define CHECK_GOT(client, ...)                                                 \
  check_got(client, (const uint32_t[]){__VA_ARGS__},                           \
            sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

START_TEST(one_piece_at_the_end_of_the_turn)
{
  struct wps_target g = to_group(0, false);

  make();
  for (unsigned i = 0; i < 4; i++)
    join(i, 0);
  for (unsigned i = 0; i < 20; i++)
    publish(&g, NULL);
  for (unsigned i = 0; i < 4; i++)
    ck_assert_uint_eq(clients[i].got_count, 0);
  turn_end();
  for (unsigned i = 0; i < 4; i++) {
    ck_assert_uint_eq(clients[i].got_count, 20);
    ck_assert_uint_eq(clients[i].got[19], 19);
    ck_assert_uint_eq(clients[i].pieces, i % 2 == 0 ? 1 : 0);
  }
  ck_assert_uint_eq(hw->pending_count, 0);
  end();
}
END_TEST

START_TEST(groups_are_merged_in_the_order_of_publishing)
{
  struct wps_target a = to_group(0, false), b = to_group(1, false);

  make();
  join(0, 0);
  join(0, 1);
  join(2, 0);
  publish(&a, NULL);
  publish(&b, NULL);
  publish(&a, NULL);
  publish(&b, NULL);
  turn_end();
  CHECK_GOT(0, 0, 1, 2, 3);
  ck_assert_uint_eq(clients[0].pieces, 0);
  CHECK_GOT(2, 0, 2);
  ck_assert_uint_eq(clients[2].pieces, 1);
  end();
}
END_TEST

START_TEST(nothing_overtakes)
{
  struct wps_target g = to_group(0, false);
  struct wps_target one = {.struct_size = sizeof(one),
                           .kind = WPS_TO_CONN,
                           .hub = STR("chat"),
                           .name = STR("c0")};

  make();
  join(0, 0);
  join(2, 0);
  publish(&g, NULL);
  publish(&one, NULL);
  CHECK_GOT(0, 0, 1);
  publish(&g, NULL);
  /* What a connection sends of its own settles by itself. */
  pending_settle(&clients[2].hub);
  CHECK_GOT(2, 0, 2);
  turn_end();
  CHECK_GOT(0, 0, 1, 2);
  CHECK_GOT(2, 0, 2);
  end();
}
END_TEST

START_TEST(who_leaves_has_had_it_and_who_joins_has_not)
{
  struct wps_target g = to_group(0, false);
  struct wps_member *m;

  make();
  m = join(0, 0);
  join(2, 0);
  publish(&g, NULL);
  group_leave(m);
  join(4, 0);
  publish(&g, NULL);
  turn_end();
  CHECK_GOT(0, 0);
  CHECK_GOT(2, 0, 1);
  CHECK_GOT(4, 1);
  end();
}
END_TEST

START_TEST(a_group_that_ends_owes_nothing)
{
  struct wps_target g = to_group(0, false);
  struct wps_member *m;

  make();
  m = join(0, 0);
  publish(&g, NULL);
  group_leave(m);
  ck_assert_uint_eq(hw->pending_count, 0);
  join(2, 0);
  publish(&g, NULL);
  turn_end();
  CHECK_GOT(0, 0);
  CHECK_GOT(2, 1);
  end();
}
END_TEST

START_TEST(more_than_fits_into_one_list)
{
  struct wps_target g = to_group(0, false);
  const unsigned many = 5 * PENDING_MAX + 7;

  make();
  for (unsigned i = 0; i < 3; i++)
    join(i, 0);
  for (unsigned i = 0; i < many; i++)
    publish(&g, NULL);
  turn_end();
  for (unsigned i = 0; i < 3; i++) {
    ck_assert_uint_eq(clients[i].got_count, many);
    for (unsigned k = 0; k < many; k++)
      ck_assert_uint_eq(clients[i].got[k], k);
  }
  end();
}
END_TEST

/* What is published while a full list is being given away stays in it. */
START_TEST(publishing_while_a_full_list_is_settled)
{
  struct wps_target g = to_group(0, false);
  const unsigned many = PENDING_MAX + 2; /* with the one in between */

  make();
  for (unsigned i = 1; i < 4; i++)
    join(i, 0);
  for (unsigned i = 0; i < PENDING_MAX; i++)
    publish(&g, NULL);
  clients[2].publishes = &g; /* 1 has had the list, 3 has not */
  publish(&g, NULL);
  turn_end();
  for (unsigned i = 1; i < 4; i++) {
    ck_assert_uint_eq(clients[i].got_count, many);
    ck_assert_uint_eq(clients[i].got[PENDING_MAX - 1], PENDING_MAX - 1);
  }
  publish(&g, NULL);
  turn_end();
  for (unsigned i = 1; i < 4; i++)
    ck_assert_uint_eq(clients[i].got_count, many + 1);
  end();
}
END_TEST

START_TEST(publishing_and_leaving_inside_a_delivery)
{
  struct wps_target g = to_group(0, false), without = to_group(0, true);
  struct wps_member *m;

  make();
  join(1, 0);
  join(2, 0);
  m = join(3, 0);
  publish(&g, NULL);
  publish(&g, NULL);
  clients[1].publishes = &without; /* at 0, while 1 is still owed */
  clients[3].leaves = m;           /* at 0: of 1 there is nothing to get */
  turn_end();
  CHECK_GOT(1, 0, 1);
  ck_assert_uint_eq(clients[2].got_count, 3);
  CHECK_GOT(3, 0);
  end();
}
END_TEST

static void hear(void *arg, struct wps_message *msg)
{
  (void)msg;
  ++*(unsigned *)arg;
}

START_TEST(an_ear_goes_inside_a_walk)
{
  struct wps_target g = to_group(0, false);
  struct wps_str nobody = STR("c8");
  unsigned heard = 0;

  make();
  clients[0].leaves = join(0, 0);
  for (unsigned i = 1; i < 4; i++)
    join(i, 0);
  ck_assert_int_eq(
      tap_new(w, STR("chat"), g.name, hear, &heard, &clients[0].untaps),
      WPS_OK);
  g.excluded = &nobody; /* delivered now */
  g.excluded_count = 1;
  publish(&g, NULL);
  ck_assert_uint_eq(heard, 1);
  for (unsigned i = 0; i < 4; i++)
    CHECK_GOT(i, 0);
  publish(&g, NULL);
  ck_assert_uint_eq(heard, 1);
  for (unsigned i = 1; i < 4; i++)
    CHECK_GOT(i, 0, 1);
  end();
}
END_TEST

/* What it is owed comes first, and there it leaves: what it publishes then is
 * for the others, or for nobody. */
START_TEST(leaving_inside_its_own_publish)
{
  struct wps_target g = to_group(0, false), without = to_group(0, true);
  struct wps_target alone = to_group(1, true), own = to_group(1, false);

  make();
  clients[1].leaves = join(1, 0);
  join(2, 0);
  publish(&g, NULL);
  publish(&without, &clients[1]);
  clients[1].leaves = join(1, 1);
  publish(&own, NULL);
  publish(&alone, &clients[1]);
  turn_end();
  CHECK_GOT(1, 0, 2);
  CHECK_GOT(2, 0, 1);
  ck_assert_ptr_null(group_find(hw, str_from(group_names[1])));
  end();
}
END_TEST

START_TEST(kinds_that_are_not_wanted)
{
  struct wps_target g = to_group(0, false);
  struct wps_member *m;

  make();
  m = join(0, 0);
  join(2, 0);
  m->kinds = 0;
  publish(&g, NULL);
  turn_end();
  ck_assert_uint_eq(clients[0].got_count, 0);
  CHECK_GOT(2, 0);
  end();
}
END_TEST

/* ---- whatever order ---- */

static void expect(unsigned client, uint32_t number)
{
  struct client *c = &clients[client];

  ck_assert_uint_lt(c->expected_count, SEEN_MAX);
  c->expected[c->expected_count++] = number;
}

static void step_publish(unsigned self, unsigned group, bool not_self)
{
  struct wps_target t = to_group(group, not_self);
  uint32_t number = publish(&t, &clients[self]);

  for (unsigned i = 0; i < CLIENTS; i++)
    if (clients[i].in[group] && !(not_self && i == self))
      expect(i, number);
}

static void step_publish_hub(void)
{
  struct wps_target t = {
      .struct_size = sizeof(t), .kind = WPS_TO_HUB, .hub = STR("chat")};
  uint32_t number = publish(&t, NULL);

  for (unsigned i = 0; i < CLIENTS; i++)
    expect(i, number);
}

static void step_publish_excluding(unsigned group, unsigned client)
{
  struct wps_target t = to_group(group, false);
  struct wps_str id = str_from(clients[client].id);
  uint32_t number;

  t.excluded = &id;
  t.excluded_count = 1;
  number = publish(&t, NULL);
  for (unsigned i = 0; i < CLIENTS; i++)
    if (clients[i].in[group] && i != client)
      expect(i, number);
}

static void step_toggle(unsigned client, unsigned group)
{
  struct client *c = &clients[client];

  if (c->in[group])
    group_leave(group_membership(&c->hub, str_from(group_names[group])));
  else
    join(client, group);
  c->in[group] = !c->in[group];
}

START_TEST(as_if_delivered_at_once)
{
  unsigned seed = (unsigned)_i + 1;

  make();
  for (unsigned step = 0; step < 20000; step++) {
    unsigned what = (unsigned)rand_r(&seed) % 100;
    unsigned client = (unsigned)rand_r(&seed) % CLIENTS;
    unsigned group = (unsigned)rand_r(&seed) % GROUPS;

    if (what < 60)
      step_publish(client, group % (1 + what % GROUPS), what < 20);
    else if (what < 80)
      step_toggle(client, group);
    else if (what < 84)
      step_publish_hub();
    else if (what < 88)
      step_publish_excluding(group, client);
    else if (what < 92)
      pending_settle(&clients[client].hub);
    else if (what < 93 + (unsigned)_i % 3 * 3)
      turn_end();
  }
  turn_end();
  for (unsigned i = 0; i < CLIENTS; i++)
    check_got(i, clients[i].expected, clients[i].expected_count);
  end();
}
END_TEST

int main(void)
{
  Suite *s = suite_create("pending");
  TCase *t = tcase_create("all");
  SRunner *r = srunner_create(s);
  int failed;

  tcase_set_timeout(t, 60);
  tcase_add_test(t, one_piece_at_the_end_of_the_turn);
  tcase_add_test(t, groups_are_merged_in_the_order_of_publishing);
  tcase_add_test(t, nothing_overtakes);
  tcase_add_test(t, who_leaves_has_had_it_and_who_joins_has_not);
  tcase_add_test(t, a_group_that_ends_owes_nothing);
  tcase_add_test(t, more_than_fits_into_one_list);
  tcase_add_test(t, publishing_while_a_full_list_is_settled);
  tcase_add_test(t, publishing_and_leaving_inside_a_delivery);
  tcase_add_test(t, an_ear_goes_inside_a_walk);
  tcase_add_test(t, leaving_inside_its_own_publish);
  tcase_add_test(t, kinds_that_are_not_wanted);
  tcase_add_loop_test(t, as_if_delivered_at_once, 0, 6);
  suite_add_tcase(s, t);
  srunner_run_all(r, CK_NORMAL);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed == 0 ? 0 : 1;
}
