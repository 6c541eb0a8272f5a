/* SPDX-License-Identifier: Apache-2.0 */
/* run.c - commands of an application server: whether they may be done, and
 * when. */
#include <stdlib.h>
#include <string.h>

#include <webpubsub/host.h>

#include "plugins/upstream-server/run.h"

enum { WAITING_BYTES = 4 * 1024 * 1024, ABOUT_A_COMMAND = 64 };

/* Which groups the role has to be good for. */
enum { EVERYWHERE = 0, OF_GROUP = 1, ANY_ROLE = 2, NO_ROLE = 3 };

enum {
  NEEDS_CONNECTION = 1 << 0,
  NEEDS_USER = 1 << 1,
  NEEDS_GROUP = 1 << 2,
  NEEDS_PAYLOAD = 1 << 3
};

/* A frame that waits for its turn. */
struct waiting {
  struct list node;
  size_t len;
  char bytes[];
};

/* ---- what they need ---- */

struct rule {
  uint32_t kind;
  uint32_t role, scope; /* ROLE_*; EVERYWHERE, ... */
  uint32_t needs;       /* NEEDS_* */
  uint32_t to;          /* WPS_TO_* */
  uint32_t reserved;
  command_fn run;
};

static const struct rule rules[] = {
    {COMMAND_CLOSE_CLIENT, ROLE_MANAGER, EVERYWHERE, NEEDS_CONNECTION,
     WPS_TO_CONN, 0, command_close},
    {COMMAND_CLIENT_EXISTS, ROLE_MANAGER, EVERYWHERE, NEEDS_CONNECTION,
     WPS_TO_CONN, 0, command_count},
    {COMMAND_SEND_TO_CLIENT, ROLE_MANAGER, EVERYWHERE,
     NEEDS_CONNECTION | NEEDS_PAYLOAD, WPS_TO_CONN, 0, command_send},
    {COMMAND_USER_EXISTS, ROLE_MANAGER, EVERYWHERE, NEEDS_USER, WPS_TO_USER, 0,
     command_count},
    {COMMAND_SEND_TO_USER, ROLE_MANAGER, EVERYWHERE, NEEDS_USER | NEEDS_PAYLOAD,
     WPS_TO_USER, 0, command_send},
    {COMMAND_SEND_TO_ALL, ROLE_PUBLISHER, EVERYWHERE, NEEDS_PAYLOAD, WPS_TO_HUB,
     0, command_send},
    {COMMAND_CLOSE_USER, ROLE_MANAGER, EVERYWHERE, NEEDS_USER, WPS_TO_USER, 0,
     command_close},
    {COMMAND_CLOSE_GROUP, ROLE_MANAGER, OF_GROUP, NEEDS_GROUP, WPS_TO_GROUP, 0,
     command_close},
    {COMMAND_CLOSE_ALL, ROLE_MANAGER, EVERYWHERE, 0, WPS_TO_HUB, 0,
     command_close},
    {COMMAND_ADD_CLIENT, ROLE_MANAGER, OF_GROUP, NEEDS_CONNECTION | NEEDS_GROUP,
     WPS_TO_CONN, 0, command_join},
    {COMMAND_ADD_USER, ROLE_MANAGER, OF_GROUP, NEEDS_USER | NEEDS_GROUP,
     WPS_TO_USER, 0, command_join},
    {COMMAND_REMOVE_CLIENT, ROLE_MANAGER, OF_GROUP,
     NEEDS_CONNECTION | NEEDS_GROUP, WPS_TO_CONN, 0, command_join},
    {COMMAND_REMOVE_USER, ROLE_MANAGER, OF_GROUP, NEEDS_USER | NEEDS_GROUP,
     WPS_TO_USER, 0, command_join},
    {COMMAND_GROUP_HAS_CLIENT, ROLE_MANAGER, OF_GROUP,
     NEEDS_CONNECTION | NEEDS_GROUP, WPS_TO_CONN, 0, command_contains},
    {COMMAND_GROUP_HAS_USER, ROLE_MANAGER, OF_GROUP, NEEDS_USER | NEEDS_GROUP,
     WPS_TO_USER, 0, command_contains},
    {COMMAND_GRANT, ROLE_MANAGER, OF_GROUP, NEEDS_CONNECTION, WPS_TO_CONN, 0,
     command_permission},
    {COMMAND_REVOKE, ROLE_MANAGER, OF_GROUP, NEEDS_CONNECTION, WPS_TO_CONN, 0,
     command_permission},
    {COMMAND_PUBLISH, ROLE_PUBLISHER, OF_GROUP, NEEDS_GROUP | NEEDS_PAYLOAD,
     WPS_TO_GROUP, 0, command_send},
    {COMMAND_SUBSCRIBE, ROLE_SUBSCRIBER, OF_GROUP, NEEDS_GROUP, 0, 0,
     command_subscribe},
    {COMMAND_UNSUBSCRIBE, ROLE_SUBSCRIBER, NO_ROLE, NEEDS_GROUP, 0, 0,
     command_unsubscribe},
    {COMMAND_HANDLE_EVENTS, ROLE_MANAGER, ANY_ROLE, 0, 0, 0, command_handle},
};

/* A count says itself what it is of. */
static const struct rule counts[] = {
    [COUNT_HUB] = {COMMAND_COUNT, ROLE_MANAGER, EVERYWHERE, 0, WPS_TO_HUB, 0,
                   command_count},
    [COUNT_GROUP] = {COMMAND_COUNT, ROLE_MANAGER, OF_GROUP, NEEDS_GROUP,
                     WPS_TO_GROUP, 0, command_count},
    [COUNT_USER] = {COMMAND_COUNT, ROLE_MANAGER, EVERYWHERE, NEEDS_USER,
                    WPS_TO_USER, 0, command_count},
};

static const struct rule *rule_of(const struct server_command *c)
{
  if (c->kind == COMMAND_COUNT)
    return c->target <= COUNT_USER ? &counts[c->target] : NULL;
  for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
    if (rules[i].kind == c->kind)
      return &rules[i];
  return NULL;
}

static int check_role(const struct server *server, const struct rule *rule,
                      const struct server_command *c, struct refusal *why)
{
  struct wps_str group =
      rule->scope == OF_GROUP ? c->group : (struct wps_str){NULL, 0};
  bool may = true;

  if (rule->scope == ANY_ROLE)
    may = server_roles_any(&server->roles, rule->role);
  else if (rule->scope != NO_ROLE)
    may = server_roles_allow(&server->roles, rule->role, group);
  if (may)
    return WPS_OK;
  why->error = STR("Forbidden");
  text_printf(&why->detail, "needs the role %s", server_role_name(rule->role));
  if (group.ptr != NULL) {
    text_add_str(&why->detail, STR(" for the group '"));
    text_add_str(&why->detail, group);
    text_add_str(&why->detail, STR("'"));
  }
  return WPS_EINVAL;
}

static int check_fields(const struct rule *rule, const struct server_command *c,
                        struct refusal *why)
{
  const char *sentence = NULL;

  if ((rule->needs & NEEDS_CONNECTION) != 0 && c->connection.len == 0)
    sentence = "connectionId is missing";
  else if ((rule->needs & NEEDS_USER) != 0 && c->user.len == 0)
    sentence = "userId is missing";
  else if ((rule->needs & NEEDS_GROUP) != 0 && c->group.len == 0)
    sentence = "groupName is missing";
  else if ((rule->needs & NEEDS_PAYLOAD) != 0 && c->payload.data_type == 0)
    sentence = "payload is missing";
  else if (c->group.ptr != NULL && !azure_group_ok(c->group))
    sentence = "the name of the group is not valid";
  return sentence != NULL ? refuse(why, STR("BadRequest"), sentence) : WPS_OK;
}

static void begin(struct server *server, struct wps_conn *conn,
                  const struct server_command *c)
{
  const struct rule *rule = rule_of(c);
  struct refusal why = {.error = {NULL, 0}};
  int rc = WPS_EINVAL;

  if (rule != NULL)
    rc = check_role(server, rule, c, &why);
  if (rc == WPS_OK)
    rc = check_fields(rule, c, &why);
  if (rc == WPS_OK)
    rc = rule->run(server, c, rule->to, &why);
  if (rc != WPS_OK && why.error.ptr != NULL && !why.detail.failed)
    ack_failure(server, conn, c->ack_id, why.error, text_str(&why.detail));
  else if (rc != WPS_OK)
    ack_status(server, conn, c->ack_id, rc);
  text_free(&why.detail);
}

/* ---- their order ---- */

static void look_at_room(struct server *server, struct wps_conn *conn)
{
  size_t count = server->waiting_count + server->under_way;
  size_t most = server->service->queue;
  bool over = count >= most || server->waiting_bytes >= WAITING_BYTES;
  bool half = count <= most / 2 && server->waiting_bytes <= WAITING_BYTES / 2;

  if (server->held ? !half : !over)
    return;
  server->held = over;
  wps->conn->hold(conn, over);
}

/* An ack that there was no memory for has ended the server. */
static bool may_begin(const struct server *server)
{
  return !server->busy && !atomic_load(&server->peer.full) &&
         peer_alive(&server->peer);
}

static void run_waiting(struct server *server, struct wps_conn *conn,
                        struct waiting *w)
{
  struct command_room room = {NULL};
  struct server_command c;
  const char *why;
  int rc = server->codec->read((struct wps_bytes){w->bytes, w->len}, &room, &c,
                               &why);

  if (rc == WPS_OK)
    begin(server, conn, &c);
  else /* it has been read before: out of memory */
    ack_status(server, conn, c.ack_id, rc);
  command_room_clear(&room);
}

void run_go_on(struct server *server, struct wps_conn *conn)
{
  struct list *node;

  while (may_begin(server) && (node = list_pop(&server->waiting)) != NULL) {
    struct waiting *w = LIST_ITEM(node, struct waiting, node);

    server->waiting_count--;
    server->waiting_bytes -= w->len + ABOUT_A_COMMAND;
    run_waiting(server, conn, w);
    free(w);
  }
  look_at_room(server, conn);
}

static int wait(struct server *server, struct wps_bytes frame)
{
  struct waiting *w = malloc(sizeof(*w) + frame.len);

  if (w == NULL)
    return WPS_ENOMEM;
  w->len = frame.len;
  memcpy(w->bytes, frame.ptr, frame.len);
  list_add(&server->waiting, &w->node);
  server->waiting_count++;
  server->waiting_bytes += w->len + ABOUT_A_COMMAND;
  return WPS_OK;
}

static bool is_answer(const struct server_command *c)
{
  return c->kind == COMMAND_CONNECT_RESPONSE ||
         c->kind == COMMAND_MESSAGE_RESPONSE;
}

static int run_command(struct server *server, struct wps_conn *conn,
                       const struct server_command *c, struct wps_bytes frame)
{
  int rc = WPS_OK;

  if (is_answer(c)) {
    event_answered(server, c);
    return rc;
  }
  if (may_begin(server) && list_empty(&server->waiting))
    begin(server, conn, c);
  else
    rc = wait(server, frame);
  look_at_room(server, conn);
  return rc;
}

int run_frame(struct server *server, struct wps_conn *conn,
              struct wps_bytes frame)
{
  struct command_room room = {NULL};
  struct server_command c;
  const char *why = "";
  int rc = server->codec->read(frame, &room, &c, &why);

  if (rc == WPS_EPROTO || (rc == WPS_EINVAL && c.ack_id == 0)) {
    peer_end(&server->peer, conn, 1007,
             STR("The message is no valid message of the protocol."));
    rc = WPS_OK;
  } else if (rc == WPS_EINVAL && is_answer(&c)) {
    event_answered_badly(server, c.ack_id, why);
    rc = WPS_OK;
  } else if (rc == WPS_EINVAL) {
    ack_failure(server, conn, c.ack_id, STR("BadRequest"), str_of(why));
    rc = WPS_OK;
  } else if (rc == WPS_OK) {
    rc = run_command(server, conn, &c, frame);
  }
  command_room_clear(&room);
  return rc;
}

void run_free_all(struct server *server)
{
  struct list *node;

  while ((node = list_pop(&server->waiting)) != NULL)
    free(LIST_ITEM(node, struct waiting, node));
}
