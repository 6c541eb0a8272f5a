/* SPDX-License-Identifier: Apache-2.0 */
/* commands.c - what commands of an application server do, and their acks. */
#include <stdlib.h>

#include <webpubsub/host.h>

#include "plugins/upstream-server/run.h"

enum { CLOSE_NORMAL = 1000 };

/* A command that is being done. */
struct running {
  struct server *server;
  uint32_t kind, ack_id;
  bool blocks; /* the next one waits for it */
  uint8_t reserved[7];
};

/* ---- acks ---- */

static void ack(struct server *server, struct wps_conn *conn, uint32_t ack_id,
                const struct server_notice *said)
{
  struct server_notice notice = *said;

  if (ack_id == 0)
    return;
  notice.kind = NOTICE_ACK;
  notice.ack_id = ack_id;
  if (server_notify(server, conn, &notice) == WPS_ENOMEM)
    peer_end(&server->peer, conn, 1013, STR("out of memory"));
}

static void ack_success(struct server *server, struct wps_conn *conn,
                        uint32_t ack_id)
{
  const struct server_notice notice = {.result = RESULT_SUCCESS};

  ack(server, conn, ack_id, &notice);
}

static void ack_count(struct server *server, struct wps_conn *conn,
                      uint32_t ack_id, uint64_t count)
{
  const struct server_notice notice = {
      .result = RESULT_SUCCESS, .has_count = true, .count = count};

  ack(server, conn, ack_id, &notice);
}

void ack_failure(struct server *server, struct wps_conn *conn, uint32_t ack_id,
                 struct wps_str error, struct wps_str detail)
{
  const struct server_notice notice = {
      .result = RESULT_FAILURE, .error = error, .detail = detail};

  ack(server, conn, ack_id, &notice);
}

void ack_status(struct server *server, struct wps_conn *conn, uint32_t ack_id,
                int status)
{
  switch (status) {
  case WPS_OK:
    ack_success(server, conn, ack_id);
    break;
  case WPS_EINVAL:
    ack_failure(server, conn, ack_id, STR("BadRequest"),
                STR("the command is not valid"));
    break;
  case WPS_ENOTFOUND:
    ack_failure(server, conn, ack_id, STR("NotFound"),
                STR("there is no such thing"));
    break;
  case WPS_ELIMIT:
    ack_failure(server, conn, ack_id, STR("LimitExceeded"),
                STR("a limit of the service is reached"));
    break;
  case WPS_ENOMEM:
  case WPS_EAGAIN:
  case WPS_ECANCELED:
    ack_failure(server, conn, ack_id, STR("Unavailable"),
                STR("the service cannot do it now"));
    break;
  default:
    ack_failure(server, conn, ack_id, STR("InternalServerError"),
                STR("Internal server error"));
    break;
  }
}

/* ---- the end of a command ---- */

static struct running *running_new(struct server *server,
                                   const struct server_command *c, bool blocks)
{
  struct running *r = calloc(1, sizeof(*r));

  if (r == NULL)
    return NULL;
  peer_ref(&server->peer);
  r->server = server;
  r->kind = c->kind;
  r->ack_id = c->ack_id;
  r->blocks = blocks;
  server->under_way++;
  server->busy = blocks;
  return r;
}

/* On the server's worker. */
static void running_over(struct running *r)
{
  r->server->under_way--;
  if (r->blocks)
    r->server->busy = false;
}

static void running_free(struct running *r)
{
  peer_unref(&r->server->peer);
  free(r);
}

/* Who has to be there for success. */
static struct wps_str missing(uint32_t kind)
{
  switch (kind) {
  case COMMAND_CLIENT_EXISTS:
  case COMMAND_ADD_CLIENT:
  case COMMAND_GRANT:
  case COMMAND_REVOKE:
    return STR("there is no such connection");
  case COMMAND_USER_EXISTS:
  case COMMAND_ADD_USER:
    return STR("no connection of the user is there");
  case COMMAND_GROUP_HAS_CLIENT:
  case COMMAND_GROUP_HAS_USER:
    return STR("not in the group");
  default:
    return (struct wps_str){NULL, 0};
  }
}

static bool tells_count(uint32_t kind)
{
  switch (kind) {
  case COMMAND_REMOVE_CLIENT:
  case COMMAND_REMOVE_USER:
  case COMMAND_GRANT:
  case COMMAND_REVOKE:
  case COMMAND_GROUP_HAS_CLIENT:
  case COMMAND_GROUP_HAS_USER:
    return false;
  default:
    return true;
  }
}

static void ended(void *arg, int status, uint64_t clients)
{
  struct running *r = arg;
  struct server *server = r->server;
  struct wps_conn *conn = wps->conn->find(server->peer.ref);

  if (conn == NULL) {
    running_free(r);
    return;
  }
  running_over(r);
  if (status != WPS_OK)
    ack_status(server, conn, r->ack_id, status);
  else if (clients == 0 && missing(r->kind).ptr != NULL)
    ack_failure(server, conn, r->ack_id, STR("NotFound"), missing(r->kind));
  else if (tells_count(r->kind))
    ack_count(server, conn, r->ack_id, clients);
  else
    ack_success(server, conn, r->ack_id);
  run_go_on(server, conn);
  running_free(r);
}

static void published(struct wps_conn *none, void *arg, uint64_t tag,
                      const struct wps_published *result)
{
  struct running *r = arg;
  struct server *server = r->server;
  struct wps_conn *conn = wps->conn->find(server->peer.ref);

  (void)none, (void)tag;
  if (conn != NULL) {
    running_over(r);
    ack_status(server, conn, r->ack_id, result->status);
    run_go_on(server, conn);
  }
  running_free(r);
}

/* ---- what they do; WPS_OK: the ack follows from what they have begun ---- */

static struct wps_target target_of(const struct server *server,
                                   const struct server_command *c, uint32_t to)
{
  struct wps_target t = {.struct_size = sizeof(t),
                         .kind = to,
                         .hub = str_of(server->peer.name),
                         .excluded = c->excluded.items,
                         .excluded_count = c->excluded.count};

  if (to == WPS_TO_CONN)
    t.name = c->connection;
  else if (to == WPS_TO_USER)
    t.name = c->user;
  else if (to == WPS_TO_GROUP)
    t.name = c->group;
  return t;
}

static int begun(int rc, struct running *r)
{
  if (rc == WPS_OK)
    return rc;
  running_over(r);
  running_free(r);
  return rc;
}

int refuse(struct refusal *why, struct wps_str error, const char *sentence)
{
  why->error = error;
  text_add_str(&why->detail, str_of(sentence));
  return WPS_EINVAL;
}

static int compile(struct wps_str text, const struct wps_filter **out,
                   struct refusal *why)
{
  char sentence[300] = "";
  int rc = wps->hub->filter(text, out, sentence, sizeof(sentence));

  return rc == WPS_EINVAL ? refuse(why, STR("BadRequest"), sentence) : rc;
}

/* With NULL for the length of it, too. */
static struct wps_message *message_of(const struct server *server,
                                      const struct server_command *c)
{
  const struct wps_message_info info = {
      .struct_size = sizeof(info),
      .data_type = c->payload.data_type,
      .data = c->payload.data,
      .from = c->kind == COMMAND_PUBLISH ? WPS_FROM_GROUP : WPS_FROM_SERVER,
      .group = c->kind == COMMAND_PUBLISH ? c->group : STR(""),
      .conn = c->no_echo ? server->id : (struct wps_str){NULL, 0}};

  return wps->message->create(&info);
}

int command_send(struct server *server, const struct server_command *c,
                 uint32_t to, struct refusal *why)
{
  struct wps_target target = target_of(server, c, to);
  const struct wps_filter *filter = NULL;
  struct wps_message *msg;
  struct running *r;
  int rc = WPS_OK;

  if (c->filter.len > 0)
    rc = compile(c->filter, &filter, why);
  if (rc != WPS_OK)
    return rc;
  target.filter = filter;
  msg = message_of(server, c);
  r = msg != NULL ? running_new(server, c, filter != NULL) : NULL;
  if (msg == NULL)
    rc = refuse(why, STR("BadRequest"),
                "the payload is longer than limits.message_size");
  else if (r == NULL)
    rc = WPS_ENOMEM;
  else
    rc = begun(wps->hub->publish(server->service->peers.self, NULL, msg,
                                 &target, published, r, 0),
               r);
  if (msg != NULL)
    wps->message->unref(msg);
  if (filter != NULL)
    wps->hub->filter_unref(filter);
  return rc;
}

int command_close(struct server *server, const struct server_command *c,
                  uint32_t to, struct refusal *why)
{
  struct wps_target target = target_of(server, c, to);
  struct running *r = running_new(server, c, true);

  (void)why;
  if (r == NULL)
    return WPS_ENOMEM;
  return begun(wps->hub->command_close(server->service->peers.self, &target,
                                       CLOSE_NORMAL, c->reason, ended, r),
               r);
}

int command_count(struct server *server, const struct server_command *c,
                  uint32_t to, struct refusal *why)
{
  struct wps_target target = target_of(server, c, to);
  struct running *r = running_new(server, c, true);

  (void)why;
  if (r == NULL)
    return WPS_ENOMEM;
  return begun(wps->hub->count(server->service->peers.self, &target, ended, r),
               r);
}

/* "'it''s' in groups" */
static void group_filter(struct text *out, struct wps_str group)
{
  text_add_str(out, STR("'"));
  for (size_t i = 0; i < group.len; i++) {
    text_add(out, &group.ptr[i], 1);
    if (group.ptr[i] == '\'')
      text_add_str(out, STR("'"));
  }
  text_add_str(out, STR("' in groups"));
}

int command_contains(struct server *server, const struct server_command *c,
                     uint32_t to, struct refusal *why)
{
  struct wps_target target = target_of(server, c, to);
  const struct wps_filter *filter = NULL;
  struct text text = {0};
  struct running *r;
  int rc = WPS_ENOMEM;

  group_filter(&text, c->group);
  if (!text.failed)
    rc = compile(text_str(&text), &filter, why);
  text_free(&text);
  if (rc != WPS_OK)
    return rc;
  target.filter = filter;
  r = running_new(server, c, true);
  rc = r == NULL ? WPS_ENOMEM
                 : begun(wps->hub->count(server->service->peers.self, &target,
                                         ended, r),
                         r);
  wps->hub->filter_unref(filter);
  return rc;
}

int command_join(struct server *server, const struct server_command *c,
                 uint32_t to, struct refusal *why)
{
  struct wps_target target = target_of(server, c, to);
  struct running *r = running_new(server, c, true);
  struct wps_instance *self = server->service->peers.self;
  bool join = c->kind == COMMAND_ADD_CLIENT || c->kind == COMMAND_ADD_USER;

  (void)why;
  if (r == NULL)
    return WPS_ENOMEM;
  if (join)
    return begun(wps->hub->command_join(self, &target, &c->group, 1, ended, r),
                 r);
  return begun(wps->hub->command_leave(self, &target, &c->group, 1, ended, r),
               r);
}

int command_permission(struct server *server, const struct server_command *c,
                       uint32_t to, struct refusal *why)
{
  struct wps_target target = target_of(server, c, to);
  struct running *r = running_new(server, c, true);

  (void)why;
  if (r == NULL)
    return WPS_ENOMEM;
  return begun(
      wps->hub->command_permission(
          server->service->peers.self, &target,
          c->kind == COMMAND_GRANT ? WPS_OP_GRANT : WPS_OP_REVOKE,
          c->permission == PERMIT_SEND ? WPS_ACT_PUBLISH : WPS_ACT_JOIN,
          c->group, ended, r),
      r);
}

/* ---- what is done at once ---- */

static int done_now(struct server *server, const struct server_command *c)
{
  struct wps_conn *conn = wps->conn->find(server->peer.ref);

  if (conn != NULL)
    ack_success(server, conn, c->ack_id);
  return WPS_OK;
}

int command_subscribe(struct server *server, const struct server_command *c,
                      uint32_t to, struct refusal *why)
{
  int rc = taps_add(server, c->group);

  (void)to;
  if (rc == WPS_ELIMIT)
    return refuse(why, STR("LimitExceeded"),
                  "there are `max_groups` subscriptions");
  if (rc == WPS_ENOTFOUND)
    return refuse(why, STR("NotFound"), "the hub is not configured");
  return rc == WPS_OK ? done_now(server, c) : rc;
}

int command_unsubscribe(struct server *server, const struct server_command *c,
                        uint32_t to, struct refusal *why)
{
  (void)to, (void)why;
  taps_remove(server, c->group);
  return done_now(server, c);
}

static bool may_handle(const struct server *server,
                       const struct server_command *c)
{
  const uint32_t of_groups = WPS_EVENT_JOIN | WPS_EVENT_LEAVE |
                             WPS_EVENT_PUBLISH | WPS_EVENT_JOINED |
                             WPS_EVENT_LEFT;

  if (server_roles_allow(&server->roles, ROLE_MANAGER,
                         (struct wps_str){NULL, 0}))
    return true;
  if ((c->system_events & ~of_groups) != 0 || c->user_events.count > 0)
    return false;
  for (size_t i = 0; i < c->groups.count; i++)
    if (!server_roles_cover(&server->roles, ROLE_MANAGER, c->groups.items[i]))
      return false;
  return c->groups.count > 0 || c->system_events == 0;
}

/* Errors: ELIMIT, ENOMEM, ECLOSED. */
static int add_registration(struct server *server, struct registration *r)
{
  struct offer *before = server->offer, *fresh;
  int rc = offer_make(before, r, &fresh);

  if (rc != WPS_OK)
    return rc;
  rc = peer_offer(&server->peer, &fresh->base);
  if (rc != WPS_OK) {
    peer_offer_unref(&fresh->base);
    return rc;
  }
  server->offer = fresh;
  if (before != NULL)
    peer_offer_unref(&before->base);
  return WPS_OK;
}

int command_handle(struct server *server, const struct server_command *c,
                   uint32_t to, struct refusal *why)
{
  struct registration *r;
  char sentence[300] = "";
  int rc;

  (void)to;
  if (!may_handle(server, c))
    return refuse(why, STR("Forbidden"), "needs the role manager");
  rc = registration_new(c, &r, sentence, sizeof(sentence));
  if (rc == WPS_EINVAL)
    return refuse(why, STR("BadRequest"), sentence);
  if (rc == WPS_ELIMIT)
    return refuse(why, STR("LimitExceeded"), sentence);
  if (rc != WPS_OK)
    return rc;
  rc = add_registration(server, r);
  registration_unref(r);
  if (rc == WPS_ELIMIT)
    return refuse(why, STR("LimitExceeded"), "there are 256 registrations");
  return rc == WPS_OK ? done_now(server, c) : rc;
}
