/* SPDX-License-Identifier: Apache-2.0 */
/* conn/command.h - what servers do to clients: on every worker that has some,
 * with one answer at the end. Thread: any worker; `done` runs there. */
#ifndef WPS_CONN_COMMAND_H
#define WPS_CONN_COMMAND_H

#include "conn/conn.h"

enum {
  COMMAND_JOIN,
  COMMAND_LEAVE,
  COMMAND_CLOSE,
  COMMAND_PERMISSION,
  COMMAND_COUNT
};

struct command {
  uint32_t kind; /* COMMAND_* */
  uint32_t op, action;
  uint16_t code;
  const struct wps_str *groups; /* JOIN, LEAVE */
  size_t group_count;
  struct wps_str text; /* CLOSE: reason; PERMISSION: group, or {NULL,0} */
};

/* Everything is copied. Errors: EINVAL, ENOMEM; done does not run then. */
int command_run(struct wps_worker *w, const struct wps_target *who,
                const struct command *what, wps_count_fn done, void *arg);

#endif
