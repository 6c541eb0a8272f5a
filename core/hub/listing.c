/* SPDX-License-Identifier: Apache-2.0 */
/* hub/listing.c - gather a page of clients from all workers. */
#include "hub/listing.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

struct list_job;

/* What one worker has brought: sorted, and one block with its strings. */
struct page {
  struct post post;
  struct list_job *job;
  struct wps_listed *items;
  size_t count;
  size_t taken; /* while merging */
};

struct list_job {
  _Atomic uint32_t pending;
  _Atomic int32_t status;
  struct target_copy *target;
  uint32_t limit;
  uint32_t page_count;
  char *after;
  size_t after_len;
  struct wps_worker *origin;
  struct post answer;
  wps_listing_fn done;
  void *arg;
  struct page pages[];
};

static void job_free(struct list_job *job)
{
  for (uint32_t i = 0; i < job->page_count; i++)
    free(job->pages[i].items);
  target_free(job->target);
  free(job->after);
  free(job);
}

/* ---- one worker ---- */

/* The `max` smallest so far, the greatest of them on top. */
struct heap {
  struct wps_worker *worker;
  struct wps_str after;
  struct wps_listed *items;
  size_t count, cap, max;
};

static void sift_up(struct heap *h, size_t at)
{
  struct wps_listed item = h->items[at];

  while (at != 0) {
    size_t parent = (at - 1) / 2;

    if (str_cmp(h->items[parent].conn, item.conn) >= 0)
      break;
    h->items[at] = h->items[parent];
    at = parent;
  }
  h->items[at] = item;
}

static void sift_down(struct heap *h)
{
  struct wps_listed item = h->items[0];
  size_t at = 0, child;

  while ((child = 2 * at + 1) < h->count) {
    if (child + 1 < h->count &&
        str_cmp(h->items[child + 1].conn, h->items[child].conn) > 0)
      child++;
    if (str_cmp(h->items[child].conn, item.conn) <= 0)
      break;
    h->items[at] = h->items[child];
    at = child;
  }
  h->items[at] = item;
}

static int heap_grow(struct heap *h)
{
  size_t next = h->cap == 0 ? 64 : h->cap * 2;
  struct wps_listed *bigger = realloc(h->items, next * sizeof(*bigger));

  if (bigger == NULL)
    return WPS_ENOMEM;
  h->items = bigger;
  h->cap = next;
  return WPS_OK;
}

static int consider(void *arg, struct hub_client *c)
{
  struct heap *h = arg;
  struct hub_facts facts;
  struct wps_listed item;

  if (!h->worker->hubs->ops->facts(c, &facts) ||
      str_cmp(facts.id, h->after) <= 0)
    return WPS_OK;
  item.conn = facts.id;
  item.user = facts.user.len != 0 ? facts.user : STR_NONE;
  if (h->count == h->max) {
    if (str_cmp(item.conn, h->items[0].conn) < 0) {
      h->items[0] = item;
      sift_down(h);
    }
    return WPS_OK;
  }
  if (h->count == h->cap && heap_grow(h) != WPS_OK)
    return WPS_ENOMEM;
  h->items[h->count] = item;
  sift_up(h, h->count++);
  return WPS_OK;
}

static int by_id(const void *a, const void *b)
{
  const struct wps_listed *x = a, *y = b;

  return str_cmp(x->conn, y->conn);
}

/* Clients may go while other workers are still looking. */
static int keep(struct page *page, const struct heap *h)
{
  size_t size = h->count * sizeof(*page->items);
  char *at;

  for (size_t i = 0; i < h->count; i++)
    size += h->items[i].conn.len + h->items[i].user.len;
  page->items = malloc(size);
  if (page->items == NULL)
    return WPS_ENOMEM;
  at = (char *)(page->items + h->count);
  for (size_t i = 0; i < h->count; i++) {
    page->items[i].conn = str_put(&at, h->items[i].conn);
    page->items[i].user = str_put(&at, h->items[i].user);
  }
  page->count = h->count;
  return WPS_OK;
}

static int look_here(struct hub_worker *hw, struct page *page)
{
  struct list_job *job = page->job;
  struct heap h = {.worker = hw->worker,
                   .after = {job->after, job->after_len},
                   .max = (size_t)job->limit + 1};
  int rc = hub_each(hw, &job->target->view, consider, &h);

  if (rc == WPS_OK && h.count != 0) {
    qsort(h.items, h.count, sizeof(*h.items), by_id);
    rc = keep(page, &h);
  }
  free(h.items);
  return rc;
}

/* ---- together ---- */

static struct page *smallest(struct list_job *job)
{
  struct page *best = NULL;

  for (uint32_t i = 0; i < job->page_count; i++) {
    struct page *p = &job->pages[i];

    if (p->taken != p->count &&
        (best == NULL ||
         str_cmp(p->items[p->taken].conn, best->items[best->taken].conn) < 0))
      best = p;
  }
  return best;
}

static int merge(struct list_job *job, struct wps_listing *listing,
                 struct wps_listed **out)
{
  size_t all = 0;
  struct page *p;

  *out = NULL;
  for (uint32_t i = 0; i < job->page_count; i++)
    all += job->pages[i].count;
  listing->more = all > job->limit;
  if (all > job->limit)
    all = job->limit;
  if (all == 0)
    return WPS_OK;
  *out = malloc(all * sizeof(**out));
  if (*out == NULL)
    return WPS_ENOMEM;
  listing->items = *out;
  while (listing->count < all && (p = smallest(job)) != NULL)
    (*out)[listing->count++] = p->items[p->taken++];
  return WPS_OK;
}

static void answer(struct post *post)
{
  struct list_job *job = CONTAINER_OF(post, struct list_job, answer);
  struct wps_listing listing = {.struct_size = sizeof(listing),
                                .status = atomic_load(&job->status),
                                .item_size = sizeof(struct wps_listed)};
  struct wps_listed *items = NULL;

  if (listing.status == WPS_OK && merge(job, &listing, &items) != WPS_OK) {
    listing.status = WPS_ENOMEM;
    listing.more = 0;
  }
  job->done(job->arg, &listing);
  free(items);
  job_free(job);
}

static void finished(struct list_job *job)
{
  if (atomic_fetch_sub(&job->pending, 1) != 1)
    return;
  /* A worker that has stopped has nobody to tell; the memory is ours. */
  if (!worker_post(job->origin, &job->answer)) {
    job->done(job->arg,
              &(struct wps_listing){.struct_size = sizeof(struct wps_listing),
                                    .status = WPS_ECANCELED,
                                    .item_size = sizeof(struct wps_listed)});
    job_free(job);
  }
}

static void run(struct post *post)
{
  struct page *page = CONTAINER_OF(post, struct page, post);
  struct hub_worker *hw;

  if (hub_worker_get(worker_current(), page->job->target->view.hub, false,
                     &hw) == WPS_OK &&
      look_here(hw, page) != WPS_OK)
    atomic_store(&page->job->status, WPS_ENOMEM);
  finished(page->job);
}

static bool valid(const struct wps_target *who,
                  const struct wps_list_query *query, wps_listing_fn done)
{
  return done != NULL && target_ok(who) && query->limit != 0;
}

int hub_list(struct wps_worker *w, const struct wps_target *who,
             const struct wps_list_query *query, wps_listing_fn done, void *arg)
{
  uint64_t workers;
  struct list_job *job;
  uint32_t count, i = 0;
  int rc;

  if (!valid(who, query, done))
    return WPS_EINVAL;
  rc = hub_find_workers(w, who, &workers);
  if (rc != WPS_OK)
    return rc;
  count = (uint32_t)__builtin_popcountll(workers);
  job = calloc(1, sizeof(*job) + count * sizeof(job->pages[0]));
  if (job == NULL)
    return WPS_ENOMEM;
  job->target = target_copy(who);
  job->after = str_dup(query->after);
  if (job->target == NULL || job->after == NULL) {
    job_free(job);
    return WPS_ENOMEM;
  }
  job->after_len = query->after.len;
  atomic_init(&job->status, WPS_OK);
  atomic_init(&job->pending, count + 1);
  job->limit = query->limit;
  job->page_count = count;
  job->origin = w;
  job->answer.fn = answer;
  job->done = done;
  job->arg = arg;
  for (; workers != 0; workers &= workers - 1) {
    struct page *page = &job->pages[i++];

    page->job = job;
    page->post.fn = run;
    if (!worker_post(workers_at(w->all, (uint32_t)__builtin_ctzll(workers)),
                     &page->post))
      finished(job);
  }
  finished(job);
  return WPS_OK;
}
