/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/bench_process.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static int64_t read_clock(clockid_t id)
{
  struct timespec t;

  if (clock_gettime(id, &t) != 0)
    return -1;
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t bench_now(void)
{
  return read_clock(CLOCK_MONOTONIC);
}

int64_t bench_own_cpu(void)
{
  return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

int64_t process_cpu(int64_t pid)
{
  clockid_t id;

  return clock_getcpuclockid((pid_t)pid, &id) == 0 ? read_clock(id) : -1;
}

/* statm is right to some hundred pages only: the kernel keeps part of the
 * count per core. smaps_rollup walks the pages, but is not for everybody. */
int64_t process_rss(int64_t pid)
{
  long long kib = 0, pages = 0;
  char path[64], line[256];
  int64_t bytes = -1;
  FILE *f;

  snprintf(path, sizeof(path), "/proc/%lld/smaps_rollup", (long long)pid);
  if ((f = fopen(path, "re")) != NULL) {
    while (bytes < 0 && fgets(line, sizeof(line), f) != NULL)
      if (sscanf(line, "Rss: %lld kB", &kib) == 1)
        bytes = kib * 1024;
    fclose(f);
  }
  if (bytes >= 0)
    return bytes;
  snprintf(path, sizeof(path), "/proc/%lld/statm", (long long)pid);
  if ((f = fopen(path, "re")) != NULL) {
    if (fscanf(f, "%*d %lld", &pages) == 1)
      bytes = pages * sysconf(_SC_PAGESIZE);
    fclose(f);
  }
  return bytes;
}
