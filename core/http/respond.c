/* SPDX-License-Identifier: Apache-2.0 */
/* http/respond.c - the answer of a route, from any thread back to its socket.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "http/http_conn.h"
#include "msg/message.h"
#include "plug/reply.h"
#include "wire/http_chars.h"

static void copy_free(void *arg)
{
  struct http_response_copy *copy = arg;

  if (copy->body != NULL)
    frame_unref(copy->body);
  free(copy);
}

/* A line break in a value would let data become headers. */
static bool headers_ok(const struct wps_http_response *r)
{
  size_t i;

  for (i = 0; i < r->header_count; i++)
    if (!http_is_token(r->headers[i].name) ||
        !http_is_field_value(r->headers[i].value))
      return false;
  return true;
}

static struct http_response_copy *copy_new(const struct wps_http_response *r)
{
  struct http_response_copy *copy;
  size_t size = sizeof(*copy) + r->header_count * sizeof(struct wps_pair), i;
  char *at;

  for (i = 0; i < r->header_count; i++)
    size += r->headers[i].name.len + r->headers[i].value.len;
  copy = malloc(size);
  if (copy == NULL)
    return NULL;
  copy->code = r->code;
  copy->headers = (struct wps_pair *)(void *)(copy + 1);
  copy->header_count = r->header_count;
  copy->body = r->body != NULL ? frame_ref(r->body) : NULL;
  at = (char *)(copy->headers + r->header_count);
  for (i = 0; i < r->header_count; i++) {
    const struct wps_pair *from = &r->headers[i];
    struct wps_pair *to = &copy->headers[i];

    *to = (struct wps_pair){{at, from->name.len},
                            {at + from->name.len, from->value.len}};
    memcpy(at, from->name.ptr, from->name.len);
    at += from->name.len;
    if (from->value.len > 0)
      memcpy(at, from->value.ptr, from->value.len);
    at += from->value.len;
  }
  return copy;
}

void http_respond(struct wps_reply *reply, const struct wps_http_response *r)
{
  struct http_response_copy *copy;

  /* 1xx is no answer, and 101 would have to be followed by something else. */
  if (!WPS_HAS(r, body) || r->code < 200 || r->code > 599 || !headers_ok(r)) {
    reply_finish(reply, REPLY_FAIL, WPS_EINTERNAL,
                 STR("a response with a bad status or a bad header"), NULL,
                 NULL);
    return;
  }
  copy = copy_new(r);
  if (copy == NULL)
    reply_finish(reply, REPLY_FAIL, WPS_ENOMEM, STR("out of memory"), NULL,
                 NULL);
  else
    reply_finish(reply, REPLY_HTTP, WPS_OK, STR_NONE, copy, copy_free);
}

void http_respond_accept(struct wps_instance *self, struct wps_reply *reply,
                         const struct wps_accept *how)
{
  struct http_accept *a;
  char *at;

  if (!WPS_HAS(how, silence_ms) || how->ops == NULL ||
      !WPS_CAN(how->ops, open) || !WPS_CAN(how->ops, frame) ||
      !WPS_CAN(how->ops, close) ||
      (how->selected.ptr != NULL && !http_is_token(how->selected))) {
    reply_finish(reply, REPLY_FAIL, WPS_EINTERNAL,
                 STR("conn->accept without open, frame and close, or with a "
                     "bad subprotocol"),
                 NULL, NULL);
    return;
  }
  a = malloc(sizeof(*a) + how->selected.len);
  if (a == NULL) {
    reply_finish(reply, REPLY_FAIL, WPS_ENOMEM, STR("out of memory"), NULL,
                 NULL);
    return;
  }
  at = a->selected;
  a->how = *how;
  a->how.selected = str_put(&at, how->selected);
  a->self = self;
  reply_finish(reply, REPLY_ACCEPT, WPS_OK, STR_NONE, a, free);
}

/* False: hc has become a WebSocket, or an answer is on its way. */
static bool accept_replied(struct http_conn *hc, const struct http_accept *a)
{
  const struct http_hooks *hooks = &hc->server->hooks;
  const struct wps_request *req = hc->req;

  if (req->handshake_status != 0) {
    http_answer_text(hc, req->handshake_status,
                     http_handshake_headers(req->handshake_status),
                     str_from(req->handshake_why),
                     str_from(req->handshake_why));
  } else if (hooks->accept == NULL) {
    http_answer_status(hc, WPS_ENOTSUP, STR("no WebSockets of routes"));
  } else {
    hooks->accept(hooks->arg, hc, hc->req, a);
    return false;
  }
  return true;
}

const char *http_handshake_headers(uint32_t status)
{
  return status == 426 ? "Sec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n"
                       : NULL;
}

void http_replied(void *arg, struct reply_result *result)
{
  struct http_conn *hc = arg;

  hc->reply = NULL;
  switch (result->kind) {
  case REPLY_HTTP:
    http_answer_copy(hc, result->value);
    break;
  case REPLY_OK:
    http_answer_text(hc, 204, NULL, STR_NONE, STR_NONE);
    break;
  case REPLY_FAIL:
    http_answer_status(hc, result->status, result->detail);
    break;
  case REPLY_DECLINE:
    http_answer_text(hc, 404, NULL, STR_NONE, STR("declined by the route"));
    break;
  case REPLY_ACCEPT:
    if (!accept_replied(hc, result->value))
      return;
    break;
  default:
    http_answer_status(hc, WPS_EINTERNAL,
                       STR("finished by a call of another kind"));
    break;
  }
  http_conn_run(hc);
}
