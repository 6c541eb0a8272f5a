/* SPDX-License-Identifier: Apache-2.0 */
/* wire/percent.c - RFC 3986 2.1, and '+' of form encoding. */
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

bool percent_decode(struct wps_str s, bool plus, char *out, size_t *out_len)
{
  size_t n = 0;

  for (size_t i = 0; i < s.len; i++) {
    char c = s.ptr[i];

    if (c == '%') {
      int high, low;

      if (s.len - i < 3)
        return false;
      high = hex_value(s.ptr[i + 1]);
      low = hex_value(s.ptr[i + 2]);
      if (high < 0 || low < 0)
        return false;
      c = (char)(unsigned char)(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus) {
      c = ' ';
    }
    if (c == '\0')
      return false;
    out[n++] = c;
  }
  *out_len = n;
  return utf8_valid(out, n);
}
