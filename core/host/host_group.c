/* SPDX-License-Identifier: Apache-2.0 */
#include "host/contract.h"
#include "host/host.h"
#include "hub/roles.h"
#include "hub/state.h"
#include "hub/tap.h"

int host_member_state(struct wps_member *m, const struct wps_pair *entries,
                      size_t count)
{
  CONTRACT_MEMBER(m, "hub->member_state");
  return state_set(m, entries, count);
}

int host_member_watch(struct wps_member *m, wps_states_fn done, void *arg,
                      uint64_t tag)
{
  CONTRACT_MEMBER(m, "hub->member_watch");
  return state_watch(m, done, arg, tag);
}

void host_member_unwatch(struct wps_member *m)
{
  CONTRACT_MEMBER(m, "hub->member_unwatch");
  state_unwatch(m);
}

int host_tap(struct wps_instance *self, struct wps_str hub,
             struct wps_str group, wps_tap_fn fn, void *arg,
             struct wps_tap **out)
{
  struct wps_worker *w = worker_current();

  UNUSED(self);
  if (w == NULL || w->hubs == NULL || fn == NULL)
    return WPS_EINVAL;
  return tap_new(w, hub, group, fn, arg, out);
}

void host_untap(struct wps_tap *tap)
{
  tap_free(tap);
}

bool host_pattern_match(struct wps_str pattern, struct wps_str text)
{
  const char *why;

  return role_pattern_ok(pattern, &why) && role_pattern_match(pattern, text);
}
