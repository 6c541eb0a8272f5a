/* SPDX-License-Identifier: Apache-2.0 */
/* webpubsub/conn.h - one client.
 *
 * A connection is the client, not the socket: with a session enabled it
 * outlives the socket and gets a new one. It belongs to one worker for life;
 * every function here must be called on that worker unless it says otherwise.
 * Pointers are valid from open() until close() of the subprotocol returns.
 * Whoever needs to come back later keeps a wps_conn_ref and posts.
 */
#ifndef WEBPUBSUB_CONN_H
#define WEBPUBSUB_CONN_H

#include <webpubsub/types.h>

WPS_BEGIN_DECLS

struct wps_subprotocol;

enum {
  WPS_CONN_CONNECTING = 1,   /* not admitted yet: no plugin sees it so       */
  WPS_CONN_OPEN = 2,
  WPS_CONN_DETACHED = 3,     /* its socket is gone, the session waits        */
  WPS_CONN_CLOSING = 4
};

enum { /* what a client may ask for; granted by roles, see auth.h */
  WPS_ACT_JOIN = 1,          /* and leave                                    */
  WPS_ACT_PUBLISH = 2,
  WPS_ACT_SET_STATE = 6,
  WPS_ACT_GET_STATE = 7
};

/* A piece of an outgoing unit: a shared frame (by reference), or bytes that
 * are copied because they belong to this receiver only. */
struct wps_part {
  struct wps_frame *shared;  /* NULL: use bytes                              */
  struct wps_bytes bytes;
};

/* Keep the client for a while after its socket has dropped. */
struct wps_session {
  uint32_t struct_size;
  uint32_t flags;            /* 0 in 1.0                                     */
  uint32_t retain_ms;        /* e.g. 30000; 0: sequence numbers only, which  */
                             /*   have to be acknowledged all the same       */
  uint32_t max_messages;     /* bounds of the replay queue, not 0; beyond    */
  uint64_t max_bytes;        /*   either, it ends (WPS_CLOSED_SESSION_FULL)  */
  uint32_t replaced_code;    /* close code for the socket that another one   */
  uint32_t reserved;         /*   takes over from; 0: 1008                   */
  struct wps_str replaced_reason; /* copied                                  */
};

/* Make a WebSocket of a request: a peer, which belongs to no hub. */
struct wps_accept {
  uint32_t struct_size;
  uint32_t max_message_bytes; /* of one message; 0: limits.message_size      */
  const struct wps_subprotocol *ops; /* open, frame and close, perhaps       */
                              /*   closing and drained; the rest is not      */
                              /*   called                                    */
  struct wps_str selected;    /* Sec-WebSocket-Protocol, {NULL,0}: none      */
  void *arg;                  /* comes to open() as hello->arg               */
  uint32_t ping_interval_ms;  /* 0: websocket.ping_interval                  */
  uint32_t silence_ms;        /* closed after it; 0: twice that, >= 30 s     */
};

struct wps_conn_api {
  uint32_t struct_size, reserved;

  /* Who and where. Lifetime: until close() of the subprotocol has returned;
   * remote(), that of the latest socket, until the next resumed(). Thread: the
   * client's worker; worker() any. */
  struct wps_str (*id)(const struct wps_conn *conn);
  struct wps_str (*hub)(const struct wps_conn *conn);
  struct wps_str (*user)(const struct wps_conn *conn);
  struct wps_str (*subprotocol)(const struct wps_conn *conn);
  struct wps_str (*remote)(const struct wps_conn *conn);
  uint32_t (*state)(const struct wps_conn *conn); /* WPS_CONN_* */
  struct wps_worker *(*worker)(const struct wps_conn *conn);

  /* What open() stored; for the subprotocol itself, where it comes back by
   * find() or post(). Thread: the client's worker. */
  void *(*own)(const struct wps_conn *conn);

  /* The way back from elsewhere. Thread of ref() and find(): the client's
   * worker; find() gives NULL when the client is gone, is closing, or lives
   * elsewhere. Thread of post(): any; it runs fn(conn, arg) on the owner,
   * exactly once, with conn NULL when find() would give NULL there - the chance
   * to free arg. Only when that worker has stopped, fn(NULL, arg) runs at once
   * on the calling thread. Errors of post(): ENOMEM (fn not run). */
  struct wps_conn_ref (*ref)(const struct wps_conn *conn);
  struct wps_conn *(*find)(struct wps_conn_ref ref);
  int (*post)(struct wps_conn_ref ref, wps_conn_fn fn, void *arg);

  /* Send one WebSocket message. send() shares the frame, send_parts() writes a
   * sequence of shared and private pieces as one message, send_bytes() copies.
   * Nothing is written inside the call. While the client is detached nothing is
   * kept: what must survive goes through deliver().
   * Thread: the client's worker. Errors: ECLOSED (detached, closing), ENOMEM,
   * EAGAIN (more than half of limits.queue_bytes waits: still queued, but stop
   * and wait for drained(); over the whole of it the client is closed). */
  int (*send)(struct wps_conn *conn, struct wps_frame *frame);
  int (*send_bytes)(struct wps_conn *conn, uint32_t opcode,
                    struct wps_bytes bytes);
  int (*send_parts)(struct wps_conn *conn, uint32_t opcode,
                    const struct wps_part *parts, size_t part_count);
  size_t (*queued_bytes)(const struct wps_conn *conn);

  /* Give this client a message as if it had been published to it alone: it is
   * encoded, gets its sequence number, waits in the session, in order with
   * send(). deliver() of the subprotocol, where it has a say, is called inside
   * the call. Thread: the client's worker. Errors: ECLOSED (closing), ENOMEM,
   * what encode() and deliver() return (ENOTSUP), but not EAGAIN. */
  int (*deliver)(struct wps_conn *conn, struct wps_message *msg);

  /* End the client: what is queued is sent, then a close frame with `code`
   * and `reason` (at most 123 bytes, cut at a UTF-8 boundary), without
   * closing(). Ends a session as well. close() of the subprotocol follows
   * later, never inside. Thread: the client's worker. */
  void (*close)(struct wps_conn *conn, uint16_t code, struct wps_str reason);

  /* Stop reading from the client's socket, and go on: backpressure for what the
   * plugin itself keeps. What the core has read already is still handed over,
   * so that up to one receive buffer (256 KiB) may follow hold(true). Pings and
   * close frames are not seen meanwhile, and silence counts for nothing. It
   * stays with the client when a session gets a new socket. Thread: the
   * client's worker. */
  void (*hold)(struct wps_conn *conn, bool on);

  /* A timer that dies with the connection, its handle too; goes on while it is
   * detached. The handle of a one-shot timer is dead once fn has been entered.
   * Thread: the client's worker. Returns NULL when out of memory. */
  struct wps_timer *(*timer_start)(struct wps_conn *conn, uint64_t delay_ms,
                                   uint64_t repeat_ms, wps_conn_fn fn,
                                   void *arg);
  void (*timer_stop)(struct wps_timer *timer);

  /* Resumable session. enable() in open(); from then on every delivered message
   * carries a sequence number and stays queued until acknowledged. token() is
   * an unguessable ticket for the client to come back with, {NULL, 0} without a
   * session; each call makes one, which lives until the next call; earlier ones
   * stay good for the client. ack() forgets all up to and including `sequence`,
   * whatever its value. Thread: the client's worker. Errors: EINVAL (enable:
   * no deliver(), a bound of 0; ack: no session), EEXIST (enabled), ENOMEM. */
  int (*session_enable)(struct wps_conn *conn, const struct wps_session *opts);
  struct wps_str (*session_token)(const struct wps_conn *conn);
  int (*session_ack)(struct wps_conn *conn, uint64_t sequence);

  /* Do roles and run-time grants allow `action` on `group` ({NULL,0}: any)?
   * Thread: the client's worker. */
  bool (*allowed)(const struct wps_conn *conn, uint32_t action,
                  struct wps_str group);

  /* Answer a route's request with a WebSocket; open() of how->ops follows on
   * the worker of the request, with this instance. A request that is no good
   * handshake is refused as such. A peer has no hub, groups, session or events;
   * send, close, hold, timers, ref and post are as for clients. At shutdown it
   * lives until drain() of its instance is over. Thread: any. Consumes reply,
   * copies how, but ops. When open() does not follow, `arg` is nobody's: give
   * it nothing to free. */
  void (*accept)(struct wps_instance *self, struct wps_reply *reply,
                 const struct wps_accept *how);
};

WPS_END_DECLS

#endif
