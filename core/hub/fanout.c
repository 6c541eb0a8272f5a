/* SPDX-License-Identifier: Apache-2.0 */
/* hub/fanout.c - walk the receivers here, post to the other workers. */
#include "hub/fanout.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/str.h"
#include "hub/shared.h"

bool target_ok(const struct wps_target *t)
{
  if (t->hub.len == 0 || t->kind < WPS_TO_HUB || t->kind > WPS_TO_CONN)
    return false;
  if (t->kind == WPS_TO_GROUP)
    return group_name_ok(t->name);
  return t->kind == WPS_TO_HUB || t->name.len != 0;
}

struct target_copy *target_copy(const struct wps_target *t)
{
  size_t size = sizeof(struct target_copy) + t->hub.len + t->name.len;
  struct target_copy *copy;
  struct wps_str *excluded;
  char *at;

  if (t->excluded_count > SIZE_MAX / 4 / sizeof(*excluded))
    return NULL;
  size += t->excluded_count * sizeof(*excluded);
  for (size_t i = 0; i < t->excluded_count; i++)
    size += t->excluded[i].len;
  copy = malloc(size);
  if (copy == NULL)
    return NULL;
  copy->view = *t;
  excluded = (struct wps_str *)(void *)(copy + 1);
  at = (char *)(excluded + t->excluded_count);
  copy->view.excluded = excluded;
  for (size_t i = 0; i < t->excluded_count; i++) {
    excluded[i] = (struct wps_str){at, t->excluded[i].len};
    if (excluded[i].len != 0)
      memcpy(at, t->excluded[i].ptr, excluded[i].len);
    at += excluded[i].len;
  }
  memcpy(at, t->hub.ptr, t->hub.len);
  copy->view.hub = (struct wps_str){at, t->hub.len};
  at += t->hub.len;
  if (t->name.len != 0)
    memcpy(at, t->name.ptr, t->name.len);
  copy->view.name = (struct wps_str){at, t->name.len};
  return copy;
}

static struct hub_client *client_of(struct hub_worker *hw, struct wps_str id)
{
  struct wps_conn_ref ref;

  if (!shared_client_find(hw->hub->shared, id, &ref) ||
      ref_worker(ref) != hw->worker->index)
    return NULL;
  return hw->worker->hubs->ops->find(hw->worker, ref);
}

/* Excluded clients carry the serial of the walk that passes them over: a
 * comparison per receiver, however long the list is. */
static void mark_excluded(struct hub_worker *hw, const struct wps_target *t,
                          struct hub_client *self)
{
  hw->fanout_serial++;
  for (size_t i = 0; i < t->excluded_count; i++) {
    struct hub_client *c = client_of(hw, t->excluded[i]);

    if (c != NULL)
      c->skip_mark = hw->fanout_serial;
  }
  if (self != NULL && (t->flags & WPS_TARGET_NOT_SELF) != 0)
    self->skip_mark = hw->fanout_serial;
}

static void deliver(struct hub_worker *hw, struct hub_client *c,
                    struct wps_member *m, struct fanout *f, uint64_t serial)
{
  if (c->skip_mark == serial)
    return;
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

    if (m != NULL && (m->kinds & bit) != 0)
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
  uint64_t count, serial;
  /* A subprotocol may publish inside deliver(): the walk within must leave the
   * mark of the walk around it as it was, for the one client it can share. */
  uint64_t outer_mark = self != NULL ? self->skip_mark : 0;

  mark_excluded(hw, t, self);
  serial = hw->fanout_serial;
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
  if (self != NULL)
    self->skip_mark = outer_mark;
}

/* ---- to other workers ---- */

struct publish_job;

struct publish_post {
  struct post post;
  struct publish_job *job;
};

struct publish_job {
  _Atomic uint32_t refs;
  uint32_t reserved;
  struct target_copy *target;
  struct wps_message *msg;
  struct publish_post posts[];
};

static void job_unref(struct publish_job *job)
{
  if (atomic_fetch_sub_explicit(&job->refs, 1, memory_order_acq_rel) != 1)
    return;
  free(job->target);
  message_unref(job->msg);
  free(job);
}

static void job_run(struct post *post)
{
  struct publish_job *job = CONTAINER_OF(post, struct publish_post, post)->job;
  struct wps_worker *w = worker_current();
  struct hub_worker *hw;

  if (hub_worker_get(w, job->target->view.hub, false, &hw) == WPS_OK) {
    struct fanout f = {.msg = job->msg};

    walk_local(hw, &job->target->view, NULL, &f);
  }
  job_unref(job);
}

static int post_others(struct wps_worker *w, uint64_t workers,
                       const struct wps_target *t, struct wps_message *msg)
{
  uint32_t count = (uint32_t)__builtin_popcountll(workers), i = 0;
  struct publish_job *job =
      malloc(sizeof(*job) + count * sizeof(job->posts[0]));

  if (job == NULL)
    return WPS_ENOMEM;
  job->target = target_copy(t);
  if (job->target == NULL) {
    free(job);
    return WPS_ENOMEM;
  }
  job->msg = message_ref(msg);
  atomic_init(&job->refs, count + 1);
  for (; workers != 0; workers &= workers - 1) {
    struct publish_post *p = &job->posts[i++];

    p->job = job;
    p->post.fn = job_run;
    if (!worker_post(workers_at(w->all, (uint32_t)__builtin_ctzll(workers)),
                     &p->post))
      job_unref(job);
  }
  job_unref(job);
  return WPS_OK;
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

int hub_publish(struct wps_worker *w, const struct wps_target *t,
                struct hub_client *self, struct wps_message *msg,
                uint64_t *receivers)
{
  struct fanout f = {.msg = msg};
  uint64_t others = 0;
  struct hub_worker *hw;
  int rc;

  *receivers = 0;
  if (!target_ok(t))
    return WPS_EINVAL;
  /* Only making this worker's part tells a hub that lives on others from one
   * that nobody uses. */
  rc = hub_worker_get(w, t->hub, false, &hw);
  if (rc == WPS_ENOTFOUND)
    return WPS_OK;
  if (rc != WPS_OK)
    return rc;
  if (workers_count(w->all) > 1) {
    struct group *g = t->kind == WPS_TO_GROUP ? group_find(hw, t->name) : NULL;

    others = g != NULL ? atomic_load(&g->shared->workers)
                       : hub_target_workers(hw->hub, t);
    if (w->index < WORKERS_MAX)
      others &= ~(UINT64_C(1) << w->index);
  }
  walk_local(hw, t, self, &f);
  *receivers = f.receivers;
  return others == 0 ? WPS_OK : post_others(w, others, t, msg);
}

/* ---- selecting, for commands ---- */

static int selected(struct hub_client ***array, size_t *count, size_t *cap,
                    struct hub_client *c, uint64_t serial)
{
  if (c->skip_mark == serial)
    return WPS_OK;
  if (*count == *cap) {
    size_t next = *cap == 0 ? 16 : *cap * 2;
    struct hub_client **bigger = realloc(*array, next * sizeof(*bigger));

    if (bigger == NULL)
      return WPS_ENOMEM;
    *array = bigger;
    *cap = next;
  }
  (*array)[(*count)++] = c;
  return WPS_OK;
}

int hub_select(struct hub_worker *hw, const struct wps_target *t,
               struct hub_client ***out, size_t *count)
{
  struct hub_client **array = NULL;
  struct list *head;
  struct group *g;
  uint64_t serial, n;
  size_t cap = 0;
  int rc = WPS_OK;

  *count = 0;
  mark_excluded(hw, t, NULL);
  serial = hw->fanout_serial;
  if (t->kind == WPS_TO_CONN) {
    struct hub_client *c = client_of(hw, t->name);

    if (c != NULL)
      rc = selected(&array, count, &cap, c, serial);
  } else if (t->kind == WPS_TO_GROUP) {
    g = group_find(hw, t->name);
    for (size_t i = 0; g != NULL && i < g->used && rc == WPS_OK; i++)
      if (g->members[i] != NULL)
        rc = selected(&array, count, &cap, g->members[i]->client, serial);
  } else if (t->kind == WPS_TO_USER) {
    head = hub_user_clients(hw, t->name, &n);
    for (struct list *l = head != NULL ? head->next : NULL;
         l != NULL && l != head && rc == WPS_OK; l = l->next)
      rc = selected(&array, count, &cap,
                    CONTAINER_OF(l, struct hub_client, in_user), serial);
  } else {
    for (struct list *l = hw->clients.next; l != &hw->clients && rc == WPS_OK;
         l = l->next)
      rc = selected(&array, count, &cap,
                    CONTAINER_OF(l, struct hub_client, in_hub), serial);
  }
  if (rc != WPS_OK) {
    free(array);
    array = NULL;
    *count = 0;
  }
  *out = array;
  return rc;
}

uint64_t hub_count(struct hub_worker *hw, const struct wps_target *t)
{
  struct hub_client **clients;
  struct group *g;
  uint64_t n = 0;
  size_t count;

  if (t->excluded_count != 0) {
    if (hub_select(hw, t, &clients, &count) != WPS_OK)
      return 0;
    free(clients);
    return count;
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
