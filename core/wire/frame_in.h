/* SPDX-License-Identifier: Apache-2.0 */
/* wire/frame_in.h - WebSocket frames from a client, RFC 6455.
 *
 * Whole unfragmented frames inside the receive buffer take a short path of our
 * own (unmasked in place, no copy); everything else (a frame cut by the end of
 * the buffer, fragments, frames between fragments) binds a wslay event context
 * from the worker's pool until that context holds nothing of the connection
 * again. An idle connection therefore holds no wslay memory: frame_in is 16
 * bytes. Both paths obey the same rules and are tested with the same cases.
 * Thread: the connection's worker.
 */
#ifndef WPS_WIRE_FRAME_IN_H
#define WPS_WIRE_FRAME_IN_H

#include "base/base.h"

struct frame_pool; /* wslay contexts of one worker */

struct frame_pool *frame_pool_new(size_t max_idle_contexts);
void frame_pool_free(struct frame_pool *p);
/* How many contexts exist, and how many are bound: for tests. */
void frame_pool_stats(const struct frame_pool *p, size_t *total, size_t *bound);

struct frame_binding;
struct frame_in {
  struct frame_binding *binding; /* NULL: nothing of this client is buffered */
  uint32_t flags;
  uint32_t reserved;
};

struct frame_in_limits {
  size_t message_max;     /* assembled data message                          */
  uint32_t fragments_max; /* per message                                     */
};

/* Return false to stop: the rest of the input is dropped, frame_in_feed
 * returns FRAME_STOPPED. data is valid until return and may be written to. */
struct frame_in_ops {
  bool (*message)(void *arg, uint32_t opcode, unsigned char *data, size_t len);
  bool (*ping)(void *arg, const unsigned char *data, size_t len);
  bool (*pong)(void *arg, const unsigned char *data, size_t len);
  /* A close frame; code 1005 when it had none. Always stops. */
  void (*closed)(void *arg, uint16_t code, struct wps_str reason);
};

enum { FRAME_OK = 0, FRAME_STOPPED = 1 };

/* Feed what was received; it is unmasked in place. Returns FRAME_OK,
 * FRAME_STOPPED, or the close code the protocol demands (1002, 1007, 1009, or
 * 1011 when out of memory) with a short text in *why (static). After anything
 * but FRAME_OK only frame_in_release() may follow. */
int frame_in_feed(struct frame_pool *p, struct frame_in *in,
                  const struct frame_in_limits *limits, unsigned char *data,
                  size_t len, const struct frame_in_ops *ops, void *arg,
                  const char **why);
/* For how long has what is bound, a frame or a message, not been complete? From
 * the first call on that finds it, or that says `anew`, in microseconds. */
int64_t frame_in_age_us(struct frame_in *in, int64_t now_us, bool anew);
/* Give back what is bound; any state. `in` may be fed again. */
void frame_in_release(struct frame_pool *p, struct frame_in *in);

#endif
