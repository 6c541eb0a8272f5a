/* SPDX-License-Identifier: Apache-2.0 */
/* any.c - is this a google.protobuf.Any? {1: type_url, string; 2: value, bytes}
 *
 * Only what makes a receiver's parser fail is refused: the wire format itself,
 * and a type_url that is no UTF-8. Unknown fields pass, as parsers demand.
 */
#include "plugins/common/azure/names.h"

enum {
  VARINT = 0,
  FIXED64 = 1,
  BYTES = 2,
  GROUP = 3,
  GROUP_END = 4,
  FIXED32 = 5
};
enum { NESTING_MAX = 100 }; /* as protobuf's own parsers have it */

static const unsigned char *varint(const unsigned char *p,
                                   const unsigned char *end, uint64_t *out)
{
  *out = 0;
  for (unsigned shift = 0; shift < 70 && p < end; shift += 7) {
    *out |= shift < 64 ? (uint64_t)(*p & 0x7f) << shift : 0;
    if (*p++ < 0x80)
      return p;
  }
  return NULL;
}

bool azure_any_ok(struct wps_bytes bytes)
{
  const unsigned char *p = bytes.ptr;
  const unsigned char *end = bytes.len == 0 ? p : p + bytes.len;
  uint64_t groups[NESTING_MAX];
  size_t depth = 0;

  while (p < end) {
    uint64_t tag, n;

    p = varint(p, end, &tag);
    if (p == NULL || tag > UINT32_MAX || tag >> 3 == 0)
      return false;
    switch (tag & 7) {
    case VARINT:
      if ((p = varint(p, end, &n)) == NULL)
        return false;
      break;
    case FIXED64:
      if (end - p < 8)
        return false;
      p += 8;
      break;
    case BYTES:
      p = varint(p, end, &n);
      if (p == NULL || n > (uint64_t)(end - p))
        return false;
      if (tag >> 3 == 1 && depth == 0 &&
          !azure_utf8_ok((struct wps_str){(const char *)p, (size_t)n}))
        return false;
      p += n;
      break;
    case GROUP:
      if (depth == NESTING_MAX)
        return false;
      groups[depth++] = tag >> 3;
      break;
    case GROUP_END:
      if (depth == 0 || groups[--depth] != tag >> 3)
        return false;
      break;
    case FIXED32:
      if (end - p < 4)
        return false;
      p += 4;
      break;
    default:
      return false;
    }
  }
  return depth == 0;
}
