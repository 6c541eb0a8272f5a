/* SPDX-License-Identifier: Apache-2.0 */
/* States of members, and ears at groups, across running workers. */
#include <check.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "hub/fanout.h"
#include "hub/pending.h"
#include "hub/shared.h"
#include "hub/state.h"
#include "hub/tap.h"
#include "plug/plugin.h"
#include "on_worker.h"

enum { WORKERS = 2, CLIENTS = 220, FEW = 8, UPDATES_MAX = 60000 };

/* What a client has seen; touched by its worker only. */
struct seen {
  uint32_t client; /* whose state */
  int32_t value;   /* -1: cleared */
  int64_t ms;
};

struct client {
  struct hub_client hub; /* first */
  struct shared_client shared;
  uint32_t number, worker;
  char id[8];
  struct wps_member *member;
  struct seen *updates;
  size_t update_count;
  int32_t picture[CLIENTS]; /* -1: nothing; then what updates say */
  size_t picture_count;
  int picture_status;
  bool pictured;
  sem_t done;
};

static struct workers *all;
static struct hubs *hubs;
static struct client clients[CLIENTS];

static struct seen seen_of(const struct wps_message *m)
{
  const struct wps_message_info *i = &m->info;
  struct seen s = {.value = -1, .ms = i->created_unix_ms};
  char id[8];

  ck_assert_uint_eq(i->kind, WPS_MSG_STATE);
  ck_assert(str_eq_c(i->group, "room"));
  snprintf(id, sizeof(id), "%.*s", STR_ARG(i->conn));
  s.client = (uint32_t)strtoul(id + 1, NULL, 10);
  if ((i->flags & WPS_MESSAGE_CLEARED) == 0) {
    char text[16];

    ck_assert_uint_eq(i->tag_count, 1);
    snprintf(text, sizeof(text), "%.*s", STR_ARG(i->tags[0].value));
    s.value = atoi(text);
  }
  return s;
}

static void deliver(struct hub_client *hub, struct wps_member *m,
                    struct fanout *f)
{
  struct client *c = (struct client *)hub;

  (void)m;
  ck_assert_uint_lt(c->update_count, UPDATES_MAX);
  ck_assert_msg(c->pictured, "an update before the picture");
  c->updates[c->update_count] = seen_of(f->msg);
  c->picture[c->updates[c->update_count].client] =
      c->updates[c->update_count].value;
  c->update_count++;
}

static bool take(struct hub_client *c, struct wps_member *m,
                 const struct pending *p)
{
  (void)c;
  (void)m;
  (void)p;
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

static struct hub_client *find(struct wps_worker *w, struct wps_conn_ref ref)
{
  struct client *c = (struct client *)(uintptr_t)ref.opaque[1];

  (void)w;
  return c->hub.hw != NULL ? &c->hub : NULL;
}

static struct wps_conn_ref ref_of(const struct hub_client *c)
{
  return (struct wps_conn_ref){
      {(uint64_t)((const struct client *)c)->worker << 32,
       (uint64_t)(uintptr_t)c}};
}

static bool facts(const struct hub_client *c, struct hub_facts *out)
{
  *out = (struct hub_facts){str_from(((const struct client *)c)->id), STR_NONE,
                            STR_NONE};
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

static int start(struct wps_worker *w, void *arg)
{
  struct hub_worker *hw;
  int rc = hub_worker_start(w, hubs, &ops);

  (void)arg;
  return rc != WPS_OK ? rc : hub_worker_get(w, STR("chat"), true, &hw);
}

static void leave(struct client *c)
{
  if (c->member == NULL)
    return;
  state_end(c->member);
  group_leave(c->member);
  c->member = NULL;
}

static void client_end(void *arg)
{
  struct client *c = arg;

  if (c->hub.hw == NULL)
    return;
  leave(c);
  shared_client_remove(c->hub.hw->hub->shared, str_from(c->id));
  hub_remove(&c->hub);
}

static void stop(struct wps_worker *w, void *arg)
{
  (void)arg;
  for (size_t i = 0; i < CLIENTS; i++)
    if (clients[i].worker == w->index)
      client_end(&clients[i]);
  hub_worker_stop(w);
}

static void client_join(void *arg)
{
  struct client *c = arg;
  bool fresh;

  ck_assert_int_eq(
      group_join(&c->hub, STR("room"), 1 + c->number, &c->member, &fresh),
      WPS_OK);
}

static void client_begin(void *arg)
{
  struct client *c = arg;
  struct hub_worker *hw;

  list_init(&c->hub.in_hub);
  list_init(&c->hub.in_user);
  ck_assert_int_eq(hub_worker_get(worker_current(), STR("chat"), true, &hw),
                   WPS_OK);
  ck_assert_int_eq(hub_add(hw, &c->hub, STR_NONE), WPS_OK);
  c->shared = (struct shared_client){ref_of(&c->hub), str_from(c->id)};
  ck_assert_int_eq(shared_client_add(hw->hub->shared, &c->shared), WPS_OK);
  client_join(c);
}

static void setup(void)
{
  struct worker_hooks hooks = {.start = start, .stop = stop};

  all = workers_new(WORKERS);
  hubs = hubs_new(all, settings, ARRAY_LEN(settings), 3);
  memset(clients, 0, sizeof(clients));
  for (uint32_t i = 0; i < CLIENTS; i++) {
    struct client *c = &clients[i];

    c->number = i;
    c->worker = i % WORKERS;
    snprintf(c->id, sizeof(c->id), "c%03u", i);
    for (size_t k = 0; k < CLIENTS; k++)
      c->picture[k] = -1;
    if (i < FEW)
      c->updates = malloc(UPDATES_MAX * sizeof(*c->updates));
    sem_init(&c->done, 0, 0);
  }
  ck_assert_int_eq(workers_start(all, &hooks, 1), WPS_OK);
}

static void teardown(void)
{
  workers_stop(all);
  hubs_free(hubs);
  workers_free(all);
  for (size_t i = 0; i < CLIENTS; i++) {
    free(clients[i].updates);
    sem_destroy(&clients[i].done);
  }
}

static void begin(size_t count)
{
  for (size_t i = 0; i < count; i++)
    on_worker(all, clients[i].worker, client_begin, &clients[i]);
}

/* Posts that were made before have run, on all workers, twice over. */
static void quiet(void)
{
  for (int round = 0; round < 2; round++)
    for (uint32_t i = 0; i < WORKERS; i++)
      worker_turn(all, i);
}

static void pictured(struct wps_conn *conn, void *arg, uint64_t tag,
                     const struct wps_states *states)
{
  struct client *c = arg;
  struct wps_str last = STR_NONE;

  ck_assert_uint_eq(tag, 7);
  c->picture_status = states->status;
  c->picture_count = states->count;
  if (conn != NULL && states->status == WPS_OK) {
    c->pictured = true;
    for (size_t i = 0; i < states->count; i++) {
      struct wps_str id = states->items[i]->info.conn;
      struct seen s = seen_of(states->items[i]);

      ck_assert(last.len == 0 || memcmp(last.ptr, id.ptr, 4) < 0);
      last = id;
      c->picture[s.client] = s.value;
    }
  }
  sem_post(&c->done);
}

static void client_watch(void *arg)
{
  struct client *c = arg;

  ck_assert_int_eq(state_watch(c->member, pictured, c, 7), WPS_OK);
}

static void client_unwatch(void *arg)
{
  state_unwatch(((struct client *)arg)->member);
}

static void client_leave(void *arg)
{
  leave(arg);
}

static void set(struct client *c, int value)
{
  char text[16];
  struct wps_pair entry = {
      STR("k"), {text, (size_t)snprintf(text, sizeof(text), "%d", value)}};

  ck_assert_int_eq(state_set(c->member, &entry, 1), WPS_OK);
}

static void client_set(void *arg)
{
  struct client *c = arg;

  set(c, (int)c->number);
}

static void client_clear(void *arg)
{
  ck_assert_int_eq(state_set(((struct client *)arg)->member, NULL, 0), WPS_OK);
}

static void await(struct client *c)
{
  while (sem_wait(&c->done) != 0)
    ;
}

static void watch(size_t i)
{
  on_worker(all, clients[i].worker, client_watch, &clients[i]);
  await(&clients[i]);
}

static void use_when_ending(void *arg)
{
  struct client *c = arg;
  struct wps_pair entry = {STR("k"), STR("v")};

  c->member->marks |= MEMBER_ENDING;
  ck_assert_int_eq(state_set(c->member, &entry, 1), WPS_ECLOSED);
  ck_assert_int_eq(state_watch(c->member, pictured, c, 7), WPS_ECLOSED);
  leave(c);
}

START_TEST(nothing_begins_at_the_end)
{
  begin(2);
  on_worker(all, 0, use_when_ending, &clients[0]);
  watch(1);
  ck_assert_uint_eq(clients[1].picture_count, 0);
}
END_TEST

START_TEST(a_picture_and_then_updates)
{
  begin(4);
  on_worker(all, 0, client_set, &clients[0]);
  on_worker(all, 1, client_set, &clients[1]);
  watch(2);
  watch(3);
  ck_assert_uint_eq(clients[2].picture_count, 2);
  ck_assert_int_eq(clients[3].picture[1], 1);
  on_worker(all, 0, client_set, &clients[2]);
  on_worker(all, 1, client_clear, &clients[1]);
  on_worker(all, 1, client_clear, &clients[1]); /* told again */
  quiet();
  for (size_t i = 2; i < 4; i++) {
    ck_assert_uint_eq(clients[i].update_count, 3);
    ck_assert_int_eq(clients[i].picture[1], -1);
    ck_assert_int_eq(clients[i].picture[2], 2);
    ck_assert(clients[i].updates[0].ms < clients[i].updates[1].ms);
  }
  on_worker(all, 0, client_unwatch, &clients[2]);
  on_worker(all, 0, client_leave, &clients[0]);
  quiet();
  ck_assert_uint_eq(clients[2].update_count, 3);
  ck_assert_uint_eq(clients[3].update_count, 4);
  ck_assert_int_eq(clients[3].picture[0], -1);
}
END_TEST

START_TEST(who_has_left_watches_no_more)
{
  begin(2);
  on_worker(all, 0, client_set, &clients[0]);
  on_worker(all, 1, client_watch, &clients[1]);
  on_worker(all, 1, client_leave, &clients[1]);
  await(&clients[1]);
  quiet();
  /* The picture may have come before the end. */
  ck_assert(clients[1].picture_status == WPS_OK ||
            clients[1].picture_status == WPS_ECANCELED);
  clients[1].pictured = false; /* or deliver() would not notice */
  on_worker(all, 1, client_join, &clients[1]);
  on_worker(all, 0, client_set, &clients[0]);
  quiet();
  ck_assert_uint_eq(clients[1].update_count, 0);
}
END_TEST

START_TEST(the_first_of_very_many)
{
  begin(CLIENTS);
  for (size_t i = CLIENTS; i-- > 0;)
    on_worker(all, clients[i].worker, client_set, &clients[i]);
  watch(5);
  ck_assert_uint_eq(clients[5].picture_count, WPS_STATES_MAX);
  for (size_t i = 0; i < CLIENTS; i++)
    ck_assert_int_eq(clients[5].picture[i], i < WPS_STATES_MAX ? (int)i : -1);
}
END_TEST

START_TEST(too_much)
{
  static char large[5000];
  struct wps_pair entry = {STR("k"), {large, sizeof(large)}};

  memset(large, 'x', sizeof(large));
  begin(1);
  ck_assert_int_eq(state_set(clients[0].member, &entry, 1), WPS_ETOOBIG);
}
END_TEST

/* ---- all at once ---- */

static void many_sets(void *arg)
{
  struct client *c = arg;

  for (int i = 0; i < 2000; i++)
    if (i % 50 == 49)
      client_clear(c);
    else
      set(c, i);
}

static void post(struct client *c, wps_fn fn)
{
  ck_assert_int_eq(worker_post_fn(workers_at(all, c->worker), fn, c), WPS_OK);
}

START_TEST(everybody_ends_up_with_the_same)
{
  begin(FEW);
  for (int round = 0; round < 5; round++) {
    for (size_t i = 0; i < 4; i++)
      post(&clients[i], many_sets);
    for (size_t i = 4; i < FEW; i++)
      post(&clients[i], client_watch);
    for (size_t i = 4; i < FEW; i++)
      await(&clients[i]);
    quiet();
  }
  for (size_t i = 4; i < FEW; i++) {
    int64_t last = 0;

    ck_assert_int_eq(
        memcmp(clients[i].picture, clients[4].picture, sizeof(int32_t) * 4), 0);
    for (size_t k = 0; k < clients[i].update_count; k++) {
      ck_assert_msg(clients[i].updates[k].ms > last, "times do not rise");
      last = clients[i].updates[k].ms;
    }
  }
  /* After the first round all hear all, in one order. */
  for (size_t k = 1; k <= 32000; k++)
    ck_assert_int_eq(clients[4].updates[clients[4].update_count - k].ms,
                     clients[5].updates[clients[5].update_count - k].ms);
}
END_TEST

/* ---- taps ---- */

struct ear {
  struct wps_tap *tap;
  unsigned heard;
  bool once; /* takes itself away */
};

static void hear(void *arg, struct wps_message *msg)
{
  struct ear *e = arg;

  ck_assert(
      str_eq_c((struct wps_str){msg->info.data.ptr, msg->info.data.len}, "hi"));
  e->heard++;
  if (e->once)
    tap_free(e->tap);
}

static void tap(void *arg)
{
  struct ear *e = arg;

  ck_assert_int_eq(
      tap_new(worker_current(), STR("chat"), STR("other"), hear, e, &e->tap),
      WPS_OK);
}

static void untap(void *arg)
{
  tap_free(((struct ear *)arg)->tap);
}

static void publish_to(struct wps_target *t)
{
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = WPS_DATA_TEXT,
                                  .data = {"hi", 2}};
  struct wps_message *m = message_api.create(&info);
  uint64_t receivers;
  bool later;

  ck_assert_int_eq(
      hub_publish(worker_current(), t, NULL, m, NULL, &receivers, &later),
      WPS_OK);
  ck_assert_uint_eq(receivers, 0);
  message_unref(m);
}

static void publish(void *arg)
{
  struct wps_target t = {.struct_size = sizeof(t),
                         .kind = WPS_TO_GROUP,
                         .hub = STR("chat"),
                         .name = STR("other")};

  (void)arg;
  publish_to(&t);
}

static void publish_elsewhere(void *arg)
{
  struct wps_target t = {.struct_size = sizeof(t),
                         .kind = WPS_TO_GROUP,
                         .hub = STR("chat"),
                         .name = STR("another")};

  (void)arg;
  publish_to(&t);
}

static void look_for_group(void *arg)
{
  struct hub_worker *hw;

  ck_assert_int_eq(hub_worker_get(worker_current(), STR("chat"), false, &hw),
                   WPS_OK);
  *(bool *)arg = group_find(hw, STR("other")) != NULL;
}

START_TEST(ears_hear_what_is_published_anywhere)
{
  struct ear a = {.once = false}, b = {.once = true}, c = {.once = false};
  bool there;

  on_worker(all, 0, tap, &a);
  on_worker(all, 0, tap, &b);
  on_worker(all, 1, tap, &c);
  on_worker(all, 0, publish, NULL);
  on_worker(all, 1, publish, NULL);
  on_worker(all, 1, publish_elsewhere, NULL);
  quiet();
  ck_assert_uint_eq(a.heard, 2);
  ck_assert_uint_eq(b.heard, 1);
  ck_assert_uint_eq(c.heard, 2);
  on_worker(all, 0, untap, &a);
  on_worker(all, 0, look_for_group, &there);
  ck_assert(!there);
  on_worker(all, 0, publish, NULL);
  quiet();
  ck_assert_uint_eq(a.heard, 2);
  ck_assert_uint_eq(c.heard, 3); /* and it ends with its worker */
}
END_TEST

START_TEST(ears_that_cannot_be)
{
  struct wps_tap *none;

  ck_assert_int_eq(
      tap_new(workers_at(all, 0), STR("chat"), STR(""), hear, NULL, &none),
      WPS_EINVAL);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("states");
  TCase *tc = tcase_create("all");
  SRunner *runner;
  int failed;

  tcase_set_timeout(tc, 60);
  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_add_test(tc, a_picture_and_then_updates);
  tcase_add_test(tc, nothing_begins_at_the_end);
  tcase_add_test(tc, who_has_left_watches_no_more);
  tcase_add_test(tc, the_first_of_very_many);
  tcase_add_test(tc, too_much);
  tcase_add_test(tc, everybody_ends_up_with_the_same);
  tcase_add_test(tc, ears_hear_what_is_published_anywhere);
  tcase_add_test(tc, ears_that_cannot_be);
  suite_add_tcase(suite, tc);
  runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
