/* SPDX-License-Identifier: Apache-2.0 */
/* What subprotocol-json does and answers. Names of tests cite the checklist of
 * doc/protocol/azure-client.md. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <webpubsub/plugin.h>

#include "tests/unit/json_client.h"

extern const struct wps_plugin webpubsub_plugin_v1;

/* ---- requests and acks ---- */

START_TEST(c53_join_leave)
{
  frame("{\"type\":\"joinGroup\",\"group\":\"chat\",\"ackId\":1}");
  asked(0, FAKE_JOIN, "chat");
  sends(NULL); /* not before the effect */
  fake_end_all();
  sends("{\"type\":\"ack\",\"ackId\":1,\"success\":true}");
  frame("{\"type\":\"joinGroup\",\"group\":\"chat\",\"ackId\":2}");
  frame("{\"type\":\"leaveGroup\",\"group\":\"chat\",\"ackId\":3}");
  asked(2, FAKE_LEAVE, "chat");
  fake_end(WPS_ECANCELED); /* left meanwhile */
  fake_end_all();
  sends("{\"type\":\"ack\",\"ackId\":2,\"success\":true}");
  sends("{\"type\":\"ack\",\"ackId\":3,\"success\":true}");
  /* Without an ack id nobody wants to know. */
  frame("{\"type\":\"joinGroup\",\"group\":\"chat\"}");
  ck_assert(!fake.asked[3].has_done);
  sends(NULL);
}
END_TEST

START_TEST(c54_c55_send)
{
  const struct wps_message_info *info;

  frame("{\"type\":\"sendToGroup\",\"group\":\"ch\\u00e9\",\"ackId\":3,"
        "\"noEcho\":true,\"dataType\":\"text\",\"data\":\"hi\"}");
  ck_assert_uint_eq(asked(0, FAKE_PUBLISH, "ch\xc3\xa9")->target_flags,
                    WPS_TARGET_NOT_SELF);
  info = payload(0, WPS_DATA_TEXT, "hi", 2);
  ck_assert_uint_eq(info->from, WPS_FROM_GROUP);
  ck_assert_mem_eq(info->group.ptr, "ch\xc3\xa9", 4);
  ck_assert_mem_eq(info->user.ptr, "alice", 5);
  ck_assert_mem_eq(info->conn.ptr, "conn-1", 6);
  fake_end_all();
  sends("{\"type\":\"ack\",\"ackId\":3,\"success\":true}");
  frame("{\"type\":\"sendToGroup\",\"group\":\"g\",\"data\":1}");
  ck_assert_uint_eq(asked(1, FAKE_PUBLISH, "g")->target_flags, 0);
  ck_assert(!fake.asked[1].has_done);
}
END_TEST

START_TEST(c59_ack_ids_are_exact)
{
  frame("{\"type\":\"joinGroup\",\"group\":\"a\",\"ackId\":"
        "18446744073709551615}");
  frame("{\"type\":\"joinGroup\",\"group\":\"a\",\"ackId\":9007199254740993}");
  frame("{\"type\":\"joinGroup\",\"group\":\"a\",\"ackId\":0}");
  fake_end_all();
  sends("{\"type\":\"ack\",\"ackId\":18446744073709551615,\"success\":true}");
  sends("{\"type\":\"ack\",\"ackId\":9007199254740993,\"success\":true}");
  sends("{\"type\":\"ack\",\"ackId\":0,\"success\":true}");
}
END_TEST

START_TEST(c35_forbidden)
{
  conn->may_join = conn->may_send = false;
  frame("{\"type\":\"joinGroup\",\"group\":\"x\",\"ackId\":1}");
  sends("{\"type\":\"ack\",\"ackId\":1,\"success\":false,\"error\":{\"name\":"
        "\"Forbidden\",\"message\":\"The client does not have permission to "
        "join group 'x'.\"}}");
  frame("{\"type\":\"leaveGroup\",\"group\":\"x\",\"ackId\":2}");
  sends("{\"type\":\"ack\",\"ackId\":2,\"success\":false,\"error\":{\"name\":"
        "\"Forbidden\",\"message\":\"The client does not have permission to "
        "leave group 'x'.\"}}");
  frame("{\"type\":\"sendToGroup\",\"group\":\"x\",\"ackId\":3,\"data\":1}");
  sends("{\"type\":\"ack\",\"ackId\":3,\"success\":false,\"error\":{\"name\":"
        "\"Forbidden\",\"message\":\"The client does not have permission to "
        "send to group 'x'.\"}}");
  frame("{\"type\":\"joinGroup\",\"group\":\"x\"}"); /* C-65 */
  sends(NULL);
  ck_assert_uint_eq(fake.asked_count, 0);
  /* A failed one runs again (C-67). */
  conn->may_join = true;
  frame("{\"type\":\"joinGroup\",\"group\":\"x\",\"ackId\":1}");
  fake_end_all();
  sends("{\"type\":\"ack\",\"ackId\":1,\"success\":true}");
}
END_TEST

START_TEST(forbidden_with_the_longest_group)
{
  char text[8192], want[16000];
  size_t at, wat;

  conn->may_join = false;
  at = (size_t)snprintf(text, sizeof(text),
                        "{\"type\":\"joinGroup\",\"ackId\":1,\"group\":\"");
  wat = (size_t)snprintf(want, sizeof(want),
                         "{\"type\":\"ack\",\"ackId\":1,\"success\":false,"
                         "\"error\":{\"name\":\"Forbidden\",\"message\":\"The "
                         "client does not have permission to join group '");
  for (int i = 0; i < 1023; i++) {
    at += (size_t)snprintf(text + at, sizeof(text) - at, "\\u0000");
    wat += (size_t)snprintf(want + wat, sizeof(want) - wat, "\\u0000");
  }
  snprintf(text + at, sizeof(text) - at, "\xe2\x82\xac\"}");
  snprintf(want + wat, sizeof(want) - wat, "\xe2\x82\xac'.\"}}");
  frame(text);
  sends(want);
}
END_TEST

START_TEST(c67_duplicate)
{
  static const char duplicate[] =
      "{\"type\":\"ack\",\"ackId\":1,\"success\":false,\"error\":{\"name\":"
      "\"Duplicate\",\"message\":\"Message with ack-id: 1 has been processed\""
      "}}";

  frame("{\"type\":\"sendToGroup\",\"group\":\"x\",\"ackId\":1,\"data\":1}");
  fake_end_all();
  sends("{\"type\":\"ack\",\"ackId\":1,\"success\":true}");
  frame("{\"type\":\"sendToGroup\",\"group\":\"x\",\"ackId\":1,\"data\":1}");
  sends(duplicate);
  /* C-68: one namespace, whatever the permission and the kind. */
  conn->may_join = false;
  frame("{\"type\":\"joinGroup\",\"group\":\"x\",\"ackId\":1}");
  sends(duplicate);
  frame("{\"type\":\"event\",\"event\":\"x\",\"ackId\":1,\"data\":1}");
  sends(duplicate);
  frame("{\"type\":\"setGroupState\",\"group\":\"x\",\"ackId\":1}");
  sends(duplicate);
  ck_assert_uint_eq(fake.asked_count, 1);
}
END_TEST

START_TEST(c68_the_1001st_pushes_the_oldest_out)
{
  char text[100];

  for (int i = 1; i <= 1001; i++) {
    snprintf(text, sizeof(text),
             "{\"type\":\"leaveGroup\",\"group\":\"x\",\"ackId\":%d}", i);
    frame(text);
    fake_end_all();
    if (i == 1000) {
      frame("{\"type\":\"leaveGroup\",\"group\":\"x\",\"ackId\":1}");
      ck_assert_uint_eq(fake.asked_count, 1000);
    }
  }
  frame("{\"type\":\"leaveGroup\",\"group\":\"x\",\"ackId\":2}");
  ck_assert_uint_eq(fake.asked_count, 1001);
  frame("{\"type\":\"leaveGroup\",\"group\":\"x\",\"ackId\":1}");
  ck_assert_uint_eq(fake.asked_count, 1002);
}
END_TEST

START_TEST(repeated_while_under_way)
{
  frame("{\"type\":\"joinGroup\",\"group\":\"x\",\"ackId\":1}");
  frame("{\"type\":\"joinGroup\",\"group\":\"x\",\"ackId\":1}");
  frame("{\"type\":\"sendToGroup\",\"group\":\"x\",\"ackId\":2,\"data\":1}");
  ck_assert_uint_eq(fake.asked_count, 1); /* order is kept */
  sends(NULL);
  fake_end(WPS_OK);
  sends("{\"type\":\"ack\",\"ackId\":1,\"success\":true}");
  sends("{\"type\":\"ack\",\"ackId\":1,\"success\":false,\"error\":{\"name\":"
        "\"Duplicate\",\"message\":\"Message with ack-id: 1 has been processed"
        "\"}}");
  asked(1, FAKE_PUBLISH, "x");
  fake_end_all();
  sends("{\"type\":\"ack\",\"ackId\":2,\"success\":true}");

  /* The first fails: the second is executed. */
  frame("{\"type\":\"joinGroup\",\"group\":\"y\",\"ackId\":3}");
  frame("{\"type\":\"joinGroup\",\"group\":\"y\",\"ackId\":3}");
  fake_end(WPS_ELIMIT);
  sends("{\"type\":\"ack\",\"ackId\":3,\"success\":false,\"error\":{\"name\":"
        "\"InternalServerError\",\"message\":\"Internal server error\"}}");
  sends(NULL);
  fake_end(WPS_OK);
  sends("{\"type\":\"ack\",\"ackId\":3,\"success\":true}");
}
END_TEST

START_TEST(failures_of_the_host)
{
  static const char error[] =
      "{\"type\":\"ack\",\"ackId\":1,\"success\":false,\"error\":{\"name\":"
      "\"InternalServerError\",\"message\":\"Internal server error\"}}";

  fake.join_rc = WPS_ELIMIT;
  frame("{\"type\":\"joinGroup\",\"group\":\"x\",\"ackId\":1}");
  sends(error);
  frame("{\"type\":\"joinGroup\",\"group\":\"x\"}");
  fake.publish_rc = WPS_ENOMEM;
  frame("{\"type\":\"sendToGroup\",\"group\":\"x\",\"ackId\":1,\"data\":1}");
  sends(error);
  fake.no_memory = true;
  frame("{\"type\":\"sendToGroup\",\"group\":\"x\",\"ackId\":1,\"data\":1}");
  sends(error);
  fake.no_memory = false;
  conn->send_rc = WPS_EAGAIN; /* sent all the same */
  frame("{\"type\":\"ping\"}");
  sends("{\"type\":\"pong\"}");
  ck_assert(!conn->closed);
  /* An ack that cannot be sent ends the connection. */
  conn->send_rc = WPS_ENOMEM;
  frame("{\"type\":\"joinGroup\",\"group\":\"x\",\"ackId\":1}");
  ck_assert_uint_eq(conn->code, 1011);
}
END_TEST

/* ---- events ---- */

START_TEST(c70_answer_before_ack)
{
  struct wps_event_answer a;

  frame("{\"type\":\"event\",\"event\":\"order\",\"ackId\":4,\"data\":{\"a\":1}"
        ",\"metadata\":{\"Trace\":\"1\",\"tracE\":\"2\",\"b\":\"3\"}}");
  asked(0, FAKE_EVENT, "order");
  payload(0, WPS_DATA_JSON, "{\"a\":1}", 7);
  ck_assert_str_eq(fake.asked[0].headers, "X-WebPubSub-Metadata-trace: 2\n"
                                          "X-WebPubSub-Metadata-b: 3\n");
  sends(NULL);
  a = answer_of(WPS_DATA_JSON, "{\"b\":2}");
  fake_answer(WPS_OK, &a);
  wps->message->unref(a.msg);
  sends("{\"type\":\"message\",\"from\":\"server\",\"dataType\":\"json\","
        "\"data\":{\"b\":2}}");
  sends("{\"type\":\"ack\",\"ackId\":4,\"success\":true}");
  /* Nothing to show, no ack wanted. */
  frame("{\"type\":\"event\",\"event\":\"order\",\"data\":1}");
  fake_answer(WPS_OK, NULL);
  sends(NULL);
}
END_TEST

START_TEST(metadata_cannot_write_headers)
{
  frame("{\"type\":\"event\",\"event\":\"order\",\"data\":1,\"metadata\":"
        "{\"a\":\"1\\r\\nce-userId: "
        "root\",\"b\":\"\\u0000\\n\",\"c\":\"\\t3\"}}");
  asked(0, FAKE_EVENT, "order");
  ck_assert_str_eq(fake.asked[0].headers,
                   "X-WebPubSub-Metadata-a: 1ce-userId: root\n"
                   "X-WebPubSub-Metadata-b: \n"
                   "X-WebPubSub-Metadata-c: \t3\n");
}
END_TEST

START_TEST(c72_no_handler)
{
  fake.event_rc = WPS_ENOTFOUND;
  frame("{\"type\":\"event\",\"event\":\"order\",\"ackId\":4,\"data\":1}");
  sends("{\"type\":\"ack\",\"ackId\":4,\"success\":false,\"error\":{\"name\":"
        "\"InternalServerError\",\"message\":\"Internal server error\"}}");
  frame("{\"type\":\"event\",\"event\":\"order\",\"data\":1}");
  sends(NULL);
  ck_assert(!conn->closed);
  fake.event_rc = WPS_OK;
  frame("{\"type\":\"event\",\"event\":\"order\",\"ackId\":4,\"data\":1}");
  fake_answer(WPS_EFORBIDDEN, NULL);
  sends("{\"type\":\"ack\",\"ackId\":4,\"success\":false,\"error\":{\"name\":"
        "\"InternalServerError\",\"message\":\"Internal server error\"}}");
}
END_TEST

/* azure-server.md 3.13: the older behaviour, on demand. */
START_TEST(drop_on_event_failure)
{
  for (int i = 0; i < 2; i++) {
    teardown();
    fake.drop_on_event_failure = true;
    setup();
    frame("{\"type\":\"event\",\"event\":\"e\",\"ackId\":4,\"data\":1}");
    fake_answer(WPS_EUNAVAILABLE, NULL);
    ck_assert_ptr_nonnull(strstr(fake_sent(conn), "InternalServerError"));
    ck_assert(!conn->closed);
    fake.event_rc = i == 0 ? WPS_OK : WPS_ENOTFOUND;
    frame("{\"type\":\"event\",\"event\":\"e\",\"data\":1}");
    if (i == 0)
      fake_answer(WPS_EUNAVAILABLE, NULL);
    sends(NULL);
    ck_assert_uint_eq(conn->code, 1011);
    ck_assert_str_eq(conn->reason, "Internal server error");
  }
}
END_TEST

START_TEST(c64_c73_order)
{
  conn->may_set = false;
  frame("{\"type\":\"event\",\"event\":\"a\",\"ackId\":1,\"data\":1}");
  frame("{\"type\":\"event\",\"event\":\"b\",\"ackId\":2,\"dataType\":\"text\","
        "\"data\":\"\\u0032\",\"metadata\":{\"k\":\"v\"}}");
  frame("{\"type\":\"sendToGroup\",\"group\":\"g\",\"ackId\":3,\"data\":3,"
        "\"noEcho\":true,\"ttlSeconds\":2}");
  frame("{\"type\":\"joinGroup\",\"group\":\"j\",\"ackId\":4}");
  frame("{\"type\":\"setGroupState\",\"group\":\"j\",\"ackId\":5}");
  frame("{\"type\":\"streamData\",\"streamId\":\"s\"}");
  ck_assert_uint_eq(fake.asked_count, 1);
  sends(NULL);
  frame("{\"type\":\"ping\"}");
  sends("{\"type\":\"pong\"}");
  frame("{\"type\":\"invoke\",\"invocationId\":\"1\",\"event\":\"e\"}");
  ck_assert(asked(1, FAKE_EVENT, "e")->concurrent);
  fake_answer_to("e", WPS_OK, NULL);
  sends(
      "{\"type\":\"invokeResponse\",\"invocationId\":\"1\",\"success\":true}");
  fake_answer(WPS_OK, NULL);
  sends("{\"type\":\"ack\",\"ackId\":1,\"success\":true}");
  sends(NULL);
  asked(2, FAKE_EVENT, "b");
  ck_assert_str_eq(fake.asked[2].headers, "X-WebPubSub-Metadata-k: v\n");
  payload(2, WPS_DATA_TEXT, "2", 1);
  ck_assert_uint_eq(fake.asked_count, 3);
  fake_answer(WPS_ETIMEOUT, NULL);
  ck_assert_ptr_nonnull(strstr(fake_sent(conn), "InternalServerError"));
  ck_assert_uint_eq(asked(3, FAKE_PUBLISH, "g")->target_flags,
                    WPS_TARGET_NOT_SELF);
  ck_assert_uint_eq(payload(3, WPS_DATA_JSON, "3", 1)->ttl_ms, 2000);
  asked(4, FAKE_JOIN, "j");
  ck_assert_ptr_nonnull(strstr(fake_sent(conn), "Forbidden"));
  ck_assert_ptr_nonnull(strstr(fake_sent(conn), "StreamNotFound"));
  fake_end_all();
  sends("{\"type\":\"ack\",\"ackId\":3,\"success\":true}");
  sends("{\"type\":\"ack\",\"ackId\":4,\"success\":true}");
  sends(NULL);
}
END_TEST

START_TEST(too_many_wait)
{
  frame("{\"type\":\"event\",\"event\":\"a\",\"data\":1}");
  for (int i = 0; i < 999; i++)
    frame("{\"type\":\"joinGroup\",\"group\":\"g\"}");
  ck_assert(!conn->held);
  frame("{\"type\":\"event\",\"event\":\"b\",\"data\":1}");
  ck_assert(conn->held);
  /* What the core has read already is still taken, and so are pings. */
  frame("{\"type\":\"joinGroup\",\"group\":\"h\"}");
  frame("{\"type\":\"ping\"}");
  sends("{\"type\":\"pong\"}");
  for (int i = 0; i < 500; i++)
    frame("{\"type\":\"event\",\"event\":\"c\",\"data\":1}");
  fake_answer(WPS_OK, NULL); /* 501 wait */
  ck_assert(conn->held);
  fake_answer(WPS_OK, NULL); /* 499 wait: the join is not one any more */
  ck_assert(!conn->held);
  ck_assert(!conn->closed);
  asked(1000, FAKE_EVENT, "b");
  asked(1001, FAKE_JOIN, "h");
  asked(1002, FAKE_EVENT, "c");
}
END_TEST

/* Events and messages behind an event are not lost with the client. */
START_TEST(what_waits_at_the_end)
{
  frame("{\"type\":\"event\",\"event\":\"a\",\"ackId\":1,\"data\":1}");
  frame("{\"type\":\"event\",\"event\":\"a\",\"ackId\":1,\"data\":1}");
  frame("{\"type\":\"event\",\"event\":\"b\",\"ackId\":2,\"data\":2}");
  frame("{\"type\":\"event\",\"event\":\"b\",\"ackId\":2,\"data\":2}");
  frame("{\"type\":\"joinGroup\",\"group\":\"g\",\"ackId\":3}");
  frame("{\"type\":\"sendToGroup\",\"group\":\"g\",\"noEcho\":true,"
        "\"data\":3}");
  frame("{\"type\":\"event\",\"event\":\"c\",\"data\":4}");
  ck_assert_uint_eq(fake.asked_count, 1);
  fake_gone(conn);
  conn = NULL;
  ck_assert_uint_eq(fake.asked_count, 4);
  asked(1, FAKE_EVENT, "b");
  ck_assert_uint_eq(asked(2, FAKE_PUBLISH, "g")->target_flags,
                    WPS_TARGET_NOT_SELF);
  asked(3, FAKE_EVENT, "c");
  payload(3, WPS_DATA_JSON, "4", 1);
  for (int i = 0; i < 3; i++)
    fake_answer(WPS_OK, NULL);
}
END_TEST

/* The core keeps to one receive buffer; more than that has a bound. */
START_TEST(far_too_many_wait)
{
  int taken = 0;

  frame("{\"type\":\"event\",\"event\":\"a\",\"data\":1}");
  while (!conn->closed && taken < 100000) {
    frame("{\"type\":\"joinGroup\",\"group\":\"g\"}");
    taken++;
  }
  ck_assert_int_eq(taken, 1000 + 256 * 1024 / 6 + 1);
  ck_assert_uint_eq(conn->code, 1008);
  ck_assert_str_eq(conn->reason,
                   "Too many requests wait for an event handler.");
  fake_answer(WPS_OK, NULL);
  ck_assert_uint_eq(fake.asked_count, 1);
}
END_TEST

START_TEST(too_many_bytes_wait)
{
  static const char head[] =
      "{\"type\":\"sendToGroup\",\"group\":\"g\",\"data\":[1";
  char text[200001];
  int sent = 0;

  memset(text, ' ', sizeof(text));
  memcpy(text, head, sizeof(head) - 1);
  memcpy(text + sizeof(text) - 3, "]}", 3);
  frame("{\"type\":\"event\",\"event\":\"a\",\"data\":1}");
  while (!conn->held && sent++ < 100)
    frame(text);
  ck_assert_int_eq(sent, 6); /* five of 200 kB fit into 1 MiB */
  ck_assert(!conn->closed);
  fake_answer(WPS_OK, NULL);
  ck_assert(!conn->held);
}
END_TEST

START_TEST(the_client_has_gone)
{
  frame("{\"type\":\"event\",\"event\":\"a\",\"ackId\":1,\"data\":1}");
  frame("{\"type\":\"event\",\"event\":\"b\",\"ackId\":2,\"data\":1}");
  fake_gone(conn);
  conn = NULL;
  fake_answer(WPS_OK, NULL);
  ck_assert_uint_eq(fake.asked_count, 2); /* the second was raised at the end */
  fake_answer(WPS_EUNAVAILABLE, NULL);
}
END_TEST

START_TEST(dones_without_the_client)
{
  frame("{\"type\":\"joinGroup\",\"group\":\"g\",\"ackId\":1}");
  frame("{\"type\":\"leaveGroup\",\"group\":\"g\",\"ackId\":2}");
  frame("{\"type\":\"sendToGroup\",\"group\":\"g\",\"ackId\":3,\"data\":1}");
  ck_assert_uint_eq(fake.asked_count, 3);
  fake_gone(conn);
  conn = NULL;
  fake_end_all();
}
END_TEST

/* ---- the life of a client ---- */

static const char *greeting(uint32_t variant, const char *user)
{
  static char text[4096];
  struct wps_conn *c = fake_conn(ops, inst, variant, user, NULL);

  snprintf(text, sizeof(text), "%s", fake_sent(c));
  fake_gone(c);
  return text;
}

START_TEST(c52_greetings)
{
  char user[1000], want[1200];

  ck_assert_str_eq(greeting(PLAIN, "alice"),
                   "{\"type\":\"system\",\"event\":\"connected\",\"userId\":"
                   "\"alice\",\"connectionId\":\"conn-1\"}");
  ck_assert_str_eq(greeting(RELIABLE, "alice"),
                   "{\"type\":\"system\",\"event\":\"connected\",\"userId\":"
                   "\"alice\",\"connectionId\":\"conn-1\","
                   "\"reconnectionToken\":\"token1\"}");
  ck_assert_str_eq(greeting(PLAIN, NULL),
                   "{\"type\":\"system\",\"event\":\"connected\",\"userId\":"
                   "null,\"connectionId\":\"conn-1\"}");
  ck_assert_str_eq(greeting(PLAIN, ""),
                   "{\"type\":\"system\",\"event\":\"connected\",\"userId\":"
                   "null,\"connectionId\":\"conn-1\"}");
  memset(user, 'u', sizeof(user));
  user[sizeof(user) - 1] = '\0';
  snprintf(want, sizeof(want),
           "{\"type\":\"system\",\"event\":\"connected\",\"userId\":\"%s\","
           "\"connectionId\":\"conn-1\"}",
           user);
  ck_assert_str_eq(greeting(PLAIN, user), want);
  ck_assert_uint_eq(fake.sessions, 1);
}
END_TEST

START_TEST(c78_closed_by_a_command)
{
  struct wps_closing how = {.struct_size = sizeof(how),
                            .cause = WPS_CLOSED_COMMAND,
                            .code = 1000,
                            .reason = WPS_STR_INIT("ban\"ned")};

  ops->closing(conn, conn->state, &how);
  sends("{\"type\":\"system\",\"event\":\"disconnected\",\"message\":"
        "\"Application server closed the connection. Reason: ban\\\"ned\"}");
  ck_assert_uint_eq(how.code, 1000);
  ck_assert_uint_eq(how.reason.len, 0);
}
END_TEST

START_TEST(c148_closed_by_shutdown)
{
  struct wps_closing how = {
      .struct_size = sizeof(how), .cause = WPS_CLOSED_SHUTDOWN, .code = 1001};

  ops->closing(conn, conn->state, &how);
  sends(NULL);
  ck_assert_uint_eq(how.code, 1001);
  how.cause = WPS_CLOSED_FAILURE;
  ops->closing(conn, conn->state, &how);
  sends("{\"type\":\"system\",\"event\":\"disconnected\",\"message\":"
        "\"Internal server error\"}");
  ck_assert_uint_eq(how.code, 1011);
}
END_TEST

START_TEST(c79_sequence_ack_on_plain)
{
  frame("{\"type\":\"sequenceAck\",\"sequenceId\":5}");
  ck_assert_uint_eq(conn->acked, 0);
  ck_assert(!conn->closed);
}
END_TEST

START_TEST(c112_sequence_ids)
{
  struct wps_event_answer a;

  ck_assert_uint_eq(conn->session.retain_ms, 30000);
  ck_assert_uint_eq(conn->session.max_messages, 1000);
  ck_assert_uint_eq(conn->session.max_bytes, 16 << 20);
  ck_assert_uint_eq(conn->session.replaced_code, 1008);
  frame("{\"type\":\"event\",\"event\":\"e\",\"ackId\":1,\"data\":1}");
  a = answer_of(WPS_DATA_TEXT, "one");
  fake_answer(WPS_OK, &a);
  wps->message->unref(a.msg);
  sends("{\"sequenceId\":1,\"type\":\"message\",\"from\":\"server\","
        "\"dataType\":\"text\",\"data\":\"one\"}");
  sends("{\"type\":\"ack\",\"ackId\":1,\"success\":true}");
  frame("{\"type\":\"sequenceAck\",\"sequenceId\":18446744073709551615}");
  ck_assert_uint_eq(conn->acked, UINT64_MAX);
  sends(NULL);
}
END_TEST

START_TEST(c120_detached)
{
  ck_assert_int_eq(ops->detached(conn, conn->state, 1000), WPS_ECLOSED);
  ck_assert_int_eq(ops->detached(conn, conn->state, 1001), WPS_OK);
  ck_assert_int_eq(ops->detached(conn, conn->state, 1005), WPS_OK);
  ck_assert_int_eq(ops->detached(conn, conn->state, 1006), WPS_OK);
  ck_assert_int_eq(ops->detached(conn, conn->state, 4000), WPS_OK);
}
END_TEST

START_TEST(outcome_is_remembered_while_away)
{
  struct wps_resume how = {.struct_size = sizeof(how), .variant = RELIABLE};

  frame("{\"type\":\"joinGroup\",\"group\":\"g\",\"ackId\":1}");
  frame("{\"type\":\"event\",\"event\":\"e\",\"ackId\":2,\"data\":1}");
  frame("{\"type\":\"sendToGroup\",\"group\":\"g\",\"ackId\":3,\"data\":1}");
  fake_detach(conn);
  fake_end_all();
  fake_answer(WPS_OK, NULL);
  asked(2, FAKE_PUBLISH, "g");
  fake_end_all();
  sends(NULL);
  conn->detached = false;
  ck_assert_int_eq(ops->resumed(conn, conn->state, &how), WPS_OK);
  sends("{\"type\":\"system\",\"event\":\"connected\",\"userId\":\"alice\","
        "\"connectionId\":\"conn-1\",\"reconnectionToken\":\"token2\"}");
  for (int i = 1; i <= 3; i++) {
    char text[100];

    snprintf(text, sizeof(text),
             "{\"type\":\"joinGroup\",\"group\":\"g\",\"ackId\":%d}", i);
    frame(text);
    ck_assert_ptr_nonnull(strstr(fake_sent(conn), "Duplicate"));
  }
  ck_assert_uint_eq(fake.asked_count, 3);
}
END_TEST

START_TEST(names_of_the_component)
{
  static const struct wps_str early = WPS_STR_INIT("Json.webpubsub.azure");
  struct wps_request req = {.query = NULL};
  struct wps_negotiation out = {.struct_size = sizeof(out)};

  fake_gone(conn);
  conn = NULL;
  ck_assert_str_eq(ops->names[0], "json.webpubsub.azure.v1");
  ck_assert_str_eq(ops->names[1], "json.reliable.webpubsub.azure.v1");
  ck_assert_str_eq(ops->names[2], "json.webpubsub.azure");
  ck_assert_ptr_null(ops->names[3]);
  ck_assert_int_eq(ops->negotiate(inst, &req,
                                  (struct wps_str)WPS_STR_INIT(
                                      "JSON.Reliable.webpubsub.azure.v1"),
                                  &out),
                   WPS_OK);
  ck_assert_uint_eq(out.variant, RELIABLE);
  ck_assert_int_eq(
      ops->negotiate(inst, &req,
                     (struct wps_str)WPS_STR_INIT("json.webpubsub.azure.v1"),
                     &out),
      WPS_OK);
  ck_assert_uint_eq(out.variant, PLAIN);
  /* Unless it is configured, the early name is a stranger's. */
  ck_assert_int_eq(ops->negotiate(inst, &req, early, &out), WPS_ENOTSUP);
  fake.early_names = true;
  webpubsub_plugin_v1.components[0]->destroy(inst);
  ck_assert_int_eq(
      webpubsub_plugin_v1.components[0]->create(NULL, NULL, NULL, &inst),
      WPS_OK);
  ck_assert_int_eq(ops->negotiate(inst, &req, early, &out), WPS_OK);
  ck_assert_uint_eq(out.variant, PLAIN);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("subprotocol_json");
  TCase *t = tcase_create("plain");
  SRunner *r;
  int failed;

  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, c53_join_leave);
  tcase_add_test(t, c54_c55_send);
  tcase_add_test(t, c59_ack_ids_are_exact);
  tcase_add_test(t, c35_forbidden);
  tcase_add_test(t, forbidden_with_the_longest_group);
  tcase_add_test(t, c67_duplicate);
  tcase_add_test(t, c68_the_1001st_pushes_the_oldest_out);
  tcase_add_test(t, repeated_while_under_way);
  tcase_add_test(t, failures_of_the_host);
  tcase_add_test(t, c70_answer_before_ack);
  tcase_add_test(t, metadata_cannot_write_headers);
  tcase_add_test(t, c72_no_handler);
  tcase_add_test(t, drop_on_event_failure);
  tcase_add_test(t, c64_c73_order);
  tcase_add_test(t, too_many_wait);
  tcase_add_test(t, what_waits_at_the_end);
  tcase_add_test(t, far_too_many_wait);
  tcase_add_test(t, too_many_bytes_wait);
  tcase_add_test(t, the_client_has_gone);
  tcase_add_test(t, dones_without_the_client);
  tcase_add_test(t, c52_greetings);
  tcase_add_test(t, c78_closed_by_a_command);
  tcase_add_test(t, c148_closed_by_shutdown);
  tcase_add_test(t, c79_sequence_ack_on_plain);
  tcase_add_test(t, names_of_the_component);
  suite_add_tcase(s, t);
  t = tcase_create("reliable");
  tcase_add_checked_fixture(t, setup_reliable, teardown);
  tcase_add_test(t, c112_sequence_ids);
  tcase_add_test(t, c120_detached);
  tcase_add_test(t, outcome_is_remembered_while_away);
  suite_add_tcase(s, t);
  r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
