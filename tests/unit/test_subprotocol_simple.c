/* SPDX-License-Identifier: Apache-2.0 */
/* The plugin through its component, against a fake host. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <webpubsub/plugin.h>

#include "tests/unit/fake_host.h"

extern const struct wps_plugin webpubsub_plugin_v1;

static const struct wps_subprotocol *ops;
static void *inst;
static struct wps_conn *conn;

static void setup(void)
{
  const struct wps_component *c = webpubsub_plugin_v1.components[0];

  *webpubsub_plugin_v1.host = &fake_host;
  ops = c->ops.subprotocol;
  ck_assert_int_eq(c->create(NULL, NULL, NULL, &inst), WPS_OK);
  conn = fake_conn(ops, inst, 0, "alice", NULL);
}

static void open_group(const char *echo)
{
  struct wps_pair query[] = {
      {WPS_STR_INIT("webpubsub_mode"), WPS_STR_INIT("sendToGroup")},
      {WPS_STR_INIT("group"), WPS_STR_INIT("room")},
      {WPS_STR_INIT("noEcho"), {echo, strlen(echo)}}};
  struct wps_request req = {.query = query, .query_count = 3};

  fake_gone(conn);
  conn = fake_conn(ops, inst, 0, "alice", &req);
  ck_assert_ptr_nonnull(conn);
}

static void teardown(void)
{
  fake_gone(conn);
  webpubsub_plugin_v1.components[0]->destroy(inst);
  fake_reset();
}

static void frame(uint32_t opcode, const char *data)
{
  ck_assert_int_eq(ops->frame(conn, conn->state, opcode,
                              (struct wps_bytes){data, strlen(data)}),
                   WPS_OK);
}

static const struct wps_message_info *asked(size_t index, uint32_t what,
                                            const char *name)
{
  ck_assert_uint_lt(index, fake.asked_count);
  ck_assert_uint_eq(fake.asked[index].what, what);
  ck_assert_str_eq(fake.asked[index].name, name);
  return wps->message->info(fake.asked[index].msg);
}

START_TEST(c45_events)
{
  const struct wps_message_info *info;

  ck_assert_ptr_null(fake_sent(conn)); /* no greeting */
  frame(WPS_TEXT, "hello");
  info = asked(0, FAKE_EVENT, "message");
  ck_assert_uint_eq(info->data_type, WPS_DATA_TEXT);
  ck_assert_mem_eq(info->data.ptr, "hello", 5);
  ck_assert_mem_eq(info->content_type.ptr, "text/plain", 10);
  frame(WPS_BINARY, "\x01\x02");
  info = asked(1, FAKE_EVENT, "message");
  ck_assert_uint_eq(info->data_type, WPS_DATA_BINARY);
  ck_assert_mem_eq(info->content_type.ptr, "application/octet-stream", 24);
  fake_answer(WPS_OK, NULL);
  fake_answer(WPS_OK, NULL);
  ck_assert_ptr_null(fake_sent(conn));
  ck_assert(!conn->closed);
}
END_TEST

START_TEST(c46_answers)
{
  static const struct {
    uint32_t type, opcode;
    const char *body;
  } cases[] = {{WPS_DATA_TEXT, WPS_TEXT, "hi"},
               {WPS_DATA_JSON, WPS_TEXT, "\"x\""}, /* C-50 */
               {WPS_DATA_BINARY, WPS_BINARY, "\x01"},
               {WPS_DATA_PROTOBUF, WPS_BINARY, "\x0a"}};
  static const struct wps_pair header = {WPS_STR_INIT("X-WebPubSub-Metadata-k"),
                                         WPS_STR_INIT("v")};
  struct wps_event_answer answer = {.struct_size = sizeof(answer)};

  for (size_t i = 0; i < 4; i++) {
    struct wps_message_info info = {
        .struct_size = sizeof(info),
        .data_type = cases[i].type,
        .data = {cases[i].body, strlen(cases[i].body)}};

    frame(WPS_TEXT, "x");
    answer.msg = wps->message->create(&info);
    fake_answer(WPS_OK, &answer);
    wps->message->unref(answer.msg);
    ck_assert_str_eq(fake_sent(conn), cases[i].body);
    ck_assert_uint_eq(conn->sent[i].opcode, cases[i].opcode);
  }
  /* Metadata alone: an empty text frame. */
  frame(WPS_TEXT, "x");
  answer.msg = NULL;
  answer.headers = &header;
  answer.header_count = 1;
  fake_answer(WPS_OK, &answer);
  ck_assert_str_eq(fake_sent(conn), "");
  ck_assert_uint_eq(conn->sent[4].opcode, WPS_TEXT);
}
END_TEST

START_TEST(c47_no_handler)
{
  fake.event_rc = WPS_ENOTFOUND;
  frame(WPS_TEXT, "x");
  ck_assert_uint_eq(conn->code, 1011);
}
END_TEST

START_TEST(c47_handler_fails)
{
  frame(WPS_TEXT, "x");
  fake_answer(WPS_EFORBIDDEN, NULL);
  ck_assert_uint_eq(conn->code, 1011);
}
END_TEST

START_TEST(too_many_wait)
{
  fake.event_rc = WPS_EAGAIN;
  frame(WPS_TEXT, "x");
  ck_assert_uint_eq(conn->code, 1008);
}
END_TEST

START_TEST(c48_group_mode)
{
  const struct wps_message_info *info;

  open_group("");
  frame(WPS_TEXT, "hi");
  info = asked(0, FAKE_PUBLISH, "room");
  ck_assert_uint_eq(info->data_type, WPS_DATA_TEXT);
  ck_assert_uint_eq(info->from, WPS_FROM_GROUP);
  ck_assert_mem_eq(info->group.ptr, "room", 4);
  ck_assert_mem_eq(info->user.ptr, "alice", 5);
  ck_assert_uint_eq(fake.asked[0].target_flags, 0);
  frame(WPS_BINARY, "\x01");
  ck_assert_uint_eq(asked(1, FAKE_PUBLISH, "room")->data_type, WPS_DATA_BINARY);
  open_group("TRUE");
  frame(WPS_TEXT, "hi");
  ck_assert_uint_eq(fake.asked[2].target_flags, WPS_TARGET_NOT_SELF);
}
END_TEST

START_TEST(c49_no_permission)
{
  open_group("false");
  conn->may_send = false;
  frame(WPS_TEXT, "hi");
  ck_assert_uint_eq(conn->code, 1008);
  ck_assert_str_eq(conn->reason, "The connection is not authorized for raw "
                                 "sendToGroup mode.");
  ck_assert_uint_eq(fake.asked_count, 0);
}
END_TEST

/* An upstream decides: each message waits for its answer, and for those before
 * it. */
START_TEST(decided_messages)
{
  open_group("");
  fake.asks = true;
  frame(WPS_TEXT, "one");
  ck_assert_uint_eq(asked(0, FAKE_ASK, "room")->data.len, 3);
  ck_assert_uint_eq(fake.asked[0].type, WPS_EVENT_PUBLISH);
  frame(WPS_TEXT, "two");
  asked(1, FAKE_ASK, "room");
  fake.asks = false; /* it does not want to any more */
  frame(WPS_TEXT, "three");
  ck_assert_uint_eq(fake.asked_count, 2);
  fake_decide(WPS_OK);
  ck_assert_mem_eq(asked(2, FAKE_PUBLISH, "room")->data.ptr, "one", 3);
  ck_assert_uint_eq(fake.asked_count, 3);
  fake_decide(WPS_OK);
  ck_assert_mem_eq(asked(3, FAKE_PUBLISH, "room")->data.ptr, "two", 3);
  ck_assert_mem_eq(asked(4, FAKE_PUBLISH, "room")->data.ptr, "three", 5);
  frame(WPS_TEXT, "four");
  ck_assert_mem_eq(asked(5, FAKE_PUBLISH, "room")->data.ptr, "four", 4);
  ck_assert(!conn->closed);
}
END_TEST

START_TEST(c49_refused_messages)
{
  open_group("");
  fake.asks = true;
  frame(WPS_TEXT, "one");
  frame(WPS_TEXT, "two");
  fake_decide(WPS_EFORBIDDEN);
  ck_assert_uint_eq(conn->code, 1008);
  ck_assert_str_eq(conn->reason, "The connection is not authorized for raw "
                                 "sendToGroup mode.");
  fake_decide(WPS_OK); /* nobody cares */
  ck_assert_uint_eq(fake.asked_count, 2);
}
END_TEST

START_TEST(the_end_before_a_decision)
{
  open_group("");
  fake.asks = true;
  frame(WPS_TEXT, "one");
  fake.asks = false;
  frame(WPS_TEXT, "two");
  fake_gone(conn);
  ck_assert_uint_eq(fake.asked_count, 2);
  ck_assert_mem_eq(asked(1, FAKE_PUBLISH, "room")->data.ptr, "two", 3);
  fake_decide(WPS_OK);
  ck_assert_uint_eq(fake.asked_count, 2);
  conn = fake_conn(ops, inst, 0, "alice", NULL);
}
END_TEST

START_TEST(many_wait_for_a_decision)
{
  open_group("");
  fake.asks = true;
  for (int i = 0; i < 100; i++) {
    ck_assert(!conn->held);
    frame(WPS_TEXT, "x");
  }
  ck_assert(conn->held);
  frame(WPS_TEXT, "x"); /* what had been read already */
  for (int i = 0; i < 50; i++)
    fake_decide(WPS_OK);
  ck_assert(conn->held);
  fake_decide(WPS_OK);
  ck_assert(!conn->held);
  for (int i = 0; i < 50; i++)
    fake_decide(WPS_OK);
  ck_assert_uint_eq(fake.asked_count, 202);
}
END_TEST

/* azure-client.md 4: fragments are messages, the end of a stream is none. */
START_TEST(c93_fragments)
{
  static const struct wps_pair props[] = {
      {WPS_STR_INIT("stream.id"), WPS_STR_INIT("s")},
      {WPS_STR_INIT("stream.seq"), WPS_STR_INIT("1")},
      {WPS_STR_INIT("stream.end"), WPS_STR_INIT("1")}};
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = WPS_DATA_TEXT,
                                  .data = {"hi", 2},
                                  .from = WPS_FROM_GROUP,
                                  .group = WPS_STR_INIT("g"),
                                  .props = props,
                                  .prop_count = 2};
  struct wps_message *msg = wps->message->create(&info);
  struct wps_frame *f;

  ck_assert_int_eq(ops->encode(inst, msg, 0, &f), WPS_OK);
  ck_assert_mem_eq(wps->message->frame_bytes(f).ptr, "hi", 2);
  wps->message->frame_unref(f);
  wps->message->unref(msg);
  info.data.len = 0;
  info.prop_count = 3;
  msg = wps->message->create(&info);
  ck_assert_int_eq(ops->encode(inst, msg, 0, &f), WPS_ENOTSUP);
  wps->message->unref(msg);
  info.kind = WPS_MSG_STATE;
  info.prop_count = 0;
  msg = wps->message->create(&info);
  ck_assert_int_eq(ops->encode(inst, msg, 0, &f), WPS_ENOTSUP);
  wps->message->unref(msg);
}
END_TEST

START_TEST(c51_closed_by_a_command)
{
  struct wps_closing how = {.struct_size = sizeof(how),
                            .cause = WPS_CLOSED_COMMAND,
                            .code = 1000,
                            .reason = WPS_STR_INIT("banned")};
  static const char told[] =
      "Application server closed the connection. Reason: banned";

  ops->closing(conn, conn->state, &how);
  ck_assert_ptr_null(fake_sent(conn));
  ck_assert_uint_eq(how.code, 1000);
  ck_assert_mem_eq(how.reason.ptr, "banned", 6);
  ck_assert_uint_eq(how.told.len, sizeof(told) - 1);
  ck_assert_mem_eq(how.told.ptr, told, sizeof(told) - 1);
}
END_TEST

START_TEST(c14_c15_names)
{
  struct wps_request req = {.query = NULL};
  struct wps_negotiation out = {.struct_size = sizeof(out),
                                .selected = {"", 0}};
  struct wps_str name = {"", 0};

  ck_assert_int_eq(ops->negotiate(inst, &req, name, &out), WPS_OK);
  ck_assert_ptr_null(out.selected.ptr);
  name = out.selected = (struct wps_str)WPS_STR_INIT("foo");
  ck_assert_int_eq(ops->negotiate(inst, &req, name, &out), WPS_OK);
  ck_assert_uint_eq(out.selected.len, 3);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("subprotocol_simple");
  TCase *t = tcase_create("simple");
  SRunner *r;
  int failed;

  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, c45_events);
  tcase_add_test(t, c46_answers);
  tcase_add_test(t, c47_no_handler);
  tcase_add_test(t, c47_handler_fails);
  tcase_add_test(t, too_many_wait);
  tcase_add_test(t, c48_group_mode);
  tcase_add_test(t, c49_no_permission);
  tcase_add_test(t, decided_messages);
  tcase_add_test(t, c49_refused_messages);
  tcase_add_test(t, the_end_before_a_decision);
  tcase_add_test(t, many_wait_for_a_decision);
  tcase_add_test(t, c93_fragments);
  tcase_add_test(t, c51_closed_by_a_command);
  tcase_add_test(t, c14_c15_names);
  suite_add_tcase(s, t);
  r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
