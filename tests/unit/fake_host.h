/* SPDX-License-Identifier: Apache-2.0 */
/* fake_host.h - a host table for subprotocol plugins: it records what a plugin
 * does and answers when the test says so. One thread, one host.
 */
#ifndef WPS_FAKE_HOST_H
#define WPS_FAKE_HOST_H

#include <webpubsub/host.h>
#include <webpubsub/subprotocol.h>

enum { FAKE_SENT_MAX = 4096, FAKE_QUEUE_MAX = 4096, FAKE_TIMERS_MAX = 8 };

struct fake_sent {
  uint32_t opcode;
  size_t len;
  char *bytes; /* terminated */
};

/* Of a connection; fn NULL: not running. */
struct wps_timer {
  wps_conn_fn fn;
  void *arg;
  int64_t at_us, repeat_us;
};

struct wps_conn {
  const struct wps_subprotocol *ops;
  void *inst, *state;
  uint32_t variant;
  const char *user;
  bool detached, closed, dead, held;
  bool may_join, may_send, may_set, may_get;
  int send_rc;
  uint16_t code;
  char reason[128];
  struct fake_sent sent[FAKE_SENT_MAX];
  size_t sent_count, read_count;
  struct wps_session session;
  uint64_t sequence, acked;
  unsigned tokens;
  char token[32];
  struct wps_timer timers[FAKE_TIMERS_MAX];
};

/* The only one there is, of whatever group was asked for last. */
struct wps_member {
  struct wps_conn *conn;
  char *group;
};

struct wps_request {
  const struct wps_pair *query;
  size_t query_count;
  const struct wps_str *offers;
  size_t offer_count;
};

/* What was asked of the hub, oldest first; ended by fake_end(). */
enum {
  FAKE_JOIN = 1,
  FAKE_LEAVE,
  FAKE_PUBLISH,
  FAKE_EVENT,
  FAKE_ASK,
  FAKE_STATE,
  FAKE_WATCH,
  FAKE_UNWATCH,
  FAKE_CANCEL
};
struct fake_asked {
  uint32_t what;
  uint32_t target_flags;
  uint32_t type; /* ASK: WPS_EVENT_* */
  bool concurrent;
  struct wps_conn *conn;
  char *name; /* of a group or event */
  struct wps_message *msg;
  char *headers; /* "name: value\n" each; STATE: entries, NULL: cleared */
  void *arg;
  uint64_t tag;
  union {
    wps_joined_fn joined;
    wps_conn_done_fn left;
    wps_published_fn published;
    wps_answer_fn answer;
    wps_conn_done_fn decided;
    wps_states_fn states;
  } done;
  bool has_done, ended;
};

struct fake {
  struct fake_asked asked[FAKE_QUEUE_MAX];
  size_t asked_count, ended_count;
  int join_rc, publish_rc, event_rc; /* of the calls themselves */
  int state_rc, watch_rc;
  bool asks;   /* an upstream decides: hub->ask waits for fake_decide() */
  bool member; /* whoever is asked for is in the group */
  int64_t now_us;
  bool no_timer;              /* conn->timer_start fails */
  bool no_memory;             /* message->create fails */
  bool drop_on_event_failure; /* in the configuration */
  bool early_names;           /* there, too */
  bool json_as_text;          /* in the configuration */
  long live;                  /* messages and frames */
  uint32_t sessions;
};
extern struct fake fake;
extern const struct wps_host fake_host;
extern const struct wps_hub_api fake_hub; /* part of it */
/* Terminated; never NULL. */
void *fake_copy(const void *bytes, size_t len);

/* Frees everything recorded; nothing of the plugin may be left. */
void fake_reset(void);

struct wps_conn *fake_conn(const struct wps_subprotocol *ops, void *inst,
                           uint32_t variant, const char *user,
                           const struct wps_request *req);
int fake_frame(struct wps_conn *conn, const char *text);
int fake_bytes(struct wps_conn *conn, const void *bytes, size_t len);
/* The next thing sent, or NULL. */
const char *fake_sent(struct wps_conn *conn);
/* Length of what fake_sent() returned last. */
size_t fake_sent_len(const struct wps_conn *conn);
/* Let time pass, and run the timers of a connection whose time has come. */
void fake_pass(struct wps_conn *conn, int64_t ms);
void fake_fire(struct wps_conn *conn);
void fake_detach(struct wps_conn *conn);
/* close() of the plugin, and the connection's end. */
void fake_gone(struct wps_conn *conn);

/* End the oldest / all joins, leaves and publications that have not ended. */
bool fake_end(int status);
void fake_end_all(void);
/* The oldest event, question, watch that has not ended. */
void fake_answer(int status, const struct wps_event_answer *answer);
void fake_decide(int status);
void fake_states(struct wps_message *const *items, size_t count, int status);
/* The oldest event of that name. */
void fake_answer_to(const char *name, int status,
                    const struct wps_event_answer *answer);

#endif
