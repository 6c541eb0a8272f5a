/* SPDX-License-Identifier: Apache-2.0 */
/* conn/client_events.c - a queue of events per client, one under way.
 *
 * Beside the messages the connected event may be under way. When the client has
 * ended they have limits.events_after_end; then their replies are abandoned,
 * what is queued is dropped, and the disconnected event goes out, which nobody
 * waits for. */
#include "conn/client_events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "conn/inbound.h"
#include "http/request.h"
#include "msg/event.h"
#include "msg/message.h"
#include "msg/note.h"
#include "plug/plugin.h"
#include "plug/reply.h"

/* What one read may bring although the socket is held: that many empty
 * messages, and the end of one that had begun before. */
enum { EVENTS_AT_ONCE = WORKER_RECEIVE_BUFFER / 6 };

struct waiting {
  struct list node;
  struct event *event;
  const struct hub_handler *handler;
  uint64_t state_serial; /* of the state in it */
  wps_answer_fn done;
  void *arg;
  uint64_t tag;
};

struct client_text {
  struct wps_str id, user, subprotocol;
  char storage[];
};

struct client_events {
  struct list node; /* conn_worker.events */
  struct wps_worker *worker;
  const struct hub_settings *settings;
  struct wps_conn_ref ref;
  struct client_text *text;
  struct wps_str hub; /* lives as long as the server */
  uint64_t next_sequence;
  struct note *note; /* shared with all its events */
  char *app_state;
  size_t app_state_len;
  uint64_t state_serial; /* counts its changes */
  struct list queue;     /* struct waiting */
  size_t queue_count;
  uint64_t queue_bytes;
  struct waiting *current;
  struct wps_reply *reply;     /* of current */
  struct wps_reply *connected; /* of the connected event while it lasts */
  struct defer failed;         /* current could not be handed over */
  struct timer patience;       /* the client has ended */
  bool takes_messages;         /* some handler of the settings does */
  bool told_connected, ended;
  uint16_t code;
  char *reason;
};

/* ---- handlers ---- */

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

static struct wps_reply *new_reply(struct wps_worker *w,
                                   const struct hub_handler *h, reply_fn fn,
                                   void *arg)
{
  return reply_new(w, h->upstream, w->conns->server->limits.event_timeout_ms,
                   fn, arg);
}

/* ---- the log ---- */

static struct wps_str event_name(const struct wps_event *event)
{
  switch (event->type) {
  case WPS_EVENT_CONNECT:
    return STR("connect");
  case WPS_EVENT_CONNECTED:
    return STR("connected");
  case WPS_EVENT_DISCONNECTED:
    return STR("disconnected");
  default:
    return event->name;
  }
}

void event_log(uint32_t level, const struct wps_event *event,
               const char *message, struct wps_str cause)
{
  struct log_field fields[] = {
      {"hub", event->hub},
      {"connection", event->conn},
      {"user", event->user.len != 0 ? event->user : STR_NONE},
      {"event", event_name(event)},
      {"cause", cause.len != 0 ? cause : STR_NONE}};

  if (log_enabled(level))
    log_fields(level, "core", message, fields, ARRAY_LEN(fields));
}

static void log_failed(const struct wps_event *event, struct wps_str cause)
{
  event_log(WPS_LOG_WARN, event, "event failed", cause);
}

/* What went wrong, for the log; WPS_OK: nothing. */
static int outcome(const struct reply_result *result, char room[64],
                   struct wps_str *cause)
{
  const struct answer *a = result->value;

  *cause = result->detail;
  if (result->kind == REPLY_DECLINE) {
    *cause = STR("the upstream does not take it");
    return WPS_EUNAVAILABLE;
  }
  if (result->kind != REPLY_ANSWER) {
    if (cause->len == 0)
      *cause = STR("the upstream gives no reason");
    return result->status;
  }
  if (a->view.code == 0 || (a->view.code >= 200 && a->view.code <= 299))
    return WPS_OK;
  *cause = (struct wps_str){
      room, (size_t)snprintf(room, 64, "the handler answered with status %u",
                             a->view.code)};
  return WPS_EFORBIDDEN;
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
    hand_over(w, h, e, reply);
  }
  event_unref(e);
  return reply;
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
  timer_stop(ce->worker, &ce->patience);
  note_unref(ce->note);
  free(ce->text);
  free(ce->app_state);
  free(ce->reason);
  free(ce);
}

static void hand_over_failed(struct defer *self);
static void patience_over(struct timer *self);

static void use_settings(struct client_events *ce,
                         const struct hub_settings *settings)
{
  ce->settings = settings;
  ce->takes_messages = false;
  for (size_t i = 0; i < settings->handler_count; i++) {
    const struct hub_handler *h = &settings->handlers[i];

    if (h->all_user_events || h->user_event_count != 0)
      ce->takes_messages = true;
  }
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
  list_init(&ce->queue);
  defer_init(&ce->failed, hand_over_failed);
  timer_init(&ce->patience, patience_over);
  ce->worker = c->worker;
  use_settings(ce, settings);
  ce->hub = hub->name;
  ce->ref = conn_ref(c);
  ce->next_sequence = 1;
  ce->note = note != NULL ? note_ref(note) : note_new();
  ce->text = text_copy(c);
  if (ce->note == NULL || ce->text == NULL ||
      (state.ptr != NULL && set_state(ce, state) != WPS_OK)) {
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

/* ---- connected, disconnected ---- */

static void pump(struct client_events *ce);

static void connected_replied(void *arg, struct reply_result *result)
{
  struct client_events *ce = arg;
  char room[64];
  struct wps_str cause;

  ce->connected = NULL;
  if (outcome(result, room, &cause) != WPS_OK)
    log_failed(&(struct wps_event){.type = WPS_EVENT_CONNECTED,
                                   .hub = ce->hub,
                                   .conn = ce->text->id,
                                   .user = ce->text->user},
               cause);
  pump(ce);
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
  event = blank(ce, WPS_EVENT_CONNECTED);
  h = handler_for_system(ce->settings, WPS_EVENT_CONNECTED);
  if (h == NULL)
    return;
  e = event_new(&event, ce->note);
  if (e != NULL)
    ce->connected = new_reply(ce->worker, h, connected_replied, ce);
  if (ce->connected == NULL)
    log_failed(&event, STR("out of memory"));
  else
    hand_over(ce->worker, h, e, ce->connected);
  event_unref(e);
}

static void disconnected(struct client_events *ce)
{
  const struct hub_handler *h =
      handler_for_system(ce->settings, WPS_EVENT_DISCONNECTED);
  struct wps_event event = blank(ce, WPS_EVENT_DISCONNECTED);
  struct event *e;

  if (h == NULL)
    return;
  event.code = ce->code;
  event.reason = ce->reason != NULL ? str_from(ce->reason) : STR("");
  e = event_new(&event, ce->note);
  if (e == NULL)
    log_failed(&event, STR("out of memory"));
  else
    hand_over(ce->worker, h, e, NULL);
  event_unref(e);
}

/* ---- the queue ---- */

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

static void count_bytes(struct client_events *ce, uint64_t bytes, bool more)
{
  _Atomic uint64_t *all = &ce->worker->conns->server->events_waiting;

  ce->queue_bytes += more ? bytes : -bytes;
  atomic_fetch_add_explicit(all, more ? bytes : -bytes, memory_order_relaxed);
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
  count_bytes(ce, w->event->view.msg->cost, true);
}

static struct waiting *dequeue(struct client_events *ce)
{
  struct waiting *w = CONTAINER_OF(list_pop(&ce->queue), struct waiting, node);

  ce->queue_count--;
  count_bytes(ce, w->event->view.msg->cost, false);
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
  struct wps_conn *c = conn_find(ce->ref);

  ce->current = NULL;
  ce->reply = NULL;
  if (c != NULL && status != WPS_OK)
    c->flags |= CONN_EVENT_FAILED;
  w->done(c, w->arg, w->tag, status, answer);
  if (c != NULL)
    c->flags &= (uint16_t)~CONN_EVENT_FAILED;
  event_unref(w->event);
  free(w);
}

static void keep_state(struct client_events *ce, const struct answer *a)
{
  if ((a->view.flags & WPS_ANSWER_APP_STATE) != 0 &&
      set_state(ce, a->view.app_state) != WPS_OK)
    event_log(WPS_LOG_WARN, &ce->current->event->view,
              "the state that an event handler returned is not kept",
              a->view.app_state.len > CLIENT_STATE_MAX
                  ? STR("it is larger than 64 KiB")
                  : STR("out of memory"));
}

static void replied(void *arg, struct reply_result *result)
{
  struct client_events *ce = arg;
  struct answer *a = result->kind == REPLY_ANSWER ? result->value : NULL;
  struct wps_str cause;
  char room[64];
  int status = outcome(result, room, &cause);

  if (status != WPS_OK)
    log_failed(&ce->current->event->view, cause);
  else if (a != NULL)
    keep_state(ce, a);
  finish_current(ce, status, a != NULL ? &a->view : NULL);
  pump(ce);
}

static void hand_over_failed(struct defer *self)
{
  struct client_events *ce = CONTAINER_OF(self, struct client_events, failed);

  log_failed(&ce->current->event->view, STR("out of memory"));
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
  fresh = event_new(&view, ce->note);
  if (fresh == NULL)
    return; /* the older state is better than no event */
  event_unref(w->event);
  w->event = fresh;
}

/* Whatever can be done next; may free ce. */
static void pump(struct client_events *ce)
{
  if (ce->current == NULL && !list_empty(&ce->queue)) {
    struct waiting *w = dequeue(ce);

    ce->current = w;
    ce->reply = new_reply(ce->worker, w->handler, replied, ce);
    if (ce->reply == NULL) {
      worker_defer(ce->worker, &ce->failed); /* never inside hub->event() */
    } else {
      refresh_state(ce, w);
      hand_over(ce->worker, w->handler, w->event, ce->reply);
    }
  }
  regulate(ce);
  if (ce->ended && ce->current == NULL && ce->connected == NULL) {
    if (ce->told_connected)
      disconnected(ce);
    free_events(ce);
  }
}

static int message(struct wps_conn *c, const struct wps_client_event *what,
                   wps_answer_fn done, void *arg, uint64_t tag)
{
  struct client_events *ce = c->events;
  const struct hub_handler *h;
  struct wps_event event;
  struct waiting *w;

  event = blank(ce, WPS_EVENT_MESSAGE);
  event.name = what->name;
  event.msg = what->msg;
  event.headers = what->headers;
  event.header_count = what->header_count;
  h = handler_for_user(ce->settings, what->name);
  if (h == NULL) {
    event_log(WPS_LOG_DEBUG, &event, "no handler takes the event", STR_NONE);
    return WPS_ENOTFOUND;
  }
  if (queue_bursts(ce, what->msg->cost)) {
    log_failed(&event, STR("too many events of the client wait"));
    return WPS_EAGAIN;
  }
  w = calloc(1, sizeof(*w));
  if (w != NULL)
    w->event = event_new(&event, ce->note);
  if (w == NULL || w->event == NULL) {
    free(w);
    log_failed(&event, STR("out of memory"));
    return WPS_ENOMEM;
  }
  w->handler = h;
  w->done = done;
  w->arg = arg;
  w->tag = tag;
  w->state_serial = ce->state_serial;
  enqueue(ce, w);
  pump(ce);
  return WPS_OK;
}

int client_events_message(struct wps_conn *c,
                          const struct wps_client_event *what,
                          wps_answer_fn done, void *arg, uint64_t tag)
{
  int rc;

  if (what->name.len == 0 || what->msg == NULL || done == NULL)
    return WPS_EINVAL;
  if (c->events != NULL) { /* also in close() */
    rc = message(c, what, done, arg, tag);
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

/* ---- the end ---- */

/* Nobody waits any more; frees ce. */
static void give_up(struct client_events *ce)
{
  uint64_t dropped = 0;
  char digits[LOG_NUMBER_ROOM];
  struct log_field fields[] = {
      {"hub", ce->hub}, {"connection", ce->text->id}, {"events", STR_NONE}};

  if (ce->reply != NULL)
    reply_abandon(ce->reply);
  if (ce->connected != NULL)
    reply_abandon(ce->connected);
  ce->connected = NULL;
  defer_cancel(&ce->failed);
  if (ce->current != NULL) {
    log_failed(&ce->current->event->view,
               STR("no answer soon enough after the end of the client"));
    finish_current(ce, WPS_ECANCELED, NULL);
  }
  while (!list_empty(&ce->queue)) {
    ce->current = dequeue(ce);
    finish_current(ce, WPS_ECANCELED, NULL);
    dropped++;
  }
  if (dropped != 0) {
    fields[2].value = log_number(digits, dropped);
    log_fields(WPS_LOG_WARN, "core",
               "queued events of a client that has ended are dropped", fields,
               ARRAY_LEN(fields));
  }
  ce->ended = true;
  pump(ce);
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
  pump(ce);
}

void client_events_cancel(struct wps_worker *w)
{
  struct list *head = &w->conns->events;

  while (!list_empty(head))
    give_up(CONTAINER_OF(head->next, struct client_events, node));
}
