/* SPDX-License-Identifier: Apache-2.0 */
/* conn/close.h - every way a client ends, or loses its socket. */
#ifndef WPS_CONN_CLOSE_H
#define WPS_CONN_CLOSE_H

#include "conn/conn.h"

/* conn->close of the ABI: the subprotocol has said what it wanted. */
void conn_close(struct wps_conn *c, uint16_t code, struct wps_str reason);

/* The core closes: closing() first, then as it says. Not inside a callback of
 * the subprotocol for this client. `cause` is WPS_CLOSED_*. */
void conn_close_core(struct wps_conn *c, uint32_t cause, int status,
                     uint16_t code, struct wps_str reason);
/* The same from anywhere, a little later in this turn, with the code and the
 * text that belong to the cause (SLOW, SESSION_FULL, FAILURE). */
void conn_close_later(struct wps_conn *c, uint32_t cause);
/* frame() or another callback returned `status`. */
void conn_close_failed(struct wps_conn *c, int status);
/* Bad framing (1002, 1007, 1009). */
void conn_close_framing(struct wps_conn *c, uint16_t code, struct wps_str why);

/* Reading has found the end of the socket: as below, when its turn comes. */
void conn_lost(struct wps_conn *c);
/* The socket broke or fell silent: detach where a session waits, else end. */
void conn_socket_lost(struct wps_conn *c, const char *why);
/* A close frame came: answered; then as above. */
void conn_peer_closed(struct wps_conn *c, uint16_t code, struct wps_str reason);
/* A detached client was not fetched in time. */
void conn_retention_over(struct wps_conn *c);

/* The end: groups left, close(), disconnected event, freed. */
void conn_finish(struct defer *self);
/* The worker stops: end it here and now. */
void conn_end_now(struct wps_conn *c);

#endif
