/* SPDX-License-Identifier: Apache-2.0 */
/* upstream-server: application servers that connect to /server
 * (doc/server-protocol.md). */
#include <stdlib.h>

#include <webpubsub/plugin.h>

#include "plugins/common/cloudevents/text.h"
#include "plugins/upstream-server/server.h"

static const struct wps_config_item items[] = {
    {.key = "timeout",
     .type = WPS_CONF_DURATION_MS,
     .fallback = "30s",
     .min = 10,
     .max = 3600 * 1000,
     .help = "how long an application may take to answer an event"},
    {.key = "decision_timeout",
     .type = WPS_CONF_DURATION_MS,
     .fallback = "5s",
     .min = 10,
     .max = 3600 * 1000,
     .help = "how long it may take to decide about a join, a leave or a "
             "message to a group; then it is refused"},
    {.key = "max_connections",
     .type = WPS_CONF_INT,
     .fallback = "1000",
     .min = 1,
     .max = 1000000,
     .help = "application servers at a time"},
    {.key = "max_groups",
     .type = WPS_CONF_INT,
     .fallback = "1024",
     .min = 0,
     .max = 1000000,
     .help = "groups that one of them may subscribe to"},
    {.key = "max_pending",
     .type = WPS_CONF_INT,
     .fallback = "10000",
     .min = 1,
     .max = 1000000,
     .help = "events that one of them may have under way"},
    {.key = "queue",
     .type = WPS_CONF_INT,
     .fallback = "256",
     .min = 1,
     .max = 1000000,
     .help = "commands of one of them that may wait; while there are so many, "
             "nothing is read from it"},
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
     .help = "it is closed when nothing has come for so long"},
};
static const struct wps_config_schema schema = WPS_CONFIG_SCHEMA(items);

/* ---- the route ---- */

/* The form on the wire: the first that it offers and we know, JSON where it
 * offers none. NULL: none of them. */
static const struct server_codec *choose_codec(const struct wps_request *req,
                                               struct wps_str *selected)
{
  static const struct server_codec *const codecs[] = {&server_json,
                                                      &server_protobuf};
  size_t i;

  *selected = (struct wps_str){NULL, 0};
  for (i = 0; wps->request->subprotocol_at(req, i, selected) == WPS_OK; i++)
    for (size_t k = 0; k < sizeof(codecs) / sizeof(codecs[0]); k++)
      if (azure_equal_fold(codecs[k]->subprotocol, *selected))
        return codecs[k];
  *selected = (struct wps_str){NULL, 0};
  return i == 0 ? &server_json : NULL;
}

static void handle(void *inst, void *wstate, struct wps_request *req,
                   struct wps_reply *reply)
{
  struct server_service *s = inst;
  struct wps_accept how = {.struct_size = sizeof(how),
                           .max_message_bytes = FRAME_MAX,
                           .ops = &server_peer_ops,
                           .ping_interval_ms = s->ping_ms,
                           .silence_ms = s->silence_ms};
  const struct server_codec *codec = choose_codec(req, &how.selected);

  (void)wstate;
  how.arg = (void *)(uintptr_t)codec;
  if (codec == NULL && azure_hub_ok(wps->request->hub(req)))
    wps->reply->fail(reply, WPS_EINVAL,
                     STR("the subprotocols are `json` and `protobuf`"));
  else
    peers_accept(&s->peers, req, reply, &how);
}

static const struct wps_http_route route = {
    .struct_size = sizeof(route),
    .purpose = WPS_FOR_SERVER,
    .method = "GET",
    .pattern = "/server",
    .name = "Server",
    .handle = handle,
};

/* ---- life ---- */

static void destroy(void *inst)
{
  struct server_service *s = inst;

  peers_free(&s->peers);
  free(s);
}

static void read_options(struct server_service *s, const struct wps_config *cfg)
{
  s->timeout_ms = (uint64_t)wps->config->get_int(cfg, "timeout");
  s->decision_ms = (uint64_t)wps->config->get_int(cfg, "decision_timeout");
  s->peers.max_connections =
      (size_t)wps->config->get_int(cfg, "max_connections");
  s->max_groups = (size_t)wps->config->get_int(cfg, "max_groups");
  s->peers.max_pending = (uint32_t)wps->config->get_int(cfg, "max_pending");
  s->queue = (size_t)wps->config->get_int(cfg, "queue");
  s->ping_ms = (uint32_t)wps->config->get_int(cfg, "ping_interval");
  s->silence_ms = (uint32_t)wps->config->get_int(cfg, "silence");
}

static int create(struct wps_instance *self, const struct wps_config *cfg,
                  void *old, void **inst)
{
  struct server_service *s = calloc(1, sizeof(*s));
  int rc;

  (void)old;
  if (s == NULL)
    return WPS_ENOMEM;
  peers_init(&s->peers, &server_peers_ops, self);
  read_options(s, cfg);
  rc = wps->http->route(self, &route);
  if (rc != WPS_OK) {
    wps->log->write(self, NULL, WPS_LOG_ERROR,
                    "there is another instance: /server is taken");
    destroy(s);
    return rc;
  }
  *inst = s;
  return WPS_OK;
}

static void drain(void *inst, struct wps_reply *reply)
{
  struct server_service *s = inst;

  peers_drain(&s->peers, reply);
}

/* ---- events ---- */

static void deliver(void *inst, void *wstate, const struct wps_handler *handler,
                    const struct wps_event *event, struct wps_reply *reply)
{
  (void)wstate, (void)handler;
  event_deliver(inst, event, reply);
}

static bool wants(void *inst, void *wstate, const struct wps_handler *handler,
                  const struct wps_event *event)
{
  struct server_service *s = inst;

  (void)wstate, (void)handler;
  return peers_want(&s->peers, event);
}

static int check(const struct wps_config *cfg)
{
  if (str_equal(wps->config->get_str(cfg, "url"), STR("server:///")))
    return WPS_OK;
  return wps->config->error(cfg, "url", "only \"server:///\" is possible");
}

static const char *const schemes[] = {"server", NULL};

static const struct wps_upstream ops = {
    .struct_size = sizeof(ops),
    .flags = WPS_UPSTREAM_DECIDES,
    .schemes = schemes,
    .deliver = deliver,
    .check = check,
    .wants = wants,
};

static const struct wps_component component = {
    .struct_size = sizeof(component),
    .kind = WPS_KIND_UPSTREAM,
    .name = "server",
    .summary = "application servers that connect to /server",
    .schema = &schema,
    .create = create,
    .destroy = destroy,
    .ops.upstream = &ops,
    .drain = drain,
};

WPS_PLUGIN("upstream-server", "1.0", "Apache-2.0", &component);
