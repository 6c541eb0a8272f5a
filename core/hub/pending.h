/* SPDX-License-Identifier: Apache-2.0 */
/* hub/pending.h - what is published to a group waits for the end of the turn.
 *
 * Members of a group are mostly owed the same messages. So a publish appends to
 * a list of the group, and the flusher walks the members once, however many
 * messages there are, and hands each of them all at once: a client that is owed
 * nothing else gets them as one piece that is made once for all.
 *
 * Order is that of publishing. A client that is about to get anything else, to
 * leave, or to be closed is settled first: whatever its groups owe it is put
 * into its queue, in the order of publishing across its groups. How far each
 * membership has got is counted in wps_member.seen, of group.published.
 *
 * Thread: the worker of the hub's part. */
#ifndef WPS_HUB_PENDING_H
#define WPS_HUB_PENDING_H

#include "hub/hub.h"

enum {
  PENDING_MAX = 1024,            /* messages of one group, ... */
  PENDING_COST_MAX = 512 * 1024, /* and their bytes: then all are settled */
  PENDING_FREE_MAX = 256         /* lists kept for the next turn */
};

struct pending_entry {
  struct wps_message *msg; /* a reference */
  uint64_t serial;         /* among all of the worker */
};

struct pending {
  struct list node; /* in hub_worker.pending */
  struct group *group;
  uint32_t count, cap;
  uint64_t cost;
  struct pending_entry *entries;
};

/* Put a plain data message behind what the group owes its members; not to
 * `self`, which may be NULL. *receivers: who will get it. Errors: EAGAIN (some
 * have been given what they were owed, and the group may be gone: look it up
 * and try once more), ENOMEM; after both it can also be delivered now. */
int pending_add(struct group *g, struct wps_message *msg,
                struct hub_client *self, uint64_t *receivers);

/* Give a client all that its groups owe it. Inside, deliver() of a subprotocol
 * may run. */
void pending_settle_now(struct hub_client *c);
static inline void pending_settle(struct hub_client *c)
{
  if (c->member_count != 0 && c->settling == 0 && c->hw != NULL &&
      c->hw->pending_count != 0)
    pending_settle_now(c);
}

/* The group goes: nobody is left to get anything. */
void pending_drop(struct group *g);

void pending_start(struct hub_worker_set *set);
void pending_stop(struct hub_worker_set *set);
/* A worker's part of a hub has been made. */
void pending_init(struct hub_worker *hw);

#endif
