/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/hub_settings.c - hubs of the configuration. */
#include "daemon/hub_settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "conf/core_schema.h"
#include "host/host.h"
#include "hub/roles.h"

static struct wps_str scheme_of(struct wps_str url)
{
  const char *colon = memchr(url.ptr, ':', url.len);

  return colon != NULL ? (struct wps_str){url.ptr, (size_t)(colon - url.ptr)}
                       : STR_NONE;
}

long hub_settings_upstream(const struct settings *s, struct wps_str url)
{
  struct wps_str scheme = scheme_of(url);

  for (size_t i = 0; i < s->plugin_count && scheme.len != 0; i++) {
    const struct wps_component *c = s->plugins[i].component;

    if (c->kind != WPS_KIND_UPSTREAM)
      continue;
    for (size_t k = 0; c->ops.upstream->schemes[k] != NULL; k++)
      if (str_ieq_c(scheme, c->ops.upstream->schemes[k]))
        return (long)i;
  }
  return -1;
}

/* A list, of which an element may itself be "a, b" (azure-server.md 2). */
static int user_events(struct hub_handler *h, const struct wps_config *cfg)
{
  size_t count = config_api.count(cfg, "user_events"), names = 0;
  struct wps_str *all, name;

  for (size_t i = 0; i < count; i++) {
    struct wps_str item = config_api.str_at(cfg, "user_events", i);

    while (str_next_token(&item, &name))
      names++;
  }
  all = calloc(names + 1, sizeof(*all));
  if (all == NULL)
    return WPS_ENOMEM;
  h->user_events = all;
  for (size_t i = 0; i < count; i++) {
    struct wps_str item = config_api.str_at(cfg, "user_events", i);

    while (str_next_token(&item, &name)) {
      if (str_eq_c(name, "*"))
        h->all_user_events = true;
      else
        all[h->user_event_count++] = name;
    }
  }
  return WPS_OK;
}

/* Bits of the names that an enumerated key lists. */
static uint32_t events_of(const struct wps_config *cfg, const char *key)
{
  static const struct {
    const char *name;
    uint32_t bit;
  } all[] = {{"connect", WPS_EVENT_CONNECT},
             {"connected", WPS_EVENT_CONNECTED},
             {"disconnected", WPS_EVENT_DISCONNECTED},
             {"joined", WPS_EVENT_JOINED},
             {"left", WPS_EVENT_LEFT},
             {"join", WPS_EVENT_JOIN},
             {"leave", WPS_EVENT_LEAVE},
             {"publish", WPS_EVENT_PUBLISH}};
  size_t count = config_api.count(cfg, key);
  uint32_t bits = 0;

  for (size_t i = 0; i < count; i++) {
    struct wps_str name = config_api.str_at(cfg, key, i);

    for (size_t k = 0; k < ARRAY_LEN(all); k++)
      if (str_eq_c(name, all[k].name))
        bits |= all[k].bit;
  }
  return bits;
}

static int presence_groups(struct hub_handler *h, const struct wps_config *cfg)
{
  size_t count = config_api.count(cfg, "presence_groups");
  struct wps_str *all = calloc(count + 1, sizeof(*all));
  const char *why;

  if (all == NULL)
    return WPS_ENOMEM;
  h->presence_groups = all;
  for (size_t i = 0; i < count; i++) {
    struct wps_str pattern = config_api.str_at(cfg, "presence_groups", i);

    if (role_pattern_ok(pattern, &why))
      all[h->presence_group_count++] = pattern;
    else
      config_api.error(cfg, "presence_groups", "`%.*s` is no pattern: %s",
                       STR_ARG(pattern), why);
  }
  if (count != 0 && (h->events & (WPS_EVENT_JOINED | WPS_EVENT_LEFT)) == 0)
    config_api.error(cfg, "presence_groups",
                     "needs `presence_events` beside it");
  return WPS_OK;
}

static int read_events(struct hub_handler *h, const struct wps_config *cfg)
{
  int rc = user_events(h, cfg);

  if (rc != WPS_OK)
    return rc;
  h->events = events_of(cfg, "system_events") |
              events_of(cfg, "presence_events") |
              events_of(cfg, "request_events");
  return presence_groups(h, cfg);
}

static void handler_free(struct hub_handler *h)
{
  free((void *)(uintptr_t)h->user_events);
  free((void *)(uintptr_t)h->presence_groups);
  *h = (struct hub_handler){.upstream = NULL};
}

/* What the schemas cannot say of an entry. */
static void check_handler(struct settings *s, const struct node *node,
                          const struct wps_upstream *ops,
                          const struct wps_config *cfg)
{
  size_t before = faults_count(s->faults);
  int rc;

  if (config_api.count(cfg, "request_events") != 0 &&
      (ops->flags & WPS_UPSTREAM_DECIDES) == 0)
    config_api.error(cfg, "request_events",
                     "the plugin that takes this URL does not decide about "
                     "requests of clients");
  if (!WPS_CAN(ops, check) || faults_count(s->faults) != before)
    return;
  rc = ops->check(cfg);
  if (rc != WPS_OK && faults_count(s->faults) == before)
    faults_add(s->faults, &node->at, "the plugin refuses this handler (%s)",
               host_table.status_name(rc));
}

/* Secrets of the application that stand in a URL: `url` with them in place is
 * kept in `room` and goes into `copy`, a map like `node` but for that. */
struct filled {
  struct node map, url;
  struct node **items;
  char *text;
};

static bool fill_url(struct filled *f, const struct node *node,
                     const char **why, char *room, size_t room_size)
{
  size_t len = 0;

  *why = "out of memory";
  f->map = *node;
  f->items = calloc(node->count + 1, sizeof(struct node *));
  if (f->items == NULL)
    return false;
  f->map.items = f->items;
  for (size_t i = 0; i < node->count; i++) {
    f->items[i] = node->items[i];
    if (!str_eq_c(node->keys[i], "url"))
      continue;
    *why = room;
    if (!parse_secrets_within(node->items[i]->scalar, &f->text, &len, room,
                              room_size))
      return false;
    f->url = *node->items[i];
    f->url.scalar = (struct wps_str){f->text, len};
    f->items[i] = &f->url;
  }
  return true;
}

static void filled_free(struct filled *f)
{
  if (f->text != NULL)
    explicit_bzero(f->text, strlen(f->text));
  free(f->text);
  free(f->items);
}

static struct wps_config *read_handler(struct settings *s,
                                       const struct node *node,
                                       const struct node *url, long upstream)
{
  const struct wps_config_schema *more = NULL;
  struct filled filled = {.items = NULL};
  struct wps_config *cfg = NULL;
  const char *why;
  char room[512];

  if (upstream >= 0)
    more = s->plugins[upstream].component->ops.upstream->handler_schema;
  if (url == NULL || memmem(url->scalar.ptr, url->scalar.len, "${", 2) == NULL)
    return section_check(node, &node->at, &handler_schema, more, NULL,
                         s->faults);
  if (!fill_url(&filled, node, &why, room, sizeof(room))) {
    faults_add(s->faults, &url->at, "`url`: %s", why);
    cfg =
        section_check(node, &node->at, &handler_schema, more, NULL, s->faults);
  } else {
    cfg = section_check(&filled.map, &node->at, &handler_schema, more, NULL,
                        s->faults);
  }
  filled_free(&filled);
  return cfg;
}

static void check_url(struct settings *s, const struct node *url, long upstream)
{
  static const char vault[] = "{@Microsoft.KeyVault(";

  if (url == NULL || url->scalar.len == 0)
    return;
  if (memmem(url->scalar.ptr, url->scalar.len, vault, sizeof(vault) - 1) !=
      NULL)
    faults_add(s->faults, &url->at,
               "`url`: there is no key vault outside Azure; write "
               "${file:PATH} or ${env:NAME} where the secret belongs");
  /* The rest of it may be a secret. */
  if (upstream < 0)
    faults_add(s->faults, &url->at,
               "`url`: no enabled plugin takes URLs like %.*s:...; enable an "
               "upstream plugin for its scheme",
               STR_ARG(scheme_of(url->scalar)));
}

static void load_handler(struct settings *s, struct hub_block *block,
                         struct hub_settings *hub, const struct node *node)
{
  struct hub_handler *h = &hub->handlers[hub->handler_count];
  const struct node *url =
      node->kind == NODE_MAP ? node_get(node, "url") : NULL;
  size_t before = faults_count(s->faults);
  struct wps_config *cfg;
  long upstream = -1;

  if (url != NULL && url->kind != NODE_SCALAR)
    url = NULL;
  if (url != NULL)
    upstream = hub_settings_upstream(s, url->scalar);
  cfg = read_handler(s, node, url, upstream);
  if (cfg == NULL || read_events(h, cfg) != WPS_OK) {
    section_free(cfg);
    handler_free(h);
    faults_add(s->faults, &node->at, "out of memory");
    return;
  }
  block->handler_cfgs[block->handler_count++] = cfg;
  check_url(s, url, upstream);
  if (upstream < 0) {
    handler_free(h);
    return;
  }
  if (faults_count(s->faults) == before)
    check_handler(s, node, s->plugins[upstream].component->ops.upstream, cfg);
  h->view = (struct wps_handler){.struct_size = sizeof(h->view),
                                 .index = (uint32_t)hub->handler_count,
                                 .hub = hub->pattern,
                                 .url = config_api.get_str(cfg, "url"),
                                 .cfg = cfg};
  h->upstream_block = (size_t)upstream;
  h->dynamic = WPS_CAN(s->plugins[upstream].component->ops.upstream, wants);
  hub->handler_count++;
}

static void load_handlers(struct settings *s, struct hub_block *block,
                          struct hub_settings *hub, const struct node *node)
{
  struct node *list =
      node->kind == NODE_MAP ? node_get(node, HUB_EVENT_HANDLERS) : NULL;

  if (list == NULL || node_is_null(list))
    return;
  if (list->kind != NODE_LIST) {
    faults_add(s->faults, &list->at,
               "`event_handlers`: expected a list of maps with `url`");
    return;
  }
  hub->handlers = calloc(list->count + 1, sizeof(*hub->handlers));
  block->handler_cfgs = calloc(list->count + 1, sizeof(struct wps_config *));
  if (hub->handlers == NULL || block->handler_cfgs == NULL) {
    faults_add(s->faults, &list->at, "out of memory");
    return;
  }
  for (size_t i = 0; i < list->count; i++)
    load_handler(s, block, hub, list->items[i]);
}

static bool name_hub(struct settings *s, struct hub_block *block,
                     struct hub_settings *hub, struct wps_str name,
                     const struct position *at)
{
  block->name = str_dup(name);
  if (block->name == NULL) {
    faults_add(s->faults, at, "out of memory");
    return false;
  }
  str_lower(block->name, name.len);
  hub->pattern = (struct wps_str){block->name, name.len};
  if (!str_eq_c(name, "*") && !hub_name_ok(name)) {
    faults_add(s->faults, at,
               "`%.*s` is no hub name: a letter, then up to 127 letters, "
               "digits and _`,.[]",
               STR_ARG(name));
    return false;
  }
  for (size_t i = 0; i < s->hub_count; i++)
    if (str_eq(s->hubs[i].pattern, hub->pattern)) {
      faults_add(s->faults, at,
                 "hub `%.*s` is there twice; hub names are compared in any "
                 "case",
                 STR_ARG(name));
      return false;
    }
  return true;
}

static void load_hub(struct settings *s, const struct node *map, size_t i)
{
  const struct wps_config *websocket =
      config_api.section_at(s->core, "websocket", 0);
  struct hub_block *block = &s->hub_blocks[s->hub_count];
  struct hub_settings *hub = &s->hubs[s->hub_count];
  const struct wps_config *ping;

  if (!name_hub(s, block, hub, map->keys[i], &map->key_at[i])) {
    free(block->name);
    block->name = NULL;
    return;
  }
  s->hub_count++;
  block->cfg = section_check(map->items[i], &map->key_at[i], &hub_schema, NULL,
                             hub_maps, s->faults);
  if (block->cfg == NULL) {
    faults_add(s->faults, &map->key_at[i], "out of memory");
    return;
  }
  ping = section_has(block->cfg, "ping_interval") ? block->cfg : websocket;
  hub->ping_interval_ms = (uint32_t)config_api.get_int(ping, "ping_interval");
  hub->anonymous_allow = config_api.get_int(block->cfg, "anonymous") == 1;
  load_handlers(s, block, hub, map->items[i]);
}

static void check_default_hub(const struct settings *s)
{
  const struct wps_config *websocket =
      config_api.section_at(s->core, "websocket", 0);
  struct wps_str name = config_api.get_str(websocket, "default_hub");

  if (name.ptr != NULL && !hub_name_ok(name))
    config_api.error(websocket, "default_hub", "`%.*s` is no hub name",
                     STR_ARG(name));
}

void hub_settings_load(struct settings *s)
{
  struct node *map = node_get(document_root(s->document), "hubs");

  check_default_hub(s);
  if (map == NULL || node_is_null(map))
    return;
  if (map->kind != NODE_MAP) {
    faults_add(s->faults, &map->at,
               "`hubs`: expected a map from hub names to their keys");
    return;
  }
  s->hubs = calloc(map->count + 1, sizeof(*s->hubs));
  s->hub_blocks = calloc(map->count + 1, sizeof(*s->hub_blocks));
  if (s->hubs == NULL || s->hub_blocks == NULL) {
    faults_add(s->faults, &map->at, "out of memory");
    return;
  }
  for (size_t i = 0; i < map->count; i++)
    load_hub(s, map, i);
}

void hub_settings_free(struct settings *s)
{
  for (size_t i = 0; i < s->hub_count; i++) {
    struct hub_settings *hub = &s->hubs[i];
    struct hub_block *block = &s->hub_blocks[i];

    for (size_t k = 0; k < block->handler_count; k++)
      section_free(block->handler_cfgs[k]);
    for (size_t k = 0; k < hub->handler_count; k++)
      handler_free(&hub->handlers[k]);
    free(hub->handlers);
    free(block->handler_cfgs);
    section_free(block->cfg);
    free(block->name);
  }
  free(s->hubs);
  free(s->hub_blocks);
}
