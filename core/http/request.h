/* SPDX-License-Identifier: Apache-2.0 */
/* http/request.h - the object behind wps->request: one head, decoded once.
 *
 * Immutable after request_new() but for hub, purpose, principal and params,
 * which the worker that received it sets before it shows the request to
 * anybody. */
#ifndef WPS_HTTP_REQUEST_H
#define WPS_HTTP_REQUEST_H

#include <stdatomic.h>

#include "base/buf.h"
#include "wire/http_head.h"

#include <webpubsub/request.h>

enum { REQUEST_PARAMS_MAX = 8 };

struct wps_request {
  _Atomic uint32_t refs; /* the last may go on any thread */
  uint32_t purpose;      /* WPS_FOR_* */
  char *param_room;      /* behind: decoded params fit in here */
  struct wps_str method, target, path, raw_path, hub, listener, remote, scheme,
      audience;
  struct wps_pair *headers;
  size_t header_count;
  struct wps_pair *query; /* decoded, '+' is a space */
  size_t query_count;
  struct wps_str *subprotocols; /* of all Sec-WebSocket-Protocol fields */
  size_t subprotocol_count;
  struct wps_pair params[REQUEST_PARAMS_MAX];
  size_t param_count;
  const struct wps_principal *principal;
  void *principal_owned; /* freed with the request; may be NULL */
  struct wps_bytes client_cert;
  struct buf body;
  int body_status; /* WPS_OK or WPS_ETOOBIG */
  uint32_t minor;
  bool keep_alive;
  uint32_t
      handshake_status; /* 0: a good WebSocket handshake; else the status */
  const char *handshake_why;
  struct wps_str handshake_key; /* of a good one */
  /* Not cleared from here on. */
  char hub_room[129]; /* what hub and audience of a client point at */
  char audience_room[160];
  /* Behind it: arrays, the head's bytes, what was decoded. */
};

/* Copies everything. NULL with *status 400 (bad escapes in path or query) or
 * 503 (memory). */
struct wps_request *request_new(const struct http_head *head,
                                struct wps_str remote, struct wps_str listener,
                                bool tls, uint32_t *status, const char **why);
struct wps_request *request_ref(struct wps_request *r);
/* Thread: any (a plugin may finish the reply that held the last one). */
void request_unref(struct wps_request *r);
/* The same as a wps_fn, for reply_hold(). */
void request_release(void *request);
/* The target for the log: without the value of access_token and other secrets
 * (awps_reconnection_token). Appended to out. */
void request_log_target(const struct wps_request *r, struct buf *out);

/* The same for a head that has not become a request. */
void target_for_log(struct wps_str target, struct buf *out);

extern const struct wps_request_api request_api;

#endif
