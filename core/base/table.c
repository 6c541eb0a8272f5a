/* SPDX-License-Identifier: Apache-2.0 */
#include "base/table.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/check.h"

/* Linear probing. Removal shifts the entries behind the hole back, so there
 * are no tombstones and a table that lives for months stays as quick as on its
 * first day. At most 3/4 full; below 1/8 it shrinks. */

enum { TABLE_MIN = 8 };

/* ---- SipHash-1-3 (Aumasson and Bernstein), key chosen at first use ---- */

static uint64_t hash_key[2];
static pthread_once_t hash_once = PTHREAD_ONCE_INIT;

static void hash_key_make(void)
{
  size_t have = 0;

  while (have < sizeof(hash_key)) {
    ssize_t n = getrandom((char *)hash_key + have, sizeof(hash_key) - have, 0);

    CHECK(n > 0 || errno == EINTR);
    if (n > 0)
      have += (size_t)n;
  }
}

static inline uint64_t rotl(uint64_t x, int bits)
{
  return (x << bits) | (x >> (64 - bits));
}

#define SIP_ROUND(v0, v1, v2, v3)                                              \
  do {                                                                         \
    v0 += v1;                                                                  \
    v1 = rotl(v1, 13) ^ v0;                                                    \
    v0 = rotl(v0, 32);                                                         \
    v2 += v3;                                                                  \
    v3 = rotl(v3, 16) ^ v2;                                                    \
    v0 += v3;                                                                  \
    v3 = rotl(v3, 21) ^ v0;                                                    \
    v2 += v1;                                                                  \
    v1 = rotl(v1, 17) ^ v2;                                                    \
    v2 = rotl(v2, 32);                                                         \
  } while (0)

uint64_t hash_bytes(struct wps_str key)
{
  const unsigned char *at = (const unsigned char *)key.ptr;
  uint64_t v0, v1, v2, v3, word;
  size_t left = key.len;

  pthread_once(&hash_once, hash_key_make);
  v0 = hash_key[0] ^ UINT64_C(0x736f6d6570736575);
  v1 = hash_key[1] ^ UINT64_C(0x646f72616e646f6d);
  v2 = hash_key[0] ^ UINT64_C(0x6c7967656e657261);
  v3 = hash_key[1] ^ UINT64_C(0x7465646279746573);
  for (; left >= 8; left -= 8, at += 8) {
    memcpy(&word, at, 8);
    v3 ^= word;
    SIP_ROUND(v0, v1, v2, v3);
    v0 ^= word;
  }
  word = (uint64_t)key.len << 56;
  for (size_t i = 0; i < left; i++)
    word |= (uint64_t)at[i] << (8 * i);
  v3 ^= word;
  SIP_ROUND(v0, v1, v2, v3);
  v0 ^= word;
  v2 ^= 0xff;
  SIP_ROUND(v0, v1, v2, v3);
  SIP_ROUND(v0, v1, v2, v3);
  SIP_ROUND(v0, v1, v2, v3);
  return v0 ^ v1 ^ v2 ^ v3;
}

/* ---- table ---- */

void table_init(struct table *t, struct wps_str (*key)(const void *value))
{
  t->key = key;
  t->slots = NULL;
  t->mask = 0;
  t->count = 0;
}

void table_free(struct table *t)
{
  free(t->slots);
  table_init(t, t->key);
}

static bool slot_is(const struct table *t, const struct table_slot *slot,
                    struct wps_str key, uint64_t hash)
{
  struct wps_str own;

  if (slot->hash != (uint32_t)hash)
    return false;
  own = t->key(slot->value);
  return own.len == key.len &&
         (key.len == 0 || memcmp(own.ptr, key.ptr, key.len) == 0);
}

/* The slot of the key, or the empty one where it belongs. */
static struct table_slot *table_find(const struct table *t, struct wps_str key,
                                     uint64_t hash)
{
  size_t at = (size_t)hash & t->mask;

  while (t->slots[at].value != NULL && !slot_is(t, &t->slots[at], key, hash))
    at = (at + 1) & t->mask;
  return &t->slots[at];
}

void *table_get_hashed(const struct table *t, struct wps_str key, uint64_t hash)
{
  return t->slots == NULL ? NULL : table_find(t, key, hash)->value;
}

void *table_get(const struct table *t, struct wps_str key)
{
  return t->slots == NULL ? NULL : table_get_hashed(t, key, hash_bytes(key));
}

static int table_resize(struct table *t, size_t capacity)
{
  struct table_slot *slots;

  /* Half a hash knows no more homes. */
  if (capacity > UINT32_MAX || capacity > SIZE_MAX / sizeof(*slots))
    return WPS_ENOMEM;
  slots = calloc(capacity, sizeof(*slots));
  if (slots == NULL)
    return WPS_ENOMEM;
  for (size_t i = 0; t->slots != NULL && i <= t->mask; i++) {
    size_t at;

    if (t->slots[i].value == NULL)
      continue;
    at = t->slots[i].hash & (capacity - 1);
    while (slots[at].value != NULL)
      at = (at + 1) & (capacity - 1);
    slots[at] = t->slots[i];
  }
  free(t->slots);
  t->slots = slots;
  t->mask = capacity - 1;
  return WPS_OK;
}

int table_put_hashed(struct table *t, uint64_t hash, void *value)
{
  struct table_slot *slot;
  struct wps_str key;
  int status;

  CHECK(value != NULL);
  key = t->key(value);
  if (t->slots != NULL) {
    slot = table_find(t, key, hash);
    if (slot->value != NULL)
      return WPS_EEXIST;
  }
  if (t->slots == NULL || t->count >= (t->mask + 1) / 4 * 3) {
    status = table_resize(t, t->slots == NULL ? TABLE_MIN : (t->mask + 1) * 2);
    if (status != WPS_OK)
      return status;
  }
  slot = table_find(t, key, hash);
  slot->hash = (uint32_t)hash;
  slot->value = value;
  t->count++;
  return WPS_OK;
}

int table_put(struct table *t, void *value)
{
  return table_put_hashed(t, hash_bytes(t->key(value)), value);
}

void *table_remove_hashed(struct table *t, struct wps_str key, uint64_t hash)
{
  struct table_slot *slot;
  void *value;
  size_t hole, at;

  if (t->slots == NULL)
    return NULL;
  slot = table_find(t, key, hash);
  value = slot->value;
  if (value == NULL)
    return NULL;
  hole = at = (size_t)(slot - t->slots);
  for (;;) {
    size_t home;

    at = (at + 1) & t->mask;
    if (t->slots[at].value == NULL)
      break;
    home = t->slots[at].hash & t->mask;
    /* May move unless its home lies behind the hole. */
    if (((at - home) & t->mask) >= ((at - hole) & t->mask)) {
      t->slots[hole] = t->slots[at];
      hole = at;
    }
  }
  memset(&t->slots[hole], 0, sizeof(t->slots[hole]));
  t->count--;
  if (t->mask + 1 > TABLE_MIN && t->count < (t->mask + 1) / 8) {
    /* Without memory for the smaller one the larger one serves as well. */
    (void)table_resize(t, (t->mask + 1) / 2);
  }
  return value;
}

void *table_remove(struct table *t, struct wps_str key)
{
  return t->slots == NULL ? NULL : table_remove_hashed(t, key, hash_bytes(key));
}

void *table_next(const struct table *t, size_t *at)
{
  if (t->slots == NULL)
    return NULL;
  while (*at <= t->mask) {
    void *value = t->slots[(*at)++].value;

    if (value != NULL)
      return value;
  }
  return NULL;
}
