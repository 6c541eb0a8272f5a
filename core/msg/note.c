/* SPDX-License-Identifier: Apache-2.0 */
#include "msg/note.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct page {
  struct page *next;
  const struct wps_instance *owner;
  size_t len;
  unsigned char content[];
};

struct note {
  _Atomic uint32_t refs;
  uint32_t owners;
  struct page *pages; /* one of each owner */
};

struct note *note_new(void)
{
  struct note *n = calloc(1, sizeof(*n));

  if (n != NULL)
    atomic_init(&n->refs, 1);
  return n;
}

struct note *note_ref(struct note *n)
{
  if (n != NULL)
    atomic_fetch_add_explicit(&n->refs, 1, memory_order_relaxed);
  return n;
}

void note_unref(struct note *n)
{
  if (n == NULL ||
      atomic_fetch_sub_explicit(&n->refs, 1, memory_order_acq_rel) != 1)
    return;
  while (n->pages != NULL) {
    struct page *next = n->pages->next;

    free(n->pages);
    n->pages = next;
  }
  free(n);
}

int note_set(struct note *n, const struct wps_instance *owner,
             struct wps_bytes content)
{
  struct page **at = &n->pages, *old, *fresh;

  while (*at != NULL && (*at)->owner != owner)
    at = &(*at)->next;
  old = *at;
  if (content.len > NOTE_MAX || (old == NULL && n->owners >= NOTE_OWNERS_MAX))
    return WPS_ELIMIT;
  fresh = malloc(sizeof(*fresh) + content.len);
  if (fresh == NULL)
    return WPS_ENOMEM;
  fresh->next = old != NULL ? old->next : NULL;
  fresh->owner = owner;
  fresh->len = content.len;
  if (content.len != 0)
    memcpy(fresh->content, content.ptr, content.len);
  *at = fresh;
  if (old == NULL)
    n->owners++;
  free(old); /* last: the new content may be part of it */
  return WPS_OK;
}

struct wps_bytes note_get(const struct note *n,
                          const struct wps_instance *owner)
{
  const struct page *p = n->pages;

  while (p != NULL && p->owner != owner)
    p = p->next;
  return p != NULL ? (struct wps_bytes){p->content, p->len}
                   : (struct wps_bytes){NULL, 0};
}
