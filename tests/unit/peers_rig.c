/* SPDX-License-Identifier: Apache-2.0 */
#include "peers_rig.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef fail /* Check has a macro of that name, wps->reply a function */

#include <webpubsub/host.h>

struct peers rig_peers;
_Atomic long rig_live;
_Atomic unsigned rig_debug_lines, rig_finished;
uint64_t rig_timeout_ms = 3600 * 1000;
void (*rig_in_takes)(const struct wps_event *event);

struct wps_frame {
  _Atomic unsigned refs;
  uint32_t reserved;
  size_t len;
};

struct offer {
  struct peer_offer base;
  char letter;
  char reserved[7];
};

/* ---- frames ---- */

static struct wps_frame *frame_new(size_t len)
{
  struct wps_frame *f = calloc(1, sizeof(*f));

  atomic_init(&f->refs, 1);
  f->len = len;
  rig_live++;
  return f;
}

static void frame_unref(struct wps_frame *f)
{
  if (atomic_fetch_sub(&f->refs, 1) != 1)
    return;
  free(f);
  rig_live--;
}

static struct wps_bytes frame_bytes(const struct wps_frame *f)
{
  return (struct wps_bytes){NULL, f->len};
}

static const struct wps_message_api message_api = {.frame_unref = frame_unref,
                                                   .frame_bytes = frame_bytes};

/* ---- connections ---- */

static struct wps_conn_ref conn_ref(const struct wps_conn *c)
{
  return (struct wps_conn_ref){{core_index(c->worker), (uint64_t)(uintptr_t)c}};
}

static struct wps_worker *conn_worker(const struct wps_conn *c)
{
  return c->worker;
}

/* Whoever has a reference has one of the peer, too. */
static struct wps_conn *conn_find(struct wps_conn_ref ref)
{
  struct wps_conn *c = (struct wps_conn *)(uintptr_t)ref.opaque[1];

  if (core_worker_api.current() != c->worker || c->dead || c->code != 0)
    return NULL;
  return c;
}

struct posted {
  struct wps_conn_ref ref;
  wps_conn_fn fn;
  void *arg;
};

static void run_posted(void *arg)
{
  struct posted *p = arg;

  p->fn(conn_find(p->ref), p->arg);
  free(p);
}

static int conn_post(struct wps_conn_ref ref, wps_conn_fn fn, void *arg)
{
  struct wps_conn *c = (struct wps_conn *)(uintptr_t)ref.opaque[1];
  struct posted *p = malloc(sizeof(*p));

  *p = (struct posted){ref, fn, arg};
  core_post(c->worker, run_posted, p);
  return WPS_OK;
}

static int conn_send(struct wps_conn *c, struct wps_frame *frame)
{
  (void)frame;
  ck_assert_ptr_eq(core_worker_api.current(), c->worker);
  if (c->send_rc == WPS_OK || c->send_rc == WPS_EAGAIN)
    c->sent++;
  return c->send_rc;
}

static void conn_close(struct wps_conn *c, uint16_t code, struct wps_str reason)
{
  (void)reason;
  if (c->code == 0)
    c->code = code;
}

struct rig_timer {
  struct wps_conn *conn;
  struct wps_timer *timer;
  wps_conn_fn fn;
  void *arg;
};

static void timer_free(struct rig_timer *t)
{
  struct wps_conn *c = t->conn;

  c->timers[t == c->timers[0] ? 0 : 1] = NULL;
  free(t);
}

static void fired(void *arg)
{
  struct rig_timer copy = *(struct rig_timer *)arg;

  timer_free(arg);
  if (conn_find(conn_ref(copy.conn)) != NULL)
    copy.fn(copy.conn, copy.arg);
}

static struct wps_timer *timer_start(struct wps_conn *c, uint64_t delay_ms,
                                     uint64_t repeat_ms, wps_conn_fn fn,
                                     void *arg)
{
  struct rig_timer *t, **at = &c->timers[c->timers[0] == NULL ? 0 : 1];

  ck_assert_uint_eq(repeat_ms, 0);
  ck_assert_ptr_null(*at);
  if (c->no_timer)
    return NULL;
  t = calloc(1, sizeof(*t));
  *at = t;
  t->conn = c;
  t->fn = fn;
  t->arg = arg;
  t->timer = core_timer(delay_ms, fired, t);
  return t->timer;
}

static void timer_stop(struct wps_timer *timer)
{
  timer_free(core_timer_stop(timer));
}

static const struct wps_conn_api conn_api = {.ref = conn_ref,
                                             .worker = conn_worker,
                                             .find = conn_find,
                                             .post = conn_post,
                                             .send = conn_send,
                                             .close = conn_close,
                                             .timer_start = timer_start,
                                             .timer_stop = timer_stop};

/* ---- events ---- */

static const struct wps_event *event_ref(const struct wps_event *event)
{
  atomic_fetch_add(&((struct rig_event *)(uintptr_t)event)->refs, 1);
  return event;
}

static void event_unref(const struct wps_event *event)
{
  atomic_fetch_sub(&((struct rig_event *)(uintptr_t)event)->refs, 1);
}

static int event_keep(struct wps_instance *self, const struct wps_event *event,
                      struct wps_bytes note)
{
  struct rig_client *c = ((const struct rig_event *)event)->client;

  (void)self;
  ck_assert_uint_le(note.len, sizeof(c->note));
  memcpy(c->note, note.ptr, note.len);
  c->note_len = note.len;
  return WPS_OK;
}

static struct wps_bytes event_kept(struct wps_instance *self,
                                   const struct wps_event *event)
{
  struct rig_client *c = ((const struct rig_event *)event)->client;

  (void)self;
  return (struct wps_bytes){c->note, c->note_len};
}

static const struct wps_event_api event_api = {.ref = event_ref,
                                               .unref = event_unref,
                                               .keep = event_keep,
                                               .kept = event_kept};

/* ---- the rest of the host ---- */

static void log_write(struct wps_instance *self, struct wps_conn *conn,
                      uint32_t level, const char *fmt, ...)
{
  char line[500];
  va_list args;

  (void)self, (void)conn;
  va_start(args, fmt);
  vsnprintf(line, sizeof(line), fmt, args);
  va_end(args);
  if (level == WPS_LOG_DEBUG)
    rig_debug_lines++;
}

static const struct wps_log_api log_api = {.write = log_write};

static struct wps_host host = {.log = &log_api,
                               .worker = &core_worker_api,
                               .message = &message_api,
                               .conn = &conn_api,
                               .event = &event_api};
const struct wps_host *wps = &host;

/* ---- what the component is ---- */

static bool takes(const struct peer_offer *base, const struct wps_event *event,
                  struct peer_event *e)
{
  const struct offer *o = LIST_ITEM(base, const struct offer, base);

  (void)e;
  if (rig_in_takes != NULL)
    rig_in_takes(event);
  return o->letter == '\0' ||
         (event->name.len > 0 && event->name.ptr[0] == o->letter);
}

static void peer_free(struct peer *p)
{
  struct rig_peer *rp = LIST_ITEM(p, struct rig_peer, peer);

  free(rp->conn);
  free(rp);
  rig_live--;
}

struct peers_ops rig_ops;

static const struct peers_ops usual_ops = {
    .nobody = "nobody",
    .unwanted = "unwanted",
    .crowded = "crowded",
    .gone = "gone",
    .slow = "slow",
    .late = "late",
    .everywhere = "everywhere",
    .known_max = PEERS_KNOWN_MAX,
    .event_size = sizeof(struct peer_event),
    .takes = takes,
    .peer_free = peer_free,
};

static void offer_free(struct peer_offer *base)
{
  free(LIST_ITEM(base, struct offer, base));
  rig_live--;
}

struct peer_offer *rig_offer(uint32_t events, char letter)
{
  struct offer *o = calloc(1, sizeof(*o));

  atomic_init(&o->base.refs, 1);
  o->base.events = events;
  o->base.free = offer_free;
  o->letter = letter;
  rig_live++;
  return &o->base;
}

/* ---- life ---- */

void rig_start(void)
{
  rig_ops = usual_ops;
  host.reply = core_reply_api();
  core_start(RIG_WORKERS);
  peers_init(&rig_peers, &rig_ops, NULL);
  rig_peers.max_connections = 100;
  rig_peers.max_pending = 100;
}

void rig_stop(void)
{
  core_settle();
  core_stop();
  peers_free(&rig_peers);
  ck_assert_int_eq(rig_live, 0);
}

/* ---- peers ---- */

struct rig_peer *rig_open_here(const char *hub, int *rc)
{
  struct rig_peer *p = calloc(1, sizeof(*p));
  int status;

  p->conn = calloc(1, sizeof(*p->conn));
  p->conn->worker = core_worker_api.current();
  rig_live++;
  peer_init(&p->peer, &rig_peers, p->conn, (struct wps_str){hub, strlen(hub)});
  status = peer_open(&p->peer);
  if (rc != NULL)
    *rc = status;
  if (status == WPS_OK)
    return p;
  peer_unref(&p->peer);
  return NULL;
}

struct opening {
  const char *hub;
  int rc;
  struct rig_peer *peer;
};

static void open_step(void *arg)
{
  struct opening *o = arg;

  o->peer = rig_open_here(o->hub, &o->rc);
}

struct rig_peer *rig_open(uint32_t index, const char *hub, int *rc)
{
  struct opening o = {.hub = hub};

  core_step(index, open_step, &o);
  if (rc != NULL)
    *rc = o.rc;
  else
    ck_assert_int_eq(o.rc, WPS_OK);
  return o.peer;
}

void rig_close_here(struct rig_peer *p)
{
  p->conn->dead = true;
  for (int i = 0; i < 2; i++)
    if (p->conn->timers[i] != NULL)
      timer_stop(p->conn->timers[i]->timer);
  peer_closed(&p->peer);
}

static void close_step(void *arg)
{
  rig_close_here(arg);
}

void rig_close(struct rig_peer *p)
{
  core_step(core_index(p->conn->worker), close_step, p);
}

/* ---- their events ---- */

struct rig_event *rig_event_new(struct rig_client *c, uint32_t type,
                                const char *hub, const char *name)
{
  struct rig_event *e = calloc(1, sizeof(*e));

  e->view = (struct wps_event){.struct_size = sizeof(e->view),
                               .type = type,
                               .hub = {hub, strlen(hub)},
                               .name = {name, strlen(name)}};
  e->client = c;
  return e;
}

void rig_event_free(struct rig_event *e)
{
  ck_assert_uint_eq(e->refs, 0);
  free(e);
}

static void replied(void *arg, int status)
{
  struct rig_event *e = arg;

  e->reply = NULL;
  e->status = status;
  e->ended++;
  rig_finished++;
  if (e->when_ended != NULL)
    e->when_ended(e);
}

struct delivery {
  struct rig_event *e;
  bool waits;
};

void rig_deliver_here(struct rig_event *e, bool waits)
{
  struct peer_event *pe;

  if (waits)
    e->reply = core_reply(replied, e);
  pe =
      peer_event_new(&rig_peers, &e->view, e->reply, (struct wps_str){NULL, 0});
  if (pe == NULL)
    return;
  e->peer = LIST_ITEM(pe->peer, struct rig_peer, peer);
  e->ack = pe->ack;
  peer_event_send(pe, frame_new(1000), rig_timeout_ms);
}

static void deliver_step(void *arg)
{
  struct delivery *d = arg;

  rig_deliver_here(d->e, d->waits);
}

void rig_deliver(uint32_t index, struct rig_event *e, bool waits)
{
  struct delivery d = {e, waits};

  core_step(index, deliver_step, &d);
}

static void abandon_step(void *arg)
{
  struct rig_event *e = arg;

  core_reply_abandon(e->reply);
  e->reply = NULL;
}

void rig_abandon(uint32_t index, struct rig_event *e)
{
  core_step(index, abandon_step, e);
}

bool rig_answer_here(struct rig_peer *p, uint32_t ack)
{
  struct peer_event *e = peer_event_find(&p->peer, ack);

  if (e == NULL)
    return false;
  if (e->reply != NULL)
    wps->reply->ok(e->reply);
  peer_event_over(e);
  return true;
}

struct answering {
  struct rig_peer *peer;
  uint32_t ack;
  bool found;
};

static void answer_step(void *arg)
{
  struct answering *a = arg;

  a->found = rig_answer_here(a->peer, a->ack);
}

bool rig_answer(struct rig_peer *p, uint32_t ack)
{
  struct answering a = {.peer = p, .ack = ack};

  core_step(core_index(p->conn->worker), answer_step, &a);
  return a.found;
}
