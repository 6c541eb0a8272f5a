/* SPDX-License-Identifier: Apache-2.0 */
/* hub/roles.h - role strings to permissions (azure-client.md 3).
 *
 * A client without lists costs 16 bytes. Thread: the client's worker. */
#ifndef WPS_HUB_ROLES_H
#define WPS_HUB_ROLES_H

#include "base/base.h"

#include <webpubsub/conn.h> /* WPS_ACT_* */

enum {
  ROLES_LITERALS_MAX = 1000, /* per permission, azure-client.md 9.1 */
  ROLES_PATTERNS_MAX = 10,
  ROLES_PATTERN_LEN_MAX = 1024,
  ROLES_PATTERN_STARS_MAX = 5
};

struct role_lists;

struct roles {
  struct role_lists *lists; /* NULL: nothing but the defaults */
  uint32_t allow_all;       /* bit per permission kind        */
  uint32_t reserved;
};

/* Called for each role that is passed over, with the reason, for the log. */
typedef void (*roles_skipped_fn)(void *arg, struct wps_str role,
                                 const char *why);

/* Start from nothing. Unknown role strings are ignored silently; invalid
 * patterns and what is over the counts are skipped and reported. Errors:
 * ENOMEM (then nothing is allowed). */
int roles_set(struct roles *r, const struct wps_str *roles, size_t count,
              roles_skipped_fn skipped, void *arg);
void roles_free(struct roles *r);

/* `group` {NULL,0}: is the bare permission there? */
bool roles_allow(const struct roles *r, uint32_t action, struct wps_str group);

/* azure-client.md 3.2; group {NULL,0}: without target. Errors: ELIMIT (literal
 * entries), ENOMEM, EINVAL (action). */
int roles_grant(struct roles *r, uint32_t action, struct wps_str group);
int roles_revoke(struct roles *r, uint32_t action, struct wps_str group);

/* The pattern language of 3.1, for tests and for events of groups. */
bool role_pattern_ok(struct wps_str pattern, const char **why);
bool role_pattern_match(struct wps_str pattern, struct wps_str text);

#endif
