/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - the two halves of the JSON form. Thread: any. */
#ifndef WPS_UPSTREAM_SERVER_JSON_H
#define WPS_UPSTREAM_SERVER_JSON_H

#include "plugins/upstream-server/command.h"

/* server_codec.read */
int server_json_read(struct wps_bytes frame, struct command_room *room,
                     struct server_command *out, const char **why);

#endif
