/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/upstream-webhook/auth.h"

#include <stdlib.h>
#include <string.h>

#include <webpubsub/host.h>
#include <webpubsub/status.h>

#include "plugins/upstream-webhook/delivery.h"
#include "plugins/upstream-webhook/exchange.h"
#include "plugins/upstream-webhook/site.h"
#include "plugins/upstream-webhook/target.h"
#include "plugins/upstream-webhook/token_answer.h"

enum {
  FETCH_MS = 10000,
  SECOND_US = 1000000,
  SLOW_US = 3 * SECOND_US, /* a silent fetch gets a companion           */
  EARLY_S = 300,           /* a new one is fetched before the end     */
  LONGEST_S = 7 * 24 * 3600,
  REJECTED_AFTER_US = 10 * SECOND_US
};

static int64_t now_of(const struct auth *a)
{
  return site_now_us(a->target->site);
}

void auth_init(struct auth *a, struct target *t)
{
  memset(a, 0, sizeof(*a));
  a->target = t;
  a->failed_us = INT64_MIN / 2;
  list_init(&a->waiting);
}

bool auth_start(struct auth *a)
{
  const struct options *o = &a->target->options;

  if (o->auth != AUTH_BEARER)
    return true;
  text_add_str(&a->header, STR("Bearer "));
  text_add_str(&a->header, o->token);
  return !a->header.failed;
}

static void end_fetches(struct auth *a)
{
  for (size_t i = 0; i < AUTH_FETCHES; i++) {
    if (a->fetches[i] != NULL)
      exchange_free(a->fetches[i]);
    a->fetches[i] = NULL;
  }
}

static bool is_fetching(const struct auth *a)
{
  for (size_t i = 0; i < AUTH_FETCHES; i++)
    if (a->fetches[i] != NULL)
      return true;
  return false;
}

void auth_end(struct auth *a)
{
  end_fetches(a);
  if (a->header.len > 0)
    explicit_bzero(a->header.ptr, a->header.len);
  text_free(&a->header);
}

/* ---- fetching ---- */

static void release(struct auth *a, bool ready)
{
  struct list waiting, *node;

  list_init(&waiting);
  list_move(&waiting, &a->waiting);
  while ((node = list_pop(&waiting)) != NULL) {
    struct delivery *d = LIST_ITEM(node, struct delivery, node);

    if (ready)
      delivery_go_on(d);
    else
      delivery_unauthorized(d, "token_url gave no token");
  }
}

static void fetch_failed(struct auth *a, const char *why)
{
  struct target *t = a->target;

  a->failed_us = now_of(a);
  wps->log->write(t->site->inst->self, NULL, WPS_LOG_WARN,
                  "no token for %.*s from %.*s: %s",
                  STR_ARG(url_for_log(t->handler->url)),
                  STR_ARG(url_for_log(t->options.token_url)), why);
  if (!is_fetching(a) && now_of(a) >= a->expires_us)
    release(a, false);
}

static void take_token(struct auth *a, struct wps_str body)
{
  struct text header = {0};
  const char *why = "out of memory";
  uint64_t seconds;

  text_add_str(&header, STR("Bearer "));
  if (token_answer_read(body, &header, &seconds, &why) != WPS_OK ||
      header.failed) {
    text_free(&header);
    fetch_failed(a, why);
    return;
  }
  if (seconds > LONGEST_S)
    seconds = LONGEST_S;
  end_fetches(a); /* one is enough */
  text_free(&a->header);
  a->header = header;
  a->fetched_us = now_of(a);
  a->expires_us = a->fetched_us + (int64_t)seconds * SECOND_US;
  a->refresh_us = seconds > 2 * EARLY_S
                      ? a->expires_us - (int64_t)EARLY_S * SECOND_US
                      : a->fetched_us + (int64_t)seconds * SECOND_US / 2;
  release(a, true);
}

static void landed(struct exchange *x, int ended)
{
  struct auth *a = x->arg;
  char why[64];

  for (size_t i = 0; i < AUTH_FETCHES; i++)
    if (a->fetches[i] == x)
      a->fetches[i] = NULL;
  if (ended != ENDED_ANSWERED) {
    fetch_failed(a, exchange_error(x));
  } else if (x->response.code != 200) {
    snprintf(why, sizeof(why), "status code %u", x->response.code);
    fetch_failed(a, why);
  } else {
    take_token(a, text_str(&x->response.body));
  }
  exchange_free(x);
  target_pump(a->target);
}

static void put_field(struct text *body, struct wps_str name,
                      struct wps_str value)
{
  if (value.ptr == NULL)
    return;
  text_add_str(body, STR("&"));
  text_add_str(body, name);
  text_add_str(body, STR("="));
  url_encode(body, value);
}

static int token_request(struct request *r, const struct options *o)
{
  request_reset(r);
  text_add_str(&r->url, o->token_url);
  text_terminate(&r->url);
  request_header(r, STR("Content-Type"),
                 STR("application/x-www-form-urlencoded"), false);
  request_header(r, STR("Accept"), STR("application/json"), false);
  text_add_str(&r->own, STR("grant_type=client_credentials"));
  put_field(&r->own, STR("client_id"), o->client_id);
  put_field(&r->own, STR("client_secret"), o->client_secret);
  put_field(&r->own, STR("scope"), o->scope);
  put_field(&r->own, STR("resource"), o->resource);
  r->body = (struct wps_bytes){r->own.ptr, r->own.len};
  return r->url.failed || r->head.failed || r->own.failed ? WPS_ENOMEM : WPS_OK;
}

/* Another server than the handler's: it is not shown its certificate, and has
 * authorities of its own. */
static struct exchange *token_exchange(const struct auth *a)
{
  struct options o = a->target->options;
  struct exchange *x;

  o.ca = o.token_ca;
  o.client_certificate = o.client_key = (struct wps_str){NULL, 0};
  x = exchange_new(&a->target->site->transport, &o);
  if (x == NULL)
    return NULL;
  if (token_request(&x->request, &o) == WPS_OK)
    return x;
  exchange_free(x);
  return NULL;
}

/* A server that comes back need not answer what it was asked before. */
static void fetch(struct auth *a)
{
  struct exchange *x;
  size_t free_at = 0;

  while (free_at < AUTH_FETCHES && a->fetches[free_at] != NULL)
    free_at++;
  if (free_at == AUTH_FETCHES || now_of(a) - a->failed_us < SECOND_US ||
      (is_fetching(a) && now_of(a) - a->begun_us < SLOW_US))
    return;
  x = token_exchange(a);
  if (x == NULL)
    return;
  x->done = landed;
  x->arg = a;
  if (exchange_start(x, RESPONSE_SUCCESS, FETCH_MS,
                     a->target->options.connect_timeout_ms) != WPS_OK) {
    exchange_free(x);
    return;
  }
  a->fetches[free_at] = x;
  a->begun_us = now_of(a);
}

int auth_ask(struct auth *a, struct list *delivery, struct wps_str *header)
{
  *header = (struct wps_str){NULL, 0};
  if (a->target->options.auth == AUTH_NONE)
    return AUTH_READY;
  *header = text_str(&a->header);
  if (a->target->options.auth == AUTH_BEARER)
    return AUTH_READY;
  if (a->header.len == 0 || now_of(a) >= a->refresh_us)
    fetch(a);
  if (a->header.len > 0 && now_of(a) < a->expires_us)
    return AUTH_READY;
  if (!is_fetching(a))
    return AUTH_FAILED;
  list_add(&a->waiting, delivery);
  return AUTH_WAIT;
}

void auth_rejected(struct auth *a)
{
  if (a->target->options.auth == AUTH_CLIENT_CREDENTIALS && a->header.len > 0 &&
      now_of(a) - a->fetched_us > REJECTED_AFTER_US)
    a->expires_us = a->refresh_us = now_of(a);
}
