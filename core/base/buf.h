/* SPDX-License-Identifier: Apache-2.0 */
/* base/buf.h - a growable byte buffer with a mandatory maximum. */
#ifndef WPS_BASE_BUF_H
#define WPS_BASE_BUF_H

#include "base/base.h"

struct buf {
  char *data; /* NULL while empty and never grown */
  size_t len;
  size_t cap;
  size_t max;
  bool failed; /* an append did not fit or malloc failed; sticky */
};

void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);  /* back to empty, memory released */
void buf_reset(struct buf *b); /* len 0, memory kept */
/* Room for n more bytes; Errors: ETOOBIG, ENOMEM. */
int buf_reserve(struct buf *b, size_t n);
/* Appends return WPS_OK, ETOOBIG or ENOMEM; after an error every further
 * append fails too, so that a sequence may be checked once at its end. */
int buf_add(struct buf *b, const void *bytes, size_t len);
int buf_add_str(struct buf *b, struct wps_str s);
int buf_add_c(struct buf *b, const char *terminated);
int buf_add_byte(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) WPS_PRINTF(2, 3);
/* Drop the first n bytes. */
void buf_consume(struct buf *b, size_t n);
/* Text that a C string function may read: terminated, without counting. NULL
 * when failed. */
const char *buf_c(struct buf *b);

#endif
