/* SPDX-License-Identifier: Apache-2.0 */
/* run.h - between run.c, which says whether and when a command is done, and
 * commands.c, which does it. Thread: the server's worker. */
#ifndef UPSTREAM_SERVER_RUN_H
#define UPSTREAM_SERVER_RUN_H

#include "plugins/common/cloudevents/text.h"
#include "plugins/upstream-server/server.h"

/* Why not. */
struct refusal {
  struct wps_str error;
  struct text detail;
};

/* An ack of failure with this; it returns EINVAL. */
int refuse(struct refusal *why, struct wps_str error, const char *sentence);

void ack_failure(struct server *server, struct wps_conn *conn, uint32_t ack_id,
                 struct wps_str error, struct wps_str detail);
void ack_status(struct server *server, struct wps_conn *conn, uint32_t ack_id,
                int status);

/* All that they need is there, and allowed. With WPS_OK they see to the ack;
 * else it is `why`, or what the status says. */
typedef int (*command_fn)(struct server *server, const struct server_command *c,
                          uint32_t to, struct refusal *why);

int command_send(struct server *server, const struct server_command *c,
                 uint32_t to, struct refusal *why);
int command_close(struct server *server, const struct server_command *c,
                  uint32_t to, struct refusal *why);
int command_count(struct server *server, const struct server_command *c,
                  uint32_t to, struct refusal *why);
int command_contains(struct server *server, const struct server_command *c,
                     uint32_t to, struct refusal *why);
int command_join(struct server *server, const struct server_command *c,
                 uint32_t to, struct refusal *why);
int command_permission(struct server *server, const struct server_command *c,
                       uint32_t to, struct refusal *why);
int command_subscribe(struct server *server, const struct server_command *c,
                      uint32_t to, struct refusal *why);
int command_unsubscribe(struct server *server, const struct server_command *c,
                        uint32_t to, struct refusal *why);
int command_handle(struct server *server, const struct server_command *c,
                   uint32_t to, struct refusal *why);

#endif
