/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/sift.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "hub/fanout.h"
#include "hub/filter.h"

/* So few are not worth a place in the queue. */
enum { PIECE_US = 2000, CLOCK_EVERY = 8, FEW = 16 };

static int note(void *arg, struct hub_client *c)
{
  struct sift *s = arg;

  if (s->count == s->at) {
    size_t next = s->at == 0 ? 16 : s->at * 2;
    struct wps_conn_ref *bigger = realloc(s->refs, next * sizeof(*bigger));

    if (bigger == NULL)
      return WPS_ENOMEM;
    s->refs = bigger;
    s->at = next;
  }
  s->refs[s->count++] = s->hw->worker->hubs->ops->ref(c);
  return WPS_OK;
}

static bool passes(const struct sift *s, struct hub_client *c)
{
  struct hub_facts facts;

  return s->target->filter == NULL ||
         (s->hw->worker->hubs->ops->facts(c, &facts) &&
          filter_match(s->target->filter, c, &facts));
}

/* False when there is more to do. */
static bool piece(struct sift *s)
{
  struct wps_worker *w = s->hw->worker;
  int64_t until = clock_now_us() + PIECE_US;

  while (s->at < s->count) {
    struct wps_conn_ref ref = s->refs[s->at++];
    struct hub_client *c = w->hubs->ops->find(w, ref);

    if (c != NULL && passes(s, c) && (s->visit == NULL || s->visit(s, c)))
      s->refs[s->kept++] = ref;
    if (s->at % CLOCK_EVERY == 0 && !w->stopping && clock_now_us() > until)
      break;
  }
  return s->at == s->count;
}

static void finish(struct sift *s)
{
  struct wps_conn_ref *refs = s->refs;

  s->over(s);
  free(refs);
}

void sift_more(struct defer *self)
{
  struct hub_worker_set *set =
      CONTAINER_OF(self, struct hub_worker_set, sift_next);
  struct wps_worker *w = set->worker;

  do {
    struct sift *s = CONTAINER_OF(list_pop(&set->sifts), struct sift, node);

    if (piece(s))
      finish(s);
    else
      list_add_tail(&set->sifts, &s->node);
  } while (w->stopping && !list_empty(&set->sifts));
  if (!list_empty(&set->sifts))
    worker_defer_next(w, self);
}

int sift_start(struct sift *s, struct hub_worker *hw,
               const struct wps_target *target,
               bool (*visit)(struct sift *s, struct hub_client *c),
               void (*over)(struct sift *s))
{
  struct hub_worker_set *set = hw->worker->hubs;
  struct wps_target all = *target;
  int rc;

  *s = (struct sift){.hw = hw, .target = target, .visit = visit, .over = over};
  list_init(&s->node);
  all.filter = NULL;
  rc = hub_each(hw, &all, note, s);
  if (rc != WPS_OK) {
    free(s->refs);
    return rc;
  }
  s->at = 0; /* it was the room until now */
  if ((list_empty(&set->sifts) || s->count <= FEW || hw->worker->stopping) &&
      piece(s)) {
    finish(s);
    return WPS_OK;
  }
  list_add_tail(&set->sifts, &s->node);
  worker_defer_next(hw->worker, &set->sift_next);
  return WPS_OK;
}
