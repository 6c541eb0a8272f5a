/* SPDX-License-Identifier: Apache-2.0 */
/* handles.h - one registration of an application server for events. Immutable
 * once made. */
#ifndef UPSTREAM_SERVER_HANDLES_H
#define UPSTREAM_SERVER_HANDLES_H

#include <webpubsub/event.h>

#include "plugins/common/list.h"
#include "plugins/upstream-server/command.h"

enum { REGISTRATION_NAMES_MAX = 256 }; /* user events, groups */

struct registration {
  struct list node; /* of its server */
  int32_t id;
  uint32_t events; /* WPS_EVENT_* */
  bool all_user_events, with_payload;
  uint8_t reserved[6];
  struct server_names user_events, groups;
  const struct wps_filter *filter; /* NULL: all clients */
  struct command_room room;
};

/* Copies. With EINVAL a sentence is in `why`. Errors: EINVAL, ELIMIT (names),
 * ENOMEM. */
int registration_new(const struct server_command *c, struct registration **out,
                     char *why, size_t why_size);
void registration_free(struct registration *r);

/* Thread: the worker of the event's client. */
bool registration_takes(const struct registration *r,
                        const struct wps_event *event);

#endif
