/* SPDX-License-Identifier: Apache-2.0 */
/* base/keys.h - the server's keys: HMAC-SHA-256 with access keys and with the
 * service key, which is derived per purpose. Thread: any, after keys_new(). */
#ifndef WPS_BASE_KEYS_H
#define WPS_BASE_KEYS_H

#include "base/base.h"

enum { KEYS_MAC_LEN = 32, KEYS_SERVICE = 1000 /* WPS_KEY_SERVICE */ };

struct keys;

/* `service` {NULL,0}: random, for this run of the process. NULL when out of
 * memory or entropy. */
struct keys *keys_new(const struct wps_bytes *access, size_t access_count,
                      struct wps_bytes service);
void keys_free(struct keys *k); /* wipes them */

/* Errors: ENOTFOUND (no such key), EINTERNAL (libcrypto). */
int keys_sign(const struct keys *k, uint32_t key, struct wps_str purpose,
              struct wps_bytes data, uint8_t mac[KEYS_MAC_LEN]);
/* With any access key, or with the service key; constant time per key. *which
 * (may be NULL) is the index of the access key.
 * Errors: ENOTFOUND (no keys), EUNAUTHORIZED, EINTERNAL. */
int keys_verify(const struct keys *k, uint32_t key, struct wps_str purpose,
                struct wps_bytes data, const uint8_t mac[KEYS_MAC_LEN],
                uint32_t *which);
size_t keys_access_count(const struct keys *k);
/* Take the access keys of `fresh` instead of the present ones, at once for
 * every thread. `fresh` gets the old ones back to free them with the end of the
 * process: a thread may be in the middle of using them. Thread: main. */
void keys_renew(struct keys *k, struct keys *fresh);

#endif
