/* SPDX-License-Identifier: Apache-2.0 */
/* conn/completion.c - run what was promised for later in this turn. */
#include "conn/completion.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/fault.h"
#include "conn/conn.h"

struct completions {
  struct defer run;
  struct wps_worker *worker;
  struct completion *items;
  size_t count, cap;
  size_t reserved; /* count + reserved <= cap */
};

static void run_one(const struct completion *d)
{
  struct wps_conn *c = d->ref.opaque[1] != 0 ? conn_find(d->ref) : NULL;

  switch (d->kind) {
  case DONE_CONN:
    d->fn.conn(c, d->arg, d->tag, d->status);
    return;
  case DONE_PUBLISHED: {
    struct wps_published result = {.struct_size = sizeof(result),
                                   .status = d->status,
                                   .receivers_local = d->value};

    d->fn.published(c, d->arg, d->tag, &result);
    return;
  }
  case DONE_COUNT:
    d->fn.count(d->arg, d->status, d->value);
    return;
  default: {
    struct wps_joined result = {.struct_size = sizeof(result),
                                .status = d->status};

    /* The membership may have ended between the join and now. */
    for (uint32_t i = 0; c != NULL && i < c->client.member_count; i++)
      if (c->client.members[i]->serial == d->value)
        result.member = c->client.members[i];
    if (result.status == WPS_OK && result.member == NULL)
      result.status = WPS_ECANCELED;
    d->fn.joined(c, d->arg, d->tag, &result);
  }
  }
}

static void run_all(struct completions *cs)
{
  /* Callbacks add more; they wait behind those that were there. */
  for (size_t i = 0; i < cs->count; i++) {
    struct completion d = cs->items[i];

    run_one(&d);
  }
  cs->count = 0;
}

static void run(struct defer *self)
{
  run_all(CONTAINER_OF(self, struct completions, run));
}

struct completions *completions_new(struct wps_worker *w)
{
  struct completions *cs = calloc(1, sizeof(*cs));

  if (cs == NULL)
    return NULL;
  cs->worker = w;
  defer_init(&cs->run, run);
  return cs;
}

void completions_free(struct completions *cs)
{
  if (cs == NULL)
    return;
  defer_cancel(&cs->run);
  free(cs->items);
  free(cs);
}

int completion_reserve(struct wps_worker *w)
{
  struct completions *cs = w->conns->completions;

  if (FAULT("alloc_completion"))
    return WPS_ENOMEM;
  if (cs->count + cs->reserved == cs->cap) {
    size_t next = cs->cap == 0 ? 64 : cs->cap * 2;
    struct completion *bigger = realloc(cs->items, next * sizeof(*bigger));

    if (bigger == NULL)
      return WPS_ENOMEM;
    cs->items = bigger;
    cs->cap = next;
  }
  cs->reserved++;
  return WPS_OK;
}

void completion_add(struct wps_worker *w, const struct completion *c)
{
  struct completions *cs = w->conns->completions;

  completion_unreserve(w);
  cs->items[cs->count++] = *c;
  worker_defer(w, &cs->run);
}

void completion_unreserve(struct wps_worker *w)
{
  struct completions *cs = w->conns->completions;

  DCHECK(cs->reserved > 0);
  cs->reserved--;
}

void completions_run_out(struct completions *cs)
{
  run_all(cs);
}
