/* SPDX-License-Identifier: Apache-2.0 */
/* conn/command.c - post to the workers concerned, gather, answer. */
#include "conn/command.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "conn/close.h"
#include "conn/completion.h"
#include "conn/membership.h"

struct job;

struct job_post {
  struct post post;
  struct job *job;
};

struct job {
  _Atomic uint32_t pending;
  _Atomic int32_t status; /* the first that is not OK */
  _Atomic uint64_t clients;
  struct target_copy *target;
  struct command what;
  char *strings; /* what `what` points at */
  struct wps_worker *origin;
  struct post answer;
  wps_count_fn done;
  void *arg;
  struct job_post posts[];
};

static void job_free(struct job *job)
{
  free(job->target);
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
    struct wps_member *m;

    rc = membership_begin(c, what->groups[i], NULL, WPS_BY_COMMAND, &m);
  }
  return rc;
}

static void leave(struct wps_conn *c, const struct command *what)
{
  struct wps_member *m;

  if (what->group_count == 0)
    while (c->client.member_count != 0)
      membership_end(c, c->client.members[c->client.member_count - 1],
                     WPS_BY_COMMAND);
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

static int apply(struct wps_conn *c, const struct command *what, bool *counts)
{
  *counts = conn_alive(c);
  if (!*counts)
    return WPS_OK;
  switch (what->kind) {
  case COMMAND_JOIN:
    return join(c, what);
  case COMMAND_LEAVE:
    leave(c, what);
    return WPS_OK;
  case COMMAND_CLOSE:
    conn_close_core(c, WPS_CLOSED_COMMAND, WPS_OK, what->code, what->text);
    return WPS_OK;
  default:
    return permission(c, what, counts);
  }
}

/* ---- on each worker ---- */

static uint64_t run_here(struct hub_worker *hw, struct job *job)
{
  struct hub_client **clients;
  uint64_t concerned = 0;
  size_t count;
  int rc;

  if (job->what.kind == COMMAND_COUNT)
    return hub_count(hw, &job->target->view);
  rc = hub_select(hw, &job->target->view, &clients, &count);
  if (rc != WPS_OK)
    failed(job, rc);
  for (size_t i = 0; i < count; i++) {
    bool counts;

    rc = apply(conn_of_client(clients[i]), &job->what, &counts);
    if (rc != WPS_OK)
      failed(job, rc);
    concerned += counts;
  }
  free(clients);
  return concerned;
}

static void run(struct post *post)
{
  struct job *job = CONTAINER_OF(post, struct job_post, post)->job;
  struct hub_worker *hw;

  if (hub_worker_get(worker_current(), job->target->view.hub, false, &hw) ==
      WPS_OK)
    atomic_fetch_add(&job->clients, run_here(hw, job));
  finished(job);
}

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
  groups = (struct wps_str *)(void *)job->strings;
  at = (char *)(groups + what->group_count);
  for (size_t i = 0; i < what->group_count; i++) {
    memcpy(at, what->groups[i].ptr, what->groups[i].len);
    groups[i] = (struct wps_str){at, what->groups[i].len};
    at += what->groups[i].len;
  }
  job->what = *what;
  job->what.groups = groups;
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
  struct hub_worker *hw;
  uint64_t workers = 0;
  struct job *job;
  uint32_t count, i = 0;
  int rc;

  if (!valid(who, what))
    return WPS_EINVAL;
  rc = hub_worker_get(w, who->hub, false, &hw);
  if (rc == WPS_OK)
    workers = hub_target_workers(hw->hub, who);
  else if (rc != WPS_ENOTFOUND)
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
