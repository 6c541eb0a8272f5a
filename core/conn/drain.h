/* SPDX-License-Identifier: Apache-2.0 */
/* conn/drain.h - shutdown of one worker's clients, spread over a time
 * (azure-client.md 9.3: 1001, no `disconnected` message). */
#ifndef WPS_CONN_DRAIN_H
#define WPS_CONN_DRAIN_H

#include "conn/conn.h"

/* Begin closing everybody; `done(arg)` runs once on this worker when no client,
 * no closing handshake and no event is left, or the worker stops before that.
 * After patience_ms what clients and upstreams still owe is given up, so that
 * time is left for the plugins' own drain(). Errors: ENOMEM (done does not
 * run). Thread: worker. */
int conn_drain_start(struct wps_worker *w, uint32_t spread_ms,
                     uint32_t patience_ms, wps_fn done, void *arg);
/* End whoever is left, now. Thread: worker, while plugins still live. */
void conn_drain_end(struct wps_worker *w);

#endif
