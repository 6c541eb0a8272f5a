/* SPDX-License-Identifier: Apache-2.0 */
/* choose.c - who gets an event. */
#include <string.h>

#include <webpubsub/host.h>

#include "plugins/common/peers/internal.h"

enum { POSTED_MAX = 4 * 1024 * 1024 }; /* on the way to a peer's worker */

static bool takes(const struct peers *ps, const struct seat *seat,
                  const struct wps_event *event, struct peer_event *e)
{
  if (atomic_load(&seat->peer->gone))
    return false;
  if (ps->ops->takes == NULL)
    return true;
  return seat->offer != NULL && (seat->offer->events & event->type) != 0 &&
         ps->ops->takes(seat->offer, event, e);
}

bool peers_want(struct peers *ps, const struct wps_event *event)
{
  size_t bucket = hubs_bucket(event->hub);
  struct roster *r;
  bool wanted = false;

  if ((atomic_load_explicit(&ps->wanted[bucket], memory_order_relaxed) &
       event->type) == 0)
    return false;
  r = hubs_roster(ps, bucket, event->hub);
  for (size_t i = 0; r != NULL && !wanted && i < r->count; i++)
    wanted = takes(ps, &r->seats[i], event, NULL);
  roster_unref(r);
  return wanted;
}

static bool has_room(const struct peer *p)
{
  return !atomic_load(&p->full) &&
         atomic_load(&p->pending) < p->peers->max_pending &&
         atomic_load(&p->posted) < POSTED_MAX;
}

/* False: others were faster. */
static bool reserve(struct peer *p)
{
  if (atomic_fetch_add(&p->pending, 1) < p->peers->max_pending)
    return true;
  atomic_fetch_sub(&p->pending, 1);
  return false;
}

/* Serials of the peers that a client is known to use, the first first. */
struct known {
  uint64_t serials[PEERS_KNOWN_MAX];
  size_t count;
};

static void known_read(struct known *known, struct wps_bytes bytes)
{
  *known = (struct known){.count = 0};
  if (bytes.len > sizeof(known->serials) || bytes.len % sizeof(uint64_t) != 0)
    return;
  if (bytes.len > 0)
    memcpy(known->serials, bytes.ptr, bytes.len);
  known->count = bytes.len / sizeof(uint64_t);
}

/* Those that have gone leave, then the first. */
static void known_add(struct known *known, const struct roster *r,
                      uint64_t serial, size_t max)
{
  size_t kept = 0;

  for (size_t i = 0; i < known->count; i++)
    if (known->serials[i] != serial &&
        roster_find(r, known->serials[i]) != NULL)
      known->serials[kept++] = known->serials[i];
  while (kept >= max)
    memmove(known->serials, known->serials + 1,
            --kept * sizeof(known->serials[0]));
  known->serials[kept++] = serial;
  known->count = kept;
}

/* Whether anybody takes it, with or without room, is known by *any. */
static bool try(const struct peers *ps, const struct seat *seat,
                struct peer_event *e, bool *any)
{
  if (!takes(ps, seat, e->event, e))
    return false;
  *any = true;
  return has_room(seat->peer);
}

static struct peer *choose_known(const struct peers *ps, const struct roster *r,
                                 const struct known *known,
                                 struct peer_event *e, bool *any)
{
  for (size_t i = 0; i < known->count; i++) {
    const struct seat *seat = roster_find(r, known->serials[i]);

    if (seat != NULL && try(ps, seat, e, any) && reserve(seat->peer))
      return seat->peer;
  }
  return NULL;
}

/* Somebody else's turn in between makes it start again: of events that come
 * together each gets another peer. */
static struct peer *choose_in_turn(const struct peers *ps, struct roster *r,
                                   struct peer_event *e, bool *any)
{
  for (;;) {
    size_t turn = atomic_load(&r->turn), next = turn, i;
    struct peer *p;

    for (i = 0; i < r->count; i++) {
      next = (turn + i) % r->count;
      if (try(ps, &r->seats[next], e, any))
        break;
    }
    if (i == r->count)
      return NULL;
    p = r->seats[next].peer;
    if (atomic_compare_exchange_strong(&r->turn, &turn,
                                       (next + 1) % r->count) &&
        reserve(p))
      return p;
  }
}

static struct peer *choose(struct peers *ps, struct roster *r,
                           struct peer_event *e, bool *any)
{
  struct known known;
  struct peer *p;

  known_read(&known, wps->event->kept(ps->self, e->event));
  p = choose_known(ps, r, &known, e, any);
  if (p != NULL)
    return p;
  p = choose_in_turn(ps, r, e, any);
  if (p == NULL || e->event->type == WPS_EVENT_DISCONNECTED)
    return p;
  known_add(&known, r, p->serial, ps->ops->known_max);
  wps->event->keep(
      ps->self, e->event,
      (struct wps_bytes){known.serials, known.count * sizeof(uint64_t)});
  return p;
}

struct peer *peers_choose(struct peers *ps, struct peer_event *e,
                          const char **why)
{
  struct roster *r = hubs_roster(ps, hubs_bucket(e->event->hub), e->event->hub);
  struct peer *p = NULL;
  bool any = false;

  if (r != NULL)
    p = choose(ps, r, e, &any);
  *why = r == NULL ? ps->ops->nobody
         : any     ? ps->ops->crowded
                   : ps->ops->unwanted;
  if (p != NULL) {
    atomic_fetch_add(&ps->pending, 1);
    peer_ref(p);
  }
  roster_unref(r);
  return p;
}
