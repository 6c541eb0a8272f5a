/* SPDX-License-Identifier: Apache-2.0 */
/* Invocations, streams, states and early forms of JSON clients: that requests
 * and answers find their way; the rules are tested with their library. Names of
 * tests cite the checklist of doc/protocol/azure-client.md. */
#include <check.h>
#include <string.h>

#include "plugins/common/azure/fragment.h"
#include "tests/unit/json_client.h"

START_TEST(c80_invoke)
{
  struct wps_event_answer a;

  frame("{\"type\":\"invoke\",\"invocationId\":\"\\u0031\",\"target\":"
        "\"event\",\"event\":\"echo\",\"dataType\":\"text\",\"data\":\"hi\"}");
  ck_assert(asked(0, FAKE_EVENT, "echo")->concurrent);
  payload(0, WPS_DATA_TEXT, "hi", 2);
  sends(NULL);
  a = answer_of(WPS_DATA_BINARY, "\x01\x02\x03");
  fake_answer(WPS_OK, &a);
  wps->message->unref(a.msg);
  sends("{\"type\":\"invokeResponse\",\"invocationId\":\"1\",\"success\":true,"
        "\"dataType\":\"binary\",\"data\":\"AQID\"}");
  frame("{\"type\":\"invoke\",\"invocationId\":\"2\",\"target\":\"group\"}");
  sends("{\"type\":\"invokeResponse\",\"invocationId\":\"2\",\"success\":false,"
        "\"error\":{\"name\":\"BadRequest\",\"message\":\"Only events can be "
        "invoked.\"}}");
  frame("{\"type\":\"cancelInvocation\",\"invocationId\":\"1\"}");
  sends(NULL);
  /* C-84 */
  frame("{\"type\":\"invoke\",\"invocationId\":\"3\",\"event\":\"echo\"}");
  frame("{\"type\":\"cancelInvocation\",\"invocationId\":\"3\"}");
  asked(2, FAKE_CANCEL, "");
  sends(NULL);
}
END_TEST

START_TEST(c87_c93_stream)
{
  struct azure_fragment part;

  frame("{\"type\":\"sendToGroup\",\"group\":\"chat\",\"noEcho\":true,"
        "\"stream\":{\"idleTimeoutMs\":5000,\"streamId\":\"s1\"}}");
  sends(
      "{\"type\":\"streamAck\",\"streamId\":\"s1\",\"expectedSequenceId\":1}");
  frame("{\"type\":\"streamData\",\"streamId\":\"s1\",\"streamSequenceId\":1,"
        "\"dataType\":\"text\",\"data\":\"x\"}");
  ck_assert_uint_eq(asked(0, FAKE_PUBLISH, "chat")->target_flags,
                    WPS_TARGET_NOT_SELF);
  azure_fragment_read(payload(0, WPS_DATA_TEXT, "x", 1), &part);
  ck_assert(part.is && !part.end);
  ck_assert_uint_eq(part.sequence, 1);
  fake_pass(conn, 20);
  sends(
      "{\"type\":\"streamAck\",\"streamId\":\"s1\",\"expectedSequenceId\":2}");
  frame("{\"type\":\"streamData\",\"streamId\":\"s1\",\"streamSequenceId\":3,"
        "\"dataType\":\"text\",\"data\":\"x\"}");
  sends("{\"type\":\"streamNack\",\"streamId\":\"s1\",\"name\":"
        "\"InvalidSequenceId\",\"message\":\"Expected 2.\","
        "\"expectedSequenceId\":2}");
  frame("{\"type\":\"streamEnd\",\"streamId\":\"s1\",\"error\":{\"message\":"
        "\"boom\",\"userErrorCode\":\"E1\"}}");
  sends("{\"type\":\"streamClosed\",\"streamId\":\"s1\"}");
  azure_fragment_read(payload(1, WPS_DATA_TEXT, "", 0), &part);
  ck_assert(part.is && part.end);
  ck_assert_uint_eq(part.sequence, 2);
  ck_assert_mem_eq(part.error_code.ptr, "E1", 2);
  frame("{\"type\":\"streamData\",\"streamId\":\"s1\"}");
  sends("{\"type\":\"streamClosed\",\"streamId\":\"s1\",\"error\":{\"name\":"
        "\"StreamNotFound\",\"message\":\"The stream was not found.\"}}");
}
END_TEST

START_TEST(c98_stream_refused)
{
  frame("{\"type\":\"sendToGroup\",\"group\":\"chat\",\"ackId\":1,"
        "\"stream\":{\"idleTimeoutMs\":0,\"streamId\":\"s1\"}}");
  sends("{\"type\":\"streamClosed\",\"streamId\":\"s1\",\"error\":{\"name\":"
        "\"BadRequest\",\"message\":\"idleTimeoutMs has to be an integer from "
        "1 to 4294967295.\"}}");
  sends("{\"type\":\"ack\",\"ackId\":1,\"success\":false,\"error\":{\"name\":"
        "\"BadRequest\",\"message\":\"idleTimeoutMs has to be an integer from "
        "1 to 4294967295.\"}}");
  frame("{\"type\":\"event\",\"event\":\"e\",\"stream\":{\"streamId\":\"s\"}}");
  sends("{\"type\":\"streamClosed\",\"streamId\":\"s\",\"error\":{\"name\":"
        "\"BadRequest\",\"message\":\"Streams go to groups only.\"}}");
  ck_assert_uint_eq(fake.asked_count, 0);
}
END_TEST

static struct wps_message *state_of(const char *id, const char *user,
                                    const struct wps_pair *entry)
{
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = WPS_DATA_TEXT,
                                  .kind = WPS_MSG_STATE,
                                  .from = WPS_FROM_GROUP,
                                  .flags =
                                      entry == NULL ? WPS_MESSAGE_CLEARED : 0,
                                  .group = WPS_STR_INIT("a"),
                                  .user = {user, strlen(user)},
                                  .conn = {id, strlen(id)},
                                  .tags = entry,
                                  .tag_count = entry != NULL ? 1 : 0,
                                  .created_unix_ms = 1760000000000};

  return wps->message->create(&info);
}

START_TEST(c101_states)
{
  static const struct wps_pair entry = {WPS_STR_INIT("k\""), WPS_STR_INIT("v")};
  struct wps_message *items[2];

  conn->may_set = conn->may_get = fake.member = true;
  frame("{\"type\":\"setGroupState\",\"group\":\"a\",\"ackId\":8,\"state\":"
        "{\"k\":\"v\"}}");
  ck_assert_str_eq(asked(0, FAKE_STATE, "a")->headers, "k: v\n");
  sends("{\"type\":\"ack\",\"ackId\":8,\"success\":true}");
  frame("{\"type\":\"setGroupState\",\"group\":\"a\"}");
  ck_assert_ptr_null(asked(1, FAKE_STATE, "a")->headers);
  sends(NULL);
  frame("{\"type\":\"subscribeGroupState\",\"group\":\"a\",\"ackId\":9}");
  asked(2, FAKE_WATCH, "a");
  items[0] = state_of("conn-1", "alice", &entry);
  items[1] = state_of("conn-2", "", &entry);
  fake_states(items, 2, WPS_OK);
  sends("{\"type\":\"ack\",\"ackId\":9,\"success\":true}");
  sends("{\"type\":\"groupStateSnapshot\",\"group\":\"a\",\"items\":["
        "{\"connectionId\":\"conn-1\",\"userId\":\"alice\",\"state\":"
        "{\"k\\\"\":\"v\"},\"updatedAt\":1760000000000},"
        "{\"connectionId\":\"conn-2\",\"state\":{\"k\\\"\":\"v\"},"
        "\"updatedAt\":1760000000000}]}");
  wps->message->unref(items[0]);
  wps->message->unref(items[1]);
  frame("{\"type\":\"unsubscribeGroupState\",\"group\":\"a\",\"ackId\":10}");
  asked(3, FAKE_UNWATCH, "a");
  sends("{\"type\":\"ack\",\"ackId\":10,\"success\":true}");
}
END_TEST

/* Both kinds are numbered for reliable clients. */
START_TEST(c101_snapshot_is_numbered)
{
  conn->may_get = fake.member = true;
  frame("{\"type\":\"subscribeGroupState\",\"group\":\"a\"}");
  fake_states(NULL, 0, WPS_OK);
  sends("{\"sequenceId\":1,\"type\":\"groupStateSnapshot\",\"group\":\"a\","
        "\"items\":[]}");
}
END_TEST

/* The early name, and the form of messages that came with it. */
START_TEST(early_form)
{
  struct wps_hello hello = {.struct_size = sizeof(hello),
                            .variant = PLAIN,
                            .selected = WPS_STR_INIT("JSON.webpubsub.azure")};

  frame("{\"event\":\"publish\",\"payload\":{\"a\":1},\"ackId\":3}");
  ck_assert_uint_eq(conn->code, 1007);
  fake_gone(conn);
  conn = fake_conn(ops, inst, PLAIN, "alice", NULL);
  ops->close(conn, conn->state, 1006, (struct wps_str){NULL, 0});
  ck_assert_int_eq(ops->open(inst, conn, &hello, &conn->state), WPS_OK);
  ck_assert_ptr_nonnull(fake_sent(conn));
  ck_assert_ptr_nonnull(fake_sent(conn));
  frame("{\"event\":\"publish\",\"payload\":{\"a\":1},\"ackId\":3}");
  asked(0, FAKE_EVENT, "publish");
  payload(0, WPS_DATA_JSON, "{\"a\":1}", 7);
  fake_answer(WPS_OK, NULL);
  sends("{\"type\":\"ack\",\"ackId\":3,\"success\":true}");
  frame("{\"type\":\"ping\"}");
  sends("{\"type\":\"pong\"}");
}
END_TEST

int main(void)
{
  Suite *s = suite_create("subprotocol_json_streams");
  TCase *t = tcase_create("plain");
  SRunner *r;
  int failed;

  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, c80_invoke);
  tcase_add_test(t, c87_c93_stream);
  tcase_add_test(t, c98_stream_refused);
  tcase_add_test(t, c101_states);
  tcase_add_test(t, early_form);
  suite_add_tcase(s, t);
  t = tcase_create("reliable");
  tcase_add_checked_fixture(t, setup_reliable, teardown);
  tcase_add_test(t, c101_snapshot_is_numbered);
  suite_add_tcase(s, t);
  r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
