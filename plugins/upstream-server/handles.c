/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/upstream-server/handles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <webpubsub/host.h>

#include "plugins/common/azure/names.h"

enum {
  OF_GROUPS = WPS_EVENT_JOINED | WPS_EVENT_LEFT | WPS_EVENT_JOIN |
              WPS_EVENT_LEAVE | WPS_EVENT_PUBLISH
};

static int copy_names(struct command_room *room, const struct server_names *in,
                      struct server_names *out)
{
  struct wps_str *items;
  size_t bytes = 0;
  char *text;

  for (size_t i = 0; i < in->count; i++)
    bytes += in->items[i].len;
  items = command_room_take(room, in->count * sizeof(*items) + bytes + 1);
  if (items == NULL)
    return WPS_ENOMEM;
  text = (char *)(items + in->count);
  for (size_t i = 0; i < in->count; i++) {
    if (in->items[i].len > 0)
      memcpy(text, in->items[i].ptr, in->items[i].len);
    items[i] = (struct wps_str){text, in->items[i].len};
    text += in->items[i].len;
  }
  *out = (struct server_names){items, in->count};
  return WPS_OK;
}

int registration_new(const struct server_command *c, struct registration **out,
                     char *why, size_t why_size)
{
  struct registration *r;
  int rc;

  if (c->user_events.count > REGISTRATION_NAMES_MAX ||
      c->groups.count > REGISTRATION_NAMES_MAX) {
    snprintf(why, why_size, "at most %d user events and %d groups",
             REGISTRATION_NAMES_MAX, REGISTRATION_NAMES_MAX);
    return WPS_ELIMIT;
  }
  r = calloc(1, sizeof(*r));
  if (r == NULL)
    return WPS_ENOMEM;
  atomic_init(&r->refs, 1);
  r->id = c->registration;
  r->events = c->system_events;
  if (c->user_events.count > 0)
    r->events |= WPS_EVENT_MESSAGE;
  r->all_user_events = c->all_user_events;
  r->with_payload = c->with_payload;
  rc = copy_names(&r->room, &c->user_events, &r->user_events);
  if (rc == WPS_OK)
    rc = copy_names(&r->room, &c->groups, &r->groups);
  if (rc == WPS_OK && c->filter.len > 0)
    rc = wps->hub->filter(c->filter, &r->filter, why, why_size);
  if (rc != WPS_OK) {
    registration_unref(r);
    return rc;
  }
  *out = r;
  return WPS_OK;
}

struct registration *registration_ref(struct registration *r)
{
  atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
  return r;
}

void registration_unref(struct registration *r)
{
  if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1)
    return;
  if (r->filter != NULL)
    wps->hub->filter_unref(r->filter);
  command_room_clear(&r->room);
  free(r);
}

static bool names_event(const struct registration *r, struct wps_str name)
{
  for (size_t i = 0; i < r->user_events.count; i++)
    if (azure_equal_fold(r->user_events.items[i], name) ||
        wps->hub->pattern_match(r->user_events.items[i], name))
      return true;
  return false;
}

static bool names_group(const struct registration *r, struct wps_str group)
{
  for (size_t i = 0; i < r->groups.count; i++)
    if (wps->hub->pattern_match(r->groups.items[i], group))
      return true;
  return r->groups.count == 0;
}

bool registration_takes(const struct registration *r,
                        const struct wps_event *event)
{
  if ((r->events & event->type) == 0)
    return false;
  if (event->type == WPS_EVENT_MESSAGE && !r->all_user_events &&
      !names_event(r, event->name))
    return false;
  if ((event->type & OF_GROUPS) != 0 && !names_group(r, event->group))
    return false;
  return r->filter == NULL || wps->event->matches(event, r->filter);
}

/* ---- all of a server ---- */

static void offer_free(struct peer_offer *base)
{
  struct offer *o = LIST_ITEM(base, struct offer, base);

  for (size_t i = 0; i < o->count; i++)
    registration_unref(o->items[i]);
  free(o);
}

static void offer_add(struct offer *o, struct registration *r)
{
  o->items[o->count++] = registration_ref(r);
  o->base.events |= r->events;
}

int offer_make(const struct offer *old, struct registration *r,
               struct offer **out)
{
  size_t count = old != NULL ? old->count : 0;
  struct offer *o = calloc(1, sizeof(*o) + (count + 1) * sizeof(r));

  if (o == NULL)
    return WPS_ENOMEM;
  atomic_init(&o->base.refs, 1);
  o->base.free = offer_free;
  for (size_t i = 0; i < count; i++)
    if (old->items[i]->id != r->id)
      offer_add(o, old->items[i]);
  if (r->events != 0)
    offer_add(o, r);
  if (o->count > REGISTRATIONS_MAX) {
    offer_free(&o->base);
    return WPS_ELIMIT;
  }
  *out = o;
  return WPS_OK;
}

const struct registration *offer_match(const struct peer_offer *offer,
                                       const struct wps_event *event)
{
  const struct offer *o = LIST_ITEM(offer, const struct offer, base);

  for (size_t i = 0; i < o->count; i++)
    if (registration_takes(o->items[i], event))
      return o->items[i];
  return NULL;
}
