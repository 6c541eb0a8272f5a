/* SPDX-License-Identifier: Apache-2.0 */
/* hub/fanout.h - one message to a target, on all workers.
 *
 * The local members get it inside the call; every other worker that may have
 * some gets one post. Posts of one worker to another keep their order, and a
 * publisher stays on its worker, so that order per publisher holds. What a
 * server sends to more than a few with a filter is sifted first, see sift.h, on
 * this worker, too. */
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

/* Whom to tell when a message is queued everywhere; fn NULL: nobody. */
struct publish_done {
  wps_published_fn fn; /* with conn NULL, on the publisher's worker; ECANCELED
                          on another thread when that has stopped */
  void *arg;
  uint64_t tag;
};

/* `self`: with WPS_TARGET_NOT_SELF not to this client, which is of this
 * worker; may be NULL. *receivers: how many got it here. *later: other workers
 * are still to queue it, and done->fn will be called; false without `done`. A
 * hub without clients is no error. Errors: EINVAL, ENOMEM (some workers may
 * have got it). */
int hub_publish(struct wps_worker *w, const struct wps_target *target,
                struct hub_client *self, struct wps_message *msg,
                const struct publish_done *done, uint64_t *receivers,
                bool *later);

/* To the members here that want messages of its kind, at once. */
void fanout_group(struct hub_worker *hw, struct wps_str group,
                  struct fanout *f);

/* Call fn for each client that a target names on this worker, without those
 * that `excluded` or the filter take out, until it gives something other than
 * WPS_OK, which is returned. fn only looks. */
int hub_each(struct hub_worker *hw, const struct wps_target *target,
             int (*fn)(void *arg, struct hub_client *c), void *arg);
/* Their number, O(1) without `excluded` and filter. */
uint64_t hub_count(struct hub_worker *hw, const struct wps_target *target);
/* Workers that may have clients of the target, as bits. */
uint64_t hub_target_workers(struct hub *hub, const struct wps_target *target);
/* The same for a target by its name; none where nobody uses the hub. Errors:
 * ENOMEM. */
int hub_find_workers(struct wps_worker *w, const struct wps_target *target,
                     uint64_t *workers);

/* A target that owns what it points at. */
struct target_copy {
  struct wps_target view;
};
struct target_copy *target_copy(const struct wps_target *target);
void target_free(struct target_copy *copy); /* may be NULL */
bool target_ok(const struct wps_target *target);

/* Where a reference lives. */
static inline uint32_t ref_worker(struct wps_conn_ref ref)
{
  return (uint32_t)(ref.opaque[0] >> 32);
}

#endif
