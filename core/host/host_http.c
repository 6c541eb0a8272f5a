/* SPDX-License-Identifier: Apache-2.0 */
#include "host/host.h"
#include "http/router.h"
#include "http/server.h"

static int route(struct wps_instance *self, const struct wps_http_route *def)
{
  return router_add(host_context()->router, self, def);
}

const struct wps_http_api host_http_api = {
    .struct_size = sizeof(host_http_api),
    .route = route,
    .respond = http_respond,
};
