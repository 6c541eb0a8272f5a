/* SPDX-License-Identifier: Apache-2.0 */
/* jwt_token.h - from the text of an access token to checked claims.
 *
 * Pure: time, HMAC and audience come from the caller. The order of the checks
 * is part of the security: size and characters; header, read by us; key,
 * chosen by us for exactly that algorithm; signature; and only then claims.
 */
#ifndef WPS_COMMON_JWT_TOKEN_H
#define WPS_COMMON_JWT_TOKEN_H

#include <webpubsub/types.h>

#include "plugins/common/jwt_claims.h"
#include "plugins/common/jwt_keys.h"

enum { TOKEN_BYTES_MAX = 64 * 1024 };

/* How the kid of tokens begins that the server signs with a key of its own,
 * and the purpose of that signature. */
#define TOKEN_GENERATED_KID "s-"
#define TOKEN_GENERATED_PURPOSE "client-token"

/* The one reason that is worth more words where the audience is known. */
#define TOKEN_WHY_AUDIENCE "the token is for another audience"

struct token_policy {
  size_t max_bytes; /* of the token, at most TOKEN_BYTES_MAX */
  int64_t skew_ms;
  int64_t now_unix_ms;
  /* Is `mac` the HMAC-SHA-256 of `data` with a key valid now? `generated`: the
   * kid says that the server itself made the token (TOKEN_GENERATED_KID). */
  bool (*hs256)(void *arg, bool generated, struct wps_bytes data,
                const uint8_t mac[32]);
  /* Is `aud`, one of the token's, meant for us? */
  bool (*audience)(void *arg, uint32_t alg, struct wps_str aud);
  void *arg;
  const struct token_keys *keys; /* NULL: HS256 only                     */
  struct wps_str issuer;         /* of tokens signed with one of `keys`; */
                                 /*   {NULL, 0}: not checked             */
};

struct token {
  uint32_t alg; /* TOKEN_HS256, ... */
  struct wps_str user;
  struct wps_str *roles;
  size_t role_count;
  struct wps_str *groups;
  size_t group_count;
  struct wps_pair *claims; /* as wps_principal wants them */
  size_t claim_count;
  int64_t expires_unix_ms;
  struct wps_str *strings; /* roles, then groups */
  size_t string_count;
  /* What the strings above are in: a token is not moved or copied. */
  struct wps_str few_strings[CLAIMS_FEW];
  struct claims all;
};

/* Thread: any. Errors: EUNAUTHORIZED with a sentence in *why that contains
 * nothing of the token, ENOMEM. After an error there is nothing to clear. */
int token_read(struct wps_str text, const struct token_policy *policy,
               struct token *out, const char **why);
void token_clear(struct token *token);

#endif
