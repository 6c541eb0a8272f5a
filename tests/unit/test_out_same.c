/* SPDX-License-Identifier: Apache-2.0 */
/* Many queues with the same frames: each peer gets its own, whole and in order,
 * whatever the others have. */
#include "conn/out_same.h"

#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"
#include "on_worker.h"
#include "outbound_rig.h"

enum { QUEUES = 6, FRAMES_MAX = 80, BYTES_MAX = 1 << 20 };

static struct queue {
  struct client client;
  struct stream *stream;
  int peer;
  unsigned char expected[BYTES_MAX];
  size_t expected_len;
} queues[QUEUES];

static struct wps_frame *frames[FRAMES_MAX];
static int small_buffer; /* of queue 2, unless 0 */

static void attach_all(void *arg)
{
  UNUSED(arg);
  for (size_t i = 0; i < QUEUES; i++) {
    struct queue *q = &queues[i];

    stream_attach(q->stream, w, &rig_stream_ops, &q->client.o);
    q->client.o.stream = q->stream;
  }
}

static void open_all(int type)
{
  for (size_t i = 0; i < QUEUES; i++) {
    struct queue *q = &queues[i];
    int fds[2];

    client_init(&q->client);
    q->expected_len = 0;
    ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, fds), 0);
    if (i == 2 && small_buffer != 0)
      ck_assert_int_eq(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small_buffer,
                                  sizeof(small_buffer)),
                       0);
    q->peer = fds[1];
    q->stream = stream_new(fds[0], NULL);
    ck_assert_ptr_nonnull(q->stream);
  }
  on_worker(all, 0, attach_all, NULL);
}

static void close_all(void *arg)
{
  UNUSED(arg);
  ck_assert_uint_eq(w->conns->out.same.count, 0);
  for (size_t i = 0; i < QUEUES; i++) {
    outbound_clear(&queues[i].client.o, w);
    stream_close(queues[i].stream, false);
    close(queues[i].peer);
  }
}

static void make_frames(size_t count, size_t len)
{
  for (size_t i = 0; i < count; i++)
    frames[i] = frame_of(len + i, (uint32_t)i + 1);
}

static void drop_frames(size_t count)
{
  for (size_t i = 0; i < count; i++) {
    /* No queue and no memory of a flush holds it any more. */
    ck_assert_uint_eq(atomic_load(&frames[i]->refs), 1);
    frame_unref(frames[i]);
  }
}

static void put(struct queue *q, struct wps_frame *frame)
{
  ck_assert_uint_le(q->expected_len + frame_wire_len(frame), BYTES_MAX);
  memcpy(q->expected + q->expected_len, frame_wire(frame),
         frame_wire_len(frame));
  q->expected_len += frame_wire_len(frame);
  ck_assert_int_eq(outbound_frame(&q->client.o, w, frame, OUT_COUNTED, NULL),
                   WPS_OK);
}

static void put_private(struct queue *q)
{
  static const unsigned char wire[] = {0x81, 3, 'o', 'w', 'n'};
  struct wps_part part = {NULL, {"own", 3}};

  memcpy(q->expected + q->expected_len, wire, sizeof(wire));
  q->expected_len += sizeof(wire);
  ck_assert_int_eq(outbound_parts(&q->client.o, w, WPS_TEXT, &part, 1, 0, NULL),
                   WPS_OK);
}

static void take(struct queue *q)
{
  static unsigned char got_here[BYTES_MAX];
  size_t have = 0;

  while (have < q->expected_len) {
    ssize_t n = recv(q->peer, got_here + have, BYTES_MAX - have, 0);

    if (n > 0)
      have += (size_t)n;
    else
      ck_assert_int_eq(errno, EAGAIN);
  }
  ck_assert_uint_eq(have, q->expected_len);
  ck_assert_int_eq(memcmp(got_here, q->expected, have), 0);
  await(&q->client.emptied);
  ck_assert_int_eq(recv(q->peer, got_here, 1, 0), -1);
}

struct plan {
  size_t count, len; /* frames */
  bool odd;          /* queues 1, 3 and 4 have something else as well */
};

static void push_plan(void *arg)
{
  const struct plan *p = arg;

  for (size_t i = 0; i < QUEUES; i++) {
    struct queue *q = &queues[i];

    if (p->odd && i == 1)
      put_private(q);
    for (size_t k = 0; k < p->count; k++) {
      if (p->odd && i == 3 && k == p->count / 2)
        put_private(q);
      put(q, frames[p->odd && i == 4 && k == 1 ? 0 : k]);
    }
  }
}

static void run(struct plan *p, int type)
{
  open_all(type);
  make_frames(p->count, p->len);
  for (int round = 0; round < 3; round++) {
    on_worker(all, 0, push_plan, p);
    for (size_t i = 0; i < QUEUES; i++) {
      take(&queues[i]);
      queues[i].expected_len = 0;
    }
  }
  on_worker(all, 0, close_all, NULL);
  drop_frames(p->count);
}

START_TEST(all_get_the_same)
{
  static const struct plan plans[] = {
      {1, 200, false},   {2, 200, false},  {16, 223, false},
      {64, 100, false},  {65, 100, false}, {16, 4096, false},
      {3, 90000, false}, {2, 0, false},    {20, 13000, false}};
  struct plan p = plans[_i];

  run(&p, SOCK_STREAM);
}
END_TEST

START_TEST(each_gets_its_own)
{
  static const struct plan plans[] = {
      {2, 200, true}, {16, 223, true}, {16, 4096, true}, {40, 0, true}};
  struct plan p = plans[_i];

  run(&p, SOCK_STREAM);
}
END_TEST

START_TEST(it_is_one_write_for_each)
{
  static unsigned char packet[BYTES_MAX];
  struct plan p = {16, 223, false};

  open_all(SOCK_SEQPACKET);
  make_frames(p.count, p.len);
  on_worker(all, 0, push_plan, &p);
  for (size_t i = 0; i < QUEUES; i++) {
    await(&queues[i].client.emptied);
    ck_assert_int_eq(recv(queues[i].peer, packet, sizeof(packet), 0),
                     (ssize_t)queues[i].expected_len);
    ck_assert_int_eq(memcmp(packet, queues[i].expected, queues[i].expected_len),
                     0);
  }
  on_worker(all, 0, close_all, NULL);
  drop_frames(p.count);
}
END_TEST

/* A peer that takes only part of it gets the rest later, and holds up nobody.
 */
START_TEST(a_full_socket_goes_on_by_itself)
{
  struct plan p = {16, 8000, false};

  small_buffer = 4096;
  open_all(SOCK_STREAM);
  make_frames(p.count, p.len);
  on_worker(all, 0, push_plan, &p);
  await(&queues[2].client.left);
  for (size_t i = 0; i < QUEUES; i++)
    if (i != 2)
      take(&queues[i]);
  take(&queues[2]);
  on_worker(all, 0, close_all, NULL);
  drop_frames(p.count);
  small_buffer = 0;
}
END_TEST

static void push_then_more(void *arg)
{
  struct plan p = {4, 0, false};

  UNUSED(arg);
  push_plan(&p);
  for (size_t i = 0; i < QUEUES; i++)
    if (i % 2 == 1)
      put(&queues[i], frames[4]);
}

START_TEST(two_kinds_side_by_side)
{
  open_all(SOCK_STREAM);
  make_frames(5, 100);
  on_worker(all, 0, push_then_more, NULL);
  for (size_t i = 0; i < QUEUES; i++)
    take(&queues[i]);
  on_worker(all, 0, close_all, NULL);
  drop_frames(5);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("out_same");
  TCase *tc = tcase_create("out_same");
  SRunner *r;
  int failed;

  tcase_set_timeout(tc, 60);
  tcase_add_checked_fixture(tc, rig_setup, rig_teardown);
  tcase_add_loop_test(tc, all_get_the_same, 0, 9);
  tcase_add_loop_test(tc, each_gets_its_own, 0, 4);
  tcase_add_test(tc, it_is_one_write_for_each);
  tcase_add_test(tc, a_full_socket_goes_on_by_itself);
  tcase_add_test(tc, two_kinds_side_by_side);
  suite_add_tcase(s, tc);
  r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
