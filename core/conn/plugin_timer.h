/* SPDX-License-Identifier: Apache-2.0 */
/* conn/plugin_timer.h - struct wps_timer: timers that plugins start, on a
 * worker or on a client. Thread: the worker. */
#ifndef WPS_CONN_PLUGIN_TIMER_H
#define WPS_CONN_PLUGIN_TIMER_H

#include "loop/timer.h"

#include <webpubsub/types.h>

struct wps_worker;

/* On a worker: fn(arg). `owner` is where its timers begin, at first NULL. NULL
 * when out of memory. */
struct wps_timer *plugin_timer_start(struct wps_worker *w,
                                     struct wps_timer **owner,
                                     uint64_t delay_ms, uint64_t repeat_ms,
                                     wps_fn fn, void *arg);
/* On a client: fn(conn, arg); dies with it. */
struct wps_timer *plugin_timer_start_conn(struct wps_conn *conn,
                                          uint64_t delay_ms, uint64_t repeat_ms,
                                          wps_conn_fn fn, void *arg);
void plugin_timer_stop(struct wps_timer *t);
/* Stop and free all of a client, or of a worker. */
void plugin_timers_stop(struct wps_timer **owner, struct wps_worker *w);

#endif
