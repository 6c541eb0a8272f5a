/* SPDX-License-Identifier: Apache-2.0 */
/* What a client publishes bit by bit: plugins/common/azure/stream.c. */
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

/* ---- start ---- */

START_TEST(c87_start)
{
  started("s1");
  rig_says(NULL);
  ck_assert_uint_eq(fake.asked_count, 0);
}
END_TEST

START_TEST(c87_start_with_an_ack_id)
{
  rig_open(false);
  RIG_START("s1", .flags = AZURE_HAS_ACK, .id = 7);
  rig_says("streamAck s1 1");
  rig_says("ack 7");
  RIG_START("s1", .flags = AZURE_HAS_ACK, .id = 7);
  rig_says("ack 7 Duplicate: Message with ack-id: 7 has been processed");
  /* A refused one may be used again. */
  RIG_START("s1", .flags = AZURE_HAS_ACK, .id = 8);
  rig_says("streamClosed s1 BadRequest: The stream is active already.");
  rig_says("ack 8 BadRequest: The stream is active already.");
  RIG_START("s2", .flags = AZURE_HAS_ACK, .id = 8);
  rig_says("streamAck s2 1");
  rig_says("ack 8");
}
END_TEST

START_TEST(c88_start_without_permission)
{
  rig_open(false);
  rig.conn->may_send = false;
  RIG_START("s1", .flags = 0);
  rig_says("streamClosed s1 Forbidden: The client does not have permission to "
           "send to group 'room'.");
  RIG_START("s1", .flags = AZURE_HAS_ACK, .id = 1);
  rig_says("streamClosed s1 Forbidden: The client does not have permission to "
           "send to group 'room'.");
  rig_says("ack 1 Forbidden: The client does not have permission to send to "
           "group 'room'.");
  RIG_DATA("s1", 1, "x");
  rig_says("streamClosed s1 StreamNotFound: The stream was not found.");
  rig.conn->may_send = true;
  RIG_START("s1", .flags = AZURE_HAS_ACK, .id = 1);
  rig_says("streamAck s1 1");
  rig_says("ack 1");
}
END_TEST

/* C-88: the one that is running goes on. */
START_TEST(c88_start_of_an_active_id)
{
  started("s1");
  RIG_DATA("s1", 1, "a");
  RIG_START("s1", .flags = AZURE_NO_ECHO);
  rig_says("streamClosed s1 BadRequest: The stream is active already.");
  RIG_DATA("s1", 2, "b");
  fragment(1, "s1 2", "b");
  ck_assert_uint_eq(fake.asked[1].target_flags, 0);
  fake_pass(rig.conn, 20);
  rig_says("streamAck s1 3");
}
END_TEST

START_TEST(c98_bad_starts)
{
  char id[300];

  rig_open(false);
  RIG_START("s1", .flags = AZURE_BAD,
            .why = rig_str("idleTimeoutMs has to be good."));
  rig_says("streamClosed s1 BadRequest: idleTimeoutMs has to be good.");
  RIG_START("s1", .flags = AZURE_HAS_DATA, .data = rig_text("x"));
  rig_says("streamClosed s1 BadRequest: A stream starts without data.");
  memset(id, 'i', sizeof(id));
  id[256] = '\0';
  RIG_START(id, .flags = 0);
  ck_assert_mem_eq(fake_sent(rig.conn), "streamAck ii", 12);
  id[256] = 'i';
  id[257] = '\0';
  RIG_START(id, .flags = 0);
  ck_assert_ptr_nonnull(
      strstr(fake_sent(rig.conn),
             " BadRequest: The id of a stream has at most 256 bytes."));
  /* Of an event or invocation: there is no group, so nobody is asked. */
  rig.conn->may_send = false;
  ASK(.kind = AZURE_STREAM_START, .ref = rig_str("s"),
      .flags = AZURE_BAD | AZURE_HAS_ACK, .id = 3,
      .why = rig_str("Streams go to groups only."));
  rig_says("streamClosed s BadRequest: Streams go to groups only.");
  rig_says("ack 3 BadRequest: Streams go to groups only.");
  ck_assert_uint_eq(fake.asked_count, 0);
}
END_TEST

START_TEST(hundred_streams)
{
  char id[20], line[60];

  rig_open(false);
  for (int i = 0; i < 100; i++) {
    snprintf(id, sizeof(id), "s%d", i);
    RIG_START(id, .flags = 0);
    snprintf(line, sizeof(line), "streamAck %s 1", id);
    rig_says(line);
  }
  RIG_START("more", .flags = 0);
  rig_says("streamClosed more BadRequest: Too many streams are active.");
  for (int i = 0; i < 100; i += 3) {
    snprintf(id, sizeof(id), "s%d", i);
    RIG_END(id, .flags = 0);
    snprintf(line, sizeof(line), "streamClosed %s", id);
    rig_says(line);
  }
  RIG_START("more", .flags = 0);
  rig_says("streamAck more 1");
  for (int i = 1; i < 100; i += 3) {
    snprintf(id, sizeof(id), "s%d", i);
    RIG_DATA(id, 1, "x");
  }
  ck_assert_uint_eq(fake.asked_count, 34 + 33);
  rig_says(NULL);
}
END_TEST

START_TEST(streams_turned_off)
{
  rig.rules.streams_max = 0;
  rig_open(false);
  RIG_START("s1", .flags = 0);
  rig_says("streamClosed s1 BadRequest: Too many streams are active.");
}
END_TEST

START_TEST(no_timer_no_stream)
{
  rig_open(false);
  fake.no_timer = true;
  RIG_START("s1", .flags = AZURE_HAS_ACK, .id = 1);
  rig_says("streamClosed s1 InternalServerError: Internal server error");
  rig_says("ack 1 InternalServerError: Internal server error");
  RIG_KEEPALIVE("s1");
  rig_says("streamClosed s1 StreamNotFound: The stream was not found.");
}
END_TEST

/* The one that is open does not suffer from it. */
START_TEST(no_timer_no_second_stream)
{
  rig_open(false);
  RIG_START("s1", .idle_ms = 1000);
  rig_says("streamAck s1 1");
  fake.no_timer = true;
  RIG_START("s2", .idle_ms = 10);
  rig_says("streamClosed s2 InternalServerError: Internal server error");
  fake.no_timer = false;
  fake_pass(rig.conn, 1000);
  rig_says("streamClosed s1 IdleTimeout: The stream was idle for too long.");
}
END_TEST

/* ---- data ---- */

START_TEST(c89_order_and_acks)
{
  started("s1");
  RIG_DATA("s1", 1, "Hel");
  RIG_DATA("s1", 2, "lo");
  fragment(0, "s1 1", "Hel");
  fragment(1, "s1 2", "lo");
  ck_assert(!fake.asked[0].has_done);
  ck_assert_uint_eq(fake.asked[0].target_flags, 0);
  rig_says(NULL);
  fake_pass(rig.conn, 19);
  rig_says(NULL);
  fake_pass(rig.conn, 1);
  rig_says("streamAck s1 3");
  fake_pass(rig.conn, 1000);
  rig_says(NULL);
  /* The next one takes up the timer again. */
  RIG_DATA("s1", 3, "");
  fake_pass(rig.conn, 20);
  rig_says("streamAck s1 4");
  rig_says(NULL);
}
END_TEST

/* C-89: at the latest every 16 fragments; the timer has nothing left to say. */
START_TEST(c89_acks_of_many)
{
  started("s1");
  for (uint64_t n = 1; n <= 40; n++)
    RIG_DATA("s1", n, "x");
  rig_says("streamAck s1 17");
  rig_says("streamAck s1 33");
  rig_says(NULL);
  fake_pass(rig.conn, 20);
  rig_says("streamAck s1 41");
  for (uint64_t n = 41; n <= 56; n++)
    RIG_DATA("s1", n, "x");
  rig_says("streamAck s1 57");
  fake_pass(rig.conn, 20);
  rig_says(NULL);
}
END_TEST

START_TEST(acks_without_delay)
{
  rig.rules.stream_ack_ms = 0;
  started("s1");
  RIG_DATA("s1", 1, "x");
  rig_says("streamAck s1 2");
  RIG_DATA("s1", 2, "x");
  rig_says("streamAck s1 3");
}
END_TEST

START_TEST(acks_without_a_timer)
{
  started("s1");
  fake.no_timer = true;
  RIG_DATA("s1", 1, "x");
  rig_says("streamAck s1 2");
}
END_TEST

START_TEST(several_streams_one_timer)
{
  started("a");
  RIG_START("b", .flags = 0);
  rig_says("streamAck b 1");
  RIG_DATA("a", 1, "x");
  RIG_DATA("b", 1, "x");
  RIG_DATA("a", 2, "x");
  fake_pass(rig.conn, 20);
  rig_says("streamAck a 3");
  rig_says("streamAck b 2");
  rig_says(NULL);
}
END_TEST

START_TEST(c90_repeated)
{
  started("s1");
  RIG_DATA("s1", 1, "a");
  RIG_DATA("s1", 1, "again");
  rig_says("streamAck s1 2");
  RIG_DATA("s1", 0, "never");
  rig_says("streamAck s1 2");
  ck_assert_uint_eq(fake.asked_count, 1);
  fake_pass(rig.conn, 20);
  rig_says(NULL); /* said already */
  RIG_DATA("s1", 2, "b");
  fragment(1, "s1 2", "b");
}
END_TEST

START_TEST(c91_skipped)
{
  started("s1");
  RIG_DATA("s1", 2, "b");
  rig_says("streamNack s1 1 InvalidSequenceId: Expected 1.");
  RIG_DATA("s1", 1, "a");
  RIG_DATA("s1", UINT64_MAX, "z");
  rig_says("streamNack s1 2 InvalidSequenceId: Expected 2.");
  RIG_DATA("s1", 2, "b");
  fragment(0, "s1 1", "a");
  fragment(1, "s1 2", "b");
  ck_assert_uint_eq(fake.asked_count, 2);
  fake_pass(rig.conn, 20);
  rig_says("streamAck s1 3");
}
END_TEST

START_TEST(c92_unknown)
{
  rig_open(false);
  RIG_DATA("s1", 1, "a");
  rig_says("streamClosed s1 StreamNotFound: The stream was not found.");
  RIG_KEEPALIVE("s1");
  rig_says("streamClosed s1 StreamNotFound: The stream was not found.");
  RIG_END("s1", .flags = 0);
  rig_says("streamClosed s1 StreamNotFound: The stream was not found.");
  RIG_START("s1", .flags = 0);
  rig_says("streamAck s1 1");
  RIG_DATA("S1", 1, "a");
  rig_says("streamClosed S1 StreamNotFound: The stream was not found.");
  RIG_DATA("s1 ", 1, "a");
  rig_says("streamClosed s1  StreamNotFound: The stream was not found.");
}
END_TEST

START_TEST(permission_lost)
{
  started("s1");
  RIG_DATA("s1", 1, "a");
  rig.conn->may_send = false;
  RIG_DATA("s1", 2, "b");
  rig_says("streamClosed s1 Forbidden: The client does not have permission to "
           "send to group 'room'.");
  fragment(1,
           "s1 2 end Forbidden|The client does not have permission to send to "
           "group 'room'.|-",
           "");
  RIG_DATA("s1", 2, "b");
  rig_says("streamClosed s1 StreamNotFound: The stream was not found.");
  fake_pass(rig.conn, 1000 * 1000);
  rig_says(NULL);
  ck_assert_uint_eq(fake.asked_count, 2);
}
END_TEST

START_TEST(permission_lost_at_the_end)
{
  started("s1");
  rig.conn->may_send = false;
  RIG_END("s1", .flags = AZURE_HAS_ERROR, .error_message = rig_str("no"));
  rig_says("streamClosed s1 Forbidden: The client does not have permission to "
           "send to group 'room'.");
  fragment(0,
           "s1 1 end Forbidden|The client does not have permission to send to "
           "group 'room'.|-",
           "");
}
END_TEST

/* The official client would send nothing again. */
START_TEST(no_memory_for_a_fragment)
{
  static const char *const closed = "streamClosed s1 InternalServerError: The "
                                    "service is short of memory.";

  started("s1");
  RIG_DATA("s1", 1, "a");
  fragment(0, "s1 1", "a");
  fake.publish_rc = WPS_ENOMEM;
  RIG_DATA("s1", 2, "b");
  rig_says(closed);
  RIG_DATA("s1", 3, "c");
  rig_says("streamClosed s1 StreamNotFound: The stream was not found.");
  fake_pass(rig.conn, 1000);
  rig_says(NULL);
  /* The group hears of the end as soon as there is memory; its id is free
   * after that. */
  fake.publish_rc = WPS_OK;
  RIG_START("s1", .flags = 0);
  rig_says("streamClosed s1 BadRequest: The stream is active already.");
  fake_pass(rig.conn, 1000);
  fragment(1, "s1 2 end InternalServerError|The service is short of memory.|-",
           "");
  RIG_START("s1", .flags = 0);
  rig_says("streamAck s1 1");
  fake_pass(rig.conn, 1000);
  RIG_DATA("s1", 1, "a");
  fragment(2, "s1 1", "a");
}
END_TEST

START_TEST(no_memory_for_the_end)
{
  started("s1");
  fake.no_memory = true;
  RIG_END("s1", .flags = 0);
  fake.no_memory = false;
  rig_says("streamClosed s1 InternalServerError: The service is short of "
           "memory.");
  fake_pass(rig.conn, 1000);
  fragment(0, "s1 1 end InternalServerError|The service is short of memory.|-",
           "");
}
END_TEST

/* Data of any type, binary zeros too. */
START_TEST(types_of_data)
{
  static const uint32_t types[] = {WPS_DATA_TEXT, WPS_DATA_BINARY,
                                   WPS_DATA_JSON, WPS_DATA_PROTOBUF};

  started("s1");
  for (size_t i = 0; i < 4; i++) {
    ASK(.kind = AZURE_STREAM_DATA, .ref = rig_str("s1"),
        .flags = AZURE_HAS_SEQUENCE | AZURE_HAS_DATA, .sequence = i + 1,
        .data_type = types[i], .data = {"1\0002", 3});
    ck_assert_uint_eq(wps->message->info(fake.asked[i].msg)->data_type,
                      types[i]);
    ck_assert_uint_eq(wps->message->info(fake.asked[i].msg)->data.len, 3);
    ck_assert_mem_eq(wps->message->info(fake.asked[i].msg)->data.ptr, "1\0002",
                     3);
  }
}
END_TEST

/* ---- end ---- */

START_TEST(c93_end)
{
  started("s1");
  RIG_DATA("s1", 1, "a");
  RIG_DATA("s1", 2, "b");
  RIG_END("s1", .flags = 0);
  fragment(2, "s1 3 end", "");
  ck_assert_uint_eq(wps->message->info(fake.asked[2].msg)->data_type,
                    WPS_DATA_TEXT);
  rig_says("streamClosed s1");
  /* No ack comes behind it. */
  fake_pass(rig.conn, 20);
  rig_says(NULL);
  RIG_END("s1", .flags = 0);
  rig_says("streamClosed s1 StreamNotFound: The stream was not found.");
}
END_TEST

START_TEST(c94_end_with_an_error)
{
  started("s1");
  RIG_END("s1", .flags = AZURE_HAS_ERROR, .error_message = rig_str("boom"),
          .error_code = rig_str("E1"));
  fragment(0, "s1 1 end UserError|boom|E1", "");
  rig_says("streamClosed s1");
  RIG_START("s1", .flags = 0);
  rig_says("streamAck s1 1");
  RIG_END("s1", .flags = AZURE_HAS_ERROR);
  fragment(1, "s1 1 end UserError|-|-", "");
  rig_says("streamClosed s1");
  RIG_START("s1", .flags = 0);
  rig_says("streamAck s1 1");
  RIG_END("s1", .flags = AZURE_HAS_ERROR, .error_message = rig_str(""),
          .error_code = rig_str(""));
  fragment(2, "s1 1 end UserError||", "");
  rig_says("streamClosed s1");
}
END_TEST

START_TEST(c96_no_echo)
{
  rig_open(false);
  RIG_START("s1", .flags = AZURE_NO_ECHO);
  RIG_DATA("s1", 1, "a");
  RIG_END("s1", .flags = 0);
  ck_assert_uint_eq(fake.asked[0].target_flags, WPS_TARGET_NOT_SELF);
  ck_assert_uint_eq(fake.asked[1].target_flags, WPS_TARGET_NOT_SELF);
}
END_TEST

START_TEST(c97_an_id_again)
{
  started("s1");
  RIG_DATA("s1", 1, "a");
  RIG_END("s1", .flags = 0);
  rig_says("streamClosed s1");
  ASK(.kind = AZURE_STREAM_START, .ref = rig_str("s1"),
      .name = rig_str("other"));
  rig_says("streamAck s1 1");
  RIG_DATA("s1", 1, "b");
  rig_fragment(2, "other", "s1 1", "b");
}
END_TEST

/* ---- idleness ---- */

START_TEST(c95_idle)
{
  rig_open(false);
  RIG_START("s1", .idle_ms = 1000);
  rig_says("streamAck s1 1");
  fake_pass(rig.conn, 900);
  RIG_DATA("s1", 1, "a");
  fake_pass(rig.conn, 900);
  rig_says("streamAck s1 2");
  RIG_KEEPALIVE("s1");
  fake_pass(rig.conn, 999);
  rig_says(NULL);
  ck_assert_uint_eq(fake.asked_count, 1);
  fake_pass(rig.conn, 1);
  rig_says("streamClosed s1 IdleTimeout: The stream was idle for too long.");
  fragment(1, "s1 2 end IdleTimeout|The stream was idle for too long.|-", "");
  RIG_DATA("s1", 2, "b");
  rig_says("streamClosed s1 StreamNotFound: The stream was not found.");
  fake_pass(rig.conn, 100000);
  rig_says(NULL);
}
END_TEST

/* What is not accepted is no sign of life. */
START_TEST(c95_only_what_is_accepted)
{
  rig_open(false);
  RIG_START("s1", .idle_ms = 1000);
  rig_says("streamAck s1 1");
  fake_pass(rig.conn, 900);
  RIG_DATA("s1", 0, "a");
  rig_says("streamAck s1 1");
  RIG_DATA("s1", 2, "a");
  rig_says("streamNack s1 1 InvalidSequenceId: Expected 1.");
  fake_pass(rig.conn, 100);
  rig_says("streamClosed s1 IdleTimeout: The stream was idle for too long.");
}
END_TEST

START_TEST(c95_usual_time)
{
  started("s1");
  fake_pass(rig.conn, 299999);
  rig_says(NULL);
  fake_pass(rig.conn, 1);
  rig_says("streamClosed s1 IdleTimeout: The stream was idle for too long.");
}
END_TEST

/* The longest first, the shortest last, then the one between. */
START_TEST(c95_several)
{
  rig_open(false);
  RIG_START("a", .idle_ms = UINT32_MAX);
  RIG_START("b", .idle_ms = 5000);
  RIG_START("c", .idle_ms = 1000);
  RIG_START("d", .idle_ms = 1000);
  for (int i = 0; i < 4; i++)
    fake_sent(rig.conn);
  fake_pass(rig.conn, 1000);
  rig_says("streamClosed c IdleTimeout: The stream was idle for too long.");
  rig_says("streamClosed d IdleTimeout: The stream was idle for too long.");
  rig_says(NULL);
  RIG_START("e", .idle_ms = 1);
  rig_says("streamAck e 1");
  fake_pass(rig.conn, 1);
  rig_says("streamClosed e IdleTimeout: The stream was idle for too long.");
  fake_pass(rig.conn, 3999);
  rig_says("streamClosed b IdleTimeout: The stream was idle for too long.");
  fake_pass(rig.conn, 1000);
  rig_says(NULL);
  fake_pass(rig.conn, UINT32_MAX - 6000);
  rig_says("streamClosed a IdleTimeout: The stream was idle for too long.");
}
END_TEST

/* Where the timer could not be had again, the next fragment asks for it. */
START_TEST(idle_timer_comes_back)
{
  rig_open(false);
  RIG_START("a", .idle_ms = 1000);
  RIG_START("b", .idle_ms = 2000);
  fake_sent(rig.conn);
  fake_sent(rig.conn);
  fake.no_timer = true;
  fake_pass(rig.conn, 1000);
  rig_says("streamClosed a IdleTimeout: The stream was idle for too long.");
  fake_pass(rig.conn, 1000);
  rig_says(NULL);
  fake.no_timer = false;
  RIG_KEEPALIVE("b");
  fake_pass(rig.conn, 2000);
  rig_says("streamClosed b IdleTimeout: The stream was idle for too long.");
}
END_TEST

int main(void)
{
  Suite *s = suite_create("azure_stream");
  TCase *t = tcase_create("streams");
  SRunner *r;
  int failed;

  tcase_add_checked_fixture(t, rig_setup, rig_teardown);
  tcase_add_test(t, c87_start);
  tcase_add_test(t, c87_start_with_an_ack_id);
  tcase_add_test(t, c88_start_without_permission);
  tcase_add_test(t, c88_start_of_an_active_id);
  tcase_add_test(t, c98_bad_starts);
  tcase_add_test(t, hundred_streams);
  tcase_add_test(t, streams_turned_off);
  tcase_add_test(t, no_timer_no_stream);
  tcase_add_test(t, no_timer_no_second_stream);
  tcase_add_test(t, c89_order_and_acks);
  tcase_add_test(t, c89_acks_of_many);
  tcase_add_test(t, acks_without_delay);
  tcase_add_test(t, acks_without_a_timer);
  tcase_add_test(t, several_streams_one_timer);
  tcase_add_test(t, c90_repeated);
  tcase_add_test(t, c91_skipped);
  tcase_add_test(t, c92_unknown);
  tcase_add_test(t, permission_lost);
  tcase_add_test(t, permission_lost_at_the_end);
  tcase_add_test(t, no_memory_for_a_fragment);
  tcase_add_test(t, no_memory_for_the_end);
  tcase_add_test(t, types_of_data);
  tcase_add_test(t, c93_end);
  tcase_add_test(t, c94_end_with_an_error);
  tcase_add_test(t, c96_no_echo);
  tcase_add_test(t, c97_an_id_again);
  tcase_add_test(t, c95_idle);
  tcase_add_test(t, c95_only_what_is_accepted);
  tcase_add_test(t, c95_usual_time);
  tcase_add_test(t, c95_several);
  tcase_add_test(t, idle_timer_comes_back);
  suite_add_tcase(s, t);
  r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
