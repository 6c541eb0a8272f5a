/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/bench_process.h"
#include "ctl/bench_speak.h"

enum { CONNECTING_MAX = 128 }; /* connections that are being made at a time */

#define SECOND INT64_C(1000000000)
#define PATIENCE (5 * SECOND)    /* how long nothing may come */
#define AFTERWARDS (SECOND / 10) /* for what comes twice      */
/* What a turn in which nothing happens may take. When it took longer, another
 * process had the core, which is no idleness of this one. */
#define IDLE_MAX INT64_C(5000)

struct run {
  struct traffic traffic;
  struct access access;
  int64_t idle; /* time of turns in which nothing was to be done */
};

static double seconds(int64_t ns)
{
  return (double)ns / 1e9;
}

/* ---- who is who ---- */

/* Subscribers come first, then the publishers; in round trips each client is
 * both. */
static size_t layout(struct traffic *t)
{
  const struct bench_options *o = t->o;
  size_t connections = (size_t)o->connections;

  t->window = o->rate > 0 ? 0 : (uint32_t)o->window;
  t->per_group = 1;
  switch (o->scenario) {
  case BENCH_FANOUT:
    t->publisher_count = t->per_group = (size_t)o->publishers;
    t->receivers = (uint32_t)o->subscribers;
    return (size_t)o->subscribers + t->publisher_count;
  case BENCH_GROUPS:
    t->publisher_count = (size_t)o->groups;
    t->receivers = (uint32_t)o->members;
    return (size_t)(o->groups * o->members) + t->publisher_count;
  case BENCH_ROUNDTRIPS:
    t->publisher_count = connections;
    t->receivers = 1;
    t->window = (uint32_t)o->depth;
    return connections;
  case BENCH_CONNECTIONS:
    break;
  }
  return connections;
}

static bool roles_give(struct run *run)
{
  struct traffic *t = &run->traffic;
  size_t subscribers = t->o->scenario == BENCH_ROUNDTRIPS
                           ? 0
                           : t->clients.count - t->publisher_count;

  for (size_t i = 0; i < t->clients.count; i++) {
    struct client *c = &t->clients.all[i];
    size_t number = i - subscribers;

    if (i >= subscribers) {
      c->publisher = &t->publishers[number];
      *c->publisher =
          (struct publisher){.client = c, .number = (uint32_t)number};
      c->group = (unsigned)(number / t->per_group);
    } else if (t->o->scenario == BENCH_CONNECTIONS) {
      c->group = (unsigned)(i % (size_t)t->o->groups);
    } else {
      c->group = (unsigned)(i / t->receivers);
    }
    if ((i < subscribers && t->publisher_count > 0) || subscribers == 0) {
      c->tracks = calloc(t->per_group, sizeof(*c->tracks));
      if (c->tracks == NULL)
        return false;
    }
    if (!speak_prepare(t, &run->access, c, (unsigned)i) ||
        (c->publisher != NULL && !speak_publisher(t, c->publisher)))
      return false;
  }
  return true;
}

/* ---- time passes ---- */

static void turn(struct run *run, int64_t until)
{
  struct traffic *t = &run->traffic;
  int64_t now = bench_now(), due = traffic_due(t);
  int64_t wake = due < until ? due : until;
  int n = clients_turn(&t->clients, t->o->spin || wake <= now ? 0 : wake - now);

  if (n == 0 && t->o->spin && due > now) {
    now = bench_now() - now;
    run->idle += now < IDLE_MAX ? now : IDLE_MAX;
  }
  if (t->publishing)
    traffic_publish(t);
  clients_flush(&t->clients);
}

static void turn_until(struct run *run, int64_t until)
{
  while (!run->traffic.broken && bench_now() < until)
    turn(run, until);
}

/* Until all are ready, or one has failed. */
static bool connect_all(struct run *run)
{
  struct traffic *t = &run->traffic;
  struct clients *s = &t->clients;
  int64_t began = bench_now(), last = began;
  size_t ready = 0;

  while (s->ready < s->count && !t->broken && bench_now() < last + PATIENCE) {
    while (s->started < s->count && s->started - s->ready < CONNECTING_MAX &&
           !t->broken)
      client_connect(s, &s->all[s->started]);
    turn(run, last + PATIENCE);
    if (s->ready != ready)
      last = bench_now();
    ready = s->ready;
  }
  t->result->connections = (int64_t)s->ready;
  t->result->connect_seconds = seconds(bench_now() - began);
  if (s->ready == s->count)
    return true;
  traffic_bad(t, "the server answers no more");
  ctl_fail("%s (%zu of %zu connections were ready)", t->result->why, ready,
           s->count);
  return false;
}

/* ---- measuring ---- */

static void latency_take(struct traffic *t)
{
  t->result->p50_us = histogram_quantile(&t->latency, 0.50) / 1000;
  t->result->p99_us = histogram_quantile(&t->latency, 0.99) / 1000;
  t->result->max_us = (double)t->latency.max / 1000;
}

/* Warm up, then measure for a while. */
static void measure(struct run *run)
{
  struct traffic *t = &run->traffic;
  int64_t began, end, own, last, cpu = 0;
  uint64_t received = t->result->received;

  turn_until(run, bench_now() + t->o->warmup_ms * 1000000);
  run->idle = 0;
  histogram_reset(&t->latency);
  if (t->o->pid > 0)
    cpu = process_cpu(t->o->pid);
  own = bench_own_cpu();
  last = began = bench_now();
  end = began + t->o->duration_ms * 1000000;
  t->measuring = true;
  for (int64_t now = began; now < end && !t->broken; now = bench_now()) {
    int64_t next = now + SECOND / 5;

    turn_until(run, next < end ? next : end);
    if (t->result->received != received || t->o->rate > 0)
      last = bench_now();
    received = t->result->received;
    if (t->o->scenario != BENCH_CONNECTIONS && bench_now() > last + PATIENCE) {
      traffic_bad(t, "nothing has come for 5 s");
      break;
    }
  }
  t->measuring = false;
  t->result->seconds = seconds(bench_now() - began);
  t->result->own_cpu = seconds(bench_own_cpu() - own - run->idle);
  if (t->o->pid > 0) {
    t->result->cpu = seconds(process_cpu(t->o->pid) - cpu);
    t->result->rss_after = process_rss(t->o->pid);
  }
}

/* No more is published; what was is to come, once. */
static void drain(struct run *run)
{
  struct traffic *t = &run->traffic;
  struct bench_result *r = t->result;
  int64_t last = bench_now();
  uint64_t received = r->received;

  t->publishing = false;
  r->expected = r->published * t->receivers;
  while (r->received < r->expected && !t->broken &&
         bench_now() < last + PATIENCE) {
    turn_until(run, bench_now() + SECOND / 20);
    if (r->received != received)
      last = bench_now();
    received = r->received;
  }
  turn_until(run, bench_now() + AFTERWARDS);
  r->lost = r->expected > r->received ? r->expected - r->received : 0;
  if (r->received == 0)
    traffic_bad(t, "nothing came of what was published; may the token publish "
                   "(webpubsub.sendToGroup)?");
  if (r->lost > 0)
    traffic_bad(t, "%llu of %llu messages did not come",
                (unsigned long long)r->lost, (unsigned long long)r->expected);
  if (r->measured == 0)
    traffic_bad(t, "no message came in the time that was measured");
}

static bool run_all(struct run *run)
{
  struct traffic *t = &run->traffic;
  const struct bench_options *o = t->o;
  struct bench_result *r = t->result;
  int64_t cpu = 0;

  r->has_server = o->pid > 0;
  if (r->has_server) {
    if ((cpu = process_cpu(o->pid)) < 0) {
      ctl_fail("there is no process %lld", (long long)o->pid);
      return false;
    }
    r->rss_before = process_rss(o->pid);
  }
  if (!connect_all(run))
    return false;
  latency_take(t);
  if (r->has_server)
    r->connect_cpu = seconds(process_cpu(o->pid) - cpu);
  if (o->scenario == BENCH_CONNECTIONS) {
    measure(run);
  } else {
    traffic_begin(t);
    measure(run);
    latency_take(t);
    drain(run);
  }
  r->good = r->why[0] == '\0';
  clients_leave(&t->clients);
  return true;
}

/* ---- all of it ---- */

static bool where(struct run *run, struct net_url *out, char **url)
{
  const struct bench_options *o = run->traffic.o;
  char why[256];

  if ((o->token != NULL || o->protocol == BENCH_RAW) &&
      run->access.key_arg == NULL && run->access.endpoint_arg != NULL)
    run->access.key_arg = "unused";
  if (!access_find(&run->access))
    return false;
  if ((*url = access_url(&run->access, "")) == NULL)
    ctl_fail("out of memory");
  else if (!net_url_parse(*url, out, why, sizeof(why)))
    ctl_fail("%s", why);
  else if (out->tls)
    ctl_fail("bench speaks ws:// only; give an endpoint with http://");
  else
    return true;
  return false;
}

bool bench_run(const struct bench_options *o, struct bench_result *out)
{
  struct run *run = calloc(1, sizeof(*run));
  char why[BENCH_WHY_MAX], *url = NULL;
  struct traffic *t;
  struct net_url parts;
  bool ok = false;

  memset(out, 0, sizeof(*out));
  if (run == NULL) {
    ctl_fail("out of memory");
    return false;
  }
  t = &run->traffic;
  t->o = o;
  t->result = out;
  t->clients.epoll = -1;
  run->access = o->access;
  run->access.ttl_ms = 24 * 3600 * INT64_C(1000);
  repeated_add(&run->access.roles, "webpubsub.joinLeaveGroup");
  repeated_add(&run->access.roles, "webpubsub.sendToGroup");
  if (!where(run, &parts, &url))
    goto out;
  speak_init(t);
  if (!clients_init(&t->clients, layout(t), &parts, why, sizeof(why)))
    ctl_fail("%s", why);
  else if (!traffic_init(t) || !roles_give(run))
    ctl_fail("out of memory");
  else
    ok = run_all(run);

out:
  for (size_t i = 0; t->clients.all != NULL && i < t->clients.count; i++)
    free(t->clients.all[i].tracks);
  clients_free(&t->clients);
  traffic_free(t);
  access_free(&run->access);
  free(url);
  free(run);
  return ok;
}
