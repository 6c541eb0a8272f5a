/* SPDX-License-Identifier: Apache-2.0 */
/* upstream-webhook: events as CloudEvents to applications over HTTP. */
#include <stdlib.h>

#include <webpubsub/plugin.h>

#include "plugins/common/cloudevents/origin.h"
#include "plugins/upstream-webhook/delivery.h"
#include "plugins/upstream-webhook/exchange.h"
#include "plugins/upstream-webhook/site.h"
#include "plugins/upstream-webhook/target.h"

/* ---- instance ---- */

static void init_curl(void)
{
  /* Never undone: other instances, and threads of resolvers, may be there. */
  curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int create(struct wps_instance *self, const struct wps_config *cfg,
                  void *old, void **inst)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  struct webhook *w = calloc(1, sizeof(*w));

  (void)old;
  if (w == NULL)
    return WPS_ENOMEM;
  pthread_once(&once, init_curl);
  w->self = self;
  w->cfg = cfg;
  pthread_mutex_init(&w->lock, NULL);
  origin_choose(self, w->origin);
  *inst = w;
  return WPS_OK;
}

static void destroy(void *inst)
{
  struct webhook *w = inst;

  pthread_mutex_destroy(&w->lock);
  free(w);
}

/* ---- drain ---- */

static void drained_one(struct webhook *w)
{
  struct wps_reply *reply = NULL;

  pthread_mutex_lock(&w->lock);
  if (--w->draining == 0) {
    reply = w->drained;
    w->drained = NULL;
  }
  pthread_mutex_unlock(&w->lock);
  if (reply != NULL)
    wps->reply->ok(reply);
}

void site_delivery_ended(struct site *site)
{
  site->delivery_count--;
  if (!site->draining || site->delivery_count > 0)
    return;
  site->draining = false;
  drained_one(site->inst);
}

static void drain_site(void *arg)
{
  struct site *site = arg;

  if (site->delivery_count == 0)
    drained_one(site->inst);
  else
    site->draining = true;
}

static void drain(void *inst, struct wps_reply *reply)
{
  struct webhook *w = inst;
  uint32_t count = wps->worker->count();

  /* One more than there are workers: not over before all have been told. */
  pthread_mutex_lock(&w->lock);
  w->drained = reply;
  w->draining = count + 1;
  pthread_mutex_unlock(&w->lock);
  for (uint32_t i = 0; i < count; i++) {
    struct site *site = w->sites[i];

    if (site == NULL ||
        wps->worker->post(site->worker, drain_site, site) != WPS_OK)
      drained_one(w);
  }
  drained_one(w);
}

/* ---- workers ---- */

int64_t site_now_us(const struct site *site)
{
  return wps->worker->now_us(site->worker);
}

/* Between turns of libcurl: queues that may move. */
static void after_turn(void *arg)
{
  struct site *site = arg;
  struct list *n, *next;

  if (!site->stirred)
    return;
  site->stirred = false;
  for (n = site->backlog.next; n != &site->backlog; n = next) {
    next = n->next;
    target_pump(LIST_ITEM(n, struct target, backlog));
  }
}

static int worker_start(void *inst, struct wps_worker *worker, void **wstate)
{
  struct webhook *w = inst;
  struct site *site = calloc(1, sizeof(*site));
  uint32_t index = wps->worker->index(worker);
  int rc;

  if (site == NULL || index >= WORKERS_MAX) {
    free(site);
    return WPS_ENOMEM;
  }
  site->inst = w;
  site->worker = worker;
  list_init(&site->authorities);
  list_init(&site->deliveries);
  list_init(&site->backlog);
  for (size_t i = 0; i < SITE_BUCKETS; i++)
    list_init(&site->targets[i]);
  rc = transport_open(&site->transport, w->self, worker, after_turn, site);
  if (rc != WPS_OK) {
    free(site);
    return rc;
  }
  w->sites[index] = site;
  *wstate = site;
  return WPS_OK;
}

static void worker_stop(void *inst, void *wstate)
{
  struct webhook *w = inst;
  struct site *site = wstate;

  site->stopping = true;
  w->sites[wps->worker->index(site->worker)] = NULL;
  if (site->delivery_count > 0)
    wps->log->write(w->self, NULL, WPS_LOG_WARN,
                    "%zu events are lost: no answer within shutdown.timeout",
                    site->delivery_count);
  while (!list_empty(&site->deliveries))
    delivery_abort(LIST_ITEM(site->deliveries.next, struct delivery, all));
  for (size_t i = 0; i < SITE_BUCKETS; i++)
    while (!list_empty(&site->targets[i]))
      target_free(LIST_ITEM(site->targets[i].next, struct target, node));
  transport_close(&site->transport);
  free(site);
}

/* ---- events ---- */

static void deliver(void *inst, void *wstate, const struct wps_handler *handler,
                    const struct wps_event *event, struct wps_reply *reply)
{
  struct site *site = wstate;
  struct target *t = target_get(site, handler);

  (void)inst;
  if (t == NULL) {
    wps->log->write(site->inst->self, NULL, WPS_LOG_ERROR,
                    "out of memory: an event is lost");
    if (reply != NULL)
      wps->reply->fail(reply, WPS_ENOMEM, STR("out of memory"));
    return;
  }
  delivery_begin(t, event, reply);
  transport_turn(&site->transport);
}

static const char *const schemes[] = {"http", "https", NULL};

static const struct wps_upstream ops = {
    .struct_size = sizeof(ops),
    .schemes = schemes,
    .handler_schema = &options_handler_schema,
    .deliver = deliver,
    .check = options_check_handler,
};

static const struct wps_component component = {
    .struct_size = sizeof(component),
    .kind = WPS_KIND_UPSTREAM,
    .name = "webhook",
    .summary = "events to applications over HTTP",
    .schema = &options_block_schema,
    .check = options_check_block,
    .create = create,
    .worker_start = worker_start,
    .worker_stop = worker_stop,
    .destroy = destroy,
    .ops.upstream = &ops,
    .drain = drain,
};

WPS_PLUGIN("upstream-webhook", "1.0", "Apache-2.0", &component);
