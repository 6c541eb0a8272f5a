/* SPDX-License-Identifier: Apache-2.0 */
/* conn/event_handlers.h - which handler of a hub takes an event.
 *
 * Thread: the client's worker. */
#ifndef WPS_CONN_EVENT_HANDLERS_H
#define WPS_CONN_EVENT_HANDLERS_H

#include "hub/hub.h"

/* The first that takes it, by its configuration or because somebody behind it
 * wants it now; NULL: none. Names of user events are compared in any case
 * (azure-server.md 2). */
const struct hub_handler *handler_for(struct wps_worker *w,
                                      const struct hub_settings *s,
                                      const struct wps_event *event);
/* WPS_EVENT_* that a handler of these settings may ever take. */
uint32_t handlers_may_take(const struct hub_settings *s);
/* Those of them that its configuration names. */
uint32_t handlers_configured(const struct hub_settings *s);

/* Give it to the handler; `reply` as in wps_upstream.deliver. */
void handler_give(struct wps_worker *w, const struct hub_handler *h,
                  const struct wps_event *event, struct wps_reply *reply);

#endif
