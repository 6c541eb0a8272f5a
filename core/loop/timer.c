/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/timer.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "loop/worker.h"

/* A timer that is due in less than 256 ms lies in level 0, in the slot of its
 * millisecond; one further away lies in a higher level, whose slots span 256,
 * 65,536 and 16,777,216 ms, and moves down when its slot begins. The bitmaps
 * let an idle wheel jump over empty time. A bit is set exactly while its slot
 * holds a timer. */

#define SLOT_MASK ((uint64_t)TIMER_SLOTS - 1)
#define DELAY_MAX ((uint64_t)0xffffffff)

void timer_init(struct timer *t, void (*fn)(struct timer *self))
{
  list_init(&t->node);
  t->due_ms = 0;
  t->fn = fn;
}

bool timer_running(const struct timer *t)
{
  return !list_empty(&t->node);
}

uint64_t timer_left_ms(const struct wps_worker *w, const struct timer *t)
{
  uint64_t now_ms = (uint64_t)w->now_us / 1000;

  if (!timer_running(t))
    return 0;
  return t->due_ms > now_ms ? t->due_ms - now_ms : 1;
}

int timers_init(struct timers *ts, uint64_t now_ms)
{
  ts->now_ms = now_ms;
  ts->running = 0;
  ts->slots = malloc(TIMER_LEVELS * sizeof(*ts->slots));
  if (ts->slots == NULL)
    return WPS_ENOMEM;
  for (size_t level = 0; level < TIMER_LEVELS; level++) {
    for (size_t slot = 0; slot < TIMER_SLOTS; slot++)
      list_init(&ts->slots[level][slot]);
    for (size_t word = 0; word < ARRAY_LEN(ts->bitmap[level]); word++)
      ts->bitmap[level][word] = 0;
  }
  return WPS_OK;
}

void timers_free(struct timers *ts)
{
  if (ts->slots == NULL)
    return;
  /* Owners outlive the wheel: let their timers look stopped. */
  for (size_t level = 0; level < TIMER_LEVELS; level++)
    for (size_t slot = 0; slot < TIMER_SLOTS; slot++)
      while (list_pop(&ts->slots[level][slot]) != NULL)
        ts->running--;
  free(ts->slots);
  ts->slots = NULL;
}

static void bit_set(struct timers *ts, size_t level, size_t slot)
{
  ts->known = false;
  ts->bitmap[level][slot / 64] |= UINT64_C(1) << (slot % 64);
}

static void bit_clear(struct timers *ts, size_t level, size_t slot)
{
  ts->known = false;
  ts->bitmap[level][slot / 64] &= ~(UINT64_C(1) << (slot % 64));
}

/* Into the slot that its distance from now_ms asks for; due >= now_ms. */
static void timers_place(struct timers *ts, struct timer *t)
{
  uint64_t distance = t->due_ms - ts->now_ms;
  size_t level = 0;
  size_t slot;

  while (level < TIMER_LEVELS - 1 && distance >> (8 * (level + 1)) != 0)
    level++;
  slot = (size_t)((t->due_ms >> (8 * level)) & SLOT_MASK);
  list_add_tail(&ts->slots[level][slot], &t->node);
  bit_set(ts, level, slot);
}

void timer_stop(struct wps_worker *w, struct timer *t)
{
  struct timers *ts = &w->timers;
  struct list *neighbour = t->node.next;

  if (list_empty(&t->node))
    return;
  list_remove(&t->node);
  ts->running--;
  /* The last one of a list: what is left is its head. That is a slot, or the
   * list of those that timers_advance() is about to call. */
  if (list_empty(neighbour) && ts->slots != NULL) {
    uintptr_t first = (uintptr_t)&ts->slots[0][0];
    uintptr_t head = (uintptr_t)neighbour;

    if (head >= first && head < (uintptr_t)&ts->slots[TIMER_LEVELS][0]) {
      size_t at = (head - first) / sizeof(struct list);

      bit_clear(ts, at / TIMER_SLOTS, at % TIMER_SLOTS);
    }
  }
}

void timer_start(struct wps_worker *w, struct timer *t, uint64_t delay_ms)
{
  struct timers *ts = &w->timers;
  uint64_t now_us = (uint64_t)clock_now_us();
  uint64_t next = now_us / 1000 + 1;

  timer_stop(w, t);
  /* From the clock and not from the cached time of the turn, which may be old:
   * never early. Rounded up to the tick for the same reason. */
  if (delay_ms > DELAY_MAX)
    delay_ms = DELAY_MAX;
  t->due_ms = (now_us + 999) / 1000 + delay_ms;
  if (t->due_ms < next)
    t->due_ms = next;
  if (t->due_ms <= ts->now_ms)
    t->due_ms = ts->now_ms + 1;
  if (t->due_ms - ts->now_ms > DELAY_MAX)
    t->due_ms = ts->now_ms + DELAY_MAX;
  timers_place(ts, t);
  ts->running++;
}

/* Steps from slot `from` (exclusive) to the next occupied one, 1 to 256; 0:
 * the level is empty. */
static uint64_t level_next(const struct timers *ts, size_t level, size_t from)
{
  const uint64_t *bitmap = ts->bitmap[level];
  size_t start = (from + 1) & SLOT_MASK;

  for (size_t i = 0; i <= ARRAY_LEN(ts->bitmap[level]); i++) {
    size_t word = (start / 64 + i) % ARRAY_LEN(ts->bitmap[level]);
    uint64_t bits = bitmap[word];

    if (i == 0)
      bits &= ~UINT64_C(0) << (start % 64);
    if (bits != 0) {
      size_t slot = word * 64 + (size_t)__builtin_ctzll(bits);

      return ((slot - start) & SLOT_MASK) + 1;
    }
  }
  return 0;
}

/* The next tick after now_ms at which a slot begins that holds something;
 * UINT64_MAX: none. */
static uint64_t timers_next_tick(struct timers *ts)
{
  uint64_t next = UINT64_MAX;

  if (ts->running == 0)
    return next;
  if (ts->known)
    return ts->next;
  for (size_t level = 0; level < TIMER_LEVELS; level++) {
    uint64_t unit = ts->now_ms >> (8 * level);
    uint64_t steps = level_next(ts, level, (size_t)(unit & SLOT_MASK));
    uint64_t tick = (unit + steps) << (8 * level);

    if (steps != 0 && tick < next)
      next = tick;
  }
  ts->next = next;
  ts->known = true;
  return next;
}

static void list_take(struct list *from, struct list *to)
{
  list_init(to);
  if (list_empty(from))
    return;
  to->next = from->next;
  to->prev = from->prev;
  to->next->prev = to;
  to->prev->next = to;
  list_init(from);
}

static void timers_cascade(struct timers *ts, size_t level)
{
  size_t slot = (size_t)((ts->now_ms >> (8 * level)) & SLOT_MASK);
  struct list moving, *node;

  list_take(&ts->slots[level][slot], &moving);
  bit_clear(ts, level, slot);
  while ((node = list_pop(&moving)) != NULL)
    timers_place(ts, CONTAINER_OF(node, struct timer, node));
}

void timers_advance(struct timers *ts, uint64_t now_ms)
{
  while (ts->now_ms < now_ms) {
    uint64_t tick = timers_next_tick(ts);
    struct list due, *node;
    size_t slot;

    if (tick > now_ms) {
      ts->now_ms = now_ms;
      return;
    }
    ts->now_ms = tick;
    ts->known = false;
    for (size_t level = TIMER_LEVELS - 1; level > 0; level--)
      if ((tick & ((UINT64_C(1) << (8 * level)) - 1)) == 0)
        timers_cascade(ts, level);
    slot = (size_t)(tick & SLOT_MASK);
    list_take(&ts->slots[0][slot], &due);
    bit_clear(ts, 0, slot);
    /* A callback may stop or start any timer, those of this list and its own
     * included, or free its owner: nothing of it is touched afterwards. */
    while ((node = list_pop(&due)) != NULL) {
      struct timer *t = CONTAINER_OF(node, struct timer, node);

      DCHECK(t->due_ms == tick);
      ts->running--;
      t->fn(t);
    }
  }
}

uint64_t timers_next(struct timers *ts, uint64_t now_ms)
{
  uint64_t tick = timers_next_tick(ts);

  if (tick == UINT64_MAX)
    return UINT64_MAX;
  return tick > now_ms ? tick - now_ms : 0;
}
