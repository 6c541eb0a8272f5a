/* SPDX-License-Identifier: Apache-2.0 */
/* What subprotocol-json writes. Names of tests cite the checklist of
 * doc/protocol/azure-client.md. */
#include <check.h>
#include <string.h>

#include "plugins/subprotocol-json/late.h"
#include "tests/unit/json_client.h"

START_TEST(c54_messages)
{
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .from = WPS_FROM_GROUP,
                                  .group = WPS_STR_INIT("c\"h"),
                                  .user = WPS_STR_INIT("al\nice")};

  info.data_type = WPS_DATA_TEXT;
  info.data = (struct wps_bytes){"a\"\\\n\x01\xc3\xa9", 7};
  ck_assert_str_eq(
      encoded(&info, PLAIN),
      "{\"type\":\"message\",\"from\":\"group\",\"group\":\"c\\\"h\","
      "\"fromUserId\":\"al\\nice\",\"dataType\":\"text\",\"data\":"
      "\"a\\\"\\\\\\n\\u0001\xc3\xa9\"}");
  ck_assert_str_eq(
      encoded(&info, RELIABLE),
      "\"type\":\"message\",\"from\":\"group\",\"group\":\"c\\\"h\","
      "\"fromUserId\":\"al\\nice\",\"dataType\":\"text\",\"data\":"
      "\"a\\\"\\\\\\n\\u0001\xc3\xa9\"}");
  info.user = (struct wps_str){"", 0};
  info.data_type = WPS_DATA_JSON;
  info.data = (struct wps_bytes){"[1.0 ]", 6};
  ck_assert_str_eq(encoded(&info, PLAIN),
                   "{\"type\":\"message\",\"from\":\"group\",\"group\":"
                   "\"c\\\"h\",\"dataType\":\"json\",\"data\":[1.0 ]}");
  info.from = WPS_FROM_SERVER;
  info.data_type = WPS_DATA_BINARY;
  info.data = (struct wps_bytes){"\x01\x02\x03", 3};
  ck_assert_str_eq(encoded(&info, PLAIN),
                   "{\"type\":\"message\",\"from\":\"server\",\"dataType\":"
                   "\"binary\",\"data\":\"AQID\"}");
  info.data_type = WPS_DATA_PROTOBUF;
  info.data = (struct wps_bytes){NULL, 0};
  ck_assert_str_eq(encoded(&info, PLAIN),
                   "{\"type\":\"message\",\"from\":\"server\",\"dataType\":"
                   "\"protobuf\",\"data\":\"\"}");
}
END_TEST

/* A message of stream s1, with these props behind its number. */
static const char *fragment(uint32_t type, const char *data,
                            const struct wps_pair *more, size_t count)
{
  struct wps_pair props[6] = {
      {WPS_STR_INIT("stream.id"), WPS_STR_INIT("s\"1")},
      {WPS_STR_INIT("stream.seq"), WPS_STR_INIT("18446744073709551615")}};
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = type,
                                  .data = {data, strlen(data)},
                                  .from = WPS_FROM_GROUP,
                                  .group = WPS_STR_INIT("chat"),
                                  .props = props,
                                  .prop_count = 2 + count};

  if (count > 0)
    memcpy(props + 2, more, count * sizeof(*more));
  return encoded(&info, PLAIN);
}

START_TEST(c89_c94_fragments)
{
  static const struct wps_pair end[] = {
      {WPS_STR_INIT("stream.end"), WPS_STR_INIT("1")},
      {WPS_STR_INIT("stream.error.name"), WPS_STR_INIT("UserError")},
      {WPS_STR_INIT("stream.error.message"), WPS_STR_INIT("bo\nom")},
      {WPS_STR_INIT("stream.error.code"), WPS_STR_INIT("")}};
  static const struct wps_pair other = {WPS_STR_INIT("mqtt.qos"),
                                        WPS_STR_INIT("1")};
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = WPS_DATA_TEXT,
                                  .from = WPS_FROM_SERVER,
                                  .props = &other,
                                  .prop_count = 1};

  ck_assert_str_eq(
      fragment(WPS_DATA_JSON, "{}", &other, 1),
      "{\"type\":\"message\",\"from\":\"group\",\"group\":\"chat\","
      "\"dataType\":\"json\",\"data\":{},\"stream\":{\"streamId\":\"s\\\"1\","
      "\"streamSequenceId\":18446744073709551615}}");
  ck_assert_str_eq(
      fragment(WPS_DATA_TEXT, "", end, 1),
      "{\"type\":\"message\",\"from\":\"group\",\"group\":\"chat\","
      "\"dataType\":\"text\",\"data\":\"\",\"stream\":{\"streamId\":\"s\\\"1\","
      "\"streamSequenceId\":18446744073709551615,\"endOfStream\":true}}");
  ck_assert_str_eq(
      fragment(WPS_DATA_TEXT, "", end, 2),
      "{\"type\":\"message\",\"from\":\"group\",\"group\":\"chat\","
      "\"dataType\":\"text\",\"data\":\"\",\"stream\":{\"streamId\":\"s\\\"1\","
      "\"streamSequenceId\":18446744073709551615,\"endOfStream\":true,"
      "\"error\":{\"name\":\"UserError\"}}}");
  ck_assert_str_eq(
      fragment(WPS_DATA_TEXT, "", end, 4),
      "{\"type\":\"message\",\"from\":\"group\",\"group\":\"chat\","
      "\"dataType\":\"text\",\"data\":\"\",\"stream\":{\"streamId\":\"s\\\"1\","
      "\"streamSequenceId\":18446744073709551615,\"endOfStream\":true,"
      "\"error\":{\"name\":\"UserError\",\"message\":\"bo\\nom\","
      "\"userErrorCode\":\"\"}}}");
  /* Props of others mean nothing. */
  ck_assert_str_eq(encoded(&info, PLAIN),
                   "{\"type\":\"message\",\"from\":\"server\",\"dataType\":"
                   "\"text\",\"data\":\"\"}");
}
END_TEST

START_TEST(c101_updates)
{
  static const struct wps_pair entries[] = {
      {WPS_STR_INIT("activity"), WPS_STR_INIT("ty\"ping")},
      {WPS_STR_INIT(""), WPS_STR_INIT("")}};
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = WPS_DATA_TEXT,
                                  .kind = WPS_MSG_STATE,
                                  .from = WPS_FROM_GROUP,
                                  .group = WPS_STR_INIT("ch\"at"),
                                  .conn = WPS_STR_INIT("conn1"),
                                  .user = WPS_STR_INIT("alice"),
                                  .tags = entries,
                                  .tag_count = 2,
                                  .created_unix_ms = 1760000000500};

  ck_assert_str_eq(
      encoded(&info, PLAIN),
      "{\"type\":\"groupStateUpdate\",\"group\":\"ch\\\"at\","
      "\"items\":[{\"connectionId\":\"conn1\",\"userId\":\"alice\","
      "\"state\":{\"activity\":\"ty\\\"ping\",\"\":\"\"},"
      "\"updatedAt\":1760000000500}]}");
  info.tag_count = 0; /* no entries are a state */
  info.user.len = 0;
  ck_assert_str_eq(encoded(&info, RELIABLE),
                   "\"type\":\"groupStateUpdate\",\"group\":\"ch\\\"at\","
                   "\"items\":[{\"connectionId\":\"conn1\",\"state\":{},"
                   "\"updatedAt\":1760000000500}]}");
  /* C-102 */
  info.flags = WPS_MESSAGE_CLEARED;
  ck_assert_str_eq(encoded(&info, PLAIN),
                   "{\"type\":\"groupStateUpdate\",\"group\":\"ch\\\"at\","
                   "\"items\":[{\"connectionId\":\"conn1\","
                   "\"updatedAt\":1760000000500}]}");
}
END_TEST

START_TEST(private_messages)
{
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = WPS_DATA_TEXT,
                                  .kind = WPS_MSG_PRIVATE,
                                  .data = {"\"type\":\"x\"}", 11}};

  ck_assert_str_eq(encoded(&info, PLAIN), "{\"type\":\"x\"}");
  ck_assert_str_eq(encoded(&info, RELIABLE), "\"type\":\"x\"}");
}
END_TEST

START_TEST(other_kinds_are_skipped)
{
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = WPS_DATA_TEXT,
                                  .kind = WPS_MSG_PRIVATE + 1};
  struct wps_message *msg = wps->message->create(&info);
  struct wps_frame *f;

  ck_assert_int_eq(ops->encode(inst, msg, PLAIN, &f), WPS_ENOTSUP);
  wps->message->unref(msg);
  info.kind = WPS_MSG_DATA;
  info.data_type = WPS_DATA_JSON; /* which is never empty */
  msg = wps->message->create(&info);
  ck_assert_int_eq(ops->encode(inst, msg, PLAIN, &f), WPS_ENOTSUP);
  wps->message->unref(msg);
}
END_TEST

/* ---- acks that wait ---- */

static void later(struct json_late *late, const char *text)
{
  struct wps_frame *f =
      wps->message->frame(WPS_TEXT, (struct wps_bytes){text, strlen(text)});

  ck_assert_ptr_nonnull(f);
  json_late_send(late, conn, f);
}

START_TEST(late_acks_in_their_order)
{
  struct json_late late = {.delay_ms = 20};

  later(&late, "1");
  fake_pass(conn, 10);
  later(&late, "2");
  sends(NULL);
  fake_pass(conn, 10);
  sends("1");
  sends(NULL);
  fake_pass(conn, 10);
  sends("2");
  later(&late, "3");
  later(&late, "4");
  json_late_flush(&late, conn);
  sends("3");
  sends("4");
  later(&late, "never");
  json_late_clear(&late);
  fake_pass(conn, 100);
  sends(NULL);
}
END_TEST

START_TEST(late_acks_without_memory)
{
  struct json_late late = {.delay_ms = 20};

  fake.no_timer = true;
  later(&late, "at once");
  sends("at once");
  fake.no_timer = false;
  later(&late, "1");
  conn->send_rc = WPS_ENOMEM;
  fake_pass(conn, 20);
  ck_assert(conn->closed);
  ck_assert_uint_eq(conn->code, 1011);
  json_late_clear(&late);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("subprotocol_json_write");
  TCase *t = tcase_create("write");
  SRunner *r;
  int failed;

  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, c54_messages);
  tcase_add_test(t, c89_c94_fragments);
  tcase_add_test(t, c101_updates);
  tcase_add_test(t, private_messages);
  tcase_add_test(t, other_kinds_are_skipped);
  tcase_add_test(t, late_acks_in_their_order);
  tcase_add_test(t, late_acks_without_memory);
  suite_add_tcase(s, t);
  r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
