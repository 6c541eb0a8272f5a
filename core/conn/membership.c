/* SPDX-License-Identifier: Apache-2.0 */
/* conn/membership.c - a client and its groups. */
#include "conn/membership.h"

#include "base/check.h"
#include "hub/pending.h"

int membership_update(struct wps_member *m, const struct wps_membership *how)
{
  const uint32_t known = WPS_MEMBER_DELIVER | WPS_MEMBER_VARIANT;

  if ((how->flags & ~known) != 0 || how->variant >= WPS_MAX_VARIANTS)
    return WPS_EINVAL;
  pending_settle(m->client);
  if ((m->kinds & 1u << WPS_MSG_DATA) == 0)
    m->seen = m->group->published;
  m->flags = how->flags;
  m->variant = (uint16_t)how->variant;
  m->kinds = how->kinds != 0 ? how->kinds : 1u << WPS_MSG_DATA;
  m->data = how->data;
  return WPS_OK;
}

int membership_begin(struct wps_conn *c, struct wps_str group,
                     const struct wps_membership *how, uint32_t by,
                     struct wps_member **out)
{
  bool fresh;
  int rc;

  if (!group_name_ok(group))
    return WPS_EINVAL;
  if (!conn_alive(c) || c->client.hw == NULL)
    return WPS_ECLOSED;
  if (c->client.member_count >= conn_server_of(c)->limits.groups_max &&
      group_membership(&c->client, group) == NULL)
    return WPS_ELIMIT;
  rc = group_join(&c->client, group, ++c->next_serial, out, &fresh);
  if (rc != WPS_OK)
    return rc;
  if (how != NULL) {
    rc = membership_update(*out, how);
    if (rc != WPS_OK) {
      if (fresh)
        group_leave(*out);
      return rc;
    }
  }
  if (fresh && by != WPS_BY_SELF && WPS_CAN(c->ops, joined))
    c->ops->joined(c, c->own, *out, by);
  return WPS_OK;
}

void membership_end(struct wps_conn *c, struct wps_member *m, uint32_t by)
{
  /* left() may ask to leave once more. */
  if (m->ending != 0)
    return;
  m->ending = 1;
  if ((c->flags & CONN_GREETED) != 0 && WPS_CAN(c->ops, left))
    c->ops->left(c, c->own, m, m->data, by);
  group_leave(m);
}
