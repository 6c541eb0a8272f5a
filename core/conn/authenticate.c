/* SPDX-License-Identifier: Apache-2.0 */
/* conn/authenticate.c - one component after the other until one decides. */
#include "conn/authenticate.h"

#include "http/request.h"
#include "msg/principal.h"
#include "plug/plugin.h"
#include "plug/reply.h"

static void ask_next(struct authentication *a);

static void finish(struct authentication *a, int status, struct principal *who,
                   struct wps_str detail)
{
  authenticated_fn fn = a->fn;

  a->fn = NULL;
  request_unref(a->req);
  fn(a->arg, status, who, detail); /* which may free what `a` is part of */
}

static void replied(void *arg, struct reply_result *result)
{
  struct authentication *a = arg;
  struct principal *who = result->value;

  a->reply = NULL;
  switch (result->kind) {
  case REPLY_DECLINE:
    ask_next(a);
    return;
  case REPLY_PRINCIPAL:
    result->value = NULL;
    finish(a, WPS_OK, who, STR_NONE);
    return;
  case REPLY_FAIL:
    finish(a, result->status, NULL, result->detail);
    return;
  default:
    finish(a, WPS_EINTERNAL, NULL,
           STR("an auth component answered without "
               "an identity"));
  }
}

static void nobody(struct defer *self)
{
  struct authentication *a = CONTAINER_OF(self, struct authentication, nobody);

  finish(a, a->status, NULL,
         a->status != WPS_OK ? STR("out of memory") : STR_NONE);
}

static void ask_next(struct authentication *a)
{
  struct conn_server *server = a->worker->conns->server;
  struct instances *all = server->instances;

  while (a->next < all->count) {
    struct wps_instance *i = all->items[a->next++];

    if (i->component->kind != WPS_KIND_AUTH)
      continue;
    a->reply =
        reply_new(a->worker, i, server->limits.auth_timeout_ms, replied, a);
    if (a->reply == NULL) {
      a->status = WPS_ENOMEM; /* not "nobody": that may mean anonymous */
      break;
    }
    /* The plugin may look at the request until it finishes, also when the
     * client has long gone. */
    reply_hold(a->reply, request_release, request_ref(a->req));
    i->component->ops.auth->authenticate(
        i->inst, instance_worker_state(i, a->worker), a->req, a->reply);
    return;
  }
  worker_defer(a->worker, &a->nobody);
}

void authenticate_start(struct authentication *a, struct wps_worker *w,
                        struct wps_request *req, authenticated_fn fn, void *arg)
{
  a->worker = w;
  a->req = request_ref(req);
  a->fn = fn;
  a->arg = arg;
  defer_init(&a->nobody, nobody);
  ask_next(a);
}

void authenticate_cancel(struct authentication *a)
{
  if (a->fn == NULL)
    return;
  a->fn = NULL;
  if (a->reply != NULL)
    reply_abandon(a->reply);
  defer_cancel(&a->nobody);
  request_unref(a->req);
}
