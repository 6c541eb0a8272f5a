/* SPDX-License-Identifier: Apache-2.0 */
/* base/mpsc.h - queue of many producers and one consumer, intrusive, FIFO per
 * producer (and in fact in order of the exchange). */
#ifndef WPS_BASE_MPSC_H
#define WPS_BASE_MPSC_H

#include <stdatomic.h>

#include "base/base.h"

struct mpsc_node {
  _Atomic(struct mpsc_node *) next;
};

struct mpsc {
  _Atomic(struct mpsc_node *) head; /* producers exchange here */
  struct mpsc_node *tail;           /* consumer */
  struct mpsc_node stub;
};

void mpsc_init(struct mpsc *q);
/* Thread: any. */
void mpsc_push(struct mpsc *q, struct mpsc_node *node);
/* Thread: the consumer. NULL when empty or when a producer is between its two
 * steps, which then wakes the consumer again itself. */
struct mpsc_node *mpsc_pop(struct mpsc *q);

#endif
