/* SPDX-License-Identifier: Apache-2.0 */
#include "http/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "http/http_conn.h"
#include "msg/principal.h"
#include "plug/plugin.h"
#include "wire/http_chars.h"

static const struct wps_str listener = WPS_STR_INIT("internal");

struct internal {
  struct list node; /* http_worker.internals */
  wps_http_answer_fn fn;
  void *arg;
  struct wps_request *req; /* NULL: the head was none */
  const struct route *route;
  struct wps_reply *reply; /* the route has it */
  struct defer defer;      /* else: the core's own answer */
  uint32_t code;
  char allow[256]; /* with 405 */
  const char *why;
};

static void internal_free(struct internal *i)
{
  if (i->req != NULL)
    request_unref(i->req);
  free(i);
}

/* ---- the head ---- */

/* A space or a line break would let data become something else. */
static bool target_ok(struct wps_str target)
{
  size_t i;

  if (target.len == 0 || target.ptr[0] != '/')
    return false;
  for (i = 0; i < target.len; i++)
    if ((unsigned char)target.ptr[i] <= ' ' || target.ptr[i] == '\x7f')
      return false;
  return true;
}

/* What says how the head goes on is not the caller's. */
static bool header_ok(const struct wps_pair *h)
{
  return http_is_token(h->name) && http_is_field_value(h->value) &&
         !http_header_is_ours(h->name) && !str_ieq_c(h->name, "host") &&
         !str_ieq_c(h->name, "upgrade") && !str_ieq_c(h->name, "expect");
}

static bool call_ok(const struct wps_http_call *call)
{
  size_t i;

  if (!WPS_HAS(call, remote) || call->who == NULL ||
      !http_is_token(call->method) || !target_ok(call->target))
    return false;
  for (i = 0; i < call->header_count; i++)
    if (!header_ok(&call->headers[i]))
      return false;
  return true;
}

static void head_put(struct buf *out, const struct wps_http_call *call)
{
  size_t size = call->method.len + call->target.len + 128, i;

  for (i = 0; i < call->header_count; i++)
    size += call->headers[i].name.len + call->headers[i].value.len + 4;
  buf_init(out, size);
  buf_add_str(out, call->method);
  buf_add_byte(out, ' ');
  buf_add_str(out, call->target);
  buf_add_c(out, " HTTP/1.1\r\nHost: internal\r\n");
  for (i = 0; i < call->header_count; i++) {
    buf_add_str(out, call->headers[i].name);
    buf_add_c(out, ": ");
    buf_add_str(out, call->headers[i].value);
    buf_add_c(out, "\r\n");
  }
  buf_printf(out, "Content-Length: %zu\r\n\r\n", call->body.len);
}

/* i->req, or i->code with why there is none. Errors: ENOMEM. */
static int request_make(struct internal *i, const struct http_server *server,
                        const struct wps_http_call *call)
{
  struct http_head *head = malloc(sizeof(*head));
  struct buf text = {0};
  size_t used;

  i->code = 400; /* until there is a request */
  i->why = "malformed head";
  if (head != NULL)
    head_put(&text, call);
  if (head == NULL || text.failed) {
    i->code = 503;
  } else if (http_head_parse(text.data, text.len, &server->settings.limits,
                             head, &used, &i->code,
                             &i->why) == HTTP_HEAD_DONE &&
             used == text.len) {
    i->req =
        request_new(head, call->remote, listener, false, &i->code, &i->why);
    if (i->req != NULL)
      i->code = 0;
  }
  buf_free(&text);
  free(head);
  if (i->req != NULL)
    return WPS_OK;
  if (i->code == 503)
    return WPS_ENOMEM;
  http_log_refused(&(struct refused){call->remote, listener, call->method,
                                     call->target, str_from(i->why), NULL,
                                     NULL},
                   i->code);
  return WPS_OK;
}

/* ---- answers ---- */

/* `i` is gone. */
static void finish(struct internal *i, struct wps_http_response *r,
                   struct wps_str cause)
{
  struct wps_str method = i->req != NULL ? i->req->method : STR_NONE;
  struct wps_pair *own = NULL;
  size_t n = 0;

  r->struct_size = sizeof(*r);
  if (i->req != NULL && r->code >= 400 &&
      !(r->code == 404 && str_eq_c(method, "HEAD")))
    http_log_refused(&(struct refused){i->req->remote, listener, method,
                                       i->req->target, cause, i->req, i->route},
                     r->code);
  if (r->code == 204 || r->code == 304 || str_eq_c(method, "HEAD"))
    r->body = NULL;
  /* Without those that describe a connection which there is not. */
  own = r->header_count != 0 ? malloc(r->header_count * sizeof(*own)) : NULL;
  for (size_t k = 0; own != NULL && k < r->header_count; k++)
    if (!http_header_is_ours(r->headers[k].name))
      own[n++] = r->headers[k];
  r->headers = own;
  r->header_count = n;
  list_remove(&i->node);
  i->fn(i->arg, r);
  free(own);
  internal_free(i);
}

static void finish_status(struct internal *i, uint32_t code,
                          struct wps_str cause)
{
  struct wps_pair allow = {STR("Allow"), str_from(i->allow)};
  struct wps_http_response r = {
      .code = code, .headers = &allow, .header_count = allow.value.len != 0};

  finish(i, &r, cause);
}

static void deferred(struct defer *self)
{
  struct internal *i = CONTAINER_OF(self, struct internal, defer);

  finish_status(i, i->code, str_from(i->why));
}

static void refuse(struct internal *i, uint32_t code, const char *why)
{
  i->code = code;
  i->why = why;
}

static void replied(void *arg, struct reply_result *result)
{
  struct internal *i = arg;
  const struct http_response_copy *copy;
  struct wps_http_response r;

  i->reply = NULL;
  switch (result->kind) {
  case REPLY_HTTP:
    copy = result->value;
    r = (struct wps_http_response){.code = copy->code,
                                   .headers = copy->headers,
                                   .header_count = copy->header_count,
                                   .body = copy->body};
    finish(i, &r, str_from(i->route->instance->name));
    break;
  case REPLY_OK:
    finish_status(i, 204, STR_NONE);
    break;
  case REPLY_FAIL:
    finish_status(i, http_status_of(result->status), result->detail);
    break;
  case REPLY_DECLINE:
    finish_status(i, 404, STR("declined by the route"));
    break;
  case REPLY_ACCEPT:
    finish_status(i, i->req->handshake_status, str_from(i->req->handshake_why));
    break;
  default:
    finish_status(i, 500, STR("finished by a call of another kind"));
    break;
  }
}

/* ---- routes ---- */

static void find_route(struct internal *i, const struct http_server *server)
{
  struct wps_str allow;
  char room[sizeof(i->allow)];

  i->route = router_match(server->router, i->req, room, sizeof(room), &allow);
  if (i->route != NULL && i->route->def.purpose == WPS_FOR_API)
    return;
  if (i->route == NULL && allow.len != 0) {
    snprintf(i->allow, sizeof(i->allow), "%.*s", STR_ARG(allow));
    refuse(i, 405, "method not allowed");
    return;
  }
  i->route = NULL;
  refuse(i, 404, "no such path");
}

/* Who asks, and what for. Errors: ENOMEM. */
static int request_fill(struct internal *i, const struct http_server *server,
                        const struct wps_http_call *call)
{
  struct principal *who = principal_copy(call->who);
  struct wps_request *req = i->req;
  size_t max;

  if (who == NULL)
    return WPS_ENOMEM;
  req->principal_owned = who;
  req->principal = &who->view;
  req->purpose = WPS_FOR_API;
  find_route(i, server);
  if (i->route == NULL)
    return WPS_OK;
  if (!http_route_allows(i->route, &who->view)) {
    refuse(i, 403, "not in a role for this");
    return WPS_OK;
  }
  max = http_route_body_max(i->route, server);
  buf_init(&req->body, max);
  if (call->body.len > max)
    req->body_status = WPS_ETOOBIG;
  else if (buf_add(&req->body, call->body.ptr, call->body.len) != WPS_OK)
    return WPS_ENOMEM;
  return WPS_OK;
}

int http_internal(struct wps_worker *w, struct wps_instance *self,
                  const struct wps_http_call *call, wps_http_answer_fn fn,
                  void *arg)
{
  const struct http_server *server = w->http->server;
  struct internal *i;
  int rc;

  UNUSED(self);
  if (!call_ok(call))
    return WPS_EINVAL;
  i = calloc(1, sizeof(*i));
  if (i == NULL)
    return WPS_ENOMEM;
  i->fn = fn;
  i->arg = arg;
  defer_init(&i->defer, deferred);
  rc = request_make(i, server, call);
  if (rc == WPS_OK && i->req != NULL)
    rc = request_fill(i, server, call);
  if (rc == WPS_OK && i->code == 0 &&
      !http_route_ask(i->route, w, i->req, &i->reply, replied, i))
    rc = WPS_ENOMEM;
  if (rc != WPS_OK) {
    internal_free(i);
    return rc;
  }
  list_add_tail(&w->http->internals, &i->node);
  if (i->code != 0)
    worker_defer(w, &i->defer);
  return WPS_OK;
}

void http_internals_stop(struct list *internals)
{
  while (!list_empty(internals)) {
    struct internal *i = CONTAINER_OF(internals->next, struct internal, node);

    if (i->reply != NULL)
      reply_abandon(i->reply);
    i->reply = NULL;
    defer_cancel(&i->defer);
    finish_status(i, 503, STR("the server has stopped"));
  }
}
