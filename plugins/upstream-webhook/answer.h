/* SPDX-License-Identifier: Apache-2.0 */
/* answer.h - what an application answered, told to the core
 * (azure-server.md 3.7, 3.10). Thread: the worker's. */
#ifndef WEBHOOK_ANSWER_H
#define WEBHOOK_ANSWER_H

#include <webpubsub/event.h>

struct response;
struct site;

/* What of the body an event needs: a RESPONSE_*. */
uint32_t answer_wants(const struct wps_event *event);

/* A 2xx. Consumes reply (NULL: nobody waits) when it returns WPS_OK; else
 * *why says what is wrong with the answer. Errors: EPROTO, ETOOBIG, ENOMEM. */
int answer_accept(struct site *site, const struct wps_event *event,
                  const struct response *r, struct wps_reply *reply,
                  const char **why);
/* A connect event was answered with 4xx or 5xx. Consumes reply. */
void answer_refuse(const struct response *r, struct wps_reply *reply);

#endif
