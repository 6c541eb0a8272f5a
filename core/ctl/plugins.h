/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/plugins.h - plugins opened to be looked at, never started. */
#ifndef WPS_CTL_PLUGINS_H
#define WPS_CTL_PLUGINS_H

#include "plug/plugin.h"

/* NULL after a message. The plugin stays open until the process ends. */
const struct wps_plugin *plugin_open(const char *path);
/* What an upstream adds to event handlers, or NULL. */
const struct wps_config_schema *component_handler_schema(
    const struct wps_component *c);

#endif
