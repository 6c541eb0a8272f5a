/* SPDX-License-Identifier: Apache-2.0 */
/* The set of all workers: threads, start and stop, signals. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "loop/thread.h"
#include "loop/worker.h"
#include "loop/worker_private.h"

enum gate { GATE_SHUT, GATE_OPEN, GATE_ABORT };

struct signal_watch {
  ev_signal watcher; /* first */
  void (*fn)(void *arg, int signum);
  void *arg;
  struct signal_watch *next;
};

enum { HOOKS_MAX = 8 };

struct workers {
  uint32_t count;
  struct wps_worker *main;
  struct wps_worker *items[WORKERS_MAX];
  struct signal_watch *signals;
  struct worker_hooks hooks[HOOKS_MAX]; /* copied: stopping comes later */
  size_t hook_count;
  atomic_bool quitting; /* the post below is under way */
  struct post quit;
  bool stopped;

  /* Start-up: threads report one by one, then wait until all have. */
  pthread_mutex_t lock;
  pthread_cond_t changed;
  enum gate gate;
  uint32_t reported;
  int start_status;
};

/* Of its own cache lines: other threads write to the mailbox. */
static struct wps_worker *worker_new(struct workers *ws, uint32_t index)
{
  struct wps_worker *w;
  size_t size = (sizeof(*w) + 63) / 64 * 64;

  w = aligned_alloc(64, size);
  if (w == NULL)
    return NULL;
  *w = (struct wps_worker){0};
  if (worker_open(w, ws, index) != WPS_OK) {
    worker_close(w);
    free(w);
    return NULL;
  }
  return w;
}

struct workers *workers_new(uint32_t count)
{
  struct workers *ws;

  if (count == 0 || count > WORKERS_MAX)
    return NULL;
  ws = calloc(1, sizeof(*ws));
  if (ws == NULL)
    return NULL;
  pthread_mutex_init(&ws->lock, NULL);
  pthread_cond_init(&ws->changed, NULL);
  atomic_init(&ws->quitting, false);
  ws->main = worker_new(ws, WORKER_MAIN);
  if (ws->main == NULL)
    goto fail;
  worker_enter(ws->main);
  for (; ws->count < count; ws->count++) {
    struct wps_worker *w = worker_new(ws, ws->count);

    if (w == NULL)
      goto fail;
    ws->items[ws->count] = w;
    snprintf(w->private_->name, sizeof(w->private_->name), "worker-%u",
             (unsigned)ws->count);
  }
  return ws;

fail:
  workers_free(ws);
  return NULL;
}

/* ---- the thread of a worker ---- */

static size_t hooks_start(struct workers *ws, struct wps_worker *w, int *status)
{
  *status = WPS_OK;
  for (size_t i = 0; i < ws->hook_count; i++) {
    if (ws->hooks[i].start != NULL)
      *status = ws->hooks[i].start(w, ws->hooks[i].arg);
    if (*status != WPS_OK)
      return i;
  }
  return ws->hook_count;
}

static void hooks_stop(struct workers *ws, struct wps_worker *w, size_t started)
{
  while (started-- > 0) {
    if (ws->hooks[started].stop != NULL)
      ws->hooks[started].stop(w, ws->hooks[started].arg);
    /* What a hook deferred concerns its room or one below it: they still live.
     * Flushers may not any more. */
    worker_run_deferred(w);
  }
}

static enum gate gate_wait(struct workers *ws, int status)
{
  enum gate gate;

  pthread_mutex_lock(&ws->lock);
  ws->reported++;
  ws->start_status = status;
  pthread_cond_broadcast(&ws->changed);
  while (ws->gate == GATE_SHUT)
    pthread_cond_wait(&ws->changed, &ws->lock);
  gate = ws->gate;
  pthread_mutex_unlock(&ws->lock);
  return gate;
}

static void *worker_main(void *arg)
{
  struct wps_worker *w = arg;
  struct workers *ws = w->all;
  size_t started;
  int status;

  log_thread_name(w->private_->name);
  worker_enter(w);
  started = hooks_start(ws, w, &status);
  if (gate_wait(ws, status) == GATE_OPEN)
    worker_run(w);
  /* The mailbox first: what it accepted may still need what the hooks take
   * down, and a post must not be accepted and then not run. */
  w->stopping = 1;
  worker_shut_mailbox(w);
  hooks_stop(ws, w, started);
  return NULL;
}

static void gate_set(struct workers *ws, enum gate gate)
{
  pthread_mutex_lock(&ws->lock);
  ws->gate = gate;
  pthread_cond_broadcast(&ws->changed);
  pthread_mutex_unlock(&ws->lock);
}

static int worker_start(struct workers *ws, uint32_t index)
{
  struct wps_worker *w = ws->items[index];
  int status = thread_start(&w->private_->thread, worker_main, w);

  if (status != WPS_OK)
    return status;
  w->private_->started = true;
  pthread_mutex_lock(&ws->lock);
  while (ws->reported <= index)
    pthread_cond_wait(&ws->changed, &ws->lock);
  status = ws->start_status;
  pthread_mutex_unlock(&ws->lock);
  return status;
}

static void workers_join(struct workers *ws)
{
  for (uint32_t i = 0; i < ws->count; i++) {
    struct worker_private *p = ws->items[i]->private_;

    if (p->started)
      CHECK(pthread_join(p->thread, NULL) == 0);
    p->started = false;
  }
}

int workers_start(struct workers *ws, const struct worker_hooks *hooks,
                  size_t hook_count)
{
  CHECK(hook_count <= HOOKS_MAX);
  if (hook_count > 0)
    memcpy(ws->hooks, hooks, hook_count * sizeof(*hooks));
  ws->hook_count = hook_count;
  for (uint32_t i = 0; i < ws->count; i++) {
    int status = worker_start(ws, i);

    if (status != WPS_OK) {
      gate_set(ws, GATE_ABORT);
      workers_join(ws);
      return status;
    }
  }
  gate_set(ws, GATE_OPEN);
  return WPS_OK;
}

/* ---- the main loop ---- */

void workers_run(struct workers *ws)
{
  worker_run(ws->main);
}

static void quit_arrived(struct post *self)
{
  struct workers *ws = CONTAINER_OF(self, struct workers, quit);

  atomic_store(&ws->quitting, false);
  ev_break(ws->main->loop, EVBREAK_ALL);
}

void workers_quit(struct workers *ws)
{
  /* The post is one object: while it is queued, asking again adds nothing. */
  if (atomic_exchange(&ws->quitting, true))
    return;
  ws->quit.fn = quit_arrived;
  worker_post(ws->main, &ws->quit);
}

static void stop_arrived(struct post *self)
{
  struct worker_private *p = CONTAINER_OF(self, struct worker_private, stop);
  struct wps_worker *w = worker_current();

  DCHECK(w->private_ == p);
  UNUSED(p);
  w->stopping = 1;
  ev_break(w->loop, EVBREAK_ALL);
}

void workers_stop(struct workers *ws)
{
  if (ws->stopped)
    return;
  ws->stopped = true;
  for (uint32_t i = 0; i < ws->count; i++) {
    struct wps_worker *w = ws->items[i];

    if (!w->private_->started)
      continue;
    w->private_->stop.fn = stop_arrived;
    worker_post(w, &w->private_->stop);
  }
  workers_join(ws);
  /* Last, for the workers may have reported to it while they stopped. */
  ws->main->stopping = 1;
  worker_shut_mailbox(ws->main);
}

void workers_free(struct workers *ws)
{
  if (ws == NULL)
    return;
  for (uint32_t i = 0; i < ws->count; i++) {
    CHECK(!ws->items[i]->private_->started);
    worker_close(ws->items[i]);
    free(ws->items[i]);
  }
  while (ws->signals != NULL) {
    struct signal_watch *s = ws->signals;

    ws->signals = s->next;
    ev_signal_stop(ws->main->loop, &s->watcher);
    free(s);
  }
  if (ws->main != NULL) {
    worker_close(ws->main);
    free(ws->main);
  }
  pthread_cond_destroy(&ws->changed);
  pthread_mutex_destroy(&ws->lock);
  free(ws);
}

uint32_t workers_count(const struct workers *ws)
{
  return ws->count;
}

struct wps_worker *workers_at(struct workers *ws, uint32_t index)
{
  return index < ws->count ? ws->items[index] : NULL;
}

struct wps_worker *workers_main(struct workers *ws)
{
  return ws->main;
}

/* ---- signals ---- */

static void signal_arrived(struct ev_loop *loop, ev_signal *watcher,
                           int revents)
{
  struct signal_watch *s = (struct signal_watch *)(void *)watcher;

  UNUSED(loop);
  UNUSED(revents);
  s->fn(s->arg, watcher->signum);
}

int workers_on_signal(struct workers *ws, int signum,
                      void (*fn)(void *arg, int signum), void *arg)
{
  struct signal_watch *s = calloc(1, sizeof(*s));

  if (s == NULL)
    return WPS_ENOMEM;
  s->fn = fn;
  s->arg = arg;
  s->next = ws->signals;
  ws->signals = s;
  /* All threads of thread.c block every signal, so it arrives here. */
  ev_signal_init(&s->watcher, signal_arrived, signum);
  ev_signal_start(ws->main->loop, &s->watcher);
  return WPS_OK;
}
