/* SPDX-License-Identifier: Apache-2.0 */
/* Configurations: any bytes as a file, checked as the server checks its own;
 * and as an option, whose path ends at the first '='. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf/config.h"
#include "conf/core_schema.h"

enum { OPTION_MAX = 4096 };

static void check_section(const struct node *node,
                          const struct wps_config_schema *schema,
                          const char *const *ignored, struct faults *f)
{
  struct wps_config *cfg = section_check(node, NULL, schema, NULL, ignored, f);
  size_t i, k;

  if (cfg == NULL)
    return;
  for (i = 0; i < schema->item_count; i++) {
    const struct wps_config_item *item = &schema->items[i];

    for (k = 0; k < config_api.count(cfg, item->key); k++) {
      struct wps_str s;

      if (item->type == WPS_CONF_SECTION)
        continue;
      s = config_api.str_at(cfg, item->key, k);
      /* Every value is terminated, for those who hand it on to libc. */
      if (s.ptr != NULL && s.ptr[s.len] != '\0')
        abort();
    }
  }
  if (schema == &core_schema)
    core_check(cfg);
  section_free(cfg);
}

static void check_tree(struct document *d, struct faults *f)
{
  struct node *root = document_root(d), *hubs, *handlers;
  size_t i, k;

  check_section(root, &core_schema, core_maps, f);
  hubs = node_get(root, "hubs");
  for (i = 0; hubs != NULL && hubs->kind == NODE_MAP && i < hubs->count; i++) {
    check_section(hubs->items[i], &hub_schema, hub_maps, f);
    handlers = node_get(hubs->items[i], HUB_EVENT_HANDLERS);
    for (k = 0;
         handlers != NULL && handlers->kind == NODE_LIST && k < handlers->count;
         k++)
      check_section(handlers->items[k], &handler_schema, NULL, f);
  }
}

static void check_report(struct faults *f)
{
  char *text = faults_text(f);

  if (text != NULL && (text[0] == '\0') != (faults_count(f) == 0))
    abort();
  free(text);
  faults_free(f);
}

static void set_option(struct document *d, const uint8_t *data, size_t size,
                       struct faults *f)
{
  char option[OPTION_MAX], *equals;

  if (size >= sizeof(option))
    return;
  memcpy(option, data, size);
  option[size] = '\0';
  equals = strchr(option, '=');
  if (equals == NULL)
    return;
  *equals = '\0';
  document_set(d, option, equals + 1, "--set", f);
}

static void set_variable(struct document *d, const uint8_t *data, size_t size,
                         struct faults *f)
{
  static const char prefix[] = "WEBPUBSUBD_";
  static const char *const known[] = {"auth-jwt", NULL};
  char variable[OPTION_MAX + sizeof(prefix)], *envp[] = {variable, NULL};

  if (size >= OPTION_MAX)
    return;
  memcpy(variable, prefix, sizeof(prefix) - 1);
  memcpy(variable + sizeof(prefix) - 1, data, size);
  variable[sizeof(prefix) - 1 + size] = '\0';
  document_environment(d, envp, known, f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const char base[] = "listen: [{address: 127.0.0.1:1}]\n"
                             "access_keys: x\n"
                             "log: {level: info}\n"
                             "plugins: {auth-jwt: {}}\n"
                             "hubs: {chat: {anonymous: deny}}\n";
  struct faults *f = faults_new();
  struct document *d;

  if (f == NULL)
    return 0;
  d = document_parse("fuzz.yaml", (const char *)data, size, f);
  if (d != NULL)
    check_tree(d, f);
  document_free(d);
  check_report(f);

  f = faults_new();
  if (f == NULL)
    return 0;
  d = document_parse("base.yaml", base, sizeof(base) - 1, f);
  if (d != NULL) {
    set_option(d, data, size, f);
    set_variable(d, data, size, f);
    check_tree(d, f);
  }
  document_free(d);
  check_report(f);
  return 0;
}
