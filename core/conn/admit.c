/* SPDX-License-Identifier: Apache-2.0 */
/* conn/admit.c - the checks before the 101. */
#include "conn/admit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "base/str.h"
#include "conn/client_events.h"
#include "conn/event_handlers.h"
#include "conn/linger.h"
#include "msg/event.h"
#include "msg/message.h"
#include "msg/note.h"
#include "msg/principal.h"
#include "plug/plugin.h"
#include "plug/reply.h"
#include "wire/http_chars.h"

/* azure-server.md 3.7 */
enum { REFUSAL_BODY_MAX = 64 * 1024 };

enum { DELAY_MAX_MS = 10000 };

static const char client_path[] = "/client";
static const char hubs_path[] = "/client/hubs/";

_Static_assert(sizeof(((struct wps_request *)NULL)->audience_room) >=
                   sizeof(hubs_path) - 1 +
                       sizeof(((struct wps_request *)NULL)->hub_room),
               "an audience is a path and a hub");

/* ---- ends of an admission ---- */

void admission_free(struct admission *a)
{
  authenticate_cancel(&a->auth);
  timer_stop(a->worker, &a->delay);
  if (a->connecting != NULL)
    reply_abandon(a->connecting);
  if (a->counted)
    atomic_fetch_sub(&a->worker->conns->server->connections, 1);
  list_remove(&a->node);
  free(a->who);
  answer_free(a->answer);
  note_unref(a->note);
  request_unref(a->req);
  free(a);
}

static void gone(void *arg)
{
  admission_free(arg);
}

static void refuse(struct admission *a, uint32_t status, const char *headers,
                   struct wps_str body, struct wps_str cause)
{
  http_on_gone(a->hc, NULL, NULL);
  http_answer(a->hc, status, headers, body, cause);
  admission_free(a);
}

void admissions_refuse(struct wps_worker *w)
{
  struct list *head = &w->conns->admissions;

  while (!list_empty(head))
    refuse(CONTAINER_OF(head->next, struct admission, node), 503,
           "Retry-After: 5\r\n", STR("Service reloading"),
           STR("shutting down"));
}

static uint32_t http_status(int status)
{
  switch (status) {
#define X(name, value, http, close, meaning)                                   \
  case value:                                                                  \
    return http;
    WPS_STATUS_MAP(X)
#undef X
  default:
    return 500;
  }
}

static void refuse_status(struct admission *a, int status, struct wps_str cause)
{
  refuse(a, http_status(status),
         status == WPS_EUNAUTHORIZED ? "WWW-Authenticate: Bearer\r\n" : NULL,
         STR_NONE, cause);
}

/* 101 and a close frame: clients take an HTTP error for "try again". */
static void refuse_by_close(struct admission *a, uint16_t code,
                            struct wps_str reason)
{
  struct wps_worker *w = a->worker;
  unsigned char *early = NULL;
  char *head = NULL;
  size_t head_len = 0, early_len = 0;
  struct stream *s;
  char digits[LOG_NUMBER_ROOM];
  struct log_field fields[] = {{"hub", a->req->hub},
                               {"remote", a->req->remote},
                               {"code", log_number(digits, code)},
                               {"reason", reason}};

  log_fields(WPS_LOG_INFO, "core", "handshake refused by a close frame", fields,
             ARRAY_LEN(fields));
  http_on_gone(a->hc, NULL, NULL);
  s = http_upgrade(a->hc, a->chosen.selected, &head, &head_len, &early,
                   &early_len);
  if (s != NULL) {
    stream_detach(s);
    linger_refuse(w, s, head, head_len, code, reason);
  }
  free(head);
  free(early);
  admission_free(a);
}

/* ---- where to ---- */

/* Segments are told apart before they are decoded: "%2F" is no separator. */
bool admit_is_client(void *arg, const struct wps_request *req)
{
  struct wps_str path = req->raw_path, rest;

  UNUSED(arg);
  if (str_ieq_c(path, client_path) || str_ieq_c(path, "/client/"))
    return true;
  if (!str_istarts(path, hubs_path))
    return false;
  rest = str_skip(path, sizeof(hubs_path) - 1);
  return memchr(rest.ptr, '/', rest.len) == NULL;
}

/* The name as the client wrote it, decoded, in the request: an auth component
 * may look at it when the admission has long gone. */
static bool read_hub_name(struct admission *a, size_t *len)
{
  struct wps_str path = a->req->raw_path, name;
  char room[3 * sizeof(a->req->hub_room)];

  if (!str_istarts(path, hubs_path)) {
    name = request_api.query(a->req, "hub");
    if (name.ptr == NULL)
      name = a->worker->conns->server->default_hub;
    if (name.ptr == NULL || name.len >= sizeof(a->req->hub_room))
      return false;
    memcpy(a->req->hub_room, name.ptr, name.len);
    *len = name.len;
    return true;
  }
  name = str_skip(path, sizeof(hubs_path) - 1);
  /* Every character of a valid name may come as an escape of three. */
  if (name.len > sizeof(room) || !percent_decode(name, false, room, len) ||
      *len >= sizeof(a->req->hub_room))
    return false;
  memcpy(a->req->hub_room, room, *len);
  return true;
}

static bool find_hub(struct admission *a)
{
  struct wps_request *req = a->req;
  const size_t path_len = sizeof(hubs_path) - 1;
  size_t len;

  if (!read_hub_name(a, &len) ||
      !hub_name_ok((struct wps_str){req->hub_room, len}))
    return false;
  req->hub_room[len] = '\0';
  str_lower(req->hub_room, len);
  req->hub = (struct wps_str){req->hub_room, len};
  req->purpose = WPS_FOR_CLIENT;
  memcpy(req->audience_room, hubs_path, path_len);
  memcpy(req->audience_room + path_len, req->hub_room, len);
  req->audience = (struct wps_str){req->audience_room, path_len + len};
  return true;
}

/* ---- subprotocol ---- */

static bool has_name(const struct wps_subprotocol *ops, struct wps_str name)
{
  for (size_t i = 0; ops->names[i] != NULL; i++)
    if (str_ieq_c(name, ops->names[i]))
      return true;
  return false;
}

/* Looks at one instance; WPS_ENOTSUP: not this one. */
static int try_instance(struct admission *a, const struct wps_instance *i,
                        struct wps_str name)
{
  const struct wps_subprotocol *ops = i->component->ops.subprotocol;
  struct wps_negotiation n = {.struct_size = sizeof(n),
                              .selected = name.len != 0 ? name : STR_NONE,
                              .hub = a->req->hub};
  int rc = WPS_CAN(ops, negotiate) ? ops->negotiate(i->inst, a->req, name, &n)
                                   : WPS_OK;

  if (rc == WPS_ENOTSUP)
    return rc;
  a->instance = i;
  a->chosen = n;
  return rc;
}

static int try_all(struct admission *a, struct wps_str taken_by,
                   struct wps_str name)
{
  const struct instances *all = a->worker->conns->server->instances;

  for (size_t i = 0; i < all->count; i++) {
    const struct wps_instance *inst = all->items[i];
    int rc;

    if (inst->component->kind != WPS_KIND_SUBPROTOCOL ||
        !has_name(inst->component->ops.subprotocol, taken_by))
      continue;
    rc = try_instance(a, inst, name);
    if (rc != WPS_ENOTSUP)
      return rc;
  }
  return WPS_ENOTSUP;
}

/* The names of the offer in its order, then who takes anything. */
static int negotiate(struct admission *a)
{
  int rc;

  for (size_t i = 0; i < a->req->subprotocol_count; i++) {
    rc = try_all(a, a->req->subprotocols[i], a->req->subprotocols[i]);
    if (rc != WPS_ENOTSUP)
      return rc;
  }
  if (a->req->subprotocol_count == 0) {
    rc = try_all(a, STR(""), STR(""));
    if (rc != WPS_ENOTSUP)
      return rc;
  }
  return try_all(a, STR("*"), STR(""));
}

/* The connect event chose a name. */
static int renegotiate(struct admission *a, struct wps_str name)
{
  for (size_t i = 0; i < a->req->subprotocol_count; i++) {
    struct wps_str offered = a->req->subprotocols[i];
    int rc;

    if (!str_ieq(offered, name))
      continue;
    rc = try_all(a, offered, offered);
    return rc != WPS_ENOTSUP ? rc : try_all(a, STR("*"), offered);
  }
  return WPS_ENOTFOUND;
}

static void refuse_negotiation(struct admission *a, int rc)
{
  struct wps_str reason = a->chosen.reason;

  if (rc == WPS_ENOTSUP)
    refuse(a, 400, NULL, STR("No subprotocol of the offer is enabled."),
           STR("no enabled plugin takes what the client offers"));
  else if (a->chosen.http_code >= 400 && a->chosen.http_code <= 599)
    refuse(a, a->chosen.http_code, NULL, reason, reason);
  else
    refuse_status(a, rc, reason);
}

/* ---- connect event ---- */

static bool groups_ok(const struct wps_str *groups, size_t count)
{
  for (size_t i = 0; i < count; i++)
    if (!group_name_ok(groups[i]))
      return false;
  return true;
}

/* Whatever the handler has done wrong is a 500 without a word to the client
 * (azure-server.md 3.7). */
static void connect_failed(struct admission *a, uint32_t status,
                           struct wps_str cause)
{
  event_log(WPS_LOG_WARN,
            &(struct wps_event){.type = WPS_EVENT_CONNECT,
                                .hub = a->req->hub,
                                .conn = str_from(a->id),
                                .user = a->who != NULL ? a->who->view.user
                                                       : STR_NONE},
            "event failed", cause);
  refuse(a, status, NULL, STR_NONE, cause);
}

/* The type that the handler gave the body, where it can stand in a header. */
static char *content_type(const struct wps_message *msg)
{
  struct wps_str type = msg->info.content_type;

  if (type.len == 0 && msg->info.data_type == WPS_DATA_JSON)
    type = STR("application/json");
  if (type.len == 0 || !http_is_field_value(type))
    return NULL;
  return str_printf("Content-Type: %.*s\r\n", STR_ARG(type));
}

static void refused_by_handler(struct admission *a)
{
  const struct wps_event_answer *v = &a->answer->view;
  struct wps_str body = STR_NONE;
  char *type = NULL;

  if (v->code < 400 || v->code > 499) {
    connect_failed(a, v->code >= 500 && v->code <= 599 ? v->code : 500,
                   STR("the connect event handler answered with an error"));
    return;
  }
  if (v->msg != NULL && v->msg->info.data.len != 0) {
    body = (struct wps_str){v->msg->info.data.ptr, v->msg->info.data.len};
    if (body.len > REFUSAL_BODY_MAX)
      body.len = REFUSAL_BODY_MAX;
    type = content_type(v->msg);
  }
  refuse(a, v->code, type, body, STR("refused by the connect event handler"));
  free(type);
}

static void answered(struct admission *a)
{
  const struct wps_event_answer *v = &a->answer->view;
  int rc;

  if (v->code != 0 && (v->code < 200 || v->code > 299)) {
    refused_by_handler(a);
    return;
  }
  if (v->app_state.len > CLIENT_STATE_MAX) {
    connect_failed(a, 500,
                   STR("the connect event handler answered with a state of "
                       "more than 64 KiB"));
    return;
  }
  if (!groups_ok(v->groups, v->group_count)) {
    connect_failed(
        a, 500,
        STR("the connect event handler answered with an invalid group"));
    return;
  }
  if (v->subprotocol.len != 0) {
    rc = renegotiate(a, v->subprotocol);
    if (rc == WPS_ENOTFOUND || rc == WPS_ENOTSUP) {
      connect_failed(a, 500,
                     rc == WPS_ENOTFOUND
                         ? STR("the connect event handler selected a "
                               "subprotocol that the client has not offered")
                         : STR("no enabled plugin takes the subprotocol that "
                               "the connect event handler selected"));
      return;
    }
    if (rc != WPS_OK) {
      refuse_negotiation(a, rc);
      return;
    }
  }
  conn_open(a);
}

static void connect_replied(void *arg, struct reply_result *result)
{
  struct admission *a = arg;

  a->connecting = NULL;
  if (result->kind == REPLY_ANSWER) {
    a->answer = result->value;
    result->value = NULL;
    answered(a);
  } else if (result->kind == REPLY_OK) {
    conn_open(a);
  } else {
    connect_failed(a, 500,
                   result->kind == REPLY_DECLINE
                       ? STR("the upstream does not take the connect event")
                   : result->detail.len != 0
                       ? result->detail
                       : STR("the connect event handler failed"));
  }
}

static void ask_upstream(struct admission *a)
{
  struct wps_event event = {.struct_size = sizeof(event),
                            .type = WPS_EVENT_CONNECT,
                            .hub = a->req->hub,
                            .conn = str_from(a->id),
                            .subprotocol = a->chosen.selected,
                            .req = a->req};
  const struct hub_handler *h;

  if (a->who != NULL) {
    event.user = a->who->view.user;
    event.claims = a->who->view.claims;
    event.claim_count = a->who->view.claim_count;
  }
  h = handler_for(a->worker, a->settings, &event);
  if (h == NULL) {
    conn_open(a);
    return;
  }
  a->note = note_new();
  if (a->note != NULL)
    a->connecting = client_events_connect(a->worker, h, &event, a->note,
                                          connect_replied, a);
  if (a->connecting == NULL)
    refuse_status(a, WPS_ENOMEM, STR("out of memory"));
}

/* ---- identity ---- */

static bool take_place(struct admission *a)
{
  struct conn_server *server = a->worker->conns->server;

  if (atomic_fetch_add(&server->connections, 1) >=
      server->limits.connections_max) {
    atomic_fetch_sub(&server->connections, 1);
    return false;
  }
  a->counted = true;
  return true;
}

static void authenticated(void *arg, int status, struct principal *who,
                          struct wps_str detail)
{
  struct admission *a = arg;

  a->who = who;
  if (status != WPS_OK) {
    refuse_status(a, status, detail);
    return;
  }
  if (who == NULL && !a->settings->anonymous_allow) {
    refuse_status(a, WPS_EUNAUTHORIZED,
                  STR("no credentials, and the hub does not allow anonymous "
                      "clients"));
    return;
  }
  if (who != NULL && !groups_ok(who->view.groups, who->view.group_count)) {
    refuse(a, 400, NULL, STR("The token contains an invalid group name."),
           STR("invalid group name in the token"));
    return;
  }
  if (!take_place(a)) {
    refuse(a, 429, NULL, STR("Connection count reaches limit"),
           STR("limits.connections is reached"));
    return;
  }
  if (rand_id(a->id) != WPS_OK) {
    refuse_status(a, WPS_EINTERNAL, STR("no random numbers"));
    return;
  }
  ask_upstream(a);
}

static void negotiated(struct admission *a)
{
  struct wps_request *req = a->req;

  if (a->chosen.resume_id.ptr != NULL) {
    conn_resume(a);
    return;
  }
  if (a->chosen.close_code != 0) {
    refuse_by_close(a, (uint16_t)a->chosen.close_code, a->chosen.reason);
    return;
  }
  a->settings = hubs_settings(a->worker->conns->server->hubs, req->hub);
  if (a->settings == NULL) {
    refuse(a, 404, NULL, STR("The hub is not configured."),
           STR("neither this hub nor \"*\" is in the configuration"));
    return;
  }
  authenticate_start(&a->auth, a->worker, req, authenticated, a);
}

static void delayed(struct timer *timer)
{
  negotiated(CONTAINER_OF(timer, struct admission, delay));
}

void admit_client(void *arg, struct http_conn *hc, struct wps_request *req)
{
  struct conn_server *server = arg;
  struct admission *a;
  int rc;

  if (atomic_load(&server->draining)) {
    http_answer(hc, 503, "Retry-After: 5\r\n", STR("Service reloading"),
                STR("shutting down"));
    return;
  }
  if (req->handshake_status != 0) {
    http_answer(hc, req->handshake_status,
                req->handshake_status == 426
                    ? "Sec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n"
                    : NULL,
                str_from(req->handshake_why), str_from(req->handshake_why));
    return;
  }
  a = malloc(sizeof(*a)); /* glibc keeps none of these at hand for calloc() */
  if (a == NULL) {
    http_answer(hc, 503, NULL, STR_NONE, STR("out of memory"));
    return;
  }
  memset(a, 0, sizeof(*a));
  a->worker = http_conn_worker(hc);
  a->hc = hc;
  a->req = request_ref(req);
  timer_init(&a->delay, delayed);
  list_add_tail(&a->worker->conns->admissions, &a->node);
  http_on_gone(hc, gone, a);
  if (!find_hub(a)) {
    refuse(a, 400, NULL, STR("The hub name is missing or invalid."),
           STR("hub name missing or invalid"));
    return;
  }
  rc = negotiate(a);
  if (rc != WPS_OK) {
    refuse_negotiation(a, rc);
    return;
  }
  if (a->chosen.delay_ms == 0) {
    negotiated(a);
    return;
  }
  timer_start(a->worker, &a->delay,
              a->chosen.delay_ms < DELAY_MAX_MS ? a->chosen.delay_ms
                                                : DELAY_MAX_MS);
}

/* ---- routes ---- */

struct authorization {
  struct http_conn *hc;
  struct authentication auth;
};

static void route_gone(void *arg)
{
  struct authorization *z = arg;

  authenticate_cancel(&z->auth);
  free(z);
}

static void route_authenticated(void *arg, int status, struct principal *who,
                                struct wps_str detail)
{
  struct authorization *z = arg;
  struct http_conn *hc = z->hc;

  free(z);
  http_on_gone(hc, NULL, NULL);
  if (status == WPS_OK && who == NULL)
    http_authorized(hc, WPS_EUNAUTHORIZED, NULL, STR("no credentials"));
  else
    http_authorized(hc, status, who, detail);
}

void admit_authorize(void *arg, struct http_conn *hc, struct wps_request *req)
{
  struct authorization *z = calloc(1, sizeof(*z));

  UNUSED(arg);
  if (z == NULL) {
    http_authorized(hc, WPS_ENOMEM, NULL, STR("out of memory"));
    return;
  }
  z->hc = hc;
  http_on_gone(hc, route_gone, z);
  authenticate_start(&z->auth, http_conn_worker(hc), req, route_authenticated,
                     z);
}
