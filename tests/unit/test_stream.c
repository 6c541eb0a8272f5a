/* SPDX-License-Identifier: Apache-2.0 */
/* Streams over plain sockets; TLS is in test_stream_tls.c. */
#include "wire/stream.h"

#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream_helper.h"

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

START_TEST(plain_writes_wait_and_lose_nothing)
{
  make_pair(NULL);
  bulk_run(NULL, (uint32_t)_i);
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

START_TEST(streams_move_between_workers)
{
  static char text[MOVES];

  for (size_t i = 0; i < sizeof(text); i++)
    text[i] = (char)(i * 7);
  make_pair(NULL);
  ck_assert_int_eq(write(client_fd, text, sizeof(text)), sizeof(text));
  move_run(text);
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

int main(void)
{
  Suite *s = suite_create("stream");
  TCase *tc = tcase_create("plain");
  SRunner *r;
  int failed;

  tcase_set_timeout(tc, 60);
  tcase_add_checked_fixture(tc, stream_setup, stream_teardown);
  tcase_add_test(tc, reads_what_is_there_then_says_again);
  tcase_add_test(tc, stopping_early_is_called_again);
  tcase_add_test(tc, paused_reading_is_silent);
  tcase_add_test(tc, end_is_zero);
  tcase_add_test(tc, reset_is_an_error_with_a_sentence);
  tcase_add_test(tc, close_can_reset);
  tcase_add_test(tc, writing_to_nobody_is_an_error);
  tcase_add_loop_test(tc, callback_may_close_or_detach, 0, 2);
  tcase_add_test(tc, ops_can_change_hands);
  tcase_add_loop_test(tc, plain_writes_wait_and_lose_nothing, 0, 2);
  tcase_add_test(tc, nothing_to_write_is_nothing);
  tcase_add_test(tc, streams_move_between_workers);
#ifdef WPS_DEBUG
  tcase_add_test(tc, fault_points);
#endif
  suite_add_tcase(s, tc);
  r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
