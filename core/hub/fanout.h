/* SPDX-License-Identifier: Apache-2.0 */
/* hub/fanout.h - one message to a target, on all workers.
 *
 * The local members get it inside the call; every other worker that may have
 * some gets one post. Posts of one worker to another keep their order, and a
 * publisher stays on its worker, so that order per publisher holds. */
#ifndef WPS_HUB_FANOUT_H
#define WPS_HUB_FANOUT_H

#include "hub/hub.h"

/* One walk over receivers; remembers the last frame, because neighbours mostly
 * speak the same protocol. */
struct fanout {
  struct wps_message *msg;
  const struct wps_instance *instance;
  uint32_t variant;
  int status; /* of message_frame() for (instance, variant) */
  struct wps_frame *frame;
  uint64_t receivers;
};

static inline int fanout_frame(struct fanout *f,
                               const struct wps_instance *instance,
                               uint32_t variant, struct wps_frame **out)
{
  if (f->instance != instance || f->variant != variant) {
    f->instance = instance;
    f->variant = variant;
    f->status = message_frame(f->msg, instance, variant, &f->frame);
  }
  *out = f->frame;
  return f->status;
}

/* `self`: with WPS_TARGET_NOT_SELF not to this client, which is of this
 * worker; may be NULL. *receivers: how many got it here. A hub without clients
 * is no error. Errors: EINVAL, ENOMEM (some workers may have got it). */
int hub_publish(struct wps_worker *w, const struct wps_target *target,
                struct hub_client *self, struct wps_message *msg,
                uint64_t *receivers);

/* Clients that a target names on this worker, `excluded` left out, into a
 * malloc'ed array: commands change the lists they would walk. Errors: ENOMEM.
 */
int hub_select(struct hub_worker *hw, const struct wps_target *target,
               struct hub_client ***out, size_t *count);
/* Their number, O(1) without `excluded`. */
uint64_t hub_count(struct hub_worker *hw, const struct wps_target *target);
/* Workers that may have clients of the target, as bits. */
uint64_t hub_target_workers(struct hub *hub, const struct wps_target *target);

/* A target whose strings are owned: one block, freed with free(). */
struct target_copy {
  struct wps_target view;
};
struct target_copy *target_copy(const struct wps_target *target);
bool target_ok(const struct wps_target *target);

/* Where a reference lives. */
static inline uint32_t ref_worker(struct wps_conn_ref ref)
{
  return (uint32_t)(ref.opaque[0] >> 32);
}

#endif
