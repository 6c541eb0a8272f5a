/* SPDX-License-Identifier: Apache-2.0 */
/* base/utf8.c - UTF-8 as Unicode's table 3-7 defines it. */
#include "base/utf8.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { CONT_LOW = 0x80, CONT_HIGH = 0xBF };

static uint64_t load8(const unsigned char *p)
{
  uint64_t v;

  memcpy(&v, p, sizeof(v));
  return v;
}

/* To where ASCII ends, but for the last few bytes of a block. */
static inline const unsigned char *ascii_end(const unsigned char *p,
                                             const unsigned char *end)
{
#ifdef __SSE2__
  while (end - p >= 16 &&
         _mm_movemask_epi8(_mm_loadu_si128((const void *)p)) == 0)
    p += 16;
#endif
  while (end - p >= 8 && (load8(p) & 0x8080808080808080u) == 0)
    p += 8;
  return p;
}

/* How many bytes follow this first byte, and the range of the one right behind
 * it, which is where overlong forms, surrogates and what lies above U+10FFFF
 * show. False: no character starts like this. */
static inline bool lead_of(unsigned char c, uint32_t *need, uint8_t *low,
                           uint8_t *high)
{
  *low = CONT_LOW;
  *high = CONT_HIGH;
  if (c < 0x80) {
    *need = 0;
  } else if (c >= 0xC2 && c <= 0xDF) {
    *need = 1;
  } else if (c >= 0xE0 && c <= 0xEF) {
    *need = 2;
    if (c == 0xE0)
      *low = 0xA0;
    else if (c == 0xED)
      *high = 0x9F;
  } else if (c >= 0xF0 && c <= 0xF4) {
    *need = 3;
    if (c == 0xF0)
      *low = 0x90;
    else if (c == 0xF4)
      *high = 0x8F;
  } else {
    return false;
  }
  return true;
}

bool utf8_feed(struct utf8_state *s, const void *bytes, size_t len)
{
  const unsigned char *p = bytes, *end;

  if (len == 0)
    return true;
  end = p + len;
  while (p < end) {
    if (s->need > 0) {
      unsigned char low = s->low == 0 ? CONT_LOW : s->low;
      unsigned char high = s->high == 0 ? CONT_HIGH : s->high;

      if (*p < low || *p > high)
        return false;
      s->need--;
      s->low = s->high = 0;
      p++;
      continue;
    }
    p = ascii_end(p, end);
    if (p < end && !lead_of(*p++, &s->need, &s->low, &s->high))
      return false;
  }
  return true;
}

bool utf8_valid(const void *bytes, size_t len)
{
  const unsigned char *p = bytes, *end;

  if (len == 0)
    return true;
  end = p + len;
  for (;;) {
    uint32_t need;
    uint8_t low, high;

    p = ascii_end(p, end);
    while (p < end && *p < 0x80)
      p++;
    if (p == end)
      return true;
    if (!lead_of(*p++, &need, &low, &high) || (size_t)(end - p) < need)
      return false;
    if (*p < low || *p > high)
      return false;
    for (uint32_t i = 1; i < need; i++)
      if (p[i] < CONT_LOW || p[i] > CONT_HIGH)
        return false;
    p += need;
  }
}

struct wps_str utf8_cut(struct wps_str s, size_t max)
{
  size_t end = max;

  if (s.len <= max)
    return s;
  /* s.ptr[end] exists: the cut is before a character unless that byte continues
   * one. At most three steps in valid text. */
  while (end > 0 && ((unsigned char)s.ptr[end] & 0xC0) == 0x80)
    end--;
  return (struct wps_str){s.ptr, end};
}

size_t utf8_utf16_len(struct wps_str s)
{
  size_t units = 0;

  for (size_t i = 0; i < s.len; i++) {
    unsigned char c = (unsigned char)s.ptr[i];

    if ((c & 0xC0) != 0x80)
      units += c >= 0xF0 ? 2 : 1;
  }
  return units;
}
