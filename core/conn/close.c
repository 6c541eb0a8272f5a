/* SPDX-License-Identifier: Apache-2.0 */
/* conn/close.c - ends, in one place. */
#include "conn/close.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/str.h"
#include "base/utf8.h"
#include "conn/client_events.h"
#include "conn/inbound.h"
#include "conn/linger.h"
#include "conn/membership.h"
#include "conn/session.h"
#include "hub/pending.h"
#include "hub/shared.h"

struct status_close {
  int status;
  uint16_t code;
  const char *name;
};

static const struct status_close status_closes[] = {
#define X(name, value, http, close, meaning) {value, close, #name},
    WPS_STATUS_MAP(X)
#undef X
};

static uint16_t code_of(int status)
{
  for (size_t i = 0; i < ARRAY_LEN(status_closes); i++)
    if (status_closes[i].status == status)
      return status_closes[i].code;
  return 1011;
}

static const char *cause_name(uint32_t cause)
{
  static const char *const names[] = {"client",  "command",      "shutdown",
                                      "slow",    "session_full", "silent",
                                      "too_big", "framing",      "failure"};

  return cause < ARRAY_LEN(names) ? names[cause] : "?";
}

enum end { END_BY_PLUGIN, END_BY_CORE, END_BY_CLIENT, END_DETACHED, END_LATE };

/* For a client, and for a peer, which has no session. */
static const char *const end_texts[][2] = {
    [END_BY_PLUGIN] = {"client closed by its subprotocol",
                       "peer closed by its plugin"},
    [END_BY_CORE] = {"client closed", "peer closed"},
    [END_BY_CLIENT] = {"client disconnected", "peer disconnected"},
    [END_DETACHED] = {"client detached", ""},
    [END_LATE] = {"session expired", ""},
};

static void log_end(const struct wps_conn *c, enum end end, uint16_t code,
                    struct wps_str reason, const char *cause)
{
  char digits[LOG_NUMBER_ROOM];
  struct log_field fields[] = {{"code", log_number(digits, code)},
                               {"reason", reason.len != 0 ? reason : STR_NONE},
                               {"cause", str_from(cause)}};

  if (!log_enabled(WPS_LOG_INFO))
    return;
  conn_log(c, WPS_LOG_INFO, end_texts[end][(c->flags & CONN_PEER) != 0], fields,
           ARRAY_LEN(fields));
}

/* Give the socket away. The input goes along unless frames are just being read
 * from it: then inbound.c sends it after. */
static struct linger *give_socket(struct wps_conn *c)
{
  struct linger *l = linger_take(c);

  if ((c->flags & CONN_FEEDING) != 0)
    c->worker->conns->feed_linger = l;
  else if (l != NULL)
    linger_adopt_input(l, &c->in);
  else
    frame_in_release(c->worker->conns->frames, &c->in);
  return l;
}

/* From here on nobody finds the client. */
static void begin_end(struct wps_conn *c, uint16_t code, struct wps_str told)
{
  DCHECK(conn_alive(c));
  c->state = WPS_CONN_CLOSING;
  c->end_code = code;
  free(c->end_told);
  c->end_told = told.len != 0 ? str_dup(told) : NULL;
  timer_stop(c->worker, &c->timer);
  worker_chore(c->worker, &c->finish);
}

/* What it is owed comes first. False: deliver() has ended it meanwhile. */
static bool still_alive(struct wps_conn *c)
{
  pending_settle(&c->client);
  return conn_alive(c);
}

/* Close frame, lingering socket, end. */
static struct linger *close_socket(struct wps_conn *c, uint16_t code,
                                   struct wps_str reason)
{
  if (c->stream == NULL)
    return NULL;
  /* Without memory for a close frame the socket just ends. */
  if (outbound_close(&c->out, c->worker, code, reason) != WPS_OK)
    outbound_drop_unsent(&c->out, c->worker);
  return give_socket(c);
}

void conn_close(struct wps_conn *c, uint16_t code, struct wps_str reason)
{
  if (!conn_alive(c) || !still_alive(c))
    return;
  reason = utf8_cut(reason, 123);
  log_end(c, END_BY_PLUGIN, code, reason, "subprotocol");
  close_socket(c, code, reason);
  /* azure-server.md 3.9 */
  begin_end(c, code,
            (c->flags & CONN_EVENT_FAILED) != 0 ? STR("SendEventFailed")
                                                : reason);
}

static void ask_for_last_words(struct wps_conn *c, struct wps_closing *how)
{
  if ((c->flags & CONN_GREETED) == 0 || !WPS_CAN(c->ops, closing))
    return;
  c->flags |= CONN_IN_CALLBACK;
  c->ops->closing(c, c->own, how);
  c->flags &= (uint16_t)~CONN_IN_CALLBACK;
}

static struct linger *close_core(struct wps_conn *c, uint32_t cause, int status,
                                 uint16_t code, struct wps_str reason)
{
  struct wps_closing how = {.struct_size = sizeof(how),
                            .cause = cause,
                            .status = status,
                            .code = code,
                            .reason = reason,
                            .told = reason};
  struct linger *l;

  ask_for_last_words(c, &how);
  /* closing() may have closed the client itself. */
  if (!conn_alive(c) || !still_alive(c))
    return NULL;
  how.reason = utf8_cut(how.reason, 123);
  log_end(c, END_BY_CORE, (uint16_t)how.code, how.told, cause_name(cause));
  l = close_socket(c, (uint16_t)how.code, how.reason);
  begin_end(c, (uint16_t)how.code, how.told);
  return l;
}

void conn_close_core(struct wps_conn *c, uint32_t cause, int status,
                     uint16_t code, struct wps_str reason)
{
  if (conn_alive(c))
    close_core(c, cause, status, code, reason);
}

void conn_close_later(struct wps_conn *c, uint32_t cause)
{
  if (!conn_alive(c) || c->close_cause != 0)
    return;
  c->close_cause = (uint8_t)cause;
  worker_defer(c->worker, &c->finish);
}

static void close_by_cause(struct wps_conn *c)
{
  uint32_t cause = c->close_cause;

  /* Here, lest it comes behind the drop. */
  pending_settle(&c->client);
  c->close_cause = 0;
  switch (cause) {
  case WPS_CLOSED_SLOW:
    /* The queue is what is too much: it does not go out any more. */
    outbound_drop_unsent(&c->out, c->worker);
    conn_close_core(c, cause, WPS_EAGAIN, 1008,
                    STR("The outbound message queue is full."));
    return;
  case WPS_CLOSED_SESSION_FULL:
    outbound_drop_unsent(&c->out, c->worker);
    conn_close_core(c, cause, WPS_EAGAIN, 1008,
                    STR("The reliable message buffer is full."));
    return;
  default:
    conn_close_core(c, WPS_CLOSED_FAILURE, WPS_ENOMEM, 1013,
                    STR("Out of memory."));
  }
}

void conn_close_failed(struct wps_conn *c, int status)
{
  uint16_t code = code_of(status);

  conn_close_core(c, WPS_CLOSED_FAILURE, status, code,
                  code == 1011 ? STR("Internal server error") : STR(""));
}

void conn_close_framing(struct wps_conn *c, uint16_t code, struct wps_str why)
{
  struct linger *l;

  if (!conn_alive(c))
    return;
  /* Not to be read from again, even when closing() gives the socket away. */
  frame_in_release(c->worker->conns->frames, &c->in);
  c->in = (struct frame_in){0};
  l = close_core(c, code == 1009 ? WPS_CLOSED_TOO_BIG : WPS_CLOSED_FRAMING,
                 code == 1009 ? WPS_ETOOBIG : WPS_EPROTO, code, why);
  if (l != NULL)
    linger_deafen(l);
}

/* ---- the socket's end ---- */

/* Does the client outlive this socket? Asks the subprotocol. */
static bool keeps(struct wps_conn *c, uint16_t code)
{
  int rc;

  if (c->session == NULL || session_retain_ms(c) == 0)
    return false;
  c->state = WPS_CONN_DETACHED;
  rc = WPS_CAN(c->ops, detached) ? c->ops->detached(c, c->own, code) : WPS_OK;
  return rc == WPS_OK;
}

static void detach_or_end(struct wps_conn *c, uint16_t code,
                          struct wps_str reason, const char *cause)
{
  if (keeps(c, code)) {
    if (c->state != WPS_CONN_DETACHED)
      return; /* closed inside detached() */
    log_end(c, END_DETACHED, code, reason, cause);
    session_wait(c);
    return;
  }
  if (!conn_alive(c))
    return;
  log_end(c, END_BY_CLIENT, code, reason, cause);
  begin_end(c, code, reason);
}

/* As if the end had come a little later: until then it is as open as any client
 * of which nothing is read. */
void conn_lost(struct wps_conn *c)
{
  inbound_hold(c, CONN_HELD_LOST, true);
  worker_chore(c->worker, &c->finish);
}

void conn_socket_lost(struct wps_conn *c, const char *why)
{
  struct stream *s = c->stream;
  char text[160];
  int len;

  if (s == NULL || c->state != WPS_CONN_OPEN)
    return;
  /* `why` may live in the stream. */
  len = snprintf(text, sizeof(text), "%s", why);
  c->stream = NULL;
  c->out.stream = NULL;
  c->flags &= (uint16_t)~CONN_HELD_LOST;
  outbound_clear(&c->out, c->worker);
  frame_in_release(c->worker->conns->frames, &c->in);
  stream_close(s, false);
  detach_or_end(c, 1006,
                (struct wps_str){text, len < (int)sizeof(text)
                                           ? (size_t)len
                                           : sizeof(text) - 1},
                "socket");
}

void conn_peer_closed(struct wps_conn *c, uint16_t code, struct wps_str reason)
{
  struct linger *l;

  if (c->state != WPS_CONN_OPEN || !still_alive(c) || c->stream == NULL)
    return;
  l = close_socket(c, code, STR_NONE);
  if (l != NULL)
    linger_peer_closed(l);
  detach_or_end(c, code, reason, "client");
}

void conn_retention_over(struct wps_conn *c)
{
  struct wps_str told = STR("The session was not resumed in time.");

  if (c->state != WPS_CONN_DETACHED)
    return;
  log_end(c, END_LATE, 1006, told, "retention");
  begin_end(c, 1006, told);
}

/* ---- the end ---- */

static void leave_all(struct wps_conn *c)
{
  while (c->client.member_count != 0)
    membership_end(c, c->client.members[c->client.member_count - 1],
                   WPS_BY_END);
}

static void end(struct wps_conn *c)
{
  struct wps_str told = str_from(c->end_told);

  if (c->client.hw != NULL)
    leave_all(c);
  if ((c->flags & CONN_GREETED) != 0)
    c->ops->close(c, c->own, c->end_code, told);
  client_events_end(c, c->end_code, told);
  if (c->client.hw != NULL) {
    shared_client_remove(c->client.hw->hub->shared, conn_id(c));
    hub_remove(&c->client);
  }
  conn_free(c);
}

void conn_finish(struct defer *self)
{
  struct wps_conn *c = CONTAINER_OF(self, struct wps_conn, finish);

  if ((c->flags & CONN_HELD_LOST) != 0) {
    const char *error = stream_error(c->stream);

    conn_socket_lost(c,
                     error[0] != '\0' ? error : "the client closed the socket");
  }
  if (c->close_cause != 0 && conn_alive(c)) {
    close_by_cause(c);
    return; /* which has queued the end */
  }
  if (!conn_alive(c))
    end(c);
}

void conn_end_now(struct wps_conn *c)
{
  if (conn_alive(c)) {
    log_end(c, END_BY_CORE, 1001, STR("ServiceReload"),
            cause_name(WPS_CLOSED_SHUTDOWN));
    begin_end(c, 1001, STR("ServiceReload"));
  }
  defer_cancel(&c->finish);
  end(c);
}
