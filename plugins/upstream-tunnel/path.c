/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/upstream-tunnel/path.h"

#include <string.h>

#include "plugins/common/cloudevents/text.h"

/* Up to the first of these characters. */
static struct wps_str until(struct wps_str s, const char *ends)
{
  for (size_t i = 0; i < s.len; i++)
    if (s.ptr[i] != '\0' && strchr(ends, s.ptr[i]) != NULL)
      return (struct wps_str){s.ptr, i};
  return s;
}

static struct wps_str behind(struct wps_str s, size_t len)
{
  return (struct wps_str){s.ptr + len, s.len - len};
}

bool path_target(struct wps_str url, struct wps_str *target)
{
  struct wps_str scheme = until(url, ":/?#");
  struct wps_str rest = behind(url, scheme.len);

  if (str_prefix_fold(rest, STR("://"))) {
    rest = behind(rest, 3);
    url = behind(rest, until(rest, "/?#").len);
  }
  *target = until(url, "#");
  return target->len > 0 && *target->ptr == '/';
}

struct wps_str path_only(struct wps_str url)
{
  return until(url, "?#");
}

bool str_suffix_fold(struct wps_str s, struct wps_str suffix)
{
  if (s.len < suffix.len)
    return false;
  return str_equal_fold(behind(s, s.len - suffix.len), suffix);
}

static int hex(char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

/* The next character of a segment, decoded; false at its end. */
static bool next_character(struct wps_str *s, char *c)
{
  if (s->len == 0)
    return false;
  *c = *s->ptr;
  if (*c == '%' && s->len >= 3 && hex(s->ptr[1]) >= 0 && hex(s->ptr[2]) >= 0) {
    *c = (char)(hex(s->ptr[1]) * 16 + hex(s->ptr[2]));
    *s = behind(*s, 2);
  }
  *s = behind(*s, 1);
  return true;
}

static bool segment_equals(struct wps_str segment, struct wps_str name)
{
  char c;

  for (size_t i = 0; i < name.len; i++)
    if (!next_character(&segment, &c) ||
        !str_equal_fold((struct wps_str){&c, 1},
                        (struct wps_str){name.ptr + i, 1}))
      return false;
  return segment.len == 0;
}

bool path_is_of_hub(struct wps_str target, struct wps_str hub)
{
  static const struct wps_str prefix = WPS_STR_INIT("/api/hubs/");
  struct wps_str rest = path_only(target);

  if (rest.len < prefix.len || memcmp(rest.ptr, prefix.ptr, prefix.len) != 0)
    return false;
  rest = behind(rest, prefix.len);
  return segment_equals(until(rest, "/"), hub);
}
