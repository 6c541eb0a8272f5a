/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/upstream-webhook/delivery.h"

#include <stdlib.h>

#include <webpubsub/host.h>
#include <webpubsub/status.h>

#include "plugins/common/cloudevents/answer.h"
#include "plugins/upstream-webhook/authority.h"
#include "plugins/upstream-webhook/cookies.h"
#include "plugins/upstream-webhook/exchange.h"
#include "plugins/upstream-webhook/probe.h"
#include "plugins/upstream-webhook/site.h"
#include "plugins/upstream-webhook/target.h"

enum {
  REPORTS_PER_SECOND = 100,
  CLOCKS_DIFFER_US = 20000,
  OUTAGE_LOOK_MS = 1000 /* while a handler is known to be out of reach */
};

/* An attempt that did not work, in words. */
struct failure {
  int status;
  bool again;      /* worth another attempt                  */
  bool unexpected; /* the application answered, with `code`  */
  uint8_t reserved[2];
  uint32_t code;
  const char *why; /* unless unexpected                      */
};

static void step(struct delivery *d);
static void fail(struct delivery *d, const struct failure *f);

/* ---- waiting ---- */

static int64_t now_of(const struct delivery *d)
{
  return site_now_us(d->target->site);
}

static void stop_timer(struct delivery *d)
{
  if (d->timer != NULL)
    wps->worker->timer_stop(d->timer);
  d->timer = NULL;
}

/* Out of whatever it waits in. */
static void stop_waiting(struct delivery *d)
{
  stop_timer(d);
  list_remove(&d->node);
  if (d->counted)
    target_waited(d->lane, d->bytes);
  d->counted = false;
}

static void too_late(struct delivery *d)
{
  const struct failure f = {.status = WPS_ETIMEOUT,
                            .why = "its time (`timeout`) is over"};

  fail(d, &f);
}

static void timer_over(void *arg)
{
  struct delivery *d = arg;
  struct transport *transport = &d->target->site->transport;

  d->timer = NULL;
  if (d->state == DELIVERY_PAUSED && now_of(d) < d->deadline_us)
    step(d);
  else
    too_late(d);
  transport_turn(transport);
}

/* Be counted, and be told when the time is over, or the pause. False: it has
 * failed, and is gone. */
static bool wait_for(struct delivery *d, uint32_t state, uint64_t pause_ms)
{
  struct target *t = d->target;
  struct failure f = {.status = WPS_EUNAVAILABLE,
                      .why = "too many events wait for this handler"};
  int64_t left_us = d->deadline_us - now_of(d);
  uint64_t ms = left_us > 0 ? ((uint64_t)left_us + 999) / 1000 : 0;

  d->state = state;
  if (!d->counted && !target_wait(t, d->lane, d->bytes)) {
    fail(d, &f);
    return false;
  }
  d->counted = true;
  if (state == DELIVERY_PAUSED) {
    stop_timer(d);
    ms = pause_ms;
  }
  if (d->timer != NULL)
    return true; /* the deadline is the same */
  d->timer = wps->worker->timer_start(t->site->inst->self, t->site->worker, ms,
                                      0, timer_over, d);
  if (d->timer != NULL)
    return true;
  f.status = WPS_ENOMEM;
  f.why = "out of memory";
  fail(d, &f);
  return false;
}

/* ---- the end ---- */

static void end(struct delivery *d)
{
  struct site *site = d->target->site;

  stop_waiting(d);
  list_remove(&d->all);
  d->target->deliveries--;
  wps->event->unref(d->event);
  free(d);
  site_delivery_ended(site);
}

static void describe(struct text *out, const struct delivery *d,
                     const struct failure *f)
{
  const struct target *t = d->target;

  report_operation(out, d->event);
  if (f->unexpected)
    text_printf(out, " got unexpected response with status code %u.", f->code);
  else
    text_printf(out, " failed: %s.", f->why);
  text_printf(out, " (connection %.*s, %.*s, attempts: %u)",
              STR_ARG(d->event->conn), STR_ARG(url_for_log(t->handler->url)),
              d->attempts);
  text_terminate(out);
}

/* The core writes the detail of a failed message event, and nothing of the
 * others. */
static void report(struct delivery *d, const struct failure *f,
                   struct text *words)
{
  struct target *t = d->target;
  bool refusal = d->event->type == WPS_EVENT_CONNECT && f->unexpected &&
                 f->code >= 400 && f->code < 500;
  uint32_t hidden;

  describe(words, d, f);
  if (d->event->type == WPS_EVENT_MESSAGE || words->failed ||
      !limiter_pass(&t->failures, now_of(d), REPORTS_PER_SECOND, &hidden))
    return;
  wps->log->write(
      t->site->inst->self, NULL, refusal ? WPS_LOG_INFO : WPS_LOG_WARN, "%s%s",
      f->unexpected ? "HttpHandlerUnexpectedResponse: " : "", words->ptr);
  if (hidden > 0)
    wps->log->write(t->site->inst->self, NULL, WPS_LOG_WARN,
                    "%u more events of this handler failed since then", hidden);
}

static void fail(struct delivery *d, const struct failure *f)
{
  struct text words = {0};

  report(d, f, &words);
  if (d->reply == NULL)
    ;
  else if (d->event->type == WPS_EVENT_CONNECTED)
    wps->reply->ok(d->reply); /* only that it is over counts */
  else
    wps->reply->fail(d->reply, f->status, text_str(&words));
  d->reply = NULL;
  text_free(&words);
  end(d);
}

static void give_back(struct delivery *d)
{
  struct exchange *x = d->exchange;

  d->exchange = NULL;
  if (x != NULL)
    target_give(d->target, x);
}

/* Nobody waits any more, or the worker stops. */
static void withdraw(struct delivery *d)
{
  struct target *t = d->target;

  if (d->state == DELIVERY_FLYING) {
    list_remove(&d->node);
    exchange_cancel(d->exchange);
    give_back(d);
    target_landed(t, d->lane, d->launched_us, false);
  }
  if (d->reply != NULL && d->event->type == WPS_EVENT_CONNECTED)
    wps->reply->ok(d->reply);
  else if (d->reply != NULL)
    wps->reply->fail(d->reply, WPS_ECANCELED, STR("nobody waits any more"));
  d->reply = NULL;
  end(d);
}

static void abandoned(void *arg)
{
  struct delivery *d = arg;
  struct target *t = d->target;

  withdraw(d);
  target_pump(t);
  transport_turn(&t->site->transport);
}

void delivery_abort(struct delivery *d)
{
  withdraw(d);
}

/* ---- judging ---- */

static bool is_success(uint32_t code)
{
  return code >= 200 && code < 300;
}

/* The status, repeated or not (3.6). */
static bool worth_repeating(uint32_t code)
{
  return code == 408 || (code >= 500 && code < 600);
}

/* Now, or after a pause, if there is another attempt and time for it. False: it
 * was the last one. */
static bool try_again(struct delivery *d)
{
  const struct options *o = &d->target->options;
  uint64_t pause;

  if (d->attempts > o->retries || d->target->site->stopping)
    return false;
  pause = o->retry_ms[d->attempts - 1];
  if (now_of(d) + (int64_t)pause * 1000 >= d->deadline_us)
    return false;
  wait_for(d, DELIVERY_PAUSED, pause);
  return true;
}

/* Not to be sent now, because the handler is known to be out of reach. Nobody
 * waits for connected and disconnected: they look again until their time is
 * over, so that an outage hides nobody's coming and going, but not at shutdown,
 * which would wait for them. Joined and left are too many for that. True: it
 * goes on waiting. */
static bool sits_out(struct delivery *d)
{
  if ((d->event->type != WPS_EVENT_CONNECTED &&
       d->event->type != WPS_EVENT_DISCONNECTED) ||
      d->target->site->draining || d->target->site->stopping ||
      now_of(d) + OUTAGE_LOOK_MS * 1000 >= d->deadline_us)
    return false;
  wait_for(d, DELIVERY_PAUSED, OUTAGE_LOOK_MS);
  return true;
}

static void attempt_failed(struct delivery *d, const struct failure *f)
{
  if (!f->again || !try_again(d))
    fail(d, f);
}

static void refused_with_status(struct delivery *d, const struct failure *f,
                                const struct response *r)
{
  struct ce_answer answer = {.code = r->code, .body = text_str(&r->body)};
  struct text words = {0};

  report(d, f, &words);
  text_free(&words);
  if (r->has_type)
    answer.type = text_str(&r->type);
  ce_answer_refuse(&answer, d->reply);
  d->reply = NULL;
  end(d);
}

static int accept_answer(struct delivery *d, const struct response *r,
                         const char **why)
{
  struct wps_pair *metadata = NULL;
  struct ce_answer answer;
  int rc;

  if (r->metadata_count > 0) {
    metadata = calloc(r->metadata_count, sizeof(*metadata));
    *why = "out of memory";
    if (metadata == NULL)
      return WPS_ENOMEM;
  }
  answer = response_answer(r, metadata);
  rc = ce_answer_accept(d->target->site->inst->self, d->event, &answer,
                        d->reply, why);
  free(metadata);
  return rc;
}

static void judge_answer(struct delivery *d, struct exchange *x)
{
  const struct response *r = &x->response;
  struct failure f = {.status = WPS_EUNAVAILABLE,
                      .unexpected = true,
                      .again = worth_repeating(r->code),
                      .code = r->code};
  int rc;

  if (!is_success(r->code)) {
    if (r->code == 401)
      auth_rejected(&d->target->auth);
    if (f.again && try_again(d))
      return;
    if (d->event->type == WPS_EVENT_CONNECT && r->code >= 400 && r->code <= 599)
      refused_with_status(d, &f, r);
    else
      fail(d, &f);
    return;
  }
  if (r->has_cookie && d->event->type != WPS_EVENT_DISCONNECTED)
    cookies_keep(x, d->target->site->inst->self, d->event);
  f.unexpected = false;
  rc = accept_answer(d, r, &f.why);
  if (rc != WPS_OK) {
    f.status = rc;
    fail(d, &f);
    return;
  }
  d->reply = NULL;
  end(d);
}

static void landed(struct exchange *x, int ended)
{
  struct delivery *d = x->arg;
  struct target *t = d->target;
  struct failure f = {.status = WPS_EUNAVAILABLE, .why = exchange_error(x)};

  list_remove(&d->node);
  target_landed(t, d->lane, d->launched_us, ended == ENDED_ANSWERED);
  d->exchange = NULL;
  switch (ended) {
  case ENDED_ANSWERED:
    target_worked(t);
    judge_answer(d, x);
    break;
  case ENDED_TIMEOUT:
    target_failed(t);
    /* Not connected in time is the network's; no answer in time is final. */
    f.again = d->deadline_us - now_of(d) > CLOCKS_DIFFER_US;
    f.status = WPS_ETIMEOUT;
    attempt_failed(d, &f);
    break;
  case ENDED_NETWORK:
    if (!x->refused)
      target_failed(t);
    f.again = !x->refused;
    attempt_failed(d, &f);
    break;
  case ENDED_LOCAL:
    f.status = WPS_ENOMEM;
    fail(d, &f);
    break;
  default:
    target_worked(t);
    f.status = WPS_EPROTO;
    fail(d, &f);
    break;
  }
  target_give(t, x);
  target_pump(t);
}

/* ---- going ---- */

/* What of the body an event needs: a RESPONSE_*. */
static uint32_t wanted_of(const struct wps_event *event)
{
  switch (event->type) {
  case WPS_EVENT_CONNECT:
    return RESPONSE_REFUSAL;
  case WPS_EVENT_MESSAGE:
    return RESPONSE_SUCCESS;
  default:
    return RESPONSE_DROP;
  }
}

static int prepare(struct delivery *d, struct exchange *x,
                   struct wps_str authorization, const char **why)
{
  const struct target *t = d->target;
  const struct request_context context = {.url = &t->url,
                                          .origin =
                                              str_of(t->site->inst->origin),
                                          .authorization = authorization};
  int rc = request_event(&x->request, &context, d->event, why);

  return rc == WPS_OK ? cookies_load(x, t->site->inst->self, d->event) : rc;
}

static void launch(struct delivery *d, struct wps_str authorization)
{
  struct target *t = d->target;
  struct failure f = {.status = WPS_ENOMEM, .why = "out of memory"};
  int64_t left_us = d->deadline_us - now_of(d);
  struct exchange *x;
  int rc;

  if (left_us < 1000) {
    too_late(d);
    return;
  }
  if (!target_may_try(t)) {
    if (sits_out(d))
      return;
    d->attempts++;
    f.status = WPS_EUNAVAILABLE;
    f.why = "the server is down (the circuit breaker is open)";
    f.again = true;
    attempt_failed(d, &f);
    return;
  }
  d->attempts++;
  x = target_take(t);
  if (x == NULL) {
    f.why = "no handle: out of memory, or one of `ca`, `client_certificate` "
            "and `client_key` cannot be used";
    fail(d, &f);
    return;
  }
  rc = prepare(d, x, authorization, &f.why);
  if (rc == WPS_OK) {
    x->done = landed;
    x->arg = d;
    x->authority = t->authority;
    rc = exchange_start(x, wanted_of(d->event), (uint64_t)left_us / 1000,
                        t->options.connect_timeout_ms);
  }
  if (rc != WPS_OK) {
    target_give(t, x);
    f.status = rc;
    fail(d, &f);
    return;
  }
  stop_waiting(d);
  d->exchange = x;
  d->state = DELIVERY_FLYING;
  d->launched_us = now_of(d);
  list_add(&d->lane->flying, &d->node);
  d->lane->flying_count++;
}

void delivery_place(struct delivery *d)
{
  struct wps_str authorization;

  switch (auth_ask(&d->target->auth, &d->node, &authorization)) {
  case AUTH_READY:
    launch(d, authorization);
    break;
  case AUTH_WAIT:
    wait_for(d, DELIVERY_AUTHORIZING, 0);
    break;
  default:
    delivery_unauthorized(d, "there is no token from `token_url`");
    break;
  }
}

static void enqueue(struct delivery *d)
{
  struct target *t = d->target;

  if (target_has_place(t, d->lane) && list_empty(&d->lane->queue)) {
    delivery_place(d);
  } else if (wait_for(d, DELIVERY_QUEUED, 0)) {
    target_enqueue(t, d->lane, &d->node);
    target_pump(t);
  }
}

static void step(struct delivery *d)
{
  const char *why = NULL;

  switch (probe_ask(d->target, d->event->hub, &d->node, &why)) {
  case PROBE_PASSED:
    enqueue(d);
    break;
  case PROBE_WAIT:
    wait_for(d, DELIVERY_VALIDATING, 0);
    break;
  default:
    delivery_refused(d, why);
    break;
  }
}

void delivery_go_on(struct delivery *d)
{
  enqueue(d);
}

void delivery_refused(struct delivery *d, const char *why)
{
  const struct failure f = {.status = WPS_EUNAVAILABLE, .why = why};

  if (!sits_out(d))
    fail(d, &f);
}

void delivery_unauthorized(struct delivery *d, const char *why)
{
  const struct failure f = {
      .status = WPS_EUNAVAILABLE, .again = true, .why = why};

  /* launch() did not come to it. */
  d->attempts++;
  attempt_failed(d, &f);
}

static size_t size_of(const struct wps_event *event)
{
  enum { ABOUT_ITS_REQUEST = 4096, ABOUT = 512 };
  size_t size = sizeof(struct delivery) + ABOUT + event->user.len +
                event->app_state.len + event->reason.len + event->name.len +
                event->group.len;

  if (event->type == WPS_EVENT_CONNECT)
    size += ABOUT_ITS_REQUEST;
  for (size_t i = 0; i < event->claim_count; i++)
    size += sizeof(struct wps_pair) + event->claims[i].name.len +
            event->claims[i].value.len;
  for (size_t i = 0; i < event->header_count; i++)
    size += sizeof(struct wps_pair) + event->headers[i].name.len +
            event->headers[i].value.len;
  if (event->msg != NULL)
    size += wps->message->info(event->msg)->data.len;
  return size;
}

/* Nobody needs to know when a connected event is abandoned: it goes on. */
static bool watch_abandon(struct delivery *d)
{
  if (d->reply == NULL || d->event->type == WPS_EVENT_CONNECTED)
    return true;
  return wps->reply->on_abandon(d->reply, d->target->site->worker, abandoned,
                                d) != WPS_ECLOSED;
}

void delivery_begin(struct target *t, const struct wps_event *event,
                    struct wps_reply *reply)
{
  struct delivery *d = calloc(1, sizeof(*d));

  if (d == NULL) {
    if (reply != NULL)
      wps->reply->fail(reply, WPS_ENOMEM, STR("out of memory"));
    return;
  }
  list_init(&d->node);
  list_add(&t->site->deliveries, &d->all);
  d->target = t;
  d->lane = target_lane(t, event);
  d->event = wps->event->ref(event);
  d->reply = reply;
  d->bytes = size_of(event);
  d->deadline_us = now_of(d) + (int64_t)t->options.timeout_ms * 1000;
  t->site->delivery_count++;
  t->deliveries++;
  t->used_us = now_of(d);
  if (!watch_abandon(d)) {
    withdraw(d);
    return;
  }
  step(d);
}
