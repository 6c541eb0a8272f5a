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

struct client_events;
struct note;
struct reply_result;

/* A line about an event with hub, connection, user, name, and `cause`
 * ({NULL,0}: none). */
void event_log(uint32_t level, const struct wps_event *event,
               const char *message, struct wps_str cause);

/* The connect event, before there is a client. fn runs later, once, unless
 * the reply is abandoned; result->value is a struct answer, NULL: accepted as
 * it is. `note` is the box of the client to be. NULL when out of memory. */
struct wps_reply *client_events_connect(
    struct wps_worker *w, const struct hub_handler *h,
    const struct wps_event *event, struct note *note,
    void (*fn)(void *arg, struct reply_result *), void *arg);

/* Start the client's events; `state` is what the connect answer set, or
 * {NULL,0}, `note` the box of the connect event, NULL: a new one.
 * Errors: ENOMEM. */
int client_events_begin(struct wps_conn *c, struct note *note,
                        struct wps_str state);
/* Its reply holds up nothing but the disconnected event. */
void client_events_connected(struct wps_conn *c);
/* hub->event of the ABI. While limits.events_waiting(_bytes) wait, the client's
 * socket is held. When it fails, and inside `done` of a failed event, the
 * client has CONN_EVENT_FAILED. */
int client_events_message(struct wps_conn *c,
                          const struct wps_client_event *event,
                          wps_answer_fn done, void *arg, uint64_t tag);
/* hub->ask of the ABI. */
int client_events_ask(struct wps_conn *c, const struct wps_client_request *what,
                      wps_conn_done_fn done, void *arg, uint64_t tag);
/* It is in a group now (WPS_EVENT_JOINED), or no more (LEFT). */
void client_events_presence(struct wps_conn *c, uint32_t type,
                            struct wps_str group);
/* The client has ended: the disconnected event follows what is waiting, or
 * limits.events_after_end. Takes c->events away. */
void client_events_end(struct wps_conn *c, uint16_t code,
                       struct wps_str reason);
/* No more patience with anybody: every done gets ECANCELED, every disconnected
 * event that is owed goes out. After the last client has ended. */
void client_events_cancel(struct wps_worker *w);

/* May its messages become events that wait? */
bool client_events_queues(const struct wps_conn *c);
/* The hub has other settings: later events go to their handlers, also those of
 * a client that came when there were none. Errors: ENOMEM. */
int client_events_renew(struct wps_conn *c);

#endif
