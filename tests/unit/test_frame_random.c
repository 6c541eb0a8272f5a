/* SPDX-License-Identifier: Apache-2.0 */
/* wire/frame_in.h: random streams, right and wrong ones, against a simple
 * model: whole, byte by byte and cut at random, alone and on many connections
 * that share a pool. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "frame_helper.h"
#include "frame_model.h"

static uint64_t seed;

static uint32_t rnd(uint32_t below)
{
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)((seed >> 33) % below);
}

static void random_text(struct buf *b, size_t len)
{
  static const char *const some[] = {"\xc3\xa4", "\xe2\x82\xac",
                                     "\xf0\x9f\x98\x80", "\xed\x9f\xbf"};

  for (size_t i = 0; i < len; i++)
    if (rnd(8) == 0)
      buf_add_c(b, some[rnd(4)]);
    else
      buf_add_byte(b, (char)('a' + rnd(26)));
}

static size_t random_len(void)
{
  switch (rnd(10)) {
  case 0:
    return 0;
  case 1:
    return 120 + rnd(12);
  case 2:
    return 4090 + rnd(20);
  case 3:
    return rnd(2000);
  case 4:
    return rnd(200) == 0 ? 65530 + rnd(12) : rnd(20);
  default:
    return rnd(40);
  }
}

/* Cut at random, also inside characters. */
static void random_message(struct buf *out)
{
  bool text = rnd(2) == 0;
  unsigned first = text ? TEXT : BIN;
  struct buf payload;
  size_t at = 0, parts = rnd(3) == 0 ? 1 + rnd(6) : 1;

  buf_init(&payload, 1 << 20);
  random_text(&payload, random_len());
  for (size_t i = 0; i < parts; i++) {
    size_t left = payload.len - at;
    size_t n = i + 1 == parts ? left : rnd((uint32_t)left + 1);

    if (i > 0 && rnd(3) == 0)
      add_c(out, FIN | (rnd(2) ? PING : PONG), "between");
    add_frame(out, (i + 1 == parts ? FIN : 0u) | (i == 0 ? first : CONT),
              n == 0 ? STR_NONE : (struct wps_str){payload.data + at, n});
    at += n;
  }
  buf_free(&payload);
}

static void random_stream(struct buf *out)
{
  size_t messages = 1 + rnd(8);

  buf_reset(out);
  for (size_t i = 0; i < messages; i++) {
    if (rnd(4) == 0)
      add_c(out, FIN | (rnd(2) ? PING : PONG), rnd(2) ? "" : "tick");
    random_message(out);
  }
  if (rnd(3) == 0)
    add_c(out, FIN | CLOSE, rnd(4) ? "\x03\xe8gone" : "\x03");
  if (rnd(2) == 0) /* something wrong, mostly */
    for (size_t i = 0; i < 1 + rnd(2); i++)
      out->data[rnd((uint32_t)out->len)] ^= (char)(1u << rnd(8));
  if (rnd(4) == 0)
    out->len = rnd((uint32_t)out->len) + 1;
}

static void compare(struct run *r, const struct buf *want, int rc,
                    bool boundary, const char *how, uint64_t from)
{
  if (r->rc != rc || r->heard.text.len != want->len ||
      (want->len > 0 && memcmp(r->heard.text.data, want->data, want->len) != 0))
    ck_abort_msg("seed %llu, %s: %d instead of %d; %zu bytes instead of %zu",
                 (unsigned long long)from, how, r->rc, rc, r->heard.text.len,
                 want->len);
  if (rc == FRAME_OK && (r->in.binding == NULL) != boundary)
    ck_abort_msg("seed %llu, %s: bound %d", (unsigned long long)from, how,
                 r->in.binding != NULL);
}

START_TEST(random_streams_cut_everywhere)
{
  static const struct frame_in_limits l = {8000, 5};
  struct frame_pool *pool = frame_pool_new(2);
  struct buf in, want;

  buf_init(&in, 1 << 22);
  buf_init(&want, FRAME_LOG_MAX);
  for (uint64_t n = 1; n <= 3000; n++) {
    bool boundary;
    int rc;

    seed = n;
    random_stream(&in);
    buf_reset(&want);
    rc = frame_model((struct wps_str){in.data, in.len}, &l, &want, &boundary);
    for (int way = 0; way < 4; way++) {
      static const char *const how[] = {"whole", "bytes", "cut", "cut finely"};
      struct run r;

      run_start(&r, pool);
      for (size_t at = 0; at < in.len;) {
        size_t step = way == 0   ? in.len
                      : way == 1 ? 1
                      : way == 2 ? 1 + rnd(3000)
                                 : 1 + rnd(12);

        if (step > in.len - at)
          step = in.len - at;
        run_feed(&r, in.data + at, step, &l);
        at += step;
      }
      compare(&r, &want, rc, boundary, how[way], n);
      run_end(&r);
    }
  }
  buf_free(&in);
  buf_free(&want);
  frame_pool_free(pool);
}
END_TEST

START_TEST(fifty_connections_share_a_pool)
{
  enum { N = 50 };
  static const struct frame_in_limits l = {70000, 7};
  static struct {
    struct run run;
    struct buf in, want;
    size_t at;
    int rc;
    bool boundary;
  } c[N];
  size_t total, bound, open;

  for (uint64_t round = 1; round <= 12; round++) {
    struct frame_pool *pool = frame_pool_new(8);

    seed = round * 7919;
    for (size_t i = 0; i < N; i++) {
      run_start(&c[i].run, pool);
      buf_init(&c[i].in, 1 << 22);
      buf_init(&c[i].want, FRAME_LOG_MAX);
      c[i].at = 0;
      for (int k = 0; k < 4; k++) { /* a few streams behind each other */
        struct buf part;

        buf_init(&part, 1 << 22);
        random_stream(&part);
        buf_add(&c[i].in, part.data, part.len);
        buf_free(&part);
      }
      c[i].rc = frame_model((struct wps_str){c[i].in.data, c[i].in.len}, &l,
                            &c[i].want, &c[i].boundary);
    }
    for (open = N; open > 0;) {
      size_t i = rnd(N), left = c[i].in.len - c[i].at;
      size_t step = 1 + rnd(rnd(2) ? 2000 : 30);

      if (left == 0)
        continue;
      if (step > left)
        step = left;
      run_feed(&c[i].run, c[i].in.data + c[i].at, step, &l);
      c[i].at += step;
      if (step == left)
        open--;
    }
    frame_pool_stats(pool, &total, &bound);
    ck_assert_uint_le(total, bound + 8);
    for (size_t i = 0; i < N; i++) {
      compare(&c[i].run, &c[i].want, c[i].rc, c[i].boundary, "shared", round);
      run_end(&c[i].run);
      buf_free(&c[i].in);
      buf_free(&c[i].want);
    }
    frame_pool_stats(pool, &total, &bound);
    ck_assert_uint_eq(bound, 0);
    frame_pool_free(pool);
  }
}
END_TEST

int main(void)
{
  Suite *s = suite_create("frame_random");
  TCase *t = tcase_create("frame_random");
  SRunner *r = srunner_create(s);
  int failed;

  suite_add_tcase(s, t);
  tcase_set_timeout(t, 120);
  tcase_add_test(t, random_streams_cut_everywhere);
  tcase_add_test(t, fifty_connections_share_a_pool);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
