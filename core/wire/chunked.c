/* SPDX-License-Identifier: Apache-2.0 */
/* wire/chunked.c - RFC 9112 7.1, to the letter.
 *
 * Whatever lets two readers see different chunks is refused: blanks and signs
 * around the size, anything but CRLF, LF inside an extension.
 */
#include "base/buf.h"
#include "wire/http_chars.h"
#include "wire/http_head.h"

enum {
  CH_SIZE, /* digits of a chunk size                */
  CH_EXT,  /* behind ';'                            */
  CH_SIZE_LF,
  CH_DATA,
  CH_DATA_CR,
  CH_DATA_LF,
  CH_LINE, /* start of a trailer, or the empty line */
  CH_NAME,
  CH_VALUE,
  CH_VALUE_LF,
  CH_END_LF,
  CH_DONE,
  CH_BAD
};

enum { SIZE_DIGITS_MAX = 16, TRAILER_MAX = 4096 };

void chunked_init(struct chunked *c)
{
  *c = (struct chunked){0};
}

static int hex_value(unsigned char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

static uint32_t size_byte(struct chunked *c, unsigned char b)
{
  int digit = hex_value(b);

  if (digit >= 0) {
    if (++c->digits > SIZE_DIGITS_MAX)
      return CH_BAD;
    c->left = c->left << 4 | (unsigned)digit;
    return CH_SIZE;
  }
  if (c->digits == 0)
    return CH_BAD;
  return b == '\r' ? CH_SIZE_LF : b == ';' ? CH_EXT : CH_BAD;
}

/* Every state but CH_DATA takes one byte at a time. */
static uint32_t step(struct chunked *c, unsigned char b)
{
  switch (c->state) {
  case CH_SIZE:
    return size_byte(c, b);
  case CH_EXT:
    return b == '\r' ? CH_SIZE_LF : http_is_value_char(b) ? CH_EXT : CH_BAD;
  case CH_SIZE_LF:
    c->digits = 0;
    return b != '\n' ? CH_BAD : c->left > 0 ? CH_DATA : CH_LINE;
  case CH_DATA_CR:
    return b == '\r' ? CH_DATA_LF : CH_BAD;
  case CH_DATA_LF:
    return b == '\n' ? CH_SIZE : CH_BAD;
  case CH_LINE:
    return b == '\r' ? CH_END_LF : http_is_tchar(b) ? CH_NAME : CH_BAD;
  case CH_NAME:
    return b == ':' ? CH_VALUE : http_is_tchar(b) ? CH_NAME : CH_BAD;
  case CH_VALUE:
    return b == '\r' ? CH_VALUE_LF : http_is_value_char(b) ? CH_VALUE : CH_BAD;
  case CH_VALUE_LF:
    return b == '\n' ? CH_LINE : CH_BAD;
  case CH_END_LF:
    return b == '\n' ? CH_DONE : CH_BAD;
  default:
    return CH_BAD;
  }
}

enum chunked_result chunked_feed(struct chunked *c, const char *data,
                                 size_t len, size_t *used, struct buf *body)
{
  size_t at = 0;

  while (at < len && c->state != CH_DONE && c->state != CH_BAD) {
    if (c->state == CH_DATA) {
      size_t take = c->left < len - at ? (size_t)c->left : len - at;

      if (buf_add(body, data + at, take) != WPS_OK) {
        c->state = CH_BAD;
        *used = at;
        return CHUNKED_TOO_BIG;
      }
      at += take;
      c->left -= take;
      if (c->left == 0)
        c->state = CH_DATA_CR;
      continue;
    }
    c->state = step(c, (unsigned char)data[at++]);
    if ((c->state == CH_EXT || c->state == CH_NAME || c->state == CH_VALUE) &&
        ++c->trailer > TRAILER_MAX)
      c->state = CH_BAD;
    /* Known to be too big before any of it is here. */
    if (c->state == CH_DATA && c->left > body->max - body->len) {
      c->state = CH_BAD;
      *used = at;
      return CHUNKED_TOO_BIG;
    }
  }
  *used = at;
  return c->state == CH_DONE  ? CHUNKED_DONE
         : c->state == CH_BAD ? CHUNKED_BAD
                              : CHUNKED_MORE;
}
