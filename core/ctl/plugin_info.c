/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <stdio.h>
#include <string.h>

#include "conf/manual.h"
#include "ctl/plugins.h"

enum { TEXT_MAX = 1024 * 1024 };

static const struct option options[] = {{"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

static void names_print(const char *label, const char *const *names)
{
  if (names == NULL)
    return;
  printf("    %s", label);
  for (; *names != NULL; names++)
    printf(" %s", **names != '\0' ? *names : "(none offered)");
  putchar('\n');
}

static void schema_print(const char *title,
                         const struct wps_config_schema *schema)
{
  struct buf text;

  if (schema == NULL)
    return;
  buf_init(&text, TEXT_MAX);
  if (manual_yaml(&text, 6, schema) == WPS_OK)
    printf("    %s\n%.*s", title, (int)text.len,
           text.data != NULL ? text.data : "");
  buf_free(&text);
}

static void component_print(const struct wps_component *c)
{
  printf("  %s-%s: %s\n", kind_name(c->kind), c->name,
         c->summary != NULL ? c->summary : "");
  if (c->kind == WPS_KIND_SUBPROTOCOL)
    names_print("subprotocols:", c->ops.subprotocol->names);
  if (c->kind == WPS_KIND_UPSTREAM)
    names_print("schemes:", c->ops.upstream->schemes);
  if (c->schema == NULL)
    printf("    takes no configuration\n");
  schema_print("configuration:", c->schema);
  schema_print("keys in an event handler:", component_handler_schema(c));
}

static int run(const struct command *self, int argc, char **argv)
{
  const struct wps_plugin *p;
  int status = 1;

  if (ctl_option(self, argc, argv, options, &status) != -1)
    return status;
  if (optind != argc - 1)
    return ctl_misuse(self, "give one file");
  if ((p = plugin_open(argv[optind])) == NULL)
    return 1;
  printf("plugin %s %s\n", p->name, p->version);
  printf("  license %s\n", p->license != NULL ? p->license : "unknown");
  if (p->url != NULL)
    printf("  url %s\n", p->url);
  printf("  built for ABI %u.%u, needs %u.%u\n", p->abi_major, p->abi_minor,
         p->abi_major, (unsigned)p->needs_minor);
  printf("components\n");
  for (size_t i = 0; p->components[i] != NULL; i++)
    component_print(p->components[i]);
  return 0;
}

const struct command command_plugin_info = {
    .name = "plugin-info",
    .arguments = "FILE.so",
    .summary = "print what a plugin offers and how it is configured",
    .help = "",
    .run = run};
