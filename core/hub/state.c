/* SPDX-License-Identifier: Apache-2.0 */
/* hub/state.c - states of members, in an order that all workers agree on.
 *
 * What is made in the order of the lock has to be seen in it: so updates and
 * pictures are posts that are made while the lock is held, to this worker as to
 * any other, and nothing is delivered inside a call. A picture that a client
 * gets holds exactly what was set before it, and every later update comes
 * behind it.
 *
 * Whatever needs memory is made before the lock is taken. Under it nothing is
 * taken but mailboxes, which have no locks. */
#include "hub/state.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"
#include "hub/fanout.h"
#include "hub/shared.h"

enum { SHARDS = 32, STATE_BYTES_MAX = 4096 };

static const uint32_t state_bit = 1u << WPS_MSG_STATE;

/* What one member says. */
struct entry {
  struct wps_message *msg; /* the latest; all are of the same connection */
};

struct state_group {
  struct table by_conn; /* struct entry */
  uint64_t watchers;    /* members, on all workers */
  struct wps_str name;  /* storage behind the struct */
};

struct shard {
  pthread_mutex_t lock;
  struct table groups; /* struct state_group: with an entry or a watcher */
  int64_t last_ms;     /* of the latest update of any of its groups */
};

struct hub_states {
  struct shard shards[SHARDS];
};

/* ---- life ---- */

static struct wps_str entry_key(const void *value)
{
  return ((const struct entry *)value)->msg->info.conn;
}

static struct wps_str group_key(const void *value)
{
  return ((const struct state_group *)value)->name;
}

struct hub_states *hub_states_new(void)
{
  struct hub_states *hs = calloc(1, sizeof(*hs));

  for (size_t i = 0; hs != NULL && i < SHARDS; i++) {
    pthread_mutex_init(&hs->shards[i].lock, NULL);
    table_init(&hs->shards[i].groups, group_key);
  }
  return hs;
}

static void entry_free(struct entry *e)
{
  if (e == NULL)
    return;
  message_unref(e->msg);
  free(e);
}

static void group_free(struct state_group *g)
{
  struct entry *e;
  size_t at = 0;

  if (g == NULL)
    return;
  while ((e = table_next(&g->by_conn, &at)) != NULL)
    entry_free(e);
  table_free(&g->by_conn);
  free(g);
}

void hub_states_free(struct hub_states *hs)
{
  if (hs == NULL)
    return;
  for (size_t i = 0; i < SHARDS; i++) {
    struct state_group *g;
    size_t at = 0;

    while ((g = table_next(&hs->shards[i].groups, &at)) != NULL)
      group_free(g);
    table_free(&hs->shards[i].groups);
    pthread_mutex_destroy(&hs->shards[i].lock);
  }
  free(hs);
}

static struct hub_states *states_of(struct hub *hub)
{
  struct hub_states *hs = atomic_load(&hub->states), *mine;

  if (hs != NULL)
    return hs;
  mine = hub_states_new();
  if (mine == NULL)
    return NULL;
  if (atomic_compare_exchange_strong(&hub->states, &hs, mine))
    return mine;
  hub_states_free(mine);
  return hs;
}

static struct hub *hub_of(const struct wps_member *m)
{
  return m->client->hw->hub;
}

static struct wps_worker *worker_of(const struct wps_member *m)
{
  return m->client->hw->worker;
}

static struct shard *shard_of(struct hub_states *hs, struct wps_str group)
{
  return &hs->shards[hash_bytes(group) % SHARDS];
}

static struct state_group *group_make(struct wps_str name)
{
  struct state_group *g = malloc(sizeof(*g) + name.len);

  if (g == NULL)
    return NULL;
  table_init(&g->by_conn, entry_key);
  g->watchers = 0;
  memcpy(g + 1, name.ptr, name.len);
  g->name = (struct wps_str){(const char *)(g + 1), name.len};
  return g;
}

/* The group of the shard: the one that is there, or *fresh, which is taken.
 * NULL: no memory. Under the lock. */
static struct state_group *group_take(struct shard *s, struct wps_str name,
                                      struct state_group **fresh)
{
  struct state_group *g = table_get(&s->groups, name);

  if (g != NULL || *fresh == NULL)
    return g;
  g = *fresh;
  if (table_put(&s->groups, g) != WPS_OK)
    return NULL;
  *fresh = NULL;
  return g;
}

static void group_leave_if_unused(struct shard *s, struct state_group *g)
{
  if (g->watchers != 0 || g->by_conn.count != 0)
    return;
  table_remove(&s->groups, g->name);
  group_free(g);
}

/* ---- updates ---- */

struct update_post {
  struct post post;
  struct update *update;
};

struct update {
  _Atomic uint32_t refs;
  struct hub *hub;
  struct wps_message *msg;
  struct update_post posts[];
};

static void update_unref(struct update *u)
{
  if (u == NULL ||
      atomic_fetch_sub_explicit(&u->refs, 1, memory_order_acq_rel) != 1)
    return;
  message_unref(u->msg);
  free(u);
}

static void update_run(struct post *post)
{
  struct update *u = CONTAINER_OF(post, struct update_post, post)->update;
  struct fanout f = {.msg = u->msg};
  struct hub_worker *hw;

  if (hub_worker_get(worker_current(), u->hub->name, false, &hw) == WPS_OK)
    fanout_group(hw, u->msg->info.group, &f);
  update_unref(u);
}

/* What `m` says from now on; entries NULL: nothing any more. */
static struct update *update_new(const struct wps_member *m,
                                 const struct wps_pair *entries, size_t count)
{
  uint32_t workers = workers_count(worker_of(m)->all);
  struct update *u = malloc(sizeof(*u) + workers * sizeof(u->posts[0]));
  struct hub_facts facts = {.id = STR_NONE};
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = WPS_DATA_TEXT,
                                  .data = {"", 0},
                                  .kind = WPS_MSG_STATE,
                                  .from = WPS_FROM_GROUP,
                                  .flags =
                                      entries == NULL ? WPS_MESSAGE_CLEARED : 0,
                                  .group = m->group->name,
                                  .tags = entries,
                                  .tag_count = entries == NULL ? 0 : count};

  if (u == NULL)
    return NULL;
  worker_of(m)->hubs->ops->facts(m->client, &facts);
  info.conn = facts.id;
  info.user = facts.user;
  atomic_init(&u->refs, 1);
  u->hub = hub_of(m);
  u->msg = message_api.create(&info);
  if (u->msg == NULL) {
    free(u);
    return NULL;
  }
  return u;
}

/* Under the lock, to every worker that may have members. */
static void update_post(struct update *u, const struct wps_member *m)
{
  struct workers *all = worker_of(m)->all;
  uint64_t workers = m->group->shared != NULL
                         ? atomic_load(&m->group->shared->workers)
                         : UINT64_C(1) << worker_of(m)->index;

  for (uint32_t i = 0; workers != 0; workers &= workers - 1, i++) {
    struct update_post *p = &u->posts[i];

    p->update = u;
    p->post.fn = update_run;
    atomic_fetch_add_explicit(&u->refs, 1, memory_order_relaxed);
    if (!worker_post(workers_at(all, (uint32_t)__builtin_ctzll(workers)),
                     &p->post))
      update_unref(u);
  }
}

/* Times of one group rise, whatever the clock does. */
static void stamp(struct shard *s, struct wps_message *msg)
{
  int64_t now = clock_unix_ms();

  s->last_ms = now > s->last_ms ? now : s->last_ms + 1;
  msg->info.created_unix_ms = s->last_ms; /* nobody else has it yet */
}

static struct entry *entry_new(struct wps_message *msg)
{
  struct entry *e = malloc(sizeof(*e));

  if (e != NULL)
    e->msg = message_ref(msg);
  return e;
}

/* *fresh is taken, or what it replaces is put there, to be freed later. */
static int entry_put(struct state_group *g, struct entry **fresh)
{
  struct entry *old = table_get(&g->by_conn, entry_key(*fresh));
  struct wps_message *msg;
  int rc;

  if (old != NULL) {
    msg = old->msg;
    old->msg = (*fresh)->msg;
    (*fresh)->msg = msg;
    return WPS_OK;
  }
  rc = table_put(&g->by_conn, *fresh);
  if (rc == WPS_OK)
    *fresh = NULL;
  return rc;
}

static int set(struct wps_member *m, struct hub_states *hs, struct update *u)
{
  struct shard *s = shard_of(hs, m->group->name);
  struct state_group *fresh = group_make(m->group->name), *g;
  struct entry *entry = entry_new(u->msg);
  int rc = WPS_ENOMEM;

  if (fresh == NULL || entry == NULL)
    goto done;
  pthread_mutex_lock(&s->lock);
  g = group_take(s, m->group->name, &fresh);
  if (g != NULL) {
    stamp(s, u->msg);
    rc = entry_put(g, &entry);
    if (rc == WPS_OK) {
      m->marks |= MEMBER_STATED;
      if (g->watchers != 0)
        update_post(u, m);
    }
    group_leave_if_unused(s, g);
  }
  pthread_mutex_unlock(&s->lock);
done:
  entry_free(entry);
  group_free(fresh);
  return rc;
}

/* Also of one that has none. Without an update, for want of memory, it is
 * forgotten all the same. */
static void clear(struct wps_member *m, struct hub_states *hs, struct update *u)
{
  struct shard *s = shard_of(hs, m->group->name);
  struct hub_facts facts = {.id = STR_NONE};
  struct entry *entry = NULL;
  struct state_group *g;

  worker_of(m)->hubs->ops->facts(m->client, &facts);
  pthread_mutex_lock(&s->lock);
  g = table_get(&s->groups, m->group->name);
  if (g != NULL) {
    entry = table_remove(&g->by_conn, facts.id);
    if (u != NULL && g->watchers != 0) {
      stamp(s, u->msg);
      update_post(u, m);
    }
    group_leave_if_unused(s, g);
  }
  m->marks &= (uint16_t)~MEMBER_STATED;
  pthread_mutex_unlock(&s->lock);
  entry_free(entry);
}

int state_set(struct wps_member *m, const struct wps_pair *entries,
              size_t count)
{
  struct hub_states *hs = states_of(hub_of(m));
  struct update *u;
  size_t total = 0;
  int rc = WPS_OK;

  if ((m->marks & MEMBER_ENDING) != 0)
    return WPS_ECLOSED; /* nobody would clear it any more */
  for (size_t i = 0; entries != NULL && i < count; i++) {
    if (entries[i].name.len > STATE_BYTES_MAX ||
        entries[i].value.len > STATE_BYTES_MAX)
      return WPS_ETOOBIG;
    total += entries[i].name.len + entries[i].value.len;
    if (total > STATE_BYTES_MAX)
      return WPS_ETOOBIG;
  }
  if (hs == NULL)
    return WPS_ENOMEM;
  u = update_new(m, entries, count);
  if (u == NULL)
    return WPS_ENOMEM;
  if (entries == NULL)
    clear(m, hs, u);
  else
    rc = set(m, hs, u);
  update_unref(u);
  return rc;
}

/* ---- pictures ---- */

struct picture {
  struct post post;
  struct wps_conn_ref ref;
  uint64_t serial; /* of the membership */
  wps_states_fn done;
  void *arg;
  uint64_t tag;
  size_t count;
  struct wps_message *items[WPS_STATES_MAX];
  size_t group_len;
  char group[];
};

static struct picture *picture_new(const struct wps_member *m,
                                   wps_states_fn done, void *arg, uint64_t tag)
{
  struct wps_str group = m->group->name;
  struct picture *p = malloc(sizeof(*p) + group.len);

  if (p == NULL)
    return NULL;
  p->ref = worker_of(m)->hubs->ops->ref(m->client);
  p->serial = m->serial;
  p->done = done;
  p->arg = arg;
  p->tag = tag;
  p->count = 0;
  p->group_len = group.len;
  memcpy(p->group, group.ptr, group.len);
  return p;
}

static void picture_free(struct picture *p)
{
  for (size_t i = 0; p != NULL && i < p->count; i++)
    message_unref(p->items[i]);
  free(p);
}

static int by_conn(const void *a, const void *b)
{
  const struct wps_message *const *x = a, *const *y = b;
  struct wps_str s = (*x)->info.conn, t = (*y)->info.conn;
  size_t common = s.len < t.len ? s.len : t.len;
  int order = common != 0 ? memcmp(s.ptr, t.ptr, common) : 0;

  return order != 0 ? order : (s.len > t.len) - (s.len < t.len);
}

/* The largest stands on top of a full heap. */
static void sift_down(struct wps_message **heap, size_t count, size_t at)
{
  for (;;) {
    size_t child = 2 * at + 1;
    struct wps_message *m;

    if (child + 1 < count && by_conn(&heap[child + 1], &heap[child]) > 0)
      child++;
    if (child >= count || by_conn(&heap[child], &heap[at]) <= 0)
      return;
    m = heap[child];
    heap[child] = heap[at];
    heap[at] = m;
    at = child;
  }
}

/* Of very many members the first WPS_STATES_MAX by id. Under the lock. */
static void picture_take(struct picture *p, const struct state_group *g)
{
  struct entry *e;
  size_t at = 0;

  while ((e = table_next(&g->by_conn, &at)) != NULL) {
    if (p->count < WPS_STATES_MAX) {
      p->items[p->count++] = e->msg;
      for (size_t i = p->count / 2; p->count == WPS_STATES_MAX && i-- > 0;)
        sift_down(p->items, p->count, i);
    } else if (by_conn(&e->msg, &p->items[0]) < 0) {
      p->items[0] = e->msg;
      sift_down(p->items, p->count, 0);
    }
  }
  for (size_t i = 0; i < p->count; i++)
    message_ref(p->items[i]);
}

/* It is still there, the same membership, and watches. */
static struct wps_member *watcher(const struct hub_client *c,
                                  const struct picture *p)
{
  struct wps_str group = {p->group, p->group_len};
  struct wps_member *m = c != NULL ? group_membership(c, group) : NULL;

  return m != NULL && m->serial == p->serial &&
                 (m->marks & MEMBER_WATCHING) != 0
             ? m
             : NULL;
}

static void picture_run(struct post *post)
{
  struct picture *p = CONTAINER_OF(post, struct picture, post);
  struct wps_worker *w = worker_current();
  struct hub_client *c = w->hubs->ops->find(w, p->ref);
  struct wps_member *m = watcher(c, p);
  struct wps_states states = {.struct_size = sizeof(states),
                              .status = WPS_ECANCELED};
  struct hub_facts facts;

  if (c != NULL && !w->hubs->ops->facts(c, &facts))
    c = NULL;
  if (c != NULL && m != NULL) {
    qsort(p->items, p->count, sizeof(struct wps_message *), by_conn);
    m->kinds |= state_bit;
    states.status = WPS_OK;
    states.items = p->items;
    states.count = p->count;
  }
  /* Clients are connections to whoever is above. */
  p->done((struct wps_conn *)(void *)c, p->arg, p->tag, &states);
  picture_free(p);
}

int state_watch(struct wps_member *m, wps_states_fn done, void *arg,
                uint64_t tag)
{
  bool ending = (m->marks & MEMBER_ENDING) != 0;
  struct hub_states *hs = states_of(hub_of(m));
  struct picture *p = ending ? NULL : picture_new(m, done, arg, tag);
  struct state_group *fresh = group_make(m->group->name), *g;
  struct shard *s;
  int rc = ending ? WPS_ECLOSED : WPS_ENOMEM;

  if (hs == NULL || p == NULL || fresh == NULL)
    goto done;
  s = shard_of(hs, m->group->name);
  pthread_mutex_lock(&s->lock);
  g = group_take(s, m->group->name, &fresh);
  if (g != NULL) {
    picture_take(p, g);
    p->post.fn = picture_run;
    rc = WPS_ECLOSED;
    if (worker_post(worker_of(m), &p->post)) {
      if ((m->marks & MEMBER_WATCHING) == 0)
        g->watchers++;
      m->marks |= MEMBER_WATCHING;
      p = NULL;
      rc = WPS_OK;
    }
    group_leave_if_unused(s, g);
  }
  pthread_mutex_unlock(&s->lock);
done:
  picture_free(p);
  group_free(fresh);
  return rc;
}

void state_unwatch(struct wps_member *m)
{
  struct hub_states *hs = atomic_load(&hub_of(m)->states);
  struct state_group *g;
  struct shard *s;

  if ((m->marks & MEMBER_WATCHING) == 0)
    return;
  m->marks &= (uint16_t)~MEMBER_WATCHING;
  m->kinds &= ~state_bit;
  s = shard_of(hs, m->group->name);
  pthread_mutex_lock(&s->lock);
  g = table_get(&s->groups, m->group->name);
  DCHECK(g != NULL && g->watchers != 0);
  g->watchers--;
  group_leave_if_unused(s, g);
  pthread_mutex_unlock(&s->lock);
}

void state_end(struct wps_member *m)
{
  struct update *u;

  state_unwatch(m);
  if ((m->marks & MEMBER_STATED) == 0)
    return;
  u = update_new(m, NULL, 0);
  clear(m, atomic_load(&hub_of(m)->states), u);
  update_unref(u);
}
