/* SPDX-License-Identifier: Apache-2.0 */
/* event.h - events of a client and their answers, metadata as HTTP headers
 * (azure-client.md 4, 5.6, 5.10). Thread: the client's worker.
 */
#ifndef WPS_AZURE_EVENT_H
#define WPS_AZURE_EVENT_H

#include <webpubsub/host.h>

/* hub->event() with the tags of `msg` as headers. Errors: as hub->event(). */
int azure_event(struct wps_conn *conn, struct wps_str name,
                struct wps_message *msg, wps_answer_fn done, void *arg,
                uint64_t tag);

/* One that waits for no other and that no other waits for. */
int azure_event_concurrent(struct wps_conn *conn, struct wps_str name,
                           struct wps_message *msg, wps_answer_fn done,
                           void *arg, uint64_t tag);

/* What the client is to see of an answer: *out with a reference, or NULL when
 * there is nothing to see. Errors: ENOMEM. */
int azure_answer_message(const struct wps_event_answer *answer,
                         struct wps_message **out);

#endif
