/* SPDX-License-Identifier: Apache-2.0 */
/* conn/keepalive.h - pings, silence, and the end of retention: one timer in
 * the client, without a heap entry. */
#ifndef WPS_CONN_KEEPALIVE_H
#define WPS_CONN_KEEPALIVE_H

#include "conn/conn.h"

/* (Re)start for an attached client. */
void keepalive_start(struct wps_conn *c);

#endif
