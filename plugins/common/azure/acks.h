/* SPDX-License-Identifier: Apache-2.0 */
/* acks.h - which ack ids of a client succeeded lately, and which are under way
 * (azure-client.md 5.5).
 *
 * Successes are runs of consecutive ids, because clients count: a client that
 * has made a million requests costs as much as one that made one. One that does
 * not count costs a hash set beside them, but no more time.
 * Nothing is allocated before the first ack id. Thread: the client's worker.
 */
#ifndef WPS_AZURE_ACKS_H
#define WPS_AZURE_ACKS_H

#include <webpubsub/types.h>

struct azure_acks;

enum { AZURE_ACK_NEW = 0, AZURE_ACK_PENDING, AZURE_ACK_DONE };

/* What is known about `id`; acks may be NULL. */
uint32_t azure_acks_find(const struct azure_acks *acks, uint64_t id);

/* `id`, which is new, is under way from now on. Errors: ENOMEM. */
int azure_acks_begin(struct azure_acks **acks, uint64_t id);

/* It has ended; a success is remembered among the last `window` ones. */
void azure_acks_end(struct azure_acks *acks, uint64_t id, bool success,
                    uint32_t window);

void azure_acks_free(struct azure_acks *acks);

#endif
