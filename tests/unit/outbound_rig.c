/* SPDX-License-Identifier: Apache-2.0 */
#include "outbound_rig.h"

#include <check.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hub/hub.h"
#include "on_worker.h"

struct workers *all;
struct wps_worker *w;
static struct hubs *hubs;
static struct conn_server server;
struct stream *stream;
int peer;
struct client c, heir;

unsigned char expected[WIRE_MAX], got[WIRE_MAX];
size_t expected_len;

static void on_failed(struct outbound *o, const char *why)
{
  struct client *client = CONTAINER_OF(o, struct client, o);

  snprintf(client->why, sizeof(client->why), "%s", why);
  sem_post(&client->failed);
}

static void on_left(struct outbound *o)
{
  ck_assert_uint_gt(o->bytes, o->sent);
  ck_assert(o->blocked);
  sem_post(&CONTAINER_OF(o, struct client, o)->left);
}

static void on_emptied(struct outbound *o)
{
  ck_assert_uint_eq(o->count, 0);
  ck_assert_uint_eq(o->counted, 0);
  ck_assert_uint_eq(o->bytes, 0);
  ck_assert_uint_eq(o->sent, 0);
  ck_assert_ptr_null(o->units);
  ck_assert(!o->blocked);
  sem_post(&CONTAINER_OF(o, struct client, o)->emptied);
}

static const struct outbound_ops ops = {on_failed, on_left, on_emptied, NULL};

static void on_readable(struct stream *s, void *arg)
{
  char byte;

  UNUSED(arg);
  ck_assert_int_le(stream_read(s, &byte, 1), 0);
  stream_want_read(s, false);
}

static void on_writable(struct stream *s, void *arg)
{
  UNUSED(s);
  outbound_writable(arg, w);
}

const struct stream_ops rig_stream_ops = {on_readable, on_writable};

static int start(struct wps_worker *worker, void *arg)
{
  return conn_worker_start(worker, arg);
}

static void stop(struct wps_worker *worker, void *arg)
{
  UNUSED(arg);
  conn_worker_stop(worker);
}

void client_init(struct client *client)
{
  memset(client, 0, sizeof(*client));
  outbound_init(&client->o, &ops);
  sem_init(&client->left, 0, 0);
  sem_init(&client->emptied, 0, 0);
  sem_init(&client->failed, 0, 0);
}

void rig_setup(void)
{
  static const struct hub_settings any = {.pattern = {"*", 1}};
  struct worker_hooks hook = {start, stop, &server};

  client_init(&c);
  client_init(&heir);
  expected_len = 0;
  all = workers_new(1);
  ck_assert_ptr_nonnull(all);
  w = workers_at(all, 0);
  hubs = hubs_new(all, &any, 1, 1);
  ck_assert_ptr_nonnull(hubs);
  server.hubs = hubs;
  ck_assert_int_eq(workers_start(all, &hook, 1), WPS_OK);
}

static void attach(void *arg)
{
  UNUSED(arg);
  stream_attach(stream, w, &rig_stream_ops, &c.o);
  c.o.stream = stream;
}

void make_pair(int type, int send_buffer)
{
  int fds[2];

  ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, fds), 0);
  if (send_buffer != 0)
    ck_assert_int_eq(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &send_buffer,
                                sizeof(send_buffer)),
                     0);
  peer = fds[1];
  stream = stream_new(fds[0], NULL);
  ck_assert_ptr_nonnull(stream);
  on_worker(all, 0, attach, NULL);
}

static void detach(void *arg)
{
  UNUSED(arg);
  outbound_clear(&c.o, w);
  outbound_clear(&heir.o, w);
  stream_close(stream, false);
  ck_assert(list_empty(&w->conns->out.dirty));
  ck_assert_ptr_null(c.o.units);
  ck_assert_ptr_null(heir.o.units);
  ck_assert_uint_eq(c.o.bytes + heir.o.bytes, 0);
  ck_assert_uint_eq(c.o.counted + heir.o.counted, 0);
}

void rig_teardown(void)
{
  if (stream != NULL) {
    on_worker(all, 0, detach, NULL);
    close(peer);
    stream = NULL;
  }
  workers_stop(all);
  hubs_free(hubs);
  workers_free(all);
}

void await(sem_t *sem)
{
  while (sem_wait(sem) != 0)
    ;
}

/* ---- on the worker ---- */

void expect(const void *bytes, size_t len)
{
  ck_assert_uint_le(len, sizeof(expected) - expected_len);
  memcpy(expected + expected_len, bytes, len);
  expected_len += len;
}

struct wps_frame *frame_of(size_t len, uint32_t seed)
{
  void *payload;
  struct wps_frame *f = frame_new(WPS_BINARY, len, &payload);

  ck_assert_ptr_nonnull(f);
  for (size_t i = 0; i < len; i++)
    ((unsigned char *)payload)[i] = (unsigned char)(i * 31 + seed);
  return f;
}

void push(size_t len, uint32_t flags)
{
  struct wps_frame *f = frame_of(len, (uint32_t)expected_len);

  ck_assert_int_eq(outbound_frame(&c.o, w, f, flags, NULL), WPS_OK);
  expect(frame_wire(f), frame_wire_len(f));
  frame_unref(f);
}

void push_parts(const struct wps_part *parts, size_t count)
{
  unsigned char header[FRAME_HEADER_MAX];
  struct wps_bytes bytes[8];
  size_t total = 0;

  ck_assert_uint_le(count, ARRAY_LEN(bytes));
  for (size_t i = 0; i < count; i++) {
    bytes[i] = parts[i].shared == NULL
                   ? parts[i].bytes
                   : message_api.frame_bytes(parts[i].shared);
    total += bytes[i].len;
  }
  expect(header, frame_header_write(header, WPS_TEXT, total));
  for (size_t i = 0; i < count; i++)
    if (bytes[i].len != 0)
      expect(bytes[i].ptr, bytes[i].len);
  ck_assert_int_eq(outbound_parts(&c.o, w, WPS_TEXT, parts, count, 0, NULL),
                   WPS_OK);
}

/* ---- on the peer's side ---- */

size_t receive(size_t have, size_t max)
{
  ssize_t n;

  do {
    n = recv(peer, got + have, max, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
      sched_yield();
  } while (n < 0 && (errno == EAGAIN || errno == EINTR));
  ck_assert_int_gt(n, 0);
  return (size_t)n;
}

uint32_t receive_all(void)
{
  size_t have = 0;
  uint32_t reads = 0;

  for (; have < expected_len; reads++)
    have += receive(have, sizeof(got) - have);
  ck_assert_uint_eq(have, expected_len);
  ck_assert_int_eq(memcmp(got, expected, have), 0);
  return reads;
}

void receive_nothing(void)
{
  ck_assert_int_eq(recv(peer, got, 1, MSG_DONTWAIT), -1);
  ck_assert_int_eq(errno, EAGAIN);
}

/* ---- what several tests begin with ---- */

void push_four(void *arg)
{
  static const char hello[] = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
  struct wps_part part = {NULL, {"parts", 5}};

  UNUSED(arg);
  ck_assert_int_eq(outbound_handshake(&c.o, w, hello, strlen(hello)), WPS_OK);
  expect(hello, strlen(hello));
  push(5, OUT_COUNTED);
  push_parts(&part, 1);
  push(200, OUT_COUNTED);
  ck_assert_uint_eq(c.o.count, 4);
  ck_assert_uint_eq(c.o.counted, 2);
  ck_assert_uint_eq(c.o.bytes, expected_len);
}

static void push_too_much(void *arg)
{
  UNUSED(arg);
  push(300, OUT_COUNTED);
  push(200000, OUT_COUNTED);
  push(300, OUT_COUNTED);
}

static void check_filled(void *arg)
{
  UNUSED(arg);
  ck_assert_uint_eq(c.o.count, 2);
  ck_assert_uint_eq(c.o.counted, 2);
  ck_assert_uint_gt(c.o.sent, 0);
  ck_assert_uint_eq(c.o.bytes, expected_len - 304);
}

void fill(void)
{
  make_pair(SOCK_STREAM, 4096);
  on_worker(all, 0, push_too_much, NULL);
  await(&c.left);
  on_worker(all, 0, check_filled, NULL);
}
