/* SPDX-License-Identifier: Apache-2.0 */
/* plug/plugin.h - from a .so file to running instances.
 *
 * Thread: main, but for instance_worker_start/stop (that worker) and what says
 * otherwise. Each refusal is one sentence that names the file, both versions
 * where versions differ, and what to do.
 */
#ifndef WPS_PLUG_PLUGIN_H
#define WPS_PLUG_PLUGIN_H

#include <stdatomic.h>

#include "base/base.h"

#include <webpubsub/plugin.h>

struct wps_worker;

/* ---- loader ---- */

struct loaded {
  char *path;
  void *handle;
  const struct wps_plugin *plugin;
};

/* dlopen(RTLD_NOW | RTLD_LOCAL), find the descriptor, check major, minor,
 * struct sizes, kinds and required callbacks, and set *plugin->host = host. The
 * file must be regular, owned by root or the caller's user, and not writable by
 * group or others. False with a sentence in why. The same file twice gives the
 * same plugin. */
bool loader_open(const char *path, const struct wps_host *host,
                 struct loaded *out, char *why, size_t why_size);

/* "subprotocol", "auth", "upstream", "http"; NULL for others. */
const char *kind_name(uint32_t kind);
/* The component that "KIND-NAME" means, NULL when the plugin has none. */
const struct wps_component *plugin_component(const struct wps_plugin *plugin,
                                             const char *kind_dash_name);

/* ---- instances ---- */

struct wps_instance {
  char *name;       /* as in the configuration: "auth-jwt", "auth-jwt@2" */
  uint32_t id;      /* 0..n-1, dense: index of worker->instance_states   */
  uint32_t created; /* create() has succeeded                           */
  const struct wps_component *component;
  const struct wps_plugin *plugin;
  const struct wps_config *cfg;
  void *inst; /* what create() made                */
  _Atomic uint64_t replies_owed;
  bool narrowed; /* reserved for the configuration    */
};

struct instances {
  struct wps_instance **items; /* in the order of the file */
  size_t count;
};

/* Add one, not created yet. NULL when out of memory. */
struct wps_instance *instances_add(struct instances *all, const char *name,
                                   const struct wps_component *component,
                                   const struct wps_plugin *plugin,
                                   const struct wps_config *cfg);
/* create() of all: auth, upstream, subprotocol, http; in the order of the file
 * within a kind. On failure those created are destroyed again; `why` names the
 * instance and the status. */
int instances_create(struct instances *all, char *why, size_t why_size);
/* worker_start() of all in that order on this worker; on failure those started
 * are stopped. Fills worker->instance_states. */
int instances_worker_start(struct instances *all, struct wps_worker *w);
void instances_worker_stop(struct instances *all, struct wps_worker *w);
/* drain() of all, kind by kind in the opposite order; done(arg) on the main
 * loop when all have finished or the deadline is over, naming in the log who
 * still owes. */
int instances_drain(struct instances *all, struct wps_worker *main_loop,
                    uint64_t timeout_ms, wps_fn done, void *arg);
/* destroy() of all; the caller has stopped the workers. */
void instances_destroy(struct instances *all);

/* What worker_start() stored. Thread: that worker. */
void *instance_worker_state(const struct wps_instance *i,
                            const struct wps_worker *w);

#endif
