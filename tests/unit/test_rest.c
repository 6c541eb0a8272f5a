/* SPDX-License-Identifier: Apache-2.0 */
/* http-rest: operations, from the request to what the hub is asked and what the
 * client is told. */
#include "tests/unit/rest_host.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#define HUB "/api/hubs/Chat"
#define ERROR(code_, message_, target_)                                        \
  "{\"code\":\"" code_ "\",\"message\":\"" message_ "\",\"target\":\"" target_ \
  "\",\"details\":null,\"innererror\":null}"
#define BAD_GROUP                                                              \
  "Invalid group name. Valid group name should be in between 1 and 1024 "      \
  "characters long."

static void setup(void)
{
  rest_host_reset();
  rest_host_start();
}

static void teardown(void)
{
  rest_host_stop();
}

/* Other settings: a new instance. */
static void restart(void)
{
  rest_host_stop();
  rest_host_start();
}

static void expect(uint32_t code)
{
  ck_assert_msg(rest_host.answer.code == code, "%u instead of %u: %s",
                rest_host.answer.code, code, rest_host.answer.body);
  if (code < 300)
    ck_assert_ptr_null(rest_header("x-ms-error-code"));
  else
    ck_assert_ptr_nonnull(rest_header("x-ms-error-code"));
  ck_assert_int_eq(rest_header("Retry-After") != NULL,
                   code == 429 || code == 503);
  ck_assert_str_eq(rest_header("api-supported-versions"),
                   "2021-10-01, 2022-11-01, 2023-07-01, 2024-01-01, "
                   "2024-12-01");
}

static void expect_asked(int what, uint32_t kind, const char *name)
{
  ck_assert_int_eq(rest_host.asked.what, what);
  ck_assert_uint_eq(rest_host.asked.kind, kind);
  ck_assert_str_eq(rest_host.asked.hub, "chat");
  ck_assert_str_eq(rest_host.asked.name, name);
}

static void expect_bad(const char *head, const char *target)
{
  char wanted[256];

  rest_ask(head);
  expect(400);
  snprintf(wanted, sizeof(wanted), "\"target\":\"%s\"", target);
  ck_assert_msg(strstr(rest_host.answer.body, wanted) != NULL, "%s: %s", head,
                rest_host.answer.body);
  ck_assert_str_eq(rest_header("x-ms-error-code"), "Error.BadRequest");
  ck_assert_int_eq(rest_host.asked.what, ASKED_NOTHING);
}

/* ---- send ---- */

START_TEST(send_targets)
{
  rest_ask("POST " HUB "/:send?excluded=a&excluded=b,c&excluded=&filter=f%201"
           "&messageTtlSeconds=60\nContent-Type: text/plain\n\nhello");
  expect(202);
  ck_assert_uint_eq(rest_host.answer.body_len, 0);
  ck_assert_ptr_null(rest_header("Content-Type"));
  ck_assert_ptr_null(rest_header("Strict-Transport-Security"));
  expect_asked(ASKED_PUBLISH, WPS_TO_HUB, "");
  ck_assert_str_eq(rest_host.asked.excluded, "a|b,c");
  ck_assert_str_eq(rest_host.asked.filter, "f 1");
  ck_assert_uint_eq(rest_host.asked.ttl_ms, 60000);
  ck_assert_uint_eq(rest_host.asked.data_type, WPS_DATA_TEXT);
  ck_assert_uint_eq(rest_host.asked.from, WPS_FROM_SERVER);
  ck_assert_str_eq(rest_host.asked.message_group, "");
  ck_assert_str_eq(rest_host.asked.data, "hello");

  rest_ask("POST " HUB "/groups/room%201%2fa/:send?excluded=x\n"
           "Content-Type: application/json\n\n {\"a\" : 1} ");
  expect(202);
  expect_asked(ASKED_PUBLISH, WPS_TO_GROUP, "room 1/a");
  ck_assert_uint_eq(rest_host.asked.from, WPS_FROM_GROUP);
  ck_assert_str_eq(rest_host.asked.message_group, "room 1/a");
  ck_assert_uint_eq(rest_host.asked.data_type, WPS_DATA_JSON);
  ck_assert_str_eq(rest_host.asked.data, " {\"a\" : 1} ");

  rest_ask("POST " HUB "/users/a+b/:send?filter=&excluded=x\n"
           "Content-Type: APPLICATION/Octet-Stream; x=y\n\n");
  expect(202);
  expect_asked(ASKED_PUBLISH, WPS_TO_USER, "a+b");
  ck_assert_uint_eq(rest_host.asked.excluded_count, 0);
  ck_assert_str_eq(rest_host.asked.filter, "");
  ck_assert_uint_eq(rest_host.asked.data_type, WPS_DATA_BINARY);

  rest_ask("POST " HUB "/connections/c/:send\n\nx");
  expect(202);
  expect_asked(ASKED_PUBLISH, WPS_TO_CONN, "c");
  ck_assert_uint_eq(rest_host.asked.data_type, WPS_DATA_BINARY);
  ck_assert_uint_eq(rest_host.asked.ttl_ms, 0);
}
END_TEST

START_TEST(send_bodies)
{
  static const char latin[] = "caf\xe9", wide[] = "\xff\xfeh\0i\0";
  static const char any[] = "\x0a\x01x";

  rest_ask("POST " HUB "/:send\nContent-Type: text/html\n\nx");
  expect(415);
  ck_assert_str_eq(rest_header("Content-Type"),
                   "application/problem+json; charset=utf-8");
  rest_ask("POST " HUB "/:send\nContent-Type: text/plain; charset=koi8-r\n\nx");
  expect(415);
  ck_assert_int_eq(rest_host.asked.what, ASKED_NOTHING);

  rest_ask("POST " HUB "/:send\nContent-Type: application/json\n\n{\"a\":");
  expect(400);
  ck_assert_str_eq(rest_host.answer.body,
                   ERROR("Error.BadRequest",
                         "The request body is not a valid JSON.", "Request"));
  expect_bad("POST " HUB "/:send\nContent-Type: application/json\n\n",
             "Request");
  rest_ask_body("POST " HUB "/:send\nContent-Type: text/plain", latin, 4);
  expect(400);

  rest_ask_body("POST " HUB
                "/:send\nContent-Type: text/plain;charset=\"latin1\"",
                latin, 4);
  expect(202);
  ck_assert_str_eq(rest_host.asked.data, "caf\xc3\xa9");
  rest_ask_body("POST " HUB "/:send\nContent-Type: text/plain; charset=UTF-16",
                wide, 6);
  expect(202);
  ck_assert_str_eq(rest_host.asked.data, "hi");
  rest_ask_body("POST " HUB "/:send\nContent-Type: text/plain; charset=UTF-16",
                wide, 5);
  expect(400);

  rest_ask_body("POST " HUB "/:send\nContent-Type: application/x-protobuf", any,
                3);
  expect(202);
  ck_assert_uint_eq(rest_host.asked.data_type, WPS_DATA_PROTOBUF);
  rest_ask("POST " HUB "/:send\nContent-Type: application/x-protobuf\n\n\xff");
  expect(400);
}
END_TEST

START_TEST(send_limits)
{
  static const char too_long[] = ERROR(
      "Error.BadRequest",
      "Invalid Content-Length header. The body may have at most 1024 bytes.",
      "Request");
  char body[1025];

  rest_host.max_message = 1024;
  restart();
  ck_assert_uint_eq(rest_route_at(0)->max_body_bytes, 1024);
  memset(body, 'x', sizeof(body));
  rest_ask_body("POST " HUB "/:send\nContent-Type: text/plain", body, 1024);
  expect(202);
  rest_ask_body("POST " HUB "/:send\nContent-Type: text/plain", body, 1025);
  expect(400);
  ck_assert_str_eq(rest_host.answer.body, too_long);
  rest_ask_too_big("POST " HUB "/:addToGroups\nContent-Type: application/json");
  expect(400);
  ck_assert_str_eq(rest_host.answer.body, too_long);
  /* Longer in UTF-8. */
  memset(body, '\xe9', sizeof(body));
  rest_ask_body("POST " HUB "/:send\nContent-Type: text/plain;charset=latin1",
                body, 513);
  expect(400);
  ck_assert_str_eq(rest_host.answer.body, too_long);
  /* A filter is looked at first, then the length, then the type. */
  rest_ask_too_big("POST " HUB "/:send?filter=bad");
  expect(400);
  ck_assert_ptr_nonnull(strstr(rest_host.answer.body, "\"filter\""));
  rest_ask_too_big("POST " HUB "/:send\nContent-Type: text/html");
  expect(400);

  rest_host.message_max = 10;
  rest_ask("POST " HUB "/:send\n\n12345678901");
  expect(400);
  ck_assert_ptr_nonnull(
      strstr(rest_host.answer.body, "limits.message_size of the server"));
  rest_host.no_memory = true;
  rest_ask("POST " HUB "/:send\n\n1");
  ck_assert_int_eq(rest_host.answer.failed, WPS_ENOMEM);
}
END_TEST

START_TEST(send_metadata)
{
  char head[9000];
  size_t at;

  rest_ask("POST " HUB "/:send\nX-WebPubSub-Metadata-Key: a, b ,  c d\t\n"
           "x-webpubsub-metadata-other:\nX-WEBPUBSUB-METADATA-KEY: last\n\nx");
  expect(202);
  ck_assert_str_eq(rest_host.asked.tags, "other=|key=last");
  expect_bad("POST " HUB "/:send\nX-WebPubSub-Metadata-: a\n\nx", "Request");
  expect_bad("POST " HUB "/:send\nX-WebPubSub-Metadata-a: \xc3\xa9\n\nx",
             "Request");
  at = (size_t)snprintf(head, sizeof(head),
                        "POST " HUB "/:send\nX-WebPubSub-Metadata-a: ");
  memset(head + at, 'v', 1025);
  memcpy(head + at + 1024, "\n\nx", 4);
  rest_ask(head);
  expect(202);
  memcpy(head + at + 1024, "v\n\nx", 5);
  expect_bad(head, "Request");
  /* Order: an unusable body comes before unusable metadata. */
  rest_ask("POST " HUB "/:send\nX-WebPubSub-Metadata-: a\n"
           "Content-Type: text/html\n\nx");
  expect(415);
}
END_TEST

START_TEST(invoke)
{
  rest_ask("POST " HUB "/:invoke?excluded=a\nContent-Type: text/plain\n\nx");
  expect(200);
  ck_assert_uint_eq(rest_host.answer.body_len, 0);
  ck_assert_int_eq(rest_host.asked.what, ASKED_NOTHING);
}
END_TEST

/* ---- names, versions, what all have ---- */

START_TEST(names)
{
  static const char *const hubs[] = {"1chat", "a-b", "a%20b", "%C3%A9", "a%00"};
  char path[4200];
  size_t at;

  for (size_t i = 0; i < sizeof(hubs) / sizeof(hubs[0]); i++) {
    snprintf(path, sizeof(path), "POST /api/hubs/%s/:send\n\nx", hubs[i]);
    expect_bad(path, "hub");
  }
  rest_ask("POST /api/hubs/Az_`,.[]9/:send\n\nx");
  expect(202);
  ck_assert_str_eq(rest_host.asked.hub, "az_`,.[]9");
  expect_bad("POST " HUB "/groups/%20%09/:send\n\nx", "group");
  expect_bad("POST " HUB "/groups/%ff/:send\n\nx", "group");
  expect_bad("POST " HUB "/users/%c0%80/:send\n\nx", "userId");
  expect_bad("DELETE " HUB "/connections/%80", "connectionId");

  at = (size_t)snprintf(path, sizeof(path), "HEAD " HUB "/groups/");
  memset(path + at, 'g', 1025);
  path[at + 1024] = '\0';
  rest_ask(path);
  expect(200);
  path[at + 1024] = 'g';
  path[at + 1025] = '\0';
  expect_bad(path, "group");
  memset(path, 0, sizeof(path));
  at = (size_t)snprintf(path, sizeof(path), "HEAD /api/hubs/");
  memset(path + at, 'h', 129);
  memcpy(path + at + 128, "/users/u", 9);
  rest_ask(path);
  expect(200);
  memcpy(path + at + 128, "h/users/u", 10);
  expect_bad(path, "hub");
}
END_TEST

START_TEST(encoded_slash)
{
  rest_ask("HEAD " HUB "/groups/a%2Fb%252F");
  expect_asked(ASKED_COUNT, WPS_TO_GROUP, "a/b%2F");
  rest_host.legacy_slash = true;
  restart();
  rest_ask("HEAD " HUB "/groups/a%2Fb%252F%20c");
  expect_asked(ASKED_COUNT, WPS_TO_GROUP, "a%2Fb%2F c");
  rest_ask("PUT http://host" HUB "/groups/a%2f1/connections/c%2f2?x=%2f");
  expect_asked(ASKED_JOIN, WPS_TO_CONN, "c%2f2");
  ck_assert_str_eq(rest_host.asked.groups, "a%2f1");
  rest_ask("HEAD " HUB "/groups/a%20b");
  expect_asked(ASKED_COUNT, WPS_TO_GROUP, "a b");
}
END_TEST

START_TEST(versions)
{
  rest_ask("HEAD " HUB "/users/u?api-version=2021-10-01");
  expect(200);
  rest_ask("HEAD " HUB "/users/u?api-version=2025-08-01-preview");
  expect(200);
  rest_ask("HEAD " HUB "/users/u?api-version=2099-01-01");
  expect(400);
  ck_assert_str_eq(rest_host.answer.body,
                   ERROR("Error.BadRequest",
                         "The specified API version is not supported.",
                         "api-version"));
  expect_bad("HEAD " HUB "/users/u?api-version=2021-10-01&api-version="
             "2021-10-01",
             "api-version");
  expect_bad("HEAD " HUB "/users/u?api-version=", "api-version");
  /* Before the names. */
  expect_bad("HEAD /api/hubs/1/users/u?api-version=x", "api-version");
  rest_host.accept_newer = false;
  restart();
  expect_bad("HEAD " HUB "/users/u?api-version=2025-08-01", "api-version");
}
END_TEST

START_TEST(common_headers)
{
  rest_host.scheme = "https";
  rest_ask("HEAD " HUB "/users/u\nx-ms-client-request-id: 0a-1");
  expect(200);
  ck_assert_str_eq(rest_header("Strict-Transport-Security"),
                   "max-age=15724800; includeSubDomains");
  ck_assert_str_eq(rest_header("x-ms-client-request-id"), "0a-1");
  rest_ask("HEAD " HUB "/users/u\nx-ms-client-request-id: a\x1b[31m");
  ck_assert_ptr_null(rest_header("x-ms-client-request-id"));
  rest_ask("HEAD " HUB "/users/u\nx-ms-client-request-id: "
           "0123456789012345678901234567890123456789012345678901234567890123"
           "0123456789012345678901234567890123456789012345678901234567890123x");
  ck_assert_ptr_null(rest_header("x-ms-client-request-id"));
}
END_TEST

START_TEST(rate)
{
  rest_host.rate = 2;
  restart();
  for (int i = 0; i < 2; i++) {
    rest_ask("HEAD " HUB "/users/u");
    expect(200);
  }
  rest_ask("HEAD " HUB "/users/u");
  expect(429);
  ck_assert_str_eq(rest_header("Retry-After"), "1");
  ck_assert_str_eq(
      rest_host.answer.body,
      ERROR("Error.TooManyRequests",
            "Too many requests. There may be 2 per second with one key.",
            "Request"));
  rest_host.credential = "access_keys[1]";
  rest_ask("HEAD " HUB "/users/u");
  expect(200);
  rest_host.credential = "access_keys[0]";
  rest_host.now_us += 500000;
  rest_ask("HEAD " HUB "/users/u");
  expect(200);
}
END_TEST

START_TEST(parameters)
{
  static const char *const bad[] = {
      "301",        "-1",  "+1",  "1.0",
      "",           "1e1", "0x1", "1&messageTtlSeconds=1",
      "99999999999"};
  char head[256];

  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    snprintf(head, sizeof(head), "POST " HUB "/:send?messageTtlSeconds=%s\n\nx",
             bad[i]);
    expect_bad(head, "messageTtlSeconds");
  }
  rest_ask("POST " HUB "/:send?MessageTTLSeconds=0300\n\nx");
  expect(202);
  ck_assert_uint_eq(rest_host.asked.ttl_ms, 300000);
  expect_bad("POST " HUB "/:send?excluded=%ff\n\nx", "excluded");
  expect_bad("POST " HUB "/:send?filter=a&filter=b\n\nx", "filter");
  expect_bad("POST " HUB "/:closeConnections?reason=%ff", "reason");
}
END_TEST

START_TEST(bad_filter)
{
  rest_ask("POST " HUB "/:send?filter=bad%20one\n\nx");
  expect(400);
  ck_assert_str_eq(rest_header("Content-Type"),
                   "application/problem+json; charset=utf-8");
  ck_assert_str_eq(
      rest_host.answer.body,
      "{\"code\":\"Error.BadRequest\",\"message\":\"Invalid syntax for 'bad "
      "one'. (Parameter 'filter')\",\"target\":\"filter\",\"errors\":{"
      "\"filter\":[\"Invalid syntax for 'bad one'. (Parameter 'filter')\"]},"
      "\"type\":null,\"title\":\"One or more validation errors occurred.\","
      "\"status\":400,\"detail\":null,\"instance\":null,\"extensions\":{}}");
}
END_TEST

/* ---- existence, closing, groups ---- */

START_TEST(existence)
{
  rest_ask("HEAD " HUB "/connections/c");
  expect(200);
  expect_asked(ASKED_COUNT, WPS_TO_CONN, "c");
  rest_host.clients = 0;
  rest_ask("HEAD " HUB "/connections/c");
  expect(404);
  ck_assert_str_eq(rest_header("x-ms-error-code"),
                   "Warning.Connection.NotExisted");
  rest_ask("HEAD " HUB "/groups/g");
  expect(404);
  expect_asked(ASKED_COUNT, WPS_TO_GROUP, "g");
  ck_assert_str_eq(rest_header("x-ms-error-code"), "Warning.Group.NotExisted");
  rest_ask("HEAD " HUB "/users/some_user");
  expect(404);
  ck_assert_str_eq(rest_host.answer.body,
                   ERROR("Warning.User.NotExisted",
                         "User `some_user` is not found.", "User"));
  rest_host.clients = 3;
  rest_ask("HEAD " HUB "/users/u/groups/it's");
  expect(200);
  expect_asked(ASKED_COUNT, WPS_TO_USER, "u");
  ck_assert_str_eq(rest_host.asked.filter, "'it''s' in groups");
}
END_TEST

START_TEST(close_clients)
{
  rest_ask("DELETE " HUB "/connections/c?reason=banned%21&excluded=c");
  expect(204);
  expect_asked(ASKED_CLOSE, WPS_TO_CONN, "c");
  ck_assert_uint_eq(rest_host.asked.code, 1000);
  ck_assert_str_eq(rest_host.asked.text, "banned!");
  ck_assert_uint_eq(rest_host.asked.excluded_count, 0);
  rest_host.clients = 0;
  rest_ask("POST " HUB "/:closeConnections?excluded=a&excluded=b");
  expect(204);
  expect_asked(ASKED_CLOSE, WPS_TO_HUB, "");
  ck_assert_str_eq(rest_host.asked.excluded, "a|b");
  ck_assert(!rest_host.asked.has_text);
  rest_ask("POST " HUB "/groups/g/:closeConnections");
  expect_asked(ASKED_CLOSE, WPS_TO_GROUP, "g");
  rest_ask("POST " HUB "/users/u/:closeConnections");
  expect_asked(ASKED_CLOSE, WPS_TO_USER, "u");
}
END_TEST

START_TEST(membership)
{
  rest_ask("PUT " HUB "/groups/g/connections/c");
  expect(200);
  expect_asked(ASKED_JOIN, WPS_TO_CONN, "c");
  ck_assert_str_eq(rest_host.asked.groups, "g");
  rest_ask("PUT " HUB "/users/u/groups/g");
  expect(200);
  expect_asked(ASKED_JOIN, WPS_TO_USER, "u");
  rest_ask("DELETE " HUB "/groups/g/connections/c");
  expect(204);
  expect_asked(ASKED_LEAVE, WPS_TO_CONN, "c");
  ck_assert_uint_eq(rest_host.asked.group_count, 1);
  rest_ask("DELETE " HUB "/connections/c/groups");
  expect(204);
  expect_asked(ASKED_LEAVE, WPS_TO_CONN, "c");
  ck_assert_uint_eq(rest_host.asked.group_count, 0);
  rest_ask("DELETE " HUB "/users/u/groups/g");
  expect_asked(ASKED_LEAVE, WPS_TO_USER, "u");
  rest_ask("DELETE " HUB "/users/u/groups");
  expect(204);

  rest_host.clients = 0;
  rest_ask("PUT " HUB "/groups/g/connections/c");
  expect(404);
  ck_assert_str_eq(rest_host.answer.body,
                   ERROR("Error.Connection.NotExisted",
                         "Connection `c` is not found.", "Connection"));
  rest_ask("PUT " HUB "/users/u/groups/g");
  expect(404);
  ck_assert_str_eq(rest_header("x-ms-error-code"), "Warning.User.NotExisted");
  rest_ask("DELETE " HUB "/users/u/groups");
  expect(204);
  rest_host.done_status = WPS_ELIMIT;
  rest_ask("PUT " HUB "/groups/g/connections/c");
  expect(400);
  ck_assert_ptr_nonnull(
      strstr(rest_host.answer.body, "limits.groups_per_connection"));
}
END_TEST

START_TEST(host_failures)
{
  rest_host.done_status = WPS_ENOMEM;
  rest_ask("PUT " HUB "/groups/g/connections/c");
  expect(503);
  ck_assert_str_eq(rest_header("x-ms-error-code"), "Error.InternalServerError");
  rest_host.done_status = WPS_ECANCELED;
  rest_ask("POST " HUB "/:send\n\nx");
  expect(503);
  rest_host.done_status = WPS_EINTERNAL;
  rest_ask("GET " HUB "/groups/g/connections");
  expect(500);
  rest_host.call_status = WPS_ENOMEM;
  rest_ask("POST " HUB "/:send?filter=x&excluded=a\n\nx");
  expect(503);
  rest_ask("DELETE " HUB "/connections/c");
  expect(503);
}
END_TEST

START_TEST(bulk)
{
#define BULK "POST " HUB "/:addToGroups\nContent-Type: application/json\n\n"
  rest_ask(BULK "{\"Groups\":[\"g1\" , \"a\\u00e9\\\"b\"],\"x\":[1],"
                "\"filter\":\"userId eq 'alice'\"}");
  expect(200);
  expect_asked(ASKED_JOIN, WPS_TO_HUB, "");
  ck_assert_str_eq(rest_host.asked.groups, "g1|a\xc3\xa9\"b");
  ck_assert_str_eq(rest_host.asked.filter, "userId eq 'alice'");
  rest_host.clients = 0;
  rest_ask("POST " HUB "/:removeFromGroups\nContent-Type: application/json; "
           "charset=utf-8\n\n{\"groups\":[\"g\"],\"filter\":null}");
  expect(200);
  expect_asked(ASKED_LEAVE, WPS_TO_HUB, "");
  ck_assert_str_eq(rest_host.asked.filter, "");
  rest_ask(BULK "{\"groups\":[\"g\"],\"filter\":\"\"}");
  expect(200);

  expect_bad(BULK "{}", "Groups");
  expect_bad(BULK "{\"groups\":null}", "Groups");
  expect_bad(BULK "{\"groups\":[ ]}", "Groups");
  expect_bad(BULK "{\"groups\":\"g\"}", "Groups");
  expect_bad(BULK "{\"groups\":[\"g\",null]}", "Groups");
  expect_bad(BULK "{\"groups\":[1]}", "Groups");
  expect_bad(BULK "{\"groups\":[[\"g\"]]}", "Groups");
  expect_bad(BULK "{\"groups\":[\" \\t\"]}", "Groups");
  expect_bad(BULK "{\"groups\":[\"g\"],\"filter\":1}", "Filter");
  expect_bad(BULK "{\"groups\":[\"g\"],\"filter\":\"bad\"}", "Filter");
  ck_assert_ptr_nonnull(
      strstr(rest_host.answer.body, "\"errors\":{\"Filter\":"));
  expect_bad(BULK "null", "Request");
  expect_bad(BULK "[]", "Request");
  expect_bad(BULK, "Request");
  rest_ask("POST " HUB "/:addToGroups\n\n{\"groups\":[\"g\"]}");
  expect(415);
  rest_ask("POST " HUB "/:addToGroups\nContent-Type: text/plain\n\n"
           "{\"groups\":[\"g\"]}");
  expect(415);

  rest_host.max_groups = 2;
  restart();
  rest_ask(BULK "{\"groups\":[\"a\",\"b\"]}");
  expect(200);
  expect_bad(BULK "{\"groups\":[\"a\",\"b\",\"c\"]}", "Groups");
  ck_assert_ptr_nonnull(strstr(rest_host.answer.body, "at most 2"));
}
END_TEST

/* ---- listing ---- */

static json_t *page(char *next, size_t size)
{
  json_t *doc = json_loads(rest_host.answer.body, 0, NULL);
  const char *link;

  expect(200);
  ck_assert_str_eq(rest_header("Content-Type"),
                   "application/json; charset=utf-8");
  ck_assert_ptr_nonnull(doc);
  link = json_string_value(json_object_get(doc, "nextLink"));
  snprintf(next, size, "%s", link != NULL ? link : "");
  return doc;
}

START_TEST(listing)
{
  static const size_t sizes[] = {2, 2, 1};
  static const char *const six[] = {"c1=u1", "c2", "c3", "c4", "c5", "c6"};
  char next[2048], head[2100];
  json_t *doc;

  memcpy(rest_host.members, six, sizeof(six));
  rest_ask("GET " HUB "/groups/g%2F1/connections\nHost: h:1");
  doc = page(next, sizeof(next));
  ck_assert_str_eq(next, "");
  ck_assert_uint_eq(rest_host.asked.limit, 200);
  expect_asked(ASKED_LIST, WPS_TO_GROUP, "g/1");
  json_decref(doc);
  ck_assert_ptr_nonnull(strstr(
      rest_host.answer.body, "{\"value\":[{\"connectionId\":\"c1\","
                             "\"userId\":\"u1\"},{\"connectionId\":\"c2\"},"));

  snprintf(head, sizeof(head),
           "GET " HUB "/groups/g%%2F1/connections?maxpagesize=2&top=5\n"
           "Host: h:1");
  for (size_t i = 0; i < 3; i++) {
    rest_ask(head);
    doc = page(next, sizeof(next));
    ck_assert_uint_eq(json_array_size(json_object_get(doc, "value")), sizes[i]);
    json_decref(doc);
    if (i == 2)
      break;
    ck_assert_int_eq(strncmp(next,
                             i == 0 ? "http://h:1/api/hubs/chat/groups/g%2F1/"
                                      "connections?api-version=2024-12-01&"
                                      "maxpagesize=2&top=3&continuationToken="
                                    : "http://h:1/api/hubs/chat/groups/g%2F1/"
                                      "connections?api-version=2024-12-01&"
                                      "maxpagesize=2&top=1&continuationToken=",
                             105),
                     0);
    snprintf(head, sizeof(head), "GET %s\nHost: h:1", next + 10);
  }
  ck_assert_str_eq(next, "");

  /* The same token for another group, or with a letter changed. */
  rest_ask("GET " HUB "/groups/g/connections?maxpagesize=1\nHost: h");
  doc = page(next, sizeof(next));
  json_decref(doc);
  snprintf(head, sizeof(head), "GET " HUB "/groups/G/connections?%s",
           strstr(next, "continuationToken="));
  expect_bad(head, "continuationToken");
  snprintf(head, sizeof(head), "GET /api/hubs/other/groups/g/connections?%s",
           strstr(next, "continuationToken="));
  expect_bad(head, "continuationToken");
  snprintf(head, sizeof(head), "GET " HUB "/groups/g/connections?%s",
           strstr(next, "continuationToken="));
  rest_ask(head);
  expect(200);
  *(strchr(head, '=') + 3) ^= 1;
  expect_bad(head, "continuationToken");

  expect_bad("GET " HUB "/groups/g/connections?continuationToken=",
             "continuationToken");
  expect_bad("GET " HUB "/groups/g/connections?maxpagesize=201", "maxpagesize");
  expect_bad("GET " HUB "/groups/g/connections?maxpagesize=0", "maxpagesize");
  expect_bad("GET " HUB "/groups/g/connections?top=0", "top");
  expect_bad("GET " HUB "/groups/g/connections?top=2147483648", "top");
  expect_bad("GET " HUB "/groups/g/connections?top=1&top=1", "top");
  rest_ask("GET " HUB "/groups/g/connections?top=2147483647");
  expect(200);

  memset(rest_host.members, 0, sizeof(rest_host.members));
  rest_ask("GET " HUB "/groups/g/connections");
  expect(200);
  ck_assert_str_eq(rest_host.answer.body, "{\"value\":[]}");
}
END_TEST

START_TEST(public_endpoint)
{
  char next[2048];

  rest_host.members[0] = "a";
  rest_host.members[1] = "b";
  rest_host.endpoints[0] = "https://one.example.com/";
  rest_host.endpoints[1] = "https://two.example.com:8443/base/";
  rest_ask("GET " HUB "/groups/g/connections?maxpagesize=1\nHost: proxy");
  json_decref(page(next, sizeof(next)));
  ck_assert_ptr_eq(strstr(next, "https://one.example.com/api/hubs/"), next);
  rest_ask("GET " HUB "/groups/g/connections?maxpagesize=1\n"
           "Host: TWO.example.com:8443");
  json_decref(page(next, sizeof(next)));
  ck_assert_ptr_eq(strstr(next, "https://two.example.com:8443/base/api/hubs/"),
                   next);
  memset(rest_host.endpoints, 0, sizeof(rest_host.endpoints));
  rest_host.scheme = "https";
  rest_ask("GET " HUB "/groups/g/connections?maxpagesize=1\nHost: x\"y");
  json_decref(page(next, sizeof(next)));
  ck_assert_ptr_eq(strstr(next, "https://localhost/api/hubs/"), next);
}
END_TEST

/* ---- permissions ---- */

START_TEST(permissions)
{
  static const struct {
    const char *name;
    uint32_t action;
  } known[] = {{"sendToGroup", WPS_ACT_PUBLISH},
               {"SENDTOGROUP", WPS_ACT_PUBLISH},
               {"1", WPS_ACT_PUBLISH},
               {"joinLeaveGroup", WPS_ACT_JOIN},
               {"2", WPS_ACT_JOIN}};
  char head[256];

  for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
    snprintf(head, sizeof(head),
             "PUT " HUB "/permissions/%s/connections/c?targetName=room.*",
             known[i].name);
    rest_ask(head);
    expect(200);
    expect_asked(ASKED_PERMISSION, WPS_TO_CONN, "c");
    ck_assert_uint_eq(rest_host.asked.action, known[i].action);
    ck_assert_uint_eq(rest_host.asked.op, WPS_OP_GRANT);
    ck_assert_str_eq(rest_host.asked.text, "room.*");
  }
#define PERMISSION HUB "/permissions/sendToGroup/connections/c"
  rest_ask("DELETE " PERMISSION "?targetName=g");
  expect(204);
  ck_assert_uint_eq(rest_host.asked.op, WPS_OP_REVOKE);
  rest_ask("HEAD " PERMISSION "?targetName=g");
  expect(200);
  ck_assert_uint_eq(rest_host.asked.op, WPS_OP_CHECK);
  rest_host.clients = 0;
  rest_ask("HEAD " PERMISSION "?targetName=g");
  expect(404);
  ck_assert_str_eq(rest_header("x-ms-error-code"),
                   "Info.Connection.NotExisted");
  rest_ask("PUT " PERMISSION "?targetName=g");
  expect(404);
  rest_ask("DELETE " PERMISSION "?targetName=g");
  expect(204);

  rest_ask("PUT " PERMISSION);
  expect(400);
  ck_assert_str_eq(rest_host.answer.body,
                   ERROR("Error.BadRequest", BAD_GROUP, "Request"));
  expect_bad("HEAD " PERMISSION "?targetName=%20", "Request");
  expect_bad("DELETE " PERMISSION "?targetName=", "Request");
  expect_bad("PUT " PERMISSION "?targetName=a&targetName=b", "targetName");
  expect_bad("PUT " HUB "/permissions/3/connections/c?targetName=g",
             "permission");
  rest_host.done_status = WPS_ELIMIT;
  rest_ask("PUT " PERMISSION "?targetName=g");
  expect(409);
  ck_assert_str_eq(rest_header("x-ms-error-code"), "Error.Connection.Conflict");
  rest_ask("DELETE " PERMISSION "?targetName=g");
  expect(409);
}
END_TEST

static Suite *suite(void)
{
  Suite *s = suite_create("rest");
  TCase *tc = tcase_create("operations");

  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_add_test(tc, send_targets);
  tcase_add_test(tc, send_bodies);
  tcase_add_test(tc, send_limits);
  tcase_add_test(tc, send_metadata);
  tcase_add_test(tc, invoke);
  tcase_add_test(tc, names);
  tcase_add_test(tc, encoded_slash);
  tcase_add_test(tc, versions);
  tcase_add_test(tc, common_headers);
  tcase_add_test(tc, rate);
  tcase_add_test(tc, parameters);
  tcase_add_test(tc, bad_filter);
  tcase_add_test(tc, existence);
  tcase_add_test(tc, close_clients);
  tcase_add_test(tc, membership);
  tcase_add_test(tc, host_failures);
  tcase_add_test(tc, bulk);
  tcase_add_test(tc, listing);
  tcase_add_test(tc, public_endpoint);
  tcase_add_test(tc, permissions);
  suite_add_tcase(s, tc);
  return s;
}

int main(void)
{
  SRunner *runner = srunner_create(suite());
  int failed;

  srunner_run_all(runner, CK_NORMAL);
  failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
