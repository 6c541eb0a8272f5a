/* SPDX-License-Identifier: Apache-2.0 */
/* What waits for a socket and gets there: order, writes, parts, memory. What
 * does not get there is in test_outbound_drop.c. */
#include "conn/outbound.h"

#include <check.h>
#include <string.h>
#include <sys/socket.h>

#include "base/str.h"
#include "on_worker.h"
#include "outbound_rig.h"

/* ---- order and writes ---- */

START_TEST(one_turn_is_one_write)
{
  make_pair(SOCK_SEQPACKET, 0);
  on_worker(all, 0, push_four, NULL);
  await(&c.emptied);
  ck_assert_uint_eq(receive_all(), 1);
  expected_len = 0;
  on_worker(all, 0, push_four, NULL);
  await(&c.emptied);
  ck_assert_uint_eq(receive_all(), 1);
  receive_nothing();
}
END_TEST

enum { UNTOUCHED = 0xee };

static void push_large_between_small(void *arg)
{
  UNUSED(arg);
  memset(w->send_buffer, UNTOUCHED, WORKER_SEND_BUFFER);
  push(10, 0);
  push(100000, 0); /* more than the buffer holds */
  push(20, 0);
}

START_TEST(large_frames_are_not_copied)
{
  make_pair(SOCK_SEQPACKET, 0);
  on_worker(all, 0, push_large_between_small, NULL);
  await(&c.emptied);
  ck_assert_uint_eq(receive_all(), 1);
  ck_assert_int_eq(memcmp(w->send_buffer, expected, 12), 0);
  ck_assert_int_eq(
      memcmp(w->send_buffer + 12, expected + expected_len - 22, 22), 0);
  for (size_t i = 34; i < WORKER_SEND_BUFFER; i++)
    ck_assert_uint_eq(w->send_buffer[i], UNTOUCHED);
}
END_TEST

static void push_more_than_the_buffer(void *arg)
{
  UNUSED(arg);
  for (int i = 0; i < 100; i++)
    push(1500, OUT_COUNTED);
  ck_assert_uint_eq(c.o.counted, 100);
}

START_TEST(a_full_buffer_is_a_write)
{
  make_pair(SOCK_SEQPACKET, 0);
  on_worker(all, 0, push_more_than_the_buffer, NULL);
  /* 43 of 1504 bytes at a time */
  ck_assert_uint_eq(receive_all(), 3);
  await(&c.emptied);
}
END_TEST

/* The table of pieces is full in the middle of a unit, whose head has a piece
 * of its own, or has been joined to the small frame before it. */
static void push_many_pieces(void *arg)
{
  struct wps_frame *f = frame_of(2500, 1);
  struct wps_part parts[] = {{NULL, {"abc", 3}}, {f, {NULL, 0}}};

  push(2500, 0);
  for (int i = 0; i < 31; i++)
    push_parts(parts, ARRAY_LEN(parts));
  if (*(int *)arg == 1)
    push(5, 0);
  for (int i = 0; i < 15; i++)
    push_parts(parts, ARRAY_LEN(parts));
  frame_unref(f);
}

START_TEST(units_are_not_torn_by_the_table_of_pieces)
{
  size_t first = 2504 + 31 * (4 + 3 + 2500) + (_i == 1 ? 7 : 0);

  make_pair(SOCK_SEQPACKET, 0);
  on_worker(all, 0, push_many_pieces, &_i);
  ck_assert_uint_eq(receive(0, sizeof(got)), first);
  ck_assert_uint_eq(receive(first, sizeof(got) - first), expected_len - first);
  ck_assert_int_eq(memcmp(got, expected, expected_len), 0);
  await(&c.emptied);
}
END_TEST

/* ---- parts ---- */

static void push_shapes(void *arg)
{
  static char text[70000];
  struct wps_frame *f = frame_of(300, 7);
  struct wps_part shared_tail[] = {
      {NULL, {"{", 1}}, {NULL, {"\"id\":1,", 7}}, {f, {NULL, 0}}};
  struct wps_part shared_middle[] = {
      {NULL, {"[", 1}}, {f, {NULL, 0}}, {NULL, {"]", 1}}};
  struct wps_part long_private = {NULL, {text, sizeof(text)}};
  struct wps_part nothing = {NULL, {NULL, 0}};

  UNUSED(arg);
  push_parts(shared_tail, 3);
  ck_assert_uint_eq(atomic_load(&f->refs), 2);
  ck_assert_uint_eq(c.o.units[0].flags, OUT_PAYLOAD);
  ck_assert_uint_eq(c.o.units[0].head->len, 4 + 8);
  push_parts(shared_middle, 3);
  ck_assert_uint_eq(atomic_load(&f->refs), 2);
  ck_assert_ptr_null(c.o.units[1].frame);
  push_parts(&shared_tail[2], 1);
  ck_assert_uint_eq(atomic_load(&f->refs), 3);
  memset(text, 't', sizeof(text));
  push_parts(&long_private, 1);
  push_parts(&nothing, 1);
  push_parts(NULL, 0);
  ck_assert_uint_eq(c.o.bytes, expected_len);
  frame_unref(f);
}

START_TEST(parts_make_one_frame)
{
  make_pair(SOCK_STREAM, 0);
  on_worker(all, 0, push_shapes, NULL);
  receive_all();
  await(&c.emptied);
}
END_TEST

static void push_impossible(void *arg)
{
  struct wps_frame *f = frame_of(10, 0);
  struct wps_part parts[] = {{NULL, {"x", SIZE_MAX / 2}}, {f, {NULL, 0}}};

  UNUSED(arg);
  ck_assert_int_eq(outbound_parts(&c.o, w, WPS_TEXT, parts, 2, 0, NULL),
                   WPS_ETOOBIG);
  parts[0].bytes.len = (size_t)UINT32_MAX + 1;
  ck_assert_int_eq(outbound_parts(&c.o, w, WPS_TEXT, parts, 2, 0, NULL),
                   WPS_ENOMEM);
  ck_assert_uint_eq(atomic_load(&f->refs), 1);
  ck_assert_uint_eq(c.o.count, 0);
  frame_unref(f);
}

START_TEST(impossible_lengths_are_refused)
{
  make_pair(SOCK_STREAM, 0);
  on_worker(all, 0, push_impossible, NULL);
}
END_TEST

/* ---- a socket that takes little ---- */

START_TEST(partial_writes_go_on)
{
  fill();
  ck_assert_uint_gt(receive_all(), 1);
  await(&c.emptied);
}
END_TEST

static uint32_t next_random(uint32_t *seed)
{
  *seed = *seed * 1664525u + 1013904223u;
  return *seed >> 8;
}

static void push_random(void *arg)
{
  static const size_t sizes[] = {1, 40, 130, 1900, 2040, 2100, 9000, 66000};
  static const char text[300];
  uint32_t *seed = arg;

  for (uint32_t i = next_random(seed) % 12; i > 0; i--) {
    size_t max = sizes[next_random(seed) % ARRAY_LEN(sizes)];
    size_t len = next_random(seed) % max;
    struct wps_frame *f = frame_of(len, *seed);
    struct wps_part parts[] = {{NULL, {text, next_random(seed) % sizeof(text)}},
                               {f, {NULL, 0}},
                               {f, {NULL, 0}}};

    if (next_random(seed) % 2 == 0)
      push(len, OUT_COUNTED);
    else
      push_parts(parts, 1 + next_random(seed) % 3);
    frame_unref(f);
  }
}

START_TEST(any_mix_arrives_in_order)
{
  uint32_t seed = (uint32_t)_i;
  size_t have = 0;

  make_pair(SOCK_STREAM, 4096 << (_i % 4));
  for (int i = 0; i < 60; i++) {
    size_t some = next_random(&seed) % 50000;

    on_worker(all, 0, push_random, &seed);
    for (size_t until = have + some; have < until && have < expected_len;)
      have += receive(have, 1 + next_random(&seed) % 5000);
  }
  while (have < expected_len)
    have += receive(have, expected_len - have);
  ck_assert_int_eq(memcmp(got, expected, have), 0);
  await(&c.emptied);
}
END_TEST

/* ---- memory ---- */

static void push_many_heads(void *arg)
{
  static char text[1000];
  static const size_t sizes[] = {10, 200, sizeof(text)};

  UNUSED(arg);
  for (size_t i = 0; i < 1100 * ARRAY_LEN(sizes); i++) {
    struct wps_part part = {NULL, {text, sizes[i % ARRAY_LEN(sizes)]}};

    push_parts(&part, 1);
  }
}

static void take_from_the_free_lists(void *arg)
{
  struct out_worker *ow = &w->conns->out;
  struct wps_part part = {NULL, {"x", 1}};

  UNUSED(arg);
  ck_assert_uint_eq(ow->free_counts[0], 1024);
  ck_assert_uint_eq(ow->free_counts[1], 1024);
  ck_assert_uint_eq(ow->free_ring_count, 1);
  push_parts(&part, 1);
  ck_assert_uint_eq(ow->free_counts[0], 1023);
  ck_assert_uint_eq(ow->free_ring_count, 0);
  outbound_clear(&c.o, w);
  ck_assert_uint_eq(ow->free_counts[0], 1024);
  ck_assert_uint_eq(ow->free_ring_count, 1);
}

START_TEST(what_is_kept_for_later_is_bounded)
{
  make_pair(SOCK_STREAM, 0);
  on_worker(all, 0, push_many_heads, NULL);
  receive_all();
  await(&c.emptied);
  on_worker(all, 0, take_from_the_free_lists, NULL);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("outbound");
  TCase *tc = tcase_create("outbound");
  SRunner *r;
  int failed;

  tcase_set_timeout(tc, 60);
  tcase_add_checked_fixture(tc, rig_setup, rig_teardown);
  tcase_add_test(tc, one_turn_is_one_write);
  tcase_add_test(tc, large_frames_are_not_copied);
  tcase_add_test(tc, a_full_buffer_is_a_write);
  tcase_add_loop_test(tc, units_are_not_torn_by_the_table_of_pieces, 0, 2);
  tcase_add_test(tc, parts_make_one_frame);
  tcase_add_test(tc, impossible_lengths_are_refused);
  tcase_add_test(tc, partial_writes_go_on);
  tcase_add_loop_test(tc, any_mix_arrives_in_order, 0, 8);
  tcase_add_test(tc, what_is_kept_for_later_is_bounded);
  suite_add_tcase(s, tc);
  r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
