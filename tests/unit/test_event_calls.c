/* SPDX-License-Identifier: Apache-2.0 */
/* Events of one client that somebody waits for: those in order, what it asks
 * for between them, and those that wait for nothing; to their end and its. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "conn/client_events.h"
#include "conn/event_calls.h"
#include "conn/membership.h"
#include "hub/fanout.h"
#include "msg/event.h"
#include "msg/message.h"
#include "plug/plugin.h"
#include "plug/reply.h"
#include "on_worker.h"

enum { SEEN_MAX = 64 };

/* What the upstream got, in its order. */
struct seen {
  uint32_t type, flags;
  uint64_t sequence;
  char name[16];
  char state[16];
  struct wps_reply *reply;
};

static struct workers *all;
static struct wps_worker *w;
static struct hubs *hubs;
static struct conn_server server;
static struct wps_conn *conn;
static struct seen seen[SEEN_MAX];
static size_t seen_count;
static uint32_t wanted;
static char told[1024];     /* who has been told what: "tag:status " */
static bool leaves_at_once; /* the upstream takes the client out again */

/* ---- the upstream ---- */

static void deliver(void *inst, void *wstate, const struct wps_handler *handler,
                    const struct wps_event *event, struct wps_reply *reply)
{
  struct seen *s = &seen[seen_count++];
  struct wps_str name = event->group.ptr != NULL && event->group.len != 0
                            ? event->group
                            : event->name;

  UNUSED(inst);
  UNUSED(wstate);
  UNUSED(handler);
  ck_assert_uint_le(seen_count, SEEN_MAX);
  ck_assert_uint_eq(event->id.len, 36);
  s->type = event->type;
  s->flags = event->flags;
  s->sequence = event->sequence;
  s->reply = reply;
  snprintf(s->name, sizeof(s->name), "%.*s", STR_ARG(name));
  snprintf(s->state, sizeof(s->state), "%.*s", STR_ARG(event->app_state));
  if (leaves_at_once && event->type == WPS_EVENT_JOINED)
    membership_end(conn, group_membership(&conn->client, event->group),
                   WPS_BY_SELF);
}

static bool wants(void *inst, void *wstate, const struct wps_handler *handler,
                  const struct wps_event *event)
{
  UNUSED(inst);
  UNUSED(wstate);
  UNUSED(handler);
  return (wanted & event->type) != 0;
}

static const struct wps_upstream ops = {
    .struct_size = sizeof(ops), .deliver = deliver, .wants = wants};
static const struct wps_component component = {.kind = WPS_KIND_UPSTREAM,
                                               .ops.upstream = &ops};
static char upstream_name[] = "upstream-test";
static struct wps_instance upstream = {.name = upstream_name,
                                       .component = &component};
static struct hub_handler handlers[] = {
    {.upstream = &upstream,
     .dynamic = true,
     .all_user_events = true,
     .events = WPS_EVENT_DISCONNECTED | WPS_EVENT_PUBLISH}};
static const struct hub_settings settings = {
    .pattern = {"*", 1}, .handlers = handlers, .handler_count = 1};

/* ---- the subprotocol ---- */

static unsigned joined_count, left_count, delivered_count;
static int joined_again;

static int encode(void *inst, const struct wps_message *msg, uint32_t variant,
                  struct wps_frame **out)
{
  UNUSED(inst);
  UNUSED(variant);
  UNUSED(msg);
  *out = message_api.frame(WPS_TEXT, (struct wps_bytes){"x", 1});
  return *out != NULL ? WPS_OK : WPS_ENOMEM;
}

static int delivered(struct wps_conn *c, void *state,
                     const struct wps_delivery *d)
{
  UNUSED(state);
  delivered_count++;
  ck_assert_uint_eq(left_count, 0); /* for it is told first */
  ck_assert_ptr_eq(d->data, told);
  membership_end(c, d->member, WPS_BY_SELF);
  return WPS_OK;
}

static void joined(struct wps_conn *c, void *state, struct wps_member *member,
                   uint32_t by)
{
  UNUSED(c);
  UNUSED(state);
  UNUSED(member);
  UNUSED(by);
  joined_count++;
}

static void left(struct wps_conn *c, void *state, struct wps_member *member,
                 void *data, uint32_t by)
{
  const struct wps_membership how = {.struct_size = sizeof(how), .data = told};
  uint64_t serial;

  UNUSED(state);
  UNUSED(data);
  UNUSED(by);
  left_count++;
  joined_again =
      membership_begin(c, member->group->name, &how, WPS_BY_SELF, &serial);
}

static const struct wps_subprotocol sub = {.struct_size = sizeof(sub),
                                           .encode = encode,
                                           .deliver = delivered,
                                           .joined = joined,
                                           .left = left};
static const struct wps_component sub_component = {.kind = WPS_KIND_SUBPROTOCOL,
                                                   .ops.subprotocol = &sub};
static char sub_name[] = "sub";
static struct wps_instance sub_instance = {.name = sub_name,
                                           .component = &sub_component};

/* ---- who waits ---- */

static void tell(const struct wps_conn *c, uint64_t tag, int status)
{
  size_t len = strlen(told);

  snprintf(told + len, sizeof(told) - len, "%s%llu%s ", c == NULL ? "!" : "",
           (unsigned long long)tag,
           status == WPS_OK             ? ""
           : status == WPS_EFORBIDDEN   ? "-refused"
           : status == WPS_ECANCELED    ? "-canceled"
           : status == WPS_EUNAVAILABLE ? "-down"
                                        : "-?");
}

static void answered(struct wps_conn *c, void *arg, uint64_t tag, int status,
                     const struct wps_event_answer *answer)
{
  UNUSED(answer);
  ck_assert_ptr_eq(arg, told);
  ck_assert(c == NULL ||
            ((c->flags & CONN_EVENT_FAILED) != 0) == (status != WPS_OK));
  tell(c, tag, status);
}

static void decided(struct wps_conn *c, void *arg, uint64_t tag, int status)
{
  ck_assert_ptr_eq(arg, told);
  tell(c, tag, status);
}

/* ---- steps on the worker ---- */

static int event(const char *name, uint32_t flags, uint64_t tag, size_t size)
{
  static char fill[4096];
  const struct wps_message_info info = {.struct_size = sizeof(info),
                                        .data_type = WPS_DATA_TEXT,
                                        .data = {fill, size}};
  struct wps_message *msg = message_api.create(&info);
  struct wps_client_event what = {.struct_size = sizeof(what),
                                  .flags = flags,
                                  .name = str_from(name),
                                  .msg = msg};
  int rc = client_events_message(conn, &what, answered, told, tag);

  conn->flags &= (uint16_t)~CONN_EVENT_FAILED;
  message_unref(msg);
  return rc;
}

static void ordered(const char *name, uint64_t tag)
{
  ck_assert_int_eq(event(name, 0, tag, 1), WPS_OK);
}

static void concurrent(const char *name, uint64_t tag)
{
  ck_assert_int_eq(event(name, WPS_CLIENT_EVENT_CONCURRENT, tag, 1), WPS_OK);
}

static int ask(uint32_t type, const char *group, uint64_t tag)
{
  const struct wps_client_request what = {
      .struct_size = sizeof(what), .type = type, .group = str_from(group)};

  return client_events_ask(conn, &what, decided, told, tag);
}

static void answer(size_t i, uint32_t code, const char *state)
{
  const struct wps_event_answer a = {
      .struct_size = sizeof(a),
      .code = code,
      .flags = state != NULL ? WPS_ANSWER_APP_STATE : 0,
      .app_state = str_from(state != NULL ? state : "")};

  event_answer(seen[i].reply, &a);
  seen[i].reply = NULL;
}

static void fail_reply(size_t i)
{
  reply_api.fail(seen[i].reply, WPS_EUNAVAILABLE, STR("down"));
  seen[i].reply = NULL;
}

/* Nobody waits for it, but a promise is kept. */
static void let_go(void *arg)
{
  UNUSED(arg);
  for (size_t i = 0; i < seen_count; i++)
    if (seen[i].reply != NULL)
      fail_reply(i);
}

/* The end of the client, as close.c does it. */
static void end_client(void *arg)
{
  UNUSED(arg);
  conn->state = WPS_CONN_CLOSING;
  client_events_end(conn, 1000, STR("bye"));
}

static void free_client(void *arg)
{
  UNUSED(arg);
  conn->state = WPS_CONN_CLOSING;
  client_events_end(conn, 1000, STR_NONE);
  hub_remove(&conn->client);
  conn_free(conn);
}

static void step(wps_fn fn)
{
  on_worker(all, 0, fn, NULL);
  worker_turn(all, 0);
}

static void expect_told(const char *what)
{
  ck_assert_str_eq(told, what);
  told[0] = '\0';
}

/* ---- life ---- */

static void make_client(void *arg)
{
  struct wps_str id = STR("c1"), user = STR("alice");
  struct hub_worker *hw;
  char *at;

  UNUSED(arg);
  conn = conn_new(w, id.len + user.len);
  ck_assert_ptr_nonnull(conn);
  at = conn->text;
  conn->shared.id = str_put(&at, id);
  conn->user_len = (uint32_t)str_put(&at, user).len;
  conn->subprotocol = "json";
  conn->subprotocol_len = 4;
  conn->state = WPS_CONN_OPEN;
  conn->flags |= CONN_GREETED;
  conn->instance = &sub_instance;
  conn->ops = &sub;
  ck_assert_int_eq(hub_worker_get(w, STR("chat"), true, &hw), WPS_OK);
  ck_assert_int_eq(hub_add(hw, &conn->client, conn_user(conn)), WPS_OK);
  ck_assert_int_eq(client_events_begin(conn, NULL, STR_NONE), WPS_OK);
  client_events_connected(conn);
}

static int start(struct wps_worker *worker, void *arg)
{
  return conn_worker_start(worker, arg);
}

static void stop(struct wps_worker *worker, void *arg)
{
  UNUSED(arg);
  conn_worker_stop(worker);
}

static void setup(void)
{
  struct worker_hooks hook = {start, stop, &server};

  memset(&server, 0, sizeof(server));
  server.limits = (struct conn_limits){.message_max = 1 << 20,
                                       .groups_max = 10,
                                       .events_waiting = 10,
                                       .events_waiting_bytes = 8192,
                                       .events_waiting_total = 1 << 20,
                                       .events_after_end_ms = 60000,
                                       .event_timeout_ms = 60000};
  seen_count = 0;
  told[0] = '\0';
  wanted = 0;
  leaves_at_once = false;
  joined_count = left_count = delivered_count = 0;
  log_level_set(WPS_LOG_ERROR);
  all = workers_new(1);
  w = workers_at(all, 0);
  hubs = hubs_new(all, &settings, 1, 1);
  server.hubs = hubs;
  ck_assert_int_eq(workers_start(all, &hook, 1), WPS_OK);
  on_worker(all, 0, make_client, NULL);
}

static void teardown(void)
{
  step(free_client);
  /* What was behind it comes next. */
  for (int i = 0; i < 3; i++)
    step(let_go);
  workers_stop(all);
  hubs_free(hubs);
  workers_free(all);
  ck_assert_uint_eq(atomic_load(&server.events_waiting), 0);
  ck_assert_uint_eq(atomic_load(&upstream.replies_owed), 0);
}

/* ---- tests ---- */

static void three_calls(void *arg)
{
  UNUSED(arg);
  ordered("first", 1);
  concurrent("a", 2);
  concurrent("b", 3);
  ordered("second", 4);
  concurrent("c", 5);
  ck_assert_uint_eq(seen_count, 4); /* all but the second of the queue */
}

static void answer_c_a(void *arg)
{
  UNUSED(arg);
  answer(3, 200, NULL);
  answer(1, 403, NULL);
  ck_assert_str_eq(told, ""); /* never inside */
}

static void answer_first_b(void *arg)
{
  UNUSED(arg);
  answer(0, 0, NULL);
  fail_reply(2);
}

START_TEST(any_order)
{
  step(three_calls);
  ck_assert_uint_eq(seen[0].flags, 0);
  ck_assert_uint_eq(seen[1].flags, WPS_EVENT_CONCURRENT);
  ck_assert_str_eq(seen[3].name, "c");
  /* Numbers are those of their coming. */
  ck_assert_uint_eq(seen[0].sequence, 2);
  ck_assert_uint_eq(seen[1].sequence, 3);
  ck_assert_uint_eq(seen[3].sequence, 6);
  step(answer_c_a);
  expect_told("5 2-refused ");
  step(answer_first_b);
  expect_told("1 3-down ");
  ck_assert_uint_eq(seen_count, 5);
  ck_assert_str_eq(seen[4].name, "second");
  ck_assert_uint_eq(seen[4].sequence, 5);
}
END_TEST

static void state_by_call(void *arg)
{
  UNUSED(arg);
  answer(1, 200, "new");
}

static void another_call(void *arg)
{
  UNUSED(arg);
  concurrent("d", 9);
}

START_TEST(state)
{
  step(three_calls);
  step(state_by_call);
  step(another_call);
  ck_assert_str_eq(seen[4].state, "new");
  step(answer_first_b);
  ck_assert_str_eq(seen[5].name, "second");
  ck_assert_str_eq(seen[5].state, "new"); /* though it was made before */
}
END_TEST

static void cancel_two(void *arg)
{
  UNUSED(arg);
  event_calls_cancel(conn, told, 2);
  event_calls_cancel(conn, told, 2);
  event_calls_cancel(conn, told, 1); /* one that waits is none of them */
  event_calls_cancel(conn, NULL, 3);
  ck_assert_str_eq(told, "");
}

START_TEST(cancelled)
{
  step(three_calls);
  step(cancel_two);
  expect_told("2-canceled ");
  step(answer_c_a); /* what it says is not heard */
  expect_told("5 ");
}
END_TEST

static void cancel_and_end(void *arg)
{
  cancel_two(arg);
  end_client(arg);
}

static void answer_first(void *arg)
{
  UNUSED(arg);
  answer(0, 0, NULL);
}

static void answer_second(void *arg)
{
  UNUSED(arg);
  answer(4, 0, NULL);
}

START_TEST(ended)
{
  step(three_calls);
  step(cancel_and_end);
  expect_told("!2-canceled !3-canceled !5-canceled ");
  /* The queue is still worked off; then the disconnected event. */
  step(answer_first);
  expect_told("!1 ");
  step(answer_second);
  expect_told("!4 ");
  ck_assert_uint_eq(seen_count, 6);
  ck_assert_uint_eq(seen[5].type, WPS_EVENT_DISCONNECTED);
  ck_assert_uint_eq(seen[5].sequence, 7);
  ck_assert_ptr_null(seen[5].reply);
}
END_TEST

static void end_all(void *arg)
{
  end_client(arg);
  client_events_cancel(w);
}

START_TEST(given_up)
{
  step(three_calls);
  step(end_all);
  expect_told("!2-canceled !3-canceled !5-canceled !1-canceled !4-canceled ");
  ck_assert_uint_eq(seen[seen_count - 1].type, WPS_EVENT_DISCONNECTED);
}
END_TEST

static void too_many(void *arg)
{
  UNUSED(arg);
  /* One may always begin. */
  ck_assert_int_eq(event("large", WPS_CLIENT_EVENT_CONCURRENT, 1, 4096),
                   WPS_OK);
  ck_assert_int_eq(event("more", WPS_CLIENT_EVENT_CONCURRENT, 2, 4096),
                   WPS_EAGAIN);
  concurrent("small", 3);
  ck_assert_uint_eq(seen_count, 2);
  /* Empty ones are no way around it. */
  while (event("none", WPS_CLIENT_EVENT_CONCURRENT, 4, 0) == WPS_OK)
    ck_assert_uint_lt(seen_count, 40);
  /* Nor does it concern what waits in order. */
  ordered("queued", 5);
  ck_assert_int_eq(event("flags", 1u << 5, 6, 1), WPS_EINVAL);
  ck_assert_int_eq(event("", 0, 6, 1), WPS_EINVAL);
}

START_TEST(bytes)
{
  step(too_many);
}
END_TEST

static void ask_between(void *arg)
{
  UNUSED(arg);
  ck_assert_int_eq(ask(WPS_EVENT_JOIN, "g", 90), WPS_ENOTFOUND);
  ck_assert_int_eq(ask(WPS_EVENT_LEAVE, "g", 91), WPS_ENOTFOUND);
  ck_assert_int_eq(ask(WPS_EVENT_JOINED, "g", 92), WPS_EINVAL);
  ck_assert_int_eq(ask(WPS_EVENT_PUBLISH, "", 93), WPS_EINVAL);
  ck_assert_uint_eq(seen_count, 0);
  ordered("one", 1);
  ck_assert_int_eq(ask(WPS_EVENT_PUBLISH, "g", 2), WPS_OK); /* configured */
  wanted = WPS_EVENT_JOIN;
  ck_assert_int_eq(ask(WPS_EVENT_JOIN, "h", 3), WPS_OK);
  wanted = 0;
  ordered("two", 4);
  ck_assert_uint_eq(seen_count, 1);
}

static void answer_next(void *arg)
{
  UNUSED(arg);
  answer(seen_count - 1, seen_count == 2 ? 403 : 200, NULL);
}

static void withdraw_next(void *arg)
{
  UNUSED(arg);
  reply_api.fail(seen[seen_count - 1].reply, WPS_ECANCELED, STR("stopped"));
  seen[seen_count - 1].reply = NULL;
}

static void ask_once(void *arg)
{
  UNUSED(arg);
  ck_assert_int_eq(ask(WPS_EVENT_PUBLISH, "g", 1), WPS_OK);
}

START_TEST(asked_one_that_stops)
{
  step(ask_once);
  step(withdraw_next);
  expect_told("1-refused "); /* the client is there: it is a no */
}
END_TEST

static void fail_next(void *arg)
{
  UNUSED(arg);
  fail_reply(seen_count - 1);
}

START_TEST(asked)
{
  step(ask_between);
  step(answer_next);
  expect_told("1 ");
  ck_assert_uint_eq(seen[1].type, WPS_EVENT_PUBLISH);
  ck_assert_str_eq(seen[1].name, "g");
  ck_assert_uint_eq(seen[1].sequence, 3); /* none for those not asked */
  step(answer_next);
  expect_told("2-refused ");
  ck_assert_uint_eq(seen[2].type, WPS_EVENT_JOIN);
  step(fail_next); /* no answer is a no */
  expect_told("3-refused ");
  ck_assert_str_eq(seen[3].name, "two");
  step(answer_next);
  expect_told("4 ");
}
END_TEST

START_TEST(asked_by_one_that_ends)
{
  step(ask_between);
  step(end_client);
  /* Nobody has to decide any more; the events are those of a client that said
   * them. */
  expect_told("!2-canceled !3-canceled ");
  step(answer_next);
  expect_told("!1 ");
  ck_assert_uint_eq(seen_count, 2);
  ck_assert_str_eq(seen[1].name, "two");
}
END_TEST

static void ask_first(void *arg)
{
  UNUSED(arg);
  ck_assert_int_eq(ask(WPS_EVENT_PUBLISH, "g", 1), WPS_OK);
  ordered("two", 2);
  ck_assert_uint_eq(seen_count, 1);
}

START_TEST(asked_when_it_ends)
{
  step(ask_first);
  step(end_client);
  expect_told("!1-canceled ");
  ck_assert_uint_eq(seen_count, 2);
  ck_assert_str_eq(seen[1].name, "two");
}
END_TEST

static void presence(void *arg)
{
  UNUSED(arg);
  ordered("one", 1);
  client_events_presence(conn, WPS_EVENT_JOINED, STR("g"));
  ck_assert_uint_eq(seen_count, 1);
  wanted = WPS_EVENT_LEFT;
  client_events_presence(conn, WPS_EVENT_JOINED, STR("g"));
  client_events_presence(conn, WPS_EVENT_LEFT, STR("g"));
  ck_assert_uint_eq(seen_count, 2);
  ck_assert_uint_eq(seen[1].type, WPS_EVENT_LEFT);
  ck_assert_str_eq(seen[1].name, "g");
  ck_assert_ptr_null(seen[1].reply);
  ck_assert_uint_eq(seen[1].sequence, 3);
}

START_TEST(groups)
{
  step(presence);
}
END_TEST

static void leave_at_once(void *arg)
{
  uint64_t serial = 0;

  UNUSED(arg);
  wanted = WPS_EVENT_JOINED | WPS_EVENT_LEFT;
  leaves_at_once = true;
  ck_assert_int_eq(
      membership_begin(conn, STR("g"), NULL, WPS_BY_COMMAND, &serial), WPS_OK);
  ck_assert_uint_eq(serial, 1);
  ck_assert_uint_eq(conn->client.member_count, 0);
  ck_assert_uint_eq(joined_count, 0); /* there is nothing to show */
  ck_assert_uint_eq(left_count, 1);
  ck_assert_int_eq(joined_again, WPS_ECLOSED);
  ck_assert_uint_eq(seen_count, 2);
  ck_assert_uint_eq(seen[0].type, WPS_EVENT_JOINED);
  ck_assert_uint_eq(seen[1].type, WPS_EVENT_LEFT);
}

START_TEST(upstream_leaves)
{
  step(leave_at_once);
}
END_TEST

/* A client that is owed a message, on whose delivery it leaves. */
static struct wps_member *owed_member(const char *group)
{
  const struct wps_membership how = {
      .struct_size = sizeof(how), .flags = WPS_MEMBER_DELIVER, .data = told};
  const struct wps_message_info info = {.struct_size = sizeof(info),
                                        .data_type = WPS_DATA_TEXT,
                                        .data = {"x", 1},
                                        .from = WPS_FROM_GROUP,
                                        .group = str_from(group)};
  const struct wps_target to = {.struct_size = sizeof(to),
                                .kind = WPS_TO_GROUP,
                                .hub = STR("chat"),
                                .name = str_from(group)};
  struct wps_message *msg = message_api.create(&info);
  uint64_t serial, receivers;
  bool later;

  ck_assert_int_eq(membership_begin(conn, to.name, &how, WPS_BY_SELF, &serial),
                   WPS_OK);
  ck_assert_int_eq(hub_publish(w, &to, NULL, msg, NULL, &receivers, &later),
                   WPS_OK);
  ck_assert_uint_eq(receivers, 1);
  ck_assert_uint_eq(delivered_count, 0);
  message_unref(msg);
  return group_membership(&conn->client, to.name);
}

static void leave_owed(void *arg)
{
  UNUSED(arg);
  membership_end(conn, owed_member("g"), WPS_BY_SELF);
  ck_assert_uint_eq(delivered_count, 1); /* before left(), which is told once */
  ck_assert_uint_eq(left_count, 1);
  ck_assert_uint_eq(conn->client.member_count, 0);
}

START_TEST(owed_before_left)
{
  step(leave_owed);
}
END_TEST

static void update_owed(void *arg)
{
  const struct wps_membership how = {.struct_size = sizeof(how)};
  struct wps_member *m = owed_member("g");

  UNUSED(arg);
  ck_assert_int_eq(membership_update(m, &how), WPS_ECLOSED);
  ck_assert_uint_eq(conn->client.member_count, 0);
  ck_assert_uint_eq(left_count, 1);
}

START_TEST(left_in_update)
{
  step(update_owed);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("event_calls");
  TCase *t = tcase_create("event_calls");
  SRunner *r;
  int failed;

  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, any_order);
  tcase_add_test(t, state);
  tcase_add_test(t, cancelled);
  tcase_add_test(t, ended);
  tcase_add_test(t, given_up);
  tcase_add_test(t, bytes);
  tcase_add_test(t, asked);
  tcase_add_test(t, asked_one_that_stops);
  tcase_add_test(t, asked_by_one_that_ends);
  tcase_add_test(t, asked_when_it_ends);
  tcase_add_test(t, groups);
  tcase_add_test(t, upstream_leaves);
  tcase_add_test(t, owed_before_left);
  tcase_add_test(t, left_in_update);
  suite_add_tcase(s, t);
  r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
