/* SPDX-License-Identifier: Apache-2.0 */
/* bench/meter.h - what the load programs have in common: options, time, and the
 * CPU that other processes use meanwhile. One thread. */
#ifndef BENCH_METER_H
#define BENCH_METER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdnoreturn.h>
#include <sys/types.h>
#include <time.h>

enum { METER_PIDS_MAX = 4 };

struct meter {
  double warmup, seconds; /* --warmup, --seconds */
  pid_t pids[METER_PIDS_MAX];
  clockid_t clocks[METER_PIDS_MAX];
  size_t pid_count;
  bool running, over;
  int64_t started_ns, until_ns;
  int64_t cpu_ns[METER_PIDS_MAX], own_ns;
  uint64_t count; /* what the program counts; it adds to it */
};

noreturn void meter_die(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* Options "--name value" that all programs have: seconds, warmup, pid. False:
 * it is another one. */
bool meter_option(struct meter *m, const char *name, const char *value);

int64_t meter_now(void);

/* The warm-up begins. */
void meter_start(struct meter *m);

/* Look at the clock: ends the warm-up, then the measured stretch. False when
 * that is over. */
bool meter_tick(struct meter *m);

/* How long until meter_tick() has something to do. */
int meter_wait_ms(const struct meter *m);

/* "{"count":..,"seconds":..,"own_us":..,"cpu_us":[..]" and whatever the caller
 * writes behind it, up to and including "}". */
void meter_print(const struct meter *m);

/* 127.0.0.1:port */
struct sockaddr_in meter_loopback(uint16_t port);

#endif
