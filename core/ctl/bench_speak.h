/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/bench_speak.h - what clients say: the three protocols. */
#ifndef WPS_CTL_BENCH_SPEAK_H
#define WPS_CTL_BENCH_SPEAK_H

#include "ctl/bench_traffic.h"

/* Sets what t->clients calls, and the subprotocol. */
void speak_init(struct traffic *t);
/* Token and request of a client: a member of its group, its publisher, or both.
 * False after a message. */
bool speak_prepare(struct traffic *t, struct access *a, struct client *c,
                   unsigned number);
/* The frame that a publisher sends. False when out of memory. */
bool speak_publisher(struct traffic *t, struct publisher *p);

#endif
