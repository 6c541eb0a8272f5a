/* SPDX-License-Identifier: Apache-2.0 */
/* order.h - requests of one client that wait for their turn (azure-client.md
 * 5.6). Thread: the client's worker.
 */
#ifndef WPS_AZURE_ORDER_H
#define WPS_AZURE_ORDER_H

#include "plugins/common/azure/client.h"

/* Its payload is a message already. */
struct azure_waiting {
  struct azure_waiting *next;
  struct azure_waiting *last; /* of the queue, in its first one */
  struct wps_message *msg;    /* or NULL */
  size_t bytes;
  bool asked;               /* an upstream decides about it: the first of all */
  struct azure_request req; /* points behind; no data, no metadata */
  struct wps_pair state[];
};

/* Behind an event everything waits; a repeated request waits for the outcome
 * of the first. */
bool azure_must_wait(const struct azure_client *client,
                     const struct azure_request *req);

/* Put it behind all others. Errors: ENOMEM. */
int azure_wait(struct azure_client *client, struct wps_conn *conn,
               const struct azure_request *req);

/* Put it before all others, because an upstream is asked. `msg` may be NULL.
 * Errors: ENOMEM. */
int azure_wait_asked(struct azure_client *client, struct wps_conn *conn,
                     const struct azure_request *req, struct wps_message *msg);

/* Take that one away; NULL: it is not there any more. azure_waiting_free(). */
struct azure_waiting *azure_asked(struct azure_client *client);
void azure_waiting_free(struct azure_waiting *w);

void azure_drop_waiting(struct azure_client *client);

/* client.c: do a request whose turn has come. `msg` is NULL when the payload is
 * still in the request. */
void azure_run(struct azure_client *client, struct wps_conn *conn,
               const struct azure_request *req, struct wps_message *msg);

/* close(): what waits and can still be done without the client, in its order.
 */
void azure_run_last_waiting(struct azure_client *client, struct wps_conn *conn);

/* client.c: the same as azure_run() then; nobody gets an answer. */
void azure_run_last(struct azure_client *client, struct wps_conn *conn,
                    const struct azure_request *req, struct wps_message *msg);

#endif
