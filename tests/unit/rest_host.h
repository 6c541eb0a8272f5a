/* SPDX-License-Identifier: Apache-2.0 */
/* rest_host.h - a host around http-rest: requests are text, the hub records
 * what it is asked and answers what the test has set. One thread.
 */
#ifndef WPS_TEST_REST_HOST_H
#define WPS_TEST_REST_HOST_H

#include <webpubsub/plugin.h>

enum { REST_PAIRS_MAX = 64, REST_TEXT_MAX = 4096, REST_ROUTES_MAX = 64 };

/* Not Check's, which work inside its runner only. */
#define REST_MUST(holds)                                                       \
  ((holds) ? (void)0 : rest_host_failed(#holds, __LINE__))
void rest_host_failed(const char *what, int line);

struct wps_request {
  char *text; /* everything points into it */
  const char *method, *target;
  struct wps_pair headers[REST_PAIRS_MAX], query[REST_PAIRS_MAX],
      params[REST_PAIRS_MAX];
  size_t header_count, query_count, param_count;
  size_t route; /* index of the one that fits */
  struct wps_bytes body;
  int body_status;
  struct wps_principal who;
};

/* What the plugin asked of the hub. */
enum {
  ASKED_NOTHING,
  ASKED_PUBLISH,
  ASKED_JOIN,
  ASKED_LEAVE,
  ASKED_CLOSE,
  ASKED_PERMISSION,
  ASKED_COUNT,
  ASKED_LIST
};

struct rest_asked {
  int what; /* ASKED_* */
  uint32_t kind, op, action, code, limit;
  char hub[256], name[REST_TEXT_MAX];
  char groups[REST_TEXT_MAX]; /* joined with '|', as are the following */
  char excluded[REST_TEXT_MAX];
  char filter[REST_TEXT_MAX];
  char text[REST_TEXT_MAX]; /* reason, group of a permission, `after` */
  size_t group_count, excluded_count;
  bool has_text;
  uint32_t data_type, from, ttl_ms;
  char message_group[REST_TEXT_MAX];
  char tags[REST_TEXT_MAX]; /* "name=value" */
  char data[REST_TEXT_MAX];
  size_t data_len;
};

struct rest_answered {
  uint32_t code; /* 0: none yet; reply->fail: the negative status */
  int failed;
  size_t count;
  struct {
    char name[64], value[512];
  } headers[16];
  char body[64 * 1024]; /* terminated */
  size_t body_len;
};

struct rest_host {
  /* configuration */
  int64_t max_message, max_groups, rate, burst;
  bool accept_newer, legacy_slash;
  const char *endpoints[4];
  /* the hub's behaviour */
  int call_status; /* of the calls themselves */
  int done_status; /* in `done` */
  uint64_t clients;
  const char *members[16]; /* of every group, sorted; "id" or "id=user" */
  /* surroundings */
  const char *scheme, *credential;
  int64_t now_us, unix_ms;
  size_t message_max; /* of message->create; 0: none */
  bool no_memory;     /* frames and messages cannot be had */
  long live;          /* frames, messages, filters */
  size_t route_count;
  struct rest_asked asked;
  struct rest_answered answer;
};

extern struct rest_host rest_host;

/* Defaults everywhere; then start and stop one instance on one worker. */
void rest_host_reset(void);
void rest_host_start(void);
void rest_host_stop(void);

/* "POST /api/hubs/chat/:send?x=y\nContent-Type: text/plain\n\nbody" through the
 * route that fits, `done` included; with a body of any octets; with one that is
 * too long for the route. */
void rest_ask(const char *text);
void rest_ask_body(const char *head, const void *body, size_t len);
void rest_ask_too_big(const char *head);

/* Of the last answer; NULL when there is none. */
const char *rest_header(const char *name);
const struct wps_http_route *rest_route_at(size_t index);

/* A request for functions that read one; freed by the next call. */
const struct wps_request *rest_request(const char *head);
/* The same, the caller's. */
struct wps_request *rest_request_new(const char *head);
void rest_request_free(struct wps_request *req);
extern const struct wps_request_api rest_request_api;
/* Points `wps` at this host without an instance. */
void rest_host_load(void);

#endif
