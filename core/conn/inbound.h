/* SPDX-License-Identifier: Apache-2.0 */
/* conn/inbound.h - bytes of a client's socket become frame() calls. */
#ifndef WPS_CONN_INBOUND_H
#define WPS_CONN_INBOUND_H

#include "conn/conn.h"

/* Callbacks of an attached client's stream; the argument is the conn. */
extern const struct stream_ops conn_stream_ops;

/* For whom messages of up to message_max bytes are let in. */
struct frame_in_limits inbound_limits(const struct conn_server *server,
                                      size_t message_max);
/* The largest message that this one may send. */
size_t inbound_message_max(const struct wps_conn *c);
/* Feed what came behind the handshake. The buffer is written to. */
void inbound_feed(struct wps_conn *c, unsigned char *data, size_t len);
/* Stop reading the client's socket, whichever it is, and go on when nobody
 * holds it any more. `who` is a CONN_HELD_* flag. */
void inbound_hold(struct wps_conn *c, uint16_t who, bool on);

#endif
