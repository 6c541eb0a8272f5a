/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <time.h>

#include "base/check.h"

/* Weak, so that a unit test may bring a clock of its own. */

__attribute__((weak)) int64_t clock_now_us(void)
{
  struct timespec ts;

  CHECK(clock_gettime(CLOCK_MONOTONIC, &ts) == 0);
  return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

__attribute__((weak)) int64_t clock_unix_ms(void)
{
  struct timespec ts;

  CHECK(clock_gettime(CLOCK_REALTIME, &ts) == 0);
  return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
