/* SPDX-License-Identifier: Apache-2.0 */
/* hex.h - bytes of tests: "32 08 0A" are three; ".text" stands for itself and
 * ends before a blank or a brace; "{...}" is a length below 128 and what is
 * within. */
#ifndef WPS_TEST_HEX_H
#define WPS_TEST_HEX_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <webpubsub/types.h>

static inline int hex_digit(char c)
{
  static const char digits[] = "0123456789ABCDEF";
  const char *at = c == '\0' ? NULL : strchr(digits, c);

  ck_assert_msg(at != NULL, "'%c' is no digit", c);
  return (int)(at - digits);
}

static inline const char *hex_put(const char *text, unsigned char *out,
                                  size_t *len)
{
  while (*text != '\0' && *text != '}') {
    if (*text == ' ') {
      text++;
    } else if (*text == '.') {
      for (text++; strchr(" {}", *text) == NULL; text++)
        out[(*len)++] = (unsigned char)*text;
    } else if (*text == '{') {
      size_t at = (*len)++;

      text = hex_put(text + 1, out, len);
      ck_assert_int_eq(*text++, '}');
      ck_assert_uint_lt(*len - at - 1, 128);
      out[at] = (unsigned char)(*len - at - 1);
    } else {
      out[(*len)++] =
          (unsigned char)(hex_digit(text[0]) * 16 + hex_digit(text[1]));
      text += 2;
    }
  }
  return text;
}

/* In a block of exactly its size; the caller frees ptr. */
static inline struct wps_bytes hex_bytes(const char *text)
{
  unsigned char *all = malloc(strlen(text) + 1), *bytes;
  size_t len = 0;

  ck_assert_int_eq(*hex_put(text, all, &len), '\0');
  bytes = malloc(len > 0 ? len : 1);
  memcpy(bytes, all, len);
  free(all);
  return (struct wps_bytes){bytes, len};
}

/* "32 08 0A", to be freed. */
static inline char *hex_text(struct wps_bytes bytes)
{
  static const char digits[] = "0123456789ABCDEF";
  const unsigned char *p = bytes.ptr;
  char *text = calloc(bytes.len + 1, 3), *out = text;

  for (size_t i = 0; i < bytes.len; i++) {
    if (i > 0)
      *out++ = ' ';
    *out++ = digits[p[i] >> 4];
    *out++ = digits[p[i] & 15];
  }
  return text;
}

static inline void hex_same(struct wps_bytes got, const char *want)
{
  struct wps_bytes bytes = hex_bytes(want);
  char *a = hex_text(got), *b = hex_text(bytes);

  ck_assert_str_eq(a, b);
  free(a);
  free(b);
  free((void *)bytes.ptr);
}

#endif
