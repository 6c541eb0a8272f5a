/* SPDX-License-Identifier: Apache-2.0 */
/* roles.h - what an application server may do: publisher, subscriber, manager,
 * or those with .PATTERN behind them for the groups that match it. Thread: any.
 */
#ifndef UPSTREAM_SERVER_ROLES_H
#define UPSTREAM_SERVER_ROLES_H

#include <webpubsub/types.h>

enum { ROLE_PUBLISHER = 0, ROLE_SUBSCRIBER = 1, ROLE_MANAGER = 2 };

struct server_role {
  uint32_t kind; /* ROLE_* */
  uint32_t reserved;
  struct wps_str pattern; /* {NULL, 0}: everywhere */
};

struct server_roles {
  struct server_role *items;
  struct wps_str *names; /* as the token has them */
  size_t count;
};

/* Those of a token that are roles of servers; copied. Errors: ENOMEM. */
int server_roles_read(struct server_roles *out, const struct wps_str *names,
                      size_t count);
void server_roles_free(struct server_roles *r);

/* With group {NULL, 0}: everywhere. */
bool server_roles_allow(const struct server_roles *r, uint32_t kind,
                        struct wps_str group);
/* Everywhere, or for exactly this pattern. */
bool server_roles_cover(const struct server_roles *r, uint32_t kind,
                        struct wps_str pattern);
/* Somewhere. */
bool server_roles_any(const struct server_roles *r, uint32_t kind);

/* "publisher", ... */
const char *server_role_name(uint32_t kind);

#endif
