/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mpsc.h"

/* Vyukov's intrusive queue. The stub lets the last real node leave: it is
 * pushed again behind it, so that the tail always has a successor to become. */

void mpsc_init(struct mpsc *q)
{
  atomic_init(&q->stub.next, NULL);
  atomic_init(&q->head, &q->stub);
  q->tail = &q->stub;
}

void mpsc_push(struct mpsc *q, struct mpsc_node *node)
{
  struct mpsc_node *before;

  atomic_store_explicit(&node->next, NULL, memory_order_relaxed);
  before = atomic_exchange_explicit(&q->head, node, memory_order_acq_rel);
  /* Until this store the consumer sees the queue end at `before`. */
  atomic_store_explicit(&before->next, node, memory_order_release);
}

struct mpsc_node *mpsc_pop(struct mpsc *q)
{
  struct mpsc_node *tail = q->tail;
  struct mpsc_node *next =
      atomic_load_explicit(&tail->next, memory_order_acquire);

  if (tail == &q->stub) {
    if (next == NULL)
      return NULL;
    q->tail = tail = next;
    next = atomic_load_explicit(&tail->next, memory_order_acquire);
  }
  if (next == NULL) {
    if (tail != atomic_load_explicit(&q->head, memory_order_acquire))
      return NULL; /* a producer is between its two steps */
    mpsc_push(q, &q->stub);
    next = atomic_load_explicit(&tail->next, memory_order_acquire);
    if (next == NULL)
      return NULL;
  }
  q->tail = next;
  return tail;
}
