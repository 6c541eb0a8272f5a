/* SPDX-License-Identifier: Apache-2.0 */
/* host/host.h - the tables that plugins call, filled from the rooms below. */
#ifndef WPS_HOST_HOST_H
#define WPS_HOST_HOST_H

#include "base/base.h"

#include <webpubsub/host.h>

struct conn_server;
struct instances;
struct keys;
struct offload;
struct router;
struct workers;

/* What the tables stand on. The functions of the ABI that carry no object
 * (wps->worker->count()) find it through one pointer, set before the first
 * plugin code runs and never changed while any does. */
struct host_context {
  struct workers *workers;
  struct conn_server *conns;
  struct keys *keys;
  struct offload *offload;
  struct router *router;
  const struct wps_str *endpoints;
  size_t endpoint_count;
};

/* Thread: main. */
void host_set_context(const struct host_context *context);
const struct host_context *host_context(void);

extern const struct wps_host host_table;

extern const struct wps_log_api host_log_api;
extern const struct wps_worker_api host_worker_api;
extern const struct wps_conn_api host_conn_api;
extern const struct wps_hub_api host_hub_api;
extern const struct wps_auth_api host_auth_api;
extern const struct wps_http_api host_http_api;
extern const struct wps_server_api host_server_api;

#endif
