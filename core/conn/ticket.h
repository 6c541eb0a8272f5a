/* SPDX-License-Identifier: Apache-2.0 */
/* conn/ticket.h - what a client comes back with (azure-client.md 7.6).
 *
 * base64url of: version, expiry, nonce, HMAC-SHA-256 with the service key over
 * these, the hub and the connection id. It names neither: the client says the
 * id, and the MAC fits that one only. Opaque to clients, unguessable without
 * the key, good for 7 days, untouched by rotation of the access keys. */
#ifndef WPS_CONN_TICKET_H
#define WPS_CONN_TICKET_H

#include "base/keys.h"

enum { TICKET_BYTES = 1 + 8 + 8 + KEYS_MAC_LEN, TICKET_LEN = 66 };

/* `out` is terminated. Errors: EINTERNAL, ENOMEM. */
int ticket_make(const struct keys *keys, struct wps_str hub, struct wps_str id,
                char out[TICKET_LEN + 1]);
/* Errors: EUNAUTHORIZED (malformed, forged, for another one, expired). */
int ticket_check(const struct keys *keys, struct wps_str hub, struct wps_str id,
                 struct wps_str ticket);

#endif
