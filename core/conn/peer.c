/* SPDX-License-Identifier: Apache-2.0 */
/* conn/peer.c - the 101 and open() of a WebSocket that a plugin wanted. */
#include "conn/peer.h"

#include <stdlib.h>

#include "base/rand.h"
#include "base/str.h"
#include "conn/close.h"
#include "conn/inbound.h"
#include "conn/keepalive.h"
#include "http/request.h"
#include "plug/plugin.h"

static struct conn_peer *settings_new(const struct conn_server *server,
                                      const struct wps_accept *how)
{
  struct conn_peer *p = malloc(sizeof(*p));

  if (p == NULL)
    return NULL;
  p->message_max = how->max_message_bytes;
  if (p->message_max == 0)
    p->message_max = (uint32_t)server->limits.message_max;
  p->ping_ms = how->ping_interval_ms;
  if (p->ping_ms == 0)
    p->ping_ms = server->limits.peer_ping_ms;
  p->silence_ms = how->silence_ms;
  return p;
}

/* Everything that can fail before there is a WebSocket. */
static struct wps_conn *peer_new(struct wps_worker *w,
                                 const struct wps_request *req,
                                 const struct http_accept *a)
{
  struct wps_str selected = a->how.selected, remote = req->remote;
  struct wps_str user =
      req->principal != NULL ? req->principal->user : STR_NONE;
  char id[RAND_ID_LEN + 1];
  struct wps_conn *c;
  char *at;

  if (rand_id(id) != WPS_OK)
    return NULL;
  c = conn_new(w, RAND_ID_LEN + user.len + remote.len + selected.len);
  if (c == NULL)
    return NULL;
  c->flags |= CONN_PEER;
  w->conns->peers++;
  c->instance = a->self;
  c->ops = a->how.ops;
  at = c->text;
  c->shared.id = str_put(&at, (struct wps_str){id, RAND_ID_LEN});
  c->user_len = (uint32_t)str_put(&at, user).len;
  c->remote_len = (uint32_t)str_put(&at, remote).len;
  c->subprotocol = str_put(&at, selected).ptr;
  c->subprotocol_len = (uint32_t)selected.len;
  c->peer = settings_new(w->conns->server, &a->how);
  if (c->peer != NULL)
    return c;
  conn_free(c);
  return NULL;
}

static void greet(struct wps_conn *c, const struct wps_request *req,
                  const struct http_accept *a)
{
  struct wps_hello hello = {.struct_size = sizeof(hello),
                            .req = req,
                            .who = req->principal,
                            .selected = a->how.selected,
                            .arg = a->how.arg};
  int rc;

  c->flags |= CONN_IN_CALLBACK;
  rc = c->ops->open(c->instance->inst, c, &hello, &c->own);
  c->flags &= (uint16_t)~CONN_IN_CALLBACK;
  if (rc != WPS_OK) {
    conn_close_failed(c, rc);
    return;
  }
  c->flags |= CONN_GREETED;
  conn_log(c, WPS_LOG_INFO, "peer connected", NULL, 0);
}

void peer_accept(void *arg, struct http_conn *hc, struct wps_request *req,
                 const struct http_accept *a)
{
  struct conn_server *server = arg;
  struct wps_worker *w = http_conn_worker(hc);
  unsigned char *early = NULL;
  size_t head_len = 0, early_len = 0;
  char *head = NULL;
  struct wps_conn *c;
  struct stream *s;

  if (atomic_load(&server->draining)) {
    http_answer(hc, 503, "Retry-After: 5\r\n", STR("Service reloading"),
                STR("shutting down"));
    return;
  }
  c = peer_new(w, req, a);
  if (c == NULL) {
    http_answer(hc, 503, NULL, STR_NONE, STR("out of memory"));
    return;
  }
  request_ref(req); /* hc, which goes now, had it */
  s = http_upgrade(hc, a->how.selected, &head, &head_len, &early, &early_len);
  if (s == NULL) {
    conn_free(c);
    request_unref(req);
    return;
  }
  c->stream = c->out.stream = s;
  c->state = WPS_CONN_OPEN;
  stream_set_ops(s, &conn_stream_ops, c);
  keepalive_start(c);
  /* What open() sends leaves in one write with the 101. */
  if (outbound_handshake(&c->out, w, head, head_len) != WPS_OK)
    conn_socket_lost(c, "out of memory");
  else
    greet(c, req, a);
  if (c->state == WPS_CONN_OPEN)
    inbound_feed(c, early, early_len);
  free(head);
  free(early);
  request_unref(req);
}
