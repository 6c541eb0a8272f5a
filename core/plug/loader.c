/* SPDX-License-Identifier: Apache-2.0 */
/* plug/loader.c - from a file to a checked descriptor.
 *
 * Nothing of the plugin runs before all checks have passed, but for the
 * constructors of static C++ objects, which dlopen() runs. */
#include "plug/plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

/* The largest major that a file is asked for to explain why it does not fit. */
enum { MAJOR_PROBE_MAX = 16 };

/* True when the object of type `type` behind p contains `member`. Spelled with
 * the type, because p may be NULL or the member an array. */
#define CONTAINS(p, type, member)                                              \
  ((p)->struct_size >=                                                         \
   offsetof(type, member) + sizeof(((const type *)0)->member))

struct complaint {
  const char *path;
  char *why;
  size_t size;
};

static bool complain(const struct complaint *c, const char *fmt, ...)
    WPS_PRINTF(2, 3);

static bool complain(const struct complaint *c, const char *fmt, ...)
{
  va_list ap;
  int n = snprintf(c->why, c->size, "%s: ", c->path);

  if (n >= 0 && (size_t)n < c->size) {
    va_start(ap, fmt);
    vsnprintf(c->why + n, c->size - (size_t)n, fmt, ap);
    va_end(ap);
  }
  return false;
}

static bool file_check(const struct complaint *c)
{
  struct stat st;

  if (stat(c->path, &st) != 0) {
    if (errno == ENOENT)
      return complain(c, "no such file; install the plugin or correct the "
                         "path");
    return complain(c, "%s", strerror(errno));
  }
  if (!S_ISREG(st.st_mode))
    return complain(c, "not a regular file");
  if (st.st_uid != 0 && st.st_uid != geteuid())
    return complain(c,
                    "owned by user %lu; it must belong to root or to the user "
                    "that runs the server",
                    (unsigned long)st.st_uid);
  if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return complain(c, "writable by %s; run: chmod go-w %s",
                    (st.st_mode & S_IWOTH) != 0 ? "everybody" : "its group",
                    c->path);
  return true;
}

const char *kind_name(uint32_t kind)
{
  switch (kind) {
  case WPS_KIND_SUBPROTOCOL:
    return "subprotocol";
  case WPS_KIND_AUTH:
    return "auth";
  case WPS_KIND_UPSTREAM:
    return "upstream";
  case WPS_KIND_HTTP:
    return "http";
  default:
    return NULL;
  }
}

static bool name_ok(const char *name)
{
  size_t len = 0;

  if (name == NULL)
    return false;
  for (; name[len] != '\0'; len++) {
    char ch = name[len];

    if (!((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '-' ||
          ch == '_' || ch == '.'))
      return false;
  }
  return len > 0 && len <= 64;
}

/* One callback or member that must be there; `have` says whether it is. */
static bool required(const struct complaint *c, const char *kind,
                     const struct wps_component *comp, const char *member,
                     bool have)
{
  return have ||
         complain(c, "component %s-%s has no %s(), which every %s needs", kind,
                  comp->name, member, kind);
}

static bool ops_check(const struct complaint *c,
                      const struct wps_component *comp)
{
  const char *kind = kind_name(comp->kind);
  const struct wps_subprotocol *sub = comp->ops.subprotocol;
  const struct wps_auth *auth = comp->ops.auth;
  const struct wps_upstream *up = comp->ops.upstream;

  if (comp->kind == WPS_KIND_HTTP)
    return true;
  if (sub == NULL) /* a union: this asks for all of them */
    return complain(c, "component %s-%s has no table of operations", kind,
                    comp->name);
  switch (comp->kind) {
  case WPS_KIND_SUBPROTOCOL:
    return required(c, kind, comp, "names",
                    CONTAINS(sub, struct wps_subprotocol, names) &&
                        sub->names != NULL && sub->names[0] != NULL) &&
           required(c, kind, comp, "open",
                    CONTAINS(sub, struct wps_subprotocol, open) &&
                        sub->open != NULL) &&
           required(c, kind, comp, "frame",
                    CONTAINS(sub, struct wps_subprotocol, frame) &&
                        sub->frame != NULL) &&
           required(c, kind, comp, "encode",
                    CONTAINS(sub, struct wps_subprotocol, encode) &&
                        sub->encode != NULL) &&
           required(c, kind, comp, "close",
                    CONTAINS(sub, struct wps_subprotocol, close) &&
                        sub->close != NULL);
  case WPS_KIND_AUTH:
    return required(c, kind, comp, "authenticate",
                    CONTAINS(auth, struct wps_auth, authenticate) &&
                        auth->authenticate != NULL);
  default:
    return required(c, kind, comp, "schemes",
                    CONTAINS(up, struct wps_upstream, schemes) &&
                        up->schemes != NULL && up->schemes[0] != NULL) &&
           required(c, kind, comp, "deliver",
                    CONTAINS(up, struct wps_upstream, deliver) &&
                        up->deliver != NULL);
  }
}

static bool schema_check(const struct complaint *c, const char *kind,
                         const char *name,
                         const struct wps_config_schema *schema)
{
  if (schema == NULL)
    return true;
  if (!CONTAINS(schema, struct wps_config_schema, item_count) ||
      schema->item_size < sizeof(struct wps_config_item) ||
      (schema->items == NULL && schema->item_count > 0))
    return complain(c,
                    "component %s-%s has a configuration schema of wrong "
                    "size; use WPS_CONFIG_SCHEMA()",
                    kind, name);
  return true;
}

static bool component_check(const struct complaint *c,
                            const struct wps_component *comp)
{
  const char *kind;

  /* `ops` was there from the first version on; what follows is optional. */
  if (!CONTAINS(comp, struct wps_component, ops))
    return complain(c,
                    "a component's struct_size is %u, too small for any "
                    "version; set it to sizeof(struct wps_component)",
                    comp->struct_size);
  kind = kind_name(comp->kind);
  if (kind == NULL)
    return complain(c,
                    "component \"%.64s\" is of kind %u, which this server "
                    "(ABI %d.%d) does not know",
                    comp->name != NULL ? comp->name : "", comp->kind,
                    WPS_ABI_MAJOR, WPS_ABI_MINOR);
  if (!name_ok(comp->name))
    return complain(c,
                    "a component of kind %s has no usable name; up to 64 of "
                    "a-z 0-9 - _ . are",
                    kind);
  if (!required(c, kind, comp, "create", comp->create != NULL) ||
      !required(c, kind, comp, "destroy", comp->destroy != NULL))
    return false;
  if ((comp->worker_start == NULL) != (comp->worker_stop == NULL))
    return complain(c,
                    "component %s-%s has only one of worker_start() and "
                    "worker_stop()",
                    kind, comp->name);
  if (!schema_check(c, kind, comp->name, comp->schema) || !ops_check(c, comp))
    return false;
  if (comp->kind == WPS_KIND_UPSTREAM &&
      !schema_check(c, kind, comp->name, comp->ops.upstream->handler_schema))
    return false;
  return true;
}

static bool plugin_check(const struct complaint *c,
                         const struct wps_plugin *plugin,
                         const struct wps_host *host)
{
  size_t i, k;

  /* The first three members are where every major has them. */
  if (!CONTAINS(plugin, struct wps_plugin, components) ||
      plugin->abi_major != host->abi_major)
    return complain(c,
                    "built for ABI %u.%u, this server has %u.%u; rebuild the "
                    "plugin against the installed headers",
                    plugin->abi_major, plugin->abi_minor, host->abi_major,
                    host->abi_minor);
  if (plugin->needs_minor > host->abi_minor)
    return complain(c,
                    "needs ABI %u.%u, this server has %u.%u; install a newer "
                    "server or rebuild the plugin against its headers",
                    plugin->abi_major, plugin->needs_minor, host->abi_major,
                    host->abi_minor);
  if (plugin->host == NULL || plugin->name == NULL || plugin->version == NULL ||
      plugin->components == NULL || plugin->components[0] == NULL)
    return complain(c, "incomplete descriptor; write it with WPS_PLUGIN()");
  for (i = 0; plugin->components[i] != NULL; i++) {
    const struct wps_component *comp = plugin->components[i];

    if (!component_check(c, comp))
      return false;
    for (k = 0; k < i; k++)
      if (plugin->components[k]->kind == comp->kind &&
          strcmp(plugin->components[k]->name, comp->name) == 0)
        return complain(c, "component %s-%s is there twice",
                        kind_name(comp->kind), comp->name);
  }
  return true;
}

/* There is no descriptor of our major: is there one of another? */
static bool no_descriptor(const struct complaint *c, void *handle,
                          const struct wps_host *host)
{
  char symbol[64];
  unsigned major;

  for (major = 1; major <= MAJOR_PROBE_MAX; major++) {
    snprintf(symbol, sizeof(symbol), "webpubsub_plugin_v%u", major);
    if (major != host->abi_major && dlsym(handle, symbol) != NULL)
      return complain(c,
                      "built for ABI %u, this server has %u.%u; rebuild the "
                      "plugin against the installed headers",
                      major, host->abi_major, host->abi_minor);
  }
  return complain(c, "exports no " WPS_PLUGIN_SYMBOL
                     "; it is no webpubsubd plugin, or was built without "
                     "WPS_PLUGIN()");
}

bool loader_open(const char *path, const struct wps_host *host,
                 struct loaded *out, char *why, size_t why_size)
{
  const struct complaint c = {path, why, why_size};
  const struct wps_plugin *plugin;
  const char *error;
  char *full = NULL;
  void *handle = NULL;

  *out = (struct loaded){NULL, NULL, NULL};
  /* A name without a slash would make dlopen() search elsewhere. */
  full = strchr(path, '/') != NULL ? str_dup(str_from(path))
                                   : str_printf("./%s", path);
  if (full == NULL)
    return complain(&c, "out of memory");
  if (!file_check(&c))
    goto fail;
  dlerror();
  handle = dlopen(full, RTLD_NOW | RTLD_LOCAL);
  if (handle == NULL) {
    error = dlerror();
    /* glibc begins with the path already. */
    if (error != NULL && str_starts(str_from(error), full) &&
        error[strlen(full)] == ':')
      error += strlen(full) + 1 + strspn(error + strlen(full) + 1, " ");
    complain(&c, "cannot be loaded: %s",
             error != NULL ? error : "unknown error");
    goto fail;
  }
  plugin = dlsym(handle, WPS_PLUGIN_SYMBOL);
  if (plugin == NULL) {
    no_descriptor(&c, handle, host);
    goto fail;
  }
  if (!plugin_check(&c, plugin, host))
    goto fail;
  /* A reload loads again what workers are using. */
  if (*plugin->host != host)
    *plugin->host = host;
  *out = (struct loaded){full, handle, plugin};
  return true;

fail:
  /* It has not been used, so that closing it is safe. */
  if (handle != NULL)
    dlclose(handle);
  free(full);
  return false;
}

const struct wps_component *plugin_component(const struct wps_plugin *plugin,
                                             const char *kind_dash_name)
{
  size_t i;

  for (i = 0; plugin->components[i] != NULL; i++) {
    const struct wps_component *comp = plugin->components[i];
    const char *kind = kind_name(comp->kind);
    size_t len = kind == NULL ? 0 : strlen(kind);

    if (kind != NULL && strncmp(kind_dash_name, kind, len) == 0 &&
        kind_dash_name[len] == '-' &&
        strcmp(kind_dash_name + len + 1, comp->name) == 0)
      return comp;
  }
  return NULL;
}
