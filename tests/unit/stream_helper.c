/* SPDX-License-Identifier: Apache-2.0 */
#include "stream_helper.h"

#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct workers *all;
struct wps_worker *w;
int client_fd;
struct stream *stream;

void stream_setup(void)
{
  signal(SIGPIPE, SIG_IGN);
  all = workers_new(2);
  ck_assert_ptr_nonnull(all);
  w = workers_main(all);
}

void stream_teardown(void)
{
  workers_stop(all);
  workers_free(all);
}

void make_pair(struct tls_context *with)
{
  int fds[2];

  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  ck_assert_int_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
  client_fd = fds[1];
  stream = stream_new(fds[0], with);
  ck_assert_ptr_nonnull(stream);
  ck_assert_int_eq(stream_fd(stream), fds[0]);
  ck_assert(stream_is_tls(stream) == (with != NULL));
}

/* ---- a server that collects ---- */

char collected[COLLECTED_MAX];

static void server_resume(struct timer *t)
{
  struct server *v = CONTAINER_OF(t, struct server, resume);

  v->pause_at = 0;
  stream_want_read(v->s, true);
}

static void server_readable(struct stream *s, void *arg)
{
  struct server *v = arg;

  v->calls++;
  if (v->close_first || v->detach_first) {
    if (v->close_first)
      stream_close(s, false);
    else
      stream_detach(s);
    workers_quit(all);
    return;
  }
  ck_assert_uint_ne(v->pause_at, UINT32_MAX);
  for (;;) {
    size_t room = v->step != 0 ? v->step : sizeof(collected) - v->len;
    ssize_t n = stream_read(s, v->got + v->len, room);

    if (n == STREAM_AGAIN)
      return;
    if (n <= 0) {
      v->last = n;
      stream_want_read(s, false);
      workers_quit(all);
      return;
    }
    v->len += (size_t)n;
    ck_assert_uint_le(v->len, sizeof(collected));
    if (v->len == v->wanted) {
      workers_quit(all);
      return;
    }
    if (v->calls == v->pause_at) {
      v->pause_at = UINT32_MAX;
      stream_want_read(s, false);
      timer_init(&v->resume, server_resume);
      timer_start(w, &v->resume, 5);
      return;
    }
    if (v->step != 0)
      return;
  }
}

void never_writable(struct stream *s, void *arg)
{
  UNUSED(s);
  UNUSED(arg);
  ck_abort_msg("writable was not asked for");
}

const struct stream_ops collect_ops = {server_readable, never_writable};

void server_run(struct server *v, size_t wanted)
{
  v->s = stream;
  v->got = collected;
  v->wanted = wanted;
  v->last = 1;
  stream_attach(stream, w, &collect_ops, v);
  workers_run(all);
}

/* ---- writing more than fits ---- */

enum { BULK = 3 << 20 };
static unsigned char bulk[BULK];

struct writer {
  size_t sent;
  uint32_t seed, waits;
  bool ended;
};

static uint32_t next_random(uint32_t *seed)
{
  *seed = *seed * 1664525u + 1013904223u;
  return *seed >> 8;
}

static void ignore_readable(struct stream *s, void *arg)
{
  char c;

  UNUSED(arg);
  /* Under TLS this is where the handshake happens. */
  ck_assert_int_eq(stream_read(s, &c, 1), STREAM_AGAIN);
}

/* As a connection does: pieces of any size, taken up where the last call left
 * off, cut anew each time. */
static void writer_writable(struct stream *s, void *arg)
{
  struct writer *v = arg;

  while (v->sent < BULK) {
    struct iovec iov[40];
    size_t at = v->sent;
    /* No less than before: 64 KiB or the rest. */
    size_t end = at + 65536 < BULK ? at + 65536 : BULK;
    int count = 0;
    ssize_t n;

    while (at < end && count < 40) {
      size_t len = next_random(&v->seed) % 5 == 0
                       ? next_random(&v->seed) % 40000
                       : next_random(&v->seed) % 300;

      if (count == 39 || len > end - at)
        len = end - at;
      iov[count].iov_base = bulk + at;
      iov[count++].iov_len = len;
      at += len;
    }
    n = stream_writev(s, iov, count);
    if (n == STREAM_AGAIN) {
      v->waits++;
      return;
    }
    ck_assert_msg(n >= 0, "%s", stream_error(s));
    v->sent += (size_t)n;
  }
  stream_want_write(s, false);
  stream_shutdown(s);
  v->ended = true;
  workers_quit(all);
}

static const struct stream_ops writer_ops = {ignore_readable, writer_writable};

static void *bulk_read(void *arg)
{
  static unsigned char got[BULK];
  SSL *ssl = arg;
  size_t len = 0;

  for (;;) {
    /* Small and large reads, so that the writer has to wait at odd places. */
    size_t max = len % 3 == 0 ? 100 : 20000;
    ssize_t n;

    if (max > BULK - len)
      max = BULK - len;
    if (max == 0)
      break;
    n = ssl == NULL ? read(client_fd, got + len, max)
                    : SSL_read(ssl, got + len, (int)max);
    ck_assert_int_gt(n, 0);
    len += (size_t)n;
  }
  ck_assert_int_eq(memcmp(got, bulk, BULK), 0);
  if (ssl == NULL) {
    ck_assert_int_eq(read(client_fd, got, 1), 0);
  } else {
    /* close_notify, or FIN alone when the socket was full at that moment. */
    ck_assert_int_le(SSL_read(ssl, got, 1), 0);
  }
  return NULL;
}

void bulk_run(SSL *ssl, uint32_t seed)
{
  struct writer v = {.seed = seed};
  pthread_t reader;
  int small = 5000 + 9000 * (int)(seed % 4);

  for (size_t i = 0; i < BULK; i++)
    bulk[i] = (unsigned char)(i * 2654435761u >> 13);
  setsockopt(stream_fd(stream), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
  ck_assert_int_eq(pthread_create(&reader, NULL, bulk_read, ssl), 0);
  stream_attach(stream, w, &writer_ops, &v);
  stream_want_write(stream, true);
  workers_run(all);
  pthread_join(reader, NULL);
  ck_assert(v.ended);
  ck_assert_uint_gt(v.waits, 0);
  stream_close(stream, false);
  SSL_free(ssl);
  close(client_fd);
}

/* ---- moving between workers ---- */

struct mover {
  struct post post;
  struct stream *s;
  char got[MOVES];
  uint32_t len;
};

static void mover_readable(struct stream *s, void *arg);
static const struct stream_ops mover_ops = {mover_readable, never_writable};

static void mover_arrived(struct post *self)
{
  struct mover *m = CONTAINER_OF(self, struct mover, post);

  stream_attach(m->s, worker_current(), &mover_ops, m);
}

/* One byte, then over to the other worker with the rest still inside. */
static void mover_readable(struct stream *s, void *arg)
{
  struct mover *m = arg;
  ssize_t n = stream_read(s, m->got + m->len, 1);

  if (n == STREAM_AGAIN)
    return;
  ck_assert_int_eq(n, 1);
  stream_detach(s);
  if (++m->len == MOVES) {
    workers_quit(all);
    return;
  }
  ck_assert(
      worker_post(workers_at(all, 1 - worker_current()->index), &m->post));
}

void move_run(const char text[MOVES])
{
  static struct mover m;

  ck_assert_int_eq(workers_start(all, NULL, 0), WPS_OK);
  m.s = stream;
  m.post.fn = mover_arrived;
  ck_assert(worker_post(workers_at(all, 0), &m.post));
  workers_run(all);
  ck_assert_int_eq(memcmp(m.got, text, MOVES), 0);
}
