/* SPDX-License-Identifier: Apache-2.0 */
/* base/keys.c - HMAC-SHA-256 through libcrypto.
 *
 * One keyed context per key is made at start, because keying is a good part of
 * the cost of a short HMAC. It is only read, and duplicated for whoever
 * computes one; the duplicate that is through stays for the next, who need not
 * be the same thread, so that a second is made only where two compute at once.
 */
#include "base/keys.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/rand.h"

struct access_key {
  EVP_MAC_CTX *keyed;
  EVP_MAC_CTX *_Atomic spare; /* NULL: none, or in use */
};

struct access_keys {
  size_t count;
  struct access_key items[];
};

struct keys {
  EVP_MAC *hmac;
  unsigned char service[KEYS_MAC_LEN];
  struct access_keys *_Atomic access;
};

static EVP_MAC_CTX *keyed(EVP_MAC *hmac, const void *key, size_t len)
{
  char digest[] = "SHA256";
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(hmac);

  if (ctx != NULL && EVP_MAC_init(ctx, key, len, params) != 1) {
    EVP_MAC_CTX_free(ctx);
    ctx = NULL;
  }
  return ctx;
}

static int finish(EVP_MAC_CTX *ctx, struct wps_bytes data,
                  uint8_t mac[KEYS_MAC_LEN])
{
  size_t len = 0;

  if (EVP_MAC_update(ctx, data.ptr, data.len) != 1 ||
      EVP_MAC_final(ctx, mac, &len, KEYS_MAC_LEN) != 1 || len != KEYS_MAC_LEN)
    return WPS_EINTERNAL;
  return WPS_OK;
}

static int mac_with(struct access_key *key, struct wps_bytes data,
                    uint8_t mac[KEYS_MAC_LEN])
{
  EVP_MAC_CTX *ctx = atomic_exchange(&key->spare, NULL);
  int rc;

  /* Without a key it begins anew with the one that it has. */
  if (ctx != NULL && EVP_MAC_init(ctx, NULL, 0, NULL) != 1) {
    EVP_MAC_CTX_free(ctx);
    ctx = NULL;
  }
  if (ctx == NULL)
    ctx = EVP_MAC_CTX_dup(key->keyed);
  if (ctx == NULL)
    return WPS_ENOMEM;
  rc = finish(ctx, data, mac);
  EVP_MAC_CTX_free(atomic_exchange(&key->spare, ctx));
  return rc;
}

static int mac_once(EVP_MAC *hmac, const void *key, size_t key_len,
                    struct wps_bytes data, uint8_t mac[KEYS_MAC_LEN])
{
  EVP_MAC_CTX *ctx = keyed(hmac, key, key_len);
  int rc = ctx != NULL ? finish(ctx, data, mac) : WPS_EINTERNAL;

  EVP_MAC_CTX_free(ctx);
  return rc;
}

static void access_free(struct access_keys *a)
{
  for (size_t i = 0; a != NULL && i < a->count; i++) {
    EVP_MAC_CTX_free(a->items[i].keyed);
    EVP_MAC_CTX_free(atomic_load(&a->items[i].spare));
  }
  free(a);
}

static struct access_keys *access_new(EVP_MAC *hmac,
                                      const struct wps_bytes *keys,
                                      size_t count)
{
  struct access_keys *a = calloc(1, sizeof(*a) + count * sizeof(a->items[0]));

  for (; a != NULL && a->count < count; a->count++) {
    struct access_key *key = &a->items[a->count];

    atomic_init(&key->spare, NULL);
    key->keyed = keyed(hmac, keys[a->count].ptr, keys[a->count].len);
    if (key->keyed == NULL) {
      access_free(a);
      return NULL;
    }
  }
  return a;
}

struct keys *keys_new(const struct wps_bytes *access, size_t access_count,
                      struct wps_bytes service)
{
  struct keys *k = calloc(1, sizeof(*k));
  struct access_keys *a;

  if (k == NULL)
    return NULL;
  k->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
  if (k->hmac == NULL)
    goto fail;
  a = access_new(k->hmac, access, access_count);
  if (a == NULL)
    goto fail;
  atomic_init(&k->access, a);
  if (service.ptr == NULL) {
    if (rand_bytes(k->service, sizeof(k->service)) != WPS_OK)
      goto fail;
  } else if (mac_once(k->hmac, "webpubsubd", 10, service, k->service) !=
             WPS_OK) {
    goto fail;
  }
  return k;

fail:
  keys_free(k);
  return NULL;
}

void keys_free(struct keys *k)
{
  if (k == NULL)
    return;
  access_free(atomic_load(&k->access));
  EVP_MAC_free(k->hmac);
  OPENSSL_cleanse(k->service, sizeof(k->service));
  free(k);
}

void keys_renew(struct keys *k, struct keys *fresh)
{
  struct access_keys *old =
      atomic_exchange(&k->access, atomic_load(&fresh->access));

  atomic_store(&fresh->access, old);
}

size_t keys_access_count(const struct keys *k)
{
  return atomic_load(&k->access)->count;
}

int keys_sign(const struct keys *k, uint32_t key, struct wps_str purpose,
              struct wps_bytes data, uint8_t mac[KEYS_MAC_LEN])
{
  struct access_keys *access = atomic_load(&k->access);
  uint8_t derived[KEYS_MAC_LEN];
  int rc;

  if (key != KEYS_SERVICE)
    return key < access->count ? mac_with(&access->items[key], data, mac)
                               : WPS_ENOTFOUND;
  rc = mac_once(k->hmac, k->service, sizeof(k->service),
                (struct wps_bytes){purpose.ptr, purpose.len}, derived);
  if (rc == WPS_OK)
    rc = mac_once(k->hmac, derived, sizeof(derived), data, mac);
  OPENSSL_cleanse(derived, sizeof(derived));
  return rc;
}

int keys_verify(const struct keys *k, uint32_t key, struct wps_str purpose,
                struct wps_bytes data, const uint8_t mac[KEYS_MAC_LEN],
                uint32_t *which)
{
  struct access_keys *access = atomic_load(&k->access);
  uint8_t expected[KEYS_MAC_LEN];
  int rc;

  if (key == KEYS_SERVICE) {
    rc = keys_sign(k, key, purpose, data, expected);
    if (rc != WPS_OK)
      return rc;
    return CRYPTO_memcmp(expected, mac, sizeof(expected)) == 0
               ? WPS_OK
               : WPS_EUNAUTHORIZED;
  }
  if (access->count == 0)
    return WPS_ENOTFOUND;
  for (size_t i = 0; i < access->count; i++) {
    rc = mac_with(&access->items[i], data, expected);
    if (rc != WPS_OK)
      return rc;
    if (CRYPTO_memcmp(expected, mac, sizeof(expected)) == 0) {
      if (which != NULL)
        *which = (uint32_t)i;
      return WPS_OK;
    }
  }
  return WPS_EUNAUTHORIZED;
}
