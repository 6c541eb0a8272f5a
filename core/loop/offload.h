/* SPDX-License-Identifier: Apache-2.0 */
/* loop/offload.h - bounded pool of threads for work that blocks. */
#ifndef WPS_LOOP_OFFLOAD_H
#define WPS_LOOP_OFFLOAD_H

#include "base/base.h"

struct offload;
struct wps_worker;

/* Threads start at first use. NULL when out of memory. Thread: main. */
struct offload *offload_new(uint32_t threads, uint32_t queue_max);
/* work(arg) on a pool thread, then done(arg, WPS_OK) on `w`, exactly once;
 * done(arg, WPS_ECANCELED) when shutdown came before work(). Thread: any.
 * Errors: ENOMEM, EAGAIN (queue full), ECLOSED; done does not run then. */
int offload_submit(struct offload *o, struct wps_worker *w, wps_fn work,
                   wps_done_fn done, void *arg);
/* Refuse new work, cancel what is queued, wait for what runs; the done calls
 * are posted, so the workers must still run. Thread: main. */
void offload_stop(struct offload *o);
void offload_free(struct offload *o);

#endif
