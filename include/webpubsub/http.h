/* SPDX-License-Identifier: Apache-2.0 */
/* webpubsub/http.h - HTTP routes: management API, metrics, admin page.
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
  uint32_t code;                    /* 100..599                              */
  const struct wps_pair *headers;   /* Content-Length is the core's          */
  size_t header_count;
  struct wps_frame *body;           /* NULL: empty; shared, not copied; for  */
};                                  /*   HEAD only its length is sent        */

struct wps_http_route {
  uint32_t struct_size;
  uint32_t purpose;                 /* WPS_FOR_API, _SERVER; 0: no auth      */
  const char *method;               /* "GET", ...; "*": any                  */
  const char *pattern;              /* "/api/hubs/{hub}/:send"; {x} is param */
  const char *name;                 /* "SendToAll": for metrics and trace    */
  const char *scope;                /* role it takes beside an owner's, or   */
                                    /*   NULL: owners only                   */
  uint64_t max_body_bytes;          /* 0: server default                     */

  /* Finish `reply` with http->respond or reply->fail. The client has been
   * authenticated for `purpose` and `scope` before; request->principal is who.
   * Thread: worker. */
  void (*handle)(void *inst, void *wstate, struct wps_request *req,
                 struct wps_reply *reply);
};

struct wps_http_api {
  uint32_t struct_size, reserved;

  /* Serve a route on all listeners. Segments are matched before
   * percent-decoding, which happens once; a known path with another method is
   * a 405 of the core.
   * Thread: main, inside create(). Lifetime: `route` is copied, strings too.
   * Errors: EEXIST, EINVAL, ENOMEM. */
  int (*route)(struct wps_instance *self, const struct wps_http_route *route);

  /* Answer at once. Thread: any. Consumes reply, copies all but the body. */
  void (*respond)(struct wps_reply *reply, const struct wps_http_response *r);
};

WPS_END_DECLS

#endif
