/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.h - well-formed UTF-8 (table 3-7 of Unicode). Thread: any. */
#ifndef WPS_PLUGIN_UTF8_H
#define WPS_PLUGIN_UTF8_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Length of the well-formed character at p, or 0. */
static inline size_t utf8_char(const unsigned char *p, size_t left)
{
  unsigned char low = 0x80, high = 0xbf;
  size_t tails;

  if (p[0] < 0x80)
    return 1;
  if (p[0] < 0xc2 || p[0] > 0xf4)
    return 0;
  tails = p[0] >= 0xf0 ? 3 : p[0] >= 0xe0 ? 2 : 1;
  if (p[0] == 0xe0)
    low = 0xa0;
  else if (p[0] == 0xed)
    high = 0x9f;
  else if (p[0] == 0xf0)
    low = 0x90;
  else if (p[0] == 0xf4)
    high = 0x8f;
  if (left <= tails)
    return 0;
  for (size_t i = 1; i <= tails; i++, low = 0x80, high = 0xbf)
    if (p[i] < low || p[i] > high)
      return 0;
  return tails + 1;
}

/* Length of the well-formed beginning: `len` when all of it is. */
static inline size_t utf8_run(const unsigned char *p, size_t len)
{
  size_t at = 0;

  while (at < len) {
    size_t one;
    uint64_t word;

    while (len - at >= sizeof(word)) {
      memcpy(&word, p + at, sizeof(word));
      if ((word & UINT64_C(0x8080808080808080)) != 0)
        break;
      at += sizeof(word);
    }
    if (at == len)
      break;
    one = utf8_char(p + at, len - at);
    if (one == 0)
      break;
    at += one;
  }
  return at;
}

#endif
