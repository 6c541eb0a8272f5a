/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/upstream-tunnel/frame.h"

#include <string.h>

#include <msgpack.h>

#include <webpubsub/status.h>

#include "plugins/common/cloudevents/text.h"

enum { LENGTH_BYTES = 4, ELEMENTS = 3 };

/* ---- reading ---- */

struct input {
  const unsigned char *at;
  size_t left;
};

static bool skip(struct input *in, const char *bytes, size_t len)
{
  if (in->left < len || memcmp(in->at, bytes, len) != 0)
    return false;
  in->at += len;
  in->left -= len;
  return true;
}

/* An array of three, in any of the ways to say so. */
static bool take_array(struct input *in)
{
  return skip(in, "\x93", 1) || skip(in, "\xdc\0\x03", 3) ||
         skip(in, "\xdd\0\0\0\x03", 5);
}

/* Integers, strings, octets and nil: what holds other things never comes
 * before the library. */
static bool is_scalar(unsigned char first)
{
  return first <= 0x7f || (first >= 0xa0 && first <= 0xc0) ||
         (first >= 0xc4 && first <= 0xc6) || (first >= 0xcc && first <= 0xd3) ||
         (first >= 0xd9 && first <= 0xdb) || first >= 0xe0;
}

static int take(struct input *in, msgpack_unpacked *value)
{
  size_t used = 0;

  if (in->left == 0 || !is_scalar(*in->at))
    return WPS_EPROTO;
  switch (msgpack_unpack_next(value, (const char *)in->at, in->left, &used)) {
  case MSGPACK_UNPACK_SUCCESS:
    break;
  case MSGPACK_UNPACK_NOMEM_ERROR:
    return WPS_ENOMEM;
  default:
    return WPS_EPROTO;
  }
  in->at += used;
  in->left -= used;
  return WPS_OK;
}

static int take_type(struct input *in, msgpack_unpacked *value, uint32_t *type)
{
  int rc = take(in, value);

  if (rc != WPS_OK)
    return rc;
  if (value->data.type != MSGPACK_OBJECT_POSITIVE_INTEGER ||
      value->data.via.u64 > UINT32_MAX)
    return WPS_EPROTO;
  *type = (uint32_t)value->data.via.u64;
  return WPS_OK;
}

static int take_json(struct input *in, msgpack_unpacked *value,
                     struct wps_str *json)
{
  int rc = take(in, value);

  if (rc != WPS_OK)
    return rc;
  if (value->data.type != MSGPACK_OBJECT_STR)
    return WPS_EPROTO;
  *json = (struct wps_str){value->data.via.str.ptr, value->data.via.str.size};
  return json->len <= FRAME_JSON_MAX ? WPS_OK : WPS_ETOOBIG;
}

static int take_content(struct input *in, msgpack_unpacked *value,
                        struct wps_bytes *content)
{
  int rc = take(in, value);

  if (rc != WPS_OK)
    return rc;
  switch (value->data.type) {
  case MSGPACK_OBJECT_NIL:
    *content = (struct wps_bytes){NULL, 0};
    return WPS_OK;
  case MSGPACK_OBJECT_STR:
  case MSGPACK_OBJECT_BIN: /* laid out alike */
    *content =
        (struct wps_bytes){value->data.via.bin.ptr, value->data.via.bin.size};
    return content->len <= FRAME_CONTENT_MAX ? WPS_OK : WPS_ETOOBIG;
  default:
    return WPS_EPROTO;
  }
}

int frame_read(struct wps_bytes bytes, struct frame *out)
{
  const unsigned char *p = bytes.ptr;
  struct input in;
  msgpack_unpacked value;
  uint32_t len;
  int rc;

  memset(out, 0, sizeof(*out));
  if (bytes.len < LENGTH_BYTES)
    return WPS_EPROTO;
  len = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
        (uint32_t)p[3] << 24;
  if (len > bytes.len - LENGTH_BYTES)
    return WPS_EPROTO;
  in = (struct input){p + LENGTH_BYTES, len};
  if (!take_array(&in))
    return WPS_EPROTO;
  msgpack_unpacked_init(&value);
  rc = take_type(&in, &value, &out->type);
  if (rc == WPS_OK)
    rc = take_json(&in, &value, &out->json);
  if (rc == WPS_OK)
    rc = take_content(&in, &value, &out->content);
  msgpack_unpacked_destroy(&value);
  return rc == WPS_OK && in.left > 0 ? WPS_EPROTO : rc;
}

/* ---- writing ---- */

static int put(void *arg, const char *bytes, size_t len)
{
  struct text *out = arg;

  text_add(out, bytes, len);
  return out->failed ? -1 : 0;
}

void frame_write(const struct frame *f, struct text *out)
{
  size_t from = out->len, len;
  msgpack_packer packer;

  text_add(out, "\0\0\0\0", LENGTH_BYTES);
  msgpack_packer_init(&packer, out, put);
  msgpack_pack_array(&packer, ELEMENTS);
  msgpack_pack_uint32(&packer, f->type);
  msgpack_pack_str_with_body(&packer, f->json.ptr, f->json.len);
  if (f->content.ptr == NULL)
    msgpack_pack_nil(&packer);
  else
    msgpack_pack_bin_with_body(&packer, f->content.ptr, f->content.len);
  if (out->failed)
    return;
  len = out->len - from - LENGTH_BYTES;
  for (int i = 0; i < LENGTH_BYTES; i++)
    out->ptr[from + (size_t)i] = (char)(len >> (8 * i) & 0xff);
}
