/* SPDX-License-Identifier: Apache-2.0 */
/* conn/event_queue.c - events and requests of a client that are answered in
 * their order, one under way. */
#include <stdlib.h>

#include "base/str.h"
#include "conn/event_handlers.h"
#include "conn/events_internal.h"
#include "conn/inbound.h"
#include "msg/message.h"

/* What one read may bring although the socket is held: that many empty
 * messages, and the end of one that had begun before. */
enum { EVENTS_AT_ONCE = WORKER_RECEIVE_BUFFER / 6 };

static uint64_t cost(const struct waiting *w)
{
  const struct wps_event *e = &w->event->view;

  return e->msg != NULL ? e->msg->cost : e->group.len;
}

static bool queue_is_full(const struct client_events *ce, uint32_t parts)
{
  const struct conn_server *server = ce->worker->conns->server;
  const struct conn_limits *l = &server->limits;

  /* Who has nothing waiting is never held: its next answer may be far away. */
  return ce->queue_count * parts >= l->events_waiting ||
         ce->queue_bytes * parts >= l->events_waiting_bytes ||
         (ce->queue_count != 0 &&
          atomic_load_explicit(&server->events_waiting, memory_order_relaxed) >=
              l->events_waiting_total);
}

/* Only a component that raises several for one frame, or does so later, comes
 * here: the socket of all others is not read any more. */
static bool queue_bursts(const struct client_events *ce, uint64_t bytes)
{
  const struct conn_limits *l = &ce->worker->conns->server->limits;

  return ce->queue_count >= (size_t)l->events_waiting + EVENTS_AT_ONCE ||
         ce->queue_bytes + bytes >
             l->events_waiting_bytes + l->message_max + WORKER_RECEIVE_BUFFER;
}

static void enqueue(struct client_events *ce, struct waiting *w)
{
  list_add_tail(&ce->queue, &w->node);
  ce->queue_count++;
  ce->takes_messages = true;
  events_count(ce, &ce->queue_bytes, cost(w), true);
}

static struct waiting *dequeue(struct client_events *ce, struct list *node)
{
  struct waiting *w = CONTAINER_OF(node, struct waiting, node);

  list_remove(node);
  ce->queue_count--;
  events_count(ce, &ce->queue_bytes, cost(w), false);
  return w;
}

/* Full: the client's socket is not read; half empty: it is read again. */
static void regulate(struct client_events *ce)
{
  struct wps_conn *c = ce->ended ? NULL : conn_find(ce->ref);

  if (c == NULL)
    return;
  if (queue_is_full(ce, 1))
    inbound_hold(c, CONN_HELD_EVENTS, true);
  else if (!queue_is_full(ce, 2))
    inbound_hold(c, CONN_HELD_EVENTS, false);
}

static void finish_current(struct client_events *ce, int status,
                           const struct wps_event_answer *answer)
{
  struct waiting *w = ce->current;

  ce->current = NULL;
  waiting_over(w, status, answer);
}

static void replied(void *arg, struct reply_result *result)
{
  struct client_events *ce = arg;
  struct wps_event *event = &ce->current->event->view;
  struct answer *a = result->kind == REPLY_ANSWER ? result->value : NULL;
  int status = events_outcome(event, result);

  if (status == WPS_OK)
    events_keep_state(ce, event, result);
  finish_current(ce, status, a != NULL ? &a->view : NULL);
  events_pump(ce);
}

static void hand_over_failed(struct defer *self)
{
  struct client_events *ce = CONTAINER_OF(self, struct client_events, failed);

  events_log_failed(&ce->current->event->view, STR("out of memory"));
  finish_current(ce, WPS_ENOMEM, NULL);
  events_pump(ce);
}

void event_queue_init(struct client_events *ce)
{
  list_init(&ce->queue);
  defer_init(&ce->failed, hand_over_failed);
}

/* An answer may have changed the state while the event waited. */
static void refresh_state(struct client_events *ce, struct waiting *w)
{
  struct wps_event view = w->event->view;
  struct event *fresh;

  if (w->state_serial == ce->state_serial)
    return;
  view.app_state = (struct wps_str){ce->app_state, ce->app_state_len};
  fresh = event_new(&view, ce->note);
  if (fresh == NULL)
    return; /* the older state is better than no event */
  event_unref(w->event);
  w->event = fresh;
}

void event_queue_pump(struct client_events *ce)
{
  if (ce->current == NULL && !list_empty(&ce->queue)) {
    struct waiting *w = dequeue(ce, ce->queue.next);

    ce->current = w;
    w->reply = events_reply(ce, w->handler, replied, ce);
    if (w->reply == NULL) {
      worker_defer(ce->worker, &ce->failed); /* never inside hub->event() */
    } else {
      refresh_state(ce, w);
      handler_give(ce->worker, w->handler, &w->event->view, w->reply);
    }
  }
  regulate(ce);
}

void event_queue_drop_asked(struct client_events *ce)
{
  struct list *node = ce->queue.next;

  while (node != &ce->queue) {
    struct waiting *w = CONTAINER_OF(node, struct waiting, node);

    node = node->next;
    if ((w->event->view.type & WPS_EVENT_ASKED) != 0)
      waiting_over(dequeue(ce, &w->node), WPS_ECANCELED, NULL);
  }
  if (ce->current == NULL || ce->current->reply == NULL ||
      (ce->current->event->view.type & WPS_EVENT_ASKED) == 0)
    return;
  reply_abandon(ce->current->reply);
  finish_current(ce, WPS_ECANCELED, NULL);
}

void event_queue_give_up(struct client_events *ce)
{
  uint64_t dropped = 0;
  char digits[LOG_NUMBER_ROOM];
  struct log_field fields[] = {
      {"hub", ce->hub}, {"connection", ce->text->id}, {"events", STR_NONE}};

  defer_cancel(&ce->failed);
  if (ce->current != NULL) {
    if (ce->current->reply != NULL)
      reply_abandon(ce->current->reply);
    events_log_failed(&ce->current->event->view,
                      STR("no answer soon enough after the end of the client"));
    finish_current(ce, WPS_ECANCELED, NULL);
  }
  while (!list_empty(&ce->queue)) {
    waiting_over(dequeue(ce, ce->queue.next), WPS_ECANCELED, NULL);
    dropped++;
  }
  if (dropped != 0) {
    fields[2].value = log_number(digits, dropped);
    log_fields(WPS_LOG_WARN, "core",
               "queued events of a client that has ended are dropped", fields,
               ARRAY_LEN(fields));
  }
}

/* ---- what is put into it ---- */

static int put(struct client_events *ce, struct waiting *w)
{
  enqueue(ce, w);
  events_pump(ce);
  return WPS_OK;
}

static int message(struct client_events *ce,
                   const struct wps_client_event *what, wps_answer_fn done,
                   void *arg, uint64_t tag)
{
  struct wps_event event = events_blank(ce, WPS_EVENT_MESSAGE);
  const struct hub_handler *h;
  struct waiting *w;

  event.sequence = ce->next_sequence++;
  event.name = what->name;
  event.msg = what->msg;
  event.headers = what->headers;
  event.header_count = what->header_count;
  h = handler_for(ce->worker, ce->settings, &event);
  if (h == NULL) {
    event_log(WPS_LOG_DEBUG, &event, "no handler takes the event", STR_NONE);
    return WPS_ENOTFOUND;
  }
  if ((what->flags & WPS_CLIENT_EVENT_CONCURRENT) != 0)
    return event_calls_begin(ce, &event, h, done, arg, tag);
  if (queue_bursts(ce, what->msg->cost)) {
    events_log_failed(&event, STR("too many events of the client wait"));
    return WPS_EAGAIN;
  }
  w = waiting_new(ce, &event, h);
  if (w == NULL)
    return WPS_ENOMEM;
  w->done.answered = done;
  w->arg = arg;
  w->tag = tag;
  return put(ce, w);
}

int client_events_message(struct wps_conn *c,
                          const struct wps_client_event *what,
                          wps_answer_fn done, void *arg, uint64_t tag)
{
  int rc;

  if (what->name.len == 0 || what->msg == NULL || done == NULL ||
      (what->flags & ~(uint32_t)WPS_CLIENT_EVENT_CONCURRENT) != 0)
    return WPS_EINVAL;
  if (c->events != NULL) { /* also in close() */
    rc = message(c->events, what, done, arg, tag);
  } else {
    const struct log_field field = {"event", what->name};

    if (log_enabled(WPS_LOG_DEBUG))
      conn_log(c, WPS_LOG_DEBUG, "no handler takes the event", &field, 1);
    rc = WPS_ENOTFOUND;
  }
  if (rc != WPS_OK)
    c->flags |= CONN_EVENT_FAILED;
  return rc;
}

int client_events_ask(struct wps_conn *c, const struct wps_client_request *what,
                      wps_conn_done_fn done, void *arg, uint64_t tag)
{
  struct client_events *ce = c->events;
  const struct hub_handler *h;
  struct wps_event event;
  struct waiting *w;

  if (done == NULL ||
      (what->type != WPS_EVENT_JOIN && what->type != WPS_EVENT_LEAVE &&
       what->type != WPS_EVENT_PUBLISH))
    return WPS_EINVAL;
  if (ce == NULL || (ce->may_take & what->type) == 0)
    return WPS_ENOTFOUND;
  if (!group_name_ok(what->group))
    return WPS_EINVAL;
  event = events_blank(ce, what->type);
  event.group = what->group;
  event.msg = what->type == WPS_EVENT_PUBLISH ? what->msg : NULL;
  h = handler_for(ce->worker, ce->settings, &event);
  if (h == NULL)
    return WPS_ENOTFOUND;
  if (!conn_alive(c))
    return WPS_ECLOSED; /* nobody decides for a client that has ended */
  event.sequence = ce->next_sequence++;
  if (queue_bursts(ce, event.msg != NULL ? event.msg->cost : 0)) {
    events_log_failed(&event, STR("too many events of the client wait"));
    return WPS_EAGAIN;
  }
  w = waiting_new(ce, &event, h);
  if (w == NULL)
    return WPS_ENOMEM;
  w->done.decided = done;
  w->arg = arg;
  w->tag = tag;
  return put(ce, w);
}
