/* SPDX-License-Identifier: Apache-2.0 */
/* taps.c - the groups that an application server listens to. */
#include <stdlib.h>
#include <string.h>

#include <webpubsub/host.h>

#include "plugins/common/cloudevents/text.h"
#include "plugins/upstream-server/server.h"

struct tap {
  struct list node; /* in its bucket */
  struct server *server;
  struct wps_tap *ear;
  size_t len;
  char group[];
};

static struct list *bucket_of(struct server *server, struct wps_str group)
{
  uint32_t hash = 2166136261u;

  for (size_t i = 0; i < group.len; i++)
    hash = (hash ^ (unsigned char)group.ptr[i]) * 16777619u;
  return &server->taps[hash % TAP_BUCKETS];
}

static struct tap *find(struct server *server, struct wps_str group)
{
  struct list *bucket = bucket_of(server, group);

  for (struct list *n = bucket->next; n != bucket; n = n->next) {
    struct tap *tap = LIST_ITEM(n, struct tap, node);

    if (azure_equal((struct wps_str){tap->group, tap->len}, group))
      return tap;
  }
  return NULL;
}

/* A message of its own that it does not want back names it as its sender. */
static void heard(void *arg, struct wps_message *msg)
{
  const struct wps_message_info *info = wps->message->info(msg);
  struct tap *tap = arg;
  struct server *server = tap->server;
  struct wps_conn *conn = wps->conn->find(server->peer.ref);
  struct server_notice notice = {.kind = NOTICE_MESSAGE,
                                 .group = {tap->group, tap->len},
                                 .from_user = info->user,
                                 .metadata = {info->tags, info->tag_count}};
  struct command_room room = {NULL};

  if (conn == NULL || azure_equal(info->conn, server->id))
    return;
  if (notice.from_user.len == 0)
    notice.from_user.ptr = NULL;
  if (notice_payload(info, &room, &notice.payload) == WPS_OK)
    server_notify(server, conn, &notice);
  command_room_clear(&room);
}

int taps_add(struct server *server, struct wps_str group)
{
  struct server_service *s = server->service;
  struct tap *tap;
  int rc;

  if (find(server, group) != NULL)
    return WPS_OK;
  if (server->tap_count >= s->max_groups)
    return WPS_ELIMIT;
  tap = malloc(sizeof(*tap) + group.len);
  if (tap == NULL)
    return WPS_ENOMEM;
  tap->server = server;
  tap->len = group.len;
  memcpy(tap->group, group.ptr, group.len);
  rc = wps->hub->tap(s->peers.self, str_of(server->peer.name), group, heard,
                     tap, &tap->ear);
  if (rc != WPS_OK) {
    free(tap);
    return rc;
  }
  list_add(bucket_of(server, group), &tap->node);
  server->tap_count++;
  return WPS_OK;
}

static void drop(struct tap *tap)
{
  list_remove(&tap->node);
  tap->server->tap_count--;
  wps->hub->untap(tap->ear);
  free(tap);
}

void taps_remove(struct server *server, struct wps_str group)
{
  struct tap *tap = find(server, group);

  if (tap != NULL)
    drop(tap);
}

void taps_remove_all(struct server *server)
{
  for (size_t i = 0; i < TAP_BUCKETS; i++)
    while (!list_empty(&server->taps[i]))
      drop(LIST_ITEM(server->taps[i].next, struct tap, node));
}
