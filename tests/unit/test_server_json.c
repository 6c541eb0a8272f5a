/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of application servers in JSON: plugins/upstream-server/json.c and
 * json_read.c. */
#include "tests/unit/server_messages.h"

const struct wps_host *wps = NULL; /* nothing here has one */

/* In a block of exactly its size, so that a sanitizer sees the byte behind. */
static void reads_len(const char *text, size_t len, const char *want)
{
  char *copy = malloc(len > 0 ? len : 1);

  memcpy(copy, text, len);
  read_bytes(&server_json, (struct wps_bytes){copy, len}, want);
  free(copy);
}

static void reads(const char *text, const char *want)
{
  reads_len(text, strlen(text), want);
}

/* ---- commands ---- */

static const struct {
  const char *json, *want;
} commands[] = {
    {"{\"type\":\"closeClient\",\"ackId\":1,\"connectionId\":\"c\","
     "\"reason\":\"bye\"}",
     "closeClient 1 conn[c] reason[bye]"},
    {"{\"type\":\"closeClient\",\"connectionId\":\"c\",\"reason\":null}",
     "closeClient 0 conn[c]"},
    {"{\"type\":\"clientExists\",\"ackId\":2,\"connectionId\":\"c\"}",
     "clientExists 2 conn[c]"},
    {"{\"type\":\"sendToClient\",\"ackId\":3,\"connectionId\":\"c\","
     "\"payload\":{\"dataType\":\"text\",\"data\":\"h\\u00e4\"}}",
     "sendToClient 3 conn[c] text[h\xC3\xA4]"},
    {"{\"type\":\"userExists\",\"ackId\":4,\"userId\":\"u\"}",
     "userExists 4 user[u]"},
    {"{\"type\":\"sendToUser\",\"ackId\":5,\"userId\":\"u\",\"payload\":"
     "{\"data\":{\"a\": [1, null]}}}",
     "sendToUser 5 user[u] json[{\"a\": [1, null]}]"},
    {"{\"type\":\"sendToAll\",\"ackId\":6,\"payload\":{\"dataType\":\"binary\","
     "\"data\":\"AQ==\"},\"excluded\":[\"a\" ,\"b\\\"\\\\\",\"\"],"
     "\"filter\":\"'a' in groups\"}",
     "sendToAll 6 binary[01] excluded[a] excluded[b\"\\] excluded[] "
     "filter['a' in groups]"},
    {"{\"type\":\"count\",\"ackId\":7}", "count 7 target 0"},
    {"{\"type\":\"count\",\"ackId\":7,\"target\":\"hub\",\"name\":\"x\"}",
     "count 7 target 0"},
    {"{\"type\":\"count\",\"ackId\":7,\"target\":\"group\",\"name\":\"g\"}",
     "count 7 group[g] target 1"},
    {"{\"type\":\"count\",\"ackId\":7,\"target\":\"user\",\"name\":\"u\"}",
     "count 7 user[u] target 2"},
    {"{\"type\":\"closeUser\",\"ackId\":8,\"userId\":\"u\",\"reason\":\"\","
     "\"excluded\":[]}",
     "closeUser 8 user[u] reason[]"},
    {"{\"type\":\"closeGroup\",\"ackId\":9,\"groupName\":\"g\","
     "\"excluded\":[\"c\"]}",
     "closeGroup 9 group[g] excluded[c]"},
    {"{\"type\":\"closeAll\",\"ackId\":10,\"reason\":\"r\",\"excluded\":[\"c\"]"
     "}",
     "closeAll 10 reason[r] excluded[c]"},
    {"{\"type\":\"addClientToGroup\",\"ackId\":11,\"connectionId\":\"c\","
     "\"groupName\":\"g\"}",
     "addClientToGroup 11 conn[c] group[g]"},
    {"{\"type\":\"addUserToGroup\",\"ackId\":12,\"userId\":\"u\","
     "\"groupName\":\"g\"}",
     "addUserToGroup 12 user[u] group[g]"},
    {"{\"type\":\"removeClientFromGroup\",\"ackId\":13,\"connectionId\":\"c\","
     "\"groupName\":\"g\"}",
     "removeClientFromGroup 13 conn[c] group[g]"},
    {"{\"type\":\"removeUserFromGroup\",\"ackId\":14,\"userId\":\"u\","
     "\"groupName\":\"g\"}",
     "removeUserFromGroup 14 user[u] group[g]"},
    {"{\"type\":\"groupContainsClient\",\"ackId\":15,\"connectionId\":\"c\","
     "\"groupName\":\"g\"}",
     "groupContainsClient 15 conn[c] group[g]"},
    {"{\"type\":\"groupContainsUser\",\"ackId\":16,\"userId\":\"u\","
     "\"groupName\":\"g\"}",
     "groupContainsUser 16 user[u] group[g]"},
    {"{\"type\":\"grant\",\"ackId\":17,\"connectionId\":\"c\","
     "\"permission\":\"sendToGroup\",\"groupName\":\"g\"}",
     "grant 17 conn[c] group[g] permission 1"},
    {"{\"type\":\"revoke\",\"ackId\":18,\"connectionId\":\"c\","
     "\"permission\":\"joinLeaveGroup\"}",
     "revoke 18 conn[c] permission 0"},
    {"{\"type\":\"publish\",\"ackId\":20,\"groupName\":\"g\",\"payload\":"
     "{\"dataType\":\"protobuf\",\"data\":\"CgF1\"},\"excluded\":[\"c\"],"
     "\"filter\":\"f\",\"noEcho\":true}",
     "publish 20 group[g] any[0A 01 75] excluded[c] filter[f] quiet"},
    {"{\"type\":\"publish\",\"groupName\":\"g\",\"payload\":{\"dataType\":"
     "\"TEXT\",\"data\":\"\"},\"noEcho\":false}",
     "publish 0 group[g] text[]"},
    {"{\"type\":\"publish\",\"groupName\":\"g\"}", "publish 0 group[g]"},
    {"{\"type\":\"subscribe\",\"ackId\":21,\"groupName\":\"g\"}",
     "subscribe 21 group[g]"},
    {"{\"type\":\"unsubscribe\",\"ackId\":22,\"groupName\":\"g\"}",
     "unsubscribe 22 group[g]"},
    {"{\"type\":\"handleEvents\",\"ackId\":30,\"id\":7,\"systemEvents\":"
     "[\"connect\",\"connected\",\"disconnected\",\"join\",\"leave\","
     "\"publish\",\"joined\",\"left\"],\"userEvents\":[\"a\",\"*\"],"
     "\"filter\":\"f\",\"groups\":[\"r-*\"],\"withPayload\":true}",
     "handleEvents 30 id 7 events 1fb filter[f] withPayload all on[a] on[*] "
     "groups[r-*]"},
    {"{\"type\":\"handleEvents\",\"ackId\":30}", "handleEvents 30 id 0 "
                                                 "events 0"},
    {"{\"type\":\"connectResponse\",\"ackId\":100}",
     "connectResponse 100 empty"},
    {"{\"type\":\"connectResponse\",\"ackId\":100,\"groups\":[\"a\",\"b\"],"
     "\"userId\":\"u\",\"subprotocol\":\"s\",\"headers\":{\"a\":\"1\","
     "\"b\\u0041\":\"\",\"a\":\"2\"},\"roles\":[\"r\"],\"replaceRoles\":true,"
     "\"state\":\"\"}",
     "connectResponse 100 user[u] empty replace groups[a] groups[b] "
     "subprotocol[s] header[bA=] header[a=2] role[r] state[]"},
    {"{\"type\":\"connectResponse\",\"ackId\":100,\"error\":{\"code\":401,"
     "\"detail\":\"no\"}}",
     "connectResponse 100 error code 401 detail[no]"},
    {"{\"type\":\"messageResponse\",\"ackId\":101,\"error\":{}}",
     "messageResponse 101 error code 0"},
    {"{\"type\":\"messageResponse\",\"ackId\":101,\"error\":null,\"payload\":"
     "{\"dataType\":\"json\",\"data\":0},\"metadata\":{\"k\":\"v\"},"
     "\"state\":\"st\"}",
     "messageResponse 101 payload json[0] meta[k=v] state[st]"},
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

START_TEST(every_command)
{
  reads(commands[_i].json, commands[_i].want);
}
END_TEST

/* No part of a command is one. */
START_TEST(cut_at_every_byte)
{
  for (size_t len = strlen(commands[_i].json); len-- > 0;)
    reads_len(commands[_i].json, len, "EPROTO");
}
END_TEST

/* Members of any order, unknown ones, the same one again. */
START_TEST(as_free_as_json_is)
{
  reads(" {\"ackId\" : 2147483647 ,\n\t\"x\":{\"type\":[\"publish\"]},"
        "\"groupName\":\"g\",\"type\":\"subscribe\"}\r\n",
        "subscribe 2147483647 group[g]");
  reads("{\"type\":\"publish\",\"ackId\":1,\"groupName\":\"a\","
        "\"groupName\":\"g\",\"type\":\"subscribe\",\"ackId\":2}",
        "subscribe 2 group[g]");
  reads("{\"t\\u0079pe\":\"sub\\u0073cribe\",\"group\\u004eame\":\"\\u0067\"}",
        "subscribe 0 group[g]");
  reads("{\"type\":\"subscribe\",\"ackId\":null,\"groupName\":null,"
        "\"excluded\":null,\"noEcho\":null,\"payload\":null}",
        "subscribe 0");
  reads("{\"type\":\"subscribe\",\"ackId\":0,\"groupName\":\"\"}",
        "subscribe 0 group[]");
  reads("{\"type\":\"subscribe\",\"groupName\":\"\\ud83d\\ude00\\ud800\"}",
        "subscribe 0 group[\xF0\x9F\x98\x80\xEF\xBF\xBD]");
  reads("{\"type\":\"closeAll\",\"excluded\":[\n\"a\"\t,\r \"b\" ]}",
        "closeAll 0 excluded[a] excluded[b]");
}
END_TEST

START_TEST(text_with_a_zero_in_it)
{
  static const char json[] = "{\"type\":\"subscribe\",\"groupName\":\"a\\u0000b"
                             "\"}";
  struct command_room room = {NULL};
  struct server_command c;
  const char *why;

  ck_assert_int_eq(server_json.read((struct wps_bytes){json, sizeof(json) - 1},
                                    &room, &c, &why),
                   WPS_OK);
  ck_assert_uint_eq(c.group.len, 3);
  ck_assert_int_eq(memcmp(c.group.ptr, "a\0b", 3), 0);
  command_room_clear(&room);
}
END_TEST

static const char *const malformed[] = {
    "",
    " ",
    "null",
    "1",
    "[]",
    "\"subscribe\"",
    "{",
    "{}",
    "{}x",
    "{\"type\":null}",
    "{\"type\":1}",
    "{\"type\":[\"subscribe\"]}",
    "{\"ackId\":1}",
    "{\"type\":\"subscribe\"}{\"type\":\"subscribe\"}",
    "{\"type\":\"subscribe\",}",
    "{\"type\":\"subscribe\",\"x\":01}",
    "{\"type\":\"subscribe\",\"x\":\"\xff\"}",
    "{\"type\":\"subscribe\",\"x\":\"\n\"}",
    "{'type':'subscribe'}",
#define OF(member) "{\"type\":\"subscribe\",\"ackId\":1," member "}"
    OF("\"ackId\":-1"),
    OF("\"ackId\":1.5"),
    OF("\"ackId\":1e2"),
    OF("\"ackId\":2147483648"),
    OF("\"ackId\":18446744073709551616"),
    OF("\"ackId\":\"1\""),
    OF("\"ackId\":true"),
    OF("\"ackId\":[]"),
    OF("\"connectionId\":1"),
    OF("\"userId\":{}"),
    OF("\"groupName\":false"),
    OF("\"groupName\":[\"g\"]"),
    OF("\"reason\":1"),
    OF("\"filter\":[]"),
    OF("\"subprotocol\":0"),
    OF("\"state\":{}"),
    OF("\"excluded\":\"a\""),
    OF("\"excluded\":{}"),
    OF("\"excluded\":[1]"),
    OF("\"excluded\":[null]"),
    OF("\"excluded\":[[\"a\"]]"),
    OF("\"excluded\":[\"a\",{}]"),
    OF("\"groups\":[true]"),
    OF("\"roles\":\"r\""),
    OF("\"noEcho\":0"),
    OF("\"noEcho\":\"true\""),
    OF("\"withPayload\":1"),
    OF("\"replaceRoles\":[]"),
    OF("\"payload\":\"x\""),
    OF("\"payload\":[]"),
    OF("\"payload\":{\"dataType\":1,\"data\":\"\"}"),
    OF("\"payload\":{\"dataType\":\"text\",\"data\":1}"),
    OF("\"payload\":{\"dataType\":\"binary\",\"data\":{}}"),
#undef OF
#define OF(kind, member) "{\"type\":\"" kind "\",\"ackId\":1," member "}"
    OF("count", "\"target\":\"user\",\"name\":1"),
    OF("count", "\"target\":1"),
    OF("grant", "\"permission\":1"),
    OF("handleEvents", "\"id\":\"1\""),
    OF("handleEvents", "\"id\":-1"),
    OF("handleEvents", "\"id\":2147483648"),
    OF("handleEvents", "\"systemEvents\":\"join\""),
    OF("handleEvents", "\"systemEvents\":[1]"),
    OF("handleEvents", "\"userEvents\":\"*\""),
    OF("handleEvents", "\"userEvents\":[null]"),
    OF("connectResponse", "\"error\":\"no\""),
    OF("connectResponse", "\"error\":[]"),
    OF("connectResponse", "\"error\":{\"code\":\"401\"}"),
    OF("connectResponse", "\"error\":{\"code\":1.5}"),
    OF("connectResponse", "\"error\":{\"detail\":1}"),
    OF("connectResponse", "\"headers\":[]"),
    OF("connectResponse", "\"headers\":{\"a\":1}"),
    OF("connectResponse", "\"headers\":{\"a\":[\"b\"]}"),
    OF("messageResponse", "\"metadata\":{\"a\":null}"),
    OF("messageResponse", "\"metadata\":\"a\""),
#undef OF
};
enum { MALFORMED = sizeof(malformed) / sizeof(malformed[0]) };

START_TEST(what_is_malformed)
{
  reads(malformed[_i], "EPROTO");
}
END_TEST

START_TEST(what_is_refused)
{
  reads("{\"ackId\":5,\"type\":\"dance\"}", "EINVAL 5 no such type of message");
  reads("{\"ackId\":5,\"type\":\"Publish\"}",
        "EINVAL 5 no such type of message");
  reads("{\"type\":\"\"}", "EINVAL 0 no such type of message");
  reads("{\"type\":\"count\",\"target\":\"all\",\"ackId\":1}",
        "EINVAL 1 target has to be hub, group or user");
  reads("{\"type\":\"grant\",\"ackId\":1}",
        "EINVAL 1 permission has to be joinLeaveGroup or sendToGroup");
  reads("{\"type\":\"grant\",\"permission\":\"\",\"ackId\":1}",
        "EINVAL 1 permission has to be joinLeaveGroup or sendToGroup");
  reads("{\"type\":\"handleEvents\",\"systemEvents\":[\"join\",\"x\"],"
        "\"ackId\":3}",
        "EINVAL 3 systemEvents has a name that is none");
#define PAYLOAD(members)                                                       \
  "{\"payload\":{" members "},\"type\":\"sendToAll\",\"ackId\":4}"
  reads(PAYLOAD("\"dataType\":\"xml\",\"data\":\"\""),
        "EINVAL 4 dataType has to be json, text, binary or protobuf");
  reads(PAYLOAD(""), "EINVAL 4 the payload has no data");
  reads(PAYLOAD("\"data\":null"), "EINVAL 4 the payload has no data");
  reads(PAYLOAD("\"dataType\":\"text\""), "EINVAL 4 the payload has no data");
  reads(PAYLOAD("\"dataType\":\"binary\",\"data\":\"A\""),
        "EINVAL 4 the payload is no base64");
  reads(PAYLOAD("\"dataType\":\"binary\",\"data\":\"*\""),
        "EINVAL 4 the payload is no base64");
  reads(PAYLOAD("\"dataType\":\"protobuf\",\"data\":\"CgJ1\""),
        "EINVAL 4 the payload is no google.protobuf.Any");
#undef PAYLOAD
}
END_TEST

static void add(char **at, const char *text)
{
  size_t len = strlen(text);

  memcpy(*at, text, len);
  *at += len;
}

static void reads_many(const char *head, const char *each, size_t count,
                       const char *tail, const char *want)
{
  char *text = malloc(strlen(head) + count * strlen(each) + strlen(tail));
  char *at = text;

  add(&at, head);
  for (size_t i = 0; i < count; i++)
    add(&at, each);
  add(&at, tail);
  reads_len(text, (size_t)(at - text), want);
  free(text);
}

START_TEST(lists_are_bounded)
{
  static const char names[] = "{\"type\":\"subscribe\",\"ackId\":5,"
                              "\"groups\":[\"\"";
  static const char pairs[] = "{\"type\":\"messageResponse\",\"ackId\":5,"
                              "\"metadata\":{\"a\":\"\"";

  reads_many(names, ",\"\"", COMMAND_NAMES_MAX, "]}",
             "EINVAL 5 a list is too long");
  reads_many(pairs, ",\"a\":\"\"", COMMAND_PAIRS_MAX - 1, "}}",
             "messageResponse 5 empty meta[a=]");
  reads_many(pairs, ",\"a\":\"\"", COMMAND_PAIRS_MAX, "}}",
             "EINVAL 5 a list is too long");
}
END_TEST

/* ---- notices ---- */

#define WHO                                                                    \
  "\"context\":{\"connectionId\":\"c1\",\"userId\":\"al\","                    \
  "\"hub\":\"chat\"}"

static const char *const texts[NOTICES] = {
    "{\"type\":\"connect\",\"ackId\":1,\"context\":{\"connectionId\":\"c1\","
    "\"userId\":\"al\",\"hub\":\"chat\",\"claims\":{\"role\":[\"a\",\"b\"],"
    "\"sub\":[\"al\"]},\"headers\":{\"host\":[\"h\"]},\"query\":{\"a\":[\"\","
    "\"\"]}},\"subprotocols\":[\"json.webpubsub.azure.v1\",\"x\"],"
    "\"clientCertificates\":[{\"thumbprint\":\"ab12\"},{\"thumbprint\":"
    "\"cd34\"}]}",
    "{\"type\":\"connect\",\"ackId\":2147483647,\"context\":{\"connectionId\":"
    "\"c1\",\"hub\":\"chat\",\"claims\":{},\"headers\":{},\"query\":{}},"
    "\"subprotocols\":[],\"clientCertificates\":[]}",
    "{\"type\":\"disconnected\",\"ackId\":2," WHO
    ",\"reason\":\"gone \\\"away\\\"\"}",
    "{\"type\":\"disconnected\",\"ackId\":2," WHO "}",
    "{\"type\":\"clientConnected\",\"ackId\":3,\"context\":{\"connectionId\":"
    "\"c1\",\"hub\":\"chat\",\"subprotocol\":\"x\",\"connectionState\":\"\"}}",
    "{\"type\":\"event\",\"ackId\":4,\"eventName\":\"order\"," WHO
    ",\"payload\":{\"dataType\":\"json\",\"data\":{\"a\": 1}}}",
    "{\"type\":\"event\",\"ackId\":4,\"eventName\":\"order\"," WHO
    ",\"payload\":{\"dataType\":\"text\",\"data\":\"\"}}",
    "{\"type\":\"event\",\"ackId\":4,\"eventName\":\"order\"," WHO "}",
    "{\"type\":\"publish\",\"ackId\":5,\"groupName\":\"g\"," WHO
    ",\"payloadMetadata\":{\"payloadSize\":300}}",
    "{\"type\":\"publish\",\"ackId\":5,\"groupName\":\"g\"," WHO
    ",\"payloadMetadata\":{\"payloadSize\":0},\"payload\":{\"dataType\":"
    "\"binary\",\"data\":\"Af8=\"}}",
    "{\"type\":\"join\",\"ackId\":6,\"groupName\":\"g\"," WHO "}",
    "{\"type\":\"leave\",\"ackId\":7,\"groupName\":\"g\"," WHO "}",
    "{\"type\":\"joined\",\"ackId\":8,\"groupName\":\"g\"," WHO "}",
    "{\"type\":\"left\",\"ackId\":9,\"groupName\":\"g\"," WHO "}",
    "{\"type\":\"message\",\"groupName\":\"g\",\"fromUserId\":\"bo\","
    "\"metadata\":{\"k\":\"v\",\"e\":\"\"},\"payload\":{\"dataType\":\"text\","
    "\"data\":\"hi\\n\"}}",
    "{\"type\":\"message\",\"groupName\":\"g\",\"payload\":{\"dataType\":"
    "\"protobuf\",\"data\":\"CgF1\"}}",
    "{\"type\":\"ack\",\"ackId\":10,\"result\":\"success\"}",
    "{\"type\":\"ack\",\"ackId\":10,\"result\":\"success\",\"count\":0}",
    "{\"type\":\"ack\",\"ackId\":10,\"result\":\"success\",\"count\":300}",
    "{\"type\":\"ack\",\"ackId\":11,\"result\":\"failure\",\"error\":"
    "\"Forbidden\",\"detail\":\"needs it\"}",
    "{\"type\":\"ack\",\"ackId\":12,\"result\":\"timeout\",\"error\":"
    "\"Timeout\"}",
    "{\"type\":\"connected\",\"connectionId\":\"s1\",\"hub\":\"chat\","
    "\"roles\":[\"publisher\",\"manager.\xC3\xA4\"]}",
    "{\"type\":\"connected\",\"connectionId\":\"s1\",\"hub\":\"chat\","
    "\"roles\":[]}",
};

START_TEST(every_notice)
{
  struct wps_bytes bytes = written(&server_json, &notices[_i]);
  char *text = strndup(bytes.ptr, bytes.len);

  ck_assert_str_eq(text, texts[_i]);
  free(text);
  free((void *)bytes.ptr);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("server_json");
  TCase *t = tcase_create("codec");
  SRunner *runner = srunner_create(s);
  int failed;

  tcase_add_loop_test(t, every_command, 0, COMMANDS);
  tcase_add_loop_test(t, cut_at_every_byte, 0, COMMANDS);
  tcase_add_test(t, as_free_as_json_is);
  tcase_add_test(t, text_with_a_zero_in_it);
  tcase_add_loop_test(t, what_is_malformed, 0, MALFORMED);
  tcase_add_test(t, what_is_refused);
  tcase_add_test(t, lists_are_bounded);
  tcase_add_loop_test(t, every_notice, 0, NOTICES);
  suite_add_tcase(s, t);
  srunner_run_all(runner, CK_NORMAL);
  failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
