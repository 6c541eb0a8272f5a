/* SPDX-License-Identifier: Apache-2.0 */
/* write.h - messages and answers to protobuf clients (azure-client.md 6.3).
 * Thread: the client's worker, where nothing else is said.
 */
#ifndef WPS_PROTOBUF_WRITE_H
#define WPS_PROTOBUF_WRITE_H

#include <webpubsub/host.h>
#include <webpubsub/subprotocol.h>

#include "plugins/common/azure/client.h"

/* Reliable frames are the content of a member only: its tag, length and
 * sequence number come before them, from protobuf_write_delivery(). */
enum { PROTOBUF_PLAIN = 0, PROTOBUF_RELIABLE = 1 };

/* encode(). Thread: any worker. Errors: ENOTSUP, ENOMEM. */
int protobuf_write_message(const struct wps_message *msg, uint32_t variant,
                           bool json_as_text, struct wps_frame **out);

/* deliver(). Errors: as conn->send_parts. */
int protobuf_write_delivery(struct wps_conn *conn,
                            const struct wps_delivery *d);

extern const struct azure_writer protobuf_writer;
/* With JSON as text. */
extern const struct azure_writer protobuf_text_writer;

#endif
