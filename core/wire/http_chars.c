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

/* Without a branch per byte: what is no fault, which is nearly all there is, is
 * looked at to its end. */
static bool all(struct wps_str s, unsigned char class)
{
  const unsigned char *p = (const unsigned char *)s.ptr;
  unsigned char common = class;
  size_t i = 0;

  for (; i + 8 <= s.len; i += 8)
    common &= http_classes[p[i]] & http_classes[p[i + 1]] &
              http_classes[p[i + 2]] & http_classes[p[i + 3]] &
              http_classes[p[i + 4]] & http_classes[p[i + 5]] &
              http_classes[p[i + 6]] & http_classes[p[i + 7]];
  for (; i < s.len; i++)
    common &= http_classes[p[i]];
  return common != 0;
}

bool http_is_token(struct wps_str s)
{
  return s.len > 0 && all(s, HTTP_TCHAR);
}

bool http_is_field_value(struct wps_str s)
{
  return all(s, HTTP_VALUE);
}

bool http_is_target(struct wps_str s)
{
  return s.len > 0 && all(s, HTTP_TARGET);
}

bool http_is_host(struct wps_str s)
{
  return s.len > 0 && all(s, HTTP_HOST);
}
