/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/bench_histogram.h - latencies, to 3 % of each, in a fixed table. */
#ifndef WPS_CTL_BENCH_HISTOGRAM_H
#define WPS_CTL_BENCH_HISTOGRAM_H

#include "base/base.h"

/* Each power of two is cut into HISTOGRAM_STEPS slots of equal width; what is
 * smaller than that has slots of its own. */
enum {
  HISTOGRAM_BITS = 5,
  HISTOGRAM_STEPS = 1 << HISTOGRAM_BITS,
  HISTOGRAM_SLOTS = (64 - HISTOGRAM_BITS + 1) * HISTOGRAM_STEPS
};

struct histogram {
  uint64_t counts[HISTOGRAM_SLOTS];
  uint64_t total, max;
};

static inline void histogram_add(struct histogram *h, int64_t value)
{
  uint64_t v = value > 0 ? (uint64_t)value : 0;
  /* How far v is to be shifted for its leading bits to name a step. */
  unsigned shift = v < HISTOGRAM_STEPS
                       ? 0
                       : 63u - HISTOGRAM_BITS - (unsigned)__builtin_clzll(v);

  h->counts[shift * HISTOGRAM_STEPS + (v >> shift)]++;
  h->total++;
  if (v > h->max)
    h->max = v;
}

void histogram_reset(struct histogram *h);
/* The value that the share `q` (0 to 1) of all stays below; 0 when empty. */
double histogram_quantile(const struct histogram *h, double q);

#endif
