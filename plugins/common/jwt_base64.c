/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/jwt_base64.h"

#include <string.h>

#include <openssl/evp.h>

/* A multiple of four, so that only the last piece can be short. */
enum { PIECE = 256 };

static bool alphabet_has(char c)
{
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool token_base64url_decode(struct wps_str text, void *out, size_t *out_len)
{
  unsigned char piece[PIECE], *to = out;
  size_t pad = (4 - text.len % 4) % 4, done = 0, written = 0;

  if (pad == 3)
    return false;
  while (done < text.len) {
    size_t n = text.len - done < PIECE ? text.len - done : PIECE;

    for (size_t i = 0; i < n; i++) {
      char c = text.ptr[done + i];

      if (!alphabet_has(c))
        return false;
      piece[i] = (unsigned char)(c == '-' ? '+' : c == '_' ? '/' : c);
    }
    done += n;
    /* Zero bits instead of '=': the decoder then shows the unused bits. */
    while (n % 4 != 0)
      piece[n++] = 'A';
    if (EVP_DecodeBlock(to + written, piece, (int)n) != (int)(n / 4 * 3))
      return false;
    written += n / 4 * 3;
  }
  for (size_t i = 0; i < pad; i++)
    if (to[written - 1 - i] != 0)
      return false;
  *out_len = written - pad;
  return true;
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
