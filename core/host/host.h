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
extern const struct wps_event_api host_event_api;
extern const struct wps_http_api host_http_api;
extern const struct wps_server_api host_server_api;

/* Of hub->*, in files of their own: what concerns events (host_event.c) ... */
void host_event_cancel(struct wps_conn *c, void *arg, uint64_t tag);
int host_ask(struct wps_conn *c, const struct wps_client_request *what,
             wps_conn_done_fn done, void *arg, uint64_t tag);
/* ... and what members and servers see of groups (host_group.c). */
int host_member_state(struct wps_member *m, const struct wps_pair *entries,
                      size_t count);
int host_member_watch(struct wps_member *m, wps_states_fn done, void *arg,
                      uint64_t tag);
void host_member_unwatch(struct wps_member *m);
int host_tap(struct wps_instance *self, struct wps_str hub,
             struct wps_str group, wps_tap_fn fn, void *arg,
             struct wps_tap **out);
void host_untap(struct wps_tap *tap);
bool host_pattern_match(struct wps_str pattern, struct wps_str text);

#endif
