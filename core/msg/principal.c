/* SPDX-License-Identifier: Apache-2.0 */
/* msg/principal.c - copy an identity into one block. */
#include "msg/principal.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static size_t strings_size(const struct wps_str *s, size_t count)
{
  size_t total = count * sizeof(*s);

  for (size_t i = 0; i < count; i++)
    total += s[i].len;
  return total;
}

/* Quadratic, but a token has few roles: 8 KiB of token text bounds it. */
static size_t put_distinct(char **at, struct wps_str *to,
                           const struct wps_str *from, size_t count)
{
  size_t kept = 0;

  for (size_t i = 0; i < count; i++) {
    bool seen = false;

    for (size_t j = 0; j < kept && !seen; j++)
      seen = str_eq(to[j], from[i]);
    if (!seen)
      to[kept++] = str_put(at, from[i]);
  }
  return kept;
}

struct principal *principal_copy(const struct wps_principal *who)
{
  size_t size = sizeof(struct principal) + who->user.len + who->credential.len;
  struct principal *p;
  struct wps_str *roles, *groups;
  struct wps_pair *claims;
  char *at;

  size += strings_size(who->roles, who->role_count);
  size += strings_size(who->groups, who->group_count);
  size += who->claim_count * sizeof(struct wps_pair);
  for (size_t i = 0; i < who->claim_count; i++)
    size += who->claims[i].name.len + who->claims[i].value.len;
  p = malloc(size);
  if (p == NULL)
    return NULL;
  memset(&p->view, 0, sizeof(p->view));
  p->view.struct_size = sizeof(p->view);
  p->view.expires_unix_ms = who->expires_unix_ms;
  claims = (struct wps_pair *)(void *)(p + 1);
  roles = (struct wps_str *)(void *)(claims + who->claim_count);
  groups = roles + who->role_count;
  at = (char *)(groups + who->group_count);
  p->view.user = str_put(&at, who->user);
  p->view.credential = str_put(&at, who->credential);
  p->view.roles = roles;
  p->view.role_count = put_distinct(&at, roles, who->roles, who->role_count);
  p->view.groups = groups;
  p->view.group_count =
      put_distinct(&at, groups, who->groups, who->group_count);
  p->view.claims = claims;
  p->view.claim_count = who->claim_count;
  for (size_t i = 0; i < who->claim_count; i++) {
    claims[i].name = str_put(&at, who->claims[i].name);
    claims[i].value = str_put(&at, who->claims[i].value);
  }
  return p;
}
