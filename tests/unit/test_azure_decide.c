/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that an application decides about, and the order behind them:
 * plugins/common/azure/decide.c, order.c. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/azure_rig.h"

#define JOIN(...) ASK(.kind = AZURE_JOIN, .name = rig_str("room"), __VA_ARGS__)
#define LEAVE(...)                                                             \
  ASK(.kind = AZURE_LEAVE, .name = rig_str("room"), __VA_ARGS__)
#define SEND(...)                                                              \
  ASK(.kind = AZURE_SEND, .name = rig_str("room"), .data_type = WPS_DATA_TEXT, \
      .data = rig_text("hello"), __VA_ARGS__)
#define START(...)                                                             \
  ASK(.kind = AZURE_STREAM_START, .name = rig_str("room"),                     \
      .ref = rig_str("s1"), __VA_ARGS__)
#define EVENT(...)                                                             \
  ASK(.kind = AZURE_EVENT, .name = rig_str("e"), .data_type = WPS_DATA_TEXT,   \
      .data = rig_text("x"), __VA_ARGS__)

#define NO(id, what)                                                           \
  "ack " id " Forbidden: The client does not have permission to " what         \
  " group 'room'."

static struct fake_asked *question(size_t i, uint32_t type)
{
  struct fake_asked *a = rig_asked(i, FAKE_ASK, "room");

  ck_assert_uint_eq(a->type, type);
  return a;
}

START_TEST(nobody_asks)
{
  rig_open(false);
  JOIN(.flags = AZURE_HAS_ACK, .id = 1);
  SEND(.flags = 0);
  rig_asked(0, FAKE_JOIN, "room");
  rig_asked(1, FAKE_PUBLISH, "room");
  ck_assert_uint_eq(rig_client()->waiting, 0);
}
END_TEST

START_TEST(yes)
{
  rig_open(false);
  fake.asks = true;
  JOIN(.flags = AZURE_HAS_ACK, .id = 1);
  ck_assert_ptr_null(question(0, WPS_EVENT_JOIN)->msg);
  rig_says(NULL);
  fake_decide(WPS_OK);
  rig_asked(1, FAKE_JOIN, "room");
  fake_end_all();
  rig_says("ack 1");
  LEAVE(.flags = AZURE_HAS_ACK, .id = 2);
  question(2, WPS_EVENT_LEAVE);
  fake_decide(WPS_OK);
  rig_asked(3, FAKE_LEAVE, "room");
  fake_end_all();
  rig_says("ack 2");
  SEND(.flags = AZURE_HAS_ACK | AZURE_NO_ECHO, .id = 3, .ttl_ms = 2000);
  ck_assert_mem_eq(
      wps->message->info(question(4, WPS_EVENT_PUBLISH)->msg)->data.ptr,
      "hello", 5);
  fake_decide(WPS_OK);
  ck_assert_ptr_eq(rig_asked(5, FAKE_PUBLISH, "room")->msg, fake.asked[4].msg);
  ck_assert_uint_eq(fake.asked[5].target_flags, WPS_TARGET_NOT_SELF);
  ck_assert_uint_eq(wps->message->info(fake.asked[5].msg)->ttl_ms, 2000);
  fake_end_all();
  rig_says("ack 3");
  START(.flags = AZURE_HAS_ACK, .id = 4);
  ck_assert_ptr_null(question(6, WPS_EVENT_PUBLISH)->msg);
  rig_says(NULL);
  fake_decide(WPS_OK);
  rig_says("streamAck s1 1");
  rig_says("ack 4");
  /* Fragments are not asked about. */
  ASK(.kind = AZURE_STREAM_DATA, .ref = rig_str("s1"),
      .flags = AZURE_HAS_SEQUENCE | AZURE_HAS_DATA, .sequence = 1,
      .data_type = WPS_DATA_TEXT, .data = rig_text("x"));
  rig_fragment(7, "room", "s1 1", "x");
  EVENT(.flags = 0);
  rig_asked(8, FAKE_EVENT, "e");
  ck_assert_uint_eq(fake.asked_count, 9);
}
END_TEST

START_TEST(no)
{
  rig_open(false);
  fake.asks = true;
  JOIN(.flags = AZURE_HAS_ACK, .id = 1);
  fake_decide(WPS_EFORBIDDEN);
  rig_says(NO("1", "join"));
  LEAVE(.flags = AZURE_HAS_ACK, .id = 1);
  fake_decide(WPS_EFORBIDDEN);
  rig_says(NO("1", "leave"));
  SEND(.flags = AZURE_HAS_ACK, .id = 1);
  fake_decide(WPS_ECANCELED);
  rig_says(NO("1", "send to"));
  START(.flags = AZURE_HAS_ACK, .id = 1);
  fake_decide(WPS_EFORBIDDEN);
  rig_says("streamClosed s1 Forbidden: The client does not have permission to "
           "send to group 'room'.");
  rig_says(NO("1", "send to"));
  JOIN(.flags = 0);
  fake_decide(WPS_EFORBIDDEN);
  rig_says(NULL);
  ck_assert_uint_eq(fake.asked_count, 5);
  /* A failed id may be used again. */
  JOIN(.flags = AZURE_HAS_ACK, .id = 1);
  fake_decide(WPS_OK);
  fake_end_all();
  rig_says("ack 1");
}
END_TEST

/* What permissions forbid, and what cannot be, is not asked. */
START_TEST(not_asked)
{
  rig_open(false);
  fake.asks = true;
  rig.conn->may_join = rig.conn->may_send = false;
  JOIN(.flags = AZURE_HAS_ACK, .id = 1);
  rig_says(NO("1", "join"));
  SEND(.flags = AZURE_HAS_ACK, .id = 1);
  rig_says(NO("1", "send to"));
  START(.flags = 0);
  ck_assert_mem_eq(fake_sent(rig.conn), "streamClosed s1 Forbidden", 25);
  START(.flags = AZURE_BAD, .why = rig_str("bad"));
  rig_says("streamClosed s1 BadRequest: bad");
  ck_assert_uint_eq(fake.asked_count, 0);
}
END_TEST

/* What it may do has changed while the upstream thought. */
START_TEST(permission_lost_meanwhile)
{
  rig_open(false);
  fake.asks = true;
  SEND(.flags = AZURE_HAS_ACK, .id = 1);
  rig.conn->may_send = false;
  fake_decide(WPS_OK);
  rig_says(NO("1", "send to"));
  ck_assert_uint_eq(fake.asked_count, 1);
}
END_TEST

/* All that follows waits, each in its turn; pings and invocations do not. */
START_TEST(order)
{
  rig_open(false);
  fake.asks = true;
  JOIN(.flags = AZURE_HAS_ACK, .id = 1);
  SEND(.flags = 0);
  EVENT(.flags = AZURE_HAS_ACK, .id = 2);
  LEAVE(.flags = 0);
  JOIN(.flags = AZURE_HAS_ACK, .id = 1); /* again */
  ASK(.kind = AZURE_PING);
  rig_says("pong");
  ASK(.kind = AZURE_INVOKE, .ref = rig_str("1"), .name = rig_str("i"));
  rig_asked(1, FAKE_EVENT, "i");
  ck_assert_uint_eq(fake.asked_count, 2);
  fake_answer_to("i", WPS_OK, NULL);
  rig_says("invoked 1");
  fake_decide(WPS_OK);
  rig_asked(2, FAKE_JOIN, "room");
  question(3, WPS_EVENT_PUBLISH);
  ck_assert_uint_eq(fake.asked_count, 4);
  ck_assert(fake_end(WPS_OK));
  rig_says("ack 1");
  fake_decide(WPS_OK);
  rig_asked(4, FAKE_PUBLISH, "room");
  rig_asked(5, FAKE_EVENT, "e");
  fake_answer(WPS_OK, NULL);
  rig_says("ack 2");
  question(6, WPS_EVENT_LEAVE);
  fake_decide(WPS_EFORBIDDEN);
  rig_says("ack 1 Duplicate: Message with ack-id: 1 has been processed");
  rig_says(NULL);
  ck_assert_uint_eq(fake.asked_count, 7);
  ck_assert_uint_eq(rig_client()->waiting, 0);
  ck_assert_uint_eq(rig_client()->waiting_bytes, 0);
}
END_TEST

/* A repetition waits for the outcome of the first. */
START_TEST(repeated_while_asked)
{
  rig_open(false);
  fake.asks = true;
  JOIN(.flags = AZURE_HAS_ACK, .id = 1);
  JOIN(.flags = AZURE_HAS_ACK, .id = 1);
  fake_decide(WPS_EFORBIDDEN);
  rig_says(NO("1", "join"));
  question(1, WPS_EVENT_JOIN);
  fake_decide(WPS_OK);
  fake_end_all();
  rig_says("ack 1");
  rig_says(NULL);
}
END_TEST

/* It is on hold while too much waits, the asked one included. */
START_TEST(held_while_asked)
{
  rig.rules.waiting_max = 3;
  rig_open(false);
  fake.asks = true;
  JOIN(.flags = 0);
  JOIN(.flags = 0);
  ck_assert(!rig.conn->held);
  JOIN(.flags = 0);
  ck_assert(rig.conn->held);
  fake_decide(WPS_OK);
  fake_decide(WPS_OK);
  ck_assert(!rig.conn->held);
  fake_decide(WPS_OK);
  ck_assert_uint_eq(fake.asked_count, 6);
}
END_TEST

/* No memory for the message that would be asked about. */
START_TEST(no_memory)
{
  rig_open(false);
  fake.asks = true;
  fake.no_memory = true;
  SEND(.flags = AZURE_HAS_ACK, .id = 1);
  rig_says("ack 1 InternalServerError: Internal server error");
  SEND(.flags = 0);
  EVENT(.flags = AZURE_HAS_ACK, .id = 1);
  rig_says("ack 1 InternalServerError: Internal server error");
  rig_says(NULL);
  ck_assert_uint_eq(fake.asked_count, 0);
}
END_TEST

START_TEST(closed_while_asked)
{
  rig_open(false);
  fake.asks = true;
  SEND(.flags = 0);
  SEND(.flags = 0);
  azure_client_close(rig_client(), rig.conn, 1007, rig_str("bad"));
  ck_assert_uint_eq(atomic_load(&rig.waiting), 0);
  fake_decide(WPS_OK);
  SEND(.flags = 0);
  ck_assert_uint_eq(fake.asked_count, 1);
}
END_TEST

/* At the end what nobody has to be asked about is done, the rest is dropped. */
START_TEST(gone_while_asked)
{
  rig_open(false);
  fake.asks = true;
  SEND(.flags = AZURE_HAS_ACK, .id = 1);
  EVENT(.flags = 0);
  SEND(.flags = AZURE_HAS_ACK, .id = 1);
  fake.asks = false;
  SEND(.flags = AZURE_HAS_ACK, .id = 2);
  SEND(.flags = AZURE_HAS_ACK, .id = 2);
  JOIN(.flags = 0);
  rig_gone();
  rig_asked(1, FAKE_EVENT, "e");
  rig_asked(2, FAKE_PUBLISH, "room");
  ck_assert_uint_eq(fake.asked_count, 3);
  fake_decide(WPS_OK);
  ck_assert_uint_eq(fake.asked_count, 3);
}
END_TEST

START_TEST(detached_while_asked)
{
  rig_open(true);
  fake.asks = true;
  JOIN(.flags = AZURE_HAS_ACK, .id = 1);
  rig_detach();
  fake_decide(WPS_OK);
  fake_end_all();
  rig_resume();
  rig_says("connected token2");
  JOIN(.flags = AZURE_HAS_ACK, .id = 1);
  rig_says("ack 1 Duplicate: Message with ack-id: 1 has been processed");
}
END_TEST

int main(void)
{
  Suite *s = suite_create("azure_decide");
  TCase *t = tcase_create("decisions");
  SRunner *r;
  int failed;

  tcase_add_checked_fixture(t, rig_setup, rig_teardown);
  tcase_add_test(t, nobody_asks);
  tcase_add_test(t, yes);
  tcase_add_test(t, no);
  tcase_add_test(t, not_asked);
  tcase_add_test(t, permission_lost_meanwhile);
  tcase_add_test(t, order);
  tcase_add_test(t, repeated_while_asked);
  tcase_add_test(t, held_while_asked);
  tcase_add_test(t, no_memory);
  tcase_add_test(t, closed_while_asked);
  tcase_add_test(t, gone_while_asked);
  tcase_add_test(t, detached_while_asked);
  suite_add_tcase(s, t);
  r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
