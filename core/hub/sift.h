/* SPDX-License-Identifier: Apache-2.0 */
/* hub/sift.h - look at the clients of a target a few milliseconds at a time.
 *
 * What a server asks for may take long: a filter of 8 KiB, or a thousand groups
 * to be in, for every one of 100,000 clients. The clients that the target names
 * at the beginning are noted and looked at piece by piece, the rest of the
 * worker's work in between; pieces of several sifts take turns. Thread: the
 * worker of `hw`. */
#ifndef WPS_HUB_SIFT_H
#define WPS_HUB_SIFT_H

#include "hub/hub.h"

struct sift {
  struct list node; /* hub_worker_set.sifts */
  struct hub_worker *hw;
  const struct wps_target *target;
  /* For each client that passes the filter, ending ones not excepted where
   * there is none; false: it is not to be kept. NULL: keep all. */
  bool (*visit)(struct sift *s, struct hub_client *c);
  /* The last call. Those kept are refs[0..kept), as long as it lasts. */
  void (*over)(struct sift *s);
  struct wps_conn_ref *refs;
  size_t count, at, kept;
};

/* `target` has to stay until over(), which may come inside the call. When the
 * worker stops, what is left is done at once. Errors: ENOMEM; over() does not
 * come then. */
int sift_start(struct sift *s, struct hub_worker *hw,
               const struct wps_target *target,
               bool (*visit)(struct sift *s, struct hub_client *c),
               void (*over)(struct sift *s));

/* hub_worker_set.sift_next. */
void sift_more(struct defer *self);

#endif
