/* SPDX-License-Identifier: Apache-2.0 */
/* hub/filter_text.c - the string functions of filters.
 *
 * Strings are UTF-8 and count as UTF-16. Bytes that are no UTF-8 are one unit
 * each and stay as they are. */
#include "hub/filter_tree.h"

#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

#include "base/utf8.h"
#include "hub/hub.h"

/* ---- room ---- */

struct scratch_block {
  struct scratch_block *older;
  char bytes[];
};

void scratch_init(struct scratch *s)
{
  s->used = 0;
  s->total = 0;
  s->blocks = NULL;
}

void scratch_free(struct scratch *s)
{
  while (s->blocks != NULL) {
    struct scratch_block *older = s->blocks->older;

    free(s->blocks);
    s->blocks = older;
  }
}

static char *scratch_take(struct scratch *s, size_t len)
{
  struct scratch_block *b;

  if (len <= SCRATCH_ROOM - s->used) {
    s->used += len;
    return s->room + s->used - len;
  }
  if (len > SCRATCH_MAX - s->total)
    return NULL;
  b = malloc(sizeof(*b) + len);
  if (b == NULL)
    return NULL;
  s->total += len;
  b->older = s->blocks;
  s->blocks = b;
  return b->bytes;
}

/* ---- characters ---- */

/* The character at the front and its length in bytes; what is none is one byte
 * with *len 1 and a value that no character has. */
static uint32_t decode(const unsigned char *p, size_t left, size_t *len)
{
  uint32_t c = *p;
  size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

  *len = 1;
  if (n == 1)
    return c;
  if (n == 0 || n > left || c > 0xf4)
    return UINT32_MAX;
  c &= 0x7fu >> n;
  for (size_t i = 1; i < n; i++) {
    if ((p[i] & 0xc0) != 0x80)
      return UINT32_MAX;
    c = c << 6 | (p[i] & 0x3f);
  }
  *len = n;
  return c;
}

static size_t encode(uint32_t c, char *to)
{
  if (c < 0x80) {
    to[0] = (char)c;
    return 1;
  }
  if (c < 0x800) {
    to[0] = (char)(0xc0 | c >> 6);
    to[1] = (char)(0x80 | (c & 0x3f));
    return 2;
  }
  if (c < 0x10000) {
    to[0] = (char)(0xe0 | c >> 12);
    to[1] = (char)(0x80 | (c >> 6 & 0x3f));
    to[2] = (char)(0x80 | (c & 0x3f));
    return 3;
  }
  to[0] = (char)(0xf0 | c >> 18);
  to[1] = (char)(0x80 | (c >> 12 & 0x3f));
  to[2] = (char)(0x80 | (c >> 6 & 0x3f));
  to[3] = (char)(0x80 | (c & 0x3f));
  return 4;
}

static const unsigned char *bytes_of(struct wps_str s, size_t at)
{
  return (const unsigned char *)s.ptr + at;
}

/* ---- case ---- */

static bool changes_ascii(char c, bool upper)
{
  return upper ? c >= 'a' && c <= 'z' : c >= 'A' && c <= 'Z';
}

/* A constant, but for when it is made; lives as long as the process. */
static pthread_once_t unicode_once = PTHREAD_ONCE_INIT;
static locale_t unicode;

static void unicode_make(void)
{
  unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

static uint32_t fold(uint32_t c, bool upper)
{
  if (c < 0x80)
    return changes_ascii((char)c, upper) ? c ^ 0x20 : c;
  pthread_once(&unicode_once, unicode_make);
  /* The dotted and the dotless i belong to a language. */
  if (unicode == (locale_t)0 || c == 0x130 || c == 0x131)
    return c;
  return upper ? towupper_l((wint_t)c, unicode)
               : towlower_l((wint_t)c, unicode);
}

struct wps_str text_fold(struct wps_str s, bool upper, struct scratch *scratch)
{
  size_t at = 0, len = 0;
  char *to;

  while (at < s.len && (unsigned char)s.ptr[at] < 0x80 &&
         !changes_ascii(s.ptr[at], upper))
    at++;
  if (at == s.len)
    return s;
  /* Two bytes can become three: no simple mapping grows more. */
  to = scratch_take(scratch, s.len / 2 * 3 + 4);
  if (to == NULL)
    return STR_NONE;
  for (at = 0; at < s.len;) {
    size_t n;
    uint32_t c = decode(bytes_of(s, at), s.len - at, &n);

    if (c == UINT32_MAX)
      to[len++] = s.ptr[at];
    else
      len += encode(fold(c, upper), to + len);
    at += n;
  }
  return (struct wps_str){to, len};
}

/* ---- parts ---- */

struct wps_str text_concat(struct wps_str a, struct wps_str b,
                           struct scratch *scratch)
{
  char *to;

  if (a.len == 0)
    return b;
  if (b.len == 0)
    return a;
  to = scratch_take(scratch, a.len + b.len);
  if (to == NULL)
    return STR_NONE;
  memcpy(to, a.ptr, a.len);
  memcpy(to + a.len, b.ptr, b.len);
  return (struct wps_str){to, a.len + b.len};
}

/* Where `units` of UTF-16 end in the text. *half: inside of a pair, which then
 * begins there. False when there are fewer. */
static bool find_unit(struct wps_str s, size_t from, int64_t units, size_t *at,
                      bool *half)
{
  *half = false;
  for (*at = from; units > 0; units--) {
    size_t n;

    if (*at == s.len)
      return false;
    decode(bytes_of(s, *at), s.len - *at, &n);
    if (n == 4 && units == 1) {
      *half = true;
      return true;
    }
    units -= n == 4;
    *at += n;
  }
  return true;
}

/* One half of the pair at the front, as the three bytes it would have if it
 * were a character. */
static size_t encode_half(struct wps_str s, size_t at, bool second, char *to)
{
  size_t n;
  uint32_t c = decode(bytes_of(s, at), s.len - at, &n) - 0x10000;

  return encode(second ? 0xdc00 + (c & 0x3ff) : 0xd800 + (c >> 10), to);
}

bool text_substring(struct wps_str s, int32_t start, int64_t length,
                    struct scratch *scratch, struct wps_str *out)
{
  bool cut_before, cut_behind = false;
  size_t from, to = s.len, len = 0;
  char *copy;

  if (!find_unit(s, 0, start, &from, &cut_before))
    return false;
  if (length == 0) {
    *out = STR("");
    return true;
  }
  /* With the half in front of it the part is one unit longer. */
  if (length > 0 && !find_unit(s, from, length + cut_before, &to, &cut_behind))
    return false;
  if (!cut_before && !cut_behind) {
    *out = (struct wps_str){s.ptr + from, to - from};
    return true;
  }
  copy = scratch_take(scratch, to - from + 6);
  *out = STR_NONE;
  if (copy == NULL)
    return true;
  if (cut_before) {
    len = encode_half(s, from, true, copy);
    from += 4;
  }
  memcpy(copy + len, s.ptr + from, to - from);
  len += to - from;
  if (cut_behind)
    len += encode_half(s, to, false, copy + len);
  *out = (struct wps_str){copy, len};
  return true;
}

/* The white space that the text ends with, in bytes; none is longer than
 * three. */
static size_t white_end(struct wps_str s)
{
  for (size_t n = 1; n <= 3 && n <= s.len; n++)
    if (white_space(bytes_of(s, s.len - n), n) == n)
      return n;
  return 0;
}

struct wps_str text_trim(struct wps_str s)
{
  size_t n;

  while (s.len != 0 && (n = white_space(bytes_of(s, 0), s.len)) != 0)
    s = (struct wps_str){s.ptr + n, s.len - n};
  while (s.len != 0 && (n = white_end(s)) != 0)
    s.len -= n;
  return s;
}

/* ---- looking for ---- */

bool text_contains(struct wps_str s, struct wps_str part)
{
  return part.len == 0 || memmem(s.ptr, s.len, part.ptr, part.len) != NULL;
}

bool text_starts(struct wps_str s, struct wps_str part)
{
  return part.len <= s.len && memcmp(s.ptr, part.ptr, part.len) == 0;
}

bool text_ends(struct wps_str s, struct wps_str part)
{
  return part.len <= s.len &&
         memcmp(s.ptr + s.len - part.len, part.ptr, part.len) == 0;
}

int32_t text_index(struct wps_str s, struct wps_str part)
{
  const char *found = s.ptr;

  if (part.len != 0)
    found = memmem(s.ptr, s.len, part.ptr, part.len);
  if (found == NULL)
    return -1;
  return (int32_t)utf8_utf16_len(
      (struct wps_str){s.ptr, (size_t)(found - s.ptr)});
}
