/* SPDX-License-Identifier: Apache-2.0 */
/* base/table.h - hash table from byte strings to pointers.
 *
 * Open addressing over SipHash with a per-process random key, so that clients
 * who choose their group names cannot choose collisions. A value knows its key:
 * the table asks it, rather than keeping that beside each. Not synchronised.
 */
#ifndef WPS_BASE_TABLE_H
#define WPS_BASE_TABLE_H

#include "base/base.h"

struct table_slot {
  void *value;   /* NULL: empty */
  uint32_t hash; /* its low half */
  uint32_t reserved;
};

struct table {
  struct wps_str (*key)(const void *value);
  struct table_slot *slots; /* NULL while never filled */
  size_t mask;              /* capacity - 1 */
  size_t count;
};

void table_init(struct table *t, struct wps_str (*key)(const void *value));
void table_free(struct table *t); /* not the values */
/* Both give the value or NULL. The hash may be computed once and reused. */
void *table_get(const struct table *t, struct wps_str key);
void *table_get_hashed(const struct table *t, struct wps_str key,
                       uint64_t hash);
/* Under its key, which stays as it is while it is here. Errors: EEXIST,
 * ENOMEM. */
int table_put(struct table *t, void *value);
int table_put_hashed(struct table *t, uint64_t hash, void *value);
/* Take out; NULL when it was not there. Shrinks when mostly empty. */
void *table_remove(struct table *t, struct wps_str key);
void *table_remove_hashed(struct table *t, struct wps_str key, uint64_t hash);
/* Visit all: *at starts at 0; NULL at the end. Nothing may be put meanwhile,
 * nor removed. */
void *table_next(const struct table *t, size_t *at);

uint64_t hash_bytes(struct wps_str key);

#endif
