/* SPDX-License-Identifier: Apache-2.0 */
/* delivery.h - one event on its way to the application: validated, authorized,
 * sent, judged, sent again. Thread: the worker's. */
#ifndef WEBHOOK_DELIVERY_H
#define WEBHOOK_DELIVERY_H

#include <webpubsub/event.h>

#include "plugins/common/list.h"

struct exchange;
struct lane;
struct target;

enum {
  DELIVERY_NEW = 0,
  DELIVERY_VALIDATING,  /* in a probe's list            */
  DELIVERY_QUEUED,      /* in the target's queue        */
  DELIVERY_AUTHORIZING, /* in the list of the token     */
  DELIVERY_FLYING,      /* in the target's flying list  */
  DELIVERY_PAUSED       /* until the next attempt       */
};

struct delivery {
  struct list node; /* where it waits, by state */
  struct list all;  /* site.deliveries          */
  struct target *target;
  struct lane *lane;
  const struct wps_event *event;
  struct wps_reply *reply; /* NULL: nobody waits */
  struct exchange *exchange;
  struct wps_timer *timer; /* while it waits: deadline or pause */
  int64_t deadline_us;
  int64_t launched_us;
  size_t bytes;      /* what it counts for in the queue */
  uint32_t attempts; /* begun                           */
  uint32_t state;
  bool counted; /* among those that wait           */
  uint8_t reserved[7];
};

/* The way in; takes care of reply in any case. */
void delivery_begin(struct target *t, const struct wps_event *event,
                    struct wps_reply *reply);

/* By whom it waits for, when it is out of their list: the probe and the token
 * said yes, a place is free. */
void delivery_go_on(struct delivery *d);
void delivery_place(struct delivery *d);
/* Or no: the URL does not want events; there is no token now. */
void delivery_refused(struct delivery *d, const char *why);
void delivery_unauthorized(struct delivery *d, const char *why);

/* The worker stops. */
void delivery_abort(struct delivery *d);

#endif
