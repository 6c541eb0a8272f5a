/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h - between the files of plugins/common/peers. Thread: any, unless
 * it says otherwise. */
#ifndef PLUGINS_COMMON_PEERS_INTERNAL_H
#define PLUGINS_COMMON_PEERS_INTERNAL_H

#include "plugins/common/peers/peers.h"

/* ---- roster.c ---- */

struct seat {
  struct peer *peer;
  struct peer_offer *offer; /* NULL: none yet, or none is needed */
};

/* Immutable but for `turn`. Some of them may be gone. */
struct roster {
  _Atomic uint32_t refs;
  uint32_t events;     /* what somebody in it takes */
  _Atomic size_t turn; /* whose it is */
  size_t count;
  struct seat seats[]; /* by serial */
};

struct roster *roster_ref(struct roster *r);
void roster_unref(struct roster *r); /* NULL: nothing to do */
/* NULL: it is not there, or gone. */
const struct seat *roster_find(const struct roster *r, uint64_t serial);

size_t hubs_bucket(struct wps_str name);
/* With a reference; NULL: nobody is there. Takes the lock. */
struct roster *hubs_roster(struct peers *ps, size_t bucket, struct wps_str hub);
/* A roster of the hub of `p` without those that are gone, in which `changed`
 * (NULL: nobody) has this offer. The caller gives up *old without the lock.
 * Under the lock. Errors: ENOMEM, and nothing has changed. */
int hubs_renew(struct peers *ps, struct peer *p, struct peer *changed,
               struct peer_offer *offer, struct roster **old);
/* Under the lock. */
void hubs_each(struct peers *ps, void (*fn)(struct peer *p));
void hubs_free(struct peers *ps);

/* ---- choose.c; thread: the client's worker ---- */

/* Who gets the event of e, which counts from now on until peers_event_over().
 * NULL: *why says it. Gives a reference. */
struct peer *peers_choose(struct peers *ps, struct peer_event *e,
                          const char **why);

/* ---- registry.c ---- */

int peers_add(struct peer *p);
int peers_change(struct peer *p, struct peer_offer *offer);
void peers_leave(struct peer *p);
void peers_closed(struct peers *ps);
void peers_event_over(struct peer *p);

/* ---- under_way.c; thread: the peer's worker ---- */

void peer_events_fail(struct peer *p);

#endif
