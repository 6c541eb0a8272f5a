/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel.h - the instance, and its tunnels: WebSockets that applications have
 * opened to us.
 *
 * upstream-tunnel.c  the component: configuration, the route, life
 *   peer.c           one tunnel's socket: greeting, frames, idleness, end
 *     event.c        event -> request into a tunnel, its response -> reply
 *     rest.c         request out of a tunnel -> REST API -> response
 *   message.c        messages <-> bytes (frame.c)
 *
 * Who is there, which tunnel gets an event and how long it is awaited is the
 * same as in other upstreams: plugins/common/peers. */
#ifndef UPSTREAM_TUNNEL_H
#define UPSTREAM_TUNNEL_H

#include "plugins/common/cloudevents/origin.h"
#include "plugins/common/peers/peers.h"

struct tunnel_message;

struct tunnel_service {
  struct peers peers;
  uint64_t timeout_ms;
  uint64_t idle_status_ms; /* 0: never */
  uint32_t ping_ms, silence_ms;
  bool rest;
  uint8_t reserved[7];
  char origin[ORIGIN_MAX]; /* WebHook-Request-Origin */
};

struct tunnel {
  struct peer peer;
  struct tunnel_service *service;

  /* Its worker's. */
  size_t piece_bytes; /* of answers that go on */
  struct list rest;   /* struct rest_request, oldest first */
  size_t rest_count, rest_bytes;
  bool rest_busy, rest_held;
  uint8_t reserved[6];
};

/* ---- peer.c; thread: the tunnel's worker ---- */

extern const struct wps_subprotocol tunnel_peer_ops;

void tunnel_free(struct peer *p);
/* Errors: as peer_send(). */
int tunnel_send_message(struct tunnel *t, struct wps_conn *conn,
                        const struct tunnel_message *m);
/* NULL when out of memory. Thread: any. */
struct wps_frame *tunnel_frame(const struct tunnel_message *m);

/* ---- event.c ---- */

extern const struct peers_ops tunnel_peers_ops;
extern const struct wps_config_schema event_handler_schema;
int event_check_handler(const struct wps_config *cfg);

/* Thread: the client's worker. Consumes reply (NULL: nobody waits). */
void event_deliver(struct tunnel_service *s, const struct wps_handler *handler,
                   const struct wps_event *event, struct wps_reply *reply);
/* Thread: the tunnel's worker. */
void event_answered(struct tunnel *t, const struct tunnel_message *m);

/* ---- rest.c; thread: the tunnel's worker ---- */

/* A frame that is a request. Errors: ENOMEM. */
int rest_request(struct tunnel *t, struct wps_conn *conn,
                 struct wps_bytes frame);
/* Its socket takes more again. */
void rest_go_on(struct tunnel *t, struct wps_conn *conn);
void rest_free_all(struct tunnel *t);

#endif
