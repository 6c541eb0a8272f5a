/* SPDX-License-Identifier: Apache-2.0 */
/* Events that a client wants an answer to: plugins/common/azure/invoke.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/azure_rig.h"

#define INVOKE(call, event_name, ...)                                          \
  ASK(.kind = AZURE_INVOKE, .ref = rig_str(call), .name = rig_str(event_name), \
      __VA_ARGS__)
#define CANCEL(call) ASK(.kind = AZURE_CANCEL_INVOCATION, .ref = rig_str(call))

/* The upstream answers the oldest event of that name. */
static void answer(const char *event, uint32_t type, const char *body,
                   const struct wps_pair *headers, size_t count)
{
  struct wps_event_answer reply = {
      .struct_size = sizeof(reply), .headers = headers, .header_count = count};
  struct wps_message_info info = {
      .struct_size = sizeof(info), .data_type = type, .from = WPS_FROM_SERVER};

  if (body != NULL) {
    info.data = rig_text(body);
    reply.msg = wps->message->create(&info);
  }
  fake_answer_to(event, WPS_OK, &reply);
  if (reply.msg != NULL)
    wps->message->unref(reply.msg);
}

START_TEST(c80_answer)
{
  static const struct wps_pair metadata = {WPS_STR_INIT("k"),
                                           WPS_STR_INIT("v")};
  const struct wps_message_info *info;

  rig_open(false);
  INVOKE("1", "echo", .flags = AZURE_HAS_DATA, .data_type = WPS_DATA_JSON,
         .data = rig_text("[1]"), .metadata = &metadata, .metadata_count = 1);
  rig_says(NULL);
  ck_assert(rig_asked(0, FAKE_EVENT, "echo")->concurrent);
  ck_assert_str_eq(fake.asked[0].headers, "X-WebPubSub-Metadata-k: v\n");
  info = wps->message->info(fake.asked[0].msg);
  ck_assert_uint_eq(info->data_type, WPS_DATA_JSON);
  ck_assert_uint_eq(info->data.len, 3);
  ck_assert_mem_eq(info->data.ptr, "[1]", 3);
  answer("echo", WPS_DATA_TEXT, "hi", NULL, 0);
  rig_says("invoked 1 1:hi");
  rig_says(NULL);
}
END_TEST

START_TEST(without_data)
{
  rig_open(false);
  INVOKE("1", "echo", .flags = 0);
  ck_assert_uint_eq(wps->message->info(fake.asked[0].msg)->data_type,
                    WPS_DATA_TEXT);
  ck_assert_uint_eq(wps->message->info(fake.asked[0].msg)->data.len, 0);
  answer("echo", WPS_DATA_JSON, "{}", NULL, 0);
  ck_assert_mem_eq(fake_sent(rig.conn), "invoked 1 ", 10);
}
END_TEST

START_TEST(c81_empty_answers)
{
  static const struct wps_pair metadata = {
      WPS_STR_INIT("X-WebPubSub-Metadata-K"), WPS_STR_INIT("v")};

  rig_open(false);
  INVOKE("1", "e", .flags = 0);
  fake_answer(WPS_OK, NULL);
  rig_says("invoked 1");
  INVOKE("1", "e", .flags = 0);
  answer("e", WPS_DATA_BINARY, "", NULL, 0);
  rig_says("invoked 1");
  INVOKE("1", "e", .flags = 0);
  answer("e", WPS_DATA_BINARY, "", &metadata, 1);
  rig_says("invoked 1 k=v");
  INVOKE("1", "e", .flags = 0);
  answer("e", WPS_DATA_TEXT, "x", &metadata, 1);
  rig_says("invoked 1 1:x k=v");
}
END_TEST

START_TEST(c82_failures)
{
  static const int statuses[] = {WPS_EFORBIDDEN, WPS_ETIMEOUT, WPS_EUNAVAILABLE,
                                 WPS_EPROTO,     WPS_ETOOBIG,  WPS_ECANCELED};

  rig_open(false);
  for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
    INVOKE("1", "e", .flags = 0);
    fake_answer(statuses[i], NULL);
    rig_says("invoked 1 InternalServerError: Internal server error");
  }
  INVOKE("1", "e", .flags = 0);
  fake.no_memory = true;
  answer("e", 0, NULL,
         &(struct wps_pair){WPS_STR_INIT("X-WebPubSub-Metadata-k"),
                            WPS_STR_INIT("v")},
         1);
  fake.no_memory = false;
  rig_says("invoked 1 InternalServerError: Internal server error");
}
END_TEST

START_TEST(c83_refusals)
{
  rig_open(false);
  fake.event_rc = WPS_ENOTFOUND;
  INVOKE("1", "echo", .flags = 0);
  rig_says("invoked 1 NotFound: No event handler for event 'echo'.");
  fake.event_rc = WPS_EAGAIN;
  INVOKE("1", "echo", .flags = 0);
  rig_says("invoked 1 BadRequest: Too many invocations are pending.");
  fake.event_rc = WPS_ENOMEM;
  INVOKE("1", "echo", .flags = 0);
  rig_says("invoked 1 InternalServerError: Internal server error");
  fake.event_rc = WPS_OK;
  fake.no_memory = true;
  INVOKE("1", "echo", .flags = 0);
  rig_says("invoked 1 InternalServerError: Internal server error");
  fake.no_memory = false;
  INVOKE("1", "echo", .flags = AZURE_BAD,
         .why = rig_str("Only events can be invoked."));
  rig_says("invoked 1 BadRequest: Only events can be invoked.");
  ck_assert_uint_eq(fake.asked_count, 0);
}
END_TEST

START_TEST(pending_ids_are_unique)
{
  rig_open(false);
  INVOKE("1", "a", .flags = 0);
  INVOKE("1", "b", .flags = 0);
  rig_says("invoked 1 BadRequest: The invocation id is in use.");
  INVOKE("11", "b", .flags = 0);
  fake_answer_to("a", WPS_OK, NULL);
  rig_says("invoked 1");
  INVOKE("1", "c", .flags = 0);
  fake_answer_to("c", WPS_OK, NULL);
  rig_says("invoked 1");
  fake_answer_to("b", WPS_OK, NULL);
  rig_says("invoked 11");
}
END_TEST

START_TEST(hundred_at_a_time)
{
  char id[20];

  rig_open(false);
  for (int i = 0; i < 100; i++) {
    snprintf(id, sizeof(id), "%d", i);
    INVOKE(id, "e", .flags = 0);
  }
  rig_says(NULL);
  INVOKE("more", "e", .flags = 0);
  rig_says("invoked more BadRequest: Too many invocations are pending.");
  fake_answer(WPS_OK, NULL);
  rig_says("invoked 0");
  INVOKE("more", "e", .flags = 0);
  rig_says(NULL);
}
END_TEST

START_TEST(c84_cancel)
{
  rig_open(false);
  CANCEL("1");
  INVOKE("1", "a", .flags = 0);
  INVOKE("2", "b", .flags = 0);
  CANCEL("unknown");
  ck_assert_uint_eq(fake.asked_count, 2);
  CANCEL("1");
  ck_assert_uint_eq(rig_asked(2, FAKE_CANCEL, "")->tag, fake.asked[0].tag);
  ck_assert_ptr_eq(fake.asked[2].arg, fake.asked[0].arg);
  CANCEL("1");
  ck_assert_uint_eq(fake.asked_count, 3);
  /* Its id is free before its end has come. */
  INVOKE("1", "c", .flags = 0);
  fake_answer_to("a", WPS_ECANCELED, NULL);
  rig_says(NULL);
  fake_answer_to("b", WPS_OK, NULL);
  rig_says("invoked 2");
  fake_answer_to("c", WPS_OK, NULL);
  rig_says("invoked 1");
  rig_says(NULL);
}
END_TEST

/* In the order in which they end, beside events and what waits for those. */
START_TEST(c85_concurrent)
{
  rig_open(false);
  ASK(.kind = AZURE_EVENT, .name = rig_str("slow"), .flags = AZURE_HAS_ACK,
      .id = 1, .data_type = WPS_DATA_TEXT, .data = rig_text("x"));
  ck_assert(!fake.asked[0].concurrent);
  ASK(.kind = AZURE_JOIN, .name = rig_str("g"));
  INVOKE("1", "a", .flags = 0);
  INVOKE("2", "b", .flags = 0);
  ck_assert_uint_eq(fake.asked_count, 3);
  fake_answer_to("b", WPS_OK, NULL);
  fake_answer_to("a", WPS_OK, NULL);
  rig_says("invoked 2");
  rig_says("invoked 1");
  ck_assert_uint_eq(fake.asked_count, 3);
  fake_answer_to("slow", WPS_OK, NULL);
  rig_says("ack 1");
  rig_asked(3, FAKE_JOIN, "g");
}
END_TEST

/* Nothing is kept for a client that comes back: it has given them up. */
START_TEST(dropped_with_the_transport)
{
  rig_open(true);
  INVOKE("1", "a", .flags = 0);
  INVOKE("2", "b", .flags = 0);
  rig_detach();
  ck_assert_uint_eq(fake.asked_count, 4);
  rig_asked(2, FAKE_CANCEL, "");
  rig_asked(3, FAKE_CANCEL, "");
  rig_resume();
  rig_says("connected token2");
  INVOKE("1", "c", .flags = 0);
  fake_answer_to("a", WPS_ECANCELED, NULL);
  fake_answer_to("b", WPS_OK, NULL); /* it was on its way */
  rig_says(NULL);
  fake_answer_to("c", WPS_OK, NULL);
  rig_says("invoked 1");
}
END_TEST

/* Another socket takes over: the client was never detached. */
START_TEST(dropped_when_replaced)
{
  rig_open(true);
  INVOKE("1", "a", .flags = 0);
  rig_resume();
  rig_asked(1, FAKE_CANCEL, "");
  rig_says("connected token2");
  fake_answer_to("a", WPS_OK, NULL);
  rig_says(NULL);
}
END_TEST

START_TEST(the_client_has_gone)
{
  rig_open(false);
  INVOKE("1", "a", .flags = 0);
  INVOKE("2", "b", .flags = 0);
  rig_gone();
  fake_answer_to("a", WPS_OK, NULL);
  fake_answer_to("b", WPS_ECANCELED, NULL);
}
END_TEST

START_TEST(closed_by_us)
{
  rig_open(false);
  INVOKE("1", "a", .flags = 0);
  INVOKE("2", "b", .flags = 0);
  rig.conn->send_rc = WPS_ENOMEM;
  fake_answer_to("a", WPS_OK, NULL);
  ck_assert(rig.conn->closed);
  ck_assert_uint_eq(rig.conn->code, 1011);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("azure_invoke");
  TCase *t = tcase_create("invocations");
  SRunner *r;
  int failed;

  tcase_add_checked_fixture(t, rig_setup, rig_teardown);
  tcase_add_test(t, c80_answer);
  tcase_add_test(t, without_data);
  tcase_add_test(t, c81_empty_answers);
  tcase_add_test(t, c82_failures);
  tcase_add_test(t, c83_refusals);
  tcase_add_test(t, pending_ids_are_unique);
  tcase_add_test(t, hundred_at_a_time);
  tcase_add_test(t, c84_cancel);
  tcase_add_test(t, c85_concurrent);
  tcase_add_test(t, dropped_with_the_transport);
  tcase_add_test(t, dropped_when_replaced);
  tcase_add_test(t, the_client_has_gone);
  tcase_add_test(t, closed_by_us);
  suite_add_tcase(s, t);
  r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
