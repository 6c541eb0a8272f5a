/* SPDX-License-Identifier: Apache-2.0 */
/* rest.h - what the files of this plugin share.
 *
 * One request is one struct rest_call: rest_handle() makes it, checks what all
 * operations have in common, and runs the operation, which ends it exactly once
 * with rest_empty(), rest_json(), rest_error() or one of its relatives. Between
 * the two it may wait for the hub, whose `done` gets the call as its argument.
 * Thread: the worker of the request; the end at a shutdown may be on another,
 * and does nothing but answer and free.
 */
#ifndef WPS_REST_H
#define WPS_REST_H

#include <webpubsub/plugin.h>

#include "plugins/http-rest/charset.h"
#include "plugins/http-rest/path.h"
#include "plugins/http-rest/rate.h"

#define REST_SUPPORTED                                                         \
  "2021-10-01, 2022-11-01, 2023-07-01, 2024-01-01, 2024-12-01"
#define REST_NEWEST "2024-12-01"

enum { REST_HUB_MAX = 128, REST_FILTER_WHY = 20 * 1024 };

/* One configured instance. */
struct rest {
  struct wps_instance *self;
  uint64_t max_message;
  uint64_t max_groups; /* 0: no limit */
  bool accept_newer;
  bool legacy_slash;
  struct rate *rate; /* NULL: no limit */
  char kid[40];      /* of generated tokens */
};

struct rest_worker {
  struct charset_set charsets;
};

struct rest_call;

enum {
  REST_READS = 1 << 0,  /* open for readers */
  REST_BODY = 1 << 1,   /* its body may have max_message bytes */
  REST_PUBLIC = 1 << 2, /* without authentication */
  REST_SECRET = 1 << 3  /* its answer is not to be kept */
};

struct rest_op {
  const char *name; /* operationId without its prefix */
  const char *method;
  const char *pattern;
  void (*run)(struct rest_call *call);
  uint32_t flags; /* REST_* */
  uint32_t to;    /* WPS_TO_*, 0: its own business */
};

struct rest_call {
  struct rest *rest;
  struct rest_worker *worker;
  struct wps_request *req; /* lives until the reply is finished */
  struct wps_reply *reply;
  const struct rest_op *op;
  struct wps_str hub, group, user, conn; /* checked; {NULL,0}: not in path */
  struct wps_target target;              /* hub, kind and name are filled in */
  struct wps_str *excluded;              /* owned */
  const struct wps_filter *filter;       /* owned */
  struct path path;
  uint32_t page, top; /* of a listing; top 0: not given */
  char hub_room[REST_HUB_MAX];
};

/* ---- call.c ---- */

void rest_handle(const struct rest_op *op, struct rest *rest,
                 struct rest_worker *worker, struct wps_request *req,
                 struct wps_reply *reply);

/* An answer; the headers that all have are added. */
struct rest_answer {
  uint32_t code;
  uint32_t retry_after_s; /* 0: no such header */
  const char *type;       /* NULL: no body */
  const char *error_code; /* NULL: none */
  struct wps_frame *body; /* consumed; NULL with a type: no memory was left */
};

/* Consume call. */
void rest_answer(struct rest_call *call, const struct rest_answer *answer);
void rest_empty(struct rest_call *call, uint32_t code);
void rest_json(struct rest_call *call, struct wps_frame *body);

/* Read parameters that several operations have. False: the call has ended with
 * a 400. */
bool rest_read_excluded(struct rest_call *call);
bool rest_read_filter(struct rest_call *call);
/* A text that is given once at most; {NULL,0} when absent. */
bool rest_read_text(struct rest_call *call, const char *name,
                    struct wps_str *out);
/* All of them, empty ones only with `empty`; *out is to be freed. */
bool rest_read_list(struct rest_call *call, const char *name, bool empty,
                    struct wps_str **out, size_t *count);
bool rest_read_int(struct rest_call *call, const char *name, uint32_t min,
                   uint32_t max, uint32_t fallback, uint32_t *out);
/* The same out of a body: compile `text`; `target` names it in the error. */
bool rest_compile_filter(struct rest_call *call, struct wps_str text,
                         const char *target);

#define REST_BAD_GROUP                                                         \
  "Invalid group name. Valid group name should be in between 1 and 1024 "      \
  "characters long."
bool rest_group_ok(struct wps_str group);
#define REST_GROUPS_FULL                                                       \
  "A connection is in as many groups as limits.groups_per_connection of the "  \
  "server allows."

/* ---- error.c ---- */

/* Application errors of azure-server.md 7.3. Consume call. */
void rest_error(struct rest_call *call, uint32_t status, const char *code,
                const char *target, const char *fmt, ...) WPS_PRINTF(5, 6);
/* 400 Error.BadRequest. */
void rest_bad(struct rest_call *call, const char *target, const char *fmt, ...)
    WPS_PRINTF(3, 4);
/* 400 in the form of a validation error. */
void rest_invalid(struct rest_call *call, const char *target,
                  const char *message);
void rest_unsupported(struct rest_call *call, const char *message);
/* "User `x` is not found." */
void rest_missing(struct rest_call *call, const char *code, const char *kind,
                  struct wps_str id);
void rest_too_many(struct rest_call *call, uint32_t per_second,
                   uint32_t retry_after_s);
/* What the host says to a call, or in a `done`. */
void rest_failed(struct rest_call *call, int status);
/* The end of what has nothing but success to tell. */
void rest_ended(struct rest_call *call, int status, uint32_t code);

/* ---- body.c: content type, charset, body ---- */

struct rest_body {
  uint32_t type; /* WPS_DATA_* */
  uint32_t reserved;
  struct wps_bytes data; /* text and JSON in UTF-8, JSON checked */
  char *owned;           /* to be freed */
};

/* Looks at length, content type and text, in this order. json: nothing else is
 * taken. False: the call has ended. */
bool rest_read_body(struct rest_call *call, bool json, struct rest_body *out);

/* ---- operations ---- */

extern const struct rest_op rest_ops[];
extern const size_t rest_op_count;
int rest_routes(struct rest *rest);

void rest_send(struct rest_call *call);
void rest_invoke(struct rest_call *call);
void rest_exists(struct rest_call *call);
void rest_user_in_group(struct rest_call *call);
void rest_close(struct rest_call *call);
void rest_join(struct rest_call *call);
void rest_leave(struct rest_call *call);
void rest_leave_all(struct rest_call *call);
void rest_bulk_join(struct rest_call *call);
void rest_bulk_leave(struct rest_call *call);
void rest_list(struct rest_call *call);
void rest_grant(struct rest_call *call);
void rest_revoke(struct rest_call *call);
void rest_check(struct rest_call *call);
void rest_generate_token(struct rest_call *call);
void rest_openapi(struct rest_call *call);

/* Made from doc/openapi.json. */
extern const unsigned char rest_openapi_json[];
extern const size_t rest_openapi_json_len;

/* ---- cursor.c: continuation tokens ---- */

enum { REST_CURSOR_MAX = 2048 };

/* Text that says "behind this connection of this group"; allocated and
 * terminated, NULL without memory. */
char *rest_cursor_make(struct wps_str hub, struct wps_str group,
                       struct wps_str after);
/* The connection id in `room` (REST_CURSOR_MAX bytes). Errors: EUNAUTHORIZED
 * (not ours, or of another group), ENOMEM. */
int rest_cursor_read(struct wps_str hub, struct wps_str group,
                     struct wps_str text, char *room, struct wps_str *after);

/* ---- token.c ---- */

int rest_kid(char *out, size_t size);

#endif
