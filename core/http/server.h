/* SPDX-License-Identifier: Apache-2.0 */
/* http/server.h - HTTP/1.1 on accepted sockets, until an answer or an upgrade.
 *
 * A socket begins here as an http_conn: head with deadlines and limits, body,
 * then one of
 *   - /api/health: the core's own;
 *   - a client endpoint (/client...): handed to hooks->client, which finishes
 *     with http_answer() or http_upgrade(), at once or later;
 *   - a route of a plugin: authenticated by hooks->authorize, handled,
 * answered;
 *   - 404, 405, and what routes are refused or fail with: a status, no body;
 *   - what is no request: a status and a short text.
 * Thread: the worker of the socket, unless said otherwise.
 */
#ifndef WPS_HTTP_SERVER_H
#define WPS_HTTP_SERVER_H

#include "http/request.h"
#include "http/router.h"
#include "wire/listener.h"
#include "wire/stream.h"

#include <webpubsub/conn.h> /* struct wps_accept */

struct http_conn;

/* A route's answer that is a WebSocket: conn->accept, copied. */
struct http_accept {
  struct wps_accept how; /* selected: points at the text below */
  struct wps_instance *self;
  char selected[];
};

struct http_settings {
  struct http_limits limits;
  size_t body_max;        /* default of routes */
  uint32_t first_byte_ms; /* after accept (TLS handshake included)     */
  uint32_t head_ms;       /* from the first byte to the complete head  */
  uint32_t body_ms;       /* from the head to the complete body        */
  uint32_t keep_alive_ms; /* between requests                          */
  uint32_t answer_ms;     /* for a route's answer; 0: 30 s             */
};

struct http_hooks {
  void *arg;
  /* Does this path belong to the client endpoint? Case-insensitive /client,
   * /client/, /client/hubs/{hub}. */
  bool (*is_client)(void *arg, const struct wps_request *req);
  /* A request to it, good handshake or not. The callee owns a reference of its
   * own if it keeps req; it finishes hc exactly once, or learns by `gone`
   * (http_on_gone) that the socket has ended before. */
  void (*client)(void *arg, struct http_conn *hc, struct wps_request *req);
  /* Who asks, for a route with a purpose: finish by http_authorized(). */
  void (*authorize)(void *arg, struct http_conn *hc, struct wps_request *req);
  bool (*draining)(void *arg); /* health is 503 then; keep-alive ends */
  /* A route answered a good handshake with conn->accept; finishes hc at once,
   * by http_upgrade() or http_answer(). `a` is freed when it has returned; so
   * is req, with hc, unless the callee takes a reference. */
  void (*accept)(void *arg, struct http_conn *hc, struct wps_request *req,
                 const struct http_accept *a);
};

/* Shared by all workers, read-only while they run. */
struct http_server {
  struct http_settings settings;
  struct http_hooks hooks;
  struct router *router;
};

/* accept_fn for listener_start(); arg is the http_server. */
void http_accepted(void *arg, struct wps_worker *w, struct stream *s,
                   struct wps_str remote, const struct listener_group *from);

/* Called when the socket ends before http_answer() or http_upgrade(): after it
 * hc is gone. NULL clears it. */
void http_on_gone(struct http_conn *hc, void (*fn)(void *arg), void *arg);

/* Verdict of hooks->authorize: WPS_OK with who (owned copy, freed with free()
 * after the request, may be NULL: anonymous is not let in), else the status to
 * refuse with; detail goes to the log. */
struct principal;
void http_authorized(struct http_conn *hc, int status, struct principal *who,
                     struct wps_str detail);

/* Answer with a status, extra headers ("Name: value\r\n"...), and a short text
 * (text/plain; charset=utf-8). Logs a refusal (>= 400) with `cause`, which the
 * client does not see. */
void http_answer(struct http_conn *hc, uint32_t status, const char *headers,
                 struct wps_str body, struct wps_str cause);

/* Take the socket out: the 101 head (malloc'ed, to be written first, before
 * anything else) and what has been read behind the handshake (malloc'ed, NULL:
 * none). hc is gone. `selected` {NULL,0}: no Sec-WebSocket-Protocol.
 * NULL when out of memory: hc is gone too, the socket closed. */
struct stream *http_upgrade(struct http_conn *hc, struct wps_str selected,
                            char **head, size_t *head_len,
                            unsigned char **early, size_t *early_len);

/* Remote address and listener, for logs. Lifetime: hc. */
struct wps_worker *http_conn_worker(const struct http_conn *hc);

/* Per-worker list of http_conns: start, and at stop close all of them.
 * http_worker_drain: no more keep-alive, idle ones are closed now. */
int http_worker_start(struct wps_worker *w, struct http_server *server);
void http_worker_drain(struct wps_worker *w);
/* Does somebody wait for an answer that is being made, or written, or may still
 * be on its way to who has not hung up yet, or has a newcomer asked something
 * that nobody has read yet? */
bool http_worker_busy(const struct wps_worker *w);
void http_worker_stop(struct wps_worker *w);

/* Tables behind wps->http->respond and reply finishing for routes. */
void http_respond(struct wps_reply *reply, const struct wps_http_response *r);
/* Behind wps->conn->accept. Thread: any. Consumes reply. */
void http_respond_accept(struct wps_instance *self, struct wps_reply *reply,
                         const struct wps_accept *how);

#endif
