/* SPDX-License-Identifier: Apache-2.0 */
/* wire/http_head.h: heads, targets, percent-decoding. */
#include "wire/http_head.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"

static const struct http_limits usual = {16384, 16384, 100};
static struct http_head head;
static size_t used;

/* The status, 0 for DONE, 1 for MORE. The same bytes in a block of exactly
 * their size, so that a sanitizer sees a look beyond; then every prefix, whose
 * verdict must be MORE or the final one. */
static uint32_t status_of(struct wps_str text, const struct http_limits *limits)
{
  char *copy = malloc(text.len + (text.len == 0));
  uint32_t status = 0, early;
  const char *why = NULL;
  enum http_head_result r, p;
  size_t head_len, got;

  if (text.len > 0)
    memcpy(copy, text.ptr, text.len);
  used = 0;
  r = http_head_parse(copy, text.len, limits, &head, &used, &status, &why);
  if (r == HTTP_HEAD_BAD) {
    ck_assert_uint_ge(status, 400);
    ck_assert_ptr_nonnull(why);
    ck_assert_uint_gt(strlen(why), 0);
  }
  head_len = r == HTTP_HEAD_DONE ? used : text.len;
  for (size_t n = 0; n < head_len; n++) {
    char *part = malloc(n + (n == 0));

    if (n > 0)
      memcpy(part, text.ptr, n);
    early = 0;
    p = http_head_parse(part, n, limits, &head, &got, &early, &why);
    ck_assert(p != HTTP_HEAD_DONE);
    if (p == HTTP_HEAD_BAD && (r != HTTP_HEAD_BAD || early != status))
      ck_abort_msg("%u after %zu bytes, %u at the end: %.60s", early, n, status,
                   text.ptr);
    free(part);
  }
  free(copy);
  /* Once more on the caller's bytes, for what points into them. */
  (void)http_head_parse(text.ptr, text.len, limits, &head, &used, &early, &why);
  return r == HTTP_HEAD_DONE ? 0 : r == HTTP_HEAD_MORE ? 1 : status;
}

static uint32_t status_c(const char *text)
{
  return status_of(str_from(text), &usual);
}

#define HOST "Host: a\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST

START_TEST(plain_request)
{
  struct wps_str text = STR("GET /client/hubs/chat?x=1&y=%20 HTTP/1.1\r\n"
                            "Host: example.com:8080\r\n"
                            "X-Empty:\r\n"
                            "X-Blanks: \t a b\t \r\n"
                            "x-obs: \xe4\r\n"
                            "\r\n"
                            "next");

  ck_assert_uint_eq(status_of(text, &usual), 0);
  ck_assert_uint_eq(used, text.len - 4);
  ck_assert(str_eq(head.method, STR("GET")));
  ck_assert(str_eq(head.target, STR("/client/hubs/chat?x=1&y=%20")));
  ck_assert(str_eq(head.raw_path, STR("/client/hubs/chat")));
  ck_assert(str_eq(head.raw_query, STR("x=1&y=%20")));
  ck_assert_uint_eq(head.header_count, 4);
  ck_assert(str_eq(http_head_get(&head, "HOST"), STR("example.com:8080")));
  ck_assert(str_eq(http_head_get(&head, "x-blanks"), STR("a b")));
  ck_assert(http_head_get(&head, "x-empty").ptr != NULL);
  ck_assert_uint_eq(http_head_get(&head, "x-empty").len, 0);
  ck_assert(str_eq(http_head_get(&head, "X-Obs"), STR("\xe4")));
  ck_assert_ptr_null(http_head_get(&head, "x").ptr);
  ck_assert_uint_eq(head.minor, 1);
  ck_assert(head.keep_alive && !head.chunked && !head.has_length);
  ck_assert(!head.upgrade_websocket && !head.expect_continue);
  ck_assert(head.method.ptr >= text.ptr);
  ck_assert(head.raw_query.ptr < text.ptr + text.len);
}
END_TEST

START_TEST(bodies)
{
  ck_assert_uint_eq(
      status_c("POST /a HTTP/1.1\r\n" HOST "Content-Length: 0012\r\n\r\n"), 0);
  ck_assert(head.has_length && !head.chunked);
  ck_assert_uint_eq(head.content_length, 12);
  ck_assert_uint_eq(status_c("POST /a HTTP/1.1\r\n" HOST
                             "Content-Length: 9223372036854775807\r\n\r\n"),
                    0);
  ck_assert_uint_eq(head.content_length, INT64_MAX);
  ck_assert_uint_eq(status_c("POST /a HTTP/1.1\r\n" HOST
                             "Transfer-Encoding: Chunked\r\n"
                             "Expect: 100-Continue\r\n\r\n"),
                    0);
  ck_assert(head.chunked && !head.has_length && head.expect_continue);
}
END_TEST

START_TEST(keep_alive)
{
  static const struct {
    const char *text;
    bool keep;
  } cases[] = {
      {GET "\r\n", true},
      {GET "Connection: close\r\n\r\n", false},
      {GET "Connection: x, Close\r\n\r\n", false},
      {GET "Connection: keep-alive, close\r\n\r\n", false},
      {GET "Connection: keep-alive\r\nConnection: close\r\n\r\n", false},
      {"GET / HTTP/1.0\r\n\r\n", false},
      {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
      {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
  };

  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    ck_assert_uint_eq(status_c(cases[i].text), 0);
    if (head.keep_alive != cases[i].keep)
      ck_abort_msg("keep_alive of: %s", cases[i].text);
  }
}
END_TEST

START_TEST(upgrades)
{
  static const struct {
    const char *text;
    bool upgrade;
  } cases[] = {
      {GET "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n", true},
      {GET "Upgrade: WebSocket\r\nConnection: keep-alive, UPGRADE\r\n\r\n",
       true},
      {GET "Upgrade: h2c, websocket\r\nConnection: x\r\n"
           "Connection: upgrade\r\n\r\n",
       true},
      {GET "Upgrade: websocket\r\n\r\n", false},
      {GET "Connection: Upgrade\r\n\r\n", false},
      {GET "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n", false},
      {GET "Upgrade: websocketx\r\nConnection: Upgrade\r\n\r\n", false},
      {GET "Upgrade: websocket\r\nConnection: xUpgrade\r\n\r\n", false},
      {"GET / HTTP/1.0\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
       false},
  };

  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    ck_assert_uint_eq(status_c(cases[i].text), 0);
    if (head.upgrade_websocket != cases[i].upgrade)
      ck_abort_msg("upgrade of: %s", cases[i].text);
  }
}
END_TEST

START_TEST(targets)
{
  static const struct {
    const char *line, *path, *query;
  } cases[] = {
      {"/", "/", NULL},
      {"/?", "/", ""},
      {"//a//b", "//a//b", NULL},
      {"/a?b?c=/", "/a", "b?c=/"},
      {"http://a", "/", NULL},
      {"http://A/", "/", NULL},
      {"http://a/b/c?d=http://x", "/b/c", "d=http://x"},
      {"http://a?x", "/", "x"},
      {"wss://a/x", "/x", NULL},
      {"HTTPS://a/x", "/x", NULL},
  };

  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    char *text =
        str_printf("GET %s HTTP/1.1\r\nHost: a\r\n\r\n", cases[i].line);

    if (status_c(text) != 0)
      ck_abort_msg("refused %s", cases[i].line);
    ck_assert(str_eq_c(head.target, cases[i].line));
    ck_assert(str_eq_c(head.raw_path, cases[i].path));
    ck_assert(str_eq_c(head.raw_query, cases[i].query));
    ck_assert((head.raw_query.ptr == NULL) == (cases[i].query == NULL));
    free(text);
  }
}
END_TEST

START_TEST(leading_empty_lines)
{
  ck_assert_uint_eq(status_c("\r\n" GET "\r\n"), 0);
  ck_assert_uint_eq(status_c("\r\n\r\n" GET "\r\n"), 0);
  ck_assert_uint_eq(used, strlen("\r\n\r\n" GET "\r\n"));
  ck_assert_uint_eq(status_c("\r\n\r\n\r\n" GET "\r\n"), 400);
  ck_assert_uint_eq(status_c("\n" GET "\r\n"), 400);
  ck_assert_uint_eq(status_c("\r" GET "\r\n"), 400);
  ck_assert_uint_eq(status_c(""), 1);
  ck_assert_uint_eq(status_c("\r"), 1);
  ck_assert_uint_eq(status_c("\r\n"), 1);
  ck_assert_uint_eq(status_c("\r\n\r\n\r"), 400);
}
END_TEST

struct refusal {
  uint32_t status;
  const char *text;
};

static void refused(const struct refusal *cases, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    uint32_t status = status_c(cases[i].text);

    if (status != cases[i].status)
      ck_abort_msg("%u instead of %u for: %s", status, cases[i].status,
                   cases[i].text);
  }
}

/* What http-parser takes and RFC 9112 forbids. */
START_TEST(what_the_library_lets_through)
{
  static const struct refusal cases[] = {
      /* bare LF as line end, also before the request line */
      {400, "GET / HTTP/1.1\nHost: a\n\n"},
      {400, "GET / HTTP/1.1\r\nHost: a\n\r\n"},
      {400, "GET / HTTP/1.1\nHost: a\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\nHost: a\r\n\n"},
      {400, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      /* obs-fold */
      {400, GET "X: a\r\n b\r\n\r\n"},
      {400, GET "X: a\r\n\tb\r\n\r\n"},
      {400, GET "X: a\r\n \r\n\r\n"},
      /* spaces in and around names */
      {400, GET "X : a\r\n\r\n"},
      {400, GET "X Y: a\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\n X: b\r\nHost: a\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"},
      /* HTTP/0.9 */
      {400, "GET /\r\n\r\n"},
      {400, "GET / \r\n\r\n"},
      /* versions */
      {505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"},
      {505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"},
      {505, "GET / HTTP/9.9\r\nHost: a\r\n\r\n"},
      {505, "GET / HTTP/0.9\r\nHost: a\r\n\r\n"},
      {505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
      /* Host */
      {400, "GET / HTTP/1.1\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n"},
      {400, "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\nHost: \r\n\r\n"},
      {400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"},
      /* the request line */
      {400, "GET  / HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET /  HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET /\x80 HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET /\" HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET /< HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET /> HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET /{ HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET /} HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET /| HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET /^ HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET /` HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET /\\ HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET /#fragment HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET /%zz HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET /%4 HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET /% HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET * HTTP/1.1\r\n" HOST "\r\n"},
      /* lengths */
      {400, GET "Content-Length: 9223372036854775808\r\n\r\n"},
      {400, GET "Content-Length: 18446744073709551615\r\n\r\n"},
      {400, "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {501, GET "Transfer-Encoding: gzip, chunked\r\n\r\n"},
      {501, GET "Transfer-Encoding: chunked, chunked\r\n\r\n"},
      {400, GET "Transfer-Encoding: gzip\r\n"
                "Transfer-Encoding: chunked\r\n\r\n"},
      {400, GET "Transfer-Encoding: chunked\r\n"
                "Transfer-Encoding: chunked\r\n\r\n"},
      /* CONNECT */
      {400, "CONNECT a:80 HTTP/1.1\r\n" HOST "\r\n"},
      {400, "CONNECT / HTTP/1.1\r\n" HOST "\r\n"},
  };

  refused(cases, ARRAY_LEN(cases));
}
END_TEST

START_TEST(what_the_library_refuses)
{
  static const struct refusal cases[] = {
      {400, GET "X: a\rb\r\n\r\n"},
      {400, GET "X: a\r\r\n\r\n"},
      {400, GET "X: a\x01\r\n\r\n"},
      {400, GET "X: a\x7f\r\n\r\n"},
      {400, GET "Content-Length: 3\r\n 4\r\n\r\n"},
      {400, GET "X\t: a\r\n\r\n"},
      {400, GET ": a\r\n\r\n"},
      {400, GET "X\r\n\r\n"},
      {400, GET "X(: a\r\n\r\n"},
      {400, GET "\"X\": a\r\n\r\n"},
      {400, GET "X{: a\r\n\r\n"},
      {400, GET "X\x80: a\r\n\r\n"},
      {400, "GET / http/1.1\r\n" HOST "\r\n"},
      {400, "GET / HTTP/01.1\r\n" HOST "\r\n"},
      {400, "GET / HTTP/1.1 \r\n" HOST "\r\n"},
      {400, "GET\t/\tHTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET / HTTP/1.1x\r\n" HOST "\r\n"},
      {400, "GET / XTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET / HTTP/1,1\r\n" HOST "\r\n"},
      {501, "FOO / HTTP/1.1\r\n" HOST "\r\n"},
      {501, "get / HTTP/1.1\r\n" HOST "\r\n"},
      {501, "GETX / HTTP/1.1\r\n" HOST "\r\n"},
      {400, "G(T / HTTP/1.1\r\n" HOST "\r\n"},
      {400, " GET / HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET a:80 HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET a/b HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET ftp://a/ HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET http:// HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET http:///x HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET http://u:p@a/ HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET http://b/ HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET http:/a HTTP/1.1\r\n" HOST "\r\n"},
      {400, "OPTIONS * HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET /\x01 HTTP/1.1\r\n" HOST "\r\n"},
      {400, "GET /\x7f HTTP/1.1\r\n" HOST "\r\n"},
      {400, GET "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {400, GET "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"},
      {400, GET "Content-Length: 3\r\nContent-Length: 3\r\n\r\n"},
      {400, GET "Content-Length: 3\r\nContent-Length: 4\r\n\r\n"},
      {400, GET "Content-Length: 3, 3\r\n\r\n"},
      {400, GET "Content-Length: +3\r\n\r\n"},
      {400, GET "Content-Length: -3\r\n\r\n"},
      {400, GET "Content-Length: 3 4\r\n\r\n"},
      {400, GET "Content-Length: 0x3\r\n\r\n"},
      {400, GET "Content-Length: 3.0\r\n\r\n"},
      {400, GET "Content-Length:\r\n\r\n"},
      {400, GET "Content-Length: 18446744073709551616\r\n\r\n"},
      {501, GET "Transfer-Encoding: xchunked\r\n\r\n"},
      {501, GET "Transfer-Encoding: chunked, identity\r\n\r\n"},
      {501, GET "Transfer-Encoding: identity\r\n\r\n"},
      {501, GET "Transfer-Encoding: gzip\r\n\r\n"},
      {501, GET "Transfer-Encoding: \"chunked\"\r\n\r\n"},
      {501, GET "Transfer-Encoding: chunked;q=1\r\n\r\n"},
      {501, GET "Transfer-Encoding:\r\n\r\n"},
      {400, GET "Transfer-Encoding: \x0b"
                "chunked\r\n\r\n"},
      {400, "\x16\x03\x01"},
  };

  refused(cases, ARRAY_LEN(cases));
  ck_assert_uint_eq(
      status_of(STR("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n"), &usual), 400);
  ck_assert_uint_eq(status_of(STR("GET /\0 HTTP/1.1\r\n" HOST "\r\n"), &usual),
                    400);
  ck_assert_uint_eq(status_of(STR("\0"), &usual), 400);
}
END_TEST

START_TEST(every_byte_in_names_values_and_targets)
{
  static const char name_extra[] = "!#$%&'*+-.^_`|~";
  static const char target_extra[] = "-._~!$&'()*+,;=:@/?[]";
  char name[] = GET "X?X: a\r\n\r\n", value[] = GET "X: a?a\r\n\r\n";
  char target[] = "GET /a?a HTTP/1.1\r\n" HOST "\r\n";
  char *in_name = strstr(name, "X?") + 1, *in_value = strstr(value, "a?") + 1;
  char *in_target = strstr(target, "a?") + 1;

  for (int c = 0; c < 256; c++) {
    bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                 (c >= 'a' && c <= 'z');
    bool ok;

    *in_name = *in_value = *in_target = (char)c;
    ok = status_of((struct wps_str){name, sizeof(name) - 1}, &usual) == 0;
    ck_assert_msg(ok == (alnum || c == ':' || (c && strchr(name_extra, c))),
                  "name with %02x", c);
    ok = status_of((struct wps_str){value, sizeof(value) - 1}, &usual) == 0;
    ck_assert_msg(ok == (c == '\t' || (c >= 0x20 && c != 0x7f)),
                  "value with %02x", c);
    ok = status_of((struct wps_str){target, sizeof(target) - 1}, &usual) == 0;
    ck_assert_msg(ok == (alnum || (c && strchr(target_extra, c))),
                  "target with %02x", c);
  }
}
END_TEST

/* A request with a line and header block of exactly these sizes. */
static uint32_t sized(size_t line, size_t block, const struct http_limits *l)
{
  struct buf b;
  uint32_t status;
  size_t fixed = strlen("GET / HTTP/1.1"), fields = strlen(HOST "X: \r\n");

  buf_init(&b, 1 << 20);
  buf_add_c(&b, "GET /");
  for (size_t i = fixed; i < line; i++)
    buf_add_byte(&b, 'p');
  buf_add_c(&b, " HTTP/1.1\r\n" HOST "X: ");
  for (size_t i = fields; i < block; i++)
    buf_add_byte(&b, 'v');
  buf_add_c(&b, "\r\n\r\n");
  ck_assert(!b.failed);
  status = status_of((struct wps_str){b.data, b.len}, l);
  buf_free(&b);
  return status;
}

START_TEST(limits_of_line_and_block)
{
  struct http_limits small = {200, 300, 10};

  ck_assert_uint_eq(sized(200, 300, &small), 0);
  ck_assert_uint_eq(sized(201, 300, &small), 414);
  ck_assert_uint_eq(sized(202, 300, &small), 414);
  ck_assert_uint_eq(sized(200, 301, &small), 431);
  ck_assert_uint_eq(sized(200, 302, &small), 431);
  ck_assert_uint_eq(sized(900, 900, &small), 414);
}
END_TEST

START_TEST(limits_while_incomplete)
{
  struct http_limits small = {20, 30, 10};
  char text[100];

  memset(text, 'G', sizeof(text));
  memcpy(text, "GET /GGGGGG HTTP/1.1", 20);
  ck_assert_uint_eq(status_of((struct wps_str){text, 20}, &small), 1);
  ck_assert_uint_eq(status_of((struct wps_str){text, 21}, &small), 414);
  text[20] = '\r';
  ck_assert_uint_eq(status_of((struct wps_str){text, 21}, &small), 1);
  text[21] = '\n';
  ck_assert_uint_eq(status_of((struct wps_str){text, 22 + 30}, &small), 1);
  ck_assert_uint_eq(status_of((struct wps_str){text, 22 + 31}, &small), 431);
}
END_TEST

/* Who speaks another protocol and waits for an answer gets one. */
START_TEST(a_bad_request_line_is_refused_at_once)
{
  ck_assert_uint_eq(status_c("SSH-2.0-OpenSSH_9.2\r\n"), 400);
  ck_assert_uint_eq(status_c("*1\r\n$4\r\nPING\r\n"), 400);
  ck_assert_uint_eq(status_c("GET / HTTP/1.1\r\nHost: a\r\n"), 1);
}
END_TEST

START_TEST(limit_of_the_number_of_fields)
{
  struct http_limits three = {200, 300, 3}, many = {200, 1 << 20, 100000};
  struct buf b;

  ck_assert_uint_eq(status_of(STR(GET "a:\r\nb:\r\n\r\n"), &three), 0);
  ck_assert_uint_eq(status_of(STR(GET "a:\r\nb:\r\nc:\r\n\r\n"), &three), 431);
  ck_assert_uint_eq(status_of(STR(GET "a:\r\nb:\r\nc:\r\n"), &three), 431);
  /* Never more than there is room for, whatever the configuration says. */
  buf_init(&b, 1 << 16);
  buf_add_c(&b, GET);
  for (size_t i = 1; i < HTTP_HEADERS_CAP; i++)
    buf_add_c(&b, "a:\r\n");
  buf_add_c(&b, "\r\n");
  ck_assert_uint_eq(status_of((struct wps_str){b.data, b.len}, &many), 0);
  ck_assert_uint_eq(head.header_count, HTTP_HEADERS_CAP);
  b.len -= 2;
  buf_add_c(&b, "a:\r\n\r\n");
  ck_assert_uint_eq(status_of((struct wps_str){b.data, b.len}, &many), 431);
  buf_free(&b);
}
END_TEST

static bool decoded(struct wps_str in, bool plus, struct wps_str want)
{
  char out[64];
  size_t len = 99;

  return percent_decode(in, plus, out, &len) &&
         str_eq((struct wps_str){out, len}, want);
}

START_TEST(percent)
{
  char out[64];
  size_t len;
  static const char *const bad[] = {
      "%",
      "%4",
      "%zz",
      "a%4g",
      "%+1",
      "%-1",
      "% 1",
      "%00",
      "%80",
      "%c0%af",
      "%ed%a0%80",
      "%f4%90%80%80",
      "%e2%82",
      "\xff",
      "%e0%80%80",
      "%c3",
      "%f0%8f%bf",
      "%ff%fe",
      "%f8%88%80%80%80",
  };

  ck_assert(decoded(STR(""), false, STR("")));
  ck_assert(decoded(STR_NONE, false, STR("")));
  ck_assert(decoded(STR("a%20b%2Fc%2f"), false, STR("a b/c/")));
  ck_assert(decoded(STR("a+b%2B"), false, STR("a+b+")));
  ck_assert(decoded(STR("a+b%2B"), true, STR("a b+")));
  ck_assert(
      decoded(STR("%E2%82%ac\xc3\xa4"), false, STR("\xe2\x82\xac\xc3\xa4")));
  ck_assert(decoded(STR("%25%32%35"), false, STR("%25")));
  ck_assert(decoded(STR("%0a%7f"), false, STR("\n\x7f")));
  for (size_t i = 0; i < ARRAY_LEN(bad); i++)
    if (percent_decode(str_from(bad[i]), true, out, &len))
      ck_abort_msg("accepted %s", bad[i]);
  ck_assert(!percent_decode(STR("a\0b"), false, out, &len));
}
END_TEST

int main(void)
{
  Suite *s = suite_create("http_head");
  TCase *t = tcase_create("http_head");
  SRunner *r = srunner_create(s);
  int failed;

  suite_add_tcase(s, t);
  tcase_set_timeout(t, 60);
  tcase_add_test(t, plain_request);
  tcase_add_test(t, bodies);
  tcase_add_test(t, keep_alive);
  tcase_add_test(t, upgrades);
  tcase_add_test(t, targets);
  tcase_add_test(t, leading_empty_lines);
  tcase_add_test(t, what_the_library_lets_through);
  tcase_add_test(t, what_the_library_refuses);
  tcase_add_test(t, every_byte_in_names_values_and_targets);
  tcase_add_test(t, limits_of_line_and_block);
  tcase_add_test(t, limits_while_incomplete);
  tcase_add_test(t, a_bad_request_line_is_refused_at_once);
  tcase_add_test(t, limit_of_the_number_of_fields);
  tcase_add_test(t, percent);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
