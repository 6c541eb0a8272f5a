/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/common/json_write.h - writing JSON into a buffer of fixed size.
 *
 * As with snprintf the length counts on when the buffer is full, so that one
 * function both measures (no buffer) and writes. The buffer never grows here:
 * what is exact goes straight into a frame. Thread: any.
 */
#ifndef WPS_COMMON_JSON_WRITE_H
#define WPS_COMMON_JSON_WRITE_H

#include <webpubsub/types.h>

struct json_out {
  char *buf; /* NULL: only measure */
  size_t cap;
  size_t len; /* wanted so far; complete when it is at most cap */
};

void json_out_raw(struct json_out *out, const char *bytes, size_t len);

#define JSON_OUT(out, literal)                                                 \
  json_out_raw((out), "" literal, sizeof(literal) - 1)

/* A string with its quotes: non-ASCII as it is, quote, backslash and
 * U+0000..U+001F escaped. `text` is UTF-8. */
void json_out_text(struct json_out *out, struct wps_str text);

/* Octets as a string in padded base64. */
void json_out_base64(struct json_out *out, struct wps_bytes bytes);

void json_out_u64(struct json_out *out, uint64_t n);

#endif
