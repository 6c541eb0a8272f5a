/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/jwt_keys.h"

#include "plugins/common/jwt_base64.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192, MEMBER_MAX = 2048 };

static bool refuse(char *why, size_t why_size, const char *sentence)
{
  snprintf(why, why_size, "%s", sentence);
  return false;
}

/* 0: a key we do not verify with. */
static uint32_t key_alg(const EVP_PKEY *key, char *why, size_t why_size)
{
  char group[32] = "";

  if (EVP_PKEY_is_a(key, "RSA")) {
    int bits = EVP_PKEY_get_bits(key);

    if (bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX)
      return TOKEN_RS256;
    snprintf(why, why_size, "an RSA key needs 2048 to 8192 bits, this has %d",
             bits);
    return 0;
  }
  if (EVP_PKEY_is_a(key, "EC") &&
      EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
      strcmp(group, "prime256v1") == 0)
    return TOKEN_ES256;
  refuse(why, why_size, "neither an RSA key nor an EC key on P-256");
  return 0;
}

static bool keys_add(struct token_keys *keys, EVP_PKEY *key, const char *kid,
                     char *why, size_t why_size)
{
  struct token_key *slot = &keys->items[keys->count];
  BIO *bio = NULL;
  char *text;
  long len;
  bool ok = false;

  if (keys->count == TOKEN_KEYS_MAX)
    return refuse(why, why_size, "more than 64 keys");
  memset(slot, 0, sizeof(*slot));
  if ((slot->alg = key_alg(key, why, why_size)) == 0)
    return false;
  if ((bio = BIO_new(BIO_s_mem())) == NULL ||
      PEM_write_bio_PUBKEY(bio, key) != 1)
    goto out;
  len = BIO_get_mem_data(bio, &text);
  if (len <= 0 || (slot->pem = malloc((size_t)len + 1)) == NULL)
    goto out;
  memcpy(slot->pem, text, (size_t)len);
  slot->pem[len] = '\0';
  slot->pem_len = (size_t)len;
  if (kid != NULL && (slot->kid = strdup(kid)) == NULL)
    goto out;
  keys->count++;
  ok = true;

out:
  if (!ok) {
    free(slot->pem);
    refuse(why, why_size, "out of memory");
  }
  BIO_free(bio);
  return ok;
}

bool token_keys_add_pem(struct token_keys *keys, struct wps_str text, char *why,
                        size_t why_size)
{
  static const char private_mark[] = "PRIVATE KEY-----";
  EVP_PKEY *key = NULL;
  X509 *cert = NULL;
  BIO *bio;
  bool ok = false;

  if (memmem(text.ptr, text.len, private_mark, sizeof(private_mark) - 1))
    return refuse(why, why_size,
                  "this is a private key; give the public key only");
  bio = BIO_new_mem_buf(text.ptr, (int)text.len);
  if (bio == NULL)
    return refuse(why, why_size, "out of memory");
  key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
  if (key == NULL && BIO_reset(bio) == 1 &&
      (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
    key = X509_get_pubkey(cert);
  if (key == NULL)
    refuse(why, why_size, "no public key or certificate in PEM form");
  else
    ok = keys_add(keys, key, NULL, why, why_size);
  EVP_PKEY_free(key);
  X509_free(cert);
  BIO_free(bio);
  ERR_clear_error();
  return ok;
}

/* One base64url member of a JWK. 0: missing or malformed. */
static size_t member_read(const json_t *jwk, const char *name, uint8_t *out)
{
  const json_t *value = json_object_get(jwk, name);
  struct wps_str text = {json_string_value(value), json_string_length(value)};
  size_t len = 0;

  if (text.ptr == NULL || text.len == 0 || text.len > MEMBER_MAX ||
      !token_base64url_decode(text, out, &len))
    return 0;
  return len;
}

static EVP_PKEY *key_from(const char *type, OSSL_PARAM_BLD *bld)
{
  OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
  EVP_PKEY_CTX *check = NULL;
  EVP_PKEY *key = NULL;

  if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
      EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
    goto fail;
  check = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
  if (check == NULL || EVP_PKEY_public_check(check) != 1)
    goto fail;
  goto out;

fail:
  EVP_PKEY_free(key);
  key = NULL;
out:
  EVP_PKEY_CTX_free(check);
  EVP_PKEY_CTX_free(ctx);
  OSSL_PARAM_free(params);
  return key;
}

static EVP_PKEY *rsa_from(const json_t *jwk)
{
  uint8_t n[TOKEN_BASE64_ROOM(MEMBER_MAX)], e[TOKEN_BASE64_ROOM(MEMBER_MAX)];
  size_t n_len = member_read(jwk, "n", n), e_len = member_read(jwk, "e", e);
  OSSL_PARAM_BLD *bld = NULL;
  BIGNUM *bn_n = NULL, *bn_e = NULL;
  EVP_PKEY *key = NULL;

  /* A long exponent makes each verification slow. */
  if (n_len == 0 || n_len > RSA_BITS_MAX / 8 + 1 || e_len == 0 || e_len > 8)
    return NULL;
  bld = OSSL_PARAM_BLD_new();
  bn_n = BN_bin2bn(n, (int)n_len, NULL);
  bn_e = BN_bin2bn(e, (int)e_len, NULL);
  if (bld != NULL && bn_n != NULL && bn_e != NULL &&
      OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn_n) == 1 &&
      OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, bn_e) == 1)
    key = key_from("RSA", bld);
  OSSL_PARAM_BLD_free(bld);
  BN_free(bn_n);
  BN_free(bn_e);
  return key;
}

static EVP_PKEY *ec_from(const json_t *jwk)
{
  uint8_t x[TOKEN_BASE64_ROOM(MEMBER_MAX)], y[TOKEN_BASE64_ROOM(MEMBER_MAX)];
  uint8_t point[65] = {4}; /* uncompressed */
  OSSL_PARAM_BLD *bld;
  EVP_PKEY *key = NULL;

  if (member_read(jwk, "x", x) != 32 || member_read(jwk, "y", y) != 32)
    return NULL;
  memcpy(point + 1, x, 32);
  memcpy(point + 33, y, 32);
  bld = OSSL_PARAM_BLD_new();
  if (bld != NULL &&
      OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
                                      "prime256v1", 0) == 1 &&
      OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point,
                                       sizeof(point)) == 1)
    key = key_from("EC", bld);
  OSSL_PARAM_BLD_free(bld);
  return key;
}

static bool member_is(const json_t *jwk, const char *name, const char *wanted,
                      bool when_absent)
{
  const json_t *value = json_object_get(jwk, name);

  if (value == NULL)
    return when_absent;
  return json_is_string(value) && strcmp(json_string_value(value), wanted) == 0;
}

static bool jwk_add(struct token_keys *keys, const json_t *jwk, size_t index,
                    char *why, size_t why_size)
{
  const json_t *kid = json_object_get(jwk, "kid");
  bool rsa = member_is(jwk, "kty", "RSA", false);
  bool ec = member_is(jwk, "kty", "EC", false) &&
            member_is(jwk, "crv", "P-256", false);
  char inner[128];
  EVP_PKEY *key;
  bool ok;

  if ((!rsa && !ec) || !member_is(jwk, "use", "sig", true) ||
      !member_is(jwk, "alg", rsa ? "RS256" : "ES256", true))
    return true;
  if (json_object_get(jwk, "d") != NULL) {
    snprintf(why, why_size, "key %zu is a private key", index);
    return false;
  }
  if (kid != NULL && !json_is_string(kid)) {
    snprintf(why, why_size, "\"kid\" of key %zu is not a string", index);
    return false;
  }
  key = rsa ? rsa_from(jwk) : ec_from(jwk);
  if (key == NULL) {
    snprintf(why, why_size, "key %zu is not a valid %s key", index,
             rsa ? "RSA" : "P-256");
    return false;
  }
  ok = keys_add(keys, key, json_string_value(kid), inner, sizeof(inner));
  if (!ok)
    snprintf(why, why_size, "key %zu: %s", index, inner);
  EVP_PKEY_free(key);
  return ok;
}

bool token_keys_add_jwks(struct token_keys *keys, struct wps_str text,
                         char *why, size_t why_size)
{
  size_t before = keys->count, index;
  json_t *root = NULL, *list, *jwk;
  json_error_t error;
  bool ok = true;

  if (memchr(text.ptr, '\0', text.len) == NULL)
    root = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);
  list = json_object_get(root, "keys");
  if (!json_is_array(list)) {
    json_decref(root);
    return refuse(why, why_size, "not a JSON object with an array \"keys\"");
  }
  json_array_foreach(list, index, jwk)
  {
    if (!(ok = jwk_add(keys, jwk, index, why, why_size)))
      break;
  }
  if (ok && keys->count == before)
    ok = refuse(why, why_size, "no RSA or P-256 key for signatures in it");
  json_decref(root);
  ERR_clear_error();
  return ok;
}

void token_keys_clear(struct token_keys *keys)
{
  for (size_t i = 0; i < keys->count; i++) {
    free(keys->items[i].kid);
    free(keys->items[i].pem);
  }
  keys->count = 0;
}
