/* SPDX-License-Identifier: Apache-2.0 */
/* Request heads, handshakes and chunked bodies.
 *
 * Beyond not crashing: a prefix is never judged otherwise than the whole, all
 * strings lie in the input, and a body is the same however it is cut.
 */
#include <http_parser.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "wire/http_head.h"

enum { BODY_MAX = 100000 };

static void must(bool holds)
{
  if (!holds)
    abort();
}

static void inside(struct wps_str s, const char *data, size_t len)
{
  if (s.ptr == NULL)
    must(s.len == 0);
  else
    must(s.ptr >= data && s.len <= len &&
         (size_t)(s.ptr - data) <= len - s.len);
}

/* In a block of its own, so that a sanitizer sees a look beyond. */
static enum http_head_result parse_copy(const char *data, size_t len,
                                        const struct http_limits *limits)
{
  static struct http_head head;
  enum http_head_result r;
  const char *why = NULL;
  char *copy = malloc(len + (len == 0));
  uint32_t status = 0;
  size_t used;

  must(copy != NULL);
  if (len > 0)
    memcpy(copy, data, len);
  r = http_head_parse(copy, len, limits, &head, &used, &status, &why);
  free(copy);
  return r;
}

/* What is refused early is never taken as a whole. (It may be waited for: a bad
 * request line is looked for early only while little has come behind it.) */
static void prefixes(const char *data, size_t len, enum http_head_result whole,
                     const struct http_limits *limits)
{
  size_t step = len < 200 ? 1 : len / 100;

  for (size_t n = 0; n < len; n += step) {
    enum http_head_result r = parse_copy(data, n, limits);

    must(r == HTTP_HEAD_MORE ||
         (r == HTTP_HEAD_BAD && whole != HTTP_HEAD_DONE));
  }
}

static enum chunked_result decode(const char *data, size_t len, size_t step,
                                  struct buf *body, size_t *consumed)
{
  enum chunked_result r = CHUNKED_MORE;
  struct chunked c;

  buf_init(body, BODY_MAX);
  chunked_init(&c);
  *consumed = 0;
  while (r == CHUNKED_MORE && *consumed < len) {
    size_t n = len - *consumed < step ? len - *consumed : step, used;

    r = chunked_feed(&c, data + *consumed, n, &used, body);
    must(used <= n && (r != CHUNKED_MORE || used == n));
    *consumed += used;
  }
  return r;
}

static void chunks(const char *data, size_t len)
{
  static const size_t steps[] = {1, 7};
  struct buf whole, cut;
  size_t used, used_cut;
  enum chunked_result r = decode(data, len, len + 1, &whole, &used);

  must(whole.len <= BODY_MAX);
  for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
    must(decode(data, len, steps[i], &cut, &used_cut) == r);
    /* What arrived before a chunk was found too big may differ. */
    must(r == CHUNKED_TOO_BIG ||
         (cut.len == whole.len &&
          (cut.len == 0 || memcmp(cut.data, whole.data, cut.len) == 0)));
    must(r != CHUNKED_DONE || used == used_cut);
    buf_free(&cut);
  }
  buf_free(&whole);
}

static void percent(struct wps_str s, bool plus)
{
  char *out = malloc(s.len + (s.len == 0));
  size_t len = 0;

  must(out != NULL);
  if (percent_decode(s, plus, out, &len))
    must(len <= s.len && (len == 0 || memchr(out, 0, len) == NULL));
  free(out);
}

static int complete(http_parser *parser)
{
  http_parser_pause(parser, 1);
  return 0;
}

/* The parser that gets parts of the head draws the same conclusions from all of
 * it. */
static void whole(const struct http_head *head)
{
  const http_parser_settings settings = {.on_headers_complete = complete};
  http_parser parser;

  http_parser_init(&parser, HTTP_REQUEST);
  (void)http_parser_execute(&parser, &settings, head->text.ptr, head->text.len);
  must(HTTP_PARSER_ERRNO(&parser) == HPE_PAUSED);
  must(head->minor == parser.http_minor);
  must(head->chunked == ((parser.flags & F_CHUNKED) != 0));
  must(head->has_length == ((parser.flags & F_CONTENTLENGTH) != 0));
  must(!head->has_length || head->content_length == parser.content_length);
  must(head->keep_alive == (http_should_keep_alive(&parser) &&
                            (parser.flags & F_CONNECTION_CLOSE) == 0));
}

static void one(const char *data, size_t len, const struct http_limits *limits)
{
  static struct http_head head;
  enum http_head_result r;
  uint32_t status = 0;
  const char *why = NULL;
  size_t used = 0;
  struct wps_str key;

  r = http_head_parse(data, len, limits, &head, &used, &status, &why);
  prefixes(data, r == HTTP_HEAD_DONE ? used : len, r, limits);
  if (r == HTTP_HEAD_BAD)
    must(status >= 400 && status < 600 && why != NULL);
  if (r != HTTP_HEAD_DONE)
    return;
  must(used <= len && head.header_count <= limits->header_max);
  must(!(head.chunked && head.has_length) && head.minor <= 1);
  inside(head.method, data, used);
  inside(head.target, data, used);
  inside(head.raw_path, data, used);
  inside(head.raw_query, data, used);
  must(head.raw_path.len > 0 && head.raw_path.ptr[0] == '/');
  for (size_t i = 0; i < head.header_count; i++) {
    inside(head.headers[i].name, data, used);
    inside(head.headers[i].value, data, used);
  }
  whole(&head);
  status = handshake_check(&head, &key, &why);
  must(why != NULL);
  must(status != 0 || (head.upgrade_websocket && key.len == 24));
  percent(head.raw_path, false);
  percent(head.raw_query, true);
  if (head.chunked)
    chunks(data + used, len - used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const struct http_limits usual = {16384, 16384, 100};
  static const struct http_limits small = {40, 80, 3};

  one((const char *)data, size, &usual);
  one((const char *)data, size, &small);
  return 0;
}
