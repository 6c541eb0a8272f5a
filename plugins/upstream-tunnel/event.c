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
  METADATA_MAX = 1024 /* headers of an answer               */
};

struct event_job {
  struct peer_event base;
  bool begun; /* of its answer there is a first piece: */
  uint8_t reserved[7];
  struct tunnel_message first; /* its code, and those headers that count */
  struct wps_pair *head;       /* they, and behind them their strings    */
  size_t head_len;
  struct text body;
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

/* ---- what is ours of it ---- */

static struct event_job *job_of(struct peer_event *e)
{
  return LIST_ITEM(e, struct event_job, base);
}

static struct tunnel *tunnel_of(struct peer *p)
{
  return LIST_ITEM(p, struct tunnel, peer);
}

static void clear(struct peer_event *e)
{
  struct event_job *job = job_of(e);

  if (job->begun)
    tunnel_of(e->peer)->piece_bytes -= job->head_len + job->body.len;
  free(job->head);
  text_free(&job->body);
}

const struct peers_ops tunnel_peers_ops = {
    .nobody = "no tunnel of its hub is connected",
    .unwanted = "no tunnel of its hub is connected",
    .crowded = "too many events wait in the tunnels of its hub",
    .gone = "the tunnel has closed",
    .slow = "too much waits to be sent through the tunnel",
    .late = "its time (`timeout`) is over",
    .everywhere = "there are `max_connections` tunnels",
    .known_max = 1,
    .event_size = sizeof(struct event_job),
    .peer_free = tunnel_free,
    .event_clear = clear,
};

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
static int accept_answer(struct tunnel_service *s, struct peer_event *e,
                         const struct ce_answer *a, struct peer_failure *f)
{
  bool success = a->code >= 200 && a->code < 300;

  if (success) {
    f->status = ce_answer_accept(s->peers.self, e->event, a, e->reply, &f->why);
    return f->status;
  }
  f->code = a->code;
  f->status = WPS_EUNAVAILABLE;
  if (e->event->type == WPS_EVENT_CONNECT && a->code >= 400 && a->code <= 599) {
    struct text words = {0};

    peer_event_report(e, f, &words);
    text_free(&words);
    ce_answer_refuse(a, e->reply);
    return WPS_OK;
  }
  return f->status;
}

/* The whole of an answer. */
static void judge(struct tunnel_service *s, struct peer_event *e,
                  const struct tunnel_message *m, struct wps_str body)
{
  struct peer_failure f = {.status = WPS_ENOMEM, .why = "out of memory"};
  struct ce_answer a = {.code = m->code, .body = body};
  struct wps_pair *metadata = calloc(m->header_count + 1, sizeof(*metadata));
  int rc = WPS_ENOMEM;

  if (metadata != NULL) {
    read_headers(m, metadata, &a);
    if (m->code >= 400 && a.body.len > CE_REFUSAL_MAX)
      a.body.len = CE_REFUSAL_MAX;
    rc = accept_answer(s, e, &a, &f);
  }
  if (rc == WPS_OK)
    peer_event_over(e);
  else
    peer_event_fail(e, &f);
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
  struct peer_event *e = peer_event_find(&t->peer, m->ack);
  struct event_job *job = e != NULL ? job_of(e) : NULL;
  struct peer_failure f = {0};

  if (e == NULL)
    return; /* late, or never asked */
  if (!job->begun && !m->not_completed) {
    judge(t->service, e, m, (struct wps_str){m->content.ptr, m->content.len});
    return;
  }
  if (!job->begun)
    f.status = keep_head(t, job, m, &f.why);
  if (f.status == WPS_OK)
    f.status = add_piece(t, job, m->content, &f.why);
  if (f.status != WPS_OK)
    peer_event_fail(e, &f);
  else if (!m->not_completed)
    judge(t->service, e, &job->first, text_str(&job->body));
}

/* ---- sending ---- */

/* The request as headers of a message. NULL: out of memory. */
static struct wps_pair *pairs_of(const struct request *r)
{
  struct wps_pair *pairs = calloc(r->lines + 1u, sizeof(*pairs));
  size_t at = 0;

  for (uint32_t i = 0; pairs != NULL && i < r->lines; i++)
    request_next(r, &at, &pairs[i]);
  return pairs;
}

static struct wps_frame *frame_of(uint32_t ack, const struct request *r)
{
  struct tunnel_message m = {.type = TUNNEL_REQUEST,
                             .ack = ack,
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
static int write_down(const struct tunnel_service *s,
                      const struct peer_event *e, struct wps_frame **frame,
                      const char **why)
{
  const struct url_template url = {.text = e->url,
                                   .path = sizeof("tunnel://") - 1};
  const struct request_context context = {.url = &url,
                                          .origin = str_of(s->origin)};
  struct request r;
  int rc;

  memset(&r, 0, sizeof(r));
  *why = "out of memory";
  rc = request_event(&r, &context, e->event, why);
  if (rc == WPS_OK && r.body.len > EVENT_MAX) {
    *why = "it is longer than 8 MiB";
    rc = WPS_ETOOBIG;
  }
  if (rc == WPS_OK) {
    *frame = frame_of(e->ack, &r);
    rc = *frame != NULL ? WPS_OK : WPS_ENOMEM;
  }
  request_free(&r);
  return rc;
}

static uint64_t timeout_of(const struct tunnel_service *s,
                           const struct wps_handler *handler)
{
  if (handler->cfg != NULL && wps->config->has(handler->cfg, "timeout"))
    return (uint64_t)wps->config->get_int(handler->cfg, "timeout");
  return s->timeout_ms;
}

void event_deliver(struct tunnel_service *s, const struct wps_handler *handler,
                   const struct wps_event *event, struct wps_reply *reply)
{
  struct peer_event *e = peer_event_new(&s->peers, event, reply, handler->url);
  struct wps_frame *frame = NULL;
  struct peer_failure f = {0};

  if (e == NULL)
    return;
  f.status = write_down(s, e, &frame, &f.why);
  if (f.status == WPS_OK)
    peer_event_send(e, frame, timeout_of(s, handler));
  else
    peer_event_fail(e, &f);
}
