/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/hub_settings.h - the `hubs` map and the handlers in it. */
#ifndef WPS_DAEMON_HUB_SETTINGS_H
#define WPS_DAEMON_HUB_SETTINGS_H

#include "daemon/settings.h"

/* Fills s->hubs; faults go to s->faults. After the plugins are loaded. */
void hub_settings_load(struct settings *s);
void hub_settings_free(struct settings *s);

/* Which plugin block takes URLs like this; its index, or -1. */
long hub_settings_upstream(const struct settings *s, struct wps_str url);

#endif
