/* SPDX-License-Identifier: Apache-2.0 */
#include "msg/note.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct note {
  _Atomic uint32_t refs;
  uint32_t len;
  unsigned char *content;
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
  free(n->content);
  free(n);
}

int note_set(struct note *n, struct wps_bytes content)
{
  unsigned char *copy;

  if (content.len > NOTE_MAX)
    return WPS_ELIMIT;
  copy = malloc(content.len + 1);
  if (copy == NULL)
    return WPS_ENOMEM;
  if (content.len != 0)
    memcpy(copy, content.ptr, content.len);
  free(n->content);
  n->content = copy;
  n->len = (uint32_t)content.len;
  return WPS_OK;
}

struct wps_bytes note_get(const struct note *n)
{
  return (struct wps_bytes){n->content, n->len};
}
