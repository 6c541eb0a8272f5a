/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/bench_speak.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "ctl/bench_process.h"

/* The server waits for no more than 1000 of them. */
enum { ACK_AFTER = 64 };

static const char *const subprotocols[] = {
    NULL, "json.webpubsub.azure.v1", "json.reliable.webpubsub.azure.v1", NULL};

/* Messages go as they are, and nothing else is said. */
static bool bare(const struct traffic *t)
{
  return t->o->protocol == BENCH_SIMPLE || t->o->protocol == BENCH_RAW;
}

/* ---- requests ---- */

static bool raw_prepare(struct traffic *t, const struct access *a,
                        struct client *c)
{
  const char *what = c->publisher == NULL ? "sub"
                     : c->tracks != NULL  ? "echo"
                                          : "pub";
  char target[64], why[256], *url = access_url(a, "");
  struct net_url parts;
  bool ok = url != NULL && net_url_parse(url, &parts, why, sizeof(why));

  snprintf(target, sizeof(target), "/%s/%s%u", what, t->prefix, c->group);
  parts.target = target;
  ok = ok && client_prepare(&t->clients, c, &parts, "");
  free(url);
  return ok;
}

bool speak_prepare(struct traffic *t, struct access *a, struct client *c,
                   unsigned number)
{
  bool simple = t->o->protocol == BENCH_SIMPLE;
  char user[32], group[32], query[96] = "", why[256];
  char *token = NULL, *url = NULL;
  struct net_url parts;
  bool ok = false;

  if (t->o->protocol == BENCH_RAW)
    return raw_prepare(t, a, c);
  snprintf(user, sizeof(user), "u%u", number);
  snprintf(group, sizeof(group), "%s%u", t->prefix, c->group);
  a->user = user;
  a->groups.count = 0;
  /* A simple client cannot join: its token says where it is. */
  if (simple && (c->tracks != NULL || c->publisher == NULL))
    repeated_add(&a->groups, group);
  if (simple && c->publisher != NULL)
    snprintf(query, sizeof(query),
             "&webpubsub_mode=sendToGroup&group=%s&noEcho=%s", group,
             c->tracks != NULL ? "false" : "true");
  if (t->o->token == NULL && (token = access_token(a)) == NULL)
    goto out;
  if ((url = access_url(a, token != NULL ? token : t->o->token)) == NULL)
    goto out;
  ok = net_url_parse(url, &parts, why, sizeof(why)) &&
       client_prepare(&t->clients, c, &parts, query);

out:
  a->user = NULL;
  free(token);
  free(url);
  return ok;
}

bool speak_publisher(struct traffic *t, struct publisher *p)
{
  size_t size = (size_t)t->o->size, body_at, ack_at = 0;
  struct buf text;
  bool ok;

  buf_init(&text, size + 1024);
  if (!bare(t)) {
    buf_printf(&text, "{\"type\":\"sendToGroup\",\"group\":\"%s%u\",",
               t->prefix, p->client->group);
    if (t->o->scenario == BENCH_ROUNDTRIPS) {
      buf_add_c(&text, "\"ackId\":");
      ack_at = text.len;
      buf_printf(&text, "%llu,", (unsigned long long)ACK_FIRST);
    }
    buf_add_c(&text, "\"noEcho\":true,\"dataType\":\"text\",\"data\":\"");
  }
  body_at = text.len;
  ok = buf_reserve(&text, size) == WPS_OK;
  if (ok) {
    body_fill(t, p->number, text.data + text.len);
    text.len += size;
    if (!bare(t))
      buf_add_c(&text, "\"}");
    ok = !text.failed &&
         publisher_init(t, p, text.data, text.len, body_at, ack_at);
  }
  buf_free(&text);
  return ok;
}

/* ---- what the server says ---- */

static bool holds(const char *text, size_t len, const char *part)
{
  return memmem(text, len, part, strlen(part)) != NULL;
}

/* The number behind `name`; false without one. */
static bool number_of(const char *text, size_t len, const char *name,
                      uint64_t *out)
{
  const char *at = memmem(text, len, name, strlen(name)), *end = text + len;

  if (at == NULL)
    return false;
  *out = 0;
  for (at += strlen(name); at < end && *at >= '0' && *at <= '9'; at++)
    *out = *out * 10 + (uint64_t)(*at - '0');
  return true;
}

static void ready(struct traffic *t, struct client *c)
{
  client_ready(&t->clients, c);
  histogram_add(&t->latency, bench_now() - c->began);
}

static void opened(struct clients *s, struct client *c)
{
  struct traffic *t = s->owner;

  if (bare(t))
    ready(t, c);
}

static void ack(struct traffic *t, struct client *c, const char *text,
                size_t len, int64_t now)
{
  bool success = holds(text, len, "\"success\":true");
  uint64_t id = 0;

  if (c->state != CLIENT_READY) {
    if (success)
      ready(t, c);
    else
      client_fail(&t->clients, c, "joinGroup was refused: %.*s",
                  (int)(len < 200 ? len : 200), text);
    return;
  }
  if (!success) {
    t->result->refused++;
    traffic_bad(t, "a publish was refused: %.*s", (int)(len < 200 ? len : 200),
                text);
  }
  if (number_of(text, len, "\"ackId\":", &id))
    ack_arrived(t, c, id, now);
}

/* All that holds no message of ours. */
static void dialog(struct traffic *t, struct client *c, const char *text,
                   size_t len, int64_t now)
{
  int shown = (int)(len < 200 ? len : 200);

  if (bare(t) || holds(text, len, "\"type\":\"message\"")) {
    traffic_corrupted(t, "a message came that was not published here");
  } else if (holds(text, len, "\"type\":\"ack\"")) {
    ack(t, c, text, len, now);
  } else if (holds(text, len, "\"event\":\"connected\"")) {
    if (c->publisher != NULL)
      ready(t, c);
    else
      client_text(&t->clients, c,
                  "{\"type\":\"joinGroup\",\"group\":\"%s%u\",\"ackId\":1}",
                  t->prefix, c->group);
  } else if (holds(text, len, "\"event\":\"disconnected\"")) {
    client_fail(&t->clients, c, "%.*s", shown, text);
  }
}

/* A reliable session keeps what was not acknowledged. */
static void acknowledge(struct traffic *t, struct client *c, const char *text,
                        size_t len)
{
  uint64_t sequence;

  if (++c->unacknowledged < ACK_AFTER)
    return;
  c->unacknowledged = 0;
  if (number_of(text, len, "\"sequenceId\":", &sequence))
    client_text(&t->clients, c,
                "{\"type\":\"sequenceAck\",\"sequenceId\":%llu}",
                (unsigned long long)sequence);
  else
    traffic_corrupted(t, "a message came without a sequenceId");
}

static void message(struct clients *s, struct client *c, const char *text,
                    size_t len, int64_t now)
{
  struct traffic *t = s->owner;
  const char *body = body_find(t, c, text, len);

  if (body == NULL) {
    dialog(t, c, text, len, now);
    return;
  }
  body_arrived(t, c, body, len - (size_t)(body - text), now);
  if (t->o->protocol == BENCH_RELIABLE)
    acknowledge(t, c, text, len);
}

static void failed(struct clients *s, struct client *c, const char *why)
{
  struct traffic *t = s->owner;

  UNUSED(c);
  t->broken = true;
  t->result->closed++;
  traffic_bad(t, "%s", why);
}

void speak_init(struct traffic *t)
{
  uint8_t random[4] = {0};

  /* Who brings a token has to know the names. */
  t->prefix[0] = 'g';
  if (t->o->token == NULL && rand_bytes(random, sizeof(random)) == WPS_OK)
    for (size_t i = 0; i < sizeof(random); i++)
      t->prefix[i] = (char)('a' + random[i] % 26);
  t->clients.owner = t;
  t->clients.subprotocol = subprotocols[t->o->protocol];
  t->clients.opened = opened;
  t->clients.message = message;
  t->clients.failed = failed;
}
