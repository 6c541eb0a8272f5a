/* SPDX-License-Identifier: Apache-2.0 */
/* base/quarantine.h - in debug builds objects that plugins hold are freed a
 * little later, so that their use after the end is recognised for certain and
 * named. Thread: any. */
#ifndef WPS_BASE_QUARANTINE_H
#define WPS_BASE_QUARANTINE_H

#include <stdlib.h>

#include "base/check.h"

#ifdef WPS_DEBUG
void quarantine_free(void *p);
/* A rule of the plugin ABI, checked in debug builds only. */
#define CONTRACT(cond, text)                                                   \
  do {                                                                         \
    if (__builtin_expect(!(cond), 0))                                          \
      check_failed(__FILE__, __LINE__, "contract violated: %s", text);         \
  } while (0)
#else
static inline void quarantine_free(void *p)
{
  free(p);
}
#define CONTRACT(cond, text) ((void)sizeof(!(cond)))
#endif

#endif
