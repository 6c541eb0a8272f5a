/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "conf/config.h"
#include "ctl/bench.h"

enum { PID_LIMIT = 1 << 22 }; /* of Linux: its numbers are below */

const char *const bench_scenarios[4] = {"fanout", "groups", "connections",
                                        "roundtrips"};
const char *const bench_protocols[4] = {"simple", "json", "reliable", "raw"};

const char bench_help[] =
    "Scenarios:\n"
    "  fanout       one group: --subscribers 1000, --publishers 1\n"
    "  groups       --groups 500 of --members 10 and one publisher each\n"
    "  connections  open --connections 1000 in --groups 10, and --hold 2s\n"
    "  roundtrips   --connections 50, each with --depth 1 acknowledged "
    "publishes\n"
    "               under way (simple: with its own message coming back)\n"
    "\n"
    "  --size N             characters of a message (default 128)\n"
    "  --window N           messages of a publisher that may be under way to\n"
    "                       any of its subscribers (default 16)\n"
    "  --rate N             instead, messages per second of each publisher, "
    "at\n"
    "                       fixed times; late ones are counted from then on\n"
    "  --protocol P         simple, json (default), reliable, or raw: no "
    "server\n"
    "                       of this kind, but one that relays what comes on\n"
    "                       /pub/GROUP to /sub/GROUP, and on /echo/GROUP back\n"
    "  --warmup 1s          before it is measured\n"
    "  --duration 5s        how long it is measured\n"
    "  --hub H              the hub (default bench)\n"
    "  --pid N              the server's process: CPU and memory are shown\n"
    "  --spin               never sleep: the server need not wake this up\n"
    "  --json               print one JSON object\n"
    "  --token T            for all connections, instead of one for "
    "each\n" ACCESS_HELP "\n"
    "Every message is checked. When one is lost, doubled, out of order or\n"
    "damaged, or a connection is closed, the verdict is BAD, there are no\n"
    "figures, and the exit status is 1.\n";

static const struct option options[] = {
    ACCESS_OPTIONS,
    {"subscribers", required_argument, NULL, 's'},
    {"publishers", required_argument, NULL, 'p'},
    {"groups", required_argument, NULL, 'g'},
    {"members", required_argument, NULL, 'm'},
    {"connections", required_argument, NULL, 'c'},
    {"size", required_argument, NULL, 'z'},
    {"window", required_argument, NULL, 'w'},
    {"depth", required_argument, NULL, 'd'},
    {"pid", required_argument, NULL, 'P'},
    {"rate", required_argument, NULL, 'r'},
    {"duration", required_argument, NULL, 't'},
    {"warmup", required_argument, NULL, 'W'},
    {"hold", required_argument, NULL, 'H'},
    {"protocol", required_argument, NULL, 'o'},
    {"hub", required_argument, NULL, 'b'},
    {"token", required_argument, NULL, 'T'},
    {"json", no_argument, NULL, 'j'},
    {"spin", no_argument, NULL, 'x'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0}};

/* Which of `names` it is; -1 for none. */
static int name_find(const char *const *names, int count, const char *name)
{
  for (int i = 0; i < count; i++)
    if (strcmp(names[i], name) == 0)
      return i;
  return -1;
}

/* Options that are whole numbers within limits. */
static int number_option(const struct command *self, struct bench_options *o,
                         int c)
{
  const struct {
    int c;
    const char *name;
    int64_t *value, least, most;
  } numbers[] = {
      {'s', "subscribers", &o->subscribers, 1, BENCH_CONNECTIONS_MAX},
      {'p', "publishers", &o->publishers, 1, 10000},
      {'g', "groups", &o->groups, 1, BENCH_CONNECTIONS_MAX},
      {'m', "members", &o->members, 1, BENCH_CONNECTIONS_MAX},
      {'c', "connections", &o->connections, 1, BENCH_CONNECTIONS_MAX},
      {'z', "size", &o->size, BENCH_SIZE_MIN, BENCH_SIZE_MAX},
      {'w', "window", &o->window, 1, BENCH_WINDOW_MAX},
      {'d', "depth", &o->depth, 1, BENCH_WINDOW_MAX},
      {'P', "pid", &o->pid, 1, PID_LIMIT}};
  uint64_t value;

  for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
    if (numbers[i].c != c)
      continue;
    if (str_to_u64(str_from(optarg), &value) &&
        value >= (uint64_t)numbers[i].least &&
        value <= (uint64_t)numbers[i].most) {
      *numbers[i].value = (int64_t)value;
      return 0;
    }
    return ctl_misuse(self, "--%s wants a number from %lld to %lld",
                      numbers[i].name, (long long)numbers[i].least,
                      (long long)numbers[i].most);
  }
  return -1;
}

static int time_option(const struct command *self, struct bench_options *o,
                       int c)
{
  int64_t *to = c == 't'   ? &o->duration_ms
                : c == 'W' ? &o->warmup_ms
                           : &o->hold_ms;

  if (parse_duration(str_from(optarg), to) && *to <= 3600 * 1000 &&
      (*to > 0 || c != 't'))
    return 0;
  return ctl_misuse(self, "times are such as 500ms or 5s, an hour at most");
}

static int other_option(const struct command *self, struct bench_options *o,
                        int c)
{
  char *end;
  int found;

  switch (c) {
  case 'r':
    o->rate = strtod(optarg, &end);
    if (*end != '\0' || !isfinite(o->rate) || o->rate < 0.01 || o->rate > 1e6)
      return ctl_misuse(self, "--rate wants messages per second");
    return 0;
  case 't':
  case 'W':
  case 'H':
    return time_option(self, o, c);
  case 'o':
    if ((found = name_find(bench_protocols, 4, optarg)) < 0)
      return ctl_misuse(self, "--protocol is simple, json, reliable or raw");
    o->protocol = (enum bench_protocol)found;
    return 0;
  case 'b':
    o->access.hub = optarg;
    return 0;
  case 'T':
    o->token = optarg;
    return 0;
  case 'j':
    o->json = true;
    return 0;
  case 'x':
    o->spin = true;
    return 0;
  default:
    return number_option(self, o, c);
  }
}

/* Numbers that are good each for itself may be too much together. */
static bool too_many(const struct bench_options *o)
{
  if (o->scenario == BENCH_FANOUT)
    return o->subscribers * o->publishers > 100 * BENCH_CONNECTIONS_MAX ||
           o->publishers * (o->size + 4 * o->window) > INT32_MAX;
  if (o->scenario == BENCH_GROUPS)
    return o->groups * (o->members + 1) > BENCH_CONNECTIONS_MAX ||
           o->groups * (o->size + 4 * o->window) > INT32_MAX;
  return o->scenario == BENCH_ROUNDTRIPS &&
         o->connections * (o->size + 12 * o->depth) > INT32_MAX;
}

bool bench_options_read(const struct command *self, int argc, char **argv,
                        struct bench_options *o, int *status)
{
  int c, found;

  *o = (struct bench_options){.protocol = BENCH_JSON,
                              .access.hub = "bench",
                              .subscribers = 1000,
                              .publishers = 1,
                              .members = 10,
                              .size = 128,
                              .window = 16,
                              .depth = 1,
                              .duration_ms = 5000,
                              .warmup_ms = 1000,
                              .hold_ms = 2000};
  while ((c = ctl_option(self, argc, argv, options, status)) != -1) {
    if (c == '?')
      return false;
    if (access_option(&o->access, c, optarg))
      continue;
    if ((*status = other_option(self, o, c)) != 0)
      return false;
  }
  found = optind == argc - 1 ? name_find(bench_scenarios, 4, argv[optind]) : -1;
  if (found < 0) {
    *status = ctl_misuse(self, "give a scenario: fanout, groups, connections "
                               "or roundtrips");
    return false;
  }
  o->scenario = (enum bench_scenario)found;
  if (o->groups == 0)
    o->groups = o->scenario == BENCH_GROUPS ? 500 : 10;
  if (o->connections == 0)
    o->connections = o->scenario == BENCH_ROUNDTRIPS ? 50 : 1000;
  if (o->scenario == BENCH_CONNECTIONS) {
    o->warmup_ms = 0;
    o->duration_ms = o->hold_ms;
  }
  if (o->scenario == BENCH_ROUNDTRIPS || o->scenario == BENCH_CONNECTIONS)
    o->rate = 0;
  if (too_many(o)) {
    *status = ctl_misuse(self, "that is too much for one process");
    return false;
  }
  return true;
}
