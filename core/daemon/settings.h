/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/settings.h - from a configuration to checked sections, loaded plugins
 * and hubs; everything that `webpubsubd -t` looks at. Opens no port. Thread:
 * main. */
#ifndef WPS_DAEMON_SETTINGS_H
#define WPS_DAEMON_SETTINGS_H

#include "base/keys.h"
#include "conf/config.h"
#include "daemon/options.h"
#include "hub/hub.h"
#include "plug/plugin.h"

struct tls_context;

struct plugin_block {
  char *name; /* as in the file */
  struct loaded loaded;
  const struct wps_component *component;
  struct wps_config *cfg;
};

struct hub_block {
  struct wps_config *cfg;
  struct wps_config **handler_cfgs;
  size_t handler_count;
  char *name;
};

struct settings {
  struct document *document;
  struct faults *faults;
  struct wps_config *core;
  struct plugin_block *plugins; /* in the order of the file */
  size_t plugin_count;
  struct hub_block *hub_blocks;
  struct hub_settings *hubs; /* handlers' upstream is set by server.c */
  size_t hub_count;
  struct wps_str *endpoints;
  size_t endpoint_count;
  struct tls_context **tls; /* per listener, NULL: plain */
  size_t listen_count;
  struct keys *keys;
};

/* Read and check everything; faults are in s->faults, and false is returned,
 * when there are any. settings_free() in both cases. */
bool settings_load(struct settings *s, const struct options *o);
void settings_free(struct settings *s);

/* WPS_LOG_*: what log.level says. */
uint32_t settings_log_level(const struct settings *s);

/* The folder with shipped plugins: WEBPUBSUBD_PLUGIN_DIR, or as installed. */
const char *settings_plugin_dir(void);
/* The names of the plugins in it, malloc'ed, NULL-terminated; the array and
 * the strings are one block. NULL when out of memory. */
char **settings_shipped(void);

#endif
