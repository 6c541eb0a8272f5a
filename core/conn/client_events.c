/* SPDX-License-Identifier: Apache-2.0 */
/* conn/client_events.c - a queue of events per client, one under way. */
#include "conn/client_events.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "http/request.h"
#include "msg/event.h"
#include "plug/plugin.h"
#include "plug/reply.h"

struct waiting {
  struct list node;
  struct event *event;
  const struct hub_handler *handler;
  uint64_t state_serial; /* of the state in it */
  wps_answer_fn done;
  void *arg;
  uint64_t tag;
};

struct client_events {
  struct list node; /* conn_worker.events */
  struct wps_worker *worker;
  const struct hub_settings *settings;
  struct wps_conn_ref ref;
  struct conn_text *text; /* own copy */
  struct wps_str hub;     /* lives as long as the server */
  uint64_t next_sequence;
  char *app_state;
  size_t app_state_len;
  uint64_t state_serial; /* counts its changes */
  struct list queue;     /* struct waiting */
  size_t queue_count;
  struct waiting *current;
  struct wps_reply *reply; /* of current */
  struct defer failed;     /* current could not be handed over */
  bool connected, ended;
  uint16_t code;
  char *reason;
};

static void hand_over_failed(struct defer *self);

static bool name_matches(const struct hub_handler *h, struct wps_str name)
{
  if (h->all_user_events)
    return true;
  for (size_t i = 0; i < h->user_event_count; i++)
    if (str_ieq(h->user_events[i], name))
      return true;
  return false;
}

const struct hub_handler *handler_for_system(const struct hub_settings *s,
                                             uint32_t type)
{
  for (size_t i = 0; i < s->handler_count; i++)
    if ((s->handlers[i].system_events & type) != 0)
      return &s->handlers[i];
  return NULL;
}

const struct hub_handler *handler_for_user(const struct hub_settings *s,
                                           struct wps_str name)
{
  for (size_t i = 0; i < s->handler_count; i++)
    if (name_matches(&s->handlers[i], name))
      return &s->handlers[i];
  return NULL;
}

static void hand_over(struct wps_worker *w, const struct hub_handler *h,
                      const struct event *e, struct wps_reply *reply)
{
  const struct wps_instance *i = h->upstream;

  i->component->ops.upstream->deliver(i->inst, instance_worker_state(i, w),
                                      &h->view, &e->view, reply);
}

struct wps_reply *client_events_connect(
    struct wps_worker *w, const struct hub_handler *h,
    const struct wps_event *event, void (*fn)(void *arg, struct reply_result *),
    void *arg)
{
  struct event *e = event_new(event);
  struct wps_reply *reply;

  if (e == NULL)
    return NULL;
  reply = reply_new(w, h->upstream, w->conns->server->limits.event_timeout_ms,
                    fn, arg);
  if (reply != NULL) {
    /* The plugin may look at it until it finishes, also when nobody waits. */
    reply_hold(reply, request_release,
               request_ref((struct wps_request *)(uintptr_t)event->req));
    hand_over(w, h, e, reply);
  }
  event_unref(e);
  return reply;
}

/* ---- one client ---- */

static struct conn_text *text_copy(const struct conn_text *from)
{
  size_t size = from->id.len + from->user.len + from->subprotocol.len;
  struct conn_text *t = malloc(sizeof(*t) + size);
  char *at;

  if (t == NULL)
    return NULL;
  at = t->storage;
  t->id = str_put(&at, from->id);
  t->user = str_put(&at, from->user);
  t->subprotocol = str_put(&at, from->subprotocol);
  t->remote = STR_NONE;
  t->resumed_from = NULL;
  return t;
}

static int set_state(struct client_events *ce, struct wps_str state)
{
  char *copy;

  if (state.len > CLIENT_STATE_MAX)
    return WPS_ELIMIT;
  copy = malloc(state.len + 1);
  if (copy == NULL)
    return WPS_ENOMEM;
  if (state.len != 0)
    memcpy(copy, state.ptr, state.len);
  free(ce->app_state);
  ce->app_state = copy;
  ce->app_state_len = state.len;
  ce->state_serial++;
  return WPS_OK;
}

static void free_events(struct client_events *ce)
{
  list_remove(&ce->node);
  defer_cancel(&ce->failed);
  free(ce->text);
  free(ce->app_state);
  free(ce->reason);
  free(ce);
}

int client_events_begin(struct wps_conn *c, struct wps_str state)
{
  const struct hub *hub = c->client.hw->hub;
  struct client_events *ce;

  if (hub->settings->handler_count == 0)
    return WPS_OK;
  ce = calloc(1, sizeof(*ce));
  if (ce == NULL)
    return WPS_ENOMEM;
  list_init(&ce->node);
  list_init(&ce->queue);
  defer_init(&ce->failed, hand_over_failed);
  ce->worker = c->worker;
  ce->settings = hub->settings;
  ce->hub = hub->name;
  ce->ref = conn_ref(c);
  ce->next_sequence = 1;
  ce->text = text_copy(c->text);
  if (ce->text == NULL ||
      (state.ptr != NULL && set_state(ce, state) != WPS_OK)) {
    free_events(ce);
    return WPS_ENOMEM;
  }
  list_add_tail(&c->worker->conns->events, &ce->node);
  c->events = ce;
  return WPS_OK;
}

static struct wps_event blank(struct client_events *ce, uint32_t type)
{
  return (struct wps_event){.struct_size = sizeof(struct wps_event),
                            .type = type,
                            .sequence = ce->next_sequence++,
                            .ref = ce->ref,
                            .hub = ce->hub,
                            .conn = ce->text->id,
                            .user = ce->text->user,
                            .subprotocol = ce->text->subprotocol,
                            .app_state = {ce->app_state, ce->app_state_len}};
}

static void tell(struct client_events *ce, const struct wps_event *event)
{
  const struct hub_handler *h = handler_for_system(ce->settings, event->type);
  struct event *e;

  if (h == NULL)
    return;
  e = event_new(event);
  if (e == NULL) {
    log_line(WPS_LOG_ERROR, "core", "out of memory: an event is lost");
    return;
  }
  hand_over(ce->worker, h, e, NULL);
  event_unref(e);
}

void client_events_connected(struct wps_conn *c)
{
  struct wps_event event;

  if (c->events == NULL)
    return;
  c->events->connected = true;
  event = blank(c->events, WPS_EVENT_CONNECTED);
  tell(c->events, &event);
}

/* ---- the queue ---- */

static void pump(struct client_events *ce);

static void finish_current(struct client_events *ce, int status,
                           const struct wps_event_answer *answer)
{
  struct waiting *w = ce->current;

  ce->current = NULL;
  ce->reply = NULL;
  w->done(conn_find(ce->ref), w->arg, w->tag, status, answer);
  event_unref(w->event);
  free(w);
}

static void replied(void *arg, struct reply_result *result)
{
  struct client_events *ce = arg;
  struct answer *a = result->value;
  int status = result->status;

  if (result->kind == REPLY_ANSWER) {
    if ((a->view.flags & WPS_ANSWER_APP_STATE) != 0 &&
        set_state(ce, a->view.app_state) != WPS_OK)
      log_line(WPS_LOG_WARN, "core",
               "the state that an event handler returned is too large");
    if (a->view.code != 0 && (a->view.code < 200 || a->view.code > 299))
      status = WPS_EFORBIDDEN;
    finish_current(ce, status, &a->view);
  } else {
    if (result->kind == REPLY_DECLINE)
      status = WPS_EUNAVAILABLE;
    if (status != WPS_OK)
      log_line(WPS_LOG_WARN, "core", "event handler failed: %.*s",
               STR_ARG(result->detail));
    finish_current(ce, status, NULL);
  }
  pump(ce);
}

static void hand_over_failed(struct defer *self)
{
  struct client_events *ce = CONTAINER_OF(self, struct client_events, failed);

  finish_current(ce, WPS_ENOMEM, NULL);
  pump(ce);
}

/* An answer may have changed the state while the event waited. */
static void refresh_state(struct client_events *ce, struct waiting *w)
{
  struct wps_event view = w->event->view;
  struct event *fresh;

  if (w->state_serial == ce->state_serial)
    return;
  view.app_state = (struct wps_str){ce->app_state, ce->app_state_len};
  fresh = event_new(&view);
  if (fresh == NULL)
    return; /* the older state is better than no event */
  event_unref(w->event);
  w->event = fresh;
}

static void pump(struct client_events *ce)
{
  while (ce->current == NULL && !list_empty(&ce->queue)) {
    struct waiting *w =
        CONTAINER_OF(list_pop(&ce->queue), struct waiting, node);

    ce->queue_count--;
    ce->current = w;
    ce->reply = reply_new(ce->worker, w->handler->upstream,
                          ce->worker->conns->server->limits.event_timeout_ms,
                          replied, ce);
    if (ce->reply == NULL) {
      worker_defer(ce->worker, &ce->failed);
      return; /* never inside hub->event() */
    }
    refresh_state(ce, w);
    hand_over(ce->worker, w->handler, w->event, ce->reply);
  }
  if (ce->current == NULL && ce->ended) {
    struct wps_event event = blank(ce, WPS_EVENT_DISCONNECTED);

    event.code = ce->code;
    event.reason = str_from(ce->reason);
    if (ce->connected)
      tell(ce, &event);
    free_events(ce);
  }
}

int client_events_message(struct wps_conn *c,
                          const struct wps_client_event *what,
                          wps_answer_fn done, void *arg, uint64_t tag)
{
  struct client_events *ce = c->events;
  const struct hub_handler *h;
  struct wps_event event;
  struct waiting *w;

  if (what->name.len == 0 || what->msg == NULL || done == NULL)
    return WPS_EINVAL;
  if (ce == NULL || !conn_alive(c))
    return WPS_ENOTFOUND;
  h = handler_for_user(ce->settings, what->name);
  if (h == NULL) {
    ce->next_sequence++;
    return WPS_ENOTFOUND;
  }
  if (ce->queue_count >= conn_server_of(c)->limits.events_waiting)
    return WPS_EAGAIN;
  w = calloc(1, sizeof(*w));
  if (w == NULL)
    return WPS_ENOMEM;
  event = blank(ce, WPS_EVENT_MESSAGE);
  event.name = what->name;
  event.msg = what->msg;
  event.headers = what->headers;
  event.header_count = what->header_count;
  w->event = event_new(&event);
  if (w->event == NULL) {
    free(w);
    return WPS_ENOMEM;
  }
  w->handler = h;
  w->done = done;
  w->arg = arg;
  w->tag = tag;
  w->state_serial = ce->state_serial;
  list_add_tail(&ce->queue, &w->node);
  ce->queue_count++;
  pump(ce);
  return WPS_OK;
}

void client_events_end(struct wps_conn *c, uint16_t code, struct wps_str reason)
{
  struct client_events *ce = c->events;

  if (ce == NULL)
    return;
  c->events = NULL;
  ce->ended = true;
  ce->code = code;
  ce->reason = reason.len != 0 ? str_dup(reason) : NULL;
  pump(ce);
}

void client_events_cancel(struct wps_worker *w)
{
  struct list *head = &w->conns->events;

  while (!list_empty(head)) {
    struct client_events *ce =
        CONTAINER_OF(head->next, struct client_events, node);

    if (ce->reply != NULL)
      reply_abandon(ce->reply);
    if (ce->current != NULL)
      finish_current(ce, WPS_ECANCELED, NULL);
    while (!list_empty(&ce->queue)) {
      ce->current = CONTAINER_OF(list_pop(&ce->queue), struct waiting, node);
      finish_current(ce, WPS_ECANCELED, NULL);
    }
    ce->ended = true;
    pump(ce);
  }
}
