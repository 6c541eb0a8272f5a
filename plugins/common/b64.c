/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/b64.h"

#include <string.h>

#include <openssl/evp.h>
#include <webpubsub/status.h>

/* libcrypto writes a terminator and takes int lengths: pieces on the stack. */
enum { PIECE = 3 * 512 };

void b64_encode(struct wps_bytes bytes, char *out)
{
  const unsigned char *p = bytes.ptr;
  unsigned char text[PIECE / 3 * 4 + 1];

  for (size_t left = bytes.len; left > 0;) {
    size_t n = left < PIECE ? left : PIECE;
    int len = EVP_EncodeBlock(text, p, (int)n);

    memcpy(out, text, (size_t)len);
    out += len;
    p += n;
    left -= n;
  }
}

/* Value of a digit, or -1. libcrypto trims white space and lets padding stand
 * nearly anywhere, so that the form is checked before. */
static int digit(char c)
{
  if (c >= 'A' && c <= 'Z')
    return c - 'A';
  if (c >= 'a' && c <= 'z')
    return c - 'a' + 26;
  if (c >= '0' && c <= '9')
    return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int b64_decode(struct wps_str text, void *out, size_t *out_len)
{
  unsigned char *at = out;
  size_t pad = 0, digits = text.len;

  *out_len = 0;
  if (text.len % 4 != 0)
    return WPS_EPROTO;
  if (text.len == 0)
    return WPS_OK;
  while (pad < 2 && text.ptr[digits - 1] == '=') {
    digits--;
    pad++;
  }
  for (size_t i = 0; i < digits; i++)
    if (digit(text.ptr[i]) < 0)
      return WPS_EPROTO;
  if (pad > 0 && (digit(text.ptr[digits - 1]) & (pad == 1 ? 3 : 15)) != 0)
    return WPS_EPROTO;
  for (size_t left = text.len; left > 0;) {
    size_t n = left < PIECE * 4 ? left : PIECE * 4;
    int len = EVP_DecodeBlock(
        at, (const unsigned char *)text.ptr + (text.len - left), (int)n);

    if (len < 0)
      return WPS_EPROTO;
    at += len;
    left -= n;
  }
  *out_len = text.len / 4 * 3 - pad;
  return WPS_OK;
}
