/* SPDX-License-Identifier: Apache-2.0 */
/* wire/http_chars.c - the character classes of RFC 9110 and RFC 3986. */
#include "wire/http_chars.h"

#define ROW16(v) v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v

/* Sums of HTTP_*; sixteen bytes a line from 0x00. */
/* clang-format off */
const unsigned char http_classes[256] = {
  0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  4, 15, 4, 5, 15, 15, 15, 15, 14, 14, 15, 15, 14, 15, 15, 6,
  15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 14, 14, 4, 14, 4, 6,
  6, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,
  15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 14, 4, 14, 5, 15,
  5, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,
  15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 4, 5, 4, 15, 0,
  ROW16(HTTP_VALUE), ROW16(HTTP_VALUE), ROW16(HTTP_VALUE), ROW16(HTTP_VALUE),
  ROW16(HTTP_VALUE), ROW16(HTTP_VALUE), ROW16(HTTP_VALUE), ROW16(HTTP_VALUE)
};
/* clang-format on */

static bool all(struct wps_str s, unsigned char class)
{
  for (size_t i = 0; i < s.len; i++)
    if ((http_classes[(unsigned char)s.ptr[i]] & class) == 0)
      return false;
  return true;
}

bool http_is_token(struct wps_str s)
{
  return s.len > 0 && all(s, HTTP_TCHAR);
}

bool http_is_field_value(struct wps_str s)
{
  return all(s, HTTP_VALUE);
}

bool http_is_host(struct wps_str s)
{
  return s.len > 0 && all(s, HTTP_HOST);
}
