/* SPDX-License-Identifier: Apache-2.0 */
/* msg/event.h - immutable events for upstreams, and owned copies of answers.
 *
 * Thread: any; the count is atomic. */
#ifndef WPS_MSG_EVENT_H
#define WPS_MSG_EVENT_H

#include <stdatomic.h>

#include "base/base.h"

#include <webpubsub/event.h>

struct note;

struct event {
  _Atomic uint32_t refs;
  uint32_t reserved;
  struct note *note;     /* of the client */
  struct wps_event view; /* points into this block, and at msg */
};

/* Copy everything `from` points at but msg, of which a reference is taken as of
 * `note`, and req, which is borrowed until the event's reply has been finished.
 * A new id is made. NULL when out of memory. */
struct event *event_new(const struct wps_event *from, struct note *note);
struct event *event_of(const struct wps_event *view);
void event_unref(struct event *e); /* NULL is nothing */

/* An answer, copied; one block, freed with answer_free(). */
struct answer {
  struct wps_event_answer view;
};
void answer_free(void *answer);

/* Behind wps->event. Thread: as there. */
const struct wps_event *event_view_ref(const struct wps_event *view);
void event_view_unref(const struct wps_event *view);
void event_answer(struct wps_reply *reply,
                  const struct wps_event_answer *answer);
int event_keep(struct wps_instance *self, const struct wps_event *view,
               struct wps_bytes note);
struct wps_bytes event_kept(struct wps_instance *self,
                            const struct wps_event *view);

#endif
