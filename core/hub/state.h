/* SPDX-License-Identifier: Apache-2.0 */
/* hub/state.h - what members of a group say about themselves, for others to
 * see. Of a hub, behind locks, for all workers. */
#ifndef WPS_HUB_STATE_H
#define WPS_HUB_STATE_H

#include "hub/hub.h"

struct hub_states; /* of one hub */

/* NULL when out of memory. */
struct hub_states *hub_states_new(void);
void hub_states_free(struct hub_states *hs); /* NULL is nothing */

/* hub->member_state, _watch, _unwatch. Thread: the client's worker. */
int state_set(struct wps_member *m, const struct wps_pair *entries,
              size_t count);
int state_watch(struct wps_member *m, wps_states_fn done, void *arg,
                uint64_t tag);
void state_unwatch(struct wps_member *m);
/* membership_end(): what it had is cleared, what it watched ends. */
void state_end(struct wps_member *m);

#endif
