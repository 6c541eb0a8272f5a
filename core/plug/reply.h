/* SPDX-License-Identifier: Apache-2.0 */
/* plug/reply.h - the promise to answer once, from any thread.
 *
 * The asker makes it with a function that runs exactly once on the asking
 * worker: never inside the call that finishes it nor inside the question, in
 * the same turn when it is finished on that worker. With reply_abandon() the
 * function does not run at all; the object lives until the plugin finishes it.
 * Debug builds abort when it is finished twice.
 */
#ifndef WPS_PLUG_REPLY_H
#define WPS_PLUG_REPLY_H

#include "base/base.h"

#include <webpubsub/reply.h>

struct wps_worker;
struct wps_instance;

enum reply_kind {
  REPLY_OK,   /* reply->ok                                            */
  REPLY_FAIL, /* reply->fail, the deadline (ETIMEOUT)                 */
  REPLY_DECLINE,
  REPLY_PRINCIPAL, /* auth->accept; value: struct principal (msg/principal.h) */
  REPLY_ANSWER,    /* event->answer; value: struct answer (msg/event.h)    */
  REPLY_HTTP,      /* http->respond; value: struct http_response_copy      */
  REPLY_ACCEPT     /* conn->accept; value: struct http_accept              */
};

struct reply_result {
  uint32_t kind;
  int status;            /* WPS_OK unless FAIL                            */
  struct wps_str detail; /* for the log; lives until the function returns */
  void *value;           /* freed after the function has returned unless
                            it was set to NULL (taken)                    */
};

typedef void (*reply_fn)(void *arg, struct reply_result *result);

/* `owes` is counted for; may be NULL. timeout_ms 0: no deadline. NULL when out
 * of memory. Thread: the asking worker. */
struct wps_reply *reply_new(struct wps_worker *w, struct wps_instance *owes,
                            uint64_t timeout_ms, reply_fn fn, void *arg);
/* Keep something (the request, the event) for as long as the plugin may look at
 * it: release(arg) runs once, when the plugin has finished and fn, where it is
 * to run, has returned; also long after reply_abandon(). At most one per reply,
 * before the plugin sees it. Thread: the asking worker; release: any. */
void reply_hold(struct wps_reply *r, wps_fn release, void *arg);
/* The asker does not care any more. Runs on_abandon. Not after fn has run.
 * Thread: the asking worker. */
void reply_abandon(struct wps_reply *r);
/* Finish with a value that is freed by free_value when nobody takes it. detail
 * is copied. Thread: any. Consumes. */
void reply_finish(struct wps_reply *r, uint32_t kind, int status,
                  struct wps_str detail, void *value, wps_fn free_value);

/* The table behind wps->reply. */
extern const struct wps_reply_api reply_api;

#endif
