/* SPDX-License-Identifier: Apache-2.0 */
/* hub/listing.h - which clients a target reaches, a page at a time.
 *
 * Each worker brings its smallest ids behind the cursor, as many as the page
 * holds and one, and the worker that asked merges them. */
#ifndef WPS_HUB_LISTING_H
#define WPS_HUB_LISTING_H

#include "hub/fanout.h"

/* As hub->list(). Thread: worker. Errors: EINVAL, ENOMEM; `done` does not run
 * then. */
int hub_list(struct wps_worker *w, const struct wps_target *who,
             const struct wps_list_query *query, wps_listing_fn done,
             void *arg);

#endif
