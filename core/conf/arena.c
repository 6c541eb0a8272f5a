/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/internal.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_MIN = 4096 };

struct arena_block {
  struct arena_block *next;
  size_t size, used;
  _Alignas(max_align_t) unsigned char bytes[];
};

void *arena_alloc(struct arena *a, size_t size)
{
  const size_t align = _Alignof(max_align_t);
  struct arena_block *b = a->blocks;
  void *out;

  if (size > SIZE_MAX / 2)
    return NULL;
  size = (size + align - 1) / align * align;
  if (b == NULL || b->size - b->used < size) {
    size_t room = size > BLOCK_MIN ? size : BLOCK_MIN;

    b = calloc(1, sizeof(*b) + room);
    if (b == NULL)
      return NULL;
    b->size = room;
    b->next = a->blocks;
    a->blocks = b;
  }
  out = b->bytes + b->used;
  b->used += size;
  return out;
}

struct wps_str arena_str(struct arena *a, struct wps_str s)
{
  char *copy = arena_alloc(a, s.len + 1);

  if (copy == NULL)
    return STR_NONE;
  if (s.len > 0)
    memcpy(copy, s.ptr, s.len);
  return (struct wps_str){copy, s.len};
}

void arena_free(struct arena *a)
{
  while (a->blocks != NULL) {
    struct arena_block *b = a->blocks;

    a->blocks = b->next;
    explicit_bzero(b->bytes, b->used);
    free(b);
  }
}
