/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/http-rest/rate.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { SLOTS = 1024, NS_PER_S = 1000000000 };

struct slot {
  _Atomic uint64_t key; /* hash of the credential; 0: free */
  _Atomic int64_t next; /* ns; when one at the allowed pace would come */
};

struct rate {
  int64_t interval_ns;
  int64_t slack_ns; /* how far `next` may lie ahead */
  uint32_t per_second, reserved;
  struct slot slots[SLOTS];
};

struct rate *rate_new(uint32_t per_second, uint32_t burst)
{
  struct rate *r = calloc(1, sizeof(*r));

  if (r == NULL)
    return NULL;
  r->per_second = per_second;
  r->interval_ns = NS_PER_S / (int64_t)per_second;
  r->slack_ns = r->interval_ns * ((int64_t)burst - 1);
  return r;
}

void rate_free(struct rate *r)
{
  free(r);
}

uint32_t rate_per_second(const struct rate *r)
{
  return r->per_second;
}

/* FNV-1a. */
static uint64_t hash(struct wps_str s)
{
  uint64_t h = UINT64_C(0xcbf29ce484222325);

  for (size_t i = 0; i < s.len; i++)
    h = (h ^ (unsigned char)s.ptr[i]) * UINT64_C(0x100000001b3);
  return h != 0 ? h : 1;
}

static struct slot *find(struct rate *r, uint64_t key)
{
  for (size_t i = 0; i < SLOTS - 1; i++) {
    struct slot *s = &r->slots[(key + i) % (SLOTS - 1)];
    uint64_t there = atomic_load_explicit(&s->key, memory_order_relaxed);

    if (there == 0 && atomic_compare_exchange_strong(&s->key, &there, key))
      return s;
    if (there == key)
      return s;
  }
  return &r->slots[SLOTS - 1];
}

bool rate_take(struct rate *r, struct wps_str credential, int64_t now_us,
               uint32_t *retry_s)
{
  struct slot *s = find(r, hash(credential));
  int64_t now = now_us * 1000, next = atomic_load(&s->next), from;

  do {
    from = next > now ? next : now;
    if (from - now > r->slack_ns) {
      int64_t wait = from - now - r->slack_ns;

      *retry_s = (uint32_t)((wait + NS_PER_S - 1) / NS_PER_S);
      return false;
    }
  } while (
      !atomic_compare_exchange_weak(&s->next, &next, from + r->interval_ns));
  return true;
}
