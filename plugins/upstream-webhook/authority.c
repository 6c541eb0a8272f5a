/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/upstream-webhook/authority.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <webpubsub/host.h>

#include "plugins/common/cloudevents/text.h"
#include "plugins/upstream-webhook/site.h"

enum { SECOND_US = 1000000, RESOLVED_US = 50 * SECOND_US };

static char *name_of(const struct url_template *url)
{
  struct text name = {0};

  text_printf(&name, "%s://%.*s:%u", url->tls ? "https" : "http",
              STR_ARG(url->host), url->port);
  text_terminate(&name);
  if (name.failed) {
    text_free(&name);
    return NULL;
  }
  for (size_t i = 0; i < name.len; i++)
    if (name.ptr[i] >= 'A' && name.ptr[i] <= 'Z')
      name.ptr[i] = (char)(name.ptr[i] + ('a' - 'A'));
  return name.ptr;
}

struct authority *authority_get(struct site *site,
                                const struct url_template *url)
{
  struct list *head = &site->authorities;
  char *name = name_of(url);
  struct authority *a;

  if (name == NULL)
    return NULL;
  for (struct list *n = head->next; n != head; n = n->next) {
    a = LIST_ITEM(n, struct authority, node);
    if (strcmp(a->name, name) == 0) {
      free(name);
      a->users++;
      return a;
    }
  }
  a = calloc(1, sizeof(*a));
  if (a == NULL) {
    free(name);
    return NULL;
  }
  a->site = site;
  a->name = name;
  a->users = 1;
  a->numeric = url->numeric;
  a->resolved_us = INT64_MIN;
  list_add(head, &a->node);
  return a;
}

void authority_put(struct authority *a)
{
  if (--a->users > 0)
    return;
  list_remove(&a->node);
  free(a->name);
  free(a);
}

/* ---- name ---- */

static int64_t now_us(const struct authority *a)
{
  return wps->worker->now_us(a->site->worker);
}

bool authority_is_known(const struct authority *a)
{
  return a->numeric || (a->resolved_us != INT64_MIN &&
                        now_us(a) - a->resolved_us < RESOLVED_US);
}

void authority_resolved(struct authority *a, bool fresh)
{
  bool known = authority_is_known(a);

  if (a->numeric || (known && !fresh))
    return;
  if (!known)
    a->site->stirred = true; /* others may go now, but not from here */
  a->resolved_us = now_us(a);
  if (!fresh)
    a->resolved_us -= RESOLVED_US - SECOND_US;
}
