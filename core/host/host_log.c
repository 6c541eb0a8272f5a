/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "host/contract.h"
#include "host/host.h"
#include "plug/plugin.h"

static void write_line(struct wps_instance *self, struct wps_conn *conn,
                       uint32_t level, const char *fmt, ...)
{
  char text[LOG_LINE_MAX / 2];
  struct log_field fields[3];
  size_t count = 0;
  va_list args;

  if (!log_enabled(level))
    return;
  va_start(args, fmt);
  vsnprintf(text, sizeof(text), fmt, args);
  va_end(args);
  if (conn != NULL && conn_id(conn).len != 0) {
    CONTRACT_CONN(conn, "log->write");
    fields[count++] = (struct log_field){"hub", conn_hub_name(conn)};
    fields[count++] = (struct log_field){"connection", conn_id(conn)};
    if (conn_user(conn).len != 0)
      fields[count++] = (struct log_field){"user", conn_user(conn)};
  }
  log_fields(level, self != NULL ? self->name : "plugin", text, fields, count);
}

static bool enabled(struct wps_instance *self, uint32_t level)
{
  UNUSED(self);
  return log_enabled(level);
}

const struct wps_log_api host_log_api = {
    .struct_size = sizeof(host_log_api),
    .write = write_line,
    .enabled = enabled,
};
