/* SPDX-License-Identifier: Apache-2.0 */
/* conn/plugin_timer.c - one small block per timer of a plugin. */
#include "conn/plugin_timer.h"

#include <stdlib.h>

#include "conn/conn.h"

struct wps_timer {
  struct timer timer;
  struct wps_timer *next, **at; /* of the client, or of the worker */
  struct wps_worker *worker;
  struct wps_conn *conn; /* NULL: of the worker */
  uint64_t repeat_ms;
  union {
    wps_fn plain;
    wps_conn_fn conn;
  } fn;
  void *arg;
};

static void take_out(struct wps_timer *t)
{
  *t->at = t->next;
  if (t->next != NULL)
    t->next->at = t->at;
}

static void fired(struct timer *timer)
{
  struct wps_timer *t = CONTAINER_OF(timer, struct wps_timer, timer);
  struct wps_timer copy = *t;

  /* fn may stop a repeating timer: it is not looked at afterwards. */
  if (t->repeat_ms != 0) {
    timer_start(t->worker, &t->timer, t->repeat_ms);
  } else {
    take_out(t);
    free(t);
  }
  if (copy.conn != NULL && conn_alive(copy.conn))
    copy.fn.conn(copy.conn, copy.arg);
  else if (copy.conn == NULL)
    copy.fn.plain(copy.arg);
}

static struct wps_timer *timer_new(struct wps_worker *w,
                                   struct wps_timer **owner, uint64_t delay_ms,
                                   uint64_t repeat_ms, void *arg)
{
  struct wps_timer *t = calloc(1, sizeof(*t));

  if (t == NULL)
    return NULL;
  timer_init(&t->timer, fired);
  t->next = *owner;
  t->at = owner;
  if (t->next != NULL)
    t->next->at = &t->next;
  *owner = t;
  t->worker = w;
  t->repeat_ms = repeat_ms;
  t->arg = arg;
  timer_start(w, &t->timer, delay_ms);
  return t;
}

struct wps_timer *plugin_timer_start(struct wps_worker *w,
                                     struct wps_timer **owner,
                                     uint64_t delay_ms, uint64_t repeat_ms,
                                     wps_fn fn, void *arg)
{
  struct wps_timer *t = timer_new(w, owner, delay_ms, repeat_ms, arg);

  if (t != NULL)
    t->fn.plain = fn;
  return t;
}

struct wps_timer *plugin_timer_start_conn(struct wps_conn *conn,
                                          uint64_t delay_ms, uint64_t repeat_ms,
                                          wps_conn_fn fn, void *arg)
{
  struct wps_timer *t =
      timer_new(conn->worker, &conn->timers, delay_ms, repeat_ms, arg);

  if (t != NULL) {
    t->conn = conn;
    t->fn.conn = fn;
  }
  return t;
}

void plugin_timer_stop(struct wps_timer *t)
{
  timer_stop(t->worker, &t->timer);
  take_out(t);
  free(t);
}

void plugin_timers_stop(struct wps_timer **owner, struct wps_worker *w)
{
  struct wps_timer *t;

  while ((t = *owner) != NULL) {
    timer_stop(w, &t->timer);
    take_out(t);
    free(t);
  }
}
