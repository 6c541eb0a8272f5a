/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/bench.h - load on a server through the protocols of its clients.
 *
 * bench_options.c  the command line
 * bench_client.c   connections: sockets, handshakes, frames
 * bench_speak.c    what is said in them: the protocols
 * bench_traffic.c  publishing, and the check of everything that arrives
 * bench_run.c      a run from the first connection to the last message
 * bench_report.c   what is printed about it
 *
 * One thread, one epoll. Times are nanoseconds of the monotonic clock.
 */
#ifndef WPS_CTL_BENCH_H
#define WPS_CTL_BENCH_H

#include "ctl/access.h"

enum bench_scenario {
  BENCH_FANOUT,      /* one group: publishers, subscribers              */
  BENCH_GROUPS,      /* many groups, each with members and a publisher  */
  BENCH_CONNECTIONS, /* come, join, stay                                */
  BENCH_ROUNDTRIPS   /* publishes that are acknowledged                 */
};

/* RAW is for servers that are none of ours, such as a relay to compare with:
 * the path says what a client is, and a message goes to its group as it is. */
enum bench_protocol { BENCH_SIMPLE, BENCH_JSON, BENCH_RELIABLE, BENCH_RAW };

enum {
  BENCH_SIZE_MIN = 38, /* what bench_traffic.c needs to mark a message */
  BENCH_SIZE_MAX = 1000000,
  BENCH_CONNECTIONS_MAX = 1000000,
  BENCH_WINDOW_MAX = 65536
};

struct bench_options {
  enum bench_scenario scenario;
  enum bench_protocol protocol;
  struct access access;
  const char *token; /* NULL: one is made for each connection */
  int64_t subscribers, publishers, groups, members, connections;
  int64_t size, window, depth;
  double rate; /* messages per second of each publisher; 0: closed loop */
  int64_t duration_ms, warmup_ms, hold_ms;
  int64_t pid; /* of the server; 0: not known */
  bool json, spin;
};

extern const char *const bench_scenarios[4], *const bench_protocols[4];

/* False with *status when the command is to end. */
bool bench_options_read(const struct command *self, int argc, char **argv,
                        struct bench_options *o, int *status);
extern const char bench_help[];

enum { BENCH_WHY_MAX = 400 };

struct bench_result {
  bool good;
  char why[BENCH_WHY_MAX]; /* the first thing that went wrong */
  /* connecting */
  int64_t connections;
  double connect_seconds;
  /* all of the run */
  uint64_t published, expected, received;
  uint64_t lost, duplicated, reordered, corrupted, refused, closed;
  /* the measured part of it */
  double seconds;
  uint64_t measured, measured_published;
  double p50_us, p99_us, max_us;
  double own_cpu; /* seconds */
  /* the server, when its process is known */
  bool has_server;
  double connect_cpu, cpu; /* seconds */
  int64_t rss_before, rss_after;
};

/* False after a message when there is nothing to report. */
bool bench_run(const struct bench_options *o, struct bench_result *out);
void bench_report(const struct bench_options *o, const struct bench_result *r);

#endif
