/* SPDX-License-Identifier: Apache-2.0 */
/* What comes out of invocations, streams, states and early events of JSON
 * clients. Names of tests cite the checklist of doc/protocol/azure-client.md.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <webpubsub/status.h>

#include "plugins/subprotocol-json/parse.h"

static struct json_parse parsed;

static const struct azure_request *parse(const char *text)
{
  int rc = json_parse(&parsed, (struct wps_str){text, strlen(text)}, false);

  ck_assert_msg(rc == WPS_OK, "%s", text);
  return &parsed.req;
}

static bool is(struct wps_str s, const char *text)
{
  return s.ptr != NULL && s.len == strlen(text) &&
         memcmp(s.ptr, text, s.len) == 0;
}

static bool holds(const struct azure_request *req, uint32_t type,
                  const char *text)
{
  return req->data_type == type &&
         is((struct wps_str){req->data.ptr, req->data.len}, text);
}

START_TEST(c80_invoke)
{
  const struct azure_request *req;

  req = parse("{\"type\":\"invoke\",\"invocationId\":\"\\u0031\",\"target\":"
              "\"event\",\"event\":\"echo\",\"dataType\":\"Text\",\"data\":"
              "\"h\\u0069\",\"metadata\":{\"k\":\"v\"},\"ackId\":5}");
  ck_assert_uint_eq(req->kind, AZURE_INVOKE);
  ck_assert_uint_eq(req->flags, AZURE_HAS_DATA);
  ck_assert(is(req->ref, "1") && is(req->name, "echo"));
  ck_assert(holds(req, WPS_DATA_TEXT, "hi"));
  ck_assert_uint_eq(req->metadata_count, 1);
  ck_assert(is(req->metadata[0].name, "k"));
  json_parse_free(&parsed);
  req = parse("{\"type\":\"invoke\",\"invocationId\":\"2\",\"event\":\"echo\","
              "\"target\":null,\"dataType\":null,\"stream\":null}");
  ck_assert_uint_eq(req->flags, 0);
  ck_assert(is(req->ref, "2"));
  json_parse_free(&parsed);
  /* C-83 */
  req = parse(
      "{\"type\":\"invoke\",\"invocationId\":\"3\",\"target\":\"Event\"}");
  ck_assert_uint_eq(req->kind, AZURE_INVOKE);
  ck_assert_uint_eq(req->flags, AZURE_BAD);
  ck_assert(is(req->why, "Only events can be invoked."));
  json_parse_free(&parsed);
  /* C-84 */
  req = parse("{\"type\":\"cancelInvocation\",\"invocationId\":\"3\"}");
  ck_assert_uint_eq(req->kind, AZURE_CANCEL_INVOCATION);
  ck_assert(is(req->ref, "3"));
  json_parse_free(&parsed);
}
END_TEST

START_TEST(ids_of_invocations_have_a_limit)
{
  char text[400], id[258];

  memset(id, 'i', sizeof(id));
  snprintf(text, sizeof(text),
           "{\"type\":\"invoke\",\"event\":\"e\",\"invocationId\":\"%.*s\"}",
           256, id);
  ck_assert_uint_eq(parse(text)->ref.len, 256);
  json_parse_free(&parsed);
  snprintf(text, sizeof(text),
           "{\"type\":\"invoke\",\"event\":\"e\",\"invocationId\":\"%.*s\"}",
           257, id);
  ck_assert_int_eq(
      json_parse(&parsed, (struct wps_str){text, strlen(text)}, false),
      WPS_EPROTO);
  json_parse_free(&parsed);
}
END_TEST

START_TEST(c87_stream_start)
{
  const struct azure_request *req;

  req = parse("{\"type\":\"sendToGroup\",\"group\":\"g\",\"noEcho\":true,"
              "\"stream\":{\"idleTimeoutMs\":4294967295,\"streamId\":"
              "\"s\\n\"}}");
  ck_assert_uint_eq(req->kind, AZURE_STREAM_START);
  ck_assert_uint_eq(req->flags, AZURE_NO_ECHO);
  ck_assert(is(req->name, "g") && is(req->ref, "s\n"));
  ck_assert_uint_eq(req->idle_ms, UINT32_MAX);
  json_parse_free(&parsed);
  req = parse("{\"type\":\"sendToGroup\",\"group\":\"g\",\"ackId\":7,\"data\":"
              "null,\"stream\":{\"streamId\":\"x\",\"idleTimeoutMs\":null,"
              "\"streamId\":\"s\"}}");
  ck_assert_uint_eq(req->flags, AZURE_HAS_ACK);
  ck_assert_uint_eq(req->id, 7);
  ck_assert_uint_eq(req->idle_ms, 0);
  ck_assert(is(req->ref, "s"));
  json_parse_free(&parsed);
  /* With data or a type, for the rules to refuse. */
  req = parse("{\"type\":\"sendToGroup\",\"group\":\"g\",\"dataType\":\"text\","
              "\"stream\":{\"streamId\":\"s\"}}");
  ck_assert_uint_eq(req->flags, AZURE_HAS_DATA);
  json_parse_free(&parsed);
  req = parse("{\"type\":\"sendToGroup\",\"group\":\"g\",\"data\":1,"
              "\"stream\":{\"streamId\":\"s\"}}");
  ck_assert_uint_eq(req->flags, AZURE_HAS_DATA);
  json_parse_free(&parsed);
}
END_TEST

static const char *const bad_idle[] = {
    "0",     "-1",   "1.5", "4294967296", "18446744073709551616",
    "\"5\"", "true", "[1]", "{}",         "1e3"};

START_TEST(c98_idle_times)
{
  char text[200];
  const struct azure_request *req;

  snprintf(text, sizeof(text),
           "{\"type\":\"sendToGroup\",\"group\":\"g\",\"stream\":"
           "{\"streamId\":\"s\",\"idleTimeoutMs\":%s}}",
           bad_idle[_i]);
  req = parse(text);
  ck_assert_uint_eq(req->kind, AZURE_STREAM_START);
  ck_assert_uint_eq(req->flags, AZURE_BAD);
  ck_assert(is(req->why, "idleTimeoutMs has to be an integer from 1 to "
                         "4294967295."));
  ck_assert(is(req->ref, "s"));
  json_parse_free(&parsed);
}
END_TEST

START_TEST(streams_go_to_groups_only)
{
  const struct azure_request *req;

  req = parse("{\"type\":\"event\",\"event\":\"e\",\"ackId\":1,\"stream\":"
              "{\"streamId\":\"s\",\"idleTimeoutMs\":0}}");
  ck_assert_uint_eq(req->kind, AZURE_STREAM_START);
  ck_assert_uint_eq(req->flags, AZURE_BAD | AZURE_HAS_ACK);
  ck_assert(is(req->why, "Streams go to groups only."));
  ck_assert(is(req->ref, "s"));
  json_parse_free(&parsed);
  req = parse("{\"type\":\"invoke\",\"invocationId\":\"1\",\"event\":\"e\","
              "\"ackId\":1,\"stream\":{\"streamId\":\"s\"}}");
  ck_assert_uint_eq(req->kind, AZURE_STREAM_START);
  ck_assert_uint_eq(req->flags, AZURE_BAD);
  ck_assert(is(req->ref, "s"));
  json_parse_free(&parsed);
}
END_TEST

START_TEST(c89_stream_data)
{
  const struct azure_request *req;

  req = parse("{\"type\":\"streamData\",\"streamId\":\"s\",\"streamSequenceId\""
              ":18446744073709551615,\"dataType\":\"Binary\",\"data\":"
              "\"AQID\"}");
  ck_assert_uint_eq(req->kind, AZURE_STREAM_DATA);
  ck_assert_uint_eq(req->flags, AZURE_HAS_DATA | AZURE_HAS_SEQUENCE);
  ck_assert_uint_eq(req->sequence, UINT64_MAX);
  ck_assert(holds(req, WPS_DATA_BINARY, "\x01\x02\x03"));
  ck_assert(is(req->ref, "s"));
  json_parse_free(&parsed);
  req = parse("{\"type\":\"streamData\",\"streamId\":\"s\",\"streamSequenceId\""
              ":0,\"dataType\":\"text\",\"data\":\"\"}");
  ck_assert_uint_eq(req->flags, AZURE_HAS_DATA | AZURE_HAS_SEQUENCE);
  ck_assert_uint_eq(req->sequence, 0);
  ck_assert(holds(req, WPS_DATA_TEXT, ""));
  json_parse_free(&parsed);
  req = parse("{\"type\":\"streamData\",\"streamId\":\"s\",\"dataType\":null,"
              "\"streamSequenceId\":null}");
  ck_assert_uint_eq(req->flags, 0);
  json_parse_free(&parsed);
}
END_TEST

START_TEST(c93_c94_stream_end)
{
  const struct azure_request *req;

  req = parse("{\"type\":\"streamEnd\",\"streamId\":\"s\"}");
  ck_assert_uint_eq(req->kind, AZURE_STREAM_END);
  ck_assert_uint_eq(req->flags, 0);
  json_parse_free(&parsed);
  req = parse("{\"type\":\"streamEnd\",\"streamId\":\"s\",\"error\":null}");
  ck_assert_uint_eq(req->flags, 0);
  json_parse_free(&parsed);
  req =
      parse("{\"type\":\"streamEnd\",\"streamId\":\"s\",\"error\":{\"message\":"
            "\"bo\\nom\",\"userErrorCode\":\"E1\",\"name\":5}}");
  ck_assert_uint_eq(req->flags, AZURE_HAS_ERROR);
  ck_assert(is(req->error_message, "bo\nom") && is(req->error_code, "E1"));
  json_parse_free(&parsed);
  req =
      parse("{\"type\":\"streamEnd\",\"streamId\":\"s\",\"error\":{\"message\":"
            "null,\"userErrorCode\":\"\"}}");
  ck_assert_uint_eq(req->flags, AZURE_HAS_ERROR);
  ck_assert_ptr_null(req->error_message.ptr);
  ck_assert(is(req->error_code, ""));
  json_parse_free(&parsed);
}
END_TEST

START_TEST(c100_states)
{
  const struct azure_request *req;

  req = parse("{\"type\":\"setGroupState\",\"group\":\"g\",\"ackId\":8,"
              "\"state\":{\"a\":\"1\",\"b\\n\":\"\\u0032\",\"a\":\"3\"}}");
  ck_assert_uint_eq(req->kind, AZURE_SET_STATE);
  ck_assert_uint_eq(req->flags, AZURE_HAS_STATE | AZURE_HAS_ACK);
  ck_assert_uint_eq(req->state_count, 2); /* of twins the last */
  ck_assert(is(req->state[0].name, "b\n") && is(req->state[0].value, "2"));
  ck_assert(is(req->state[1].name, "a") && is(req->state[1].value, "3"));
  json_parse_free(&parsed);
  req = parse("{\"type\":\"setGroupState\",\"group\":\"g\",\"state\":{}}");
  ck_assert_uint_eq(req->flags, AZURE_HAS_STATE);
  ck_assert_uint_eq(req->state_count, 0);
  json_parse_free(&parsed);
  req = parse("{\"type\":\"setGroupState\",\"group\":\"g\",\"state\":null}");
  ck_assert_uint_eq(req->flags, 0);
  json_parse_free(&parsed);
  req = parse("{\"type\":\"subscribeGroupState\",\"group\":\"g\"}");
  ck_assert_uint_eq(req->kind, AZURE_WATCH_STATE);
  json_parse_free(&parsed);
  req = parse("{\"type\":\"unsubscribeGroupState\",\"group\":\"g\"}");
  ck_assert_uint_eq(req->kind, AZURE_UNWATCH_STATE);
  json_parse_free(&parsed);
}
END_TEST

/* The size is for the rules to look at, after permissions. */
START_TEST(states_of_any_size)
{
  char *text = malloc(200000);
  size_t at;

  at = (size_t)snprintf(text, 200000,
                        "{\"type\":\"setGroupState\",\"group\":\"g\","
                        "\"state\":{\"\":\"\"");
  for (int i = 0; i < 10000; i++)
    at += (size_t)snprintf(text + at, 20, ",\"%d\":\"\\t\"", i);
  memcpy(text + at, "}}", 3);
  ck_assert_uint_eq(parse(text)->state_count, 10001);
  ck_assert(is(parsed.req.state[10000].name, "9999"));
  ck_assert(is(parsed.req.state[10000].value, "\t"));
  json_parse_free(&parsed);
  free(text);
}
END_TEST

/* ---- the early form ---- */

static int parse_early(const char *text)
{
  return json_parse(&parsed, (struct wps_str){text, strlen(text)}, true);
}

START_TEST(early_events)
{
  ck_assert_int_eq(
      parse_early("{\"event\":\"publish\",\"payload\":{\"a\":1},\"data\":2,"
                  "\"ackId\":3}"),
      WPS_OK);
  ck_assert_uint_eq(parsed.req.kind, AZURE_EVENT);
  ck_assert_uint_eq(parsed.req.flags, AZURE_HAS_ACK);
  ck_assert(is(parsed.req.name, "publish"));
  ck_assert(holds(&parsed.req, WPS_DATA_JSON, "{\"a\":1}"));
  json_parse_free(&parsed);
  ck_assert_int_eq(parse_early("{\"event\":\"say\",\"payload\":\"\\u0068i\","
                               "\"dataType\":\"text\"}"),
                   WPS_OK);
  ck_assert(holds(&parsed.req, WPS_DATA_TEXT, "hi"));
  json_parse_free(&parsed);
  /* A type says what it is, as everywhere. */
  ck_assert_int_eq(parse_early("{\"type\":\"ping\",\"event\":\"publish\","
                               "\"payload\":1}"),
                   WPS_OK);
  ck_assert_uint_eq(parsed.req.kind, AZURE_PING);
  json_parse_free(&parsed);
}
END_TEST

static const char *const bad_early[] = {
    "{\"payload\":1}",
    "{}",
    "{\"event\":\"publish\"}",
    "{\"event\":\"publish\",\"data\":1}",
    "{\"event\":\"a/b\",\"payload\":1}",
    "{\"event\":null,\"payload\":1}",
    "{\"type\":null,\"event\":\"publish\",\"payload\":1}",
    "{\"type\":\"what\",\"event\":\"publish\",\"payload\":1}"};

START_TEST(early_malformed)
{
  ck_assert_int_eq(parse_early(bad_early[_i]), WPS_EPROTO);
  json_parse_free(&parsed);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("subprotocol_json_values");
  TCase *t = tcase_create("values");
  SRunner *r;
  int failed;

  tcase_add_test(t, c80_invoke);
  tcase_add_test(t, ids_of_invocations_have_a_limit);
  tcase_add_test(t, c87_stream_start);
  tcase_add_loop_test(t, c98_idle_times, 0,
                      sizeof(bad_idle) / sizeof(bad_idle[0]));
  tcase_add_test(t, streams_go_to_groups_only);
  tcase_add_test(t, c89_stream_data);
  tcase_add_test(t, c93_c94_stream_end);
  tcase_add_test(t, c100_states);
  tcase_add_test(t, states_of_any_size);
  tcase_add_test(t, early_events);
  tcase_add_loop_test(t, early_malformed, 0,
                      sizeof(bad_early) / sizeof(bad_early[0]));
  suite_add_tcase(s, t);
  r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
