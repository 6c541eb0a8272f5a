/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/upstream-webhook/probe.h"

#include <stdlib.h>
#include <string.h>

#include <webpubsub/host.h>
#include <webpubsub/status.h>

#include "plugins/upstream-webhook/authority.h"
#include "plugins/upstream-webhook/delivery.h"
#include "plugins/upstream-webhook/exchange.h"
#include "plugins/upstream-webhook/site.h"
#include "plugins/upstream-webhook/target.h"

enum {
  SECOND_MS = 1000,
  ATTEMPT_MS = 10 * SECOND_MS,
  PAUSE_MAX_MS = 2 * SECOND_MS, /* between attempts of the first probe      */
  FIRST_REPEAT_MS = SECOND_MS,  /* after a failure                          */
  REPEAT_MS = 2 * SECOND_MS,    /* and then, while events want the URL      */
  COMPANION_MS = 4 * SECOND_MS, /* a silent first attempt gets another      */
  FRESH_MS = 60 * SECOND_MS,    /* of a success                             */
  WANTED_MS = 10 * SECOND_MS,   /* a failed URL after the last event for it */
  TRIES_MAX = 6,                /* under way at a time                      */
  PROBES_MAX = 1024,            /* remembered for each handler              */
  WARNINGS_PER_SECOND = 10      /* about its URLs                           */
};

enum { STATE_UNKNOWN = 0, STATE_PASSED, STATE_FAILED };

struct probe {
  struct list node; /* of a bucket of the target */
  struct target *target;
  char *hub; /* "" where the URL does not depend on it */
  size_t hub_len;
  struct text url;
  uint32_t state;
  uint32_t repeated; /* attempts of the first probe after the first one */
  struct list tries;
  size_t try_count;
  struct list waiting; /* deliveries */
  struct list turn;    /* in target.asking until there is a place to ask */
  struct wps_timer *timer;
  int64_t ended_us;  /* when the state was last confirmed */
  int64_t wanted_us; /* by an event                       */
  int64_t warned_us;
  const char *cause; /* of the last warning */
};

struct attempt {
  struct list node;
  struct probe *probe;
  struct exchange *exchange;
  uint32_t method;
  bool counted; /* in target.tries: it is not slow yet */
  uint8_t reserved[3];
};

static const char not_wanted[] =
    "abuse protection: the URL has not allowed events from here";

static void begin_try(struct probe *p, uint32_t method);
static void ask(struct probe *p);
static void time_over(void *arg);

/* ---- which ---- */

static struct list *bucket_of(struct target *t, struct wps_str hub)
{
  uint32_t hash = 2166136261u;

  for (size_t i = 0; i < hub.len; i++)
    hash = (hash ^ (unsigned char)hub.ptr[i]) * 16777619u;
  return &t->probes[hash % TARGET_PROBE_BUCKETS];
}

static int64_t now_of(const struct probe *p)
{
  return site_now_us(p->target->site);
}

static void stop_timer(struct probe *p)
{
  if (p->timer != NULL)
    wps->worker->timer_stop(p->timer);
  p->timer = NULL;
}

static void start_timer(struct probe *p, uint64_t ms)
{
  struct site *site = p->target->site;

  stop_timer(p);
  p->timer = wps->worker->timer_start(site->inst->self, site->worker, ms, 0,
                                      time_over, p);
}

static void uncount(struct attempt *a)
{
  if (a->counted)
    a->probe->target->tries--;
  a->counted = false;
}

static void forget_try(struct attempt *a)
{
  uncount(a);
  list_remove(&a->node);
  a->probe->try_count--;
  free(a);
}

static void end_try(struct attempt *a)
{
  exchange_cancel(a->exchange);
  target_give(a->probe->target, a->exchange);
  forget_try(a);
}

static void end_tries(struct probe *p)
{
  while (!list_empty(&p->tries))
    end_try(LIST_ITEM(p->tries.next, struct attempt, node));
}

static void probe_free(struct probe *p)
{
  stop_timer(p);
  end_tries(p);
  list_remove(&p->node);
  list_remove(&p->waiting);
  list_remove(&p->turn);
  p->target->probe_count--;
  text_free(&p->url);
  free(p->hub);
  free(p);
}

void probes_free(struct target *t)
{
  for (size_t i = 0; i < TARGET_PROBE_BUCKETS; i++)
    while (!list_empty(&t->probes[i]))
      probe_free(LIST_ITEM(t->probes[i].next, struct probe, node));
}

/* Clients can name any number of hubs where "*" is configured: what is known
 * about those that nobody wanted for longest is forgotten. */
static void make_room(struct target *t)
{
  struct probe *oldest = NULL;

  if (t->probe_count < PROBES_MAX)
    return;
  for (size_t i = 0; i < TARGET_PROBE_BUCKETS; i++)
    for (struct list *n = t->probes[i].next; n != &t->probes[i]; n = n->next) {
      struct probe *p = LIST_ITEM(n, struct probe, node);

      if (list_empty(&p->waiting) && list_empty(&p->tries) &&
          (oldest == NULL || p->wanted_us < oldest->wanted_us))
        oldest = p;
    }
  if (oldest != NULL)
    probe_free(oldest);
}

static struct probe *probe_new(struct target *t, struct wps_str hub)
{
  struct probe *p;

  make_room(t);
  p = calloc(1, sizeof(*p));
  if (p == NULL)
    return NULL;
  list_init(&p->node);
  list_init(&p->tries);
  list_init(&p->waiting);
  list_init(&p->turn);
  p->target = t;
  p->warned_us = INT64_MIN;
  t->probe_count++;
  p->hub = malloc(hub.len + 1);
  url_template_fill(&t->url, hub, STR("validate"), &p->url);
  text_terminate(&p->url);
  if (p->hub == NULL || p->url.failed) {
    probe_free(p);
    return NULL;
  }
  if (hub.len > 0)
    memcpy(p->hub, hub.ptr, hub.len);
  p->hub_len = hub.len;
  list_add(bucket_of(t, hub), &p->node);
  return p;
}

static struct probe *probe_get(struct target *t, struct wps_str hub)
{
  struct list *head;

  if (!t->url.has_hub)
    hub = STR("");
  head = bucket_of(t, hub);
  for (struct list *n = head->next; n != head; n = n->next) {
    struct probe *p = LIST_ITEM(n, struct probe, node);

    if (str_equal((struct wps_str){p->hub, p->hub_len}, hub))
      return p;
  }
  return probe_new(t, hub);
}

/* ---- log ---- */

static void log_passed(struct probe *p)
{
  struct wps_str url = url_for_log(text_str(&p->url));

  p->cause = NULL;
  p->warned_us = INT64_MIN;
  wps->log->write(p->target->site->inst->self, NULL,
                  p->state == STATE_PASSED ? WPS_LOG_DEBUG : WPS_LOG_INFO,
                  "abuse protection: %.*s allows events from %s", STR_ARG(url),
                  p->target->site->inst->origin);
}

/* A URL that stays as it is does not fill the log. */
static void log_failed(struct probe *p, const char *cause, uint32_t method,
                       const char *detail)
{
  struct wps_str url = url_for_log(text_str(&p->url));
  bool news = p->cause == NULL || strcmp(p->cause, cause) != 0 ||
              now_of(p) - p->warned_us >= (int64_t)FRESH_MS * 1000;
  uint32_t hidden;

  /* Nor do thousands of hubs at a time. */
  news = news && limiter_pass(&p->target->refusals, now_of(p),
                              WARNINGS_PER_SECOND, &hidden);
  if (news) {
    p->cause = cause;
    p->warned_us = now_of(p);
  }
  wps->log->write(
      p->target->site->inst->self, NULL, news ? WPS_LOG_WARN : WPS_LOG_DEBUG,
      "%s: abuse protection: %s %.*s: %s", cause,
      method == METHOD_GET ? "GET" : "OPTIONS", STR_ARG(url), detail);
}

/* ---- results ---- */

static void passed(struct probe *p)
{
  struct list waiting, *node;

  log_passed(p);
  stop_timer(p);
  end_tries(p);
  p->state = STATE_PASSED;
  p->ended_us = now_of(p);
  p->repeated = 0;
  target_worked(p->target);
  list_init(&waiting);
  list_move(&waiting, &p->waiting);
  while ((node = list_pop(&waiting)) != NULL)
    delivery_go_on(LIST_ITEM(node, struct delivery, node));
}

static void failed(struct probe *p)
{
  struct list waiting, *node;

  p->state = STATE_FAILED;
  p->ended_us = now_of(p);
  p->repeated = 0;
  start_timer(p, FIRST_REPEAT_MS);
  list_init(&waiting);
  list_move(&waiting, &p->waiting);
  while ((node = list_pop(&waiting)) != NULL)
    delivery_refused(LIST_ITEM(node, struct delivery, node), not_wanted);
}

/* One attempt did not pass; `again`: another one might (3.6). */
static void not_passed(struct probe *p, bool again)
{
  const struct options *o = &p->target->options;

  switch (p->state) {
  case STATE_UNKNOWN:
    if (again && p->repeated < o->retries) {
      uint64_t pause = o->retry_ms[p->repeated++];

      start_timer(p, pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS);
    } else {
      failed(p); /* companions may still turn it */
    }
    break;
  case STATE_PASSED:
    failed(p);
    break;
  default: /* the timer runs */
    p->ended_us = now_of(p);
    break;
  }
}

static void answered(struct probe *p, uint32_t method, const struct response *r)
{
  struct site *site = p->target->site;
  char detail[128];

  if (r->code < 200 || r->code > 299) {
    snprintf(detail, sizeof(detail), "status code %u", r->code);
    log_failed(p, "AbuseProtectionResponseInvalidStatusCode", method, detail);
    not_passed(p, r->code == 408 || r->code >= 500);
  } else if (!response_allows(r, str_of(site->inst->origin))) {
    snprintf(detail, sizeof(detail),
             "WebHook-Allowed-Origin names neither * nor %.80s",
             site->inst->origin);
    log_failed(p, "AbuseProtectionResponseMissingAllowedOrigin", method,
               detail);
    not_passed(p, false);
  } else {
    passed(p);
  }
}

/* The server does not answer: who has not even been asked about learns that
 * now, not when all those before have had their time. */
static void fail_those_behind(struct target *t)
{
  struct list behind, *node;

  list_init(&behind);
  list_move(&behind, &t->asking);
  while ((node = list_pop(&behind)) != NULL) {
    struct probe *p = LIST_ITEM(node, struct probe, turn);

    if (p->state == STATE_UNKNOWN)
      failed(p);
  }
}

static void landed(struct exchange *x, int ended)
{
  struct attempt *a = x->arg;
  struct probe *p = a->probe;
  struct target *t = p->target;
  uint32_t method = a->method;

  forget_try(a);
  if (ended == ENDED_ANSWERED && x->response.code == 404 &&
      method == METHOD_OPTIONS) {
    begin_try(p, METHOD_GET);
  } else if (ended == ENDED_ANSWERED) {
    answered(p, method, &x->response);
  } else {
    log_failed(p, "AbuseProtectionResponseFailed", method, exchange_error(x));
    not_passed(p, ended == ENDED_NETWORK);
    if (ended == ENDED_TIMEOUT)
      fail_those_behind(t);
  }
  target_give(t, x);
  probes_pump(t);
}

/* ---- attempts ---- */

static void begin_try(struct probe *p, uint32_t method)
{
  struct target *t = p->target;
  struct attempt *a = calloc(1, sizeof(*a));
  struct exchange *x = a != NULL ? target_take(t) : NULL;

  if (x == NULL || request_probe(&x->request, method, text_str(&p->url),
                                 str_of(t->site->inst->origin)) != WPS_OK)
    goto fail;
  *a = (struct attempt){.probe = p, .exchange = x, .method = method};
  list_init(&a->node);
  x->done = landed;
  x->arg = a;
  x->authority = t->authority;
  if (exchange_start(x, RESPONSE_DROP, ATTEMPT_MS,
                     t->options.connect_timeout_ms) != WPS_OK)
    goto fail;
  list_add(&p->tries, &a->node);
  p->try_count++;
  a->counted = true;
  t->tries++;
  if (p->state == STATE_UNKNOWN)
    start_timer(p, COMPANION_MS);
  return;

fail:
  if (x != NULL)
    target_give(t, x);
  free(a);
  log_failed(p, "AbuseProtectionResponseFailed", method,
             "out of memory, or one of `ca`, `client_certificate` and "
             "`client_key` cannot be used");
  not_passed(p, false);
}

/* As for events: so many at a time, and one ahead while a name is not known.
 * What has been slow is not counted any more, so that a server that comes back
 * is found although it still owes answers. */
static bool may_ask(const struct target *t)
{
  return t->tries < t->options.in_flight &&
         (t->tries == 0 || authority_is_known(t->authority));
}

static void ask(struct probe *p)
{
  struct target *t = p->target;

  if (may_ask(t)) {
    list_remove(&p->turn);
    begin_try(p, METHOD_OPTIONS);
  } else if (list_empty(&p->turn)) {
    list_add(&t->asking, &p->turn);
    target_stir(t);
  }
}

void probes_pump(struct target *t)
{
  struct list *node;

  while (may_ask(t) && (node = list_pop(&t->asking)) != NULL) {
    struct probe *p = LIST_ITEM(node, struct probe, turn);

    if (p->state == STATE_UNKNOWN && list_empty(&p->waiting))
      p->state = p->try_count == 0 ? STATE_FAILED : p->state;
    else
      begin_try(p, METHOD_OPTIONS);
  }
}

/* The next attempt, whatever has become of those before: a server that comes
 * back need not answer what it was asked before. */
static void time_over(void *arg)
{
  struct probe *p = arg;
  struct target *t = p->target;
  struct transport *transport = &t->site->transport;

  p->timer = NULL;
  for (struct list *n = p->tries.next; n != &p->tries; n = n->next)
    uncount(LIST_ITEM(n, struct attempt, node));
  if (p->state == STATE_FAILED) {
    if (now_of(p) - p->wanted_us > (int64_t)WANTED_MS * 1000)
      return;
    start_timer(p, REPEAT_MS);
  } else if (p->state == STATE_UNKNOWN && list_empty(&p->waiting)) {
    if (p->try_count == 0)
      p->state = STATE_FAILED;
    probes_pump(t);
    transport_turn(transport);
    return;
  }
  probes_pump(t); /* those that have waited go first */
  if (p->try_count < TRIES_MAX)
    ask(p);
  transport_turn(transport);
}

static bool is_exempt(const struct target *t)
{
  return !t->options.validate ||
         (t->url.loopback && !t->options.validate_loopback);
}

int probe_ask(struct target *t, struct wps_str hub, struct list *delivery,
              const char **why)
{
  struct probe *p;

  if (is_exempt(t))
    return PROBE_PASSED;
  *why = not_wanted;
  p = probe_get(t, hub);
  if (p == NULL) {
    *why = "out of memory";
    return PROBE_FAILED;
  }
  p->wanted_us = now_of(p);
  /* Nobody has looked for a while: what is known is no reason to refuse, but
   * one attempt is enough. */
  if (p->state == STATE_FAILED && p->timer == NULL) {
    p->state = STATE_UNKNOWN;
    p->repeated = RETRIES_MAX;
  }
  if (p->state == STATE_PASSED) {
    if (p->try_count == 0 &&
        now_of(p) - p->ended_us >= (int64_t)FRESH_MS * 1000)
      ask(p);
    return PROBE_PASSED;
  }
  /* Before the delivery is in the list: it may fail at once. */
  if (p->state == STATE_UNKNOWN && p->try_count == 0 && p->timer == NULL)
    ask(p);
  if (p->state == STATE_FAILED)
    return PROBE_FAILED;
  list_add(&p->waiting, delivery);
  return PROBE_WAIT;
}
