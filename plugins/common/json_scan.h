/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/common/json_scan.h - validating JSON without building it.
 *
 * One pass over borrowed text, no allocation, no recursion. What comes out are
 * spans of the text, so that a value can be passed on as it came. Accepted is
 * RFC 8259 in well-formed UTF-8, with at most JSON_SCAN_DEPTH levels; lone
 * surrogate escapes are grammar and accepted, json_scan_text() replaces them.
 * Thread: any, nothing is shared.
 */
#ifndef WPS_COMMON_JSON_SCAN_H
#define WPS_COMMON_JSON_SCAN_H

#include <webpubsub/types.h>

enum { JSON_SCAN_DEPTH = 256 };

enum { /* 0: no value */
       SCAN_NULL = 1,
       SCAN_TRUE,
       SCAN_FALSE,
       SCAN_NUMBER,
       SCAN_STRING,
       SCAN_OBJECT,
       SCAN_ARRAY
};

/* A value as it stands in the text, strings with their quotes. */
struct json_value {
  const char *ptr;
  uint32_t len;
  uint8_t type;    /* SCAN_* */
  uint8_t escaped; /* a string with a backslash in it */
  uint16_t reserved;
};

struct json_member {
  struct json_value key; /* a string */
  struct json_value value;
};

/* Position inside one object. */
struct json_scan {
  const char *at;
  const char *end;
  uint32_t state;
  uint32_t reserved;
};

/* The whole text is one value, with white space around it at most.
 * Errors: EPROTO. */
int json_scan_value(struct wps_str text, struct json_value *out);

/* Begin an object that is the whole text. Errors: EPROTO (not an object). */
int json_scan_object(struct json_scan *scan, struct wps_str text);

/* Its next member, duplicates included: 1, or 0 when the object and nothing
 * after it has ended. Errors: EPROTO, and then the scan is over. */
int json_scan_member(struct json_scan *scan, struct json_member *out);

static inline struct wps_str json_value_raw(const struct json_value *v)
{
  struct wps_str s = {v->ptr, v->len};

  return s;
}

/* What is between the quotes of a string, escapes as they are. */
static inline struct wps_str json_value_inner(const struct json_value *v)
{
  struct wps_str s = {v->ptr + 1, (size_t)v->len - 2};

  return s;
}

/* The text of a scanned string without its escapes; `out` has room for as many
 * bytes as json_value_inner() has. Lone surrogates become U+FFFD. */
size_t json_scan_text(const struct json_value *string, char *out);

/* The string's text equals `text`; of any case when `fold`, which is for ASCII
 * texts. Texts longer than 64 bytes are compared only if not escaped. */
bool json_scan_equal(const struct json_value *string, struct wps_str text,
                     bool fold);

/* An integer in 0..2^64-1, exactly: no sign, fraction or exponent.
 * Errors: EPROTO. */
int json_scan_u64(const struct json_value *number, uint64_t *out);

#endif
