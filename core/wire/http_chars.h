/* SPDX-License-Identifier: Apache-2.0 */
/* wire/http_chars.h - the character classes of RFC 9110 and RFC 3986, shared by
 * the files that read HTTP. */
#ifndef WPS_WIRE_HTTP_CHARS_H
#define WPS_WIRE_HTTP_CHARS_H

#include "base/base.h"

enum {
  HTTP_TCHAR = 1 << 0,  /* RFC 9110 5.6.2 tchar                           */
  HTTP_TARGET = 1 << 1, /* pchar, '%', '/', '?', '[' and ']'              */
  HTTP_VALUE = 1 << 2,  /* field-vchar, obs-text, space, tab              */
  HTTP_HOST = 1 << 3    /* reg-name, IP literal, port, '%'                */
};

/* Classes of each byte. Thread: any; constant. */
extern const unsigned char http_classes[256];

static inline bool http_is_tchar(unsigned char c)
{
  return (http_classes[c] & HTTP_TCHAR) != 0;
}
static inline bool http_is_target_char(unsigned char c)
{
  return (http_classes[c] & HTTP_TARGET) != 0;
}
static inline bool http_is_value_char(unsigned char c)
{
  return (http_classes[c] & HTTP_VALUE) != 0;
}

bool http_is_token(struct wps_str s);       /* one or more tchar            */
bool http_is_field_value(struct wps_str s); /* may be empty                 */
bool http_is_target(struct wps_str s);      /* one or more, '%' like others */
/* One or more host characters. A sieve against ambiguity, not a grammar of
 * addresses. */
bool http_is_host(struct wps_str s);

#endif
