/* SPDX-License-Identifier: Apache-2.0 */
/* secret.h - secrets as they are kept and compared. Pure; any thread. */
#ifndef WPS_AUTH_STATIC_SECRET_H
#define WPS_AUTH_STATIC_SECRET_H

#include <webpubsub/types.h>

enum {
  SECRET_HASH_BYTES = 32,
  SECRET_SALT_MAX = 64,
  SECRET_BYTES_MAX = 1024,
  SECRET_ITERATIONS_MIN = 1000,
  SECRET_ITERATIONS_MAX = 10000000
};

/* Of a password: PBKDF2 with HMAC-SHA-256. */
struct secret_hash {
  uint32_t iterations;
  uint32_t salt_len;
  uint8_t salt[SECRET_SALT_MAX];
  uint8_t hash[SECRET_HASH_BYTES];
};

/* "pbkdf2-sha256:ITERATIONS:SALT:HASH", the last two in base64url. */
bool secret_hash_parse(struct wps_str text, struct secret_hash *out);
/* With a new random salt. */
bool secret_hash_make(struct wps_str secret, uint32_t iterations,
                      struct secret_hash *out);
/* Slow on purpose; not for a worker. */
bool secret_hash_matches(const struct secret_hash *hash, struct wps_str secret);

/* HMAC-SHA-256 under a key that nobody outside this process ever had: equal
 * digests may be looked for in any way, their bytes say nothing. */
bool secret_digest(const uint8_t key[32], struct wps_str secret,
                   uint8_t digest[32]);

/* The credentials of "Authorization: Basic ...": one malloc'ed block, which
 * secret_free() wipes. basic_given(): is the header of that scheme at all? */
struct basic {
  struct wps_str name;
  struct wps_str secret;
  struct wps_str both; /* name:secret, the whole block */
};
bool basic_given(struct wps_str header);
bool basic_parse(struct wps_str header, struct basic *out);
void basic_free(struct basic *b);

#endif
