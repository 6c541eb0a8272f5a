/* SPDX-License-Identifier: Apache-2.0 */
#include "base/table.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "base/str.h"

struct item {
  struct wps_str key;
  char text[32];
};

static struct wps_str item_key(const void *value)
{
  return ((const struct item *)value)->key;
}

static struct item *items_make(size_t count)
{
  struct item *items = calloc(count, sizeof(*items));

  ck_assert_ptr_nonnull(items);
  for (size_t i = 0; i < count; i++) {
    snprintf(items[i].text, sizeof(items[i].text), "key-%zu", i);
    items[i].key = str_from(items[i].text);
  }
  return items;
}

START_TEST(empty_table_answers)
{
  struct table t;
  size_t at = 0;

  table_init(&t, item_key);
  ck_assert_ptr_null(table_get(&t, STR("x")));
  ck_assert_ptr_null(table_remove(&t, STR("x")));
  ck_assert_ptr_null(table_next(&t, &at));
  ck_assert_ptr_null(t.slots);
  table_free(&t);
}
END_TEST

START_TEST(put_get_remove)
{
  struct table t;
  struct item a = {.key = STR("a")}, a2 = a, b = {.key = STR("")};

  table_init(&t, item_key);
  ck_assert_int_eq(table_put(&t, &a), WPS_OK);
  ck_assert_int_eq(table_put(&t, &a2), WPS_EEXIST);
  ck_assert_ptr_eq(table_get(&t, STR("a")), &a);
  ck_assert_int_eq(table_put(&t, &b), WPS_OK);
  ck_assert_ptr_eq(table_get(&t, STR_NONE), &b);
  ck_assert_uint_eq(t.count, 2);
  ck_assert_ptr_eq(table_remove(&t, STR("a")), &a);
  ck_assert_ptr_null(table_remove(&t, STR("a")));
  ck_assert_ptr_eq(table_get_hashed(&t, STR(""), hash_bytes(STR(""))), &b);
  table_free(&t);
  ck_assert_uint_eq(t.count, 0);
}
END_TEST

START_TEST(keys_may_hold_any_byte)
{
  struct table t;
  struct item a = {.key = STR("a\0b")}, b = {.key = STR("a\0c")};

  table_init(&t, item_key);
  ck_assert_int_eq(table_put(&t, &a), WPS_OK);
  ck_assert_int_eq(table_put(&t, &b), WPS_OK);
  ck_assert_ptr_eq(table_get(&t, STR("a\0b")), &a);
  ck_assert_ptr_eq(table_get(&t, STR("a\0c")), &b);
  ck_assert_ptr_null(table_get(&t, STR("a")));
  table_free(&t);
}
END_TEST

START_TEST(grows_visits_all_and_shrinks)
{
  enum { COUNT = 5000 };
  struct table t;
  struct item *items = items_make(COUNT);
  size_t at = 0, seen = 0, largest;

  table_init(&t, item_key);
  for (size_t i = 0; i < COUNT; i++)
    ck_assert_int_eq(table_put(&t, &items[i]), WPS_OK);
  ck_assert_uint_eq(t.count, COUNT);
  while (table_next(&t, &at) != NULL)
    seen++;
  ck_assert_uint_eq(seen, COUNT);
  largest = t.mask;
  ck_assert_uint_le(largest + 1, 4 * COUNT);
  for (size_t i = 0; i < COUNT; i++) {
    ck_assert_ptr_eq(table_remove(&t, items[i].key), &items[i]);
    if (i % 500 == 0)
      for (size_t j = i + 1; j < COUNT; j++)
        ck_assert_ptr_eq(table_get(&t, items[j].key), &items[j]);
  }
  ck_assert_uint_eq(t.count, 0);
  ck_assert_uint_le(t.mask + 1, 8);
  table_free(&t);
  free(items);
}
END_TEST

/* All entries share one home slot at the end of the array, so that the run
 * wraps: the hardest case of the backward shift. */
START_TEST(colliding_run_wraps_and_closes)
{
  enum { COUNT = 6 };
  struct table t;
  struct item *items = items_make(COUNT);

  for (size_t gone = 0; gone < COUNT; gone++) {
    table_init(&t, item_key);
    for (size_t i = 0; i < COUNT; i++)
      ck_assert_int_eq(table_put_hashed(&t, i < 4 ? 7 : 0, &items[i]), WPS_OK);
    ck_assert_ptr_eq(table_remove_hashed(&t, items[gone].key, gone < 4 ? 7 : 0),
                     &items[gone]);
    for (size_t i = 0; i < COUNT; i++)
      ck_assert_ptr_eq(table_get_hashed(&t, items[i].key, i < 4 ? 7 : 0),
                       i == gone ? NULL : &items[i]);
    table_free(&t);
  }
  free(items);
}
END_TEST

/* A long random walk beside a plain array of flags. */
START_TEST(agrees_with_a_model)
{
  enum { KEYS = 300, STEPS = 60000 };
  struct table t;
  struct item *items = items_make(KEYS);
  bool in[KEYS] = {false};
  size_t count = 0;
  uint32_t seed = 12345;

  table_init(&t, item_key);
  for (size_t step = 0; step < STEPS; step++) {
    size_t i;
    bool put;

    seed = seed * 1664525u + 1013904223u;
    i = (seed >> 8) % KEYS;
    put = (step / 5000) % 2 == 0 ? (seed >> 28) < 11 : (seed >> 28) < 4;
    if (put) {
      ck_assert_int_eq(table_put(&t, &items[i]), in[i] ? WPS_EEXIST : WPS_OK);
      count += in[i] ? 0 : 1;
      in[i] = true;
    } else {
      ck_assert_ptr_eq(table_remove(&t, items[i].key),
                       in[i] ? &items[i] : NULL);
      count -= in[i] ? 1 : 0;
      in[i] = false;
    }
    ck_assert_uint_eq(t.count, count);
  }
  for (size_t i = 0; i < KEYS; i++)
    ck_assert_ptr_eq(table_get(&t, items[i].key), in[i] ? &items[i] : NULL);
  table_free(&t);
  free(items);
}
END_TEST

START_TEST(hash_depends_on_every_byte)
{
  char text[33];
  uint64_t whole;

  memset(text, 'x', sizeof(text));
  for (size_t len = 1; len < sizeof(text); len++) {
    whole = hash_bytes((struct wps_str){text, len});
    ck_assert(whole != hash_bytes((struct wps_str){text, len - 1}));
    for (size_t i = 0; i < len; i++) {
      text[i] = 'y';
      ck_assert(whole != hash_bytes((struct wps_str){text, len}));
      text[i] = 'x';
    }
    ck_assert(whole == hash_bytes((struct wps_str){text, len}));
  }
}
END_TEST

START_TEST(random_names)
{
  char a[RAND_ID_LEN + 1], b[RAND_ID_LEN + 1], uuid[37];
  unsigned char raw[64], zero[64] = {0};

  ck_assert_int_eq(rand_id(a), WPS_OK);
  ck_assert_int_eq(rand_id(b), WPS_OK);
  ck_assert_uint_eq(strlen(a), RAND_ID_LEN);
  ck_assert_str_ne(a, b);
  for (size_t i = 0; i < RAND_ID_LEN; i++)
    ck_assert_ptr_nonnull(strchr("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz_-",
                                 a[i]));
  ck_assert_int_eq(rand_uuid(uuid), WPS_OK);
  ck_assert_uint_eq(strlen(uuid), 36);
  ck_assert_int_eq(uuid[14], '4');
  ck_assert_ptr_nonnull(strchr("89ab", uuid[19]));
  memset(raw, 0, sizeof(raw));
  ck_assert_int_eq(rand_bytes(raw, sizeof(raw)), WPS_OK);
  ck_assert_int_ne(memcmp(raw, zero, sizeof(raw)), 0);
  ck_assert_int_eq(rand_bytes(raw, 0), WPS_OK);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("table");
  TCase *tc = tcase_create("table");
  SRunner *r;
  int failed;

  tcase_set_timeout(tc, 60);
  tcase_add_test(tc, empty_table_answers);
  tcase_add_test(tc, put_get_remove);
  tcase_add_test(tc, keys_may_hold_any_byte);
  tcase_add_test(tc, grows_visits_all_and_shrinks);
  tcase_add_test(tc, colliding_run_wraps_and_closes);
  tcase_add_test(tc, agrees_with_a_model);
  tcase_add_test(tc, hash_depends_on_every_byte);
  tcase_add_test(tc, random_names);
  suite_add_tcase(s, tc);
  r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
