/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/event_handlers.h"

#include "base/str.h"
#include "hub/roles.h"
#include "plug/plugin.h"

static bool name_matches(const struct hub_handler *h, struct wps_str name)
{
  if (h->all_user_events)
    return true;
  for (size_t i = 0; i < h->user_event_count; i++)
    if (str_ieq(h->user_events[i], name))
      return true;
  return false;
}

static bool group_matches(const struct hub_handler *h, struct wps_str group)
{
  for (size_t i = 0; i < h->presence_group_count; i++)
    if (role_pattern_match(h->presence_groups[i], group))
      return true;
  return h->presence_group_count == 0;
}

static bool configured(const struct hub_handler *h, const struct wps_event *e)
{
  if (e->type == WPS_EVENT_MESSAGE)
    return name_matches(h, e->name);
  if ((h->events & e->type) == 0)
    return false;
  return (e->type & (WPS_EVENT_JOINED | WPS_EVENT_LEFT)) == 0 ||
         group_matches(h, e->group);
}

static bool wanted(struct wps_worker *w, const struct hub_handler *h,
                   const struct wps_event *e)
{
  const struct wps_instance *i = h->upstream;

  return i->component->ops.upstream->wants(i->inst, instance_worker_state(i, w),
                                           &h->view, e);
}

const struct hub_handler *handler_for(struct wps_worker *w,
                                      const struct hub_settings *s,
                                      const struct wps_event *event)
{
  for (size_t i = 0; i < s->handler_count; i++) {
    const struct hub_handler *h = &s->handlers[i];

    if (configured(h, event) || (h->dynamic && wanted(w, h, event)))
      return h;
  }
  return NULL;
}

uint32_t handlers_configured(const struct hub_settings *s)
{
  uint32_t all = 0;

  for (size_t i = 0; i < s->handler_count; i++) {
    const struct hub_handler *h = &s->handlers[i];

    all |= h->events;
    if (h->all_user_events || h->user_event_count != 0)
      all |= WPS_EVENT_MESSAGE;
  }
  return all;
}

uint32_t handlers_may_take(const struct hub_settings *s)
{
  for (size_t i = 0; i < s->handler_count; i++)
    if (s->handlers[i].dynamic)
      return UINT32_MAX;
  return handlers_configured(s);
}

void handler_give(struct wps_worker *w, const struct hub_handler *h,
                  const struct wps_event *event, struct wps_reply *reply)
{
  const struct wps_instance *i = h->upstream;

  i->component->ops.upstream->deliver(i->inst, instance_worker_state(i, w),
                                      &h->view, event, reply);
}
