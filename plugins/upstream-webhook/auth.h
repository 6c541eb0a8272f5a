/* SPDX-License-Identifier: Apache-2.0 */
/* auth.h - the Authorization header of a handler's events (azure-server.md
 * 3.14): none, a fixed token, or one by OAuth's client credentials, which is
 * kept until five minutes before its end. Thread: the worker's. */
#ifndef WEBHOOK_AUTH_H
#define WEBHOOK_AUTH_H

#include <webpubsub/types.h>

#include "plugins/common/cloudevents/text.h"
#include "plugins/common/list.h"

struct exchange;
struct target;

enum { AUTH_READY = 1, AUTH_WAIT, AUTH_FAILED };
enum { AUTH_FETCHES = 3 };

struct auth {
  struct target *target;
  struct text header;                     /* "Bearer ..." */
  struct exchange *fetches[AUTH_FETCHES]; /* under way; or NULL */
  int64_t begun_us;                       /* the last of them   */
  struct list waiting;                    /* deliveries         */
  int64_t fetched_us, refresh_us, expires_us;
  int64_t failed_us; /* the last fetch, then */
};

void auth_init(struct auth *a, struct target *t);
/* The target's options have been read. False: out of memory. */
bool auth_start(struct auth *a);
void auth_end(struct auth *a);

/* AUTH_READY: *header is the value, or {NULL, 0}: none is sent. AUTH_WAIT: the
 * delivery (its node) is in a list now, and delivery_place() or
 * delivery_unauthorized() comes later, if it is still there. */
int auth_ask(struct auth *a, struct list *delivery, struct wps_str *header);
/* The application said 401: a token may have been revoked. */
void auth_rejected(struct auth *a);

#endif
