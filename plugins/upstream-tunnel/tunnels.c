/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/upstream-tunnel/tunnel.h"

#include <stdlib.h>
#include <string.h>

#include <webpubsub/host.h>
#include <webpubsub/status.h>

#include "plugins/common/cloudevents/text.h"

enum {
  POSTED_MAX = 4 * 1024 * 1024, /* on the way to a tunnel's worker */
  FIRST_ROOM = 4
};

struct hub_tunnels {
  struct list node;
  size_t count, room;
  size_t next;           /* whose turn it is */
  struct tunnel **items; /* by serial */
  char name[AZURE_HUB_MAX + 1], padding[7];
};

/* ---- life ---- */

void tunnels_init(struct tunnel_service *s)
{
  pthread_mutex_init(&s->lock, NULL);
  for (size_t i = 0; i < HUB_BUCKETS; i++)
    list_init(&s->hubs[i]);
}

static void hub_free(struct hub_tunnels *h)
{
  list_remove(&h->node);
  free(h->items);
  free(h);
}

void tunnels_free(struct tunnel_service *s)
{
  struct list *node;

  for (size_t i = 0; i < HUB_BUCKETS; i++)
    while ((node = s->hubs[i].next) != &s->hubs[i])
      hub_free(LIST_ITEM(node, struct hub_tunnels, node));
  pthread_mutex_destroy(&s->lock);
}

struct tunnel *tunnel_ref(struct tunnel *t)
{
  atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
  return t;
}

void tunnel_unref(struct tunnel *t)
{
  if (atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) == 1)
    free(t);
}

/* ---- hubs; under the lock ---- */

static struct list *bucket_of(struct tunnel_service *s, struct wps_str name)
{
  uint32_t hash = 2166136261u;

  for (size_t i = 0; i < name.len; i++)
    hash = (hash ^ (unsigned char)name.ptr[i]) * 16777619u;
  return &s->hubs[hash % HUB_BUCKETS];
}

static struct hub_tunnels *hub_find(struct tunnel_service *s,
                                    struct wps_str name)
{
  struct list *bucket = bucket_of(s, name);

  for (struct list *n = bucket->next; n != bucket; n = n->next) {
    struct hub_tunnels *h = LIST_ITEM(n, struct hub_tunnels, node);

    if (str_equal(str_of(h->name), name))
      return h;
  }
  return NULL;
}

static struct hub_tunnels *hub_make(struct tunnel_service *s, const char *name)
{
  struct hub_tunnels *h = hub_find(s, str_of(name));

  if (h != NULL)
    return h;
  h = calloc(1, sizeof(*h));
  if (h == NULL)
    return NULL;
  memcpy(h->name, name, strlen(name) + 1);
  list_add(bucket_of(s, str_of(name)), &h->node);
  return h;
}

static bool hub_reserve(struct hub_tunnels *h)
{
  size_t room = h->room > 0 ? h->room * 2 : FIRST_ROOM;
  struct tunnel **grown;

  if (h->count < h->room)
    return true;
  grown = realloc(h->items, room * sizeof(struct tunnel *));
  if (grown == NULL)
    return false;
  h->items = grown;
  h->room = room;
  return true;
}

/* Where this serial stands, or would. */
static size_t hub_position(const struct hub_tunnels *h, uint64_t serial)
{
  size_t low = 0, high = h->count;

  while (low < high) {
    size_t middle = low + (high - low) / 2;

    if (h->items[middle]->serial < serial)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static void hub_remove(struct hub_tunnels *h, struct tunnel *t)
{
  size_t at = hub_position(h, t->serial);

  memmove(&h->items[at], &h->items[at + 1],
          (h->count - at - 1) * sizeof(struct tunnel *));
  h->count--;
  if (h->next > at)
    h->next--;
  t->hub = NULL;
  if (h->count == 0)
    hub_free(h);
}

/* ---- coming and going ---- */

bool tunnels_have_room(struct tunnel_service *s)
{
  bool room;

  pthread_mutex_lock(&s->lock);
  room = s->open < s->max_connections;
  pthread_mutex_unlock(&s->lock);
  return room;
}

static int add(struct tunnel_service *s, struct tunnel *t)
{
  struct hub_tunnels *h;

  if (s->closing)
    return WPS_ECLOSED;
  if (s->open >= s->max_connections)
    return WPS_ELIMIT;
  h = hub_make(s, t->name);
  if (h == NULL)
    return WPS_ENOMEM;
  if (!hub_reserve(h)) {
    if (h->count == 0)
      hub_free(h);
    return WPS_ENOMEM;
  }
  t->serial = ++s->last_serial;
  t->hub = h;
  h->items[h->count++] = t;
  s->open++;
  return WPS_OK;
}

int tunnels_add(struct tunnel *t)
{
  int rc;

  pthread_mutex_lock(&t->service->lock);
  rc = add(t->service, t);
  pthread_mutex_unlock(&t->service->lock);
  return rc;
}

void tunnels_leave(struct tunnel *t)
{
  pthread_mutex_lock(&t->service->lock);
  if (t->hub != NULL)
    hub_remove(t->hub, t);
  pthread_mutex_unlock(&t->service->lock);
}

/* The reply of a drain that is over. Under the lock. */
static struct wps_reply *take_drained(struct tunnel_service *s)
{
  struct wps_reply *reply = NULL;

  if (s->closing && s->open == 0) {
    reply = s->drained;
    s->drained = NULL;
  }
  return reply;
}

static void finish(struct wps_reply *reply)
{
  if (reply != NULL)
    wps->reply->ok(reply);
}

void tunnels_closed(struct tunnel_service *s)
{
  struct wps_reply *reply;

  pthread_mutex_lock(&s->lock);
  s->open--;
  reply = take_drained(s);
  pthread_mutex_unlock(&s->lock);
  finish(reply);
}

/* ---- choosing ---- */

static bool has_room(const struct tunnel *t)
{
  return !atomic_load(&t->full) &&
         atomic_load(&t->pending) < t->service->max_pending &&
         atomic_load(&t->posted) < POSTED_MAX;
}

static struct tunnel *choose(struct hub_tunnels *h, uint64_t serial)
{
  size_t at = hub_position(h, serial);

  if (at < h->count && h->items[at]->serial == serial && has_room(h->items[at]))
    return h->items[at];
  for (size_t i = 0; i < h->count; i++) {
    size_t k = (h->next + i) % h->count;

    if (!has_room(h->items[k]))
      continue;
    h->next = (k + 1) % h->count;
    return h->items[k];
  }
  return NULL;
}

struct tunnel *tunnels_choose(struct tunnel_service *s, struct wps_str hub,
                              uint64_t serial, const char **why)
{
  struct tunnel *t = NULL;
  struct hub_tunnels *h;

  pthread_mutex_lock(&s->lock);
  h = hub_find(s, hub);
  *why = "no tunnel of its hub is connected";
  if (h != NULL) {
    t = choose(h, serial);
    *why = "too many events wait in the tunnels of its hub";
  }
  if (t != NULL) {
    tunnel_ref(t);
    atomic_fetch_add(&t->pending, 1);
    s->pending++;
  }
  pthread_mutex_unlock(&s->lock);
  return t;
}

/* ---- drain ---- */

static void close_one(struct wps_conn *conn, void *arg)
{
  struct tunnel *t = arg;

  if (conn != NULL)
    tunnel_end(t, conn, 1001, STR("The server is going away"));
  tunnel_unref(t);
}

/* Under the lock: no event is under way any more. */
static struct wps_reply *close_all(struct tunnel_service *s)
{
  s->closing = true;
  for (size_t i = 0; i < HUB_BUCKETS; i++)
    for (struct list *n = s->hubs[i].next; n != &s->hubs[i]; n = n->next) {
      struct hub_tunnels *h = LIST_ITEM(n, struct hub_tunnels, node);

      for (size_t k = 0; k < h->count; k++)
        if (wps->conn->post(h->items[k]->ref, close_one,
                            tunnel_ref(h->items[k])) != WPS_OK)
          tunnel_unref(h->items[k]); /* the end of the workers ends it */
    }
  return take_drained(s);
}

void tunnel_event_over(struct tunnel *t)
{
  struct tunnel_service *s = t->service;
  struct wps_reply *reply = NULL;

  atomic_fetch_sub(&t->pending, 1);
  pthread_mutex_lock(&s->lock);
  s->pending--;
  if (s->pending == 0 && s->draining && !s->closing)
    reply = close_all(s);
  pthread_mutex_unlock(&s->lock);
  finish(reply);
}

void tunnels_drain(struct tunnel_service *s, struct wps_reply *reply)
{
  pthread_mutex_lock(&s->lock);
  s->draining = true;
  s->drained = reply;
  reply = s->pending == 0 ? close_all(s) : NULL;
  pthread_mutex_unlock(&s->lock);
  finish(reply);
}
