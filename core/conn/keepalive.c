/* SPDX-License-Identifier: Apache-2.0 */
/* conn/keepalive.c - azure-client.md 9.2. */
#include "conn/keepalive.h"

#include "conn/close.h"

enum { SILENCE_MIN_MS = 30000 };

static uint32_t interval_ms(const struct wps_conn *c)
{
  return c->client.hw->hub->settings->ping_interval_ms;
}

static void tick(struct wps_conn *c)
{
  uint64_t silence_ms = 2 * (uint64_t)interval_ms(c);
  int64_t silent_us = c->worker->now_us - c->heard_us;

  if (silence_ms < SILENCE_MIN_MS)
    silence_ms = SILENCE_MIN_MS;
  if (silent_us > (int64_t)silence_ms * 1000) {
    conn_socket_lost(c, "PingTimeout: nothing came from the client, not even "
                        "a pong");
    return;
  }
  /* A queue that the socket does not take grows no further by pings; silence
   * ends such a client as well. */
  if (!c->out.blocked)
    outbound_frame(&c->out, c->worker, c->worker->conns->ping, 0, NULL);
  timer_start(c->worker, &c->timer, interval_ms(c));
}

static void fired(struct timer *t)
{
  struct wps_conn *c = CONTAINER_OF(t, struct wps_conn, timer);

  if (c->state == WPS_CONN_DETACHED)
    conn_retention_over(c);
  else if (c->state == WPS_CONN_OPEN)
    tick(c);
}

void keepalive_start(struct wps_conn *c)
{
  c->timer.fn = fired;
  c->heard_us = c->worker->now_us;
  timer_start(c->worker, &c->timer, interval_ms(c));
}
