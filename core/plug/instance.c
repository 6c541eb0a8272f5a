/* SPDX-License-Identifier: Apache-2.0 */
/* plug/instance.c - configured components: made, started, stopped, unmade.
 *
 * Thread: main for making and unmaking, each worker for its own state. The list
 * does not change while workers run. */
#include "plug/plugin.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "base/str.h"
#include "loop/worker.h"
#include "plug/status_name.h"

/* Who is needed by others comes first. */
static const uint32_t start_order[] = {WPS_KIND_AUTH, WPS_KIND_UPSTREAM,
                                       WPS_KIND_SUBPROTOCOL, WPS_KIND_HTTP};

const char *status_name(int status)
{
  switch (status) {
  case WPS_OK:
    return "OK";
#define X(name, value, http, close, meaning)                                   \
  case WPS_##name:                                                             \
    return #name;
    WPS_STATUS_MAP(X)
#undef X
  default:
    return "?";
  }
}

struct wps_instance *instances_add(struct instances *all, const char *name,
                                   const struct wps_component *component,
                                   const struct wps_plugin *plugin,
                                   const struct wps_config *cfg)
{
  struct wps_instance **items;
  struct wps_instance *i = calloc(1, sizeof(*i));

  if (i == NULL)
    return NULL;
  i->name = str_dup(str_from(name));
  items = realloc(all->items, (all->count + 1) * sizeof(*items));
  if (items != NULL)
    all->items = items;
  if (i->name == NULL || items == NULL) {
    free(i->name);
    free(i);
    return NULL;
  }
  i->id = (uint32_t)all->count;
  i->component = component;
  i->plugin = plugin;
  i->cfg = cfg;
  atomic_init(&i->replies_owed, 0);
  items[all->count++] = i;
  return i;
}

/* destroy() of those created, the last one first. */
static void instances_uncreate(struct instances *all)
{
  size_t order, k;

  for (order = ARRAY_LEN(start_order); order-- > 0;) {
    for (k = all->count; k-- > 0;) {
      struct wps_instance *i = all->items[k];
      uint64_t owed;

      if (!i->created || i->component->kind != start_order[order])
        continue;
      i->created = 0;
      owed = atomic_load_explicit(&i->replies_owed, memory_order_acquire);
      if (owed > 0) {
#ifdef WPS_DEBUG
        check_failed(
            __FILE__, __LINE__,
            "contract violated: %s is destroyed and has never finished %llu "
            "replies",
            i->name, (unsigned long long)owed);
#else
        /* Somebody in there may still use it: safer left alone. */
        log_line(WPS_LOG_ERROR, i->name,
                 "still owes %llu replies; not destroyed",
                 (unsigned long long)owed);
        continue;
#endif
      }
      i->component->destroy(i->inst);
    }
  }
}

int instances_create(struct instances *all, char *why, size_t why_size)
{
  size_t order, k;

  for (order = 0; order < ARRAY_LEN(start_order); order++) {
    for (k = 0; k < all->count; k++) {
      struct wps_instance *i = all->items[k];
      int rc;

      if (i->component->kind != start_order[order])
        continue;
      rc = i->component->create(i, i->cfg, NULL, &i->inst);
      if (rc != WPS_OK) {
        snprintf(why, why_size, "%s: could not be created: %s", i->name,
                 status_name(rc));
        instances_uncreate(all);
        return rc < WPS_OK ? rc : WPS_EINTERNAL;
      }
      i->created = 1;
    }
  }
  return WPS_OK;
}

/* worker_stop() of those started on this worker; `limit_order`, `limit` is the
 * first that was not. */
static void worker_stop_before(struct instances *all, struct wps_worker *w,
                               size_t limit_order, size_t limit)
{
  size_t order, k;

  for (order = ARRAY_LEN(start_order); order-- > 0;) {
    if (order > limit_order)
      continue;
    for (k = order == limit_order ? limit : all->count; k-- > 0;) {
      struct wps_instance *i = all->items[k];

      if (i->component->kind == start_order[order] &&
          i->component->worker_stop != NULL)
        i->component->worker_stop(i->inst, w->instance_states[i->id]);
    }
  }
  free(w->instance_states);
  w->instance_states = NULL;
  w->instance_state_count = 0;
}

int instances_worker_start(struct instances *all, struct wps_worker *w)
{
  size_t order, k;
  int rc;

  w->instance_states =
      calloc(all->count > 0 ? all->count : 1, sizeof(*w->instance_states));
  if (w->instance_states == NULL)
    return WPS_ENOMEM;
  w->instance_state_count = all->count;
  for (order = 0; order < ARRAY_LEN(start_order); order++) {
    for (k = 0; k < all->count; k++) {
      struct wps_instance *i = all->items[k];

      if (i->component->kind != start_order[order] ||
          i->component->worker_start == NULL)
        continue;
      rc = i->component->worker_start(i->inst, w, &w->instance_states[i->id]);
      if (rc != WPS_OK) {
        log_line(WPS_LOG_ERROR, i->name,
                 "could not be started on worker %u: %s", w->index,
                 status_name(rc));
        worker_stop_before(all, w, order, k);
        return rc < WPS_OK ? rc : WPS_EINTERNAL;
      }
    }
  }
  return WPS_OK;
}

void instances_worker_stop(struct instances *all, struct wps_worker *w)
{
  if (w->instance_states != NULL)
    worker_stop_before(all, w, ARRAY_LEN(start_order) - 1, all->count);
}

void *instance_worker_state(const struct wps_instance *i,
                            const struct wps_worker *w)
{
  return i->id < w->instance_state_count ? w->instance_states[i->id] : NULL;
}

void instances_destroy(struct instances *all)
{
  size_t k;

  instances_uncreate(all);
  for (k = 0; k < all->count; k++) {
    struct wps_instance *i = all->items[k];

    if (atomic_load_explicit(&i->replies_owed, memory_order_acquire) > 0)
      continue; /* a late finishing call still counts down in it */
    free(i->name);
    free(i);
  }
  free(all->items);
  all->items = NULL;
  all->count = 0;
}
