/* SPDX-License-Identifier: Apache-2.0 */
/* hub/shared.c - sharded tables that all workers see. */
#include "hub/shared.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/table.h"

enum { SHARDS = 32 };

struct shard {
  pthread_mutex_t lock;
  struct table groups;  /* struct shared_group */
  struct table clients; /* struct shared_client */
};

static struct wps_str group_key(const void *value)
{
  const struct shared_group *g = value;

  return (struct wps_str){g->name, g->name_len};
}

static struct wps_str client_key(const void *value)
{
  return ((const struct shared_client *)value)->id;
}

struct hub_shared {
  struct shard shards[SHARDS];
};

struct hub_shared *hub_shared_new(void)
{
  struct hub_shared *s = malloc(sizeof(*s));

  if (s == NULL)
    return NULL;
  for (size_t i = 0; i < SHARDS; i++) {
    pthread_mutex_init(&s->shards[i].lock, NULL);
    table_init(&s->shards[i].groups, group_key);
    table_init(&s->shards[i].clients, client_key);
  }
  return s;
}

void hub_shared_free(struct hub_shared *s)
{
  if (s == NULL)
    return;
  for (size_t i = 0; i < SHARDS; i++) {
    void *entry;
    size_t at = 0;

    while ((entry = table_next(&s->shards[i].groups, &at)) != NULL)
      free(entry);
    table_free(&s->shards[i].groups);
    table_free(&s->shards[i].clients);
    pthread_mutex_destroy(&s->shards[i].lock);
  }
  free(s);
}

static struct shard *shard_of(struct hub_shared *s, uint64_t hash)
{
  /* The tables use the low bits. */
  return &s->shards[(hash >> 48) % SHARDS];
}

struct shared_group *shared_group_enter(struct hub_shared *s,
                                        struct wps_str name, uint32_t index)
{
  uint64_t hash = hash_bytes(name);
  struct shard *shard = shard_of(s, hash);
  struct shared_group *g;

  pthread_mutex_lock(&shard->lock);
  g = table_get_hashed(&shard->groups, name, hash);
  if (g == NULL && (g = malloc(sizeof(*g) + name.len)) != NULL) {
    atomic_init(&g->workers, 0);
    g->name_len = (uint32_t)name.len;
    memcpy(g->name, name.ptr, name.len);
    if (table_put_hashed(&shard->groups, hash, g) != WPS_OK) {
      free(g);
      g = NULL;
    }
  }
  if (g != NULL)
    atomic_fetch_or(&g->workers, UINT64_C(1) << index);
  pthread_mutex_unlock(&shard->lock);
  return g;
}

void shared_group_leave(struct hub_shared *s, struct shared_group *g,
                        uint32_t index)
{
  struct wps_str name = {g->name, g->name_len};
  uint64_t hash = hash_bytes(name);
  struct shard *shard = shard_of(s, hash);
  uint64_t bit = UINT64_C(1) << index;

  pthread_mutex_lock(&shard->lock);
  if ((atomic_fetch_and(&g->workers, ~bit) & ~bit) == 0) {
    table_remove_hashed(&shard->groups, name, hash);
    free(g);
  }
  pthread_mutex_unlock(&shard->lock);
}

uint64_t shared_group_workers(struct hub_shared *s, struct wps_str name)
{
  uint64_t hash = hash_bytes(name);
  struct shard *shard = shard_of(s, hash);
  struct shared_group *g;
  uint64_t workers = 0;

  pthread_mutex_lock(&shard->lock);
  g = table_get_hashed(&shard->groups, name, hash);
  if (g != NULL)
    workers = atomic_load(&g->workers);
  pthread_mutex_unlock(&shard->lock);
  return workers;
}

int shared_client_add(struct hub_shared *s, struct shared_client *client)
{
  uint64_t hash = hash_bytes(client->id);
  struct shard *shard = shard_of(s, hash);
  int rc;

  pthread_mutex_lock(&shard->lock);
  rc = table_put_hashed(&shard->clients, hash, client);
  pthread_mutex_unlock(&shard->lock);
  return rc;
}

void shared_client_remove(struct hub_shared *s, struct wps_str id)
{
  uint64_t hash = hash_bytes(id);
  struct shard *shard = shard_of(s, hash);

  pthread_mutex_lock(&shard->lock);
  table_remove_hashed(&shard->clients, id, hash);
  pthread_mutex_unlock(&shard->lock);
}

bool shared_client_find(struct hub_shared *s, struct wps_str id,
                        struct wps_conn_ref *ref)
{
  uint64_t hash = hash_bytes(id);
  struct shard *shard = shard_of(s, hash);
  const struct shared_client *client;

  pthread_mutex_lock(&shard->lock);
  client = table_get_hashed(&shard->clients, id, hash);
  if (client != NULL)
    *ref = client->ref;
  pthread_mutex_unlock(&shard->lock);
  return client != NULL;
}
