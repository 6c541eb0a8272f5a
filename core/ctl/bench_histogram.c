/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/bench_histogram.h"

#include <string.h>

void histogram_reset(struct histogram *h)
{
  memset(h, 0, sizeof(*h));
}

/* The middle of what a slot holds. In the first two powers of two a slot is
 * one value; from then on the leading bit is part of the step. */
static double slot_value(unsigned slot)
{
  unsigned shift = 0;
  uint64_t step = slot;

  if (slot >= 2 * HISTOGRAM_STEPS) {
    shift = slot / HISTOGRAM_STEPS - 1;
    step = slot - (uint64_t)shift * HISTOGRAM_STEPS;
  }
  return ((double)step + (shift > 0 ? 0.5 : 0)) *
         (double)(UINT64_C(1) << shift);
}

double histogram_quantile(const struct histogram *h, double q)
{
  uint64_t below = 0, rank = (uint64_t)(q * (double)h->total);
  double value;

  for (unsigned i = 0; i < HISTOGRAM_SLOTS; i++) {
    below += h->counts[i];
    if (below > rank) {
      value = slot_value(i);
      return value < (double)h->max ? value : (double)h->max;
    }
  }
  return (double)h->max;
}
