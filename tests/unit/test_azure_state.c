/* SPDX-License-Identifier: Apache-2.0 */
/* Group states as a client asks for them: plugins/common/azure/state.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/azure_rig.h"

#define SET(...)                                                               \
  ASK(.kind = AZURE_SET_STATE, .name = rig_str("room"), __VA_ARGS__)
#define WATCH(...)                                                             \
  ASK(.kind = AZURE_WATCH_STATE, .name = rig_str("room"), __VA_ARGS__)
#define UNWATCH(...)                                                           \
  ASK(.kind = AZURE_UNWATCH_STATE, .name = rig_str("room"), __VA_ARGS__)

static void setup(void)
{
  rig_setup();
  fake.member = true;
}

START_TEST(c100_who_may_set)
{
  rig_open(false);
  rig.conn->may_set = false;
  fake.member = false;
  SET(.flags = AZURE_HAS_ACK, .id = 1);
  rig_says("ack 1 Forbidden: Permission denied.");
  rig.conn->may_set = true;
  SET(.flags = AZURE_HAS_ACK, .id = 1);
  rig_says("ack 1 Forbidden: Not a member of group.");
  SET(.flags = 0);
  rig_says(NULL);
  ck_assert_uint_eq(fake.asked_count, 0);
}
END_TEST

START_TEST(c101_set)
{
  const struct wps_pair state[] = {
      {WPS_STR_INIT("activity"), WPS_STR_INIT("typing")},
      {WPS_STR_INIT("k"), WPS_STR_INIT("")}};

  rig_open(false);
  SET(.flags = AZURE_HAS_ACK | AZURE_HAS_STATE, .id = 1, .state = state,
      .state_count = 2);
  ck_assert_str_eq(rig_asked(0, FAKE_STATE, "room")->headers,
                   "activity: typing\nk: \n");
  rig_says("ack 1");
  SET(.flags = AZURE_HAS_ACK | AZURE_HAS_STATE, .id = 1, .state = state,
      .state_count = 2);
  rig_says("ack 1 Duplicate: Message with ack-id: 1 has been processed");
  ck_assert_uint_eq(fake.asked_count, 1);
  /* No entries are a state, no state is none. */
  SET(.flags = AZURE_HAS_STATE);
  ck_assert_str_eq(rig_asked(1, FAKE_STATE, "room")->headers, "");
  SET(.flags = 0);
  ck_assert_ptr_null(rig_asked(2, FAKE_STATE, "room")->headers);
  rig_says(NULL);
  fake.state_rc = WPS_ENOMEM;
  SET(.flags = AZURE_HAS_ACK, .id = 2);
  rig_says("ack 2 InternalServerError: Internal server error");
}
END_TEST

START_TEST(c103_size)
{
  char text[600];
  struct wps_pair state[] = {{{text, 100}, {text, 156}},
                             {{text, 200}, {text, 56}}};

  memset(text, 'x', sizeof(text));
  rig_open(false);
  SET(.flags = AZURE_HAS_ACK | AZURE_HAS_STATE, .id = 1, .state = state,
      .state_count = 2);
  rig_says("ack 1");
  state[1].value.len++;
  SET(.flags = AZURE_HAS_ACK | AZURE_HAS_STATE, .id = 2, .state = state,
      .state_count = 2);
  rig_says("ack 2 BadRequest: State payload exceeds maximum size 512 bytes.");
  ck_assert_uint_eq(fake.asked_count, 1);
}
END_TEST

START_TEST(c101_who_may_watch)
{
  rig_open(false);
  rig.conn->may_get = false;
  fake.member = false;
  WATCH(.flags = AZURE_HAS_ACK, .id = 1);
  rig_says("ack 1 Forbidden: No permission to get states of group room.");
  rig.conn->may_get = true;
  WATCH(.flags = AZURE_HAS_ACK, .id = 1);
  ck_assert_mem_eq(fake_sent(rig.conn), "ack 1 Forbidden: Not a member of gro",
                   36);
  fake.member = true;
  fake.watch_rc = WPS_ENOMEM;
  WATCH(.flags = AZURE_HAS_ACK, .id = 1);
  rig_says("ack 1 InternalServerError: Internal server error");
  ck_assert_uint_eq(fake.asked_count, 0);
}
END_TEST

/* Ack, snapshot, then what was asked for behind it. */
START_TEST(c101_watch)
{
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .kind = WPS_MSG_STATE,
                                  .conn = WPS_STR_INIT("c1")};
  struct wps_message *states[2];

  states[0] = wps->message->create(&info);
  info.conn = rig_str("c2");
  states[1] = wps->message->create(&info);
  rig_open(true);
  WATCH(.flags = AZURE_HAS_ACK, .id = 1);
  rig_says(NULL);
  ASK(.kind = AZURE_JOIN, .name = rig_str("other"), .flags = AZURE_HAS_ACK,
      .id = 2);
  SET(.flags = AZURE_HAS_ACK, .id = 3);
  ck_assert_uint_eq(fake.asked_count, 1);
  fake_states(states, 2, WPS_OK);
  rig_says("ack 1");
  rig_says("snapshot room c1,c2");
  rig_says("ack 3");
  rig_says(NULL);
  rig_asked(1, FAKE_JOIN, "other");
  rig_asked(2, FAKE_STATE, "room");
  WATCH(.flags = 0);
  fake_states(NULL, 0, WPS_OK);
  rig_says("snapshot room");
  UNWATCH(.flags = AZURE_HAS_ACK, .id = 4);
  rig_says("ack 4");
  rig_asked(4, FAKE_UNWATCH, "room");
  /* Also of one that it is not in. */
  fake.member = false;
  UNWATCH(.flags = AZURE_HAS_ACK, .id = 5);
  rig_says("ack 5");
  wps->message->unref(states[0]);
  wps->message->unref(states[1]);
}
END_TEST

/* It has left meanwhile; the ack of a state that waited is right all the same.
 */
START_TEST(watch_is_cut_off)
{
  rig_open(false);
  WATCH(.flags = AZURE_HAS_ACK, .id = 1);
  ASK(.kind = AZURE_LEAVE, .name = rig_str("room"));
  fake_states(NULL, 0, WPS_ECANCELED);
  ck_assert_mem_eq(fake_sent(rig.conn), "ack 1 Forbidden: Not a member of gro",
                   36);
  rig_says(NULL);
  rig_asked(1, FAKE_LEAVE, "room");
  WATCH(.flags = AZURE_HAS_ACK, .id = 1);
  rig_gone();
  fake_states(NULL, 0, WPS_ECANCELED);
}
END_TEST

/* A state that waits behind an event is a copy. */
START_TEST(set_behind_an_event)
{
  const struct wps_pair state[] = {{WPS_STR_INIT("a"), WPS_STR_INIT("1")},
                                   {WPS_STR_INIT("b"), WPS_STR_INIT("")}};

  rig_open(false);
  ASK(.kind = AZURE_EVENT, .name = rig_str("slow"), .data_type = WPS_DATA_TEXT,
      .data = rig_text("x"));
  SET(.flags = AZURE_HAS_STATE, .state = state, .state_count = 2);
  SET(.flags = AZURE_HAS_STATE);
  SET(.flags = 0);
  ck_assert_uint_eq(fake.asked_count, 1);
  fake_answer(WPS_OK, NULL);
  ck_assert_str_eq(rig_asked(1, FAKE_STATE, "room")->headers, "a: 1\nb: \n");
  ck_assert_str_eq(rig_asked(2, FAKE_STATE, "room")->headers, "");
  ck_assert_ptr_null(rig_asked(3, FAKE_STATE, "room")->headers);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("azure_state");
  TCase *t = tcase_create("states");
  SRunner *r;
  int failed;

  tcase_add_checked_fixture(t, setup, rig_teardown);
  tcase_add_test(t, c100_who_may_set);
  tcase_add_test(t, c101_set);
  tcase_add_test(t, c103_size);
  tcase_add_test(t, c101_who_may_watch);
  tcase_add_test(t, c101_watch);
  tcase_add_test(t, watch_is_cut_off);
  tcase_add_test(t, set_behind_an_event);
  suite_add_tcase(s, t);
  r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
