/* SPDX-License-Identifier: Apache-2.0 */
/* webpubsub/plugin.h - the one header a plugin includes.
 *
 * A plugin is a shared object with one exported symbol, the descriptor written
 * by WPS_PLUGIN. It offers components; the configuration makes instances of
 * them. One component may be instantiated several times, so that no state is
 * global: it hangs on the instance (process), on the worker, or on the
 * connection.
 *
 *   main     check(cfg)                  also for "webpubsubd -t"
 *   main     create(self, cfg, old, &inst)   registers routes
 *   worker   worker_start(inst, w, &ws)  on each worker
 *   worker   ... calls of the kind ...
 *   main     drain(inst, reply)          finish what is under way
 *   worker   worker_stop(inst, ws)       after its last call on that worker
 *   main     destroy(inst)               after all of them and all replies;
 *                                        not when a reply is still owed
 *
 * Starting: auth, upstreams, subprotocols, http.
 * Stopping: no new clients; closing() and close() of those there are, and their
 * last events; then drain() kind by kind in the opposite order of starting, all
 * bounded by the shutdown deadline; then the workers. A callback returns by
 * returning: no exception, panic or longjmp crosses it. `wps` is set before the
 * first callback, but after constructors of static C++ objects.
 *
 * Libraries are not unloaded before the process exits.
 */
#ifndef WEBPUBSUB_PLUGIN_H
#define WEBPUBSUB_PLUGIN_H

#include <webpubsub/host.h>
#include <webpubsub/subprotocol.h>

WPS_BEGIN_DECLS

enum {
  WPS_KIND_SUBPROTOCOL = 1,
  WPS_KIND_AUTH = 2,
  WPS_KIND_UPSTREAM = 3,
  WPS_KIND_HTTP = 6
};

struct wps_component {
  uint32_t struct_size;
  uint32_t kind;                        /* WPS_KIND_*: which of `ops`        */
  const char *name;                     /* "json"; unique per kind           */
  const char *summary;                  /* one line                          */
  const struct wps_config_schema *schema;  /* NULL: takes no configuration   */

  /* What a schema cannot say: relations between values. No side effects: of
   * the host's tables only config and log are for use here, because there is
   * no server yet. Optional. Thread: main. Errors: EINVAL, after
   * config->error(). */
  int (*check)(const struct wps_config *cfg);

  /* Make an instance. `old` is NULL: it is for the instance of the same name
   * that a reload replaces, which 1.0 does not do.
   * Thread: main. Errors: any; the reason should be in the log. */
  int (*create)(struct wps_instance *self, const struct wps_config *cfg,
                void *old, void **inst);

  /* Per-worker state. Optional, both or none. Thread: that worker.
   * Errors: any; the server does not start. */
  int (*worker_start)(void *inst, struct wps_worker *worker, void **wstate);
  void (*worker_stop)(void *inst, void *wstate);

  /* Thread: main. Must succeed. */
  void (*destroy)(void *inst);

  union wps_ops {                       /* none for WPS_KIND_HTTP            */
    const struct wps_subprotocol *subprotocol;
    const struct wps_auth *auth;
    const struct wps_upstream *upstream;
  } ops;

  /* Shutdown: finish what is under way (deliveries, flushes), then reply->ok.
   * The workers still run, the clients have gone. Optional. Thread: main. */
  void (*drain)(void *inst, struct wps_reply *reply);
};

struct wps_plugin {
  uint32_t struct_size;
  uint16_t abi_major;                   /* compiled against                  */
  uint16_t abi_minor;
  uint32_t needs_minor;                 /* refuses to load on an older host  */
  uint32_t flags;                       /* 0 in 1.0                          */
  const struct wps_host **host;         /* where the loader puts `wps`       */
  const char *name, *version, *license, *url;
  const struct wps_component *const *components;  /* NULL-terminated         */
};

/* Write the descriptor, once per plugin:
 *
 *     WPS_PLUGIN("echo", "1.0", "MIT", &echo_component);
 */
#define WPS_PLUGIN(name_, version_, license_, ...)                            \
  WPS_HIDDEN const struct wps_host *wps;                                      \
  static const struct wps_component *const wps_components_[] = {              \
      __VA_ARGS__, NULL};                                                     \
  extern WPS_EXPORT const struct wps_plugin webpubsub_plugin_v1;              \
  const struct wps_plugin webpubsub_plugin_v1 = {                             \
      sizeof(struct wps_plugin), WPS_ABI_MAJOR, WPS_ABI_MINOR,                \
      WPS_PLUGIN_NEEDS_MINOR, 0, &wps, name_, version_, license_, NULL,       \
      wps_components_}

/* A plugin that copes with older hosts by WPS_CAN defines this lower. */
#ifndef WPS_PLUGIN_NEEDS_MINOR
#define WPS_PLUGIN_NEEDS_MINOR WPS_ABI_MINOR
#endif

#define WPS_PLUGIN_SYMBOL "webpubsub_plugin_v1"

WPS_END_DECLS

#endif
