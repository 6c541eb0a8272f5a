/* SPDX-License-Identifier: Apache-2.0 */
/* conn/conn.h - one client: the object, its states, and its worker's registry.
 *
 * The story of a client. A handshake arrives as an http_conn; admit.c finds
 * hub, subprotocol and identity and asks the connect handler. open.c makes the
 * connection: 101, open(), groups, connected event, first frames. From then on
 * inbound.c turns bytes into frame() calls, outbound.c gathers what is to be
 * written and flushes once per turn, keepalive.c watches for silence. When the
 * socket breaks, a client with a session is detached (session.c) and may come
 * back through resume.c; all others end. close.c is the only way to the end:
 * the socket goes to a linger (linger.c) that finishes the closing handshake by
 * itself, and the client leaves its groups, has close() called, and is freed in
 * a deferred call of the same turn, so that no caller finds it gone under its
 * feet.
 *
 * Thread: the client's worker, for everything here.
 */
#ifndef WPS_CONN_CONN_H
#define WPS_CONN_CONN_H

#include "base/list.h"
#include "base/log.h"
#include "base/str.h"
#include "conn/out_shared.h"
#include "conn/outbound.h"
#include "hub/fanout.h"
#include "hub/hub.h"
#include "hub/roles.h"
#include "hub/shared.h"
#include "loop/timer.h"
#include "wire/frame_in.h"
#include "wire/stream.h"

#include <webpubsub/plugin.h>

struct client_events;
struct completions;
struct conn_drain;
struct conn_limits;
struct conn_peer;
struct conn_server;
struct instances;
struct keys;
struct linger;
struct session;
struct wps_request;

enum {
  CONN_IN_CALLBACK = 1 << 0,  /* frame() is running: no freeing under it   */
  CONN_GREETED = 1 << 1,      /* open() has returned: close() is owed      */
  CONN_CONNECTED = 1 << 2,    /* connected event made: disconnected is owed */
  CONN_DRAIN_WANTED = 1 << 3, /* a send said EAGAIN: drained() is owed     */
  CONN_COUNTED = 1 << 4,      /* counts in conn_server.connections         */
  CONN_FEEDING = 1 << 5,      /* frames of its input are being read        */
  CONN_EVENT_FAILED = 1 << 6, /* what the subprotocol does is its answer to */
                              /*   a failed event                          */
  CONN_HELD_PLUGIN = 1 << 7,  /* its socket is not read: conn->hold ...    */
  CONN_HELD_EVENTS = 1 << 8,  /* ... too many of its events wait ...       */
  CONN_HELD_LOST = 1 << 9,    /* ... it has ended, which waits for its turn */
  CONN_PEER = 1 << 10         /* of conn->accept: no client, see peer.h    */
};

struct wps_conn {
  struct hub_client client; /* first: hub code hands these out */
  /* What a delivery looks at stands together. */
  struct wps_worker *worker;
  const struct wps_instance *instance;
  struct stream *stream;   /* NULL while detached or closing */
  struct session *session; /* NULL: none */
  uint8_t state;           /* WPS_CONN_*                                    */
  uint8_t close_cause;     /* WPS_CLOSED_* of conn_close_later(), 0: none   */
  uint16_t flags;          /* CONN_*                                        */
  uint32_t variant;
  struct outbound out;
  const struct wps_subprotocol *ops; /* of instance, for the hot path */
  void *own;
  struct shared_client shared; /* its reference and its id */
  const char *subprotocol;     /* of `ops`, or in `text` */
  uint32_t subprotocol_len;
  uint32_t user_len, remote_len; /* in `text` */
  uint32_t next_serial;          /* of memberships */
  struct frame_in in;
  struct roles roles;
  struct client_events *events; /* NULL: its hub has no handlers */
  struct conn_peer *peer;       /* NULL: a client */
  struct wps_timer *timers;     /* of the plugin */
  struct timer timer;           /* keepalive; retention while detached */
  struct defer finish;          /* the end */
  int64_t heard_us;             /* last byte from the peer */
  char *end_told;               /* reason for events and log; malloc'ed */
  char *resumed_from; /* remote of the latest socket, malloc'ed; NULL: below */
  uint16_t end_code;
  char text[]; /* id, user, remote */
};

/* ---- limits and the process-wide part ---- */

struct conn_limits {
  size_t message_max;
  uint32_t fragments_max;
  uint32_t groups_max;
  uint32_t queue_messages; /* over: slow, after a flush */
  size_t queue_bytes;
  uint32_t events_waiting;       /* per client; then its socket is held */
  uint64_t events_waiting_bytes; /* the same */
  uint64_t events_waiting_total; /* bytes of all clients */
  uint32_t events_after_end_ms;
  uint64_t connections_max;
  uint32_t close_timeout_ms;
  uint64_t auth_timeout_ms;
  uint64_t event_timeout_ms;
  uint32_t peer_ping_ms; /* of peers that say nothing themselves */
  uint32_t message_timeout_ms;
};

struct conn_server {
  struct conn_limits limits;
  struct hubs *hubs;
  struct instances *instances;
  const struct keys *keys;
  struct wps_str default_hub; /* of clients that name none; {NULL,0}: refused */
  _Atomic uint64_t connections;
  _Atomic uint64_t events_waiting; /* bytes */
  atomic_bool draining;
};

union conn_slot {
  struct wps_conn *conn;
  uintptr_t free; /* odd: nobody's, and the next such one above the 1 */
};

struct conn_worker {
  struct conn_server *server;
  struct wps_worker *worker;
  union conn_slot *slots;
  uint32_t slot_count, slot_cap, free_slot; /* free list ends in UINT32_MAX */
  uint64_t live;                            /* connections */
  uint64_t peers;                           /* those of them that are peers */
  uint64_t generation;
  struct frame_pool *frames;
  struct out_worker out;
  struct out_shared_set out_shared;
  struct list lingers;
  struct list events;       /* struct client_events */
  struct wps_timer *timers; /* of the worker */
  struct list admissions;
  struct completions *completions;
  struct conn_drain *drain;       /* shutdown has begun */
  struct wps_frame *ping;         /* the empty ping, shared */
  struct wps_message *delivering; /* inside deliver() of a subprotocol */
  struct wps_message *expires;    /* the same, when it can still expire */
  struct linger *feed_linger;     /* took the socket of whom we feed now */
};

int conn_worker_start(struct wps_worker *w, struct conn_server *server);
void conn_worker_stop(struct wps_worker *w);

/* A zeroed connection in a slot of its own, state CONNECTING, with room for
 * so much text. NULL: no memory. */
struct wps_conn *conn_new(struct wps_worker *w, size_t text_len);
/* Take it out of its slot and free everything it owns. */
void conn_free(struct wps_conn *c);

/* Who is in a slot below slot_count. NULL: nobody. */
static inline struct wps_conn *conn_in_slot(const struct conn_worker *cw,
                                            uint32_t slot)
{
  return (cw->slots[slot].free & 1) != 0 ? NULL : cw->slots[slot].conn;
}

static inline struct wps_conn_ref conn_ref(const struct wps_conn *c)
{
  return c->shared.ref;
}
/* NULL when gone, ended, or of another worker. */
struct wps_conn *conn_find(struct wps_conn_ref ref);
/* Thread: any. fn(conn or NULL, arg) on the owner. Errors: ENOMEM. */
int conn_post(struct workers *all, struct wps_conn_ref ref, wps_conn_fn fn,
              void *arg);

static inline struct wps_conn *conn_of_client(struct hub_client *client)
{
  return (struct wps_conn *)(void *)client;
}
static inline struct conn_server *conn_server_of(const struct wps_conn *c)
{
  return c->worker->conns->server;
}
static inline struct wps_str conn_hub_name(const struct wps_conn *c)
{
  return c->client.hw != NULL ? c->client.hw->hub->name : STR_NONE;
}
static inline struct wps_str conn_id(const struct wps_conn *c)
{
  return c->shared.id;
}
static inline struct wps_str conn_user(const struct wps_conn *c)
{
  return c->user_len == 0
             ? STR_NONE
             : (struct wps_str){c->text + c->shared.id.len, c->user_len};
}
static inline struct wps_str conn_remote(const struct wps_conn *c)
{
  return c->resumed_from != NULL
             ? str_from(c->resumed_from)
             : (struct wps_str){c->text + c->shared.id.len + c->user_len,
                                c->remote_len};
}
static inline struct wps_str conn_subprotocol(const struct wps_conn *c)
{
  return (struct wps_str){c->subprotocol, c->subprotocol_len};
}
static inline bool conn_alive(const struct wps_conn *c)
{
  return c->state == WPS_CONN_OPEN || c->state == WPS_CONN_DETACHED;
}

static inline bool conn_held(const struct wps_conn *c)
{
  return (c->flags & (CONN_HELD_PLUGIN | CONN_HELD_EVENTS | CONN_HELD_LOST)) !=
         0;
}

/* One log record with hub, connection and user. */
void conn_log(const struct wps_conn *c, uint32_t level, const char *message,
              const struct log_field *more, size_t count);

#endif
