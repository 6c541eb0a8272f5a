/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/post.h"

#include <stdlib.h>

#include "loop/worker.h"
#include "loop/worker_private.h"

/* Closing and posting race. A poster says that it is between its question and
 * its push; the closer first shuts the door and then waits for those inside.
 * So a post that returned true has been pushed before the last drain, and one
 * that returned false has touched nothing. */

bool worker_post(struct wps_worker *w, struct post *post)
{
  struct mailbox *m = &w->mailbox;
  bool open;

  atomic_fetch_add(&m->posting, 1);
  open = !atomic_load(&m->closed);
  if (open) {
    mpsc_push(&m->queue, &post->node);
    worker_wake(w);
  }
  atomic_fetch_sub(&m->posting, 1);
  return open;
}

struct post_call {
  struct post post;
  wps_fn fn;
  void *arg;
};

static void post_call_run(struct post *self)
{
  struct post_call *call = CONTAINER_OF(self, struct post_call, post);
  wps_fn fn = call->fn;
  void *arg = call->arg;

  free(call);
  fn(arg);
}

int worker_post_fn(struct wps_worker *w, wps_fn fn, void *arg)
{
  struct post_call *call = malloc(sizeof(*call));

  if (call == NULL)
    return WPS_ENOMEM;
  call->post.fn = post_call_run;
  call->fn = fn;
  call->arg = arg;
  if (!worker_post(w, &call->post)) {
    free(call);
    return WPS_ECLOSED;
  }
  return WPS_OK;
}
