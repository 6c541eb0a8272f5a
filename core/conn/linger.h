/* SPDX-License-Identifier: Apache-2.0 */
/* conn/linger.h - a socket whose client has ended, or has another one.
 *
 * Writes what is queued, a close frame last, waits for the peer's close frame
 * or the end of the socket, and closes; all within the close timeout. Thread:
 * the worker of the socket. */
#ifndef WPS_CONN_LINGER_H
#define WPS_CONN_LINGER_H

#include "conn/conn.h"

struct linger {
  struct list node; /* conn_worker.lingers */
  struct wps_worker *worker;
  struct stream *stream;
  struct outbound out;
  struct frame_in in;
  struct timer timer;
  struct defer turn;  /* to be read */
  size_t message_max; /* as it was for the client */
  bool peer_closed;   /* nothing to wait for once all is written       */
  bool deaf;          /* input can be no frames any more: wait for its end */
  bool shut;          /* our side has been shut down                   */
};

/* Take over the socket of a client with all that is queued; the caller has
 * queued the close frame. `in` stays with the client until
 * linger_adopt_input(). NULL when out of memory: the socket is closed. */
struct linger *linger_take(struct wps_conn *c);
void linger_adopt_input(struct linger *l, struct frame_in *in);
/* The peer has sent its close frame. */
void linger_peer_closed(struct linger *l);
/* The input is broken: no frame can be read any more. */
void linger_deafen(struct linger *l);

/* A fresh socket, detached, that only gets a 101 head and a close frame. Takes
 * stream. */
void linger_refuse(struct wps_worker *w, struct stream *stream,
                   const char *head, size_t head_len, uint16_t code,
                   struct wps_str reason);

void lingers_close(struct wps_worker *w);

#endif
