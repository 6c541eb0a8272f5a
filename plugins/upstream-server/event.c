/* SPDX-License-Identifier: Apache-2.0 */
/* event.c - events that go to an application server, and what comes back. */
#include <stdlib.h>

#include <webpubsub/host.h>

#include "plugins/common/cloudevents/text.h"
#include "plugins/upstream-server/server.h"

enum { ACK_MAX = 0x7fffffff, REPORTS_PER_SECOND = 100 };

/* One event, from the worker of its client to that of the server. */
struct event_job {
  struct event_job *next; /* in its bucket */
  struct server *server;  /* NULL: none yet */
  const struct wps_event *event;
  struct wps_reply *reply; /* NULL: nobody waits */
  struct wps_frame *frame; /* until it has been sent */
  size_t frame_len;
  int64_t deadline_us;
  uint32_t ack;
  uint32_t reserved;
};

/* ---- the end of one ---- */

static void job_free(struct event_job *job)
{
  struct server *server = job->server;

  if (job->frame != NULL)
    wps->message->frame_unref(job->frame);
  wps->event->unref(job->event);
  free(job);
  if (server == NULL)
    return;
  server_event_over(server);
  server_unref(server);
}

static bool may_log(struct server_service *s, uint32_t *hidden)
{
  int64_t now_us = wps->worker->unix_ms() * 1000;
  bool pass;

  pthread_mutex_lock(&s->lock);
  pass = limiter_pass(&s->failures, now_us, REPORTS_PER_SECOND, hidden);
  pthread_mutex_unlock(&s->lock);
  return pass;
}

/* The core writes the detail of what a client waits for. */
static void report(struct server_service *s, const struct event_job *job,
                   struct wps_str words)
{
  const uint32_t by_core =
      WPS_EVENT_MESSAGE | WPS_EVENT_JOIN | WPS_EVENT_LEAVE | WPS_EVENT_PUBLISH;
  uint32_t hidden = 0;

  if ((job->event->type & by_core) != 0 || !may_log(s, &hidden))
    return;
  wps->log->write(s->self, NULL, WPS_LOG_WARN, "%.*s", STR_ARG(words));
  if (hidden > 0)
    wps->log->write(s->self, NULL, WPS_LOG_WARN,
                    "%u more events failed since then", hidden);
}

static void fail(struct server_service *s, struct event_job *job, int status,
                 const char *why)
{
  struct text words = {0};

  report_operation(&words, job->event);
  text_printf(&words, " failed: %s. (connection %.*s)", why,
              STR_ARG(job->event->conn));
  report(s, job, text_str(&words));
  if (job->reply == NULL)
    ;
  else if (job->event->type == WPS_EVENT_CONNECTED)
    wps->reply->ok(job->reply); /* only that it is over counts */
  else
    wps->reply->fail(job->reply, status, text_str(&words));
  text_free(&words);
  job_free(job);
}

/* ---- those under way; on the server's worker ---- */

static struct event_job **find(struct server *server, uint32_t ack)
{
  struct event_job **at = &server->jobs[ack % JOB_BUCKETS];

  while (*at != NULL && (*at)->ack != ack)
    at = &(*at)->next;
  return at;
}

static struct event_job *take_out(struct event_job **at)
{
  struct event_job *job = *at;

  *at = job->next;
  job->next = NULL;
  return job;
}

static void expire(struct wps_conn *conn, void *arg);

/* The timer goes at `deadline_us` at the latest. */
static void await(struct server *server, struct wps_conn *conn,
                  int64_t deadline_us)
{
  int64_t left_us = deadline_us - wps->worker->now_us(server->worker);
  uint64_t ms = left_us > 0 ? ((uint64_t)left_us + 999) / 1000 : 0;

  if (server->expiry != NULL && server->expiry_us <= deadline_us)
    return;
  if (server->expiry != NULL)
    wps->conn->timer_stop(server->expiry);
  server->expiry_us = deadline_us;
  server->expiry = wps->conn->timer_start(conn, ms, 0, expire, server);
}

static void expire(struct wps_conn *conn, void *arg)
{
  struct server *server = arg;
  int64_t now_us = wps->worker->now_us(server->worker), next_us = INT64_MAX;

  server->expiry = NULL;
  for (size_t i = 0; i < JOB_BUCKETS; i++)
    for (struct event_job **at = &server->jobs[i]; *at != NULL;) {
      if ((*at)->deadline_us <= now_us) {
        fail(server->service, take_out(at), WPS_ETIMEOUT,
             "the application server has not answered in time");
        continue;
      }
      if ((*at)->deadline_us < next_us)
        next_us = (*at)->deadline_us;
      at = &(*at)->next;
    }
  if (next_us != INT64_MAX)
    await(server, conn, next_us);
}

void event_fail_all(struct server *server)
{
  for (size_t i = 0; i < JOB_BUCKETS; i++)
    while (server->jobs[i] != NULL)
      fail(server->service, take_out(&server->jobs[i]), WPS_EUNAVAILABLE,
           "the application server has gone");
}

void event_answered_badly(struct server *server, uint32_t ack_id,
                          const char *why)
{
  struct event_job **at = find(server, ack_id);

  if (*at != NULL)
    fail(server->service, take_out(at), WPS_EPROTO, why);
}

void event_answered(struct server *server, const struct server_command *answer)
{
  struct event_job **at = find(server, answer->ack_id), *job = *at;
  const char *why = "";
  int rc;

  if (job == NULL)
    return; /* late, or never asked */
  take_out(at);
  rc = answer_give(server->service, job->event, answer, job->reply, &why);
  if (rc != WPS_OK)
    fail(server->service, job, rc, why);
  else
    job_free(job);
}

/* ---- sending ---- */

static void send_job(struct wps_conn *conn, void *arg)
{
  struct event_job *job = arg;
  struct server *server = job->server;
  const char *why = "the application server has gone";
  int rc = WPS_ECLOSED;

  atomic_fetch_sub(&server->posted, job->frame_len);
  if (conn != NULL && atomic_load(&server->full))
    why = "too much waits to be sent to the application server";
  else if (conn != NULL)
    rc = server_send(server, conn, job->frame);
  wps->message->frame_unref(job->frame);
  job->frame = NULL;
  if (rc != WPS_OK && rc != WPS_EAGAIN) {
    fail(server->service, job, rc == WPS_ENOMEM ? rc : WPS_EUNAVAILABLE,
         rc == WPS_ENOMEM ? "out of memory" : why);
    return;
  }
  job->next = server->jobs[job->ack % JOB_BUCKETS];
  server->jobs[job->ack % JOB_BUCKETS] = job;
  await(server, conn, job->deadline_us);
}

/* Errors: EINTERNAL, ENOMEM. */
static int write_down(struct event_job *job, bool with_payload,
                      int32_t registration)
{
  struct command_room room = {NULL};
  struct server_notice notice;
  int rc = notice_read(job->event, with_payload, &room, &notice);

  if (rc == WPS_OK) {
    notice.ack_id = job->ack;
    notice.registration = registration;
    job->frame = server_frame(job->server->codec, &notice);
    rc = job->frame != NULL ? WPS_OK : WPS_ENOMEM;
  }
  command_room_clear(&room);
  return rc;
}

static uint32_t next_ack(struct server *server)
{
  uint32_t n;

  do
    n = (atomic_fetch_add(&server->next_ack, 1) + 1) & ACK_MAX;
  while (n == 0);
  return n;
}

static int64_t deadline_of(const struct server_service *s, uint32_t type)
{
  bool asked =
      (type & (WPS_EVENT_JOIN | WPS_EVENT_LEAVE | WPS_EVENT_PUBLISH)) != 0;
  uint64_t ms = asked ? s->decision_ms : s->timeout_ms;

  return wps->worker->now_us(wps->worker->current()) + (int64_t)ms * 1000;
}

void event_deliver(struct server_service *s, const struct wps_event *event,
                   struct wps_reply *reply)
{
  struct event_job *job = calloc(1, sizeof(*job));
  bool with_payload = false;
  int32_t registration = 0;
  const char *why = "";
  int rc;

  if (job == NULL) {
    if (reply != NULL)
      wps->reply->fail(reply, WPS_ENOMEM, STR("out of memory"));
    return;
  }
  job->event = wps->event->ref(event);
  job->reply = reply;
  job->server = servers_choose(s, event, &with_payload, &registration, &why);
  if (job->server == NULL) {
    fail(s, job, WPS_EUNAVAILABLE, why);
    return;
  }
  job->ack = next_ack(job->server);
  job->deadline_us = deadline_of(s, event->type);
  rc = write_down(job, with_payload, registration);
  if (rc != WPS_OK) {
    fail(s, job, rc, wps->status_name(rc));
    return;
  }
  job->frame_len = wps->message->frame_bytes(job->frame).len;
  atomic_fetch_add(&job->server->posted, job->frame_len);
  if (wps->conn->post(job->server->ref, send_job, job) == WPS_OK)
    return;
  atomic_fetch_sub(&job->server->posted, job->frame_len);
  fail(s, job, WPS_ENOMEM, "out of memory");
}
