/* SPDX-License-Identifier: Apache-2.0 */
/* write.h - what the server says to JSON clients (azure-client.md 5.4). */
#ifndef WPS_JSON_WRITE_H
#define WPS_JSON_WRITE_H

#include <webpubsub/host.h>
#include <webpubsub/subprotocol.h>

#include "plugins/common/azure/client.h"
#include "plugins/common/json_write.h"

/* Reliable frames lack their first brace: the sequence number comes before
 * them, from json_write_delivery(). */
enum { JSON_PLAIN = 0, JSON_RELIABLE = 1 };

/* encode(). Thread: any worker. Errors: ENOTSUP, ENOMEM. */
int json_write_message(const struct wps_message *msg, uint32_t variant,
                       struct wps_frame **out);

/* deliver(). Errors: as conn->send_parts. */
int json_write_delivery(struct wps_conn *conn, const struct wps_delivery *d);

/* Its snapshots lack their first brace, too. */
extern const struct azure_writer json_writer;
/* For clients with json_client.late. */
extern const struct azure_writer json_writer_late;

/* Parts of messages; the members begin with a comma. */
void json_put_data(struct json_out *out, const struct wps_message_info *info);
void json_put_metadata(struct json_out *out,
                       const struct wps_message_info *info);
void json_put_map(struct json_out *out, const struct wps_pair *pairs,
                  size_t count);
/* One member's state (5.9). */
void json_put_state(struct json_out *out, const struct wps_message_info *info);

#endif
