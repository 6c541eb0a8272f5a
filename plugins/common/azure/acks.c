/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/azure/acks.h"

#include <stdlib.h>
#include <string.h>

#include <webpubsub/status.h>

struct run {
  uint64_t first;
  uint64_t count;
};

/* Oldest first, from `head`. */
struct runs {
  struct run *at;
  uint32_t head, len, cap;
  uint32_t total; /* ids in all runs */
};

struct azure_acks {
  struct runs done;
  struct runs pending;
};

/* Index of the run with `id`, or -1; the newest is the likeliest. */
static int64_t runs_find(const struct runs *r, uint64_t id)
{
  const struct run *at;

  if (r->len == 0)
    return -1;
  at = r->at + r->head;
  for (uint32_t i = r->len; i-- > 0;)
    if (id - at[i].first < at[i].count)
      return i;
  return -1;
}

/* Room for one more run. */
static int runs_reserve(struct runs *r)
{
  uint32_t cap = r->cap == 0 ? 2 : r->cap * 2;
  struct run *at = NULL;

  if (r->head + r->len < r->cap)
    return WPS_OK;
  if (r->head < r->cap / 2 + 1 && cap <= UINT32_MAX / 2)
    at = realloc(r->at, cap * sizeof(*at));
  if (at != NULL) {
    r->at = at;
    r->cap = cap;
    return WPS_OK;
  }
  if (r->head == 0)
    return WPS_ENOMEM;
  memmove(r->at, r->at + r->head, r->len * sizeof(*r->at));
  r->head = 0;
  return WPS_OK;
}

static void runs_drop_oldest(struct runs *r, bool whole_run)
{
  struct run *oldest = r->at + r->head;

  if (!whole_run && oldest->count > 1) {
    oldest->first++;
    oldest->count--;
    r->total--;
    return;
  }
  r->total -= (uint32_t)oldest->count;
  r->len--;
  r->head = r->len == 0 ? 0 : r->head + 1;
}

static int runs_append(struct runs *r, uint64_t id)
{
  if (r->len > 0) {
    struct run *last = r->at + r->head + r->len - 1;

    if (last->first + last->count == id) {
      last->count++;
      r->total++;
      return WPS_OK;
    }
  }
  if (runs_reserve(r) != WPS_OK)
    return WPS_ENOMEM;
  r->at[r->head + r->len++] = (struct run){id, 1};
  r->total++;
  return WPS_OK;
}

static void runs_remove(struct runs *r, uint64_t id)
{
  int64_t i = runs_find(r, id);
  struct run *at, rest;

  if (i < 0)
    return;
  at = r->at + r->head + i;
  rest = (struct run){id + 1, at->count - (id - at->first) - 1};
  at->count = id - at->first;
  r->total--;
  if (at->count == 0 && rest.count > 0) {
    *at = rest;
  } else if (at->count == 0) {
    memmove(at, at + 1, (r->len - (size_t)i - 1) * sizeof(*at));
    r->len--;
  } else if (rest.count > 0) {
    if (runs_reserve(r) != WPS_OK) {
      /* Forgetting some that are under way may run a repeated one twice;
       * keeping this one would hold its repetition for ever. */
      r->total -= (uint32_t)rest.count;
      return;
    }
    at = r->at + r->head + i;
    memmove(at + 2, at + 1, (r->len - (size_t)i - 1) * sizeof(*at));
    at[1] = rest;
    r->len++;
  }
  if (r->len == 0)
    r->head = 0;
}

uint32_t azure_acks_find(const struct azure_acks *acks, uint64_t id)
{
  if (acks == NULL)
    return AZURE_ACK_NEW;
  if (runs_find(&acks->done, id) >= 0)
    return AZURE_ACK_DONE;
  return runs_find(&acks->pending, id) >= 0 ? AZURE_ACK_PENDING : AZURE_ACK_NEW;
}

int azure_acks_begin(struct azure_acks **acks, uint64_t id)
{
  if (*acks == NULL && (*acks = calloc(1, sizeof(**acks))) == NULL)
    return WPS_ENOMEM;
  /* Then the end of a request needs no memory that could be missing. */
  if ((*acks)->done.cap == 0 && runs_reserve(&(*acks)->done) != WPS_OK)
    return WPS_ENOMEM;
  return runs_append(&(*acks)->pending, id);
}

void azure_acks_end(struct azure_acks *acks, uint64_t id, bool success,
                    uint32_t window)
{
  if (acks == NULL)
    return;
  runs_remove(&acks->pending, id);
  if (!success || window == 0)
    return;
  while (acks->done.total >= window)
    runs_drop_oldest(&acks->done, false);
  if (runs_append(&acks->done, id) != WPS_OK) {
    runs_drop_oldest(&acks->done, true);
    (void)runs_append(&acks->done, id);
  }
}

void azure_acks_free(struct azure_acks *acks)
{
  if (acks == NULL)
    return;
  free(acks->done.at);
  free(acks->pending.at);
  free(acks);
}
