/* SPDX-License-Identifier: Apache-2.0 */
/* server.h - the instance, and the application servers that have connected.
 *
 * upstream-server.c  the component: configuration, the route, life
 *   servers.c        who is there, who wants what, who gets an event; drain
 *   peer.c           one server's socket: greeting, frames, end
 *     event.c        event -> notice, its answer -> reply
 *       notice.c     event -> what the notice says
 *       answer.c     what the answer says -> reply
 *     run.c          its commands, one after the other
 *       commands.c   what they do, and their acks
 *     taps.c         its subscriptions
 *   roles.c          what its token lets it do
 *   handles.c        its registrations for events
 *   command.h        what goes over the wire, without bytes: json.c and
 *                    protobuf.c
 *
 * An event is written down on the worker of its client, and sent, awaited and
 * answered on the worker of the server. */
#ifndef UPSTREAM_SERVER_H
#define UPSTREAM_SERVER_H

#include <pthread.h>
#include <stdatomic.h>

#include <webpubsub/event.h>
#include <webpubsub/message.h>

#include "plugins/common/azure/names.h"
#include "plugins/common/cloudevents/report.h"
#include "plugins/common/list.h"
#include "plugins/upstream-server/command.h"
#include "plugins/upstream-server/handles.h"
#include "plugins/upstream-server/roles.h"

struct event_job;

enum {
  HUB_BUCKETS = 64,
  JOB_BUCKETS = 256,
  TAP_BUCKETS = 64,
  FRAME_MAX = 4 * 1024 * 1024, /* a message of 1 MiB in any form fits */
  NOTE_MAX = 4                 /* servers that a client is known to use */
};

struct server_service {
  struct wps_instance *self;
  uint64_t timeout_ms, decision_ms;
  size_t max_connections, max_groups, queue;
  uint32_t max_pending; /* events of a server */
  uint32_t ping_ms, silence_ms;

  /* WPS_EVENT_* that somebody in these hubs takes; written under the lock. */
  _Atomic uint32_t wanted[HUB_BUCKETS];
  uint32_t reserved;

  pthread_mutex_t lock; /* of what follows, and of all registrations */
  struct list hubs[HUB_BUCKETS];
  uint64_t last_serial;
  size_t open;    /* servers          */
  size_t pending; /* events under way */
  struct wps_reply *drained;
  bool draining, closing;
  uint8_t reserved2[6];
  struct limiter failures;
};

struct hub_servers; /* of one hub, while there are any */

struct server {
  struct server_service *service;
  const struct server_codec *codec;
  struct wps_conn_ref ref;
  struct wps_worker *worker;
  uint64_t serial;
  _Atomic uint32_t refs;
  _Atomic uint32_t next_ack;
  _Atomic uint32_t pending; /* events given to it, and not over        */
  _Atomic bool full;        /* its socket takes no more for the moment */
  uint8_t reserved[3];
  _Atomic size_t posted;     /* bytes on their way to its worker        */
  struct hub_servers *hub;   /* NULL: not to be chosen; under the lock  */
  struct list registrations; /* under the lock                          */
  size_t registration_count; /* the same                                */
  char name[AZURE_HUB_MAX + 1], padding[7];

  /* Its worker's. */
  struct wps_str id; /* the connection's, as long as that lives */
  struct server_roles roles;
  struct event_job *jobs[JOB_BUCKETS]; /* by ackId                    */
  struct wps_timer *expiry;            /* for the next one that is late */
  int64_t expiry_us;
  struct list taps[TAP_BUCKETS];
  size_t tap_count;
  struct list waiting; /* commands, oldest first */
  size_t waiting_count, waiting_bytes;
  size_t under_way; /* commands that are being done */
  bool busy;        /* with one that the next waits for */
  bool held, closed;
  uint8_t reserved2[5];
};

/* ---- servers.c; thread: any ---- */

void servers_init(struct server_service *s);
void servers_free(struct server_service *s);
bool servers_have_room(struct server_service *s);
/* Errors: ELIMIT (max_connections), ECLOSED (the server ends), ENOMEM. */
int servers_add(struct server *server);
/* Not to be chosen any more. */
void servers_leave(struct server *server);
/* After its close(). */
void servers_closed(struct server_service *s);

/* Takes the registration over; one with the same id goes. With no events in it
 * that is all. Errors: ELIMIT. */
int servers_register(struct server *server, struct registration *r);

/* Thread of these two: the client's worker. */
bool servers_want(struct server_service *s, const struct wps_event *event);
/* Who takes this event, and has room for one more, which counts from now on
 * until server_event_over(): one that the client is known to use, or else the
 * next one in turn. NULL: *why says it. Gives a reference. */
struct server *servers_choose(struct server_service *s,
                              const struct wps_event *event, bool *with_payload,
                              int32_t *registration, const char **why);
void server_event_over(struct server *server);
void servers_drain(struct server_service *s, struct wps_reply *reply);

struct server *server_ref(struct server *server);
void server_unref(struct server *server);

/* ---- peer.c; thread: the server's worker ---- */

extern const struct wps_subprotocol server_peer_ops;

/* NULL when out of memory. Thread: any. */
struct wps_frame *server_frame(const struct server_codec *codec,
                               const struct server_notice *notice);
/* Errors: as conn->send; after EAGAIN it is on its way all the same. */
int server_send(struct server *server, struct wps_conn *conn,
                struct wps_frame *frame);
int server_notify(struct server *server, struct wps_conn *conn,
                  const struct server_notice *notice);
/* Our end: nobody chooses it any more. */
void server_end(struct server *server, struct wps_conn *conn, uint16_t code,
                struct wps_str reason);

/* ---- event.c ---- */

/* Thread: the client's worker. Consumes reply (NULL: nobody waits). */
void event_deliver(struct server_service *s, const struct wps_event *event,
                   struct wps_reply *reply);
/* Thread: the server's worker. */
void event_answered(struct server *server, const struct server_command *answer);
/* What it says cannot be used. */
void event_answered_badly(struct server *server, uint32_t ack_id,
                          const char *why);
/* The server has gone. */
void event_fail_all(struct server *server);

/* ---- notice.c ---- */

/* What there is to say; borrows from the event and the room. Errors: ENOMEM,
 * EINTERNAL. Thread: the client's worker. */
int notice_read(const struct wps_event *event, bool with_payload,
                struct command_room *room, struct server_notice *out);
/* A message's data; none of a type that is not known. Errors: ENOMEM. */
int notice_payload(const struct wps_message_info *info,
                   struct command_room *room, struct server_payload *out);

/* ---- answer.c; thread: any ---- */

/* Consumes the reply when WPS_OK, or else *why says why not. Errors: EPROTO,
 * ETOOBIG, EUNAVAILABLE, ENOMEM. */
int answer_give(struct server_service *s, const struct wps_event *event,
                const struct server_command *answer, struct wps_reply *reply,
                const char **why);

/* ---- run.c; thread: the server's worker ---- */

/* Errors: ENOMEM. */
int run_frame(struct server *server, struct wps_conn *conn,
              struct wps_bytes frame);
/* Its socket takes more again, or a command is done. */
void run_go_on(struct server *server, struct wps_conn *conn);
void run_free_all(struct server *server);

/* ---- taps.c; thread: the server's worker ---- */

/* Errors: ELIMIT (max_groups), as hub->tap. */
int taps_add(struct server *server, struct wps_str group);
void taps_remove(struct server *server, struct wps_str group);
void taps_remove_all(struct server *server);

#endif
