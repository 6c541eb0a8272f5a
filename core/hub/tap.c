/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/tap.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"

/* Groups whose taps are being told, one inside a tap of the other. */
enum { TAPS_DEEP = 8 };

struct wps_tap {
  struct list node; /* in group.taps */
  struct group *group;
  wps_tap_fn fn; /* NULL: taken away while it was being told */
  void *arg;
};

int tap_new(struct wps_worker *w, struct wps_str hub, struct wps_str group,
            wps_tap_fn fn, void *arg, struct wps_tap **out)
{
  struct hub_worker *hw;
  struct wps_tap *tap;
  int rc;

  if (!group_name_ok(group))
    return WPS_EINVAL;
  rc = hub_worker_get(w, hub, true, &hw);
  if (rc != WPS_OK)
    return rc;
  tap = malloc(sizeof(*tap));
  if (tap == NULL)
    return WPS_ENOMEM;
  tap->group = group_get(hw, group);
  if (tap->group == NULL) {
    free(tap);
    return WPS_ENOMEM;
  }
  tap->fn = fn;
  tap->arg = arg;
  list_add_tail(&tap->group->taps, &tap->node);
  tap->group->tap_count++;
  *out = tap;
  return WPS_OK;
}

static void drop(struct wps_tap *tap)
{
  list_remove(&tap->node);
  tap->group->tap_count--;
  free(tap);
}

void tap_free(struct wps_tap *tap)
{
  struct group *g;

  if (tap == NULL)
    return;
  g = tap->group;
  tap->fn = NULL;
  if (g->telling != 0)
    return;
  drop(tap);
  if (g->walking == 0) /* who walks there settles it */
    group_settle(g);
}

static void sweep(struct group *g)
{
  struct list *next;

  for (struct list *l = g->taps.next; l != &g->taps; l = next) {
    struct wps_tap *tap = CONTAINER_OF(l, struct wps_tap, node);

    next = l->next;
    if (tap->fn == NULL)
      drop(tap);
  }
}

bool taps_may_hear(struct hub_worker_set *set, const struct group *g)
{
  if (g == NULL || g->tap_count == 0 ||
      (g->telling == 0 && set->telling < TAPS_DEEP))
    return true;
  /* Whoever does it once does it for every message. */
  if (!set->taps_refused)
    log_line(WPS_LOG_ERROR, "core",
             "a plugin publishes inside its tap of a group to the same group, "
             "or through too many taps: refused, and said once per worker");
  set->taps_refused = true;
  return false;
}

void taps_tell(struct group *g, struct wps_message *msg)
{
  struct hub_worker_set *set = g->hw->worker->hubs;
  /* Who comes during this hears from the next one on. */
  struct list *last = g->taps.prev;
  bool more = !list_empty(&g->taps);

  set->telling++;
  g->telling++;
  g->walking++;
  for (struct list *l = g->taps.next; more; l = l->next) {
    struct wps_tap *tap = CONTAINER_OF(l, struct wps_tap, node);

    more = l != last;
    if (tap->fn != NULL)
      tap->fn(tap->arg, msg);
  }
  g->walking--;
  set->telling--;
  if (--g->telling == 0)
    sweep(g);
  if (g->walking == 0)
    group_settle(g);
}

void taps_end(struct hub_worker *hw)
{
  struct group *g;
  size_t at = 0;

  while ((g = table_next(&hw->groups, &at)) != NULL && g->count == 0) {
    while (!list_empty(&g->taps))
      drop(CONTAINER_OF(g->taps.next, struct wps_tap, node));
    group_settle(g); /* which takes it out */
    at = 0;
  }
}
