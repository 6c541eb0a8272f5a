/* SPDX-License-Identifier: Apache-2.0 */
/* base/buf.c - a growable byte buffer with a mandatory maximum.
 *
 * The block is always one byte larger than what it holds, so that buf_c() can
 * terminate in place; that byte does not count against the maximum.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum { BUF_FIRST = 64 };

void buf_init(struct buf *b, size_t max)
{
  *b = (struct buf){.max = max < SIZE_MAX / 2 ? max : SIZE_MAX / 2};
}

void buf_free(struct buf *b)
{
  free(b->data);
  buf_init(b, b->max);
}

void buf_reset(struct buf *b)
{
  b->len = 0;
  b->failed = false;
}

int buf_reserve(struct buf *b, size_t n)
{
  size_t need, cap;
  char *data;

  if (b->failed || b->len > b->max || n > b->max - b->len)
    return WPS_ETOOBIG;
  need = b->len + n + 1;
  if (need <= b->cap)
    return WPS_OK;
  cap = b->cap < BUF_FIRST ? BUF_FIRST : b->cap;
  while (cap < need)
    cap *= 2;
  if (cap > b->max + 1)
    cap = b->max + 1;
  data = realloc(b->data, cap);
  if (data == NULL)
    return WPS_ENOMEM;
  b->data = data;
  b->cap = cap;
  return WPS_OK;
}

int buf_add(struct buf *b, const void *bytes, size_t len)
{
  int rc;

  if (len == 0 && !b->failed)
    return WPS_OK;
  rc = buf_reserve(b, len);
  if (rc != WPS_OK) {
    b->failed = true;
    return rc;
  }
  memcpy(b->data + b->len, bytes, len);
  b->len += len;
  return WPS_OK;
}

int buf_add_str(struct buf *b, struct wps_str s)
{
  return buf_add(b, s.ptr, s.len);
}

int buf_add_c(struct buf *b, const char *terminated)
{
  return buf_add(b, terminated, strlen(terminated));
}

int buf_add_byte(struct buf *b, char c)
{
  return buf_add(b, &c, 1);
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
  va_list args;
  size_t room;
  int len, rc;

  if (b->failed)
    return WPS_ETOOBIG;
  room = b->cap - b->len;
  va_start(args, fmt);
  len = vsnprintf(b->cap == 0 ? NULL : b->data + b->len, room, fmt, args);
  va_end(args);
  if (len < 0) {
    b->failed = true;
    return WPS_ENOMEM;
  }
  rc = buf_reserve(b, (size_t)len);
  if (rc != WPS_OK) {
    b->failed = true;
    return rc;
  }
  if ((size_t)len >= room) {
    va_start(args, fmt);
    (void)vsnprintf(b->data + b->len, (size_t)len + 1, fmt, args);
    va_end(args);
  }
  b->len += (size_t)len;
  return WPS_OK;
}

void buf_consume(struct buf *b, size_t n)
{
  CHECK(n <= b->len);
  if (n == 0)
    return;
  if (n < b->len)
    memmove(b->data, b->data + n, b->len - n);
  b->len -= n;
}

const char *buf_c(struct buf *b)
{
  if (b->failed)
    return NULL;
  if (buf_reserve(b, 0) != WPS_OK) {
    b->failed = true;
    return NULL;
  }
  b->data[b->len] = '\0';
  return b->data;
}
