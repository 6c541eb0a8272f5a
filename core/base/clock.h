/* SPDX-License-Identifier: Apache-2.0 */
/* base/clock.h - monotonic and wall clock; replaceable in unit tests. */
#ifndef WPS_BASE_CLOCK_H
#define WPS_BASE_CLOCK_H

#include "base/base.h"

int64_t clock_now_us(void);  /* monotonic */
int64_t clock_unix_ms(void); /* wall      */

#endif
