/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel.h - the instance, and its tunnels: WebSockets that applications have
 * opened to us.
 *
 * upstream-tunnel.c  the component: configuration, the route, life
 *   tunnels.c        who is there, and which of them gets an event; drain
 *   peer.c           one tunnel's socket: greeting, frames, idleness, end
 *     event.c        event -> request into a tunnel, its response -> reply
 *     rest.c         request out of a tunnel -> REST API -> response
 *   message.c        messages <-> bytes (frame.c)
 *
 * An event is written down on the worker of its client, and sent, awaited and
 * answered on the worker of the tunnel. */
#ifndef UPSTREAM_TUNNEL_H
#define UPSTREAM_TUNNEL_H

#include <pthread.h>
#include <stdatomic.h>

#include <webpubsub/event.h>

#include "plugins/common/azure/names.h"
#include "plugins/common/cloudevents/origin.h"
#include "plugins/common/cloudevents/report.h"
#include "plugins/common/list.h"

struct event_job;
struct tunnel_message;
struct tunnel_message_in;

enum { HUB_BUCKETS = 64, JOB_BUCKETS = 256 };

struct tunnel_service {
  struct wps_instance *self;
  uint64_t timeout_ms;
  uint64_t idle_status_ms; /* 0: never */
  size_t max_connections;
  uint32_t max_pending; /* of a tunnel */
  uint32_t ping_ms, silence_ms;
  bool rest;
  uint8_t reserved[3];
  char origin[ORIGIN_MAX]; /* WebHook-Request-Origin */

  pthread_mutex_t lock; /* of what follows */
  struct list hubs[HUB_BUCKETS];
  uint64_t last_serial;
  size_t open;    /* tunnels                */
  size_t pending; /* events under way       */
  struct wps_reply *drained;
  bool draining, closing;
  uint8_t reserved2[6];
  struct limiter failures;
};

struct hub_tunnels; /* of one hub, while there are any */

struct tunnel {
  struct tunnel_service *service;
  struct wps_conn_ref ref;
  struct wps_worker *worker;
  uint64_t serial;
  _Atomic uint32_t refs;
  _Atomic uint32_t next_ack;
  _Atomic uint32_t pending; /* events given to it, and not over        */
  _Atomic bool full;        /* its socket takes no more for the moment */
  uint8_t reserved[3];
  _Atomic size_t posted;   /* bytes on their way to its worker        */
  struct hub_tunnels *hub; /* NULL: not to be chosen; under the lock  */
  char name[AZURE_HUB_MAX + 1], padding[7];

  /* Its worker's. */
  struct event_job *jobs[JOB_BUCKETS]; /* by AckId                    */
  size_t piece_bytes;                  /* of answers that go on       */
  struct wps_timer *expiry;            /* for the next one that is late */
  int64_t expiry_us;
  int64_t sent_us;
  struct list rest; /* struct rest_request, oldest first   */
  size_t rest_count, rest_bytes;
  bool rest_busy, rest_held, closed;
  uint8_t reserved2[5];
};

/* ---- tunnels.c; thread: any ---- */

void tunnels_init(struct tunnel_service *s);
void tunnels_free(struct tunnel_service *s);
bool tunnels_have_room(struct tunnel_service *s);
/* Errors: ELIMIT (max_connections), ECLOSED (the server ends), ENOMEM. */
int tunnels_add(struct tunnel *t);
/* Not to be chosen any more. */
void tunnels_leave(struct tunnel *t);
/* After its close(). */
void tunnels_closed(struct tunnel_service *s);

/* A tunnel of the hub with room for one more event, which counts from now on
 * until tunnel_event_over(): the one with this serial, or else the next one in
 * turn. NULL: *why says it. Gives a reference. */
struct tunnel *tunnels_choose(struct tunnel_service *s, struct wps_str hub,
                              uint64_t serial, const char **why);
void tunnel_event_over(struct tunnel *t);
void tunnels_drain(struct tunnel_service *s, struct wps_reply *reply);

struct tunnel *tunnel_ref(struct tunnel *t);
void tunnel_unref(struct tunnel *t);

/* ---- peer.c; thread: the tunnel's worker ---- */

extern const struct wps_subprotocol tunnel_peer_ops;

/* Errors: as conn->send; after EAGAIN it is on its way all the same. */
int tunnel_send(struct tunnel *t, struct wps_conn *conn,
                struct wps_frame *frame);
int tunnel_send_message(struct tunnel *t, struct wps_conn *conn,
                        const struct tunnel_message *m);
/* NULL when out of memory. Thread: any. */
struct wps_frame *tunnel_frame(const struct tunnel_message *m);
/* Our end: nobody chooses it any more. */
void tunnel_end(struct tunnel *t, struct wps_conn *conn, uint16_t code,
                struct wps_str reason);

/* ---- event.c ---- */

extern const struct wps_config_schema event_handler_schema;
int event_check_handler(const struct wps_config *cfg);

/* Thread: the client's worker. Consumes reply (NULL: nobody waits). */
void event_deliver(struct tunnel_service *s, const struct wps_handler *handler,
                   const struct wps_event *event, struct wps_reply *reply);
/* Thread: the tunnel's worker. */
void event_answered(struct tunnel *t, const struct tunnel_message *m);
/* The tunnel has closed. */
void event_fail_all(struct tunnel *t);

/* ---- rest.c; thread: the tunnel's worker ---- */

/* Takes `in` over. Errors: ENOMEM. */
int rest_request(struct tunnel *t, struct wps_conn *conn,
                 struct tunnel_message_in *in);
/* Its socket takes more again. */
void rest_go_on(struct tunnel *t, struct wps_conn *conn);
void rest_free_all(struct tunnel *t);

#endif
