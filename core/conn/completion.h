/* SPDX-License-Identifier: Apache-2.0 */
/* conn/completion.h - `done` callbacks that run later in the same turn.
 *
 * What a client asks for (join, leave, publish) is done at once here, but its
 * `done` must not run inside the call: it runs before this turn's flush, so
 * that effect and ack leave in one write. An array per worker, no allocation
 * per call. Thread: worker. */
#ifndef WPS_CONN_COMPLETION_H
#define WPS_CONN_COMPLETION_H

#include "base/base.h"

#include <webpubsub/hub.h>

struct wps_worker;
struct completions;

enum { DONE_CONN, DONE_JOINED, DONE_PUBLISHED, DONE_COUNT };

struct completion {
  uint32_t kind; /* DONE_* */
  int32_t status;
  struct wps_conn_ref ref; /* opaque[1] 0: no client asked */
  union {
    wps_conn_done_fn conn;
    wps_joined_fn joined;
    wps_published_fn published;
    wps_count_fn count;
  } fn;
  void *arg;
  uint64_t tag;
  uint64_t value; /* receivers, clients, serial of the membership */
};

struct completions *completions_new(struct wps_worker *w);
void completions_free(struct completions *cs);
/* Room for one, before anything happens that it would tell of: then that is
 * never refused after the fact. Errors: ENOMEM. */
int completion_reserve(struct wps_worker *w);
/* In that room; or there is nothing to tell. */
void completion_add(struct wps_worker *w, const struct completion *c);
void completion_unreserve(struct wps_worker *w);
/* At the end of the worker: run what is left. */
void completions_run_out(struct completions *cs);

#endif
