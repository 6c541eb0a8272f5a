/* SPDX-License-Identifier: Apache-2.0 */
/* hub/hub.c - names to hubs, and this worker's part of each. */
#include "hub/hub.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/str.h"
#include "base/utf8.h"
#include "hub/pending.h"
#include "hub/shared.h"
#include "hub/state.h"
#include "hub/sift.h"
#include "hub/tap.h"

enum { HUB_NAME_MAX = 128, GROUP_NAME_MAX = 1024 };

struct hub_registry {
  pthread_mutex_t lock;
  struct table by_name;
};

struct hub_settings_set {
  struct hub_settings_set *older;
  const struct hub_settings *items;
  size_t count;
};

struct hub_user {
  struct list clients; /* struct hub_client.in_user */
  uint32_t count;
  uint32_t name_len;
  char name[];
};

/* ---- what the tables hold ---- */

static struct wps_str hub_key(const void *value)
{
  return ((const struct hub *)value)->name;
}

static struct wps_str hub_worker_key(const void *value)
{
  return ((const struct hub_worker *)value)->hub->name;
}

static struct wps_str group_key(const void *value)
{
  return ((const struct group *)value)->name;
}

static struct wps_str user_key(const void *value)
{
  const struct hub_user *user = value;

  return (struct wps_str){user->name, user->name_len};
}

/* ---- names ---- */

static bool is_letter(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool hub_name_ok(struct wps_str name)
{
  if (name.len < 1 || name.len > HUB_NAME_MAX || !is_letter(name.ptr[0]))
    return false;
  for (size_t i = 1; i < name.len; i++) {
    char c = name.ptr[i];

    if (!is_letter(c) && !(c >= '0' && c <= '9') &&
        (c == '\0' || strchr("_`,.[]", c) == NULL))
      return false;
  }
  return true;
}

size_t white_space(const unsigned char *p, size_t left)
{
  if (*p == ' ' || (*p >= '\t' && *p <= '\r'))
    return 1;
  if (left >= 2 && p[0] == 0xc2 && (p[1] == 0x85 || p[1] == 0xa0))
    return 2;
  if (left < 3)
    return 0;
  if (p[0] == 0xe1 && p[1] == 0x9a && p[2] == 0x80)
    return 3;
  if (p[0] == 0xe2 && p[1] == 0x80 &&
      (p[2] <= 0x8a || p[2] == 0xa8 || p[2] == 0xa9 || p[2] == 0xaf))
    return 3;
  if (p[0] == 0xe2 && p[1] == 0x81 && p[2] == 0x9f)
    return 3;
  return p[0] == 0xe3 && p[1] == 0x80 && p[2] == 0x80 ? 3 : 0;
}

bool group_name_ok(struct wps_str name)
{
  const unsigned char *p = (const unsigned char *)name.ptr;
  size_t i = 0;

  if (name.len == 0)
    return false;
  /* A UTF-16 unit is at most three bytes: no need to count shorter ones. */
  if (name.len > GROUP_NAME_MAX &&
      (name.len > 3 * GROUP_NAME_MAX || utf8_utf16_len(name) > GROUP_NAME_MAX))
    return false;
  while (i < name.len) {
    size_t n = white_space(p + i, name.len - i);

    if (n == 0)
      return true;
    i += n;
  }
  return false;
}

/* ---- all hubs ---- */

static struct hub_settings_set *set_new(struct hub_settings_set *older,
                                        const struct hub_settings *items,
                                        size_t count)
{
  struct hub_settings_set *set = malloc(sizeof(*set));

  if (set != NULL)
    *set = (struct hub_settings_set){older, items, count};
  return set;
}

struct hubs *hubs_new(struct workers *workers,
                      const struct hub_settings *settings, size_t count,
                      size_t hubs_max)
{
  struct hubs *hs = calloc(1, sizeof(*hs));

  if (hs == NULL)
    return NULL;
  hs->workers = workers;
  atomic_init(&hs->settings, set_new(NULL, settings, count));
  hs->hubs_max = hubs_max;
  hs->registry = malloc(sizeof(*hs->registry));
  if (hs->registry == NULL || atomic_load(&hs->settings) == NULL) {
    free(hs->registry);
    free(atomic_load(&hs->settings));
    free(hs);
    return NULL;
  }
  pthread_mutex_init(&hs->registry->lock, NULL);
  table_init(&hs->registry->by_name, hub_key);
  return hs;
}

void hubs_free(struct hubs *hs)
{
  struct hub_settings_set *set;
  struct hub *hub;
  size_t at = 0;

  if (hs == NULL)
    return;
  set = atomic_load(&hs->settings);
  while (set != NULL) {
    struct hub_settings_set *older = set->older;

    free(set);
    set = older;
  }
  while ((hub = table_next(&hs->registry->by_name, &at)) != NULL) {
    hub_states_free(hub->states);
    hub_shared_free(hub->shared);
    free(hub);
  }
  table_free(&hs->registry->by_name);
  pthread_mutex_destroy(&hs->registry->lock);
  free(hs->registry);
  free(hs);
}

const struct hub_settings *hubs_settings(const struct hubs *hs,
                                         struct wps_str name)
{
  const struct hub_settings_set *set = atomic_load(&hs->settings);
  const struct hub_settings *any = NULL;

  for (size_t i = 0; i < set->count; i++) {
    if (str_eq(set->items[i].pattern, name))
      return &set->items[i];
    if (str_eq_c(set->items[i].pattern, "*"))
      any = &set->items[i];
  }
  return any;
}

int hubs_renew(struct hubs *hs, const struct hub_settings *settings,
               size_t count)
{
  struct hub_settings_set *set =
      set_new(atomic_load(&hs->settings), settings, count);
  struct hub *hub;
  size_t at = 0;

  if (set == NULL)
    return WPS_ENOMEM;
  pthread_mutex_lock(&hs->registry->lock);
  atomic_store(&hs->settings, set);
  while ((hub = table_next(&hs->registry->by_name, &at)) != NULL) {
    const struct hub_settings *own = hubs_settings(hs, hub->name);

    if (own != NULL)
      atomic_store(&hub->settings, own);
  }
  pthread_mutex_unlock(&hs->registry->lock);
  return WPS_OK;
}

static int hub_new(struct hubs *hs, struct wps_str name, struct hub **out)
{
  const struct hub_settings *settings = hubs_settings(hs, name);
  uint32_t workers = workers_count(hs->workers);
  size_t counters = workers * sizeof(_Atomic uint64_t);
  struct hub *hub;
  char *text;

  if (settings == NULL)
    return WPS_ENOTFOUND;
  if (hs->registry->by_name.count >= hs->hubs_max)
    return WPS_ELIMIT;
  hub = calloc(1, sizeof(*hub) + counters + name.len);
  if (hub == NULL)
    return WPS_ENOMEM;
  text = (char *)hub + sizeof(*hub) + counters;
  memcpy(text, name.ptr, name.len);
  hub->name = (struct wps_str){text, name.len};
  atomic_init(&hub->settings, settings);
  hub->hubs = hs;
  hub->shared = hub_shared_new();
  if (hub->shared == NULL || table_put(&hs->registry->by_name, hub) != WPS_OK) {
    hub_shared_free(hub->shared);
    free(hub);
    return WPS_ENOMEM;
  }
  *out = hub;
  return WPS_OK;
}

static int hub_get(struct hubs *hs, struct wps_str name, bool create,
                   struct hub **out)
{
  int rc = WPS_OK;

  pthread_mutex_lock(&hs->registry->lock);
  *out = table_get(&hs->registry->by_name, name);
  if (*out == NULL)
    rc = create ? hub_new(hs, name, out) : WPS_ENOTFOUND;
  pthread_mutex_unlock(&hs->registry->lock);
  return rc;
}

/* ---- this worker ---- */

int hub_worker_start(struct wps_worker *w, struct hubs *hs,
                     const struct hub_ops *ops)
{
  struct hub_worker_set *set = calloc(1, sizeof(*set));

  if (set == NULL)
    return WPS_ENOMEM;
  table_init(&set->by_name, hub_worker_key);
  set->hubs = hs;
  set->ops = ops;
  set->worker = w;
  list_init(&set->sifts);
  defer_init(&set->sift_next, sift_more);
  pending_start(set);
  w->hubs = set;
  return WPS_OK;
}

void hub_worker_stop(struct wps_worker *w)
{
  struct hub_worker *hw;
  size_t at = 0;

  if (w->hubs == NULL)
    return;
  while (!list_empty(&w->hubs->sifts))
    sift_more(&w->hubs->sift_next);
  defer_cancel(&w->hubs->sift_next);
  while ((hw = table_next(&w->hubs->by_name, &at)) != NULL) {
    DCHECK(list_empty(&hw->clients));
    taps_end(hw);
    table_free(&hw->groups);
    table_free(&hw->users);
    free(hw);
  }
  pending_stop(w->hubs);
  table_free(&w->hubs->by_name);
  free(w->hubs);
  w->hubs = NULL;
}

/* Hub names are compared in any case; clients come with folded ones. */
static struct wps_str fold(struct wps_str name, char room[HUB_NAME_MAX])
{
  for (size_t i = 0; i < name.len && name.len <= HUB_NAME_MAX; i++)
    if (name.ptr[i] >= 'A' && name.ptr[i] <= 'Z') {
      memcpy(room, name.ptr, name.len);
      str_lower(room, name.len);
      return (struct wps_str){room, name.len};
    }
  return name;
}

int hub_worker_get(struct wps_worker *w, struct wps_str name, bool create,
                   struct hub_worker **out)
{
  char room[HUB_NAME_MAX];
  struct hub_worker_set *set = w->hubs;
  struct hub_worker *hw;
  struct hub *hub;
  int rc;

  name = fold(name, room);
  hw = table_get(&set->by_name, name);
  if (hw != NULL) {
    *out = hw;
    return WPS_OK;
  }
  rc = hub_get(set->hubs, name, create, &hub);
  if (rc != WPS_OK)
    return rc;
  hw = calloc(1, sizeof(*hw));
  if (hw == NULL)
    return WPS_ENOMEM;
  hw->hub = hub;
  hw->worker = w;
  table_init(&hw->groups, group_key);
  table_init(&hw->users, user_key);
  list_init(&hw->clients);
  pending_init(hw);
  rc = table_put(&set->by_name, hw);
  if (rc != WPS_OK) {
    free(hw);
    return rc;
  }
  *out = hw;
  return WPS_OK;
}

/* ---- clients and users ---- */

static struct hub_user *user_get(struct hub_worker *hw, struct wps_str name)
{
  struct hub_user *user = table_get(&hw->users, name);

  if (user != NULL)
    return user;
  user = malloc(sizeof(*user) + name.len);
  if (user == NULL)
    return NULL;
  list_init(&user->clients);
  user->count = 0;
  user->name_len = (uint32_t)name.len;
  memcpy(user->name, name.ptr, name.len);
  if (table_put(&hw->users, user) != WPS_OK) {
    free(user);
    return NULL;
  }
  return user;
}

int hub_add(struct hub_worker *hw, struct hub_client *c, struct wps_str user)
{
  list_init(&c->in_user);
  c->user = NULL;
  if (user.len != 0) {
    c->user = user_get(hw, user);
    if (c->user == NULL)
      return WPS_ENOMEM;
    list_add_tail(&c->user->clients, &c->in_user);
    c->user->count++;
  }
  list_add_tail(&hw->clients, &c->in_hub);
  c->hw = hw;
  atomic_fetch_add_explicit(&hw->hub->clients[hw->worker->index], 1,
                            memory_order_relaxed);
  return WPS_OK;
}

void hub_remove(struct hub_client *c)
{
  struct hub_worker *hw = c->hw;

  if (hw == NULL)
    return;
  DCHECK(c->member_count == 0);
  if (c->members != &c->only)
    free(c->members);
  c->members = NULL;
  c->member_cap = 0;
  list_remove(&c->in_hub);
  list_remove(&c->in_user);
  if (c->user != NULL && --c->user->count == 0) {
    table_remove(&hw->users, user_key(c->user));
    free(c->user);
  }
  c->user = NULL;
  c->hw = NULL;
  atomic_fetch_sub_explicit(&hw->hub->clients[hw->worker->index], 1,
                            memory_order_relaxed);
}

struct list *hub_user_clients(const struct hub_worker *hw, struct wps_str name,
                              uint64_t *count)
{
  struct hub_user *user = table_get(&hw->users, name);

  *count = user == NULL ? 0 : user->count;
  return user == NULL ? NULL : &user->clients;
}
