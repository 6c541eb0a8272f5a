/* SPDX-License-Identifier: Apache-2.0 */
/* What JSON clients may say, and how it is understood. Names of tests cite the
 * checklist of doc/protocol/azure-client.md. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <webpubsub/plugin.h>

#include "tests/unit/json_client.h"

/* ---- what is well-formed ---- */

static const char *const bad[] = {
    /* C-61 */
    "", "x", "null", "1", "\"x\"", "[]", "[{\"type\":\"ping\"}]", "{}",
    "{\"type\":\"ping\"", "{\"type\":\"ping\"}}", "{\"type\":\"ping\",}",
    "{'type':'ping'}", "{\"type\":null}", "{\"type\":1}", "{\"type\":\"\"}",
    "{\"Type\":\"ping\"}", "{\"type\":\"pong\"}", "{\"type\":\"ping \"}",
    "{\"type\":\"streamStart\",\"streamId\":\"s\"}",
    "{\"type\":\"ping\",\"type\":\"what\"}",
    /* groups */
    "{\"type\":\"joinGroup\"}", "{\"type\":\"joinGroup\",\"group\":null}",
    "{\"type\":\"joinGroup\",\"group\":1}",
    "{\"type\":\"joinGroup\",\"group\":\"\"}",
    "{\"type\":\"joinGroup\",\"group\":\" \\t\"}",
    "{\"type\":\"joinGroup\",\"group\":\"\\u3000\"}",
    "{\"type\":\"leaveGroup\",\"group\":[\"a\"]}",
    "{\"type\":\"joinGroup\",\"Group\":\"a\"}",
    "{\"type\":\"sendToGroup\",\"data\":1}",
    /* C-59 */
    "{\"type\":\"joinGroup\",\"group\":\"a\",\"ackId\":\"1\"}",
    "{\"type\":\"joinGroup\",\"group\":\"a\",\"ackId\":-1}",
    "{\"type\":\"joinGroup\",\"group\":\"a\",\"ackId\":1.5}",
    "{\"type\":\"joinGroup\",\"group\":\"a\",\"ackId\":1.0}",
    "{\"type\":\"joinGroup\",\"group\":\"a\",\"ackId\":1e1}",
    "{\"type\":\"joinGroup\",\"group\":\"a\",\"ackId\":true}",
    "{\"type\":\"joinGroup\",\"group\":\"a\",\"ackId\":18446744073709551616}",
    "{\"type\":\"joinGroup\",\"group\":\"a\",\"ackId\":{}}",
    /* data */
    "{\"type\":\"sendToGroup\",\"group\":\"a\"}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":null}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"dataType\":\"json\","
    "\"data\":null}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"dataType\":\"text\"}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"dataType\":\"text\","
    "\"data\":1}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"dataType\":\"text\","
    "\"data\":null}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"dataType\":\"xml\","
    "\"data\":\"\"}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"dataType\":\"\","
    "\"data\":\"\"}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"dataType\":1,\"data\":\"\"}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":{\"a\":}}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":\"\\q\"}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":01}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"metadata\":{}}",
    /* C-58 */
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"dataType\":\"binary\","
    "\"data\":\"A\"}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"dataType\":\"binary\","
    "\"data\":\"AQI\"}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"dataType\":\"binary\","
    "\"data\":\"AQ_-\"}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"dataType\":\"binary\","
    "\"data\":\"AQ D\"}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"dataType\":\"binary\","
    "\"data\":\"AQID\\n\"}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"dataType\":\"binary\","
    "\"data\":[1]}",
    /* no Any */
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"dataType\":\"protobuf\","
    "\"data\":\"AQID\"}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"dataType\":\"protobuf\","
    "\"data\":\"!\"}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":1,\"noEcho\":1}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":1,\"noEcho\":"
    "\"true\"}",
    /* C-77 */
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":1,\"ttlSeconds\":301}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":1,\"ttlSeconds\":-1}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":1,\"ttlSeconds\":1.5}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":1,\"ttlSeconds\":"
    "\"1\"}",
    "{\"type\":\"event\",\"event\":\"a\",\"data\":1,\"ttlSeconds\":301}",
    /* C-75 */
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":1,\"metadata\":[]}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":1,\"metadata\":\"k\"}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":1,\"metadata\":"
    "{\"k\":1}}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":1,\"metadata\":"
    "{\"k\":null}}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":1,\"metadata\":"
    "{\"a key\":\"v\"}}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":1,\"metadata\":"
    "{\"\":\"v\"}}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":1,\"metadata\":"
    "{\"k\":\"\xc3\xa9\"}}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":1,\"metadata\":"
    "{\"k\":\"\\u00e9\"}}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":1,\"metadata\":"
    "{\"k\":\"1\",\"\\u006b\":\"2\"}}",
    /* C-74 */
    "{\"type\":\"event\",\"data\":1}",
    "{\"type\":\"event\",\"event\":null,\"data\":1}",
    "{\"type\":\"event\",\"event\":\"1a\",\"data\":1}",
    "{\"type\":\"event\",\"event\":\"a/b\",\"data\":1}",
    "{\"type\":\"event\",\"event\":\"\",\"data\":1}",
    "{\"type\":\"event\",\"event\":\"a\"}",
    /* C-123 */
    "{\"type\":\"sequenceAck\"}",
    "{\"type\":\"sequenceAck\",\"sequenceId\":\"1\"}",
    "{\"type\":\"sequenceAck\",\"sequenceId\":-1}",
    "{\"type\":\"sequenceAck\",\"sequenceId\":null}",
    "{\"type\":\"sequenceAck\",\"sequenceId\":1.0}",
    /* invoke, streams, states: refused, but first well-formed */
    "{\"type\":\"invoke\",\"event\":\"e\"}",
    "{\"type\":\"invoke\",\"event\":\"e\",\"invocationId\":\"\"}",
    "{\"type\":\"invoke\",\"event\":\"e\",\"invocationId\":1}",
    "{\"type\":\"invoke\",\"invocationId\":\"1\"}",
    "{\"type\":\"invoke\",\"invocationId\":\"1\",\"event\":\"1\"}",
    "{\"type\":\"invoke\",\"invocationId\":\"1\",\"event\":\"e\",\"target\":1}",
    "{\"type\":\"invoke\",\"invocationId\":\"1\",\"event\":\"e\",\"data\":1}",
    "{\"type\":\"invoke\",\"invocationId\":\"1\",\"event\":\"e\",\"dataType\":"
    "\"text\"}",
    "{\"type\":\"invoke\",\"invocationId\":\"1\",\"event\":\"e\",\"dataType\":"
    "\"text\",\"data\":1}",
    "{\"type\":\"cancelInvocation\"}",
    "{\"type\":\"cancelInvocation\",\"invocationId\":\"\"}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"stream\":1}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"stream\":{}}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"stream\":{\"streamId\":\"\"}}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"stream\":{\"streamId\":1}}",
    "{\"type\":\"sendToGroup\",\"stream\":{\"streamId\":\"s\"}}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"stream\":{\"streamId\":"
    "\"s\"},\"dataType\":\"xml\"}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"stream\":{\"streamId\":"
    "\"s\"},\"dataType\":\"text\",\"data\":1}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"stream\":{\"streamId\":"
    "\"s\",\"streamId\":null}}",
    "{\"type\":\"event\",\"event\":\"e\",\"stream\":{}}",
    "{\"type\":\"invoke\",\"invocationId\":\"1\",\"event\":\"e\","
    "\"stream\":[]}",
    "{\"type\":\"invoke\",\"invocationId\":\"1\",\"event\":\"e\","
    "\"metadata\":{\"k\":1}}",
    "{\"type\":\"streamData\"}", "{\"type\":\"streamData\",\"streamId\":\"\"}",
    "{\"type\":\"streamData\",\"streamId\":\"s\",\"streamSequenceId\":1}",
    "{\"type\":\"streamData\",\"streamId\":\"s\",\"streamSequenceId\":1,"
    "\"data\":1}",
    "{\"type\":\"streamData\",\"streamId\":\"s\",\"dataType\":\"json\","
    "\"data\":1}",
    "{\"type\":\"streamData\",\"streamId\":\"s\",\"streamSequenceId\":\"1\","
    "\"dataType\":\"json\",\"data\":1}",
    "{\"type\":\"streamData\",\"streamId\":\"s\",\"streamSequenceId\":-1,"
    "\"dataType\":\"json\",\"data\":1}",
    "{\"type\":\"streamData\",\"streamId\":\"s\",\"streamSequenceId\":1,"
    "\"dataType\":\"json\",\"data\":null}",
    "{\"type\":\"streamData\",\"streamId\":\"s\",\"dataType\":\"json\"}",
    "{\"type\":\"streamData\",\"streamId\":\"s\",\"streamSequenceId\":1,"
    "\"dataType\":\"text\"}",
    "{\"type\":\"streamEnd\"}",
    "{\"type\":\"streamEnd\",\"streamId\":\"s\",\"error\":[]}",
    "{\"type\":\"streamEnd\",\"streamId\":\"s\",\"error\":"
    "{\"userErrorCode\":5}}",
    "{\"event\":\"publish\",\"payload\":1}",
    "{\"type\":\"streamEnd\",\"streamId\":\"s\",\"error\":\"x\"}",
    "{\"type\":\"streamEnd\",\"streamId\":\"s\",\"error\":{\"message\":1}}",
    "{\"type\":\"setGroupState\",\"state\":{}}",
    "{\"type\":\"setGroupState\",\"group\":\"a\",\"state\":1}",
    "{\"type\":\"setGroupState\",\"group\":\"a\",\"state\":{\"a\":1}}",
    "{\"type\":\"setGroupState\",\"group\":\"a\",\"ackId\":\"1\"}",
    "{\"type\":\"subscribeGroupState\"}",
    "{\"type\":\"unsubscribeGroupState\",\"group\":\"\"}"};

START_TEST(c61_malformed_closes_1007)
{
  frame(bad[_i]);
  ck_assert_msg(conn->closed && conn->code == 1007, "%s", bad[_i]);
  ck_assert_str_eq(conn->reason,
                   "The client message is not a valid JSON protocol message.");
  sends(NULL);
  ck_assert_uint_eq(fake.asked_count, 0);
}
END_TEST

static const char *const fine[] = {
    "{\"type\":\"ping\"}",
    " { \"type\" : \"PING\" } ",
    "{\"type\":\"what\",\"type\":\"ping\"}",
    "{\"\\u0074ype\":\"p\\u0069ng\"}",
    "{\"x\":[{}],\"type\":\"ping\",\"y\":null}",
    "{\"type\":\"joinGroup\",\"group\":\"a\"}",
    "{\"type\":\"JOINGROUP\",\"group\":\"a\",\"ackId\":null}",
    "{\"type\":\"joinGroup\",\"group\":\"a\",\"ackId\":0}",
    "{\"type\":\"leaveGroup\",\"group\":\"a\",\"ackId\":\"x\",\"ackId\":1}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":0}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":false,\"noEcho\":null}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":1,\"ttlSeconds\":300}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":1,\"ttlSeconds\":null}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":1,\"metadata\":null}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":1,\"metadata\":{}}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":1,\"dataType\":null}",
    "{\"type\":\"sendToGroup\",\"group\":\"a\",\"data\":1,\"stream\":null}",
    "{\"type\":\"event\",\"event\":\"Order-1.a_b\",\"data\":[]}",
    "{\"type\":\"sequenceAck\",\"sequenceId\":18446744073709551615}",
    "{\"type\":\"invoke\",\"invocationId\":\"1\",\"event\":\"e\"}",
    "{\"type\":\"invoke\",\"invocationId\":\"1\",\"target\":\"other\"}",
    "{\"type\":\"cancelInvocation\",\"invocationId\":\"1\"}",
    "{\"type\":\"streamData\",\"streamId\":\"s\"}",
    "{\"type\":\"streamEnd\",\"streamId\":\"s\",\"error\":{\"name\":1}}",
    "{\"type\":\"setGroupState\",\"group\":\"a\",\"state\":{\"k\":\"v\"}}",
    "{\"type\":\"setGroupState\",\"group\":\"a\",\"state\":null}",
    "{\"type\":\"subscribeGroupState\",\"group\":\"a\"}",
    "{\"type\":\"unsubscribeGroupState\",\"group\":\"a\"}"};

START_TEST(c62_well_formed)
{
  frame(fine[_i]);
  ck_assert_msg(!conn->closed, "%s", fine[_i]);
}
END_TEST

START_TEST(c63_binary_closes_1003)
{
  ck_assert_int_eq(ops->frame(conn, conn->state, WPS_BINARY,
                              (struct wps_bytes){"{\"type\":\"ping\"}", 15}),
                   WPS_OK);
  ck_assert_uint_eq(conn->code, 1003);
  frame("{\"type\":\"ping\"}");
  sends(NULL);
}
END_TEST

/* ---- payloads ---- */

START_TEST(c56_c57_data_types)
{
  frame("{\"type\":\"sendToGroup\",\"group\":\"g\",\"dataType\":\"Text\","
        "\"data\":\"h\\u00e9\\n\\ud83d\\ude00\\ud800!\"}");
  payload(0, WPS_DATA_TEXT, "h\xc3\xa9\n\xf0\x9f\x98\x80\xef\xbf\xbd!", 12);
  frame("{\"type\":\"sendToGroup\",\"group\":\"g\",\"dataType\":\"JSON\","
        "\"data\":\"x\"}");
  payload(1, WPS_DATA_JSON, "\"x\"", 3);
  frame("{\"type\":\"sendToGroup\",\"group\":\"g\",\"data\": { \"a\" : 1.0 }}");
  payload(2, WPS_DATA_JSON, "{ \"a\" : 1.0 }", 13);
  frame("{\"type\":\"sendToGroup\",\"group\":\"g\",\"dataType\":\"Binary\","
        "\"data\":\"AQID\"}");
  payload(3, WPS_DATA_BINARY, "\x01\x02\x03", 3);
  frame("{\"type\":\"sendToGroup\",\"group\":\"g\",\"dataType\":\"binary\","
        "\"data\":\"\\u002B\\/8=\"}");
  payload(4, WPS_DATA_BINARY, "\xfb\xff", 2);
  frame("{\"type\":\"sendToGroup\",\"group\":\"g\",\"dataType\":\"binary\","
        "\"data\":\"\"}");
  payload(5, WPS_DATA_BINARY, "", 0);
  frame("{\"type\":\"sendToGroup\",\"group\":\"g\",\"dataType\":\"protobuf\","
        "\"data\":\"Ci90eXBlLmdvb2dsZWFwaXMuY29tL2F6dXJlLndlYnB1YnN1Yi5UZXN0"
        "TWVzc2FnZRICCAE=\"}");
  ck_assert_uint_eq(wps->message->info(fake.asked[6].msg)->data_type,
                    WPS_DATA_PROTOBUF);
  frame("{\"type\":\"sendToGroup\",\"group\":\"g\",\"dataType\":\"text\","
        "\"data\":\"\"}");
  payload(7, WPS_DATA_TEXT, "", 0);
  ck_assert(!conn->closed);
}
END_TEST

START_TEST(c60_json_is_verbatim)
{
  static const char value[] =
      "{\"n\": 123456789012345678901234567890, \"e\":1e400,\"u\":\"\\u00e9\","
      "\"a\":[1.10,[[[{}]]]],\"d\":1,\"d\":2}";
  char text[512];

  snprintf(text, sizeof(text),
           "{\"data\":%s,\"group\":\"g\",\"type\":\"sendToGroup\"}", value);
  frame(text);
  payload(0, WPS_DATA_JSON, value, sizeof(value) - 1);
}
END_TEST

START_TEST(large_payloads_leave_the_stack)
{
  size_t len = 1 << 20;
  char *text = malloc(len), *at;
  const struct wps_message_info *info;

  at = text + snprintf(text, len,
                       "{\"type\":\"sendToGroup\",\"group\":\"g\\n\","
                       "\"dataType\":\"text\",\"data\":\"");
  memset(at, 'x', len - 200);
  at += len - 200;
  memcpy(at, "\\n\"}", 5);
  frame(text);
  info = wps->message->info(fake.asked[0].msg);
  ck_assert_uint_eq(info->data.len, len - 200 + 1);
  ck_assert_int_eq(((const char *)info->data.ptr)[info->data.len - 1], '\n');
  ck_assert_str_eq(fake.asked[0].name, "g\n");
  free(text);
}
END_TEST

START_TEST(c75_metadata_and_ttl)
{
  const struct wps_message_info *info;

  frame("{\"type\":\"sendToGroup\",\"group\":\"g\",\"dataType\":\"text\","
        "\"data\":\"d\",\"ttlSeconds\":60,\"metadata\":{\"traceparent\":"
        "\"00-abc\",\"K\\u0031\":\"a\\\"b\"}}");
  info = payload(0, WPS_DATA_TEXT, "d", 1);
  ck_assert_uint_eq(info->ttl_ms, 60000);
  ck_assert_str_eq(
      encoded(info, PLAIN),
      "{\"type\":\"message\",\"from\":\"group\",\"group\":\"g\",\"fromUserId\":"
      "\"alice\",\"dataType\":\"text\",\"data\":\"d\",\"metadata\":"
      "{\"traceparent\":\"00-abc\",\"K1\":\"a\\\"b\"}}");
  /* With metadata data may be left out. */
  frame("{\"type\":\"sendToGroup\",\"group\":\"g\",\"dataType\":\"binary\","
        "\"metadata\":{\"k\":\"v\"}}");
  ck_assert_uint_eq(payload(1, WPS_DATA_TEXT, "", 0)->tag_count, 1);
  ck_assert_uint_eq(wps->message->info(fake.asked[1].msg)->ttl_ms, 0);
}
END_TEST

START_TEST(c75_metadata_limits)
{
  char text[20000], value[1026];
  size_t at;

  memset(value, 'v', sizeof(value));
  snprintf(text, sizeof(text),
           "{\"type\":\"sendToGroup\",\"group\":\"g\",\"data\":1,\"metadata\":"
           "{\"k\":\"%.1024s\"}}",
           value);
  frame(text);
  ck_assert(!conn->closed);
  /* Many keys: more than fit beside the request. */
  at = (size_t)snprintf(text, sizeof(text),
                        "{\"type\":\"sendToGroup\",\"group\":\"g\",\"data\":1,"
                        "\"metadata\":{\"k\":\"v\"");
  for (int i = 0; i < 1000; i++)
    at += (size_t)snprintf(text + at, sizeof(text) - at, ",\"%d\":\"%d\"", i,
                           i % 10);
  snprintf(text + at, sizeof(text) - at, "}}");
  frame(text);
  ck_assert(!conn->closed);
  ck_assert_uint_eq(wps->message->info(fake.asked[1].msg)->tag_count, 1001);
  snprintf(text + at, sizeof(text) - at, ",\"999\":\"\"}}");
  frame(text);
  ck_assert_uint_eq(conn->code, 1007);
}
END_TEST

START_TEST(c75_metadata_too_long)
{
  char text[20000], value[1026];
  size_t at = 0;

  memset(value, 'v', sizeof(value));
  if (_i == 0) {
    snprintf(text, sizeof(text),
             "{\"type\":\"event\",\"event\":\"e\",\"data\":1,\"metadata\":"
             "{\"k\":\"%.1025s\"}}",
             value);
  } else {
    at = (size_t)snprintf(text, sizeof(text),
                          "{\"type\":\"event\",\"event\":\"e\",\"data\":1,"
                          "\"metadata\":{\"\\u0078\":\"\"");
    for (int i = 0; i < 9; i++)
      at += (size_t)snprintf(text + at, sizeof(text) - at,
                             ",\"%d\":\"%.1000s\"", i, value);
    snprintf(text + at, sizeof(text) - at, "}}");
  }
  frame(text);
  ck_assert_uint_eq(conn->code, 1007);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("subprotocol_json_parse");
  TCase *t = tcase_create("parse");
  SRunner *r;
  int failed;

  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_loop_test(t, c61_malformed_closes_1007, 0,
                      sizeof(bad) / sizeof(bad[0]));
  tcase_add_loop_test(t, c62_well_formed, 0, sizeof(fine) / sizeof(fine[0]));
  tcase_add_test(t, c63_binary_closes_1003);
  tcase_add_test(t, c56_c57_data_types);
  tcase_add_test(t, c60_json_is_verbatim);
  tcase_add_test(t, large_payloads_leave_the_stack);
  tcase_add_test(t, c75_metadata_and_ttl);
  tcase_add_test(t, c75_metadata_limits);
  tcase_add_loop_test(t, c75_metadata_too_long, 0, 2);
  suite_add_tcase(s, t);
  r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
