/* SPDX-License-Identifier: Apache-2.0 */
/* servers.c - who has connected, and who of them gets what. */
#include "plugins/upstream-server/server.h"

#include <stdlib.h>
#include <string.h>

#include <webpubsub/host.h>
#include <webpubsub/status.h>

#include "plugins/common/cloudevents/text.h"

enum {
  POSTED_MAX = 4 * 1024 * 1024, /* on the way to a server's worker */
  FIRST_ROOM = 4,
  REGISTRATIONS_MAX = 256
};

struct hub_servers {
  struct list node;
  size_t count, room;
  size_t next;           /* whose turn it is */
  struct server **items; /* by serial */
  char name[AZURE_HUB_MAX + 1], padding[7];
};

/* ---- life ---- */

void servers_init(struct server_service *s)
{
  pthread_mutex_init(&s->lock, NULL);
  for (size_t i = 0; i < HUB_BUCKETS; i++)
    list_init(&s->hubs[i]);
}

static void hub_free(struct hub_servers *h)
{
  list_remove(&h->node);
  free(h->items);
  free(h);
}

void servers_free(struct server_service *s)
{
  struct list *node;

  for (size_t i = 0; i < HUB_BUCKETS; i++)
    while ((node = s->hubs[i].next) != &s->hubs[i])
      hub_free(LIST_ITEM(node, struct hub_servers, node));
  pthread_mutex_destroy(&s->lock);
}

struct server *server_ref(struct server *server)
{
  atomic_fetch_add_explicit(&server->refs, 1, memory_order_relaxed);
  return server;
}

void server_unref(struct server *server)
{
  if (atomic_fetch_sub_explicit(&server->refs, 1, memory_order_acq_rel) != 1)
    return;
  server_roles_free(&server->roles);
  free(server);
}

/* ---- hubs; under the lock ---- */

static size_t bucket_number(struct wps_str name)
{
  uint32_t hash = 2166136261u;

  for (size_t i = 0; i < name.len; i++)
    hash = (hash ^ (unsigned char)name.ptr[i]) * 16777619u;
  return hash % HUB_BUCKETS;
}

static struct list *bucket_of(struct server_service *s, struct wps_str name)
{
  return &s->hubs[bucket_number(name)];
}

static struct hub_servers *hub_find(struct server_service *s,
                                    struct wps_str name)
{
  struct list *bucket = bucket_of(s, name);

  for (struct list *n = bucket->next; n != bucket; n = n->next) {
    struct hub_servers *h = LIST_ITEM(n, struct hub_servers, node);

    if (str_equal(str_of(h->name), name))
      return h;
  }
  return NULL;
}

static struct hub_servers *hub_make(struct server_service *s, const char *name)
{
  struct hub_servers *h = hub_find(s, str_of(name));

  if (h != NULL)
    return h;
  h = calloc(1, sizeof(*h));
  if (h == NULL)
    return NULL;
  memcpy(h->name, name, strlen(name) + 1);
  list_add(bucket_of(s, str_of(name)), &h->node);
  return h;
}

static bool hub_reserve(struct hub_servers *h)
{
  size_t room = h->room > 0 ? h->room * 2 : FIRST_ROOM;
  struct server **grown;

  if (h->count < h->room)
    return true;
  grown = realloc(h->items, room * sizeof(struct server *));
  if (grown == NULL)
    return false;
  h->items = grown;
  h->room = room;
  return true;
}

/* Where this serial stands, or would. */
static size_t hub_position(const struct hub_servers *h, uint64_t serial)
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

static void hub_remove(struct hub_servers *h, struct server *server)
{
  size_t at = hub_position(h, server->serial);

  memmove(&h->items[at], &h->items[at + 1],
          (h->count - at - 1) * sizeof(struct server *));
  h->count--;
  if (h->next > at)
    h->next--;
  server->hub = NULL;
  if (h->count == 0)
    hub_free(h);
}

/* ---- registrations; under the lock ---- */

static uint32_t wanted_by(const struct server *server)
{
  uint32_t events = 0;

  for (const struct list *n = server->registrations.next;
       n != &server->registrations; n = n->next)
    events |= LIST_ITEM(n, const struct registration, node)->events;
  return events;
}

/* Anew for all hubs that share its place. */
static void note_wanted(struct server_service *s, struct wps_str hub)
{
  size_t at = bucket_number(hub);
  uint32_t events = 0;

  for (struct list *n = s->hubs[at].next; n != &s->hubs[at]; n = n->next) {
    struct hub_servers *h = LIST_ITEM(n, struct hub_servers, node);

    for (size_t i = 0; i < h->count; i++)
      events |= wanted_by(h->items[i]);
  }
  atomic_store(&s->wanted[at], events);
}

static void forget(struct server *server, struct list *node)
{
  list_remove(node);
  server->registration_count--;
  registration_free(LIST_ITEM(node, struct registration, node));
}

/* NULL: there is none. */
static struct list *with_id(struct server *server, int32_t id)
{
  for (struct list *n = server->registrations.next; n != &server->registrations;
       n = n->next)
    if (LIST_ITEM(n, struct registration, node)->id == id)
      return n;
  return NULL;
}

static void replace(struct server *server, struct list *old,
                    struct registration *r)
{
  if (old != NULL)
    forget(server, old);
  if (r->events == 0) {
    registration_free(r);
    return;
  }
  list_add(&server->registrations, &r->node);
  server->registration_count++;
}

int servers_register(struct server *server, struct registration *r)
{
  struct server_service *s = server->service;
  struct list *old;
  bool room;

  pthread_mutex_lock(&s->lock);
  old = with_id(server, r->id);
  room = old != NULL || server->registration_count < REGISTRATIONS_MAX ||
         r->events == 0;
  if (room) {
    replace(server, old, r);
    note_wanted(s, str_of(server->name));
  }
  pthread_mutex_unlock(&s->lock);
  if (!room)
    registration_free(r);
  return room ? WPS_OK : WPS_ELIMIT;
}

/* The first registration that takes it. */
static const struct registration *match(const struct server *server,
                                        const struct wps_event *event)
{
  for (const struct list *n = server->registrations.next;
       n != &server->registrations; n = n->next) {
    const struct registration *r =
        LIST_ITEM(n, const struct registration, node);

    if (registration_takes(r, event))
      return r;
  }
  return NULL;
}

/* ---- coming and going ---- */

bool servers_have_room(struct server_service *s)
{
  bool room;

  pthread_mutex_lock(&s->lock);
  room = s->open < s->max_connections;
  pthread_mutex_unlock(&s->lock);
  return room;
}

static int add(struct server_service *s, struct server *server)
{
  struct hub_servers *h;

  if (s->closing)
    return WPS_ECLOSED;
  if (s->open >= s->max_connections)
    return WPS_ELIMIT;
  h = hub_make(s, server->name);
  if (h == NULL)
    return WPS_ENOMEM;
  if (!hub_reserve(h)) {
    if (h->count == 0)
      hub_free(h);
    return WPS_ENOMEM;
  }
  server->serial = ++s->last_serial;
  server->hub = h;
  h->items[h->count++] = server;
  s->open++;
  return WPS_OK;
}

int servers_add(struct server *server)
{
  int rc;

  pthread_mutex_lock(&server->service->lock);
  rc = add(server->service, server);
  pthread_mutex_unlock(&server->service->lock);
  return rc;
}

void servers_leave(struct server *server)
{
  struct server_service *s = server->service;

  pthread_mutex_lock(&s->lock);
  if (server->hub != NULL) {
    while (!list_empty(&server->registrations))
      forget(server, server->registrations.next);
    hub_remove(server->hub, server);
    note_wanted(s, str_of(server->name));
  }
  pthread_mutex_unlock(&s->lock);
}

/* The reply of a drain that is over. Under the lock. */
static struct wps_reply *take_drained(struct server_service *s)
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

void servers_closed(struct server_service *s)
{
  struct wps_reply *reply;

  pthread_mutex_lock(&s->lock);
  s->open--;
  reply = take_drained(s);
  pthread_mutex_unlock(&s->lock);
  finish(reply);
}

/* ---- choosing ---- */

static bool has_room(const struct server *server)
{
  return !atomic_load(&server->full) &&
         atomic_load(&server->pending) < server->service->max_pending &&
         atomic_load(&server->posted) < POSTED_MAX;
}

bool servers_want(struct server_service *s, const struct wps_event *event)
{
  size_t at = bucket_number(event->hub);
  struct hub_servers *h;
  bool wanted = false;

  if ((atomic_load_explicit(&s->wanted[at], memory_order_relaxed) &
       event->type) == 0)
    return false;
  pthread_mutex_lock(&s->lock);
  h = hub_find(s, event->hub);
  for (size_t i = 0; h != NULL && !wanted && i < h->count; i++)
    wanted = match(h->items[i], event) != NULL;
  pthread_mutex_unlock(&s->lock);
  return wanted;
}

/* Serials of the servers that a client is known to use, the first first. */
struct note {
  uint64_t serials[NOTE_MAX];
  size_t count;
};

static void note_read(struct note *note, struct wps_bytes bytes)
{
  *note = (struct note){.count = 0};
  if (bytes.len > sizeof(note->serials) || bytes.len % sizeof(uint64_t) != 0)
    return;
  if (bytes.len > 0)
    memcpy(note->serials, bytes.ptr, bytes.len);
  note->count = bytes.len / sizeof(uint64_t);
}

/* Those that have gone leave, then the first. */
static void note_add(struct note *note, const struct hub_servers *h,
                     uint64_t serial)
{
  size_t kept = 0;

  for (size_t i = 0; i < note->count; i++) {
    size_t at = hub_position(h, note->serials[i]);

    if (at < h->count && h->items[at]->serial == note->serials[i])
      note->serials[kept++] = note->serials[i];
  }
  if (kept == NOTE_MAX)
    memmove(note->serials, note->serials + 1,
            --kept * sizeof(note->serials[0]));
  note->serials[kept++] = serial;
  note->count = kept;
}

/* Who takes it, full or not, is known by *any. */
static const struct registration *try(const struct server *server,
                                      const struct wps_event *event, bool *any)
{
  const struct registration *r = match(server, event);

  if (r == NULL)
    return NULL;
  *any = true;
  return has_room(server) ? r : NULL;
}

static struct server *choose(struct hub_servers *h,
                             const struct wps_event *event, struct note *note,
                             const struct registration **r, bool *any)
{
  for (size_t i = 0; i < note->count; i++) {
    size_t at = hub_position(h, note->serials[i]);

    if (at < h->count && h->items[at]->serial == note->serials[i] &&
        (*r = try(h->items[at], event, any)) != NULL)
      return h->items[at];
  }
  for (size_t i = 0; i < h->count; i++) {
    size_t k = (h->next + i) % h->count;

    *r = try(h->items[k], event, any);
    if (*r == NULL)
      continue;
    h->next = (k + 1) % h->count;
    note_add(note, h, h->items[k]->serial);
    return h->items[k];
  }
  return NULL;
}

struct server *servers_choose(struct server_service *s,
                              const struct wps_event *event, bool *with_payload,
                              int32_t *registration, const char **why)
{
  struct wps_bytes kept = wps->event->kept(s->self, event);
  const struct registration *r = NULL;
  struct server *server = NULL;
  struct hub_servers *h;
  struct note note, before;
  bool any = false;

  note_read(&note, kept);
  before = note;
  pthread_mutex_lock(&s->lock);
  h = hub_find(s, event->hub);
  if (h != NULL)
    server = choose(h, event, &note, &r, &any);
  if (server != NULL) {
    *with_payload = r->with_payload;
    *registration = r->id;
    server_ref(server);
    atomic_fetch_add(&server->pending, 1);
    s->pending++;
  }
  pthread_mutex_unlock(&s->lock);
  *why = h == NULL ? "no application server of its hub is connected"
         : any     ? "too many events wait for the application servers that "
                     "take it"
                   : "no application server takes it";
  if (server != NULL && event->type != WPS_EVENT_DISCONNECTED &&
      memcmp(&note, &before, sizeof(note)) != 0)
    wps->event->keep(
        s->self, event,
        (struct wps_bytes){note.serials, note.count * sizeof(uint64_t)});
  return server;
}

/* ---- drain ---- */

static void close_one(struct wps_conn *conn, void *arg)
{
  struct server *server = arg;

  if (conn != NULL)
    server_end(server, conn, 1001, STR("The server is going away"));
  server_unref(server);
}

/* Under the lock: no event is under way any more. */
static struct wps_reply *close_all(struct server_service *s)
{
  s->closing = true;
  for (size_t i = 0; i < HUB_BUCKETS; i++)
    for (struct list *n = s->hubs[i].next; n != &s->hubs[i]; n = n->next) {
      struct hub_servers *h = LIST_ITEM(n, struct hub_servers, node);

      for (size_t k = 0; k < h->count; k++)
        if (wps->conn->post(h->items[k]->ref, close_one,
                            server_ref(h->items[k])) != WPS_OK)
          server_unref(h->items[k]); /* the end of the workers ends it */
    }
  return take_drained(s);
}

void server_event_over(struct server *server)
{
  struct server_service *s = server->service;
  struct wps_reply *reply = NULL;

  atomic_fetch_sub(&server->pending, 1);
  pthread_mutex_lock(&s->lock);
  s->pending--;
  if (s->pending == 0 && s->draining && !s->closing)
    reply = close_all(s);
  pthread_mutex_unlock(&s->lock);
  finish(reply);
}

void servers_drain(struct server_service *s, struct wps_reply *reply)
{
  pthread_mutex_lock(&s->lock);
  s->draining = true;
  s->drained = reply;
  reply = s->pending == 0 ? close_all(s) : NULL;
  pthread_mutex_unlock(&s->lock);
  finish(reply);
}
