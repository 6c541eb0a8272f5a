/* SPDX-License-Identifier: Apache-2.0 */
/* cookies.h - a client's cookies (azure-server.md 3.3), by libcurl's engine.
 *
 * The handle's engine is empty between requests; the jar stays with the client
 * as a note of its events, one line per cookie in Netscape's format. Thread:
 * the worker's. */
#ifndef WEBHOOK_COOKIES_H
#define WEBHOOK_COOKIES_H

#include <webpubsub/event.h>

struct exchange;

enum { COOKIES_MAX = 16 * 1024 };

/* Put what the event's client has into the handle; `self` is whose note it is.
 * Errors: ENOMEM. */
int cookies_load(struct exchange *x, struct wps_instance *self,
                 const struct wps_event *event);
/* Keep what the handle has now. */
void cookies_keep(struct exchange *x, struct wps_instance *self,
                  const struct wps_event *event);
void cookies_clear(struct exchange *x);

#endif
