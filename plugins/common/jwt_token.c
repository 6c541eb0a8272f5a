/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/jwt_token.h"

#include "plugins/common/jwt_base64.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <jwt.h>
#include <openssl/err.h>

#include <webpubsub/status.h>

/* Headers are parsed before anything is proven, so they are held short. */
enum { HEADER_TEXT_MAX = 4096, KEY_TRIES_MAX = 8, MAC_BYTES = 32 };
enum { SIGNATURE_TEXT_MAX = 1366 }; /* RSA with 8192 bits */

struct parts {
  struct wps_str header, payload, signature;
  struct wps_bytes covered; /* header.payload */
};

static int refuse(const char **why, const char *sentence)
{
  *why = sentence;
  return WPS_EUNAUTHORIZED;
}

/* ---- form ---- */

static bool parts_split(struct wps_str text, struct parts *p)
{
  const char *first, *second;

  first = memchr(text.ptr, '.', text.len);
  if (first == NULL)
    return false;
  p->header = (struct wps_str){text.ptr, (size_t)(first - text.ptr)};
  first++;
  second = memchr(first, '.', text.len - p->header.len - 1);
  if (second == NULL)
    return false;
  p->payload = (struct wps_str){first, (size_t)(second - first)};
  p->covered = (struct wps_bytes){text.ptr, (size_t)(second - text.ptr)};
  second++;
  p->signature = (struct wps_str){second, text.len - p->covered.len - 1};
  return p->header.len > 0 && p->payload.len > 0 && p->signature.len > 0 &&
         memchr(second, '.', p->signature.len) == NULL;
}

/* A JSON object in base64url, or NULL. */
static json_t *object_read(struct wps_str text)
{
  uint8_t *bytes = malloc(TOKEN_BASE64_ROOM(text.len));
  json_t *tree = NULL;
  size_t len;

  if (bytes != NULL && token_base64url_decode(text, bytes, &len))
    tree = claims_tree(bytes, len);
  free(bytes);
  return tree;
}

/* ---- header ---- */

/* What all common libraries write: compared instead of parsed. */
static const char known_headers[][40] = {
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", /* {"alg":"HS256","typ":"JWT"} */
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9", /* {"typ":"JWT","alg":"HS256"} */
    "eyJhbGciOiJIUzI1NiJ9",                 /* {"alg":"HS256"}             */
};

static bool header_known(struct wps_str text)
{
  for (size_t i = 0; i < sizeof(known_headers) / sizeof(*known_headers); i++)
    if (text.len == strlen(known_headers[i]) &&
        memcmp(text.ptr, known_headers[i], text.len) == 0)
      return true;
  return false;
}

/* The tree stays NULL for a known header. */
static int header_read(struct wps_str text, bool public_keys, uint32_t *alg,
                       json_t **tree, const char **why)
{
  const char *name;

  if (header_known(text)) {
    *alg = TOKEN_HS256;
    return WPS_OK;
  }
  if (text.len > HEADER_TEXT_MAX)
    return refuse(why, "the header of the token is too long");
  if ((*tree = object_read(text)) == NULL)
    return refuse(why, "the header of the token is malformed");
  if (json_object_get(*tree, "crit") != NULL)
    return refuse(why, "the token has critical extensions");
  name = json_string_value(json_object_get(*tree, "alg"));
  if (name != NULL && strcmp(name, "HS256") == 0)
    *alg = TOKEN_HS256;
  else if (public_keys && name != NULL && strcmp(name, "RS256") == 0)
    *alg = TOKEN_RS256;
  else if (public_keys && name != NULL && strcmp(name, "ES256") == 0)
    *alg = TOKEN_ES256;
  else
    return refuse(why, "the algorithm of the token is not accepted");
  return WPS_OK;
}

/* ---- signature ---- */

/* Any other kid of HS256 means nothing to us. */
static bool is_generated(const json_t *header)
{
  const char *kid = json_string_value(json_object_get(header, "kid"));

  return kid != NULL &&
         strncmp(kid, TOKEN_GENERATED_KID, strlen(TOKEN_GENERATED_KID)) == 0;
}

static int mac_check(const struct parts *p, const json_t *header,
                     const struct token_policy *policy, const char **why)
{
  uint8_t mac[TOKEN_BASE64_ROOM(43)];
  size_t len;

  if (p->signature.len != 43 ||
      !token_base64url_decode(p->signature, mac, &len) || len != MAC_BYTES)
    return refuse(why, "the signature of the token is malformed");
  if (!policy->hs256(policy->arg, is_generated(header), p->covered, mac))
    return refuse(why, "the signature of the token does not match any key");
  return WPS_OK;
}

static bool key_fits(const struct token_key *key, uint32_t alg, const char *kid)
{
  return key->alg == alg &&
         (key->kid == NULL || kid == NULL || strcmp(key->kid, kid) == 0);
}

/* libjwt decodes leniently; one signature has one text. */
static bool signature_is_text(struct wps_str signature)
{
  uint8_t raw[TOKEN_BASE64_ROOM(SIGNATURE_TEXT_MAX)];
  size_t len;

  return signature.len <= SIGNATURE_TEXT_MAX &&
         token_base64url_decode(signature, raw, &len);
}

/* libjwt gets a key that we chose for the algorithm that we read: an HMAC
 * secret never meets RS256, nor a PEM HS256. */
static int public_check(struct wps_str text, const struct parts *p,
                        const json_t *header, uint32_t alg,
                        const struct token_keys *keys, const char **why)
{
  jwt_alg_t wanted = alg == TOKEN_RS256 ? JWT_ALG_RS256 : JWT_ALG_ES256;
  const json_t *kid = json_object_get(header, "kid");
  char *copy;
  size_t tries = 0;
  bool good = false;

  if (kid != NULL && !json_is_string(kid))
    return refuse(why, "the header of the token is malformed");
  if (!signature_is_text(p->signature))
    return refuse(why, "the signature of the token is malformed");
  if ((copy = malloc(text.len + 1)) == NULL)
    return WPS_ENOMEM;
  memcpy(copy, text.ptr, text.len);
  copy[text.len] = '\0';
  for (size_t i = 0; i < keys->count && !good && tries < KEY_TRIES_MAX; i++) {
    const struct token_key *key = &keys->items[i];
    jwt_t *jwt = NULL;

    if (!key_fits(key, alg, json_string_value(kid)))
      continue;
    tries++;
    if (jwt_decode(&jwt, copy, (const unsigned char *)key->pem,
                   (int)key->pem_len) != 0)
      continue;
    good = jwt_get_alg(jwt) == wanted;
    jwt_free(jwt);
  }
  free(copy);
  /* What is left in this thread's error queue would be blamed on its TLS. */
  ERR_clear_error();
  if (tries == 0)
    return refuse(why,
                  "there is no key for the algorithm and kid of the token");
  if (!good)
    return refuse(why, "the signature of the token does not match any key");
  return WPS_OK;
}

/* ---- claims ---- */

/* NumericDate in milliseconds; false unless it is a number. */
static bool date_read(const struct claim *claim, double *unix_ms)
{
  if (claim->type != CLAIM_NUMBER)
    return false;
  *unix_ms = claim->number * 1000.0;
  return isfinite(*unix_ms);
}

static int times_check(const struct claims *all,
                       const struct token_policy *policy, int64_t *expires,
                       const char **why)
{
  const struct claim *exp = all->known[CLAIM_EXP];
  const struct claim *nbf = all->known[CLAIM_NBF];
  double now = (double)policy->now_unix_ms, skew = (double)policy->skew_ms;
  double at;

  if (exp == NULL)
    return refuse(why, "the token has no exp");
  if (!date_read(exp, &at))
    return refuse(why, "exp of the token is not a number");
  if (now > at + skew)
    return refuse(why, "the token has expired");
  /* Kept where a double is exact; later than year 280,000 is never. */
  *expires = at < 1.0 ? 1 : at > 9.0e15 ? (int64_t)9.0e15 : (int64_t)at;
  if (nbf == NULL)
    return WPS_OK;
  if (!date_read(nbf, &at))
    return refuse(why, "nbf of the token is not a number");
  if (now < at - skew)
    return refuse(why, "the token is not valid yet");
  return WPS_OK;
}

/* The one text of a claim; {NULL, 0}: there is none. */
static struct wps_str text_of(const struct claims *all,
                              const struct claim *claim)
{
  if (claim == NULL || claim->list || claim->type != CLAIM_TEXT)
    return (struct wps_str){NULL, 0};
  return all->pairs[claim->first].value;
}

static int audience_check(const struct claims *all, uint32_t alg,
                          const struct token_policy *policy, const char **why)
{
  const struct claim *aud = all->known[CLAIM_AUD];
  bool good = false;

  if (aud == NULL)
    return refuse(why, "the token has no aud");
  if (aud->type != CLAIM_TEXT)
    return refuse(why, "aud of the token is not text");
  for (size_t i = 0; i < aud->count && !good; i++)
    good = policy->audience(policy->arg, alg, all->pairs[aud->first + i].value);
  return good ? WPS_OK : refuse(why, TOKEN_WHY_AUDIENCE);
}

static int issuer_check(const struct claims *all, uint32_t alg,
                        struct wps_str wanted, const char **why)
{
  struct wps_str issuer = text_of(all, all->known[CLAIM_ISS]);

  if (alg == TOKEN_HS256 || wanted.ptr == NULL)
    return WPS_OK;
  if (issuer.ptr == NULL || issuer.len != wanted.len ||
      memcmp(issuer.ptr, wanted.ptr, wanted.len) != 0)
    return refuse(why, "the token is from another issuer");
  return WPS_OK;
}

static int user_read(struct token *out, const char **why)
{
  const struct claim *user = out->all.known[CLAIM_SUB];

  if (user == NULL)
    user = out->all.known[CLAIM_NAMEID];
  if (user == NULL)
    return WPS_OK;
  out->user = text_of(&out->all, user);
  if (out->user.ptr == NULL)
    return refuse(why, "sub or nameid of the token is not text");
  return WPS_OK;
}

/* A string or a list of strings, appended to out->strings. */
static int list_read(struct token *out, const struct claim *claim,
                     struct wps_str **list, size_t *count, const char **why)
{
  if (claim == NULL)
    return WPS_OK;
  if (claim->type != CLAIM_TEXT)
    return refuse(why, "role or webpubsub.group of the token is not text");
  *list = out->strings + out->string_count;
  *count = claim->count;
  for (size_t i = 0; i < claim->count; i++)
    out->strings[out->string_count++] = out->all.pairs[claim->first + i].value;
  return WPS_OK;
}

static int lists_read(struct token *out, const char **why)
{
  const struct claim *roles = out->all.known[CLAIM_ROLE];
  const struct claim *groups = out->all.known[CLAIM_GROUP];
  int rc;

  out->strings = out->few_strings;
  if (out->all.pair_count > CLAIMS_FEW &&
      (out->strings = calloc(out->all.pair_count, sizeof(*out->strings))) ==
          NULL)
    return WPS_ENOMEM;
  rc = list_read(out, roles, &out->roles, &out->role_count, why);
  if (rc == WPS_OK)
    rc = list_read(out, groups, &out->groups, &out->group_count, why);
  return rc;
}

static int claims_take(struct token *out, const struct token_policy *policy,
                       const char **why)
{
  int rc = claims_parse(&out->all);

  if (rc == WPS_EPROTO)
    return refuse(why, "the payload of the token is malformed");
  if (rc != WPS_OK)
    return rc;
  out->claims = out->all.pairs;
  out->claim_count = out->all.pair_count;
  if ((rc = times_check(&out->all, policy, &out->expires_unix_ms, why)) !=
          WPS_OK ||
      (rc = audience_check(&out->all, out->alg, policy, why)) != WPS_OK ||
      (rc = issuer_check(&out->all, out->alg, policy->issuer, why)) != WPS_OK ||
      (rc = user_read(out, why)) != WPS_OK)
    return rc;
  return lists_read(out, why);
}

/* ---- all of it ---- */

static int token_verify(struct wps_str text, const struct parts *p,
                        const struct token_policy *policy, uint32_t *alg,
                        const char **why)
{
  json_t *header = NULL;
  int rc;

  rc = header_read(p->header, policy->keys != NULL && policy->keys->count > 0,
                   alg, &header, why);
  if (rc == WPS_OK)
    rc = *alg == TOKEN_HS256
             ? mac_check(p, header, policy, why)
             : public_check(text, p, header, *alg, policy->keys, why);
  json_decref(header);
  return rc;
}

static int token_take(struct wps_str text, const struct token_policy *policy,
                      struct token *out, const char **why)
{
  struct parts p;
  int rc;

  *why = "out of memory";
  if (text.len > policy->max_bytes || text.len > TOKEN_BYTES_MAX)
    return refuse(why, "the token is too long");
  if (text.len == 0 || !parts_split(text, &p))
    return refuse(why, "the token is malformed");
  /* Decoding is what looks at the characters; nobody looks at what comes out
   * before there is a good signature. */
  rc = claims_decode(&out->all, p.payload);
  if (rc != WPS_OK)
    return rc == WPS_EPROTO ? refuse(why, "the token is malformed") : rc;
  if ((rc = token_verify(text, &p, policy, &out->alg, why)) != WPS_OK)
    return rc;
  return claims_take(out, policy, why);
}

int token_read(struct wps_str text, const struct token_policy *policy,
               struct token *out, const char **why)
{
  int rc;

  memset(out, 0, offsetof(struct token, few_strings));
  memset(&out->all, 0, offsetof(struct claims, few));
  rc = token_take(text, policy, out, why);
  if (rc != WPS_OK)
    token_clear(out);
  return rc;
}

void token_clear(struct token *token)
{
  if (token->strings != token->few_strings)
    free(token->strings);
  claims_clear(&token->all);
  memset(token, 0, offsetof(struct token, few_strings));
}
