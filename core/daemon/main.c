/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/main.c - command line, the order of everything, and nothing else. */
#include <signal.h>
#include <stdio.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "conf/manual.h"
#include "daemon/options.h"
#include "daemon/server.h"
#include "daemon/settings.h"

#ifdef WPS_DEBUG
#define BUILD ", debug build"
#else
#define BUILD ""
#endif

static int complain(const struct settings *s)
{
  char *text = s->faults != NULL ? faults_text(s->faults) : NULL;

  fputs(text != NULL ? text : "webpubsubd: out of memory\n", stderr);
  free(text);
  return EXIT_FAILURE;
}

static int print_defaults(const struct options *o)
{
  struct options all = *o;
  struct settings s;
  struct manual_block *blocks;
  struct buf out;
  int rc = EXIT_FAILURE;

  /* Without a file: as if every shipped plugin were enabled. */
  all.dev = o->file == NULL;
  if (!settings_load(&s, &all) && s.plugin_count == 0) {
    rc = complain(&s);
    settings_free(&s);
    return rc;
  }
  buf_init(&out, 4 * 1024 * 1024);
  blocks = calloc(s.plugin_count + 1, sizeof(*blocks));
  for (size_t i = 0; blocks != NULL && i < s.plugin_count; i++) {
    const struct wps_component *c = s.plugins[i].component;

    blocks[i] = (struct manual_block){
        .name = s.plugins[i].name, .summary = c->summary, .schema = c->schema};
    if (c->kind == WPS_KIND_UPSTREAM)
      blocks[i].handler_schema = c->ops.upstream->handler_schema;
  }
  if (blocks != NULL &&
      manual_defaults(&out, blocks, s.plugin_count) == WPS_OK &&
      fwrite(out.data, 1, out.len, stdout) == out.len)
    rc = EXIT_SUCCESS;
  free(blocks);
  buf_free(&out);
  settings_free(&s);
  return rc;
}

static void setup_log(const struct settings *s)
{
  const struct wps_config *cfg = config_api.section_at(s->core, "log", 0);

  log_setup(STDERR_FILENO, settings_log_level(s),
            config_api.get_int(cfg, "format") == 1 ? LOG_JSON : LOG_KEY_VALUE);
  log_thread_name("main");
}

static void note_service_key(const struct settings *s)
{
  if (!section_has(s->core, "service_key"))
    log_line(WPS_LOG_INFO, "core",
             "no service_key: reconnection tokens and generated client tokens "
             "are good until this process ends");
}

static void note_missing_plugins(const struct settings *s)
{
  for (size_t i = 0; i < s->plugin_count; i++)
    if (s->plugins[i].component->kind == WPS_KIND_SUBPROTOCOL)
      return;
  log_line(WPS_LOG_WARN, "core",
           "no subprotocol plugin is enabled: every client will be refused; "
           "plugins are looked for in %s",
           settings_plugin_dir());
}

/* Taking the main loop down gives signals their default effect again, and who
 * asks for a reload then does not want an end by a signal. */
static void block_hangup(void)
{
  sigset_t hangup;

  sigemptyset(&hangup);
  sigaddset(&hangup, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &hangup, NULL);
}

static int run(struct settings *settings, const struct options *options)
{
  struct server server;
  char why[1024];

  setup_log(settings);
  signal(SIGPIPE, SIG_IGN);
  if (!server_start(&server, settings, options, why, sizeof(why))) {
    if (faults_count(settings->faults) > 0) /* config->error() in create() */
      complain(settings);
    fprintf(stderr, "webpubsubd: %s\n", why);
    return EXIT_FAILURE;
  }
  note_service_key(settings);
  note_missing_plugins(settings);
  log_line(WPS_LOG_INFO, "core", "webpubsubd %s is ready", PACKAGE_VERSION);
  server_print_ready(&server);
  workers_run(server.workers);
  block_hangup();
  server_stop(&server);
  log_line(WPS_LOG_INFO, "core", "stopped");
  return EXIT_SUCCESS;
}

static int check_or_run(const struct options *o)
{
  struct settings settings;
  int rc;

  if (!settings_load(&settings, o)) {
    rc = complain(&settings);
  } else if (o->mode == MODE_TEST) {
    printf("%s: the configuration is good\n", o->dev ? "--dev" : o->file);
    rc = EXIT_SUCCESS;
  } else {
    rc = run(&settings, o);
  }
  settings_free(&settings);
  return rc;
}

/* Every thread has a heap of its own, and glibc would enlarge it page by page
 * with a system call each, several for ten clients that come. This much is
 * asked for at once; what is not touched takes no memory. */
static void set_up_malloc(void)
{
  enum { HEAP_AHEAD = 16 * 1024 * 1024 };

  mallopt(M_TOP_PAD, HEAP_AHEAD);
}

int main(int argc, char **argv)
{
  struct options options;
  int rc = EXIT_SUCCESS;

  set_up_malloc();
  if (!options_parse(&options, argc, argv)) {
    options_free(&options);
    return 2;
  }
  switch (options.mode) {
  case MODE_HELP:
    options_help();
    break;
  case MODE_VERSION:
    printf("webpubsubd %s, plugin ABI %d.%d" BUILD "\n", PACKAGE_VERSION,
           WPS_ABI_MAJOR, WPS_ABI_MINOR);
    break;
  case MODE_PRINT_DEFAULTS:
    rc = print_defaults(&options);
    break;
  default:
    rc = check_or_run(&options);
  }
  options_free(&options);
  return rc;
}
