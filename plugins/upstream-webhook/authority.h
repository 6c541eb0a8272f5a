/* SPDX-License-Identifier: Apache-2.0 */
/* authority.h - what a worker knows about one server, scheme and host and port,
 * whichever handlers name it: is its name known. Thread: the
 * worker's.
 */
#ifndef WEBHOOK_AUTHORITY_H
#define WEBHOOK_AUTHORITY_H

#include "plugins/common/cloudevents/url.h"
#include "plugins/common/list.h"

struct site;

struct authority {
  struct list node; /* site.authorities */
  struct site *site;
  char *name; /* "https://app.example.com:443" */
  size_t users;
  bool numeric; /* no resolver is asked */
  uint8_t reserved[7];
  int64_t resolved_us; /* the name was known then */
};

/* The one of this URL, made when there is none. NULL: out of memory. */
struct authority *authority_get(struct site *site,
                                const struct url_template *url);
void authority_put(struct authority *a);

/* A thread of libcurl asks for each transfer anew, not for each name: while it
 * is not known, one transfer goes ahead. What is not fresh is a connection of
 * before, which says nothing about the next one. */
bool authority_is_known(const struct authority *a);
void authority_resolved(struct authority *a, bool fresh);

#endif
