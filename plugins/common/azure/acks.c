/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/azure/acks.h"

#include <stdlib.h>
#include <string.h>

#include <webpubsub/status.h>

/* A set of ids in blocks of 64, open addressing. bits 0: a free place. */
struct block {
  uint64_t number;
  uint64_t bits;
};

struct set {
  struct block *at;
  uint32_t len, cap; /* cap 0 or a power of two, at least twice len */
  uint64_t seed;
};

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

struct azure_acks_many {
  struct runs done;
  /* The same ids, while there are too many runs to look through: ids are the
   * client's choice. Or empty, also for want of memory. */
  struct set done_set;
  struct set pending;
};

enum { SET_FIRST = 4, SET_KEPT = 64, RUNS_SCANNED = 16 };

/* ---- sets ---- */

/* Where a block belongs. Clients choose the ids but do not know the seed. */
static uint32_t set_place(const struct set *s, uint64_t number)
{
  uint64_t h = number ^ s->seed;

  h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
  return (uint32_t)(h ^ h >> 31) & (s->cap - 1);
}

/* The block, or the free place for it. */
static struct block *set_slot(const struct set *s, uint64_t number)
{
  uint32_t i = set_place(s, number);

  while (s->at[i].bits != 0 && s->at[i].number != number)
    i = (i + 1) & (s->cap - 1);
  return &s->at[i];
}

static uint64_t bit_of(uint64_t id)
{
  return UINT64_C(1) << (id & 63);
}

static bool set_has(const struct set *s, uint64_t id)
{
  return s->len > 0 && (set_slot(s, id >> 6)->bits & bit_of(id)) != 0;
}

static void set_clear(struct set *s)
{
  free(s->at);
  memset(s, 0, sizeof(*s));
}

static int set_grow(struct set *s)
{
  struct set bigger = {.cap = s->cap == 0 ? SET_FIRST : s->cap * 2};

  if (s->cap > UINT32_MAX / 4)
    return WPS_ENOMEM;
  bigger.at = calloc(bigger.cap, sizeof(*bigger.at));
  if (bigger.at == NULL)
    return WPS_ENOMEM;
  bigger.len = s->len;
  bigger.seed = (uint64_t)(uintptr_t)bigger.at * UINT64_C(0x9e3779b97f4a7c15);
  for (uint32_t i = 0; i < s->cap; i++)
    if (s->at[i].bits != 0)
      *set_slot(&bigger, s->at[i].number) = s->at[i];
  free(s->at);
  *s = bigger;
  return WPS_OK;
}

static int set_add(struct set *s, uint64_t id)
{
  struct block *b = s->cap == 0 ? NULL : set_slot(s, id >> 6);

  if (b == NULL || (b->bits == 0 && s->len >= s->cap / 2)) {
    if (set_grow(s) != WPS_OK)
      return WPS_ENOMEM;
    b = set_slot(s, id >> 6);
  }
  if (b->bits == 0) {
    b->number = id >> 6;
    s->len++;
  }
  b->bits |= bit_of(id);
  return WPS_OK;
}

static void set_remove(struct set *s, uint64_t id)
{
  uint32_t mask = s->cap - 1, hole, i;
  struct block *b;

  if (!set_has(s, id))
    return;
  b = set_slot(s, id >> 6);
  b->bits &= ~bit_of(id);
  if (b->bits != 0)
    return;
  s->len--;
  if (s->len == 0 && s->cap > SET_KEPT) {
    set_clear(s);
    return;
  }
  /* What has moved on because of this block moves back. */
  hole = i = (uint32_t)(b - s->at);
  while (s->at[i = (i + 1) & mask].bits != 0) {
    uint32_t place = set_place(s, s->at[i].number);

    if (((i - place) & mask) >= ((i - hole) & mask)) {
      s->at[hole] = s->at[i];
      s->at[i].bits = 0;
      hole = i;
    }
  }
}

/* ---- runs ---- */

/* The newest is the likeliest. */
static bool runs_have(const struct runs *r, uint64_t id)
{
  const struct run *at;

  if (r->len == 0)
    return false;
  at = r->at + r->head;
  for (uint32_t i = r->len; i-- > 0;)
    if (id - at[i].first < at[i].count)
      return true;
  return false;
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

/* One id of the oldest run. */
static void runs_drop(struct runs *r)
{
  struct run *oldest = r->at + r->head;

  oldest->first++;
  oldest->count--;
  r->total--;
  if (oldest->count > 0)
    return;
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

/* ---- successes ---- */

static void done_forget(struct azure_acks_many *acks)
{
  set_remove(&acks->done_set, acks->done.at[acks->done.head].first);
  runs_drop(&acks->done);
}

static void done_index(struct azure_acks_many *acks)
{
  const struct run *at = acks->done.at + acks->done.head;

  for (uint32_t i = 0; i < acks->done.len; i++)
    for (uint64_t k = 0; k < at[i].count; k++)
      if (set_add(&acks->done_set, at[i].first + k) != WPS_OK) {
        set_clear(&acks->done_set);
        return;
      }
}

static int done_remember(struct azure_acks_many *acks, uint64_t id)
{
  struct set *set = &acks->done_set;

  if (runs_append(&acks->done, id) != WPS_OK)
    return WPS_ENOMEM;
  if (set->cap == 0) {
    if (acks->done.len > RUNS_SCANNED)
      done_index(acks);
  } else if (acks->done.len <= RUNS_SCANNED / 2 || set_add(set, id) != WPS_OK) {
    set_clear(set);
  }
  return WPS_OK;
}

/* ---- many ---- */

static uint32_t many_find(const struct azure_acks_many *many, uint64_t id)
{
  if (many->done_set.cap != 0 ? set_has(&many->done_set, id)
                              : runs_have(&many->done, id))
    return AZURE_ACK_DONE;
  return set_has(&many->pending, id) ? AZURE_ACK_PENDING : AZURE_ACK_NEW;
}

static void many_end(struct azure_acks_many *many, uint64_t id, bool success,
                     uint32_t window)
{
  set_remove(&many->pending, id);
  if (!success || window == 0)
    return;
  while (many->done.total >= window)
    done_forget(many);
  if (done_remember(many, id) != WPS_OK) {
    /* The place of the oldest run is enough. */
    for (uint32_t len = many->done.len; many->done.len == len;)
      done_forget(many);
    (void)done_remember(many, id);
  }
}

static void many_free(struct azure_acks_many *many)
{
  if (many == NULL)
    return;
  free(many->done.at);
  set_clear(&many->done_set);
  set_clear(&many->pending);
  free(many);
}

/* ---- few ---- */

enum { PENDING_BITS = 32 };

static bool is_pending(const struct azure_acks *acks, uint64_t id)
{
  uint64_t bit = id - acks->pending;

  return bit < PENDING_BITS && (acks->pending_bits >> bit & 1) != 0;
}

/* From now on there are many. Room for a run, so that the end of a request
 * needs no memory that could be missing. */
static int few_to_many(struct azure_acks *acks)
{
  struct azure_acks_many *many = calloc(1, sizeof(*many));

  if (many == NULL || runs_reserve(&many->done) != WPS_OK)
    goto fail;
  if (acks->count != 0) {
    many->done.at[many->done.len++] = (struct run){acks->first, acks->count};
    many->done.total = acks->count;
  }
  for (uint32_t bit = 0; bit < PENDING_BITS; bit++)
    if ((acks->pending_bits >> bit & 1) != 0 &&
        set_add(&many->pending, acks->pending + bit) != WPS_OK)
      goto fail;
  acks->many = many;
  return WPS_OK;

fail:
  many_free(many);
  return WPS_ENOMEM;
}

static void few_forget_pending(struct azure_acks *acks, uint64_t id)
{
  int gone;

  if (!is_pending(acks, id))
    return;
  acks->pending_bits &= ~(UINT32_C(1) << (id - acks->pending));
  if (acks->pending_bits == 0)
    return;
  gone = __builtin_ctz(acks->pending_bits);
  acks->pending += (uint64_t)gone;
  acks->pending_bits >>= gone;
}

/* False: not without more memory. */
static bool few_remember(struct azure_acks *acks, uint64_t id, uint32_t window)
{
  if (acks->count >= window) {
    acks->first += acks->count - window + 1;
    acks->count = window - 1;
  }
  if (acks->count == 0)
    acks->first = id;
  if (acks->first + acks->count != id)
    return false;
  acks->count++;
  return true;
}

/* ---- both ---- */

uint32_t azure_acks_find(const struct azure_acks *acks, uint64_t id)
{
  if (acks->many != NULL)
    return many_find(acks->many, id);
  if (id - acks->first < acks->count)
    return AZURE_ACK_DONE;
  return is_pending(acks, id) ? AZURE_ACK_PENDING : AZURE_ACK_NEW;
}

int azure_acks_begin(struct azure_acks *acks, uint64_t id)
{
  if (acks->many == NULL) {
    if (acks->pending_bits == 0)
      acks->pending = id;
    if (id - acks->pending < PENDING_BITS) {
      acks->pending_bits |= UINT32_C(1) << (id - acks->pending);
      return WPS_OK;
    }
    if (few_to_many(acks) != WPS_OK)
      return WPS_ENOMEM;
  }
  return set_add(&acks->many->pending, id);
}

void azure_acks_end(struct azure_acks *acks, uint64_t id, bool success,
                    uint32_t window)
{
  if (acks->many == NULL) {
    few_forget_pending(acks, id);
    if (!success || window == 0 || few_remember(acks, id, window))
      return;
    if (few_to_many(acks) != WPS_OK) {
      acks->first = id;
      acks->count = 1;
      return;
    }
  }
  many_end(acks->many, id, success, window);
}

void azure_acks_clear(struct azure_acks *acks)
{
  many_free(acks->many);
  memset(acks, 0, sizeof(*acks));
}
