/* SPDX-License-Identifier: Apache-2.0 */
/* roster.c - the rosters of hubs: made, replaced, found. */
#include <stdlib.h>
#include <string.h>

#include <webpubsub/status.h>

#include "plugins/common/cloudevents/text.h"
#include "plugins/common/peers/internal.h"

struct hub {
  struct list node; /* in its bucket */
  struct roster *roster;
  char name[AZURE_HUB_MAX + 1], reserved[7];
};

/* ---- rosters ---- */

struct roster *roster_ref(struct roster *r)
{
  atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
  return r;
}

void roster_unref(struct roster *r)
{
  if (r == NULL ||
      atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1)
    return;
  for (size_t i = 0; i < r->count; i++) {
    peer_offer_unref(r->seats[i].offer);
    peer_unref(r->seats[i].peer);
  }
  free(r);
}

static void seat_add(struct roster *r, struct peer *p, struct peer_offer *offer)
{
  r->seats[r->count++] =
      (struct seat){.peer = peer_ref(p), .offer = peer_offer_ref(offer)};
  if (offer != NULL)
    r->events |= offer->events;
}

/* Those of `old` (or nobody) that are not gone, of whom `changed` offers this
 * now; it comes last when it is new. NULL: out of memory. */
static struct roster *roster_make(const struct roster *old,
                                  struct peer *changed,
                                  struct peer_offer *offer)
{
  size_t count = old != NULL ? old->count : 0;
  size_t turn = old != NULL ? atomic_load(&old->turn) : 0;
  struct roster *r = malloc(sizeof(*r) + (count + 1) * sizeof(struct seat));
  bool found = changed == NULL;

  if (r == NULL)
    return NULL;
  atomic_init(&r->refs, 1);
  r->events = 0;
  r->count = 0;
  for (size_t i = 0; i < count; i++) {
    const struct seat *seat = &old->seats[i];

    if (i == turn)
      turn = r->count; /* as many as are left of those before it */
    if (atomic_load(&seat->peer->gone))
      continue;
    seat_add(r, seat->peer, seat->peer == changed ? offer : seat->offer);
    found = found || seat->peer == changed;
  }
  if (!found)
    seat_add(r, changed, offer);
  atomic_init(&r->turn, turn < r->count ? turn : 0);
  return r;
}

const struct seat *roster_find(const struct roster *r, uint64_t serial)
{
  size_t low = 0, high = r->count;

  while (low < high) {
    size_t middle = low + (high - low) / 2;

    if (r->seats[middle].peer->serial < serial)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == r->count || r->seats[low].peer->serial != serial ||
      atomic_load(&r->seats[low].peer->gone))
    return NULL;
  return &r->seats[low];
}

/* ---- hubs; under the lock ---- */

size_t hubs_bucket(struct wps_str name)
{
  uint32_t hash = 2166136261u;

  for (size_t i = 0; i < name.len; i++)
    hash = (hash ^ (unsigned char)name.ptr[i]) * 16777619u;
  return hash % PEERS_HUB_BUCKETS;
}

static struct hub *hub_find(struct peers *ps, size_t bucket,
                            struct wps_str name)
{
  struct list *head = &ps->hubs[bucket];

  for (struct list *n = head->next; n != head; n = n->next) {
    struct hub *h = LIST_ITEM(n, struct hub, node);

    if (str_equal(str_of(h->name), name))
      return h;
  }
  return NULL;
}

static struct hub *hub_make(struct peers *ps, size_t bucket, const char *name)
{
  struct hub *h = hub_find(ps, bucket, str_of(name));

  if (h != NULL)
    return h;
  h = calloc(1, sizeof(*h));
  if (h == NULL)
    return NULL;
  memcpy(h->name, name, strlen(name) + 1);
  list_add(&ps->hubs[bucket], &h->node);
  return h;
}

static void hub_free(struct hub *h)
{
  list_remove(&h->node);
  roster_unref(h->roster);
  free(h);
}

/* Anew for all hubs of that bucket. */
static void note_wanted(struct peers *ps, size_t bucket)
{
  uint32_t events = 0;

  for (struct list *n = ps->hubs[bucket].next; n != &ps->hubs[bucket];
       n = n->next)
    events |= LIST_ITEM(n, struct hub, node)->roster->events;
  atomic_store(&ps->wanted[bucket], events);
}

int hubs_renew(struct peers *ps, struct peer *p, struct peer *changed,
               struct peer_offer *offer, struct roster **old)
{
  size_t bucket = hubs_bucket(str_of(p->name));
  struct hub *h = hub_make(ps, bucket, p->name);
  struct roster *fresh =
      h != NULL ? roster_make(h->roster, changed, offer) : NULL;

  if (fresh == NULL) {
    if (h != NULL && h->roster == NULL)
      hub_free(h);
    return WPS_ENOMEM;
  }
  *old = h->roster;
  h->roster = fresh;
  if (fresh->count == 0)
    hub_free(h);
  note_wanted(ps, bucket);
  return WPS_OK;
}

/* There are rosters still when one could not be replaced. */
void hubs_free(struct peers *ps)
{
  for (size_t i = 0; i < PEERS_HUB_BUCKETS; i++)
    while (!list_empty(&ps->hubs[i]))
      hub_free(LIST_ITEM(ps->hubs[i].next, struct hub, node));
}

void hubs_each(struct peers *ps, void (*fn)(struct peer *p))
{
  for (size_t i = 0; i < PEERS_HUB_BUCKETS; i++)
    for (struct list *n = ps->hubs[i].next; n != &ps->hubs[i]; n = n->next) {
      const struct roster *r = LIST_ITEM(n, struct hub, node)->roster;

      for (size_t k = 0; k < r->count; k++)
        fn(r->seats[k].peer);
    }
}

struct roster *hubs_roster(struct peers *ps, size_t bucket, struct wps_str hub)
{
  struct roster *r = NULL;
  struct hub *h;

  pthread_mutex_lock(&ps->lock);
  h = hub_find(ps, bucket, hub);
  if (h != NULL)
    r = roster_ref(h->roster);
  pthread_mutex_unlock(&ps->lock);
  return r;
}
