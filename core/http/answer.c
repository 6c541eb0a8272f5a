/* SPDX-License-Identifier: Apache-2.0 */
/* http/answer.c - status lines, headers, bodies; the upgrade; refusals in the
 * log. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "http/http_conn.h"
#include "msg/message.h"
#include "plug/plugin.h"
#include "wire/http_chars.h"

static const char *reason_phrase(uint32_t status)
{
  switch (status) {
  case 200:
    return "OK";
  case 201:
    return "Created";
  case 202:
    return "Accepted";
  case 204:
    return "No Content";
  case 206:
    return "Partial Content";
  case 301:
    return "Moved Permanently";
  case 302:
    return "Found";
  case 303:
    return "See Other";
  case 304:
    return "Not Modified";
  case 307:
    return "Temporary Redirect";
  case 308:
    return "Permanent Redirect";
  case 400:
    return "Bad Request";
  case 401:
    return "Unauthorized";
  case 403:
    return "Forbidden";
  case 404:
    return "Not Found";
  case 405:
    return "Method Not Allowed";
  case 408:
    return "Request Timeout";
  case 409:
    return "Conflict";
  case 410:
    return "Gone";
  case 411:
    return "Length Required";
  case 412:
    return "Precondition Failed";
  case 413:
    return "Content Too Large";
  case 414:
    return "URI Too Long";
  case 415:
    return "Unsupported Media Type";
  case 422:
    return "Unprocessable Content";
  case 426:
    return "Upgrade Required";
  case 429:
    return "Too Many Requests";
  case 431:
    return "Request Header Fields Too Large";
  case 499:
    return "Client Closed Request";
  case 500:
    return "Internal Server Error";
  case 501:
    return "Not Implemented";
  case 502:
    return "Bad Gateway";
  case 503:
    return "Service Unavailable";
  case 504:
    return "Gateway Timeout";
  case 505:
    return "HTTP Version Not Supported";
  default:
    return status < 300   ? "Success"
           : status < 400 ? "Redirection"
           : status < 500 ? "Client Error"
                          : "Server Error";
  }
}

/* ---- log ---- */

void http_log_refused(const struct refused *r, uint32_t status)
{
  uint32_t level = status >= 500 && status != 501 && status != 505
                       ? WPS_LOG_WARN
                       : WPS_LOG_INFO;
  const struct wps_request *req = r->req;
  struct buf shown;
  char number[16];

  if (!log_enabled(level))
    return;
  buf_init(&shown, 64 * 1024);
  if (r->target.ptr != NULL)
    target_for_log(r->target, &shown);
  snprintf(number, sizeof(number), "%u", status);

  const struct log_field fields[] = {
      {"remote", r->remote},
      {"listener", r->listener},
      {"method", r->method},
      {"target", (struct wps_str){shown.data, shown.len}},
      {"hub", req != NULL && req->hub.len > 0 ? req->hub : STR_NONE},
      {"user",
       req != NULL && req->principal != NULL && req->principal->user.len > 0
           ? req->principal->user
           : STR_NONE},
      {"credential", req != NULL && req->principal != NULL &&
                             req->principal->credential.len > 0
                         ? req->principal->credential
                         : STR_NONE},
      {"route", r->route != NULL ? str_from(r->route->def.name) : STR_NONE},
      {"status", str_from(number)},
      {"cause", r->cause.len > 0 ? r->cause : str_from(reason_phrase(status))},
  };
  log_fields(level, "core", "request refused", fields, ARRAY_LEN(fields));
  buf_free(&shown);
}

void http_log_refusal(const struct http_conn *hc, uint32_t status,
                      struct wps_str method, struct wps_str target,
                      struct wps_str cause)
{
  http_log_refused(&(struct refused){hc->remote, hc->listener, method, target,
                                     cause, hc->req, hc->route},
                   status);
}

/* ---- building ---- */

static const char *http_date(struct http_conn *hc)
{
  struct http_worker *hw = hc->w->http;
  int64_t now = clock_unix_ms() / 1000;

  if (now != hw->date_s) {
    time_t t = (time_t)now;
    struct tm tm;

    hw->date_s = now;
    if (gmtime_r(&t, &tm) == NULL ||
        strftime(hw->date, sizeof(hw->date), "%a, %d %b %Y %H:%M:%S GMT",
                 &tm) == 0)
      hw->date[0] = '\0';
  }
  return hw->date;
}

static bool has_body(uint32_t status)
{
  return status != 204 && status != 304;
}

/* Everything but own headers and the empty line. */
static void answer_begin(struct http_conn *hc, uint32_t status, size_t body_len,
                         size_t room)
{
  /* What has not been read would be taken for the next request. */
  if (hc->body_unread || http_conn_draining(hc))
    hc->keep = false;
  hc->out.max = hc->out.len + room + 512;
  buf_printf(&hc->out, "HTTP/1.1 %u %s\r\nDate: %s\r\n", status,
             reason_phrase(status), http_date(hc));
  if (has_body(status))
    buf_printf(&hc->out, "Content-Length: %zu\r\n", body_len);
  if (!hc->keep)
    buf_add_c(&hc->out, "Connection: close\r\n");
  else if (hc->req != NULL && hc->req->minor == 0)
    buf_add_c(&hc->out, "Connection: keep-alive\r\n");
}

static void answer_end(struct http_conn *hc)
{
  hc->gone = NULL;
  hc->state = HTTP_ANSWER;
  timer_start(hc->w, &hc->timer, HTTP_WRITE_MS);
  if (hc->out.failed) { /* out of memory: the socket's end must do */
    buf_free(&hc->out);
    hc->out_at = 0;
    hc->keep = false;
  }
}

static bool is_head(const struct http_conn *hc)
{
  return hc->req != NULL && str_eq_c(hc->req->method, "HEAD");
}

void http_answer_text(struct http_conn *hc, uint32_t status,
                      const char *headers, struct wps_str text,
                      struct wps_str cause)
{
  if (headers == NULL)
    headers = "";
  if (status >= 400 && hc->req != NULL && cause.ptr != NULL)
    http_log_refusal(hc, status, hc->req->method, hc->req->target, cause);
  answer_begin(hc, status, text.len, strlen(headers) + text.len);
  if (text.len > 0 && strcasestr(headers, "content-type:") == NULL)
    buf_add_c(&hc->out, "Content-Type: text/plain; charset=utf-8\r\n");
  buf_add_c(&hc->out, headers);
  buf_add_c(&hc->out, "\r\n");
  if (has_body(status) && !is_head(hc))
    buf_add_str(&hc->out, text);
  answer_end(hc);
}

void http_refuse(struct http_conn *hc, uint32_t status, const char *why)
{
  const struct wps_request *req = hc->req;

  hc->keep = false;
  http_log_refusal(hc, status, req != NULL ? req->method : STR_NONE,
                   req != NULL ? req->target : STR_NONE, str_from(why));
  http_answer_text(hc, status, NULL, str_from(why), STR_NONE);
}

uint32_t http_status_of(int status)
{
  switch (status) {
#define X(name, value, http, close, meaning)                                   \
  case WPS_##name:                                                             \
    return http;
    WPS_STATUS_MAP(X)
#undef X
  default:
    return 500;
  }
}

void http_answer_status(struct http_conn *hc, int status, struct wps_str detail)
{
  uint32_t code = http_status_of(status);
  const char *headers = NULL;

  if (code == 401)
    headers = "WWW-Authenticate: Bearer\r\n";
  else if (code == 503)
    headers = "Retry-After: 1\r\n";
  http_answer_text(hc, code, headers, STR_NONE,
                   detail.len > 0 ? detail : str_from(reason_phrase(code)));
}

bool http_header_is_ours(struct wps_str name)
{
  return str_ieq_c(name, "content-length") ||
         str_ieq_c(name, "transfer-encoding") || str_ieq_c(name, "date") ||
         str_ieq_c(name, "connection") || str_ieq_c(name, "keep-alive");
}

void http_answer_copy(struct http_conn *hc,
                      const struct http_response_copy *copy)
{
  size_t room = 0, i;

  for (i = 0; i < copy->header_count; i++) {
    const struct wps_pair *h = &copy->headers[i];

    room += h->name.len + h->value.len + 4;
    if (str_ieq_c(h->name, "connection") && str_ieq_c(h->value, "close"))
      hc->keep = false;
  }
  /* "Not there" is what HEAD asks for, and no refusal. */
  if (copy->code >= 400 && !(copy->code == 404 && is_head(hc)))
    http_log_refusal(hc, copy->code, hc->req->method, hc->req->target,
                     str_from(hc->route->instance->name));
  answer_begin(hc, copy->code, copy->body != NULL ? copy->body->len : 0, room);
  for (i = 0; i < copy->header_count; i++) {
    if (http_header_is_ours(copy->headers[i].name))
      continue;
    buf_add_str(&hc->out, copy->headers[i].name);
    buf_add_c(&hc->out, ": ");
    buf_add_str(&hc->out, copy->headers[i].value);
    buf_add_c(&hc->out, "\r\n");
  }
  buf_add_c(&hc->out, "\r\n");
  if (copy->body != NULL && copy->body->len > 0 && has_body(copy->code) &&
      !is_head(hc) && !hc->out.failed) {
    hc->out_body = frame_ref(copy->body);
    hc->out_body_at = 0;
  }
  answer_end(hc);
}

void http_answer(struct http_conn *hc, uint32_t status, const char *headers,
                 struct wps_str body, struct wps_str cause)
{
  DCHECK(hc->state == HTTP_CLIENT || hc->state == HTTP_AUTHORIZE ||
         hc->state == HTTP_HANDLER);
  if (status >= 400 && cause.len == 0)
    cause = str_from(reason_phrase(status));
  http_answer_text(hc, status, headers, body, cause);
  http_conn_run_later(hc);
}

void http_continue(struct http_conn *hc)
{
  hc->out.max = hc->out.len + 64;
  buf_add_c(&hc->out, "HTTP/1.1 100 Continue\r\n\r\n");
}

/* ---- writing ---- */

int http_flush(struct http_conn *hc)
{
  for (;;) {
    struct iovec iov[2];
    size_t head = hc->out.len - hc->out_at, body = 0;
    int count = 0;
    ssize_t n;

    if (hc->out_body != NULL)
      body = hc->out_body->len - hc->out_body_at;
    if (head + body == 0)
      break;
    if (head > 0)
      iov[count++] = (struct iovec){hc->out.data + hc->out_at, head};
    if (body > 0)
      iov[count++] =
          (struct iovec){hc->out_body->payload + hc->out_body_at, body};
    n = stream_writev(hc->stream, iov, count);
    if (n == STREAM_AGAIN || n == 0) {
      stream_want_write(hc->stream, true);
      return 0;
    }
    if (n < 0)
      return -1;
    hc->out_at += (size_t)n < head ? (size_t)n : head;
    hc->out_body_at += (size_t)n < head ? 0 : (size_t)n - head;
    if (hc->state == HTTP_ANSWER)
      timer_start(hc->w, &hc->timer, HTTP_WRITE_MS);
  }
  stream_want_write(hc->stream, false);
  buf_reset(&hc->out);
  hc->out_at = 0;
  if (hc->out_body != NULL)
    frame_unref(hc->out_body);
  hc->out_body = NULL;
  hc->out_body_at = 0;
  return 1;
}

/* ---- the upgrade ---- */

/* The 101, or NULL. `selected` is a token or absent. */
static char *switch_head(struct http_conn *hc, struct wps_str selected,
                         size_t *len)
{
  static const struct wps_str first =
      WPS_STR_INIT("HTTP/1.1 101 Switching Protocols\r\n"
                   "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Accept: ");
  static const struct wps_str name =
      WPS_STR_INIT("\r\nSec-WebSocket-Protocol: ");
  static const struct wps_str last = WPS_STR_INIT("\r\n\r\n");
  char accept[HANDSHAKE_ACCEPT_LEN + 1], *text, *at;

  if (!handshake_accept(hc->w->http->handshake, hc->req->handshake_key.ptr,
                        accept))
    return NULL;
  at = text = malloc(first.len + HANDSHAKE_ACCEPT_LEN + name.len +
                     selected.len + last.len);
  if (text == NULL)
    return NULL;
  str_put(&at, first);
  str_put(&at, (struct wps_str){accept, HANDSHAKE_ACCEPT_LEN});
  if (selected.ptr != NULL) {
    str_put(&at, name);
    str_put(&at, selected);
  }
  str_put(&at, last);
  *len = (size_t)(at - text);
  return text;
}

struct stream *http_upgrade(struct http_conn *hc, struct wps_str selected,
                            char **head, size_t *head_len,
                            unsigned char **early, size_t *early_len)
{
  struct stream *s = hc->stream;

  DCHECK(hc->state == HTTP_CLIENT || hc->state == HTTP_HANDLER);
  *head = NULL;
  *early = NULL;
  *head_len = *early_len = 0;
  hc->gone = NULL;
  if (selected.ptr != NULL && !http_is_token(selected))
    selected = STR_NONE;
  *head = switch_head(hc, selected, head_len);
  if (*head == NULL) {
    http_conn_close(hc, true);
    return NULL;
  }
  if (hc->in.len > 0) {
    *early = (unsigned char *)hc->in.data;
    *early_len = hc->in.len;
    buf_init(&hc->in, hc->in.max);
  }
  stream_want_write(s, false);
  stream_want_read(s, true); /* paused when much came early */
  http_conn_unlink(hc);
  return s;
}
