/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/jwt_token.h"

#include "plugins/common/jwt_base64.h"

#include <math.h>
#include <stdio.h>
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

static bool characters_fit(struct wps_str text)
{
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];

    if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
          (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
      return false;
  }
  return true;
}

/* A JSON object in base64url, or NULL. */
static json_t *object_read(struct wps_str text)
{
  uint8_t *bytes = malloc(TOKEN_BASE64_ROOM(text.len));
  json_t *tree = NULL;
  size_t len;

  /* jansson takes a NUL byte after a number for white space. */
  if (bytes != NULL && token_base64url_decode(text, bytes, &len) &&
      memchr(bytes, '\0', len) == NULL)
    tree = json_loadb((const char *)bytes, len, JSON_REJECT_DUPLICATES, NULL);
  free(bytes);
  if (!json_is_object(tree)) {
    json_decref(tree);
    return NULL;
  }
  return tree;
}

/* ---- header ---- */

/* What all common libraries write: compared instead of parsed. */
static const char *const known_headers[] = {
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", /* {"alg":"HS256","typ":"JWT"} */
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9", /* {"typ":"JWT","alg":"HS256"} */
    "eyJhbGciOiJIUzI1NiJ9",                 /* {"alg":"HS256"}             */
};

/* The tree stays NULL for a known header. */
static int header_read(struct wps_str text, bool public_keys, uint32_t *alg,
                       json_t **tree, const char **why)
{
  const char *name;

  for (size_t i = 0; i < sizeof(known_headers) / sizeof(*known_headers); i++) {
    if (text.len == strlen(known_headers[i]) &&
        memcmp(text.ptr, known_headers[i], text.len) == 0) {
      *alg = TOKEN_HS256;
      return WPS_OK;
    }
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
static bool date_read(const json_t *value, double *unix_ms)
{
  if (!json_is_number(value))
    return false;
  *unix_ms = json_number_value(value) * 1000.0;
  return isfinite(*unix_ms);
}

static int times_check(const json_t *tree, const struct token_policy *policy,
                       int64_t *expires, const char **why)
{
  const json_t *exp = json_object_get(tree, "exp");
  const json_t *nbf = json_object_get(tree, "nbf");
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

static struct wps_str text_of(const json_t *value)
{
  return (struct wps_str){json_string_value(value), json_string_length(value)};
}

static int audience_check(const json_t *tree, uint32_t alg,
                          const struct token_policy *policy, const char **why)
{
  const json_t *aud = json_object_get(tree, "aud"), *one;
  bool good = false;
  size_t i;

  if (aud == NULL)
    return refuse(why, "the token has no aud");
  if (json_is_string(aud)) {
    good = policy->audience(policy->arg, alg, text_of(aud));
  } else if (json_is_array(aud)) {
    json_array_foreach(aud, i, one)
    {
      if (!json_is_string(one))
        return refuse(why, "aud of the token is not text");
      good = good || policy->audience(policy->arg, alg, text_of(one));
    }
  } else {
    return refuse(why, "aud of the token is not text");
  }
  return good ? WPS_OK : refuse(why, TOKEN_WHY_AUDIENCE);
}

static int issuer_check(const json_t *tree, uint32_t alg, struct wps_str wanted,
                        const char **why)
{
  struct wps_str issuer = text_of(json_object_get(tree, "iss"));

  if (alg == TOKEN_HS256 || wanted.ptr == NULL)
    return WPS_OK;
  if (issuer.ptr == NULL || issuer.len != wanted.len ||
      memcmp(issuer.ptr, wanted.ptr, wanted.len) != 0)
    return refuse(why, "the token is from another issuer");
  return WPS_OK;
}

static int user_read(const json_t *tree, struct token *out, const char **why)
{
  const json_t *user = json_object_get(tree, "sub");

  if (user == NULL)
    user = json_object_get(tree, "nameid");
  if (user == NULL)
    return WPS_OK;
  if (!json_is_string(user))
    return refuse(why, "sub or nameid of the token is not text");
  out->user = text_of(user);
  return WPS_OK;
}

/* A string or an array of strings. */
static int list_read(const json_t *value, struct wps_str **out, size_t *count,
                     const char **why)
{
  size_t i, n = json_is_array(value) ? json_array_size(value) : 1;

  if (value == NULL || n == 0)
    return WPS_OK;
  if ((*out = calloc(n, sizeof(**out))) == NULL)
    return WPS_ENOMEM;
  for (i = 0; i < n; i++) {
    (*out)[i] =
        text_of(json_is_array(value) ? json_array_get(value, i) : value);
    if ((*out)[i].ptr == NULL)
      return refuse(why, "role or webpubsub.group of the token is not text");
  }
  *count = n;
  return WPS_OK;
}

/* The shortest text that reads back as the same number: 0.1 stays 0.1. */
static char *dump_real(double value)
{
  char *text = malloc(32);

  for (int digits = 15; text != NULL && digits <= 17; digits++) {
    snprintf(text, 32, "%.*g", digits, value);
    if (strtod(text, NULL) == value)
      break;
  }
  return text;
}

static int claim_add(struct token *out, const char *name, const json_t *value)
{
  struct wps_pair *pair = &out->claims[out->claim_count];
  char *text;

  pair->name = (struct wps_str){name, strlen(name)};
  if (json_is_string(value)) {
    pair->value = text_of(value);
  } else {
    text = json_is_real(value)
               ? dump_real(json_real_value(value))
               : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    if (text == NULL)
      return WPS_ENOMEM;
    out->texts[out->text_count++] = text;
    pair->value = (struct wps_str){text, strlen(text)};
  }
  out->claim_count++;
  return WPS_OK;
}

static int claims_read(json_t *tree, struct token *out)
{
  const char *name;
  json_t *value, *one;
  size_t n = 0, i;

  json_object_foreach(tree, name, value) n +=
      json_is_array(value) ? json_array_size(value) : 1;
  if (n == 0)
    return WPS_OK;
  out->claims = calloc(n, sizeof(*out->claims));
  out->texts = calloc(n, sizeof(*out->texts));
  if (out->claims == NULL || out->texts == NULL)
    return WPS_ENOMEM;
  json_object_foreach(tree, name, value)
  {
    if (!json_is_array(value)) {
      if (claim_add(out, name, value) != WPS_OK)
        return WPS_ENOMEM;
      continue;
    }
    json_array_foreach(value, i, one)
    {
      if (claim_add(out, name, one) != WPS_OK)
        return WPS_ENOMEM;
    }
  }
  return WPS_OK;
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

int token_read(struct wps_str text, const struct token_policy *policy,
               struct token *out, const char **why)
{
  struct parts p;
  json_t *tree;
  int rc;

  memset(out, 0, sizeof(*out));
  *why = "out of memory";
  if (text.len > policy->max_bytes || text.len > TOKEN_BYTES_MAX)
    return refuse(why, "the token is too long");
  if (text.len == 0 || !characters_fit(text) || !parts_split(text, &p))
    return refuse(why, "the token is malformed");
  if ((rc = token_verify(text, &p, policy, &out->alg, why)) != WPS_OK)
    return rc;
  if ((tree = object_read(p.payload)) == NULL)
    return refuse(why, "the payload of the token is malformed");
  out->tree = tree;
  if ((rc = times_check(tree, policy, &out->expires_unix_ms, why)) != WPS_OK ||
      (rc = audience_check(tree, out->alg, policy, why)) != WPS_OK ||
      (rc = issuer_check(tree, out->alg, policy->issuer, why)) != WPS_OK ||
      (rc = user_read(tree, out, why)) != WPS_OK ||
      (rc = list_read(json_object_get(tree, "role"), &out->roles,
                      &out->role_count, why)) != WPS_OK ||
      (rc = list_read(json_object_get(tree, "webpubsub.group"), &out->groups,
                      &out->group_count, why)) != WPS_OK ||
      (rc = claims_read(tree, out)) != WPS_OK)
    token_clear(out);
  return rc;
}

void token_clear(struct token *token)
{
  for (size_t i = 0; i < token->text_count; i++)
    free(token->texts[i]);
  free(token->texts);
  free(token->claims);
  free(token->roles);
  free(token->groups);
  json_decref(token->tree);
  memset(token, 0, sizeof(*token));
}
