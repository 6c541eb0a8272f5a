/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/auth-static/auth-static.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

enum { PASSWORD_MIN = 8, KEY_MIN = 32, ENTRIES_MAX = 10000 };

static bool same(struct wps_str a, struct wps_str b)
{
  return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static bool is_given(const struct wps_config *cfg, const char *key)
{
  return wps->config->get_str(cfg, key).len > 0;
}

#define IS(str, literal)                                                       \
  same(str, (struct wps_str){literal, sizeof(literal) - 1})
#define BEGINS(str, literal)                                                   \
  ((str).len >= sizeof(literal) - 1 &&                                         \
   memcmp((str).ptr, literal, sizeof(literal) - 1) == 0)

static bool is_api_role(struct wps_str role)
{
  return IS(role, WPS_ROLE_OWNER) || IS(role, WPS_ROLE_READER);
}

/* What an application server may do at /server (azure-server.md 9.5). */
static bool is_server_role(struct wps_str role)
{
  return IS(role, "publisher") || BEGINS(role, "publisher.") ||
         IS(role, "subscriber") || BEGINS(role, "subscriber.") ||
         IS(role, "manager") || BEGINS(role, "manager.");
}

/* ---- check ---- */

/* A reader may look, and nothing that is written beside it makes it more. */
static int roles_check(const struct wps_config *cfg)
{
  size_t n = wps->config->count(cfg, "roles");
  bool owner = false, reader = false, server = false;

  for (size_t i = 0; i < n; i++) {
    struct wps_str role = wps->config->str_at(cfg, "roles", i);

    if (BEGINS(role, "webpubsubd.") && !is_api_role(role))
      return wps->config->error(cfg, "roles",
                                "webpubsubd.owner and webpubsubd.reader are "
                                "all that there are of webpubsubd");
    owner |= IS(role, WPS_ROLE_OWNER);
    reader |= IS(role, WPS_ROLE_READER);
    server |= is_server_role(role);
  }
  if (reader && server && !owner)
    return wps->config->error(cfg, "roles",
                              "publisher, subscriber and manager take "
                              "webpubsubd.owner beside them");
  return WPS_OK;
}

static int user_check(const struct wps_config *cfg)
{
  struct wps_str name = wps->config->get_str(cfg, "name");
  struct wps_str secret = wps->config->get_str(cfg, "secret");
  struct wps_str text = wps->config->get_str(cfg, "secret_hash");
  struct secret_hash hash;
  int rc = WPS_OK;

  if (name.len == 0 || memchr(name.ptr, ':', name.len) != NULL)
    rc =
        wps->config->error(cfg, "name", "must not be empty or contain a colon");
  if ((secret.len > 0) == (text.len > 0))
    return wps->config->error(cfg, NULL, "give either secret or secret_hash");
  if (text.len > 0 && !secret_hash_parse(text, &hash))
    rc = wps->config->error(cfg, "secret_hash",
                            "is not what webpubsubctl hash-secret prints");
  if (secret.len > 0 && secret.len < PASSWORD_MIN)
    rc = wps->config->error(cfg, "secret", "must have at least 8 bytes");
  /* The name shares the header with it. */
  if (name.len + 1 + secret.len > SECRET_BYTES_MAX)
    rc = wps->config->error(cfg, "secret",
                            "name and secret are longer than 1024 bytes");
  return rc;
}

static int key_check(const struct wps_config *cfg)
{
  struct wps_str key = wps->config->get_str(cfg, "key");

  if (key.len < KEY_MIN || key.len > SECRET_BYTES_MAX)
    return wps->config->error(cfg, "key",
                              "must have 32 to 1024 bytes of random text");
  return WPS_OK;
}

static int all_check(const struct wps_config *cfg, const char *list,
                     const char *unique,
                     int (*check)(const struct wps_config *))
{
  size_t n = wps->config->count(cfg, list);
  int rc = WPS_OK;

  if (n > ENTRIES_MAX)
    return wps->config->error(cfg, list, "more than 10000 entries");
  for (size_t i = 0; i < n; i++) {
    const struct wps_config *one = wps->config->section_at(cfg, list, i);
    struct wps_str value = wps->config->get_str(one, unique);

    if (check(one) != WPS_OK)
      rc = WPS_EINVAL;
    if (roles_check(one) != WPS_OK)
      rc = WPS_EINVAL;
    for (size_t j = 0; j < i && value.len > 0; j++) {
      if (!same(value, wps->config->get_str(
                           wps->config->section_at(cfg, list, j), unique)))
        continue;
      rc = wps->config->error(one, unique, "is in the list already");
      break;
    }
  }
  return rc;
}

int entries_check(const struct wps_config *cfg)
{
  int users = all_check(cfg, "users", "name", user_check);
  int keys = all_check(cfg, "keys", "key", key_check);

  return users != WPS_OK ? users : keys;
}

/* ---- load ---- */

static int list_load(const struct wps_config *cfg, const char *key,
                     struct wps_str **out, size_t *count)
{
  size_t n = wps->config->count(cfg, key);

  if (n == 0)
    return WPS_OK;
  if ((*out = calloc(n, sizeof(**out))) == NULL)
    return WPS_ENOMEM;
  for (size_t i = 0; i < n; i++)
    (*out)[i] = wps->config->str_at(cfg, key, i);
  *count = n;
  return WPS_OK;
}

/* Roles of servers are worth nothing to a client, and the other way round. */
static int roles_load(struct grant *g, const struct wps_config *cfg)
{
  size_t n = 0;
  int rc = list_load(cfg, "roles", &g->roles, &n);

  if (rc != WPS_OK || n == 0)
    return rc;
  if ((g->api_roles = calloc(n, sizeof(*g->api_roles))) == NULL)
    return WPS_ENOMEM;
  for (size_t i = 0; i < n; i++) {
    if (IS(g->roles[i], WPS_ROLE_OWNER))
      g->owner = true;
    if (is_api_role(g->roles[i]))
      g->api_roles[g->api_role_count++] = g->roles[i];
    else
      g->roles[g->role_count++] = g->roles[i];
  }
  return WPS_OK;
}

static int grant_load(struct grant *g, const struct wps_config *cfg)
{
  int rc;

  g->cfg = cfg;
  g->user = wps->config->get_str(cfg, "user_id");
  if ((rc = roles_load(g, cfg)) != WPS_OK)
    return rc;
  return list_load(cfg, "groups", &g->groups, &g->group_count);
}

static int user_load(struct user *u, const struct wps_config *cfg,
                     uint32_t iterations)
{
  struct wps_str secret = wps->config->get_str(cfg, "secret");
  bool ok;

  u->name = wps->config->get_str(cfg, "name");
  u->grant.credential = u->name;
  ok = secret.len > 0 ? secret_hash_make(secret, iterations, &u->hash)
                      : secret_hash_parse(
                            wps->config->get_str(cfg, "secret_hash"), &u->hash);
  if (!ok)
    return WPS_EINTERNAL;
  if (!is_given(cfg, "user_id")) {
    int rc = grant_load(&u->grant, cfg);

    u->grant.user = u->name;
    return rc;
  }
  return grant_load(&u->grant, cfg);
}

static int users_load(struct auth_static *a, const struct wps_config *cfg)
{
  uint32_t iterations = (uint32_t)wps->config->get_int(cfg, "iterations");
  size_t n = wps->config->count(cfg, "users");
  int rc;

  if (n == 0)
    return WPS_OK;
  if ((a->users = calloc(n, sizeof(*a->users))) == NULL)
    return WPS_ENOMEM;
  for (size_t i = 0; i < n; i++) {
    struct user *u = &a->users[a->user_count++];

    rc = user_load(u, wps->config->section_at(cfg, "users", i), iterations);
    if (rc != WPS_OK)
      return rc;
    /* As slow as the slowest: a secret_hash brings a count of its own. */
    if (u->hash.iterations > a->nobody.iterations)
      a->nobody.iterations = u->hash.iterations;
  }
  a->nobody.salt_len = 16;
  return RAND_bytes(a->nobody.salt, 16) == 1 &&
                 RAND_bytes(a->nobody.hash, sizeof(a->nobody.hash)) == 1
             ? WPS_OK
             : WPS_EINTERNAL;
}

static int keys_load(struct auth_static *a, const struct wps_config *cfg)
{
  size_t n = wps->config->count(cfg, "keys");
  int rc;

  if (n == 0)
    return WPS_OK;
  if ((a->keys = calloc(n, sizeof(*a->keys))) == NULL)
    return WPS_ENOMEM;
  for (size_t i = 0; i < n; i++) {
    const struct wps_config *one = wps->config->section_at(cfg, "keys", i);
    struct key *k = &a->keys[a->key_count++];

    if (!secret_digest(a->key_secret, wps->config->get_str(one, "key"),
                       k->digest))
      return WPS_EINTERNAL;
    snprintf(k->name, sizeof(k->name), "keys[%zu]", i);
    k->grant.credential = (struct wps_str){k->name, strlen(k->name)};
    if ((rc = grant_load(&k->grant, one)) != WPS_OK)
      return rc;
  }
  return WPS_OK;
}

int entries_load(struct auth_static *a, const struct wps_config *cfg)
{
  int rc;

  if (RAND_bytes(a->key_secret, sizeof(a->key_secret)) != 1 ||
      RAND_bytes(a->name_secret, sizeof(a->name_secret)) != 1)
    return WPS_EINTERNAL;
  if ((rc = users_load(a, cfg)) != WPS_OK)
    return rc;
  return keys_load(a, cfg);
}

static void grant_free(struct grant *g)
{
  free(g->roles);
  free(g->api_roles);
  free(g->groups);
}

void entries_free(struct auth_static *a)
{
  for (size_t i = 0; i < a->user_count; i++)
    grant_free(&a->users[i].grant);
  for (size_t i = 0; i < a->key_count; i++)
    grant_free(&a->keys[i].grant);
  free(a->users);
  free(a->keys);
}
