/* SPDX-License-Identifier: Apache-2.0 */
#include "frame_helper.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "wire/frame_out.h"

void run_start(struct run *r, struct frame_pool *pool)
{
  *r = (struct run){.pool = pool};
  buf_init(&r->heard.text, FRAME_LOG_MAX);
}

/* In a block of its own size, so that a sanitizer sees a look beyond. */
void run_feed(struct run *r, const void *bytes, size_t len,
              const struct frame_in_limits *limits)
{
  unsigned char *copy;
  const char *why = NULL;

  if (r->rc != FRAME_OK)
    return;
  copy = malloc(len + (len == 0));
  if (len > 0)
    memcpy(copy, bytes, len);
  r->rc = frame_in_feed(r->pool, &r->in, limits, copy, len, &frame_log_ops,
                        &r->heard, &why);
  free(copy);
  /* Not ck_assert, which writes to a file each time it holds. */
  if (why == NULL || (r->rc >= 1000) != (why[0] != '\0'))
    ck_abort_msg("%d without a reason, or the reverse", r->rc);
}

void run_end(struct run *r)
{
  frame_in_release(r->pool, &r->in);
  ck_assert_ptr_null(r->in.binding);
  buf_free(&r->heard.text);
}

const unsigned char frame_mask[4] = {0x37, 0xfa, 0x21, 0x3d};

void add_header(struct buf *b, unsigned first, uint64_t len)
{
  unsigned char h[FRAME_HEADER_MAX];
  size_t n = frame_header_write(h, 0, len);

  h[0] = (unsigned char)first;
  h[1] |= 0x80;
  buf_add(b, h, n);
  buf_add(b, frame_mask, 4);
}

void add_frame(struct buf *b, unsigned first, struct wps_str payload)
{
  add_header(b, first, payload.len);
  for (size_t i = 0; i < payload.len; i++)
    buf_add_byte(b, (char)((unsigned char)payload.ptr[i] ^ frame_mask[i % 4]));
}

void add_c(struct buf *b, unsigned first, const char *payload)
{
  add_frame(b, first, str_from(payload));
}
