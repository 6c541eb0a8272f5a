/* SPDX-License-Identifier: Apache-2.0 */
/* core_threads.h - the core's workers, replies and timers, for unit tests of
 * plugin code with threads: behind functions, because headers of the core and
 * of plugins do not go together in one file.
 */
#ifndef WPS_TESTS_UNIT_CORE_THREADS_H
#define WPS_TESTS_UNIT_CORE_THREADS_H

#include <webpubsub/host.h>

void core_start(uint32_t workers);
void core_stop(void);
/* A step on this worker: it has run when the call returns. */
void core_step(uint32_t index, wps_fn fn, void *arg);
/* What has been posted and deferred so far on any worker, and what it leads to,
 * is done. */
void core_settle(void);

uint32_t core_index(const struct wps_worker *w);
void core_post(struct wps_worker *w, wps_fn fn, void *arg);
/* current, at, now_us, and a unix_ms that stands still. */
extern const struct wps_worker_api core_worker_api;

/* fn runs once, on this worker, unless it is abandoned first, which only this
 * worker does, too. */
struct wps_reply *core_reply(void (*fn)(void *arg, int status), void *arg);
void core_reply_abandon(struct wps_reply *reply);
const struct wps_reply_api *core_reply_api(void);

/* Once, on this worker. */
struct wps_timer *core_timer(uint64_t delay_ms, wps_fn fn, void *arg);
/* Gives its arg back. */
void *core_timer_stop(struct wps_timer *t);

#endif
