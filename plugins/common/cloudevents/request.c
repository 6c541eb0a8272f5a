/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/cloudevents/request.h"

#include <string.h>
#include <time.h>

#include <webpubsub/host.h>
#include <webpubsub/status.h>

#include "plugins/common/cloudevents/connect_body.h"
#include "plugins/common/cloudevents/content_type.h"
#include "plugins/common/cloudevents/signature.h"
#include "plugins/common/cloudevents/url.h"

enum { REQUEST_PAIRS_MAX = 100000, KEPT_BUFFER = 64 * 1024 };

struct wps_str event_name(const struct wps_event *event)
{
  switch (event->type) {
  case WPS_EVENT_CONNECT:
    return STR("connect");
  case WPS_EVENT_CONNECTED:
    return STR("connected");
  case WPS_EVENT_DISCONNECTED:
    return STR("disconnected");
  case WPS_EVENT_JOINED:
    return STR("joined");
  case WPS_EVENT_LEFT:
    return STR("left");
  default:
    return event->name;
  }
}

const char *event_kind(const struct wps_event *event)
{
  switch (event->type) {
  case WPS_EVENT_CONNECT:
    return "Connect";
  case WPS_EVENT_CONNECTED:
    return "Connected";
  case WPS_EVENT_DISCONNECTED:
    return "Disconnected";
  case WPS_EVENT_JOINED:
    return "Joined";
  case WPS_EVENT_LEFT:
    return "Left";
  default:
    return "Message";
  }
}

static void empty(struct text *t)
{
  if (t->cap > KEPT_BUFFER)
    text_free(t);
  else
    text_clear(t);
}

void request_reset(struct request *r)
{
  empty(&r->url);
  empty(&r->head);
  empty(&r->own);
  r->method = METHOD_POST;
  r->lines = 0;
  r->body = (struct wps_bytes){"", 0};
}

void request_free(struct request *r)
{
  text_free(&r->url);
  text_free(&r->head);
  text_free(&r->own);
}

/* ---- headers ---- */

static bool is_stripped(char c)
{
  return c == '\r' || c == '\n' || c == '\0';
}

/* Errors: EINVAL. */
static int put_value(struct text *head, struct wps_str value, bool utf8)
{
  size_t from = 0;

  for (size_t i = 0; i < value.len; i++) {
    if ((unsigned char)value.ptr[i] >= 0x80 && !utf8)
      return WPS_EINVAL;
    if (!is_stripped(value.ptr[i]))
      continue;
    text_add(head, value.ptr + from, i - from);
    from = i + 1;
  }
  if (value.len > 0)
    text_add(head, value.ptr + from, value.len - from);
  return WPS_OK;
}

int request_header(struct request *r, struct wps_str name, struct wps_str value,
                   bool utf8)
{
  size_t mark = r->head.len;

  text_add_str(&r->head, name);
  text_add(&r->head, "", 1);
  if (put_value(&r->head, str_strip(value), utf8) != WPS_OK) {
    r->head.len = mark;
    return WPS_EINVAL;
  }
  text_add(&r->head, "", 1);
  r->lines++;
  return WPS_OK;
}

bool request_next(const struct request *r, size_t *at, struct wps_pair *out)
{
  if (*at >= r->head.len)
    return false;
  out->name = str_of(r->head.ptr + *at);
  *at += out->name.len + 1;
  out->value = str_of(r->head.ptr + *at);
  *at += out->value.len + 1;
  return true;
}

static void ours(struct request *r, struct wps_str origin)
{
  request_header(r, STR("WebHook-Request-Origin"), origin, false);
  request_header(r, STR("ce-awpsversion"), STR("1.0"), false);
}

static struct wps_str content_type(const struct wps_event *event)
{
  if (event->type != WPS_EVENT_MESSAGE)
    return STR("application/json; charset=utf-8");
  return content_type_of(wps->message->info(event->msg)->data_type);
}

/* Of ce-type and the log. */
const char *event_class(const struct wps_event *event)
{
  switch (event->type) {
  case WPS_EVENT_MESSAGE:
    return "user";
  case WPS_EVENT_JOINED:
  case WPS_EVENT_LEFT:
    return "gp";
  default:
    return "sys";
  }
}

static void put_time(struct request *r, int64_t unix_ms)
{
  time_t seconds = (time_t)(unix_ms / 1000);
  char text[sizeof("2026-11-20T15:00:00Z") + 8];
  struct tm tm;
  size_t len = 0;

  if (gmtime_r(&seconds, &tm) != NULL)
    len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
  request_header(r, STR("ce-time"), (struct wps_str){text, len}, false);
}

/* The headers that say the same of every event. */
static int put_fixed(struct request *r, const struct request_context *context,
                     const struct wps_event *event, struct text *scratch)
{
  struct wps_str name = event_name(event);
  int rc;

  request_header(r, STR("Content-Type"), content_type(event), false);
  ours(r, context->origin);
  request_header(r, STR("ce-specversion"), STR("1.0"), false);
  text_clear(scratch);
  text_printf(scratch, "azure.webpubsub.%s.%.*s", event_class(event),
              STR_ARG(name));
  rc = request_header(r, STR("ce-type"), text_str(scratch), false);
  if (rc != WPS_OK)
    return rc;
  text_clear(scratch);
  text_printf(scratch, "/hubs/%.*s/client/%.*s", STR_ARG(event->hub),
              STR_ARG(event->conn));
  rc = request_header(r, STR("ce-source"), text_str(scratch), false);
  if (rc != WPS_OK)
    return rc;
  text_clear(scratch);
  text_printf(scratch, "%llu", (unsigned long long)event->sequence);
  request_header(r, STR("ce-id"), text_str(scratch), false);
  put_time(r, event->unix_ms);
  text_clear(scratch);
  signature_write(event->conn, scratch);
  if (scratch->len > 0)
    request_header(r, STR("ce-signature"), text_str(scratch), false);
  /* Both went through ce-source and ce-type already. */
  request_header(r, STR("ce-hub"), event->hub, false);
  request_header(r, STR("ce-connectionId"), event->conn, false);
  request_header(r, STR("ce-eventName"), name, false);
  request_header(r, STR("x-ms-client-request-id"), event->id, false);
  return WPS_OK;
}

/* A name that is no token would be something else on the wire. */
static bool is_token(struct wps_str name)
{
  for (size_t i = 0; i < name.len; i++) {
    unsigned char c = (unsigned char)name.ptr[i];

    if (c <= 0x20 || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c) != NULL)
      return false;
  }
  return name.len > 0;
}

static int put_optional(struct request *r,
                        const struct request_context *context,
                        const struct wps_event *event, const char **why)
{
  if (event->user.len > 0)
    request_header(r, STR("ce-userId"), event->user, true);
  if (event->type != WPS_EVENT_CONNECT && event->subprotocol.len > 0 &&
      request_header(r, STR("ce-subprotocol"), event->subprotocol, false) !=
          WPS_OK) {
    *why = "the subprotocol is not ASCII";
    return WPS_EINVAL;
  }
  if (event->type != WPS_EVENT_CONNECT && event->app_state.ptr != NULL &&
      request_header(r, STR("ce-connectionState"), event->app_state, false) !=
          WPS_OK) {
    *why = "the connection state is not ASCII";
    return WPS_EINVAL;
  }
  for (size_t i = 0; i < event->header_count; i++)
    if (!is_token(event->headers[i].name) ||
        request_header(r, event->headers[i].name, event->headers[i].value,
                       false) != WPS_OK) {
      *why = "metadata that cannot stand in a header";
      return WPS_EINVAL;
    }
  if (context->authorization.ptr != NULL)
    request_header(r, STR("Authorization"), context->authorization, false);
  return WPS_OK;
}

/* ---- body ---- */

struct pair_list {
  struct wps_pair *items;
  size_t count;
};

static int collect(const struct wps_request *req,
                   int (*at)(const struct wps_request *req, size_t index,
                             struct wps_pair *out),
                   struct text *memory, struct pair_list *out)
{
  struct wps_pair one;

  text_clear(memory);
  while (at(req, memory->len / sizeof(one), &one) == WPS_OK &&
         memory->len < REQUEST_PAIRS_MAX * sizeof(one) && !memory->failed)
    text_add(memory, &one, sizeof(one));
  out->items = (struct wps_pair *)(void *)memory->ptr;
  out->count = memory->len / sizeof(one);
  return memory->failed ? WPS_ENOMEM : WPS_OK;
}

static int collect_subprotocols(const struct wps_request *req,
                                struct text *memory,
                                struct connect_facts *facts)
{
  struct wps_str one;

  while (wps->request->subprotocol_at(req, memory->len / sizeof(one), &one) ==
             WPS_OK &&
         !memory->failed)
    text_add(memory, &one, sizeof(one));
  facts->subprotocols = (struct wps_str *)(void *)memory->ptr;
  facts->subprotocol_count = memory->len / sizeof(one);
  return memory->failed ? WPS_ENOMEM : WPS_OK;
}

static int put_connect(struct request *r, const struct wps_event *event)
{
  struct text query = {0}, headers = {0}, subprotocols = {0};
  struct connect_facts facts = {.claims = event->claims,
                                .claim_count = event->claim_count};
  struct pair_list list;
  int rc;

  facts.certificate = wps->request->client_cert(event->req);
  rc = collect_subprotocols(event->req, &subprotocols, &facts);
  if (rc != WPS_OK)
    goto out;
  rc = collect(event->req, wps->request->query_at, &query, &list);
  if (rc != WPS_OK)
    goto out;
  facts.query = list.items;
  facts.query_count = list.count;
  rc = collect(event->req, wps->request->header_at, &headers, &list);
  if (rc != WPS_OK)
    goto out;
  facts.headers = list.items;
  facts.header_count = list.count;
  rc = connect_body_write(&facts, &r->own);

out:
  text_free(&query);
  text_free(&headers);
  text_free(&subprotocols);
  return rc;
}

static int put_body(struct request *r, const struct wps_event *event)
{
  int rc = WPS_OK;

  switch (event->type) {
  case WPS_EVENT_CONNECT:
    rc = put_connect(r, event);
    break;
  case WPS_EVENT_CONNECTED:
    text_add_str(&r->own, STR("{}"));
    break;
  case WPS_EVENT_DISCONNECTED:
    text_add_str(&r->own, STR("{\"reason\":"));
    text_add_json(&r->own, event->reason);
    text_add_str(&r->own, STR("}"));
    break;
  case WPS_EVENT_JOINED:
  case WPS_EVENT_LEFT:
    text_add_str(&r->own, STR("{\"group\":"));
    text_add_json(&r->own, event->group);
    text_add_str(&r->own, STR("}"));
    break;
  default:
    r->body = wps->message->info(event->msg)->data;
    if (r->body.ptr == NULL)
      r->body = (struct wps_bytes){"", 0};
    return WPS_OK;
  }
  r->body = (struct wps_bytes){r->own.ptr, r->own.len};
  return rc == WPS_OK && r->own.failed ? WPS_ENOMEM : rc;
}

/* ---- requests ---- */

static bool out_of_memory(const struct request *r)
{
  return r->url.failed || r->head.failed || r->own.failed;
}

int request_event(struct request *r, const struct request_context *context,
                  const struct wps_event *event, const char **why)
{
  struct text scratch = {0};
  int rc;

  request_reset(r);
  url_template_fill(context->url, event->hub, event_name(event), &r->url);
  text_terminate(&r->url);
  rc = put_fixed(r, context, event, &scratch);
  if (rc != WPS_OK)
    *why = "the name of the event, the hub or the connection is not ASCII";
  if (rc == WPS_OK)
    rc = put_optional(r, context, event, why);
  if (rc == WPS_OK)
    rc = put_body(r, event);
  if (rc == WPS_OK && (out_of_memory(r) || scratch.failed))
    rc = WPS_ENOMEM;
  text_free(&scratch);
  return rc;
}

int request_probe(struct request *r, uint32_t method, struct wps_str url,
                  struct wps_str origin)
{
  request_reset(r);
  r->method = method;
  text_add_str(&r->url, url);
  text_terminate(&r->url);
  ours(r, origin);
  return out_of_memory(r) ? WPS_ENOMEM : WPS_OK;
}
