/* SPDX-License-Identifier: Apache-2.0 */
/* upstream-tunnel: events to applications over tunnels that they open. */
#include <stdlib.h>

#include <webpubsub/plugin.h>

#include "plugins/common/cloudevents/text.h"
#include "plugins/upstream-tunnel/frame.h"
#include "plugins/upstream-tunnel/tunnel.h"

static const struct wps_config_item items[] = {
    {.key = "timeout",
     .type = WPS_CONF_DURATION_MS,
     .fallback = "100s",
     .min = 10,
     .max = 3600 * 1000,
     .help = "how long an application may take to answer an event"},
    {.key = "max_connections",
     .type = WPS_CONF_INT,
     .fallback = "1000",
     .min = 1,
     .max = 1000000,
     .help = "tunnels at a time"},
    {.key = "max_pending",
     .type = WPS_CONF_INT,
     .fallback = "10000",
     .min = 1,
     .max = 1000000,
     .help = "events that may be under way in one tunnel"},
    {.key = "ping_interval",
     .type = WPS_CONF_DURATION_MS,
     .fallback = "20s",
     .min = 10,
     .max = 3600 * 1000,
     .help = "time between two pings"},
    {.key = "silence",
     .type = WPS_CONF_DURATION_MS,
     .fallback = "60s",
     .min = 10,
     .max = 3600 * 1000,
     .help = "a tunnel is closed when nothing has come for so long"},
    {.key = "rest",
     .type = WPS_CONF_BOOL,
     .fallback = "true",
     .help = "applications may send REST requests through their tunnel"},
    {.key = "idle_status",
     .type = WPS_CONF_DURATION_MS,
     .fallback = "60s",
     .min = 0,
     .max = 3600 * 1000,
     .help = "tell an application that all is well when nothing was sent for "
             "so long; 0: never"},
};
static const struct wps_config_schema schema = WPS_CONFIG_SCHEMA(items);

/* ---- the route ---- */

static void handle(void *inst, void *wstate, struct wps_request *req,
                   struct wps_reply *reply)
{
  struct tunnel_service *s = inst;
  const struct wps_accept how = {.struct_size = sizeof(how),
                                 .max_message_bytes = FRAME_MAX,
                                 .ops = &tunnel_peer_ops,
                                 .ping_interval_ms = s->ping_ms,
                                 .silence_ms = s->silence_ms};

  (void)wstate;
  peers_accept(&s->peers, req, reply, &how);
}

static const struct wps_http_route route = {
    .struct_size = sizeof(route),
    .purpose = WPS_FOR_SERVER,
    .method = "GET",
    .pattern = "/server/tunnel",
    .name = "Tunnel",
    .handle = handle,
};

/* ---- life ---- */

static void destroy(void *inst)
{
  struct tunnel_service *s = inst;

  peers_free(&s->peers);
  free(s);
}

static void read_options(struct tunnel_service *s, const struct wps_config *cfg)
{
  s->timeout_ms = (uint64_t)wps->config->get_int(cfg, "timeout");
  s->peers.max_connections =
      (size_t)wps->config->get_int(cfg, "max_connections");
  s->peers.max_pending = (uint32_t)wps->config->get_int(cfg, "max_pending");
  s->ping_ms = (uint32_t)wps->config->get_int(cfg, "ping_interval");
  s->silence_ms = (uint32_t)wps->config->get_int(cfg, "silence");
  s->rest = wps->config->get_bool(cfg, "rest");
  s->idle_status_ms = (uint64_t)wps->config->get_int(cfg, "idle_status");
}

static int create(struct wps_instance *self, const struct wps_config *cfg,
                  void *old, void **inst)
{
  struct tunnel_service *s = calloc(1, sizeof(*s));
  int rc;

  (void)old;
  if (s == NULL)
    return WPS_ENOMEM;
  peers_init(&s->peers, &tunnel_peers_ops, self);
  read_options(s, cfg);
  origin_choose(self, s->origin);
  rc = wps->http->route(self, &route);
  if (rc != WPS_OK) {
    wps->log->write(self, NULL, WPS_LOG_ERROR,
                    "there is another instance: /server/tunnel is taken");
    destroy(s);
    return rc;
  }
  *inst = s;
  return WPS_OK;
}

static void drain(void *inst, struct wps_reply *reply)
{
  struct tunnel_service *s = inst;

  peers_drain(&s->peers, reply);
}

/* ---- events ---- */

static void deliver(void *inst, void *wstate, const struct wps_handler *handler,
                    const struct wps_event *event, struct wps_reply *reply)
{
  (void)wstate;
  event_deliver(inst, handler, event, reply);
}

static const char *const schemes[] = {"tunnel", NULL};

static const struct wps_upstream ops = {
    .struct_size = sizeof(ops),
    .schemes = schemes,
    .handler_schema = &event_handler_schema,
    .deliver = deliver,
    .check = event_check_handler,
};

static const struct wps_component component = {
    .struct_size = sizeof(component),
    .kind = WPS_KIND_UPSTREAM,
    .name = "tunnel",
    .summary = "events to applications over tunnels that they open",
    .schema = &schema,
    .create = create,
    .destroy = destroy,
    .ops.upstream = &ops,
    .drain = drain,
};

WPS_PLUGIN("upstream-tunnel", "1.0", "Apache-2.0", &component);
