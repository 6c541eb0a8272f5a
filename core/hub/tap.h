/* SPDX-License-Identifier: Apache-2.0 */
/* hub/tap.h - ears at a group: they hear what is published and are no members.
 *
 * Thread: the worker that made the tap. */
#ifndef WPS_HUB_TAP_H
#define WPS_HUB_TAP_H

#include "hub/hub.h"

/* hub->tap, ->untap. Errors: EINVAL, ENOTFOUND, ELIMIT, ENOMEM. */
int tap_new(struct wps_worker *w, struct wps_str hub, struct wps_str group,
            wps_tap_fn fn, void *arg, struct wps_tap **out);
void tap_free(struct wps_tap *tap);

/* Inside a tap a plugin publishes to the group (NULL: nobody here knows it):
 * may its taps hear that? Not when they are being told already, for that would
 * never end, nor when it gets too deep. */
bool taps_may_hear(struct hub_worker_set *set, const struct group *g);

/* Something is published to the group on this worker. Without members the group
 * may be gone after it. */
void taps_tell(struct group *g, struct wps_message *msg);

/* The worker's part of the hub ends, with no client left in it: all taps. */
void taps_end(struct hub_worker *hw);

#endif
