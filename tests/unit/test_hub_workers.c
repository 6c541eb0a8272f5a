/* SPDX-License-Identifier: Apache-2.0 */
/* What hubs do across running workers: listings that are merged, and publishes
 * that tell when they are queued everywhere. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "hub/filter.h"
#include "hub/listing.h"
#include "hub/pending.h"
#include "hub/shared.h"
#include "hub/sift.h"
#include "plug/plugin.h"
#include "on_worker.h"

enum { WORKERS = 3, CLIENTS = 60 };

struct client {
  struct hub_client hub; /* first */
  struct shared_client shared;
  char id[16];
  struct wps_str user;
  uint32_t worker;
  bool ending;
  _Atomic unsigned got;
};

static struct workers *all;
static struct hubs *hubs;
static struct client clients[CLIENTS];

static void deliver(struct hub_client *c, struct wps_member *m,
                    struct fanout *f)
{
  (void)m;
  (void)f;
  atomic_fetch_add(&((struct client *)c)->got, 1);
}

static struct hub_client *find(struct wps_worker *w, struct wps_conn_ref ref)
{
  (void)w;
  return (struct hub_client *)(uintptr_t)ref.opaque[1];
}

static bool facts(const struct hub_client *c, struct hub_facts *out)
{
  const struct client *client = (const struct client *)c;

  *out = (struct hub_facts){str_from(client->id), client->user, STR_NONE};
  return !client->ending;
}

static struct wps_conn_ref ref_of(const struct hub_client *c)
{
  return (struct wps_conn_ref){
      {(uint64_t)((const struct client *)c)->worker << 32,
       (uint64_t)(uintptr_t)c}};
}

static bool take(struct hub_client *c, struct wps_member *m,
                 const struct pending *p)
{
  (void)m;
  atomic_fetch_add(&((struct client *)c)->got, p->count);
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

static void client_end(struct client *c)
{
  struct hub *hub;

  if (c->hub.hw == NULL)
    return;
  hub = c->hub.hw->hub;
  while (c->hub.member_count != 0)
    group_leave(c->hub.members[0]);
  hub_remove(&c->hub);
  shared_client_remove(hub->shared, str_from(c->id));
}

static void stop(struct wps_worker *w, void *arg)
{
  (void)arg;
  for (size_t i = 0; i < CLIENTS; i++)
    if (clients[i].worker == w->index)
      client_end(&clients[i]);
  hub_worker_stop(w);
}

static void client_begin(void *arg)
{
  struct client *c = arg;
  struct wps_worker *w = worker_current();
  struct hub_worker *hw;
  struct wps_member *m;
  bool fresh;

  list_init(&c->hub.in_hub);
  list_init(&c->hub.in_user);
  ck_assert_int_eq(hub_worker_get(w, STR("chat"), true, &hw), WPS_OK);
  ck_assert_int_eq(hub_add(hw, &c->hub, c->user), WPS_OK);
  c->shared = (struct shared_client){
      {{(uint64_t)w->index << 32, (uint64_t)(uintptr_t)c}}, str_from(c->id)};
  ck_assert_int_eq(shared_client_add(hw->hub->shared, &c->shared), WPS_OK);
  ck_assert_int_eq(group_join(&c->hub, STR("all"), 1, &m, &fresh), WPS_OK);
}

static void setup(void)
{
  struct worker_hooks hooks = {.start = start, .stop = stop};

  all = workers_new(WORKERS);
  ck_assert_ptr_nonnull(all);
  hubs = hubs_new(all, settings, ARRAY_LEN(settings), 3);
  ck_assert_ptr_nonnull(hubs);
  memset(clients, 0, sizeof(clients));
  for (size_t i = 0; i < CLIENTS; i++) {
    /* Neighbours in the order of ids are on all workers. */
    snprintf(clients[i].id, sizeof(clients[i].id), "c%02zu", i);
    clients[i].user = i % 2 != 0 ? STR("odd") : STR_NONE;
    clients[i].worker = (uint32_t)(i * 7 / 2 % WORKERS);
  }
  ck_assert_int_eq(workers_start(all, &hooks, 1), WPS_OK);
  /* In an order that is not that of the ids. */
  for (size_t i = 0; i < CLIENTS; i++) {
    struct client *c = &clients[(i * 37 + 11) % CLIENTS];

    on_worker(all, c->worker, client_begin, c);
  }
}

static void teardown(void)
{
  workers_stop(all);
  hubs_free(hubs);
  workers_free(all);
}

/* ---- listings ---- */

struct listed {
  struct wps_target target;
  struct wps_list_query query;
  sem_t done;
  int rc, status;
  size_t count;
  bool more;
  char ids[CLIENTS][16];
  bool users[CLIENTS];
};

static void listed(void *arg, const struct wps_listing *listing)
{
  struct listed *l = arg;

  ck_assert_uint_eq(listing->item_size, sizeof(struct wps_listed));
  ck_assert_uint_eq(worker_current()->index, 1);
  l->status = listing->status;
  l->count = listing->count;
  l->more = listing->more != 0;
  ck_assert_uint_le(l->count, CLIENTS);
  for (size_t i = 0; i < l->count; i++) {
    const struct wps_listed *item = &listing->items[i];

    snprintf(l->ids[i], sizeof(l->ids[i]), "%.*s", STR_ARG(item->conn));
    l->users[i] = item->user.ptr != NULL;
    if (l->users[i])
      ck_assert(str_eq_c(item->user, "odd"));
  }
  sem_post(&l->done);
}

static void list_step(void *arg)
{
  struct listed *l = arg;

  l->rc = hub_list(worker_current(), &l->target, &l->query, listed, l);
}

static void list(struct listed *l)
{
  ck_assert_int_eq(sem_init(&l->done, 0, 0), 0);
  on_worker(all, 1, list_step, l);
  ck_assert_int_eq(l->rc, WPS_OK);
  while (sem_wait(&l->done) != 0)
    ;
  sem_destroy(&l->done);
  ck_assert_int_eq(l->status, WPS_OK);
}

/* All pages one after the other; gives how many pages that were, and checks
 * that these are the clients with bit `who(i)`, in order. */
static unsigned pages(const struct wps_target *target, uint32_t limit,
                      bool (*who)(size_t i))
{
  struct listed l = {.target = *target,
                     .query = {.struct_size = sizeof(l.query), .limit = limit}};
  char after[16];
  unsigned n = 0;
  size_t i = 0;

  do {
    list(&l);
    for (size_t k = 0; k < l.count; k++, i++) {
      while (i < CLIENTS && !who(i))
        i++;
      ck_assert_uint_lt(i, CLIENTS);
      ck_assert_str_eq(l.ids[k], clients[i].id);
      ck_assert(l.users[k] == (i % 2 != 0));
    }
    if (l.count != 0) {
      memcpy(after, l.ids[l.count - 1], sizeof(after));
      l.query.after = str_from(after);
    }
    if (l.more)
      ck_assert_uint_eq(l.count, limit);
    n++;
  } while (l.more);
  while (i < CLIENTS)
    ck_assert(!who(i++));
  return n;
}

static bool everybody(size_t i)
{
  (void)i;
  return true;
}

static bool odd(size_t i)
{
  return i % 2 != 0;
}

static bool twenties(size_t i)
{
  return i >= 20 && i < 30;
}

static bool twenties_but_one(size_t i)
{
  return twenties(i) && i != 25;
}

static bool nobody(size_t i)
{
  (void)i;
  return false;
}

START_TEST(pages_follow_each_other)
{
  struct wps_target t = {
      .struct_size = sizeof(t), .kind = WPS_TO_HUB, .hub = STR("chat")};

  ck_assert_uint_eq(pages(&t, 1, everybody), 60);
  ck_assert_uint_eq(pages(&t, 2, everybody), 30);
  ck_assert_uint_eq(pages(&t, 7, everybody), 9);
  ck_assert_uint_eq(pages(&t, 20, everybody), 3);
  ck_assert_uint_eq(pages(&t, 59, everybody), 2);
  ck_assert_uint_eq(pages(&t, 60, everybody), 1);
  ck_assert_uint_eq(pages(&t, UINT32_MAX, everybody), 1);
  t.kind = WPS_TO_GROUP;
  t.name = STR("all");
  ck_assert_uint_eq(pages(&t, 6, everybody), 10);
  t.name = STR("none");
  ck_assert_uint_eq(pages(&t, 6, nobody), 1);
  t.kind = WPS_TO_USER;
  t.name = STR("odd");
  ck_assert_uint_eq(pages(&t, 7, odd), 5);
  t.kind = WPS_TO_HUB;
  t.hub = STR("nobody_uses_it");
  ck_assert_uint_eq(pages(&t, 7, nobody), 1);
}
END_TEST

START_TEST(pages_of_a_filter)
{
  struct wps_str excluded[] = {STR("c25"), STR("unknown")};
  struct wps_target t = {
      .struct_size = sizeof(t), .kind = WPS_TO_HUB, .hub = STR("chat")};

  ck_assert_int_eq(
      filter_new(STR("startswith(connectionId,'c2')"), &t.filter, NULL, 0),
      WPS_OK);
  ck_assert_uint_eq(pages(&t, 4, twenties), 3);
  t.excluded = excluded;
  t.excluded_count = 2;
  ck_assert_uint_eq(pages(&t, 3, twenties_but_one), 3);
  t.kind = WPS_TO_CONN;
  t.name = STR("c30");
  ck_assert_uint_eq(pages(&t, 3, nobody), 1);
  filter_unref(t.filter);
}
END_TEST

static void begin_end(void *arg)
{
  ((struct client *)arg)->ending = true;
}

START_TEST(who_is_ending_is_not_listed)
{
  struct wps_target t = {
      .struct_size = sizeof(t), .kind = WPS_TO_HUB, .hub = STR("chat")};
  struct listed l = {.target = t, .query = {sizeof(l.query), 1, STR("c24")}};

  list(&l);
  ck_assert_str_eq(l.ids[0], "c25");
  on_worker(all, clients[25].worker, begin_end, &clients[25]);
  list(&l);
  ck_assert_str_eq(l.ids[0], "c26");
  ck_assert(l.more);
  l.query.after = STR("c59");
  list(&l);
  ck_assert_uint_eq(l.count, 0);
  ck_assert(!l.more);
}
END_TEST

static void refused_step(void *arg)
{
  struct wps_worker *w = worker_current();
  struct wps_target t = {
      .struct_size = sizeof(t), .kind = WPS_TO_HUB, .hub = STR("chat")};
  struct wps_list_query q = {sizeof(q), 0, STR_NONE};

  (void)arg;
  ck_assert_int_eq(hub_list(w, &t, &q, listed, NULL), WPS_EINVAL);
  q.limit = 1;
  ck_assert_int_eq(hub_list(w, &t, &q, NULL, NULL), WPS_EINVAL);
  t.kind = WPS_TO_GROUP;
  ck_assert_int_eq(hub_list(w, &t, &q, listed, NULL), WPS_EINVAL);
}

START_TEST(listings_that_cannot_be)
{
  on_worker(all, 0, refused_step, NULL);
}
END_TEST

/* ---- publishing ---- */

struct told {
  struct wps_target target;
  unsigned times;  /* publishes */
  unsigned before; /* each client had got so many */
  bool later;
  uint64_t receivers;
  sem_t done;
  _Atomic unsigned ok, canceled;
};

static void told(struct wps_conn *conn, void *arg, uint64_t tag,
                 const struct wps_published *result)
{
  struct told *t = arg;

  ck_assert_ptr_null(conn);
  if (result->status == WPS_ECANCELED) {
    atomic_fetch_add(&t->canceled, 1);
    return;
  }
  ck_assert_int_eq(result->status, WPS_OK);
  atomic_fetch_add(&t->ok, 1);
  if (t->target.filter == NULL) /* with one it may not be known before */
    ck_assert_uint_eq(result->receivers_local, t->receivers);
  /* Here is the point: everybody on all workers has it, or is to get it at the
   * end of this turn of theirs. */
  if (t->times == 1 && t->target.kind == WPS_TO_HUB)
    for (size_t i = 0; i < CLIENTS; i++)
      ck_assert_uint_eq(atomic_load(&clients[i].got), t->before + 1);
  ck_assert_uint_lt(tag, t->times);
  sem_post(&t->done);
}

static void publish_step(void *arg)
{
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = WPS_DATA_TEXT,
                                  .data = {"x", 1}};
  struct told *t = arg;

  for (unsigned i = 0; i < t->times; i++) {
    struct publish_done done = {told, t, i};
    struct wps_message *m = message_api.create(&info);

    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(hub_publish(worker_current(), &t->target, NULL, m, &done,
                                 &t->receivers, &t->later),
                     WPS_OK);
    message_unref(m);
  }
}

#ifdef WPS_DEBUG
static void publish_in_vain(void *arg)
{
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = WPS_DATA_TEXT,
                                  .data = {"x", 1}};
  struct told *t = arg;
  struct publish_done done = {told, t, 0};
  struct wps_message *m = message_api.create(&info);

  ck_assert_ptr_nonnull(m);
  ck_assert_int_eq(hub_publish(worker_current(), &t->target, NULL, m, &done,
                               &t->receivers, &t->later),
                   WPS_ENOMEM);
  message_unref(m);
}

/* What is refused nobody has got, here or elsewhere: it may be repeated. */
START_TEST(no_memory_for_other_workers)
{
  struct told t = {.target = {.struct_size = sizeof(t.target),
                              .hub = STR("chat"),
                              .kind = WPS_TO_HUB}};

  setenv("WEBPUBSUBD_FAULT", "alloc_job:1", 1);
  on_worker(all, 0, publish_in_vain, &t);
  ck_assert(!t.later);
  ck_assert_uint_eq(t.receivers, 0);
  for (uint32_t w = 0; w < WORKERS; w++)
    worker_turn(all, w);
  for (size_t i = 0; i < CLIENTS; i++)
    ck_assert_uint_eq(atomic_load(&clients[i].got), 0);
}
END_TEST
#endif

START_TEST(done_comes_after_all_workers)
{
  struct told t = {
      .target = {.struct_size = sizeof(t.target), .hub = STR("chat")},
      .times = 1};

  ck_assert_int_eq(sem_init(&t.done, 0, 0), 0);
  for (unsigned i = 0; i < 300; i++) {
    t.target.kind = i % 2 == 0 ? WPS_TO_HUB : WPS_TO_GROUP;
    t.target.name = i % 2 == 0 ? STR_NONE : STR("all");
    t.before = i;
    on_worker(all, i % WORKERS, publish_step, &t);
    ck_assert(t.later);
    while (sem_wait(&t.done) != 0)
      ;
    for (uint32_t w = 0; w < WORKERS; w++)
      worker_turn(all, w);
    for (size_t k = 0; k < CLIENTS; k++)
      ck_assert_uint_eq(atomic_load(&clients[k].got), i + 1);
  }
  ck_assert_uint_eq(t.ok, 300);
  sem_destroy(&t.done);
}
END_TEST

START_TEST(nobody_elsewhere_is_nothing_to_wait_for)
{
  struct told t = {.target = {.struct_size = sizeof(t.target),
                              .kind = WPS_TO_CONN,
                              .hub = STR("chat"),
                              .name = str_from(clients[5].id)},
                   .times = 1};

  on_worker(all, clients[5].worker, publish_step, &t);
  ck_assert(!t.later);
  ck_assert_uint_eq(t.receivers, 1);
  t.target.name = STR("unknown");
  on_worker(all, 0, publish_step, &t);
  ck_assert(!t.later);
  t.target.hub = STR("nobody_uses_it");
  on_worker(all, 0, publish_step, &t);
  ck_assert(!t.later);
  ck_assert_uint_eq(t.ok, 0);
}
END_TEST

START_TEST(a_filter_goes_along)
{
  struct told t = {.target = {.struct_size = sizeof(t.target),
                              .kind = WPS_TO_HUB,
                              .hub = STR("chat")},
                   .times = 2};

  ck_assert_int_eq(
      filter_new(STR("userId eq 'odd'"), &t.target.filter, NULL, 0), WPS_OK);
  ck_assert_int_eq(sem_init(&t.done, 0, 0), 0);
  on_worker(all, 0, publish_step, &t);
  /* The jobs have references of their own. */
  filter_unref(t.target.filter);
  for (unsigned i = 0; i < t.times; i++)
    while (sem_wait(&t.done) != 0)
      ;
  for (size_t i = 0; i < CLIENTS; i++)
    ck_assert_uint_eq(atomic_load(&clients[i].got), i % 2 != 0 ? 2 : 0);
  sem_destroy(&t.done);
}
END_TEST

/* ---- looking piece by piece ---- */

struct sifting {
  struct sift sift;
  struct wps_target target;
  unsigned visited, at_once;
  _Atomic unsigned over;
  size_t kept;
  sem_t done;
};

static bool slow_visit(struct sift *s, struct hub_client *c)
{
  struct sifting *x = CONTAINER_OF(s, struct sifting, sift);
  int64_t until = clock_now_us() + 1000;

  while (clock_now_us() < until)
    ;
  x->visited++;
  return ((struct client *)c)->user.len != 0;
}

static void sifted(struct sift *s)
{
  struct sifting *x = CONTAINER_OF(s, struct sifting, sift);

  atomic_fetch_add(&x->over, 1);
  x->kept = s->kept;
  for (size_t i = 0; i < s->kept; i++)
    ck_assert_uint_eq(
        ((struct client *)find(worker_current(), s->refs[i]))->user.len, 3);
  sem_post(&x->done);
}

static void sift_step(void *arg)
{
  struct sifting *x = arg;
  struct hub_worker *hw;

  ck_assert_int_eq(hub_worker_get(worker_current(), x->target.hub, false, &hw),
                   WPS_OK);
  ck_assert_int_eq(sift_start(&x->sift, hw, &x->target, slow_visit, sifted),
                   WPS_OK);
  x->at_once = x->visited;
}

static void sifting_make(struct sifting *x, unsigned count)
{
  for (unsigned i = 0; i < count; i++) {
    memset(&x[i], 0, sizeof(x[i]));
    x[i].target = (struct wps_target){.struct_size = sizeof(x[i].target),
                                      .kind = WPS_TO_HUB,
                                      .hub = STR("chat")};
    ck_assert_int_eq(sem_init(&x[i].done, 0, 0), 0);
  }
}

/* Half of the clients of worker 0 are odd. */
static unsigned clients_of_worker(uint32_t worker, bool odd)
{
  unsigned n = 0;

  for (size_t i = 0; i < CLIENTS; i++)
    n += clients[i].worker == worker && (!odd || clients[i].user.len != 0);
  return n;
}

/* Within one turn, so that the first is not over when the second begins. */
static void sift_steps(void *arg)
{
  struct sifting *x = arg;

  for (unsigned i = 0; i < 3; i++)
    sift_step(&x[i]);
}

START_TEST(long_looks_are_taken_in_pieces)
{
  struct sifting x[3];

  sifting_make(x, 3);
  on_worker(all, 0, sift_steps, x);
  /* 20 ms of work, and the second does not begin inside its call. */
  ck_assert_uint_lt(x[0].at_once, clients_of_worker(0, false));
  ck_assert_uint_gt(x[0].at_once, 0);
  ck_assert_uint_eq(x[1].at_once, 0);
  for (unsigned i = 0; i < 3; i++) {
    while (sem_wait(&x[i].done) != 0)
      ;
    ck_assert_uint_eq(x[i].visited, clients_of_worker(0, false));
    ck_assert_uint_eq(x[i].kept, clients_of_worker(0, true));
    sem_destroy(&x[i].done);
  }
}
END_TEST

START_TEST(looks_are_finished_when_a_worker_stops)
{
  struct sifting x[4];

  sifting_make(x, 4);
  for (unsigned i = 0; i < 4; i++)
    ck_assert_int_eq(worker_post_fn(workers_at(all, 1), sift_step, &x[i]),
                     WPS_OK);
  workers_stop(all);
  for (unsigned i = 0; i < 4; i++) {
    ck_assert_uint_eq(atomic_load(&x[i].over), 1);
    sem_destroy(&x[i].done);
  }
}
END_TEST

START_TEST(each_done_runs_once_also_at_the_end)
{
  struct told t = {.target = {.struct_size = sizeof(t.target),
                              .kind = WPS_TO_HUB,
                              .hub = STR("chat")},
                   .times = 500};

  ck_assert_int_eq(sem_init(&t.done, 0, 0), 0);
  on_worker(all, 2, publish_step, &t);
  workers_stop(all);
  ck_assert_uint_eq(t.ok + t.canceled, 500);
  sem_destroy(&t.done);
  hubs_free(hubs);
  workers_free(all);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("hub_workers");
  TCase *tc = tcase_create("hub_workers");
  TCase *end = tcase_create("end");
  SRunner *runner;
  int failed;

  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_add_test(tc, pages_follow_each_other);
  tcase_add_test(tc, pages_of_a_filter);
  tcase_add_test(tc, who_is_ending_is_not_listed);
  tcase_add_test(tc, listings_that_cannot_be);
#ifdef WPS_DEBUG
  tcase_add_test(tc, no_memory_for_other_workers);
#endif
  tcase_add_test(tc, done_comes_after_all_workers);
  tcase_add_test(tc, nobody_elsewhere_is_nothing_to_wait_for);
  tcase_add_test(tc, a_filter_goes_along);
  tcase_add_test(tc, long_looks_are_taken_in_pieces);
  tcase_add_test(tc, looks_are_finished_when_a_worker_stops);
  suite_add_tcase(suite, tc);
  tcase_add_checked_fixture(end, setup, NULL);
  tcase_add_test(end, each_done_runs_once_also_at_the_end);
  suite_add_tcase(suite, end);
  runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
