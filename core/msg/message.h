/* SPDX-License-Identifier: Apache-2.0 */
/* msg/message.h - immutable messages and frames, and the frames per message.
 *
 * Thread: any; all counts are atomic. */
#ifndef WPS_MSG_MESSAGE_H
#define WPS_MSG_MESSAGE_H

#include <stdatomic.h>

#include "base/base.h"
#include "wire/frame_out.h"

#include <webpubsub/message.h>
#include <webpubsub/plugin.h>

/* Bytes of one encoded message; the WebSocket header stands right in front of
 * the payload, so that both are one block on the wire. */
struct wps_frame {
  _Atomic uint32_t refs;
  uint32_t opcode;
  uint32_t header_len;
  uint32_t reserved;
  size_t len;                               /* payload */
  unsigned char room[FRAME_HEADER_MAX + 6]; /* header ends at its end */
  unsigned char payload[];
};

static inline const unsigned char *frame_wire(const struct wps_frame *f)
{
  return f->payload - f->header_len;
}
static inline size_t frame_wire_len(const struct wps_frame *f)
{
  return f->header_len + f->len;
}

struct encoding {
  struct encoding *next;
  const struct wps_instance *instance;
  uint32_t variant;
  uint32_t unsupported; /* encode() said ENOTSUP */
  struct wps_frame *frame;
};

struct wps_message {
  _Atomic uint32_t refs;
  uint32_t size_class;
  struct wps_message_info info;
  int64_t expires_ms;                   /* monotonic; 0: never                */
  uint64_t cost;                        /* payload and tags, for byte limits  */
  _Atomic(struct encoding *) encodings; /* grows at its head by CAS         */
  wps_fn release;                       /* adopt() */
  void *release_arg;
  char storage[]; /* what info points at */
};

/* The largest payload that create() accepts; set once at start. */
void message_set_limit(size_t data_max);
struct wps_message *message_ref(struct wps_message *m);
void message_unref(struct wps_message *m);
struct wps_frame *frame_ref(struct wps_frame *f);
void frame_unref(struct wps_frame *f);
struct wps_frame *frame_new(uint32_t opcode, size_t len, void **out);

/* The frame of (instance, variant), encoded at first use; borrowed, lives as
 * long as the message. Errors: ENOTSUP, ENOMEM, what encode() says. */
int message_frame(struct wps_message *m, const struct wps_instance *instance,
                  uint32_t variant, struct wps_frame **out);

static inline bool message_expired(const struct wps_message *m, int64_t now_us)
{
  return m->expires_ms != 0 && now_us / 1000 >= m->expires_ms;
}

extern const struct wps_message_api message_api;

#endif
