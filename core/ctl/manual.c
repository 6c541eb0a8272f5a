/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "conf/manual.h"
#include "ctl/plugins.h"

#ifndef PLUGINDIR
#define PLUGINDIR "/usr/lib/webpubsub/plugins"
#endif

enum { BLOCKS_MAX = 256, TEXT_MAX = 16 * 1024 * 1024 };

struct blocks {
  struct manual_block items[BLOCKS_MAX];
  size_t count;
};

static const struct option options[] = {
    {"plugin-dir", required_argument, NULL, 'p'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0}};

static bool plugin_add(struct blocks *b, const char *path)
{
  const struct wps_plugin *plugin = plugin_open(path);

  if (plugin == NULL)
    return false;
  for (size_t i = 0; plugin->components[i] != NULL; i++) {
    const struct wps_component *c = plugin->components[i];

    if (b->count == BLOCKS_MAX) {
      ctl_fail("more than %d components", BLOCKS_MAX);
      return false;
    }
    /* The names live until the process ends. */
    b->items[b->count++] = (struct manual_block){
        .name = str_printf("%s-%s", kind_name(c->kind), c->name),
        .summary = c->summary,
        .schema = c->schema,
        .handler_schema = component_handler_schema(c)};
  }
  return true;
}

static int is_plugin(const struct dirent *e)
{
  size_t n = strlen(e->d_name);

  return n > 3 && e->d_name[0] != '.' && strcmp(e->d_name + n - 3, ".so") == 0;
}

static bool folder_add(struct blocks *b, const char *folder)
{
  char path[PATH_MAX];
  struct dirent **files;
  int n = scandir(folder, &files, is_plugin, alphasort);
  bool ok = true;

  if (n < 0) {
    ctl_fail("%s: no such folder; give the plugins' files", folder);
    return false;
  }
  for (int i = 0; i < n; i++) {
    if (ok)
      ok = snprintf(path, sizeof(path), "%s/%s", folder, files[i]->d_name) <
               (int)sizeof(path) &&
           plugin_add(b, path);
    free(files[i]);
  }
  free(files);
  return ok;
}

static int run(const struct command *self, int argc, char **argv)
{
  static struct blocks blocks;
  const char *folder = getenv("WEBPUBSUBD_PLUGIN_DIR");
  int (*write)(struct buf *, const struct manual_block *, size_t);
  struct buf text;
  bool ok = true;
  int c, status = 1;

  while ((c = ctl_option(self, argc, argv, options, &status)) != -1) {
    if (c != 'p')
      return status;
    folder = optarg;
  }
  if (optind < argc && strcmp(argv[optind], "markdown") == 0)
    write = manual_page_markdown;
  else if (optind < argc && strcmp(argv[optind], "mdoc") == 0)
    write = manual_page_yaml5;
  else if (optind < argc && strcmp(argv[optind], "yaml") == 0)
    write = manual_defaults;
  else
    return ctl_misuse(self, "give markdown, mdoc or yaml");
  if (optind + 1 == argc)
    ok = folder_add(&blocks, folder != NULL ? folder : PLUGINDIR);
  for (int i = optind + 1; ok && i < argc; i++)
    ok = plugin_add(&blocks, argv[i]);
  if (!ok)
    return 1;
  buf_init(&text, TEXT_MAX);
  status = write(&text, blocks.items, blocks.count) == WPS_OK
               ? 0
               : ctl_fail("out of memory");
  if (status == 0 && (fwrite(text.data, 1, text.len, stdout) != text.len ||
                      fflush(stdout) != 0))
    status = ctl_fail("the output cannot be written");
  buf_free(&text);
  return status;
}

const struct command command_manual = {
    .name = "manual",
    .arguments = "markdown|mdoc|yaml [--plugin-dir DIR | FILE.so...]",
    .summary = "print the reference of all configuration keys",
    .help = "  --plugin-dir DIR     look for plugins there (default: the\n"
            "                       installed ones)\n",
    .run = run};
