/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/upstream-server/roles.h"

#include <stdlib.h>
#include <string.h>

#include <webpubsub/host.h>

#include "plugins/common/azure/names.h"

static const char *const kinds[] = {"publisher", "subscriber", "manager"};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

const char *server_role_name(uint32_t kind)
{
  return kind < KINDS ? kinds[kind] : "?";
}

static bool role_read(struct wps_str name, struct server_role *out)
{
  for (uint32_t i = 0; i < KINDS; i++) {
    size_t len = strlen(kinds[i]);

    if (name.len < len || memcmp(name.ptr, kinds[i], len) != 0)
      continue;
    *out = (struct server_role){.kind = i};
    if (name.len == len)
      return true;
    if (name.ptr[len] != '.' || name.len == len + 1)
      return false;
    out->pattern = (struct wps_str){name.ptr + len + 1, name.len - len - 1};
    return true;
  }
  return false;
}

int server_roles_read(struct server_roles *out, const struct wps_str *names,
                      size_t count)
{
  struct server_role role;
  size_t kept = 0, bytes = 0;
  char *text;

  *out = (struct server_roles){.count = 0};
  for (size_t i = 0; i < count; i++)
    if (role_read(names[i], &role)) {
      kept++;
      bytes += names[i].len;
    }
  out->items = malloc(kept * sizeof(*out->items) + 1);
  out->names = malloc(kept * sizeof(*out->names) + bytes + 1);
  if (out->items == NULL || out->names == NULL) {
    server_roles_free(out);
    return WPS_ENOMEM;
  }
  text = (char *)(out->names + kept);
  for (size_t i = 0; i < count; i++) {
    if (!role_read(names[i], &role))
      continue;
    memcpy(text, names[i].ptr, names[i].len);
    out->names[out->count] = (struct wps_str){text, names[i].len};
    role_read(out->names[out->count], &out->items[out->count]);
    out->count++;
    text += names[i].len;
  }
  return WPS_OK;
}

void server_roles_free(struct server_roles *r)
{
  free(r->items);
  free(r->names);
  *r = (struct server_roles){.count = 0};
}

bool server_roles_allow(const struct server_roles *r, uint32_t kind,
                        struct wps_str group)
{
  for (size_t i = 0; i < r->count; i++)
    if (r->items[i].kind == kind &&
        (r->items[i].pattern.ptr == NULL ||
         (group.ptr != NULL &&
          wps->hub->pattern_match(r->items[i].pattern, group))))
      return true;
  return false;
}

bool server_roles_cover(const struct server_roles *r, uint32_t kind,
                        struct wps_str pattern)
{
  for (size_t i = 0; i < r->count; i++)
    if (r->items[i].kind == kind && (r->items[i].pattern.ptr == NULL ||
                                     azure_equal(r->items[i].pattern, pattern)))
      return true;
  return false;
}

bool server_roles_any(const struct server_roles *r, uint32_t kind)
{
  for (size_t i = 0; i < r->count; i++)
    if (r->items[i].kind == kind)
      return true;
  return false;
}
