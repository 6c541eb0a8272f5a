/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/pb.h"

#include <string.h>

#include <webpubsub/status.h>

#include "plugins/common/utf8.h"

enum { GROUP = 3, GROUP_END = 4 };
enum { NESTING_MAX = 100 }; /* as protobuf's own parsers have it */

static const unsigned char nothing[1];

void pb_in_init(struct pb_in *in, struct wps_bytes bytes)
{
  in->at = bytes.len != 0 ? bytes.ptr : nothing;
  in->end = in->at + bytes.len;
}

/* Ten bytes at most; what does not fit 64 bits is cut off, as everywhere. */
static bool read_varint(struct pb_in *in, uint64_t *out)
{
  const unsigned char *p = in->at;
  uint64_t value = 0;

  for (unsigned shift = 0; shift < 70 && p < in->end; shift += 7) {
    value |= shift < 64 ? (uint64_t)(*p & 0x7f) << shift : 0;
    if (*p++ < 0x80) {
      in->at = p;
      *out = value;
      return true;
    }
  }
  return false;
}

static bool read_fixed(struct pb_in *in, size_t len, uint64_t *out)
{
  if ((size_t)(in->end - in->at) < len)
    return false;
  *out = 0;
  for (size_t i = 0; i < len; i++)
    *out |= (uint64_t)in->at[i] << (8 * i);
  in->at += len;
  return true;
}

static bool read_bytes(struct pb_in *in, struct pb_field *out)
{
  if (!read_varint(in, &out->value) ||
      out->value > (uint64_t)(in->end - in->at))
    return false;
  out->bytes = (struct wps_bytes){in->at, (size_t)out->value};
  in->at += out->value;
  return true;
}

/* A field of any kind; of the border of a group its tag alone. */
static bool read_field(struct pb_in *in, struct pb_field *out)
{
  uint64_t tag;

  if (!read_varint(in, &tag) || tag > UINT32_MAX || tag >> 3 == 0)
    return false;
  out->number = (uint32_t)(tag >> 3);
  out->wire = tag & 7;
  out->value = 0;
  out->bytes = (struct wps_bytes){nothing, 0};
  switch (out->wire) {
  case PB_VARINT:
    return read_varint(in, &out->value);
  case PB_FIXED64:
    return read_fixed(in, 8, &out->value);
  case PB_BYTES:
    return read_bytes(in, out);
  case PB_FIXED32:
    return read_fixed(in, 4, &out->value);
  case GROUP:
  case GROUP_END:
    return true;
  default:
    return false;
  }
}

/* What is left of the group `number`, groups within it included. */
static bool skip_group(struct pb_in *in, uint32_t number)
{
  uint32_t open[NESTING_MAX] = {number};
  struct pb_field f;
  size_t depth = 1;

  while (depth > 0) {
    if (!read_field(in, &f))
      return false;
    if (f.wire == GROUP) {
      if (depth == NESTING_MAX)
        return false;
      open[depth++] = f.number;
    } else if (f.wire == GROUP_END && open[--depth] != f.number) {
      return false;
    }
  }
  return true;
}

int pb_next(struct pb_in *in, struct pb_field *out)
{
  while (in->at < in->end) {
    if (!read_field(in, out) || out->wire == GROUP_END)
      return WPS_EPROTO;
    if (out->wire != GROUP)
      return 1;
    if (!skip_group(in, out->number))
      return WPS_EPROTO;
  }
  return 0;
}

int pb_text(const struct pb_field *f, struct wps_str *out)
{
  if (f->wire != PB_BYTES ||
      utf8_run(f->bytes.ptr, f->bytes.len) != f->bytes.len)
    return WPS_EPROTO;
  *out = (struct wps_str){f->bytes.ptr, f->bytes.len};
  return WPS_OK;
}

void pb_put_raw(struct pb_out *out, struct wps_bytes bytes)
{
  size_t at = out->len;

  out->len = at + bytes.len;
  if (out->len <= out->cap && bytes.len > 0)
    memcpy(out->buf + at, bytes.ptr, bytes.len);
}

void pb_varint(struct pb_out *out, uint64_t value)
{
  unsigned char bytes[10];
  size_t len = 0;

  while (value >= 0x80) {
    bytes[len++] = (unsigned char)(value | 0x80);
    value >>= 7;
  }
  bytes[len++] = (unsigned char)value;
  pb_put_raw(out, (struct wps_bytes){bytes, len});
}

static void put_tag(struct pb_out *out, uint32_t number, uint32_t wire)
{
  pb_varint(out, (uint64_t)number << 3 | wire);
}

void pb_put_u64(struct pb_out *out, uint32_t number, uint64_t value)
{
  put_tag(out, number, PB_VARINT);
  pb_varint(out, value);
}

void pb_put_head(struct pb_out *out, uint32_t number, size_t len)
{
  put_tag(out, number, PB_BYTES);
  pb_varint(out, len);
}

void pb_put_bytes(struct pb_out *out, uint32_t number, struct wps_bytes bytes)
{
  pb_put_head(out, number, bytes.len);
  pb_put_raw(out, bytes);
}

void pb_put_text(struct pb_out *out, uint32_t number, struct wps_str text)
{
  pb_put_bytes(out, number, (struct wps_bytes){text.ptr, text.len});
}

void pb_put_message(struct pb_out *out, uint32_t number, pb_put_fn put,
                    const void *arg)
{
  struct pb_out inner = {NULL, 0, 0};

  put(&inner, arg);
  pb_put_head(out, number, inner.len);
  if (out->buf == NULL)
    out->len += inner.len;
  else
    put(out, arg);
}

static void put_entry(struct pb_out *out, const void *arg)
{
  const struct wps_pair *pair = arg;

  pb_put_text(out, 1, pair->name);
  pb_put_text(out, 2, pair->value);
}

void pb_put_map(struct pb_out *out, uint32_t number,
                const struct wps_pair *pairs, size_t count)
{
  for (size_t i = 0; i < count; i++)
    pb_put_message(out, number, put_entry, &pairs[i]);
}
