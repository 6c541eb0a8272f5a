/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/cloudevents/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/json_write.h"
#include "plugins/common/utf8.h"

static bool reserve(struct text *t, size_t more)
{
  size_t need, cap = t->cap != 0 ? t->cap : 128;
  char *grown;

  if (t->failed || __builtin_add_overflow(t->len, more, &need) ||
      need > SIZE_MAX / 2) {
    t->failed = true;
    return false;
  }
  if (need <= t->cap)
    return true;
  while (cap < need)
    cap *= 2;
  grown = realloc(t->ptr, cap);
  if (grown == NULL) {
    t->failed = true;
    return false;
  }
  t->ptr = grown;
  t->cap = cap;
  return true;
}

void text_add(struct text *t, const void *bytes, size_t len)
{
  if (len == 0 || !reserve(t, len))
    return;
  memcpy(t->ptr + t->len, bytes, len);
  t->len += len;
}

void text_add_str(struct text *t, struct wps_str s)
{
  text_add(t, s.ptr, s.len);
}

void text_printf(struct text *t, const char *fmt, ...)
{
  va_list args;
  int len;

  va_start(args, fmt);
  len = vsnprintf(NULL, 0, fmt, args);
  va_end(args);
  if (len < 0) {
    t->failed = true;
    return;
  }
  if (!reserve(t, (size_t)len + 1))
    return;
  va_start(args, fmt);
  vsnprintf(t->ptr + t->len, (size_t)len + 1, fmt, args);
  va_end(args);
  t->len += (size_t)len;
}

void text_terminate(struct text *t)
{
  if (reserve(t, 1))
    t->ptr[t->len] = '\0';
}

void text_free(struct text *t)
{
  free(t->ptr);
  memset(t, 0, sizeof(*t));
}

struct wps_str str_of(const char *s)
{
  return s != NULL ? (struct wps_str){s, strlen(s)} : (struct wps_str){NULL, 0};
}

bool str_equal(struct wps_str a, struct wps_str b)
{
  return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static char lower(char c)
{
  return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool str_equal_fold(struct wps_str a, struct wps_str b)
{
  if (a.len != b.len)
    return false;
  for (size_t i = 0; i < a.len; i++)
    if (lower(a.ptr[i]) != lower(b.ptr[i]))
      return false;
  return true;
}

bool str_prefix_fold(struct wps_str s, struct wps_str prefix)
{
  if (s.len < prefix.len)
    return false;
  s.len = prefix.len;
  return str_equal_fold(s, prefix);
}

static bool is_blank(char c)
{
  return c == ' ' || c == '\t';
}

struct wps_str str_strip(struct wps_str s)
{
  while (s.len > 0 && is_blank(*s.ptr)) {
    s.ptr++;
    s.len--;
  }
  while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
    s.len--;
  return s;
}

bool str_next_part(struct wps_str *list, struct wps_str *part)
{
  const char *comma;

  if (list->len == 0)
    return false;
  comma = memchr(list->ptr, ',', list->len);
  part->ptr = list->ptr;
  part->len = comma != NULL ? (size_t)(comma - list->ptr) : list->len;
  list->ptr += part->len + (comma != NULL);
  list->len -= part->len + (comma != NULL);
  *part = str_strip(*part);
  return true;
}

bool utf8_ok(struct wps_str s)
{
  return s.len == 0 || utf8_run((const unsigned char *)s.ptr, s.len) == s.len;
}

void text_add_clean(struct text *t, struct wps_str s)
{
  const unsigned char *p = (const unsigned char *)s.ptr;
  size_t left = s.len;

  while (left > 0) {
    size_t run = utf8_run(p, left);

    text_add(t, p, run);
    p += run;
    left -= run;
    if (left > 0) {
      text_add(t, "\xef\xbf\xbd", 3);
      p++;
      left--;
    }
  }
}

void text_add_json(struct text *t, struct wps_str s)
{
  struct json_out out = {NULL, 0, 0};
  struct text clean = {0};

  if (!utf8_ok(s)) {
    text_add_clean(&clean, s);
    s = text_str(&clean);
    t->failed = t->failed || clean.failed;
  }
  json_out_text(&out, s); /* measures */
  if (reserve(t, out.len)) {
    out = (struct json_out){t->ptr + t->len, out.len, 0};
    json_out_text(&out, s);
    t->len += out.len;
  }
  text_free(&clean);
}
