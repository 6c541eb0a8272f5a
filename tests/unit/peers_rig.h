/* SPDX-License-Identifier: Apache-2.0 */
/* peers_rig.h - a host table for plugins/common/peers: workers, replies and
 * timers are the core's, connections, frames and events the test's.
 */
#ifndef WPS_TESTS_UNIT_PEERS_RIG_H
#define WPS_TESTS_UNIT_PEERS_RIG_H

#include <stdatomic.h>

#include "plugins/common/peers/peers.h"

#include "core_threads.h"

enum { RIG_WORKERS = 3 };

struct rig_timer;

/* A WebSocket; its fields are its worker's. */
struct wps_conn {
  struct wps_worker *worker;
  struct rig_timer *timers[2];
  uint16_t code; /* of our close(); 0: it lives */
  bool dead;     /* the other end has gone */
  bool no_timer; /* there is no memory for one */
  int send_rc;
  unsigned sent;
};

/* A peer of the test. */
struct rig_peer {
  struct peer peer;
  struct wps_conn *conn;
};

/* One event of a client, and what became of it. */
struct rig_client {
  uint64_t note[PEERS_KNOWN_MAX];
  size_t note_len;
};
struct rig_event {
  struct wps_event view; /* first */
  struct rig_client *client;
  _Atomic unsigned refs;
  struct wps_reply *reply; /* until it is finished or abandoned; its worker's */
  _Atomic unsigned ended;
  void (*when_ended)(struct rig_event *e); /* on its worker; NULL: nothing */
  int status;
  struct rig_peer *peer; /* that was chosen, when it was sent */
  uint32_t ack;
};

extern struct peers rig_peers;
extern struct peers_ops rig_ops; /* to change before rig_start() */
/* What is there and not freed. */
extern _Atomic long rig_live;
extern _Atomic unsigned rig_debug_lines, rig_finished;

void rig_start(void);
/* Nothing is left over. */
void rig_stop(void);

/* On worker `index`. The status of peer_open() in *rc; without one it has to be
 * good. What ends with _here is a step itself. */
struct rig_peer *rig_open(uint32_t index, const char *hub, int *rc);
struct rig_peer *rig_open_here(const char *hub, int *rc);
/* The socket ends, and close() of the plugin follows. */
void rig_close(struct rig_peer *p);
void rig_close_here(struct rig_peer *p);

/* As the core: an event with a reply (or none), delivered on worker `index`. */
struct rig_event *rig_event_new(struct rig_client *c, uint32_t type,
                                const char *hub, const char *name);
void rig_deliver(uint32_t index, struct rig_event *e, bool waits);
/* Its time, an hour unless this says something else. */
extern uint64_t rig_timeout_ms;
void rig_deliver_here(struct rig_event *e, bool waits);
/* Nobody waits any more. */
void rig_abandon(uint32_t index, struct rig_event *e);
void rig_event_free(struct rig_event *e);
/* The answer comes. False: to nothing. */
bool rig_answer(struct rig_peer *p, uint32_t ack);
bool rig_answer_here(struct rig_peer *p, uint32_t ack);

/* An offer of events whose names begin with this letter; 0: of all. */
struct peer_offer *rig_offer(uint32_t events, char letter);
/* Runs inside of takes(), on the client's worker; NULL: nothing. */
extern void (*rig_in_takes)(const struct wps_event *event);

#endif
