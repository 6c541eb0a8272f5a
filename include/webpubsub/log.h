/* SPDX-License-Identifier: Apache-2.0 */
/* webpubsub/log.h - log lines. */
#ifndef WEBPUBSUB_LOG_H
#define WEBPUBSUB_LOG_H

#include <webpubsub/types.h>

WPS_BEGIN_DECLS

enum { /* as in syslog */
  WPS_LOG_ERROR = 3,
  WPS_LOG_WARN = 4,
  WPS_LOG_INFO = 6,
  WPS_LOG_DEBUG = 7
};

struct wps_log_api {
  uint32_t struct_size, reserved;

  /* Write one line; the core adds time, level, component and worker, and hub,
   * connection id and user when `conn` is not NULL. Cut after 2 KiB. Not for
   * message payloads at INFO or above, nor for credentials at any level.
   * Thread: any when conn is NULL, else its worker. */
  void (*write)(struct wps_instance *self, struct wps_conn *conn,
                uint32_t level, const char *fmt, ...) WPS_PRINTF(4, 5);

  /* Ask first when building the arguments is costly. Thread: any. */
  bool (*enabled)(struct wps_instance *self, uint32_t level);
};

WPS_END_DECLS

#endif
