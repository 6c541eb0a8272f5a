/* SPDX-License-Identifier: Apache-2.0 */
/* conn/resume.c - a socket finds its client (azure-client.md 7.4).
 *
 * The handshake may have arrived at any worker; the socket moves to the one
 * that owns the client, never the client to the socket. Whatever fails after
 * the hub name and the upgrade were in order is a 101 and a close frame. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "conn/admit.h"
#include "conn/close.h"
#include "conn/inbound.h"
#include "conn/keepalive.h"
#include "conn/linger.h"
#include "conn/session.h"
#include "conn/ticket.h"
#include "hub/shared.h"
#include "plug/plugin.h"

struct resumption {
  struct post post;
  struct admission *a; /* keeps request and negotiation; its worker only
                          frees it, when it comes back */
  struct post back;
  struct wps_conn_ref ref;
  struct stream *stream;
  char *head;
  size_t head_len;
  unsigned char *early;
  size_t early_len;
};

static void come_back(struct post *post)
{
  struct resumption *r = CONTAINER_OF(post, struct resumption, back);

  admission_free(r->a);
  free(r->head);
  free(r->early);
  free(r);
}

static void done(struct resumption *r)
{
  if (!worker_post(r->a->worker, &r->back))
    come_back(&r->back);
}

static void log_refusal(const struct admission *a, uint16_t code,
                        const char *why)
{
  char digits[LOG_NUMBER_ROOM];
  struct log_field fields[] = {
      {"hub", a->req->hub},         {"connection", a->chosen.resume_id},
      {"remote", a->req->remote},   {"code", log_number(digits, code)},
      {"reason", a->chosen.reason}, {"cause", str_from(why)}};

  log_fields(WPS_LOG_INFO, "core", "recovery refused", fields,
             ARRAY_LEN(fields));
}

static void refuse_here(struct resumption *r, struct wps_worker *w,
                        const char *why)
{
  const struct wps_negotiation *n = &r->a->chosen;
  uint16_t code = (uint16_t)(n->close_code != 0 ? n->close_code : 1008);

  log_refusal(r->a, code, why);
  linger_refuse(w, r->stream, r->head, r->head_len, code, n->reason);
  done(r);
}

static void log_replaced(const struct wps_conn *c, uint16_t code,
                         struct wps_str reason)
{
  char digits[LOG_NUMBER_ROOM];
  struct log_field fields[] = {{"code", log_number(digits, code)},
                               {"reason", reason.len != 0 ? reason : STR_NONE},
                               {"cause", STR("replaced")}};

  conn_log(c, WPS_LOG_INFO, "socket replaced by a newer one", fields,
           ARRAY_LEN(fields));
}

/* The old socket, alive or not known to be dead, gives way. False when the
 * subprotocol has ended the client instead. */
static bool replace(struct wps_conn *c)
{
  struct wps_str reason;
  struct linger *l;
  uint16_t code;

  outbound_drop_unsent(&c->out, c->worker);
  if (WPS_CAN(c->ops, replaced))
    c->ops->replaced(c, c->own);
  if (c->state != WPS_CONN_OPEN)
    return false;
  session_replaced_close(c, &code, &reason);
  outbound_close(&c->out, c->worker, code, reason);
  l = linger_take(c);
  if (l != NULL)
    linger_adopt_input(l, &c->in);
  else
    frame_in_release(c->worker->conns->frames, &c->in);
  log_replaced(c, code, reason);
  return true;
}

/* `arrived` is where the socket came in; the line itself is the owner's. */
static void log_resumed(const struct wps_conn *c, const struct wps_worker *from)
{
  char name[32];
  struct log_field field = {"arrived", {name, 0}};

  field.value.len =
      (size_t)snprintf(name, sizeof(name), "worker-%u", (unsigned)from->index);
  conn_log(c, WPS_LOG_INFO, "session resumed", &field, 1);
}

/* Without memory the log goes on naming the socket before. */
static void set_remote(struct wps_conn *c, struct wps_str remote)
{
  char *copy = str_dup(remote);

  if (copy == NULL)
    return;
  free(c->resumed_from);
  c->resumed_from = copy;
}

static void attach(struct wps_conn *c, struct resumption *r)
{
  struct wps_worker *w = c->worker;
  struct wps_resume how = {
      .struct_size = sizeof(how), .variant = c->variant, .req = r->a->req};
  int rc;

  set_remote(c, r->a->req->remote);
  c->stream = c->out.stream = r->stream;
  c->state = WPS_CONN_OPEN;
  stream_attach(r->stream, w, &conn_stream_ops, c);
  if (conn_held(c))
    stream_want_read(r->stream, false);
  keepalive_start(c);
  if (outbound_handshake(&c->out, w, r->head, r->head_len) != WPS_OK) {
    conn_socket_lost(c, "out of memory");
    return;
  }
  session_hold(c);
  c->flags |= CONN_IN_CALLBACK;
  rc = WPS_CAN(c->ops, resumed) ? c->ops->resumed(c, c->own, &how) : WPS_OK;
  c->flags &= (uint16_t)~CONN_IN_CALLBACK;
  if (rc != WPS_OK) {
    conn_close_failed(c, rc);
    return;
  }
  log_resumed(c, r->a->worker);
  session_replay(c);
  if (c->state == WPS_CONN_OPEN)
    inbound_feed(c, r->early, r->early_len);
}

/* On the worker that owns the client, if it is still there. */
static void arrive(struct post *post)
{
  struct resumption *r = CONTAINER_OF(post, struct resumption, post);
  struct wps_worker *w = worker_current();
  struct wps_conn *c = conn_find(r->ref);

  if (c == NULL)
    refuse_here(r, w, "the session has ended");
  else if (c->close_cause != 0)
    refuse_here(r, w, "the session is ending");
  else if (c->session == NULL || session_retain_ms(c) == 0)
    refuse_here(r, w, "the connection is not reliable");
  else if (c->instance != r->a->instance ||
           !str_ieq(conn_subprotocol(c), r->a->chosen.selected))
    refuse_here(r, w, "the session speaks another subprotocol");
  else if (c->stream != NULL && !replace(c))
    refuse_here(r, w, "the session has been ended");
  else {
    attach(c, r);
    done(r);
  }
}

static bool find(const struct admission *a, struct wps_conn_ref *ref,
                 const char **why)
{
  const struct wps_negotiation *n = &a->chosen;
  struct hub_worker *hw;

  if (ticket_check(a->worker->conns->server->keys, a->req->hub, n->resume_id,
                   n->resume_token) != WPS_OK) {
    *why = "the reconnection token is not valid for this connection";
    return false;
  }
  *why = "no such session";
  return hub_worker_get(a->worker, a->req->hub, false, &hw) == WPS_OK &&
         shared_client_find(hw->hub->shared, n->resume_id, ref);
}

void conn_resume(struct admission *a)
{
  struct wps_worker *w = a->worker;
  struct resumption *r = calloc(1, sizeof(*r));
  struct wps_worker *owner;
  const char *why = "";
  bool found;

  http_on_gone(a->hc, NULL, NULL);
  /* In its worker's list it could be cancelled under another's hands. */
  list_remove(&a->node);
  if (r == NULL) {
    http_answer(a->hc, 503, NULL, STR_NONE, STR("out of memory"));
    admission_free(a);
    return;
  }
  r->a = a;
  r->post.fn = arrive;
  r->back.fn = come_back;
  found = find(a, &r->ref, &why);
  r->stream = http_upgrade(a->hc, a->chosen.selected, &r->head, &r->head_len,
                           &r->early, &r->early_len);
  if (r->stream == NULL) {
    come_back(&r->back);
    return;
  }
  stream_detach(r->stream);
  if (!found) {
    refuse_here(r, w, why);
    return;
  }
  owner = workers_at(w->all, ref_worker(r->ref));
  if (owner == w)
    arrive(&r->post);
  else if (!worker_post(owner, &r->post))
    refuse_here(r, w, "the owner of the session has stopped");
}
