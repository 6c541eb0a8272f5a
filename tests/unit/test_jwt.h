/* SPDX-License-Identifier: Apache-2.0 */
/* test_jwt.h - tokens made by the tests, also wrong ones. */
#ifndef WPS_TEST_JWT_H
#define WPS_TEST_JWT_H

#include <check.h>
#include <openssl/evp.h>

#include "plugins/common/jwt_token.h"

#define TEST_KEY "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"
#define HS256_HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

/* header.payload.HMAC; malloc'ed. */
char *mint(const char *header, const char *payload);
char *mint_bytes(const void *header, size_t header_len, const void *payload,
                 size_t payload_len, const char *key);
/* The same, signed with a private key (RS256; raw r||s for EC). */
char *mint_public(const char *header, const char *payload, EVP_PKEY *key);
/* header.payload. and this text */
char *mint_with(const char *header, const char *payload, const char *signature);

/* A policy at second 1000 of time: TEST_KEY, audience "me". */
struct token_policy policy_make(void);
/* Status of token_read; the token is freed; *why says what was wrong. */
int token_try(const char *text, const struct token_policy *policy,
              const char **why);

EVP_PKEY *rsa_make(unsigned bits);
EVP_PKEY *ec_make(const char *curve);
char *public_pem(EVP_PKEY *key);

TCase *case_jwt_keys(void);
TCase *case_jwt_public(void);
TCase *case_jwt_audience(void);

#endif
