/* SPDX-License-Identifier: Apache-2.0 */
/* conn/membership.c - a client and its groups. */
#include "conn/membership.h"

#include "base/check.h"
#include "conn/client_events.h"
#include "hub/pending.h"
#include "hub/state.h"

/* Gives it what it is owed. False: deliver() has left, and `m` is gone. */
static bool settle(struct wps_member *m)
{
  struct hub_client *c = m->client;
  uint64_t serial = m->serial, leaves = c->hw->leaves;

  pending_settle(c);
  for (uint32_t i = 0; leaves != c->hw->leaves; i++) {
    if (i == c->member_count)
      return false;
    if (c->members[i]->serial == serial)
      break;
  }
  return true;
}

int membership_update(struct wps_member *m, const struct wps_membership *how)
{
  const uint32_t known = WPS_MEMBER_DELIVER | WPS_MEMBER_VARIANT;
  const uint32_t state = 1u << WPS_MSG_STATE; /* of member_watch alone */

  if ((how->flags & ~known) != 0 || how->variant >= WPS_MAX_VARIANTS)
    return WPS_EINVAL;
  /* Inside left(): nobody would free `data`. */
  if ((m->marks & MEMBER_ENDING) != 0 || !settle(m))
    return WPS_ECLOSED;
  if ((m->kinds & 1u << WPS_MSG_DATA) == 0)
    m->seen = m->group->published;
  m->flags = how->flags;
  m->variant = (uint16_t)how->variant;
  m->kinds = (m->kinds & state) |
             (how->kinds != 0 ? how->kinds & ~state : 1u << WPS_MSG_DATA);
  m->data = how->data;
  return WPS_OK;
}

/* Callbacks may have ended it. */
static struct wps_member *still_in(const struct wps_conn *c,
                                   struct wps_str group, uint64_t serial)
{
  struct wps_member *m = group_membership(&c->client, group);

  return m != NULL && m->serial == serial ? m : NULL;
}

static void tell_joined(struct wps_conn *c, struct wps_str group,
                        uint64_t serial, uint32_t by)
{
  struct wps_member *m;

  client_events_presence(c, WPS_EVENT_JOINED, group);
  m = still_in(c, group, serial);
  if (m != NULL && by != WPS_BY_SELF && WPS_CAN(c->ops, joined))
    c->ops->joined(c, c->own, m, by);
}

int membership_begin(struct wps_conn *c, struct wps_str group,
                     const struct wps_membership *how, uint32_t by,
                     uint64_t *serial)
{
  struct wps_member *m;
  bool fresh;
  int rc;

  if (!group_name_ok(group))
    return WPS_EINVAL;
  if (!conn_alive(c) || c->client.hw == NULL)
    return WPS_ECLOSED;
  if (c->client.member_count >= conn_server_of(c)->limits.groups_max &&
      group_membership(&c->client, group) == NULL)
    return WPS_ELIMIT;
  rc = group_join(&c->client, group, ++c->next_serial, &m, &fresh);
  if (rc != WPS_OK)
    return rc;
  /* Inside left(): nobody would free `data`. */
  if ((m->marks & MEMBER_ENDING) != 0)
    return WPS_ECLOSED;
  if (how != NULL) {
    rc = membership_update(m, how);
    if (rc != WPS_OK) {
      if (fresh && rc != WPS_ECLOSED)
        group_leave(m);
      return rc;
    }
  }
  *serial = m->serial;
  if (fresh)
    tell_joined(c, group, *serial, by);
  return WPS_OK;
}

void membership_end(struct wps_conn *c, struct wps_member *m, uint32_t by)
{
  void *data;

  /* left() may ask to leave once more, and so may deliver() before it. */
  if ((m->marks & MEMBER_ENDING) != 0)
    return;
  m->marks |= MEMBER_ENDING;
  /* What it is owed comes while `data` is there, and nothing after it. */
  pending_settle(&c->client);
  data = m->data;
  m->kinds = 0;
  m->data = NULL;
  if ((c->flags & CONN_GREETED) != 0 && WPS_CAN(c->ops, left))
    c->ops->left(c, c->own, m, data, by);
  client_events_presence(c, WPS_EVENT_LEFT, m->group->name);
  state_end(m);
  group_leave(m);
}
