/* SPDX-License-Identifier: Apache-2.0 */
/* The connect event's body, what applications answer to it, and what token
 * endpoints do. */
#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <webpubsub/status.h>

#include "plugins/common/cloudevents/connect_answer.h"
#include "plugins/common/cloudevents/connect_body.h"
#include "plugins/common/cloudevents/text.h"
#include "plugins/upstream-webhook/token_answer.h"

#define PAIR(name, value)                                                      \
  {                                                                            \
    WPS_STR_INIT(name), WPS_STR_INIT(value)                                    \
  }
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static json_t *body_of(const struct connect_facts *facts)
{
  struct text out = {0};
  json_error_t error;
  json_t *tree;

  ck_assert_int_eq(connect_body_write(facts, &out), WPS_OK);
  tree = json_loadb(out.ptr, out.len, JSON_REJECT_DUPLICATES, &error);
  ck_assert_msg(tree != NULL, "%s: %.*s", error.text, (int)out.len, out.ptr);
  text_free(&out);
  return tree;
}

static void has(const struct connect_facts *facts, const char *member,
                const char *text)
{
  json_t *tree = body_of(facts);
  char *found = json_dumps(json_object_get(tree, member), JSON_COMPACT);

  ck_assert_str_eq(found, text);
  free(found);
  json_decref(tree);
}

/* ---- body ---- */

START_TEST(s20_five_members)
{
  struct connect_facts facts = {0};
  struct text out = {0};

  ck_assert_int_eq(connect_body_write(&facts, &out), WPS_OK);
  ck_assert(str_equal(text_str(&out),
                      STR("{\"claims\":{},\"query\":{},\"headers\":{},"
                          "\"subprotocols\":[],\"clientCertificates\":[]}")));
  text_free(&out);
}
END_TEST

START_TEST(s21_claims_are_lists_in_order)
{
  static const struct wps_pair claims[] = {
      PAIR("sub", "alice"), PAIR("role", "b"),     PAIR("exp", "1793200000"),
      PAIR("role", "a"),    PAIR("Role", "c"),     PAIR("aud", "x"),
      PAIR("role", "b"),    PAIR("o", "{\"a\":1}")};
  struct connect_facts facts = {.claims = claims, .claim_count = COUNT(claims)};

  has(&facts, "claims",
      "{\"sub\":[\"alice\"],\"role\":[\"b\",\"a\",\"b\"],"
      "\"exp\":[\"1793200000\"],\"Role\":[\"c\"],\"aud\":[\"x\"],"
      "\"o\":[\"{\\\"a\\\":1}\"],"
      "\"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
      "nameidentifier\":[\"alice\"]}");
}
END_TEST

START_TEST(a_long_name_that_is_there_stays)
{
  static const struct wps_pair claims[] = {
      PAIR("sub", "a"),
      PAIR("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
           "nameidentifier",
           "b")};
  struct connect_facts facts = {.claims = claims, .claim_count = COUNT(claims)};

  has(&facts, "claims",
      "{\"sub\":[\"a\"],\"http://schemas.xmlsoap.org/ws/2005/05/identity/"
      "claims/nameidentifier\":[\"b\"]}");
}
END_TEST

START_TEST(s20_no_credentials)
{
  static const struct wps_pair query[] = {
      PAIR("room", "7"), PAIR("access_token", "x"),
      PAIR("room", "8"), PAIR("ACCESS_token", "y"),
      PAIR("", ""),      PAIR("Room", "9")};
  static const struct wps_pair headers[] = {
      PAIR("Host", "h"),           PAIR("Authorization", "Bearer x"),
      PAIR("Cookie", "a=b"),       PAIR("x-asrs-internal-foo", "1"),
      PAIR("authorization", "y"),  PAIR("COOKIE", "c=d"),
      PAIR("X-ASRS-Internal-", "")};
  struct connect_facts facts = {.query = query,
                                .query_count = COUNT(query),
                                .headers = headers,
                                .header_count = COUNT(headers)};

  has(&facts, "query", "{\"room\":[\"7\",\"8\"],\"\":[\"\"],\"Room\":[\"9\"]}");
  has(&facts, "headers", "{\"Host\":[\"h\"],\"Cookie\":[\"a=b\",\"c=d\"]}");
}
END_TEST

START_TEST(what_is_no_utf8_is_valid_json_all_the_same)
{
  static const struct wps_pair query[] = {
      PAIR("a\xff", "\xc3"), PAIR("b", "\xc3\xa9\xed\xa0\x80"),
      PAIR("c", "\"\\\x01\xf0\x9f\x98\x80")};
  static const struct wps_str offers[] = {WPS_STR_INIT("x\x80"),
                                          WPS_STR_INIT("json")};
  struct connect_facts facts = {.query = query,
                                .query_count = COUNT(query),
                                .subprotocols = offers,
                                .subprotocol_count = COUNT(offers)};

  has(&facts, "query",
      "{\"a\xef\xbf\xbd\":[\"\xef\xbf\xbd\"],"
      "\"b\":[\"\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"],"
      "\"c\":[\"\\\"\\\\\\u0001\xf0\x9f\x98\x80\"]}");
  has(&facts, "subprotocols", "[\"x\xef\xbf\xbd\",\"json\"]");
}
END_TEST

START_TEST(thousands_of_names_take_no_time)
{
  enum { MANY = 20000 };
  struct wps_pair *query = calloc(MANY, sizeof(*query));
  char(*names)[8] = calloc(MANY, sizeof(*names));
  struct connect_facts facts = {.query = query, .query_count = MANY};
  json_t *tree;

  for (int i = 0; i < MANY; i++) {
    snprintf(names[i], sizeof(names[i]), "%d", i % 7000);
    query[i] = (struct wps_pair){str_of(names[i]), STR("v")};
  }
  tree = body_of(&facts);
  ck_assert_uint_eq(json_object_size(json_object_get(tree, "query")), 7000);
  json_decref(tree);
  free(names);
  free(query);
}
END_TEST

START_TEST(certificates)
{
  unsigned char der[100];
  struct connect_facts facts = {.certificate = {der, sizeof(der)}};
  json_t *tree, *one;
  const char *pem;

  memset(der, 'a', sizeof(der));
  tree = body_of(&facts);
  one = json_array_get(json_object_get(tree, "clientCertificates"), 0);
  ck_assert_str_eq(json_string_value(json_object_get(one, "thumbprint")),
                   "7f9000257a4918d7072655ea468540cdcbd42e0c");
  pem = json_string_value(json_object_get(one, "content"));
  ck_assert(strncmp(pem, "-----BEGIN CERTIFICATE-----\r\nYWFh", 33) == 0);
  ck_assert_str_eq(pem + strlen(pem) - 29, "==\r\n-----END CERTIFICATE-----");
  ck_assert_ptr_eq(strstr(pem + 29, "\r\n"), pem + 29 + 64);
  json_decref(tree);
}
END_TEST

/* ---- answer ---- */

static const char *reason;

static int answer(const char *body, struct connect_answer *a)
{
  char *exact = malloc(strlen(body) + 1);
  int rc;

  memcpy(exact, body, strlen(body));
  reason = NULL;
  rc = connect_answer_read((struct wps_str){exact, strlen(body)}, a, &reason);
  free(exact);
  return rc;
}

START_TEST(s22_s26_answers_that_say_nothing)
{
  static const char *const bodies[] = {
      "",
      "null",
      " null\r\n",
      "\xef\xbb\xbf",
      "\xef\xbb\xbfnull",
      "{}",
      "{\"groups\":null,\"userId\":null,\"roles\":null,\"subprotocol\":null}",
      "{\"states\":{\"a\":[1,2]},\"mqtt\":null,\"other\":\"x\"}"};

  for (size_t i = 0; i < COUNT(bodies); i++) {
    struct connect_answer a;

    ck_assert_msg(answer(bodies[i], &a) == WPS_OK, "%s", bodies[i]);
    ck_assert(a.user.ptr == NULL && a.subprotocol.ptr == NULL &&
              a.roles == NULL && a.groups == NULL);
    connect_answer_free(&a);
  }
}
END_TEST

START_TEST(s23_s25_answers_that_say_all)
{
  struct connect_answer a;

  ck_assert_int_eq(
      answer("{\"groups\":[\"g1\",\"g,\\\"2]\"],\"USERID\":\"a\\u00e9\","
             "\"roles\":[],\"subProtocol\":\"x\"}",
             &a),
      WPS_OK);
  ck_assert(str_equal(a.user, STR("a\xc3\xa9")));
  ck_assert(str_equal(a.subprotocol, STR("x")));
  ck_assert(a.roles != NULL && a.role_count == 0);
  ck_assert(a.group_count == 2 && str_equal(a.groups[0], STR("g1")) &&
            str_equal(a.groups[1], STR("g,\"2]")));
  connect_answer_free(&a);
  ck_assert_int_eq(answer("\xef\xbb\xbf{\"userId\":\"\"}", &a), WPS_OK);
  ck_assert(a.user.ptr != NULL && a.user.len == 0);
  connect_answer_free(&a);
  ck_assert_int_eq(answer("{\"roles\":[ \"a\" ,\"b\\\\\",\t\"c\" ]}", &a),
                   WPS_OK);
  ck_assert(a.role_count == 3 && str_equal(a.roles[1], STR("b\\")) &&
            str_equal(a.roles[2], STR("c")));
  connect_answer_free(&a);
  /* Of two the last one counts. */
  ck_assert_int_eq(answer("{\"userId\":\"a\",\"userid\":null}", &a), WPS_OK);
  ck_assert_ptr_null(a.user.ptr);
  connect_answer_free(&a);
}
END_TEST

START_TEST(s31_answers_that_are_none)
{
  static const char *const bodies[] = {"hello",
                                       "[]",
                                       "\"x\"",
                                       "1",
                                       "true",
                                       " ",
                                       "{",
                                       "{}x",
                                       "{\"userId\":1}",
                                       "{\"userId\":{}}",
                                       "{\"userId\":[\"a\"]}",
                                       "{\"subprotocol\":false}",
                                       "{\"roles\":\"a\"}",
                                       "{\"roles\":{}}",
                                       "{\"roles\":[null]}",
                                       "{\"roles\":[1]}",
                                       "{\"groups\":[null]}",
                                       "{\"groups\":[\"a\",null]}",
                                       "{\"groups\":[[\"a\"]]}",
                                       "{\"groups\":[{\"a\":\"b\"}]}",
                                       "{\"groups\":[\"a\" \"b\"]}",
                                       "{\"userId\":\"\xff\"}",
                                       "{\"userId\":\"a\",}",
                                       "nul"};

  for (size_t i = 0; i < COUNT(bodies); i++) {
    struct connect_answer a;

    ck_assert_msg(answer(bodies[i], &a) == WPS_EPROTO, "%s", bodies[i]);
    ck_assert_ptr_nonnull(reason);
    ck_assert_ptr_null(a.block);
  }
}
END_TEST

/* ---- tokens ---- */

static int token(const char *body, struct text *out, uint64_t *seconds)
{
  text_clear(out);
  return token_answer_read(str_of(body), out, seconds, &reason);
}

START_TEST(token_answers)
{
  static const char *const bad[] = {"",
                                    "x",
                                    "[]",
                                    "{}",
                                    "{\"access_token\":null}",
                                    "{\"access_token\":1}",
                                    "{\"access_token\":\"\"}",
                                    "{\"access_token\":\"a b\"}",
                                    "{\"access_token\":\"a\\r\\nX: y\"}",
                                    "{\"access_token\":\"\xc3\xa9\"}",
                                    "{\"access_token\":\"a\"} x"};
  struct text out = {0};
  uint64_t seconds;

  ck_assert_int_eq(token("{\"token_type\":\"Bearer\",\"expires_in\":3599,"
                         "\"access_token\":\"a.b\\u002dc\"}",
                         &out, &seconds),
                   WPS_OK);
  ck_assert(str_equal(text_str(&out), STR("a.b-c")));
  ck_assert_uint_eq(seconds, 3599);
  ck_assert_int_eq(
      token("{\"access_token\":\"a\",\"expires_in\":\"60\"}", &out, &seconds),
      WPS_OK);
  ck_assert_uint_eq(seconds, 60);
  ck_assert_int_eq(token("{\"access_token\":\"a\"}", &out, &seconds), WPS_OK);
  ck_assert_uint_eq(seconds, 300);
  ck_assert_int_eq(
      token("{\"access_token\":\"a\",\"expires_in\":0}", &out, &seconds),
      WPS_OK);
  ck_assert_uint_eq(seconds, 300);
  ck_assert_int_eq(
      token("{\"access_token\":\"a\",\"expires_in\":\"\"}", &out, &seconds),
      WPS_OK);
  ck_assert_uint_eq(seconds, 300);
  for (size_t i = 0; i < COUNT(bad); i++)
    ck_assert_msg(token(bad[i], &out, &seconds) == WPS_EPROTO, "%s", bad[i]);
  text_free(&out);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("webhook_connect");
  TCase *t = tcase_create("connect");
  SRunner *r = srunner_create(s);
  int failed;

  tcase_add_test(t, s20_five_members);
  tcase_add_test(t, s21_claims_are_lists_in_order);
  tcase_add_test(t, a_long_name_that_is_there_stays);
  tcase_add_test(t, s20_no_credentials);
  tcase_add_test(t, what_is_no_utf8_is_valid_json_all_the_same);
  tcase_add_test(t, thousands_of_names_take_no_time);
  tcase_add_test(t, certificates);
  tcase_add_test(t, s22_s26_answers_that_say_nothing);
  tcase_add_test(t, s23_s25_answers_that_say_all);
  tcase_add_test(t, s31_answers_that_are_none);
  tcase_add_test(t, token_answers);
  suite_add_tcase(s, t);
  srunner_run_all(r, CK_NORMAL);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
