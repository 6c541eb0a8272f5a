/* SPDX-License-Identifier: Apache-2.0 */
/* webpubsub/hub.h - groups, publishing and server-side commands.
 *
 * Thread for all functions: any worker, and the client's own where one is
 * given; targets may live on any worker. When a call returns WPS_OK its `done`
 * runs exactly once on the calling worker, if only with ECANCELED at shutdown,
 * and is the place to free `arg`; never inside the call, and where nothing has
 * to be waited for still before this turn's flush, so that effect and ack leave
 * in one write. (Of a command that is under way when the calling worker ends,
 * `done` runs with ECANCELED on another thread.) When a call returns an error,
 * `done` does not run; after ENOMEM the effect may have taken place. A `done`
 * that takes a conn gets NULL when the client has gone or is closing.
 */
#ifndef WEBPUBSUB_HUB_H
#define WEBPUBSUB_HUB_H

#include <webpubsub/types.h>

WPS_BEGIN_DECLS

struct wps_event_answer;

enum { WPS_TO_HUB = 1, WPS_TO_GROUP = 2, WPS_TO_USER = 3, WPS_TO_CONN = 4 };
enum { WPS_TARGET_NOT_SELF = 1 << 0 };  /* not the publishing connection */

struct wps_target {
  uint32_t struct_size;
  uint32_t kind;                   /* WPS_TO_*                               */
  struct wps_str hub;              /* in lower case, as conn->hub() gives it */
  struct wps_str name;             /* group, user or connection id           */
  const struct wps_str *excluded;  /* connection ids                         */
  size_t excluded_count;
  const struct wps_filter *filter; /* only clients that pass it; NULL: all   */
  uint32_t flags;                  /* WPS_TARGET_*                           */
  uint32_t reserved;
};

struct wps_published {
  uint32_t struct_size;
  int32_t status;                  /* WPS_OK or why not                      */
  uint64_t receivers_local;        /* on this worker, at this moment         */
};

enum {
  WPS_MEMBER_DELIVER = 1 << 0,     /* deliver() of the subprotocol each time */
  WPS_MEMBER_VARIANT = 1 << 4      /* `variant` holds, not the connection's  */
};

/* How a client is in a group. */
struct wps_membership {
  uint32_t struct_size;
  uint32_t flags;                  /* WPS_MEMBER_*                           */
  uint32_t variant;                /* encoding for this group                */
  uint32_t kinds;                  /* 1 << WPS_MSG_*; 0: DATA only           */
  void *data;                      /* the subprotocol's, freed in its left() */
};

struct wps_joined {
  uint32_t struct_size;
  int32_t status;
  struct wps_member *member;       /* NULL unless status is WPS_OK           */
};

/* wps_client_event.flags */
enum { WPS_CLIENT_EVENT_CONCURRENT = 1 << 0 }; /* waits for no other event, nor
                                                  does one wait for it       */

/* What a client tells its upstreams. */
struct wps_client_event {
  uint32_t struct_size;
  uint32_t flags;                  /* WPS_CLIENT_EVENT_*                     */
  struct wps_str name;
  struct wps_message *msg;
  const struct wps_pair *headers;  /* to go along as they are                */
  size_t header_count;
};

/* What a client is about to do. */
struct wps_client_request {
  uint32_t struct_size;
  uint32_t type;                   /* WPS_EVENT_JOIN, _LEAVE or _PUBLISH     */
  struct wps_str group;
  struct wps_message *msg;         /* PUBLISH; NULL: not known yet           */
};

enum { WPS_STATES_MAX = 200 };

/* The states of a group's members as they are when a watch begins. Lives until
 * done returns. */
struct wps_states {
  uint32_t struct_size;
  int32_t status;                  /* WPS_OK, or ECANCELED: it has left, or  */
                                   /*   watches no more                      */
  struct wps_message *const *items; /* of kind STATE, in byte order of conn  */
  size_t count;                    /* WPS_STATES_MAX at most                 */
};

enum { WPS_OP_GRANT = 1, WPS_OP_REVOKE = 2, WPS_OP_CHECK = 3 };

/* Which part of a listing. */
struct wps_list_query {
  uint32_t struct_size;
  uint32_t limit;                  /* at most so many, from 1                */
  struct wps_str after;            /* only ids behind it, in byte order      */
};

/* One client of a listing. */
struct wps_listed {
  struct wps_str conn;
  struct wps_str user;             /* {NULL,0}: none                         */
};

/* Clients in byte order of their ids. Lives until done returns. */
struct wps_listing {
  uint32_t struct_size;
  int32_t status;
  const struct wps_listed *items;
  size_t count;
  uint32_t item_size;              /* sizeof of the core's wps_listed        */
  uint32_t more;                   /* 1: others come behind the last         */
};

typedef void (*wps_count_fn)(void *arg, int status, uint64_t clients);
typedef void (*wps_listing_fn)(void *arg, const struct wps_listing *listing);
typedef void (*wps_published_fn)(struct wps_conn *conn, void *arg, uint64_t tag,
                                 const struct wps_published *result);
typedef void (*wps_joined_fn)(struct wps_conn *conn, void *arg, uint64_t tag,
                              const struct wps_joined *result);
typedef void (*wps_answer_fn)(struct wps_conn *conn, void *arg, uint64_t tag,
                              int status,
                              const struct wps_event_answer *answer);
typedef void (*wps_states_fn)(struct wps_conn *conn, void *arg, uint64_t tag,
                              const struct wps_states *states);
typedef void (*wps_tap_fn)(void *arg, struct wps_message *msg);

struct wps_hub_api {
  uint32_t struct_size, reserved;

  /* Put a client into a group, after conn->allowed() where it asked itself. For
   * its own worker it is a member at once; done says that whatever is published
   * anywhere from now on reaches it. `how` NULL: plainly. Joining again updates
   * like member_update(), unless `how` is NULL. joined() is not called. After
   * an error how->data is still the caller's. done may be NULL.
   * Errors: ENOMEM, ELIMIT (groups per client), EINVAL (name, flags, variant),
   * ECLOSED; done reports ECANCELED (left meanwhile). */
  int (*join)(struct wps_conn *conn, struct wps_str group,
              const struct wps_membership *how, wps_joined_fn done, void *arg,
              uint64_t tag);

  /* Take it out; idempotent. left() is called inside the call. done may be
   * NULL. Errors: ENOMEM, EINVAL. */
  int (*leave)(struct wps_conn *conn, struct wps_str group,
               wps_conn_done_fn done, void *arg, uint64_t tag);

  /* One membership: by name (NULL: none), its group, its data, and a number
   * that no other membership of the client ever had. Lifetime: until left(). */
  struct wps_member *(*member)(const struct wps_conn *conn,
                               struct wps_str group);
  struct wps_str (*member_group)(const struct wps_member *member);
  void *(*member_data)(const struct wps_member *member);
  uint64_t (*member_serial)(const struct wps_member *member);

  /* Change flags, variant, kinds and data from the next message on. Data that
   * is replaced is the caller's to free. What the client is owed is delivered
   * first. Errors: EINVAL (flags, variant), ECLOSED (that made it leave, or it
   * is leaving). */
  int (*member_update)(struct wps_member *member,
                       const struct wps_membership *how);

  /* Send to a target; takes its own reference on `msg`. With `conn` as the
   * publisher its messages to one group stay in order and done gets it; NULL
   * for servers, where done gets NULL. When the call returns, what follows in
   * this turn comes behind it for every receiver on this worker: groups are
   * walked once at the end of the turn for all that was published to them, so
   * encode() and deliver() are called inside the call or until then, and for
   * servers with a filter, which may take its time, also later. For servers
   * done says that the same holds on all workers, so that what is published
   * next by anybody comes behind it. A hub that nobody uses is no error. done
   * may be NULL. Allowed in close().
   * Errors: EINVAL (target, not on a worker), ELIMIT (inside a tap, see there),
   * ENOMEM. */
  int (*publish)(struct wps_instance *self, struct wps_conn *conn,
                 struct wps_message *msg, const struct wps_target *target,
                 wps_published_fn done, void *arg, uint64_t tag);

  /* Hand a client's custom event to the upstream that its hub configures for
   * it, one event of a client after the other unless it is CONCURRENT. status
   * is WPS_OK with the answer, or with NULL when the upstream said ok() and no
   * more; EFORBIDDEN with the answer when it is a refusal; else with answer
   * NULL what went wrong. The core has already set what the answer says about
   * app_state; msg is the caller's to deliver. name, msg and done must be
   * there. Allowed in close(), where done gets NULL for the client. While
   * limits.events_waiting or limits.events_waiting_bytes of a client wait, its
   * socket is not read; what came in with the same read is still taken.
   * Errors: EINVAL, ENOTFOUND (nobody takes it), ENOMEM, EAGAIN (far too many
   * wait, which needs a subprotocol that raises several for one frame). */
  int (*event)(struct wps_conn *conn, const struct wps_client_event *event,
               wps_answer_fn done, void *arg, uint64_t tag);

  /* Withdraw an event that was given with CONCURRENT under this arg and tag:
   * done gets ECANCELED, the upstream's reply is abandoned. Nothing when it has
   * ended. The end of the client does the same to all of them. */
  void (*event_cancel)(struct wps_conn *conn, void *arg, uint64_t tag);

  /* Does an upstream want to decide about this? ENOTFOUND says no, at next to
   * no cost; then go on. Otherwise it waits its turn among the client's events,
   * and done gets WPS_OK or EFORBIDDEN: no, no answer in time, nobody there.
   * What conn->allowed() forbids is not asked. Errors: ENOTFOUND, EINVAL (type,
   * group), ENOMEM, EAGAIN (far too many wait), ECLOSED (in close(), where
   * somebody would have to be asked). */
  int (*ask)(struct wps_conn *conn, const struct wps_client_request *what,
             wps_conn_done_fn done, void *arg, uint64_t tag);

  /* The state of a membership, for other members to see: pairs, or NULL for
   * none (an empty list is a state). Those that watch get a message of kind
   * STATE, the member itself included, in a later turn; times of one group
   * rise. It ends with the membership, which they are told, too. Together 4 KiB
   * at most. Errors: ENOMEM, ETOOBIG, ECLOSED (in left()). */
  int (*member_state)(struct wps_member *member, const struct wps_pair *entries,
                      size_t count);

  /* Begin to watch the states of the group: done gets what there is, and from
   * its return on the client every change after that, each once, in the same
   * order as everybody. Watching again gives another picture. Errors: ENOMEM,
   * ECLOSED (in left(), or the worker stops). */
  int (*member_watch)(struct wps_member *member, wps_states_fn done, void *arg,
                      uint64_t tag);
  void (*member_unwatch)(struct wps_member *member);

  /* Hear what is published to a group, without a filter, on any worker, by
   * whomever, from the return of the call on; nobody counts or lists the ear.
   * fn runs on this worker, inside publishing: it must be quick, and may untap
   * and publish, but not to its own group, where it would hear itself:
   * publish() refuses that with ELIMIT, also when it comes through taps of
   * other groups, of which it goes through 8 at most. Who has to answer in the
   * same group posts to the worker first. Ends with the worker at the latest.
   * Errors: EINVAL (group, not on a worker), ENOTFOUND (the hub is not
   * configured), ELIMIT (hubs), ENOMEM. */
  int (*tap)(struct wps_instance *self, struct wps_str hub,
             struct wps_str group, wps_tap_fn fn, void *arg,
             struct wps_tap **out);
  void (*untap)(struct wps_tap *tap);

  /* The pattern language of roles (azure-client.md 3.1): false also for a
   * pattern that is none. Thread: any. */
  bool (*pattern_match)(struct wps_str pattern, struct wps_str text);

  /* Compile a filter expression (azure-server.md 7.6). With EINVAL the sentence
   * for the client is put into `why`, NUL-terminated and made to fit into
   * why_size (0: not wanted). A call with a target keeps a reference of its
   * own; filter_unref() gives up the creator's. Thread: any.
   * Errors: EINVAL, ENOMEM. */
  int (*filter)(struct wps_str text, const struct wps_filter **out, char *why,
                size_t why_size);
  void (*filter_unref)(const struct wps_filter *filter);

  /* Server-side commands, as used by management APIs; on all workers. done
   * tells how many clients they concerned, after the effect. leave with no
   * groups: all. permission: CHECK counts those that may; action is
   * WPS_ACT_JOIN or WPS_ACT_PUBLISH, group {NULL,0}: all groups. done may be
   * NULL. Errors: EINVAL, ENOMEM; done reports the first ELIMIT (groups per
   * client, literal grants) or ENOMEM of any of them. */
  int (*command_join)(struct wps_instance *self, const struct wps_target *who,
                      const struct wps_str *groups, size_t group_count,
                      wps_count_fn done, void *arg);
  int (*command_leave)(struct wps_instance *self, const struct wps_target *who,
                       const struct wps_str *groups, size_t group_count,
                       wps_count_fn done, void *arg);
  int (*command_close)(struct wps_instance *self, const struct wps_target *who,
                       uint16_t code, struct wps_str reason, wps_count_fn done,
                       void *arg);
  int (*command_permission)(struct wps_instance *self,
                            const struct wps_target *who, uint32_t op,
                            uint32_t action, struct wps_str group,
                            wps_count_fn done, void *arg);

  /* How many clients does a target reach right now, on all workers? O(1) per
   * worker for hub, group, user and connection without `excluded` and filter.
   * Errors: EINVAL (also without done), ENOMEM. */
  int (*count)(struct wps_instance *self, const struct wps_target *who,
               wps_count_fn done, void *arg);

  /* Which ones? A client that is there all the time appears on exactly one of
   * the pages that follow each other by `after`.
   * Errors: EINVAL (also without done, or a limit of 0), ENOMEM; done reports
   * ENOMEM of any worker, with nothing listed. */
  int (*list)(struct wps_instance *self, const struct wps_target *who,
              const struct wps_list_query *query, wps_listing_fn done,
              void *arg);
};

WPS_END_DECLS

#endif
