/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/server.h - the running server: everything that settings become.
 *
 * Thread: main. */
#ifndef WPS_DAEMON_SERVER_H
#define WPS_DAEMON_SERVER_H

#include "conn/conn.h"
#include "daemon/settings.h"
#include "host/host.h"
#include "http/server.h"

struct listener_group;
struct reloaded;
struct offload;

enum { DEV_ENDPOINTS = 3 };

struct server {
  struct settings *settings;
  struct workers *workers;
  struct instances instances;
  struct conn_server conns;
  struct http_server http;
  struct host_context host;
  struct listener_group **listeners;
  size_t listener_count;
  const struct options *options;
  struct reloaded *reloaded; /* reload.c */
  bool dev;
  char dev_urls[DEV_ENDPOINTS][40];
  struct wps_str dev_endpoints[DEV_ENDPOINTS];
  /* shutdown.c */
  struct timer deadline;
  uint32_t drain_timeout_ms, drain_spread_ms;
  int64_t drain_until_us;
  uint32_t workers_draining;
  bool stopping, instances_draining, quitting;
};

/* Make everything, start plugins and workers, open the ports. `options`, which
 * the settings came from, is read again at a reload. False with a sentence for
 * the operator; then nothing is left. */
bool server_start(struct server *s, struct settings *settings,
                  const struct options *options, char *why, size_t why_size);
/* The line that says that clients may come, on standard output. */
void server_print_ready(const struct server *s);
/* After the main loop has ended. */
void server_stop(struct server *s);

/* shutdown.c: what SIGTERM begins; a second one makes it short. */
void shutdown_begin(struct server *s);

#endif
