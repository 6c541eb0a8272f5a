/* SPDX-License-Identifier: Apache-2.0 */
/* conn/client_events.h - what one client tells its upstreams, in order.
 *
 * A client of a hub without handlers has none of this. The object outlives the
 * connection until its last event has been answered, so that the disconnected
 * event comes after all others. Thread: the client's worker. */
#ifndef WPS_CONN_CLIENT_EVENTS_H
#define WPS_CONN_CLIENT_EVENTS_H

#include "conn/conn.h"

enum { CLIENT_STATE_MAX = 64 * 1024 }; /* bytes of application state */

struct answer;
struct client_events;
struct principal;

/* Which handler takes it; the first that matches, NULL: none. Names are
 * compared in any case (azure-server.md 2). */
const struct hub_handler *handler_for_system(const struct hub_settings *s,
                                             uint32_t type);
const struct hub_handler *handler_for_user(const struct hub_settings *s,
                                           struct wps_str name);

/* The connect event, before there is a client. fn runs later, once, unless
 * the reply is abandoned; result->value is a struct answer, NULL: accepted as
 * it is. NULL when out of memory. */
struct reply_result;
struct wps_reply *client_events_connect(
    struct wps_worker *w, const struct hub_handler *h,
    const struct wps_event *event, void (*fn)(void *arg, struct reply_result *),
    void *arg);

/* Start the client's events; `state` is what the connect answer set, or
 * {NULL,0}. Errors: ENOMEM. */
int client_events_begin(struct wps_conn *c, struct wps_str state);
void client_events_connected(struct wps_conn *c);
/* hub->event of the ABI. */
int client_events_message(struct wps_conn *c,
                          const struct wps_client_event *event,
                          wps_answer_fn done, void *arg, uint64_t tag);
/* The client has ended: the disconnected event follows what is waiting. Takes
 * c->events away. */
void client_events_end(struct wps_conn *c, uint16_t code,
                       struct wps_str reason);
/* The worker stops: every done gets ECANCELED. */
void client_events_cancel(struct wps_worker *w);

#endif
