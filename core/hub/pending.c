/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/pending.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/fault.h"
#include "hub/fanout.h"

enum { ENTRIES_MIN = 16, DUE_FEW = 64 };

static const uint32_t data_bit = 1u << WPS_MSG_DATA;

/* ---- the lists ---- */

static struct pending *pending_new(struct hub_worker_set *set)
{
  struct list *node = list_pop(&set->pending_free);
  struct pending *p;

  if (node != NULL) {
    set->pending_free_count--;
    return CONTAINER_OF(node, struct pending, node);
  }
  p = calloc(1, sizeof(*p));
  if (p == NULL)
    return NULL;
  p->entries = malloc(ENTRIES_MIN * sizeof(*p->entries));
  if (p->entries == NULL) {
    free(p);
    return NULL;
  }
  p->cap = ENTRIES_MIN;
  list_init(&p->node);
  return p;
}

/* The first n of them. */
static void entries_release(struct pending *p, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++) {
    p->cost -= p->entries[i].msg->cost;
    message_unref(p->entries[i].msg);
  }
  p->count -= n;
  memmove(p->entries, p->entries + n, p->count * sizeof(*p->entries));
}

static void pending_free(struct hub_worker_set *set, struct pending *p)
{
  entries_release(p, p->count);
  p->group = NULL;
  list_remove(&p->node);
  if (set->pending_free_count < PENDING_FREE_MAX) {
    set->pending_free_count++;
    list_add_tail(&set->pending_free, &p->node);
    return;
  }
  free(p->entries);
  free(p);
}

static void unlink_group(struct group *g)
{
  struct hub_worker *hw = g->hw;

  list_remove(&g->pending->node);
  g->pending = NULL;
  if (--hw->pending_count == 0)
    list_remove(&hw->in_owing);
}

void pending_drop(struct group *g)
{
  struct hub_worker_set *set = g->hw->worker->hubs;
  struct pending *p = g->pending;

  if (p == NULL)
    return;
  unlink_group(g);
  /* A client may be being settled, with messages of it in hand. */
  if (g->hw->settling != 0)
    list_add_tail(&set->pending_dead, &p->node);
  else
    pending_free(set, p);
}

static int grow(struct pending *p)
{
  struct pending_entry *bigger;

  if (p->count < p->cap)
    return WPS_OK;
  if (FAULT("alloc_pending"))
    return WPS_ENOMEM;
  bigger = realloc(p->entries, 2 * (size_t)p->cap * sizeof(*bigger));
  if (bigger == NULL)
    return WPS_ENOMEM;
  p->entries = bigger;
  p->cap *= 2;
  return WPS_OK;
}

static struct pending *pending_of(struct group *g)
{
  struct hub_worker *hw = g->hw;
  struct hub_worker_set *set = hw->worker->hubs;

  if (g->pending != NULL)
    return g->pending;
  g->pending = pending_new(set);
  if (g->pending == NULL)
    return NULL;
  g->pending->group = g;
  list_add_tail(&hw->pending, &g->pending->node);
  if (hw->pending_count++ == 0)
    list_add_tail(&set->owing, &hw->in_owing);
  return g->pending;
}

/* ---- what one client is owed ---- */

struct due {
  uint64_t serial;
  struct wps_message *msg;
  struct wps_member *member;
};

static uint32_t owed(struct wps_member *m)
{
  struct group *g = m->group;

  if ((m->kinds & data_bit) == 0)
    m->seen = g->published;
  return g->published - m->seen;
}

/* The memberships that are owed something, through whichever list is shorter.
 * Up to `max` entries of theirs are put down. */
struct collection {
  struct due *due;
  size_t max, count, all;
  uint32_t groups;
};

static void collect_from(struct wps_member *m, struct collection *to)
{
  const struct pending *p = m->group->pending;
  uint32_t n = owed(m);

  if (n == 0)
    return;
  DCHECK(p != NULL && n <= p->count);
  to->groups++;
  to->all += n;
  for (uint32_t i = p->count - n; i < p->count && to->count < to->max; i++)
    to->due[to->count++] =
        (struct due){p->entries[i].serial, p->entries[i].msg, m};
}

static void collect(const struct hub_client *c, struct collection *to)
{
  struct hub_worker *hw = c->hw;

  to->count = to->all = to->groups = 0;
  if (c->member_count <= hw->pending_count) {
    for (uint32_t i = 0; i < c->member_count; i++)
      if (c->members[i]->group->pending != NULL)
        collect_from(c->members[i], to);
    return;
  }
  for (struct list *l = hw->pending.next; l != &hw->pending; l = l->next) {
    struct group *g = CONTAINER_OF(l, struct pending, node)->group;
    struct wps_member *m = group_membership(c, g->name);

    if (m != NULL)
      collect_from(m, to);
  }
}

static int by_serial(const void *a, const void *b)
{
  const struct due *x = a, *y = b;

  return x->serial < y->serial ? -1 : x->serial > y->serial;
}

/* Several groups must be merged as a whole; of one a part will do. */
static bool collect_all(struct hub_client *c, struct collection *to,
                        struct due few[DUE_FEW])
{
  *to = (struct collection){.due = few, .max = DUE_FEW};
  collect(c, to);
  if (to->groups <= 1)
    return true;
  if (to->all > DUE_FEW) {
    size_t all = to->all;

    to->due = FAULT("alloc_due") ? NULL : malloc(all * sizeof(*to->due));
    if (to->due == NULL)
      return false;
    to->max = all;
    collect(c, to);
  }
  qsort(to->due, to->count, sizeof(*to->due), by_serial);
  return true;
}

/* deliver() of a subprotocol may publish to the same groups and leave them. */
static void hand_over(struct hub_client *c, const struct collection *what)
{
  const struct hub_ops *ops = c->hw->worker->hubs->ops;
  uint64_t leaves = c->hw->leaves;

  for (size_t i = 0; i < what->count && c->hw->leaves == leaves; i++) {
    struct wps_member *m = what->due[i].member;
    struct fanout f = {.msg = what->due[i].msg};

    /* Its kinds may just have been changed. */
    if (owed(m) == 0)
      continue;
    m->seen++;
    ops->deliver(c, m, &f);
  }
}

void pending_settle_now(struct hub_client *c)
{
  struct hub_worker *hw = c->hw;
  struct due few[DUE_FEW];
  struct collection now;

  if (c->settling != 0)
    return;
  c->settling = 1;
  hw->settling++;
  while (collect_all(c, &now, few) && now.count != 0) {
    hand_over(c, &now);
    if (now.due != few)
      free(now.due);
  }
  if (now.due == NULL) {
    for (uint32_t i = 0; i < c->member_count; i++)
      c->members[i]->seen = c->members[i]->group->published;
    hw->worker->hubs->ops->missed(c);
  }
  hw->settling--;
  c->settling = 0;
}

/* ---- publishing ---- */

/* The list is full: all are given what is in it. What deliver() publishes
 * meanwhile stays, for some of them have had their turn. */
static void empty_list(struct group *g)
{
  uint32_t n = g->pending->count;

  g->walking++;
  for (size_t i = 0, count = g->used; i < count; i++)
    if (g->members[i] != NULL && owed(g->members[i]) != 0)
      pending_settle_now(g->members[i]->client);
  g->walking--;
  entries_release(g->pending, n);
  group_settle(g); /* which may have been the end of it */
}

int pending_add(struct group *g, struct wps_message *msg,
                struct hub_client *self, uint64_t *receivers)
{
  struct hub_worker *hw = g->hw;
  struct wps_member *mine =
      self != NULL ? group_membership(self, g->name) : NULL;
  struct pending *p = pending_of(g);

  if (p == NULL)
    return WPS_ENOMEM;
  /* Within a walk or a settlement the entries are in use: they grow then. */
  if ((p->count >= PENDING_MAX || p->cost >= PENDING_COST_MAX) &&
      g->walking == 0 && hw->settling == 0) {
    empty_list(g);
    return WPS_EAGAIN;
  }
  if (grow(p) != WPS_OK)
    return WPS_ENOMEM;
  if (mine != NULL && owed(mine) != 0) {
    pending_settle_now(self); /* inside which it may leave */
    return WPS_EAGAIN;
  }
  p->entries[p->count++] = (struct pending_entry){
      message_ref(msg), ++hw->worker->hubs->pending_serial};
  p->cost += msg->cost;
  g->published++;
  if (mine != NULL)
    mine->seen = g->published;
  *receivers = g->count - (mine != NULL);
  return WPS_OK;
}

/* ---- the end of the turn ---- */

/* Is there no other group that owes it something? May err to the safe side. */
static bool owed_by_one(const struct hub_client *c, const struct wps_member *m)
{
  if (c->member_count == 1 || c->hw->pending_count == 1)
    return true;
  if (c->by_group != NULL)
    return false;
  for (uint32_t i = 0; i < c->member_count; i++)
    if (c->members[i] != m && c->members[i]->group->pending != NULL &&
        owed(c->members[i]) != 0)
      return false;
  return true;
}

static void flush_member(struct wps_member *m, const struct pending *p)
{
  struct hub_client *c = m->client;
  const struct hub_ops *ops = c->hw->worker->hubs->ops;
  uint32_t before = m->seen, n = owed(m);

  if (n == 0)
    return;
  if (n == p->count && owed_by_one(c, m)) {
    m->seen = m->group->published;
    if (ops->send(c, m, p))
      return;
    m->seen = before;
  }
  pending_settle_now(c);
  ops->flush(c);
}

/* A send goes through so much of the kernel that little of ours is still in the
 * cache after it: members are asked for some steps ahead. */
static void warm(const struct group *g, size_t at)
{
  enum {
    MEMBER_AHEAD = 12,
    CLIENT_AHEAD = 8,
    CLIENT_LINES = 4,
    SEND_AHEAD = 4
  };
  struct wps_member *const *m = g->members + at;
  size_t left = g->used - at;

  if (left > MEMBER_AHEAD)
    __builtin_prefetch(m[MEMBER_AHEAD], 1);
  if (left > CLIENT_AHEAD && m[CLIENT_AHEAD] != NULL)
    for (size_t i = 0; i < CLIENT_LINES; i++)
      __builtin_prefetch((const char *)m[CLIENT_AHEAD]->client + 64 * i);
  if (left > SEND_AHEAD && m[SEND_AHEAD] != NULL)
    g->hw->worker->hubs->ops->soon(m[SEND_AHEAD]->client);
}

static void flush_group(struct group *g)
{
  struct hub_worker_set *set = g->hw->worker->hubs;
  struct pending *p = g->pending;
  uint32_t n = p->count;

  g->walking++;
  for (size_t i = 0, count = g->used; i < count; i++) {
    warm(g, i);
    if (g->members[i] != NULL)
      flush_member(g->members[i], p);
  }
  g->walking--;
  entries_release(p, n);
  if (p->count == 0) {
    unlink_group(g);
    pending_free(set, p);
  }
  group_settle(g);
}

static void flush_hub(struct hub_worker *hw)
{
  uint32_t groups = hw->pending_count;

  /* What is published meanwhile is for the next round. */
  for (; groups != 0 && hw->pending_count != 0; groups--) {
    struct list *node = list_pop(&hw->pending);

    list_add_tail(&hw->pending, node);
    flush_group(CONTAINER_OF(node, struct pending, node)->group);
  }
}

static bool flush(struct flusher *f, struct wps_worker *w)
{
  struct hub_worker_set *set = w->hubs;
  struct list round, *node;
  bool any = !list_empty(&set->owing);

  UNUSED(f);
  list_init(&round);
  while ((node = list_pop(&set->owing)) != NULL)
    list_add_tail(&round, node);
  while ((node = list_pop(&round)) != NULL) {
    struct hub_worker *hw = CONTAINER_OF(node, struct hub_worker, in_owing);

    list_add_tail(&set->owing, node);
    flush_hub(hw);
  }
  while ((node = list_pop(&set->pending_dead)) != NULL)
    pending_free(set, CONTAINER_OF(node, struct pending, node));
  return any;
}

/* ---- life ---- */

void pending_start(struct hub_worker_set *set)
{
  list_init(&set->owing);
  list_init(&set->pending_free);
  list_init(&set->pending_dead);
  set->pending_flusher.fn = flush;
  worker_add_flusher(set->worker, &set->pending_flusher);
}

static void free_all(struct hub_worker_set *set, struct list *pendings)
{
  struct list *node;

  set->pending_free_count = PENDING_FREE_MAX;
  while ((node = list_pop(pendings)) != NULL)
    pending_free(set, CONTAINER_OF(node, struct pending, node));
}

void pending_stop(struct hub_worker_set *set)
{
  DCHECK(list_empty(&set->owing));
  list_remove(&set->pending_flusher.node);
  free_all(set, &set->pending_dead);
  free_all(set, &set->pending_free);
}

void pending_init(struct hub_worker *hw)
{
  list_init(&hw->pending);
  list_init(&hw->in_owing);
}
