/* SPDX-License-Identifier: Apache-2.0 */
/* peers.h - applications that have connected to us over WebSockets, and the
 * events that go to them: what upstreams of that kind have in common.
 *
 *   struct peers       of an instance: who is there, who gets what, the drain
 *   struct peer        one WebSocket, first in a struct of the component's own
 *   struct peer_event  one event, first in another one
 *   struct peer_offer  what a peer takes; immutable
 *
 * Who is there is a roster for each hub: immutable, counted, and replaced by
 * another one whenever somebody comes, goes, or takes something else. An event
 * looks at the roster that it finds, without a lock: the one of `peers` is held
 * to find it, and while rosters are replaced, but never while anything is
 * matched or written. So that who has just gone may still be chosen: then the
 * event fails, as it would had it been sent a little earlier.
 *
 * An event belongs to the worker of its client until it is sent, and to that of
 * its peer from then on, where its answer comes, its time is over, or nobody
 * waits any more: then its place is free at once, and the answer counts for
 * nothing. Each ends exactly once, its reply with it, before the last reference
 * of its peer goes; and all of them before their instance.
 *
 * Fields of these structs are the library's, but for those marked `yours`. */
#ifndef PLUGINS_COMMON_PEERS_H
#define PLUGINS_COMMON_PEERS_H

#include <pthread.h>
#include <stdatomic.h>

#include <webpubsub/conn.h>
#include <webpubsub/event.h>

#include "plugins/common/azure/names.h"
#include "plugins/common/cloudevents/report.h"
#include "plugins/common/list.h"

struct text;
struct peer;
struct peer_event;
struct peer_offer;

enum {
  PEERS_HUB_BUCKETS = 64,
  PEERS_EVENT_BUCKETS = 256,
  PEERS_KNOWN_MAX = 4 /* peers that a client is known to use */
};

/* What is different from one component to another. */
struct peers_ops {
  /* Sentences without their end: why an event fails, or a handshake. */
  const char *nobody;     /* none of the hub is connected           */
  const char *unwanted;   /* those that are do not take it; `takes` */
  const char *crowded;    /* none of those has room                 */
  const char *gone;       /* it has closed                          */
  const char *slow;       /* it does not read                       */
  const char *late;       /* its time is over                       */
  const char *everywhere; /* there are max_connections of them      */

  size_t known_max;  /* 1 to PEERS_KNOWN_MAX                   */
  size_t event_size; /* of the struct that begins with peer_event */

  /* NULL: every peer takes everything. Does this offer take the event? `e`
   * (NULL: it is only asked) may note what of the offer does. Thread: the
   * client's worker, without a lock. */
  bool (*takes)(const struct peer_offer *offer, const struct wps_event *event,
                struct peer_event *e);

  /* The last reference of a peer has gone: free what is the component's, and
   * the memory. Thread: any. */
  void (*peer_free)(struct peer *p);

  /* Optional. It is over: free what is the component's, but not the memory.
   * Thread: the peer's worker once it has been sent, any before. */
  void (*event_clear)(struct peer_event *e);
};

struct peers {
  const struct peers_ops *ops;
  struct wps_instance *self;
  size_t max_connections; /* yours, before the first peer */
  uint32_t max_pending;   /* yours: events of one of them */
  _Atomic bool draining;
  uint8_t reserved[3];
  _Atomic size_t pending; /* events that are not over */

  /* WPS_EVENT_* that somebody in these hubs takes; written under the lock. */
  _Atomic uint32_t wanted[PEERS_HUB_BUCKETS];

  pthread_mutex_t lock; /* of what follows */
  struct list hubs[PEERS_HUB_BUCKETS];
  uint64_t last_serial;
  size_t open;
  struct wps_reply *drained;
  bool closing;
  uint8_t reserved2[7];
  struct limiter failures;
};

struct peer {
  struct peers *peers;
  struct wps_conn_ref ref;
  struct wps_worker *worker;
  uint64_t serial;
  _Atomic uint32_t refs;
  _Atomic uint32_t next_ack;
  _Atomic uint32_t pending; /* events given to it, and not over        */
  _Atomic bool full;        /* its socket takes no more for the moment */
  _Atomic bool gone;        /* not to be chosen any more               */
  uint8_t reserved[2];
  _Atomic size_t posted;                      /* bytes on their way to it */
  char name[AZURE_HUB_MAX + 1], reserved2[7]; /* of its hub; to read */

  /* Its worker's. */
  struct list events[PEERS_EVENT_BUCKETS]; /* sent and not over, by ack */
  struct wps_timer *expiry;                /* for the next that is late */
  int64_t expiry_us;
  int64_t sent_us; /* to read: when something was sent last */
};

/* Counted; `refs` is 1 and `free` set by who makes it. */
struct peer_offer {
  _Atomic uint32_t refs;
  uint32_t events;                        /* WPS_EVENT_* that it may take */
  void (*free)(struct peer_offer *offer); /* thread: any */
};

struct peer_event {
  struct list node; /* in its peer's */
  struct peers *peers;
  struct peer *peer; /* NULL: none was found */
  const struct wps_event *event;
  struct wps_reply *reply; /* NULL: nobody waits; yours to finish */
  struct wps_frame *frame; /* until it has been sent */
  struct wps_str url;      /* yours: for logs, {NULL,0}: none */
  size_t frame_len;
  int64_t deadline_us;
  uint32_t ack; /* 1 to 2^31-1; to read */
  uint32_t reserved;
};

/* Why nothing came of an event. */
struct peer_failure {
  int status;
  uint32_t code; /* the application answered with it; else `why` */
  const char *why;
};

/* ---- registry.c, choose.c; thread: any ---- */

void peers_init(struct peers *ps, const struct peers_ops *ops,
                struct wps_instance *self);
/* All peers have closed. */
void peers_free(struct peers *ps);
/* Answers a route's request: a hub's name and room for one more make a peer.
 * Consumes reply. */
void peers_accept(struct peers *ps, const struct wps_request *req,
                  struct wps_reply *reply, const struct wps_accept *how);

/* Does anybody take such an event? Thread: the client's worker. */
bool peers_want(struct peers *ps, const struct wps_event *event);

/* Waits for what is under way, then closes all peers with 1001. Consumes
 * reply, when the last one has closed. */
void peers_drain(struct peers *ps, struct wps_reply *reply);

struct peer *peer_ref(struct peer *p);
void peer_unref(struct peer *p);

static inline struct peer_offer *peer_offer_ref(struct peer_offer *offer)
{
  if (offer != NULL)
    atomic_fetch_add_explicit(&offer->refs, 1, memory_order_relaxed);
  return offer;
}

static inline void peer_offer_unref(struct peer_offer *offer)
{
  if (offer != NULL &&
      atomic_fetch_sub_explicit(&offer->refs, 1, memory_order_acq_rel) == 1)
    offer->free(offer);
}

/* ---- peer.c; thread: the peer's worker ---- */

/* In open() of its ops, with memory of zeros: one reference, and nobody knows
 * it yet; whatever fails, peer_unref() is all. */
void peer_init(struct peer *p, struct peers *ps, struct wps_conn *conn,
               struct wps_str hub);
/* From now on it may be chosen; where there is `takes`, once it has an offer.
 * Errors: ELIMIT (max_connections), ECLOSED (the server ends), ENOMEM. */
int peer_open(struct peer *p);
/* What it takes from now on; takes a reference of its own. Errors: ENOMEM
 * (what it took before holds), ECLOSED (peer_end(), peer_closed()). */
int peer_offer(struct peer *p, struct peer_offer *offer);
/* Errors: as conn->send; after EAGAIN it is on its way all the same, and
 * `full` until peer_drained(). */
int peer_send(struct peer *p, struct wps_conn *conn, struct wps_frame *frame);
/* The same, and consumes the frame; NULL is ENOMEM. */
int peer_send_new(struct peer *p, struct wps_conn *conn,
                  struct wps_frame *frame);
void peer_drained(struct peer *p);
/* It is there, and not ended by us: it may be asked, and answered. */
bool peer_alive(const struct peer *p);
/* Our end: nobody chooses it any more. */
void peer_end(struct peer *p, struct wps_conn *conn, uint16_t code,
              struct wps_str reason);
/* In close() of its ops: fails what is under way. Consumes the reference of
 * peer_init(). */
void peer_closed(struct peer *p);

/* ---- under_way.c ---- */

/* Finds who gets the event. Consumes reply (NULL: nobody waits). NULL: it has
 * failed, and is over. Thread: the client's worker. */
struct peer_event *peer_event_new(struct peers *ps,
                                  const struct wps_event *event,
                                  struct wps_reply *reply, struct wps_str url);
/* Consumes the frame and the event: it is sent, unless nobody waits any more,
 * and fails after `timeout_ms`. Thread: the client's worker. */
void peer_event_send(struct peer_event *e, struct wps_frame *frame,
                     uint64_t timeout_ms);

/* What this answer is to, until it is over; NULL, and a line at debug: nothing
 * that anybody waits for. Thread, also of what follows: the peer's worker. */
struct peer_event *peer_event_find(struct peer *p, uint64_t ack);
/* It is over, and consumed: you have finished its reply. */
void peer_event_over(struct peer_event *e);
/* The same, but the reply fails, and the log hears of it. Also instead of
 * peer_event_send(), and on its thread. */
void peer_event_fail(struct peer_event *e, const struct peer_failure *f);
/* The log hears of it; `words`, too. */
void peer_event_report(const struct peer_event *e, const struct peer_failure *f,
                       struct text *words);

#endif
