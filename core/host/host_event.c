/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/client_events.h"
#include "conn/event_calls.h"
#include "host/contract.h"
#include "host/host.h"
#include "hub/filter.h"
#include "msg/event.h"

void host_event_cancel(struct wps_conn *c, void *arg, uint64_t tag)
{
  CONTRACT_CONN(c, "hub->event_cancel");
  event_calls_cancel(c, arg, tag);
}

int host_ask(struct wps_conn *c, const struct wps_client_request *what,
             wps_conn_done_fn done, void *arg, uint64_t tag)
{
  CONTRACT_CONN(c, "hub->ask");
  return client_events_ask(c, what, done, arg, tag);
}

static bool matches(const struct wps_event *event,
                    const struct wps_filter *filter)
{
  const struct hub_facts facts = {event->conn, event->user, event->subprotocol};
  const struct wps_conn *c = conn_find(event->ref);

  return filter_match(filter, c != NULL ? &c->client : NULL, &facts);
}

const struct wps_event_api host_event_api = {
    .struct_size = sizeof(host_event_api),
    .ref = event_view_ref,
    .unref = event_view_unref,
    .answer = event_answer,
    .keep = event_keep,
    .kept = event_kept,
    .matches = matches,
};
