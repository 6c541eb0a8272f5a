/* SPDX-License-Identifier: Apache-2.0 */
/* request.h - the HTTP request of an event, whoever carries it: URL, headers,
 * body (azure-server.md 3.3). Thread: the worker's. */
#ifndef CLOUDEVENTS_REQUEST_H
#define CLOUDEVENTS_REQUEST_H

#include <webpubsub/event.h>

#include "plugins/common/cloudevents/text.h"

struct url_template;

enum { METHOD_POST = 1, METHOD_OPTIONS, METHOD_GET };

struct request {
  uint32_t method;
  uint32_t lines;        /* headers                                         */
  struct text url;       /* terminated                                      */
  struct text head;      /* NAME NUL VALUE NUL ...                          */
  struct text own;       /* memory of a body that is nobody else's          */
  struct wps_bytes body; /* own, or the message's, which the event keeps    */
};

/* Empty, for the next one; keeps buffers. */
void request_reset(struct request *r);
void request_free(struct request *r);

/* CR, LF and NUL of the value are left out. Errors: EINVAL (not ASCII, unless
 * `utf8`). */
int request_header(struct request *r, struct wps_str name, struct wps_str value,
                   bool utf8);

/* One after the other, from *at = 0 on; false at the end. */
bool request_next(const struct request *r, size_t *at, struct wps_pair *out);

/* What goes with an event beside itself. */
struct request_context {
  const struct url_template *url;
  struct wps_str origin;
  struct wps_str authorization; /* {NULL, 0}: none */
};

/* Errors: EINVAL with a sentence in *why (it can never be sent), ENOMEM,
 * EINTERNAL. */
int request_event(struct request *r, const struct request_context *context,
                  const struct wps_event *event, const char **why);
/* The question of abuse protection. Errors: EINVAL, ENOMEM. */
int request_probe(struct request *r, uint32_t method, struct wps_str url,
                  struct wps_str origin);

/* "connect", "connected", "disconnected", "joined", "left", or the custom
 * event's. */
struct wps_str event_name(const struct wps_event *event);
/* "user", "sys" or "gp". */
const char *event_class(const struct wps_event *event);
/* "Connect", ..., "Message": for log lines. */
const char *event_kind(const struct wps_event *event);

#endif
