/* SPDX-License-Identifier: Apache-2.0 */
/* loop/post.h - mailboxes: run a function on another worker.
 *
 * Posts of one thread to one worker run in order. Several posts cost one
 * wake-up: the other one is woken when what a turn leads to has been posted. A
 * stopped worker refuses.
 */
#ifndef WPS_LOOP_POST_H
#define WPS_LOOP_POST_H

#include "base/mpsc.h"

struct wps_worker;

/* Intrusive post: the sender owns it until fn is entered, then the callee. */
struct post {
  struct mpsc_node node;
  void (*fn)(struct post *self);
};

struct mailbox {
  struct mpsc queue;
  atomic_bool closed;
  atomic_uint posting; /* threads inside worker_post() */
};

/* Thread: any. False when the worker has stopped: fn will not run. */
bool worker_post(struct wps_worker *w, struct post *post);
/* The same with a malloc'ed envelope. Errors: ENOMEM, ECLOSED. */
int worker_post_fn(struct wps_worker *w, wps_fn fn, void *arg);

#endif
