/* SPDX-License-Identifier: Apache-2.0 */
/* charset.h - content types, and text in other charsets than UTF-8.
 *
 * Converters are opened when a worker starts: opening one may read a file.
 */
#ifndef WPS_REST_CHARSET_H
#define WPS_REST_CHARSET_H

#include <iconv.h>

#include <webpubsub/types.h>

enum {
  CHARSET_UTF8,
  CHARSET_LATIN1,
  CHARSET_UTF16LE,
  CHARSET_UTF16BE,
  CHARSET_UTF16, /* as its first two bytes say, else little endian */
  CHARSET_UNKNOWN
};

struct charset_set {
  iconv_t of[CHARSET_UTF16BE + 1]; /* (iconv_t)-1: not to be had */
};

void charset_open(struct charset_set *set);
void charset_close(struct charset_set *set);

/* Is the media type, without parameters and in any case, `type`? */
bool media_type_is(struct wps_str content_type, const char *type);
/* Its parameter charset; UTF-8 when there is none. Pure. */
uint32_t media_type_charset(struct wps_str content_type);

/* *out is allocated. Thread: the worker of the set. Errors: EPROTO (no such
 * text), ENOTSUP, ENOMEM. */
int charset_convert(struct charset_set *set, uint32_t charset,
                    struct wps_bytes in, char **out, size_t *out_len);

#endif
