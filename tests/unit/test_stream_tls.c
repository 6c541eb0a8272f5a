/* SPDX-License-Identifier: Apache-2.0 */
/* Streams under TLS, and the contexts they need. */
#include "wire/stream.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream_helper.h"
#include "tls_helper.h"
#include "wire/tls.h"

static struct identity ca, server_id, client_id, stranger;
static struct tls_context *tls;

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
  stream_setup();
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
  stream_teardown();
}

/* ---- a client that talks ---- */

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

enum { PIECES = 20 };

static void *client_say_pieces(void *arg)
{
  SSL *ssl = arg;
  BIO *memory = BIO_new(BIO_s_mem()), *socket;
  char *bytes;
  long len;

  ck_assert_int_eq(SSL_do_handshake(ssl), 1);
  /* Records that leave in one write. */
  socket = SSL_get_wbio(ssl);
  BIO_up_ref(socket);
  SSL_set0_wbio(ssl, memory);
  for (int i = 0; i < PIECES; i++)
    client_write(ssl, "piece", 5);
  SSL_shutdown(ssl);
  len = BIO_get_mem_data(memory, &bytes);
  ck_assert_int_eq(write(client_fd, bytes, (size_t)len), len);
  SSL_set0_wbio(ssl, socket);
  return NULL;
}

/* What comes behind the handshake together is read together, and the goodbye
 * behind it, which no descriptor tells of, comes next. */
START_TEST(tls_records_are_read_together)
{
  struct server v = {.step = 1000};
  pthread_t thread;
  SSL *ssl;

  make_pair(tls);
  ssl = client_new(client_fd, NULL, NULL);
  ck_assert_int_eq(pthread_create(&thread, NULL, client_say_pieces, ssl), 0);
  server_run(&v, SIZE_MAX);
  ck_assert_uint_eq(v.len, PIECES * 5);
  ck_assert_int_eq(v.last, 0);
  /* The handshake takes a few. */
  ck_assert_uint_lt(v.calls, PIECES);
  pthread_join(thread, NULL);
  SSL_free(ssl);
  stream_close(stream, false);
  close(client_fd);
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

START_TEST(tls_writes_wait_and_lose_nothing)
{
  make_pair(tls);
  bulk_run(client_new(client_fd, NULL, NULL), (uint32_t)_i);
}
END_TEST

START_TEST(tls_streams_move_between_workers)
{
  static char text[MOVES];
  struct dialogue d = {.say = text, .len = sizeof(text)};
  pthread_t thread;

  for (size_t i = 0; i < sizeof(text); i++)
    text[i] = (char)(i * 7);
  make_pair(tls);
  ck_assert_int_eq(pthread_create(&thread, NULL, client_talk, &d), 0);
  move_run(text);
  pthread_join(thread, NULL);
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

int main(void)
{
  Suite *s = suite_create("stream tls");
  TCase *tc = tcase_create("tls");
  SRunner *r;
  int failed;

  tcase_set_timeout(tc, 60);
  tcase_add_checked_fixture(tc, setup_tls, teardown_tls);
  tcase_add_test(tc, tls_talks);
  tcase_add_test(tc, tls_1_2_is_the_oldest);
  tcase_add_test(tc, tls_other_application_protocols_are_refused);
  tcase_add_loop_test(tc, tls_decrypted_input_is_not_forgotten, 0, 2);
  tcase_add_loop_test(tc, tls_end_is_zero, 0, 2);
  tcase_add_test(tc, tls_records_are_read_together);
  tcase_add_test(tc, tls_shutdown_says_goodbye);
  tcase_add_test(tc, tls_garbage_is_an_error);
  tcase_add_loop_test(tc, tls_writes_wait_and_lose_nothing, 0, 8);
  tcase_add_test(tc, tls_joins_small_pieces);
  tcase_add_loop_test(tc, client_certificate_is_verified_and_given, 0, 2);
  tcase_add_test(tc, optional_client_certificate_may_be_missing);
  tcase_add_test(tc, required_client_certificate_is_missing);
  tcase_add_loop_test(tc, client_certificate_of_a_stranger_is_refused, 0, 2);
  tcase_add_test(tc, bad_contexts_say_why);
  tcase_add_test(tc, tls_streams_move_between_workers);
  suite_add_tcase(s, tc);
  r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
