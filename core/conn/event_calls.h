/* SPDX-License-Identifier: Apache-2.0 */
/* conn/event_calls.h - events of a client that wait for no other (CONCURRENT).
 *
 * Thread: the client's worker. */
#ifndef WPS_CONN_EVENT_CALLS_H
#define WPS_CONN_EVENT_CALLS_H

#include "conn/client_events.h"

/* hub->event_cancel of the ABI. */
void event_calls_cancel(struct wps_conn *c, void *arg, uint64_t tag);

#endif
