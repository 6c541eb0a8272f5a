/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/stream.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"
#include "tls_helper.h"
#include "wire/tls.h"

/* The server's side runs on the main loop of this thread, and on workers where
 * a stream moves; the client's side is a thread of its own or plain calls. */

static struct workers *all;
static struct wps_worker *w;
static int client_fd;
static struct stream *stream;

static struct identity ca, server_id, client_id, stranger;
static struct tls_context *tls;

static void setup(void)
{
  signal(SIGPIPE, SIG_IGN);
  all = workers_new(2);
  ck_assert_ptr_nonnull(all);
  w = workers_main(all);
}

static void teardown(void)
{
  workers_stop(all);
  workers_free(all);
}

static void make_tls(const char *client_ca, bool required)
{
  struct tls_settings settings = {server_id.cert_file, server_id.key_file,
                                  client_ca, required};
  char why[512] = "";

  tls = tls_context_new(&settings, why, sizeof(why));
  ck_assert_msg(tls != NULL, "%s", why);
}

static void setup_tls(void)
{
  setup();
  tls_folder_make();
  identity_make(&ca, "ca", NULL);
  identity_make(&server_id, "localhost", &ca);
  identity_make(&client_id, "device-1", &ca);
  identity_make(&stranger, "stranger", NULL);
  make_tls(NULL, false);
}

static void teardown_tls(void)
{
  tls_context_free(tls);
  identity_drop(&ca);
  identity_drop(&server_id);
  identity_drop(&client_id);
  identity_drop(&stranger);
  rmdir(tls_folder);
  teardown();
}

/* stream and client_fd: the two ends of a local pair. */
static void make_pair(struct tls_context *with)
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

static void make_tcp_pair(void)
{
  struct sockaddr_in a = {.sin_family = AF_INET};
  socklen_t len = sizeof(a);
  int fd, listening = socket(AF_INET, SOCK_STREAM, 0);

  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ck_assert_int_eq(bind(listening, (struct sockaddr *)&a, len), 0);
  ck_assert_int_eq(listen(listening, 1), 0);
  ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&a, &len), 0);
  client_fd = socket(AF_INET, SOCK_STREAM, 0);
  ck_assert_int_eq(connect(client_fd, (struct sockaddr *)&a, len), 0);
  fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
  ck_assert_int_ge(fd, 0);
  close(listening);
  stream = stream_new(fd, NULL);
  ck_assert_ptr_nonnull(stream);
}

/* ---- a server that collects, with a habit each test chooses ---- */

struct server {
  struct stream *s;
  char *got;
  size_t len, wanted; /* quits the loop with this much */
  size_t step;        /* reads this much per call, then stops; 0: all */
  ssize_t last;       /* result that ended it: 0 or STREAM_ERROR */
  uint32_t calls;
  bool close_first, detach_first;
  uint32_t pause_at; /* call in which reading pauses; 0: never */
  struct timer resume;
};

static char collected[4 << 20];

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

static void never_writable(struct stream *s, void *arg)
{
  UNUSED(s);
  UNUSED(arg);
  ck_abort_msg("writable was not asked for");
}

static const struct stream_ops collect_ops = {server_readable, never_writable};

static void server_run(struct server *v, size_t wanted)
{
  v->s = stream;
  v->got = collected;
  v->wanted = wanted;
  v->last = 1;
  stream_attach(stream, w, &collect_ops, v);
  workers_run(all);
}

/* ---- plain ---- */

START_TEST(reads_what_is_there_then_says_again)
{
  struct server v = {0};
  char c;

  make_pair(NULL);
  ck_assert_int_eq(stream_read(stream, &c, 1), STREAM_AGAIN);
  ck_assert_str_eq(stream_error(stream), "");
  ck_assert_int_eq(write(client_fd, "hello", 5), 5);
  server_run(&v, 5);
  ck_assert_int_eq(memcmp(v.got, "hello", 5), 0);
  ck_assert_int_eq(stream_read(stream, &c, 1), STREAM_AGAIN);
  stream_close(stream, false);
  ck_assert_int_eq(read(client_fd, &c, 1), 0);
  close(client_fd);
}
END_TEST

START_TEST(stopping_early_is_called_again)
{
  struct server v = {.step = 1};

  make_pair(NULL);
  ck_assert_int_eq(write(client_fd, "0123456789", 10), 10);
  server_run(&v, 10);
  ck_assert_uint_eq(v.calls, 10);
  ck_assert_int_eq(memcmp(v.got, "0123456789", 10), 0);
  stream_close(stream, false);
  close(client_fd);
}
END_TEST

START_TEST(paused_reading_is_silent)
{
  struct server v = {.step = 3, .pause_at = 2};

  make_pair(NULL);
  ck_assert_int_eq(write(client_fd, "0123456789ab", 12), 12);
  server_run(&v, 12);
  ck_assert_uint_eq(v.calls, 4);
  stream_close(stream, false);
  close(client_fd);
}
END_TEST

START_TEST(end_is_zero)
{
  struct server v = {0};

  make_pair(NULL);
  ck_assert_int_eq(write(client_fd, "bye", 3), 3);
  shutdown(client_fd, SHUT_WR);
  server_run(&v, SIZE_MAX);
  ck_assert_int_eq(v.last, 0);
  ck_assert_uint_eq(v.len, 3);
  stream_shutdown(stream);
  ck_assert_int_eq(read(client_fd, v.got, 1), 0);
  stream_close(stream, false);
  close(client_fd);
}
END_TEST

START_TEST(reset_is_an_error_with_a_sentence)
{
  struct server v = {0};
  struct linger now = {1, 0};
  struct iovec iov = {v.got, 1};

  make_tcp_pair();
  setsockopt(client_fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  close(client_fd);
  server_run(&v, SIZE_MAX);
  ck_assert_int_eq(v.last, STREAM_ERROR);
  ck_assert_str_eq(stream_error(stream), "read: Connection reset by peer");
  iov.iov_base = collected;
  ck_assert_int_eq(stream_writev(stream, &iov, 1), STREAM_ERROR);
  ck_assert_str_eq(stream_error(stream), "read: Connection reset by peer");
  stream_close(stream, false);
}
END_TEST

START_TEST(close_can_reset)
{
  char c;

  make_tcp_pair();
  stream_close(stream, true);
  ck_assert_int_eq(read(client_fd, &c, 1), -1);
  ck_assert_int_eq(errno, ECONNRESET);
  close(client_fd);
}
END_TEST

START_TEST(writing_to_nobody_is_an_error)
{
  struct iovec iov = {collected, 10};

  make_pair(NULL);
  close(client_fd);
  ck_assert_int_eq(stream_writev(stream, &iov, 1), STREAM_ERROR);
  ck_assert_str_eq(stream_error(stream), "write: Broken pipe");
  stream_close(stream, false);
}
END_TEST

START_TEST(callback_may_close_or_detach)
{
  struct server v = {.close_first = _i == 0, .detach_first = _i == 1};

  make_pair(NULL);
  ck_assert_int_eq(write(client_fd, "x", 1), 1);
  server_run(&v, 1);
  ck_assert_uint_eq(v.calls, 1);
  if (_i == 1) {
    struct server again = {0};

    server_run(&again, 1);
    ck_assert_uint_eq(again.len, 1);
    stream_close(stream, false);
  }
  close(client_fd);
}
END_TEST

static void other_readable(struct stream *s, void *arg)
{
  ck_assert_int_eq(stream_read(s, arg, 1), 1);
  workers_quit(all);
}

START_TEST(ops_can_change_hands)
{
  static const struct stream_ops other = {other_readable, never_writable};
  struct server v = {0};
  char c = 0;

  make_pair(NULL);
  v.s = stream;
  stream_attach(stream, w, &collect_ops, &v);
  stream_set_ops(stream, &other, &c);
  ck_assert_int_eq(write(client_fd, "x", 1), 1);
  workers_run(all);
  ck_assert_int_eq(c, 'x');
  stream_close(stream, false);
  close(client_fd);
}
END_TEST

/* ---- writing more than fits; plain and TLS ---- */

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

static void bulk_run(SSL *ssl, uint32_t seed)
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

START_TEST(plain_writes_wait_and_lose_nothing)
{
  make_pair(NULL);
  bulk_run(NULL, (uint32_t)_i);
}
END_TEST

START_TEST(tls_writes_wait_and_lose_nothing)
{
  make_pair(tls);
  bulk_run(client_new(client_fd, NULL, NULL), (uint32_t)_i);
}
END_TEST

START_TEST(nothing_to_write_is_nothing)
{
  struct iovec iov[2] = {{collected, 0}, {collected, 0}};

  make_pair(NULL);
  ck_assert_int_eq(stream_writev(stream, iov, 0), 0);
  ck_assert_int_eq(stream_writev(stream, iov, 2), 0);
  stream_close(stream, false);
  close(client_fd);
}
END_TEST

#ifdef WPS_DEBUG
START_TEST(fault_points)
{
  struct iovec iov[2] = {{collected, 10}, {collected, 10}};
  char buf[32];

  setenv("WEBPUBSUBD_FAULT", "read:2,write:3,short_write:1", 1);
  make_pair(NULL);
  ck_assert_int_eq(stream_writev(stream, iov, 2), 5);
  ck_assert_int_eq(stream_writev(stream, iov, 2), 20);
  ck_assert_int_eq(read(client_fd, buf, sizeof(buf)), 25);
  ck_assert_int_eq(stream_read(stream, buf, 1), STREAM_AGAIN);
  ck_assert_int_eq(stream_read(stream, buf, 1), STREAM_ERROR);
  ck_assert_str_eq(stream_error(stream), "read: Connection reset by peer");
  ck_assert_int_eq(stream_writev(stream, iov, 2), STREAM_ERROR);
  stream_close(stream, false);
  close(client_fd);
  make_pair(NULL);
  ck_assert_int_eq(stream_writev(stream, iov, 2), 20);
  stream_close(stream, false);
  close(client_fd);
}
END_TEST
#endif

/* ---- TLS ---- */

struct dialogue {
  const struct identity *id;
  const char *alpn;
  const char *say;
  size_t len;
  int max_version;
  bool shut, cut; /* close_notify, or FIN alone, at the end */
  bool expect_failure, expect_goodbye;
  char version[16], chosen[16];
};

static void *client_talk(void *arg)
{
  struct dialogue *d = arg;
  SSL *ssl = client_new(client_fd, d->id, d->alpn);
  const unsigned char *proto = NULL;
  unsigned proto_len = 0;
  int done;
  char c;

  if (d->max_version != 0) {
    SSL_set_security_level(ssl, 0);
    SSL_set_max_proto_version(ssl, d->max_version);
  }
  done = SSL_do_handshake(ssl);
  if (done == 1) {
    SSL_get0_alpn_selected(ssl, &proto, &proto_len);
    snprintf(d->chosen, sizeof(d->chosen), "%.*s", (int)proto_len,
             proto == NULL ? "" : (const char *)proto);
    snprintf(d->version, sizeof(d->version), "%s", SSL_get_version(ssl));
    if (d->len > 0)
      SSL_write(ssl, d->say, (int)d->len);
    if (d->shut)
      SSL_shutdown(ssl);
  }
  if (d->cut || d->shut)
    shutdown(client_fd, SHUT_WR);
  if (d->expect_failure)
    /* Under TLS 1.3 the client's handshake is over before the server has
     * looked at its certificate. */
    ck_assert(done != 1 || SSL_read(ssl, &c, 1) <= 0);
  if (d->expect_goodbye) {
    ck_assert_int_eq(SSL_read(ssl, &c, 1), 0);
    ck_assert_int_eq(SSL_get_error(ssl, 0), SSL_ERROR_ZERO_RETURN);
  }
  SSL_free(ssl);
  return NULL;
}

/* The server reads `wanted` bytes, an end or an error. */
static void talk(struct server *v, struct dialogue *d, size_t wanted)
{
  pthread_t thread;

  make_pair(tls);
  ck_assert_int_eq(pthread_create(&thread, NULL, client_talk, d), 0);
  server_run(v, wanted);
  if (v->last == STREAM_ERROR)
    shutdown(stream_fd(stream), SHUT_RDWR);
  pthread_join(thread, NULL);
  close(client_fd);
}

START_TEST(tls_talks)
{
  struct dialogue d = {.say = "hello", .len = 5, .alpn = "\x02h2\x08http/1.1"};
  struct server v = {0};
  size_t len;

  talk(&v, &d, 5);
  ck_assert_int_eq(memcmp(v.got, "hello", 5), 0);
  ck_assert_str_eq(d.chosen, "http/1.1");
  ck_assert_str_eq(d.version, "TLSv1.3");
  ck_assert_ptr_null(stream_client_cert(stream, &len));
  stream_close(stream, false);
}
END_TEST

START_TEST(tls_1_2_is_the_oldest)
{
  struct dialogue d = {.say = "x", .len = 1, .max_version = TLS1_2_VERSION};
  struct dialogue old = {.max_version = TLS1_1_VERSION, .expect_failure = true};
  struct server v = {0}, refused = {0};

  talk(&v, &d, 1);
  ck_assert_str_eq(d.version, "TLSv1.2");
  stream_close(stream, false);
  talk(&refused, &old, 1);
  ck_assert_int_eq(refused.last, STREAM_ERROR);
  ck_assert_str_eq(stream_error(stream), "TLS: unsupported protocol");
  stream_close(stream, false);
}
END_TEST

START_TEST(tls_other_application_protocols_are_refused)
{
  struct dialogue d = {.alpn = "\x02h2", .expect_failure = true};
  struct server v = {0};

  talk(&v, &d, 1);
  ck_assert_int_eq(v.last, STREAM_ERROR);
  ck_assert_str_eq(stream_error(stream), "TLS: no application protocol");
  stream_close(stream, false);
}
END_TEST

/* One record of 1000 bytes, read byte by byte: no descriptor tells of the
 * other 999. */
START_TEST(tls_decrypted_input_is_not_forgotten)
{
  static char text[1000];
  struct dialogue d = {.say = text, .len = sizeof(text)};
  struct server v = {.step = 1, .pause_at = _i == 0 ? 0 : 300};

  for (size_t i = 0; i < sizeof(text); i++)
    text[i] = (char)i;
  talk(&v, &d, sizeof(text));
  ck_assert_int_eq(memcmp(v.got, text, sizeof(text)), 0);
  ck_assert_uint_ge(v.calls, sizeof(text));
  stream_close(stream, false);
}
END_TEST

START_TEST(tls_end_is_zero)
{
  struct dialogue d = {.say = "bye", .len = 3, .shut = _i == 0, .cut = _i == 1};
  struct server v = {0};

  talk(&v, &d, SIZE_MAX);
  ck_assert_uint_eq(v.len, 3);
  ck_assert_int_eq(v.last, 0);
  ck_assert_str_eq(stream_error(stream), "");
  stream_close(stream, false);
}
END_TEST

START_TEST(tls_garbage_is_an_error)
{
  struct server v = {0};

  make_pair(tls);
  ck_assert_int_eq(write(client_fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
  server_run(&v, 1);
  ck_assert_int_eq(v.last, STREAM_ERROR);
  ck_assert_str_eq(stream_error(stream), "TLS: http request");
  stream_shutdown(stream);
  stream_close(stream, false);
  close(client_fd);

  make_pair(tls);
  close(client_fd);
  v = (struct server){0};
  server_run(&v, 1);
  ck_assert_int_le(v.last, 0);
  stream_close(stream, false);
}
END_TEST

START_TEST(tls_shutdown_says_goodbye)
{
  struct server v = {0};
  struct dialogue d = {.say = "x", .len = 1, .expect_goodbye = true};
  pthread_t thread;

  make_pair(tls);
  ck_assert_int_eq(pthread_create(&thread, NULL, client_talk, &d), 0);
  server_run(&v, 1);
  stream_shutdown(stream);
  pthread_join(thread, NULL);
  stream_close(stream, false);
  close(client_fd);
}
END_TEST

static void *client_count_records(void *arg)
{
  SSL *ssl = arg;
  char buf[20000];

  client_write(ssl, "x", 1);
  /* One SSL_read gives what one record holds. */
  ck_assert_int_eq(SSL_read(ssl, buf, sizeof(buf)), 5000);
  return NULL;
}

START_TEST(tls_joins_small_pieces)
{
  static char text[100];
  struct server v = {0};
  struct iovec iov[50];
  pthread_t thread;
  SSL *ssl;

  make_pair(tls);
  ssl = client_new(client_fd, NULL, NULL);
  ck_assert_int_eq(pthread_create(&thread, NULL, client_count_records, ssl), 0);
  server_run(&v, 1);
  for (size_t i = 0; i < ARRAY_LEN(iov); i++)
    iov[i] = (struct iovec){text, sizeof(text)};
  ck_assert_int_eq(stream_writev(stream, iov, ARRAY_LEN(iov)), 5000);
  pthread_join(thread, NULL);
  SSL_free(ssl);
  stream_close(stream, false);
  close(client_fd);
}
END_TEST

/* ---- client certificates ---- */

static void talk_with_ca(struct server *v, struct dialogue *d, bool required)
{
  tls_context_free(tls);
  make_tls(ca.cert_file, required);
  talk(v, d, 1);
}

START_TEST(client_certificate_is_verified_and_given)
{
  struct dialogue d = {.say = "x",
                       .len = 1,
                       .id = &client_id,
                       .max_version = _i == 0 ? 0 : TLS1_2_VERSION};
  struct server v = {0};
  unsigned char *der, *expected = NULL;
  size_t len;

  talk_with_ca(&v, &d, true);
  ck_assert_uint_eq(v.len, 1);
  der = stream_client_cert(stream, &len);
  ck_assert_ptr_nonnull(der);
  ck_assert_uint_eq(len, (size_t)i2d_X509(client_id.cert, &expected));
  ck_assert_int_eq(memcmp(der, expected, len), 0);
  OPENSSL_free(expected);
  free(der);
  stream_close(stream, false);
}
END_TEST

START_TEST(optional_client_certificate_may_be_missing)
{
  struct dialogue d = {.say = "x", .len = 1};
  struct server v = {0};
  size_t len;

  talk_with_ca(&v, &d, false);
  ck_assert_uint_eq(v.len, 1);
  ck_assert_ptr_null(stream_client_cert(stream, &len));
  stream_close(stream, false);
}
END_TEST

START_TEST(required_client_certificate_is_missing)
{
  struct dialogue d = {.expect_failure = true};
  struct server v = {0};

  talk_with_ca(&v, &d, true);
  ck_assert_int_eq(v.last, STREAM_ERROR);
  ck_assert_str_eq(stream_error(stream),
                   "TLS: peer did not return a certificate");
  stream_close(stream, false);
}
END_TEST

START_TEST(client_certificate_of_a_stranger_is_refused)
{
  struct dialogue d = {.id = &stranger, .expect_failure = true};
  struct server v = {0};
  size_t len;

  talk_with_ca(&v, &d, _i == 0);
  ck_assert_int_eq(v.last, STREAM_ERROR);
  ck_assert_str_eq(stream_error(stream), "TLS: certificate verify failed");
  ck_assert_ptr_null(stream_client_cert(stream, &len));
  stream_close(stream, false);
}
END_TEST

/* ---- contexts that must not come to be ---- */

static void expect_why(struct tls_settings settings, const char *fmt,
                       const char *file, const char *other)
{
  char why[512] = "", expected[600];

  ck_assert_ptr_null(tls_context_new(&settings, why, sizeof(why)));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  snprintf(expected, sizeof(expected), fmt, file, other);
#pragma GCC diagnostic pop
  ck_assert_str_eq(why, expected);
}

START_TEST(bad_contexts_say_why)
{
  struct tls_settings good = {server_id.cert_file, server_id.key_file, NULL,
                              false};
  struct tls_settings bad;
  FILE *out;

  bad = good;
  bad.certificate = "/nonexistent.pem";
  expect_why(bad, "cannot use the certificate %s: No such file or directory",
             bad.certificate, NULL);
  bad = good;
  bad.key = "/nonexistent.key";
  expect_why(bad, "cannot read the key %s: No such file or directory", bad.key,
             NULL);
  bad = good;
  bad.key = client_id.key_file;
  expect_why(bad, "the key %s does not belong to the certificate %s", bad.key,
             bad.certificate);
  bad = good;
  bad.client_ca = server_id.key_file;
  expect_why(bad, "cannot use the client CA %s: no start line", bad.client_ca,
             NULL);
  bad = good;
  bad.certificate = server_id.key_file;
  expect_why(bad, "cannot use the certificate %s: no start line",
             bad.certificate, NULL);

  ck_assert_int_eq(chmod(server_id.key_file, 0644), 0);
  expect_why(good,
             "the key %s may be read or written by everybody (mode 0644); "
             "chmod 600 it",
             good.key, NULL);
  ck_assert_int_eq(chmod(server_id.key_file, 0640), 0);

  out = fopen(server_id.key_file, "w");
  ck_assert_int_eq(PEM_write_PrivateKey(out, server_id.key, EVP_aes_128_cbc(),
                                        (const unsigned char *)"secret", 6,
                                        NULL, NULL),
                   1);
  fclose(out);
  expect_why(good,
             "the key %s is encrypted; a key without passphrase is needed",
             good.key, NULL);
  ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

/* ---- moving between workers ---- */

enum { MOVES = 2000 };

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

START_TEST(streams_move_between_workers)
{
  static char text[MOVES];
  static struct mover m;
  struct dialogue d = {.say = text, .len = sizeof(text)};
  pthread_t thread;

  for (size_t i = 0; i < sizeof(text); i++)
    text[i] = (char)(i * 7);
  ck_assert_int_eq(workers_start(all, NULL, 0), WPS_OK);
  make_pair(_i == 0 ? NULL : tls);
  m.s = stream;
  m.post.fn = mover_arrived;
  ck_assert(worker_post(workers_at(all, 0), &m.post));
  if (_i == 0)
    ck_assert_int_eq(write(client_fd, text, sizeof(text)), sizeof(text));
  else
    ck_assert_int_eq(pthread_create(&thread, NULL, client_talk, &d), 0);
  workers_run(all);
  if (_i != 0)
    pthread_join(thread, NULL);
  ck_assert_int_eq(memcmp(m.got, text, sizeof(text)), 0);
  stream_close(stream, false);
  close(client_fd);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("stream");
  TCase *plain = tcase_create("plain"), *secure = tcase_create("tls");
  SRunner *r;
  int failed;

  tcase_set_timeout(plain, 60);
  tcase_add_checked_fixture(plain, setup, teardown);
  tcase_add_test(plain, reads_what_is_there_then_says_again);
  tcase_add_test(plain, stopping_early_is_called_again);
  tcase_add_test(plain, paused_reading_is_silent);
  tcase_add_test(plain, end_is_zero);
  tcase_add_test(plain, reset_is_an_error_with_a_sentence);
  tcase_add_test(plain, close_can_reset);
  tcase_add_test(plain, writing_to_nobody_is_an_error);
  tcase_add_loop_test(plain, callback_may_close_or_detach, 0, 2);
  tcase_add_test(plain, ops_can_change_hands);
  tcase_add_loop_test(plain, plain_writes_wait_and_lose_nothing, 0, 2);
  tcase_add_test(plain, nothing_to_write_is_nothing);
#ifdef WPS_DEBUG
  tcase_add_test(plain, fault_points);
#endif
  suite_add_tcase(s, plain);

  tcase_set_timeout(secure, 60);
  tcase_add_checked_fixture(secure, setup_tls, teardown_tls);
  tcase_add_test(secure, tls_talks);
  tcase_add_test(secure, tls_1_2_is_the_oldest);
  tcase_add_test(secure, tls_other_application_protocols_are_refused);
  tcase_add_loop_test(secure, tls_decrypted_input_is_not_forgotten, 0, 2);
  tcase_add_loop_test(secure, tls_end_is_zero, 0, 2);
  tcase_add_test(secure, tls_shutdown_says_goodbye);
  tcase_add_test(secure, tls_garbage_is_an_error);
  tcase_add_loop_test(secure, tls_writes_wait_and_lose_nothing, 0, 8);
  tcase_add_test(secure, tls_joins_small_pieces);
  tcase_add_loop_test(secure, client_certificate_is_verified_and_given, 0, 2);
  tcase_add_test(secure, optional_client_certificate_may_be_missing);
  tcase_add_test(secure, required_client_certificate_is_missing);
  tcase_add_loop_test(secure, client_certificate_of_a_stranger_is_refused, 0,
                      2);
  tcase_add_test(secure, bad_contexts_say_why);
  tcase_add_loop_test(secure, streams_move_between_workers, 0, 2);
  suite_add_tcase(s, secure);

  r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
