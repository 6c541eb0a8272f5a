/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/reload.c - SIGHUP: read the configuration again and take over what
 * running workers can: access keys, hubs with their event handlers, the files
 * of certificates, the level of the log.
 *
 * A configuration with faults changes nothing. What it replaces is kept until
 * the process ends, because workers may be reading it; it is small. */
#include "daemon/reload.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "conn/renew.h"
#include "daemon/server.h"
#include "wire/listener.h"

struct reloaded {
  struct reloaded *older;
  struct settings settings;
  _Atomic uint32_t left; /* workers that do not know yet, and the main loop */
};

static void complain(const struct settings *s)
{
  char *text = faults_text(s->faults);
  char *rest = text, *line;

  while (rest != NULL && (line = strsep(&rest, "\n")) != NULL)
    if (*line != '\0')
      log_line(WPS_LOG_ERROR, "core", "%s", line);
  free(text);
  log_line(WPS_LOG_ERROR, "core",
           "SIGHUP: the configuration has faults; everything stays as it was");
}

static struct wps_instance *running(const struct server *s, const char *name)
{
  for (size_t i = 0; i < s->instances.count; i++)
    if (strcmp(s->instances.items[i]->name, name) == 0)
      return s->instances.items[i];
  return NULL;
}

/* Handlers go to the instances that run. */
static bool find_upstreams(const struct server *s, struct settings *fresh)
{
  for (size_t i = 0; i < fresh->hub_count; i++)
    for (size_t k = 0; k < fresh->hubs[i].handler_count; k++) {
      struct hub_handler *h = &fresh->hubs[i].handlers[k];
      const char *name = fresh->plugins[h->upstream_block].name;

      h->upstream = running(s, name);
      if (h->upstream == NULL) {
        log_line(WPS_LOG_ERROR, "core",
                 "SIGHUP: an event handler of hub %.*s needs the plugin %s, "
                 "which takes a restart; everything stays as it was",
                 STR_ARG(fresh->hubs[i].pattern), name);
        return false;
      }
    }
  return true;
}

/* What is read at the start only. */
static void tell_what_waits(const struct settings *old,
                            const struct settings *fresh)
{
  static const char *const sections[] = {
      "listen", "endpoints", "service_key", "workers",  "plugins",
      "limits", "http",      "websocket",   "shutdown", "offload"};
  struct node *a = document_root(old->document);
  struct node *b = document_root(fresh->document);

  for (size_t i = 0; i < ARRAY_LEN(sections); i++)
    if (!node_equal(node_get(a, sections[i]), node_get(b, sections[i])))
      log_line(WPS_LOG_WARN, "core",
               "SIGHUP: `%s` has changed, which takes a restart", sections[i]);
}

static void renew_certificates(struct server *s, const struct settings *fresh)
{
  if (!node_equal(node_get(document_root(s->settings->document), "listen"),
                  node_get(document_root(fresh->document), "listen")))
    return;
  for (size_t i = 0; i < fresh->listen_count; i++)
    if (fresh->tls[i] != NULL)
      listener_renew_tls(s->listeners[i], fresh->tls[i]);
}

/* Who reads this line finds it so, for the clients of every worker, too. */
static void one_knows(struct reloaded *r)
{
  if (atomic_fetch_sub(&r->left, 1) == 1)
    log_line(WPS_LOG_INFO, "core",
             "SIGHUP: access keys, hubs, certificates and log level are those "
             "of the configuration again");
}

/* On each worker: clients of hubs that have got handlers. */
static void renew_clients(void *arg)
{
  conns_renew(worker_current());
  one_knows(arg);
}

static void renew_workers(struct server *s, struct reloaded *r)
{
  uint32_t count = workers_count(s->workers);

  atomic_init(&r->left, count + 1);
  for (uint32_t i = 0; i < count; i++) {
    if (worker_post_fn(workers_at(s->workers, i), renew_clients, r) == WPS_OK)
      continue;
    log_line(WPS_LOG_ERROR, "core", "SIGHUP: out of memory");
    one_knows(r);
  }
  one_knows(r);
}

void reload(struct server *s)
{
  struct reloaded *r = calloc(1, sizeof(*r));

  if (r == NULL) {
    log_line(WPS_LOG_ERROR, "core", "SIGHUP: out of memory");
    return;
  }
  if (!settings_load(&r->settings, s->options)) {
    complain(&r->settings);
    goto fail;
  }
  if (!find_upstreams(s, &r->settings))
    goto fail;
  if (hubs_renew(s->conns.hubs, r->settings.hubs, r->settings.hub_count) !=
      WPS_OK) {
    log_line(WPS_LOG_ERROR, "core", "SIGHUP: out of memory");
    goto fail;
  }
  tell_what_waits(s->settings, &r->settings);
  keys_renew(s->settings->keys, r->settings.keys);
  renew_certificates(s, &r->settings);
  log_level_set(settings_log_level(&r->settings));
  r->older = s->reloaded;
  s->reloaded = r;
  renew_workers(s, r);
  return;

fail:
  settings_free(&r->settings);
  free(r);
}

void reload_free(struct server *s)
{
  while (s->reloaded != NULL) {
    struct reloaded *r = s->reloaded;

    s->reloaded = r->older;
    settings_free(&r->settings);
    free(r);
  }
}
