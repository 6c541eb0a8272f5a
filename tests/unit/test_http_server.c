/* SPDX-License-Identifier: Apache-2.0 */
/* http/server over real sockets: one worker, blocking clients. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "http/http_conn.h"
#include "tests/unit/http_rig.h"

#include <webpubsub/auth.h>

/* ---- tests ---- */

static const struct {
  const char *request, *status, *part;
} simple[] = {
    {"GET /api/health HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 OK\r\n", "\r\n\r\nok"},
    {"HEAD /api/health HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 OK\r\n",
     "Content-Length: 2\r\n"},
    {"POST /api/health HTTP/1.1\r\n" CLOSE, "HTTP/1.1 405 ",
     "Allow: GET, HEAD\r\n"},
    {"GET /api/health?x HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n", "ok"},
    {"GET /nothing HTTP/1.1\r\n" CLOSE, "HTTP/1.1 404 Not Found\r\n",
     "Content-Length: 0\r\n"},
    {"PUT /echo HTTP/1.1\r\n" CLOSE, "HTTP/1.1 405 ", "Allow: POST, GET, HEAD"},
    {"POST /echo HTTP/1.1\r\nContent-Length: 3\r\n" CLOSE "abc",
     "HTTP/1.1 200 OK\r\n", "\r\n\r\nabc"},
    {"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE
     "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
     "HTTP/1.1 200 OK\r\n", "\r\n\r\nabcde"},
    {"POST /later HTTP/1.1\r\nContent-Length: 3\r\n" CLOSE "abc",
     "HTTP/1.1 200 OK\r\n", "\r\n\r\nabc"},
    {"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" KEEP "x\r\n",
     "HTTP/1.1 400 ", "Connection: close\r\n"},
    {"POST /echo/small HTTP/1.1\r\nContent-Length: 10\r\n" CLOSE "0123456789",
     "HTTP/1.1 200 OK\r\n", "\r\n\r\n0123456789"},
    {"POST /echo/small HTTP/1.1\r\nContent-Length: 11\r\n" KEEP "0123456789x",
     "HTTP/1.1 413 ", "\r\n\r\nown words"},
    {"POST /echo/small HTTP/1.1\r\nExpect: 100-continue\r\n"
     "Content-Length: 11\r\n" KEEP,
     "HTTP/1.1 413 ", "Connection: close\r\n"},
    {"POST /echo/small HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" KEEP
     "b\r\n0123456789x\r\n0\r\n\r\n",
     "HTTP/1.1 413 ", "\r\n\r\nown words"},
    {"GET /fail/ok HTTP/1.1\r\n" CLOSE, "HTTP/1.1 204 No Content\r\n", "\r\n"},
    {"GET /fail/decline HTTP/1.1\r\n" CLOSE, "HTTP/1.1 404 ", "\r\n"},
    {"GET /fail/forbidden HTTP/1.1\r\n" CLOSE, "HTTP/1.1 403 ",
     "Content-Length: 0\r\n"},
    {"GET /%65cho HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 OK\r\n",
     "Content-Length: 0\r\n"},
    {"HEAD /api/%68ealth HTTP/1.1\r\nAuthorization: Bearer bad\r\n" CLOSE,
     "HTTP/1.1 200 OK\r\n", "Content-Length: 2\r\n"},
    {"HEAD /own HTTP/1.1\r\n" CLOSE, "HTTP/1.1 404 Not Found\r\n",
     "Content-Length: 9\r\nConnection: close\r\n"
     "Content-Type: application/json; charset=utf-8\r\n"
     "x-ms-error-code: Warning.User.NotExisted\r\n\r\n"},
    {"GET /own HTTP/1.1\r\n" CLOSE, "HTTP/1.1 404 Not Found\r\n",
     "x-ms-error-code: Warning.User.NotExisted\r\n\r\nown words"},
    {"HEAD /own/pair HTTP/1.1\r\n" CLOSE, "HTTP/1.1 404 ", "x-ms-error-code"},
    {"GET /own/pair HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 OK\r\n",
     "Content-Length: 0\r\n"},
    {"GET /fail/header HTTP/1.1\r\n" CLOSE, "HTTP/1.1 500 ", "\r\n"},
    {"GET /fail/code HTTP/1.1\r\n" CLOSE, "HTTP/1.1 500 ", "\r\n"},
    {"GET /fail/principal HTTP/1.1\r\n" CLOSE, "HTTP/1.1 500 ", "\r\n"},
    {"GET /owner HTTP/1.1\r\n" CLOSE, "HTTP/1.1 401 ",
     "WWW-Authenticate: Bearer\r\n"},
    {"GET /owner HTTP/1.1\r\n" CLOSE, "HTTP/1.1 401 Unauthorized\r\n",
     "Content-Length: 0\r\n"},
    {"GET /owner HTTP/1.1\r\nX-Role: nobody\r\n" CLOSE, "HTTP/1.1 401 ",
     "\r\n"},
    {"GET /owner HTTP/1.1\r\nX-Role: down\r\n" CLOSE, "HTTP/1.1 502 ", "\r\n"},
    {"GET /owner HTTP/1.1\r\nX-Role: webpubsubd.owner\r\n" CLOSE,
     "HTTP/1.1 200 ", "\r\n\r\nann"},
    {"GET /owner HTTP/1.1\r\nX-Role: webpubsubd.reader\r\n" CLOSE,
     "HTTP/1.1 403 ", "\r\n"},
    {"GET /reader HTTP/1.1\r\nX-Role: webpubsubd.reader\r\n" CLOSE,
     "HTTP/1.1 200 ", "\r\n\r\nann"},
    {"GET /reader HTTP/1.1\r\nX-Role: webpubsubd.owner\r\n" CLOSE,
     "HTTP/1.1 200 ", "\r\n\r\nann"},
    {"GET /client HTTP/1.1\r\n" CLOSE, "HTTP/1.1 400 ", "X-Own: 1\r\n"},
    {"POST /client HTTP/1.1\r\nContent-Length: 3\r\n" KEEP "abc",
     "HTTP/1.1 400 ", "Connection: close\r\n"},
    {"GET /a%00 HTTP/1.1\r\n" KEEP, "HTTP/1.1 400 ", "Connection: close\r\n"},
    {"GET /?a=%ff HTTP/1.1\r\n" KEEP, "HTTP/1.1 400 ", "bad escape"},
    {"nonsense\r\n\r\n", "HTTP/1.1 400 ", "Connection: close\r\n"},
    {"\x16\x03\x01", "HTTP/1.1 400 ", "\r\n"},
    {"GET / HTTP/2.0\r\n\r\n", "HTTP/1.1 505 ", "\r\n"},
    {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "\r\n"},
    {"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n" KEEP, "HTTP/1.1 501 ",
     "\r\n"},
};

START_TEST(test_simple)
{
  char *text = exchange(simple[_i].request);

  expect_head(text, simple[_i].status);
  expect_in(text, simple[_i].part);
  expect_in(text, "\r\nDate: ");
  ck_assert_ptr_null(strstr(text, "Evil"));
  if (strstr(text, " 204 ") != NULL)
    ck_assert_ptr_null(strstr(text, "Content-Length"));
  ck_assert_ptr_null(strstr(text, "Server:"));
  ck_assert_ptr_null(strstr(text, "RESET"));
  ck_assert_ptr_null(strstr(text, "TIMEOUT"));
  if (strncmp(simple[_i].request, "HEAD", 4) == 0)
    ck_assert_str_eq(text + strlen(text) - 4, "\r\n\r\n");
  free(text);
}
END_TEST

START_TEST(test_too_long)
{
  char *text, *request = malloc(40000);
  size_t n;

  n = (size_t)snprintf(request, 40000, "GET /");
  memset(request + n, 'a', 17000);
  snprintf(request + n + 17000, 64, " HTTP/1.1\r\n" CLOSE);
  text = exchange(request);
  expect_head(text, "HTTP/1.1 414 ");
  free(text);
  n = (size_t)snprintf(request, 40000, "GET / HTTP/1.1\r\nX: ");
  memset(request + n, 'a', 17000);
  snprintf(request + n + 17000, 64, "\r\n" CLOSE);
  text = exchange(request);
  expect_head(text, "HTTP/1.1 431 ");
  ck_assert_ptr_null(strstr(text, "RESET"));
  free(text);
  free(request);
}
END_TEST

START_TEST(test_keep_alive)
{
  int fd = dial();
  char text[4096];

  for (int i = 0; i < 3; i++) {
    say(fd, "POST /echo HTTP/1.1\r\nContent-Length: 2\r\n" KEEP "hi");
    hear_one(fd, text, sizeof(text), true);
    expect_head(text, "HTTP/1.1 200 OK\r\n");
    ck_assert_ptr_null(strstr(text, "Connection:"));
    expect_in(text, "\r\n\r\nhi");
  }
  say(fd, "HEAD /echo HTTP/1.1\r\n" KEEP);
  hear_one(fd, text, sizeof(text), false);
  expect_head(text, "HTTP/1.1 200 OK\r\n");
  say(fd, "GET /nothing HTTP/1.1\r\n" KEEP);
  hear_one(fd, text, sizeof(text), true);
  expect_head(text, "HTTP/1.1 404 ");
  say(fd, "GET /api/health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  hear_one(fd, text, sizeof(text), true);
  expect_in(text, "Connection: keep-alive\r\n");
  say(fd, "GET /api/health HTTP/1.0\r\n\r\n");
  hear_one(fd, text, sizeof(text), true);
  expect_in(text, "Connection: close\r\n");
  ck_assert_int_eq(receive(fd, text, 1, 0), 0);
  close(fd);
}
END_TEST

static size_t count_of(const char *text, const char *part)
{
  size_t n = 0;

  while ((text = strstr(text, part)) != NULL) {
    text += strlen(part);
    n++;
  }
  return n;
}

START_TEST(test_pipelining)
{
  char *text =
      exchange("GET /api/health HTTP/1.1\r\n" KEEP
               "POST /later HTTP/1.1\r\nContent-Length: 3\r\n" KEEP "one"
               "POST /later HTTP/1.1\r\n"
               "Transfer-Encoding: chunked\r\n" KEEP "3\r\ntwo\r\n0\r\n\r\n"
               "GET /client HTTP/1.1\r\n" KEEP "GET /owner HTTP/1.1\r\n" KEEP
               "GET /api/health HTTP/1.1\r\n" CLOSE);

  ck_assert_uint_eq(count_of(text, "HTTP/1.1 "), 6);
  ck_assert(strstr(text, "one") < strstr(text, "two"));
  ck_assert(strstr(text, "two") < strstr(text, "X-Own"));
  ck_assert(strstr(text, "X-Own") < strstr(text, "WWW-Auth"));
  free(text);
}
END_TEST

/* Each is answered from another thread, and still in its turn. */
START_TEST(test_pipelined_answers_in_order)
{
  char request[16384], number[16], *text;
  const char *at;
  size_t len = 0;

  for (int i = 100; i < 200; i++)
    len += (size_t)snprintf(request + len, sizeof(request) - len,
                            "POST /later HTTP/1.1\r\nContent-Length: 4\r\n%s"
                            "<%d",
                            i < 199 ? KEEP : CLOSE, i);
  text = exchange(request);
  ck_assert_uint_eq(count_of(text, "HTTP/1.1 200 "), 100);
  at = text;
  for (int i = 100; i < 200; i++) {
    snprintf(number, sizeof(number), "<%d", i);
    at = strstr(at, number);
    ck_assert_ptr_nonnull(at);
  }
  free(text);
}
END_TEST

START_TEST(test_much_pipelining)
{
  static const char one[] = "GET /api/health HTTP/1.1\r\n" KEEP;
  static const char last[] = "GET /api/health HTTP/1.1\r\n" CLOSE;
  size_t n = 2000, len = sizeof(one) - 1;
  char *request = malloc(n * len + sizeof(last)), *text;

  for (size_t i = 0; i < n; i++)
    memcpy(request + i * len, one, len);
  memcpy(request + n * len, last, sizeof(last));
  text = exchange(request);
  ck_assert_uint_eq(count_of(text, "HTTP/1.1 200"), n + 1);
  free(text);
  free(request);
}
END_TEST

START_TEST(test_byte_by_byte)
{
  static const char request[] =
      "\r\nPOST /echo HTTP/1.1\r\n"
      "Transfer-Encoding: chunked\r\n" CLOSE "5\r\nhello\r\n0\r\n\r\n";
  int fd = dial();
  char *text;

  for (size_t i = 0; i + 1 < sizeof(request); i++) {
    say_bytes(fd, request + i, 1);
    worker_turn(ws, 0); /* has read it */
  }
  text = hear_all(fd);
  expect_head(text, "HTTP/1.1 200 ");
  expect_in(text, "\r\n\r\nhello");
  free(text);
}
END_TEST

START_TEST(test_expect_continue)
{
  int fd = dial();
  char text[4096];

  say(fd, "POST /echo HTTP/1.1\r\nExpect: 100-continue\r\n"
          "Content-Length: 2\r\n" KEEP);
  hear_one(fd, text, sizeof(text), false);
  ck_assert_str_eq(text, "HTTP/1.1 100 Continue\r\n\r\n");
  say(fd, "hi");
  hear_one(fd, text, sizeof(text), true);
  expect_head(text, "HTTP/1.1 200 ");
  expect_in(text, "\r\n\r\nhi");
  close(fd);
}
END_TEST

/* A client that says all before it listens. The server hears it out for a
 * while; when the machine took longer, that was nobody's try. */
static char *refused(size_t len)
{
  char *body = calloc(1, len), head[256], *text = NULL;
  int64_t begin;

  snprintf(head, sizeof(head),
           "POST /echo/small HTTP/1.1\r\nContent-Length: %zu\r\n" KEEP, len);
  do {
    int fd;

    free(text);
    begin = clock_now_us();
    fd = dial();
    say(fd, head);
    say_bytes(fd, body, len);
    text = hear_all(fd);
  } while (clock_now_us() - begin >= HTTP_LINGER_MS * 1000);
  free(body);
  return text;
}

/* The whole of a refused body is thrown away, so that the answer is seen. */
START_TEST(test_refused_body_and_the_answer)
{
  char *text = refused((_i == 0 ? 900 : 4096) * 1024);

  expect_head(text, "HTTP/1.1 413 ");
  expect_in(text, "own words");
  ck_assert_ptr_null(strstr(text, "RESET"));
  free(text);
}
END_TEST

START_TEST(test_large_body)
{
  size_t len = 1024 * 1024;
  char *body = malloc(len), head[256], *text;
  int fd = dial();

  memset(body, 'y', len);
  snprintf(head, sizeof(head),
           "POST /echo HTTP/1.1\r\nContent-Length: %zu\r\n" CLOSE, len);
  say(fd, head);
  say_bytes(fd, body, len);
  text = hear_all(fd);
  expect_head(text, "HTTP/1.1 200 ");
  ck_assert_uint_eq(strspn(strstr(text, "\r\n\r\n") + 4, "y"), len);
  free(text);
  free(body);
}
END_TEST

START_TEST(test_large_answer)
{
  int fd = dial();
  char *text;

  say(fd, "GET /big HTTP/1.1\r\n" CLOSE);
  turns(20); /* the socket is full by now */
  text = hear_all(fd);
  expect_head(text, "HTTP/1.1 200 ");
  ck_assert_uint_eq(strlen(strstr(text, "\r\n\r\n") + 4), BIG);
  free(text);
}
END_TEST

/* After FIN of the client's side the answer still comes. */
START_TEST(test_half_closed)
{
  int fd = dial();
  char *text, first;

  say(fd, "GET /big HTTP/1.1\r\n" KEEP);
  ck_assert_int_eq(receive(fd, &first, 1, MSG_PEEK), 1);
  shutdown(fd, SHUT_WR);
  text = hear_all(fd);
  ck_assert_uint_eq(strlen(strstr(text, "\r\n\r\n") + 4), BIG);
  free(text);
}
END_TEST

static void await(void *_Atomic *what)
{
  while (atomic_load(what) == NULL)
    worker_turn(ws, 0);
}

static void await_count(atomic_int *what, int n)
{
  while (atomic_load(what) < n)
    worker_turn(ws, 0);
  ck_assert_int_eq(atomic_load(what), n);
}

START_TEST(test_client_gone_while_a_route_works)
{
  int fd = dial();
  struct wps_reply *reply;

  say(fd, "GET /silent?x=1 HTTP/1.1\r\n" KEEP);
  await((void *_Atomic *)&silent_reply);
  close(fd);
  await_count(&silent_told, 1);
  reply = atomic_load(&silent_reply);
  ck_assert(reply_api.abandoned(reply));
  /* The request lives until the plugin has finished. */
  ck_assert(
      str_eq_c(request_api.query(atomic_load(&silent_request), "x"), "1"));
  reply_api.ok(reply);
}
END_TEST

START_TEST(test_answer_deadline)
{
  char *text;

  server.settings.answer_ms = 30;
  rig_run();
  text = exchange("GET /silent HTTP/1.1\r\n" CLOSE);
  expect_head(text, "HTTP/1.1 504 ");
  reply_api.ok(atomic_load(&silent_reply));
  free(text);
}
END_TEST

START_TEST(test_stopped_while_a_route_works)
{
  int fd = dial();

  say(fd, "GET /silent HTTP/1.1\r\n" KEEP);
  await((void *_Atomic *)&silent_reply);
  workers_stop(ws);
  ck_assert_int_eq(atomic_load(&silent_told), 1);
  reply_api.ok(atomic_load(&silent_reply));
  close(fd);
}
END_TEST

/* Until the other side has closed, too. */
static void hang_up(int fd)
{
  char rest;

  shutdown(fd, SHUT_WR);
  ck_assert_int_eq(receive(fd, &rest, 1, 0), 0);
  close(fd);
}

START_TEST(test_upgrade_at_once)
{
  int fd = dial();
  char text[4096];

  say(fd, "GET /client?how=upgrade HTTP/1.1\r\n" UPGRADE "EARLY");
  hear_one(fd, text, sizeof(text), true);
  expect_head(text, "HTTP/1.1 101 Switching Protocols\r\n");
  expect_in(text, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
  expect_in(text, "Sec-WebSocket-Protocol: two\r\n");
  ck_assert_int_eq(receive(fd, text, 5, MSG_WAITALL), 5);
  ck_assert(memcmp(text, "EARLY", 5) == 0);
  hang_up(fd);
}
END_TEST

START_TEST(test_upgrade_later_with_early_frames)
{
  static char frames[100 * 1024], back[100 * 1024];
  int fd = dial();
  char text[4096];

  for (size_t i = 0; i < sizeof(frames); i++)
    frames[i] = (char)('a' + i % 23);
  say(fd, "GET /client?how=wait HTTP/1.1\r\n" UPGRADE);
  await((void *_Atomic *)&waiting);
  say_bytes(fd, frames, sizeof(frames)); /* more than is read ahead */
  turns(20);
  on_worker(ws, 0, upgrade_waiting, NULL);
  hear_one(fd, text, sizeof(text), true);
  expect_head(text, "HTTP/1.1 101 ");
  /* 64 KiB of it came with the upgrade, the rest by the new owner's hand. */
  ck_assert_int_eq(receive(fd, back, sizeof(back), MSG_WAITALL), sizeof(back));
  ck_assert(memcmp(back, frames, sizeof(back)) == 0);
  hang_up(fd);
}
END_TEST

START_TEST(test_client_answered_later)
{
  int fd = dial();
  char *text;

  say(fd, "GET /client?how=wait HTTP/1.1\r\n" KEEP
          "GET /api/health HTTP/1.1\r\n" CLOSE);
  await((void *_Atomic *)&waiting);
  on_worker(ws, 0, answer_waiting, NULL);
  text = hear_all(fd);
  expect_head(text, "HTTP/1.1 429 ");
  expect_in(text, "too many");
  expect_in(text, "HTTP/1.1 200 ");
  free(text);
}
END_TEST

START_TEST(test_client_gone)
{
  int fd = dial();

  say(fd, "GET /client?how=wait HTTP/1.1\r\n" UPGRADE "early");
  await((void *_Atomic *)&waiting);
  close(fd);
  await_count(&gone_count, 1);
}
END_TEST

START_TEST(test_stopped_while_a_client_waits)
{
  int fd = dial();

  say(fd, "GET /client?how=wait HTTP/1.1\r\n" UPGRADE);
  await((void *_Atomic *)&waiting);
  workers_stop(ws);
  ck_assert_int_eq(atomic_load(&gone_count), 1);
  close(fd);
}
END_TEST

START_TEST(test_no_first_byte)
{
  char *text;

  server.settings.first_byte_ms = 50;
  rig_run();
  text = exchange("");
  ck_assert_str_eq(text, "");
  free(text);
}
END_TEST

enum { CROWD_MS = 100 };

struct crowded {
  struct defer before;
  int fd;
  uint32_t left;
};

static void crowd_takes_time(struct defer *d)
{
  struct crowded *c = CONTAINER_OF(d, struct crowded, before);
  int64_t end = clock_now_us() + CROWD_MS * 1000;

  while (clock_now_us() < end)
    ;
  if (c->left-- > 0)
    worker_chore(worker_current(), d);
}

static void ask_behind_crowd(void *arg)
{
  struct crowded *c = arg;

  worker_chore(worker_current(), &c->before);
  c->fd = dial();
  say(c->fd, "GET /api/health HTTP/1.1\r\n" CLOSE);
}

/* It has said everything before it is let in; that others come before it then,
 * and longer than it may be silent, is our affair. */
START_TEST(test_waiting_for_its_turn_is_not_silence)
{
  struct crowded c = {.left = 5};
  char *text;

  server.settings.first_byte_ms = CROWD_MS / 2;
  rig_run();
  defer_init(&c.before, crowd_takes_time);
  on_worker(ws, 0, ask_behind_crowd, &c);
  text = hear_all(c.fd);
  workers_stop(ws); /* the crowd is ours */
  expect_head(text, "HTTP/1.1 200 OK\r\n");
  free(text);
}
END_TEST

START_TEST(test_slow_head)
{
  char *text;

  server.settings.head_ms = 50;
  rig_run();
  text = exchange("GET / HTTP/1.1\r\nX: ");
  expect_head(text, "HTTP/1.1 408 ");
  free(text);
}
END_TEST

START_TEST(test_slow_body)
{
  char *text;

  server.settings.body_ms = 50;
  rig_run();
  text = exchange("POST /echo HTTP/1.1\r\nContent-Length: 5\r\n" KEEP "ab");
  expect_head(text, "HTTP/1.1 408 ");
  free(text);
}
END_TEST

START_TEST(test_idle)
{
  char *text;

  server.settings.keep_alive_ms = 50;
  rig_run();
  text = exchange("GET /api/health HTTP/1.1\r\n" KEEP);
  expect_head(text, "HTTP/1.1 200 ");
  ck_assert_uint_eq(count_of(text, "HTTP/1.1"), 1);
  free(text);
}
END_TEST

static void drain(void *arg)
{
  (void)arg;
  http_worker_drain(worker_current());
}

START_TEST(test_draining)
{
  int idle = dial(), fresh = dial(), api = dial(), page = dial();
  char text[4096], *all;

  say(idle, "GET /api/health HTTP/1.1\r\n" KEEP);
  hear_one(idle, text, sizeof(text), true);
  atomic_store(&draining, true);
  on_worker(ws, 0, drain, NULL);
  ck_assert_int_eq(receive(idle, text, 1, 0), 0);
  close(idle);
  say(fresh, "GET /api/health HTTP/1.1\r\n" KEEP);
  all = hear_all(fresh);
  expect_head(all, "HTTP/1.1 503 ");
  expect_in(all, "Retry-After: ");
  expect_in(all, "Connection: close\r\n");
  free(all);
  /* Management is for another server now, pages are not. */
  say(api, "GET /owner HTTP/1.1\r\n" KEEP);
  all = hear_all(api);
  expect_head(all, "HTTP/1.1 503 ");
  expect_in(all, "Content-Length: 0\r\n");
  expect_in(all, "Retry-After: ");
  free(all);
  say(page, "GET /echo HTTP/1.1\r\n" KEEP);
  all = hear_all(page);
  expect_head(all, "HTTP/1.1 200 ");
  free(all);
}
END_TEST

/* Sockets in every state when the worker stops: nothing leaks or hangs. */
START_TEST(test_stop)
{
  int fds[4];

  for (size_t i = 0; i < ARRAY_LEN(fds); i++)
    fds[i] = dial();
  say(fds[1], "GET / HT");
  say(fds[2], "POST /echo HTTP/1.1\r\nContent-Length: 5\r\n" KEEP "ab");
  say(fds[3], "GET /big HTTP/1.1\r\n" KEEP);
  turns(20);
  workers_stop(ws);
  for (size_t i = 0; i < ARRAY_LEN(fds); i++)
    close(fds[i]);
}
END_TEST

static void is_busy(void *arg)
{
  *(bool *)arg = http_worker_busy(worker_current());
}

static bool busy(void)
{
  bool now;

  on_worker(ws, 0, is_busy, &now);
  return now;
}

/* The kernel has all of the answer, the client next to nothing of it. */
START_TEST(test_stopped_behind_an_answer)
{
  size_t len = 256 * 1024;
  char *body = malloc(len), head[256], *text;
  int fd = dial_small();
  char first;

  memset(body, 'y', len);
  snprintf(head, sizeof(head),
           "POST /echo HTTP/1.1\r\nContent-Length: %zu\r\n" CLOSE, len);
  say(fd, head);
  say_bytes(fd, body, len);
  ck_assert_int_eq(receive(fd, &first, 1, MSG_PEEK), 1);
  worker_turn(ws, 0);
  ck_assert(busy());
  if (_i == 0) {
    workers_stop(ws);
    text = hear_all(fd);
    ck_assert_ptr_null(strstr(text, "RESET"));
    ck_assert_uint_eq(strspn(strstr(text, "\r\n\r\n") + 4, "y"), len);
  } else {
    text = hear_all(fd);
    while (busy())
      worker_turn(ws, 0);
  }
  free(text);
  free(body);
}
END_TEST

static TCase *tcase(Suite *s, const char *name, SFun up)
{
  TCase *tc = tcase_create(name);

  tcase_add_checked_fixture(tc, up, rig_teardown);
  tcase_set_timeout(tc, 60);
  suite_add_tcase(s, tc);
  return tc;
}

int main(void)
{
  Suite *s = suite_create("http_server");
  TCase *tc = tcase(s, "running", rig_setup_and_run);
  TCase *own = tcase(s, "own settings", rig_setup);
  SRunner *sr;
  int failed;

  tcase_add_loop_test(tc, test_simple, 0, ARRAY_LEN(simple));
  tcase_add_test(tc, test_too_long);
  tcase_add_test(tc, test_keep_alive);
  tcase_add_test(tc, test_pipelining);
  tcase_add_test(tc, test_pipelined_answers_in_order);
  tcase_add_test(tc, test_much_pipelining);
  tcase_add_test(tc, test_byte_by_byte);
  tcase_add_test(tc, test_expect_continue);
  tcase_add_loop_test(tc, test_refused_body_and_the_answer, 0, 2);
  tcase_add_test(tc, test_large_body);
  tcase_add_test(tc, test_large_answer);
  tcase_add_test(tc, test_half_closed);
  tcase_add_test(tc, test_client_gone_while_a_route_works);
  tcase_add_test(tc, test_stopped_while_a_route_works);
  tcase_add_test(tc, test_upgrade_at_once);
  tcase_add_test(tc, test_upgrade_later_with_early_frames);
  tcase_add_test(tc, test_client_answered_later);
  tcase_add_test(tc, test_client_gone);
  tcase_add_test(tc, test_stopped_while_a_client_waits);
  tcase_add_test(tc, test_draining);
  tcase_add_test(tc, test_stop);
  tcase_add_loop_test(tc, test_stopped_behind_an_answer, 0, 2);
  tcase_add_test(own, test_answer_deadline);
  tcase_add_test(own, test_no_first_byte);
  tcase_add_test(own, test_waiting_for_its_turn_is_not_silence);
  tcase_add_test(own, test_slow_head);
  tcase_add_test(own, test_slow_body);
  tcase_add_test(own, test_idle);
  sr = srunner_create(s);
  srunner_run_all(sr, CK_NORMAL);
  failed = srunner_ntests_failed(sr);
  srunner_free(sr);
  return failed != 0;
}
