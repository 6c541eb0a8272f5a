/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <webpubsub/status.h>

#include "plugins/common/b64.h"
#include "plugins/common/json_scan.h"
#include "plugins/common/json_write.h"

/* A copy of exact size, so that a sanitizer sees what reads beyond it. */
static struct wps_str exact(const char *bytes, size_t len)
{
  char *c = malloc(len > 0 ? len : 1);

  if (len > 0)
    memcpy(c, bytes, len);
  return (struct wps_str){c, len};
}

static int scan(const char *bytes, size_t len, struct json_value *v)
{
  struct wps_str s = exact(bytes, len);
  int rc = json_scan_value(s, v);

  free((char *)s.ptr);
  return rc;
}

static const char *const good[] = {
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "12345678901234567890123",
    "-1",
    "1.5",
    "0.0",
    "1e5",
    "1E+5",
    "1e-999",
    "1e345",
    "-0.1e-1",
    "\"\"",
    "\"a\"",
    "\"12345678\"",
    "\"1234567\\\"\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\ud83d\\ude00\"",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    "\"\x7f\"",
    "\"\xc3\xa9\"",
    "\"\xe2\x82\xac\"",
    "\"\xf0\x9f\x98\x80\"",
    "\"\xed\x9f\xbf\"",
    "\"\xee\x80\x80\"",
    "\"\xf4\x8f\xbf\xbf\"",
    "{}",
    "[]",
    " { } ",
    "\t\r\n[ ]\n",
    "[1]",
    "[1,2,3]",
    "[[],{},[[]]]",
    "{\"a\":1}",
    "{\"a\":1,\"a\":2}",
    "{ \"a\" : { \"b\" : [ ] } , \"c\" : 0 }",
    "[{\"a\":[{}]},null,true,false,\"x\",-1.5e3]"};

static const char *const bad[] = {"",
                                  " ",
                                  "nul",
                                  "nulll",
                                  "True",
                                  "+1",
                                  "01",
                                  "-",
                                  "-a",
                                  "1.",
                                  ".5",
                                  "1e",
                                  "1e+",
                                  "0x10",
                                  "1 2",
                                  "\"",
                                  "\"a",
                                  "\"\\\"",
                                  "\"\\x\"",
                                  "\"\\u12\"",
                                  "\"\\u12g4\"",
                                  "\"\n\"",
                                  "\"\t\"",
                                  "\"1234567\n\"",
                                  "\"\x1f\"",
                                  "\"\x80\"",
                                  "\"\xc0\x80\"",
                                  "\"\xc1\xbf\"",
                                  "\"\xc3\"",
                                  "\"\xc3(\"",
                                  "\"\xe0\x80\x80\"",
                                  "\"\xe0\x9f\xbf\"",
                                  "\"\xed\xa0\x80\"",
                                  "\"\xe2\x82\"",
                                  "\"\xf0\x80\x80\x80\"",
                                  "\"\xf0\x8f\xbf\xbf\"",
                                  "\"\xf4\x90\x80\x80\"",
                                  "\"\xf5\x80\x80\x80\"",
                                  "\"\xff\"",
                                  "{",
                                  "[",
                                  "}",
                                  "]",
                                  "[1",
                                  "[1,",
                                  "[1,]",
                                  "[,1]",
                                  "[1 2]",
                                  "[1}",
                                  "{]",
                                  "{\"a\"}",
                                  "{\"a\":}",
                                  "{\"a\":1",
                                  "{\"a\":1,",
                                  "{\"a\":1,}",
                                  "{,}",
                                  "{a:1}",
                                  "{\"a\" 1}",
                                  "{1:1}",
                                  "{null:1}",
                                  "{\"a\":1 \"b\":2}",
                                  "[1],",
                                  "{}{}",
                                  "\xef\xbb\xbf{}",
                                  "'a'",
                                  "// x",
                                  "[1,/**/2]",
                                  "NaN",
                                  "Infinity",
                                  "[\"a"};

START_TEST(accepts)
{
  struct json_value v;

  ck_assert_msg(scan(good[_i], strlen(good[_i]), &v) == WPS_OK, "%s", good[_i]);
}
END_TEST

START_TEST(refuses)
{
  struct json_value v;

  ck_assert_msg(scan(bad[_i], strlen(bad[_i]), &v) == WPS_EPROTO, "%s",
                bad[_i]);
}
END_TEST

START_TEST(every_prefix_is_refused)
{
  static const char text[] =
      "{\"a\":[1.5e3,true,null,{\"b\\u00e9\":\"\xf0\x9f\x98\x80\"}],\"c\":{}}";
  struct json_value v;

  for (size_t i = 0; i < sizeof(text) - 1; i++)
    ck_assert_int_eq(scan(text, i, &v), WPS_EPROTO);
  ck_assert_int_eq(scan(text, sizeof(text) - 1, &v), WPS_OK);
}
END_TEST

START_TEST(nul_is_refused)
{
  struct json_value v;

  ck_assert_int_eq(scan("1\0", 2, &v), WPS_EPROTO);
  ck_assert_int_eq(scan("{\"a\":1\0}", 8, &v), WPS_EPROTO);
  ck_assert_int_eq(scan("\"\0\"", 3, &v), WPS_EPROTO);
}
END_TEST

static int scan_depth(size_t depth, char open, char shut)
{
  char *text = malloc(2 * depth);
  struct json_value v;
  int rc;

  memset(text, open, depth);
  memset(text + depth, shut, depth);
  rc = scan(text, 2 * depth, &v);
  free(text);
  return rc;
}

START_TEST(depth_is_bounded)
{
  ck_assert_int_eq(scan_depth(JSON_SCAN_DEPTH, '[', ']'), WPS_OK);
  ck_assert_int_eq(scan_depth(JSON_SCAN_DEPTH + 1, '[', ']'), WPS_EPROTO);
  ck_assert_int_eq(scan_depth(500000, '[', ']'), WPS_EPROTO);
}
END_TEST

/* Objects and arrays mixed, over the words of the bit stack. */
START_TEST(depth_remembers_kinds)
{
  enum { LEVELS = 200 };
  char text[LEVELS * 6 + 1];
  struct json_value v;
  size_t len = 0;

  for (int i = 0; i < LEVELS; i++) {
    const char *open = i % 3 != 0 ? "{\"k\":" : "[";

    memcpy(text + len, open, strlen(open));
    len += strlen(open);
  }
  text[len++] = '1';
  for (int i = LEVELS; i-- > 0;)
    text[len++] = i % 3 != 0 ? '}' : ']';
  ck_assert_int_eq(scan(text, len, &v), WPS_OK);
  for (size_t i = 1; i <= LEVELS; i++) {
    char *c = &text[len - i];
    char was = *c;

    *c = was == '}' ? ']' : '}';
    ck_assert_int_eq(scan(text, len, &v), WPS_EPROTO);
    *c = was;
  }
}
END_TEST

START_TEST(members_are_spans)
{
  static const char text[] =
      " {\"a\" : 1.50 , \"b\\n\":\"x\\u00e9\",\"c\":[1, 2],\"a\":{ }, "
      "\"d\":null} ";
  struct json_scan s;
  struct json_member m;

  ck_assert_int_eq(
      json_scan_object(&s, (struct wps_str){text, sizeof(text) - 1}), WPS_OK);
  ck_assert_int_eq(json_scan_member(&s, &m), 1);
  ck_assert_int_eq(m.value.type, SCAN_NUMBER);
  ck_assert_mem_eq(m.value.ptr, "1.50", 4);
  ck_assert_uint_eq(m.value.len, 4);
  ck_assert_int_eq(json_scan_member(&s, &m), 1);
  ck_assert(m.key.escaped);
  ck_assert(json_scan_equal(&m.key, (struct wps_str)WPS_STR_INIT("b\n"), 0));
  ck_assert(
      json_scan_equal(&m.value, (struct wps_str)WPS_STR_INIT("x\xc3\xa9"), 0));
  ck_assert_int_eq(json_scan_member(&s, &m), 1);
  ck_assert_uint_eq(m.value.len, 6);
  ck_assert_int_eq(m.value.type, SCAN_ARRAY);
  ck_assert_int_eq(json_scan_member(&s, &m), 1);
  ck_assert_int_eq(m.value.type, SCAN_OBJECT);
  ck_assert_int_eq(json_scan_member(&s, &m), 1);
  ck_assert_int_eq(m.value.type, SCAN_NULL);
  ck_assert_int_eq(json_scan_member(&s, &m), 0);
  ck_assert_int_eq(json_scan_member(&s, &m), 0);
}
END_TEST

START_TEST(broken_members_are_refused)
{
  static const char *const texts[] = {"{\"a\":1",
                                      "{\"a\":1,",
                                      "{\"a\":1,}",
                                      "{\"a\":1}x",
                                      "{\"a\"",
                                      "{\"a\":",
                                      "{a:1}",
                                      "{,\"a\":1}",
                                      "{\"a\":1 \"b\":1}",
                                      "{\"a\":1,,\"b\":1}",
                                      "{",
                                      "{\"a\":1]",
                                      "{\"a\":[}",
                                      "{\"a\":1}}"};

  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    struct wps_str text = exact(texts[i], strlen(texts[i]));
    struct json_scan s;
    struct json_member m;
    int rc;

    ck_assert_int_eq(json_scan_object(&s, text), WPS_OK);
    while ((rc = json_scan_member(&s, &m)) > 0)
      ;
    ck_assert_msg(rc == WPS_EPROTO, "%s", texts[i]);
    ck_assert_int_eq(json_scan_member(&s, &m), WPS_EPROTO);
    free((char *)text.ptr);
  }
}
END_TEST

static void unescapes(const char *text, const char *want, size_t want_len)
{
  struct wps_str s = exact(text, strlen(text));
  struct json_value v;
  char *out = malloc(s.len);
  size_t len;

  ck_assert_int_eq(json_scan_value(s, &v), WPS_OK);
  len = json_scan_text(&v, out);
  ck_assert_uint_eq(len, want_len);
  ck_assert_mem_eq(out, want, len);
  free(out);
  free((char *)s.ptr);
}

START_TEST(text_without_escapes)
{
  unescapes("\"\"", "", 0);
  unescapes("\"plain\"", "plain", 5);
  unescapes("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8);
  unescapes("\"a\\u0000b\"", "a\0b", 3);
  unescapes("\"\\u0041\\u00e9\\u20AC\"", "A\xc3\xa9\xe2\x82\xac", 6);
  unescapes("\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80", 4);
  unescapes("\"\\ud800\"", "\xef\xbf\xbd", 3);
  unescapes("\"\\udc00x\"", "\xef\xbf\xbdx", 4);
  unescapes("\"\\ud800\\u0041\"",
            "\xef\xbf\xbd"
            "A",
            4);
  unescapes("\"\\ud800\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80", 7);
  unescapes("\"\\ud83d\\n\"", "\xef\xbf\xbd\n", 4);
  unescapes("\"\\ud83d\"", "\xef\xbf\xbd", 3);
}
END_TEST

START_TEST(integers_are_exact)
{
  static const struct {
    const char *text;
    int rc;
    uint64_t n;
  } cases[] = {{"0", WPS_OK, 0},
               {"9007199254740993", WPS_OK, 9007199254740993u},
               {"18446744073709551615", WPS_OK, UINT64_MAX},
               {"18446744073709551616", WPS_EPROTO, 0},
               {"99999999999999999999", WPS_EPROTO, 0},
               {"-1", WPS_EPROTO, 0},
               {"-0", WPS_EPROTO, 0},
               {"1.0", WPS_EPROTO, 0},
               {"1e2", WPS_EPROTO, 0},
               {"\"1\"", WPS_EPROTO, 0},
               {"true", WPS_EPROTO, 0}};

  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct wps_str text = {cases[i].text, strlen(cases[i].text)};
    struct json_value v;
    uint64_t n = 0;

    ck_assert_int_eq(json_scan_value(text, &v), WPS_OK);
    ck_assert_int_eq(json_scan_u64(&v, &n), cases[i].rc);
    ck_assert_uint_eq(n, cases[i].n);
  }
}
END_TEST

/* ---- against jansson ---- */

static uint64_t seed;

static uint32_t rnd(uint32_t below)
{
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(seed >> 33) % below;
}

/* Where the two are meant to differ: lone surrogates and \u0000 (jansson
 * refuses), overflow of numbers (jansson refuses), depth. */
static bool comparable(const char *text, size_t len)
{
  size_t digits = 0, depth = 0;

  for (size_t i = 0; i < len; i++) {
    if (text[i] == '\0')
      return false;
    if (text[i] == '\\' && i + 1 < len && text[i + 1] == 'u')
      return false;
    digits = text[i] >= '0' && text[i] <= '9' ? digits + 1 : 0;
    if (digits > 17 || ((text[i] == 'e' || text[i] == 'E') && i > 0 &&
                        text[i - 1] >= '0' && text[i - 1] <= '9'))
      return false;
    depth += text[i] == '[' || text[i] == '{';
  }
  return depth < JSON_SCAN_DEPTH;
}

START_TEST(agrees_with_jansson)
{
  static const char *const seeds[] = {
      "{\"type\":\"sendToGroup\",\"group\":\"chat\",\"ackId\":3,\"noEcho\":"
      "true,\"dataType\":\"text\",\"data\":\"hi \xc3\xa9\xe2\x82\xac\"}",
      "{\"type\":\"event\",\"data\":{\"a\":[1,2.5,-3,null,{\"b\":[]}],\"c\":"
      "\"\\\"\\\\\\n\"}, \"metadata\" : {\"k\":\"v\"}}",
      "[true,false,null,0,-0.5,\"\xf0\x9f\x98\x80 1234567890\",[[],[{}]]]"};
  static const char alphabet[] =
      "{}[]:,\"\\ntrufalse0123456789.-+eE \t\n/bx\x01\x80\xc3\xed\xf4";
  int agreed = 0, accepted = 0;

  for (int round = 0; round < 60000; round++) {
    const char *from = seeds[rnd(3)];
    char text[512];
    size_t len = strlen(from);
    struct json_value v;
    json_error_t error;
    json_t *tree;
    int rc;

    memcpy(text, from, len);
    for (uint32_t n = rnd(4); n > 0; n--) {
      size_t at = rnd((uint32_t)len);

      switch (rnd(4)) {
      case 0:
        text[at] = alphabet[rnd(sizeof(alphabet) - 1)];
        break;
      case 1:
        memmove(text + at, text + at + 1, len - at - 1);
        len--;
        break;
      case 2:
        memmove(text + at + 1, text + at, len - at);
        text[at] = alphabet[rnd(sizeof(alphabet) - 1)];
        len++;
        break;
      default:
        text[at] = (char)rnd(256);
        break;
      }
    }
    if (!comparable(text, len))
      continue;
    rc = scan(text, len, &v);
    tree = json_loadb(text, len, JSON_DECODE_ANY, &error);
    ck_assert_msg((rc == WPS_OK) == (tree != NULL), "%.*s: %d, %s", (int)len,
                  text, rc, error.text);
    agreed++;
    accepted += tree != NULL;
    json_decref(tree);
  }
  ck_assert_int_gt(agreed, 30000);
  ck_assert_int_gt(accepted, 5000);
}
END_TEST

/* ---- writing ---- */

static void writes(const char *text, size_t len, const char *want)
{
  struct wps_str s = exact(text, len);
  struct json_out size = {NULL, 0, 0}, out;
  char *buf;

  json_out_text(&size, s);
  ck_assert_uint_eq(size.len, strlen(want));
  buf = malloc(size.len);
  out = (struct json_out){buf, size.len, 0};
  json_out_text(&out, s);
  ck_assert_uint_eq(out.len, size.len);
  ck_assert_mem_eq(buf, want, size.len);
  /* A buffer that is too small keeps what fits whole. */
  out = (struct json_out){buf, size.len - 1, 0};
  json_out_text(&out, s);
  ck_assert_uint_eq(out.len, size.len);
  free(buf);
  free((char *)s.ptr);
}

START_TEST(text_is_escaped)
{
  writes("", 0, "\"\"");
  writes("abc", 3, "\"abc\"");
  writes("\"\\\b\f\n\r\t", 7, "\"\\\"\\\\\\b\\f\\n\\r\\t\"");
  writes("\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\x7f\"");
  writes("\xc3\xa9\xf0\x9f\x98\x80 plain text", 17,
         "\"\xc3\xa9\xf0\x9f\x98\x80 plain text\"");
  writes("0123456\n89abcde\"", 16, "\"0123456\\n89abcde\\\"\"");
}
END_TEST

/* Each byte at each place of a word is escaped exactly when it has to be. */
START_TEST(every_byte_at_every_place)
{
  for (int c = 0; c < 256; c++)
    for (size_t at = 0; at < 17; at++) {
      char text[17], buf[64];
      struct json_out out = {buf, sizeof(buf), 0};
      bool escape = c < 0x20 || c == '"' || c == '\\';

      memset(text, '\xe9', sizeof(text));
      text[at] = (char)c;
      json_out_text(&out, (struct wps_str){text, sizeof(text)});
      if (!escape)
        ck_assert_uint_eq(out.len, sizeof(text) + 2);
      else
        ck_assert_uint_gt(out.len, sizeof(text) + 2);
    }
}
END_TEST

START_TEST(what_is_written_is_read)
{
  for (int round = 0; round < 2000; round++) {
    char text[64], buf[64 * 6 + 2], back[64 * 6];
    struct json_out out = {buf, sizeof(buf), 0};
    size_t len = rnd(sizeof(text));
    struct json_value v;

    for (size_t i = 0; i < len; i++)
      text[i] = (char)rnd(128);
    json_out_text(&out, (struct wps_str){text, len});
    ck_assert_int_eq(json_scan_value((struct wps_str){buf, out.len}, &v),
                     WPS_OK);
    ck_assert_uint_eq(json_scan_text(&v, back), len);
    ck_assert_mem_eq(back, text, len);
  }
}
END_TEST

START_TEST(numbers_are_written)
{
  char buf[64];
  struct json_out out = {buf, sizeof(buf), 0};

  json_out_u64(&out, 0);
  JSON_OUT(&out, " ");
  json_out_u64(&out, UINT64_MAX);
  ck_assert_uint_eq(out.len, 22);
  ck_assert_mem_eq(buf, "0 18446744073709551615", 22);
}
END_TEST

/* ---- base64 ---- */

START_TEST(base64_round_trip)
{
  static unsigned char bytes[10000], back[10002];
  static char text[13400];

  for (size_t i = 0; i < sizeof(bytes); i++)
    bytes[i] = (unsigned char)rnd(256);
  for (size_t len = 0; len < sizeof(bytes); len += len < 40 ? 1 : 997) {
    size_t text_len = b64_encoded_len(len), back_len;

    b64_encode((struct wps_bytes){bytes, len}, text);
    ck_assert_int_eq(
        b64_decode((struct wps_str){text, text_len}, back, &back_len), WPS_OK);
    ck_assert_uint_eq(back_len, len);
    ck_assert_mem_eq(back, bytes, len);
  }
}
END_TEST

START_TEST(base64_is_strict)
{
  static const char *const texts[] = {"A",      "AA",    "AAA",      "AAAAA",
                                      "A===",   "====",  "AA=A",     "=AAA",
                                      "AB==",   "AAB=",  "AA==AAAA", " AAA",
                                      "AAA ",   "AA\n=", "AA-_",     "AAA\xc3",
                                      "AQID\n", "AQI",   "AAAA===="};
  unsigned char out[16];
  size_t len;

  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
    ck_assert_msg(b64_decode((struct wps_str){texts[i], strlen(texts[i])}, out,
                             &len) == WPS_EPROTO,
                  "%s", texts[i]);
}
END_TEST

static Suite *json_suite(void)
{
  Suite *s = suite_create("json_scan");
  TCase *t = tcase_create("scan");

  tcase_add_loop_test(t, accepts, 0, sizeof(good) / sizeof(good[0]));
  tcase_add_loop_test(t, refuses, 0, sizeof(bad) / sizeof(bad[0]));
  tcase_add_test(t, every_prefix_is_refused);
  tcase_add_test(t, nul_is_refused);
  tcase_add_test(t, depth_is_bounded);
  tcase_add_test(t, depth_remembers_kinds);
  tcase_add_test(t, members_are_spans);
  tcase_add_test(t, broken_members_are_refused);
  tcase_add_test(t, text_without_escapes);
  tcase_add_test(t, integers_are_exact);
  tcase_add_test(t, agrees_with_jansson);
  suite_add_tcase(s, t);
  t = tcase_create("write");
  tcase_add_test(t, text_is_escaped);
  tcase_add_test(t, every_byte_at_every_place);
  tcase_add_test(t, what_is_written_is_read);
  tcase_add_test(t, numbers_are_written);
  suite_add_tcase(s, t);
  t = tcase_create("base64");
  tcase_add_test(t, base64_round_trip);
  tcase_add_test(t, base64_is_strict);
  suite_add_tcase(s, t);
  return s;
}

int main(void)
{
  SRunner *r = srunner_create(json_suite());
  int failed;

  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
