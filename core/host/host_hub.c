/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "conn/client_events.h"
#include "conn/command.h"
#include "conn/completion.h"
#include "conn/membership.h"
#include "host/contract.h"
#include "host/host.h"
#include "hub/filter.h"
#include "hub/listing.h"

/* What was reserved is used, or not. */
static void finish(struct wps_worker *w, bool reserved, bool tell,
                   const struct completion *d)
{
  if (reserved && tell)
    completion_add(w, d);
  else if (reserved)
    completion_unreserve(w);
}

/* ---- memberships ---- */

static int join(struct wps_conn *c, struct wps_str group,
                const struct wps_membership *how, wps_joined_fn done, void *arg,
                uint64_t tag)
{
  struct completion d = {.kind = DONE_JOINED,
                         .status = WPS_OK,
                         .fn.joined = done,
                         .arg = arg,
                         .tag = tag};
  int rc;

  CONTRACT_CONN(c, "hub->join");
  if (done != NULL && completion_reserve(c->worker) != WPS_OK)
    return WPS_ENOMEM;
  d.ref = conn_ref(c);
  rc = membership_begin(c, group, how, WPS_BY_SELF, &d.value);
  finish(c->worker, done != NULL, rc == WPS_OK, &d);
  return rc;
}

static int leave(struct wps_conn *c, struct wps_str group,
                 wps_conn_done_fn done, void *arg, uint64_t tag)
{
  struct completion d = {.kind = DONE_CONN,
                         .status = WPS_OK,
                         .fn.conn = done,
                         .arg = arg,
                         .tag = tag};
  struct wps_member *m;

  CONTRACT_CONN(c, "hub->leave");
  if (!group_name_ok(group))
    return WPS_EINVAL;
  if (done != NULL && completion_reserve(c->worker) != WPS_OK)
    return WPS_ENOMEM;
  d.ref = conn_ref(c);
  m = group_membership(&c->client, group);
  if (m != NULL)
    membership_end(c, m, WPS_BY_SELF);
  finish(c->worker, done != NULL, true, &d);
  return WPS_OK;
}

static struct wps_member *member(const struct wps_conn *c, struct wps_str group)
{
  CONTRACT_CONN(c, "hub->member");
  return group_membership(&c->client, group);
}

static struct wps_str member_group(const struct wps_member *m)
{
  CONTRACT_MEMBER(m, "hub->member_group");
  return m->group->name;
}

static void *member_data(const struct wps_member *m)
{
  CONTRACT_MEMBER(m, "hub->member_data");
  return m->data;
}

static uint64_t member_serial(const struct wps_member *m)
{
  CONTRACT_MEMBER(m, "hub->member_serial");
  return m->serial;
}

static int member_update(struct wps_member *m, const struct wps_membership *how)
{
  CONTRACT_MEMBER(m, "hub->member_update");
  return membership_update(m, how);
}

/* ---- publishing ---- */

static int publish(struct wps_instance *self, struct wps_conn *c,
                   struct wps_message *msg, const struct wps_target *target,
                   wps_published_fn done, void *arg, uint64_t tag)
{
  struct wps_worker *w = worker_current();
  /* A client's publishes stay in order as they are, and it has not to wait for
   * other workers. */
  struct publish_done everywhere = {c == NULL ? done : NULL, arg, tag};
  struct completion d = {.kind = DONE_PUBLISHED,
                         .status = WPS_OK,
                         .fn.published = done,
                         .arg = arg,
                         .tag = tag};
  bool later;
  int rc;

  UNUSED(self);
  if (c != NULL)
    CONTRACT_CONN(c, "hub->publish");
  if (w == NULL || w->conns == NULL)
    return WPS_EINVAL;
  if (done != NULL && completion_reserve(w) != WPS_OK)
    return WPS_ENOMEM;
  if (c != NULL)
    d.ref = conn_ref(c);
  rc = hub_publish(w, target, c != NULL ? &c->client : NULL, msg, &everywhere,
                   &d.value, &later);
  finish(w, done != NULL, rc == WPS_OK && !later, &d);
  return rc;
}

static int event(struct wps_conn *c, const struct wps_client_event *what,
                 wps_answer_fn done, void *arg, uint64_t tag)
{
  CONTRACT_CONN(c, "hub->event");
  return client_events_message(c, what, done, arg, tag);
}

/* ---- commands ---- */

static int run(const struct wps_target *who, const struct command *what,
               wps_count_fn done, void *arg)
{
  struct wps_worker *w = worker_current();

  if (w == NULL || w->conns == NULL)
    return WPS_EINVAL;
  return command_run(w, who, what, done, arg);
}

static int command_join(struct wps_instance *self, const struct wps_target *who,
                        const struct wps_str *groups, size_t group_count,
                        wps_count_fn done, void *arg)
{
  UNUSED(self);
  return run(who,
             &(struct command){.kind = COMMAND_JOIN,
                               .groups = groups,
                               .group_count = group_count},
             done, arg);
}

static int command_leave(struct wps_instance *self,
                         const struct wps_target *who,
                         const struct wps_str *groups, size_t group_count,
                         wps_count_fn done, void *arg)
{
  UNUSED(self);
  return run(who,
             &(struct command){.kind = COMMAND_LEAVE,
                               .groups = groups,
                               .group_count = group_count},
             done, arg);
}

static int command_close(struct wps_instance *self,
                         const struct wps_target *who, uint16_t code,
                         struct wps_str reason, wps_count_fn done, void *arg)
{
  UNUSED(self);
  return run(
      who,
      &(struct command){.kind = COMMAND_CLOSE, .code = code, .text = reason},
      done, arg);
}

static int command_permission(struct wps_instance *self,
                              const struct wps_target *who, uint32_t op,
                              uint32_t action, struct wps_str group,
                              wps_count_fn done, void *arg)
{
  UNUSED(self);
  return run(who,
             &(struct command){.kind = COMMAND_PERMISSION,
                               .op = op,
                               .action = action,
                               .text = group},
             done, arg);
}

static int count(struct wps_instance *self, const struct wps_target *who,
                 wps_count_fn done, void *arg)
{
  UNUSED(self);
  if (done == NULL)
    return WPS_EINVAL;
  return run(who, &(struct command){.kind = COMMAND_COUNT}, done, arg);
}

static int list(struct wps_instance *self, const struct wps_target *who,
                const struct wps_list_query *query, wps_listing_fn done,
                void *arg)
{
  struct wps_worker *w = worker_current();

  UNUSED(self);
  if (w == NULL || w->conns == NULL)
    return WPS_EINVAL;
  return hub_list(w, who, query, done, arg);
}

const struct wps_hub_api host_hub_api = {
    .struct_size = sizeof(host_hub_api),
    .join = join,
    .leave = leave,
    .member = member,
    .member_group = member_group,
    .member_data = member_data,
    .member_serial = member_serial,
    .member_update = member_update,
    .publish = publish,
    .event = event,
    .event_cancel = host_event_cancel,
    .ask = host_ask,
    .member_state = host_member_state,
    .member_watch = host_member_watch,
    .member_unwatch = host_member_unwatch,
    .tap = host_tap,
    .untap = host_untap,
    .pattern_match = host_pattern_match,
    .filter = filter_new,
    .filter_unref = filter_unref,
    .command_join = command_join,
    .command_leave = command_leave,
    .command_close = command_close,
    .command_permission = command_permission,
    .count = count,
    .list = list,
};
