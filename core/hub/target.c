/* SPDX-License-Identifier: Apache-2.0 */
/* hub/target.c - targets that outlive the call they came with. */
#include <stdlib.h>
#include <string.h>

#include "hub/fanout.h"
#include "hub/filter.h"

bool target_ok(const struct wps_target *t)
{
  if (t->hub.len == 0 || t->kind < WPS_TO_HUB || t->kind > WPS_TO_CONN)
    return false;
  if (t->kind == WPS_TO_GROUP)
    return group_name_ok(t->name);
  return t->kind == WPS_TO_HUB || t->name.len != 0;
}

struct target_copy *target_copy(const struct wps_target *t)
{
  size_t size = sizeof(struct target_copy) + t->hub.len + t->name.len;
  struct target_copy *copy;
  struct wps_str *excluded;
  char *at;

  if (t->excluded_count > SIZE_MAX / 4 / sizeof(*excluded))
    return NULL;
  size += t->excluded_count * sizeof(*excluded);
  for (size_t i = 0; i < t->excluded_count; i++)
    size += t->excluded[i].len;
  copy = malloc(size);
  if (copy == NULL)
    return NULL;
  copy->view = *t;
  excluded = (struct wps_str *)(void *)(copy + 1);
  at = (char *)(excluded + t->excluded_count);
  copy->view.excluded = excluded;
  for (size_t i = 0; i < t->excluded_count; i++) {
    excluded[i] = (struct wps_str){at, t->excluded[i].len};
    if (excluded[i].len != 0)
      memcpy(at, t->excluded[i].ptr, excluded[i].len);
    at += excluded[i].len;
  }
  memcpy(at, t->hub.ptr, t->hub.len);
  copy->view.hub = (struct wps_str){at, t->hub.len};
  at += t->hub.len;
  if (t->name.len != 0)
    memcpy(at, t->name.ptr, t->name.len);
  copy->view.name = (struct wps_str){at, t->name.len};
  filter_ref(t->filter);
  return copy;
}

void target_free(struct target_copy *copy)
{
  if (copy == NULL)
    return;
  filter_unref(copy->view.filter);
  free(copy);
}
