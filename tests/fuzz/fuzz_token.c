/* SPDX-License-Identifier: Apache-2.0 */
/* Access tokens: the input is the token, and every HMAC is right, so that what
 * comes after the signature is reached too. The payload means the same to the
 * scanner and to jansson. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <webpubsub/status.h>

#include "plugins/common/jwt_audience.h"
#include "plugins/common/jwt_token.h"

static const char public_key[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEBcrzbkiJcKM0noDbYU1nTDngMwIG\n"
    "ygT8Ql+0jLunMvy3ScegZjBLZgSgK7yGxwqAcMsXYklad0opiZX65oCQrg==\n"
    "-----END PUBLIC KEY-----\n";

/* Where bytes go that only have to be read. */
static volatile uint8_t bytes_sink;

/* Every signature is good, so that what follows the check is reached. */
static bool hs256(void *arg, bool generated, struct wps_bytes data,
                  const uint8_t mac[32])
{
  uint8_t sum = mac[0] ^ mac[31];

  (void)arg;
  (void)generated;
  for (size_t i = 0; i < data.len; i++)
    sum ^= ((const uint8_t *)data.ptr)[i];
  bytes_sink = sum;
  return true;
}

static bool audience(void *arg, uint32_t alg, struct wps_str aud)
{
  static const struct wps_str path = {"/client/hubs/chat", 17};
  static const struct wps_str hub = {"chat", 4};
  struct token_origin origin, other;
  bool good;

  (void)arg;
  (void)alg;
  token_origin_from_host((struct wps_str){"localhost:8080", 14}, false,
                         &origin);
  good = token_audience_client(aud, &origin, path, hub);
  good = token_audience_api(aud, &origin, path) || good;
  good = token_audience_server(aud, &origin, path, hub) || good;
  if (token_origin_from_url(aud, &other))
    good = token_audience_client(aud, &other, path, hub) || good;
  if (token_origin_from_host(aud, true, &other))
    good = token_audience_api(aud, &other, path) || good;
  return good;
}

static void look_at(struct wps_str s)
{
  volatile char sink = 0;

  for (size_t i = 0; i < s.len; i++)
    sink = (char)(sink ^ s.ptr[i]);
}

static void run(const uint8_t *data, size_t size, const struct token_keys *keys)
{
  struct token_policy policy = {.max_bytes = 8192,
                                .skew_ms = 300000,
                                .now_unix_ms = INT64_C(1760000000000),
                                .hs256 = hs256,
                                .audience = audience,
                                .keys = keys};
  struct token token;
  const char *why = NULL;
  int rc;

  rc = token_read((struct wps_str){(const char *)data, size}, &policy, &token,
                  &why);
  if (rc != WPS_OK) {
    if (why == NULL)
      abort();
    return;
  }
  if (token.expires_unix_ms <= 0)
    abort();
  look_at(token.user);
  for (size_t i = 0; i < token.role_count; i++)
    look_at(token.roles[i]);
  for (size_t i = 0; i < token.group_count; i++)
    look_at(token.groups[i]);
  for (size_t i = 0; i < token.claim_count; i++) {
    look_at(token.claims[i].name);
    look_at(token.claims[i].value);
  }
  token_clear(&token);
}

static bool same(struct wps_str a, struct wps_str b)
{
  return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

static void compare(const struct claims *a, const struct claims *b)
{
  if (a->count != b->count || a->pair_count != b->pair_count)
    abort();
  for (size_t i = 0; i < a->count; i++) {
    const struct claim *x = &a->items[i], *y = &b->items[i];

    if (!same(x->name, y->name) || x->first != y->first ||
        x->count != y->count || x->type != y->type || x->list != y->list ||
        x->number < y->number || x->number > y->number)
      abort();
  }
  for (int i = 0; i < CLAIM_NAMES; i++)
    if ((a->known[i] == NULL) != (b->known[i] == NULL) ||
        (a->known[i] != NULL &&
         a->known[i] - a->items != b->known[i] - b->items))
      abort();
  for (size_t i = 0; i < a->pair_count; i++)
    if (!same(a->pairs[i].name, b->pairs[i].name) ||
        !same(a->pairs[i].value, b->pairs[i].value))
      abort();
}

/* Of the part between the dots. */
static void both_ways(const uint8_t *data, size_t size)
{
  static struct claims a, b;
  const uint8_t *dot = size > 0 ? memchr(data, '.', size) : NULL, *end;
  struct wps_str text;

  if (dot == NULL ||
      (end = memchr(dot + 1, '.', size - (size_t)(dot - data) - 1)) == NULL)
    return;
  text = (struct wps_str){(const char *)dot + 1, (size_t)(end - dot) - 1};
  if (claims_decode(&a, text) == WPS_OK) {
    int rc = claims_decode(&b, text) == WPS_OK ? claims_parse(&a) : WPS_ENOMEM;

    if (rc != claims_parse_tree(&b))
      abort();
    if (rc == WPS_OK)
      compare(&a, &b);
    claims_clear(&b);
  }
  claims_clear(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static struct token_keys keys;
  char why[200];

  if (keys.count == 0 &&
      !token_keys_add_pem(&keys,
                          (struct wps_str){public_key, sizeof(public_key) - 1},
                          why, sizeof(why)))
    abort();
  run(data, size, NULL);
  run(data, size, &keys);
  both_ways(data, size);
  token_keys_add_jwks(&(struct token_keys){.count = TOKEN_KEYS_MAX},
                      (struct wps_str){(const char *)data, size}, why,
                      sizeof(why));
  return 0;
}
