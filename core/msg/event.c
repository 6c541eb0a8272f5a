/* SPDX-License-Identifier: Apache-2.0 */
/* msg/event.c - events and answers as single blocks. */
#include "msg/event.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rand.h"
#include "base/str.h"
#include "msg/message.h"
#include "msg/note.h"
#include "plug/reply.h"

static size_t pairs_size(const struct wps_pair *pairs, size_t count)
{
  size_t total = count * sizeof(*pairs);

  for (size_t i = 0; i < count; i++)
    total += pairs[i].name.len + pairs[i].value.len;
  return total;
}

static const struct wps_pair *put_pairs(struct wps_pair *to, char **at,
                                        const struct wps_pair *from,
                                        size_t count)
{
  for (size_t i = 0; i < count; i++) {
    to[i].name = str_put(at, from[i].name);
    to[i].value = str_put(at, from[i].value);
  }
  return to;
}

struct event *event_new(const struct wps_event *from, struct note *note)
{
  size_t size = sizeof(struct event) + 37;
  struct wps_pair *pairs;
  struct event *e;
  char *at;

  size += from->hub.len + from->conn.len + from->user.len +
          from->subprotocol.len + from->name.len + from->group.len +
          from->app_state.len + from->reason.len;
  size += pairs_size(from->claims, from->claim_count);
  size += pairs_size(from->headers, from->header_count);
  e = malloc(size);
  if (e == NULL)
    return NULL;
  atomic_init(&e->refs, 1);
  e->reserved = 0;
  e->view = *from;
  e->view.struct_size = sizeof(e->view);
  pairs = (struct wps_pair *)(void *)(e + 1);
  at = (char *)(pairs + from->claim_count + from->header_count);
  if (rand_uuid(at) != WPS_OK) {
    free(e);
    return NULL;
  }
  e->view.id = (struct wps_str){at, 36};
  at += 37;
  e->view.claims = put_pairs(pairs, &at, from->claims, from->claim_count);
  e->view.headers = put_pairs(pairs + from->claim_count, &at, from->headers,
                              from->header_count);
  e->view.hub = str_put(&at, from->hub);
  e->view.conn = str_put(&at, from->conn);
  e->view.user = str_put(&at, from->user);
  e->view.subprotocol = str_put(&at, from->subprotocol);
  e->view.name = str_put(&at, from->name);
  e->view.group = str_put(&at, from->group);
  e->view.app_state = str_put(&at, from->app_state);
  e->view.reason = str_put(&at, from->reason);
  e->view.unix_ms = clock_unix_ms();
  if (from->msg != NULL)
    message_ref(from->msg);
  e->note = note_ref(note);
  return e;
}

struct event *event_of(const struct wps_event *view)
{
  return CONTAINER_OF((void *)(uintptr_t)view, struct event, view);
}

void event_unref(struct event *e)
{
  if (e == NULL ||
      atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) != 1)
    return;
  message_unref(e->view.msg);
  note_unref(e->note);
  free(e);
}

const struct wps_event *event_view_ref(const struct wps_event *view)
{
  atomic_fetch_add_explicit(&event_of(view)->refs, 1, memory_order_relaxed);
  return view;
}

void event_view_unref(const struct wps_event *view)
{
  event_unref(event_of(view));
}

static struct answer *answer_copy(const struct wps_event_answer *from)
{
  struct wps_event_answer all;
  size_t size = sizeof(struct answer);
  struct wps_pair *pairs;
  struct wps_str *strings;
  struct answer *a;
  char *at;

  memset(&all, 0, sizeof(all));
  memcpy(&all, from,
         from->struct_size < sizeof(all) ? from->struct_size : sizeof(all));
  size += pairs_size(all.headers, all.header_count);
  size += (all.role_count + all.group_count) * sizeof(*strings);
  for (size_t i = 0; i < all.role_count; i++)
    size += all.roles[i].len;
  for (size_t i = 0; i < all.group_count; i++)
    size += all.groups[i].len;
  size += all.user.len + all.subprotocol.len + all.app_state.len;
  a = malloc(size);
  if (a == NULL)
    return NULL;
  a->view = all;
  pairs = (struct wps_pair *)(void *)(a + 1);
  strings = (struct wps_str *)(void *)(pairs + all.header_count);
  at = (char *)(strings + all.role_count + all.group_count);
  a->view.headers = put_pairs(pairs, &at, all.headers, all.header_count);
  a->view.roles = strings;
  a->view.groups = strings + all.role_count;
  for (size_t i = 0; i < all.role_count; i++)
    strings[i] = str_put(&at, all.roles[i]);
  for (size_t i = 0; i < all.group_count; i++)
    strings[all.role_count + i] = str_put(&at, all.groups[i]);
  a->view.user = str_put(&at, all.user);
  a->view.subprotocol = str_put(&at, all.subprotocol);
  a->view.app_state = str_put(&at, all.app_state);
  if (all.msg != NULL)
    message_ref(all.msg);
  return a;
}

void answer_free(void *answer)
{
  struct answer *a = answer;

  if (a == NULL)
    return;
  message_unref(a->view.msg);
  free(a);
}

void event_answer(struct wps_reply *reply,
                  const struct wps_event_answer *answer)
{
  struct answer *copy = answer_copy(answer);

  if (copy == NULL)
    reply_finish(reply, REPLY_FAIL, WPS_ENOMEM, STR("out of memory"), NULL,
                 NULL);
  else
    reply_finish(reply, REPLY_ANSWER, WPS_OK, STR_NONE, copy, answer_free);
}

int event_keep(struct wps_instance *self, const struct wps_event *view,
               struct wps_bytes note)
{
  struct event *e = event_of(view);

  return e->note != NULL ? note_set(e->note, self, note) : WPS_ENOMEM;
}

struct wps_bytes event_kept(struct wps_instance *self,
                            const struct wps_event *view)
{
  struct event *e = event_of(view);

  return e->note != NULL ? note_get(e->note, self)
                         : (struct wps_bytes){NULL, 0};
}
