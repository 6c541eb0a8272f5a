/* SPDX-License-Identifier: Apache-2.0 */
/* conn/command.c - post to the workers concerned, gather, answer. */
#include "conn/command.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "conn/close.h"
#include "conn/completion.h"
#include "conn/membership.h"
#include "hub/sift.h"

struct job;

struct job_post {
  struct post post;
  struct defer ended;
  struct sift sift;
  uint64_t clients;
  struct job *job;
};

struct job {
  _Atomic uint32_t pending;
  _Atomic int32_t status; /* the first that is not OK */
  _Atomic uint64_t clients;
  struct target_copy *target;
  struct command what;
  char *strings;      /* what `what` points at */
  struct table names; /* of what.groups, where they are many */
  struct wps_worker *origin;
  struct post answer;
  wps_count_fn done;
  void *arg;
  struct job_post posts[];
};

static void job_free(struct job *job)
{
  target_free(job->target);
  table_free(&job->names);
  free(job->strings);
  free(job);
}

static void answer(struct post *post)
{
  struct job *job = CONTAINER_OF(post, struct job, answer);

  if (job->done != NULL)
    job->done(job->arg, atomic_load(&job->status), atomic_load(&job->clients));
  job_free(job);
}

static void finished(struct job *job)
{
  if (atomic_fetch_sub(&job->pending, 1) != 1)
    return;
  /* A worker that has stopped has nobody to tell; the memory is ours. */
  if (!worker_post(job->origin, &job->answer)) {
    if (job->done != NULL)
      job->done(job->arg, WPS_ECANCELED, 0);
    job_free(job);
  }
}

static void failed(struct job *job, int status)
{
  int32_t ok = WPS_OK;

  atomic_compare_exchange_strong(&job->status, &ok, status);
}

/* ---- effects on one client ---- */

static int join(struct wps_conn *c, const struct command *what)
{
  int rc = WPS_OK;

  for (size_t i = 0; i < what->group_count && rc == WPS_OK; i++) {
    uint64_t serial;

    rc = membership_begin(c, what->groups[i], NULL, WPS_BY_COMMAND, &serial);
  }
  return rc;
}

/* A client is in a thousand groups at most; a body may name 250,000. */
static void leave_many(struct wps_conn *c, const struct table *names)
{
  for (uint32_t i = c->client.member_count; i-- > 0;)
    if (i < c->client.member_count &&
        table_get(names, c->client.members[i]->group->name) != NULL)
      membership_end(c, c->client.members[i], WPS_BY_COMMAND);
}

static void leave(struct wps_conn *c, const struct command *what,
                  const struct table *names)
{
  struct wps_member *m;

  if (what->group_count == 0)
    while (c->client.member_count != 0)
      membership_end(c, c->client.members[c->client.member_count - 1],
                     WPS_BY_COMMAND);
  if (names->count != 0) {
    leave_many(c, names);
    return;
  }
  for (size_t i = 0; i < what->group_count; i++) {
    m = group_membership(&c->client, what->groups[i]);
    if (m != NULL)
      membership_end(c, m, WPS_BY_COMMAND);
  }
}

/* *counts: does the client belong into the answer? */
static int permission(struct wps_conn *c, const struct command *what,
                      bool *counts)
{
  switch (what->op) {
  case WPS_OP_GRANT:
    return roles_grant(&c->roles, what->action, what->text);
  case WPS_OP_REVOKE:
    return roles_revoke(&c->roles, what->action, what->text);
  default:
    *counts = roles_allow(&c->roles, what->action, what->text);
    return WPS_OK;
  }
}

static int apply(struct wps_conn *c, const struct job *job, bool *counts)
{
  const struct command *what = &job->what;

  *counts = conn_alive(c);
  if (!*counts)
    return WPS_OK;
  switch (what->kind) {
  case COMMAND_JOIN:
    return join(c, what);
  case COMMAND_LEAVE:
    leave(c, what, &job->names);
    return WPS_OK;
  case COMMAND_CLOSE:
    conn_close_core(c, WPS_CLOSED_COMMAND, WPS_OK, what->code, what->text);
    return WPS_OK;
  default:
    return permission(c, what, counts);
  }
}

/* ---- on each worker ---- */

static bool visit(struct sift *s, struct hub_client *c)
{
  struct job_post *p = CONTAINER_OF(s, struct job_post, sift);
  bool counts;
  int rc = apply(conn_of_client(c), p->job, &counts);

  if (rc != WPS_OK)
    failed(p->job, rc);
  p->clients += counts;
  return false;
}

static void ended(struct defer *self)
{
  finished(CONTAINER_OF(self, struct job_post, ended)->job);
}

static void over(struct sift *s)
{
  struct job_post *p = CONTAINER_OF(s, struct job_post, sift);

  atomic_fetch_add(&p->job->clients, p->clients);
  if (p->job->what.kind != COMMAND_CLOSE) {
    finished(p->job);
    return;
  }
  /* Clients end in deferred calls of this turn, and nobody is to find one any
   * more when the answer is there: ours stands behind theirs. */
  defer_init(&p->ended, ended);
  worker_defer(s->hw->worker, &p->ended);
}

static void run(struct post *post)
{
  struct job_post *p = CONTAINER_OF(post, struct job_post, post);
  struct job *job = p->job;
  const struct wps_target *who = &job->target->view;
  struct hub_worker *hw;
  int rc;

  if (hub_worker_get(worker_current(), who->hub, false, &hw) != WPS_OK) {
    finished(job);
  } else if (job->what.kind == COMMAND_COUNT) {
    atomic_fetch_add(&job->clients, hub_count(hw, who));
    finished(job);
  } else {
    rc = sift_start(&p->sift, hw, who, visit, over);
    if (rc != WPS_OK) {
      failed(job, rc);
      finished(job);
    }
  }
}

enum { GROUPS_FEW = 8 };

static struct wps_str name_key(const void *value)
{
  return *(const struct wps_str *)value;
}

/* Each group once, however often it is named. */
static int copy_strings(struct job *job, const struct command *what)
{
  size_t size = what->text.len;
  struct wps_str *groups;
  char *at;

  if (what->group_count > SIZE_MAX / 4 / sizeof(*groups))
    return WPS_ENOMEM;
  size += what->group_count * sizeof(*groups);
  for (size_t i = 0; i < what->group_count; i++)
    size += what->groups[i].len;
  job->strings = malloc(size + 1);
  if (job->strings == NULL)
    return WPS_ENOMEM;
  table_init(&job->names, name_key);
  groups = (struct wps_str *)(void *)job->strings;
  at = (char *)(groups + what->group_count);
  job->what = *what;
  job->what.groups = groups;
  job->what.group_count = 0;
  for (size_t i = 0; i < what->group_count; i++) {
    struct wps_str *name = &groups[job->what.group_count];
    int rc = WPS_OK;

    *name = (struct wps_str){at, what->groups[i].len};
    memcpy(at, what->groups[i].ptr, name->len);
    if (what->group_count > GROUPS_FEW)
      rc = table_put(&job->names, name);
    if (rc == WPS_EEXIST)
      continue;
    if (rc != WPS_OK)
      return rc;
    job->what.group_count++;
    at += name->len;
  }
  if (what->text.ptr != NULL) {
    if (what->text.len != 0)
      memcpy(at, what->text.ptr, what->text.len);
    job->what.text = (struct wps_str){at, what->text.len};
  }
  return WPS_OK;
}

static bool valid(const struct wps_target *who, const struct command *what)
{
  if (!target_ok(who))
    return false;
  for (size_t i = 0; i < what->group_count; i++)
    if (!group_name_ok(what->groups[i]))
      return false;
  if (what->kind == COMMAND_JOIN)
    return what->group_count != 0;
  if (what->kind != COMMAND_PERMISSION)
    return true;
  return what->op >= WPS_OP_GRANT && what->op <= WPS_OP_CHECK &&
         (what->action == WPS_ACT_JOIN || what->action == WPS_ACT_PUBLISH) &&
         (what->text.ptr == NULL || group_name_ok(what->text));
}

int command_run(struct wps_worker *w, const struct wps_target *who,
                const struct command *what, wps_count_fn done, void *arg)
{
  uint64_t workers;
  struct job *job;
  uint32_t count, i = 0;
  int rc;

  if (!valid(who, what))
    return WPS_EINVAL;
  rc = hub_find_workers(w, who, &workers);
  if (rc != WPS_OK)
    return rc;
  count = (uint32_t)__builtin_popcountll(workers);
  job = calloc(1, sizeof(*job) + count * sizeof(job->posts[0]));
  if (job == NULL)
    return WPS_ENOMEM;
  job->target = target_copy(who);
  if (job->target == NULL || copy_strings(job, what) != WPS_OK) {
    job_free(job);
    return WPS_ENOMEM;
  }
  atomic_init(&job->status, WPS_OK);
  atomic_init(&job->pending, count + 1);
  job->origin = w;
  job->answer.fn = answer;
  job->done = done;
  job->arg = arg;
  for (; workers != 0; workers &= workers - 1) {
    struct job_post *p = &job->posts[i++];

    p->job = job;
    p->post.fn = run;
    if (!worker_post(workers_at(w->all, (uint32_t)__builtin_ctzll(workers)),
                     &p->post))
      finished(job);
  }
  finished(job);
  return WPS_OK;
}
