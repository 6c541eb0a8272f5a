/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/plugins.h"

#include <stdlib.h>

#include "ctl/ctl.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif

const struct wps_plugin *plugin_open(const char *path)
{
  /* No tables: nothing of a plugin is called here. */
  static const struct wps_host host = {.struct_size = sizeof(host),
                                       .abi_major = WPS_ABI_MAJOR,
                                       .abi_minor = WPS_ABI_MINOR,
                                       .server_version = PACKAGE_VERSION};
  struct loaded loaded;
  char why[1024];

  if (!loader_open(path, &host, &loaded, why, sizeof(why))) {
    ctl_fail("%s", why);
    return NULL;
  }
  free(loaded.path);
  return loaded.plugin;
}

const struct wps_config_schema *component_handler_schema(
    const struct wps_component *c)
{
  return c->kind == WPS_KIND_UPSTREAM ? c->ops.upstream->handler_schema : NULL;
}
