/* SPDX-License-Identifier: Apache-2.0 */
/* http/dispatch.c - what a request is for, and who gets it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "http/http_conn.h"
#include "msg/principal.h"
#include "plug/plugin.h"
#include "plug/reply.h"

enum { PARSE_STEP = 1024 };

/* ---- head ---- */

/* A head that drips in is looked at per line and per kilobyte, not per byte. */
static bool head_worth_parsing(struct http_conn *hc, struct wps_str in)
{
  bool line = hc->scanned < in.len &&
              memchr(in.ptr + hc->scanned, '\n', in.len - hc->scanned) != NULL;

  hc->scanned = in.len;
  return line || in.len >= hc->parse_at;
}

/* For the rest of a head. Most come whole, and need no deadline. */
static void head_wait(struct http_conn *hc, bool first)
{
  if (first)
    timer_start(hc->w, &hc->timer, hc->server->settings.head_ms);
}

static void request_begin(struct http_conn *hc, const struct http_head *head)
{
  hc->keep = head->keep_alive && !http_conn_draining(hc);
  hc->chunked = head->chunked;
  hc->body_left = head->content_length;
  hc->body_unread = head->chunked || head->content_length > 0;
  hc->expect_continue = head->expect_continue;
}

static void http_dispatch(struct http_conn *hc);

bool http_step_head(struct http_conn *hc)
{
  struct wps_str in = http_conn_input(hc);
  struct http_head head;
  uint32_t status;
  const char *why;
  size_t used;
  bool first;

  if (in.len == 0)
    return false;
  first = !hc->started;
  hc->started = true;
  if (!head_worth_parsing(hc, in)) {
    head_wait(hc, first);
    return false;
  }
  switch (http_head_parse(in.ptr, in.len, &hc->server->settings.limits, &head,
                          &used, &status, &why)) {
  case HTTP_HEAD_MORE:
    hc->parse_at = in.len + PARSE_STEP;
    head_wait(hc, first);
    return false;
  case HTTP_HEAD_BAD:
    http_refuse(hc, status, why);
    return true;
  case HTTP_HEAD_DONE:
    break;
  }
  timer_stop(hc->w, &hc->timer);
  request_begin(hc, &head);
  hc->req =
      request_new(&head, hc->remote, hc->listener, hc->tls, &status, &why);
  if (hc->req == NULL) {
    hc->keep = false;
    http_log_refusal(hc, status, head.method, head.target, str_from(why));
    http_answer_text(hc, status, NULL, str_from(why), STR_NONE);
    return true;
  }
  if (hc->tls) {
    size_t len = 0;
    unsigned char *der = stream_client_cert(hc->stream, &len);

    hc->req->client_cert = (struct wps_bytes){der, len};
  }
  http_conn_consume(hc, used);
  if (!http_conn_own_input(hc)) {
    http_conn_close(hc, true);
    return false;
  }
  http_dispatch(hc);
  return true;
}

/* ---- who gets it ---- */

static void http_health(struct http_conn *hc)
{
  struct wps_str method = hc->req->method;

  if (!str_eq_c(method, "GET") && !str_eq_c(method, "HEAD"))
    http_answer_text(hc, 405, "Allow: GET, HEAD\r\n", STR_NONE,
                     STR("health takes GET, HEAD"));
  else if (http_conn_draining(hc))
    http_answer_text(hc, 503, "Retry-After: 5\r\nCache-Control: no-store\r\n",
                     STR("draining"), STR_NONE);
  else
    http_answer_text(hc, 200, "Cache-Control: no-store\r\n", STR("ok"),
                     STR_NONE);
}

static void http_no_route(struct http_conn *hc, struct wps_str allow)
{
  char header[512];
  int n;

  if (allow.len == 0) {
    http_answer_text(hc, 404, NULL, STR_NONE, STR("no such path"));
    return;
  }
  n = snprintf(header, sizeof(header), "Allow: %.*s\r\n", STR_ARG(allow));
  http_answer_text(hc, 405, n > 0 && (size_t)n < sizeof(header) ? header : NULL,
                   STR_NONE, STR("method not allowed"));
}

static void http_dispatch(struct http_conn *hc)
{
  const struct http_hooks *hooks = &hc->server->hooks;
  struct wps_request *req = hc->req;
  struct wps_str allow;
  char room[256];

  hc->gone = NULL;
  if (hooks->is_client != NULL && hooks->is_client(hooks->arg, req)) {
    hc->state = HTTP_CLIENT;
    hooks->client(hooks->arg, hc, req);
    return;
  }
  if (router_path_is(req->raw_path, "/api/health")) {
    http_health(hc);
    return;
  }
  hc->route = router_match(hc->server->router, req, room, sizeof(room), &allow);
  if (hc->route == NULL) {
    http_no_route(hc, allow);
    return;
  }
  if (hc->route->def.purpose == 0) {
    hc->state = HTTP_ADMITTED;
    return;
  }
  req->purpose = hc->route->def.purpose;
  if (req->purpose == WPS_FOR_SERVER && req->hub.ptr == NULL)
    req->hub = request_api.query(req, "hub");
  if (http_conn_draining(hc)) {
    /* Another server of the application's can do it. */
    http_answer_text(hc, 503, "Retry-After: 5\r\n", STR_NONE, STR("draining"));
    return;
  }
  if (hooks->authorize == NULL) {
    http_answer_status(hc, WPS_EUNAUTHORIZED, STR("no authentication"));
    return;
  }
  hc->state = HTTP_AUTHORIZE;
  hooks->authorize(hooks->arg, hc, req);
}

static bool has_role(const struct wps_principal *who, const char *role)
{
  size_t i;

  for (i = 0; i < who->role_count; i++)
    if (str_eq_c(who->roles[i], role))
      return true;
  return false;
}

bool http_route_allows(const struct route *route,
                       const struct wps_principal *who)
{
  return has_role(who, WPS_ROLE_OWNER) ||
         (route->def.scope != NULL && has_role(who, route->def.scope));
}

void http_authorized(struct http_conn *hc, int status, struct principal *who,
                     struct wps_str detail)
{
  hc->gone = NULL;
  if (status == WPS_OK && who == NULL) {
    http_answer_status(hc, WPS_EUNAUTHORIZED, STR("nobody is authenticated"));
  } else if (status != WPS_OK) {
    free(who);
    http_answer_status(hc, status, detail);
  } else {
    hc->req->principal_owned = who;
    hc->req->principal = &who->view;
    if (http_route_allows(hc->route, &who->view))
      hc->state = HTTP_ADMITTED;
    else
      http_answer_status(hc, WPS_EFORBIDDEN, STR("not in a role for this"));
  }
  http_conn_run_later(hc);
}

/* ---- body ---- */

bool http_route_ask(const struct route *route, struct wps_worker *w,
                    struct wps_request *req, struct wps_reply **out,
                    reply_fn fn, void *arg)
{
  uint32_t answer_ms = w->http->server->settings.answer_ms;

  *out = reply_new(w, route->instance,
                   answer_ms != 0 ? answer_ms : HTTP_ANSWER_MS, fn, arg);
  if (*out == NULL)
    return false;
  /* The handler may read the request until it finishes, though who asked for it
   * go. */
  reply_hold(*out, request_release, request_ref(req));
  route->def.handle(route->instance->inst,
                    instance_worker_state(route->instance, w), req, *out);
  return true;
}

static void http_handle(struct http_conn *hc)
{
  hc->state = HTTP_HANDLER;
  timer_stop(hc->w, &hc->timer);
  if (!http_route_ask(hc->route, hc->w, hc->req, &hc->reply, http_replied, hc))
    http_answer_status(hc, WPS_ENOMEM, STR("out of memory"));
}

/* Over the limit: the route says so in its own words, and since the rest of the
 * body is not read, the socket closes after it. */
static void http_handle_too_big(struct http_conn *hc)
{
  hc->req->body_status = WPS_ETOOBIG;
  buf_free(&hc->req->body);
  http_handle(hc);
}

size_t http_route_body_max(const struct route *route,
                           const struct http_server *server)
{
  uint64_t max = route->def.max_body_bytes;

  if (max == 0)
    max = server->settings.body_max;
  return max < SIZE_MAX / 4 ? (size_t)max : SIZE_MAX / 4;
}

bool http_step_admitted(struct http_conn *hc)
{
  size_t max = http_route_body_max(hc->route, hc->server);

  buf_init(&hc->req->body, max);
  if (!hc->body_unread) {
    http_handle(hc);
  } else if (!hc->chunked && hc->body_left > max) {
    http_handle_too_big(hc);
  } else {
    hc->state = HTTP_BODY;
    chunked_init(&hc->chunks);
    timer_start(hc->w, &hc->timer, hc->server->settings.body_ms);
    if (hc->expect_continue && http_conn_input(hc).len == 0) {
      http_continue(hc);
      if (http_flush(hc) < 0) {
        http_conn_close(hc, true);
        return false;
      }
    }
  }
  return true;
}

static bool http_step_chunks(struct http_conn *hc, struct wps_str in)
{
  size_t used = 0;

  switch (chunked_feed(&hc->chunks, in.ptr, in.len, &used, &hc->req->body)) {
  case CHUNKED_MORE:
    http_conn_consume(hc, used);
    return false;
  case CHUNKED_DONE:
    http_conn_consume(hc, used);
    hc->body_unread = false;
    if (!http_conn_own_input(hc)) {
      http_conn_close(hc, true);
      return false;
    }
    http_handle(hc);
    return true;
  case CHUNKED_TOO_BIG:
    if (!http_conn_own_input(hc)) {
      http_conn_close(hc, true);
      return false;
    }
    http_handle_too_big(hc);
    return true;
  case CHUNKED_BAD:
  default:
    http_refuse(hc, 400, "malformed chunked body");
    return true;
  }
}

bool http_step_body(struct http_conn *hc)
{
  struct wps_str in = http_conn_input(hc);
  size_t n;

  if (in.len == 0)
    return false;
  if (hc->chunked)
    return http_step_chunks(hc, in);
  n = hc->body_left < in.len ? (size_t)hc->body_left : in.len;
  if (buf_add(&hc->req->body, in.ptr, n) != WPS_OK) {
    http_answer_status(hc, WPS_ENOMEM, STR("out of memory"));
    return true;
  }
  http_conn_consume(hc, n);
  hc->body_left -= n;
  if (hc->body_left > 0)
    return false;
  hc->body_unread = false;
  if (!http_conn_own_input(hc)) {
    http_conn_close(hc, true);
    return false;
  }
  http_handle(hc);
  return true;
}
