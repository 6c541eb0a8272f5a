/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/json_write.h"

#include <string.h>

#include "plugins/common/b64.h"

#define ONES UINT64_C(0x0101010101010101)

void json_out_raw(struct json_out *out, const char *bytes, size_t len)
{
  size_t at = out->len;

  out->len = at + len;
  if (out->len <= out->cap && len > 0)
    memcpy(out->buf + at, bytes, len);
}

/* First byte at or after p that has to be escaped. */
static const char *plain_end(const char *p, const char *end)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  /* As in json_scan.c, but a byte with its top bit set is plain here: the
   * masked-out top bits keep it from borrowing, ~w takes it out of the hits. */
  while (end - p >= 8) {
    uint64_t w, seven, hit;

    memcpy(&w, p, sizeof(w));
    seven = w | 0x80 * ONES;
    hit = ~(seven - 0x20 * ONES) | ~((seven ^ ('"' * ONES)) - ONES) |
          ~((seven ^ ('\\' * ONES)) - ONES);
    hit &= ~w & (0x80 * ONES);
    if (hit != 0)
      return p + ((unsigned)__builtin_ctzll(hit) >> 3);
    p += 8;
  }
#endif
  while (p < end && (unsigned char)*p >= 0x20 && *p != '"' && *p != '\\')
    p++;
  return p;
}

static void put_escape(struct json_out *out, unsigned char c)
{
  static const char hex[] = "0123456789abcdef";
  char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
  size_t len = 2;

  switch (c) {
  case '"':
  case '\\':
    text[1] = (char)c;
    break;
  case '\b':
    text[1] = 'b';
    break;
  case '\f':
    text[1] = 'f';
    break;
  case '\n':
    text[1] = 'n';
    break;
  case '\r':
    text[1] = 'r';
    break;
  case '\t':
    text[1] = 't';
    break;
  default:
    len = 6;
    break;
  }
  json_out_raw(out, text, len);
}

void json_out_text(struct json_out *out, struct wps_str text)
{
  const char *p = text.ptr;

  JSON_OUT(out, "\"");
  if (text.len > 0) {
    const char *end = p + text.len;

    for (;;) {
      const char *stop = plain_end(p, end);

      json_out_raw(out, p, (size_t)(stop - p));
      if (stop == end)
        break;
      put_escape(out, (unsigned char)*stop);
      p = stop + 1;
    }
  }
  JSON_OUT(out, "\"");
}

void json_out_base64(struct json_out *out, struct wps_bytes bytes)
{
  size_t len = b64_encoded_len(bytes.len);

  JSON_OUT(out, "\"");
  if (out->len + len <= out->cap)
    b64_encode(bytes, out->buf + out->len);
  out->len += len;
  JSON_OUT(out, "\"");
}

void json_out_u64(struct json_out *out, uint64_t n)
{
  char digits[20];
  size_t at = sizeof(digits);

  do {
    digits[--at] = (char)('0' + n % 10);
    n /= 10;
  } while (n > 0);
  json_out_raw(out, digits + at, sizeof(digits) - at);
}
