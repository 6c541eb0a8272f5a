/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/offload.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/fault.h"
#include "base/list.h"
#include "base/log.h"
#include "loop/post.h"
#include "loop/thread.h"

struct offload_job {
  struct list node; /* while queued */
  struct post post; /* on the way back */
  struct wps_worker *worker;
  wps_fn work;
  wps_done_fn done;
  void *arg;
  int status;
};

struct offload {
  pthread_mutex_t lock; /* of all below */
  pthread_cond_t changed;
  struct list queue;
  uint32_t queued, queue_max;
  uint32_t waiting; /* threads without work */
  uint32_t started, threads_max;
  bool stopping;
  pthread_t threads[];
};

struct offload *offload_new(uint32_t threads, uint32_t queue_max)
{
  struct offload *o;

  CHECK(threads > 0 && threads <= 1024);
  o = calloc(1, sizeof(*o) + threads * sizeof(o->threads[0]));
  if (o == NULL)
    return NULL;
  pthread_mutex_init(&o->lock, NULL);
  pthread_cond_init(&o->changed, NULL);
  list_init(&o->queue);
  o->queue_max = queue_max;
  o->threads_max = threads;
  return o;
}

static void job_done(struct post *self)
{
  struct offload_job *job = CONTAINER_OF(self, struct offload_job, post);
  wps_done_fn done = job->done;
  void *arg = job->arg;
  int status = job->status;

  free(job);
  done(arg, status);
}

static void job_return(struct offload_job *job, int status)
{
  job->status = status;
  job->post.fn = job_done;
  if (worker_post(job->worker, &job->post))
    return;
  /* Only when the workers were stopped before the pool. Calling done on this
   * thread instead would break what its owner relies on. */
  log_line(WPS_LOG_ERROR, "core",
           "the result of an offloaded call is lost: its worker has stopped");
  free(job);
}

static void *offload_main(void *arg)
{
  struct offload *o = arg;

  log_thread_name("offload");
  pthread_mutex_lock(&o->lock);
  for (;;) {
    struct list *node;
    struct offload_job *job;

    while (list_empty(&o->queue) && !o->stopping) {
      o->waiting++;
      pthread_cond_wait(&o->changed, &o->lock);
      o->waiting--;
    }
    node = list_pop(&o->queue);
    if (node == NULL)
      break;
    o->queued--;
    pthread_mutex_unlock(&o->lock);
    job = CONTAINER_OF(node, struct offload_job, node);
    job->work(job->arg);
    job_return(job, WPS_OK);
    pthread_mutex_lock(&o->lock);
  }
  pthread_mutex_unlock(&o->lock);
  return NULL;
}

/* With the lock: one thread more when all are busy. False when there is none
 * at all to do the work. */
static bool offload_grow(struct offload *o)
{
  if (o->waiting < o->queued && o->started < o->threads_max &&
      thread_start(&o->threads[o->started], offload_main, o) == WPS_OK)
    o->started++;
  return o->started > 0;
}

int offload_submit(struct offload *o, struct wps_worker *w, wps_fn work,
                   wps_done_fn done, void *arg)
{
  struct offload_job *job;
  int status = WPS_OK;

  if (FAULT("offload"))
    return WPS_EAGAIN;
  job = calloc(1, sizeof(*job));
  if (job == NULL)
    return WPS_ENOMEM;
  job->worker = w;
  job->work = work;
  job->done = done;
  job->arg = arg;
  pthread_mutex_lock(&o->lock);
  if (o->stopping) {
    status = WPS_ECLOSED;
  } else if (o->queued >= o->queue_max) {
    status = WPS_EAGAIN;
  } else {
    list_add_tail(&o->queue, &job->node);
    o->queued++;
    if (offload_grow(o)) {
      pthread_cond_signal(&o->changed);
    } else {
      list_remove(&job->node);
      o->queued--;
      status = WPS_ENOMEM;
    }
  }
  pthread_mutex_unlock(&o->lock);
  if (status != WPS_OK)
    free(job);
  return status;
}

void offload_stop(struct offload *o)
{
  struct list canceled, *node;

  list_init(&canceled);
  pthread_mutex_lock(&o->lock);
  o->stopping = true;
  while ((node = list_pop(&o->queue)) != NULL)
    list_add_tail(&canceled, node);
  o->queued = 0;
  pthread_cond_broadcast(&o->changed);
  pthread_mutex_unlock(&o->lock);
  while ((node = list_pop(&canceled)) != NULL)
    job_return(CONTAINER_OF(node, struct offload_job, node), WPS_ECANCELED);
  /* Nobody starts threads any more, so `started` is ours now. */
  for (; o->started > 0; o->started--)
    CHECK(pthread_join(o->threads[o->started - 1], NULL) == 0);
}

void offload_free(struct offload *o)
{
  if (o == NULL)
    return;
  offload_stop(o);
  pthread_cond_destroy(&o->changed);
  pthread_mutex_destroy(&o->lock);
  free(o);
}
