/* SPDX-License-Identifier: Apache-2.0 */
/* webpubsub/http.h - HTTP routes: pages and interfaces of a plugin's own.
 *
 * Components of every kind may have routes; kind `http` has nothing else.
 */
#ifndef WEBPUBSUB_HTTP_H
#define WEBPUBSUB_HTTP_H

#include <webpubsub/types.h>

WPS_BEGIN_DECLS

struct wps_principal;

struct wps_http_response {
  uint32_t struct_size;
  uint32_t code;                    /* 200..599                              */
  const struct wps_pair *headers;   /* those of the connection and lengths   */
                                    /*   are the core's                      */
  size_t header_count;
  struct wps_frame *body;           /* NULL: empty; shared, not copied; for  */
};                                  /*   HEAD only its length is sent        */

struct wps_http_route {
  uint32_t struct_size;
  uint32_t purpose;                 /* WPS_FOR_API, _SERVER; 0: no auth      */
  const char *method;               /* "GET", ...; "*": any                  */
  const char *pattern;              /* "/api/hubs/{hub}/:send"; {x} is param */
  const char *name;                 /* "SendToAll": for the log              */
  const char *scope;                /* role it takes beside an owner's, or   */
                                    /*   NULL: owners only                   */
  uint64_t max_body_bytes;          /* 0: http.body of the configuration     */

  /* Finish `reply` with http->respond, reply->ok (204) or reply->fail. The
   * client has been authenticated for `purpose` and `scope` before;
   * request->principal is who. Thread: worker. */
  void (*handle)(void *inst, void *wstate, struct wps_request *req,
                 struct wps_reply *reply);
};

/* A request that the server makes to itself. */
struct wps_http_call {
  uint32_t struct_size;
  uint32_t flags;                   /* 0 in 1.0                              */
  struct wps_str method;
  struct wps_str target;            /* path and query                        */
  const struct wps_pair *headers;   /* Content-Length is made                */
  size_t header_count;
  struct wps_bytes body;            /* copied                                */
  const struct wps_principal *who;  /* passes for authenticated; copied      */
  struct wps_str remote;            /* what request->remote() says           */
};

typedef void (*wps_http_answer_fn)(void *arg,
                                   const struct wps_http_response *r);

struct wps_http_api {
  uint32_t struct_size, reserved;

  /* Serve a route on all listeners. A path is cut into segments before
   * percent-decoding, which happens once; a known path with another method is
   * a 405 of the core, and GET serves HEAD as well.
   * Thread: main, inside create(). Lifetime: `route` is copied, strings too.
   * Errors: EEXIST (also for what is the core's: /client, /api/health), EINVAL,
   * ENOMEM. */
  int (*route)(struct wps_instance *self, const struct wps_http_route *route);

  /* Answer. A code or a header that cannot be sent is a 500 instead.
   * Thread: any. Consumes reply, copies all but the body, of which it takes a
   * reference of its own. */
  void (*respond)(struct wps_reply *reply, const struct wps_http_response *r);

  /* Put a request before the routes of WPS_FOR_API. fn runs once, on the
   * calling worker, never inside the call, with what the route answers or what
   * the core says instead (404, 405, 403, 400); r lives until it returns.
   * Thread: worker. Errors: EINVAL (method, target or a header that cannot be
   * sent), ENOMEM. */
  int (*dispatch)(struct wps_instance *self, const struct wps_http_call *call,
                  wps_http_answer_fn fn, void *arg);
};

WPS_END_DECLS

#endif
