/* SPDX-License-Identifier: Apache-2.0 */
/* One connection that receives frames, and frames for it to receive. */
#ifndef WPS_TESTS_FRAME_HELPER_H
#define WPS_TESTS_FRAME_HELPER_H

#include "frame_model.h"

enum { CONT = 0, TEXT = 1, BIN = 2, CLOSE = 8, PING = 9, PONG = 10 };
enum { FIN = 0x80 };

struct run {
  struct frame_pool *pool;
  struct frame_in in;
  struct frame_log heard;
  int rc; /* the last result */
};

void run_start(struct run *r, struct frame_pool *pool);
/* Nothing more is fed behind a result other than FRAME_OK. */
void run_feed(struct run *r, const void *bytes, size_t len,
              const struct frame_in_limits *limits);
void run_end(struct run *r);

/* Every frame is masked with this. */
extern const unsigned char frame_mask[4];
void add_header(struct buf *b, unsigned first, uint64_t len);
void add_frame(struct buf *b, unsigned first, struct wps_str payload);
void add_c(struct buf *b, unsigned first, const char *payload);

#endif
