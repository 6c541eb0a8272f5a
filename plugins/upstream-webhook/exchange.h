/* SPDX-License-Identifier: Apache-2.0 */
/* exchange.h - one HTTP request and its answer on a kept libcurl handle.
 *
 * Handles are configured once for a target and then kept on its free list; only
 * URL, headers and body are set anew. Thread: the worker's. */
#ifndef WEBHOOK_EXCHANGE_H
#define WEBHOOK_EXCHANGE_H

#include <curl/curl.h>

#include "plugins/common/cloudevents/request.h"
#include "plugins/common/list.h"
#include "plugins/upstream-webhook/response.h"

struct authority;
struct options;
struct transport;

/* What came of a transfer. */
enum {
  ENDED_ANSWERED = 1, /* response.code and all of the answer             */
  ENDED_NETWORK,      /* not reached, broken off, or no HTTP             */
  ENDED_TIMEOUT,      /* the time it was given is over                   */
  ENDED_UNUSABLE,     /* an answer that will not get better: over limits */
  ENDED_LOCAL         /* our own memory                                  */
};

struct exchange {
  struct list node; /* of the target: free, or under way          */
  struct transport *transport;
  struct authority *authority; /* learns that the name is known; or NULL */
  CURL *easy;
  struct request request; /* filled by the caller before it starts */
  struct response response;
  struct text head;         /* request.head in curl's notation      */
  struct curl_slist *lines; /* pointers into head; an array         */
  size_t line_cap;
  void (*done)(struct exchange *x, int ended);
  void *arg;
  size_t held;     /* of transport.held */
  uint32_t method; /* that the handle is set up for */
  bool under_way, refuse_private, refused, cookies;
  char error[CURL_ERROR_SIZE];
};

/* NULL: out of memory, or a file of the options cannot be used. */
struct exchange *exchange_new(struct transport *t, const struct options *o);
void exchange_free(struct exchange *x);

/* done() runs later, once, unless it is cancelled. `wanted` is a RESPONSE_*.
 * Errors: ENOMEM. */
int exchange_start(struct exchange *x, uint32_t wanted, uint64_t timeout_ms,
                   uint64_t connect_timeout_ms);
void exchange_cancel(struct exchange *x);
/* Nothing of this one may go on to the next one. */
void exchange_rest(struct exchange *x);
/* Not to be used again. */
bool exchange_is_spent(const struct exchange *x);

/* Why it did not work, for a log. */
const char *exchange_error(const struct exchange *x);

#endif
