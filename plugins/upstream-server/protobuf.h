/* SPDX-License-Identifier: Apache-2.0 */
/* protobuf.h - the two halves of the protobuf form. Thread: any. */
#ifndef WPS_UPSTREAM_SERVER_PROTOBUF_H
#define WPS_UPSTREAM_SERVER_PROTOBUF_H

#include "plugins/upstream-server/command.h"

/* PayloadDetail.format */
enum {
  FORMAT_TEXT = 0,
  FORMAT_BINARY = 1,
  FORMAT_JSON = 2,
  FORMAT_PROTOBUF = 3
};

/* server_codec.read */
int server_protobuf_read(struct wps_bytes frame, struct command_room *room,
                         struct server_command *out, const char **why);

#endif
