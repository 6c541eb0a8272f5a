/* SPDX-License-Identifier: Apache-2.0 */
/* event.c - events that go through a tunnel, and what comes back. */
#include <stdlib.h>
#include <string.h>

#include <webpubsub/host.h>
#include <webpubsub/status.h>

#include "plugins/common/cloudevents/answer.h"
#include "plugins/common/cloudevents/request.h"
#include "plugins/common/cloudevents/url.h"
#include "plugins/upstream-tunnel/message.h"
#include "plugins/upstream-tunnel/tunnel.h"

enum {
  EVENT_MAX = 8 * 1024 * 1024, /* bytes of its frame                 */
  PIECES_MAX = 64 * 1024 * 1024,
  METADATA_MAX = 1024, /* headers of an answer               */
  ACK_MAX = 0x7fffffff,
  REPORTS_PER_SECOND = 100
};

/* One event, from the worker of its client to that of the tunnel. */
struct event_job {
  struct event_job *next; /* in its bucket */
  struct tunnel *tunnel;  /* NULL: none yet */
  const struct wps_event *event;
  struct wps_reply *reply; /* NULL: nobody waits */
  struct wps_str url;      /* as configured */
  struct wps_frame *frame; /* until it has been sent */
  size_t frame_len;
  int64_t deadline_us;
  uint32_t ack;
  bool begun; /* of its answer there is a first piece: */
  uint8_t reserved[3];
  struct tunnel_message first; /* its code, and those headers that count */
  struct wps_pair *head;       /* they, and behind them their strings    */
  size_t head_len;
  struct text body;
};

/* Why nothing came of it. */
struct failure {
  int status;
  uint32_t code; /* the application answered with it; else `why` */
  const char *why;
};

/* ---- configuration ---- */

static const struct wps_config_item handler_items[] = {
    {.key = "timeout",
     .type = WPS_CONF_DURATION_MS,
     .min = 10,
     .max = 3600 * 1000,
     .help = "how long the application may take to answer an event"},
};
const struct wps_config_schema event_handler_schema =
    WPS_CONFIG_SCHEMA(handler_items);

int event_check_handler(const struct wps_config *cfg)
{
  struct url_template url;
  char why[200];

  if (url_tunnel_read(wps->config->get_str(cfg, "url"), &url, why,
                      sizeof(why)) == WPS_OK)
    return WPS_OK;
  return wps->config->error(cfg, "url", "%s", why);
}

/* ---- the end of one ---- */

static void job_free(struct event_job *job)
{
  struct tunnel *t = job->tunnel;

  free(job->head);
  text_free(&job->body);
  if (job->frame != NULL)
    wps->message->frame_unref(job->frame);
  wps->event->unref(job->event);
  free(job);
  if (t == NULL)
    return;
  tunnel_event_over(t);
  tunnel_unref(t);
}

static void describe(struct text *out, const struct event_job *job,
                     const struct failure *f)
{
  report_operation(out, job->event);
  if (f->code != 0)
    text_printf(out, " got unexpected response with status code %u.", f->code);
  else
    text_printf(out, " failed: %s.", f->why);
  text_printf(out, " (connection %.*s, %.*s)", STR_ARG(job->event->conn),
              STR_ARG(url_for_log(job->url)));
  text_terminate(out);
}

static bool may_log(struct tunnel_service *s, uint32_t *hidden)
{
  int64_t now_us = wps->worker->unix_ms() * 1000;
  bool pass;

  pthread_mutex_lock(&s->lock);
  pass = limiter_pass(&s->failures, now_us, REPORTS_PER_SECOND, hidden);
  pthread_mutex_unlock(&s->lock);
  return pass;
}

/* The core writes the detail of a failed message event, and nothing of the
 * others. */
static void report(struct tunnel_service *s, const struct event_job *job,
                   const struct failure *f, struct text *words)
{
  bool refusal =
      job->event->type == WPS_EVENT_CONNECT && f->code >= 400 && f->code < 500;
  uint32_t hidden = 0;

  describe(words, job, f);
  if (job->event->type == WPS_EVENT_MESSAGE || words->failed ||
      !may_log(s, &hidden))
    return;
  wps->log->write(s->self, NULL, refusal ? WPS_LOG_INFO : WPS_LOG_WARN, "%s%s",
                  f->code != 0 ? "HttpHandlerUnexpectedResponse: " : "",
                  words->ptr);
  if (hidden > 0)
    wps->log->write(s->self, NULL, WPS_LOG_WARN,
                    "%u more events failed since then", hidden);
}

static void fail(struct tunnel_service *s, struct event_job *job,
                 const struct failure *f)
{
  struct text words = {0};

  report(s, job, f, &words);
  if (job->reply == NULL)
    ;
  else if (job->event->type == WPS_EVENT_CONNECTED)
    wps->reply->ok(job->reply); /* only that it is over counts */
  else
    wps->reply->fail(job->reply, f->status, text_str(&words));
  text_free(&words);
  job_free(job);
}

/* ---- those under way; on the tunnel's worker ---- */

static struct event_job **find(struct tunnel *t, uint64_t ack)
{
  struct event_job **at = &t->jobs[ack % JOB_BUCKETS];

  while (*at != NULL && (*at)->ack != ack)
    at = &(*at)->next;
  return at;
}

static void take_out(struct tunnel *t, struct event_job **at)
{
  struct event_job *job = *at;

  t->piece_bytes -= job->head_len + job->body.len;
  *at = job->next;
  job->next = NULL;
}

static void fail_at(struct tunnel *t, struct event_job **at,
                    const struct failure *f)
{
  struct event_job *job = *at;

  take_out(t, at);
  fail(t->service, job, f);
}

static void expire(struct wps_conn *conn, void *arg);

/* The timer goes at `deadline_us` at the latest. */
static void await(struct tunnel *t, struct wps_conn *conn, int64_t deadline_us)
{
  int64_t left_us = deadline_us - wps->worker->now_us(t->worker);
  uint64_t ms = left_us > 0 ? ((uint64_t)left_us + 999) / 1000 : 0;

  if (t->expiry != NULL && t->expiry_us <= deadline_us)
    return;
  if (t->expiry != NULL)
    wps->conn->timer_stop(t->expiry);
  t->expiry_us = deadline_us;
  t->expiry = wps->conn->timer_start(conn, ms, 0, expire, t);
}

static void expire(struct wps_conn *conn, void *arg)
{
  const struct failure late = {.status = WPS_ETIMEOUT,
                               .why = "its time (`timeout`) is over"};
  struct tunnel *t = arg;
  int64_t now_us = wps->worker->now_us(t->worker), next_us = INT64_MAX;

  t->expiry = NULL;
  for (size_t i = 0; i < JOB_BUCKETS; i++)
    for (struct event_job **at = &t->jobs[i]; *at != NULL;) {
      if ((*at)->deadline_us <= now_us) {
        fail_at(t, at, &late);
        continue;
      }
      if ((*at)->deadline_us < next_us)
        next_us = (*at)->deadline_us;
      at = &(*at)->next;
    }
  if (next_us != INT64_MAX)
    await(t, conn, next_us);
}

void event_fail_all(struct tunnel *t)
{
  const struct failure closed = {.status = WPS_EUNAVAILABLE,
                                 .why = "the tunnel has closed"};

  for (size_t i = 0; i < JOB_BUCKETS; i++)
    while (t->jobs[i] != NULL)
      fail_at(t, &t->jobs[i], &closed);
}

/* ---- answers ---- */

static const char pieces_too_long[] =
    "answers in pieces, of all events together, are longer than 64 MiB";

/* A line break would be something else elsewhere. */
static bool is_line(struct wps_str value)
{
  for (size_t i = 0; i < value.len; i++)
    if (value.ptr[i] == '\r' || value.ptr[i] == '\n' || value.ptr[i] == '\0')
      return false;
  return true;
}

/* `metadata` has room for all headers. */
static void read_headers(const struct tunnel_message *m,
                         struct wps_pair *metadata, struct ce_answer *a)
{
  struct wps_str key;

  a->metadata = metadata;
  for (size_t i = 0; i < m->header_count; i++) {
    const struct wps_pair *h = &m->headers[i];

    if (!is_line(h->value))
      continue;
    if (str_equal_fold(h->name, STR("Content-Type")))
      a->type = h->value;
    else if (str_equal_fold(h->name, STR("ce-connectionState")))
      a->state = h->value; /* the last one counts (3.5) */
    else if (azure_metadata_key(h->name, &key) && key.len > 0 &&
             a->metadata_count < METADATA_MAX)
      metadata[a->metadata_count++] = *h;
  }
}

/* Consumes the reply, or says why not. */
static int accept_answer(struct tunnel_service *s, struct event_job *job,
                         const struct ce_answer *a, struct failure *f)
{
  bool success = a->code >= 200 && a->code < 300;

  if (success) {
    f->status = ce_answer_accept(s->self, job->event, a, job->reply, &f->why);
    return f->status;
  }
  f->code = a->code;
  f->status = WPS_EUNAVAILABLE;
  if (job->event->type == WPS_EVENT_CONNECT && a->code >= 400 &&
      a->code <= 599) {
    struct text words = {0};

    report(s, job, f, &words);
    text_free(&words);
    ce_answer_refuse(a, job->reply);
    return WPS_OK;
  }
  return f->status;
}

/* It is out of the table. */
static void judge(struct tunnel_service *s, struct event_job *job,
                  const struct tunnel_message *m, struct wps_str body)
{
  struct failure f = {.status = WPS_ENOMEM, .why = "out of memory"};
  struct ce_answer a = {.code = m->code, .body = body};
  struct wps_pair *metadata = calloc(m->header_count + 1, sizeof(*metadata));
  int rc = WPS_ENOMEM;

  if (metadata != NULL) {
    read_headers(m, metadata, &a);
    if (m->code >= 400 && a.body.len > CE_REFUSAL_MAX)
      a.body.len = CE_REFUSAL_MAX;
    rc = accept_answer(s, job, &a, &f);
  }
  if (rc == WPS_OK)
    job_free(job);
  else
    fail(s, job, &f);
  free(metadata);
}

static bool is_wanted(struct wps_str name)
{
  struct wps_str key;

  return str_equal_fold(name, STR("Content-Type")) ||
         str_equal_fold(name, STR("ce-connectionState")) ||
         azure_metadata_key(name, &key);
}

static struct wps_str copy(char **at, struct wps_str s)
{
  struct wps_str out = {*at, s.len};

  if (s.len > 0)
    memcpy(*at, s.ptr, s.len);
  *at += s.len;
  return out;
}

/* Of the first piece, which says what the answer is. Its JSON as it came takes
 * thirty times its length. Errors: ETOOBIG, ENOMEM. */
static int keep_head(struct tunnel *t, struct event_job *job,
                     const struct tunnel_message *m, const char **why)
{
  size_t count = 0, len = 0;
  char *at;

  for (size_t i = 0; i < m->header_count; i++)
    if (is_wanted(m->headers[i].name)) {
      count++;
      len += m->headers[i].name.len + m->headers[i].value.len;
    }
  len += count * sizeof(*job->head);
  *why = pieces_too_long;
  if (len > PIECES_MAX - t->piece_bytes)
    return WPS_ETOOBIG;
  *why = "out of memory";
  job->head = malloc(len + 1);
  if (job->head == NULL)
    return WPS_ENOMEM;
  job->head_len = len;
  t->piece_bytes += len;
  at = (char *)(job->head + count);
  job->first = (struct tunnel_message){.code = m->code, .headers = job->head};
  for (size_t i = 0; i < m->header_count; i++)
    if (is_wanted(m->headers[i].name))
      job->head[job->first.header_count++] =
          (struct wps_pair){.name = copy(&at, m->headers[i].name),
                            .value = copy(&at, m->headers[i].value)};
  job->begun = true;
  return WPS_OK;
}

/* Errors: ETOOBIG, ENOMEM. */
static int add_piece(struct tunnel *t, struct event_job *job,
                     struct wps_bytes piece, const char **why)
{
  *why = "its answer is longer than 16 MiB";
  if (piece.len > CE_BODY_MAX - job->body.len)
    return WPS_ETOOBIG;
  *why = pieces_too_long;
  if (piece.len > PIECES_MAX - t->piece_bytes)
    return WPS_ETOOBIG;
  *why = "out of memory";
  text_add(&job->body, piece.ptr, piece.len);
  if (job->body.failed)
    return WPS_ENOMEM;
  t->piece_bytes += piece.len;
  return WPS_OK;
}

void event_answered(struct tunnel *t, const struct tunnel_message *m)
{
  struct event_job **at = find(t, m->ack), *job = *at;
  struct failure f = {0};

  if (job == NULL)
    return; /* late, or never asked */
  if (!job->begun && !m->not_completed) {
    take_out(t, at);
    judge(t->service, job, m, (struct wps_str){m->content.ptr, m->content.len});
    return;
  }
  if (!job->begun)
    f.status = keep_head(t, job, m, &f.why);
  if (f.status == WPS_OK)
    f.status = add_piece(t, job, m->content, &f.why);
  if (f.status != WPS_OK) {
    fail_at(t, at, &f);
    return;
  }
  if (m->not_completed)
    return;
  take_out(t, at);
  judge(t->service, job, &job->first, text_str(&job->body));
}

/* ---- sending ---- */

static void send_job(struct wps_conn *conn, void *arg)
{
  struct event_job *job = arg;
  struct tunnel *t = job->tunnel;
  struct failure f = {.status = WPS_EUNAVAILABLE,
                      .why = "the tunnel has closed"};
  int rc = WPS_ECLOSED;

  atomic_fetch_sub(&t->posted, job->frame_len);
  if (conn != NULL && atomic_load(&t->full))
    f.why = "too much waits to be sent through the tunnel";
  else if (conn != NULL)
    rc = tunnel_send(t, conn, job->frame);
  if (rc == WPS_ENOMEM) {
    f.status = rc;
    f.why = "out of memory";
  }
  wps->message->frame_unref(job->frame);
  job->frame = NULL;
  if (rc != WPS_OK && rc != WPS_EAGAIN) {
    fail(t->service, job, &f);
    return;
  }
  job->next = t->jobs[job->ack % JOB_BUCKETS];
  t->jobs[job->ack % JOB_BUCKETS] = job;
  await(t, conn, job->deadline_us);
}

/* The request as headers of a message. NULL: out of memory. */
static struct wps_pair *pairs_of(const struct request *r)
{
  struct wps_pair *pairs = calloc(r->lines + 1u, sizeof(*pairs));
  size_t at = 0;

  for (uint32_t i = 0; pairs != NULL && i < r->lines; i++)
    request_next(r, &at, &pairs[i]);
  return pairs;
}

static struct wps_frame *frame_of(const struct event_job *job,
                                  const struct request *r)
{
  struct tunnel_message m = {.type = TUNNEL_REQUEST,
                             .ack = job->ack,
                             .method = STR("POST"),
                             .url = text_str(&r->url),
                             .channel = STR(""),
                             .header_count = r->lines,
                             .content = r->body};
  struct wps_pair *pairs = pairs_of(r);
  struct wps_frame *frame;

  if (pairs == NULL)
    return NULL;
  m.headers = pairs;
  frame = tunnel_frame(&m);
  free(pairs);
  return frame;
}

/* Errors: EINVAL, ETOOBIG, ENOMEM. */
static int write_down(struct event_job *job, struct failure *f)
{
  const struct url_template url = {.text = job->url,
                                   .path = sizeof("tunnel://") - 1};
  struct tunnel_service *s = job->tunnel->service;
  const struct request_context context = {.url = &url,
                                          .origin = str_of(s->origin)};
  struct request r;
  int rc;

  memset(&r, 0, sizeof(r));
  f->why = "out of memory";
  rc = request_event(&r, &context, job->event, &f->why);
  if (rc == WPS_OK && r.body.len > EVENT_MAX) {
    f->why = "it is longer than 8 MiB";
    rc = WPS_ETOOBIG;
  }
  if (rc == WPS_OK) {
    job->frame = frame_of(job, &r);
    rc = job->frame != NULL ? WPS_OK : WPS_ENOMEM;
  }
  request_free(&r);
  f->status = rc;
  return rc;
}

static uint32_t next_ack(struct tunnel *t)
{
  uint32_t n;

  do
    n = (atomic_fetch_add(&t->next_ack, 1) + 1) & ACK_MAX;
  while (n == 0);
  return n;
}

/* The tunnel that carries this client's events: the one it had, if it can. */
static struct tunnel *tunnel_for(struct tunnel_service *s,
                                 const struct wps_event *event,
                                 const char **why)
{
  struct wps_bytes note = wps->event->kept(s->self, event);
  uint64_t serial = 0;
  struct tunnel *t;

  if (note.len == sizeof(serial))
    memcpy(&serial, note.ptr, sizeof(serial));
  t = tunnels_choose(s, event->hub, serial, why);
  if (t != NULL && t->serial != serial && event->type != WPS_EVENT_DISCONNECTED)
    wps->event->keep(s->self, event,
                     (struct wps_bytes){&t->serial, sizeof(t->serial)});
  return t;
}

static int64_t deadline_of(const struct tunnel_service *s,
                           const struct wps_handler *handler)
{
  uint64_t ms = s->timeout_ms;

  if (handler->cfg != NULL && wps->config->has(handler->cfg, "timeout"))
    ms = (uint64_t)wps->config->get_int(handler->cfg, "timeout");
  return wps->worker->now_us(wps->worker->current()) + (int64_t)ms * 1000;
}

void event_deliver(struct tunnel_service *s, const struct wps_handler *handler,
                   const struct wps_event *event, struct wps_reply *reply)
{
  struct failure f = {.status = WPS_EUNAVAILABLE};
  struct event_job *job = calloc(1, sizeof(*job));
  struct tunnel *t;

  if (job == NULL) {
    if (reply != NULL)
      wps->reply->fail(reply, WPS_ENOMEM, STR("out of memory"));
    return;
  }
  job->event = wps->event->ref(event);
  job->reply = reply;
  job->url = handler->url;
  t = tunnel_for(s, event, &f.why);
  if (t == NULL) {
    fail(s, job, &f);
    return;
  }
  job->tunnel = t;
  job->ack = next_ack(t);
  job->deadline_us = deadline_of(s, handler);
  if (write_down(job, &f) != WPS_OK) {
    fail(s, job, &f);
    return;
  }
  job->frame_len = wps->message->frame_bytes(job->frame).len;
  atomic_fetch_add(&t->posted, job->frame_len);
  if (wps->conn->post(t->ref, send_job, job) == WPS_OK)
    return;
  atomic_fetch_sub(&t->posted, job->frame_len);
  f.status = WPS_ENOMEM;
  f.why = "out of memory";
  fail(s, job, &f);
}
