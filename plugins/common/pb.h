/* SPDX-License-Identifier: Apache-2.0 */
/* pb.h - the wire format of Protocol Buffers, both ways, without a schema, an
 * allocation or a copy: what comes out are spans of the input. Thread: any.
 */
#ifndef WPS_COMMON_PB_H
#define WPS_COMMON_PB_H

#include <webpubsub/types.h>

enum { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };

struct pb_in {
  const unsigned char *at, *end;
};

struct pb_field {
  uint32_t number;
  uint32_t wire;          /* PB_* */
  uint64_t value;         /* VARINT, FIXED*: little endian */
  struct wps_bytes bytes; /* BYTES; ptr never NULL */
};

void pb_in_init(struct pb_in *in, struct wps_bytes bytes);

/* 1 with the next field; 0 at the end. Groups are passed over, whole.
 * Errors: EPROTO. */
int pb_next(struct pb_in *in, struct pb_field *out);

/* A string field: BYTES in UTF-8. Errors: EPROTO. */
int pb_text(const struct pb_field *f, struct wps_str *out);

/* Writing, as json_write.h does: no buffer measures. */
struct pb_out {
  unsigned char *buf; /* NULL: only measure */
  size_t cap;
  size_t len; /* wanted so far; complete when it is at most cap */
};

void pb_varint(struct pb_out *out, uint64_t value);
void pb_put_raw(struct pb_out *out, struct wps_bytes bytes);
/* What stands before the `len` bytes of a text, octets or a submessage. */
void pb_put_head(struct pb_out *out, uint32_t number, size_t len);

/* Zero and what is empty are written as well. */
void pb_put_u64(struct pb_out *out, uint32_t number, uint64_t value);
void pb_put_bytes(struct pb_out *out, uint32_t number, struct wps_bytes bytes);
void pb_put_text(struct pb_out *out, uint32_t number, struct wps_str text);

/* A submessage: `put` is run twice, to measure and to write. */
typedef void (*pb_put_fn)(struct pb_out *out, const void *arg);
void pb_put_message(struct pb_out *out, uint32_t number, pb_put_fn put,
                    const void *arg);

/* map<string, string>: an entry for each pair. */
void pb_put_map(struct pb_out *out, uint32_t number,
                const struct wps_pair *pairs, size_t count);

#endif
