/* SPDX-License-Identifier: Apache-2.0 */
/* fake_hub.c - the hub of fake_host: what was asked of it, and its answers. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fake_host.h"

static struct wps_str str(const char *s)
{
  return (struct wps_str){s, strlen(s)};
}

static struct fake_asked *ask(uint32_t what, struct wps_conn *conn,
                              struct wps_str name, void *arg, uint64_t tag)
{
  struct fake_asked *a = &fake.asked[fake.asked_count++];

  assert(fake.asked_count <= FAKE_QUEUE_MAX);
  *a = (struct fake_asked){.what = what,
                           .conn = conn,
                           .name = fake_copy(name.ptr, name.len),
                           .arg = arg,
                           .tag = tag};
  return a;
}

static int hub_join(struct wps_conn *conn, struct wps_str group,
                    const struct wps_membership *how, wps_joined_fn done,
                    void *arg, uint64_t tag)
{
  struct fake_asked *a;

  (void)how;
  if (fake.join_rc != WPS_OK)
    return fake.join_rc;
  a = ask(FAKE_JOIN, conn, group, arg, tag);
  a->done.joined = done;
  a->has_done = done != NULL;
  return WPS_OK;
}

static int hub_leave(struct wps_conn *conn, struct wps_str group,
                     wps_conn_done_fn done, void *arg, uint64_t tag)
{
  struct fake_asked *a = ask(FAKE_LEAVE, conn, group, arg, tag);

  a->done.left = done;
  a->has_done = done != NULL;
  return WPS_OK;
}

static int hub_publish(struct wps_instance *self, struct wps_conn *conn,
                       struct wps_message *msg, const struct wps_target *target,
                       wps_published_fn done, void *arg, uint64_t tag)
{
  struct fake_asked *a;

  (void)self;
  assert(target->struct_size == sizeof(*target));
  assert(target->kind == WPS_TO_GROUP);
  if (fake.publish_rc != WPS_OK)
    return fake.publish_rc;
  a = ask(FAKE_PUBLISH, conn, target->name, arg, tag);
  a->msg = fake_host.message->ref(msg);
  a->target_flags = target->flags;
  a->done.published = done;
  a->has_done = done != NULL;
  return WPS_OK;
}

/* "name: value\n" each. */
static char *lines(const struct wps_pair *pairs, size_t count)
{
  char *all = fake_copy("", 0);

  for (size_t i = 0; i < count; i++) {
    char *more;
    int len = asprintf(&more, "%s%.*s: %.*s\n", all, (int)pairs[i].name.len,
                       pairs[i].name.ptr, (int)pairs[i].value.len,
                       pairs[i].value.ptr);

    assert(len >= 0);
    free(all);
    all = more;
  }
  return all;
}

static int hub_event(struct wps_conn *conn,
                     const struct wps_client_event *event, wps_answer_fn done,
                     void *arg, uint64_t tag)
{
  struct fake_asked *a;

  if (fake.event_rc != WPS_OK)
    return fake.event_rc;
  a = ask(FAKE_EVENT, conn, event->name, arg, tag);
  a->msg = fake_host.message->ref(event->msg);
  a->done.answer = done;
  a->has_done = true;
  a->concurrent = event->flags & WPS_CLIENT_EVENT_CONCURRENT;
  a->headers = lines(event->headers, event->header_count);
  return WPS_OK;
}

static void hub_event_cancel(struct wps_conn *conn, void *arg, uint64_t tag)
{
  ask(FAKE_CANCEL, conn, str(""), arg, tag)->ended = true;
}

static int hub_ask(struct wps_conn *conn, const struct wps_client_request *what,
                   wps_conn_done_fn done, void *arg, uint64_t tag)
{
  struct fake_asked *a;

  assert(what->struct_size == sizeof(*what));
  if (!fake.asks)
    return WPS_ENOTFOUND;
  a = ask(FAKE_ASK, conn, what->group, arg, tag);
  a->type = what->type;
  a->msg = what->msg != NULL ? fake_host.message->ref(what->msg) : NULL;
  a->done.decided = done;
  a->has_done = true;
  return WPS_OK;
}

static struct wps_member *hub_member(const struct wps_conn *conn,
                                     struct wps_str group)
{
  static struct wps_member member;

  if (!fake.member)
    return NULL;
  free(member.group);
  member.conn = (struct wps_conn *)conn;
  member.group = fake_copy(group.ptr, group.len);
  return &member;
}

static struct wps_str hub_member_group(const struct wps_member *member)
{
  return str(member->group);
}

static int hub_member_state(struct wps_member *member,
                            const struct wps_pair *entries, size_t count)
{
  struct fake_asked *a;

  if (fake.state_rc != WPS_OK)
    return fake.state_rc;
  a = ask(FAKE_STATE, member->conn, str(member->group), NULL, 0);
  a->ended = true;
  a->headers = entries != NULL ? lines(entries, count) : NULL;
  return WPS_OK;
}

static int hub_member_watch(struct wps_member *member, wps_states_fn done,
                            void *arg, uint64_t tag)
{
  struct fake_asked *a;

  if (fake.watch_rc != WPS_OK)
    return fake.watch_rc;
  a = ask(FAKE_WATCH, member->conn, str(member->group), arg, tag);
  a->done.states = done;
  a->has_done = true;
  return WPS_OK;
}

static void hub_member_unwatch(struct wps_member *member)
{
  ask(FAKE_UNWATCH, member->conn, str(member->group), NULL, 0)->ended = true;
}

const struct wps_hub_api fake_hub = {.struct_size = sizeof(fake_hub),
                                     .join = hub_join,
                                     .leave = hub_leave,
                                     .member = hub_member,
                                     .member_group = hub_member_group,
                                     .publish = hub_publish,
                                     .event = hub_event,
                                     .event_cancel = hub_event_cancel,
                                     .ask = hub_ask,
                                     .member_state = hub_member_state,
                                     .member_watch = hub_member_watch,
                                     .member_unwatch = hub_member_unwatch};

/* ---- for tests ---- */

static void end(struct fake_asked *a, int status)
{
  a->ended = true;
  if (!a->has_done)
    return;
  switch (a->what) {
  case FAKE_JOIN:
    a->done.joined(
        a->conn, a->arg, a->tag,
        &(struct wps_joined){.struct_size = sizeof(struct wps_joined),
                             .status = status});
    break;
  case FAKE_LEAVE:
    a->done.left(a->conn, a->arg, a->tag, status);
    break;
  default:
    a->done.published(
        a->conn, a->arg, a->tag,
        &(struct wps_published){.struct_size = sizeof(struct wps_published),
                                .status = status});
    break;
  }
}

/* The oldest of the kind that has not ended, of that name unless it is NULL;
 * has ended then. */
static struct fake_asked *oldest(uint32_t what, const char *name)
{
  for (size_t i = 0; i < fake.asked_count; i++) {
    struct fake_asked *a = &fake.asked[i];

    if (!a->ended && a->what == what &&
        (name == NULL || strcmp(a->name, name) == 0)) {
      a->ended = true;
      return a;
    }
  }
  assert(!"nothing of that kind waits");
  return NULL;
}

bool fake_end(int status)
{
  for (size_t i = 0; i < fake.asked_count; i++)
    if (!fake.asked[i].ended && fake.asked[i].what <= FAKE_PUBLISH) {
      end(&fake.asked[i], status);
      return true;
    }
  return false;
}

void fake_end_all(void)
{
  while (fake_end(WPS_OK))
    ;
}

void fake_answer(int status, const struct wps_event_answer *answer)
{
  fake_answer_to(NULL, status, answer);
}

void fake_answer_to(const char *name, int status,
                    const struct wps_event_answer *answer)
{
  struct fake_asked *a = oldest(FAKE_EVENT, name);

  a->done.answer(a->conn, a->arg, a->tag, status, answer);
}

void fake_decide(int status)
{
  struct fake_asked *a = oldest(FAKE_ASK, NULL);

  a->done.decided(a->conn, a->arg, a->tag, status);
}

void fake_states(struct wps_message *const *items, size_t count, int status)
{
  struct fake_asked *a = oldest(FAKE_WATCH, NULL);
  struct wps_states states = {.struct_size = sizeof(states),
                              .status = status,
                              .items = items,
                              .count = count};

  a->done.states(a->conn, a->arg, a->tag, &states);
}
