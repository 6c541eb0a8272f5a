/* SPDX-License-Identifier: Apache-2.0 */
/* wire/frame_in.h and wire/frame_out.h: RFC 6455 5 and 7.4.
 *
 * Every case runs whole, byte by byte and cut in two at every place, and must
 * end the same. test_frame_random.c does this with random streams.
 */
#include "wire/frame_in.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "wire/frame_out.h"

#include "frame_helper.h"

static const struct frame_in_limits usual = {1000, 8};

/* ---- cases ---- */

static struct buf stream;
static size_t bound_at_end;

static void begin(void)
{
  buf_free(&stream);
  buf_init(&stream, 64 << 20);
}

static void one_way(const char *log, size_t log_len, int rc, size_t first,
                    size_t step, const struct frame_in_limits *limits)
{
  struct frame_pool *pool = frame_pool_new(2);
  size_t at = 0, total;
  struct run r;

  run_start(&r, pool);
  while (at < stream.len) {
    size_t n = at == 0 && first > 0 ? first : step;

    if (n > stream.len - at)
      n = stream.len - at;
    run_feed(&r, stream.data + at, n, limits);
    at += n;
  }
  if (r.rc != rc || r.heard.text.len != log_len ||
      (log_len > 0 && memcmp(r.heard.text.data, log, log_len) != 0))
    ck_abort_msg("first %zu, step %zu: %d instead of %d, \"%s\" for \"%.*s\"",
                 first, step, r.rc, rc, buf_c(&r.heard.text), (int)log_len,
                 log);
  frame_pool_stats(pool, &total, &bound_at_end);
  run_end(&r);
  frame_pool_free(pool);
}

/* The stream leads to this log and result, however it is cut. Returns whether
 * a context is bound at its end. */
static size_t expect_limited(const char *log, int rc,
                             const struct frame_in_limits *limits)
{
  size_t len = strlen(log), whole, places = stream.len;

  one_way(log, len, rc, 0, stream.len, limits);
  whole = bound_at_end;
  one_way(log, len, rc, 0, 1, limits);
  if (rc == FRAME_OK)
    ck_assert_uint_eq(bound_at_end, whole);
  if (places > 400)
    places = 400;
  for (size_t first = 1; first < places; first++)
    one_way(log, len, rc, first, stream.len, limits);
  return whole;
}

static size_t expect(const char *log, int rc)
{
  return expect_limited(log, rc, &usual);
}

START_TEST(whole_messages)
{
  begin();
  ck_assert_uint_eq(expect("", FRAME_OK), 0);
  add_c(&stream, FIN | TEXT, "Hello");
  /* RFC 6455 5.7 has this very frame. */
  ck_assert_mem_eq(stream.data, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
                   11);
  ck_assert_uint_eq(expect("1:Hello;", FRAME_OK), 0);
  add_frame(&stream, FIN | BIN, STR("\xff\xfe\x01"));
  add_c(&stream, FIN | TEXT, "");
  add_c(&stream, FIN | BIN, "");
  add_c(&stream, FIN | TEXT, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
  ck_assert_uint_eq(expect("1:Hello;2:\xff\xfe\x01;1:;2:;"
                           "1:\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80;",
                           FRAME_OK),
                    0);
}
END_TEST

START_TEST(every_length_up_to_300_and_around_64k)
{
  static const size_t more[] = {65534, 65535, 65536, 65537, 70001};
  struct frame_in_limits big = {1 << 20, 8};

  for (size_t n = 0; n < 300 + ARRAY_LEN(more); n++) {
    size_t len = n < 300 ? n : more[n - 300];
    char *payload = malloc(len + 4), *log = malloc(len + 4);

    for (size_t i = 0; i < len; i++)
      payload[i] = (char)('a' + i % 26);
    begin();
    add_frame(&stream, FIN | TEXT, (struct wps_str){payload, len});
    memcpy(log, "1:", 2);
    memcpy(log + 2, payload, len);
    log[len + 2] = ';';
    one_way(log, len + 3, FRAME_OK, 0, stream.len, &big);
    one_way(log, len + 3, FRAME_OK, 0, 1, &big);
    one_way(log, len + 3, FRAME_OK, 0, 4096, &big);
    ck_assert_uint_eq(bound_at_end, 0);
    free(payload);
    free(log);
  }
}
END_TEST

START_TEST(fragmented_messages)
{
  begin();
  add_c(&stream, TEXT, "one ");
  ck_assert_uint_eq(expect("", FRAME_OK), 1);
  add_c(&stream, FIN | PING, "p");
  add_c(&stream, CONT, "");
  add_c(&stream, FIN | PONG, "unasked");
  add_c(&stream, CONT, "two \xe2");
  add_c(&stream, FIN | PING, "");
  add_c(&stream, CONT, "\x82");
  ck_assert_uint_eq(expect("ping:p;pong:unasked;ping:;", FRAME_OK), 1);
  add_c(&stream, FIN | CONT, "\xac");
  ck_assert_uint_eq(
      expect("ping:p;pong:unasked;ping:;1:one two \xe2\x82\xac;", FRAME_OK), 0);
  add_c(&stream, FIN | TEXT, "next");
  add_c(&stream, BIN, "");
  add_c(&stream, CONT, "");
  add_c(&stream, FIN | CONT, "");
  ck_assert_uint_eq(
      expect("ping:p;pong:unasked;ping:;1:one two \xe2\x82\xac;1:next;2:;",
             FRAME_OK),
      0);
}
END_TEST

START_TEST(close_inside_a_message)
{
  begin();
  add_c(&stream, TEXT, "never ");
  add_c(&stream, FIN | CLOSE, "\x03\xe8");
  add_c(&stream, FIN | CONT, "ended");
  expect("close 1000:;", FRAME_STOPPED);
}
END_TEST

START_TEST(control_frames)
{
  char longest[126];

  memset(longest, 'x', 125);
  longest[125] = '\0';
  begin();
  add_c(&stream, FIN | PING, "");
  add_c(&stream, FIN | PONG, "");
  add_c(&stream, FIN | PING, longest);
  ck_assert_uint_eq(
      expect("ping:;pong:;ping:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
             "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
             "xxxxxxxxxxxxxxx;",
             FRAME_OK),
      0);
  begin();
  add_header(&stream, FIN | PING, 126);
  expect("", 1002);
  begin();
  add_c(&stream, PING, "x");
  expect("", 1002);
  begin();
  add_c(&stream, CLOSE, "");
  expect("", 1002);
  begin();
  buf_add(&stream, "\x88\xff", 2);
  expect("", 1002);
}
END_TEST

START_TEST(limits_of_messages)
{
  static const struct frame_in_limits small = {100, 3};
  char text[121], log[160];

  memset(text, 'p', 120);
  text[120] = '\0';
  /* Control frames do not count against the limit of messages. */
  begin();
  add_c(&stream, FIN | PING, text);
  snprintf(log, sizeof(log), "ping:%s;", text);
  expect_limited(log, FRAME_OK, &small);
  begin();
  add_c(&stream, FIN | BIN, text + 20);
  snprintf(log, sizeof(log), "2:%s;", text + 20);
  expect_limited(log, FRAME_OK, &small);
  begin();
  add_c(&stream, TEXT, text + 21);
  add_c(&stream, FIN | PONG, "0123456789");
  add_c(&stream, FIN | CONT, "q");
  snprintf(log, sizeof(log), "pong:0123456789;1:%sq;", text + 21);
  expect_limited(log, FRAME_OK, &small);
  begin();
  add_c(&stream, FIN | BIN, text + 19);
  expect_limited("", 1009, &small);
  /* Announced is enough; also for what no memory could hold. */
  begin();
  add_header(&stream, FIN | TEXT, 101);
  stream.len -= 4;
  expect_limited("", 1009, &small);
  begin();
  add_header(&stream, FIN | TEXT, 1u << 30);
  stream.len -= 4;
  expect_limited("", 1009, &small);
  begin();
  add_header(&stream, FIN | BIN, INT64_MAX);
  stream.len -= 4;
  expect_limited("", 1009, &small);
  /* The sum of fragments. */
  begin();
  add_c(&stream, TEXT, "0123456789");
  add_header(&stream, FIN | CONT, 91);
  expect_limited("", 1009, &small);
  begin();
  add_c(&stream, TEXT, "0123456789");
  add_header(&stream, FIN | CONT, 90);
  expect_limited("", FRAME_OK, &small);
  begin();
  add_c(&stream, TEXT, "0123456789");
  add_header(&stream, CONT, INT64_MAX);
  expect_limited("", 1009, &small);
  /* Their number. */
  begin();
  add_c(&stream, TEXT, "a");
  add_c(&stream, CONT, "b");
  add_c(&stream, FIN | CONT, "c");
  add_c(&stream, TEXT, "");
  add_c(&stream, CONT, "");
  add_c(&stream, CONT, "");
  expect_limited("1:abc;", FRAME_OK, &small);
  add_c(&stream, FIN | PING, "d");
  buf_add_byte(&stream, (char)(FIN | CONT));
  expect_limited("1:abc;ping:d;", 1009, &small);
  /* Limits of nothing. */
  begin();
  add_c(&stream, FIN | TEXT, "");
  expect_limited("1:;", FRAME_OK, &(struct frame_in_limits){0, 0});
  add_c(&stream, FIN | TEXT, "x");
  expect_limited("1:;", 1009, &(struct frame_in_limits){0, 0});
}
END_TEST

START_TEST(bad_headers)
{
  static const struct {
    unsigned len;
    unsigned char bytes[10];
  } cases[] = {
      {1, {0xC1}}, /* RSV1, RSV2, RSV3 */
      {1, {0xA1}},
      {1, {0x91}},
      {1, {0xC9}},
      {1, {0x83}}, /* reserved opcodes */
      {1, {0x84}},
      {1, {0x85}},
      {1, {0x86}},
      {1, {0x87}},
      {1, {0x8B}},
      {1, {0x8C}},
      {1, {0x8D}},
      {1, {0x8E}},
      {1, {0x8F}},
      {1, {0x03}},
      {1, {0x80}}, /* continuation of nothing */
      {1, {0x00}},
      {2, {0x81, 0x05}}, /* not masked: no byte of payload is waited for */
      {2, {0x81, 0x00}},
      {2, {0x82, 0x7E}},
      {2, {0x88, 0x00}},
      {4, {0x81, 0xFE, 0x00, 0x7D}}, /* lengths with too many bytes */
      {4, {0x82, 0xFE, 0x00, 0x00}},
      {10, {0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF}},
      {10, {0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0, 5}},
      {10, {0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 5}}, /* the high bit */
      {10, {0x82, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}},
  };

  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    begin();
    buf_add(&stream, cases[i].bytes, cases[i].len);
    expect("", 1002);
    /* Not a byte earlier, and the same behind something good. */
    begin();
    add_c(&stream, FIN | TEXT, "a");
    buf_add(&stream, cases[i].bytes, cases[i].len - 1);
    expect("1:a;", FRAME_OK);
    buf_add_byte(&stream, (char)cases[i].bytes[cases[i].len - 1]);
    add_c(&stream, FIN | TEXT, "not seen");
    expect("1:a;", 1002);
  }
}
END_TEST

START_TEST(bad_sequences)
{
  begin();
  add_c(&stream, TEXT, "a");
  buf_add_byte(&stream, (char)(FIN | TEXT));
  expect("", 1002);
  begin();
  add_c(&stream, BIN, "a");
  buf_add_byte(&stream, TEXT);
  expect("", 1002);
  begin();
  add_c(&stream, BIN, "a");
  buf_add_byte(&stream, (char)(FIN | BIN));
  expect("", 1002);
  begin();
  add_c(&stream, BIN, "a");
  add_c(&stream, FIN | CONT, "b");
  buf_add_byte(&stream, (char)(FIN | CONT));
  expect("2:ab;", 1002);
  begin();
  add_c(&stream, BIN, "a");
  buf_add_byte(&stream, (char)(0xC0 | CONT));
  expect("", 1002);
}
END_TEST

START_TEST(text_must_be_utf8)
{
  /* Each is wrong in its last byte. */
  static const char *const bad[] = {
      "\x80",     "\xbf",     "\xc0",        "\xc1",
      "a\xc3(",   "\xe0\x80", "\xe0\x9f",    "\xed\xa0",
      "\xed\xbf", "\xf0\x8f", "\xf4\x90",    "\xf5",
      "\xff",     "\xfe",     "ok\xe2\x82(", "\xf0\x9f\x98\xc0",
  };
  static const char *const cut[] = {"\xc3", "\xe2\x82", "\xf0\x9f\x98",
                                    "ok\xf4\x8f"};
  char log[64];

  for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
    size_t len = strlen(bad[i]);

    begin();
    add_c(&stream, FIN | TEXT, bad[i]);
    expect("", 1007);
    /* At the offending byte, though most of the frame is still to come. */
    begin();
    add_header(&stream, FIN | TEXT, 900);
    for (size_t k = 0; k < len; k++)
      buf_add_byte(&stream,
                   (char)((unsigned char)bad[i][k] ^ frame_mask[k % 4]));
    expect("", 1007);
    begin();
    add_frame(&stream, TEXT, (struct wps_str){bad[i], len - 1});
    add_c(&stream, FIN | PING, "");
    add_header(&stream, CONT, 900);
    buf_add_byte(&stream,
                 (char)((unsigned char)bad[i][len - 1] ^ frame_mask[0]));
    expect("ping:;", 1007);
    /* Only text must be. */
    begin();
    add_c(&stream, FIN | BIN, bad[i]);
    snprintf(log, sizeof(log), "2:%s;", bad[i]);
    expect(log, FRAME_OK);
  }
  for (size_t i = 0; i < ARRAY_LEN(cut); i++) {
    begin();
    add_c(&stream, FIN | TEXT, cut[i]);
    expect("", 1007);
    begin();
    add_c(&stream, TEXT, cut[i]);
    expect("", FRAME_OK);
    add_c(&stream, FIN | CONT, "");
    expect("", 1007);
    begin();
    add_header(&stream, FIN | TEXT, 100);
    for (size_t k = 0; k < strlen(cut[i]); k++)
      buf_add_byte(&stream,
                   (char)((unsigned char)cut[i][k] ^ frame_mask[k % 4]));
    expect("", FRAME_OK);
  }
}
END_TEST

START_TEST(close_frames)
{
  char log[64], payload[3];
  struct wps_str p = {payload, 2};

  begin();
  add_c(&stream, FIN | CLOSE, "");
  add_c(&stream, FIN | TEXT, "not seen");
  expect("close 1005:;", FRAME_STOPPED);
  begin();
  add_c(&stream, FIN | CLOSE,
        "\x03\xe9"
        "bye \xe2\x82\xac");
  expect("close 1001:bye \xe2\x82\xac;", FRAME_STOPPED);
  begin();
  add_c(&stream, FIN | CLOSE, "\x03");
  expect("", 1002);
  for (unsigned code = 0; code < 65536; code += code < 5200 ? 1 : 997) {
    bool good = (code >= 1000 && code <= 1003) ||
                (code >= 1007 && code <= 1014) ||
                (code >= 3000 && code <= 4999);

    payload[0] = (char)(code >> 8);
    payload[1] = (char)(code & 0xff);
    begin();
    add_frame(&stream, FIN | CLOSE, p);
    snprintf(log, sizeof(log), "close %u:;", code);
    one_way(good ? log : "", good ? strlen(log) : 0,
            good ? FRAME_STOPPED : 1002, 0, stream.len, &usual);
    one_way(good ? log : "", good ? strlen(log) : 0,
            good ? FRAME_STOPPED : 1002, 0, 1, &usual);
  }
  begin();
  add_c(&stream, FIN | CLOSE, "\x03\xe8\xff");
  expect("", 1007);
  begin();
  add_c(&stream, FIN | CLOSE,
        "\x03\xe8"
        "a\xc3");
  expect("", 1007);
  begin();
  add_c(&stream, FIN | CLOSE, "\x03\xe8\xed\xa0\x80");
  expect("", 1007);
}
END_TEST

START_TEST(the_receiver_stops)
{
  for (size_t stop = 1; stop <= 4; stop++)
    for (size_t step = 1; step < 40; step++) {
      struct frame_pool *pool = frame_pool_new(1);
      static const char *const want[] = {"1:a;", "1:a;ping:b;",
                                         "1:a;ping:b;pong:c;",
                                         "1:a;ping:b;pong:c;2:de;"};
      struct run r;

      begin();
      add_c(&stream, FIN | TEXT, "a");
      add_c(&stream, FIN | PING, "b");
      add_c(&stream, FIN | PONG, "c");
      add_c(&stream, BIN, "d");
      add_c(&stream, FIN | CONT, "e");
      add_c(&stream, FIN | TEXT, "f");
      run_start(&r, pool);
      r.heard.stop_after = stop;
      for (size_t at = 0; at < stream.len; at += step)
        run_feed(&r, stream.data + at,
                 stream.len - at < step ? stream.len - at : step, &usual);
      ck_assert_int_eq(r.rc, FRAME_STOPPED);
      ck_assert_str_eq(buf_c(&r.heard.text), want[stop - 1]);
      run_end(&r);
      ck_assert_uint_eq(r.in.flags, 0); /* it may be fed again */
      frame_pool_free(pool);
    }
}
END_TEST

START_TEST(pool_counts)
{
  struct frame_pool *pool = frame_pool_new(2);
  struct run r[5];
  size_t total, bound;

  begin();
  add_c(&stream, FIN | TEXT, "hello");
  for (size_t i = 0; i < 5; i++) {
    run_start(&r[i], pool);
    run_feed(&r[i], stream.data, 3, &usual);
  }
  frame_pool_stats(pool, &total, &bound);
  ck_assert_uint_eq(total, 5);
  ck_assert_uint_eq(bound, 5);
  for (size_t i = 0; i < 4; i++)
    run_feed(&r[i], stream.data + 3, stream.len - 3, &usual);
  frame_pool_stats(pool, &total, &bound);
  ck_assert_uint_eq(total, 3); /* two kept, one still bound */
  ck_assert_uint_eq(bound, 1);
  run_end(&r[4]); /* in the middle of a frame: not for others */
  frame_pool_stats(pool, &total, &bound);
  ck_assert_uint_eq(total, 2);
  ck_assert_uint_eq(bound, 0);
  for (size_t i = 0; i < 4; i++) {
    ck_assert_str_eq(buf_c(&r[i].heard.text), "1:hello;");
    run_end(&r[i]);
  }
  frame_pool_free(pool);
  frame_pool_free(NULL);
  pool = frame_pool_new(0);
  run_start(&r[0], pool);
  run_feed(&r[0], stream.data, 3, &usual);
  run_feed(&r[0], stream.data + 3, stream.len - 3, &usual);
  frame_pool_stats(pool, &total, &bound);
  ck_assert_uint_eq(total + bound, 0);
  run_end(&r[0]);
  frame_pool_free(pool);
}
END_TEST

/* Bound means: not complete. What comes in between changes nothing about it. */
START_TEST(age_of_what_is_incomplete)
{
  struct frame_pool *pool = frame_pool_new(2);
  struct run r;

  begin();
  add_c(&stream, TEXT, "hel");
  add_c(&stream, FIN | PING, "?");
  run_start(&r, pool);
  ck_assert_int_eq(frame_in_age_us(&r.in, 1000, false), 0);
  run_feed(&r, stream.data, stream.len, &usual);
  ck_assert_int_eq(frame_in_age_us(&r.in, 2000, false), 0);
  run_feed(&r, stream.data + 9, stream.len - 9, &usual);
  ck_assert_int_eq(frame_in_age_us(&r.in, 7000, false), 5000);
  ck_assert_int_eq(frame_in_age_us(&r.in, 8000, true), 0);
  ck_assert_int_eq(frame_in_age_us(&r.in, 9000, false), 1000);
  begin();
  add_c(&stream, FIN | CONT, "lo");
  add_c(&stream, FIN | TEXT, "two");
  run_feed(&r, stream.data, stream.len - 1, &usual);
  /* The next one; with its end nothing is left. */
  ck_assert_int_eq(frame_in_age_us(&r.in, 20000, false), 0);
  ck_assert_int_eq(frame_in_age_us(&r.in, 20001, false), 1);
  run_feed(&r, stream.data + stream.len - 1, 1, &usual);
  ck_assert_int_eq(frame_in_age_us(&r.in, 30000, false), 0);
  ck_assert_int_eq(frame_in_age_us(&r.in, 40000, false), 0);
  ck_assert_str_eq(buf_c(&r.heard.text), "ping:?;ping:?;1:hello;1:two;");
  run_end(&r);
  frame_pool_free(pool);
}
END_TEST

/* ---- out ---- */

START_TEST(headers_out)
{
  unsigned char h[FRAME_HEADER_MAX];

  ck_assert_uint_eq(frame_header_write(h, WPS_TEXT, 0), 2);
  ck_assert_mem_eq(h, "\x81\x00", 2);
  ck_assert_uint_eq(frame_header_write(h, WPS_BINARY, 125), 2);
  ck_assert_mem_eq(h, "\x82\x7d", 2);
  ck_assert_uint_eq(frame_header_write(h, FRAME_PING, 126), 4);
  ck_assert_mem_eq(h, "\x89\x7e\x00\x7e", 4);
  ck_assert_uint_eq(frame_header_write(h, FRAME_CLOSE, 65535), 4);
  ck_assert_mem_eq(h, "\x88\x7e\xff\xff", 4);
  ck_assert_uint_eq(frame_header_write(h, WPS_TEXT, 65536), 10);
  ck_assert_mem_eq(h, "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10);
  ck_assert_uint_eq(frame_header_write(h, WPS_TEXT, INT64_MAX), 10);
  ck_assert_mem_eq(h, "\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10);
  for (uint64_t n = 0; n < 70000; n += 13)
    ck_assert_uint_eq(frame_header_write(h, 1, n), frame_header_len(n));
}
END_TEST

START_TEST(close_payloads_out)
{
  unsigned char out[125];
  char reason[140];

  ck_assert_uint_eq(frame_close_payload(out, 0, STR("x")), 0);
  ck_assert_uint_eq(frame_close_payload(out, 1005, STR("x")), 0);
  ck_assert_uint_eq(frame_close_payload(out, 1000, STR_NONE), 2);
  ck_assert_mem_eq(out, "\x03\xe8", 2);
  ck_assert_uint_eq(frame_close_payload(out, 4999, STR("bye")), 5);
  ck_assert_mem_eq(out,
                   "\x13\x87"
                   "bye",
                   5);
  memset(reason, 'x', sizeof(reason));
  ck_assert_uint_eq(
      frame_close_payload(out, 1000, (struct wps_str){reason, 140}), 125);
  memcpy(reason + 121, "\xe2\x82\xac", 3);
  ck_assert_uint_eq(
      frame_close_payload(out, 1000, (struct wps_str){reason, 140}), 123);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("frame_in");
  TCase *t = tcase_create("frame_in");
  SRunner *r = srunner_create(s);
  int failed;

  suite_add_tcase(s, t);
  tcase_set_timeout(t, 120);
  tcase_add_test(t, whole_messages);
  tcase_add_test(t, every_length_up_to_300_and_around_64k);
  tcase_add_test(t, fragmented_messages);
  tcase_add_test(t, close_inside_a_message);
  tcase_add_test(t, control_frames);
  tcase_add_test(t, limits_of_messages);
  tcase_add_test(t, bad_headers);
  tcase_add_test(t, bad_sequences);
  tcase_add_test(t, text_must_be_utf8);
  tcase_add_test(t, close_frames);
  tcase_add_test(t, the_receiver_stops);
  tcase_add_test(t, age_of_what_is_incomplete);
  tcase_add_test(t, pool_counts);
  tcase_add_test(t, headers_out);
  tcase_add_test(t, close_payloads_out);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
