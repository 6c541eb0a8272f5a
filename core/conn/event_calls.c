/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/event_calls.h"

#include "base/str.h"
#include "conn/event_handlers.h"
#include "conn/events_internal.h"
#include "msg/message.h"

/* An empty one takes memory, too. */
static uint64_t cost(const struct wps_message *msg)
{
  return msg->cost + sizeof(struct waiting) + sizeof(struct event);
}

/* They end in any order, so that what waits in bytes is all there is to count;
 * who has none under way may always begin one. */
static bool too_many(const struct client_events *ce, uint64_t bytes)
{
  const struct conn_server *server = ce->worker->conns->server;
  const struct conn_limits *l = &server->limits;

  return ce->call_bytes != 0 &&
         (ce->call_bytes + bytes > l->events_waiting_bytes ||
          atomic_load_explicit(&server->events_waiting, memory_order_relaxed) >=
              l->events_waiting_total);
}

static void take_out(struct waiting *w)
{
  struct client_events *ce = w->events;

  list_remove(&w->node);
  events_count(ce, &ce->call_bytes, cost(w->event->view.msg), false);
}

static void replied(void *arg, struct reply_result *result)
{
  struct waiting *w = arg;
  const struct wps_event *event = &w->event->view;
  struct answer *a = result->kind == REPLY_ANSWER ? result->value : NULL;
  int status = events_outcome(event, result);

  if (status == WPS_OK)
    events_keep_state(w->events, event, result);
  take_out(w);
  waiting_over(w, status, a != NULL ? &a->view : NULL);
}

/* ---- withdrawn ---- */

static void tell_withdrawn(struct client_events *ce)
{
  while (!list_empty(&ce->withdrawn))
    waiting_over(CONTAINER_OF(list_pop(&ce->withdrawn), struct waiting, node),
                 WPS_ECANCELED, NULL);
}

static void withdraw(struct defer *self)
{
  tell_withdrawn(CONTAINER_OF(self, struct client_events, withdraw));
}

static void abandon(struct waiting *w)
{
  take_out(w);
  list_add_tail(&w->events->withdrawn, &w->node);
  reply_abandon(w->reply);
}

void event_calls_cancel(struct wps_conn *c, void *arg, uint64_t tag)
{
  struct client_events *ce = c->events;
  struct list *node;

  if (ce == NULL)
    return;
  for (node = ce->calls.next; node != &ce->calls; node = node->next) {
    struct waiting *w = CONTAINER_OF(node, struct waiting, node);

    if (w->arg != arg || w->tag != tag)
      continue;
    abandon(w);
    worker_defer(ce->worker, &ce->withdraw);
    return;
  }
}

/* ---- life ---- */

void event_calls_init(struct client_events *ce)
{
  list_init(&ce->calls);
  list_init(&ce->withdrawn);
  defer_init(&ce->withdraw, withdraw);
}

int event_calls_begin(struct client_events *ce, struct wps_event *event,
                      const struct hub_handler *h, wps_answer_fn done,
                      void *arg, uint64_t tag)
{
  struct waiting *w;

  if (too_many(ce, cost(event->msg))) {
    events_log_failed(event, STR("too many events of the client wait"));
    return WPS_EAGAIN;
  }
  event->flags = WPS_EVENT_CONCURRENT;
  w = waiting_new(ce, event, h);
  if (w == NULL)
    return WPS_ENOMEM;
  w->reply = events_reply(ce, h, replied, w);
  if (w->reply == NULL) {
    events_log_failed(event, STR("out of memory"));
    waiting_free(w);
    return WPS_ENOMEM;
  }
  w->done.answered = done;
  w->arg = arg;
  w->tag = tag;
  list_add_tail(&ce->calls, &w->node);
  events_count(ce, &ce->call_bytes, cost(event->msg), true);
  handler_give(ce->worker, h, &w->event->view, w->reply);
  return WPS_OK;
}

void event_calls_end(struct client_events *ce)
{
  while (!list_empty(&ce->calls))
    abandon(CONTAINER_OF(ce->calls.next, struct waiting, node));
  defer_cancel(&ce->withdraw);
  tell_withdrawn(ce);
}
