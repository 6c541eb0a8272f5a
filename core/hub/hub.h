/* SPDX-License-Identifier: Apache-2.0 */
/* hub/hub.h - who is where: hubs, groups, users, and their members.
 *
 * Knows no sockets and no connections. A client is a struct hub_client that a
 * connection embeds; what reaches it goes through one function of the room
 * above. Each worker has its own index of each hub and touches no other's; what
 * workers share is behind locks that are taken when a client or the first
 * member of a group comes or goes, and when a publisher asks which other
 * workers have members of a group (shared.h).
 */
#ifndef WPS_HUB_HUB_H
#define WPS_HUB_HUB_H

#include <stdatomic.h>

#include "base/list.h"
#include "base/table.h"
#include "loop/worker.h"
#include "msg/message.h"

#include <webpubsub/event.h>
#include <webpubsub/hub.h>

struct hub;
struct hub_shared;
struct hub_states;
struct shared_group;
struct fanout;
struct hub_client;
struct pending;
struct wps_instance;

/* One configured event handler of a hub. */
struct hub_handler {
  struct wps_handler view;
  struct wps_instance *upstream; /* set once the instances exist */
  size_t upstream_block;         /* for whoever makes them       */
  uint32_t events; /* WPS_EVENT_* bits; not MESSAGE: those are names */
  bool all_user_events;
  bool dynamic;                      /* the upstream has wants(); set with it */
  const struct wps_str *user_events; /* names, any case */
  size_t user_event_count;
  const struct wps_str *presence_groups; /* patterns; none: all groups */
  size_t presence_group_count;
};

/* What the configuration says of one hub, or of "*". Owned by the daemon. */
struct hub_settings {
  struct wps_str pattern; /* name, lower case, or "*" */
  bool anonymous_allow;
  uint32_t ping_interval_ms;
  struct hub_handler *handlers;
  size_t handler_count;
};

/* All hubs of the process. */
struct hubs {
  struct workers *workers;
  struct hub_settings_set *_Atomic settings; /* hub.c */
  size_t hubs_max;
  struct hub_registry *registry; /* hub.c: name to hub, behind a lock */
};

struct hubs *hubs_new(struct workers *workers,
                      const struct hub_settings *settings, size_t count,
                      size_t hubs_max);
void hubs_free(struct hubs *hs); /* after all workers have stopped */
/* Other settings, for hubs that there are and those to come. A hub that is no
 * more in them keeps its own for the clients it has. The old ones must live on:
 * a worker may be reading them. Thread: main. Errors: ENOMEM. */
int hubs_renew(struct hubs *hs, const struct hub_settings *settings,
               size_t count);

/* azure-client.md 1.2: the rule for hub names, and for group names. */
bool hub_name_ok(struct wps_str name);
bool group_name_ok(struct wps_str name);
/* Bytes of the white space at `p`, Unicode's included; 0: none is there. */
size_t white_space(const unsigned char *p, size_t left);

/* Settings for a name (lower case): its own, or those of "*"; NULL: refused. */
const struct hub_settings *hubs_settings(const struct hubs *hs,
                                         struct wps_str name);

struct hub {
  struct wps_str name; /* lower case; storage behind the struct */
  const struct hub_settings *_Atomic settings;
  struct hubs *hubs;
  struct hub_shared *shared;
  struct hub_states *_Atomic states; /* NULL: none yet; see state.h */
  _Atomic uint64_t clients[]; /* per worker, written by that worker only */
};

/* ---- this worker's part ---- */

/* What a client is called; borrowed from it. */
struct hub_facts {
  struct wps_str id, user, subprotocol; /* empty: none */
};

/* What the room above does for the hubs: how a message reaches a client, and
 * how a reference becomes a client of this worker. */
struct hub_ops {
  void (*deliver)(struct hub_client *c, struct wps_member *m, struct fanout *f);
  /* At the end of the turn: all that a group owes its members, to a client that
   * is owed nothing else; at once and in one piece. False: deliver() each. */
  bool (*send)(struct hub_client *c, struct wps_member *m,
               const struct pending *p);
  /* send() is about to come: its memory should be on the way. */
  void (*soon)(const struct hub_client *c);
  /* At the end of the turn: what has been delivered to it may be written. */
  void (*flush)(struct hub_client *c);
  /* There was no memory to give it what it is owed. */
  void (*missed)(struct hub_client *c);
  struct hub_client *(*find)(struct wps_worker *w, struct wps_conn_ref ref);
  struct wps_conn_ref (*ref)(const struct hub_client *c);
  /* False when it is ending, so that nobody is to find it any more. */
  bool (*facts)(const struct hub_client *c, struct hub_facts *out);
};

struct hub_worker_set {
  struct table by_name; /* struct hub_worker */
  struct hubs *hubs;
  const struct hub_ops *ops;
  struct wps_worker *worker;
  struct list sifts; /* struct sift: those that are not done, see sift.h */
  struct defer sift_next;
  struct list owing; /* hub_worker.in_owing: hubs with pending groups */
  struct list pending_free, pending_dead; /* struct pending, see pending.c */
  uint32_t pending_free_count;
  uint64_t pending_serial; /* of the latest entry of any group */
  struct flusher pending_flusher;
  uint32_t telling;  /* groups whose taps are just being told, see tap.h */
  bool taps_refused; /* to publish, which has been logged */
};

struct hub_worker {
  struct hub *hub;
  struct wps_worker *worker;
  struct table groups;    /* struct group */
  struct table users;     /* struct hub_user */
  struct list clients;    /* struct hub_client.in_hub */
  uint64_t fanout_serial; /* of the latest walk */
  struct hub_walk *walk;  /* the one under way, see fanout.c */
  struct list pending;    /* struct pending: groups that owe, see pending.h */
  struct list in_owing;
  uint32_t pending_count; /* of them */
  uint32_t settling;      /* clients that are being settled */
  uint64_t leaves;        /* memberships that have ended */
};

struct group {
  struct wps_str name; /* storage behind the struct */
  struct hub_worker *hw;
  struct shared_group *shared; /* NULL with one worker */
  struct wps_member **members; /* NULL entries while `walking` */
  size_t count;                /* members */
  size_t used;                 /* entries, holes included */
  size_t cap;
  uint32_t walking; /* fan-outs under way: no entry may move */
  uint32_t holes;
  struct pending *pending; /* what it owes its members; NULL: nothing */
  uint32_t published;      /* entries that `pending` ever had */
  uint32_t tap_count;
  uint32_t telling; /* taps are just being told */
  struct list taps; /* struct wps_tap, see tap.h */
};

/* wps_member.marks */
enum {
  MEMBER_ENDING = 1 << 0,  /* left() is running                          */
  MEMBER_STATED = 1 << 1,  /* it has a state, see state.h                */
  MEMBER_WATCHING = 1 << 2 /* counts in the watchers of its group        */
};

struct hub_user;
struct hub_walk;

/* A client in its hub's index. Embedded in the connection. */
struct hub_client {
  struct hub_worker *hw; /* NULL: not in the index */
  struct wps_member **members;
  uint32_t member_count;
  uint32_t settling : 1; /* see pending.h */
  uint32_t member_cap : 31;
  struct table *by_group; /* struct wps_member; NULL: they are few */
  struct list in_hub;
  struct list in_user;
  struct hub_user *user;
  uint64_t skip_mark;      /* serial of the walk that passes it over */
  struct wps_member *only; /* `members`, while there is room for one */
};

struct wps_member {
  struct hub_client *client;
  struct group *group;
  uint32_t group_index, client_index;
  uint32_t flags, kinds;
  uint32_t seen;    /* of group.published */
  uint16_t variant; /* below WPS_MAX_VARIANTS */
  uint16_t marks;   /* MEMBER_* */
  void *data;
  uint64_t serial;
};

int hub_worker_start(struct wps_worker *w, struct hubs *hs,
                     const struct hub_ops *ops);
void hub_worker_stop(struct wps_worker *w);
/* This worker's part of a hub; made at first use when `create` and a setting
 * allows it and there are fewer than hubs_max. Errors: ENOTFOUND (no such hub
 * configured, or not made), ELIMIT, ENOMEM. */
int hub_worker_get(struct wps_worker *w, struct wps_str name, bool create,
                   struct hub_worker **out);

/* Put a client into the index (user {NULL,0} or "": none), and take it out,
 * after its memberships. Errors: ENOMEM. */
int hub_add(struct hub_worker *hw, struct hub_client *c, struct wps_str user);
void hub_remove(struct hub_client *c);

/* Membership. join gives the existing one with *fresh false when there is one.
 * From its return on every worker's publishers see it. Errors: ENOMEM. */
int group_join(struct hub_client *c, struct wps_str name, uint64_t serial,
               struct wps_member **out, bool *fresh);
void group_leave(struct wps_member *m); /* frees m */
struct wps_member *group_membership(const struct hub_client *c,
                                    struct wps_str name);
/* The same with hash_bytes(name). */
struct wps_member *group_membership_hashed(const struct hub_client *c,
                                           struct wps_str name, uint64_t hash);
struct group *group_find(const struct hub_worker *hw, struct wps_str name);
/* The same, made when it is not there: for who has no membership;
 * group_settle() takes it away when it is of no use. NULL: no memory. */
struct group *group_get(struct hub_worker *hw, struct wps_str name);
/* The last walk over the group is over: close the holes it has left. */
void group_settle(struct group *g);
/* Clients of a user on this worker: a list of hub_client.in_user, or NULL. */
struct list *hub_user_clients(const struct hub_worker *hw, struct wps_str user,
                              uint64_t *count);

#endif
