/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys and audiences. */
#include "test_jwt.h"

#include "plugins/common/jwt_audience.h"
#include "plugins/common/jwt_base64.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>

#include <webpubsub/status.h>

#define PAYLOAD "{\"aud\":\"me\",\"exp\":1000000,\"iss\":\"them\"}"

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

static char *private_pem(EVP_PKEY *key)
{
  BIO *bio = BIO_new(BIO_s_mem());

  ck_assert_int_eq(
      PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
  return bio_text(bio);
}

/* A JWK of the public half. */
static char *jwk(EVP_PKEY *key, const char *more)
{
  BIGNUM *a = NULL, *b = NULL;
  uint8_t bytes[1024];
  char first[1500], second[1500], *text = malloc(4000);
  bool rsa = EVP_PKEY_is_a(key, "RSA");

  ck_assert_int_eq(
      EVP_PKEY_get_bn_param(
          key, rsa ? OSSL_PKEY_PARAM_RSA_N : OSSL_PKEY_PARAM_EC_PUB_X, &a),
      1);
  ck_assert_int_eq(
      EVP_PKEY_get_bn_param(
          key, rsa ? OSSL_PKEY_PARAM_RSA_E : OSSL_PKEY_PARAM_EC_PUB_Y, &b),
      1);
  token_base64url_encode(
      bytes, (size_t)BN_bn2binpad(a, bytes, rsa ? BN_num_bytes(a) : 32), first);
  token_base64url_encode(
      bytes, (size_t)BN_bn2binpad(b, bytes, rsa ? BN_num_bytes(b) : 32),
      second);
  if (rsa)
    snprintf(text, 4000, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s}", first,
             second, more);
  else
    snprintf(text, 4000,
             "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"%s}",
             first, second, more);
  BN_free(a);
  BN_free(b);
  return text;
}

static bool add_jwks(struct token_keys *keys, const char *list, char *why,
                     size_t why_size)
{
  size_t n = strlen(list) + 20;
  char *text = malloc(n);
  bool ok;

  snprintf(text, n, "{\"keys\":[%s]}", list);
  ok = token_keys_add_jwks(keys, (struct wps_str){text, strlen(text)}, why,
                           why_size);
  free(text);
  return ok;
}

static bool add_pem(struct token_keys *keys, char *pem, char *why,
                    size_t why_size)
{
  bool ok = token_keys_add_pem(keys, (struct wps_str){pem, strlen(pem)}, why,
                               why_size);

  free(pem);
  return ok;
}

/* ---- keys ---- */

START_TEST(pem_kinds)
{
  struct token_keys keys = {.count = 0};
  char why[200] = "";
  EVP_PKEY *rsa = rsa_make(2048), *small = rsa_make(1024);
  EVP_PKEY *ec = ec_make("P-256"), *other = ec_make("P-384");

  ck_assert(add_pem(&keys, public_pem(rsa), why, sizeof(why)));
  ck_assert(add_pem(&keys, public_pem(ec), why, sizeof(why)));
  ck_assert_uint_eq(keys.count, 2);
  ck_assert_uint_eq(keys.items[0].alg, TOKEN_RS256);
  ck_assert_uint_eq(keys.items[1].alg, TOKEN_ES256);
  ck_assert(!add_pem(&keys, public_pem(small), why, sizeof(why)));
  ck_assert_ptr_nonnull(strstr(why, "2048"));
  ck_assert(!add_pem(&keys, public_pem(other), why, sizeof(why)));
  ck_assert_ptr_nonnull(strstr(why, "P-256"));
  ck_assert(!add_pem(&keys, private_pem(rsa), why, sizeof(why)));
  ck_assert_ptr_nonnull(strstr(why, "private"));
  ck_assert(!add_pem(&keys, strdup("hello"), why, sizeof(why)));
  ck_assert_ptr_nonnull(strstr(why, "PEM"));
  ck_assert(!add_pem(&keys, strdup(""), why, sizeof(why)));
  ck_assert_uint_eq(keys.count, 2);
  token_keys_clear(&keys);
  EVP_PKEY_free(rsa);
  EVP_PKEY_free(small);
  EVP_PKEY_free(ec);
  EVP_PKEY_free(other);
}
END_TEST

START_TEST(pem_certificate)
{
  struct token_keys keys = {.count = 0};
  char why[200];
  EVP_PKEY *ec = ec_make("P-256");
  X509 *cert = X509_new();
  BIO *bio = BIO_new(BIO_s_mem());

  X509_set_pubkey(cert, ec);
  X509_gmtime_adj(X509_getm_notBefore(cert), 0);
  X509_gmtime_adj(X509_getm_notAfter(cert), 60);
  ck_assert_int_gt(X509_sign(cert, ec, EVP_sha256()), 0);
  PEM_write_bio_X509(bio, cert);
  ck_assert(add_pem(&keys, bio_text(bio), why, sizeof(why)));
  ck_assert_uint_eq(keys.items[0].alg, TOKEN_ES256);
  token_keys_clear(&keys);
  X509_free(cert);
  EVP_PKEY_free(ec);
}
END_TEST

START_TEST(jwks_kinds)
{
  struct token_keys keys = {.count = 0};
  char why[200], list[9000];
  EVP_PKEY *rsa = rsa_make(2048), *ec = ec_make("P-256");
  char *a = jwk(rsa, ",\"kid\":\"r\",\"use\":\"sig\",\"alg\":\"RS256\"");
  char *b = jwk(ec, ",\"kid\":\"e\"");
  char *enc = jwk(rsa, ",\"use\":\"enc\"");

  snprintf(list, sizeof(list),
           "%s,{\"kty\":\"oct\",\"k\":\"AAAA\"},{\"kty\":\"OKP\"},%s,%s", a,
           enc, b);
  ck_assert_msg(add_jwks(&keys, list, why, sizeof(why)), "%s", why);
  ck_assert_uint_eq(keys.count, 2);
  ck_assert_str_eq(keys.items[0].kid, "r");
  ck_assert_uint_eq(keys.items[1].alg, TOKEN_ES256);
  token_keys_clear(&keys);
  free(a);
  free(b);
  free(enc);
  EVP_PKEY_free(rsa);
  EVP_PKEY_free(ec);
}
END_TEST

START_TEST(jwks_faults)
{
  static const struct {
    const char *text, *why;
  } bad[] = {
      {"", "not a JSON object"},
      {"[]", "not a JSON object"},
      {"{\"keys\":{}}", "not a JSON object"},
      {"{\"keys\":[]}", "no RSA"},
      {"{\"keys\":[1]}", "no RSA"},
      {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", "no RSA"},
      {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-384\"}]}", "no RSA"},
      {"{\"keys\":[{\"kty\":\"RSA\",\"alg\":\"RS512\"}]}", "no RSA"},
      {"{\"keys\":[{\"kty\":\"RSA\"}]}", "not a valid RSA key"},
      {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", "key 0"},
      {"{\"keys\":[{\"kty\":\"RSA\",\"n\":1,\"e\":2}]}", "not a valid RSA key"},
      {"{\"keys\":[{\"kty\":\"RSA\",\"d\":\"AQ\"}]}", "private"},
      {"{\"keys\":[{\"kty\":\"RSA\",\"kid\":5}]}", "kid"},
      {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}"
       "]"
       "}",
       "not a valid P-256 key"},
      /* 32 bytes each, but no point of the curve */
      {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
       "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\","
       "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}]}",
       "not a valid P-256 key"},
      {"{\"keys\":[],\"keys\":[]}", "not a JSON object"},
  };

  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
    struct token_keys keys = {.count = 0};
    char why[200] = "";

    ck_assert(!token_keys_add_jwks(
        &keys, (struct wps_str){bad[i].text, strlen(bad[i].text)}, why,
        sizeof(why)));
    ck_assert_msg(strstr(why, bad[i].why) != NULL, "%s: %s", bad[i].text, why);
    ck_assert_uint_eq(keys.count, 0);
    token_keys_clear(&keys);
  }
}
END_TEST

START_TEST(too_many_keys)
{
  struct token_keys keys = {.count = 0};
  EVP_PKEY *ec = ec_make("P-256");
  char why[200];

  for (int i = 0; i < TOKEN_KEYS_MAX; i++)
    ck_assert(add_pem(&keys, public_pem(ec), why, sizeof(why)));
  ck_assert(!add_pem(&keys, public_pem(ec), why, sizeof(why)));
  ck_assert_ptr_nonnull(strstr(why, "64"));
  token_keys_clear(&keys);
  EVP_PKEY_free(ec);
}
END_TEST

TCase *case_jwt_keys(void)
{
  TCase *c = tcase_create("keys");

  tcase_set_timeout(c, 60);
  tcase_add_test(c, pem_kinds);
  tcase_add_test(c, pem_certificate);
  tcase_add_test(c, jwks_kinds);
  tcase_add_test(c, jwks_faults);
  tcase_add_test(c, too_many_keys);
  return c;
}

/* ---- tokens signed with them ---- */

static void expect(char *text, const struct token_policy *policy, int status,
                   const char *reason)
{
  const char *why = "";
  int rc = token_try(text, policy, &why);

  ck_assert_msg(rc == status, "%d %s", rc, why);
  if (status != WPS_OK)
    ck_assert_msg(strstr(why, reason) != NULL, "%s", why);
  free(text);
}

START_TEST(rs256_es256)
{
  struct token_keys keys = {.count = 0};
  struct token_policy policy = policy_make();
  EVP_PKEY *rsa = rsa_make(2048), *ec = ec_make("P-256");
  EVP_PKEY *stranger = rsa_make(2048);
  char why[200];

  policy.keys = &keys;
  expect(mint_public("{\"alg\":\"RS256\"}", PAYLOAD, rsa), &policy,
         WPS_EUNAUTHORIZED, "algorithm");
  ck_assert(add_pem(&keys, public_pem(rsa), why, sizeof(why)));
  expect(mint_public("{\"alg\":\"RS256\"}", PAYLOAD, rsa), &policy, WPS_OK, "");
  expect(mint_public("{\"alg\":\"RS256\",\"kid\":\"x\"}", PAYLOAD, rsa),
         &policy, WPS_OK, "");
  expect(mint_public("{\"alg\":\"RS256\"}", PAYLOAD, stranger), &policy,
         WPS_EUNAUTHORIZED, "does not match");
  expect(mint_public("{\"alg\":\"ES256\"}", PAYLOAD, ec), &policy,
         WPS_EUNAUTHORIZED, "no key");
  ck_assert(add_pem(&keys, public_pem(ec), why, sizeof(why)));
  expect(mint_public("{\"alg\":\"ES256\"}", PAYLOAD, ec), &policy, WPS_OK, "");
  expect(mint_public("{\"alg\":\"ES256\"}", PAYLOAD, rsa), &policy,
         WPS_EUNAUTHORIZED, "does not match");
  expect(mint_public("{\"alg\":\"RS256\"}", PAYLOAD, ec), &policy,
         WPS_EUNAUTHORIZED, "does not match");
  expect(mint_with("{\"alg\":\"RS256\"}", PAYLOAD, "AAAA"), &policy,
         WPS_EUNAUTHORIZED, "does not match");
  expect(mint_with("{\"alg\":\"ES256\"}", PAYLOAD, "AB"), &policy,
         WPS_EUNAUTHORIZED, "malformed");
  expect(mint(HS256_HEADER, PAYLOAD), &policy, WPS_OK, "");
  expect(mint("{\"alg\":\"RS512\"}", PAYLOAD), &policy, WPS_EUNAUTHORIZED,
         "algorithm");
  token_keys_clear(&keys);
  EVP_PKEY_free(rsa);
  EVP_PKEY_free(ec);
  EVP_PKEY_free(stranger);
}
END_TEST

/* The classic confusion: the public key, which everybody has, as a secret. */
START_TEST(hs256_with_public_key)
{
  struct token_keys keys = {.count = 0};
  struct token_policy policy = policy_make();
  EVP_PKEY *rsa = rsa_make(2048);
  char *pem = public_pem(rsa), why[200];

  policy.keys = &keys;
  expect(mint_bytes(HS256_HEADER, strlen(HS256_HEADER), PAYLOAD,
                    strlen(PAYLOAD), pem),
         &policy, WPS_EUNAUTHORIZED, "does not match");
  ck_assert(add_pem(&keys, strdup(pem), why, sizeof(why)));
  expect(mint_bytes(HS256_HEADER, strlen(HS256_HEADER), PAYLOAD,
                    strlen(PAYLOAD), pem),
         &policy, WPS_EUNAUTHORIZED, "does not match");
  free(pem);
  token_keys_clear(&keys);
  EVP_PKEY_free(rsa);
}
END_TEST

START_TEST(kid_chooses)
{
  struct token_keys keys = {.count = 0};
  struct token_policy policy = policy_make();
  EVP_PKEY *a = ec_make("P-256"), *b = ec_make("P-256");
  char *ja = jwk(a, ",\"kid\":\"a\""), *jb = jwk(b, ",\"kid\":\"b\"");
  char list[2000], why[200];

  policy.keys = &keys;
  snprintf(list, sizeof(list), "%s,%s", ja, jb);
  ck_assert(add_jwks(&keys, list, why, sizeof(why)));
  expect(mint_public("{\"alg\":\"ES256\",\"kid\":\"b\"}", PAYLOAD, b), &policy,
         WPS_OK, "");
  expect(mint_public("{\"alg\":\"ES256\"}", PAYLOAD, b), &policy, WPS_OK, "");
  expect(mint_public("{\"alg\":\"ES256\",\"kid\":\"a\"}", PAYLOAD, b), &policy,
         WPS_EUNAUTHORIZED, "does not match");
  expect(mint_public("{\"alg\":\"ES256\",\"kid\":\"c\"}", PAYLOAD, b), &policy,
         WPS_EUNAUTHORIZED, "no key");
  expect(mint_public("{\"alg\":\"ES256\",\"kid\":7}", PAYLOAD, b), &policy,
         WPS_EUNAUTHORIZED, "malformed");
  token_keys_clear(&keys);
  free(ja);
  free(jb);
  EVP_PKEY_free(a);
  EVP_PKEY_free(b);
}
END_TEST

START_TEST(issuer)
{
  struct token_keys keys = {.count = 0};
  struct token_policy policy = policy_make();
  EVP_PKEY *ec = ec_make("P-256");
  char why[200];

  ck_assert(add_pem(&keys, public_pem(ec), why, sizeof(why)));
  policy.keys = &keys;
  policy.issuer = (struct wps_str){"them", 4};
  expect(mint_public("{\"alg\":\"ES256\"}", PAYLOAD, ec), &policy, WPS_OK, "");
  policy.issuer = (struct wps_str){"others", 6};
  expect(mint_public("{\"alg\":\"ES256\"}", PAYLOAD, ec), &policy,
         WPS_EUNAUTHORIZED, "issuer");
  expect(mint_public("{\"alg\":\"ES256\"}", "{\"aud\":\"me\",\"exp\":1000000}",
                     ec),
         &policy, WPS_EUNAUTHORIZED, "issuer");
  expect(mint(HS256_HEADER, PAYLOAD), &policy, WPS_OK, "");
  token_keys_clear(&keys);
  EVP_PKEY_free(ec);
}
END_TEST

TCase *case_jwt_public(void)
{
  TCase *c = tcase_create("public keys");

  tcase_set_timeout(c, 60);
  tcase_add_test(c, rs256_es256);
  tcase_add_test(c, hs256_with_public_key);
  tcase_add_test(c, kid_chooses);
  tcase_add_test(c, issuer);
  return c;
}

/* ---- audiences ---- */

#define S(text) ((struct wps_str){text, sizeof(text) - 1})

static struct wps_str text_of(const char *c)
{
  return (struct wps_str){c, strlen(c)};
}

START_TEST(c29_client_audience)
{
  static const struct {
    const char *endpoint, *aud;
    bool good;
  } cases[] = {
      {"https://a.example", "https://a.example/client/hubs/chat", true},
      {"https://a.example", "http://a.example/client/hubs/chat", true},
      {"https://a.example/", "https://a.example/client/hubs/chat", true},
      {"https://a.example:443", "https://a.example/client/hubs/chat", true},
      {"https://a.example", "https://a.example:443/client/hubs/chat", true},
      {"https://a.example", "HTTPS://A.Example/Client/Hubs/CHAT", true},
      {"http://a.example:8080", "http://a.example:8080/client/hubs/chat", true},
      {"http://a.example:8080", "https://a.example:8080/client/hubs/chat",
       true},
      {"http://[::1]:8080", "http://[::1]:8080/client/hubs/chat", true},
      {"http://[::1]", "http://[::1]/client/hubs/chat", true},
      {"https://a.example/x", "https://a.example/x/client/hubs/chat", true},
      {"https://a.example/x", "https://a.example/client/hubs/chat", false},
      {"https://a.example", "https://a.example:80/client/hubs/chat", false},
      {"http://a.example:8080", "http://a.example/client/hubs/chat", false},
      {"http://a.example", "http://a.example:8080/client/hubs/chat", false},
      {"https://a.example", "wss://a.example/client/hubs/chat", false},
      {"https://a.example", "ws://a.example/client/hubs/chat", false},
      {"https://a.example", "https://a.example/client/hubs/chat/", false},
      {"https://a.example", "https://a.example/client/hubs/other", false},
      {"https://a.example", "https://a.example/client/hubs/chat?x=1", false},
      {"https://a.example", "https://a.example/client/hubs/chat#x", false},
      {"https://a.example", "https://a.example/client/hubs/cha", false},
      {"https://a.example", "https://b.example/client/hubs/chat", false},
      {"https://a.example", "https://a.example.evil/client/hubs/chat", false},
      {"https://a.example", "https://x@a.example/client/hubs/chat", false},
      {"https://a.example", "https://a.example:x/client/hubs/chat", false},
      {"https://a.example", "https://a.example:/client/hubs/chat", false},
      {"https://a.example", "https://a.example:99999/client/hubs/chat", false},
      {"https://a.example", "https:///client/hubs/chat", false},
      {"https://a.example", "//a.example/client/hubs/chat", false},
      {"https://a.example", "a.example/client/hubs/chat", false},
      {"https://a.example", "https://a.example", false},
      {"https://a.example", "https://[a/client/hubs/chat", false},
      {"https://a.example", "", false},
      {"https://a.example", "https://a.example/client/?hub=chat", false},
  };
  struct token_origin origin;

  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    ck_assert(token_origin_from_url(text_of(cases[i].endpoint), &origin));
    ck_assert_msg(token_audience_client(
                      text_of(cases[i].aud), &origin, S("/client/hubs/chat"),
                      (struct wps_str){NULL, 0}) == cases[i].good,
                  "%s at %s", cases[i].aud, cases[i].endpoint);
  }
}
END_TEST

START_TEST(host_audience)
{
  static const struct {
    const char *host;
    bool tls;
    const char *aud;
    bool good;
  } cases[] = {
      {"a.example", false, "http://a.example/client/hubs/a,b", true},
      {"a.example", false, "https://a.example/client/hubs/a%2Cb", true},
      {"a.example:80", false, "http://a.example/client/hubs/a%2cb", true},
      {"a.example:443", true, "https://a.example/client/hubs/a,b", true},
      {"a.example:8080", false, "https://a.example:8080/client/hubs/a,b", true},
      {"a.example:8080", false, "https://a.example/client/hubs/a,b", false},
      {"a.example", false, "https://a.example/client/hubs/a%2", false},
      {"a.example", false, "https://a.example/client/hubs/a%252Cb", false},
  };
  struct token_origin origin;

  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    ck_assert(
        token_origin_from_host(text_of(cases[i].host), cases[i].tls, &origin));
    ck_assert_msg(token_audience_client(
                      text_of(cases[i].aud), &origin, S("/client/hubs/a,b"),
                      (struct wps_str){NULL, 0}) == cases[i].good,
                  "%s at %s", cases[i].aud, cases[i].host);
  }
  ck_assert(!token_origin_from_host(S(""), false, &origin));
  ck_assert(!token_origin_from_host((struct wps_str){NULL, 0}, false, &origin));
  ck_assert(!token_origin_from_host(S("a:0"), false, &origin));
  ck_assert(!token_origin_from_host(S("[::1"), false, &origin));
  ck_assert(!token_origin_from_host(S("[::1]x"), false, &origin));
}
END_TEST

START_TEST(legacy_audience)
{
  static const struct {
    const char *aud;
    bool good;
  } cases[] = {
      {"https://a.example/client/?hub=chat", true},
      {"https://a.example/client?hub=chat", true},
      {"https://a.example/client/?hub=CHAT", true},
      {"https://a.example/client/hubs/chat", true},
      {"https://a.example/client/?hub=cha", false},
      {"https://a.example/client/?hub=chat&x=1", false},
      {"https://a.example/client//?hub=chat", false},
      {"https://a.example/clientx?hub=chat", false},
      {"wss://a.example/client/?hub=chat", false},
  };
  struct token_origin origin;

  ck_assert(token_origin_from_url(S("https://a.example"), &origin));
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
    ck_assert_msg(token_audience_client(text_of(cases[i].aud), &origin,
                                        S("/client/hubs/chat"),
                                        S("chat")) == cases[i].good,
                  "%s", cases[i].aud);
}
END_TEST

START_TEST(api_audience)
{
  static const struct {
    const char *aud;
    bool good;
  } cases[] = {
      {"https://a.example/api/hubs/chat/groups/a b/:send", true},
      {"https://a.example/api/hubs/chat/groups/a%20b/:send", true},
      {"wss://a.example/api/hubs/chat/groups/a%20b/:send", true},
      {"ws://A.EXAMPLE/api/hubs/chat/groups/a%20b/:send", true},
      {"https://a.example/api/hubs/chat/groups/a%20b/:send/", true},
      {"https://a.example/api/hubs/chat/groups/a%20b/:send?api-version=1",
       true},
      {"https://a.example/api/hubs/chat/groups/a%20b/:send#x", true},
      {"https://a.example/api/hubs/Chat/groups/a%20b/:send", false},
      {"https://a.example/api/hubs/chat", false},
      {"https://a.example/api/hubs/chat/groups/a%20b/:send/more", false},
      {"https://b.example/api/hubs/chat/groups/a%20b/:send", false},
      {"https://a.example/client/hubs/chat", false},
      {"https://a.example:443/api/hubs/chat/groups/a%20b/:send", true},
      {"wss://a.example:443/api/hubs/chat/groups/a%20b/:send", true},
      {"http://a.example:80/api/hubs/chat/groups/a%20b/:send", true},
      {"https://a.example:444/api/hubs/chat/groups/a%20b/:send", false},
      {"http://a.example:443/api/hubs/chat/groups/a%20b/:send", true},
      {"https://a.example:80/api/hubs/chat/groups/a%20b/:send", false},
      {"https://a.example./api/hubs/chat/groups/a%20b/:send", false},
      {"https://me@a.example/api/hubs/chat/groups/a%20b/:send", false},
      {"HTTPS://a.example/api/hubs/chat/groups/a%20b/%3Asend", true},
      {"https://a.example/%61pi/hubs/chat/groups/a%20b/:send", true},
      {"https://a.example/api/hubs/chat/groups/a%2520b/:send", false},
      {"https://a.example/api/hubs/chat/groups/a+b/:send", false},
      {"https://a.example/api/hubs/chat/groups/a%20b/:send//", false},
      {"https://a.example//api/hubs/chat/groups/a%20b/:send", false},
      {"https://a.example/api/hubs/chat/groups/a%20b/:SEND", false},
      {"https://a.example/api/hubs/chat/groups/a%2", false},
      {"https://a.example/api/hubs/chat/groups/a%20b/:sen", false},
      {"https://a.example/api/hubs/chat/groups/a%20b/:send/?x=1#y", true},
      {"https://a.example/?/api/hubs/chat/groups/a%20b/:send", false},
      {"ftp://a.example/api/hubs/chat/groups/a%20b/:send", false},
      {"//a.example/api/hubs/chat/groups/a%20b/:send", false},
      {"/api/hubs/chat/groups/a%20b/:send", false},
      {"", false},
  };
  struct token_origin origin;

  ck_assert(token_origin_from_url(S("https://a.example"), &origin));
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
    ck_assert_msg(token_audience_api(text_of(cases[i].aud), &origin,
                                     S("/api/hubs/chat/groups/a b/:send")) ==
                      cases[i].good,
                  "%s", cases[i].aud);
  ck_assert(!token_origin_from_url(S("wss://a.example"), &origin));
  ck_assert(!token_origin_from_url(S("https://a.example?x"), &origin));
  ck_assert(!token_origin_from_url(S("a.example"), &origin));
}
END_TEST

/* azure-server.md S-122 */
START_TEST(s122_server_audience)
{
  static const char *const schemes[] = {"ws", "wss", "http", "https", "WSS"};
  static const struct {
    const char *rest;
    bool good;
  } cases[] = {
      {"a.example/server/tunnel?hub=chat", true},
      {"A.Example/server/tunnel?hub=CHAT", true},
      {"a.example/server/tunnel/?hub=chat", true},
      {"a.example/server/tunnel?target=t&hub=chat", true},
      {"a.example/server/tunnel?hub=chat&target=t", true},
      {"a.example/server/tunnel?hub=%63h%41t", true},
      {"a.example/server/tunnel?%68ub=chat", true},
      {"a.example/server/tunnel?hub=chat#hub=other", true},
      {"a.example/server/tunnel?&&hub=chat&", true},
      {"a.example/server/tunnel?hubs=x&hub=chat", true},
      {"a.example/server/tunnel?hub=chat&hub=other", true},
      {"a.example/server/tunnel?hub=other&hub=chat", false},
      {"a.example/server/tunnel?hub=other", false},
      {"a.example/server/tunnel?hub=cha", false},
      {"a.example/server/tunnel?hub=chats", false},
      {"a.example/server/tunnel?hub=%2563hat", false},
      {"a.example/server/tunnel?hub=%6", false},
      {"a.example/server/tunnel?hub=", false},
      {"a.example/server/tunnel?hub", false},
      {"a.example/server/tunnel?HUB=chat", false},
      {"a.example/server/tunnel?x=hub=chat", false},
      {"a.example/server/tunnel?", false},
      {"a.example/server/tunnel", false},
      {"a.example/server/tunnel#?hub=chat", false},
      {"a.example/server/tunnel/more?hub=chat", false},
      {"a.example/server/Tunnel?hub=chat", false},
      {"a.example/server?hub=chat", false},
      {"a.example?hub=chat", false},
      {"a.example/client/hubs/chat?hub=chat", false},
      {"b.example/server/tunnel?hub=chat", false},
      {"a.example:8080/server/tunnel?hub=chat", false},
      {"me@a.example/server/tunnel?hub=chat", false},
      {"", false},
  };
  struct token_origin origin;
  char aud[128];

  ck_assert(token_origin_from_url(S("https://a.example"), &origin));
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
    for (size_t k = 0; k < sizeof(schemes) / sizeof(*schemes); k++) {
      snprintf(aud, sizeof(aud), "%s://%s", schemes[k], cases[i].rest);
      ck_assert_msg(token_audience_server(text_of(aud), &origin,
                                          S("/server/tunnel"),
                                          S("Chat")) == cases[i].good,
                    "%s", aud);
    }
  ck_assert(!token_audience_server(S("ftp://a.example/server/tunnel?hub=chat"),
                                   &origin, S("/server/tunnel"), S("chat")));
  /* A request without a hub is nobody's. */
  ck_assert(!token_audience_server(S("ws://a.example/server/tunnel?hub="),
                                   &origin, S("/server/tunnel"), S("")));
  ck_assert(!token_audience_server(S("ws://a.example/server/tunnel"), &origin,
                                   S("/server/tunnel"),
                                   ((struct wps_str){NULL, 0})));
  ck_assert(token_origin_from_url(S("https://a.example:8443/base/"), &origin));
  ck_assert(token_audience_server(
      S("wss://a.example:8443/base/server/tunnel?hub=chat"), &origin,
      S("/server/tunnel"), S("chat")));
  ck_assert(
      !token_audience_server(S("wss://a.example:8443/server/tunnel?hub=chat"),
                             &origin, S("/server/tunnel"), S("chat")));
}
END_TEST

TCase *case_jwt_audience(void)
{
  TCase *c = tcase_create("audience");

  tcase_add_test(c, c29_client_audience);
  tcase_add_test(c, host_audience);
  tcase_add_test(c, legacy_audience);
  tcase_add_test(c, api_audience);
  tcase_add_test(c, s122_server_audience);
  return c;
}
