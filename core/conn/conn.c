/* SPDX-License-Identifier: Apache-2.0 */
/* conn/conn.c - slots, references, and one worker's part of all this. */
#include "conn/conn.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/fault.h"
#include "base/str.h"
#include "conn/client_events.h"
#include "conn/close.h"
#include "conn/completion.h"
#include "conn/deliver.h"
#include "conn/drain.h"
#include "conn/linger.h"
#include "conn/plugin_timer.h"
#include "conn/session.h"
#include "plug/plugin.h"

enum { NO_SLOT = 0x7fffffff, FRAME_CONTEXTS_IDLE = 64 };

static struct hub_client *find_client(struct wps_worker *w,
                                      struct wps_conn_ref ref)
{
  struct wps_conn *c = conn_find(ref);

  UNUSED(w);
  return c == NULL ? NULL : &c->client;
}

static bool client_facts(const struct hub_client *client, struct hub_facts *out)
{
  const struct wps_conn *c = (const struct wps_conn *)(const void *)client;

  out->id = conn_id(c);
  out->user = conn_user(c);
  out->subprotocol = conn_subprotocol(c);
  return conn_alive(c);
}

static struct wps_conn_ref client_ref(const struct hub_client *client)
{
  return conn_ref((const struct wps_conn *)(const void *)client);
}

static const struct hub_ops hub_ops = {
    conn_deliver, conn_send_pending, conn_send_soon, conn_flush,
    conn_missed,  find_client,       client_ref,     client_facts};

int conn_worker_start(struct wps_worker *w, struct conn_server *server)
{
  struct conn_worker *cw = calloc(1, sizeof(*cw));
  void *payload;
  int rc;

  if (cw == NULL)
    return WPS_ENOMEM;
  cw->server = server;
  cw->worker = w;
  cw->free_slot = NO_SLOT;
  list_init(&cw->lingers);
  list_init(&cw->admissions);
  list_init(&cw->events);
  cw->frames = frame_pool_new(FRAME_CONTEXTS_IDLE);
  cw->completions = completions_new(w);
  cw->ping = frame_new(FRAME_PING, 0, &payload);
  w->conns = cw;
  if (cw->frames == NULL || cw->completions == NULL || cw->ping == NULL)
    goto fail;
  rc = hub_worker_start(w, server->hubs, &hub_ops);
  if (rc != WPS_OK)
    goto fail;
  out_worker_start(&cw->out, w);
  return WPS_OK;

fail:
  frame_pool_free(cw->frames);
  completions_free(cw->completions);
  frame_unref(cw->ping);
  free(cw);
  w->conns = NULL;
  return WPS_ENOMEM;
}

void conn_worker_stop(struct wps_worker *w)
{
  struct conn_worker *cw = w->conns;

  if (cw == NULL)
    return;
  conn_drain_end(w);
  lingers_close(w);
  client_events_cancel(w);
  completions_run_out(cw->completions);
  plugin_timers_stop(&cw->timers, w);
  hub_worker_stop(w);
  out_worker_stop(&cw->out);
  out_shared_stop(&cw->out_shared);
  list_remove(&cw->out.flusher.node);
  frame_pool_free(cw->frames);
  completions_free(cw->completions);
  frame_unref(cw->ping);
  free(cw->slots);
  free(cw);
  w->conns = NULL;
}

/* ---- slots ---- */

static int slots_grow(struct conn_worker *cw)
{
  uint32_t next = cw->slot_cap == 0 ? 64 : cw->slot_cap * 2;
  union conn_slot *bigger;

  if (cw->slot_count < cw->slot_cap)
    return WPS_OK;
  if (next > NO_SLOT)
    return WPS_ENOMEM;
  bigger = realloc(cw->slots, next * sizeof(*bigger));
  if (bigger == NULL)
    return WPS_ENOMEM;
  cw->slots = bigger;
  cw->slot_cap = next;
  return WPS_OK;
}

struct wps_conn *conn_new(struct wps_worker *w, size_t text_len)
{
  struct conn_worker *cw = w->conns;
  struct wps_conn *c;
  uint32_t slot;

  if (FAULT("alloc_conn") ||
      (cw->free_slot == NO_SLOT && slots_grow(cw) != WPS_OK))
    return NULL;
  c = calloc(1, offsetof(struct wps_conn, text) + text_len);
  if (c == NULL)
    return NULL;
  slot = cw->free_slot;
  if (slot != NO_SLOT)
    cw->free_slot = (uint32_t)(cw->slots[slot].free >> 1);
  else
    slot = cw->slot_count++;
  /* Generations never repeat on a worker, so that a stale reference to a slot
   * in its next life is seen as such. */
  c->shared.ref = (struct wps_conn_ref){
      {(uint64_t)w->index << 32 | slot, ++cw->generation}};
  cw->slots[slot].conn = c;
  cw->live++;
  c->worker = w;
  c->state = WPS_CONN_CONNECTING;
  list_init(&c->client.in_hub);
  list_init(&c->client.in_user);
  outbound_init(&c->out, &conn_outbound_ops);
  timer_init(&c->timer, NULL);
  defer_init(&c->finish, conn_finish);
  c->heard_us = w->now_us;
  return c;
}

void conn_free(struct wps_conn *c)
{
  struct wps_worker *w = c->worker;
  struct conn_worker *cw = w->conns;
  uint32_t slot = (uint32_t)conn_ref(c).opaque[0];

  cw->slots[slot].free = (uintptr_t)cw->free_slot << 1 | 1;
  cw->free_slot = slot;
  cw->live--;
  if ((c->flags & CONN_PEER) != 0)
    cw->peers--;
  if ((c->flags & CONN_COUNTED) != 0)
    atomic_fetch_sub(&cw->server->connections, 1);
  plugin_timers_stop(&c->timers, w);
  timer_stop(w, &c->timer);
  defer_cancel(&c->finish);
  frame_in_release(cw->frames, &c->in);
  outbound_clear(&c->out, w);
  if (c->stream != NULL)
    stream_close(c->stream, false);
  session_free(c);
  roles_free(&c->roles);
  free(c->resumed_from);
  free(c->end_told);
  free(c->peer);
  free(c);
}

/* ---- references ---- */

struct wps_conn *conn_find(struct wps_conn_ref ref)
{
  struct wps_worker *w = worker_current();
  uint32_t slot = (uint32_t)ref.opaque[0];
  struct wps_conn *c;

  if (w == NULL || w->conns == NULL || ref_worker(ref) != w->index ||
      slot >= w->conns->slot_count)
    return NULL;
  c = conn_in_slot(w->conns, slot);
  if (c == NULL || conn_ref(c).opaque[1] != ref.opaque[1] || !conn_alive(c))
    return NULL;
  return c;
}

struct ref_post {
  struct post post;
  struct wps_conn_ref ref;
  wps_conn_fn fn;
  void *arg;
};

static void run_ref_post(struct post *post)
{
  struct ref_post *p = CONTAINER_OF(post, struct ref_post, post);

  p->fn(conn_find(p->ref), p->arg);
  free(p);
}

int conn_post(struct workers *all, struct wps_conn_ref ref, wps_conn_fn fn,
              void *arg)
{
  struct wps_worker *w = workers_at(all, ref_worker(ref));
  struct ref_post *p = malloc(sizeof(*p));

  if (p == NULL)
    return WPS_ENOMEM;
  *p = (struct ref_post){.ref = ref, .fn = fn, .arg = arg};
  p->post.fn = run_ref_post;
  if (w == NULL || !worker_post(w, &p->post)) {
    /* The worker has stopped and with it the client: fn still owes its arg a
     * free, and the calling thread is as good as any. */
    free(p);
    fn(NULL, arg);
  }
  return WPS_OK;
}

/* ---- log ---- */

void conn_log(const struct wps_conn *c, uint32_t level, const char *message,
              const struct log_field *more, size_t count)
{
  struct log_field fields[16] = {
      {"hub", conn_hub_name(c)},
      {"connection", conn_id(c)},
      {"user", conn_user(c)},
      {"remote", conn_remote(c)},
      {"protocol", conn_subprotocol(c)},
      {"plugin",
       (c->flags & CONN_PEER) != 0 ? str_from(c->instance->name) : STR_NONE},
  };
  size_t n = 6;

  for (size_t i = 0; i < count && n < ARRAY_LEN(fields); i++)
    fields[n++] = more[i];
  log_fields(level, "core", message, fields, n);
}
