/* SPDX-License-Identifier: Apache-2.0 */
/* wire/percent.c - RFC 3986 2.1, and '+' of form encoding. */
#include <string.h>

#include "base/utf8.h"
#include "wire/http_head.h"

static int hex_value(char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

/* What lies between two escapes; `out` may be where it is. */
static void copy_plain(char *out, const char *from, size_t len, bool plus)
{
  char *at = out;

  if (len == 0)
    return;
  memmove(out, from, len);
  if (plus)
    while ((at = memchr(at, '+', len - (size_t)(at - out))) != NULL)
      *at++ = ' ';
}

/* By the piece and not by the byte: tokens are long, and have no escapes. */
bool percent_decode(struct wps_str s, bool plus, char *out, size_t *out_len)
{
  size_t i = 0, n = 0;

  while (i < s.len) {
    const char *at = s.ptr + i;
    const char *escape = memchr(at, '%', s.len - i);
    size_t len = escape == NULL ? s.len - i : (size_t)(escape - at);
    int high, low;

    copy_plain(out + n, at, len, plus);
    i += len;
    n += len;
    if (escape == NULL)
      break;
    if (s.len - i < 3)
      return false;
    high = hex_value(s.ptr[i + 1]);
    low = hex_value(s.ptr[i + 2]);
    if (high < 0 || low < 0)
      return false;
    out[n++] = (char)(unsigned char)(high * 16 + low);
    i += 3;
  }
  *out_len = n;
  return n == 0 || (memchr(out, '\0', n) == NULL && utf8_valid(out, n));
}
