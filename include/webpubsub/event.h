/* SPDX-License-Identifier: Apache-2.0 */
/* webpubsub/event.h - what happened, told to upstreams.
 *
 * An immutable, refcounted event. Which upstream hears what is configured per
 * hub as a list of handlers, each with a URL, of which the first match counts;
 * the scheme of the URL chooses the component, the first in the file.
 */
#ifndef WEBPUBSUB_EVENT_H
#define WEBPUBSUB_EVENT_H

#include <webpubsub/types.h>

WPS_BEGIN_DECLS

struct wps_config_schema;

enum {
  WPS_EVENT_CONNECT = 1 << 0,      /* handshake; the answer admits or refuses */
  WPS_EVENT_CONNECTED = 1 << 1,
  WPS_EVENT_MESSAGE = 1 << 2,      /* custom event of a client; answerable    */
  WPS_EVENT_DISCONNECTED = 1 << 3,
  WPS_EVENT_JOINED = 1 << 4,       /* it is in a group now, by whomever       */
  WPS_EVENT_LEFT = 1 << 5,
  WPS_EVENT_JOIN = 1 << 6,         /* it asks whether it may; for components  */
  WPS_EVENT_LEAVE = 1 << 7,        /*   with WPS_UPSTREAM_DECIDES. Any answer */
  WPS_EVENT_PUBLISH = 1 << 8       /*   but yes refuses                       */
};

/* wps_event.flags */
enum { WPS_EVENT_CONCURRENT = 1 << 0 }; /* MESSAGE: others of the client may be
                                           under way at the same time         */

struct wps_event {
  uint32_t struct_size;
  uint32_t type;                   /* one WPS_EVENT_*                         */
  struct wps_str id;               /* a UUID, the same when sent again        */
  /* Number within the client: 0 is its connect event, and every later event
   * takes the next one, also when nobody hears of it. */
  uint64_t sequence;
  int64_t unix_ms;
  struct wps_conn_ref ref;         /* for conn->find, conn->post; of nobody   */
                                   /*   in a CONNECT                          */
  struct wps_str hub, conn, user, subprotocol;
  struct wps_str name;             /* custom event                            */
  struct wps_str group;            /* JOINED, LEFT, JOIN, LEAVE, PUBLISH      */
  struct wps_message *msg;         /* MESSAGE; PUBLISH, unless not known yet  */
  const struct wps_request *req;   /* CONNECT only, until its reply is        */
                                   /*   finished                              */
  const struct wps_pair *claims;   /* CONNECT only                            */
  size_t claim_count;
  const struct wps_pair *headers;  /* MESSAGE: to go along as they are        */
  size_t header_count;
  struct wps_str app_state;        /* what the last answer set, or {NULL,0}   */
  uint32_t code;                   /* DISCONNECTED: close code                */
  uint32_t flags;                  /* WPS_EVENT_CONCURRENT                    */
  struct wps_str reason;           /* DISCONNECTED                            */
};

/* Which members of an answer are meant, though they be empty; without its flag
 * a member counts for nothing. Groups are the exception: there being any says
 * that they are meant, and an empty list leaves those of authentication. */
enum {
  WPS_ANSWER_USER = 1 << 0,
  WPS_ANSWER_ROLES = 1 << 1,
  WPS_ANSWER_GROUPS = 1 << 2,
  WPS_ANSWER_APP_STATE = 1 << 3
};

/* Answer of an upstream; everything optional, all of it copied. */
struct wps_event_answer {
  uint32_t struct_size;
  uint32_t flags;                  /* WPS_ANSWER_*                            */
  uint32_t code;                   /* 0 or 2xx: yes; else refused, with it    */
  uint32_t reserved;               /*   when it is 400..599, or else with 500 */
  struct wps_message *msg;         /* MESSAGE: shown to the client;           */
                                   /*   refusal with 4xx: its body            */
  struct wps_str user;             /* CONNECT: overrides authentication ...   */
  struct wps_str subprotocol;      /*          ... and negotiation: one of    */
                                   /*   those that the client offered         */
  const struct wps_str *roles;
  size_t role_count;
  const struct wps_str *groups;
  size_t group_count;
  struct wps_str app_state;        /* replaces the client's; up to 64 KiB     */
  const struct wps_pair *headers;  /* that came along, for the subprotocol    */
  size_t header_count;
};

/* One entry of a hub's event_handlers. Lives as long as the instance. */
struct wps_handler {
  uint32_t struct_size;
  uint32_t index;                  /* within the hub                          */
  struct wps_str hub;
  struct wps_str url;              /* as configured, {hub} and {event} inside */
  const struct wps_config *cfg;    /* the component's own keys                */
};

/* wps_upstream.flags */
enum { WPS_UPSTREAM_DECIDES = 1 << 0 }; /* takes JOIN, LEAVE and PUBLISH      */

/* A component of kind WPS_KIND_UPSTREAM. */
struct wps_upstream {
  uint32_t struct_size;
  uint32_t flags;                  /* WPS_UPSTREAM_*                          */
  const char *const *schemes;      /* "http", "https"; NULL-terminated        */
  const struct wps_config_schema *handler_schema; /* keys in each, or NULL    */

  /* Carry one event to the application. The core has matched hub, type and
   * name against the configuration before, or asked wants(). `reply` is NULL
   * for DISCONNECTED, JOINED and LEFT, for which nobody waits; else finish it
   * with event->answer, reply->ok (accepted, nothing to say) or reply->fail;
   * when it is abandoned nobody waits any more. Of CONNECTED only the time of
   * its end counts, whatever the answer says, and abandoned is no reason to
   * stop it. `event` lives until return, or until event->unref after a ref. Of
   * one client the core gives the next MESSAGE, JOIN, LEAVE or PUBLISH only
   * when the one before is finished, CONNECTED beside them, and DISCONNECTED
   * after all, once for each client that was let in; a MESSAGE with
   * WPS_EVENT_CONCURRENT waits for nothing, and nobody waits for it but
   * DISCONNECTED. When a client has ended, its last events have
   * limits.events_after_end; then their replies are abandoned and DISCONNECTED
   * follows.
   * Thread: the client's worker. */
  void (*deliver)(void *inst, void *wstate, const struct wps_handler *handler,
                  const struct wps_event *event, struct wps_reply *reply);

  /* Optional. Look at one entry of event_handlers, as check() of a component
   * does at its block: `cfg` has the core's keys and the component's own.
   * Thread: main. Errors: EINVAL, after config->error(). */
  int (*check)(const struct wps_config *cfg);

  /* Optional. Does anybody behind this handler want such an event now? Asked
   * for what the handler's own configuration does not name: what it names is
   * always delivered, and fails when nobody takes it. `event` has no id and no
   * sequence yet, and is not to be kept. Must be quick: an atomic load where
   * nobody wants anything. Thread: the client's worker. */
  bool (*wants)(void *inst, void *wstate, const struct wps_handler *handler,
                const struct wps_event *event);
};

struct wps_event_api {
  uint32_t struct_size, reserved;

  /* Thread: any. */
  const struct wps_event *(*ref)(const struct wps_event *event);
  void (*unref)(const struct wps_event *event);

  /* Thread: any. Consumes reply, copies answer. */
  void (*answer)(struct wps_reply *reply,
                 const struct wps_event_answer *answer);

  /* A note of this instance about the client of an event, such as cookies: the
   * core keeps it with the client, from its CONNECT to its DISCONNECTED, and
   * shows `self` what it kept last ({NULL,0}: nothing yet) with any of its
   * events. keep() copies. kept() lives until the next keep() for this client,
   * or until the event goes. Thread: the client's worker. Errors: ENOMEM,
   * ELIMIT (over 64 KiB, or notes of too many instances). */
  int (*keep)(struct wps_instance *self, const struct wps_event *event,
              struct wps_bytes note);
  struct wps_bytes (*kept)(struct wps_instance *self,
                           const struct wps_event *event);

  /* Does the event's client pass a filter? Before it is in (CONNECT) and after
   * its end it is in no group. Thread: the client's worker. */
  bool (*matches)(const struct wps_event *event,
                  const struct wps_filter *filter);
};

WPS_END_DECLS

#endif
