/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: azure-client.md 2, checklist C-25 to C-34, and the holes of the
 * libraries that the order of checks closes. */
#include "test_jwt.h"

#include "plugins/common/jwt_base64.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include <webpubsub/status.h>

#define NOW_MS INT64_C(1000000000)
#define OK_CLAIMS "\"aud\":\"me\",\"exp\":1000000"

static bool hs256(void *arg, bool generated, struct wps_bytes data,
                  const uint8_t mac[32])
{
  unsigned char own[32];
  unsigned len = sizeof(own);

  if (arg != NULL)
    *(bool *)arg = generated;
  HMAC(EVP_sha256(), TEST_KEY, sizeof(TEST_KEY) - 1, data.ptr, data.len, own,
       &len);
  return CRYPTO_memcmp(own, mac, sizeof(own)) == 0;
}

static bool audience_me(void *arg, uint32_t alg, struct wps_str aud)
{
  (void)arg;
  (void)alg;
  return aud.len == 2 && memcmp(aud.ptr, "me", 2) == 0;
}

struct token_policy policy_make(void)
{
  return (struct token_policy){.max_bytes = 8192,
                               .skew_ms = 300000,
                               .now_unix_ms = NOW_MS,
                               .hs256 = hs256,
                               .audience = audience_me};
}

int token_try(const char *text, const struct token_policy *policy,
              const char **why)
{
  struct token token;
  /* Exactly as long as it is, so that a sanitizer sees a read past it. */
  size_t len = strlen(text);
  char *copy = malloc(len > 0 ? len : 1);
  int rc;

  memcpy(copy, text, len);
  rc = token_read((struct wps_str){copy, len}, policy, &token, why);
  if (rc == WPS_OK)
    token_clear(&token);
  free(copy);
  return rc;
}

/* Takes over `text`. */
static void expect(char *text, int status, const char *reason)
{
  struct token_policy policy = policy_make();
  const char *why = NULL;
  int rc = token_try(text, &policy, &why);

  ck_assert_msg(rc == status, "%s: %d, %s", text, rc, why);
  if (status != WPS_OK)
    ck_assert_msg(strstr(why, reason) != NULL, "%s: %s", reason, why);
  free(text);
}

static void expect_claims(const char *claims, int status, const char *reason)
{
  char payload[1024];

  snprintf(payload, sizeof(payload), "{%s}", claims);
  expect(mint(HS256_HEADER, payload), status, reason);
}

/* ---- form ---- */

START_TEST(worked_example)
{
  /* azure-client.md 2.4 */
  static const char text[] =
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
      "eyJhdWQiOiJodHRwOi8vbG9jYWxob3N0OjgwODAvY2xpZW50L2h1YnMvY2hhdCIsInN1Yi"
      "I6ImFsaWNlIiwicm9sZSI6WyJ3ZWJwdWJzdWIuc2VuZFRvR3JvdXAiLCJ3ZWJwdWJzdWIu"
      "am9pbkxlYXZlR3JvdXAiXSwid2VicHVic3ViLmdyb3VwIjpbImNoYXQiXSwiaWF0IjoxNz"
      "YwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDB9."
      "KD1UoY8jWqezMkLKZFTQH2RY2-RlpogBkt_SH3eB-HY";
  struct token_policy policy = policy_make();
  struct token token;
  const char *why;

  ck_assert_int_eq(
      token_read((struct wps_str){text, strlen(text)}, &policy, &token, &why),
      WPS_EUNAUTHORIZED);
  ck_assert_str_eq(why, "the token is for another audience");
}
END_TEST

START_TEST(refuses_malformed)
{
  static const char *const forms[] = {
      "",        ".",      "..",      "...",     "a",           "a.b",
      "a.b.",    ".b.c",   "a..c",    "a.b.c.d", ".a.b.c",      "a.b.c.",
      "a b.c.d", "a.b.c=", "a.b\n.c", "a.b.c+",  "\xc3\xa4.b.c"};

  for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++)
    expect(strdup(forms[i]), WPS_EUNAUTHORIZED, "malformed");
}
END_TEST

START_TEST(refuses_bytes_outside)
{
  char *good = mint(HS256_HEADER, "{" OK_CLAIMS "}");

  for (int c = 1; c < 256; c++) {
    char *bad = strdup(good);

    if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
               "0123456789-_",
               c) != NULL) {
      free(bad);
      continue;
    }
    bad[50] = (char)c;
    expect(bad, WPS_EUNAUTHORIZED, "malformed");
  }
  free(good);
}
END_TEST

START_TEST(refuses_long)
{
  static const char start[] = "{" OK_CLAIMS ",\"x\":\"";
  struct token_policy policy = policy_make();
  char *claims = malloc(9000), *text;
  const char *why;

  memset(claims, 'x', 9000);
  memcpy(claims, start, strlen(start));
  memcpy(claims + 8997, "\"}", 3);
  text = mint(HS256_HEADER, claims);
  ck_assert_uint_gt(strlen(text), 8192);
  ck_assert_int_eq(token_try(text, &policy, &why), WPS_EUNAUTHORIZED);
  ck_assert_str_eq(why, "the token is too long");
  policy.max_bytes = 1 << 20;
  ck_assert_int_eq(token_try(text, &policy, &why), WPS_OK);
  free(text);
  text = malloc(TOKEN_BYTES_MAX + 2);
  memset(text, 'a', TOKEN_BYTES_MAX + 1);
  text[TOKEN_BYTES_MAX + 1] = '\0';
  ck_assert_int_eq(token_try(text, &policy, &why), WPS_EUNAUTHORIZED);
  ck_assert_str_eq(why, "the token is too long");
  free(text);
  free(claims);
}
END_TEST

/* ---- header ---- */

START_TEST(c26_refuses_algorithms)
{
  static const char *const headers[] = {"{\"alg\":\"none\"}",
                                        "{\"alg\":\"None\"}",
                                        "{\"alg\":\"NONE\",\"typ\":\"JWT\"}",
                                        "{\"alg\":\"hs256\"}",
                                        "{\"alg\":\"HS384\"}",
                                        "{\"alg\":\"HS512\"}",
                                        "{\"alg\":\"RS256\"}",
                                        "{\"alg\":\"ES256\"}",
                                        "{\"alg\":\"PS256\"}",
                                        "{\"alg\":\"EdDSA\"}",
                                        "{\"alg\":\"\"}",
                                        "{\"alg\":null}",
                                        "{\"alg\":1}",
                                        "{\"alg\":[\"HS256\"]}",
                                        "{\"alg\":\"HS256 \"}",
                                        "{\"typ\":\"JWT\"}",
                                        "{}"};

  for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++)
    expect(mint(headers[i], "{" OK_CLAIMS "}"), WPS_EUNAUTHORIZED, "algorithm");
  expect(mint_with("{\"alg\":\"none\"}", "{" OK_CLAIMS "}", ""),
         WPS_EUNAUTHORIZED, "malformed");
  expect(mint_with("{\"alg\":\"none\"}", "{" OK_CLAIMS "}", "AA"),
         WPS_EUNAUTHORIZED, "algorithm");
}
END_TEST

START_TEST(refuses_headers)
{
  static const char *const headers[] = {"[\"alg\"]",
                                        "\"HS256\"",
                                        "null",
                                        "{\"alg\":\"HS256\",\"alg\":\"HS256\"}",
                                        "{\"alg\":\"none\",\"alg\":\"HS256\"}",
                                        "{\"alg\":\"HS256\"",
                                        "{\"alg\":\"HS256\"}x",
                                        "{'alg':'HS256'}",
                                        "{\"alg\":\"HS256\",}",
                                        "{\"alg\":\"\xff\"}",
                                        "\xef\xbb\xbf{\"alg\":\"HS256\"}"};
  static const char nul[] = "{\"alg\":\"HS256\",\"x\":1\0}";
  char *text, *long_one = malloc(5000);

  for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++)
    expect(mint(headers[i], "{" OK_CLAIMS "}"), WPS_EUNAUTHORIZED,
           "header of the token is malformed");
  text = mint_bytes(nul, sizeof(nul) - 1, "{" OK_CLAIMS "}",
                    strlen("{" OK_CLAIMS "}"), TEST_KEY);
  expect(text, WPS_EUNAUTHORIZED, "header of the token is malformed");
  expect(mint("{\"alg\":\"HS256\",\"crit\":[\"x\"]}", "{" OK_CLAIMS "}"),
         WPS_EUNAUTHORIZED, "critical");
  expect(mint("{\"alg\":\"HS256\",\"crit\":[]}", "{" OK_CLAIMS "}"),
         WPS_EUNAUTHORIZED, "critical");
  snprintf(long_one, 5000, "{\"alg\":\"HS256\",\"x\":\"%04000d\"}", 0);
  expect(mint(long_one, "{" OK_CLAIMS "}"), WPS_EUNAUTHORIZED, "too long");
  free(long_one);
}
END_TEST

START_TEST(c30_ignores_the_rest)
{
  static const char *const headers[] = {
      HS256_HEADER,
      "{\"typ\":\"JWT\",\"alg\":\"HS256\"}",
      "{\"alg\":\"HS256\"}",
      "{\"alg\":\"HS256\",\"kid\":\"1\"}",
      "{\"alg\":\"HS256\",\"kid\":1}",
      "{ \"alg\" : \"HS256\", \"typ\": \"at+jwt\" }",
      "{\"alg\":\"\\u0048S256\"}"};

  for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++)
    expect(mint(headers[i], "{" OK_CLAIMS "}"), WPS_OK, "");
  expect_claims(OK_CLAIMS ",\"iss\":\"x\",\"iat\":\"never\",\"y\":null", WPS_OK,
                "");
  expect_claims(OK_CLAIMS ",\"iss\":7,\"webpubsub.other\":{}", WPS_OK, "");
}
END_TEST

/* ---- signature ---- */

START_TEST(c25_signature)
{
  char *good = mint(HS256_HEADER, "{" OK_CLAIMS "}"), *bad;
  size_t n = strlen(good);

  expect(strdup(good), WPS_OK, "");
  /* Every other last character: also those that decode to the same bits. */
  for (const char *c = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                       "0123456789-_";
       *c != '\0'; c++) {
    if (*c == good[n - 1])
      continue;
    bad = strdup(good);
    bad[n - 1] = *c;
    expect(bad, WPS_EUNAUTHORIZED, "signature");
  }
  bad = strdup(good);
  bad[n - 1] = '\0';
  expect(bad, WPS_EUNAUTHORIZED, "signature of the token is malformed");
  bad =
      mint_bytes(HS256_HEADER, strlen(HS256_HEADER), "{" OK_CLAIMS "}",
                 strlen("{" OK_CLAIMS "}"), "another key of 32 bytes.........");
  expect(bad, WPS_EUNAUTHORIZED, "does not match any key");
  bad = mint_bytes(HS256_HEADER, strlen(HS256_HEADER), "{" OK_CLAIMS "}",
                   strlen("{" OK_CLAIMS "}"), "");
  expect(bad, WPS_EUNAUTHORIZED, "does not match any key");
  free(good);
}
END_TEST

START_TEST(payload_changed)
{
  char *good = mint(HS256_HEADER, "{" OK_CLAIMS "}");

  good[45] = good[45] == 'A' ? 'B' : 'A';
  expect(good, WPS_EUNAUTHORIZED, "does not match any key");
}
END_TEST

/* ---- claims ---- */

START_TEST(refuses_payloads)
{
  static const char *const payloads[] = {"[1]",
                                         "\"x\"",
                                         "1",
                                         "null",
                                         "",
                                         "{" OK_CLAIMS "}{}",
                                         "{" OK_CLAIMS ",\"exp\":1000000}",
                                         "{\"aud\":\"me\",\"exp\":1e999}",
                                         "{" OK_CLAIMS ",\"a\":\"\\u0000\"}",
                                         "{" OK_CLAIMS ",\"a\":\"\\ud800\"}"};
  static const char nul[] = "{" OK_CLAIMS "\0}";
  char *text;

  for (size_t i = 0; i < sizeof(payloads) / sizeof(*payloads); i++)
    expect(mint(HS256_HEADER, payloads[i]), WPS_EUNAUTHORIZED, "malformed");
  text = mint_bytes(HS256_HEADER, strlen(HS256_HEADER), nul, sizeof(nul) - 1,
                    TEST_KEY);
  expect(text, WPS_EUNAUTHORIZED, "payload of the token is malformed");
}
END_TEST

START_TEST(c27_exp)
{
  expect_claims("\"aud\":\"me\"", WPS_EUNAUTHORIZED, "no exp");
  expect_claims("\"aud\":\"me\",\"exp\":999760", WPS_OK, "");
  expect_claims("\"aud\":\"me\",\"exp\":999700", WPS_OK, "");
  expect_claims("\"aud\":\"me\",\"exp\":999699.999", WPS_EUNAUTHORIZED,
                "expired");
  expect_claims("\"aud\":\"me\",\"exp\":999640", WPS_EUNAUTHORIZED, "expired");
  expect_claims("\"aud\":\"me\",\"exp\":1000000.5", WPS_OK, "");
  expect_claims("\"aud\":\"me\",\"exp\":1e10", WPS_OK, "");
  expect_claims("\"aud\":\"me\",\"exp\":9223372036854775807", WPS_OK, "");
  expect_claims("\"aud\":\"me\",\"exp\":0", WPS_EUNAUTHORIZED, "expired");
  expect_claims("\"aud\":\"me\",\"exp\":-1", WPS_EUNAUTHORIZED, "expired");
  expect_claims("\"aud\":\"me\",\"exp\":1e308", WPS_EUNAUTHORIZED,
                "not a number");
  expect_claims("\"aud\":\"me\",\"exp\":\"1000000\"", WPS_EUNAUTHORIZED,
                "not a number");
  expect_claims("\"aud\":\"me\",\"exp\":null", WPS_EUNAUTHORIZED,
                "not a number");
  expect_claims("\"aud\":\"me\",\"exp\":[1000000]", WPS_EUNAUTHORIZED,
                "not a number");
  expect_claims("\"aud\":\"me\",\"exp\":true", WPS_EUNAUTHORIZED,
                "not a number");
}
END_TEST

START_TEST(c28_nbf)
{
  expect_claims(OK_CLAIMS ",\"nbf\":1000240", WPS_OK, "");
  expect_claims(OK_CLAIMS ",\"nbf\":1000300", WPS_OK, "");
  expect_claims(OK_CLAIMS ",\"nbf\":1000300.001", WPS_EUNAUTHORIZED,
                "not valid yet");
  expect_claims(OK_CLAIMS ",\"nbf\":1000360", WPS_EUNAUTHORIZED,
                "not valid yet");
  expect_claims(OK_CLAIMS ",\"nbf\":\"1\"", WPS_EUNAUTHORIZED, "not a number");
  expect_claims(OK_CLAIMS ",\"nbf\":null", WPS_EUNAUTHORIZED, "not a number");
}
END_TEST

START_TEST(c29_aud)
{
  expect_claims("\"exp\":1000000", WPS_EUNAUTHORIZED, "no aud");
  expect_claims("\"exp\":1000000,\"aud\":\"you\"", WPS_EUNAUTHORIZED,
                "another audience");
  expect_claims("\"exp\":1000000,\"aud\":[]", WPS_EUNAUTHORIZED,
                "another audience");
  expect_claims("\"exp\":1000000,\"aud\":[\"you\",\"me\"]", WPS_OK, "");
  expect_claims("\"exp\":1000000,\"aud\":[\"me\",1]", WPS_EUNAUTHORIZED,
                "not text");
  expect_claims("\"exp\":1000000,\"aud\":1", WPS_EUNAUTHORIZED, "not text");
  expect_claims("\"exp\":1000000,\"aud\":{\"me\":\"me\"}", WPS_EUNAUTHORIZED,
                "not text");
}
END_TEST

static void read_claims(struct token *token, const char *claims)
{
  struct token_policy policy = policy_make();
  char payload[1024], *text;
  const char *why;

  snprintf(payload, sizeof(payload), "{" OK_CLAIMS ",%s}", claims);
  text = mint(HS256_HEADER, payload);
  ck_assert_int_eq(
      token_read((struct wps_str){text, strlen(text)}, &policy, token, &why),
      WPS_OK);
  free(text);
}

static void is_text(struct wps_str s, const char *text)
{
  ck_assert_uint_eq(s.len, strlen(text));
  ck_assert_mem_eq(s.ptr, text, s.len);
}

START_TEST(c32_lists)
{
  struct token t;

  read_claims(&t, "\"role\":\"a\",\"webpubsub.group\":\"g\"");

  ck_assert_uint_eq(t.role_count, 1);
  is_text(t.roles[0], "a");
  ck_assert_uint_eq(t.group_count, 1);
  is_text(t.groups[0], "g");
  token_clear(&t);
  read_claims(&t, "\"role\":[\"a\",\"b\"],\"webpubsub.group\":[\"g\",\"\"]");
  ck_assert_uint_eq(t.role_count, 2);
  is_text(t.roles[1], "b");
  ck_assert_uint_eq(t.group_count, 2);
  is_text(t.groups[1], "");
  token_clear(&t);
  read_claims(&t, "\"role\":[],\"webpubsub.group\":[],\"group\":\"x\"");
  ck_assert_uint_eq(t.role_count, 0);
  ck_assert_uint_eq(t.group_count, 0);
  token_clear(&t);
  expect_claims(OK_CLAIMS ",\"role\":1", WPS_EUNAUTHORIZED, "not text");
  expect_claims(OK_CLAIMS ",\"role\":[\"a\",1]", WPS_EUNAUTHORIZED, "not text");
  expect_claims(OK_CLAIMS ",\"webpubsub.group\":{}", WPS_EUNAUTHORIZED,
                "not text");
}
END_TEST

START_TEST(c34_user)
{
  struct token t;

  read_claims(&t, "\"sub\":\"alice\",\"nameid\":\"bob\"");

  is_text(t.user, "alice");
  token_clear(&t);
  read_claims(&t, "\"nameid\":\"bob\"");
  is_text(t.user, "bob");
  token_clear(&t);
  read_claims(&t, "\"x\":1");
  ck_assert_ptr_null(t.user.ptr);
  ck_assert_int_eq(t.expires_unix_ms, NOW_MS);
  token_clear(&t);
  expect_claims(OK_CLAIMS ",\"sub\":7", WPS_EUNAUTHORIZED, "not text");
  expect_claims(OK_CLAIMS ",\"sub\":null,\"nameid\":\"b\"", WPS_EUNAUTHORIZED,
                "not text");
  expect_claims(OK_CLAIMS ",\"nameid\":[\"b\"]", WPS_EUNAUTHORIZED, "not text");
}
END_TEST

START_TEST(all_claims)
{
  static const char *const expected[][2] = {
      {"aud", "me"}, {"exp", "1000000"},    {"l", "a"},   {"l", "1"},
      {"l", "true"}, {"l", "{\"b\":[]}"},   {"n", "0.1"}, {"i", "12"},
      {"z", "null"}, {"o", "{\"k\":\"v\"}"}};
  struct token t;

  read_claims(&t, "\"l\":[\"a\",1,true,{\"b\":[]}],\"n\":0.1,"
                  "\"i\":12,\"z\":null,\"o\":{\"k\":\"v\"}");
  ck_assert_uint_eq(t.claim_count, 10);
  for (size_t i = 0; i < 10; i++) {
    is_text(t.claims[i].name, expected[i][0]);
    is_text(t.claims[i].value, expected[i][1]);
  }
  token_clear(&t);
}
END_TEST

static void same_str(struct wps_str a, struct wps_str b)
{
  ck_assert_uint_eq(a.len, b.len);
  ck_assert_mem_eq(a.ptr, b.ptr, a.len);
}

/* `scanned`: that it needs no jansson. */
static void both_ways(const char *payload, bool scanned)
{
  static struct claims a, b;
  size_t len = strlen(payload);
  char *text = malloc(len * 2 + 8);
  struct wps_str s = {text, 0};
  int rc;

  token_base64url_encode(payload, len, text);
  s.len = strlen(text);
  ck_assert_int_eq(claims_decode(&a, s), WPS_OK);
  ck_assert_int_eq(claims_decode(&b, s), WPS_OK);
  rc = claims_parse(&a);
  ck_assert_msg(rc == claims_parse_tree(&b), "%s", payload);
  ck_assert_msg((rc == WPS_OK && a.tree == NULL) == scanned, "%s", payload);
  if (rc == WPS_OK) {
    ck_assert_uint_eq(a.count, b.count);
    ck_assert_uint_eq(a.pair_count, b.pair_count);
    for (size_t i = 0; i < a.count; i++) {
      same_str(a.items[i].name, b.items[i].name);
      ck_assert_uint_eq(a.items[i].first, b.items[i].first);
      ck_assert_uint_eq(a.items[i].count, b.items[i].count);
      ck_assert_uint_eq(a.items[i].type, b.items[i].type);
      ck_assert_uint_eq(a.items[i].list, b.items[i].list);
      ck_assert(a.items[i].number >= b.items[i].number &&
                a.items[i].number <= b.items[i].number);
    }
    for (int i = 0; i < CLAIM_NAMES; i++) {
      ck_assert((a.known[i] == NULL) == (b.known[i] == NULL));
      if (a.known[i] != NULL)
        ck_assert_int_eq(a.known[i] - a.items, b.known[i] - b.items);
    }
    for (size_t i = 0; i < a.pair_count; i++) {
      same_str(a.pairs[i].name, b.pairs[i].name);
      same_str(a.pairs[i].value, b.pairs[i].value);
    }
  }
  claims_clear(&a);
  claims_clear(&b);
  free(text);
}

START_TEST(scanned_or_by_jansson)
{
  static const char *const scanned[] = {
      "{}",
      " { } ",
      "{\"a\":\"\",\"\":\"b\",\"c\":0,\"d\":999999999999999}",
      "{\"a\":true,\"b\":false,\"c\":null}",
      "{\"aud\":[\"x\"],\"exp\":1,\"nbf\":2,\"iss\":\"i\",\"sub\":\"s\"}",
      "{\"role\":\"r\",\"nameid\":\"n\",\"webpubsub.group\":\"g\",\"rolf\":1}",
      "{\"a\":[],\"b\":[ ],\"c\":[\"x\"],\"d\":[\"x\",1,true , null,\"\"]}",
      "{\"a\":[\"]\",\",\",\"[\",\" \"],\"b\":\"}\"}",
      "{\"\xc3\xa4\":\"\xf0\x9f\x98\x80\"}",
      "{\"l\":[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23]}",
  };
  static const char *const others[] = {
      "",
      "[]",
      "1",
      "{",
      "{\"a\":1",
      "{\"a\":1}x",
      "{\"a\":1,}",
      "{\"a\"}",
      "{\"a\":1,\"a\":1}",
      "{\"a\":1,\"b\":{\"c\":1,\"c\":2}}",
      "{\"a\":\"\\n\"}",
      "{\"\\u0061\":1,\"a\":2}",
      "{\"a\":\"\\u0000\"}",
      "{\"a\":-0}",
      "{\"a\":-1}",
      "{\"a\":1.0}",
      "{\"a\":1e3}",
      "{\"a\":01}",
      "{\"a\":1000000000000000}",
      "{\"a\":99999999999999999999}",
      "{\"a\":[[]]}",
      "{\"a\":[{}]}",
      "{\"a\":[\"\\\"\"]}",
      "{\"a\":[\"\\\\\"]}",
      "{\"a\":[\"b\\\",\\\"c\"]}",
      "{\"a\":[1.5]}",
      "{\"a\":[1,]}",
      "{\"a\":[,1]}",
      "{\"a\":[1 2]}",
      "{\"a\":[\"x\"\"y\"]}",
      "{\"a\":[tru]}",
      "{\"a\":{}}",
      "{\"a\":\"\xff\"}",
      "{\"a\":\"\x01\"}",
      "\xef\xbb\xbf{}",
      "{\"l\":[0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4]}",
  };
  char long_one[2 * CLAIMS_BYTES_FEW + 16];

  for (size_t i = 0; i < sizeof(scanned) / sizeof(*scanned); i++)
    both_ways(scanned[i], true);
  for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
    both_ways(others[i], false);
  snprintf(long_one, sizeof(long_one), "{\"a\":\"%0*d\"}", 2 * CLAIMS_BYTES_FEW,
           1);
  both_ways(long_one, true);
}
END_TEST

START_TEST(reasons_tell_nothing)
{
  struct token_policy policy = policy_make();
  const char *why;
  char *text = mint(HS256_HEADER,
                    "{\"exp\":1000000,\"aud\":\"s3cret\",\"sub\":\"s3cret\"}");

  ck_assert_int_eq(token_try(text, &policy, &why), WPS_EUNAUTHORIZED);
  ck_assert_ptr_null(strstr(why, "s3cret"));
  free(text);
}
END_TEST

START_TEST(base64url_strict)
{
  uint8_t out[16];
  size_t len;
  char text[16];

  ck_assert(token_base64url_decode((struct wps_str){"", 0}, out, &len));
  ck_assert_uint_eq(len, 0);
  ck_assert(token_base64url_decode((struct wps_str){"-_8", 3}, out, &len));
  ck_assert_uint_eq(len, 2);
  ck_assert_uint_eq(out[0], 0xfb);
  ck_assert_uint_eq(out[1], 0xff);
  ck_assert(!token_base64url_decode((struct wps_str){"A", 1}, out, &len));
  ck_assert(!token_base64url_decode((struct wps_str){"AB", 2}, out, &len));
  ck_assert(!token_base64url_decode((struct wps_str){"+/8", 3}, out, &len));
  ck_assert(!token_base64url_decode((struct wps_str){"AA==", 4}, out, &len));
  ck_assert(!token_base64url_decode((struct wps_str){" AA", 3}, out, &len));
  ck_assert(!token_base64url_decode((struct wps_str){"AA\n", 3}, out, &len));
  token_base64url_encode("\xfb\xff", 2, text);
  ck_assert_str_eq(text, "-_8");
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("jwt");
  TCase *tokens = tcase_create("tokens");
  SRunner *runner;
  int failed;

  tcase_add_test(tokens, worked_example);
  tcase_add_test(tokens, refuses_malformed);
  tcase_add_test(tokens, refuses_bytes_outside);
  tcase_add_test(tokens, refuses_long);
  tcase_add_test(tokens, c26_refuses_algorithms);
  tcase_add_test(tokens, refuses_headers);
  tcase_add_test(tokens, c30_ignores_the_rest);
  tcase_add_test(tokens, c25_signature);
  tcase_add_test(tokens, payload_changed);
  tcase_add_test(tokens, refuses_payloads);
  tcase_add_test(tokens, c27_exp);
  tcase_add_test(tokens, c28_nbf);
  tcase_add_test(tokens, c29_aud);
  tcase_add_test(tokens, c32_lists);
  tcase_add_test(tokens, c34_user);
  tcase_add_test(tokens, all_claims);
  tcase_add_test(tokens, scanned_or_by_jansson);
  tcase_add_test(tokens, reasons_tell_nothing);
  tcase_add_test(tokens, base64url_strict);
  suite_add_tcase(suite, tokens);
  suite_add_tcase(suite, case_jwt_keys());
  suite_add_tcase(suite, case_jwt_public());
  suite_add_tcase(suite, case_jwt_audience());
  runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
