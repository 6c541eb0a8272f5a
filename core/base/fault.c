/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fault.h"

#ifdef WPS_DEBUG

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum { FAULT_POINTS_MAX = 16, FAULT_NAME_MAX = 31 };

struct fault {
  char name[FAULT_NAME_MAX + 1];
  unsigned long at; /* the pass that fails, from 1 */
  bool onwards;     /* and all after it            */
  atomic_ulong passes;
};

/* Written once under `once`, then only the counters change. */
static struct fault faults[FAULT_POINTS_MAX];
static size_t fault_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* A misspelt setting must not look like a test that passes. */
static void fault_bad(const char *spec)
{
  check_failed("WEBPUBSUBD_FAULT", 0, "not NAME:N[+][,...]: %s", spec);
}

static void faults_read(void)
{
  const char *spec = getenv("WEBPUBSUBD_FAULT");

  if (spec == NULL)
    return;
  for (const char *at = spec; *at != '\0';) {
    const char *colon = strchr(at, ':');
    struct fault *f = &faults[fault_count];
    char *end;
    size_t len;

    if (colon == NULL || fault_count == FAULT_POINTS_MAX)
      fault_bad(spec);
    len = (size_t)(colon - at);
    if (len == 0 || len > FAULT_NAME_MAX)
      fault_bad(spec);
    memcpy(f->name, at, len);
    f->at = strtoul(colon + 1, &end, 10);
    f->onwards = *end == '+';
    if (f->onwards)
      end++;
    if (f->at == 0 || end == colon + 1 || (*end != ',' && *end != '\0'))
      fault_bad(spec);
    fault_count++;
    at = *end == ',' ? end + 1 : end;
  }
}

bool fault_hits(const char *point)
{
  bool hits = false;

  pthread_once(&once, faults_read);
  for (size_t i = 0; i < fault_count; i++) {
    struct fault *f = &faults[i];
    unsigned long pass;

    if (strcmp(f->name, point) != 0)
      continue;
    pass = atomic_fetch_add_explicit(&f->passes, 1, memory_order_relaxed) + 1;
    if (pass == f->at || (f->onwards && pass > f->at))
      hits = true;
  }
  return hits;
}

#endif
