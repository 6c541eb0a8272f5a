/* SPDX-License-Identifier: Apache-2.0 */
/* stream.h - what one client publishes bit by bit (azure-client.md 5.8): order,
 * acks, idleness, ends. Fragments are messages with props:
 *   stream.id      its id
 *   stream.seq     number in decimal digits
 *   stream.end     present in the terminal one
 *   stream.error.name, stream.error.message, stream.error.code   of a failure
 * Thread: the client's worker.
 */
#ifndef WPS_AZURE_STREAM_H
#define WPS_AZURE_STREAM_H

#include "plugins/common/azure/client.h"

/* What is wrong with a start, permission apart; NULL: nothing. `room` is for
 * the error. */
const struct azure_error *azure_stream_check(const struct azure_client *client,
                                             const struct azure_request *req,
                                             struct azure_error *room);
/* A start that has been checked and allowed: streamAck, and it is active.
 * Errors: ENOMEM. */
int azure_stream_open(struct azure_client *client, struct wps_conn *conn,
                      const struct azure_request *req);
/* streamClosed for one that is not. */
void azure_stream_refuse(struct azure_client *client, struct wps_conn *conn,
                         struct wps_str id, const struct azure_error *error);

/* Requests whose turn has come; they answer by the writer. `msg` is the payload
 * when the request had to wait, NULL: it is in req. */
void azure_stream_data(struct azure_client *client, struct wps_conn *conn,
                       const struct azure_request *req,
                       struct wps_message *msg);
void azure_stream_end(struct azure_client *client, struct wps_conn *conn,
                      const struct azure_request *req);

/* On arrival of STREAM_DATA, though it has to wait: it is not idle. */
void azure_stream_touch(struct azure_client *client, struct wps_conn *conn,
                        struct wps_str id);

/* resumed(): acks of all active ones, and the ends that may have been lost. */
void azure_streams_resumed(struct azure_client *client, struct wps_conn *conn);

/* close(): terminal messages with Cancelled. */
void azure_streams_end(struct azure_client *client, struct wps_conn *conn);
void azure_streams_free(struct azure_client *client);

#endif
