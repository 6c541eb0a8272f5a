/* SPDX-License-Identifier: Apache-2.0 */
/* site.h - the instance, and what each worker has of it.
 *
 * upstream-webhook.c  the component: life, drain, the way in
 *   delivery.c        one event: validated, authorized, sent, judged, repeated
 *     target.c        one handler on a worker: places, queue, breaker, handles
 *       probe.c       abuse protection of its URLs
 *       auth.c        its Authorization header
 *       authority.c   one server on a worker: is its name known
 *   exchange.c        one request and answer on a handle (response, cookies)
 *     transport.c     libcurl's multi on the worker's loop
 *
 * What events look like over HTTP, and what answers mean, is in
 * plugins/common/cloudevents. A worker's part is touched by that worker only.
 */
#ifndef WEBHOOK_SITE_H
#define WEBHOOK_SITE_H

#include <pthread.h>

#include <webpubsub/event.h>

#include "plugins/common/cloudevents/origin.h"
#include "plugins/common/list.h"
#include "plugins/upstream-webhook/transport.h"

enum { SITE_BUCKETS = 64, WORKERS_MAX = 64 };

struct webhook {
  struct wps_instance *self;
  const struct wps_config *cfg;
  char origin[ORIGIN_MAX];         /* WebHook-Request-Origin */
  struct site *sites[WORKERS_MAX]; /* by index; written before and after all */
                                   /*   that could call drain             */
  pthread_mutex_t lock;            /* of what follows */
  struct wps_reply *drained;
  size_t draining; /* workers that have something to finish */
};

struct site {
  struct webhook *inst;
  struct wps_worker *worker;
  struct transport transport;
  struct list authorities; /* struct authority */
  struct list targets[SITE_BUCKETS];
  struct list backlog;    /* targets where somebody waits */
  struct list deliveries; /* not finished */
  size_t delivery_count;
  size_t places; /* of all targets */
  size_t kept;   /* handles */
  size_t target_count;
  bool stirred; /* queues may move for another reason than an end */
  bool draining, stopping;
  uint8_t reserved[5];
};

/* A delivery has ended: it may have been the last one that a drain waits for.
 */
void site_delivery_ended(struct site *site);
int64_t site_now_us(const struct site *site);

#endif
