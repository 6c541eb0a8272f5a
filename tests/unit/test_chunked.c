/* SPDX-License-Identifier: Apache-2.0 */
/* wire/http_head.h: chunked bodies, RFC 9112 7.1. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "wire/http_head.h"

enum { BODY_MAX = 64 };

static struct buf body;
static size_t consumed;

/* All of it in pieces of `step` bytes. */
static enum chunked_result decode(struct wps_str text, size_t step)
{
  enum chunked_result r = CHUNKED_MORE;
  struct chunked c;

  buf_free(&body);
  buf_init(&body, BODY_MAX);
  chunked_init(&c);
  consumed = 0;
  while (consumed < text.len && r == CHUNKED_MORE) {
    size_t n = text.len - consumed < step ? text.len - consumed : step, used;
    char *piece = malloc(n);

    memcpy(piece, text.ptr + consumed, n);
    r = chunked_feed(&c, piece, n, &used, &body);
    free(piece);
    ck_assert_uint_le(used, n);
    ck_assert(r != CHUNKED_MORE || used == n);
    consumed += used;
  }
  return r;
}

static void expect(struct wps_str text, enum chunked_result want)
{
  for (size_t step = 1; step <= text.len + 1; step++) {
    enum chunked_result r = decode(text, step);

    if (r != want)
      ck_abort_msg("%d instead of %d in steps of %zu: %.60s", (int)r, (int)want,
                   step, text.ptr);
  }
}

static void good(struct wps_str text, const char *want)
{
  /* What follows is the next request, and stays. */
  char *longer = str_printf("%.*sGET", STR_ARG(text));

  for (size_t step = 1; step <= text.len + 3; step++) {
    ck_assert_int_eq(decode(str_from(longer), step), CHUNKED_DONE);
    ck_assert_uint_eq(consumed, text.len);
    ck_assert_str_eq(buf_c(&body), want);
  }
  free(longer);
}

START_TEST(accepted)
{
  good(STR("0\r\n\r\n"), "");
  good(STR("3\r\nabc\r\n0\r\n\r\n"), "abc");
  good(STR("3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"),
       "abc0123456789abcdef");
  good(STR("A\r\n0123456789\r\na\r\n0123456789\r\n000\r\n\r\n"),
       "01234567890123456789");
  good(STR("0000000000000003\r\nabc\r\n0000000000000000\r\n\r\n"), "abc");
  good(STR("2\r\n\r\n\r\n0\r\n\r\n"), "\r\n");
  good(STR("3;a=b;c=\"d e\"\r\nabc\r\n0;x\r\n\r\n"), "abc");
  good(STR("3;\r\nabc\r\n0\r\n\r\n"), "abc");
  /* Trailers are read and dropped. */
  good(STR("3\r\nabc\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\n"), "abc");
  good(STR("0\r\nContent-Length: 5\r\n\r\n"), "");
}
END_TEST

START_TEST(refused)
{
  static const char *const cases[] = {
      /* sizes */
      "\r\n",
      ";\r\n",
      "g\r\n",
      "-1\r\n",
      "+1\r\n",
      " 1\r\n",
      "1 \r\n",
      "1\t\r\n",
      "0x3\r\nabc",
      "3 junk\r\nabc",
      "3,\r\nabc",
      "00000000000000003\r\nabc",
      "10000000000000000\r\n",
      "0000000000000000000000000000000000000000000000000000000000000003\r\n",
      /* line ends */
      "3\nabc\r\n",
      "3\rabc\r\n",
      "3\r\rabc",
      "\n3\r\nabc",
      "3\r\nabc\n0\r\n\r\n",
      "3\r\nabcXX0\r\n\r\n",
      "3\r\nabc\rX0\r\n\r\n",
      "3\r\nabcd\r\n",
      "3\r\nabc0\r\n\r\n",
      /* extensions */
      "3;a\nabc\r\n0\r\n\r\n",
      "3;a\x01\r\nabc",
      "3;a\x7f\r\nabc",
      "3;a\r;b\r\nabc",
      /* the end */
      "0\r\n\n",
      "0\r\n\rX",
      "0\n\r\n",
      "0\r\n\r\r\n",
      /* trailers */
      "0\r\nX\r\n\r\n",
      "0\r\n: a\r\n\r\n",
      "0\r\nX : a\r\n\r\n",
      "0\r\n X: a\r\n\r\n",
      "0\r\nX: a\n\r\n",
      "0\r\nX: a\r\n b\r\n\r\n",
      "0\r\nX: \x01\r\n\r\n",
      "0\r\nX: a\rb\r\n\r\n",
      "0\r\nX\x80: a\r\n\r\n",
  };

  for (size_t i = 0; i < ARRAY_LEN(cases); i++)
    expect(str_from(cases[i]), CHUNKED_BAD);
  expect(STR("3;\0\r\nabc"), CHUNKED_BAD);
}
END_TEST

START_TEST(incomplete)
{
  static const char text[] = "3;x\r\nabc\r\n0\r\nX: y\r\n\r\n";

  for (size_t n = 0; n < sizeof(text) - 1; n++)
    expect((struct wps_str){text, n}, CHUNKED_MORE);
}
END_TEST

START_TEST(too_big)
{
  /* Refused at the size, before any of it is there. */
  expect(STR("41\r\n"), CHUNKED_TOO_BIG);
  expect(STR("ffffffffffffffff\r\n"), CHUNKED_TOO_BIG);
  expect(STR("3\r\nabc\r\n3e\r\n"), CHUNKED_TOO_BIG);
  expect(STR("3\r\nabc\r\n3d\r\n"), CHUNKED_MORE);
  expect(STR("40\r\n"), CHUNKED_MORE);
  decode(STR("ffffffffffffffff\r\n"), 99);
  ck_assert_ptr_null(body.data);
}
END_TEST

START_TEST(extensions_and_trailers_are_bounded)
{
  struct buf text;
  size_t n;

  buf_init(&text, 1 << 20);
  /* Many small extensions count together. */
  for (n = 0; n < 40; n++)
    buf_printf(&text, "1;%0100d\r\na\r\n", 0);
  ck_assert_int_eq(decode((struct wps_str){text.data, text.len}, 1000),
                   CHUNKED_MORE);
  buf_printf(&text, "1;%0100d\r\na\r\n", 0);
  ck_assert_int_eq(decode((struct wps_str){text.data, text.len}, 1000),
                   CHUNKED_BAD);
  buf_reset(&text);
  buf_add_c(&text, "0;");
  for (n = 0; n < 4097; n++)
    buf_add_byte(&text, 'x');
  ck_assert_int_eq(decode((struct wps_str){text.data, text.len}, 1000),
                   CHUNKED_BAD);
  buf_reset(&text);
  buf_add_c(&text, "0\r\n");
  for (n = 0; n < 2000; n++)
    buf_add_c(&text, "a:\r\n");
  ck_assert_int_eq(decode((struct wps_str){text.data, text.len}, 7),
                   CHUNKED_MORE);
  for (n = 0; n < 100; n++)
    buf_add_c(&text, "a:\r\n");
  ck_assert_int_eq(decode((struct wps_str){text.data, text.len}, 7),
                   CHUNKED_BAD);
  buf_free(&text);
}
END_TEST

START_TEST(nothing_after_the_end)
{
  struct chunked c;
  size_t used;

  buf_free(&body);
  buf_init(&body, BODY_MAX);
  chunked_init(&c);
  ck_assert_int_eq(chunked_feed(&c, "0\r\n\r\n", 5, &used, &body),
                   CHUNKED_DONE);
  ck_assert_int_eq(chunked_feed(&c, "x", 1, &used, &body), CHUNKED_DONE);
  ck_assert_uint_eq(used, 0);
  chunked_init(&c);
  ck_assert_int_eq(chunked_feed(&c, "x", 1, &used, &body), CHUNKED_BAD);
  ck_assert_int_eq(chunked_feed(&c, "0\r\n\r\n", 5, &used, &body), CHUNKED_BAD);
  ck_assert_uint_eq(used, 0);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("chunked");
  TCase *t = tcase_create("chunked");
  SRunner *r = srunner_create(s);
  int failed;

  suite_add_tcase(s, t);
  tcase_add_test(t, accepted);
  tcase_add_test(t, refused);
  tcase_add_test(t, incomplete);
  tcase_add_test(t, too_big);
  tcase_add_test(t, extensions_and_trailers_are_bounded);
  tcase_add_test(t, nothing_after_the_end);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
