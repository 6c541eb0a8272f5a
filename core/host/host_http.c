/* SPDX-License-Identifier: Apache-2.0 */
#include "host/host.h"
#include "http/internal.h"
#include "http/router.h"
#include "http/server.h"
#include "loop/worker.h"

static int route(struct wps_instance *self, const struct wps_http_route *def)
{
  return router_add(host_context()->router, self, def);
}

static int dispatch(struct wps_instance *self, const struct wps_http_call *call,
                    wps_http_answer_fn fn, void *arg)
{
  struct wps_worker *w = worker_current();

  if (w == NULL || w->http == NULL || fn == NULL)
    return WPS_EINVAL;
  return http_internal(w, self, call, fn, arg);
}

const struct wps_http_api host_http_api = {
    .struct_size = sizeof(host_http_api),
    .route = route,
    .respond = http_respond,
    .dispatch = dispatch,
};
