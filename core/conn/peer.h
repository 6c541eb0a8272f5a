/* SPDX-License-Identifier: Apache-2.0 */
/* conn/peer.h - a connection that is no client: a plugin's own WebSocket, made
 * of a route's request by conn->accept. It is in no hub.
 *
 * Thread: the worker of the request. */
#ifndef WPS_CONN_PEER_H
#define WPS_CONN_PEER_H

#include "conn/conn.h"
#include "http/server.h"

/* What it has of its own instead of the settings for clients. */
struct conn_peer {
  uint32_t message_max;
  uint32_t ping_ms;
  uint32_t silence_ms; /* 0: as for clients with such pings */
};

/* http_hooks.accept; arg is the conn_server. */
void peer_accept(void *arg, struct http_conn *hc, struct wps_request *req,
                 const struct http_accept *a);

#endif
