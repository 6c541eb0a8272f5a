/* SPDX-License-Identifier: Apache-2.0 */
/* webpubsub/host.h - everything the server offers to a plugin.
 *
 * `wps` is a variable inside each plugin, set by the loader before the first
 * callback:
 *
 *     wps->conn->close(conn, 1008, reason);
 *
 * A table, or a function in one, that is newer than 1.0 is asked for with
 * WPS_CAN(wps->conn, new_function) first, unless the plugin's descriptor says
 * that it needs that minor version anyway.
 */
#ifndef WEBPUBSUB_HOST_H
#define WEBPUBSUB_HOST_H

#include <webpubsub/auth.h>
#include <webpubsub/config.h>
#include <webpubsub/conn.h>
#include <webpubsub/event.h>
#include <webpubsub/http.h>
#include <webpubsub/hub.h>
#include <webpubsub/log.h>
#include <webpubsub/message.h>
#include <webpubsub/reply.h>
#include <webpubsub/request.h>
#include <webpubsub/server.h>
#include <webpubsub/status.h>
#include <webpubsub/worker.h>

WPS_BEGIN_DECLS

struct wps_host {
  uint32_t struct_size;
  uint16_t abi_major, abi_minor;   /* of the running server                  */
  const char *server_version;      /* "1.4.2"                                */

  const struct wps_config_api *config;
  const struct wps_log_api *log;
  const struct wps_worker_api *worker;
  const struct wps_reply_api *reply;
  const struct wps_message_api *message;
  const struct wps_request_api *request;
  const struct wps_conn_api *conn;
  const struct wps_hub_api *hub;
  const struct wps_auth_api *auth;
  const struct wps_event_api *event;
  const struct wps_http_api *http;
  const struct wps_server_api *server;

  /* Name of a status ("EAGAIN") for log lines; "?" when unknown.
   * Thread: any. */
  const char *(*status_name)(int status);
};

extern WPS_HIDDEN const struct wps_host *wps;

WPS_END_DECLS

#endif
