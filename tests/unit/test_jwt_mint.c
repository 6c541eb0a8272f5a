/* SPDX-License-Identifier: Apache-2.0 */
#include "test_jwt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "plugins/common/jwt_base64.h"

static char *base64url(const void *bytes, size_t len)
{
  char *text = malloc((len + 2) / 3 * 4 + 1);

  ck_assert_ptr_nonnull(text);
  token_base64url_encode(bytes, len, text);
  return text;
}

static char *join(const char *a, const char *b)
{
  size_t n = strlen(a), m = strlen(b);
  char *text = malloc(n + m + 2);

  ck_assert_ptr_nonnull(text);
  memcpy(text, a, n);
  text[n] = '.';
  memcpy(text + n + 1, b, m + 1);
  return text;
}

char *mint_bytes(const void *header, size_t header_len, const void *payload,
                 size_t payload_len, const char *key)
{
  char *h = base64url(header, header_len), *p = base64url(payload, payload_len);
  char *covered = join(h, p), *s, *token;
  unsigned char mac[32];
  unsigned len = sizeof(mac);

  HMAC(EVP_sha256(), key, (int)strlen(key), (unsigned char *)covered,
       strlen(covered), mac, &len);
  s = base64url(mac, len);
  token = join(covered, s);
  free(h);
  free(p);
  free(covered);
  free(s);
  return token;
}

char *mint(const char *header, const char *payload)
{
  return mint_bytes(header, strlen(header), payload, strlen(payload), TEST_KEY);
}

char *mint_with(const char *header, const char *payload, const char *signature)
{
  char *h = base64url(header, strlen(header));
  char *p = base64url(payload, strlen(payload));
  char *covered = join(h, p), *token = join(covered, signature);

  free(h);
  free(p);
  free(covered);
  return token;
}

EVP_PKEY *rsa_make(unsigned bits)
{
  return EVP_RSA_gen(bits);
}

EVP_PKEY *ec_make(const char *curve)
{
  return EVP_EC_gen(curve);
}

static char *bio_text(BIO *bio)
{
  char *ptr, *text;
  long len = BIO_get_mem_data(bio, &ptr);

  text = malloc((size_t)len + 1);
  memcpy(text, ptr, (size_t)len);
  text[len] = '\0';
  BIO_free(bio);
  return text;
}

char *public_pem(EVP_PKEY *key)
{
  BIO *bio = BIO_new(BIO_s_mem());

  ck_assert_int_eq(PEM_write_bio_PUBKEY(bio, key), 1);
  return bio_text(bio);
}

/* DER to r||s. */
static size_t ec_raw(const uint8_t *der, size_t len, uint8_t raw[64])
{
  ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);

  ck_assert_ptr_nonnull(sig);
  BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32);
  BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32);
  ECDSA_SIG_free(sig);
  return 64;
}

char *mint_public(const char *header, const char *payload, EVP_PKEY *key)
{
  char *bare = mint_with(header, payload, "x"), *token;
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  uint8_t sig[1024], raw[64];
  size_t len = sizeof(sig), covered = strlen(bare) - 2;
  char text[1500];

  ck_assert_int_eq(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
  ck_assert_int_eq(
      EVP_DigestSign(ctx, sig, &len, (unsigned char *)bare, covered), 1);
  EVP_MD_CTX_free(ctx);
  if (EVP_PKEY_is_a(key, "EC")) {
    len = ec_raw(sig, len, raw);
    memcpy(sig, raw, len);
  }
  token_base64url_encode(sig, len, text);
  bare[covered] = '\0';
  token = join(bare, text);
  free(bare);
  return token;
}
