/* SPDX-License-Identifier: Apache-2.0 */
/* jwt_keys.h - public keys for RS256 and ES256, from PEM files or a JWKS.
 *
 * Filled once on the main thread, then only read.
 */
#ifndef WPS_COMMON_JWT_KEYS_H
#define WPS_COMMON_JWT_KEYS_H

#include <webpubsub/types.h>

enum { TOKEN_HS256 = 1, TOKEN_RS256, TOKEN_ES256 };
enum { TOKEN_KEYS_MAX = 64, TOKEN_KEY_FILE_MAX = 256 * 1024 };

struct token_key {
  uint32_t alg; /* TOKEN_RS256 or TOKEN_ES256 */
  char *kid;    /* NULL: for tokens of any kid */
  char *pem;    /* SubjectPublicKeyInfo, terminated */
  size_t pem_len;
};

struct token_keys {
  struct token_key items[TOKEN_KEYS_MAX];
  size_t count;
};

/* One public key or certificate. RSA with at least 2048 bits or EC on P-256;
 * a private key is refused. False with a sentence in why. */
bool token_keys_add_pem(struct token_keys *keys, struct wps_str text, char *why,
                        size_t why_size);
/* All RSA and P-256 signature keys of a JWKS; entries for other purposes are
 * passed over. False with a sentence when one is broken or none is there. */
bool token_keys_add_jwks(struct token_keys *keys, struct wps_str text,
                         char *why, size_t why_size);
void token_keys_clear(struct token_keys *keys);

#endif
