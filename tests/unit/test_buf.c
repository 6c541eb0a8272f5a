/* SPDX-License-Identifier: Apache-2.0 */
/* base/buf.h */
#include "base/buf.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* Sanitizers abort where malloc would say no. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

START_TEST(grows_to_its_maximum_and_not_beyond)
{
  struct buf b;
  char block[100];

  memset(block, 'x', sizeof(block));
  buf_init(&b, 1000);
  ck_assert_ptr_null(b.data);
  for (int i = 0; i < 10; i++)
    ck_assert_int_eq(buf_add(&b, block, sizeof(block)), WPS_OK);
  ck_assert_uint_eq(b.len, 1000);
  /* The terminator does not count. */
  ck_assert_str_eq(buf_c(&b) + 999, "x");
  ck_assert_int_eq(buf_reserve(&b, 1), WPS_ETOOBIG);
  ck_assert(!b.failed);
  ck_assert_int_eq(buf_add_byte(&b, 'y'), WPS_ETOOBIG);
  ck_assert(b.failed);
  ck_assert_uint_eq(b.len, 1000);
  ck_assert_uint_le(b.cap, 1001);
  buf_free(&b);
  ck_assert_ptr_null(b.data);
  ck_assert_uint_eq(b.max, 1000);
  ck_assert(!b.failed);
}
END_TEST

START_TEST(failure_is_sticky_until_reset)
{
  struct buf b;

  buf_init(&b, 4);
  ck_assert_int_eq(buf_add_c(&b, "abc"), WPS_OK);
  ck_assert_int_eq(buf_add_c(&b, "de"), WPS_ETOOBIG);
  ck_assert_int_ne(buf_add_byte(&b, 'd'), WPS_OK);
  ck_assert_int_ne(buf_add(&b, NULL, 0), WPS_OK);
  ck_assert_int_ne(buf_printf(&b, "%d", 1), WPS_OK);
  ck_assert_int_ne(buf_reserve(&b, 0), WPS_OK);
  ck_assert_ptr_null(buf_c(&b));
  buf_reset(&b);
  ck_assert_int_eq(buf_add_c(&b, "wxyz"), WPS_OK);
  ck_assert_str_eq(buf_c(&b), "wxyz");
  buf_free(&b);
}
END_TEST

START_TEST(impossible_sizes)
{
  struct buf b;

  buf_init(&b, SIZE_MAX);
  ck_assert_int_eq(buf_add_c(&b, "a"), WPS_OK);
  ck_assert_int_eq(buf_reserve(&b, SIZE_MAX), WPS_ETOOBIG);
  ck_assert_int_eq(buf_reserve(&b, SIZE_MAX - 1), WPS_ETOOBIG);
  ck_assert_str_eq(buf_c(&b), "a");
  buf_free(&b);
}
END_TEST

#ifndef SANITIZED
START_TEST(out_of_memory)
{
  struct buf b;

  buf_init(&b, SIZE_MAX);
  ck_assert_int_eq(buf_reserve(&b, SIZE_MAX / 2 - 8), WPS_ENOMEM);
  ck_assert_int_eq(buf_add_c(&b, "a"), WPS_OK);
  buf_free(&b);
}
END_TEST
#endif

START_TEST(printf_and_strings)
{
  struct buf b;
  char *long_text;

  buf_init(&b, 5000);
  ck_assert_int_eq(buf_printf(&b, "%s", ""), WPS_OK);
  ck_assert_int_eq(buf_printf(&b, "%d-%s;", 12, "ab"), WPS_OK);
  ck_assert_int_eq(buf_add_str(&b, STR("x\0y")), WPS_OK);
  ck_assert_int_eq(buf_add_str(&b, STR_NONE), WPS_OK);
  ck_assert_uint_eq(b.len, 9);
  ck_assert_mem_eq(b.data, "12-ab;x\0y", 9);
  buf_reset(&b);
  /* Every length around the first block, so that each path is taken. */
  for (int n = 0; n < 200; n++) {
    buf_free(&b);
    ck_assert_int_eq(buf_add_c(&b, "0"), WPS_OK);
    ck_assert_int_eq(buf_printf(&b, "%*d", n, 7), WPS_OK);
    ck_assert_uint_eq(b.len, 1 + (size_t)(n == 0 ? 1 : n));
    ck_assert_int_eq(b.data[b.len - 1], '7');
  }
  buf_free(&b);
  long_text = str_printf("%6000d", 1);
  ck_assert_int_eq(buf_printf(&b, "%s", long_text), WPS_ETOOBIG);
  ck_assert(b.failed);
  ck_assert_uint_eq(b.len, 0);
  free(long_text);
  buf_free(&b);
}
END_TEST

START_TEST(printf_fills_to_the_last_byte)
{
  struct buf b;

  buf_init(&b, 10);
  ck_assert_int_eq(buf_printf(&b, "%s", "0123456789"), WPS_OK);
  ck_assert_str_eq(buf_c(&b), "0123456789");
  ck_assert_int_eq(buf_printf(&b, "%s", ""), WPS_OK);
  ck_assert_int_eq(buf_printf(&b, "%s", "x"), WPS_ETOOBIG);
  buf_free(&b);
}
END_TEST

START_TEST(consuming)
{
  struct buf b;

  buf_init(&b, 100);
  buf_consume(&b, 0);
  ck_assert_int_eq(buf_add_c(&b, "abcdef"), WPS_OK);
  buf_consume(&b, 2);
  ck_assert_str_eq(buf_c(&b), "cdef");
  buf_consume(&b, 0);
  buf_consume(&b, 4);
  ck_assert_str_eq(buf_c(&b), "");
  ck_assert_uint_eq(b.len, 0);
  buf_free(&b);
  ck_assert_str_eq(buf_c(&b), "");
  buf_free(&b);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("buf");
  TCase *t = tcase_create("buf");
  SRunner *r = srunner_create(s);
  int failed;

  suite_add_tcase(s, t);
  tcase_add_test(t, grows_to_its_maximum_and_not_beyond);
  tcase_add_test(t, failure_is_sticky_until_reset);
  tcase_add_test(t, impossible_sizes);
#ifndef SANITIZED
  tcase_add_test(t, out_of_memory);
#endif
  tcase_add_test(t, printf_and_strings);
  tcase_add_test(t, printf_fills_to_the_last_byte);
  tcase_add_test(t, consuming);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
