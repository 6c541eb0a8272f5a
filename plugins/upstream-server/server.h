/* SPDX-License-Identifier: Apache-2.0 */
/* server.h - the instance, and the application servers that have connected.
 *
 * upstream-server.c  the component: configuration, the route, life
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
 * Who is there, which server gets an event and how long it is awaited is the
 * same as in other upstreams: plugins/common/peers. */
#ifndef UPSTREAM_SERVER_H
#define UPSTREAM_SERVER_H

#include <webpubsub/message.h>

#include "plugins/common/peers/peers.h"
#include "plugins/upstream-server/command.h"
#include "plugins/upstream-server/handles.h"
#include "plugins/upstream-server/roles.h"

enum {
  TAP_BUCKETS = 64,
  FRAME_MAX = 4 * 1024 * 1024 /* a message of 1 MiB in any form fits */
};

struct server_service {
  struct peers peers;
  uint64_t timeout_ms, decision_ms;
  size_t max_groups, queue;
  uint32_t ping_ms, silence_ms;
};

struct server {
  struct peer peer;
  struct server_service *service;
  const struct server_codec *codec;

  /* Its worker's. */
  struct wps_str id; /* the connection's, as long as that lives */
  struct server_roles roles;
  struct offer *offer; /* its registrations; NULL: none yet */
  struct list taps[TAP_BUCKETS];
  size_t tap_count;
  struct list waiting; /* commands, oldest first */
  size_t waiting_count, waiting_bytes;
  size_t under_way; /* commands that are being done */
  bool busy;        /* with one that the next waits for */
  bool held;
  uint8_t reserved[6];
};

/* ---- peer.c; thread: the server's worker ---- */

extern const struct wps_subprotocol server_peer_ops;

void server_free(struct peer *p);
/* NULL when out of memory. Thread: any. */
struct wps_frame *server_frame(const struct server_codec *codec,
                               const struct server_notice *notice);
/* Errors: as peer_send(). */
int server_notify(struct server *server, struct wps_conn *conn,
                  const struct server_notice *notice);

/* ---- event.c ---- */

extern const struct peers_ops server_peers_ops;

/* Thread: the client's worker. Consumes reply (NULL: nobody waits). */
void event_deliver(struct server_service *s, const struct wps_event *event,
                   struct wps_reply *reply);
/* Thread: the server's worker. */
void event_answered(struct server *server, const struct server_command *answer);
/* What it says cannot be used. */
void event_answered_badly(struct server *server, uint32_t ack_id,
                          const char *why);

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
