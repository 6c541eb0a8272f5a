/* SPDX-License-Identifier: Apache-2.0 */
/* base/check.h - assertions about our own bugs; input of a peer never asserts.
 *
 * CHECK stays in release builds and guards what would corrupt memory. DCHECK
 * exists with --enable-debug only.
 */
#ifndef WPS_BASE_CHECK_H
#define WPS_BASE_CHECK_H

#include <webpubsub/abi.h>

/* Print file, line and text to stderr and abort. */
void check_failed(const char *file, int line, const char *fmt, ...)
    WPS_PRINTF(3, 4) __attribute__((noreturn));

#define CHECK(cond)                                                            \
  do {                                                                         \
    if (__builtin_expect(!(cond), 0))                                          \
      check_failed(__FILE__, __LINE__, "%s", #cond);                           \
  } while (0)

#ifdef WPS_DEBUG
#define DCHECK(cond) CHECK(cond)
#else
#define DCHECK(cond) ((void)sizeof(!(cond)))
#endif

#endif
