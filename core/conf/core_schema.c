/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/core_schema.h"

#include "conf/internal.h"

#include <string.h>

#include "base/str.h"

#define SECOND ((int64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define KIB ((int64_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

/* A duration, a size or a number with its default and bounds. */
#define DURATION(key_, fallback_, min_, max_, help_)                           \
  {                                                                            \
    .key = key_, .type = WPS_CONF_DURATION_MS, .fallback = fallback_,          \
    .min = min_, .max = max_, .help = help_                                    \
  }
#define SIZE(key_, fallback_, min_, max_, help_)                               \
  {                                                                            \
    .key = key_, .type = WPS_CONF_SIZE_BYTES, .fallback = fallback_,           \
    .min = min_, .max = max_, .help = help_                                    \
  }
#define NUMBER(key_, fallback_, min_, max_, help_)                             \
  {                                                                            \
    .key = key_, .type = WPS_CONF_INT, .fallback = fallback_, .min = min_,     \
    .max = max_, .help = help_                                                 \
  }
#define SECTION(key_, flags_, fallback_, items_, help_)                        \
  {                                                                            \
    .key = key_, .type = WPS_CONF_SECTION, .flags = flags_,                    \
    .fallback = fallback_, .items = items_, .help = help_                      \
  }

static const char *const client_certificate_choices[] = {"optional", "required",
                                                         NULL};
static const char *const anonymous_choices[] = {"deny", "allow", NULL};
static const char *const level_choices[] = {"error", "warn", "info", "debug",
                                            NULL};
static const char *const format_choices[] = {"text", "json", NULL};
static const char *const system_event_choices[] = {"connect", "connected",
                                                   "disconnected", NULL};
static const char *const presence_event_choices[] = {"joined", "left", NULL};
static const char *const request_event_choices[] = {"join", "leave", "publish",
                                                    NULL};

static const struct wps_config_item tls_items[] = {
    {.key = "certificate",
     .type = WPS_CONF_STRING,
     .flags = WPS_CONF_REQUIRED,
     .help = "PEM file with the certificate and the chain behind it"},
    {.key = "key",
     .type = WPS_CONF_STRING,
     .flags = WPS_CONF_REQUIRED,
     .help =
         "PEM file with the private key; must not be readable by everybody"},
    {.key = "client_ca",
     .type = WPS_CONF_STRING,
     .help = "PEM file with the authorities whose client certificates are "
             "taken; without it none is asked for"},
    {.key = "client_certificate",
     .type = WPS_CONF_ENUM,
     .fallback = "optional",
     .choices = client_certificate_choices,
     .help = "may clients come without a certificate? Needs client_ca"},
};
static const struct wps_config_schema tls_schema = WPS_CONFIG_SCHEMA(tls_items);

static const struct wps_config_item listen_items[] = {
    {.key = "address",
     .type = WPS_CONF_STRING,
     .flags = WPS_CONF_REQUIRED,
     .help = "\"0.0.0.0:8080\", \"[::]:8080\" or \"unix:/run/name.sock\"; "
             "port 0 takes a free one"},
    SECTION("tls", 0, NULL, &tls_schema,
            "speak TLS (1.2 and up) on this address"),
};
static const struct wps_config_schema listen_schema =
    WPS_CONFIG_SCHEMA(listen_items);

static const struct wps_config_item limit_items[] = {
    SIZE("message_size", "1m", 1 * KIB, 64 * MIB,
         "largest message of a client, all its frames together"),
    NUMBER("connections", "100000", 1, 10000000,
           "clients at a time; more are refused with 429"),
    NUMBER("hubs", "10000", 1, 1000000, "hubs in use at a time"),
    NUMBER("groups_per_connection", "1024", 1, 1000000,
           "groups that one client may be in"),
    NUMBER("queue_messages", "1000", 1, 1000000,
           "messages that wait for a slow client, or for the acknowledgement "
           "of a reliable one, before it is closed"),
    SIZE("queue_bytes", "16m", 64 * KIB, 1 * GIB,
         "the same in bytes; acks and pongs count here"),
    NUMBER("fragments", "1024", 1, 1000000,
           "frames that one message may be cut into"),
    NUMBER("events_waiting", "100", 1, 100000,
           "events of one client that wait for an upstream; while there are "
           "so many, nothing is read from the client"),
    SIZE("events_waiting_bytes", "1m", 1 * KIB, 1 * GIB, "the same in bytes"),
    SIZE("events_waiting_total", "256m", 1 * MIB, 1024 * GIB,
         "the same of all clients together; over it, nothing is read from "
         "those that have events waiting"),
    DURATION("event_timeout", "2m", 100, 1 * HOUR,
             "an event without an answer after this time has failed; no "
             "handler's own timeout reaches further"),
    DURATION("events_after_end", "5s", 0, 10 * MINUTE,
             "how long the last events of a client that has ended may take, "
             "before its disconnected event goes out regardless"),
};
static const struct wps_config_schema limit_schema =
    WPS_CONFIG_SCHEMA(limit_items);

static const struct wps_config_item http_items[] = {
    SIZE("request_line", "16k", 1 * KIB, 1 * MIB,
         "longest request line; tokens stand in it"),
    SIZE("header_bytes", "16k", 1 * KIB, 1 * MIB,
         "all header fields of a request together"),
    NUMBER("headers", "100", 8, 1000, "number of header fields of a request"),
    SIZE("body", "1m", 1 * KIB, 1 * GIB, "largest body of a request"),
    DURATION("first_byte_timeout", "10s", 100, 10 * MINUTE,
             "from the connection, TLS handshake included, to the first byte"),
    DURATION("headers_timeout", "10s", 100, 10 * MINUTE,
             "from the first byte to the end of the header fields"),
    DURATION("body_timeout", "30s", 100, 1 * HOUR,
             "from the header fields to the end of the body"),
    DURATION("keep_alive_timeout", "60s", 100, 1 * HOUR,
             "between two requests"),
};
static const struct wps_config_schema http_schema =
    WPS_CONFIG_SCHEMA(http_items);

static const struct wps_config_item websocket_items[] = {
    DURATION("ping_interval", "20s", 1 * SECOND, 2 * MINUTE,
             "how often clients are pinged, where their hub does not say; one "
             "silent for two intervals, and 30s at least, is dropped"),
    DURATION("message_timeout", "5m", 1 * SECOND, 1 * HOUR,
             "how long a message may take from its first byte to its last, as "
             "pings see it; then the connection counts as broken"),
    DURATION("close_timeout", "5s", 100, 1 * MINUTE,
             "how long a client may take to answer a close frame"),
    {.key = "default_hub",
     .type = WPS_CONF_STRING,
     .help = "where clients of /client go that name no hub; they are refused "
             "when left out"},
};
static const struct wps_config_schema websocket_schema =
    WPS_CONFIG_SCHEMA(websocket_items);

static const struct wps_config_item shutdown_items[] = {
    DURATION("timeout", "30s", 0, 1 * HOUR,
             "after SIGTERM, how long everything together may take"),
    DURATION("spread", "5s", 0, 1 * HOUR,
             "clients are closed over this time, so that they do not come "
             "back all at once elsewhere; three quarters of timeout at most"),
};
static const struct wps_config_schema shutdown_schema =
    WPS_CONFIG_SCHEMA(shutdown_items);

static const struct wps_config_item offload_items[] = {
    NUMBER("threads", "4", 1, 64, "threads for work that blocks"),
    NUMBER("queue", "1024", 1, 1000000, "pieces of work that wait for one"),
};
static const struct wps_config_schema offload_schema =
    WPS_CONFIG_SCHEMA(offload_items);

static const struct wps_config_item log_items[] = {
    {.key = "level",
     .type = WPS_CONF_ENUM,
     .fallback = "info",
     .choices = level_choices,
     .help = "the least important lines that are written"},
    {.key = "format",
     .type = WPS_CONF_ENUM,
     .fallback = "text",
     .choices = format_choices,
     .help = "text is key=value, json one object a line"},
};
static const struct wps_config_schema log_schema = WPS_CONFIG_SCHEMA(log_items);

static const struct wps_config_item core_items[] = {
    SECTION("listen", WPS_CONF_LIST, "[{ address: \"127.0.0.1:8080\" }]",
            &listen_schema, "where clients connect"),
    {.key = "endpoints",
     .type = WPS_CONF_STRING,
     .flags = WPS_CONF_LIST,
     .help = "public URLs of this server, which tokens name as their audience"},
    {.key = "access_keys",
     .type = WPS_CONF_SECRET,
     .flags = WPS_CONF_LIST,
     .min = ACCESS_KEY_MIN,
     .max = 4096,
     .help = "keys that sign tokens, all valid at a time so that they can be "
             "exchanged; at least 32 bytes each"},
    {.key = "service_key",
     .type = WPS_CONF_SECRET,
     .min = ACCESS_KEY_MIN,
     .max = 4096,
     .help = "signs what the server itself hands out: reconnection tokens and "
             "generated client tokens; a random one for each start when it is "
             "left out"},
    {.key = "workers",
     .type = WPS_CONF_STRING,
     .fallback = "auto",
     .help = "threads that serve clients, 1 to 64; auto is one for each CPU"},
    SECTION("limits", 0, NULL, &limit_schema, "how much one may take"),
    SECTION("http", 0, NULL, &http_schema, "limits of HTTP requests"),
    SECTION("websocket", 0, NULL, &websocket_schema, "WebSocket connections"),
    SECTION("shutdown", 0, NULL, &shutdown_schema, "what SIGTERM begins"),
    SECTION("offload", 0, NULL, &offload_schema,
            "the pool of threads for work that blocks"),
    SECTION("log", 0, NULL, &log_schema, "lines on stderr"),
};
const struct wps_config_schema core_schema = WPS_CONFIG_SCHEMA(core_items);

static const struct wps_config_item handler_items[] = {
    {.key = "url",
     .type = WPS_CONF_STRING,
     .flags = WPS_CONF_REQUIRED,
     .help = "where events go; {hub} and {event} are filled in, ${file:PATH} "
             "and ${env:NAME} at the start, and the scheme says which upstream "
             "plugin takes them"},
    {.key = "user_events",
     .type = WPS_CONF_STRING,
     .flags = WPS_CONF_LIST,
     .help = "names of the user events it takes, or \"*\" for all; none when "
             "left out"},
    {.key = "system_events",
     .type = WPS_CONF_ENUM,
     .flags = WPS_CONF_LIST,
     .choices = system_event_choices,
     .help = "system events it takes; none when left out"},
    {.key = "presence_events",
     .type = WPS_CONF_ENUM,
     .flags = WPS_CONF_LIST,
     .choices = presence_event_choices,
     .help = "what it hears of clients that come into groups and go; nothing "
             "when left out"},
    {.key = "presence_groups",
     .type = WPS_CONF_STRING,
     .flags = WPS_CONF_LIST,
     .help = "patterns of the groups that it hears of, as in roles (* and ? "
             "within, ** across dots); all when left out"},
    {.key = "request_events",
     .type = WPS_CONF_ENUM,
     .flags = WPS_CONF_LIST,
     .choices = request_event_choices,
     .help = "what clients may do only when it says yes, each time; plugins "
             "for servers that connect here take them"},
};
const struct wps_config_schema handler_schema =
    WPS_CONFIG_SCHEMA(handler_items);

static const struct wps_config_item hub_items[] = {
    {.key = "anonymous",
     .type = WPS_CONF_ENUM,
     .fallback = "deny",
     .choices = anonymous_choices,
     .help = "may clients connect without a token"},
    DURATION("ping_interval", NULL, 1 * SECOND, 2 * MINUTE,
             "how often clients of this hub are pinged; "
             "websocket.ping_interval when left out"),
    SECTION(HUB_EVENT_HANDLERS, WPS_CONF_LIST, NULL, &handler_schema,
            "upstreams that events go to; the first that matches takes it"),
};
const struct wps_config_schema hub_schema = WPS_CONFIG_SCHEMA(hub_items);

static const struct wps_config_item plugin_items[] = {
    {.key = "path",
     .type = WPS_CONF_STRING,
     .help = "the plugin's file, where it is not in the plugin folder"},
};
const struct wps_config_schema plugin_schema = WPS_CONFIG_SCHEMA(plugin_items);

const char *const core_maps[] = {"plugins", "hubs", NULL};
const char *const hub_maps[] = {HUB_EVENT_HANDLERS, NULL};

uint32_t core_workers(const struct wps_config *core)
{
  uint64_t number;

  return str_to_u64(config_api.get_str(core, "workers"), &number) &&
                 number <= CORE_WORKERS_MAX
             ? (uint32_t)number
             : 0;
}

static void check_workers(const struct wps_config *core)
{
  struct wps_str workers = config_api.get_str(core, "workers");

  if (!str_eq_c(workers, "auto") && core_workers(core) == 0)
    config_api.error(core, "workers", "expected auto or a number from 1 to %d",
                     CORE_WORKERS_MAX);
}

/* What connection strings and SDKs cannot carry. */
static const char *key_problem(struct wps_str key)
{
  size_t i;

  for (i = 0; i < key.len; i++) {
    unsigned char c = (unsigned char)key.ptr[i];

    if (c < 0x20 || c == 0x7f)
      return "has a control character, or more than one line";
    if (c == ';')
      return "has a `;`, which ends it in a connection string";
  }
  if (key.len != str_trim(key).len)
    return "begins or ends with a space";
  return NULL;
}

static void check_keys(const struct wps_config *core)
{
  size_t count = config_api.count(core, "access_keys"), i, k;

  for (i = 0; i < count; i++) {
    struct wps_str key = config_api.str_at(core, "access_keys", i);
    const char *problem = key_problem(key);

    if (problem != NULL)
      config_api.error(core, "access_keys", "key %zu %s", i + 1, problem);
    for (k = 0; k < i; k++) {
      if (str_eq(config_api.str_at(core, "access_keys", k), key))
        config_api.error(core, "access_keys", "keys %zu and %zu are the same",
                         k + 1, i + 1);
    }
  }
}

static bool takes_free_port(struct wps_str address)
{
  return address.len > 2 && memcmp(address.ptr + address.len - 2, ":0", 2) == 0;
}

static void check_listeners(const struct wps_config *core)
{
  size_t count = config_api.count(core, "listen"), i, k;

  for (i = 0; i < count; i++) {
    const struct wps_config *one = config_api.section_at(core, "listen", i);
    const struct wps_config *tls = config_api.section_at(one, "tls", 0);
    struct wps_str address = config_api.get_str(one, "address");

    if (section_has(tls, "client_certificate") &&
        config_api.count(tls, "client_ca") == 0)
      config_api.error(tls, "client_certificate",
                       "needs `client_ca` beside it");
    for (k = 0; k < i && address.len > 0; k++) {
      const struct wps_config *other = config_api.section_at(core, "listen", k);

      if (str_eq(config_api.get_str(other, "address"), address) &&
          !takes_free_port(address))
        config_api.error(one, "address", "%.*s is listed twice",
                         STR_ARG(address));
    }
  }
  if (count == 0)
    config_api.error(core, "listen", "needs at least one element");
}

static void check_endpoints(const struct wps_config *core)
{
  size_t count = config_api.count(core, "endpoints"), i;

  for (i = 0; i < count; i++) {
    struct wps_str url = config_api.str_at(core, "endpoints", i);

    if (!str_istarts(url, "http://") && !str_istarts(url, "https://"))
      config_api.error(core, "endpoints",
                       "element %zu is no URL that begins with "
                       "http:// or https://",
                       i + 1);
  }
}

int core_check(const struct wps_config *core)
{
  size_t before = faults_count(section_faults(core));
  const struct wps_config *down = config_api.section_at(core, "shutdown", 0);

  check_listeners(core);
  check_endpoints(core);
  check_keys(core);
  check_workers(core);
  if (section_has(down, "spread") &&
      config_api.get_int(down, "spread") > config_api.get_int(down, "timeout"))
    config_api.error(down, "spread", "cannot be longer than `timeout`");
  return faults_count(section_faults(core)) == before ? WPS_OK : WPS_EINVAL;
}

bool key_is_published(struct wps_str key)
{
  return str_eq_c(key, PUBLISHED_KEY);
}
