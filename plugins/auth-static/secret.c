/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/auth-static/secret.h"

#include "plugins/common/b64.h"
#include "plugins/common/jwt_base64.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <webpubsub/status.h>

static bool kdf(struct wps_str secret, const struct secret_hash *h,
                uint8_t out[SECRET_HASH_BYTES])
{
  return secret.len <= SECRET_BYTES_MAX &&
         PKCS5_PBKDF2_HMAC(secret.ptr, (int)secret.len, h->salt,
                           (int)h->salt_len, (int)h->iterations, EVP_sha256(),
                           SECRET_HASH_BYTES, out) == 1;
}

/* What stands before the next ':', or all there is. */
static struct wps_str field_take(struct wps_str *text)
{
  const char *end = text->len > 0 ? memchr(text->ptr, ':', text->len) : NULL;
  size_t n = end != NULL ? (size_t)(end - text->ptr) : text->len;
  struct wps_str field = {text->ptr, n};

  text->ptr += end != NULL ? n + 1 : n;
  text->len -= end != NULL ? n + 1 : n;
  return field;
}

static bool number_read(struct wps_str text, uint32_t *out)
{
  uint32_t n = 0;

  if (text.len == 0 || text.len > 8)
    return false;
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] < '0' || text.ptr[i] > '9')
      return false;
    n = n * 10 + (uint32_t)(text.ptr[i] - '0');
  }
  *out = n;
  return n >= SECRET_ITERATIONS_MIN && n <= SECRET_ITERATIONS_MAX;
}

bool secret_hash_parse(struct wps_str text, struct secret_hash *out)
{
  static const char scheme[] = "pbkdf2-sha256";
  struct wps_str name = field_take(&text), iterations = field_take(&text);
  struct wps_str salt = field_take(&text), hash = text;
  uint8_t bytes[TOKEN_BASE64_ROOM(88)];
  size_t len;

  memset(out, 0, sizeof(*out));
  if (name.len != sizeof(scheme) - 1 ||
      memcmp(name.ptr, scheme, name.len) != 0 ||
      !number_read(iterations, &out->iterations) || salt.len > 86 ||
      !token_base64url_decode(salt, bytes, &len) || len < 8 ||
      len > SECRET_SALT_MAX)
    return false;
  memcpy(out->salt, bytes, len);
  out->salt_len = (uint32_t)len;
  if (hash.len != 43 || !token_base64url_decode(hash, bytes, &len) ||
      len != SECRET_HASH_BYTES)
    return false;
  memcpy(out->hash, bytes, len);
  return true;
}

bool secret_hash_make(struct wps_str secret, uint32_t iterations,
                      struct secret_hash *out)
{
  memset(out, 0, sizeof(*out));
  out->iterations = iterations;
  out->salt_len = 16;
  return RAND_bytes(out->salt, (int)out->salt_len) == 1 &&
         kdf(secret, out, out->hash);
}

bool secret_hash_matches(const struct secret_hash *hash, struct wps_str secret)
{
  uint8_t own[SECRET_HASH_BYTES];
  bool same = kdf(secret, hash, own) &&
              CRYPTO_memcmp(own, hash->hash, sizeof(own)) == 0;

  OPENSSL_cleanse(own, sizeof(own));
  return same;
}

bool secret_digest(const uint8_t key[32], struct wps_str secret,
                   uint8_t digest[32])
{
  unsigned len = 32;

  return HMAC(EVP_sha256(), key, 32, (const unsigned char *)secret.ptr,
              secret.len, digest, &len) != NULL;
}

bool basic_given(struct wps_str header)
{
  return header.len >= 5 && strncasecmp(header.ptr, "Basic", 5) == 0 &&
         (header.len == 5 || header.ptr[5] == ' ');
}

bool basic_parse(struct wps_str header, struct basic *out)
{
  const char *colon;
  size_t len = 0;
  char *block;

  memset(out, 0, sizeof(*out));
  header.ptr += 5;
  header.len -= 5;
  while (header.len > 0 && *header.ptr == ' ')
    header.ptr++, header.len--;
  while (header.len > 0 && header.ptr[header.len - 1] == ' ')
    header.len--;
  /* Up to two bytes of the last group are padding. */
  if (header.len == 0 || header.len / 4 * 3 > SECRET_BYTES_MAX + 2)
    return false;
  if ((block = malloc(header.len)) == NULL)
    return false;
  if (b64_decode(header, block, &len) != WPS_OK ||
      (colon = memchr(block, ':', len)) == NULL) {
    OPENSSL_cleanse(block, header.len);
    free(block);
    return false;
  }
  out->both = (struct wps_str){block, len};
  out->name = (struct wps_str){block, (size_t)(colon - block)};
  out->secret = (struct wps_str){colon + 1, len - out->name.len - 1};
  return true;
}

void basic_free(struct basic *b)
{
  if (b->both.ptr == NULL)
    return;
  OPENSSL_cleanse((char *)b->both.ptr, b->both.len);
  free((char *)b->both.ptr);
  memset(b, 0, sizeof(*b));
}
