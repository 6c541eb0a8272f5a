/* SPDX-License-Identifier: Apache-2.0 */
/* fake_host.h - a host table for subprotocol plugins: it records what a plugin
 * does and answers when the test says so. One thread, one host.
 */
#ifndef WPS_FAKE_HOST_H
#define WPS_FAKE_HOST_H

#include <webpubsub/host.h>
#include <webpubsub/subprotocol.h>

enum { FAKE_SENT_MAX = 4096, FAKE_QUEUE_MAX = 4096 };

struct fake_sent {
  uint32_t opcode;
  size_t len;
  char *bytes; /* terminated */
};

struct wps_conn {
  const struct wps_subprotocol *ops;
  void *inst, *state;
  uint32_t variant;
  const char *user;
  bool detached, closed, dead, held;
  bool may_join, may_send;
  int send_rc;
  uint16_t code;
  char reason[128];
  struct fake_sent sent[FAKE_SENT_MAX];
  size_t sent_count, read_count;
  struct wps_session session;
  uint64_t sequence, acked;
  unsigned tokens;
  char token[32];
};

struct wps_request {
  const struct wps_pair *query;
  size_t query_count;
  const struct wps_str *offers;
  size_t offer_count;
};

/* What was asked of the hub, oldest first; ended by fake_end(). */
enum { FAKE_JOIN = 1, FAKE_LEAVE, FAKE_PUBLISH, FAKE_EVENT };
struct fake_asked {
  uint32_t what;
  uint32_t target_flags;
  struct wps_conn *conn;
  char *name;
  struct wps_message *msg;
  char *headers; /* "name: value\n" each */
  void *arg;
  uint64_t tag;
  union {
    wps_joined_fn joined;
    wps_conn_done_fn left;
    wps_published_fn published;
    wps_answer_fn answer;
  } done;
  bool has_done, ended;
};

struct fake {
  struct fake_asked asked[FAKE_QUEUE_MAX];
  size_t asked_count, ended_count;
  int join_rc, publish_rc, event_rc; /* of the calls themselves */
  bool no_memory;                    /* message->create fails */
  bool drop_on_event_failure;        /* in the configuration */
  long live;                         /* messages and frames */
  uint32_t sessions;
};
extern struct fake fake;
extern const struct wps_host fake_host;

/* Frees everything recorded; nothing of the plugin may be left. */
void fake_reset(void);

struct wps_conn *fake_conn(const struct wps_subprotocol *ops, void *inst,
                           uint32_t variant, const char *user,
                           const struct wps_request *req);
int fake_frame(struct wps_conn *conn, const char *text);
/* The next thing sent, or NULL. */
const char *fake_sent(struct wps_conn *conn);
void fake_detach(struct wps_conn *conn);
/* close() of the plugin, and the connection's end. */
void fake_gone(struct wps_conn *conn);

/* End the oldest / all requests to the hub that have not ended; events stay
 * for fake_answer(). */
bool fake_end(int status);
void fake_end_all(void);
void fake_answer(int status, const struct wps_event_answer *answer);

#endif
