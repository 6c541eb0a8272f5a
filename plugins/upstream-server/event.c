/* SPDX-License-Identifier: Apache-2.0 */
/* event.c - events that go to an application server, and what comes back. */
#include <webpubsub/host.h>

#include "plugins/upstream-server/server.h"

struct event_job {
  struct peer_event base;
  int32_t registration; /* that takes it */
  bool with_payload;
  uint8_t reserved[3];
};

/* ---- who gets it ---- */

static bool takes(const struct peer_offer *offer, const struct wps_event *event,
                  struct peer_event *e)
{
  const struct registration *r = offer_match(offer, event);
  struct event_job *job;

  if (r == NULL || e == NULL)
    return r != NULL;
  job = LIST_ITEM(e, struct event_job, base);
  job->registration = r->id;
  job->with_payload = r->with_payload;
  return true;
}

const struct peers_ops server_peers_ops = {
    .nobody = "no application server of its hub is connected",
    .unwanted = "no application server takes it",
    .crowded = "too many events wait for the application servers that take it",
    .gone = "the application server has gone",
    .slow = "too much waits to be sent to the application server",
    .late = "the application server has not answered in time",
    .everywhere = "there are `max_connections` application servers",
    .known_max = PEERS_KNOWN_MAX,
    .event_size = sizeof(struct event_job),
    .takes = takes,
    .peer_free = server_free,
};

/* ---- answers ---- */

static void fail(struct peer_event *e, int status, const char *why)
{
  const struct peer_failure f = {.status = status, .why = why};

  peer_event_fail(e, &f);
}

void event_answered_badly(struct server *server, uint32_t ack_id,
                          const char *why)
{
  struct peer_event *e = peer_event_find(&server->peer, ack_id);

  if (e != NULL)
    fail(e, WPS_EPROTO, why);
}

void event_answered(struct server *server, const struct server_command *answer)
{
  struct peer_event *e = peer_event_find(&server->peer, answer->ack_id);
  const char *why = "";
  int rc;

  if (e == NULL)
    return; /* late, or never asked */
  rc = answer_give(server->service, e->event, answer, e->reply, &why);
  if (rc != WPS_OK)
    fail(e, rc, why);
  else
    peer_event_over(e);
}

/* ---- sending ---- */

/* Errors: EINTERNAL, ENOMEM. */
static int write_down(const struct event_job *job, struct wps_frame **frame)
{
  const struct peer_event *e = &job->base;
  const struct server *server = LIST_ITEM(e->peer, struct server, peer);
  struct command_room room = {NULL};
  struct server_notice notice;
  int rc = notice_read(e->event, job->with_payload, &room, &notice);

  if (rc == WPS_OK) {
    notice.ack_id = e->ack;
    notice.registration = job->registration;
    *frame = server_frame(server->codec, &notice);
    rc = *frame != NULL ? WPS_OK : WPS_ENOMEM;
  }
  command_room_clear(&room);
  return rc;
}

static uint64_t timeout_of(const struct server_service *s, uint32_t type)
{
  bool asked =
      (type & (WPS_EVENT_JOIN | WPS_EVENT_LEAVE | WPS_EVENT_PUBLISH)) != 0;

  return asked ? s->decision_ms : s->timeout_ms;
}

void event_deliver(struct server_service *s, const struct wps_event *event,
                   struct wps_reply *reply)
{
  struct peer_event *e =
      peer_event_new(&s->peers, event, reply, (struct wps_str){NULL, 0});
  struct wps_frame *frame = NULL;
  int rc;

  if (e == NULL)
    return;
  rc = write_down(LIST_ITEM(e, struct event_job, base), &frame);
  if (rc == WPS_OK)
    peer_event_send(e, frame, timeout_of(s, event->type));
  else
    fail(e, rc, wps->status_name(rc));
}
