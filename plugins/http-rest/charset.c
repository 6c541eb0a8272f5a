/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/http-rest/charset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <webpubsub/status.h>

#include "plugins/common/azure/names.h"

static struct wps_str text_of(const char *c)
{
  return (struct wps_str){c, strlen(c)};
}

static bool is_space(char c)
{
  return c == ' ' || c == '\t';
}

static struct wps_str trimmed(struct wps_str s)
{
  while (s.len > 0 && is_space(*s.ptr)) {
    s.ptr++;
    s.len--;
  }
  while (s.len > 0 && is_space(s.ptr[s.len - 1]))
    s.len--;
  return s;
}

/* Up to the next ';', which is not looked for between quotes. */
static struct wps_str next_part(struct wps_str *rest)
{
  struct wps_str part = {rest->ptr, 0};
  bool quoted = false;

  for (; part.len < rest->len; part.len++) {
    char c = rest->ptr[part.len];

    if (c == '"')
      quoted = !quoted;
    else if (quoted && c == '\\' && part.len + 1 < rest->len)
      part.len++;
    else if (c == ';' && !quoted)
      break;
  }
  if (part.len == rest->len) {
    rest->len = 0;
  } else {
    rest->ptr += part.len + 1;
    rest->len -= part.len + 1;
  }
  return trimmed(part);
}

bool media_type_is(struct wps_str content_type, const char *type)
{
  return azure_equal_fold(next_part(&content_type), text_of(type));
}

static uint32_t charset_of(struct wps_str name)
{
  static const struct {
    const char *name;
    uint32_t charset;
  } names[] = {{"utf-8", CHARSET_UTF8},        {"utf8", CHARSET_UTF8},
               {"us-ascii", CHARSET_UTF8},     {"ascii", CHARSET_UTF8},
               {"iso-8859-1", CHARSET_LATIN1}, {"iso8859-1", CHARSET_LATIN1},
               {"latin1", CHARSET_LATIN1},     {"utf-16", CHARSET_UTF16},
               {"utf-16le", CHARSET_UTF16LE},  {"utf-16be", CHARSET_UTF16BE}};

  if (name.len >= 2 && *name.ptr == '"' && name.ptr[name.len - 1] == '"')
    name = (struct wps_str){name.ptr + 1, name.len - 2};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    if (azure_equal_fold(name, text_of(names[i].name)))
      return names[i].charset;
  return CHARSET_UNKNOWN;
}

uint32_t media_type_charset(struct wps_str content_type)
{
  static const struct wps_str key = WPS_STR_INIT("charset");

  next_part(&content_type);
  while (content_type.len > 0) {
    struct wps_str part = next_part(&content_type);
    const char *eq = part.len > 0 ? memchr(part.ptr, '=', part.len) : NULL;
    struct wps_str name = {part.ptr, eq != NULL ? (size_t)(eq - part.ptr) : 0};

    if (eq != NULL && azure_equal_fold(trimmed(name), key)) {
      part.len -= name.len + 1;
      part.ptr = eq + 1;
      return charset_of(trimmed(part));
    }
  }
  return CHARSET_UTF8;
}

/* ---- conversion ---- */

void charset_open(struct charset_set *set)
{
  set->of[CHARSET_UTF8] = (iconv_t)-1;
  set->of[CHARSET_LATIN1] = iconv_open("UTF-8", "ISO-8859-1");
  set->of[CHARSET_UTF16LE] = iconv_open("UTF-8", "UTF-16LE");
  set->of[CHARSET_UTF16BE] = iconv_open("UTF-8", "UTF-16BE");
}

void charset_close(struct charset_set *set)
{
  for (size_t i = 0; i <= CHARSET_UTF16BE; i++)
    if (set->of[i] != (iconv_t)-1)
      iconv_close(set->of[i]);
}

/* Takes the byte order mark off. */
static uint32_t byte_order(struct wps_bytes *in)
{
  const unsigned char *p = in->ptr;
  uint32_t charset = CHARSET_UTF16LE;

  if (in->len < 2 ||
      !((p[0] == 0xff && p[1] == 0xfe) || (p[0] == 0xfe && p[1] == 0xff)))
    return charset;
  if (p[0] == 0xfe)
    charset = CHARSET_UTF16BE;
  in->ptr = p + 2;
  in->len -= 2;
  return charset;
}

int charset_convert(struct charset_set *set, uint32_t charset,
                    struct wps_bytes in, char **out, size_t *out_len)
{
  char *from, *to, *room;
  size_t left, free_len;
  iconv_t how;

  if (charset == CHARSET_UTF16)
    charset = byte_order(&in);
  if (charset > CHARSET_UTF16BE || set->of[charset] == (iconv_t)-1)
    return WPS_ENOTSUP;
  if (in.len > SIZE_MAX / 4)
    return WPS_ENOMEM;
  how = set->of[charset];
  /* Latin 1: two bytes for one; UTF-16: three for two. */
  free_len = in.len * 2 + 1;
  room = malloc(free_len);
  if (room == NULL)
    return WPS_ENOMEM;
  to = room;
  from = (char *)(uintptr_t)in.ptr;
  left = in.len;
  iconv(how, NULL, NULL, NULL, NULL);
  if (left > 0 && iconv(how, &from, &left, &to, &free_len) == (size_t)-1) {
    free(room);
    return WPS_EPROTO;
  }
  *out = room;
  *out_len = (size_t)(to - room);
  return WPS_OK;
}
