/* SPDX-License-Identifier: Apache-2.0 */
/* http/server.c - the life of an accepted socket: input, deadlines, the end. */
#include "http/server.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/str.h"
#include "http/http_conn.h"
#include "http/internal.h"
#include "msg/message.h"
#include "plug/reply.h"

/* ---- input ---- */

struct wps_str http_conn_input(const struct http_conn *hc)
{
  if (hc->borrowed_len > 0)
    return (struct wps_str){hc->borrowed, hc->borrowed_len};
  return (struct wps_str){hc->in.data, hc->in.len};
}

void http_conn_consume(struct http_conn *hc, size_t n)
{
  if (hc->borrowed_len > 0) {
    CHECK(n <= hc->borrowed_len);
    hc->borrowed += n;
    hc->borrowed_len -= n;
    return;
  }
  buf_consume(&hc->in, n);
  if (hc->in.len == 0)
    buf_free(&hc->in); /* an idle client holds no buffer */
}

bool http_conn_own_input(struct http_conn *hc)
{
  int rc = buf_add(&hc->in, hc->borrowed, hc->borrowed_len);

  hc->borrowed_len = 0;
  return rc == WPS_OK;
}

/* How much may be read now, so that what has to be kept stays bounded. */
static size_t http_conn_room(const struct http_conn *hc)
{
  switch (hc->state) {
  case HTTP_LINGER:
    return WORKER_RECEIVE_BUFFER;
  case HTTP_BODY:
    if (hc->chunked)
      return HTTP_READ_AHEAD;
    return hc->body_left < WORKER_RECEIVE_BUFFER ? (size_t)hc->body_left
                                                 : WORKER_RECEIVE_BUFFER;
  case HTTP_GONE:
    return 0;
  default:
    return hc->in.max - hc->in.len < WORKER_RECEIVE_BUFFER
               ? hc->in.max - hc->in.len
               : WORKER_RECEIVE_BUFFER;
  }
}

bool http_conn_draining(const struct http_conn *hc)
{
  const struct http_hooks *hooks = &hc->server->hooks;

  return hc->w->http->draining ||
         (hooks->draining != NULL && hooks->draining(hooks->arg));
}

/* ---- the end ---- */

void http_conn_free(struct http_conn *hc)
{
  defer_cancel(&hc->defer);
  defer_cancel(&hc->turn);
  buf_free(&hc->in);
  buf_free(&hc->out);
  if (hc->out_body != NULL)
    frame_unref(hc->out_body);
  if (hc->req != NULL)
    request_unref(hc->req);
  free(hc);
}

/* Out of everything but its memory; the stream has been dealt with. */
void http_conn_unlink(struct http_conn *hc)
{
  timer_stop(hc->w, &hc->timer);
  list_remove(&hc->node);
  hc->stream = NULL;
  hc->borrowed_len = 0;
  hc->state = HTTP_GONE;
  if (!hc->running)
    http_conn_free(hc);
}

void http_conn_close(struct http_conn *hc, bool reset)
{
  if (hc->state == HTTP_GONE)
    return;
  if (hc->reply != NULL) {
    reply_abandon(hc->reply);
    hc->reply = NULL;
  }
  stream_close(hc->stream, reset);
  http_conn_unlink(hc);
}

/* The socket has ended under a request that somebody works on. */
static void http_conn_abandon(struct http_conn *hc)
{
  void (*gone)(void *) = hc->gone;

  hc->gone = NULL;
  if (gone != NULL && (hc->state == HTTP_CLIENT || hc->state == HTTP_AUTHORIZE))
    gone(hc->gone_arg);
  http_conn_close(hc, true);
}

void http_on_gone(struct http_conn *hc, void (*fn)(void *arg), void *arg)
{
  hc->gone = fn;
  hc->gone_arg = arg;
}

static void http_conn_linger(struct http_conn *hc)
{
  if (hc->peer_ended) {
    http_conn_close(hc, false);
    return;
  }
  hc->state = HTTP_LINGER;
  hc->borrowed_len = 0;
  buf_free(&hc->in);
  stream_shutdown(hc->stream);
  timer_start(hc->w, &hc->timer, HTTP_LINGER_MS);
}

void http_conn_next(struct http_conn *hc)
{
  buf_free(&hc->out);
  hc->out_at = 0;
  hc->requests++;
  if (hc->req != NULL)
    request_unref(hc->req);
  hc->req = NULL;
  hc->route = NULL;
  if (!hc->keep || hc->peer_ended || http_conn_draining(hc)) {
    http_conn_linger(hc);
    return;
  }
  hc->state = HTTP_HEAD;
  hc->started = false;
  hc->scanned = 0;
  hc->parse_at = 0;
  timer_start(hc->w, &hc->timer, hc->server->settings.keep_alive_ms);
}

/* ---- moving on ---- */

static bool http_conn_step(struct http_conn *hc)
{
  switch (hc->state) {
  case HTTP_HEAD:
    return http_step_head(hc);
  case HTTP_ADMITTED:
    return http_step_admitted(hc);
  case HTTP_BODY:
    return http_step_body(hc);
  case HTTP_ANSWER:
    switch (http_flush(hc)) {
    case 0:
      return false;
    case 1:
      http_conn_next(hc);
      return true;
    default:
      http_conn_close(hc, true);
      return false;
    }
  case HTTP_LINGER: {
    size_t len = http_conn_input(hc).len;

    if (len > 0)
      http_conn_consume(hc, len);
    hc->lingered += len;
    if (hc->lingered > HTTP_LINGER_BYTES)
      http_conn_close(hc, true);
    return false;
  }
  default:
    return false;
  }
}

void http_conn_run(struct http_conn *hc)
{
  if (hc->running)
    return;
  hc->running = true;
  while (http_conn_step(hc))
    ;
  if (hc->state != HTTP_GONE && !http_conn_own_input(hc))
    http_conn_close(hc, true);
  hc->running = false;
  if (hc->state == HTTP_GONE)
    http_conn_free(hc);
  else
    stream_want_read(hc->stream, !hc->peer_ended && http_conn_room(hc) > 0);
}

static void http_deferred(struct defer *d)
{
  http_conn_run(CONTAINER_OF(d, struct http_conn, defer));
}

void http_conn_run_later(struct http_conn *hc)
{
  if (!hc->running)
    worker_defer(hc->w, &hc->defer);
}

/* FIN (broken false) or a failure of the socket. */
static void http_conn_ended(struct http_conn *hc, bool broken)
{
  if (broken && hc->requests == 0 && !hc->started && hc->tls &&
      stream_error(hc->stream)[0] != '\0') {
    const struct log_field fields[] = {
        {"remote", hc->remote},
        {"listener", hc->listener},
        {"cause", str_from(stream_error(hc->stream))},
    };

    log_fields(WPS_LOG_INFO, "core", "TLS handshake failed", fields,
               ARRAY_LEN(fields));
  }
  if (hc->state == HTTP_ANSWER && !broken) {
    /* It may have shut down its side only. */
    hc->peer_ended = true;
    stream_want_read(hc->stream, false);
    return;
  }
  if (hc->state == HTTP_CLIENT || hc->state == HTTP_AUTHORIZE ||
      hc->state == HTTP_HANDLER)
    http_conn_abandon(hc);
  else
    http_conn_close(hc, broken);
}

static void http_read(struct http_conn *hc)
{
  struct stream *s = hc->stream;
  unsigned char *scratch = hc->w->receive_buffer;
  size_t room = http_conn_room(hc);
  ssize_t n;

  if (room == 0) {
    stream_want_read(s, false);
    return;
  }
  n = stream_read(s, scratch, room);
  if (n == STREAM_AGAIN)
    return;
  if (n <= 0) {
    http_conn_ended(hc, n != 0);
    return;
  }
  if (hc->in.len > 0) {
    if (buf_add(&hc->in, scratch, (size_t)n) != WPS_OK) {
      http_conn_close(hc, true);
      return;
    }
  } else {
    hc->borrowed = (const char *)scratch;
    hc->borrowed_len = (size_t)n;
  }
  http_conn_run(hc);
}

/* A newcomer's first request, its TLS handshake included, is the dearest thing
 * a client does, and they come in crowds. So each waits for its turn behind
 * those who are there. Until then it is not watched, lest each poll says again
 * that there is something to read; nor is that wait counted as its own. */
static void http_wait_for_turn(struct http_conn *hc)
{
  stream_want_read(hc->stream, false);
  hc->turn_left_ms = timer_left_ms(hc->w, &hc->timer);
  timer_stop(hc->w, &hc->timer);
  worker_chore(hc->w, &hc->turn);
}

static void http_turn_came(struct defer *d)
{
  struct http_conn *hc = CONTAINER_OF(d, struct http_conn, turn);

  if (hc->turn_left_ms != 0)
    timer_start(hc->w, &hc->timer, hc->turn_left_ms);
  stream_want_read(hc->stream, true);
  http_read(hc);
}

static void http_readable(struct stream *s, void *arg)
{
  struct http_conn *hc = arg;

  UNUSED(s);
  if (hc->state == HTTP_HEAD && hc->requests == 0)
    http_wait_for_turn(hc);
  else
    http_read(hc);
}

static void http_writable(struct stream *s, void *arg)
{
  struct http_conn *hc = arg;

  if (hc->state == HTTP_ANSWER) {
    http_conn_run(hc);
  } else if (hc->out.len > hc->out_at) {
    if (http_flush(hc) < 0) /* a 100 that did not fit */
      http_conn_close(hc, true);
  } else {
    stream_want_write(s, false);
  }
}

static const struct stream_ops http_stream_ops = {http_readable, http_writable};

static void http_timeout(struct timer *t)
{
  struct http_conn *hc = CONTAINER_OF(t, struct http_conn, timer);

  switch (hc->state) {
  case HTTP_HEAD:
    if (hc->started) {
      http_refuse(hc, 408, "request head not complete in time");
      http_conn_run(hc);
      return;
    }
    if (hc->requests == 0) {
      const struct log_field fields[] = {{"remote", hc->remote},
                                         {"listener", hc->listener}};

      log_fields(WPS_LOG_INFO, "core", "closed: no request in time", fields,
                 ARRAY_LEN(fields));
    }
    http_conn_close(hc, false);
    return;
  case HTTP_BODY:
    http_refuse(hc, 408, "request body not complete in time");
    http_conn_run(hc);
    return;
  case HTTP_ANSWER:
    http_conn_close(hc, true);
    return;
  default:
    http_conn_close(hc, false);
    return;
  }
}

/* ---- sockets come, workers start and stop ---- */

void http_accepted(void *arg, struct wps_worker *w, struct stream *s,
                   struct wps_str remote, const struct listener_group *from)
{
  struct http_server *server = arg;
  struct http_conn *hc;
  size_t head_max =
      server->settings.limits.line_max + server->settings.limits.head_max + 64;

  /* Not by calloc(), for which glibc keeps nothing at hand that was freed. */
  if (w->http == NULL || (hc = malloc(sizeof(*hc))) == NULL) {
    stream_close(s, true);
    return;
  }
  memset(hc, 0, sizeof(*hc));
  hc->w = w;
  hc->server = server;
  hc->stream = s;
  hc->tls = stream_is_tls(s);
  hc->listener = listener_name(from);
  hc->remote.len = remote.len < sizeof(hc->remote_room)
                       ? remote.len
                       : sizeof(hc->remote_room);
  if (hc->remote.len > 0)
    memcpy(hc->remote_room, remote.ptr, hc->remote.len);
  hc->remote.ptr = hc->remote_room;
  buf_init(&hc->in, head_max > HTTP_READ_AHEAD ? head_max : HTTP_READ_AHEAD);
  buf_init(&hc->out, 0);
  defer_init(&hc->defer, http_deferred);
  defer_init(&hc->turn, http_turn_came);
  timer_init(&hc->timer, http_timeout);
  list_add_tail(&w->http->conns, &hc->node);
  timer_start(w, &hc->timer, server->settings.first_byte_ms);
  stream_attach(s, w, &http_stream_ops, hc);
}

struct wps_worker *http_conn_worker(const struct http_conn *hc)
{
  return hc->w;
}

int http_worker_start(struct wps_worker *w, struct http_server *server)
{
  struct http_worker *hw = calloc(1, sizeof(*hw));

  if (hw == NULL)
    return WPS_ENOMEM;
  hw->handshake = handshake_new();
  if (hw->handshake == NULL) {
    free(hw);
    return WPS_ENOMEM;
  }
  hw->server = server;
  list_init(&hw->conns);
  list_init(&hw->internals);
  hw->date_s = -1;
  w->http = hw;
  return WPS_OK;
}

void http_worker_drain(struct wps_worker *w)
{
  struct http_worker *hw = w->http;
  struct list *node, *next;

  if (hw == NULL)
    return;
  hw->draining = true;
  for (node = hw->conns.next; node != &hw->conns; node = next) {
    struct http_conn *hc = CONTAINER_OF(node, struct http_conn, node);

    next = node->next;
    if (hc->state == HTTP_HEAD && !hc->started && hc->requests > 0)
      http_conn_close(hc, false);
  }
}

bool http_worker_busy(const struct wps_worker *w)
{
  const struct http_worker *hw = w->http;

  for (const struct list *l = hw != NULL ? hw->conns.next : NULL;
       l != NULL && l != &hw->conns; l = l->next) {
    const struct http_conn *hc = CONTAINER_OF(l, struct http_conn, node);

    if (hc->state == HTTP_HANDLER || hc->state == HTTP_ANSWER ||
        hc->state == HTTP_LINGER || defer_pending(&hc->turn))
      return true;
  }
  return false;
}

void http_worker_stop(struct wps_worker *w)
{
  struct http_worker *hw = w->http;

  if (hw == NULL)
    return;
  while (!list_empty(&hw->conns)) {
    struct http_conn *hc = CONTAINER_OF(hw->conns.next, struct http_conn, node);

    /* An answer that the kernel still has goes on its way without us. */
    if (hc->state == HTTP_LINGER)
      http_conn_close(hc, false);
    else
      http_conn_abandon(hc);
  }
  w->http = NULL; /* no more of them */
  http_internals_stop(&hw->internals);
  handshake_free(hw->handshake);
  free(hw);
}
