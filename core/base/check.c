/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void check_failed(const char *file, int line, const char *fmt, ...)
{
  char text[512];
  size_t len;
  int n;
  va_list ap;

  n = snprintf(text, sizeof(text), "%s:%d: check failed: ", file, line);
  len = n < 0 ? 0 : (size_t)n;
  if (len >= sizeof(text))
    len = sizeof(text) - 1;
  va_start(ap, fmt);
  n = vsnprintf(text + len, sizeof(text) - len, fmt, ap);
  va_end(ap);
  len += n < 0 ? 0 : (size_t)n;
  if (len >= sizeof(text))
    len = sizeof(text) - 1;
  text[len++] = '\n';
  /* Not through the log: its lock or its buffers may be what is broken. */
  if (write(STDERR_FILENO, text, len) < 0) {
    /* Nothing is left to tell it to. */
  }
  abort();
}
