/* SPDX-License-Identifier: Apache-2.0 */
/* hub/group.c - groups and memberships on one worker. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/quarantine.h"
#include "base/str.h"
#include "hub/pending.h"
#include "hub/shared.h"

struct group *group_find(const struct hub_worker *hw, struct wps_str name)
{
  return table_get(&hw->groups, name);
}

static struct group *group_new(struct hub_worker *hw, struct wps_str name)
{
  struct group *g = calloc(1, sizeof(*g) + name.len);
  char *text;

  if (g == NULL)
    return NULL;
  text = (char *)(g + 1);
  memcpy(text, name.ptr, name.len);
  g->name = (struct wps_str){text, name.len};
  g->hw = hw;
  list_init(&g->taps);
  /* With one worker nobody else could have members. */
  if (workers_count(hw->worker->all) > 1) {
    g->shared = shared_group_enter(hw->hub->shared, name, hw->worker->index);
    if (g->shared == NULL)
      goto fail;
  }
  if (table_put(&hw->groups, g) != WPS_OK)
    goto fail_shared;
  return g;

fail_shared:
  if (g->shared != NULL)
    shared_group_leave(hw->hub->shared, g->shared, hw->worker->index);
fail:
  free(g);
  return NULL;
}

struct group *group_get(struct hub_worker *hw, struct wps_str name)
{
  struct group *g = group_find(hw, name);

  return g != NULL ? g : group_new(hw, name);
}

static void group_free_if_empty(struct group *g)
{
  struct hub_worker *hw = g->hw;

  if (g->count != 0 || g->tap_count != 0 || g->walking != 0)
    return;
  pending_drop(g);
  table_remove(&hw->groups, g->name);
  if (g->shared != NULL)
    shared_group_leave(hw->hub->shared, g->shared, hw->worker->index);
  free(g->members);
  free(g);
}

/* Most clients are in one group only. */
static int client_grow(struct hub_client *c)
{
  bool one = c->member_cap == 1;
  size_t next = one ? 4 : (size_t)c->member_cap * 2;
  struct wps_member **bigger;

  if (c->member_count < c->member_cap)
    return WPS_OK;
  if (c->member_cap == 0) {
    c->members = &c->only;
    c->member_cap = 1;
    return WPS_OK;
  }
  if (next > INT32_MAX)
    return WPS_ENOMEM;
  bigger = realloc(one ? NULL : c->members, next * sizeof(*bigger));
  if (bigger == NULL)
    return WPS_ENOMEM;
  if (one)
    bigger[0] = c->only;
  c->members = bigger;
  c->member_cap = next & INT32_MAX;
  return WPS_OK;
}

static int group_grow(struct group *g)
{
  size_t next = g->cap == 0 ? 4 : g->cap * 2;
  struct wps_member **bigger;

  if (g->used < g->cap)
    return WPS_OK;
  bigger = realloc(g->members, next * sizeof(*bigger));
  if (bigger == NULL)
    return WPS_ENOMEM;
  g->members = bigger;
  g->cap = next;
  return WPS_OK;
}

/* ---- of one client ---- */

static struct wps_str member_key(const void *value)
{
  return ((const struct wps_member *)value)->group->name;
}

/* Most clients are in a few groups, which are looked at one after the other. */
enum { MEMBERS_FEW = 8 };

struct wps_member *group_membership_hashed(const struct hub_client *c,
                                           struct wps_str name, uint64_t hash)
{
  if (c->by_group != NULL)
    return table_get_hashed(c->by_group, name, hash);
  for (uint32_t i = 0; i < c->member_count; i++)
    if (str_eq(c->members[i]->group->name, name))
      return c->members[i];
  return NULL;
}

struct wps_member *group_membership(const struct hub_client *c,
                                    struct wps_str name)
{
  return group_membership_hashed(c, name,
                                 c->by_group != NULL ? hash_bytes(name) : 0);
}

static void by_group_free(struct hub_client *c)
{
  table_free(c->by_group);
  free(c->by_group);
  c->by_group = NULL;
}

/* Before the membership that is one too many for a list. */
static int by_group_make(struct hub_client *c)
{
  c->by_group = malloc(sizeof(*c->by_group));
  if (c->by_group == NULL)
    return WPS_ENOMEM;
  table_init(c->by_group, member_key);
  for (uint32_t i = 0; i < c->member_count; i++)
    if (table_put(c->by_group, c->members[i]) != WPS_OK) {
      by_group_free(c);
      return WPS_ENOMEM;
    }
  return WPS_OK;
}

static int by_group_put(struct hub_client *c, struct wps_member *m)
{
  if (c->by_group == NULL) {
    if (c->member_count < MEMBERS_FEW)
      return WPS_OK;
    if (by_group_make(c) != WPS_OK)
      return WPS_ENOMEM;
  }
  return table_put(c->by_group, m);
}

static void by_group_remove(struct hub_client *c, const struct wps_member *m)
{
  if (c->by_group == NULL)
    return;
  table_remove(c->by_group, m->group->name);
  if (c->member_count <= MEMBERS_FEW / 2)
    by_group_free(c);
}

int group_join(struct hub_client *c, struct wps_str name, uint64_t serial,
               struct wps_member **out, bool *fresh)
{
  struct wps_member *m = group_membership(c, name);
  struct group *g;

  *fresh = m == NULL;
  *out = m;
  if (m != NULL)
    return WPS_OK;
  if (client_grow(c) != WPS_OK)
    return WPS_ENOMEM;
  m = calloc(1, sizeof(*m));
  if (m == NULL)
    return WPS_ENOMEM;
  g = group_get(c->hw, name);
  if (g == NULL) {
    free(m);
    return WPS_ENOMEM;
  }
  m->client = c;
  m->group = g;
  if (group_grow(g) != WPS_OK || by_group_put(c, m) != WPS_OK) {
    group_free_if_empty(g);
    free(m);
    return WPS_ENOMEM;
  }
  m->serial = serial;
  m->kinds = 1u << WPS_MSG_DATA;
  m->seen = g->published;
  m->group_index = (uint32_t)g->used;
  g->members[g->used++] = m;
  g->count++;
  m->client_index = c->member_count;
  c->members[c->member_count++] = m;
  *out = m;
  return WPS_OK;
}

void group_leave(struct wps_member *m)
{
  struct hub_client *c = m->client;
  struct group *g = m->group;

  pending_settle(c);
  g->hw->leaves++;
  DCHECK(c->members[m->client_index] == m);
  DCHECK(g->members[m->group_index] == m);
  c->members[m->client_index] = c->members[--c->member_count];
  c->members[m->client_index]->client_index = m->client_index;
  if (g->walking != 0) {
    g->members[m->group_index] = NULL;
    g->holes++;
  } else {
    g->members[m->group_index] = g->members[--g->used];
    g->members[m->group_index]->group_index = m->group_index;
  }
  g->count--;
  by_group_remove(c, m);
  m->client = NULL; /* seen by the contract checks of debug builds */
  quarantine_free(m);
  group_free_if_empty(g);
}

void group_settle(struct group *g)
{
  if (g->holes != 0) {
    size_t to = 0;

    for (size_t i = 0; i < g->used; i++)
      if (g->members[i] != NULL) {
        g->members[to] = g->members[i];
        g->members[to]->group_index = (uint32_t)to;
        to++;
      }
    g->used = to;
    g->holes = 0;
  }
  group_free_if_empty(g);
}
