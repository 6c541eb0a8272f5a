/* SPDX-License-Identifier: Apache-2.0 */
/* conn/out_same.h - what is the same for many queues is gathered once.
 *
 * Members of a group mostly have the same frames pending when the flusher comes
 * to them. The frames of a queue that is flushed are noted; when the next queue
 * has the same ones, they are copied into one piece, which is sent to that
 * queue and to all others like it. Good for one pass of the flusher. Thread:
 * the worker. */
#ifndef WPS_CONN_OUT_SAME_H
#define WPS_CONN_OUT_SAME_H

#include "conn/outbound.h"

/* A whole shared frame and nothing else. */
static inline bool out_is_plain(const struct out_unit *u)
{
  return u->head == NULL && u->expires == NULL && u->frame != NULL &&
         (u->flags & OUT_PAYLOAD) == 0;
}

/* Without memory nothing is shared. */
void out_same_start(struct out_same *same);
void out_same_stop(struct out_same *same);
void out_same_forget(struct out_same *same);

/* This queue is about to be written; one that has anything but whole shared
 * frames is passed over. */
void out_same_note(struct out_same *same, struct outbound *o);
/* Are its frames those that were noted, none of them begun? */
bool out_same_fits(const struct out_same *same, struct outbound *o);
/* All of them in one piece, until the next note. */
struct iovec out_same_bytes(struct out_same *same);

#endif
