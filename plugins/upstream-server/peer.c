/* SPDX-License-Identifier: Apache-2.0 */
/* peer.c - one application server's WebSocket. */
#include <stdlib.h>

#include <webpubsub/plugin.h>

#include "plugins/common/cloudevents/text.h"
#include "plugins/upstream-server/server.h"

/* ---- sending ---- */

struct wps_frame *server_frame(const struct server_codec *codec,
                               const struct server_notice *notice)
{
  struct wps_frame *frame;
  void *bytes;
  size_t len;

  if (codec->write(notice, &bytes, &len) != WPS_OK)
    return NULL;
  frame = wps->message->frame(codec->opcode, (struct wps_bytes){bytes, len});
  free(bytes);
  return frame;
}

int server_send(struct server *server, struct wps_conn *conn,
                struct wps_frame *frame)
{
  int rc = wps->conn->send(conn, frame);

  if (rc == WPS_EAGAIN)
    atomic_store(&server->full, true);
  return rc;
}

int server_notify(struct server *server, struct wps_conn *conn,
                  const struct server_notice *notice)
{
  struct wps_frame *frame = server_frame(server->codec, notice);
  int rc = WPS_ENOMEM;

  if (frame != NULL) {
    rc = server_send(server, conn, frame);
    wps->message->frame_unref(frame);
  }
  return rc;
}

/* ---- beginning and end ---- */

static struct server *server_new(struct server_service *s,
                                 struct wps_conn *conn,
                                 const struct wps_hello *hello)
{
  struct server *server = calloc(1, sizeof(*server));

  if (server == NULL)
    return NULL;
  atomic_init(&server->refs, 1);
  server->service = s;
  server->codec = hello->arg;
  server->ref = wps->conn->ref(conn);
  server->worker = wps->conn->worker(conn);
  server->id = wps->conn->id(conn);
  list_init(&server->registrations);
  list_init(&server->waiting);
  for (size_t i = 0; i < TAP_BUCKETS; i++)
    list_init(&server->taps[i]);
  azure_lower(server->name, wps->request->hub(hello->req));
  if (hello->who != NULL &&
      server_roles_read(&server->roles, hello->who->roles,
                        hello->who->role_count) != WPS_OK) {
    server_unref(server);
    return NULL;
  }
  return server;
}

static int greet(struct server *server, struct wps_conn *conn)
{
  const struct server_notice hello = {
      .kind = NOTICE_HELLO,
      .connection = server->id,
      .hub = str_of(server->name),
      .roles = {server->roles.names, server->roles.count}};

  return server_notify(server, conn, &hello);
}

static int open_peer(void *inst, struct wps_conn *conn,
                     const struct wps_hello *hello, void **state)
{
  struct server_service *s = inst;
  struct server *server;
  int rc;

  if (!azure_hub_ok(wps->request->hub(hello->req)))
    return WPS_EINVAL;
  server = server_new(s, conn, hello);
  if (server == NULL)
    return WPS_ENOMEM;
  rc = greet(server, conn);
  if (rc == WPS_OK)
    rc = servers_add(server);
  if (rc != WPS_OK) {
    server_unref(server);
    return rc;
  }
  wps->log->write(s->self, conn, WPS_LOG_INFO,
                  "an application server for the hub %s", server->name);
  *state = server;
  return WPS_OK;
}

void server_end(struct server *server, struct wps_conn *conn, uint16_t code,
                struct wps_str reason)
{
  servers_leave(server);
  wps->conn->close(conn, code, reason);
}

static void close_peer(struct wps_conn *conn, void *state, uint16_t code,
                       struct wps_str reason)
{
  struct server *server = state;
  struct server_service *s = server->service;

  (void)conn, (void)code, (void)reason;
  server->closed = true;
  servers_leave(server);
  taps_remove_all(server);
  event_fail_all(server);
  run_free_all(server);
  server_unref(server);
  servers_closed(s);
}

/* ---- frames ---- */

static int frame(struct wps_conn *conn, void *state, uint32_t opcode,
                 struct wps_bytes data)
{
  struct server *server = state;

  if (opcode == server->codec->opcode)
    return run_frame(server, conn, data);
  server_end(server, conn, 1003,
             server->codec->opcode == WPS_TEXT
                 ? STR("Only text messages are allowed.")
                 : STR("Only binary messages are allowed."));
  return WPS_OK;
}

static void drained(struct wps_conn *conn, void *state)
{
  struct server *server = state;

  atomic_store(&server->full, false);
  run_go_on(server, conn);
}

const struct wps_subprotocol server_peer_ops = {
    .struct_size = sizeof(server_peer_ops),
    .open = open_peer,
    .frame = frame,
    .drained = drained,
    .close = close_peer,
};
