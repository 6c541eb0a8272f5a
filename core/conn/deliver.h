/* SPDX-License-Identifier: Apache-2.0 */
/* conn/deliver.h - messages on their way to one client. */
#ifndef WPS_CONN_DELIVER_H
#define WPS_CONN_DELIVER_H

#include "conn/conn.h"

/* One receiver of a fan-out: share the frame, or number it for a session, or
 * let the subprotocol write it. Never ends the client inside: what is too much
 * ends it later in the turn. */
void conn_deliver(struct hub_client *client, struct wps_member *m,
                  struct fanout *f);
/* hub_ops.send: a client whose queue is empty is written to at once, with what
 * is the same for all of its kind. */
bool conn_send_pending(struct hub_client *client, struct wps_member *m,
                       const struct pending *p);
void conn_send_soon(const struct hub_client *client);
void conn_flush(struct hub_client *client);
void conn_missed(struct hub_client *client);
/* conn->deliver of the ABI. Errors: ECLOSED, ENOMEM, ENOTSUP. */
int conn_deliver_one(struct wps_conn *c, struct wps_message *msg);
/* Through the subprotocol's deliver(); `sequence` 0 without a session; `mortal`
 * when its time to live still counts. */
int conn_deliver_private(struct wps_conn *c, struct wps_member *m,
                         struct wps_message *msg, struct wps_frame *frame,
                         uint64_t sequence, uint32_t flags, bool mortal);
/* After something was queued: is it too much for a socket that is full? */
void conn_check_full(struct wps_conn *c);

/* conn->send and its siblings. Errors: as in the ABI. */
int conn_send(struct wps_conn *c, struct wps_frame *frame);
int conn_send_parts(struct wps_conn *c, uint32_t opcode,
                    const struct wps_part *parts, size_t count);

extern const struct outbound_ops conn_outbound_ops;

#endif
