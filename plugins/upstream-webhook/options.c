/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/upstream-webhook/options.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include <webpubsub/host.h>
#include <webpubsub/status.h>

#include "plugins/common/cloudevents/text.h"

enum { SECOND = 1000, HOUR = 3600 * SECOND };

static const char *const http_choices[] = {"1.1", "2", NULL};
static const char *const auth_choices[] = {"none", "bearer",
                                           "client_credentials", NULL};

static const struct wps_config_item auth_items[] = {
    {.key = "type",
     .type = WPS_CONF_ENUM,
     .fallback = "none",
     .choices = auth_choices,
     .help = "what goes into the header Authorization of events: nothing, a "
             "fixed token, or one that token_url hands out"},
    {.key = "token",
     .type = WPS_CONF_SECRET,
     .min = 1,
     .max = 16384,
     .help = "with bearer: the token"},
    {.key = "token_url",
     .type = WPS_CONF_STRING,
     .help = "with client_credentials: the token endpoint of OAuth 2.0"},
    {.key = "ca",
     .type = WPS_CONF_STRING,
     .help = "with client_credentials: PEM file of the authorities that vouch "
             "for token_url; the system's when left out"},
    {.key = "client_id",
     .type = WPS_CONF_STRING,
     .help = "with client_credentials: the client's name"},
    {.key = "client_secret",
     .type = WPS_CONF_SECRET,
     .help = "with client_credentials: the client's secret"},
    {.key = "scope",
     .type = WPS_CONF_STRING,
     .help = "with client_credentials: scope to ask for, if any"},
    {.key = "resource",
     .type = WPS_CONF_STRING,
     .help = "with client_credentials: resource (App ID URI) to ask for, if "
             "any"},
};
static const struct wps_config_schema auth_schema =
    WPS_CONFIG_SCHEMA(auth_items);

/* The same keys twice: with defaults in the block, without them beside a URL,
 * where what is not written comes from the block. */
#define ITEMS(OR)                                                              \
  {.key = "timeout",                                                           \
   .type = WPS_CONF_DURATION_MS,                                               \
   .fallback = OR("100s"),                                                     \
   .min = 10,                                                                  \
   .max = HOUR,                                                                \
   .help = "how long one event may take, with all its attempts and the body "  \
           "of its answer"},                                                   \
      {.key = "connect_timeout",                                               \
       .type = WPS_CONF_DURATION_MS,                                           \
       .fallback = OR("10s"),                                                  \
       .min = 10,                                                              \
       .max = HOUR,                                                            \
       .help = "how long one attempt may take to connect, names and TLS "      \
               "included"},                                                    \
      {.key = "event_retry_delays",                                            \
       .type = WPS_CONF_DURATION_MS,                                           \
       .flags = WPS_CONF_LIST,                                                 \
       .fallback = OR("[1s, 3s, 5s]"),                                         \
       .min = 0,                                                               \
       .max = HOUR,                                                            \
       .help = "pauses before the repetitions of an event after 408, 5xx or "  \
               "a failure of the network; [] for none"},                       \
      {.key = "in_flight",                                                     \
       .type = WPS_CONF_INT,                                                   \
       .fallback = OR("64"),                                                   \
       .min = 1,                                                               \
       .max = 4096,                                                            \
       .help = "requests of a handler under way at a time, for each worker; "  \
               "up to twice as many while it hangs; and as many "              \
               "invocations, which count by themselves"},                      \
      {.key = "queue",                                                         \
       .type = WPS_CONF_INT,                                                   \
       .fallback = OR("10000"),                                                \
       .min = 1,                                                               \
       .max = 10000000,                                                        \
       .help = "events of a handler that wait, also for a repetition, for "    \
               "each worker; more fail at once; invocations by themselves"},   \
      {.key = "queue_bytes",                                                   \
       .type = WPS_CONF_SIZE_BYTES,                                            \
       .fallback = OR("64m"),                                                  \
       .min = 64 * 1024,                                                       \
       .max = INT64_C(1) << 40,                                                \
       .help = "memory of the events that wait, for each worker; more fail "   \
               "at once; invocations by themselves"},                          \
      {.key = "breaker_failures",                                              \
       .type = WPS_CONF_INT,                                                   \
       .fallback = OR("10"),                                                   \
       .min = 2,                                                               \
       .max = 1000000,                                                         \
       .help = "failures of the network or timeouts in a row after which a "   \
               "handler is tried once a second only, until it answers"},       \
      {.key = "validate",                                                      \
       .type = WPS_CONF_BOOL,                                                  \
       .fallback = OR("true"),                                                 \
       .help = "ask the URL first with OPTIONS whether it wants events "       \
               "(abuse protection)"},                                          \
      {.key = "validate_loopback",                                             \
       .type = WPS_CONF_BOOL,                                                  \
       .fallback = OR("true"),                                                 \
       .help = "do so also on loopback addresses; false skips it for "         \
               "127.0.0.0/8, [::1] and localhost"},                            \
      {.key = "refuse_private",                                                \
       .type = WPS_CONF_BOOL,                                                  \
       .fallback = OR("false"),                                                \
       .help = "never connect to loopback, private or link-local addresses"},  \
      {.key = "http_version",                                                  \
       .type = WPS_CONF_ENUM,                                                  \
       .fallback = OR("1.1"),                                                  \
       .choices = http_choices,                                                \
       .help = "HTTP version; 2 is for https and takes libcurl 8.0 or "        \
               "newer"},                                                       \
      {.key = "ca",                                                            \
       .type = WPS_CONF_STRING,                                                \
       .help = "PEM file of the authorities that vouch for the handler's "     \
               "certificate; the system's when left out"},                     \
      {.key = "client_certificate",                                            \
       .type = WPS_CONF_STRING,                                                \
       .help = "PEM file with the certificate to show to the handler"},        \
      {.key = "client_key",                                                    \
       .type = WPS_CONF_STRING,                                                \
       .help = "PEM file with its private key"},                               \
  {                                                                            \
    .key = "auth", .type = WPS_CONF_SECTION, .items = &auth_schema,            \
    .help = "how to authenticate at the handler"                               \
  }

#define OR_THIS(text) text
#define OR_NONE(text) NULL

static const struct wps_config_item block_items[] = {ITEMS(OR_THIS)};
static const struct wps_config_item handler_items[] = {ITEMS(OR_NONE)};
const struct wps_config_schema options_block_schema =
    WPS_CONFIG_SCHEMA(block_items);
const struct wps_config_schema options_handler_schema =
    WPS_CONFIG_SCHEMA(handler_items);

/* ---- reading ---- */

static struct wps_str text_of(const struct wps_config *cfg, const char *key)
{
  struct wps_str s = wps->config->get_str(cfg, key);

  return s.len > 0 ? s : (struct wps_str){NULL, 0};
}

static bool has(const struct wps_config *cfg, const char *key)
{
  return cfg != NULL && wps->config->has(cfg, key);
}

static void read_retries(struct options *o, const struct wps_config *cfg)
{
  size_t n = wps->config->count(cfg, "event_retry_delays");

  o->retries = n < RETRIES_MAX ? n : RETRIES_MAX;
  for (size_t i = 0; i < o->retries; i++)
    o->retry_ms[i] =
        (uint64_t)wps->config->int_at(cfg, "event_retry_delays", i);
}

static void read_auth(struct options *o, const struct wps_config *cfg)
{
  const struct wps_config *auth = wps->config->section_at(cfg, "auth", 0);

  o->auth = AUTH_NONE;
  if (auth == NULL || !wps->config->has(cfg, "auth"))
    return;
  o->auth = (uint32_t)wps->config->get_int(auth, "type");
  o->token = text_of(auth, "token");
  o->token_url = text_of(auth, "token_url");
  o->token_ca = text_of(auth, "ca");
  o->client_id = text_of(auth, "client_id");
  o->client_secret = text_of(auth, "client_secret");
  o->scope = text_of(auth, "scope");
  o->resource = text_of(auth, "resource");
}

void options_read(struct options *o, const struct wps_config *block,
                  const struct wps_config *handler)
{
#define FROM(key) (has(handler, key) ? handler : block)
#define NUMBER(key) wps->config->get_int(FROM(key), key)
#define BOOLEAN(key) wps->config->get_bool(FROM(key), key)
  const struct wps_config *tls;

  memset(o, 0, sizeof(*o));
  o->timeout_ms = (uint64_t)NUMBER("timeout");
  o->connect_timeout_ms = (uint64_t)NUMBER("connect_timeout");
  read_retries(o, FROM("event_retry_delays"));
  o->in_flight = (size_t)NUMBER("in_flight");
  o->queue = (size_t)NUMBER("queue");
  o->queue_bytes = (size_t)NUMBER("queue_bytes");
  o->breaker_failures = (uint32_t)NUMBER("breaker_failures");
  o->validate = BOOLEAN("validate");
  o->validate_loopback = BOOLEAN("validate_loopback");
  o->refuse_private = BOOLEAN("refuse_private");
  o->http2 = NUMBER("http_version") == 1;
  o->ca = text_of(FROM("ca"), "ca");
  tls = FROM("client_certificate");
  o->client_certificate = text_of(tls, "client_certificate");
  o->client_key = text_of(tls, "client_key");
  read_auth(o, FROM("auth"));
#undef BOOLEAN
#undef NUMBER
#undef FROM
}

/* ---- checking ---- */

static int check_file(const struct wps_config *cfg, const char *key)
{
  struct wps_str text = text_of(cfg, key);
  char path[PATH_MAX];

  if (text.ptr == NULL)
    return WPS_OK;
  snprintf(path, sizeof(path), "%.*s", STR_ARG(text));
  if (access(path, R_OK) == 0)
    return WPS_OK;
  return wps->config->error(cfg, key, "cannot read %s: %m", path);
}

static int check_tls(const struct wps_config *cfg)
{
  int rc = check_file(cfg, "ca");
  int other = check_file(cfg, "client_certificate");

  rc = rc == WPS_OK ? other : rc;
  other = check_file(cfg, "client_key");
  rc = rc == WPS_OK ? other : rc;
  if (text_of(cfg, "client_key").ptr != NULL &&
      text_of(cfg, "client_certificate").ptr == NULL)
    return wps->config->error(cfg, "client_key",
                              "there is no `client_certificate` beside it");
  if (text_of(cfg, "client_certificate").ptr != NULL &&
      text_of(cfg, "client_key").ptr == NULL)
    return wps->config->error(cfg, "client_certificate",
                              "there is no `client_key` beside it");
  return rc;
}

static int check_http(const struct wps_config *cfg)
{
  const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);

  if (!wps->config->has(cfg, "http_version") ||
      wps->config->get_int(cfg, "http_version") == 0)
    return WPS_OK;
  if (curl->version_num < 0x080000)
    return wps->config->error(
        cfg, "http_version",
        "HTTP/2 takes libcurl 8.0 or newer, this is %s, which loses requests "
        "with it",
        curl->version);
  if ((curl->features & CURL_VERSION_HTTP2) == 0)
    return wps->config->error(cfg, "http_version",
                              "this libcurl was built without HTTP/2");
  return WPS_OK;
}

/* A line break would end the header. */
static bool one_line(struct wps_str s)
{
  for (size_t i = 0; i < s.len; i++)
    if ((unsigned char)s.ptr[i] < 0x21 || (unsigned char)s.ptr[i] > 0x7e)
      return false;
  return true;
}

static int check_bearer(const struct wps_config *auth)
{
  struct wps_str token = text_of(auth, "token");

  if (token.ptr == NULL)
    return wps->config->error(auth, "token", "type bearer needs it");
  if (!one_line(token))
    return wps->config->error(
        auth, "token",
        "a token has no spaces, line breaks or other than "
        "ASCII characters");
  return WPS_OK;
}

static int check_credentials(const struct wps_config *auth)
{
  static const char *const needed[] = {"token_url", "client_id",
                                       "client_secret"};
  struct wps_str url = text_of(auth, "token_url");
  struct url_template parts;
  char why[200];
  int rc = WPS_OK;

  for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
    if (text_of(auth, needed[i]).ptr == NULL)
      rc = wps->config->error(auth, needed[i],
                              "type client_credentials needs it");
  if (check_file(auth, "ca") != WPS_OK)
    rc = WPS_EINVAL;
  if (url.ptr == NULL)
    return rc;
  if (memchr(url.ptr, '{', url.len) != NULL)
    return wps->config->error(auth, "token_url", "it takes no parameters");
  if (url_template_read(url, &parts, why, sizeof(why)) != WPS_OK)
    return wps->config->error(auth, "token_url", "%s", why);
  if (!parts.tls && !parts.loopback)
    return wps->config->error(auth, "token_url",
                              "a secret goes there: only https will do, "
                              "except on loopback addresses");
  return rc;
}

static int check_auth(const struct wps_config *cfg)
{
  static const char *const of_others[] = {"token",     "token_url",     "ca",
                                          "client_id", "client_secret", "scope",
                                          "resource"};
  const struct wps_config *auth;
  size_t from = 0, to = sizeof(of_others) / sizeof(of_others[0]);
  int64_t type;
  int rc = WPS_OK;

  if (!wps->config->has(cfg, "auth"))
    return WPS_OK;
  auth = wps->config->section_at(cfg, "auth", 0);
  if (auth == NULL)
    return WPS_OK;
  type = wps->config->get_int(auth, "type");
  if (type == AUTH_BEARER) {
    rc = check_bearer(auth);
    from = 1;
  } else if (type == AUTH_CLIENT_CREDENTIALS) {
    rc = check_credentials(auth);
    to = 1;
  }
  for (size_t i = from; i < to; i++)
    if (text_of(auth, of_others[i]).ptr != NULL)
      rc = wps->config->error(auth, of_others[i],
                              "it means nothing with this `type`");
  return rc;
}

static int check_numbers(const struct wps_config *cfg)
{
  if (wps->config->has(cfg, "event_retry_delays") &&
      wps->config->count(cfg, "event_retry_delays") > RETRIES_MAX)
    return wps->config->error(cfg, "event_retry_delays",
                              "at most %d repetitions", RETRIES_MAX);
  return WPS_OK;
}

int options_check_block(const struct wps_config *cfg)
{
  int (*const checks[])(const struct wps_config *) = {check_numbers, check_tls,
                                                      check_http, check_auth};
  int rc = WPS_OK;

  for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
    int one = checks[i](cfg);

    rc = rc == WPS_OK ? one : rc;
  }
  return rc;
}

int options_check_handler(const struct wps_config *cfg)
{
  struct wps_str url = wps->config->get_str(cfg, "url");
  struct url_template t;
  char why[200];
  int rc = options_check_block(cfg);

  if (url_template_read(url, &t, why, sizeof(why)) != WPS_OK)
    return wps->config->error(cfg, "url", "%s", why);
  return rc;
}
