/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/jwt_base64.h"

#include <openssl/evp.h>

enum { NO = 64 };

#define NONE16 NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO

/* The six bits of each character. */
/* clang-format off */
static const uint8_t bits_of[256] = {
  NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
  NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
  NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, 62, NO, NO,
  52, 53, 54, 55, 56, 57, 58, 59, 60, 61, NO, NO, NO, NO, NO, NO,
  NO, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
  15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, NO, NO, NO, NO, 63,
  NO, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
  41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, NO, NO, NO, NO, NO,
  NONE16, NONE16, NONE16, NONE16, NONE16, NONE16, NONE16, NONE16
};
/* clang-format on */

/* Ours, because holding the text against the alphabet before libcrypto gets it
 * costs more than decoding it. */
bool token_base64url_decode(struct wps_str text, void *out, size_t *out_len)
{
  const unsigned char *p = (const unsigned char *)text.ptr;
  size_t tail = text.len % 4, quads = text.len / 4;
  unsigned all = 0, a, b, c, d;
  unsigned char *to = out;

  if (tail == 1)
    return false;
  for (; quads > 0; quads--, p += 4, to += 3) {
    uint32_t v;

    a = bits_of[p[0]], b = bits_of[p[1]];
    c = bits_of[p[2]], d = bits_of[p[3]];
    all |= a | b | c | d;
    v = a << 18 | b << 12 | c << 6 | d;
    to[0] = (unsigned char)(v >> 16);
    to[1] = (unsigned char)(v >> 8);
    to[2] = (unsigned char)v;
  }
  if (tail != 0) {
    a = bits_of[p[0]], b = bits_of[p[1]];
    c = tail == 3 ? bits_of[p[2]] : 0;
    all |= a | b | c;
    /* What belongs to no byte has to be zero. */
    if ((tail == 3 ? c & 3 : b & 15) != 0)
      return false;
    *to++ = (unsigned char)(a << 2 | b >> 4);
    if (tail == 3)
      *to++ = (unsigned char)(b << 4 | c >> 2);
  }
  *out_len = (size_t)(to - (unsigned char *)out);
  return (all & NO) == 0;
}

void token_base64url_encode(const void *bytes, size_t len, char *out)
{
  int n = EVP_EncodeBlock((unsigned char *)out, bytes, (int)len);

  while (n > 0 && out[n - 1] == '=')
    n--;
  out[n] = '\0';
  for (int i = 0; i < n; i++) {
    if (out[i] == '+')
      out[i] = '-';
    else if (out[i] == '/')
      out[i] = '_';
  }
}
