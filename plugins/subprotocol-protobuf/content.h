/* SPDX-License-Identifier: Apache-2.0 */
/* content.h - what the parts of a DownstreamMessage look like
 * (azure-client.md 6.3), without frames. Thread: any.
 */
#ifndef WPS_PROTOBUF_CONTENT_H
#define WPS_PROTOBUF_CONTENT_H

#include <webpubsub/message.h>

#include "plugins/common/pb.h"

enum { /* members of DownstreamMessage */
       DOWN_ACK = 1,
       DOWN_DATA = 2,
       DOWN_SYSTEM = 3,
       DOWN_PONG = 4,
       DOWN_INVOKE_RESPONSE = 5,
       DOWN_STREAM_ACK = 6,
       DOWN_STREAM_NACK = 7,
       DOWN_STREAM_CLOSED = 8,
       DOWN_STATE_UPDATE = 9,
       DOWN_STATE_SNAPSHOT = 10
};

/* Which member a message is, and where that has its sequence number: 0 for
 * kinds that these clients cannot be shown. */
uint32_t content_member(const struct wps_message_info *info);
uint32_t content_sequence(uint32_t member);

/* A message, and which field of a MessageData its payload is. */
struct content {
  const struct wps_message_info *info; /* NULL: none */
  uint32_t chosen;
  uint32_t reserved;
};

/* `json_as_text`: for clients that do not know the field for JSON. */
struct content content_of(const struct wps_message_info *info,
                          bool json_as_text);

/* The fields of the message's member, without the sequence number. */
void content_put(struct pb_out *out, const void *content);

/* A MessageData of content->info. */
void content_put_data(struct pb_out *out, uint32_t number,
                      const struct content *content);

/* A GroupStateItem of a message of kind STATE. */
void content_put_item(struct pb_out *out, uint32_t number,
                      const struct wps_message_info *info);

/* Fields without presence: nothing when there is nothing in them. */
void content_put_text(struct pb_out *out, uint32_t number, struct wps_str text);
void content_put_number(struct pb_out *out, uint32_t number, uint64_t value);

#endif
