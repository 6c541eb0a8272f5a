/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of wire/frame_in.h again, as short as they go: the whole input at
 * once, no library, nothing in place; and a receiver that writes down what it
 * hears. The unit tests and the fuzz target hold the real one against it. */
#ifndef WPS_TESTS_FRAME_MODEL_H
#define WPS_TESTS_FRAME_MODEL_H

#include "base/buf.h"
#include "wire/frame_in.h"

/* Frames of up to 64 MiB in all; tests stay far below. */
enum { FRAME_LOG_MAX = 64 << 20 };

/* The argument of frame_log_ops: "1:text;2:binary;ping:data;pong:data;
 * close 1000:reason;", all in one line. */
struct frame_log {
  struct buf text;
  size_t calls;
  size_t stop_after; /* calls, 0: never */
};

extern const struct frame_in_ops frame_log_ops;

/* Returns what frame_in_feed() must return in the end and writes to `log` what
 * the receiver must have heard. *boundary: the input ended between messages, so
 * that nothing is buffered. */
int frame_model(struct wps_str in, const struct frame_in_limits *l,
                struct buf *log, bool *boundary);

#endif
