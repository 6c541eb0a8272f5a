/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "ctl/bench.h"

/* From which share of a core on somebody sets the pace. */
#define BUSY 0.93

/* What is said of a run, of the scenario's own unit. */
struct figures {
  double per_second, published_per_second;
  double cpu_each_ns; /* of the server, per message        */
  double connect_us;  /* of the server, per connection     */
  double rss_each;    /* of the server, per connection     */
  double share, own_share;
  const char *limit;
};

static struct figures figures_of(const struct bench_result *r)
{
  double connections = r->connections > 0 ? (double)r->connections : 1;
  double time = r->seconds > 0 ? r->seconds : 1;
  struct figures f = {.per_second = (double)r->measured / time,
                      .published_per_second =
                          (double)r->measured_published / time,
                      .share = r->cpu / time,
                      .own_share = r->own_cpu / time,
                      .connect_us = r->connect_cpu * 1e6 / connections};

  if (r->measured > 0)
    f.cpu_each_ns = r->cpu * 1e9 / (double)r->measured;
  f.rss_each = (double)(r->rss_after - r->rss_before) / connections;
  f.limit = r->has_server && f.share > BUSY ? "server"
            : f.own_share > BUSY            ? "generator"
            : r->has_server                 ? "neither"
                                            : "unknown";
  return f;
}

/* ---- JSON ---- */

static json_t *settings_json(const struct bench_options *o)
{
  json_t *j = json_object();
  const struct {
    enum bench_scenario of;
    const char *name;
    int64_t value;
  } own[] = {{BENCH_FANOUT, "subscribers", o->subscribers},
             {BENCH_FANOUT, "publishers", o->publishers},
             {BENCH_GROUPS, "groups", o->groups},
             {BENCH_GROUPS, "members", o->members},
             {BENCH_CONNECTIONS, "connections", o->connections},
             {BENCH_CONNECTIONS, "groups", o->groups},
             {BENCH_ROUNDTRIPS, "connections", o->connections},
             {BENCH_ROUNDTRIPS, "depth", o->depth}};

  for (size_t i = 0; i < ARRAY_LEN(own); i++)
    if (own[i].of == o->scenario)
      json_object_set_new(j, own[i].name, json_integer(own[i].value));
  if (o->scenario == BENCH_CONNECTIONS)
    return j;
  json_object_set_new(j, "size", json_integer(o->size));
  if (o->rate > 0)
    json_object_set_new(j, "rate", json_real(o->rate));
  else if (o->scenario != BENCH_ROUNDTRIPS)
    json_object_set_new(j, "window", json_integer(o->window));
  return j;
}

static json_t *checks_json(const struct bench_result *r)
{
  return json_pack(
      "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "published",
      (json_int_t)r->published, "expected", (json_int_t)r->expected, "received",
      (json_int_t)r->received, "lost", (json_int_t)r->lost, "duplicated",
      (json_int_t)r->duplicated, "reordered", (json_int_t)r->reordered,
      "corrupted", (json_int_t)r->corrupted, "refused", (json_int_t)r->refused,
      "closed", (json_int_t)r->closed);
}

static json_t *server_json(const struct bench_options *o,
                           const struct bench_result *r,
                           const struct figures *f)
{
  json_t *j = json_pack("{s:f, s:I, s:I, s:f, s:f}", "cpu_percent",
                        f->share * 100, "rss_before", (json_int_t)r->rss_before,
                        "rss", (json_int_t)r->rss_after, "rss_per_connection",
                        f->rss_each, "cpu_us_per_connect", f->connect_us);

  if (o->scenario != BENCH_CONNECTIONS)
    json_object_set_new(j, "cpu_ns_per_message", json_real(f->cpu_each_ns));
  return j;
}

static void report_json(const struct bench_options *o,
                        const struct bench_result *r)
{
  struct figures f = figures_of(r);
  bool connects = o->scenario == BENCH_CONNECTIONS;
  json_t *j = json_pack("{s:s, s:s, s:o, s:s}", "scenario",
                        bench_scenarios[o->scenario], "protocol",
                        bench_protocols[o->protocol], "settings",
                        settings_json(o), "verdict", r->good ? "ok" : "BAD");
  char *text;

  if (!r->good)
    json_object_set_new(j, "reason", json_string(r->why));
  json_object_set_new(j, "connections_ready", json_integer(r->connections));
  json_object_set_new(j, "seconds", json_real(r->seconds));
  json_object_set_new(j, connects ? "closed" : "messages",
                      connects ? json_integer((json_int_t)r->closed)
                               : checks_json(r));
  if (r->good) {
    json_object_set_new(j, "connects_per_second",
                        json_real((double)r->connections / r->connect_seconds));
    if (!connects) {
      json_object_set_new(j,
                          o->scenario == BENCH_ROUNDTRIPS
                              ? "roundtrips_per_second"
                              : "delivered_per_second",
                          json_real(f.per_second));
      json_object_set_new(j, "published_per_second",
                          json_real(f.published_per_second));
    }
    json_object_set_new(j, connects ? "connect_us" : "latency_us",
                        json_pack("{s:f, s:f, s:f}", "p50", r->p50_us, "p99",
                                  r->p99_us, "max", r->max_us));
    if (r->has_server)
      json_object_set_new(j, "server", server_json(o, r, &f));
    json_object_set_new(j, "generator",
                        json_pack("{s:f}", "cpu_percent", f.own_share * 100));
    if (!connects)
      json_object_set_new(j, "limit", json_string(f.limit));
  }
  text = json_dumps(j, JSON_COMPACT | JSON_REAL_PRECISION(9));
  puts(text != NULL ? text : "{}");
  free(text);
  json_decref(j);
}

/* ---- text ---- */

static void row(const char *name)
{
  printf("  %-11s ", name);
}

static void settings_print(const struct bench_options *o)
{
  printf("%s, %s: ", bench_scenarios[o->scenario],
         bench_protocols[o->protocol]);
  switch (o->scenario) {
  case BENCH_FANOUT:
    printf("%lld publisher%s, %lld subscribers, ", (long long)o->publishers,
           o->publishers > 1 ? "s" : "", (long long)o->subscribers);
    break;
  case BENCH_GROUPS:
    printf("%lld groups of %lld, ", (long long)o->groups,
           (long long)o->members);
    break;
  case BENCH_CONNECTIONS:
    printf("%lld connections in %lld groups\n", (long long)o->connections,
           (long long)o->groups);
    return;
  case BENCH_ROUNDTRIPS:
    printf("%lld connections, %lld B, depth %lld\n", (long long)o->connections,
           (long long)o->size, (long long)o->depth);
    return;
  }
  printf("%lld B, ", (long long)o->size);
  if (o->rate > 0)
    printf("%g per second and publisher\n", o->rate);
  else
    printf("window %lld\n", (long long)o->window);
}

static void times_print(const char *name, const struct bench_result *r)
{
  row(name);
  printf("p50 %.0f us, p99 %.0f us, max %.0f us\n", r->p50_us, r->p99_us,
         r->max_us);
}

static void bad_print(const struct bench_options *o,
                      const struct bench_result *r)
{
  row("verdict");
  printf("BAD: %s\n", r->why);
  if (o->scenario == BENCH_CONNECTIONS)
    return;
  row("messages");
  printf("%llu expected, %llu received; %llu lost, %llu twice, %llu out of "
         "order,\n",
         (unsigned long long)r->expected, (unsigned long long)r->received,
         (unsigned long long)r->lost, (unsigned long long)r->duplicated,
         (unsigned long long)r->reordered);
  row("");
  printf("%llu damaged, %llu refused; %llu connections closed\n",
         (unsigned long long)r->corrupted, (unsigned long long)r->refused,
         (unsigned long long)r->closed);
}

static void connections_print(const struct bench_result *r,
                              const struct figures *f)
{
  row("verdict");
  printf("ok: all %lld joined, and stayed for %.1f s\n",
         (long long)r->connections, r->seconds);
  row("connects");
  printf("%.0f/s\n", (double)r->connections / r->connect_seconds);
  times_print("each takes", r);
  if (!r->has_server)
    return;
  row("server");
  printf("%.1f us of CPU and %.0f B of memory per connection, %.2f %% of a "
         "core while idle\n",
         f->connect_us, f->rss_each, f->share * 100);
}

static void messages_print(const struct bench_options *o,
                           const struct bench_result *r,
                           const struct figures *f)
{
  bool trips = o->scenario == BENCH_ROUNDTRIPS;

  row("verdict");
  printf("ok: %llu %s, each once, in order and whole\n",
         (unsigned long long)r->received, trips ? "round trips" : "deliveries");
  row(trips ? "round trips" : "delivered");
  printf("%.0f/s", f->per_second);
  if (!trips)
    printf(" (%.0f/s published)", f->published_per_second);
  putchar('\n');
  times_print("latency", r);
  if (r->has_server) {
    row("server");
    printf("%.0f ns of CPU per %s, %.1f %% of a core, %.1f MB\n",
           f->cpu_each_ns, trips ? "round trip" : "delivery", f->share * 100,
           (double)r->rss_after / 1e6);
  }
  row("generator");
  printf("%.1f %% of a core\n", f->own_share * 100);
  row("limit");
  puts(f->limit);
}

void bench_report(const struct bench_options *o, const struct bench_result *r)
{
  struct figures f = figures_of(r);

  if (o->json) {
    report_json(o, r);
    return;
  }
  settings_print(o);
  if (!r->good)
    bad_print(o, r);
  else if (o->scenario == BENCH_CONNECTIONS)
    connections_print(r, &f);
  else
    messages_print(o, r, &f);
}
