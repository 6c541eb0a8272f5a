/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h - what the files of this library use of each other. Thread: the
 * client's worker.
 */
#ifndef WPS_AZURE_INTERNAL_H
#define WPS_AZURE_INTERNAL_H

#include "plugins/common/azure/client.h"
#include "plugins/common/azure/names.h"

extern const struct azure_error azure_internal_error;

/* Out of memory while sending ends the client; all else is nobody's loss. */
void azure_sent(struct azure_client *client, struct wps_conn *conn, int rc);

/* The ack of a request that azure_acks_begin() was not called for. */
void azure_answer(struct azure_client *client, struct wps_conn *conn,
                  uint32_t flags, uint64_t id, const struct azure_error *error);

/* The end of one that it was called for; error NULL: success, remembered. */
void azure_finish(struct azure_client *client, struct wps_conn *conn,
                  uint64_t id, const struct azure_error *error);

/* NULL when out of memory. */
struct wps_message *azure_make_message(struct wps_conn *conn,
                                       const struct azure_request *req);

/* Why a JOIN, LEAVE, SEND or something of a stream is refused; the message is
 * written to `room`, as by azure_sentence(). */
void azure_forbidden(uint32_t kind, struct wps_str group, char *room,
                     struct azure_error *out);

/* decide.c: do a JOIN, LEAVE, SEND, EVENT or STREAM_START, if it may be done,
 * after an upstream has said yes where one wants to. `msg` as in azure_run().
 */
void azure_decide(struct azure_client *client, struct wps_conn *conn,
                  const struct azure_request *req, struct wps_message *msg);
/* May it be done, and would nobody have to be asked? */
bool azure_undisputed(struct azure_client *client, struct wps_conn *conn,
                      const struct azure_request *req, struct wps_message *msg);

/* client.c: start what has been decided on; azure_acks_begin() has been called
 * for its ack id. */
void azure_start(struct azure_client *client, struct wps_conn *conn,
                 const struct azure_request *req, struct wps_message *msg);
/* It is not started. */
void azure_refuse(struct azure_client *client, struct wps_conn *conn,
                  const struct azure_request *req,
                  const struct azure_error *error);

/* Something that others waited for has ended. */
void azure_run_waiting(struct azure_client *client, struct wps_conn *conn);

/* head, name, tail: a text with a group in it, written to `room`, which has
 * AZURE_SENTENCE_MAX bytes. */
enum { AZURE_SENTENCE_MAX = AZURE_GROUP_BYTES_MAX + 128 };
struct wps_str azure_sentence(char *room, const char *head, struct wps_str name,
                              const char *tail);

#endif
