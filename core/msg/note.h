/* SPDX-License-Identifier: Apache-2.0 */
/* msg/note.h - what upstreams keep about one client, each for itself: a box
 * that the admission, the client and all its events share.
 *
 * Thread: the count is atomic, since the last event may go anywhere; what is
 * inside belongs to the client's worker. */
#ifndef WPS_MSG_NOTE_H
#define WPS_MSG_NOTE_H

#include "base/base.h"

enum { NOTE_MAX = 64 * 1024, NOTE_OWNERS_MAX = 4 };

struct note;
struct wps_instance;

/* Empty, with one reference. NULL when out of memory. */
struct note *note_new(void);
struct note *note_ref(struct note *n); /* NULL stays NULL */
void note_unref(struct note *n);
/* Errors: ENOMEM, ELIMIT (length, owners); what was inside stays then. */
int note_set(struct note *n, const struct wps_instance *owner,
             struct wps_bytes content);
/* {NULL,0}: nothing yet. Lives until the next note_set() of this owner. */
struct wps_bytes note_get(const struct note *n,
                          const struct wps_instance *owner);

#endif
