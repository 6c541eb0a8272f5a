/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/server.c - putting it together, and taking it apart. */
#include "daemon/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "conf/core_schema.h"
#include "conn/admit.h"
#include "conn/drain.h"
#include "conn/peer.h"
#include "daemon/reload.h"
#include "loop/offload.h"
#include "wire/listener.h"

enum { AUTH_TIMEOUT_MS = 30000 };

/* ---- workers' hooks, in order of starting ---- */

static int start_conns(struct wps_worker *w, void *arg)
{
  return conn_worker_start(w, &((struct server *)arg)->conns);
}

static void stop_conns(struct wps_worker *w, void *arg)
{
  UNUSED(arg);
  conn_worker_stop(w);
}

static int start_instances(struct wps_worker *w, void *arg)
{
  return instances_worker_start(&((struct server *)arg)->instances, w);
}

static void stop_instances(struct wps_worker *w, void *arg)
{
  instances_worker_stop(&((struct server *)arg)->instances, w);
}

static int start_http(struct wps_worker *w, void *arg)
{
  return http_worker_start(w, &((struct server *)arg)->http);
}

/* Clients end while the plugins still live: close() and the last events are
 * theirs. */
static void stop_http(struct wps_worker *w, void *arg)
{
  UNUSED(arg);
  conn_drain_end(w);
  http_worker_stop(w);
}

static int start_listeners(struct wps_worker *w, void *arg)
{
  struct server *s = arg;

  for (size_t i = 0; i < s->listener_count; i++) {
    int rc = listener_start(s->listeners[i], w, http_accepted, &s->http);

    if (rc != WPS_OK)
      return rc;
  }
  return WPS_OK;
}

static void stop_listeners(struct wps_worker *w, void *arg)
{
  struct server *s = arg;

  for (size_t i = 0; i < s->listener_count; i++)
    listener_stop(s->listeners[i], w);
}

/* ---- making ---- */

static uint32_t worker_count(const struct wps_config *core)
{
  uint32_t wanted = core_workers(core);
  long online = sysconf(_SC_NPROCESSORS_ONLN);

  if (wanted != 0)
    return wanted;
  return online < 1 ? 1 : online > WORKERS_MAX ? WORKERS_MAX : (uint32_t)online;
}

static int64_t number(const struct wps_config *core, const char *section,
                      const char *key)
{
  return config_api.get_int(config_api.section_at(core, section, 0), key);
}

static void fill_limits(struct conn_limits *l, const struct wps_config *core)
{
  l->message_max = (size_t)number(core, "limits", "message_size");
  l->fragments_max = (uint32_t)number(core, "limits", "fragments");
  l->groups_max = (uint32_t)number(core, "limits", "groups_per_connection");
  l->queue_messages = (uint32_t)number(core, "limits", "queue_messages");
  l->queue_bytes = (size_t)number(core, "limits", "queue_bytes");
  l->events_waiting = (uint32_t)number(core, "limits", "events_waiting");
  l->events_waiting_bytes =
      (uint64_t)number(core, "limits", "events_waiting_bytes");
  l->events_waiting_total =
      (uint64_t)number(core, "limits", "events_waiting_total");
  l->events_after_end_ms = (uint32_t)number(core, "limits", "events_after_end");
  l->event_timeout_ms = (uint64_t)number(core, "limits", "event_timeout");
  l->connections_max = (uint64_t)number(core, "limits", "connections");
  l->close_timeout_ms = (uint32_t)number(core, "websocket", "close_timeout");
  l->message_timeout_ms =
      (uint32_t)number(core, "websocket", "message_timeout");
  l->auth_timeout_ms = AUTH_TIMEOUT_MS;
  l->peer_ping_ms = (uint32_t)number(core, "websocket", "ping_interval");
}

static void fill_http(struct http_settings *h, const struct wps_config *core)
{
  h->limits.line_max = (size_t)number(core, "http", "request_line");
  h->limits.head_max = (size_t)number(core, "http", "header_bytes");
  h->limits.header_max = (size_t)number(core, "http", "headers");
  h->body_max = (size_t)number(core, "http", "body");
  h->first_byte_ms = (uint32_t)number(core, "http", "first_byte_timeout");
  h->head_ms = (uint32_t)number(core, "http", "headers_timeout");
  h->body_ms = (uint32_t)number(core, "http", "body_timeout");
  h->keep_alive_ms = (uint32_t)number(core, "http", "keep_alive_timeout");
}

static bool is_draining(void *arg)
{
  return atomic_load(&((struct conn_server *)arg)->draining);
}

static bool make_parts(struct server *s, char *why, size_t why_size)
{
  const struct wps_config *core = s->settings->core;

  snprintf(why, why_size, "out of memory");
  s->workers = workers_new(worker_count(core));
  if (s->workers == NULL)
    return false;
  fill_limits(&s->conns.limits, core);
  message_set_limit(s->conns.limits.message_max);
  s->conns.instances = &s->instances;
  s->conns.keys = s->settings->keys;
  s->conns.default_hub = config_api.get_str(
      config_api.section_at(core, "websocket", 0), "default_hub");
  s->conns.hubs =
      hubs_new(s->workers, s->settings->hubs, s->settings->hub_count,
               (size_t)number(core, "limits", "hubs"));
  fill_http(&s->http.settings, core);
  s->http.router = router_new();
  s->http.hooks = (struct http_hooks){.arg = &s->conns,
                                      .is_client = admit_is_client,
                                      .client = admit_client,
                                      .authorize = admit_authorize,
                                      .draining = is_draining,
                                      .accept = peer_accept};
  s->host = (struct host_context){
      .workers = s->workers,
      .conns = &s->conns,
      .keys = s->settings->keys,
      .offload = offload_new((uint32_t)number(core, "offload", "threads"),
                             (uint32_t)number(core, "offload", "queue")),
      .router = s->http.router,
      .endpoints = s->settings->endpoints,
      .endpoint_count = s->settings->endpoint_count};
  host_set_context(&s->host);
  return s->conns.hubs != NULL && s->http.router != NULL &&
         s->host.offload != NULL;
}

static bool make_instances(struct server *s, char *why, size_t why_size)
{
  struct settings *set = s->settings;

  for (size_t i = 0; i < set->plugin_count; i++) {
    struct plugin_block *p = &set->plugins[i];

    if (instances_add(&s->instances, p->name, p->component, p->loaded.plugin,
                      p->cfg) == NULL) {
      snprintf(why, why_size, "out of memory");
      return false;
    }
  }
  for (size_t i = 0; i < set->hub_count; i++)
    for (size_t k = 0; k < set->hubs[i].handler_count; k++) {
      struct hub_handler *h = &set->hubs[i].handlers[k];

      h->upstream = s->instances.items[h->upstream_block];
    }
  return instances_create(&s->instances, why, why_size) == WPS_OK;
}

static bool add_listener(struct server *s, const char *address,
                         struct tls_context *tls, char *why, size_t why_size)
{
  struct listener_group *g =
      listener_open(address, tls, workers_count(s->workers), why, why_size);

  if (g == NULL)
    return false;
  s->listeners[s->listener_count++] = g;
  return true;
}

/* `localhost` may mean [::1]: the same port there, where it can be had. */
static void listen_on_ipv6_loopback(struct server *s)
{
  struct wps_str name = listener_name(s->listeners[0]);
  const char *colon = memrchr(name.ptr, ':', name.len);
  char address[32], why[256];

  if (colon == NULL)
    return;
  snprintf(address, sizeof(address), "[::1]:%.*s",
           (int)(name.ptr + name.len - colon - 1), colon + 1);
  if (!add_listener(s, address, NULL, why, sizeof(why)))
    log_line(WPS_LOG_INFO, "core", "not on IPv6 loopback: %s", why);
}

/* A development server knows its URLs once it has its port. SDKs are told the
 * first, but tokens may name whichever one was typed. */
static void dev_endpoints(struct server *s)
{
  static const char *const hosts[] = {"localhost", "127.0.0.1", "[::1]"};
  struct wps_str name = listener_name(s->listeners[0]);
  const char *colon = memrchr(name.ptr, ':', name.len);

  if (colon == NULL || s->host.endpoint_count > 0)
    return;
  for (size_t i = 0; i < DEV_ENDPOINTS; i++) {
    snprintf(s->dev_urls[i], sizeof(s->dev_urls[i]), "http://%s:%.*s", hosts[i],
             (int)(name.ptr + name.len - colon - 1), colon + 1);
    s->dev_endpoints[i] = str_from(s->dev_urls[i]);
  }
  s->host.endpoints = s->dev_endpoints;
  s->host.endpoint_count = DEV_ENDPOINTS;
}

static bool open_listeners(struct server *s, char *why, size_t why_size)
{
  const struct wps_config *core = s->settings->core;
  size_t count = config_api.count(core, "listen");

  s->listeners = calloc(count + 2, sizeof(struct listener_group *));
  if (s->listeners == NULL) {
    snprintf(why, why_size, "out of memory");
    return false;
  }
  for (size_t i = 0; i < count; i++) {
    const struct wps_config *one = config_api.section_at(core, "listen", i);

    if (!add_listener(s, config_api.get_str(one, "address").ptr,
                      s->settings->tls[i], why, why_size))
      return false;
  }
  if (s->dev) {
    listen_on_ipv6_loopback(s);
    dev_endpoints(s);
  }
  return true;
}

/* As many sockets as the hard limit allows. */
static void raise_file_limit(void)
{
  struct rlimit limit;

  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
      limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

static void on_hangup(void *arg, int signum)
{
  struct server *s = arg;

  UNUSED(signum);
  if (!s->stopping)
    reload(s);
}

static void on_terminate(void *arg, int signum)
{
  UNUSED(signum);
  shutdown_begin(arg);
}

static bool start_workers(struct server *s, char *why, size_t why_size)
{
  const struct worker_hooks hooks[] = {
      {start_conns, stop_conns, s},
      {start_instances, stop_instances, s},
      {start_http, stop_http, s},
      {start_listeners, stop_listeners, s},
  };
  int rc = workers_on_signal(s->workers, SIGTERM, on_terminate, s);

  if (rc == WPS_OK)
    rc = workers_on_signal(s->workers, SIGINT, on_terminate, s);
  if (rc == WPS_OK)
    rc = workers_on_signal(s->workers, SIGHUP, on_hangup, s);
  if (rc == WPS_OK)
    rc = workers_start(s->workers, hooks, ARRAY_LEN(hooks));
  if (rc == WPS_OK)
    return true;
  snprintf(why, why_size, "the workers cannot start (%s)",
           host_table.status_name(rc));
  return false;
}

static void free_parts(struct server *s)
{
  for (size_t i = 0; i < s->listener_count; i++)
    listener_free(s->listeners[i]);
  free(s->listeners);
  instances_destroy(&s->instances);
  offload_free(s->host.offload);
  router_free(s->http.router);
  hubs_free(s->conns.hubs);
  reload_free(s);
  workers_free(s->workers);
}

bool server_start(struct server *s, struct settings *settings,
                  const struct options *options, char *why, size_t why_size)
{
  const struct wps_config *core = settings->core;

  memset(s, 0, sizeof(*s));
  s->settings = settings;
  s->options = options;
  s->dev = options->dev;
  s->drain_timeout_ms = (uint32_t)number(core, "shutdown", "timeout");
  s->drain_spread_ms = (uint32_t)number(core, "shutdown", "spread");
  /* The last clients need time for their close frames, too. */
  if (s->drain_spread_ms > s->drain_timeout_ms / 4 * 3)
    s->drain_spread_ms = s->drain_timeout_ms / 4 * 3;
  raise_file_limit();
  /* A development server has its endpoints from its port, and plugins ask for
   * them when they are made. */
  if (make_parts(s, why, why_size) &&
      (!s->dev || open_listeners(s, why, why_size)) &&
      make_instances(s, why, why_size) &&
      (s->dev || open_listeners(s, why, why_size)) &&
      start_workers(s, why, why_size))
    return true;
  free_parts(s);
  return false;
}

void server_print_ready(const struct server *s)
{
  struct wps_str name = listener_name(s->listeners[0]);
  const char *colon = memrchr(name.ptr, ':', name.len);

  if (s->dev && colon != NULL) {
    printf("ready Endpoint=http://localhost:%.*s;AccessKey=%s;Version=1.0;\n",
           (int)(name.ptr + name.len - colon - 1), colon + 1, PUBLISHED_KEY);
  } else {
    printf("ready");
    for (size_t i = 0; i < s->listener_count; i++) {
      const struct listener_group *g = s->listeners[i];

      name = listener_name(g);
      printf(" %s%.*s",
             str_starts(name, "unix:") ? ""
             : listener_is_tls(g)      ? "https://"
                                       : "http://",
             STR_ARG(name));
    }
    printf("\n");
  }
  fflush(stdout);
}

void server_stop(struct server *s)
{
  offload_stop(s->host.offload);
  workers_stop(s->workers);
  free_parts(s);
}
