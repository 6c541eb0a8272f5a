/* SPDX-License-Identifier: Apache-2.0 */
/* conn/out_shared.h - what a group owes its members, as bytes for the wire.
 *
 * All messages that are pending in a group, in the encoding of one kind of
 * client, in one piece: made when the first client of that kind is written to,
 * and sent as it is to all the others. Good until the group's list changes.
 * Thread: the worker. */
#ifndef WPS_CONN_OUT_SHARED_H
#define WPS_CONN_OUT_SHARED_H

#include <sys/uio.h>

#include "hub/pending.h"

struct wps_frame;
struct wps_instance;

enum { OUT_SHARED_KINDS = 4, OUT_SHARED_BYTES = 1024 * 1024 };

struct out_shared {
  uint64_t serial; /* of the last entry; 0: nothing is here */
  uint32_t count;  /* of the entries */
  uint32_t variant;
  const struct wps_instance *instance;
  struct wps_frame **frames; /* of the entries; NULL: not to be shown to them */
  uint32_t frame_cap;
  struct iovec bytes;
  unsigned char *room;
  size_t room_size;
};

struct out_shared_set {
  struct out_shared kinds[OUT_SHARED_KINDS];
  uint32_t next; /* to be replaced */
};

void out_shared_stop(struct out_shared_set *set);
/* NULL: no memory, or too much for one piece. */
const struct out_shared *out_shared_get(struct out_shared_set *set,
                                        const struct pending *p,
                                        const struct wps_instance *instance,
                                        uint32_t variant);

#endif
