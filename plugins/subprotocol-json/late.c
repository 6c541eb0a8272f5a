/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/subprotocol-json/late.h"

#include <string.h>

/* The application's own words may stand before it. */
static const char agent[] = "azsdk-python-webpubsub-client/";

bool json_late_wanted(const struct wps_request *req)
{
  struct wps_str text = wps->request->header(req, "User-Agent");

  return text.len >= sizeof(agent) - 1 &&
         memmem(text.ptr, text.len, agent, sizeof(agent) - 1) != NULL;
}

static struct wps_frame *take(struct json_late *late)
{
  struct wps_frame *frame = late->acks[late->first].frame;

  late->first = (late->first + 1) % JSON_LATE_MAX;
  late->count--;
  return frame;
}

/* A socket that has gone takes its acks along, these as well. */
static void send_first(struct json_late *late, struct wps_conn *conn)
{
  static const struct wps_str reason = WPS_STR_INIT("Out of memory.");
  struct wps_frame *frame = take(late);

  if (wps->conn->send(conn, frame) == WPS_ENOMEM)
    wps->conn->close(conn, 1011, reason);
  wps->message->frame_unref(frame);
}

static void fire(struct wps_conn *conn, void *arg);

static void start(struct json_late *late, struct wps_conn *conn, int64_t now_us)
{
  int64_t left_us = late->acks[late->first].due_us - now_us;

  late->timer = wps->conn->timer_start(conn, (uint64_t)(left_us + 999) / 1000,
                                       0, fire, late);
  if (late->timer == NULL)
    json_late_flush(late, conn); /* early is better than never */
}

static void fire(struct wps_conn *conn, void *arg)
{
  struct json_late *late = arg;
  int64_t now_us = wps->worker->now_us(wps->conn->worker(conn));

  late->timer = NULL;
  while (late->count > 0 && late->acks[late->first].due_us <= now_us)
    send_first(late, conn);
  if (late->count > 0)
    start(late, conn, now_us);
}

void json_late_send(struct json_late *late, struct wps_conn *conn,
                    struct wps_frame *frame)
{
  int64_t now_us = wps->worker->now_us(wps->conn->worker(conn));
  uint32_t last;

  if (late->count == JSON_LATE_MAX)
    send_first(late, conn);
  last = (late->first + late->count++) % JSON_LATE_MAX;
  late->acks[last].frame = frame;
  late->acks[last].due_us = now_us + (int64_t)late->delay_ms * 1000;
  if (late->timer == NULL)
    start(late, conn, now_us);
}

void json_late_flush(struct json_late *late, struct wps_conn *conn)
{
  while (late->count > 0)
    send_first(late, conn);
}

void json_late_clear(struct json_late *late)
{
  if (late->timer != NULL)
    wps->conn->timer_stop(late->timer);
  late->timer = NULL;
  while (late->count > 0)
    wps->message->frame_unref(take(late));
}
