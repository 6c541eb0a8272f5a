/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/out_same.h"

#include <stdlib.h>
#include <string.h>

void out_same_start(struct out_same *same)
{
  memset(same, 0, sizeof(*same));
  same->room = malloc(OUT_SAME_BYTES);
}

void out_same_stop(struct out_same *same)
{
  out_same_forget(same);
  free(same->room);
  same->room = NULL;
}

void out_same_forget(struct out_same *same)
{
  for (uint32_t i = 0; i < same->count; i++)
    frame_unref(same->frames[i]);
  same->count = 0;
  same->gathered = false;
}

void out_same_note(struct out_same *same, struct outbound *o)
{
  if (same->room == NULL || o->count > OUT_SAME_MAX || o->sent != 0 ||
      o->bytes > OUT_SAME_BYTES)
    return;
  for (uint32_t i = 0; i < o->count; i++)
    if (!out_is_plain(outbound_unit(o, i)))
      return;
  out_same_forget(same);
  for (uint32_t i = 0; i < o->count; i++)
    same->frames[i] = frame_ref(outbound_unit(o, i)->frame);
  same->count = o->count;
  same->bytes = o->bytes;
}

bool out_same_fits(const struct out_same *same, struct outbound *o)
{
  if (o->count == 0 || o->count != same->count || o->bytes != same->bytes ||
      o->sent != 0)
    return false;
  for (uint32_t i = 0; i < o->count; i++) {
    const struct out_unit *u = outbound_unit(o, i);

    if (u->frame != same->frames[i] || !out_is_plain(u))
      return false;
  }
  return true;
}

struct iovec out_same_bytes(struct out_same *same)
{
  size_t at = 0;

  for (uint32_t i = 0; i < same->count && !same->gathered; i++) {
    const struct wps_frame *frame = same->frames[i];
    size_t len = frame_wire_len(frame);

    memcpy(same->room + at, frame_wire(frame), len);
    at += len;
  }
  same->gathered = true;
  return (struct iovec){same->room, same->bytes};
}
