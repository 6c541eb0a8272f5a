/* SPDX-License-Identifier: Apache-2.0 */
/* hub/fanout.c - walk the receivers here, post to the other workers. */
#include "hub/fanout.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/fault.h"
#include "base/str.h"
#include "hub/filter.h"
#include "hub/pending.h"
#include "hub/shared.h"
#include "hub/sift.h"
#include "hub/tap.h"

static struct hub_client *client_of(struct hub_worker *hw, struct wps_str id)
{
  struct wps_conn_ref ref;

  if (!shared_client_find(hw->hub->shared, id, &ref) ||
      ref_worker(ref) != hw->worker->index)
    return NULL;
  return hw->worker->hubs->ops->find(hw->worker, ref);
}

/* ---- whom a walk passes over ---- */

/* Clients that are excluded, and those that do not pass the filter, carry the
 * serial of the walk: a comparison per receiver, however long the list is, and
 * none more for targets with a filter, which cost a walk of their own before.
 *
 * A subprotocol may publish inside deliver(). The marks of the walk within
 * stand then where those of the walk around it stood, which are made once more
 * when it is over. */
struct hub_walk {
  struct hub_walk *outer; /* of the same hub */
  const struct wps_target *target;
  struct hub_client *self; /* not to this one; may be NULL */
  uint64_t serial;
};

/* All clients of a target, without a look at anything else of it. */
static int each(struct hub_worker *hw, const struct wps_target *t,
                int (*fn)(void *arg, struct hub_client *c), void *arg)
{
  struct hub_client *c;
  struct list *head;
  struct group *g;
  uint64_t count;
  int rc = WPS_OK;

  switch (t->kind) {
  case WPS_TO_CONN:
    c = client_of(hw, t->name);
    return c != NULL ? fn(arg, c) : WPS_OK;
  case WPS_TO_GROUP:
    g = group_find(hw, t->name);
    for (size_t i = 0; g != NULL && i < g->used && rc == WPS_OK; i++)
      if (g->members[i] != NULL)
        rc = fn(arg, g->members[i]->client);
    return rc;
  case WPS_TO_USER:
    head = hub_user_clients(hw, t->name, &count);
    if (head == NULL)
      return WPS_OK;
    for (struct list *l = head->next; l != head && rc == WPS_OK; l = l->next)
      rc = fn(arg, CONTAINER_OF(l, struct hub_client, in_user));
    return rc;
  default:
    for (struct list *l = hw->clients.next; l != &hw->clients && rc == WPS_OK;
         l = l->next)
      rc = fn(arg, CONTAINER_OF(l, struct hub_client, in_hub));
    return rc;
  }
}

struct marking {
  struct hub_worker *hw;
  const struct wps_filter *filter;
  uint64_t serial;
};

static int mark_unmatched(void *arg, struct hub_client *c)
{
  const struct marking *m = arg;
  struct hub_facts facts;

  if (c->skip_mark != m->serial &&
      (!m->hw->worker->hubs->ops->facts(c, &facts) ||
       !filter_match(m->filter, c, &facts)))
    c->skip_mark = m->serial;
  return WPS_OK;
}

static bool walk_marks(const struct hub_walk *walk)
{
  return walk->self != NULL || walk->target->excluded_count != 0 ||
         walk->target->filter != NULL;
}

static void walk_mark(struct hub_worker *hw, const struct hub_walk *walk)
{
  const struct wps_target *t = walk->target;

  for (size_t i = 0; i < t->excluded_count; i++) {
    struct hub_client *c = client_of(hw, t->excluded[i]);

    if (c != NULL)
      c->skip_mark = walk->serial;
  }
  if (walk->self != NULL)
    walk->self->skip_mark = walk->serial;
  if (t->filter != NULL)
    each(hw, t, mark_unmatched, &(struct marking){hw, t->filter, walk->serial});
}

static void walk_begin(struct hub_worker *hw, struct hub_walk *walk,
                       const struct wps_target *t, struct hub_client *self)
{
  *walk = (struct hub_walk){
      .outer = hw->walk,
      .target = t,
      .self = (t->flags & WPS_TARGET_NOT_SELF) != 0 ? self : NULL,
      .serial = ++hw->fanout_serial};
  hw->walk = walk;
  walk_mark(hw, walk);
}

static void walk_end(struct hub_worker *hw, const struct hub_walk *walk)
{
  const struct hub_walk *around = walk->outer;

  hw->walk = walk->outer;
  if (!walk_marks(walk))
    return;
  /* Walks without marks have none to lose. */
  while (around != NULL && !walk_marks(around))
    around = around->outer;
  if (around != NULL)
    walk_mark(hw, around);
}

/* ---- on this worker ---- */

/* With a filter more clients than these are looked at piece by piece. */
enum { SIFTED = 16 };

static void deliver(struct hub_worker *hw, struct hub_client *c,
                    struct wps_member *m, struct fanout *f, uint64_t serial)
{
  if (c->skip_mark == serial)
    return;
  if (m == NULL)
    pending_settle(c);
  f->receivers++;
  hw->worker->hubs->ops->deliver(c, m, f);
}

static void walk_group(struct hub_worker *hw, struct wps_str name,
                       struct fanout *f, uint64_t serial)
{
  struct group *g = group_find(hw, name);
  uint32_t bit = 1u << f->msg->info.kind;
  size_t count;

  if (g == NULL)
    return;
  /* Who joins during the walk is behind `count`; who leaves leaves a hole. */
  g->walking++;
  count = g->used;
  for (size_t i = 0; i < count; i++) {
    struct wps_member *m = g->members[i];

    if (m == NULL || (m->kinds & bit) == 0)
      continue;
    pending_settle(m->client);
    if (g->members[i] != NULL)
      deliver(hw, m->client, m, f, serial);
  }
  if (--g->walking == 0)
    group_settle(g);
}

static void walk_local(struct hub_worker *hw, const struct wps_target *t,
                       struct hub_client *self, struct fanout *f)
{
  struct list *head = NULL;
  struct hub_client *c;
  struct hub_walk walk;
  uint64_t count, serial;

  walk_begin(hw, &walk, t, self);
  serial = walk.serial;
  switch (t->kind) {
  case WPS_TO_GROUP:
    walk_group(hw, t->name, f, serial);
    break;
  case WPS_TO_CONN:
    c = client_of(hw, t->name);
    if (c != NULL)
      deliver(hw, c, NULL, f, serial);
    break;
  case WPS_TO_USER:
    /* Delivery never takes a client out of the index: ends are deferred. */
    head = hub_user_clients(hw, t->name, &count);
    if (head == NULL)
      break;
    for (struct list *l = head->next; l != head; l = l->next)
      deliver(hw, CONTAINER_OF(l, struct hub_client, in_user), NULL, f, serial);
    break;
  default:
    for (struct list *l = hw->clients.next; l != &hw->clients; l = l->next)
      deliver(hw, CONTAINER_OF(l, struct hub_client, in_hub), NULL, f, serial);
  }
  walk_end(hw, &walk);
}

void fanout_group(struct hub_worker *hw, struct wps_str group, struct fanout *f)
{
  struct wps_target t = {.struct_size = sizeof(t),
                         .kind = WPS_TO_GROUP,
                         .hub = hw->hub->name,
                         .name = group};

  walk_local(hw, &t, NULL, f);
}

/* False: there is no way to make it pending, and it is to be delivered now. */
static bool make_pending(struct group *g, const struct wps_target *t,
                         struct hub_client *self, struct fanout *f)
{
  struct hub_client *not_to =
      (t->flags & WPS_TARGET_NOT_SELF) != 0 ? self : NULL;
  struct hub_worker *hw = g->hw;
  int rc = pending_add(g, f->msg, not_to, &f->receivers);

  if (rc != WPS_EAGAIN)
    return rc == WPS_OK;
  g = group_find(hw, t->name);
  return g == NULL || pending_add(g, f->msg, not_to, &f->receivers) == WPS_OK;
}

/* Taps hear plain messages to a group. */
static bool taps_hear(const struct wps_target *t, const struct wps_message *msg)
{
  return t->kind == WPS_TO_GROUP && t->filter == NULL &&
         msg->info.kind == WPS_MSG_DATA;
}

/* Plain messages to a group are pending until the end of the turn, all others
 * are delivered now. */
static void publish_here(struct hub_worker *hw, const struct wps_target *t,
                         struct hub_client *self, struct fanout *f)
{
  if (taps_hear(t, f->msg)) {
    struct group *g = group_find(hw, t->name);

    if (g != NULL && g->tap_count != 0) {
      taps_tell(g, f->msg);
      g = group_find(hw, t->name);
    }
    if (g == NULL || g->count == 0 ||
        (t->excluded_count == 0 && make_pending(g, t, self, f)))
      return;
  }
  walk_local(hw, t, self, f);
}

/* ---- to other workers ---- */

struct publish_job;

struct publish_post {
  struct post post;
  struct sift sift; /* with a filter */
  struct publish_job *job;
};

struct publish_job {
  _Atomic uint32_t refs;
  _Atomic int32_t status;
  struct target_copy *target;
  struct wps_message *msg;
  struct publish_done done;
  uint64_t receivers; /* on the publisher's worker, which alone writes it */
  struct wps_worker *origin;
  struct post answer;
  struct publish_post posts[];
};

static void job_free(struct publish_job *job)
{
  target_free(job->target);
  message_unref(job->msg);
  free(job);
}

static void job_done(struct publish_job *job, int status)
{
  struct wps_published result = {.struct_size = sizeof(result),
                                 .status = status,
                                 .receivers_local = job->receivers};

  job->done.fn(NULL, job->done.arg, job->done.tag, &result);
  job_free(job);
}

static void job_answer(struct post *post)
{
  struct publish_job *job = CONTAINER_OF(post, struct publish_job, answer);

  job_done(job, atomic_load(&job->status));
}

static void job_unref(struct publish_job *job)
{
  if (atomic_fetch_sub_explicit(&job->refs, 1, memory_order_acq_rel) != 1)
    return;
  if (job->done.fn == NULL)
    job_free(job);
  else if (!worker_post(job->origin, &job->answer))
    job_done(job, WPS_ECANCELED);
}

/* All who have passed, at once: nothing of this sender comes in between. */
static void job_deliver(struct sift *s)
{
  struct publish_job *job = CONTAINER_OF(s, struct publish_post, sift)->job;
  struct wps_worker *w = s->hw->worker;
  struct fanout f = {.msg = job->msg};

  for (size_t i = 0; i < s->kept; i++) {
    struct hub_client *c = w->hubs->ops->find(w, s->refs[i]);
    struct wps_member *m = NULL;

    if (c == NULL)
      continue;
    pending_settle(c);
    if (s->target->kind == WPS_TO_GROUP) {
      m = group_membership(c, s->target->name);
      if (m == NULL || (m->kinds & 1u << f.msg->info.kind) == 0)
        continue;
    }
    f.receivers++;
    w->hubs->ops->deliver(c, m, &f);
  }
  if (w == job->origin)
    job->receivers = f.receivers;
  job_unref(job);
}

static void job_sift(struct publish_post *p, struct hub_worker *hw)
{
  int32_t ok = WPS_OK;

  if (sift_start(&p->sift, hw, &p->job->target->view, NULL, job_deliver) ==
      WPS_OK)
    return;
  atomic_compare_exchange_strong(&p->job->status, &ok, WPS_ENOMEM);
  job_unref(p->job);
}

static void job_run(struct post *post)
{
  struct publish_post *p = CONTAINER_OF(post, struct publish_post, post);
  struct publish_job *job = p->job;
  struct wps_worker *w = worker_current();
  struct hub_worker *hw;

  if (hub_worker_get(w, job->target->view.hub, false, &hw) == WPS_OK) {
    struct fanout f = {.msg = job->msg};

    if (job->target->view.filter != NULL) {
      job_sift(p, hw);
      return;
    }
    publish_here(hw, &job->target->view, NULL, &f);
  }
  job_unref(job);
}

/* Made before anybody gets the message: who hears of ENOMEM may repeat it. */
static struct publish_job *job_new(struct wps_worker *w, uint64_t workers,
                                   const struct wps_target *t,
                                   struct wps_message *msg,
                                   const struct publish_done *done)
{
  size_t count = (size_t)__builtin_popcountll(workers) + 1;
  struct publish_job *job =
      FAULT("alloc_job") ? NULL
                         : malloc(sizeof(*job) + count * sizeof(job->posts[0]));

  if (job == NULL)
    return NULL;
  job->target = target_copy(t);
  if (job->target == NULL) {
    free(job);
    return NULL;
  }
  job->msg = message_ref(msg);
  job->done = done != NULL ? *done : (struct publish_done){0};
  job->receivers = 0;
  job->origin = w;
  job->answer.fn = job_answer;
  atomic_init(&job->refs, 1);
  atomic_init(&job->status, WPS_OK);
  return job;
}

/* `here`: where to sift; NULL: this worker has had it. Consumes the job. */
static void job_post(struct publish_job *job, uint64_t workers,
                     struct hub_worker *here, uint64_t *receivers)
{
  struct workers *all = job->origin->all;
  uint32_t i = 0;

  atomic_fetch_add(&job->refs,
                   (uint32_t)__builtin_popcountll(workers) + (here != NULL));
  for (; workers != 0; workers &= workers - 1) {
    struct publish_post *p = &job->posts[i++];

    p->job = job;
    p->post.fn = job_run;
    if (!worker_post(workers_at(all, (uint32_t)__builtin_ctzll(workers)),
                     &p->post))
      job_unref(job);
  }
  if (here != NULL) {
    job->posts[i].job = job;
    job_sift(&job->posts[i], here);
    *receivers = job->receivers; /* 0 while it lasts */
  }
  job_unref(job);
}

uint64_t hub_target_workers(struct hub *hub, const struct wps_target *t)
{
  uint32_t count = workers_count(hub->hubs->workers);
  uint64_t workers = 0;
  struct wps_conn_ref ref;

  switch (t->kind) {
  case WPS_TO_CONN:
    if (shared_client_find(hub->shared, t->name, &ref))
      workers = UINT64_C(1) << ref_worker(ref);
    return workers;
  case WPS_TO_GROUP:
    if (count > 1)
      return shared_group_workers(hub->shared, t->name);
    break;
  default:
    break;
  }
  for (uint32_t i = 0; i < count; i++)
    if (atomic_load_explicit(&hub->clients[i], memory_order_relaxed) != 0)
      workers |= UINT64_C(1) << i;
  return workers;
}

int hub_find_workers(struct wps_worker *w, const struct wps_target *t,
                     uint64_t *workers)
{
  struct hub_worker *hw;
  int rc = hub_worker_get(w, t->hub, false, &hw);

  *workers = rc == WPS_OK ? hub_target_workers(hw->hub, t) : 0;
  return rc == WPS_ENOTFOUND ? WPS_OK : rc;
}

/* This worker's part of the target's hub. A client publishes in its own, by the
 * very name that conn->hub() gave. Only making the part would tell a hub that
 * lives on other workers from one that nobody uses. */
static int part_of(struct wps_worker *w, const struct wps_target *t,
                   const struct hub_client *self, struct hub_worker **hw)
{
  if (self != NULL && self->hw != NULL &&
      self->hw->hub->name.ptr == t->hub.ptr &&
      self->hw->hub->name.len == t->hub.len) {
    *hw = self->hw;
    return WPS_OK;
  }
  return hub_worker_get(w, t->hub, false, hw);
}

int hub_publish(struct wps_worker *w, const struct wps_target *t,
                struct hub_client *self, struct wps_message *msg,
                const struct publish_done *done, uint64_t *receivers,
                bool *later)
{
  struct fanout f = {.msg = msg};
  struct publish_job *job = NULL;
  uint64_t others = 0;
  struct hub_worker *hw;
  bool sifts;
  int rc;

  *receivers = 0;
  *later = false;
  if (!target_ok(t))
    return WPS_EINVAL;
  rc = part_of(w, t, self, &hw);
  if (rc == WPS_ENOTFOUND)
    return WPS_OK;
  if (rc != WPS_OK)
    return rc;
  if (UNLIKELY(w->hubs->telling != 0) && taps_hear(t, msg) &&
      !taps_may_hear(w->hubs, group_find(hw, t->name)))
    return WPS_ELIMIT;
  if (workers_count(w->all) > 1) {
    struct group *g = t->kind == WPS_TO_GROUP ? group_find(hw, t->name) : NULL;

    others = g != NULL ? atomic_load(&g->shared->workers)
                       : hub_target_workers(hw->hub, t);
    if (w->index < WORKERS_MAX)
      others &= ~(UINT64_C(1) << w->index);
  }
  sifts = self == NULL && t->filter != NULL &&
          hub_count(hw, &(struct wps_target){.kind = t->kind,
                                             .hub = t->hub,
                                             .name = t->name}) > SIFTED;
  if (sifts || others != 0) {
    job = job_new(w, others, t, msg, done);
    if (job == NULL)
      return WPS_ENOMEM;
    *later = done != NULL && done->fn != NULL;
  }
  if (!sifts) {
    publish_here(hw, t, self, &f);
    *receivers = f.receivers;
    if (job != NULL)
      job->receivers = f.receivers;
  }
  if (job != NULL)
    job_post(job, others, sifts ? hw : NULL, receivers);
  return WPS_OK;
}

/* ---- looking, for commands ---- */

struct looking {
  uint64_t serial;
  int (*fn)(void *arg, struct hub_client *c);
  void *arg;
};

static int look(void *arg, struct hub_client *c)
{
  const struct looking *l = arg;

  return c->skip_mark == l->serial ? WPS_OK : l->fn(l->arg, c);
}

int hub_each(struct hub_worker *hw, const struct wps_target *t,
             int (*fn)(void *arg, struct hub_client *c), void *arg)
{
  struct hub_walk walk;
  int rc;

  walk_begin(hw, &walk, t, NULL);
  rc = each(hw, t, look, &(struct looking){walk.serial, fn, arg});
  walk_end(hw, &walk);
  return rc;
}

static int counted(void *arg, struct hub_client *c)
{
  UNUSED(c);
  ++*(uint64_t *)arg;
  return WPS_OK;
}

uint64_t hub_count(struct hub_worker *hw, const struct wps_target *t)
{
  struct group *g;
  uint64_t n = 0;

  if (t->excluded_count != 0 || t->filter != NULL) {
    hub_each(hw, t, counted, &n);
    return n;
  }
  switch (t->kind) {
  case WPS_TO_CONN:
    return client_of(hw, t->name) != NULL;
  case WPS_TO_GROUP:
    g = group_find(hw, t->name);
    return g == NULL ? 0 : g->count;
  case WPS_TO_USER:
    hub_user_clients(hw, t->name, &n);
    return n;
  default:
    return atomic_load_explicit(&hw->hub->clients[hw->worker->index],
                                memory_order_relaxed);
  }
}
