/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of a publisher that waits, goes, and comes back:
 * plugins/common/azure/stream.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/azure_rig.h"

static void fragment(size_t i, const char *stream, const char *data)
{
  rig_fragment(i, "room", stream, data);
}

/* A plain client with a stream under way. */
static void started(const char *id)
{
  char line[300];

  rig_open(false);
  RIG_START(id, .flags = 0);
  snprintf(line, sizeof(line), "streamAck %s 1", id);
  rig_says(line);
}

/* ---- order behind events ---- */

START_TEST(behind_an_event)
{
  started("s1");
  RIG_EVENT("slow");
  RIG_DATA("s1", 1, "a");
  RIG_DATA("s1", 2, "b");
  RIG_KEEPALIVE("s1");
  RIG_END("s1", .flags = AZURE_HAS_ERROR, .error_message = rig_str("boom"),
          .error_code = rig_str("E1"));
  RIG_START("s1", .flags = AZURE_NO_ECHO, .idle_ms = 500);
  RIG_DATA("s1", 1, "c");
  ck_assert_uint_eq(fake.asked_count, 1);
  ck_assert_uint_eq(rig_client()->waiting, 6);
  rig_says(NULL);
  fake_answer(WPS_OK, NULL);
  fragment(1, "s1 1", "a");
  fragment(2, "s1 2", "b");
  fragment(3, "s1 3 end UserError|boom|E1", "");
  fragment(4, "s1 1", "c");
  ck_assert_uint_eq(fake.asked[3].target_flags, 0);
  ck_assert_uint_eq(fake.asked[4].target_flags, WPS_TARGET_NOT_SELF);
  rig_says("streamClosed s1");
  rig_says("streamAck s1 1");
  fake_pass(rig.conn, 20);
  rig_says("streamAck s1 2");
  fake_pass(rig.conn, 480);
  rig_says("streamClosed s1 IdleTimeout: The stream was idle for too long.");
}
END_TEST

/* The payload that waited is not copied: it lives as long as the fragment. */
START_TEST(waiting_payload)
{
  struct wps_message *msg;

  started("s1");
  RIG_EVENT("slow");
  RIG_DATA("s1", 1, "abc");
  fake_answer(WPS_OK, NULL);
  msg = wps->message->ref(fake.asked[1].msg);
  ck_assert_mem_eq(wps->message->info(msg)->data.ptr, "abc", 3);
  rig_gone();
  ck_assert_mem_eq(wps->message->info(msg)->data.ptr, "abc", 3);
  wps->message->unref(msg);
}
END_TEST

/* The idle clock counts from arrival. */
START_TEST(c95_waiting_is_no_idleness)
{
  rig_open(false);
  RIG_START("s1", .idle_ms = 1000);
  rig_says("streamAck s1 1");
  RIG_EVENT("slow");
  fake_pass(rig.conn, 900);
  RIG_KEEPALIVE("s1");
  fake_pass(rig.conn, 900);
  RIG_DATA("s1", 1, "a");
  fake_pass(rig.conn, 900);
  rig_says(NULL);
  fake_answer(WPS_OK, NULL);
  fragment(1, "s1 1", "a");
}
END_TEST

/* Who has said all in time has nothing more to say while it waits. */
START_TEST(c95_the_end_waits)
{
  rig_open(false);
  RIG_START("s1", .idle_ms = 1000);
  rig_says("streamAck s1 1");
  RIG_EVENT("slow");
  RIG_DATA("s1", 1, "a");
  RIG_END("s1", .flags = 0);
  fake_pass(rig.conn, 1500);
  fake_pass(rig.conn, 1500);
  rig_says(NULL);
  fake_answer(WPS_OK, NULL);
  fragment(1, "s1 1", "a");
  fragment(2, "s1 2 end", "");
  rig_says("streamClosed s1");
  rig_says(NULL);
}
END_TEST

/* A client that is not read cannot say that it lives. */
START_TEST(c95_held)
{
  rig.rules.waiting_max = 2;
  rig_open(false);
  RIG_START("s1", .idle_ms = 1000);
  rig_says("streamAck s1 1");
  RIG_EVENT("slow");
  RIG_DATA("s1", 1, "a");
  RIG_DATA("s1", 2, "b");
  ck_assert(rig.conn->held);
  fake_pass(rig.conn, 1500);
  fake_pass(rig.conn, 1500);
  rig_says(NULL);
  fake_answer(WPS_OK, NULL);
  ck_assert(!rig.conn->held);
  fragment(2, "s1 2", "b");
  fake_pass(rig.conn, 20);
  rig_says("streamAck s1 3");
  fake_pass(rig.conn, 980);
  rig_says("streamClosed s1 IdleTimeout: The stream was idle for too long.");
}
END_TEST

/* ---- the publisher's end and its coming back ---- */

START_TEST(c99_gone)
{
  started("s1");
  RIG_START("s2", .flags = AZURE_NO_ECHO);
  RIG_DATA("s1", 1, "a");
  rig_gone();
  fragment(1, "s1 2 end Cancelled|The publisher has gone.|-", "");
  fragment(2, "s2 1 end Cancelled|The publisher has gone.|-", "");
  ck_assert_uint_eq(fake.asked[2].target_flags, WPS_TARGET_NOT_SELF);
  ck_assert_uint_eq(fake.asked_count, 3);
}
END_TEST

/* What waits is the group's, though the client has gone. */
START_TEST(c99_gone_with_something_waiting)
{
  started("s1");
  RIG_EVENT("slow");
  RIG_DATA("s1", 1, "a");
  RIG_DATA("s1", 3, "skipped");
  RIG_END("s1", .flags = 0);
  RIG_START("s2", .flags = 0);
  RIG_DATA("s2", 1, "b");
  RIG_START("s3", .flags = AZURE_BAD, .why = rig_str("bad"));
  RIG_DATA("s3", 1, "unknown");
  rig_gone();
  fragment(1, "s1 1", "a");
  fragment(2, "s1 2 end", "");
  fragment(3, "s2 1", "b");
  fragment(4, "s2 2 end Cancelled|The publisher has gone.|-", "");
  ck_assert_uint_eq(fake.asked_count, 5);
}
END_TEST

/* That there is no memory to tell it does not matter any more. */
START_TEST(c99_gone_without_memory)
{
  started("s1");
  RIG_EVENT("slow");
  RIG_DATA("s1", 3, "skipped");
  RIG_DATA("s1", 1, "a");
  RIG_DATA("unknown", 1, "b");
  RIG_END("s1", .flags = 0);
  rig.conn->send_rc = WPS_ENOMEM;
  rig_gone();
  fragment(1, "s1 1", "a");
  fragment(2, "s1 2 end", "");
  ck_assert_uint_eq(fake.asked_count, 3);
}
END_TEST

START_TEST(c127_recovery)
{
  rig_open(true);
  RIG_START("a", .idle_ms = 10000);
  RIG_START("b", .flags = 0);
  rig_says("streamAck a 1");
  rig_says("streamAck b 1");
  RIG_DATA("a", 1, "x");
  RIG_DATA("a", 2, "x");
  rig_detach();
  fake_pass(rig.conn, 20); /* nobody hears this ack */
  rig_says(NULL);
  fake_pass(rig.conn, 5000);
  rig_resume();
  rig_says("connected token2");
  rig_says("streamAck a 3");
  rig_says("streamAck b 1");
  rig_says(NULL);
  RIG_DATA("a", 2, "x");
  rig_says("streamAck a 3");
  RIG_DATA("a", 3, "y");
  fragment(2, "a 3", "y");
  fake_pass(rig.conn, 9999);
  rig_says("streamAck a 4");
  rig_says(NULL);
  fake_pass(rig.conn, 1);
  rig_says("streamClosed a IdleTimeout: The stream was idle for too long.");
}
END_TEST

START_TEST(c127_ends_are_told_again)
{
  rig_open(true);
  RIG_START("a", .flags = 0);
  RIG_START("b", .idle_ms = 1000);
  RIG_START("c", .flags = 0);
  RIG_START("d", .flags = 0);
  for (int i = 0; i < 4; i++)
    fake_sent(rig.conn);
  RIG_END("a", .flags = 0);
  rig_says("streamClosed a");
  RIG_END("c", .flags = 0);
  rig_says("streamClosed c");
  RIG_START("c", .flags = 0);
  rig_says("streamAck c 1");
  rig_detach();
  fake_pass(rig.conn, 1000); /* b is idle */
  rig_resume();
  rig_says("connected token2");
  rig_says("streamAck d 1");
  rig_says("streamAck c 1");
  rig_says("streamClosed a");
  rig_says("streamClosed b IdleTimeout: The stream was idle for too long.");
  rig_says(NULL);
  /* This socket may have died with it. */
  rig_detach();
  rig_resume();
  rig_says("connected token3");
  rig_says("streamAck d 1");
  rig_says("streamAck c 1");
  rig_says("streamClosed a");
  rig_says("streamClosed b IdleTimeout: The stream was idle for too long.");
  rig_says(NULL);
  /* Of an id that was used twice only the last end counts. */
  RIG_START("b", .flags = 0);
  rig_says("streamAck b 1");
  RIG_END("b", .flags = 0);
  rig_says("streamClosed b");
  RIG_END("c", .flags = 0);
  rig_says("streamClosed c");
  rig_detach();
  rig_resume();
  rig_says("connected token4");
  rig_says("streamAck d 1");
  rig_says("streamClosed a");
  rig_says("streamClosed b");
  rig_says("streamClosed c");
  rig_says(NULL);
  /* Long ago: whoever asks again gets StreamNotFound. */
  rig_detach();
  fake_pass(rig.conn, 150001);
  rig_resume();
  rig_says("connected token5");
  rig_says("streamAck d 1");
  rig_says(NULL);
}
END_TEST

/* Who may stay away for long hears on his return what he has missed. */
START_TEST(c95_idle_while_away_for_long)
{
  rig.rules.session.retain_ms = 600000;
  rig_open(true);
  RIG_START("a", .flags = 0);
  RIG_START("b", .idle_ms = 1000);
  rig_says("streamAck a 1");
  rig_says("streamAck b 1");
  RIG_END("a", .flags = 0);
  rig_detach();
  fake_sent(rig.conn); /* what it was told is lost */
  fake_pass(rig.conn, 590000);
  rig_resume();
  rig_says("connected token2");
  rig_says("streamClosed a");
  rig_says("streamClosed b IdleTimeout: The stream was idle for too long.");
  rig_says(NULL);
}
END_TEST

START_TEST(ends_that_are_told_are_bounded)
{
  char id[20], line[60];

  rig.rules.streams_max = 2;
  rig_open(true);
  for (int i = 0; i < 40; i++) {
    snprintf(id, sizeof(id), "s%d", i);
    RIG_START(id, .flags = 0);
    RIG_END(id, .flags = 0);
    fake_sent(rig.conn);
    fake_sent(rig.conn);
  }
  rig_detach();
  rig_resume();
  rig_says("connected token2");
  for (int i = 8; i < 40; i++) {
    snprintf(line, sizeof(line), "streamClosed s%d", i);
    rig_says(line);
  }
  rig_says(NULL);
}
END_TEST

/* The event goes on, and so does what waits behind it. */
START_TEST(c127_detached_behind_an_event)
{
  rig_open(true);
  RIG_START("a", .flags = 0);
  rig_says("streamAck a 1");
  RIG_EVENT("slow");
  RIG_DATA("a", 1, "x");
  RIG_END("a", .flags = 0);
  rig_detach();
  fake_answer(WPS_OK, NULL);
  fragment(1, "a 1", "x");
  fragment(2, "a 2 end", "");
  rig_resume();
  rig_says("connected token2");
  rig_says("streamClosed a");
  rig_says(NULL);
}
END_TEST

START_TEST(nothing_to_tell)
{
  rig_open(true);
  rig_detach();
  rig_resume();
  rig_says("connected token2");
  rig_says(NULL);
}
END_TEST

/* No memory to say something: the client is closed, and the streams end. */
START_TEST(closed_by_us)
{
  started("s1");
  RIG_START("s2", .flags = 0);
  rig_says("streamAck s2 1");
  RIG_DATA("s1", 1, "a");
  RIG_DATA("s2", 1, "a");
  rig.conn->send_rc = WPS_ENOMEM;
  fake_pass(rig.conn, 20);
  ck_assert(rig.conn->closed);
  ck_assert_uint_eq(rig.conn->code, 1011);
  RIG_DATA("s1", 2, "b");
  ck_assert_uint_eq(fake.asked_count, 2);
  rig_gone();
  fragment(2, "s1 2 end Cancelled|The publisher has gone.|-", "");
  fragment(3, "s2 2 end Cancelled|The publisher has gone.|-", "");
}
END_TEST

/* What the official client checks (its AsyncSeqQueue): an ack never goes back,
 * and never beyond what it has sent, whatever is lost or comes twice. */
START_TEST(acks_are_in_range)
{
  uint64_t seed = (uint64_t)_i * 977 + 1, sent = 0, oldest = 1, published = 0;
  bool reliable = true;

  rig_open(reliable);
  RIG_START("s", .flags = 0);
  rig_says("streamAck s 1");
  for (int round = 0; round < 1500; round++) {
    const char *line;
    size_t count = fake.asked_count;

    seed = seed * 6364136223846793005u + 1442695040888963407u;
    switch (seed >> 60) {
    case 0: /* the socket breaks: it begins again behind the last ack */
      while (fake_sent(rig.conn) != NULL)
        ;
      rig_detach();
      fake_pass(rig.conn, (int64_t)(seed >> 40 & 31));
      rig_resume();
      ck_assert_mem_eq(fake_sent(rig.conn), "connected", 9);
      sent = oldest - 1;
      break;
    case 1:
      fake_pass(rig.conn, 20);
      break;
    case 2: /* one is missing */
      RIG_DATA("s", published + 2, "x");
      ck_assert_uint_eq(fake.asked_count, count);
      break;
    default:
      sent++;
      RIG_DATA("s", sent, "x");
      if (fake.asked_count > count) {
        published++;
        ck_assert_uint_eq(published, sent);
      }
      break;
    }
    while ((line = fake_sent(rig.conn)) != NULL) {
      unsigned long long expected;

      ck_assert(sscanf(line, "streamAck s %llu", &expected) == 1 ||
                sscanf(line, "streamNack s %llu", &expected) == 1);
      ck_assert_uint_ge(expected, oldest);
      ck_assert_uint_le(expected, published + 1);
      oldest = expected;
      if (sent < oldest - 1)
        sent = oldest - 1;
    }
  }
  ck_assert_uint_gt(published, 500);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("azure_publisher");
  TCase *t = tcase_create("publishers");
  SRunner *r;
  int failed;

  tcase_add_checked_fixture(t, rig_setup, rig_teardown);
  tcase_add_test(t, behind_an_event);
  tcase_add_test(t, waiting_payload);
  tcase_add_test(t, c95_waiting_is_no_idleness);
  tcase_add_test(t, c95_the_end_waits);
  tcase_add_test(t, c95_held);
  tcase_add_test(t, c99_gone);
  tcase_add_test(t, c99_gone_with_something_waiting);
  tcase_add_test(t, c99_gone_without_memory);
  tcase_add_test(t, c127_recovery);
  tcase_add_test(t, c127_ends_are_told_again);
  tcase_add_test(t, c95_idle_while_away_for_long);
  tcase_add_test(t, ends_that_are_told_are_bounded);
  tcase_add_test(t, c127_detached_behind_an_event);
  tcase_add_test(t, nothing_to_tell);
  tcase_add_test(t, closed_by_us);
  tcase_add_loop_test(t, acks_are_in_range, 0, 5);
  suite_add_tcase(s, t);
  r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
