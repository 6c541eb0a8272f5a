/* SPDX-License-Identifier: Apache-2.0 */
/* hub/shared.h - what the workers know of each other, per hub: which of them
 * have members of a group, and which has the client of an id.
 *
 * Sharded behind short mutexes. Thread: any worker. */
#ifndef WPS_HUB_SHARED_H
#define WPS_HUB_SHARED_H

#include <stdatomic.h>

#include "base/base.h"

#include <webpubsub/types.h>

struct hub_shared;

struct shared_group {
  _Atomic uint64_t workers; /* bit per worker that has members */
  uint32_t name_len;
  char name[];
};

struct shared_client {
  struct wps_conn_ref ref;
  struct wps_str id;
};

struct hub_shared *hub_shared_new(void);
void hub_shared_free(struct hub_shared *s);

/* Worker `index` has its first member, or lost its last. NULL: no memory. */
struct shared_group *shared_group_enter(struct hub_shared *s,
                                        struct wps_str name, uint32_t index);
void shared_group_leave(struct hub_shared *s, struct shared_group *g,
                        uint32_t index);
/* For publishers without members of their own. */
uint64_t shared_group_workers(struct hub_shared *s, struct wps_str name);

/* Ids of clients. Borrowed, and not to change, until shared_client_remove(),
 * after which no worker looks at it any more. Errors: EEXIST, ENOMEM. */
int shared_client_add(struct hub_shared *s, struct shared_client *client);
void shared_client_remove(struct hub_shared *s, struct wps_str id);
bool shared_client_find(struct hub_shared *s, struct wps_str id,
                        struct wps_conn_ref *ref);

#endif
