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

int server_notify(struct server *server, struct wps_conn *conn,
                  const struct server_notice *notice)
{
  return peer_send_new(&server->peer, conn,
                       server_frame(server->codec, notice));
}

/* ---- beginning and end ---- */

void server_free(struct peer *p)
{
  struct server *server = LIST_ITEM(p, struct server, peer);

  if (server->offer != NULL)
    peer_offer_unref(&server->offer->base);
  server_roles_free(&server->roles);
  free(server);
}

static struct server *server_new(struct server_service *s,
                                 struct wps_conn *conn,
                                 const struct wps_hello *hello)
{
  struct server *server = calloc(1, sizeof(*server));

  if (server == NULL)
    return NULL;
  peer_init(&server->peer, &s->peers, conn, wps->request->hub(hello->req));
  server->service = s;
  server->codec = hello->arg;
  server->id = wps->conn->id(conn);
  list_init(&server->waiting);
  for (size_t i = 0; i < TAP_BUCKETS; i++)
    list_init(&server->taps[i]);
  if (hello->who != NULL &&
      server_roles_read(&server->roles, hello->who->roles,
                        hello->who->role_count) != WPS_OK) {
    peer_unref(&server->peer);
    return NULL;
  }
  return server;
}

static int greet(struct server *server, struct wps_conn *conn)
{
  const struct server_notice hello = {
      .kind = NOTICE_HELLO,
      .connection = server->id,
      .hub = str_of(server->peer.name),
      .roles = {server->roles.names, server->roles.count}};

  return server_notify(server, conn, &hello);
}

static int open_peer(void *inst, struct wps_conn *conn,
                     const struct wps_hello *hello, void **state)
{
  struct server_service *s = inst;
  struct server *server = server_new(s, conn, hello);
  int rc;

  if (server == NULL)
    return WPS_ENOMEM;
  rc = greet(server, conn);
  if (rc == WPS_OK)
    rc = peer_open(&server->peer);
  if (rc != WPS_OK) {
    peer_unref(&server->peer);
    return rc;
  }
  wps->log->write(s->peers.self, conn, WPS_LOG_INFO,
                  "an application server for the hub %s", server->peer.name);
  *state = server;
  return WPS_OK;
}

static void close_peer(struct wps_conn *conn, void *state, uint16_t code,
                       struct wps_str reason)
{
  struct server *server = state;

  (void)conn, (void)code, (void)reason;
  taps_remove_all(server);
  run_free_all(server);
  peer_closed(&server->peer);
}

/* ---- frames ---- */

static int frame(struct wps_conn *conn, void *state, uint32_t opcode,
                 struct wps_bytes data)
{
  struct server *server = state;

  if (opcode == server->codec->opcode)
    return run_frame(server, conn, data);
  peer_end(&server->peer, conn, 1003,
           server->codec->opcode == WPS_TEXT
               ? STR("Only text messages are allowed.")
               : STR("Only binary messages are allowed."));
  return WPS_OK;
}

static void drained(struct wps_conn *conn, void *state)
{
  struct server *server = state;

  peer_drained(&server->peer);
  run_go_on(server, conn);
}

const struct wps_subprotocol server_peer_ops = {
    .struct_size = sizeof(server_peer_ops),
    .open = open_peer,
    .frame = frame,
    .drained = drained,
    .close = close_peer,
};
