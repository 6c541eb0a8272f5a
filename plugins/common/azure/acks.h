/* SPDX-License-Identifier: Apache-2.0 */
/* acks.h - which ack ids of a client succeeded lately, and which are under way
 * (azure-client.md 5.5).
 *
 * Successes are runs of consecutive ids, because clients count: a client that
 * has made a million requests costs as much as one that made one. One that does
 * not count costs a hash set beside them, but no more time.
 * Nothing is allocated while one run is all there is and what is under way lies
 * close together. Thread: the client's worker.
 */
#ifndef WPS_AZURE_ACKS_H
#define WPS_AZURE_ACKS_H

#include <webpubsub/types.h>

struct azure_acks_many;

/* Zero: none yet. */
struct azure_acks {
  struct azure_acks_many *many; /* NULL: the rest tells all */
  uint64_t first;               /* of the successes ...      */
  uint64_t pending;             /* the oldest ... */
  uint32_t count;               /* ... and how many */
  uint32_t pending_bits;        /* ... and those behind it, from bit 0 on */
};

enum { AZURE_ACK_NEW = 0, AZURE_ACK_PENDING, AZURE_ACK_DONE };

/* What is known about `id`. */
uint32_t azure_acks_find(const struct azure_acks *acks, uint64_t id);

/* `id`, which is new, is under way from now on. Errors: ENOMEM. */
int azure_acks_begin(struct azure_acks *acks, uint64_t id);

/* It has ended; a success is remembered among the last `window` ones. */
void azure_acks_end(struct azure_acks *acks, uint64_t id, bool success,
                    uint32_t window);

void azure_acks_clear(struct azure_acks *acks);

#endif
