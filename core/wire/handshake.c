/* SPDX-License-Identifier: Apache-2.0 */
/* wire/handshake.c - the server's part of RFC 6455 4.2. */
#include <openssl/evp.h>
#include <string.h>

#include "base/base64.h"
#include "base/str.h"
#include "wire/http_head.h"

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

enum { KEY_LEN = 24, NONCE_LEN = 16, SHA1_LEN = 20, ACCEPT_LEN = 28 };

/* The only field of that name; false when there are none or several. */
static bool only(const struct http_head *h, const char *name,
                 struct wps_str *value)
{
  size_t found = 0;

  for (size_t i = 0; i < h->header_count; i++)
    if (str_ieq_c(h->headers[i].name, name)) {
      *value = h->headers[i].value;
      found++;
    }
  return found == 1;
}

static bool key_ok(struct wps_str key)
{
  unsigned char nonce[KEY_LEN / 4 * 3];
  size_t len;

  return key.len == KEY_LEN && base64_decode(key, nonce, &len) == WPS_OK &&
         len == NONCE_LEN;
}

static bool closes(const struct http_head *h)
{
  for (size_t i = 0; i < h->header_count; i++) {
    struct wps_str list = h->headers[i].value, token;

    if (!str_ieq_c(h->headers[i].name, "connection"))
      continue;
    while (str_next_token(&list, &token))
      if (str_ieq_c(token, "close"))
        return true;
  }
  return false;
}

static bool accept_of(struct wps_str key, char accept[29])
{
  unsigned char text[KEY_LEN + sizeof(guid) - 1], digest[SHA1_LEN];

  memcpy(text, key.ptr, KEY_LEN);
  memcpy(text + KEY_LEN, guid, sizeof(guid) - 1);
  if (EVP_Digest(text, sizeof(text), digest, NULL, EVP_sha1(), NULL) != 1)
    return false;
  base64_encode(digest, sizeof(digest), accept);
  accept[ACCEPT_LEN] = '\0';
  return true;
}

uint32_t handshake_check(const struct http_head *h, char accept[29],
                         const char **why)
{
  struct wps_str version, key;

  accept[0] = '\0';
  *why = "not a WebSocket handshake";
  if (!str_eq_c(h->method, "GET") || h->minor != 1 || !h->upgrade_websocket ||
      closes(h))
    return 400;
  *why = "a WebSocket handshake has no body";
  if (h->has_length || h->chunked)
    return 400;
  *why = "bad Sec-WebSocket-Version";
  if (!only(h, "sec-websocket-version", &version))
    return 400;
  *why = "Sec-WebSocket-Version must be 13";
  if (!str_eq_c(version, "13"))
    return 426;
  *why = "bad Sec-WebSocket-Key";
  if (!only(h, "sec-websocket-key", &key) || !key_ok(key))
    return 400;
  *why = "internal error";
  if (!accept_of(key, accept))
    return 500;
  *why = "";
  return 0;
}
