/* SPDX-License-Identifier: Apache-2.0 */
/* conn/session.h - a client that outlives its socket (azure-client.md 7).
 *
 * Deliveries get numbers and wait, as references, until they are acknowledged.
 * Thread: the client's worker. */
#ifndef WPS_CONN_SESSION_H
#define WPS_CONN_SESSION_H

#include "conn/conn.h"

struct session;

/* Errors: EINVAL, EEXIST, ENOMEM. */
int session_enable(struct wps_conn *c, const struct wps_session *opts);
void session_free(struct wps_conn *c);
uint32_t session_retain_ms(const struct wps_conn *c);
/* Messages that wait to be acknowledged. */
uint32_t session_kept(const struct wps_conn *c);
/* A fresh ticket; lives until the next one. {NULL,0}: no session, no entropy.
 */
struct wps_str session_token(struct wps_conn *c);

/* Number, keep and, with a socket, hand to deliver(). Too much ends the client
 * later in this turn. Errors: ENOMEM. */
int session_deliver(struct wps_conn *c, struct wps_member *m,
                    struct wps_message *msg, struct wps_frame *frame,
                    uint32_t variant);
void session_ack(struct wps_conn *c, uint64_t sequence);
/* The beginning of a message that may expire is on the wire. */
void session_wrote(struct wps_conn *c, const struct wps_message *msg);
/* The socket is gone: start the retention. */
void session_wait(struct wps_conn *c);

/* The new socket, whose 101 is queued, is in place: from session_hold() on, in
 * resumed(), what is delivered is only kept, then session_replay() sends
 * everything unacknowledged, each once and in order. */
void session_hold(struct wps_conn *c);
void session_replay(struct wps_conn *c);
/* How the socket that another one takes over from is closed. */
void session_replaced_close(const struct wps_conn *c, uint16_t *code,
                            struct wps_str *reason);

#endif
