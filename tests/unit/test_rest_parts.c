/* SPDX-License-Identifier: Apache-2.0 */
/* http-rest: its parts that need no operation, generated tokens, and the
 * description of the API against the table of routes. */
#include "tests/unit/rest_host.h"
#include "plugins/http-rest/params.h"
#include "plugins/http-rest/rest.h"

#include "plugins/common/jwt_base64.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

static struct wps_str str(const char *c)
{
  return (struct wps_str){c, strlen(c)};
}

static void setup(void)
{
  rest_host_reset();
}

static void teardown(void)
{
  rest_request(NULL);
}

START_TEST(versions)
{
  static const char *const old[] = {
      "2021-10-01",         "2022-11-01",         "2023-07-01",
      "2024-01-01",         "2024-12-01",         "2020-10-01",
      "2021-05-01-preview", "2021-08-01-preview", "2022-10-01-preview"};
  static const char *const newer[] = {"2024-12-02", "2025-08-01-preview",
                                      "2026-02-28", "2027-11-21"};
  static const char *const bad[] = {
      "",           "2024-12-01 ",        "2021-10-02",          "2023-01-01",
      "2024-02-29", "2026-02-29",         "2026-13-01",          "2026-00-10",
      "2026-04-31", "2026-4-01",          "2026/04/01",          "2027-11-22",
      "2099-01-01", "2026-01-01-Preview", "2026-01-01-preview2", "-preview",
      "2024-11-30"};

  for (size_t i = 0; i < sizeof(old) / sizeof(old[0]); i++)
    ck_assert(api_version_ok(str(old[i]), false));
  for (size_t i = 0; i < sizeof(newer) / sizeof(newer[0]); i++) {
    ck_assert_msg(api_version_ok(str(newer[i]), true), "%s", newer[i]);
    ck_assert(!api_version_ok(str(newer[i]), false));
  }
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    ck_assert_msg(!api_version_ok(str(bad[i]), true), "%s", bad[i]);
}
END_TEST

START_TEST(params)
{
  const struct wps_request *req =
      rest_request("GET /x?a=1&B=%ff&c=&c=x+y&d=&e=10&e2=10&E2=10");
  struct wps_str text, *list;
  uint32_t n;
  size_t count;

  ck_assert_int_eq(param_text(req, "A", &text), WPS_OK);
  ck_assert_str_eq(text.ptr, "1");
  ck_assert_int_eq(param_text(req, "none", &text), WPS_OK);
  ck_assert_ptr_null(text.ptr);
  ck_assert_int_eq(param_text(req, "d", &text), WPS_OK);
  ck_assert_ptr_nonnull(text.ptr);
  ck_assert_uint_eq(text.len, 0);
  ck_assert_int_eq(param_text(req, "b", &text), WPS_EINVAL);
  ck_assert_int_eq(param_text(req, "c", &text), WPS_EINVAL);

  ck_assert_int_eq(param_int(req, "e", 0, 10, 5, &n), WPS_OK);
  ck_assert_uint_eq(n, 10);
  ck_assert_int_eq(param_int(req, "e", 0, 9, 5, &n), WPS_EINVAL);
  ck_assert_int_eq(param_int(req, "e", 11, 90, 5, &n), WPS_EINVAL);
  ck_assert_int_eq(param_int(req, "e2", 0, 10, 5, &n), WPS_EINVAL);
  ck_assert_int_eq(param_int(req, "none", 0, 9, 5, &n), WPS_OK);
  ck_assert_uint_eq(n, 5);

  ck_assert_int_eq(param_list(req, "c", false, &list, &count), WPS_OK);
  ck_assert_uint_eq(count, 1);
  ck_assert_int_eq(strncmp(list[0].ptr, "x y", 3), 0);
  free(list);
  ck_assert_int_eq(param_list(req, "c", true, &list, &count), WPS_OK);
  ck_assert_uint_eq(count, 2);
  free(list);
  ck_assert_int_eq(param_list(req, "none", true, &list, &count), WPS_OK);
  ck_assert_ptr_null(list);
  ck_assert_int_eq(param_list(req, "b", true, &list, &count), WPS_EINVAL);
}
END_TEST

START_TEST(media_types)
{
  static const struct {
    const char *text;
    uint32_t charset;
  } cases[] = {
      {"text/plain", CHARSET_UTF8},
      {"text/plain;", CHARSET_UTF8},
      {"text/plain; charset=UTF-8", CHARSET_UTF8},
      {"text/plain;a=\";charset=x\" ; Charset = \"utf-16\" ", CHARSET_UTF16},
      {"text/plain;a=\"\\\";charset=x\";charset=latin1", CHARSET_LATIN1},
      {"text/plain; charset=ISO-8859-1; charset=utf-8", CHARSET_LATIN1},
      {"text/plain; charset=utf-16le", CHARSET_UTF16LE},
      {"text/plain; charset=utf-16be", CHARSET_UTF16BE},
      {"text/plain; charset=", CHARSET_UNKNOWN},
      {"text/plain; charset=\"", CHARSET_UNKNOWN},
      {"text/plain; charset=utf-32", CHARSET_UNKNOWN},
      {"text/plain; charset", CHARSET_UTF8}};

  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    ck_assert_msg(media_type_charset(str(cases[i].text)) == cases[i].charset,
                  "%s", cases[i].text);
    ck_assert(media_type_is(str(cases[i].text), "text/plain"));
  }
  ck_assert(media_type_is(str(" Text/Plain ; x"), "text/plain"));
  ck_assert(!media_type_is(str("text/plainer"), "text/plain"));
  ck_assert(!media_type_is(str(""), "text/plain"));
}
END_TEST

static void converts(struct charset_set *set, uint32_t charset, const char *in,
                     size_t len, const char *wanted)
{
  char *out;
  size_t out_len;
  int rc = charset_convert(set, charset, (struct wps_bytes){in, len}, &out,
                           &out_len);

  if (wanted == NULL) {
    ck_assert_int_eq(rc, WPS_EPROTO);
    return;
  }
  ck_assert_int_eq(rc, WPS_OK);
  ck_assert_uint_eq(out_len, strlen(wanted));
  ck_assert_int_eq(memcmp(out, wanted, out_len), 0);
  free(out);
}

START_TEST(charsets)
{
  struct charset_set set;
  char *out;
  size_t len;

  charset_open(&set);
  converts(&set, CHARSET_LATIN1, "\x80\xff", 2, "\xc2\x80\xc3\xbf");
  converts(&set, CHARSET_LATIN1, "", 0, "");
  converts(&set, CHARSET_UTF16LE, "\x3d\xd8\x00\xde", 4, "\xf0\x9f\x98\x80");
  converts(&set, CHARSET_UTF16LE, "\x3d\xd8", 2, NULL);
  converts(&set, CHARSET_UTF16LE, "\x00\xde", 2, NULL);
  converts(&set, CHARSET_UTF16LE, "a", 1, NULL);
  converts(&set, CHARSET_UTF16BE, "\x20\xac", 2, "\xe2\x82\xac");
  converts(&set, CHARSET_UTF16, "\xfe\xff\x20\xac", 4, "\xe2\x82\xac");
  converts(&set, CHARSET_UTF16, "\xff\xfe\xac\x20", 4, "\xe2\x82\xac");
  converts(&set, CHARSET_UTF16, "\xac\x20", 2, "\xe2\x82\xac");
  converts(&set, CHARSET_UTF16, "\xff\xfe", 2, "");
  ck_assert_int_eq(charset_convert(&set, CHARSET_UNKNOWN,
                                   (struct wps_bytes){"", 0}, &out, &len),
                   WPS_ENOTSUP);
  charset_close(&set);
}
END_TEST

START_TEST(rates)
{
  struct rate *r = rate_new(10, 3);
  uint32_t retry;
  int passed = 0;

  /* Three at once, then one each 100 ms. */
  for (int i = 0; i < 5; i++)
    passed += rate_take(r, str("a"), 1000000, &retry);
  ck_assert_int_eq(passed, 3);
  ck_assert_uint_eq(retry, 1);
  ck_assert(!rate_take(r, str("a"), 1099999, &retry));
  ck_assert(rate_take(r, str("a"), 1100000, &retry));
  ck_assert(!rate_take(r, str("a"), 1100000, &retry));
  ck_assert(rate_take(r, str("b"), 1100000, &retry));
  ck_assert(rate_take(r, (struct wps_str){NULL, 0}, 1100000, &retry));
  /* A second of steady requests: no more than the rate. */
  passed = 0;
  for (int64_t t = 5000000; t < 6000000; t += 1000)
    passed += rate_take(r, str("a"), t, &retry);
  ck_assert_int_eq(passed, 3 + 9);
  rate_free(r);

  r = rate_new(1, 1);
  ck_assert(rate_take(r, str("a"), 0, &retry));
  ck_assert(!rate_take(r, str("a"), 500000, &retry));
  ck_assert_uint_eq(retry, 1);
  ck_assert(rate_take(r, str("a"), 1000000, &retry));
  rate_free(r);

  /* More credentials than places: they share, nobody is let in for free. */
  r = rate_new(1, 1);
  passed = 0;
  for (int i = 0; i < 5000; i++) {
    char name[16];

    snprintf(name, sizeof(name), "k%d", i);
    passed += rate_take(r, str(name), 1000000, &retry);
  }
  ck_assert_int_eq(passed, 1024);
  rate_free(r);
}
END_TEST

START_TEST(cursors)
{
  struct wps_str after;
  char room[REST_CURSOR_MAX];
  char *token = rest_cursor_make(str("chat"), str("g"), str("conn-1"));

  ck_assert_ptr_nonnull(token);
  ck_assert_int_eq(
      rest_cursor_read(str("chat"), str("g"), str(token), room, &after),
      WPS_OK);
  ck_assert_uint_eq(after.len, 6);
  ck_assert_int_eq(memcmp(after.ptr, "conn-1", 6), 0);
  ck_assert_int_eq(
      rest_cursor_read(str("chat"), str("gc"), str(token), room, &after),
      WPS_EUNAUTHORIZED);
  ck_assert_int_eq(
      rest_cursor_read(str("chatg"), str(""), str(token), room, &after),
      WPS_EUNAUTHORIZED);
  for (size_t i = 0; token[i] != '\0'; i++) {
    char was = token[i];

    token[i] = was == 'A' ? 'B' : 'A';
    ck_assert_int_eq(
        rest_cursor_read(str("chat"), str("g"), str(token), room, &after),
        WPS_EUNAUTHORIZED);
    token[i] = was;
  }
  /* Cut, empty, too long. */
  for (size_t len = 0; token[len] != '\0'; len++)
    ck_assert_int_eq(rest_cursor_read(str("chat"), str("g"),
                                      (struct wps_str){token, len}, room,
                                      &after),
                     WPS_EUNAUTHORIZED);
  memset(room, 'A', sizeof(room));
  ck_assert_int_eq(rest_cursor_read(str("chat"), str("g"),
                                    (struct wps_str){room, 2049}, room, &after),
                   WPS_EUNAUTHORIZED);
  free(token);
}
END_TEST

/* ---- generated tokens ---- */

static json_t *part(const char *text, size_t len)
{
  char bytes[4096];
  size_t size;
  json_t *doc;

  ck_assert_uint_lt(len, 4000);
  ck_assert(token_base64url_decode((struct wps_str){text, len}, bytes, &size));
  doc = json_loadb(bytes, size, 0, NULL);
  ck_assert_ptr_nonnull(doc);
  return doc;
}

/* Claims of the token in the answer, whose header and signature are right. */
static json_t *claims_of_answer(void)
{
  json_t *doc = json_loads(rest_host.answer.body, 0, NULL), *header, *claims;
  const char *token = json_string_value(json_object_get(doc, "token"));
  const char *dot, *end;
  static const struct wps_str purpose = WPS_STR_INIT("client-token");
  uint8_t mac[64];
  size_t len;

  ck_assert_uint_eq(rest_host.answer.code, 200);
  ck_assert_ptr_nonnull(token);
  dot = strchr(token, '.');
  end = strrchr(token, '.');
  header = part(token, (size_t)(dot - token));
  claims = part(dot + 1, (size_t)(end - dot - 1));
  ck_assert_str_eq(json_string_value(json_object_get(header, "alg")), "HS256");
  ck_assert_str_eq(json_string_value(json_object_get(header, "typ")), "JWT");
  ck_assert_str_eq(json_string_value(json_object_get(header, "cty")), "JWT");
  ck_assert_uint_eq(json_object_size(header), 4);
  ck_assert_int_eq(
      strncmp(json_string_value(json_object_get(header, "kid")), "s-", 2), 0);
  ck_assert_uint_eq(strlen(json_string_value(json_object_get(header, "kid"))),
                    38);
  ck_assert(token_base64url_decode(str(end + 1), mac, &len));
  ck_assert_uint_eq(len, 32);
  ck_assert_int_eq(
      wps->server->verify(WPS_KEY_SERVICE, purpose,
                          (struct wps_bytes){token, (size_t)(end - token)}, mac,
                          NULL),
      WPS_OK);
  json_decref(header);
  json_decref(doc);
  return claims;
}

#define GENERATE "POST /api/hubs/Chat/:generateToken"

START_TEST(token_claims)
{
  json_t *claims;
  char *text;

  rest_host_start();
  rest_ask(GENERATE "\nHost: h:8080");
  claims = claims_of_answer();
  text = json_dumps(claims, JSON_COMPACT);
  ck_assert_str_eq(text,
                   "{\"nbf\":1700000000,\"exp\":1700003600,\"iat\":1700000000,"
                   "\"iss\":\"https://webpubsub.azure.com\","
                   "\"aud\":\"http://h:8080/client/hubs/chat\"}");
  free(text);
  json_decref(claims);
  ck_assert_str_eq(rest_header("Cache-Control"), "no-store");

  rest_host.endpoints[0] = "https://pubsub.example.com";
  rest_ask(GENERATE "?userId=foo&role=a&role=b&role=&minutesToExpire=1&"
                    "group=a%26b&group=c&clientType=mqtt\nHost: proxy");
  claims = claims_of_answer();
  text = json_dumps(claims, JSON_COMPACT);
  ck_assert_str_eq(text,
                   "{\"sub\":\"foo\",\"role\":[\"a\",\"b\"],"
                   "\"webpubsub.group\":[\"a&b\",\"c\"],\"nbf\":1700000000,"
                   "\"exp\":1700000060,\"iat\":1700000000,"
                   "\"iss\":\"https://webpubsub.azure.com\",\"aud\":"
                   "\"https://pubsub.example.com/clients/mqtt/hubs/chat\"}");
  free(text);
  json_decref(claims);

  rest_ask(GENERATE "?clientType=SOCKETIO&minutesToExpire=2147483647&userId=");
  claims = claims_of_answer();
  ck_assert_str_eq(json_string_value(json_object_get(claims, "aud")),
                   "https://pubsub.example.com/clients/socketio/hubs/chat");
  ck_assert_int_eq(json_integer_value(json_object_get(claims, "exp")),
                   1700000000 + INT64_C(60) * 2147483647);
  ck_assert_ptr_null(json_object_get(claims, "sub"));
  json_decref(claims);
  rest_host_stop();
}
END_TEST

START_TEST(token_refusals)
{
  static const char *const bad[] = {"minutesToExpire=0",
                                    "minutesToExpire=2147483648",
                                    "minutesToExpire=1.5",
                                    "minutesToExpire=",
                                    "clientType=x",
                                    "clientType=",
                                    "clientType=MQTT&clientType=MQTT",
                                    "group=%20",
                                    "group=",
                                    "group=%ff",
                                    "role=%ff",
                                    "userId=%ff",
                                    "userId=a&userId=b"};
  char head[256];

  rest_host_start();
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    snprintf(head, sizeof(head), GENERATE "?%s", bad[i]);
    rest_ask(head);
    ck_assert_msg(rest_host.answer.code == 400, "%s", bad[i]);
  }
  rest_host.no_memory = true;
  rest_ask(GENERATE);
  ck_assert_int_eq(rest_host.answer.failed, WPS_ENOMEM);
  rest_host_stop();
}
END_TEST

/* ---- the description ---- */

static const char *member(const json_t *object, const char *name)
{
  const char *text = json_string_value(json_object_get(object, name));

  return text != NULL ? text : "";
}

static const struct rest_op *find_op(const char *method, const char *pattern)
{
  for (size_t i = 0; i < rest_op_count; i++)
    if (strcasecmp(rest_ops[i].method, method) == 0 &&
        strcmp(rest_ops[i].pattern, pattern) == 0)
      return &rest_ops[i];
  return NULL;
}

START_TEST(openapi)
{
  json_t *doc, *paths, *path, *op;
  const char *pattern, *method;
  size_t described = 0;

  rest_host_start();
  rest_ask("GET /api/openapi.json");
  ck_assert_uint_eq(rest_host.answer.code, 200);
  ck_assert_uint_eq(rest_host.answer.body_len, rest_openapi_json_len);
  doc = json_loads(rest_host.answer.body, JSON_REJECT_DUPLICATES, NULL);
  ck_assert_ptr_nonnull(doc);
  paths = json_object_get(doc, "paths");
  json_object_foreach(paths, pattern, path)
  {
    json_object_foreach(path, method, op)
    {
      const struct rest_op *known = find_op(method, pattern);
      const char *id = member(op, "operationId");

      /* The core's own. */
      if (strcmp(id, "HealthApi_GetServiceStatus") == 0)
        continue;
      ck_assert_msg(known != NULL, "%s %s is described, not served", method,
                    pattern);
      ck_assert_int_eq(strncmp(id, "WebPubSub_", 10), 0);
      ck_assert_str_eq(id + 10, known->name);
      ck_assert_int_eq(json_object_get(op, "security") != NULL,
                       (known->flags & REST_PUBLIC) != 0);
      ck_assert_int_eq(json_object_get(op, "requestBody") != NULL,
                       (known->flags & REST_BODY) != 0);
      described++;
    }
  }
  ck_assert_uint_eq(described, rest_op_count);
  json_decref(doc);
  rest_host_stop();
}
END_TEST

START_TEST(routes)
{
  const struct wps_http_route *r;
  size_t count = 0;

  rest_host_start();
  for (; (r = rest_route_at(count)) != NULL; count++) {
    bool reads =
        strcmp(r->method, "HEAD") == 0 || strcmp(r->method, "GET") == 0;
    bool open = strcmp(r->pattern, "/api/openapi.json") == 0;

    ck_assert_uint_eq(r->purpose, open ? 0 : WPS_FOR_API);
    if (!open)
      ck_assert_int_eq(r->scope != NULL, reads);
  }
  ck_assert_uint_eq(count, rest_op_count);
  rest_host_stop();
}
END_TEST

static Suite *suite(void)
{
  Suite *s = suite_create("rest parts");
  TCase *tc = tcase_create("parts");

  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_add_test(tc, versions);
  tcase_add_test(tc, params);
  tcase_add_test(tc, media_types);
  tcase_add_test(tc, charsets);
  tcase_add_test(tc, rates);
  tcase_add_test(tc, cursors);
  tcase_add_test(tc, token_claims);
  tcase_add_test(tc, token_refusals);
  tcase_add_test(tc, openapi);
  tcase_add_test(tc, routes);
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
