/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/bench_traffic.h, ctl/bench_histogram.h: whether faults are seen */
#include "ctl/bench_traffic.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ws_client.h"

enum { SIZE = 64, WINDOW = 4, RECEIVERS = 2, TEXT_MAX = 256, MANY = 200 };

/* Client 0 publishes for 1 and 2; 3 is in another group. Nobody is connected:
 * what is published stays in the buffer of client 0. */
struct bed {
  struct bench_options o;
  struct bench_result r;
  struct traffic t;
  struct client clients[4], *dirty[4];
  struct track tracks[4];
};

static void failed(struct clients *s, struct client *c, const char *why)
{
  UNUSED(s);
  UNUSED(c);
  ck_abort_msg("%s", why);
}

static struct bed *bed_new(uint32_t window, bool acks)
{
  static const char ack[] = "{\"ackId\":1000000000,\"data\":\"";
  struct bed *b = calloc(1, sizeof(*b));
  char text[TEXT_MAX];
  size_t at = acks ? sizeof(ack) - 1 : 0;

  ck_assert_ptr_nonnull(b);
  b->o = (struct bench_options){.size = SIZE};
  b->t.o = &b->o;
  b->t.result = &b->r;
  b->t.window = window;
  b->t.publisher_count = b->t.per_group = 1;
  b->t.receivers = acks ? 1 : RECEIVERS;
  b->t.clients = (struct clients){.all = b->clients,
                                  .count = 4,
                                  .dirty = b->dirty,
                                  .epoll = -1,
                                  .failed = failed};
  for (size_t i = 0; i < 4; i++) {
    b->clients[i] = (struct client){.fd = -1,
                                    .state = CLIENT_READY,
                                    .group = i == 3,
                                    .mask = {1, 2, 4, 8},
                                    .tracks = &b->tracks[i]};
    buf_init(&b->clients[i].out, 1024 * 1024);
  }
  ck_assert(traffic_init(&b->t));
  b->t.publishers[0] = (struct publisher){.client = &b->clients[0]};
  b->clients[0].publisher = &b->t.publishers[0];
  memcpy(text, ack, at);
  body_fill(&b->t, 0, text + at);
  memcpy(text + at + SIZE, "\"}", 2);
  ck_assert(publisher_init(&b->t, &b->t.publishers[0], text, at + SIZE + 2, at,
                           acks ? 9 : 0));
  traffic_begin(&b->t);
  return b;
}

static void bed_free(struct bed *b)
{
  buf_free(&b->clients[0].out);
  traffic_free(&b->t);
  free(b);
}

/* The text of message n as it went out, unmasked; its length. */
static size_t published(const struct bed *b, uint32_t n, char out[TEXT_MAX])
{
  const char *p = b->clients[0].out.data;
  const char *end = p + b->clients[0].out.len;
  struct ws_head h;

  for (;; p += h.size + 4 + h.len, n--) {
    ck_assert(ws_head_read(p, (size_t)(end - p), &h));
    ck_assert(h.masked);
    ck_assert_uint_eq(h.first, 0x80 | WS_TEXT);
    ck_assert_uint_lt(h.len, TEXT_MAX);
    if (n > 0)
      continue;
    for (size_t i = 0; i < h.len; i++)
      out[i] = (char)(p[h.size + 4 + i] ^ p[h.size + i % 4]);
    return (size_t)h.len;
  }
}

static void text_comes(struct bed *b, size_t to, const char *text, size_t len)
{
  const char *body = body_find(&b->t, &b->clients[to], text, len);

  ck_assert_ptr_nonnull(body);
  body_arrived(&b->t, &b->clients[to], body, len - (size_t)(body - text),
               INT64_MAX);
}

static void comes(struct bed *b, size_t to, uint32_t n)
{
  char text[TEXT_MAX];

  text_comes(b, to, text, published(b, n, text));
}

START_TEST(a_window_holds_until_all_have_it)
{
  struct bed *b = bed_new(WINDOW, false);

  traffic_publish(&b->t);
  ck_assert_uint_eq(b->r.published, WINDOW);
  comes(b, 1, 0);
  comes(b, 1, 1);
  traffic_publish(&b->t);
  ck_assert_uint_eq(b->r.published, WINDOW);
  comes(b, 2, 0);
  traffic_publish(&b->t);
  ck_assert_uint_eq(b->r.published, WINDOW + 1);
  for (uint32_t n = 1; n < MANY; n++) {
    comes(b, 2, n);
    comes(b, 1, n + 1);
    traffic_publish(&b->t);
  }
  ck_assert_uint_eq(b->r.published, MANY + WINDOW);
  ck_assert_uint_eq(b->r.received, 2 * MANY + 1);
  ck_assert_str_eq(b->r.why, "");
  bed_free(b);
}
END_TEST

START_TEST(what_is_lost_is_missing)
{
  struct bed *b = bed_new(WINDOW, false);

  traffic_publish(&b->t);
  comes(b, 1, 0);
  comes(b, 1, 2);
  ck_assert_uint_eq(b->r.received, 2);
  ck_assert_str_ne(b->r.why, "");
  bed_free(b);
}
END_TEST

START_TEST(what_comes_twice_is_not_counted_twice)
{
  struct bed *b = bed_new(WINDOW, false);

  traffic_publish(&b->t);
  comes(b, 1, 0);
  comes(b, 1, 1);
  comes(b, 2, 0);
  comes(b, 1, 0);
  comes(b, 1, 1);
  ck_assert_uint_eq(b->r.received, 3);
  ck_assert_uint_eq(b->r.duplicated, 2);
  ck_assert_str_eq(b->r.why, "message 0 came twice");
  bed_free(b);
}
END_TEST

START_TEST(what_comes_late_is_not_lost)
{
  struct bed *b = bed_new(WINDOW, false);

  traffic_publish(&b->t);
  comes(b, 1, 2);
  comes(b, 1, 0);
  comes(b, 1, 1);
  comes(b, 1, 3);
  ck_assert_uint_eq(b->r.received, 4);
  ck_assert_uint_eq(b->r.reordered, 2);
  ck_assert_uint_eq(b->r.duplicated, 0);
  ck_assert_str_eq(b->r.why, "message 2 came before 0");
  comes(b, 1, 2);
  ck_assert_uint_eq(b->r.duplicated, 1);
  bed_free(b);
}
END_TEST

START_TEST(each_changed_character_is_seen)
{
  struct bed *b = bed_new(WINDOW, false);
  /* Not those of the mark, without which it is no message, nor of the time. */
  const size_t from = 5, stamp = 21, filling = 37;
  char text[TEXT_MAX];
  size_t len, count = 0;

  traffic_publish(&b->t);
  for (size_t i = from; i < SIZE; i++) {
    if (i >= stamp && i < filling)
      continue;
    len = published(b, 0, text);
    text[i] ^= 3;
    text_comes(b, 1, text, len);
    ck_assert_uint_eq(b->r.corrupted + b->r.received, ++count);
  }
  /* One digit leads to another message of the window, which is too early. */
  ck_assert_uint_eq(b->r.received, 1);
  ck_assert_uint_eq(b->tracks[1].next, 2);
  bed_free(b);
}
END_TEST

START_TEST(a_cut_message_is_seen)
{
  struct bed *b = bed_new(WINDOW, false);
  char text[TEXT_MAX];

  traffic_publish(&b->t);
  published(b, 0, text);
  text_comes(b, 1, text, SIZE - 1);
  ck_assert_uint_eq(b->r.corrupted, 1);
  ck_assert_uint_eq(b->r.received, 0);
  bed_free(b);
}
END_TEST

START_TEST(another_groups_message_is_seen)
{
  struct bed *b = bed_new(WINDOW, false);

  traffic_publish(&b->t);
  comes(b, 3, 0);
  ck_assert_uint_eq(b->r.corrupted, 1);
  ck_assert_uint_eq(b->r.received, 0);
  bed_free(b);
}
END_TEST

START_TEST(messages_of_another_run_are_seen)
{
  struct bed *b = bed_new(WINDOW, false), *other = bed_new(2 * WINDOW, false);
  char text[TEXT_MAX];
  size_t len;

  traffic_publish(&b->t);
  traffic_publish(&other->t);
  len = published(other, WINDOW, text);
  text_comes(b, 1, text, len);
  ck_assert_uint_eq(b->r.corrupted, 1);
  bed_free(b);
  bed_free(other);
}
END_TEST

START_TEST(acks_are_matched)
{
  struct bed *b = bed_new(2, true);
  char text[TEXT_MAX];

  traffic_publish(&b->t);
  published(b, 1, text);
  ck_assert_int_eq(memcmp(text, "{\"ackId\":1000000001,\"data\":\"#wpb:", 33),
                   0);
  ack_arrived(&b->t, &b->clients[0], ACK_FIRST, INT64_MAX);
  ck_assert_str_eq(b->r.why, "");
  traffic_publish(&b->t);
  ck_assert_uint_eq(b->r.published, 3);
  ack_arrived(&b->t, &b->clients[0], ACK_FIRST, INT64_MAX);
  ck_assert_uint_eq(b->r.duplicated, 1);
  ack_arrived(&b->t, &b->clients[0], ACK_FIRST + 3, INT64_MAX);
  ack_arrived(&b->t, &b->clients[0], 1, INT64_MAX);
  ck_assert_uint_eq(b->r.corrupted, 2);
  ck_assert_uint_eq(b->r.received, 1);
  bed_free(b);
}
END_TEST

START_TEST(quantiles_are_close)
{
  struct histogram *h = calloc(1, sizeof(*h));

  ck_assert_ptr_nonnull(h);
  ck_assert_double_eq(histogram_quantile(h, 0.5), 0);
  for (int64_t i = 0; i < 60; i++)
    histogram_add(h, i);
  ck_assert_double_eq(histogram_quantile(h, 0.5), 30);
  histogram_reset(h);
  for (int64_t i = 1; i <= 1000000; i++)
    histogram_add(h, i * 1000);
  for (double q = 0.01; q < 1; q += 0.01)
    ck_assert_double_eq_tol(histogram_quantile(h, q) / (q * 1e9), 1, 0.032);
  ck_assert_double_le(histogram_quantile(h, 1), 1e9);
  histogram_add(h, -1);
  histogram_add(h, INT64_MAX);
  ck_assert_uint_eq(h->counts[0], 1);
  ck_assert_uint_eq(h->max, INT64_MAX);
  free(h);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("bench");
  TCase *tc = tcase_create("bench");
  SRunner *r = srunner_create(s);
  int failures;

  tcase_add_test(tc, a_window_holds_until_all_have_it);
  tcase_add_test(tc, what_is_lost_is_missing);
  tcase_add_test(tc, what_comes_twice_is_not_counted_twice);
  tcase_add_test(tc, what_comes_late_is_not_lost);
  tcase_add_test(tc, each_changed_character_is_seen);
  tcase_add_test(tc, a_cut_message_is_seen);
  tcase_add_test(tc, another_groups_message_is_seen);
  tcase_add_test(tc, messages_of_another_run_are_seen);
  tcase_add_test(tc, acks_are_matched);
  tcase_add_test(tc, quantiles_are_close);
  suite_add_tcase(s, tc);
  srunner_run_all(r, CK_NORMAL);
  failures = srunner_ntests_failed(r);
  srunner_free(r);
  return failures != 0;
}
