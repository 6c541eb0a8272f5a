/* SPDX-License-Identifier: Apache-2.0 */
/* conn/open.c - the 101 and what follows in the same turn. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "conn/admit.h"
#include "conn/client_events.h"
#include "conn/close.h"
#include "conn/inbound.h"
#include "conn/keepalive.h"
#include "conn/linger.h"
#include "conn/membership.h"
#include "hub/shared.h"
#include "msg/event.h"
#include "msg/principal.h"
#include "plug/plugin.h"

/* What the connect answer says counts before what the token says
 * (azure-client.md 1.7). */
static struct wps_str user_of(const struct admission *a)
{
  struct wps_str user = a->who != NULL ? a->who->view.user : STR_NONE;

  if (a->answer != NULL && (a->answer->view.flags & WPS_ANSWER_USER) != 0)
    user = a->answer->view.user;
  return user.len != 0 ? user : STR_NONE;
}

/* The plugin's own text, where what is selected is one of its names. */
static const char *name_of(const struct wps_subprotocol *ops,
                           struct wps_str selected)
{
  for (size_t i = 0; selected.len != 0 && ops->names[i] != NULL; i++)
    if (str_eq_c(selected, ops->names[i]))
      return ops->names[i];
  return NULL;
}

static struct wps_conn *make(const struct admission *a)
{
  const struct wps_subprotocol *ops = a->instance->component->ops.subprotocol;
  struct wps_str id = str_from(a->id), user = user_of(a);
  struct wps_str remote = a->req->remote, selected = a->chosen.selected;
  const char *name = name_of(ops, selected);
  struct wps_conn *c =
      conn_new(a->worker, id.len + user.len + remote.len +
                              (name == NULL ? selected.len : 0));
  char *at;

  if (c == NULL)
    return NULL;
  at = c->text;
  c->shared.id = str_put(&at, id);
  c->user_len = (uint32_t)str_put(&at, user).len;
  c->remote_len = (uint32_t)str_put(&at, remote).len;
  if (name == NULL && selected.len != 0)
    name = str_put(&at, selected).ptr;
  c->subprotocol = name;
  c->subprotocol_len = (uint32_t)selected.len;
  c->instance = a->instance;
  c->ops = ops;
  return c;
}

static void role_skipped(void *arg, struct wps_str role, const char *why)
{
  struct log_field fields[] = {{"role", role}, {"reason", str_from(why)}};

  conn_log(arg, WPS_LOG_WARN, "role ignored", fields, ARRAY_LEN(fields));
}

static int set_roles(struct wps_conn *c, const struct admission *a)
{
  if (a->answer != NULL && (a->answer->view.flags & WPS_ANSWER_ROLES) != 0)
    return roles_set(&c->roles, a->answer->view.roles,
                     a->answer->view.role_count, role_skipped, c);
  if (a->who != NULL)
    return roles_set(&c->roles, a->who->view.roles, a->who->view.role_count,
                     role_skipped, c);
  return WPS_OK;
}

static void join_groups(struct wps_conn *c, const struct admission *a)
{
  const struct wps_str *groups = NULL;
  size_t count = 0, left_out = 0;
  char digits[LOG_NUMBER_ROOM];

  if (a->answer != NULL && a->answer->view.group_count != 0) {
    groups = a->answer->view.groups;
    count = a->answer->view.group_count;
  } else if (a->who != NULL) {
    groups = a->who->view.groups;
    count = a->who->view.group_count;
  }
  for (size_t i = 0; i < count && c->state == WPS_CONN_OPEN; i++) {
    uint64_t serial;

    if (membership_begin(c, groups[i], NULL, WPS_BY_ADMISSION, &serial) !=
        WPS_OK)
      left_out++;
  }
  if (left_out != 0) {
    struct log_field field = {"groups", log_number(digits, left_out)};

    conn_log(c, WPS_LOG_WARN,
             "groups of token or connect event not joined: "
             "limits.groups_per_connection, or out of memory",
             &field, 1);
  }
}

/* Everything that can fail before there is a client. */
static int prepare(struct wps_conn *c, const struct admission *a)
{
  struct hub_worker *hw;
  int rc;

  c->variant = a->chosen.variant;
  rc = set_roles(c, a);
  if (rc != WPS_OK)
    return rc;
  rc = hub_worker_get(c->worker, a->req->hub, true, &hw);
  if (rc != WPS_OK)
    return rc;
  rc = hub_add(hw, &c->client, conn_user(c));
  if (rc != WPS_OK)
    return rc;
  rc = shared_client_add(hw->hub->shared, &c->shared);
  if (rc != WPS_OK) {
    hub_remove(&c->client);
    return rc;
  }
  return client_events_begin(
      c, a->note,
      a->answer != NULL && (a->answer->view.flags & WPS_ANSWER_APP_STATE) != 0
          ? a->answer->view.app_state
          : STR_NONE);
}

static void undo(struct wps_conn *c)
{
  client_events_end(c, 1006, STR_NONE);
  if (c->client.hw != NULL) {
    shared_client_remove(c->client.hw->hub->shared, conn_id(c));
    hub_remove(&c->client);
  }
  conn_free(c);
}

static void greet(struct wps_conn *c, const struct admission *a)
{
  struct wps_hello hello = {.struct_size = sizeof(hello),
                            .variant = c->variant,
                            .req = a->req,
                            .who = a->who != NULL ? &a->who->view : NULL,
                            .answer =
                                a->answer != NULL ? &a->answer->view : NULL,
                            .selected = a->chosen.selected};
  int rc;

  c->flags |= CONN_IN_CALLBACK;
  rc = c->ops->open(c->instance->inst, c, &hello, &c->own);
  c->flags &= (uint16_t)~CONN_IN_CALLBACK;
  if (rc != WPS_OK) {
    conn_close_failed(c, rc);
    return;
  }
  c->flags |= CONN_GREETED;
  if (log_enabled(WPS_LOG_INFO))
    conn_log(c, WPS_LOG_INFO, "client connected", NULL, 0);
  client_events_connected(c); /* before it is told of groups */
  join_groups(c, a);
}

void conn_open(struct admission *a)
{
  struct wps_worker *w = a->worker;
  struct wps_conn *c = make(a);
  unsigned char *early = NULL;
  size_t head_len = 0, early_len = 0;
  char *head = NULL;
  struct stream *s;
  int rc = c != NULL ? prepare(c, a) : WPS_ENOMEM;

  http_on_gone(a->hc, NULL, NULL);
  if (rc != WPS_OK) {
    if (c != NULL)
      undo(c);
    http_answer(a->hc, rc == WPS_ELIMIT ? 429 : 503, NULL, STR_NONE,
                rc == WPS_ELIMIT ? STR("limits.hubs is reached")
                                 : STR("out of memory"));
    admission_free(a);
    return;
  }
  s = http_upgrade(a->hc, a->chosen.selected, &head, &head_len, &early,
                   &early_len);
  if (s == NULL) {
    undo(c);
    admission_free(a);
    return;
  }
  c->flags |= CONN_COUNTED;
  a->counted = false;
  c->stream = c->out.stream = s;
  c->state = WPS_CONN_OPEN;
  stream_set_ops(s, &conn_stream_ops, c);
  keepalive_start(c);
  /* The greeting of open() leaves in one write with the 101. */
  if (outbound_handshake(&c->out, w, head, head_len) != WPS_OK)
    conn_socket_lost(c, "out of memory");
  else
    greet(c, a);
  if (c->state == WPS_CONN_OPEN)
    inbound_feed(c, early, early_len);
  free(head);
  free(early);
  admission_free(a);
}
