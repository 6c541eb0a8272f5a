/* SPDX-License-Identifier: Apache-2.0 */
/* conn/membership.h - joining and leaving, with what the subprotocol is told.
 */
#ifndef WPS_CONN_MEMBERSHIP_H
#define WPS_CONN_MEMBERSHIP_H

#include "conn/conn.h"

/* `how` NULL: plainly. joined() is told unless `by` is WPS_BY_SELF. What is
 * told may already have ended the membership of *serial. Errors: EINVAL (name),
 * ELIMIT (groups per client), ENOMEM, ECLOSED. */
int membership_begin(struct wps_conn *c, struct wps_str group,
                     const struct wps_membership *how, uint32_t by,
                     uint64_t *serial);
/* Errors: EINVAL; ECLOSED: what it was owed made the client leave. */
int membership_update(struct wps_member *m, const struct wps_membership *how);
/* left() is told, then the member is gone. */
void membership_end(struct wps_conn *c, struct wps_member *m, uint32_t by);

#endif
