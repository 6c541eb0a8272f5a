/* SPDX-License-Identifier: Apache-2.0 */
/* webpubsub/request.h - reading an HTTP request or a WebSocket handshake.
 *
 * A request lives until the reply that came with it has been finished, though
 * the client go before, or until the callback returns where there is none. All
 * results borrow from it. They are what the client sent: escapes are decoded,
 * but nobody has checked that it is UTF-8.
 * Thread for all functions: the worker that received it; another thread may
 * read while the worker merely waits for the reply.
 */
#ifndef WEBPUBSUB_REQUEST_H
#define WEBPUBSUB_REQUEST_H

#include <webpubsub/types.h>

WPS_BEGIN_DECLS

struct wps_principal;

/* What a request wants to be; an auth component checks accordingly. Of
 * FOR_SERVER the token may stand in the query, and its audience names the hub
 * by the query argument of that name. */
enum { WPS_FOR_CLIENT = 1, WPS_FOR_API = 2, WPS_FOR_SERVER = 3 };

struct wps_request_api {
  uint32_t struct_size, reserved;

  struct wps_str (*method)(const struct wps_request *req);
  struct wps_str (*target)(const struct wps_request *req); /* as it came     */
  struct wps_str (*path)(const struct wps_request *req);  /* percent-decoded */
  /* hub: of a handshake, in lower case; of a route, its parameter {hub} as it
   * came, if any; of one FOR_SERVER without, its query argument. listener: its
   * address, as the line "ready" has it. remote: "ip:port", or "unix:...". */
  struct wps_str (*hub)(const struct wps_request *req);
  struct wps_str (*listener)(const struct wps_request *req);
  struct wps_str (*remote)(const struct wps_request *req);
  struct wps_str (*scheme)(const struct wps_request *req);/* "http", "https" */

  /* WPS_FOR_*, 0 for a route without authentication; and for FOR_CLIENT the
   * path that a token must name as audience (of the endpoint, hub put in);
   * else {NULL, 0}: the URL of the request. */
  uint32_t (*purpose)(const struct wps_request *req);
  struct wps_str (*audience)(const struct wps_request *req);

  /* Who the auth components say it is: in the handler of a route. NULL before
   * that, for nobody, and for a handshake, whose identity is in wps_hello. */
  const struct wps_principal *(*principal)(const struct wps_request *req);

  /* First value of a header (its name in any case), a query argument or a
   * path parameter (as spelled); {NULL, 0} when absent, {"", 0} when empty. */
  struct wps_str (*header)(const struct wps_request *req, const char *name);
  struct wps_str (*query)(const struct wps_request *req, const char *name);
  struct wps_str (*param)(const struct wps_request *req, const char *name);

  /* All of them in order of appearance. Errors: ENOTFOUND past the end. */
  int (*header_at)(const struct wps_request *req, size_t index,
                   struct wps_pair *out);
  int (*query_at)(const struct wps_request *req, size_t index,
                  struct wps_pair *out);

  /* Sec-WebSocket-Protocol as the client offered it. Errors: ENOTFOUND. */
  int (*subprotocol_at)(const struct wps_request *req, size_t index,
                        struct wps_str *out);

  /* The whole body, bounded by the route's limit. body_status() is ETOOBIG
   * when it was over it and has not been read, so that the route answers in
   * its own words. Errors of body_status: ETOOBIG. */
  struct wps_bytes (*body)(const struct wps_request *req);
  int (*body_status)(const struct wps_request *req);

  /* The verified TLS client certificate in DER, or {NULL, 0}. */
  struct wps_bytes (*client_cert)(const struct wps_request *req);
};

WPS_END_DECLS

#endif
