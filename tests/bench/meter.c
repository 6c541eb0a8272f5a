/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/meter.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void meter_die(const char *format, ...)
{
  va_list args;

  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fputc('\n', stderr);
  exit(1);
}

static int64_t clock_ns(clockid_t clock)
{
  struct timespec t;

  if (clock_gettime(clock, &t) != 0)
    meter_die("a process that was to be measured is gone");
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t meter_now(void)
{
  return clock_ns(CLOCK_MONOTONIC);
}

bool meter_option(struct meter *m, const char *name, const char *value)
{
  if (strcmp(name, "--seconds") == 0) {
    m->seconds = strtod(value, NULL);
  } else if (strcmp(name, "--warmup") == 0) {
    m->warmup = strtod(value, NULL);
  } else if (strcmp(name, "--pid") == 0) {
    pid_t pid = (pid_t)strtol(value, NULL, 10);

    if (m->pid_count == METER_PIDS_MAX)
      meter_die("more than %d processes", METER_PIDS_MAX);
    if (clock_getcpuclockid(pid, &m->clocks[m->pid_count]) != 0)
      meter_die("no process %s", value);
    m->pids[m->pid_count++] = pid;
  } else {
    return false;
  }
  return true;
}

void meter_start(struct meter *m)
{
  m->started_ns = meter_now();
  m->until_ns = m->started_ns + (int64_t)(m->warmup * 1e9);
}

static void read_clocks(const struct meter *m, int64_t *cpu, int64_t *own)
{
  for (size_t i = 0; i < m->pid_count; i++)
    cpu[i] = clock_ns(m->clocks[i]);
  *own = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

bool meter_tick(struct meter *m)
{
  int64_t now = meter_now();

  if (m->over || now < m->until_ns)
    return !m->over;
  if (!m->running) {
    m->running = true;
    m->count = 0;
    read_clocks(m, m->cpu_ns, &m->own_ns);
    m->started_ns = meter_now();
    m->until_ns = m->started_ns + (int64_t)(m->seconds * 1e9);
    return true;
  }
  int64_t cpu[METER_PIDS_MAX] = {0}, own;

  read_clocks(m, cpu, &own);
  for (size_t i = 0; i < m->pid_count; i++)
    m->cpu_ns[i] = cpu[i] - m->cpu_ns[i];
  m->own_ns = own - m->own_ns;
  m->until_ns = now;
  m->over = true;
  return false;
}

int meter_wait_ms(const struct meter *m)
{
  int64_t ms = (m->until_ns - meter_now()) / 1000000 + 1;

  return ms < 1 ? 1 : (int)ms;
}

void meter_print(const struct meter *m)
{
  printf("{\"count\":%llu,\"seconds\":%.6f,\"own_us\":%.1f,\"cpu_us\":[",
         (unsigned long long)m->count,
         (double)(m->until_ns - m->started_ns) / 1e9, (double)m->own_ns / 1e3);
  for (size_t i = 0; i < m->pid_count; i++)
    printf("%s%.1f", i != 0 ? "," : "", (double)m->cpu_ns[i] / 1e3);
  printf("]");
}

struct sockaddr_in meter_loopback(uint16_t port)
{
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return a;
}
