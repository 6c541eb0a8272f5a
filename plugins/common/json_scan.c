/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/json_scan.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <webpubsub/status.h>

#define ONES UINT64_C(0x0101010101010101)

enum { AT_FIRST = 1, AT_NEXT, AT_END, AT_FAULT };

static const char *skip_space(const char *p, const char *end)
{
  while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
    p++;
  return p;
}

/* First byte at or after p that a string cannot simply pass over: control
 * character, quote, backslash, or one that begins a longer character. */
static const char *plain_end(const char *p, const char *end)
{
#ifdef __SSE2__
  while (end - p >= 16) {
    __m128i w = _mm_loadu_si128((const __m128i *)(const void *)p);
    /* Compared as signed bytes, those of longer characters are below, too. */
    __m128i hit =
        _mm_or_si128(_mm_cmplt_epi8(w, _mm_set1_epi8(0x20)),
                     _mm_or_si128(_mm_cmpeq_epi8(w, _mm_set1_epi8('"')),
                                  _mm_cmpeq_epi8(w, _mm_set1_epi8('\\'))));
    unsigned bits = (unsigned)_mm_movemask_epi8(hit);

    if (bits != 0)
      return p + __builtin_ctz(bits);
    p += 16;
  }
#endif
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  /* Each term has a byte's top bit set where that byte stops us. A borrow can
   * only reach bytes after a true hit, and only the first hit counts. */
  while (end - p >= 8) {
    uint64_t w, hit;

    memcpy(&w, p, sizeof(w));
    hit = ((w - 0x20 * ONES) | ((w ^ ('"' * ONES)) - ONES) |
           ((w ^ ('\\' * ONES)) - ONES) | w) &
          (0x80 * ONES);
    if (hit != 0)
      return p + ((unsigned)__builtin_ctzll(hit) >> 3);
    p += 8;
  }
#endif
  while (p < end) {
    unsigned char c = (unsigned char)*p;

    if (c < 0x20 || c == '"' || c == '\\' || c >= 0x80)
      break;
    p++;
  }
  return p;
}

static bool is_tail(const char *p, unsigned char low, unsigned char high)
{
  unsigned char c = (unsigned char)*p;

  return c >= low && c <= high;
}

/* Past the character of 2..4 bytes at p, or NULL (table 3-7 of Unicode). */
static const char *skip_utf8(const char *p, const char *end)
{
  unsigned char c = (unsigned char)*p;
  unsigned char low = 0x80, high = 0xbf;
  int tails;

  if (c >= 0xc2 && c <= 0xdf) {
    tails = 1;
  } else if (c >= 0xe0 && c <= 0xef) {
    tails = 2;
    if (c == 0xe0)
      low = 0xa0;
    else if (c == 0xed)
      high = 0x9f;
  } else if (c >= 0xf0 && c <= 0xf4) {
    tails = 3;
    if (c == 0xf0)
      low = 0x90;
    else if (c == 0xf4)
      high = 0x8f;
  } else {
    return NULL;
  }
  if (end - p <= tails || !is_tail(p + 1, low, high))
    return NULL;
  for (int i = 2; i <= tails; i++)
    if (!is_tail(p + i, 0x80, 0xbf))
      return NULL;
  return p + tails + 1;
}

static int hex_digit(char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

/* Past the escape whose backslash is at p, or NULL. */
static const char *skip_escape(const char *p, const char *end)
{
  if (end - p < 2)
    return NULL;
  switch (p[1]) {
  case '"':
  case '\\':
  case '/':
  case 'b':
  case 'f':
  case 'n':
  case 'r':
  case 't':
    return p + 2;
  case 'u':
    if (end - p < 6)
      return NULL;
    for (int i = 2; i < 6; i++)
      if (hex_digit(p[i]) < 0)
        return NULL;
    return p + 6;
  default:
    return NULL;
  }
}

/* Past the string whose quote is at p, or NULL. */
static const char *skip_string(const char *p, const char *end, uint8_t *escaped)
{
  *escaped = 0;
  for (p++;;) {
    p = plain_end(p, end);
    if (p == end)
      return NULL;
    if (*p == '"')
      return p + 1;
    if (*p == '\\') {
      *escaped = 1;
      p = skip_escape(p, end);
    } else {
      p = skip_utf8(p, end); /* also refuses control characters */
    }
    if (p == NULL)
      return NULL;
  }
}

static const char *skip_digits(const char *p, const char *end)
{
  while (p < end && *p >= '0' && *p <= '9')
    p++;
  return p;
}

static const char *skip_number(const char *p, const char *end)
{
  const char *digits;

  if (*p == '-')
    p++;
  digits = p;
  p = skip_digits(p, end);
  if (p == digits || (*digits == '0' && p - digits > 1))
    return NULL;
  if (p < end && *p == '.') {
    digits = ++p;
    p = skip_digits(p, end);
    if (p == digits)
      return NULL;
  }
  if (p < end && (*p == 'e' || *p == 'E')) {
    p++;
    if (p < end && (*p == '+' || *p == '-'))
      p++;
    digits = p;
    p = skip_digits(p, end);
    if (p == digits)
      return NULL;
  }
  return p;
}

static const char *skip_word(const char *p, const char *end, const char *word,
                             size_t len)
{
  if ((size_t)(end - p) < len || memcmp(p, word, len) != 0)
    return NULL;
  return p + len;
}

/* Past the value at p that is neither object nor array, or NULL. */
static const char *skip_scalar(const char *p, const char *end, uint8_t *type,
                               uint8_t *escaped)
{
  switch (*p) {
  case '"':
    *type = SCAN_STRING;
    return skip_string(p, end, escaped);
  case 'n':
    *type = SCAN_NULL;
    return skip_word(p, end, "null", 4);
  case 't':
    *type = SCAN_TRUE;
    return skip_word(p, end, "true", 4);
  case 'f':
    *type = SCAN_FALSE;
    return skip_word(p, end, "false", 5);
  default:
    if (*p != '-' && (*p < '0' || *p > '9'))
      return NULL;
    *type = SCAN_NUMBER;
    return skip_number(p, end);
  }
}

/* Past `"key" :`, at the value, or NULL. */
static const char *skip_key(const char *p, const char *end)
{
  uint8_t escaped;

  if (p == end || *p != '"' || (p = skip_string(p, end, &escaped)) == NULL)
    return NULL;
  p = skip_space(p, end);
  if (p == end || *p != ':')
    return NULL;
  return skip_space(p + 1, end);
}

/* Past the object or array at p, or NULL. Of each open level one bit says
 * whether it is an object. */
static const char *skip_nested(const char *p, const char *end)
{
  uint64_t objects[JSON_SCAN_DEPTH / 64];
  uint32_t depth = 0;
  bool object, fresh;

open:
  if (depth == JSON_SCAN_DEPTH)
    return NULL;
  object = *p == '{';
  if (object)
    objects[depth / 64] |= UINT64_C(1) << (depth % 64);
  else
    objects[depth / 64] &= ~(UINT64_C(1) << (depth % 64));
  depth++;
  fresh = true;
  p++;
  for (;;) {
    p = skip_space(p, end);
    if (p == end)
      return NULL;
    if (*p == (object ? '}' : ']')) {
      p++;
      if (--depth == 0)
        return p;
      object = (objects[(depth - 1) / 64] >> ((depth - 1) % 64)) & 1;
      fresh = false;
      continue;
    }
    if (!fresh) {
      if (*p != ',')
        return NULL;
      p = skip_space(p + 1, end);
      if (p == end)
        return NULL;
    }
    if (object && (p = skip_key(p, end)) == NULL)
      return NULL;
    if (p == end)
      return NULL;
    if (*p == '{' || *p == '[') {
      goto open;
    } else {
      uint8_t type, escaped;

      if ((p = skip_scalar(p, end, &type, &escaped)) == NULL)
        return NULL;
    }
    fresh = false;
  }
}

static const char *take_value(const char *p, const char *end,
                              struct json_value *out)
{
  const char *start = p;

  if (p == end)
    return NULL;
  out->escaped = 0;
  out->reserved = 0;
  if (*p == '{' || *p == '[') {
    out->type = *p == '{' ? SCAN_OBJECT : SCAN_ARRAY;
    p = skip_nested(p, end);
  } else {
    p = skip_scalar(p, end, &out->type, &out->escaped);
  }
  if (p == NULL)
    return NULL;
  out->ptr = start;
  out->len = (uint32_t)(p - start);
  return p;
}

int json_scan_value(struct wps_str text, struct json_value *out)
{
  const char *end = text.ptr + text.len;
  const char *p;

  if (text.len == 0 || text.len > UINT32_MAX)
    return WPS_EPROTO;
  p = take_value(skip_space(text.ptr, end), end, out);
  if (p == NULL || skip_space(p, end) != end)
    return WPS_EPROTO;
  return WPS_OK;
}

int json_scan_object(struct json_scan *scan, struct wps_str text)
{
  const char *p;

  scan->state = AT_FAULT;
  scan->reserved = 0;
  if (text.len == 0 || text.len > UINT32_MAX)
    return WPS_EPROTO;
  scan->end = text.ptr + text.len;
  p = skip_space(text.ptr, scan->end);
  if (p == scan->end || *p != '{')
    return WPS_EPROTO;
  scan->at = p + 1;
  scan->state = AT_FIRST;
  return WPS_OK;
}

int json_scan_member(struct json_scan *scan, struct json_member *out)
{
  const char *end = scan->end;
  const char *p;

  if (scan->state >= AT_END)
    return scan->state == AT_END ? 0 : WPS_EPROTO;
  p = skip_space(scan->at, end);
  if (p == end)
    goto fault;
  if (*p == '}') {
    if (skip_space(p + 1, end) != end)
      goto fault;
    scan->state = AT_END;
    return 0;
  }
  if (scan->state == AT_NEXT) {
    if (*p != ',')
      goto fault;
    p = skip_space(p + 1, end);
  }
  if (p == end || *p != '"')
    goto fault;
  if ((p = take_value(p, end, &out->key)) == NULL)
    goto fault;
  p = skip_space(p, end);
  if (p == end || *p != ':')
    goto fault;
  p = take_value(skip_space(p + 1, end), end, &out->value);
  if (p == NULL)
    goto fault;
  scan->at = p;
  scan->state = AT_NEXT;
  return 1;

fault:
  scan->state = AT_FAULT;
  return WPS_EPROTO;
}

static uint32_t hex4(const char *p)
{
  uint32_t u = 0;

  for (int i = 0; i < 4; i++)
    u = u << 4 | (uint32_t)hex_digit(p[i]);
  return u;
}

static char *put_utf8(char *at, uint32_t u)
{
  if (u < 0x80) {
    *at++ = (char)u;
  } else if (u < 0x800) {
    *at++ = (char)(0xc0 | u >> 6);
    *at++ = (char)(0x80 | (u & 0x3f));
  } else if (u < 0x10000) {
    *at++ = (char)(0xe0 | u >> 12);
    *at++ = (char)(0x80 | (u >> 6 & 0x3f));
    *at++ = (char)(0x80 | (u & 0x3f));
  } else {
    *at++ = (char)(0xf0 | u >> 18);
    *at++ = (char)(0x80 | (u >> 12 & 0x3f));
    *at++ = (char)(0x80 | (u >> 6 & 0x3f));
    *at++ = (char)(0x80 | (u & 0x3f));
  }
  return at;
}

/* The escape at p, known to be well-formed; never longer than it was. */
static const char *put_escape(const char *p, const char *end, char **at)
{
  uint32_t u, low;

  switch (p[1]) {
  case 'b':
    *(*at)++ = '\b';
    return p + 2;
  case 'f':
    *(*at)++ = '\f';
    return p + 2;
  case 'n':
    *(*at)++ = '\n';
    return p + 2;
  case 'r':
    *(*at)++ = '\r';
    return p + 2;
  case 't':
    *(*at)++ = '\t';
    return p + 2;
  case 'u':
    break;
  default:
    *(*at)++ = p[1];
    return p + 2;
  }
  u = hex4(p + 2);
  p += 6;
  if (u >= 0xd800 && u <= 0xdbff && end - p >= 6 && p[0] == '\\' &&
      p[1] == 'u' && (low = hex4(p + 2)) >= 0xdc00 && low <= 0xdfff) {
    u = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
    p += 6;
  } else if (u >= 0xd800 && u <= 0xdfff) {
    u = 0xfffd;
  }
  *at = put_utf8(*at, u);
  return p;
}

size_t json_scan_text(const struct json_value *string, char *out)
{
  struct wps_str inner = json_value_inner(string);
  const char *p = inner.ptr, *end = p + inner.len;
  char *at = out;

  while (p < end) {
    const char *slash =
        string->escaped ? memchr(p, '\\', (size_t)(end - p)) : NULL;
    size_t plain = (size_t)((slash != NULL ? slash : end) - p);

    memcpy(at, p, plain);
    at += plain;
    p += plain;
    if (slash != NULL)
      p = put_escape(p, end, &at);
  }
  return (size_t)(at - out);
}

static char lower(char c)
{
  return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool json_scan_equal(const struct json_value *string, struct wps_str text,
                     bool fold)
{
  struct wps_str inner = json_value_inner(string);
  char plain[64 * 6];

  if (string->escaped) {
    if (inner.len > sizeof(plain) || text.len > 64)
      return false;
    inner.len = json_scan_text(string, plain);
    inner.ptr = plain;
  }
  if (inner.len != text.len)
    return false;
  if (memcmp(inner.ptr, text.ptr, text.len) == 0)
    return true;
  if (!fold)
    return false;
  for (size_t i = 0; i < text.len; i++)
    if (lower(inner.ptr[i]) != lower(text.ptr[i]))
      return false;
  return true;
}

int json_scan_u64(const struct json_value *number, uint64_t *out)
{
  uint64_t n = 0;

  if (number->type != SCAN_NUMBER)
    return WPS_EPROTO;
  for (uint32_t i = 0; i < number->len; i++) {
    char c = number->ptr[i];

    if (c < '0' || c > '9' || __builtin_mul_overflow(n, UINT64_C(10), &n) ||
        __builtin_add_overflow(n, (uint64_t)(c - '0'), &n))
      return WPS_EPROTO;
  }
  *out = n;
  return WPS_OK;
}
