/* SPDX-License-Identifier: Apache-2.0 */
/* conf/core_schema.h - the server's own keys, as a schema like any plugin's. */
#ifndef WPS_CONF_CORE_SCHEMA_H
#define WPS_CONF_CORE_SCHEMA_H

#include "base/base.h"

#include <webpubsub/config.h>

/* Keys beside `plugins` and `hubs`, which are maps with keys of their own:
 *   listen[] { address, tls { certificate, key, client_ca, client_certificate:
 * optional|required } } endpoints[], access_keys[] (secrets), service_key
 * (secret), workers (auto | 1..64), limits { message_size 1m, connections
 * 100000, hubs 10000, groups_per_connection 1024, queue_messages 1000,
 * queue_bytes 16m, fragments 1024, events_waiting 100, events_waiting_bytes 1m,
 * events_waiting_total 256m,
 * event_timeout 2m, events_after_end 5s }, http { request_line
 * 16k, header_bytes 16k, headers 100, body 1m, first_byte_timeout 10s,
 * headers_timeout 10s, body_timeout 30s, keep_alive_timeout 60s }, websocket {
 * ping_interval 20s (default of the hubs), message_timeout 5m, close_timeout
 * 5s, default_hub }, shutdown { timeout 30s, spread 5s }, offload { threads 4,
 * queue 1024 }, log { level, format: text|json }
 */
extern const struct wps_config_schema core_schema;
/* One entry of `hubs`: anonymous (deny | allow), ping_interval (1s..120s),
 * event_handlers[] { url, user_events, system_events[], presence_events[],
 * presence_groups[], request_events[] } + the upstream's keys
 */
extern const struct wps_config_schema hub_schema;
extern const struct wps_config_schema handler_schema;

/* What the core takes from every plugin's block: `path`. Meant as `more`. */
extern const struct wps_config_schema plugin_schema;

#define HUB_EVENT_HANDLERS "event_handlers"
enum { ACCESS_KEY_MIN = 32, CORE_WORKERS_MAX = 64 };

/* For section_check's `ignored`: keys whose values are checked on their own.
 * core_maps are `plugins` and `hubs`; hub_maps are the hub's event_handlers,
 * each of which is checked against handler_schema and the handler_schema of
 * the upstream that its URL's scheme names. */
extern const char *const core_maps[];
extern const char *const hub_maps[];

/* What the schema cannot say of a section checked against core_schema; faults
 * go where the section's do. Thread: main. Errors: EINVAL. */
int core_check(const struct wps_config *core);
/* 1..64, 0: auto. */
uint32_t core_workers(const struct wps_config *core);

/* The key that everybody knows: for --dev, and for files that listen on
 * loopback only. */
#define PUBLISHED_KEY "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"
bool key_is_published(struct wps_str key);

#endif
