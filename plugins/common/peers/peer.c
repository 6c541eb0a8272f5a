/* SPDX-License-Identifier: Apache-2.0 */
/* peer.c - one peer's socket. */
#include <webpubsub/host.h>

#include "plugins/common/peers/internal.h"

void peer_init(struct peer *p, struct peers *ps, struct wps_conn *conn,
               struct wps_str hub)
{
  atomic_init(&p->refs, 1);
  p->peers = ps;
  p->ref = wps->conn->ref(conn);
  p->worker = wps->conn->worker(conn);
  p->sent_us = wps->worker->now_us(p->worker);
  for (size_t i = 0; i < PEERS_EVENT_BUCKETS; i++)
    list_init(&p->events[i]);
  azure_lower(p->name, hub);
}

int peer_open(struct peer *p)
{
  return peers_add(p);
}

int peer_offer(struct peer *p, struct peer_offer *offer)
{
  return peers_change(p, offer);
}

int peer_send(struct peer *p, struct wps_conn *conn, struct wps_frame *frame)
{
  int rc = wps->conn->send(conn, frame);

  p->sent_us = wps->worker->now_us(p->worker);
  if (rc == WPS_EAGAIN)
    atomic_store(&p->full, true);
  return rc;
}

int peer_send_new(struct peer *p, struct wps_conn *conn,
                  struct wps_frame *frame)
{
  int rc;

  if (frame == NULL)
    return WPS_ENOMEM;
  rc = peer_send(p, conn, frame);
  wps->message->frame_unref(frame);
  return rc;
}

void peer_drained(struct peer *p)
{
  atomic_store(&p->full, false);
}

bool peer_alive(const struct peer *p)
{
  return wps->conn->find(p->ref) != NULL;
}

void peer_end(struct peer *p, struct wps_conn *conn, uint16_t code,
              struct wps_str reason)
{
  peers_leave(p);
  wps->conn->close(conn, code, reason);
}

void peer_closed(struct peer *p)
{
  struct peers *ps = p->peers;

  peers_leave(p);
  peer_events_fail(p);
  peer_unref(p);
  peers_closed(ps);
}
