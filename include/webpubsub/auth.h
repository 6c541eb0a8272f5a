/* SPDX-License-Identifier: Apache-2.0 */
/* webpubsub/auth.h - who is this client, and what may it do? */
#ifndef WEBPUBSUB_AUTH_H
#define WEBPUBSUB_AUTH_H

#include <webpubsub/types.h>

WPS_BEGIN_DECLS

/* Roles of servers and operators, given for WPS_FOR_API and WPS_FOR_SERVER
 * only: an owner passes every route's scope, a reader those that name it. */
#define WPS_ROLE_OWNER "webpubsubd.owner"
#define WPS_ROLE_READER "webpubsubd.reader"

/* An established identity; everything is copied by accept(). */
struct wps_principal {
  uint32_t struct_size;
  uint32_t flags;               /* 0 in 1.0                                  */
  struct wps_str user;          /* may be empty: anonymous but welcome       */
  const struct wps_str *roles;  /* e.g. "webpubsub.sendToGroup.news"         */
  size_t role_count;
  const struct wps_str *groups; /* joined at once; a bad name is refused     */
  size_t group_count;
  /* One pair per value, so that lists repeat their name; text as it is, all
   * else as JSON text. Kept until the client is in, not longer. */
  const struct wps_pair *claims;
  size_t claim_count;
  struct wps_str credential;    /* what established it, for limits and logs:  */
                                /*   "access_keys[0]", the name of an entry  */
  int64_t expires_unix_ms;      /* 0: never. For the subprotocol; the core   */
                                /*   ends nobody for it                      */
};

/* A component of kind WPS_KIND_AUTH. */
struct wps_auth {
  uint32_t struct_size;
  uint32_t flags;

  /* Decide about a handshake or an API request; request->purpose says which.
   * Finish with auth->accept, reply->fail (EUNAUTHORIZED, EFORBIDDEN,
   * EUNAVAILABLE, EAGAIN) or reply->decline when there are none of its kind:
   * when all decline, the hub's anonymous policy decides, and a route answers
   * 401. `wstate` is this worker's state. Thread: the worker of the request. */
  void (*authenticate)(void *inst, void *wstate, struct wps_request *req,
                       struct wps_reply *reply);
};

struct wps_auth_api {
  uint32_t struct_size, reserved;

  /* Thread: any. Consumes reply, copies principal. */
  void (*accept)(struct wps_reply *reply, const struct wps_principal *who);
};

WPS_END_DECLS

#endif
