/* SPDX-License-Identifier: Apache-2.0 */
/* auth-static.h - entries, and the slow checks of passwords.
 *
 * An instance is filled on the main thread and then only read, but for
 * `checks`. A checker belongs to one worker and is touched by it alone, but for
 * the work of one check at a time, which sees nothing but its own struct check.
 */
#ifndef WPS_AUTH_STATIC_H
#define WPS_AUTH_STATIC_H

#include <pthread.h>

#include <webpubsub/plugin.h>

#include "plugins/auth-static/secret.h"
#include "plugins/common/list.h"

/* What a user or a key may do; strings borrow from the configuration. */
struct grant {
  struct wps_str user;
  struct wps_str *roles; /* of a client */
  size_t role_count;
  struct wps_str *api_roles; /* of a server: owner, reader */
  size_t api_role_count;
  bool owner;                   /* is among them */
  const struct wps_config *cfg; /* groups and hubs */
  struct wps_str *groups;
  size_t group_count;
  struct wps_str credential; /* name of the user, or "keys[N]" */
};

struct user {
  struct wps_str name;
  struct secret_hash hash;
  struct grant grant;
};

struct key {
  uint8_t digest[32];
  char name[32]; /* grant.credential */
  struct grant grant;
};

/* How many threads of the pool the checks of all workers take. */
struct checks {
  pthread_mutex_t lock; /* of all below */
  uint32_t running, max;
  struct list waiting; /* checkers, in the order of their turns */
};

struct auth_static {
  struct wps_instance *self;
  struct user *users;
  size_t user_count;
  struct key *keys;
  size_t key_count;
  size_t checks_max; /* waiting and running, per worker */
  struct checks checks;
  int64_t remember_us;       /* 0: never                        */
  uint8_t key_secret[32];    /* for the digests of keys         */
  uint8_t name_secret[32];   /* for those of remembered passwords */
  struct secret_hash nobody; /* checked for names that do not exist */
};

/* Is the grant good for this request, and what are its words? Consumes. */
void grant_finish(const struct grant *grant, uint32_t purpose, bool hub_allowed,
                  struct wps_reply *reply);
bool grant_allows_hub(const struct grant *grant, struct wps_str hub);

/* Lists and entries of the configuration (entries.c). Thread: main. */
int entries_check(const struct wps_config *cfg);
int entries_load(struct auth_static *a, const struct wps_config *cfg);
void entries_free(struct auth_static *a);

/* Password checks of one worker (checker.c). */
struct checker;
void checks_init(struct checks *checks, uint32_t max);
void checks_end(struct checks *checks);
struct checker *checker_new(struct auth_static *a, struct wps_worker *w);
void checker_free(struct checker *c);
/* Takes over basic and reply. */
void checker_ask(struct checker *c, struct basic *basic, uint32_t purpose,
                 struct wps_str hub, struct wps_reply *reply);

static inline void reply_refuse(struct wps_reply *reply, int status,
                                const char *why, size_t len)
{
  wps->reply->fail(reply, status, (struct wps_str){why, len});
}
#define REFUSE(reply, status, literal)                                         \
  reply_refuse(reply, status, literal, sizeof(literal) - 1)

#endif
