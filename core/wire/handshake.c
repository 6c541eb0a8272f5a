/* SPDX-License-Identifier: Apache-2.0 */
/* wire/handshake.c - the server's part of RFC 6455 4.2. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/str.h"
#include "wire/http_head.h"

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

enum { NONCE_LEN = 16, SHA1_LEN = 20 };

/* The only field of a kind; false when there are none or several. */
static bool only(const struct http_head *h, enum http_field kind,
                 struct wps_str *value)
{
  *value = http_head_field(h, kind);
  return h->field_count[kind] == 1;
}

static bool key_ok(struct wps_str key)
{
  size_t len;

  return key.len == HANDSHAKE_KEY_LEN && base64_check(key, &len) == WPS_OK &&
         len == NONCE_LEN;
}

uint32_t handshake_check(const struct http_head *h, struct wps_str *key,
                         const char **why)
{
  struct wps_str version;

  *why = "not a WebSocket handshake";
  if (!str_eq(h->method, STR("GET")) || h->minor != 1 ||
      !h->upgrade_websocket ||
      http_head_has_token(h, FIELD_CONNECTION, "close"))
    return 400;
  *why = "a WebSocket handshake has no body";
  /* Java's own client says Content-Length: 0. */
  if (h->content_length != 0 || h->chunked)
    return 400;
  *why = "bad Sec-WebSocket-Version";
  if (!only(h, FIELD_WS_VERSION, &version))
    return 400;
  *why = "Sec-WebSocket-Version must be 13";
  if (!str_eq(version, STR("13")))
    return 426;
  *why = "bad Sec-WebSocket-Key";
  if (!only(h, FIELD_WS_KEY, key) || !key_ok(*key))
    return 400;
  *why = "";
  return 0;
}

/* ---- the answer ---- */

struct handshake {
  EVP_MD *sha1;
  EVP_MD_CTX *ctx;
};

struct handshake *handshake_new(void)
{
  struct handshake *hs = calloc(1, sizeof(*hs));

  if (hs == NULL)
    return NULL;
  hs->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
  hs->ctx = EVP_MD_CTX_new();
  if (hs->sha1 == NULL || hs->ctx == NULL) {
    handshake_free(hs);
    return NULL;
  }
  return hs;
}

void handshake_free(struct handshake *hs)
{
  if (hs == NULL)
    return;
  EVP_MD_CTX_free(hs->ctx);
  EVP_MD_free(hs->sha1);
  free(hs);
}

bool handshake_accept(struct handshake *hs, const char key[HANDSHAKE_KEY_LEN],
                      char accept[HANDSHAKE_ACCEPT_LEN + 1])
{
  unsigned char text[HANDSHAKE_KEY_LEN + sizeof(guid) - 1], digest[SHA1_LEN];

  memcpy(text, key, HANDSHAKE_KEY_LEN);
  memcpy(text + HANDSHAKE_KEY_LEN, guid, sizeof(guid) - 1);
  if (EVP_DigestInit_ex2(hs->ctx, hs->sha1, NULL) != 1 ||
      EVP_DigestUpdate(hs->ctx, text, sizeof(text)) != 1 ||
      EVP_DigestFinal_ex(hs->ctx, digest, NULL) != 1)
    return false;
  base64_encode(digest, sizeof(digest), accept);
  accept[HANDSHAKE_ACCEPT_LEN] = '\0';
  return true;
}
