/* SPDX-License-Identifier: Apache-2.0 */
/* The plugin through its component, against a fake host. Names of tests cite
 * the checklist of doc/protocol/azure-client.md. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <webpubsub/plugin.h>

#include "tests/unit/fake_host.h"

extern const struct wps_plugin webpubsub_plugin_v1;

static const struct wps_subprotocol *ops;
static void *inst;
static struct wps_conn *conn;

enum { PLAIN = 0, RELIABLE = 1 };

static void setup_variant(uint32_t variant)
{
  const struct wps_component *c = webpubsub_plugin_v1.components[0];

  *webpubsub_plugin_v1.host = &fake_host;
  ops = c->ops.subprotocol;
  ck_assert_int_eq(c->create(NULL, NULL, NULL, &inst), WPS_OK);
  conn = fake_conn(ops, inst, variant, "alice", NULL);
  ck_assert_ptr_nonnull(conn);
  ck_assert_ptr_nonnull(fake_sent(conn));
}

static void setup(void)
{
  setup_variant(PLAIN);
}

static void setup_reliable(void)
{
  setup_variant(RELIABLE);
}

static void teardown(void)
{
  if (conn != NULL)
    fake_gone(conn);
  conn = NULL;
  webpubsub_plugin_v1.components[0]->destroy(inst);
  fake_reset();
}

static void frame(const char *text)
{
  ck_assert_int_eq(fake_frame(conn, text), WPS_OK);
}

static void sends(const char *want)
{
  const char *got = fake_sent(conn);

  if (want == NULL)
    ck_assert_msg(got == NULL, "sent %s", got);
  else
    ck_assert_msg(got != NULL && strcmp(got, want) == 0, "sent %s\nnot %s", got,
                  want);
}

static const struct fake_asked *asked(size_t index, uint32_t what,
                                      const char *name)
{
  ck_assert_uint_lt(index, fake.asked_count);
  ck_assert_uint_eq(fake.asked[index].what, what);
  ck_assert_str_eq(fake.asked[index].name, name);
  return &fake.asked[index];
}

static const struct wps_message_info *payload(size_t index, uint32_t type,
                                              const char *data, size_t len)
{
  const struct wps_message_info *info;

  ck_assert_ptr_nonnull(fake.asked[index].msg);
  info = wps->message->info(fake.asked[index].msg);
  ck_assert_uint_eq(info->data_type, type);
  ck_assert_uint_eq(info->data.len, len);
  if (len > 0)
    ck_assert_mem_eq(info->data.ptr, data, len);
  return info;
}

static const char *encoded(const struct wps_message_info *info,
                           uint32_t variant)
{
  static char text[4096];
  struct wps_message *msg = wps->message->create(info);
  struct wps_frame *f;
  struct wps_bytes bytes;

  ck_assert_int_eq(ops->encode(inst, msg, variant, &f), WPS_OK);
  bytes = wps->message->frame_bytes(f);
  ck_assert_uint_lt(bytes.len, sizeof(text));
  memcpy(text, bytes.ptr, bytes.len);
  text[bytes.len] = '\0';
  wps->message->frame_unref(f);
  wps->message->unref(msg);
  return text;
}

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
    "{\"type\":\"streamData\"}", "{\"type\":\"streamData\",\"streamId\":\"\"}",
    "{\"type\":\"streamData\",\"streamId\":\"s\",\"streamSequenceId\":1}",
    "{\"type\":\"streamData\",\"streamId\":\"s\",\"streamSequenceId\":1,"
    "\"data\":1}",
    "{\"type\":\"streamData\",\"streamId\":\"s\",\"dataType\":\"json\","
    "\"data\":1}",
    "{\"type\":\"streamData\",\"streamId\":\"s\",\"streamSequenceId\":\"1\","
    "\"dataType\":\"json\",\"data\":1}",
    "{\"type\":\"streamEnd\"}",
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
    "{\"type\":\"ping\"}", " { \"type\" : \"PING\" } ",
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
      at += (size_t)snprintf(text + at, sizeof(text) - at, ",\"%d\":\"%.1000s\"",
                             i, value);
    snprintf(text + at, sizeof(text) - at, "}}");
  }
  frame(text);
  ck_assert_uint_eq(conn->code, 1007);
}
END_TEST

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

static struct wps_event_answer answer_of(uint32_t type, const char *body)
{
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = type,
                                  .data = {body, strlen(body)},
                                  .from = WPS_FROM_SERVER};
  struct wps_event_answer a = {.struct_size = sizeof(a),
                               .msg = wps->message->create(&info)};

  return a;
}

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

START_TEST(c64_c73_order)
{
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
  ck_assert_ptr_nonnull(strstr(fake_sent(conn), "invokeResponse"));
  fake_answer(WPS_OK, NULL);
  sends("{\"type\":\"ack\",\"ackId\":1,\"success\":true}");
  sends(NULL);
  asked(1, FAKE_EVENT, "b");
  ck_assert_str_eq(fake.asked[1].headers, "X-WebPubSub-Metadata-k: v\n");
  payload(1, WPS_DATA_TEXT, "2", 1);
  ck_assert_uint_eq(fake.asked_count, 2);
  fake_answer(WPS_ETIMEOUT, NULL);
  ck_assert_ptr_nonnull(strstr(fake_sent(conn), "InternalServerError"));
  ck_assert_uint_eq(asked(2, FAKE_PUBLISH, "g")->target_flags,
                    WPS_TARGET_NOT_SELF);
  ck_assert_uint_eq(payload(2, WPS_DATA_JSON, "3", 1)->ttl_ms, 2000);
  asked(3, FAKE_JOIN, "j");
  ck_assert_ptr_nonnull(strstr(fake_sent(conn), "BadRequest"));
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
  for (int i = 0; i < 1000; i++)
    frame("{\"type\":\"joinGroup\",\"group\":\"g\"}");
  ck_assert(!conn->closed);
  frame("{\"type\":\"ping\"}");
  sends("{\"type\":\"pong\"}");
  frame("{\"type\":\"joinGroup\",\"group\":\"g\"}");
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
  while (!conn->closed && sent++ < 100)
    frame(text);
  ck_assert_int_eq(sent, 6); /* five of 200 kB fit into 1 MiB */
  ck_assert_uint_eq(conn->code, 1008);
}
END_TEST

START_TEST(the_client_has_gone)
{
  frame("{\"type\":\"event\",\"event\":\"a\",\"ackId\":1,\"data\":1}");
  frame("{\"type\":\"event\",\"event\":\"b\",\"ackId\":2,\"data\":1}");
  fake_gone(conn);
  conn = NULL;
  fake_answer(WPS_OK, NULL);
  ck_assert_uint_eq(fake.asked_count, 1);
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

/* ---- what comes later ---- */

START_TEST(invoke_is_refused)
{
  frame("{\"type\":\"invoke\",\"invocationId\":\"\\u0031\",\"target\":"
        "\"event\",\"event\":\"echo\",\"dataType\":\"text\",\"data\":\"hi\"}");
  sends("{\"type\":\"invokeResponse\",\"invocationId\":\"1\",\"success\":false,"
        "\"error\":{\"name\":\"BadRequest\",\"message\":\"Invocations are not "
        "supported.\"}}");
  frame("{\"type\":\"cancelInvocation\",\"invocationId\":\"1\"}");
  sends(NULL);
}
END_TEST

START_TEST(streams_are_refused)
{
  frame("{\"type\":\"sendToGroup\",\"group\":\"chat\",\"noEcho\":true,"
        "\"stream\":{\"idleTimeoutMs\":0,\"streamId\":\"s1\"}}");
  sends("{\"type\":\"streamClosed\",\"streamId\":\"s1\",\"error\":{\"name\":"
        "\"BadRequest\",\"message\":\"Streams are not supported.\"}}");
  frame("{\"type\":\"sendToGroup\",\"group\":\"chat\",\"ackId\":1,"
        "\"stream\":{\"streamId\":\"s1\"},\"data\":null}");
  sends("{\"type\":\"streamClosed\",\"streamId\":\"s1\",\"error\":{\"name\":"
        "\"BadRequest\",\"message\":\"Streams are not supported.\"}}");
  sends("{\"type\":\"ack\",\"ackId\":1,\"success\":false,\"error\":{\"name\":"
        "\"BadRequest\",\"message\":\"Streams are not supported.\"}}");
  frame("{\"type\":\"streamData\",\"streamId\":\"s1\",\"streamSequenceId\":1,"
        "\"dataType\":\"text\",\"data\":\"x\"}");
  sends("{\"type\":\"streamClosed\",\"streamId\":\"s1\",\"error\":{\"name\":"
        "\"StreamNotFound\",\"message\":\"The stream was not found.\"}}");
  frame("{\"type\":\"streamEnd\",\"streamId\":\"s1\",\"error\":{\"message\":"
        "\"boom\",\"userErrorCode\":\"E1\"}}");
  sends("{\"type\":\"streamClosed\",\"streamId\":\"s1\",\"error\":{\"name\":"
        "\"StreamNotFound\",\"message\":\"The stream was not found.\"}}");
  ck_assert_uint_eq(fake.asked_count, 0);
}
END_TEST

START_TEST(group_states_are_refused)
{
  frame("{\"type\":\"setGroupState\",\"group\":\"a\",\"ackId\":8,\"state\":"
        "{\"k\":\"v\"}}");
  sends("{\"type\":\"ack\",\"ackId\":8,\"success\":false,\"error\":{\"name\":"
        "\"BadRequest\",\"message\":\"Group states are not supported.\"}}");
  frame("{\"type\":\"subscribeGroupState\",\"group\":\"a\"}");
  frame("{\"type\":\"unsubscribeGroupState\",\"group\":\"a\"}");
  sends(NULL);
}
END_TEST

/* ---- writing ---- */

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

START_TEST(other_kinds_are_skipped)
{
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = WPS_DATA_TEXT,
                                  .kind = WPS_MSG_PRIVATE};
  struct wps_message *msg = wps->message->create(&info);
  struct wps_frame *f;

  ck_assert_int_eq(ops->encode(inst, msg, PLAIN, &f), WPS_ENOTSUP);
  wps->message->unref(msg);
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
  ck_assert_uint_eq(how.told.len, 57);
}
END_TEST

START_TEST(c148_closed_by_shutdown)
{
  struct wps_closing how = {.struct_size = sizeof(how),
                            .cause = WPS_CLOSED_SHUTDOWN,
                            .code = 1001};

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
  struct wps_request req = {.query = NULL};
  struct wps_negotiation out = {.struct_size = sizeof(out)};

  ck_assert_str_eq(ops->names[0], "json.webpubsub.azure.v1");
  ck_assert_str_eq(ops->names[1], "json.reliable.webpubsub.azure.v1");
  ck_assert_ptr_null(ops->names[2]);
  ck_assert_int_eq(
      ops->negotiate(
          inst, &req,
          (struct wps_str)WPS_STR_INIT("JSON.Reliable.webpubsub.azure.v1"),
          &out),
      WPS_OK);
  ck_assert_uint_eq(out.variant, RELIABLE);
  ck_assert_int_eq(
      ops->negotiate(inst, &req,
                     (struct wps_str)WPS_STR_INIT("json.webpubsub.azure.v1"),
                     &out),
      WPS_OK);
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
  tcase_add_test(t, c72_no_handler);
  tcase_add_test(t, c64_c73_order);
  tcase_add_test(t, too_many_wait);
  tcase_add_test(t, too_many_bytes_wait);
  tcase_add_test(t, the_client_has_gone);
  tcase_add_test(t, dones_without_the_client);
  tcase_add_test(t, invoke_is_refused);
  tcase_add_test(t, streams_are_refused);
  tcase_add_test(t, group_states_are_refused);
  tcase_add_test(t, c54_messages);
  tcase_add_test(t, other_kinds_are_skipped);
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
