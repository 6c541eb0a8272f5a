/* SPDX-License-Identifier: Apache-2.0 */
/* conn/events_internal.h - what the files about the events of one client share:
 * client_events.c is its life, event_queue.c what comes one after the other,
 * event_calls.c what does not, event_outcome.c what became of it. */
#ifndef WPS_CONN_EVENTS_INTERNAL_H
#define WPS_CONN_EVENTS_INTERNAL_H

#include "conn/client_events.h"
#include "msg/event.h"
#include "plug/reply.h"

/* What a client asks an upstream for. */
enum { WPS_EVENT_ASKED = WPS_EVENT_JOIN | WPS_EVENT_LEAVE | WPS_EVENT_PUBLISH };

/* An event that somebody waits for. */
struct waiting {
  struct list node; /* client_events.queue, .calls or .withdrawn */
  struct client_events *events;
  struct event *event;
  const struct hub_handler *handler;
  struct wps_reply *reply; /* while it is under way */
  uint64_t state_serial;   /* of the state in it */
  union {
    wps_answer_fn answered; /* MESSAGE */
    wps_conn_done_fn decided;
  } done;
  void *arg;
  uint64_t tag;
};

/* Its own copy of what the client is called. */
struct client_text {
  struct wps_str id, user, subprotocol;
  char storage[];
};

struct client_events {
  struct list node; /* conn_worker.events */
  struct wps_worker *worker;
  const struct hub_settings *settings;
  struct wps_conn_ref ref;
  struct client_text *text;
  struct wps_str hub; /* lives as long as the server */
  uint64_t next_sequence;
  struct note *note; /* shared with all its events */
  char *app_state;
  size_t app_state_len;
  uint64_t state_serial;   /* counts its changes */
  struct list queue;       /* struct waiting */
  struct waiting *current; /* the one under way */
  struct defer failed;     /* current could not be handed over */
  size_t queue_count;
  uint64_t queue_bytes;
  struct list calls;     /* struct waiting: those that wait for nothing */
  struct list withdrawn; /* those of them that are to hear ECANCELED */
  struct defer withdraw;
  uint64_t call_bytes;         /* of calls */
  struct wps_reply *connected; /* of the connected event while it lasts */
  struct timer patience;       /* the client has ended */
  uint32_t may_take;           /* WPS_EVENT_* of the settings */
  bool takes_messages;         /* some handler does, or has done so */
  bool told_connected, ended;
  uint8_t reserved;
  uint16_t code;
  uint16_t reserved2[3];
  char *reason;
};

/* An event without a number; NULL msg, group and all else. */
struct wps_event events_blank(const struct client_events *ce, uint32_t type);
/* Replace the client's state. Errors: ELIMIT, ENOMEM. */
int events_set_state(struct client_events *ce, struct wps_str state);
/* Whatever can be done next; may free ce. */
void events_pump(struct client_events *ce);
struct wps_reply *events_reply(struct client_events *ce,
                               const struct hub_handler *h, reply_fn fn,
                               void *arg);
/* More bytes wait, or fewer. */
void events_count(struct client_events *ce, uint64_t *counter, uint64_t bytes,
                  bool more);

/* Copies `view`. NULL when out of memory, which the log has heard of. */
struct waiting *waiting_new(struct client_events *ce,
                            const struct wps_event *view,
                            const struct hub_handler *h);
void waiting_free(struct waiting *w);
/* Tell whoever waits; frees w. */
void waiting_over(struct waiting *w, int status,
                  const struct wps_event_answer *answer);

/* ---- event_outcome.c ---- */

void events_log_failed(const struct wps_event *event, struct wps_str cause);
/* What became of it, for the log as well; WPS_OK: all is well. */
int events_outcome(const struct wps_event *event,
                   const struct reply_result *result);
/* The state that a good answer sets. */
void events_keep_state(struct client_events *ce, const struct wps_event *event,
                       const struct reply_result *result);

/* ---- event_queue.c ---- */

void event_queue_init(struct client_events *ce);
/* The next one may go; the socket is held or read again. */
void event_queue_pump(struct client_events *ce);
/* Nobody decides any more for a client that has ended. */
void event_queue_drop_asked(struct client_events *ce);
/* Nothing is waited for any more: every done gets ECANCELED. */
void event_queue_give_up(struct client_events *ce);

/* ---- event_calls.c ---- */

void event_calls_init(struct client_events *ce);
/* `event` as of events_blank(), with its number. Errors: ENOMEM, EAGAIN. */
int event_calls_begin(struct client_events *ce, struct wps_event *event,
                      const struct hub_handler *h, wps_answer_fn done,
                      void *arg, uint64_t tag);
/* All of them are abandoned: every done gets ECANCELED, now. */
void event_calls_end(struct client_events *ce);

#endif
