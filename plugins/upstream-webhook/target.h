/* SPDX-License-Identifier: Apache-2.0 */
/* target.h - one event handler on one worker: its options, its places for
 * requests, those that wait for one, kept handles. Thread: the worker's. */
#ifndef WEBHOOK_TARGET_H
#define WEBHOOK_TARGET_H

#include <webpubsub/event.h>

#include "plugins/common/cloudevents/report.h"
#include "plugins/common/cloudevents/url.h"
#include "plugins/common/list.h"
#include "plugins/upstream-webhook/auth.h"
#include "plugins/upstream-webhook/options.h"

struct authority;
struct delivery;
struct exchange;
struct site;

enum { TARGET_PROBE_BUCKETS = 64 };

/* Invocations (CONCURRENT) may be slow by nature, and a client may have many
 * under way. They keep to places and a queue of their own, so that neither they
 * nor the other events wait for each other. */
enum { LANE_EVENTS = 0, LANE_CALLS = 1, LANES = 2 };

struct lane {
  struct list queue;  /* deliveries that wait for a place, oldest first */
  struct list flying; /* deliveries under way, oldest first             */
  size_t flying_count;
  size_t waiting, waiting_bytes; /* deliveries, whatever they wait for  */
  size_t extra;                  /* places beside those of the options  */
  int64_t answered_us, trial_us; /* the last ones                       */
};

struct target {
  struct list node;    /* of a bucket of the site                      */
  struct list backlog; /* in site.backlog while somebody waits here    */
  struct site *site;
  const struct wps_handler *handler;
  struct options options;
  struct url_template url;
  struct authority *authority;
  struct auth auth;
  struct list kept; /* exchanges for the next ones */
  size_t kept_count;
  struct lane lanes[LANES];
  size_t places;              /* what it counts for in those of the site */
  size_t deliveries;          /* of any state                            */
  int64_t used_us;            /* when the last one began                 */
  struct wps_timer *patience; /* while a queue is not empty              */
  struct list probes[TARGET_PROBE_BUCKETS];
  size_t probe_count;
  uint32_t fails; /* of the network, in a row               */
  bool open;      /* the breaker: one trial a second only    */
  int64_t tried_us;
  struct list asking; /* probes that wait to be asked        */
  size_t tries;       /* their requests, unless they are slow */
  struct limiter failures, overflows, refusals;
};

/* The handler's on this worker, made when it is first needed. NULL: out of
 * memory. */
struct target *target_get(struct site *site, const struct wps_handler *handler);
/* No delivery is there any more. */
void target_free(struct target *t);

/* A handle, to be given back. NULL: out of memory, or a file that the options
 * name cannot be used. */
struct exchange *target_take(struct target *t);
void target_give(struct target *t, struct exchange *x);

/* The lane for an event. */
struct lane *target_lane(struct target *t, const struct wps_event *event);

/* Room among those that wait? If so it is counted. */
bool target_wait(struct target *t, struct lane *lane, size_t bytes);
void target_waited(struct lane *lane, size_t bytes);

/* May one more request start? */
bool target_has_place(const struct target *t, const struct lane *lane);
void target_enqueue(struct target *t, struct lane *lane, struct list *delivery);
/* Somebody waits here for more than an end. */
void target_stir(struct target *t);
/* Start what may start. */
void target_pump(struct target *t);
/* The circuit breaker. Each handler has its own: one that hangs says nothing
 * about others on the same server. May a request go out now? With the breaker
 * open, one a second. */
bool target_may_try(struct target *t);
void target_worked(struct target *t);
void target_failed(struct target *t);
/* One under way, which began then, has ended; `answered`: with an answer. */
void target_landed(struct target *t, struct lane *lane, int64_t launched_us,
                   bool answered);

#endif
