/* SPDX-License-Identifier: Apache-2.0 */
/* base/utf8.h - UTF-8: streaming validation and boundary-safe cuts. */
#ifndef WPS_BASE_UTF8_H
#define WPS_BASE_UTF8_H

#include "base/base.h"

/* State between pieces of one text; zero is the start. */
struct utf8_state {
  uint32_t need;     /* continuation bytes still missing */
  uint8_t low, high; /* range of the next continuation byte, 0: 80..BF */
  uint8_t pad[2];
};

/* False at the first byte that can be no part of well-formed UTF-8 (overlong,
 * surrogate and > U+10FFFF forms included). */
bool utf8_feed(struct utf8_state *s, const void *bytes, size_t len);
static inline bool utf8_complete(const struct utf8_state *s)
{
  return s->need == 0;
}
/* A whole text; fast on ASCII (8 bytes at a time). */
bool utf8_valid(const void *bytes, size_t len);
/* The longest prefix of at most max bytes that ends at a character boundary. */
struct wps_str utf8_cut(struct wps_str s, size_t max);
/* Length in UTF-16 code units of valid UTF-8 (azure-client.md 1.2). */
size_t utf8_utf16_len(struct wps_str s);

#endif
