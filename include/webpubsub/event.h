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
  WPS_EVENT_DISCONNECTED = 1 << 3
};

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
  struct wps_message *msg;         /* MESSAGE                                 */
  const struct wps_request *req;   /* CONNECT only, until its reply is        */
                                   /*   finished                              */
  const struct wps_pair *claims;   /* CONNECT only                            */
  size_t claim_count;
  const struct wps_pair *headers;  /* MESSAGE: to go along as they are        */
  size_t header_count;
  struct wps_str app_state;        /* what the last answer set, or {NULL,0}   */
  uint32_t code;                   /* DISCONNECTED: close code                */
  uint32_t flags;                  /* 0 in 1.0                                */
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

/* A component of kind WPS_KIND_UPSTREAM. */
struct wps_upstream {
  uint32_t struct_size;
  uint32_t flags;
  const char *const *schemes;      /* "http", "https"; NULL-terminated        */
  const struct wps_config_schema *handler_schema; /* keys in each, or NULL    */

  /* Carry one event to the application. The core has matched hub, type and
   * name against the configuration before. `reply` is NULL for DISCONNECTED,
   * for which nobody waits; else finish it with event->answer, reply->ok
   * (accepted, nothing to say) or reply->fail; when it is abandoned nobody
   * waits any more. Of CONNECTED only the time of its end counts, whatever the
   * answer says, and abandoned is no reason to stop it. `event` lives until
   * return, or until event->unref after a ref. Of one client the core gives the
   * next MESSAGE only when the one before is finished, CONNECTED beside them,
   * and DISCONNECTED after all, once for each client that was let in. When a
   * client has ended, its last events have limits.events_after_end; then their
   * replies are abandoned and DISCONNECTED follows.
   * Thread: the client's worker. */
  void (*deliver)(void *inst, void *wstate, const struct wps_handler *handler,
                  const struct wps_event *event, struct wps_reply *reply);

  /* Optional. Look at one entry of event_handlers, as check() of a component
   * does at its block: `cfg` has the core's keys and the component's own.
   * Thread: main. Errors: EINVAL, after config->error(). */
  int (*check)(const struct wps_config *cfg);
};

struct wps_event_api {
  uint32_t struct_size, reserved;

  /* Thread: any. */
  const struct wps_event *(*ref)(const struct wps_event *event);
  void (*unref)(const struct wps_event *event);

  /* Thread: any. Consumes reply, copies answer. */
  void (*answer)(struct wps_reply *reply,
                 const struct wps_event_answer *answer);

  /* A note of the component about the client of an event, such as cookies: the
   * core keeps it with the client, from its CONNECT to its DISCONNECTED, and
   * shows what was kept last ({NULL,0}: nothing yet) with any of its events.
   * keep() copies. kept() lives until the next keep() for this client, or until
   * the event goes. Thread: the client's worker. Errors: ENOMEM, ELIMIT (over
   * 64 KiB). */
  int (*keep)(const struct wps_event *event, struct wps_bytes note);
  struct wps_bytes (*kept)(const struct wps_event *event);
};

WPS_END_DECLS

#endif
