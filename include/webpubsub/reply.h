/* SPDX-License-Identifier: Apache-2.0 */
/* webpubsub/reply.h - answering later, safely.
 *
 * The core hands a reply to a plugin together with a question (is this client
 * welcome? what does the upstream say? serve this HTTP request). The plugin
 * owes exactly one finishing call: ok(), fail() or decline() here, or the one
 * that carries a result in the header of its kind. It may come at once, inside
 * the callback, or later from any thread. Finishing consumes the reply.
 *
 * A reply outlives its question: when the client disconnects or the deadline
 * passes, the core stops caring but the pointer stays valid, and finishing it
 * is then a cheap no-op. There is no "connection already gone" to check for.
 */
#ifndef WEBPUBSUB_REPLY_H
#define WEBPUBSUB_REPLY_H

#include <webpubsub/types.h>

WPS_BEGIN_DECLS

struct wps_reply_api {
  uint32_t struct_size, reserved;

  /* Success without a result. Thread: any. Consumes reply. */
  void (*ok)(struct wps_reply *reply);

  /* Failure. `detail` is for the log and is copied; the client learns only
   * what WPS_STATUS_MAP says about `status`, and of a failed connect event
   * only 500. Anything that is no WPS_E* counts as EINTERNAL.
   * Thread: any. Consumes reply. */
  void (*fail)(struct wps_reply *reply, int status, struct wps_str detail);

  /* Not mine: the next auth component in the configured order is asked; when
   * all have declined, the hub's anonymous policy decides, and a route is
   * refused. Nobody is asked next about events and routes: a connect event is
   * refused, a message event fails with EUNAVAILABLE, a route answers 404.
   * Thread: any. Consumes reply. */
  void (*decline)(struct wps_reply *reply);

  /* True once nobody waits any more; a hint that lets costly work stop early,
   * never a duty to ask. Thread: any. */
  bool (*abandoned)(const struct wps_reply *reply);

  /* Ask to be told on `worker` when the reply is abandoned (deadline, shutdown,
   * the client of a handshake or of a request gone; for CONNECTED and MESSAGE
   * limits.events_after_end later), at most once and never after the finishing
   * call has returned on that worker. The finishing call is still owed, after
   * or inside fn. Thread: worker. Errors: EEXIST (one is set),
   * ECLOSED (already abandoned; fn will not run). */
  int (*on_abandon)(struct wps_reply *reply, struct wps_worker *worker,
                    wps_fn fn, void *arg);

  /* Monotonic deadline after which the core goes on as after fail(ETIMEOUT),
   * on the scale of worker->now_us; INT64_MAX for none. Thread: any. */
  int64_t (*deadline_us)(const struct wps_reply *reply);
};

WPS_END_DECLS

#endif
