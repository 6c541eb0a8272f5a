/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/upstream-webhook/target.h"

#include <stdlib.h>

#include <webpubsub/host.h>

#include "plugins/upstream-webhook/authority.h"
#include "plugins/upstream-webhook/delivery.h"
#include "plugins/upstream-webhook/exchange.h"
#include "plugins/upstream-webhook/probe.h"
#include "plugins/upstream-webhook/site.h"

enum {
  SECOND_US = 1000000,
  PATIENCE_MS = 1000,
  SILENT_US = 3000000, /* a request without an answer for so long */
  TRIAL_US = 1900000,
  UNUSED_US = 600000000,
  PROBES_SPARE = 16, /* connections beside the places */
  CONNECTIONS_MAX = 1024,
  KEPT_MAX = 1024 /* handles, 10 KB each */
};

/* ---- life ---- */

static struct list *bucket_of(struct site *site,
                              const struct wps_handler *handler)
{
  uintptr_t key = (uintptr_t)handler / sizeof(void *);

  return &site->targets[(key ^ key >> 6) % SITE_BUCKETS];
}

static void capacity(struct site *site)
{
  size_t n = site->places + PROBES_SPARE;

  transport_capacity(&site->transport,
                     n < CONNECTIONS_MAX ? n : CONNECTIONS_MAX);
}

/* A reload leaves handlers behind that get no more events. */
static void sweep(struct site *site)
{
  struct list *n, *next;

  for (size_t i = 0; i < SITE_BUCKETS; i++)
    for (n = site->targets[i].next; n != &site->targets[i]; n = next) {
      struct target *t = LIST_ITEM(n, struct target, node);

      next = n->next;
      if (t->deliveries == 0 && site_now_us(site) - t->used_us > UNUSED_US)
        target_free(t);
    }
}

static struct target *target_new(struct site *site,
                                 const struct wps_handler *handler)
{
  struct target *t = calloc(1, sizeof(*t));
  char why[200];

  if (t == NULL)
    return NULL;
  sweep(site);
  list_init(&t->node);
  list_init(&t->backlog);
  list_init(&t->kept);
  for (size_t i = 0; i < LANES; i++) {
    list_init(&t->lanes[i].queue);
    list_init(&t->lanes[i].flying);
  }
  list_init(&t->asking);
  for (size_t i = 0; i < TARGET_PROBE_BUCKETS; i++)
    list_init(&t->probes[i]);
  t->site = site;
  t->handler = handler;
  auth_init(&t->auth, t);
  options_read(&t->options, site->inst->cfg, handler->cfg);
  /* check() has read it before. */
  if (url_template_read(handler->url, &t->url, why, sizeof(why)) != WPS_OK)
    goto fail;
  t->authority = authority_get(site, &t->url);
  if (t->authority == NULL || !auth_start(&t->auth))
    goto fail;
  list_add(bucket_of(site, handler), &t->node);
  site->target_count++;
  t->places = t->options.in_flight;
  site->places += t->places;
  capacity(site);
  return t;

fail:
  target_free(t);
  return NULL;
}

struct target *target_get(struct site *site, const struct wps_handler *handler)
{
  struct list *head = bucket_of(site, handler);

  for (struct list *n = head->next; n != head; n = n->next) {
    struct target *t = LIST_ITEM(n, struct target, node);

    if (t->handler == handler)
      return t;
  }
  return target_new(site, handler);
}

void target_free(struct target *t)
{
  struct list *node;

  if (!list_empty(&t->node)) {
    list_remove(&t->node);
    t->site->target_count--;
    t->site->places -= t->places;
  }
  list_remove(&t->backlog);
  if (t->patience != NULL)
    wps->worker->timer_stop(t->patience);
  probes_free(t);
  auth_end(&t->auth);
  t->site->kept -= t->kept_count;
  while ((node = list_pop(&t->kept)) != NULL)
    exchange_free(LIST_ITEM(node, struct exchange, node));
  if (t->authority != NULL)
    authority_put(t->authority);
  free(t);
}

/* ---- handles ---- */

struct exchange *target_take(struct target *t)
{
  struct list *node = list_pop(&t->kept);

  if (node == NULL)
    return exchange_new(&t->site->transport, &t->options);
  t->kept_count--;
  t->site->kept--;
  return LIST_ITEM(node, struct exchange, node);
}

void target_give(struct target *t, struct exchange *x)
{
  exchange_rest(x);
  if (t->kept_count >= t->places || t->site->kept >= KEPT_MAX ||
      exchange_is_spent(x)) {
    exchange_free(x);
    return;
  }
  /* In front: the one used last is warm. */
  list_add(t->kept.next, &x->node);
  t->kept_count++;
  t->site->kept++;
}

/* ---- places ---- */

struct lane *target_lane(struct target *t, const struct wps_event *event)
{
  if ((event->flags & WPS_EVENT_CONCURRENT) == 0)
    return &t->lanes[LANE_EVENTS];
  /* Most handlers never see one. */
  if (t->places == t->options.in_flight) {
    t->places += t->options.in_flight;
    t->site->places += t->options.in_flight;
    capacity(t->site);
  }
  return &t->lanes[LANE_CALLS];
}

bool target_wait(struct target *t, struct lane *lane, size_t bytes)
{
  uint32_t hidden;

  if (lane->waiting < t->options.queue &&
      bytes <= t->options.queue_bytes - lane->waiting_bytes) {
    lane->waiting++;
    lane->waiting_bytes += bytes;
    return true;
  }
  if (limiter_pass(&t->overflows, site_now_us(t->site), 1, &hidden))
    wps->log->write(
        t->site->inst->self, NULL, WPS_LOG_WARN,
        "%zu %s (%zu bytes) wait for %.*s, which is the limit "
        "`%s`: more fail at once (%u more since the last line)",
        lane->waiting, lane == &t->lanes[LANE_CALLS] ? "invocations" : "events",
        lane->waiting_bytes, STR_ARG(url_for_log(t->handler->url)),
        lane->waiting < t->options.queue ? "queue_bytes" : "queue", hidden);
  return false;
}

void target_waited(struct lane *lane, size_t bytes)
{
  lane->waiting--;
  lane->waiting_bytes -= bytes;
}

bool target_has_place(const struct target *t, const struct lane *lane)
{
  if (lane->flying_count >= t->options.in_flight + lane->extra)
    return false;
  return t->lanes[LANE_EVENTS].flying_count +
                 t->lanes[LANE_CALLS].flying_count ==
             0 ||
         authority_is_known(t->authority);
}

static bool is_old(const struct target *t, int64_t launched_us)
{
  return site_now_us(t->site) - launched_us > SILENT_US;
}

static bool is_silent(const struct target *t, const struct lane *lane)
{
  return !list_empty(&lane->flying) &&
         is_old(
             t,
             LIST_ITEM(lane->flying.next, struct delivery, node)->launched_us);
}

static bool is_idle(const struct lane *lane)
{
  return list_empty(&lane->queue) && lane->extra == 0;
}

/* A handler that hangs keeps its requests until they time out. That it is back
 * shows only to requests that are sent after that: one from time to time beyond
 * the places there are, but never more than twice as many; and for each that is
 * answered one more, so that those that wait need not wait for the lost. */
static void try_beyond(struct target *t, struct lane *lane)
{
  int64_t now = site_now_us(t->site);

  if (!is_silent(t, lane)) {
    lane->extra = 0;
  } else if (!target_has_place(t, lane) && lane->extra < t->options.in_flight &&
             now - lane->answered_us >= TRIAL_US &&
             now - lane->trial_us >= TRIAL_US) {
    lane->extra++;
    lane->trial_us = now;
  }
}

static void patience_over(void *arg)
{
  struct target *t = arg;

  if (is_idle(&t->lanes[LANE_EVENTS]) && is_idle(&t->lanes[LANE_CALLS])) {
    wps->worker->timer_stop(t->patience);
    t->patience = NULL;
    return;
  }
  for (size_t i = 0; i < LANES; i++)
    try_beyond(t, &t->lanes[i]);
  target_pump(t);
  transport_turn(&t->site->transport);
}

void target_stir(struct target *t)
{
  if (list_empty(&t->backlog))
    list_add(&t->site->backlog, &t->backlog);
}

void target_enqueue(struct target *t, struct lane *lane, struct list *delivery)
{
  list_add(&lane->queue, delivery);
  target_stir(t);
  if (t->patience == NULL)
    t->patience =
        wps->worker->timer_start(t->site->inst->self, t->site->worker,
                                 PATIENCE_MS, PATIENCE_MS, patience_over, t);
}

static void pump(struct target *t, struct lane *lane)
{
  struct list *node;

  while (target_has_place(t, lane) && (node = list_pop(&lane->queue)) != NULL)
    delivery_place(LIST_ITEM(node, struct delivery, node));
}

void target_pump(struct target *t)
{
  probes_pump(t);
  for (size_t i = 0; i < LANES; i++)
    pump(t, &t->lanes[i]);
  if (list_empty(&t->lanes[LANE_EVENTS].queue) &&
      list_empty(&t->lanes[LANE_CALLS].queue) && list_empty(&t->asking))
    list_remove(&t->backlog);
}

/* ---- breaker ---- */

bool target_may_try(struct target *t)
{
  int64_t now = site_now_us(t->site);

  if (!t->open)
    return true;
  if (now - t->tried_us < SECOND_US)
    return false;
  t->tried_us = now;
  return true;
}

void target_worked(struct target *t)
{
  t->fails = 0;
  if (!t->open)
    return;
  t->open = false;
  wps->log->write(t->site->inst->self, NULL, WPS_LOG_INFO,
                  "%.*s answers again: the circuit breaker is closed",
                  STR_ARG(url_for_log(t->handler->url)));
}

void target_failed(struct target *t)
{
  if (t->fails < UINT32_MAX)
    t->fails++;
  if (t->open || t->fails < t->options.breaker_failures)
    return;
  t->open = true;
  t->tried_us = site_now_us(t->site);
  wps->log->write(t->site->inst->self, NULL, WPS_LOG_WARN,
                  "%.*s failed %u times in a row: the circuit breaker is "
                  "open, and it is tried once a second",
                  STR_ARG(url_for_log(t->handler->url)), t->fails);
}

/* ---- the end of one ---- */

void target_landed(struct target *t, struct lane *lane, int64_t launched_us,
                   bool answered)
{
  lane->flying_count--;
  if (!answered)
    return;
  lane->answered_us = site_now_us(t->site);
  if (lane->extra > 0 && lane->extra < t->options.in_flight &&
      is_silent(t, lane) && !is_old(t, launched_us))
    lane->extra++;
}
