/* SPDX-License-Identifier: Apache-2.0 */
/* http/router.h - method and pattern to route.
 *
 * Filled on main before the workers start, then read-only. A path is split at
 * its slashes first, so that an encoded one separates nothing, and each segment
 * is decoded once: a literal is the same with and without escapes; "{x}" takes
 * one non-empty segment. What follows a parameter in its segment ("{x}:kick")
 * is compared as it came, because an encoded ":kick" belongs to the value. A
 * literal segment wins over a parameter. */
#ifndef WPS_HTTP_ROUTER_H
#define WPS_HTTP_ROUTER_H

#include "base/base.h"

#include <webpubsub/http.h>

struct router;
struct wps_request;
struct wps_instance;

struct route {
  struct wps_http_route def; /* strings owned by the router */
  struct wps_instance *instance;
};

struct router *router_new(void);
void router_free(struct router *r);
/* Errors: EEXIST, EINVAL, ENOMEM. Paths below /client and /api/health are the
 * core's: EEXIST. */
int router_add(struct router *r, struct wps_instance *instance,
               const struct wps_http_route *def);
/* Match and fill req->params. NULL when the path is unknown (*allow empty) or
 * known with other methods (*allow is the Allow header's value, in `room`). */
const struct route *router_match(const struct router *r,
                                 struct wps_request *req, char *room,
                                 size_t room_size, struct wps_str *allow);

/* Is it this one, when taken apart in the same way? */
bool router_path_is(struct wps_str raw_path, const char *path);

#endif
