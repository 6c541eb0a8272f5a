/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/out_shared.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "msg/message.h"

/* Large frames are copied only where many get the copy. */
enum { ROOM_MIN = 16 * 1024, FRAME_LARGE = 4096, MEMBERS_FEW = 4 };

void out_shared_stop(struct out_shared_set *set)
{
  for (size_t i = 0; i < OUT_SHARED_KINDS; i++) {
    free(set->kinds[i].frames);
    free(set->kinds[i].room);
  }
  memset(set, 0, sizeof(*set));
}

static bool frames_room(struct out_shared *s, uint32_t count)
{
  struct wps_frame **bigger;

  if (count <= s->frame_cap)
    return true;
  if (FAULT("alloc_shared"))
    return false;
  bigger = realloc(s->frames, count * sizeof(struct wps_frame *));
  if (bigger == NULL)
    return false;
  s->frames = bigger;
  s->frame_cap = count;
  return true;
}

static bool bytes_room(struct out_shared *s, size_t len)
{
  size_t size = s->room_size != 0 ? s->room_size : ROOM_MIN;

  if (len <= s->room_size)
    return true;
  if (FAULT("alloc_shared"))
    return false;
  while (size < len)
    size *= 2;
  free(s->room);
  s->room = malloc(size);
  s->room_size = s->room != NULL ? size : 0;
  return s->room != NULL;
}

/* Encodes what is not encoded yet. */
static bool find_frames(struct out_shared *s, const struct pending *p,
                        size_t *total)
{
  if (!frames_room(s, p->count))
    return false;
  *total = 0;
  for (uint32_t i = 0; i < p->count; i++) {
    int rc = message_frame(p->entries[i].msg, s->instance, s->variant,
                           &s->frames[i]);

    if (rc == WPS_ENOMEM)
      return false;
    if (rc != WPS_OK)
      s->frames[i] = NULL;
    else
      *total += frame_wire_len(s->frames[i]);
  }
  return true;
}

static bool gather(struct out_shared *s, const struct pending *p, size_t total)
{
  size_t at = 0;

  if (p->count == 1) {
    s->bytes = (struct iovec){NULL, 0};
    if (s->frames[0] != NULL)
      s->bytes =
          (struct iovec){(void *)(uintptr_t)frame_wire(s->frames[0]), total};
    return true;
  }
  if (total > OUT_SHARED_BYTES ||
      (total / p->count > FRAME_LARGE && p->group->count < MEMBERS_FEW) ||
      !bytes_room(s, total))
    return false;
  for (uint32_t i = 0; i < p->count; i++) {
    const struct wps_frame *frame = s->frames[i];

    if (frame == NULL)
      continue;
    memcpy(s->room + at, frame_wire(frame), frame_wire_len(frame));
    at += frame_wire_len(frame);
  }
  s->bytes = (struct iovec){s->room, total};
  return true;
}

static bool same(const struct out_shared *s, const struct pending *p,
                 const struct wps_instance *instance, uint32_t variant)
{
  return s->serial == p->entries[p->count - 1].serial && s->count == p->count &&
         s->instance == instance && s->variant == variant;
}

const struct out_shared *out_shared_get(struct out_shared_set *set,
                                        const struct pending *p,
                                        const struct wps_instance *instance,
                                        uint32_t variant)
{
  struct out_shared *s;
  size_t total;

  for (size_t i = 0; i < OUT_SHARED_KINDS; i++)
    if (same(&set->kinds[i], p, instance, variant))
      return &set->kinds[i];
  s = &set->kinds[set->next];
  set->next = (set->next + 1) % OUT_SHARED_KINDS;
  s->instance = instance;
  s->variant = variant;
  s->serial = 0;
  s->count = p->count;
  if (!find_frames(s, p, &total) || !gather(s, p, total))
    return NULL;
  s->serial = p->entries[p->count - 1].serial;
  return s;
}
