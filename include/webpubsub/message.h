/* SPDX-License-Identifier: Apache-2.0 */
/* webpubsub/message.h - messages and their encodings.
 *
 * A message is what somebody published: payload plus provenance, without any
 * wire format. A frame is how one subprotocol writes it. The core keeps one
 * frame per (message, instance, variant) with the message and asks for it when
 * the first receiver needs it, so that ten thousand receivers share one buffer.
 * Both are immutable after creation and atomically refcounted.
 */
#ifndef WEBPUBSUB_MESSAGE_H
#define WEBPUBSUB_MESSAGE_H

#include <webpubsub/types.h>

WPS_BEGIN_DECLS

enum { WPS_FROM_SERVER = 1, WPS_FROM_GROUP = 2 };

/* What a message is. A member receives the kinds whose bit (1 << kind) is in
 * its mask, which is DATA alone unless it asked for more; STATE comes by
 * hub->member_watch only. */
enum {
  WPS_MSG_DATA = 0,
  WPS_MSG_STATE = 1,      /* a member's state: tags; conn, user, group,      */
                          /*   created_unix_ms                               */
  WPS_MSG_PRIVATE = 16    /* 16..31: one component to itself, conn->deliver; */
};                        /*   2..15 are not for use                         */

/* wps_message_info.flags */
enum { WPS_MESSAGE_CLEARED = 1 << 0 }; /* STATE: there is none any more      */

/* What there is to know about a message; filled by the creator, read by
 * encoders. Everything but data may be absent. WPS_DATA_JSON is a promise that
 * data is valid JSON: whoever creates the message has checked it, once. */
struct wps_message_info {
  uint32_t struct_size;
  uint32_t data_type;        /* WPS_DATA_*                                   */
  struct wps_bytes data;
  uint32_t kind;             /* WPS_MSG_*                                    */
  uint32_t from;             /* WPS_FROM_*                                   */
  uint32_t flags;            /* WPS_MESSAGE_*                                */
  uint32_t ttl_ms;           /* not written to a socket by then: dropped     */
  struct wps_str group;      /* with WPS_FROM_GROUP                          */
  struct wps_str user;       /* publisher's user id                          */
  struct wps_str conn;       /* publisher's connection id                    */
  struct wps_str content_type;
  const struct wps_pair *tags; /* the application's: metadata, headers       */
  size_t tag_count;
  /* The protocols' own: names are AREA.NAME ("stream.id", "mqtt.qos"), values
   * octets. An encoder writes those it knows and passes over the others. */
  const struct wps_pair *props;
  size_t prop_count;
  int64_t created_unix_ms;   /* 0: now                                       */
};

struct wps_message_api {
  uint32_t struct_size, reserved;

  /* A new message with one reference; copies everything `info` points at.
   * Thread: any. Returns NULL when out of memory, or when data is longer than
   * limits.message_size. */
  struct wps_message *(*create)(const struct wps_message_info *info);

  /* The same without copying info->data: release(arg) is called from any
   * thread when the last reference is gone, or at once on failure.
   * Thread: any. */
  struct wps_message *(*adopt)(const struct wps_message_info *info,
                               wps_fn release, void *arg);

  /* Thread: any. ref() returns its argument. */
  struct wps_message *(*ref)(struct wps_message *msg);
  void (*unref)(struct wps_message *msg);

  /* Thread: any. Lifetime: the info, and all it points at, lives as long as
   * the caller's reference. */
  const struct wps_message_info *(*info)(const struct wps_message *msg);

  /* A new frame with one reference; copies the bytes. `opcode` is WPS_TEXT or
   * WPS_BINARY. Thread: any. Returns NULL when out of memory. */
  struct wps_frame *(*frame)(uint32_t opcode, struct wps_bytes bytes);

  /* A frame of `len` bytes to be written in place before it is shown to
   * anybody else: *out points at them. Room for the WebSocket header is kept
   * in front, so that header and payload are one block on the wire.
   * Thread: any. NULL as above. */
  struct wps_frame *(*frame_alloc)(uint32_t opcode, size_t len, void **out);

  /* Thread: any. frame_ref() returns its argument; frame_bytes() lives as long
   * as the caller's reference. */
  struct wps_frame *(*frame_ref)(struct wps_frame *frame);
  void (*frame_unref)(struct wps_frame *frame);
  struct wps_bytes (*frame_bytes)(const struct wps_frame *frame);
};

WPS_END_DECLS

#endif
