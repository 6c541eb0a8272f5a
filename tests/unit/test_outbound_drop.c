/* SPDX-License-Identifier: Apache-2.0 */
/* What waits for a socket and does not get there: time to live, dropping, close
 * frames, broken sockets, and queues that change hands. */
#include "conn/outbound.h"

#include <check.h>
#include <string.h>
#include <sys/socket.h>

#include "base/str.h"
#include "on_worker.h"
#include "outbound_rig.h"

/* ---- time to live ---- */

static struct wps_message *mortal[3];

static void make_mortals(void)
{
  struct wps_message_info info = {.struct_size = sizeof(info)};

  for (size_t i = 0; i < ARRAY_LEN(mortal); i++) {
    info.ttl_ms = i == 2 ? 0 : 3600 * 1000; /* the last one lives for ever */
    mortal[i] = message_api.create(&info);
    ck_assert_ptr_nonnull(mortal[i]);
  }
}

static void bury_mortals(void)
{
  for (size_t i = 0; i < ARRAY_LEN(mortal); i++) {
    ck_assert_uint_eq(atomic_load(&mortal[i]->refs), 1);
    message_unref(mortal[i]);
  }
}

static void push_mortal(size_t i, bool arrives)
{
  struct wps_frame *f = frame_of(50, (uint32_t)i);

  ck_assert_int_eq(outbound_frame(&c.o, w, f, OUT_COUNTED, mortal[i]), WPS_OK);
  if (arrives)
    expect(frame_wire(f), frame_wire_len(f));
  frame_unref(f);
}

static void expire_first(void *arg)
{
  UNUSED(arg);
  mortal[0]->expires_ms = 1;
}

static void push_mortals(void *arg)
{
  struct wps_part part = {NULL, {"stale", 5}};

  uint32_t counted = c.o.counted;

  UNUSED(arg);
  push_mortal(0, false);
  push_mortal(1, true);
  ck_assert_int_eq(outbound_parts(&c.o, w, WPS_TEXT, &part, 1, 0, mortal[0]),
                   WPS_OK);
  push_mortal(2, true);
  ck_assert_uint_eq(c.o.counted, counted + 3);
  ck_assert_uint_eq(atomic_load(&mortal[0]->refs), 3);
  ck_assert_uint_eq(atomic_load(&mortal[1]->refs), 2);
  ck_assert_uint_eq(atomic_load(&mortal[2]->refs), 1);
}

START_TEST(what_waited_too_long_is_dropped)
{
  make_mortals();
  if (_i == 0) {
    /* While they wait. */
    fill();
    on_worker(all, 0, push_mortals, NULL);
    on_worker(all, 0, expire_first, NULL);
  } else {
    /* Before the first flush. */
    make_pair(SOCK_STREAM, 0);
    on_worker(all, 0, expire_first, NULL);
    on_worker(all, 0, push_mortals, NULL);
  }
  receive_all();
  await(&c.emptied);
  receive_nothing();
  bury_mortals();
}
END_TEST

static void push_stale(void *arg)
{
  UNUSED(arg);
  for (int i = 0; i < 3; i++)
    push_mortal(0, false);
}

START_TEST(nothing_but_stale_is_nothing)
{
  make_mortals();
  make_pair(SOCK_STREAM, 0);
  on_worker(all, 0, expire_first, NULL);
  on_worker(all, 0, push_stale, NULL);
  await(&c.emptied);
  receive_nothing();
  bury_mortals();
}
END_TEST

static void push_large_mortal(void *arg)
{
  struct wps_frame *f = frame_of(200000, 3);

  UNUSED(arg);
  ck_assert_int_eq(outbound_frame(&c.o, w, f, OUT_COUNTED, mortal[0]), WPS_OK);
  expect(frame_wire(f), frame_wire_len(f));
  frame_unref(f);
}

START_TEST(what_is_partly_written_does_not_expire)
{
  make_mortals();
  make_pair(SOCK_STREAM, 4096);
  on_worker(all, 0, push_large_mortal, NULL);
  await(&c.left);
  on_worker(all, 0, expire_first, NULL);
  receive_all();
  await(&c.emptied);
  bury_mortals();
}
END_TEST

/* ---- dropping ---- */

static void drop_unsent(void *arg)
{
  UNUSED(arg);
  outbound_drop_unsent(&c.o, w);
  ck_assert_uint_eq(c.o.count, 1);
  ck_assert_uint_eq(c.o.counted, 1);
  expected_len -= 304;
  ck_assert_uint_eq(c.o.bytes, expected_len - 304);
}

START_TEST(a_partly_written_unit_is_kept)
{
  fill();
  on_worker(all, 0, drop_unsent, NULL);
  receive_all();
  await(&c.emptied);
  receive_nothing();
}
END_TEST

static void push_close(void)
{
  static const unsigned char wire[] = "\x88\x05\x03\xe9"
                                      "bye";

  ck_assert_int_eq(outbound_close(&c.o, w, 1001, STR("bye")), WPS_OK);
  expect(wire, sizeof(wire) - 1);
}

static void greet_and_drop(void *arg)
{
  UNUSED(arg);
  ck_assert_int_eq(outbound_handshake(&c.o, w, "101", 3), WPS_OK);
  expect("101", 3);
  push(10, OUT_COUNTED);
  push(20, OUT_COUNTED);
  expected_len = 3;
  outbound_drop_unsent(&c.o, w);
  ck_assert_uint_eq(c.o.count, 1);
  ck_assert_uint_eq(c.o.counted, 0);
  ck_assert_uint_eq(c.o.bytes, 3);
  push_close();
}

START_TEST(an_unsent_handshake_is_kept)
{
  make_pair(SOCK_SEQPACKET, 0);
  on_worker(all, 0, greet_and_drop, NULL);
  await(&c.emptied);
  ck_assert_uint_eq(receive_all(), 1);
}
END_TEST

static void push_and_drop(void *arg)
{
  struct wps_frame *f = frame_of(10, 0);
  int how = *(int *)arg;

  for (int i = 0; i < 20; i++)
    ck_assert_int_eq(outbound_frame(&c.o, w, f, OUT_COUNTED, NULL), WPS_OK);
  ck_assert_uint_eq(atomic_load(&f->refs), 21);
  if (how == 0)
    outbound_drop_unsent(&c.o, w);
  else
    outbound_clear(&c.o, w);
  ck_assert_uint_eq(atomic_load(&f->refs), 1);
  ck_assert_uint_eq(c.o.count, 0);
  ck_assert_uint_eq(c.o.counted, 0);
  ck_assert_uint_eq(c.o.bytes, 0);
  ck_assert(list_empty(&c.o.dirty) == (how == 1));
  frame_unref(f);
}

START_TEST(all_that_is_unsent_is_dropped)
{
  make_pair(SOCK_STREAM, 0);
  on_worker(all, 0, push_and_drop, &_i);
  if (_i == 0)
    await(&c.emptied);
  receive_nothing();
}
END_TEST

/* ---- the end ---- */

static void expect_closed(void)
{
  struct wps_frame *f = frame_of(10, 0);
  struct wps_part parts[] = {{NULL, {"x", 1}}, {f, {NULL, 0}}};
  uint32_t count = c.o.count;
  size_t bytes = c.o.bytes;

  ck_assert_int_eq(outbound_frame(&c.o, w, f, OUT_COUNTED, mortal[0]),
                   WPS_ECLOSED);
  ck_assert_int_eq(
      outbound_parts(&c.o, w, WPS_TEXT, parts, 2, OUT_COUNTED, mortal[0]),
      WPS_ECLOSED);
  ck_assert_int_eq(outbound_handshake(&c.o, w, "x", 1), WPS_ECLOSED);
  ck_assert_int_eq(outbound_close(&c.o, w, 1000, STR("")), WPS_ECLOSED);
  ck_assert_uint_eq(atomic_load(&f->refs), 1);
  ck_assert_uint_eq(c.o.count, count);
  ck_assert_uint_eq(c.o.counted, 0);
  ck_assert_uint_eq(c.o.bytes, bytes);
  frame_unref(f);
}

static void close_behind_a_frame(void *arg)
{
  UNUSED(arg);
  push(10, 0);
  push_close();
  expect_closed();
}

START_TEST(nothing_comes_behind_a_close_frame)
{
  make_mortals();
  make_pair(SOCK_STREAM, 0);
  on_worker(all, 0, close_behind_a_frame, NULL);
  await(&c.emptied);
  receive_all();
  receive_nothing();
  bury_mortals();
}
END_TEST

static void push_without_stream(void *arg)
{
  UNUSED(arg);
  c.o.stream = NULL;
  expect_closed();
}

START_TEST(without_a_socket_nothing_is_queued)
{
  make_mortals();
  make_pair(SOCK_STREAM, 0);
  on_worker(all, 0, push_without_stream, NULL);
  bury_mortals();
}
END_TEST

START_TEST(a_broken_socket_is_told)
{
  make_pair(SOCK_STREAM, 0);
  shutdown(peer, SHUT_RDWR);
  on_worker(all, 0, push_four, NULL);
  await(&c.failed);
  ck_assert_str_eq(c.why, "write: Broken pipe");
  /* Whoever hears of it clears the queue, here the end of the test. */
  ck_assert_uint_eq(c.o.count, 4);
}
END_TEST

static void move(void *arg)
{
  if (*(int *)arg == 0)
    push_four(NULL);
  stream_set_ops(stream, &rig_stream_ops, &heir.o);
  outbound_move(&heir.o, &c.o, w);
  ck_assert_ptr_eq(heir.o.stream, stream);
  ck_assert_uint_ne(heir.o.count, 0);
  ck_assert_uint_eq(c.o.count, 0);
  ck_assert_ptr_null(c.o.stream);
  ck_assert_ptr_null(c.o.units);
  ck_assert(list_empty(&c.o.dirty));
  expect_closed();
}

START_TEST(a_queue_can_change_hands)
{
  make_mortals();
  if (_i == 0)
    make_pair(SOCK_STREAM, 0);
  else
    fill();
  on_worker(all, 0, move, &_i);
  receive_all();
  await(&heir.emptied);
  ck_assert_int_ne(sem_trywait(&c.emptied), 0);
  bury_mortals();
}
END_TEST

int main(void)
{
  Suite *s = suite_create("outbound drop");
  TCase *tc = tcase_create("outbound");
  SRunner *r;
  int failed;

  tcase_set_timeout(tc, 60);
  tcase_add_checked_fixture(tc, rig_setup, rig_teardown);
  tcase_add_loop_test(tc, what_waited_too_long_is_dropped, 0, 2);
  tcase_add_test(tc, nothing_but_stale_is_nothing);
  tcase_add_test(tc, what_is_partly_written_does_not_expire);
  tcase_add_test(tc, a_partly_written_unit_is_kept);
  tcase_add_test(tc, an_unsent_handshake_is_kept);
  tcase_add_loop_test(tc, all_that_is_unsent_is_dropped, 0, 2);
  tcase_add_test(tc, nothing_comes_behind_a_close_frame);
  tcase_add_test(tc, without_a_socket_nothing_is_queued);
  tcase_add_test(tc, a_broken_socket_is_told);
  tcase_add_loop_test(tc, a_queue_can_change_hands, 0, 2);
  suite_add_tcase(s, tc);
  r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
