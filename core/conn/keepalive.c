/* SPDX-License-Identifier: Apache-2.0 */
/* conn/keepalive.c - azure-client.md 9.2. */
#include "conn/keepalive.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "conn/close.h"
#include "conn/peer.h"

enum { SILENCE_MIN_MS = 30000, PROBE_INTERVAL_MAX_MS = 120000 };

static uint32_t interval_ms(const struct wps_conn *c)
{
  return c->peer != NULL ? c->peer->ping_ms
                         : c->client.hw->hub->settings->ping_interval_ms;
}

static uint64_t silence_max_ms(const struct wps_conn *c)
{
  uint64_t twice = 2 * (uint64_t)interval_ms(c);

  if (c->peer != NULL && c->peer->silence_ms != 0)
    return c->peer->silence_ms;
  return twice < SILENCE_MIN_MS ? SILENCE_MIN_MS : twice;
}

/* For how long has the other end not even acknowledged our pings? What it says
 * is not read while the client is held. Sockets that are no TCP tell when they
 * are written to. */
static uint64_t unacknowledged_ms(const struct wps_conn *c)
{
  struct tcp_info info = {0};
  socklen_t len = sizeof(info);

  if (getsockopt(stream_fd(c->stream), IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
    return 0;
  /* A window that is shut is asked about in intervals that grow. */
  if (c->out.blocked && info.tcpi_last_ack_recv <= PROBE_INTERVAL_MAX_MS)
    return 0;
  return info.tcpi_last_ack_recv;
}

static uint64_t silent_ms(const struct wps_conn *c)
{
  if (conn_held(c))
    return unacknowledged_ms(c);
  return (uint64_t)(c->worker->now_us - c->heard_us) / 1000;
}

/* Pings may be answered between the frames of a message that never ends. While
 * the client is held it cannot end. */
static bool is_stuck(struct wps_conn *c)
{
  int64_t age = frame_in_age_us(&c->in, c->worker->now_us, conn_held(c));

  return (uint64_t)age / 1000 > conn_server_of(c)->limits.message_timeout_ms;
}

static void tick(struct wps_conn *c)
{
  uint64_t silent = silent_ms(c), most = silence_max_ms(c);
  uint32_t next = interval_ms(c);

  if (is_stuck(c)) {
    conn_socket_lost(c, "MessageTimeout");
    return;
  }
  if (silent > most) {
    conn_socket_lost(c, "PingTimeout");
    return;
  }
  /* A queue that the socket does not take grows no further by pings; silence
   * ends such a client as well. */
  if (!c->out.blocked)
    outbound_frame(&c->out, c->worker, c->worker->conns->ping, 0, NULL);
  /* Silence need not last a whole number of intervals. */
  if (most - silent < next)
    next = (uint32_t)(most - silent) + 1;
  timer_start(c->worker, &c->timer, next);
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
