/* SPDX-License-Identifier: Apache-2.0 */
/* webpubsub/subprotocol.h - how clients talk: one wire format, one component.
 *
 * Life of a client: negotiate -> open -> {frame | deliver | drained | joined |
 * left}* -> [closing] -> left* -> close; with a session, [detached -> resumed]*
 * in between. Thread of all functions but negotiate() and encode(): the
 * client's worker; they get the pointer that open() stored. A handler may send,
 * close, or publish as it likes. What follows from that comes when it has
 * returned, with two exceptions: left() inside hub->leave(); deliver() (and
 * encode()) inside hub->publish(), conn->deliver(), and whatever makes a client
 * get or lose something else first. Only names, open, frame,
 * encode and close must be there, and deliver where there are sessions.
 *
 * The way in: /client/hubs/{hub}, /client/?hub= or /client?hub= -> names that
 * fit the client's offer, in its order -> negotiate -> auth -> connect event,
 * whose answer may name another offer -> 101 -> open -> groups of token and
 * answer -> connected event. A resume by negotiate() skips auth and event: its
 * ticket is the proof.
 */
#ifndef WEBPUBSUB_SUBPROTOCOL_H
#define WEBPUBSUB_SUBPROTOCOL_H

#include <webpubsub/types.h>

WPS_BEGIN_DECLS

struct wps_event_answer;
struct wps_principal;

enum { WPS_MAX_VARIANTS = 64 };

/* The answer of negotiate(), preset by the core. */
struct wps_negotiation {
  uint32_t struct_size;
  uint32_t flags;            /* 0 in 1.0                                     */
  uint32_t variant;          /* below WPS_MAX_VARIANTS                       */
  uint32_t http_code;        /* with an error: 400..599 instead of the       */
                             /*   status's own, and `reason` as the body     */
  struct wps_str selected;   /* echoed to the client; preset to the name     */
  struct wps_str hub;        /* from the route, to look at                   */
  struct wps_str resume_id;  /* connection to take over, {NULL,0}: a new one */
  struct wps_str resume_token;
  uint32_t close_code;       /* answer 101 and close with this code: at once,*/
                             /*   or, with resume_id, when resuming fails    */
                             /*   (0: 1008)                                  */
  uint32_t delay_ms;         /* go on with the handshake after so long, at   */
                             /*   most 10 s: for who is not ready for it yet */
  struct wps_str reason;     /* text of that close, or of the refusal        */
};

/* A client that has come in. Lives until open() returns. */
struct wps_hello {
  uint32_t struct_size;
  uint32_t variant;
  const struct wps_request *req;
  const struct wps_principal *who;        /* NULL: nobody; that of the route */
                                          /*   for conn->accept              */
  const struct wps_event_answer *answer;  /* of the connect event, or NULL   */
  struct wps_str selected;                /* Sec-WebSocket-Protocol, or none */
  void *arg;                              /* of conn->accept, else NULL      */
};

/* A session has got a new socket. Lives until resumed() returns. */
struct wps_resume {
  uint32_t struct_size;
  uint32_t variant;
  const struct wps_request *req;          /* the new handshake               */
};

enum { WPS_DELIVERY_REPLAY = 1 << 0 };  /* sent again after a resume */

/* One message on its way to one client. */
struct wps_delivery {
  uint32_t struct_size;
  uint32_t flags;            /* WPS_DELIVERY_*                               */
  uint64_t sequence;         /* from 1; 0 without a session                  */
  struct wps_message *msg;
  struct wps_frame *frame;   /* the shared encoding, already there           */
  struct wps_member *member; /* NULL: not through a group, or sent again     */
  void *data;                /* of that membership                           */
};

enum {
  WPS_BY_SELF = 1,           /* the subprotocol called hub->join or leave    */
  WPS_BY_ADMISSION = 2,      /* token, connect event                         */
  WPS_BY_COMMAND = 3,        /* hub->command_*                               */
  WPS_BY_END = 5             /* the client has ended                         */
};

enum {
  WPS_CLOSED_COMMAND = 1,
  WPS_CLOSED_SHUTDOWN = 2,
  WPS_CLOSED_SLOW = 3,       /* over the limit of the send queue             */
  WPS_CLOSED_SESSION_FULL = 4,
  WPS_CLOSED_SILENT = 5,     /* not in 1.0: silence is a broken socket       */
  WPS_CLOSED_TOO_BIG = 6,
  WPS_CLOSED_FRAMING = 7,    /* bad WebSocket frames, bad UTF-8              */
  WPS_CLOSED_FAILURE = 8     /* a callback returned `status`; out of memory  */
};

/* A close that the core is about to make; everything is preset. What a plugin
 * points reason and told at must live until close(). */
struct wps_closing {
  uint32_t struct_size;
  uint32_t cause;            /* WPS_CLOSED_*                                 */
  int32_t status;
  uint32_t code;             /* may be changed                               */
  struct wps_str reason;     /* text of the close frame; may be changed      */
  struct wps_str told;       /* reason for events and log; may be changed    */
};

struct wps_subprotocol {
  uint32_t struct_size;
  uint32_t flags;            /* 0 in 1.0                                     */

  /* Tokens of Sec-WebSocket-Protocol, any case, NULL-terminated; "" takes
   * clients that offer none; "*" those that nobody else takes: with the name
   * that the connect event chose, or "". Of two instances that take a name the
   * first in the file is asked first. */
  const char *const *names;

  /* Look at a handshake offering `name` and take it or leave it. May be NULL:
   * take. No side effects: authentication comes after it and may still fail,
   * and the connect event may choose another name. What `out` points at must
   * live as long as `req`. Thread: any worker. Errors: ENOTSUP (try the next;
   * 400 when nobody is left), any other refuses. */
  int (*negotiate)(void *inst, const struct wps_request *req,
                   struct wps_str name, struct wps_negotiation *out);

  /* The client is in: make its state, send the greeting; nothing overtakes it.
   * Errors: any; it closes the client by WPS_STATUS_MAP, and neither left() nor
   * close() is called: what it has made is its own to free. */
  int (*open)(void *inst, struct wps_conn *conn, const struct wps_hello *hello,
              void **state);

  /* A complete data message, at most as long as configured, UTF-8 verified
   * when text. `data` lives until return. Errors: any; it closes the client
   * by WPS_STATUS_MAP, after closing(); for a code of its own conn->close() and
   * WPS_OK. What is merely a refused request is answered, not returned. */
  int (*frame)(struct wps_conn *conn, void *state, uint32_t opcode,
               struct wps_bytes data);

  /* Write a message in this wire format, whoever published it and in whatever
   * data type; *out gets a reference. Must depend on nothing but its
   * arguments: the result is shared by all clients of (inst, variant), and of
   * two workers that race for the first use one result is thrown away.
   * Thread: any worker, several messages at a time.
   * Errors: ENOTSUP (these clients cannot be shown it: skipped), ENOMEM (the
   * client is closed, because it would miss the message). */
  int (*encode)(void *inst, const struct wps_message *msg, uint32_t variant,
                struct wps_frame **out);

  /* Give one client its message, for formats that carry something of the
   * receiver, such as a sequence number: send_parts() with a private head and
   * d->frame as the shared rest. Called for clients with a session and for
   * members that asked (WPS_MEMBER_DELIVER), while there is a socket; all
   * others get d->frame from the core, which is the fast path. Not sending
   * drops the message, unless a session keeps it. Errors: as conn->send (after
   * EAGAIN it is queued all the same); ENOMEM closes the client, others are
   * passed over. */
  int (*deliver)(struct wps_conn *conn, void *state,
                 const struct wps_delivery *d);

  /* Optional. After EAGAIN no more than half of limits.queue_bytes waits. */
  void (*drained)(struct wps_conn *conn, void *state);

  /* Optional. joined: others put the client into a group (BY_ADMISSION, after
   * open(); BY_COMMAND); member_update() says how it is to be. left: the end of
   * any membership, by whomever; `data` is freed here; `member` is still the
   * client's, not to be left again, and dies with the return. */
  void (*joined)(struct wps_conn *conn, void *state, struct wps_member *member,
                 uint32_t by);
  void (*left)(struct wps_conn *conn, void *state, struct wps_member *member,
               void *data, uint32_t by);

  /* Optional; sessions with a retain_ms only. detached: the socket is gone, the
   * client may come back, unless this returns an error: then it ends now;
   * `code` as in close(), so that 1006 means a broken socket, and another one
   * that the client itself has closed. replaced: another socket takes over;
   * what is sent in here goes to the old one, and detached() is not called.
   * resumed: it came back on a new socket; what is sent in here comes first,
   * then what is unacknowledged is delivered again. Errors of both: any; the
   * client ends, after resumed() as after frame(). */
  int (*detached)(struct wps_conn *conn, void *state, uint16_t code);
  void (*replaced)(struct wps_conn *conn, void *state);
  int (*resumed)(struct wps_conn *conn, void *state,
                 const struct wps_resume *how);

  /* Optional. The core closes the client, attached or detached: send the last
   * words of this wire format, give code and reason its form. Not called for
   * conn->close(), when the client closed, when the socket just broke, when a
   * session was not resumed in time, or what shutdown.timeout cuts off. */
  void (*closing)(struct wps_conn *conn, void *state, struct wps_closing *how);

  /* The end; free the state. `code` is the close code received or sent, 1006
   * when there was none; `reason` what upstreams are told. It lives until
   * return. Sending has no effect any more; publishing has. */
  void (*close)(struct wps_conn *conn, void *state, uint16_t code,
                struct wps_str reason);
};

WPS_END_DECLS

#endif
