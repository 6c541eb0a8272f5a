/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/auth-static/auth-static.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

/* Slots for passwords that were right a moment ago, chosen by the digest. */
enum { REMEMBERED = 256 };

struct remembered {
  uint8_t digest[32];
  const struct user *user; /* NULL: empty */
  int64_t until_us;
};

/* One password on its way through the pool. */
struct check {
  struct check *next;
  struct checker *checker;
  struct basic basic;
  uint8_t digest[32];
  const struct user *user; /* NULL: no such name */
  uint32_t purpose;
  bool hub_allowed;
  bool right;
  struct wps_reply *reply;
};

struct checker {
  struct auth_static *inst;
  struct wps_worker *worker;
  struct list turn;      /* in checks.waiting, under its lock */
  bool mine;             /* one of checks.running */
  struct check *running; /* one at a time */
  struct check *first, **last;
  size_t count; /* running and waiting */
  struct remembered slots[REMEMBERED];
};

/* ---- turns ---- */

void checks_init(struct checks *checks, uint32_t max)
{
  pthread_mutex_init(&checks->lock, NULL);
  list_init(&checks->waiting);
  checks->max = max;
  checks->running = 0;
}

void checks_end(struct checks *checks)
{
  pthread_mutex_destroy(&checks->lock);
}

static void turn_comes(void *arg);

/* False: it will come. */
static bool turn_take(struct checker *c)
{
  struct checks *all = &c->inst->checks;

  if (c->mine)
    return true;
  pthread_mutex_lock(&all->lock);
  if (all->running < all->max) {
    all->running++;
    c->mine = true;
    list_remove(&c->turn);
  } else if (list_empty(&c->turn)) {
    list_add(&all->waiting, &c->turn);
  }
  pthread_mutex_unlock(&all->lock);
  return c->mine;
}

/* To whoever has waited longest, if there is memory to tell it. */
static void turn_pass(struct checker *c)
{
  struct checks *all = &c->inst->checks;
  struct list *node;

  if (!c->mine)
    return;
  c->mine = false;
  pthread_mutex_lock(&all->lock);
  all->running--;
  for (node = all->waiting.next; node != &all->waiting; node = node->next) {
    struct checker *next = LIST_ITEM(node, struct checker, turn);

    if (wps->worker->post(next->worker, turn_comes, next) != WPS_OK)
      continue;
    all->running++;
    list_remove(node);
    break;
  }
  pthread_mutex_unlock(&all->lock);
}

/* ---- what is remembered ---- */

static struct remembered *slot_of(struct checker *c, const uint8_t digest[32])
{
  return &c->slots[digest[0] % REMEMBERED];
}

static const struct user *recall(struct checker *c, const uint8_t digest[32])
{
  const struct remembered *slot = slot_of(c, digest);

  if (slot->user == NULL || wps->worker->now_us(c->worker) >= slot->until_us ||
      CRYPTO_memcmp(slot->digest, digest, sizeof(slot->digest)) != 0)
    return NULL;
  return slot->user;
}

static void remember(struct checker *c, const struct check *check)
{
  struct remembered *slot = slot_of(c, check->digest);

  if (c->inst->remember_us == 0)
    return;
  memcpy(slot->digest, check->digest, sizeof(slot->digest));
  slot->user = check->user;
  slot->until_us = wps->worker->now_us(c->worker) + c->inst->remember_us;
}

/* ---- checks ---- */

static void check_free(struct check *check)
{
  basic_free(&check->basic);
  free(check);
}

static void check_finish(struct check *check)
{
  if (check->right && check->user != NULL)
    grant_finish(&check->user->grant, check->purpose, check->hub_allowed,
                 check->reply);
  else
    REFUSE(check->reply, WPS_EUNAUTHORIZED, "wrong name or secret");
  check_free(check);
}

/* Thread: the pool. */
static void work(void *arg)
{
  struct check *check = arg;
  const struct secret_hash *hash =
      check->user != NULL ? &check->user->hash : &check->checker->inst->nobody;

  /* A name that does not exist takes as long as one that does. */
  check->right = secret_hash_matches(hash, check->basic.secret);
}

static void start_next(struct checker *c);

static void done(void *arg, int status)
{
  struct check *check = arg;
  struct checker *c = check->checker;

  c->running = NULL;
  c->count--;
  if (status != WPS_OK) {
    REFUSE(check->reply, WPS_EAGAIN, "the server is stopping");
    check_free(check);
  } else {
    if (check->right && check->user != NULL)
      remember(c, check);
    check_finish(check);
  }
  /* There may be others whose turn it is. */
  turn_pass(c);
  start_next(c);
}

static struct check *take_first(struct checker *c)
{
  struct check *check = c->first;

  if ((c->first = check->next) == NULL)
    c->last = &c->first;
  return check;
}

static void start_next(struct checker *c)
{
  while (c->running == NULL && c->first != NULL) {
    struct check *check = c->first;
    const struct user *known = recall(c, check->digest);

    /* A storm of reconnects pays once. */
    if (known != NULL || wps->reply->abandoned(check->reply)) {
      take_first(c);
      c->count--;
      check->right = known != NULL;
      check_finish(check);
      continue;
    }
    if (!turn_take(c))
      return;
    take_first(c);
    c->running = check;
    if (wps->worker->offload(c->inst->self, c->worker, work, done, check) ==
        WPS_OK)
      return;
    c->running = NULL;
    c->count--;
    REFUSE(check->reply, WPS_EAGAIN, "no thread for the check");
    check_free(check);
  }
  if (c->running == NULL)
    turn_pass(c);
}

static void turn_comes(void *arg)
{
  struct checker *c = arg;

  c->mine = true;
  start_next(c);
}

/* All names are looked at, so that time tells nothing about them. */
static const struct user *user_find(const struct auth_static *a,
                                    struct wps_str name)
{
  const struct user *found = NULL;

  for (size_t i = 0; i < a->user_count; i++) {
    const struct user *u = &a->users[i];

    if (u->name.len == name.len &&
        CRYPTO_memcmp(u->name.ptr, name.ptr, name.len) == 0)
      found = u;
  }
  return found;
}

void checker_ask(struct checker *c, struct basic *basic, uint32_t purpose,
                 struct wps_str hub, struct wps_reply *reply)
{
  struct check *check = NULL;
  const struct user *known;
  uint8_t digest[32];

  if (!secret_digest(c->inst->name_secret, basic->both, digest))
    goto busy;
  if ((known = recall(c, digest)) != NULL) {
    grant_finish(&known->grant, purpose, grant_allows_hub(&known->grant, hub),
                 reply);
    basic_free(basic);
    return;
  }
  if (c->count >= c->inst->checks_max ||
      (check = calloc(1, sizeof(*check))) == NULL)
    goto busy;
  check->checker = c;
  check->basic = *basic;
  memcpy(check->digest, digest, sizeof(digest));
  check->user = user_find(c->inst, basic->name);
  check->purpose = purpose;
  check->hub_allowed =
      check->user != NULL && grant_allows_hub(&check->user->grant, hub);
  check->reply = reply;
  *c->last = check;
  c->last = &check->next;
  c->count++;
  start_next(c);
  return;

busy:
  basic_free(basic);
  REFUSE(reply, WPS_EAGAIN, "too many passwords wait for their check");
}

struct checker *checker_new(struct auth_static *a, struct wps_worker *w)
{
  struct checker *c = calloc(1, sizeof(*c));

  if (c == NULL)
    return NULL;
  c->inst = a;
  c->worker = w;
  c->last = &c->first;
  list_init(&c->turn);
  return c;
}

void checker_free(struct checker *c)
{
  struct checks *all = &c->inst->checks;

  pthread_mutex_lock(&all->lock);
  list_remove(&c->turn);
  pthread_mutex_unlock(&all->lock);
  turn_pass(c);
  while (c->first != NULL) {
    struct check *check = take_first(c);

    REFUSE(check->reply, WPS_EAGAIN, "the server is stopping");
    check_free(check);
  }
  OPENSSL_cleanse(c, sizeof(*c));
  free(c);
}
