/* SPDX-License-Identifier: Apache-2.0 */
/* subprotocol-simple.c - clients without a subprotocol, or with one that only
 * the application knows: each message as it is (azure-client.md 4).
 */
#include <stdlib.h>
#include <string.h>

#include <webpubsub/plugin.h>

#include "plugins/common/azure/client.h"
#include "plugins/common/azure/event.h"
#include "plugins/common/azure/fragment.h"
#include "plugins/common/azure/handshake.h"

static const struct wps_str internal_error =
    WPS_STR_INIT("Internal server error");
static const struct wps_str not_authorized =
    WPS_STR_INIT("The connection is not authorized for raw sendToGroup mode.");
static const struct wps_str too_many_waiting =
    WPS_STR_INIT("Too many requests wait for an event handler.");

/* Messages that wait for a decision; with so many, the client is held. */
enum { WAITING_MAX = 100 };

/* A message to the group that waits for an upstream's decision, or for those
 * before it. */
struct waiting {
  struct waiting *next;
  struct wps_message *msg;
  bool asked;
};

struct simple_client {
  struct wps_instance *self;
  uint32_t mode;
  uint32_t target_flags;
  struct waiting *first, *last; /* the first one is asked */
  uint32_t waiting;
  bool held;
  char *told;       /* why it was closed, while that may be looked at */
  size_t group_len; /* with AZURE_MODE_GROUP */
  char group[];
};

static int create(struct wps_instance *self, const struct wps_config *cfg,
                  void *old, void **inst)
{
  (void)cfg, (void)old;
  *inst = self;
  return WPS_OK;
}

static void destroy(void *inst)
{
  (void)inst;
}

static int negotiate(void *inst, const struct wps_request *req,
                     struct wps_str name, struct wps_negotiation *out)
{
  (void)inst;
  /* What was offered and nobody knows is not echoed; what the application has
   * chosen comes as a name. */
  if (name.len == 0)
    out->selected = (struct wps_str){NULL, 0};
  return azure_negotiate(req, AZURE_SIMPLE, out);
}

static int open_client(void *inst, struct wps_conn *conn,
                       const struct wps_hello *hello, void **state)
{
  struct simple_client *client;
  struct azure_mode mode;
  struct wps_str why;

  (void)conn;
  if (azure_mode_read(hello->req, &mode, &why) != WPS_OK)
    return WPS_EINVAL;
  client = malloc(sizeof(*client) + mode.group.len);
  if (client == NULL)
    return WPS_ENOMEM;
  *client = (struct simple_client){.self = inst,
                                   .mode = mode.mode,
                                   .target_flags =
                                       mode.no_echo ? WPS_TARGET_NOT_SELF : 0,
                                   .group_len = mode.group.len};
  if (mode.group.len > 0)
    memcpy(client->group, mode.group.ptr, mode.group.len);
  *state = client;
  return WPS_OK;
}

static void event_failed(struct wps_conn *conn, int status)
{
  if (status == WPS_EAGAIN)
    wps->conn->close(conn, 1008, too_many_waiting);
  else
    wps->conn->close(conn, 1011, internal_error);
}

static void on_answer(struct wps_conn *conn, void *arg, uint64_t tag,
                      int status, const struct wps_event_answer *answer)
{
  struct wps_message *msg = NULL;

  (void)arg, (void)tag;
  if (conn == NULL)
    return;
  if (status == WPS_OK)
    status = azure_answer_message(answer, &msg);
  if (msg != NULL) {
    status = wps->conn->deliver(conn, msg);
    if (status == WPS_EAGAIN || status == WPS_ECLOSED)
      status = WPS_OK;
    wps->message->unref(msg);
  }
  if (status != WPS_OK)
    event_failed(conn, status);
}

/* ---- messages to the group ---- */

static int publish(const struct simple_client *client, struct wps_conn *conn,
                   struct wps_message *msg)
{
  struct wps_target target = {.struct_size = sizeof(target),
                              .kind = WPS_TO_GROUP,
                              .hub = wps->conn->hub(conn),
                              .name = {client->group, client->group_len},
                              .flags = client->target_flags};

  return wps->hub->publish(client->self, conn, msg, &target, NULL, NULL, 0);
}

static int wait_behind(struct simple_client *client, struct wps_conn *conn,
                       struct wps_message *msg, bool asked)
{
  struct waiting *w = malloc(sizeof(*w));

  if (w == NULL)
    return WPS_ENOMEM;
  *w = (struct waiting){.msg = wps->message->ref(msg), .asked = asked};
  if (client->last != NULL)
    client->last->next = w;
  else
    client->first = w;
  client->last = w;
  if (++client->waiting >= WAITING_MAX && !client->held) {
    client->held = true;
    wps->conn->hold(conn, true);
  }
  return WPS_OK;
}

/* Drop the first that waits, or publish it before. */
static int pass_first(struct simple_client *client, struct wps_conn *conn,
                      bool wanted)
{
  struct waiting *w = client->first;
  int rc = wanted ? publish(client, conn, w->msg) : WPS_OK;

  client->first = w->next;
  if (client->first == NULL)
    client->last = NULL;
  client->waiting--;
  wps->message->unref(w->msg);
  free(w);
  return rc;
}

static void on_decided(struct wps_conn *conn, void *arg, uint64_t tag,
                       int status)
{
  struct simple_client *client = arg;
  int rc;

  (void)tag;
  if (conn == NULL || client->first == NULL) /* closed meanwhile */
    return;
  if (status != WPS_OK) {
    while (client->first != NULL)
      (void)pass_first(client, conn, false);
    wps->conn->close(conn, 1008, not_authorized);
    return;
  }
  do {
    rc = pass_first(client, conn, true);
  } while (rc == WPS_OK && client->first != NULL && !client->first->asked);
  if (rc != WPS_OK) {
    wps->conn->close(conn, 1011, internal_error);
  } else if (client->held && client->waiting <= WAITING_MAX / 2) {
    client->held = false;
    wps->conn->hold(conn, false);
  }
}

/* In the order they came, though an upstream may want to decide about some. */
static int send_to_group(struct simple_client *client, struct wps_conn *conn,
                         struct wps_message *msg)
{
  struct wps_client_request what = {.struct_size = sizeof(what),
                                    .type = WPS_EVENT_PUBLISH,
                                    .group = {client->group, client->group_len},
                                    .msg = msg};
  int rc;

  rc = wps->hub->ask(conn, &what, on_decided, client, 0);
  if (rc == WPS_ENOTFOUND && client->first == NULL)
    return publish(client, conn, msg);
  if (rc == WPS_OK || rc == WPS_ENOTFOUND)
    return wait_behind(client, conn, msg, rc == WPS_OK);
  if (rc != WPS_EAGAIN)
    return rc;
  event_failed(conn, rc);
  return WPS_OK;
}

static int frame(struct wps_conn *conn, void *state, uint32_t opcode,
                 struct wps_bytes data)
{
  static const struct wps_str event_name = WPS_STR_INIT("message");
  static const struct wps_str plain_text =
      WPS_STR_INIT("text/plain; charset=utf-8");
  static const struct wps_str octets = WPS_STR_INIT("application/octet-stream");
  struct simple_client *client = state;
  struct wps_message_info info = {
      .struct_size = sizeof(info),
      .data_type = opcode == WPS_TEXT ? WPS_DATA_TEXT : WPS_DATA_BINARY,
      .data = data,
      .user = wps->conn->user(conn),
      .conn = wps->conn->id(conn)};
  struct wps_message *msg;
  int rc;

  if (client->mode == AZURE_MODE_GROUP) {
    info.from = WPS_FROM_GROUP;
    info.group = (struct wps_str){client->group, client->group_len};
    if (!wps->conn->allowed(conn, WPS_ACT_PUBLISH, info.group)) {
      wps->conn->close(conn, 1008, not_authorized);
      return WPS_OK;
    }
  } else {
    info.content_type = opcode == WPS_TEXT ? plain_text : octets;
  }
  msg = wps->message->create(&info);
  if (msg == NULL)
    return WPS_ENOMEM;
  if (client->mode == AZURE_MODE_GROUP) {
    rc = send_to_group(client, conn, msg);
  } else {
    rc = azure_event(conn, event_name, msg, on_answer, NULL, 0);
    if (rc != WPS_OK) {
      event_failed(conn, rc);
      rc = WPS_OK;
    }
  }
  wps->message->unref(msg);
  return rc;
}

/* A fragment of a stream is a message; that there are no more of them is not
 * for these clients. */
static int encode(void *inst, const struct wps_message *msg, uint32_t variant,
                  struct wps_frame **out)
{
  const struct wps_message_info *info = wps->message->info(msg);
  bool text =
      info->data_type == WPS_DATA_TEXT || info->data_type == WPS_DATA_JSON;
  struct azure_fragment part;

  (void)inst, (void)variant;
  if (info->kind != WPS_MSG_DATA)
    return WPS_ENOTSUP;
  if (info->prop_count > 0) {
    azure_fragment_read(info, &part);
    if (part.end)
      return WPS_ENOTSUP;
  }
  *out = wps->message->frame(text ? WPS_TEXT : WPS_BINARY, info->data);
  return *out != NULL ? WPS_OK : WPS_ENOMEM;
}

static void closing(struct wps_conn *conn, void *state, struct wps_closing *how)
{
  struct simple_client *client = state;
  struct wps_str words;

  (void)conn;
  azure_closing(how, &client->told, &words);
}

static void close_client(struct wps_conn *conn, void *state, uint16_t code,
                         struct wps_str reason)
{
  struct simple_client *client = state;

  (void)code, (void)reason;
  /* What nobody had to decide about is not lost with the client. */
  while (client->first != NULL)
    (void)pass_first(client, conn, !client->first->asked);
  free(client->told);
  free(client);
}

static const char *const names[] = {"", "*", NULL};

static const struct wps_subprotocol ops = {.struct_size = sizeof(ops),
                                           .names = names,
                                           .negotiate = negotiate,
                                           .open = open_client,
                                           .frame = frame,
                                           .encode = encode,
                                           .closing = closing,
                                           .close = close_client};

static const struct wps_component component = {
    .struct_size = sizeof(component),
    .kind = WPS_KIND_SUBPROTOCOL,
    .name = "simple",
    .summary = "clients without a subprotocol: each message as it is",
    .create = create,
    .destroy = destroy,
    .ops.subprotocol = &ops};

WPS_PLUGIN("subprotocol-simple", "1.0", "Apache-2.0", &component);
