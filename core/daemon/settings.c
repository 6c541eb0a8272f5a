/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/settings.c - the whole of the configuration, all faults at once. */
#include "daemon/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/str.h"
#include "conf/core_schema.h"
#include "daemon/dev.h"
#include "daemon/hub_settings.h"
#include "host/host.h"
#include "wire/listener.h"
#include "wire/tls.h"

extern char **environ;

/* What `make install` puts into the plugin folder; --dev enables all of them
 * that are there. */
static const char *const shipped_names[] = {
    "subprotocol-simple", "subprotocol-json", "subprotocol-protobuf",
    "auth-jwt",           "auth-static",      "upstream-webhook",
    "upstream-tunnel",    "upstream-server",  "http-rest"};

const char *settings_plugin_dir(void)
{
  const char *dir = getenv("WEBPUBSUBD_PLUGIN_DIR");

  return dir != NULL && dir[0] != '\0' ? dir : PLUGINDIR;
}

static char *shipped_path(const char *name)
{
  return str_printf("%s/%s.so", settings_plugin_dir(), name);
}

char **settings_shipped(void)
{
  char **list = calloc(ARRAY_LEN(shipped_names) + 1, sizeof(*list));
  size_t count = 0;

  for (size_t i = 0; list != NULL && i < ARRAY_LEN(shipped_names); i++) {
    char *path = shipped_path(shipped_names[i]);

    if (path != NULL && access(path, F_OK) == 0)
      list[count++] = (char *)(uintptr_t)shipped_names[i];
    free(path);
  }
  return list;
}

/* ---- document ---- */

static void load_document(struct settings *s, const struct options *o)
{
  struct buf text;

  if (!o->dev) {
    s->document = document_load(o->file, s->faults);
    return;
  }
  buf_init(&text, 64 * 1024);
  if (dev_configuration(&text, o->port) == WPS_OK)
    s->document = document_parse("--dev", text.data, text.len, s->faults);
  else
    faults_add(s->faults, NULL, "out of memory");
  buf_free(&text);
}

static void apply_environment(struct settings *s)
{
  struct node *plugins = node_get(document_root(s->document), "plugins");
  size_t count =
      plugins != NULL && plugins->kind == NODE_MAP ? plugins->count : 0;
  const char **known =
      calloc(count + ARRAY_LEN(shipped_names) + 1, sizeof(*known));

  if (known == NULL) {
    faults_add(s->faults, NULL, "out of memory");
    return;
  }
  for (size_t i = 0; i < ARRAY_LEN(shipped_names); i++)
    known[i] = shipped_names[i];
  for (size_t i = 0; i < count; i++)
    known[ARRAY_LEN(shipped_names) + i] = plugins->keys[i].ptr;
  document_environment(s->document, environ, known, s->faults);
  free(known);
}

static void apply_overrides(struct settings *s, const struct options *o)
{
  apply_environment(s);
  for (size_t i = 0; i < o->set_count; i++) {
    char *path = str_dup(str_from(o->sets[i]));
    char *origin = NULL;
    char *equals = path != NULL ? strchr(path, '=') : NULL;

    if (equals != NULL) {
      *equals = '\0';
      origin = str_printf("--set %s", path);
      document_set(s->document, path, equals + 1,
                   origin != NULL ? origin : "--set", s->faults);
    }
    free(origin);
    free(path);
  }
}

/* ---- core ---- */

static struct wps_str get(const struct wps_config *cfg, const char *key)
{
  return config_api.get_str(cfg, key);
}

static void load_endpoints(struct settings *s)
{
  size_t count = config_api.count(s->core, "endpoints");

  s->endpoints = calloc(count + 1, sizeof(*s->endpoints));
  for (size_t i = 0; s->endpoints != NULL && i < count; i++) {
    struct wps_str url = config_api.str_at(s->core, "endpoints", i);

    while (url.len != 0 && url.ptr[url.len - 1] == '/')
      url.len--;
    s->endpoints[s->endpoint_count++] = url;
  }
}

static void load_keys(struct settings *s)
{
  size_t count = config_api.count(s->core, "access_keys");
  struct wps_bytes *access = calloc(count + 1, sizeof(*access));
  struct wps_str service = get(s->core, "service_key");

  for (size_t i = 0; access != NULL && i < count; i++) {
    struct wps_str key = config_api.str_at(s->core, "access_keys", i);

    access[i] = (struct wps_bytes){key.ptr, key.len};
  }
  if (access != NULL)
    s->keys = keys_new(
        access, count,
        (struct wps_bytes){service.len != 0 ? service.ptr : NULL, service.len});
  if (s->keys == NULL)
    faults_add(s->faults, NULL,
               "the keys cannot be set up: out of memory, or "
               "no random numbers");
  free(access);
}

static bool all_on_loopback(const struct wps_config *core)
{
  size_t count = config_api.count(core, "listen");

  for (size_t i = 0; i < count; i++) {
    const struct wps_config *one = config_api.section_at(core, "listen", i);
    struct wps_str address = get(one, "address");

    if (address.len != 0 && !listener_address_is_loopback(address.ptr))
      return false;
  }
  return true;
}

static void check_published_key(struct settings *s, const struct options *o)
{
  size_t count = config_api.count(s->core, "access_keys");

  if (o->dev || all_on_loopback(s->core))
    return;
  for (size_t i = 0; i < count; i++)
    if (key_is_published(config_api.str_at(s->core, "access_keys", i)))
      config_api.error(s->core, "access_keys",
                       "key %zu is the published development "
                       "key, which anybody can sign with; it is taken only "
                       "where all listeners are on loopback",
                       i + 1);
}

static struct tls_context *load_tls(const struct wps_config *listen)
{
  const struct wps_config *cfg = config_api.section_at(listen, "tls", 0);
  struct wps_str ca;
  struct tls_settings settings;
  struct tls_context *ctx;
  char why[512];

  if (cfg == NULL || !section_has(listen, "tls"))
    return NULL;
  ca = get(cfg, "client_ca");
  settings = (struct tls_settings){
      .certificate = get(cfg, "certificate").ptr,
      .key = get(cfg, "key").ptr,
      .client_ca = ca.len != 0 ? ca.ptr : NULL,
      .client_required = config_api.get_int(cfg, "client_certificate") == 1};
  if (settings.certificate == NULL || settings.key == NULL)
    return NULL; /* a fault already */
  ctx = tls_context_new(&settings, why, sizeof(why));
  if (ctx == NULL)
    config_api.error(listen, "tls", "%s", why);
  return ctx;
}

static void load_listeners(struct settings *s)
{
  size_t count = config_api.count(s->core, "listen");

  s->tls = calloc(count + 1, sizeof(struct tls_context *));
  for (size_t i = 0; s->tls != NULL && i < count; i++) {
    const struct wps_config *one = config_api.section_at(s->core, "listen", i);
    struct wps_str address = get(one, "address");
    char why[512];

    if (address.len != 0 && !listener_address_ok(address.ptr, why, sizeof(why)))
      config_api.error(one, "address", "%s", why);
    s->tls[i] = load_tls(one);
    s->listen_count = i + 1;
  }
}

/* ---- plugins ---- */

static bool has_path(const struct node *block)
{
  return block->kind == NODE_MAP && node_get(block, "path") != NULL;
}

static char *plugin_path(const struct node *block, struct wps_str base)
{
  const struct node *path =
      block->kind == NODE_MAP ? node_get(block, "path") : NULL;

  if (path != NULL && path->kind == NODE_SCALAR && path->scalar.len != 0)
    return str_dup(path->scalar);
  return str_printf("%s/%.*s.so", settings_plugin_dir(), STR_ARG(base));
}

static struct wps_str base_of(struct wps_str name)
{
  const char *at = memchr(name.ptr, '@', name.len);

  return at != NULL ? (struct wps_str){name.ptr, (size_t)(at - name.ptr)}
                    : name;
}

static bool load_plugin_file(struct settings *s, const struct position *at,
                             const struct node *block, struct wps_str name,
                             struct plugin_block *out)
{
  struct wps_str base = base_of(name);
  char *path = plugin_path(block, base);
  char *base_c = str_dup(base);
  const char *near;
  char why[1024];
  bool ok = false;

  if (path == NULL || base_c == NULL) {
    faults_add(s->faults, at, "out of memory");
  } else if (!loader_open(path, &host_table, &out->loaded, why, sizeof(why))) {
    near = access(path, F_OK) == 0 || has_path(block)
               ? NULL
               : nearest(base, shipped_names, ARRAY_LEN(shipped_names));
    if (near != NULL && !str_eq_c(base, near))
      faults_add(s->faults, at, "plugin `%s`: %s; did you mean `%s`?", base_c,
                 why, near);
    else
      faults_add(s->faults, at, "plugin `%s`: %s", base_c, why);
  } else {
    out->component = plugin_component(out->loaded.plugin, base_c);
    ok = out->component != NULL;
    if (!ok)
      faults_add(s->faults, at, "plugin `%s`: %s offers no such component",
                 base_c, path);
  }
  free(base_c);
  free(path);
  return ok;
}

static void check_plugin(struct settings *s, struct plugin_block *p,
                         const struct position *at)
{
  size_t before = faults_count(s->faults);
  int rc;

  if (!WPS_CAN(p->component, check))
    return;
  rc = p->component->check(p->cfg);
  if (rc != WPS_OK && faults_count(s->faults) == before)
    faults_add(s->faults, at, "plugin `%s` refuses its configuration (%s)",
               p->name, host_table.status_name(rc));
}

static void load_plugin(struct settings *s, const struct node *map, size_t i)
{
  static const struct wps_config_schema none = {
      sizeof(none), sizeof(struct wps_config_item), NULL, 0};
  struct plugin_block *p = &s->plugins[s->plugin_count];
  const struct position *at = &map->key_at[i];
  size_t before = faults_count(s->faults);

  if (!load_plugin_file(s, at, map->items[i], map->keys[i], p)) {
    free(p->loaded.path);
    p->loaded.path = NULL;
    return;
  }
  p->name = str_dup(map->keys[i]);
  p->cfg =
      section_check(map->items[i], at,
                    p->component->schema != NULL ? p->component->schema : &none,
                    &plugin_schema, NULL, s->faults);
  s->plugin_count++;
  if (p->name == NULL || p->cfg == NULL)
    faults_add(s->faults, at, "out of memory");
  else if (faults_count(s->faults) == before)
    check_plugin(s, p, at);
}

static void load_plugins(struct settings *s)
{
  struct node *map = node_get(document_root(s->document), "plugins");

  if (map == NULL || node_is_null(map))
    return;
  if (map->kind != NODE_MAP) {
    faults_add(s->faults, &map->at,
               "`plugins`: expected a map from plugin names to their keys");
    return;
  }
  s->plugins = calloc(map->count + 1, sizeof(*s->plugins));
  for (size_t i = 0; s->plugins != NULL && i < map->count; i++)
    load_plugin(s, map, i);
}

/* ---- all ---- */

bool settings_load(struct settings *s, const struct options *o)
{
  memset(s, 0, sizeof(*s));
  s->faults = faults_new();
  if (s->faults == NULL)
    return false;
  load_document(s, o);
  /* Half a file would make faults of its own. */
  if (s->document == NULL || !document_complete(s->document))
    return false;
  apply_overrides(s, o);
  s->core = section_check(document_root(s->document), NULL, &core_schema, NULL,
                          core_maps, s->faults);
  if (s->core == NULL)
    return false;
  core_check(s->core);
  check_published_key(s, o);
  load_endpoints(s);
  load_keys(s);
  load_listeners(s);
  load_plugins(s);
  hub_settings_load(s);
  return faults_count(s->faults) == 0;
}

uint32_t settings_log_level(const struct settings *s)
{
  static const uint32_t levels[] = {WPS_LOG_ERROR, WPS_LOG_WARN, WPS_LOG_INFO,
                                    WPS_LOG_DEBUG};

  return levels[config_api.get_int(config_api.section_at(s->core, "log", 0),
                                   "level")];
}

void settings_free(struct settings *s)
{
  hub_settings_free(s);
  for (size_t i = 0; i < s->plugin_count; i++) {
    section_free(s->plugins[i].cfg);
    free(s->plugins[i].name);
    free(s->plugins[i].loaded.path);
  }
  free(s->plugins);
  for (size_t i = 0; i < s->listen_count; i++)
    tls_context_free(s->tls[i]);
  free(s->tls);
  free(s->endpoints);
  keys_free(s->keys);
  section_free(s->core);
  document_free(s->document);
  faults_free(s->faults);
}
