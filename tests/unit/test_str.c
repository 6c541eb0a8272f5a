/* SPDX-License-Identifier: Apache-2.0 */
/* base/str.h */
#include "base/str.h"

#include <check.h>
#include <stdlib.h>

START_TEST(put_moves_on_and_keeps_absence)
{
  char room[8], *at = room;
  struct wps_str a = str_put(&at, STR("abc"));
  struct wps_str empty = str_put(&at, STR(""));
  struct wps_str none = str_put(&at, STR_NONE);

  ck_assert(str_eq_c(a, "abc"));
  ck_assert_ptr_eq(at, room + 3);
  ck_assert(empty.ptr != NULL && empty.len == 0);
  ck_assert_ptr_null(none.ptr);
}
END_TEST

START_TEST(equality)
{
  ck_assert(str_eq(STR("abc"), STR("abc")));
  ck_assert(!str_eq(STR("abc"), STR("abC")));
  ck_assert(!str_eq(STR("abc"), STR("ab")));
  ck_assert(str_eq(STR_NONE, STR("")));
  ck_assert(str_eq(STR("a\0b"), STR("a\0b")));
  ck_assert(!str_eq(STR("a\0b"), STR("a\0c")));
  ck_assert(str_eq_c(STR("abc"), "abc"));
  ck_assert(str_eq_c(STR_NONE, NULL));
  ck_assert(str_ieq(STR("Content-LENGTH"), STR("content-length")));
  ck_assert(str_ieq_c(STR("UpGrade"), "upgrade"));
  /* Only letters fold: '[' and '{' differ by the same bit. */
  ck_assert(!str_ieq(STR("["), STR("{")));
  ck_assert(!str_ieq(STR("\xc3\x84"), STR("\xc3\xa4")));
  ck_assert(!str_ieq(STR("@"), STR("`")));
}
END_TEST

START_TEST(prefixes)
{
  ck_assert(str_starts(STR("/client/hubs"), "/client/"));
  ck_assert(!str_starts(STR("/cli"), "/client/"));
  ck_assert(!str_starts(STR("/Client/"), "/client/"));
  ck_assert(str_starts(STR_NONE, ""));
  ck_assert(str_istarts(STR("HTTP://x"), "http://"));
  ck_assert(!str_istarts(STR("HTT"), "http://"));
  ck_assert(str_eq(str_skip(STR("abc"), 2), STR("c")));
  ck_assert(str_eq(str_skip(STR("abc"), 3), STR("")));
  ck_assert(str_skip(STR_NONE, 0).ptr == NULL);
}
END_TEST

START_TEST(trimming)
{
  ck_assert(str_eq(str_trim(STR(" \t a b\t ")), STR("a b")));
  ck_assert_uint_eq(str_trim(STR(" \t ")).len, 0);
  ck_assert_uint_eq(str_trim(STR_NONE).len, 0);
  ck_assert(str_eq(str_trim(STR("\ra")), STR("\ra")));
}
END_TEST

START_TEST(lists)
{
  struct wps_str list = STR(" a, ,b ,, c\t,"), token;

  ck_assert(str_next_token(&list, &token) && str_eq(token, STR("a")));
  ck_assert(str_next_token(&list, &token) && str_eq(token, STR("b")));
  ck_assert(str_next_token(&list, &token) && str_eq(token, STR("c")));
  ck_assert(!str_next_token(&list, &token));
  ck_assert(!str_next_token(&list, &token));
  list = STR_NONE;
  ck_assert(!str_next_token(&list, &token));
  list = STR("x");
  ck_assert(str_next_token(&list, &token) && str_eq(token, STR("x")));
  ck_assert(!str_next_token(&list, &token));
}
END_TEST

START_TEST(numbers)
{
  uint64_t v = 7;

  ck_assert(str_to_u64(STR("0"), &v) && v == 0);
  ck_assert(str_to_u64(STR("007"), &v) && v == 7);
  ck_assert(str_to_u64(STR("18446744073709551615"), &v) && v == UINT64_MAX);
  v = 7;
  ck_assert(!str_to_u64(STR("18446744073709551616"), &v));
  ck_assert(!str_to_u64(STR("99999999999999999999"), &v));
  ck_assert(!str_to_u64(STR(""), &v));
  ck_assert(!str_to_u64(STR_NONE, &v));
  ck_assert(!str_to_u64(STR("+1"), &v));
  ck_assert(!str_to_u64(STR("-1"), &v));
  ck_assert(!str_to_u64(STR(" 1"), &v));
  ck_assert(!str_to_u64(STR("1 "), &v));
  ck_assert(!str_to_u64(STR("0x1"), &v));
  ck_assert(!str_to_u64(STR("\xb1"), &v));
  ck_assert_uint_eq(v, 7);
}
END_TEST

START_TEST(copies)
{
  char *a = str_dup(STR("abc")), *b = str_dup(STR_NONE);
  char *c = str_printf("%s-%d", "x", 5);
  char word[] = "AbC-Z[1";

  ck_assert_str_eq(a, "abc");
  ck_assert_str_eq(b, "");
  ck_assert_str_eq(c, "x-5");
  free(a);
  free(b);
  free(c);
  str_lower(word, sizeof(word) - 1);
  ck_assert_str_eq(word, "abc-z[1");
}
END_TEST

START_TEST(order)
{
  ck_assert_int_eq(str_cmp(STR("a"), STR("a")), 0);
  ck_assert_int_lt(str_cmp(STR("a"), STR("b")), 0);
  ck_assert_int_lt(str_cmp(STR("a"), STR("aa")), 0);
  ck_assert_int_gt(str_cmp(STR("b"), STR("aa")), 0);
  ck_assert_int_lt(str_cmp(STR("z"), STR("\xff")), 0);
  ck_assert_int_eq(str_cmp(STR_NONE, STR("")), 0);
  ck_assert_int_lt(str_cmp(STR_NONE, STR("a")), 0);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("str");
  TCase *t = tcase_create("str");
  SRunner *r = srunner_create(s);
  int failed;

  suite_add_tcase(s, t);
  tcase_add_test(t, put_moves_on_and_keeps_absence);
  tcase_add_test(t, equality);
  tcase_add_test(t, prefixes);
  tcase_add_test(t, trimming);
  tcase_add_test(t, lists);
  tcase_add_test(t, numbers);
  tcase_add_test(t, copies);
  tcase_add_test(t, order);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
