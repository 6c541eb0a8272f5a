/* SPDX-License-Identifier: Apache-2.0 */
/* late.h - acks that wait a little, for a client that is not ready for them.
 *
 * The blocking client of Azure's SDK for Python starts something - a handshake,
 * a request - and then begins to wait until it is told of the end. When it is
 * told in between it sleeps for start_timeout or ack_timeout, 30 s. From a
 * server that is near this comes now and then; on a busy machine, often. (The
 * SDK's client for asyncio, which is well, introduces itself alike.) So both
 * answers come later: the first by wps_negotiation.delay_ms, acks by this.
 * Thread: the client's worker, json_late_wanted() any.
 */
#ifndef WPS_JSON_LATE_H
#define WPS_JSON_LATE_H

#include <webpubsub/host.h>
#include <webpubsub/subprotocol.h>

/* More acks than any such client waits for; over it the first goes at once. */
enum { JSON_LATE_MAX = 32 };

struct json_late {
  struct wps_timer *timer; /* while one waits */
  uint32_t delay_ms;
  uint32_t first, count;
  struct {
    struct wps_frame *frame;
    int64_t due_us;
  } acks[JSON_LATE_MAX];
};

/* Is it that client? */
bool json_late_wanted(const struct wps_request *req);

/* Send it later; takes the frame. */
void json_late_send(struct json_late *late, struct wps_conn *conn,
                    struct wps_frame *frame);
/* closing(): what waits goes before it. */
void json_late_flush(struct json_late *late, struct wps_conn *conn);
/* close() */
void json_late_clear(struct json_late *late);

#endif
