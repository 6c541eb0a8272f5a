/* SPDX-License-Identifier: Apache-2.0 */
/* auth-static: users and API keys that are written in the configuration, for
 * devices and scripts that cannot make tokens.
 *
 * A key is long and random: one HMAC finds it. A password may be weak: it is
 * kept behind a slow hash, which runs in the pool and never on a worker.
 */
#include "plugins/auth-static/auth-static.h"

#include <stdlib.h>
#include <strings.h>

#include <openssl/crypto.h>

/* clang-format off */
#define GRANT_ITEMS                                                          \
  { .key = "roles", .type = WPS_CONF_STRING, .flags = WPS_CONF_LIST,         \
    .help = "roles of a client, such as webpubsub.sendToGroup; "             \
            "webpubsubd.reader or webpubsubd.owner for REST, and with the "  \
            "latter publisher, subscriber, manager for /server" },           \
  { .key = "groups", .type = WPS_CONF_STRING, .flags = WPS_CONF_LIST,        \
    .help = "groups that the client is in from the start" },                 \
  { .key = "hubs", .type = WPS_CONF_STRING, .flags = WPS_CONF_LIST,          \
    .help = "hubs that may be entered; none named: all" }
/* clang-format on */

static const struct wps_config_item user_items[] = {
    {.key = "name",
     .type = WPS_CONF_STRING,
     .flags = WPS_CONF_REQUIRED,
     .help = "name in the Authorization header (Basic)"},
    {.key = "secret",
     .type = WPS_CONF_SECRET,
     .help = "password, at least 8 bytes"},
    {.key = "secret_hash",
     .type = WPS_CONF_STRING,
     .help = "instead of secret: what webpubsubctl hash-secret prints"},
    {.key = "user_id",
     .type = WPS_CONF_STRING,
     .help = "user id of the client; not given: the name"},
    GRANT_ITEMS,
};
static const struct wps_config_schema user_schema =
    WPS_CONFIG_SCHEMA(user_items);

static const struct wps_config_item key_items[] = {
    {.key = "key",
     .type = WPS_CONF_SECRET,
     .flags = WPS_CONF_REQUIRED,
     .help = "the key, at least 32 bytes of random text"},
    {.key = "user_id",
     .type = WPS_CONF_STRING,
     .help = "user id of the client; not given: none"},
    GRANT_ITEMS,
};
static const struct wps_config_schema key_schema = WPS_CONFIG_SCHEMA(key_items);

static const struct wps_config_item items[] = {
    {.key = "users",
     .type = WPS_CONF_SECTION,
     .flags = WPS_CONF_LIST,
     .items = &user_schema,
     .help = "who may come in with name and password"},
    {.key = "keys",
     .type = WPS_CONF_SECTION,
     .flags = WPS_CONF_LIST,
     .items = &key_schema,
     .help = "who may come in with a key in the header X-API-Key or, for "
             "clients and servers that open a WebSocket, in the query argument "
             "api_key"},
    {.key = "iterations",
     .type = WPS_CONF_INT,
     .fallback = "100000",
     .min = SECRET_ITERATIONS_MIN,
     .max = SECRET_ITERATIONS_MAX,
     .help = "rounds of PBKDF2 for passwords given as secret"},
    {.key = "max_checks",
     .type = WPS_CONF_INT,
     .fallback = "64",
     .min = 1,
     .max = 10000,
     .help =
         "passwords that may wait for their check, per worker; more get 503"},
    {.key = "check_threads",
     .type = WPS_CONF_INT,
     .fallback = "2",
     .min = 1,
     .max = 64,
     .help = "passwords that are checked at a time, by all workers together; "
             "each takes one of offload.threads, and others need some too"},
    {.key = "remember",
     .type = WPS_CONF_DURATION_MS,
     .fallback = "1m",
     .min = 0,
     .max = 3600000,
     .help = "how long a password that was right is not checked again"},
};
static const struct wps_config_schema schema = WPS_CONFIG_SCHEMA(items);

/* ---- grants ---- */

bool grant_allows_hub(const struct grant *grant, struct wps_str hub)
{
  size_t n = wps->config->count(grant->cfg, "hubs");

  for (size_t i = 0; i < n; i++) {
    struct wps_str one = wps->config->str_at(grant->cfg, "hubs", i);

    if ((one.len == 1 && *one.ptr == '*') ||
        (one.len == hub.len && hub.len > 0 &&
         strncasecmp(one.ptr, hub.ptr, hub.len) == 0))
      return true;
  }
  return n == 0;
}

void grant_finish(const struct grant *grant, uint32_t purpose, bool hub_allowed,
                  struct wps_reply *reply)
{
  bool client = purpose == WPS_FOR_CLIENT;
  struct wps_str *all = NULL;
  struct wps_principal who = {.struct_size = sizeof(who),
                              .user = grant->user,
                              .roles = client ? grant->roles : grant->api_roles,
                              .role_count = client ? grant->role_count
                                                   : grant->api_role_count,
                              .groups = client ? grant->groups : NULL,
                              .group_count = client ? grant->group_count : 0,
                              .credential = grant->credential};

  if (!hub_allowed) {
    REFUSE(reply, WPS_EFORBIDDEN, "this hub is not among the allowed ones");
    return;
  }
  /* There, its own roles say what it is for. */
  if (purpose == WPS_FOR_SERVER && grant->owner) {
    all = malloc((who.role_count + grant->role_count) * sizeof(*all));
    if (all == NULL) {
      REFUSE(reply, WPS_ENOMEM, "out of memory");
      return;
    }
    for (size_t i = 0; i < who.role_count; i++)
      all[i] = grant->api_roles[i];
    for (size_t i = 0; i < grant->role_count; i++)
      all[who.role_count + i] = grant->roles[i];
    who.roles = all;
    who.role_count += grant->role_count;
  }
  wps->auth->accept(reply, &who);
  free(all);
}

/* ---- authenticate ---- */

/* Every digest is looked at, whole. */
static const struct key *key_find(const struct auth_static *a,
                                  struct wps_str text)
{
  const struct key *found = NULL;
  uint8_t digest[32];

  if (text.len > SECRET_BYTES_MAX ||
      !secret_digest(a->key_secret, text, digest))
    return NULL;
  for (size_t i = 0; i < a->key_count; i++)
    if (CRYPTO_memcmp(a->keys[i].digest, digest, sizeof(digest)) == 0)
      found = &a->keys[i];
  return found;
}

static void key_answer(const struct auth_static *a, struct wps_str text,
                       uint32_t purpose, struct wps_str hub,
                       struct wps_reply *reply)
{
  const struct key *key = key_find(a, text);

  if (key != NULL)
    grant_finish(&key->grant, purpose, grant_allows_hub(&key->grant, hub),
                 reply);
  else
    REFUSE(reply, WPS_EUNAUTHORIZED, "no such API key");
}

static void authenticate(void *inst, void *wstate, struct wps_request *req,
                         struct wps_reply *reply)
{
  const struct auth_static *a = inst;
  struct wps_str hub = wps->request->hub(req);
  uint32_t purpose = wps->request->purpose(req);
  struct wps_str header = wps->request->header(req, "Authorization");
  struct wps_str key = wps->request->header(req, "X-API-Key");
  struct basic basic;

  if (a->user_count > 0 && basic_given(header)) {
    if (basic_parse(header, &basic))
      checker_ask(wstate, &basic, purpose, hub, reply);
    else
      REFUSE(reply, WPS_EUNAUTHORIZED, "malformed Basic credentials");
    return;
  }
  /* Only what cannot set headers may put a key into the URL. */
  if (key.ptr == NULL && purpose != WPS_FOR_API) {
    key = wps->request->query(req, "api_key");
    if (key.len == 0)
      key.ptr = NULL;
  }
  if (a->key_count > 0 && key.ptr != NULL)
    key_answer(a, key, purpose, hub, reply);
  else
    wps->reply->decline(reply);
}

/* ---- life ---- */

static int worker_start(void *inst, struct wps_worker *worker, void **wstate)
{
  *wstate = checker_new(inst, worker);
  return *wstate != NULL ? WPS_OK : WPS_ENOMEM;
}

static void worker_stop(void *inst, void *wstate)
{
  (void)inst;
  checker_free(wstate);
}

static void destroy(void *inst)
{
  struct auth_static *a = inst;

  entries_free(a);
  checks_end(&a->checks);
  OPENSSL_cleanse(a, sizeof(*a));
  free(a);
}

static int create(struct wps_instance *self, const struct wps_config *cfg,
                  void *old, void **inst)
{
  struct auth_static *a = calloc(1, sizeof(*a));
  int rc;

  (void)old;
  if (a == NULL)
    return WPS_ENOMEM;
  a->self = self;
  a->checks_max = (size_t)wps->config->get_int(cfg, "max_checks");
  checks_init(&a->checks, (uint32_t)wps->config->get_int(cfg, "check_threads"));
  a->remember_us = wps->config->get_int(cfg, "remember") * 1000;
  if ((rc = entries_load(a, cfg)) != WPS_OK) {
    destroy(a);
    return rc;
  }
  wps->log->write(self, NULL, WPS_LOG_INFO, "users=%zu keys=%zu", a->user_count,
                  a->key_count);
  *inst = a;
  return WPS_OK;
}

static const struct wps_auth ops = {.struct_size = sizeof(ops),
                                    .authenticate = authenticate};

static const struct wps_component component = {
    .struct_size = sizeof(component),
    .kind = WPS_KIND_AUTH,
    .name = "static",
    .summary = "users and API keys from the configuration",
    .schema = &schema,
    .check = entries_check,
    .create = create,
    .worker_start = worker_start,
    .worker_stop = worker_stop,
    .destroy = destroy,
    .ops.auth = &ops};

WPS_PLUGIN("auth-static", "1.0", "Apache-2.0", &component);
