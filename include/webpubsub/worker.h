/* SPDX-License-Identifier: Apache-2.0 */
/* webpubsub/worker.h - time, timers, file descriptors and other threads.
 *
 * A callback must return quickly: it holds up every connection of its worker.
 * What blocks goes through offload(), or through a library that can be driven
 * by watch() and timer_start().
 */
#ifndef WEBPUBSUB_WORKER_H
#define WEBPUBSUB_WORKER_H

#include <webpubsub/types.h>

WPS_BEGIN_DECLS

enum { WPS_READ = 1 << 0, WPS_WRITE = 1 << 1 };

typedef void (*wps_watch_fn)(void *arg, int fd, uint32_t events);

struct wps_worker_api {
  uint32_t struct_size, reserved;

  /* The worker running the calling thread, or NULL on any other: the main
   * thread (check, create, drain, destroy), the pool, a plugin's own.
   * Thread: any. */
  struct wps_worker *(*current)(void);
  uint32_t (*index)(const struct wps_worker *worker); /* 0..count()-1 */
  uint32_t (*count)(void);
  struct wps_worker *(*at)(uint32_t index);           /* NULL past the end */

  /* What worker_start() of `self` stored for this worker, NULL when it has
   * none. Thread: worker. */
  void *(*state)(struct wps_instance *self, struct wps_worker *worker);

  /* Monotonic time of this loop iteration, and wall clock. Thread: worker for
   * now_us (cached), any for unix_ms. */
  int64_t (*now_us)(const struct wps_worker *worker);
  int64_t (*unix_ms)(void);

  /* Run fn(arg) on `worker`, in order of posting from one thread, soon and
   * exactly once; at shutdown still before worker_stop().
   * Thread: any. Errors: ENOMEM, ECLOSED (worker has stopped; fn not run). */
  int (*post)(struct wps_worker *worker, wps_fn fn, void *arg);

  /* Call fn(arg) after delay_ms, then every repeat_ms unless that is 0. The
   * handle of a one-shot timer is dead once fn has been entered; what still
   * runs at worker_stop() is stopped and freed after it.
   * Thread: worker. Returns NULL when out of memory. */
  struct wps_timer *(*timer_start)(struct wps_instance *self,
                                   struct wps_worker *worker, uint64_t delay_ms,
                                   uint64_t repeat_ms, wps_fn fn, void *arg);

  /* Stop a timer that has not ended; not a word from it afterwards.
   * Thread: worker. */
  void (*timer_stop)(struct wps_timer *timer);

  /* Report readiness of a non-blocking descriptor (level-triggered); an error
   * is reported as both readable and writable. The descriptor stays the
   * plugin's; stop the watch before closing it, in worker_stop() at the latest.
   * Thread: worker. Returns NULL when out of memory or fd is negative. */
  struct wps_watch *(*watch)(struct wps_instance *self,
                             struct wps_worker *worker, int fd, uint32_t events,
                             wps_watch_fn fn, void *arg);

  /* Change what is waited for; 0 pauses. After watch_stop() fn is not called
   * any more. Thread: worker. */
  void (*watch_update)(struct wps_watch *watch, uint32_t events);
  void (*watch_stop)(struct wps_watch *watch);

  /* Run work(arg) on a thread of the shared pool, then done(arg, status) on
   * `worker`: status WPS_OK, or ECANCELED when shutdown came before work().
   * done is called exactly once and is the place to free arg.
   * Thread: worker. Errors: ENOMEM, EAGAIN (pool queue full), ECLOSED (the
   * server ends); done not run. */
  int (*offload)(struct wps_instance *self, struct wps_worker *worker,
                 wps_fn work, wps_done_fn done, void *arg);
};

WPS_END_DECLS

#endif
