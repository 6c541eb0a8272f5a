/* SPDX-License-Identifier: Apache-2.0 */
/* conn/client_events.c - the life of what one client tells its upstreams.
 *
 * Beside the queue of messages the connected event may be under way, and those
 * that wait for nothing. When the client has ended the last are abandoned, and
 * the queue has limits.events_after_end; then it is dropped, and the
 * disconnected event goes out, which nobody waits for. */
#include "conn/client_events.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "conn/event_handlers.h"
#include "conn/events_internal.h"
#include "http/request.h"
#include "msg/note.h"

static struct wps_reply *new_reply(struct wps_worker *w,
                                   const struct hub_handler *h, reply_fn fn,
                                   void *arg)
{
  return reply_new(w, h->upstream, w->conns->server->limits.event_timeout_ms,
                   fn, arg);
}

struct wps_reply *events_reply(struct client_events *ce,
                               const struct hub_handler *h, reply_fn fn,
                               void *arg)
{
  return new_reply(ce->worker, h, fn, arg);
}

/* ---- connect, before there is a client ---- */

struct wps_reply *client_events_connect(struct wps_worker *w,
                                        const struct hub_handler *h,
                                        const struct wps_event *event,
                                        struct note *note, reply_fn fn,
                                        void *arg)
{
  struct event *e = event_new(event, note);
  struct wps_reply *reply;

  if (e == NULL)
    return NULL;
  reply = new_reply(w, h, fn, arg);
  if (reply != NULL) {
    /* The plugin may look at it until it finishes, also when nobody waits. */
    reply_hold(reply, request_release,
               request_ref((struct wps_request *)(uintptr_t)event->req));
    handler_give(w, h, &e->view, reply);
  }
  event_unref(e);
  return reply;
}

/* ---- those that somebody waits for ---- */

struct waiting *waiting_new(struct client_events *ce,
                            const struct wps_event *view,
                            const struct hub_handler *h)
{
  struct waiting *w = calloc(1, sizeof(*w));

  if (w != NULL)
    w->event = event_new(view, ce->note);
  if (w == NULL || w->event == NULL) {
    free(w);
    events_log_failed(view, STR("out of memory"));
    return NULL;
  }
  list_init(&w->node);
  w->events = ce;
  w->handler = h;
  w->state_serial = ce->state_serial;
  return w;
}

void waiting_free(struct waiting *w)
{
  event_unref(w->event);
  free(w);
}

static void tell_answer(struct waiting *w, struct wps_conn *c, int status,
                        const struct wps_event_answer *answer)
{
  if (c != NULL && status != WPS_OK)
    c->flags |= CONN_EVENT_FAILED;
  w->done.answered(c, w->arg, w->tag, status, answer);
  if (c != NULL)
    c->flags &= (uint16_t)~CONN_EVENT_FAILED;
}

void waiting_over(struct waiting *w, int status,
                  const struct wps_event_answer *answer)
{
  struct wps_conn *c = conn_find(w->events->ref);

  if (w->event->view.type == WPS_EVENT_MESSAGE)
    tell_answer(w, c, status, answer);
  else
    /* What an upstream calls it makes no difference to one who is there. */
    w->done.decided(c, w->arg, w->tag,
                    status == WPS_OK || (c == NULL && status == WPS_ECANCELED)
                        ? status
                        : WPS_EFORBIDDEN);
  waiting_free(w);
}

void events_count(struct client_events *ce, uint64_t *counter, uint64_t bytes,
                  bool more)
{
  _Atomic uint64_t *all = &ce->worker->conns->server->events_waiting;

  *counter += more ? bytes : -bytes;
  atomic_fetch_add_explicit(all, more ? bytes : -bytes, memory_order_relaxed);
}

/* ---- one client ---- */

static struct client_text *text_copy(const struct wps_conn *from)
{
  struct wps_str id = conn_id(from), user = conn_user(from);
  struct wps_str subprotocol = conn_subprotocol(from);
  struct client_text *t =
      malloc(sizeof(*t) + id.len + user.len + subprotocol.len);
  char *at;

  if (t == NULL)
    return NULL;
  at = t->storage;
  t->id = str_put(&at, id);
  t->user = str_put(&at, user);
  t->subprotocol = str_put(&at, subprotocol);
  return t;
}

int events_set_state(struct client_events *ce, struct wps_str state)
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
  defer_cancel(&ce->withdraw);
  timer_stop(ce->worker, &ce->patience);
  note_unref(ce->note);
  free(ce->text);
  free(ce->app_state);
  free(ce->reason);
  free(ce);
}

static void patience_over(struct timer *self);

static void use_settings(struct client_events *ce,
                         const struct hub_settings *settings)
{
  ce->settings = settings;
  ce->may_take = handlers_may_take(settings);
  /* Who may want some one day does so when he does. */
  ce->takes_messages = (handlers_configured(settings) &
                        (WPS_EVENT_MESSAGE | WPS_EVENT_ASKED)) != 0;
}

bool client_events_queues(const struct wps_conn *c)
{
  return c->events != NULL &&
         (c->events->takes_messages || c->events->queue_count != 0);
}

int client_events_begin(struct wps_conn *c, struct note *note,
                        struct wps_str state)
{
  const struct hub *hub = c->client.hw->hub;
  const struct hub_settings *settings = hub->settings;
  struct client_events *ce;

  if (settings->handler_count == 0)
    return WPS_OK;
  ce = calloc(1, sizeof(*ce));
  if (ce == NULL)
    return WPS_ENOMEM;
  list_init(&ce->node);
  event_queue_init(ce);
  event_calls_init(ce);
  timer_init(&ce->patience, patience_over);
  ce->worker = c->worker;
  use_settings(ce, settings);
  ce->hub = hub->name;
  ce->ref = conn_ref(c);
  ce->next_sequence = 1;
  ce->note = note != NULL ? note_ref(note) : note_new();
  ce->text = text_copy(c);
  if (ce->note == NULL || ce->text == NULL ||
      (state.ptr != NULL && events_set_state(ce, state) != WPS_OK)) {
    free_events(ce);
    return WPS_ENOMEM;
  }
  list_add_tail(&c->worker->conns->events, &ce->node);
  c->events = ce;
  return WPS_OK;
}

int client_events_renew(struct wps_conn *c)
{
  int rc = WPS_OK;

  if (c->events != NULL) {
    use_settings(c->events, c->client.hw->hub->settings);
  } else {
    rc = client_events_begin(c, NULL, STR_NONE);
    /* Nobody heard of its coming, but somebody may hear of its end. */
    if (rc == WPS_OK && c->events != NULL)
      c->events->told_connected = true;
  }
  return rc;
}

struct wps_event events_blank(const struct client_events *ce, uint32_t type)
{
  return (struct wps_event){.struct_size = sizeof(struct wps_event),
                            .type = type,
                            .ref = ce->ref,
                            .hub = ce->hub,
                            .conn = ce->text->id,
                            .user = ce->text->user,
                            .subprotocol = ce->text->subprotocol,
                            .app_state = {ce->app_state, ce->app_state_len}};
}

/* ---- connected ---- */

static void connected_replied(void *arg, struct reply_result *result)
{
  struct client_events *ce = arg;
  const struct wps_event event = events_blank(ce, WPS_EVENT_CONNECTED);

  ce->connected = NULL;
  events_outcome(&event, result);
  events_pump(ce);
}

void client_events_connected(struct wps_conn *c)
{
  struct client_events *ce = c->events;
  const struct hub_handler *h;
  struct wps_event event;
  struct event *e;

  if (ce == NULL)
    return;
  ce->told_connected = true;
  event = events_blank(ce, WPS_EVENT_CONNECTED);
  event.sequence = ce->next_sequence++;
  h = handler_for(ce->worker, ce->settings, &event);
  if (h == NULL)
    return;
  e = event_new(&event, ce->note);
  if (e != NULL)
    ce->connected = new_reply(ce->worker, h, connected_replied, ce);
  if (ce->connected == NULL)
    events_log_failed(&event, STR("out of memory"));
  else
    handler_give(ce->worker, h, &e->view, ce->connected);
  event_unref(e);
}

/* ---- those that nobody waits for ---- */

static void tell(struct client_events *ce, const struct hub_handler *h,
                 const struct wps_event *event)
{
  struct event *e = event_new(event, ce->note);

  if (e == NULL)
    events_log_failed(event, STR("out of memory"));
  else
    handler_give(ce->worker, h, &e->view, NULL);
  event_unref(e);
}

void client_events_presence(struct wps_conn *c, uint32_t type,
                            struct wps_str group)
{
  struct client_events *ce = c->events;
  const struct hub_handler *h;
  struct wps_event event;

  if (ce == NULL || (ce->may_take & type) == 0)
    return;
  event = events_blank(ce, type);
  event.group = group;
  h = handler_for(ce->worker, ce->settings, &event);
  if (h == NULL)
    return;
  event.sequence = ce->next_sequence++;
  tell(ce, h, &event);
}

static void disconnected(struct client_events *ce)
{
  struct wps_event event = events_blank(ce, WPS_EVENT_DISCONNECTED);
  const struct hub_handler *h;

  event.sequence = ce->next_sequence++;
  event.code = ce->code;
  event.reason = ce->reason != NULL ? str_from(ce->reason) : STR("");
  h = handler_for(ce->worker, ce->settings, &event);
  if (h != NULL)
    tell(ce, h, &event);
}

/* ---- the end ---- */

void events_pump(struct client_events *ce)
{
  event_queue_pump(ce);
  if (!ce->ended || ce->current != NULL || ce->connected != NULL)
    return;
  if (ce->told_connected)
    disconnected(ce);
  free_events(ce);
}

/* Nobody waits any more; frees ce. */
static void give_up(struct client_events *ce)
{
  if (ce->connected != NULL)
    reply_abandon(ce->connected);
  ce->connected = NULL;
  event_calls_end(ce);
  event_queue_give_up(ce);
  ce->ended = true;
  events_pump(ce);
}

static void patience_over(struct timer *self)
{
  give_up(CONTAINER_OF(self, struct client_events, patience));
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
  timer_start(ce->worker, &ce->patience,
              conn_server_of(c)->limits.events_after_end_ms);
  event_calls_end(ce);
  event_queue_drop_asked(ce);
  events_pump(ce);
}

void client_events_cancel(struct wps_worker *w)
{
  struct list *head = &w->conns->events;

  while (!list_empty(head))
    give_up(CONTAINER_OF(head->next, struct client_events, node));
}
