/* SPDX-License-Identifier: Apache-2.0 */
/* base/str.c - helpers for struct wps_str. */
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

static unsigned char fold(char c)
{
  return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* Mostly there is nothing to fold. */
static bool bytes_ieq(const char *a, const char *b, size_t len)
{
  if (len == 0 || memcmp(a, b, len) == 0)
    return true;
  for (size_t i = 0; i < len; i++)
    if (a[i] != b[i] && fold(a[i]) != fold(b[i]))
      return false;
  return true;
}

struct wps_str str_from(const char *terminated)
{
  if (terminated == NULL)
    return STR_NONE;
  return (struct wps_str){terminated, strlen(terminated)};
}

bool str_eq_c(struct wps_str a, const char *terminated)
{
  return str_eq(a, str_from(terminated));
}

bool str_ieq(struct wps_str a, struct wps_str b)
{
  return a.len == b.len && bytes_ieq(a.ptr, b.ptr, a.len);
}

bool str_ieq_c(struct wps_str a, const char *terminated)
{
  return str_ieq(a, str_from(terminated));
}

bool str_starts(struct wps_str s, const char *prefix)
{
  size_t len = strlen(prefix);

  return s.len >= len && (len == 0 || memcmp(s.ptr, prefix, len) == 0);
}

bool str_istarts(struct wps_str s, const char *prefix)
{
  size_t len = strlen(prefix);

  return s.len >= len && bytes_ieq(s.ptr, prefix, len);
}

static bool is_blank(char c)
{
  return c == ' ' || c == '\t';
}

struct wps_str str_trim(struct wps_str s)
{
  while (s.len > 0 && is_blank(s.ptr[0])) {
    s.ptr++;
    s.len--;
  }
  while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
    s.len--;
  return s;
}

bool str_next_token(struct wps_str *list, struct wps_str *token)
{
  while (list->len > 0) {
    const char *comma = memchr(list->ptr, ',', list->len);
    size_t len = comma == NULL ? list->len : (size_t)(comma - list->ptr);
    struct wps_str found = str_trim((struct wps_str){list->ptr, len});

    *list = str_skip(*list, comma == NULL ? len : len + 1);
    if (found.len > 0) {
      *token = found;
      return true;
    }
  }
  return false;
}

bool str_to_u64(struct wps_str s, uint64_t *out)
{
  uint64_t value = 0;

  if (s.len == 0)
    return false;
  for (size_t i = 0; i < s.len; i++) {
    unsigned digit = (unsigned)(unsigned char)s.ptr[i] - '0';

    if (digit > 9 || __builtin_mul_overflow(value, (uint64_t)10, &value) ||
        __builtin_add_overflow(value, (uint64_t)digit, &value))
      return false;
  }
  *out = value;
  return true;
}

char *str_dup(struct wps_str s)
{
  char *copy;

  if (s.len == SIZE_MAX)
    return NULL;
  copy = malloc(s.len + 1);
  if (copy == NULL)
    return NULL;
  if (s.len > 0)
    memcpy(copy, s.ptr, s.len);
  copy[s.len] = '\0';
  return copy;
}

char *str_printf(const char *fmt, ...)
{
  va_list args;
  char *out = NULL;
  int len;

  va_start(args, fmt);
  len = vasprintf(&out, fmt, args);
  va_end(args);
  return len < 0 ? NULL : out;
}

int str_cmp(struct wps_str a, struct wps_str b)
{
  size_t common = a.len < b.len ? a.len : b.len;
  int order = common == 0 ? 0 : memcmp(a.ptr, b.ptr, common);

  if (order != 0)
    return order;
  return (a.len > b.len) - (a.len < b.len);
}

void str_lower(char *s, size_t len)
{
  for (size_t i = 0; i < len; i++)
    s[i] = (char)fold(s[i]);
}
