/* SPDX-License-Identifier: Apache-2.0 */
/* base/base64.c - strict base64 and base64url over libcrypto's codec.
 *
 * libcrypto terminates what it encodes, wants int lengths and, when decoding,
 * trims white space and ignores unused bits. So encoding goes through a small
 * block, and decoding sees only text that was checked here.
 */
#include "base/base64.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/check.h"

enum { RAW_BLOCK = 768, TEXT_BLOCK = RAW_BLOCK / 3 * 4 };

size_t base64_encoded_len(size_t len)
{
  return len / 3 * 4 + (len % 3 == 0 ? 0 : 4);
}

size_t base64url_encoded_len(size_t len)
{
  return len / 3 * 4 + (len % 3 == 0 ? 0 : len % 3 + 1);
}

static void encode(const void *bytes, size_t len, char *out, bool url)
{
  const unsigned char *in = bytes;
  unsigned char block[TEXT_BLOCK + 1];

  while (len > 0) {
    size_t take = len < RAW_BLOCK ? len : RAW_BLOCK;
    size_t made = (size_t)EVP_EncodeBlock(block, in, (int)take);

    if (url) {
      made = base64url_encoded_len(take);
      for (size_t i = 0; i < made; i++)
        block[i] = block[i] == '+' ? '-' : block[i] == '/' ? '_' : block[i];
    }
    memcpy(out, block, made);
    out += made;
    in += take;
    len -= take;
  }
}

void base64_encode(const void *bytes, size_t len, char *out)
{
  encode(bytes, len, out, false);
}

void base64url_encode(const void *bytes, size_t len, char *out)
{
  encode(bytes, len, out, true);
}

static bool in_alphabet(char c, char last_but_one, char last)
{
  unsigned letter = ((unsigned)(unsigned char)c | 0x20) - 'a';

  return letter < 26 || (c >= '0' && c <= '9') || c == last_but_one ||
         c == last;
}

/* The last character of a group of two carries four unused bits, of a group of
 * three two. */
static bool tail_is_canonical(char last, size_t group)
{
  const char *good = group == 2 ? "AQgw" : "AEIMQUYcgkosw048";

  return memchr(good, last, strlen(good)) != NULL;
}

/* `text` is checked and has no padding; its length is not 1 modulo 4. */
static void decode(struct wps_str text, unsigned char *out, size_t *out_len)
{
  unsigned char block[TEXT_BLOCK], raw[RAW_BLOCK];
  size_t total = 0;

  while (text.len > 0) {
    size_t take = text.len < TEXT_BLOCK ? text.len : TEXT_BLOCK;
    size_t padded = (take + 3) / 4 * 4;
    size_t made = take / 4 * 3 + (take % 4 == 0 ? 0 : take % 4 - 1);

    for (size_t i = 0; i < take; i++) {
      char c = text.ptr[i];

      block[i] = (unsigned char)(c == '-' ? '+' : c == '_' ? '/' : c);
    }
    memset(block + take, '=', padded - take);
    CHECK(EVP_DecodeBlock(raw, block, (int)padded) == (int)(padded / 4 * 3));
    memcpy(out + total, raw, made);
    total += made;
    text.ptr += take;
    text.len -= take;
  }
  *out_len = total;
}

/* Of text without padding. */
static bool text_ok(struct wps_str text, bool url)
{
  size_t group = text.len % 4;

  if (group == 1)
    return false;
  for (size_t i = 0; i < text.len; i++)
    if (!in_alphabet(text.ptr[i], url ? '-' : '+', url ? '_' : '/'))
      return false;
  return group == 0 || tail_is_canonical(text.ptr[text.len - 1], group);
}

/* Takes the padding off; the length has to be a multiple of four. */
static bool unpad(struct wps_str *text)
{
  if (text->len % 4 != 0)
    return false;
  if (text->len > 0 && text->ptr[text->len - 1] == '=')
    text->len -= text->ptr[text->len - 2] == '=' ? 2 : 1;
  return true;
}

int base64_check(struct wps_str text, size_t *len)
{
  if (!unpad(&text) || !text_ok(text, false))
    return WPS_EPROTO;
  *len = text.len / 4 * 3 + (text.len % 4 == 0 ? 0 : text.len % 4 - 1);
  return WPS_OK;
}

int base64_decode(struct wps_str text, void *out, size_t *out_len)
{
  if (!unpad(&text) || !text_ok(text, false))
    return WPS_EPROTO;
  decode(text, out, out_len);
  return WPS_OK;
}

int base64url_decode(struct wps_str text, void *out, size_t *out_len)
{
  if (!text_ok(text, true))
    return WPS_EPROTO;
  decode(text, out, out_len);
  return WPS_OK;
}
