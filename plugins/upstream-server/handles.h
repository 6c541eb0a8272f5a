/* SPDX-License-Identifier: Apache-2.0 */
/* handles.h - registrations of an application server for events, and all of one
 * server together, which is what it offers to take. Both are immutable once
 * made, and counted: events look at them on other workers. */
#ifndef UPSTREAM_SERVER_HANDLES_H
#define UPSTREAM_SERVER_HANDLES_H

#include <webpubsub/event.h>

#include "plugins/common/peers/peers.h"
#include "plugins/upstream-server/command.h"

enum {
  REGISTRATION_NAMES_MAX = 256, /* user events, groups */
  REGISTRATIONS_MAX = 256       /* of a server */
};

struct registration {
  _Atomic uint32_t refs;
  int32_t id;
  uint32_t events; /* WPS_EVENT_* */
  uint32_t reserved;
  bool all_user_events, with_payload;
  uint8_t reserved2[6];
  struct server_names user_events, groups;
  const struct wps_filter *filter; /* NULL: all clients */
  struct command_room room;
};

/* Copies. With EINVAL a sentence is in `why`. Errors: EINVAL, ELIMIT (names),
 * ENOMEM. */
int registration_new(const struct server_command *c, struct registration **out,
                     char *why, size_t why_size);
struct registration *registration_ref(struct registration *r);
void registration_unref(struct registration *r);

/* Thread: the worker of the event's client. */
bool registration_takes(const struct registration *r,
                        const struct wps_event *event);

struct offer {
  struct peer_offer base;
  size_t count;
  struct registration *items[]; /* the oldest first */
};

/* Those of `old` (NULL: none), and this one instead of the one with its id;
 * with no events in it it only takes that one's place. Errors: ELIMIT, ENOMEM.
 */
int offer_make(const struct offer *old, struct registration *r,
               struct offer **out);
/* The first registration that takes it, or NULL. */
const struct registration *offer_match(const struct peer_offer *offer,
                                       const struct wps_event *event);

#endif
