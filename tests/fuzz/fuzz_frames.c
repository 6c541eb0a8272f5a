/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of a client. The first byte says how the rest is cut; whole, cut and
 * byte by byte must give what the model gives. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/frame_model.h"

static void must(bool holds)
{
  if (!holds)
    abort();
}

static void one_way(struct wps_str in, size_t step,
                    const struct frame_in_limits *limits,
                    const struct buf *want, int want_rc, bool boundary)
{
  struct frame_pool *pool = frame_pool_new(1);
  struct frame_in conn = {0};
  const char *why = NULL;
  struct frame_log heard = {0};
  size_t total, bound;
  int rc = FRAME_OK;

  must(pool != NULL);
  buf_init(&heard.text, FRAME_LOG_MAX);
  for (size_t at = 0; at < in.len && rc == FRAME_OK;) {
    size_t n = in.len - at < step ? in.len - at : step;
    unsigned char *copy = malloc(n);

    must(copy != NULL);
    memcpy(copy, in.ptr + at, n);
    rc = frame_in_feed(pool, &conn, limits, copy, n, &frame_log_ops, &heard,
                       &why);
    free(copy);
    at += n;
  }
  must(rc == want_rc && heard.text.len == want->len);
  must(want->len == 0 || memcmp(heard.text.data, want->data, want->len) == 0);
  must(rc != FRAME_OK || (conn.binding == NULL) == boundary);
  frame_in_release(pool, &conn);
  frame_pool_stats(pool, &total, &bound);
  must(bound == 0 && total <= 1);
  frame_pool_free(pool);
  buf_free(&heard.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const struct frame_in_limits all_limits[] = {
      {1 << 20, 100}, {5000, 4}, {60, 2}, {1 << 20, 3}};
  const struct frame_in_limits *limits;
  struct wps_str in;
  struct buf want;
  bool boundary;
  int rc;

  if (size == 0)
    return 0;
  limits = &all_limits[data[0] >> 6];
  in = (struct wps_str){(const char *)data + 1, size - 1};
  buf_init(&want, FRAME_LOG_MAX);
  rc = frame_model(in, limits, &want, &boundary);
  one_way(in, in.len + 1, limits, &want, rc, boundary);
  one_way(in, 1, limits, &want, rc, boundary);
  one_way(in, 2 + (data[0] & 63u), limits, &want, rc, boundary);
  buf_free(&want);
  return 0;
}
