/* SPDX-License-Identifier: Apache-2.0 */
/* http/http_conn.h - one accepted socket; shared by the files of this room.
 *
 *   HEAD -> CLIENT ------------------------------> ANSWER, or upgraded: gone
 *        -> AUTHORIZE -> BODY -> HANDLER --------> ANSWER
 *        -> (health, 404, 405, errors) ----------> ANSWER
 *   ANSWER -> HEAD (keep-alive), or LINGER -> closed
 *
 * http_conn_run() moves it on for as long as it can and is never nested: what
 * finishes a state inside a hook only changes `state`, what finishes it from
 * elsewhere queues `defer`. An http_conn closed inside its own run is freed at
 * the end of that run. Thread: the worker of the socket.
 */
#ifndef WPS_HTTP_HTTP_CONN_H
#define WPS_HTTP_HTTP_CONN_H

#include "base/buf.h"
#include "base/list.h"
#include "http/server.h"
#include "loop/timer.h"
#include "loop/worker.h"
#include "plug/reply.h"

enum http_state {
  HTTP_HEAD,      /* waits for a request, or for the rest of its head */
  HTTP_CLIENT,    /* hooks->client has it */
  HTTP_AUTHORIZE, /* hooks->authorize has it */
  HTTP_ADMITTED,  /* authorized, or nobody had to ask */
  HTTP_BODY,
  HTTP_HANDLER, /* a route has it */
  HTTP_ANSWER,  /* an answer is being written */
  HTTP_LINGER,  /* our side is shut down; what comes is thrown away, so that
                   no RST overtakes the answer */
  HTTP_GONE
};

enum {
  HTTP_READ_AHEAD = 64 * 1024, /* kept while an answer is under way */
  HTTP_LINGER_MS = 2000,
  HTTP_LINGER_BYTES = 16 * 1024 * 1024, /* of a body that is too big */
  HTTP_WRITE_MS = 30000,                /* without progress */
  HTTP_ANSWER_MS = 30000                /* default of http_settings.answer_ms */
};

struct http_worker {
  struct http_server *server;
  struct list conns;
  struct handshake *handshake;
  struct list internals; /* struct internal, under way */
  bool draining;
  int64_t date_s; /* second that `date` is of */
  char date[40];
};

struct wps_frame;

struct http_conn {
  struct list node;
  struct wps_worker *w;
  struct http_server *server;
  struct stream *stream;
  enum http_state state;
  bool running;
  bool started;     /* HEAD: a byte of this request has come */
  bool keep;        /* another request may follow */
  bool body_unread; /* of this request, on the wire or in `in` */
  bool expect_continue;
  bool chunked;
  bool peer_ended; /* FIN seen while we still write */
  bool tls;
  uint32_t requests;
  struct timer timer; /* what it means depends on the state */
  struct defer defer;
  struct defer turn;     /* to be read: the first request of a newcomer */
  uint64_t turn_left_ms; /* of `timer`, which stands still meanwhile */

  /* Input is `in`, or while running what lies in the receive buffer; the latter
   * only while `in` is empty. */
  struct buf in;
  const char *borrowed;
  size_t borrowed_len;
  size_t scanned;  /* HEAD: no line end before here */
  size_t parse_at; /* HEAD: worth another look at this length */
  uint64_t body_left;
  struct chunked chunks;
  uint64_t lingered;

  struct buf out;
  size_t out_at;
  struct wps_frame *out_body;
  size_t out_body_at;

  struct wps_request *req;
  const struct route *route;
  struct wps_reply *reply;
  void (*gone)(void *arg);
  void *gone_arg;
  struct wps_str listener;
  struct wps_str remote; /* in `remote_room` */
  char remote_room[80];
};

/* ---- server.c: life and input ---- */

void http_conn_run(struct http_conn *hc);
void http_conn_run_later(struct http_conn *hc);
/* At once; `reset`: nothing more is worth sending. */
void http_conn_close(struct http_conn *hc, bool reset);
/* After an answer: the next request, or the end. */
void http_conn_next(struct http_conn *hc);
/* What has come and is not consumed. */
struct wps_str http_conn_input(const struct http_conn *hc);
void http_conn_consume(struct http_conn *hc, size_t n);
/* Nothing borrowed any more; false when out of memory. Before any hook, which
 * may use the receive buffer itself. */
bool http_conn_own_input(struct http_conn *hc);
bool http_conn_draining(const struct http_conn *hc);
void http_conn_free(struct http_conn *hc);
void http_conn_unlink(struct http_conn *hc);

/* ---- dispatch.c: what a request is for ---- */

/* Each moves one step; false: waits for something. */
bool http_step_head(struct http_conn *hc);
bool http_step_admitted(struct http_conn *hc);
bool http_step_body(struct http_conn *hc);

/* What internal.c shares with requests from a socket. */
bool http_route_allows(const struct route *route,
                       const struct wps_principal *who);
size_t http_route_body_max(const struct route *route,
                           const struct http_server *server);
/* Run its handler. False: out of memory, and it has not run. */
bool http_route_ask(const struct route *route, struct wps_worker *w,
                    struct wps_request *req, struct wps_reply **out,
                    reply_fn fn, void *arg);

/* ---- answer.c: responses ---- */

/* state becomes ANSWER. `headers` as for http_answer(); text is copied. */
void http_answer_text(struct http_conn *hc, uint32_t status,
                      const char *headers, struct wps_str text,
                      struct wps_str cause);
/* The same for a fault of the request that makes what follows it unreadable. */
void http_refuse(struct http_conn *hc, uint32_t status, const char *why);
/* For a status of WPS_STATUS_MAP, without a body: SDKs of servers read none
 * that is not the application's. detail goes to the log only. */
void http_answer_status(struct http_conn *hc, int status,
                        struct wps_str detail);
struct http_response_copy;
void http_answer_copy(struct http_conn *hc,
                      const struct http_response_copy *copy);
/* "100 Continue" into the output; the caller flushes. */
void http_continue(struct http_conn *hc);
/* Write what is pending. 1: all is written, 0: the socket is full (and writable
 * is asked for), -1: broken. */
int http_flush(struct http_conn *hc);
void http_log_refusal(const struct http_conn *hc, uint32_t status,
                      struct wps_str method, struct wps_str target,
                      struct wps_str cause);
struct refused {
  struct wps_str remote, listener, method, target, cause;
  const struct wps_request *req; /* NULL: has not become one */
  const struct route *route;     /* NULL: none */
};
void http_log_refused(const struct refused *r, uint32_t status);
/* The HTTP status of a WPS_E*. */
uint32_t http_status_of(int status);
/* Headers that a route cannot set: the core says these itself. */
bool http_header_is_ours(struct wps_str name);

/* ---- respond.c ---- */

struct http_response_copy {
  uint32_t code;
  struct wps_pair *headers; /* behind the struct, with their text */
  size_t header_count;
  struct wps_frame *body; /* a reference, or NULL */
};

/* What goes with the status of a bad handshake, or NULL. */
const char *http_handshake_headers(uint32_t status);

/* reply_fn of a route's reply; arg is the http_conn. */
void http_replied(void *arg, struct reply_result *result);

#endif
