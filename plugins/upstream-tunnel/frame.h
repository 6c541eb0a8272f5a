/* SPDX-License-Identifier: Apache-2.0 */
/* frame.h - what one WebSocket message of a tunnel holds: a length, then
 * [type, json, content] in MessagePack (azure-server.md 9.1). Pure. Thread:
 * any.
 */
#ifndef TUNNEL_FRAME_H
#define TUNNEL_FRAME_H

#include <webpubsub/types.h>

struct text;

enum {
  FRAME_JSON_MAX = 64 * 1024,
  FRAME_CONTENT_MAX = 1024 * 1024,
  FRAME_MAX = FRAME_CONTENT_MAX + FRAME_JSON_MAX + 64
};

struct frame {
  uint32_t type;
  uint32_t reserved;
  struct wps_str json;      /* not looked at                */
  struct wps_bytes content; /* {NULL, 0}: nil               */
};

/* Borrows. What stands behind the length that is said does not count. Errors:
 * EPROTO, ETOOBIG. */
int frame_read(struct wps_bytes bytes, struct frame *out);

/* Appended to `out`, which says itself when memory ran out. */
void frame_write(const struct frame *f, struct text *out);

#endif
