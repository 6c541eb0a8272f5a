/* SPDX-License-Identifier: Apache-2.0 */
/* base/quarantine.c - a ring of what will be freed next. */
#include "base/quarantine.h"

#ifdef WPS_DEBUG

#include <pthread.h>
#include <stddef.h>

enum { HELD = 256 };

/* Debug builds only: one of the exceptions to "no global state". */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *held[HELD];
static size_t next_slot;

static void release_all(void)
{
  /* Threads that are no workers may still run, and free, meanwhile. */
  pthread_mutex_lock(&lock);
  for (size_t i = 0; i < HELD; i++) {
    free(held[i]);
    held[i] = NULL;
  }
  pthread_mutex_unlock(&lock);
}

static void at_exit_once(void)
{
  /* The leak checker must find nothing of ours. */
  atexit(release_all);
}

void quarantine_free(void *p)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  void *old;

  pthread_once(&once, at_exit_once);
  pthread_mutex_lock(&lock);
  old = held[next_slot];
  held[next_slot] = p;
  next_slot = (next_slot + 1) % HELD;
  pthread_mutex_unlock(&lock);
  free(old);
}

#endif

/* C11 wants a declaration in every file. */
extern const char wps_quarantine_is_for_debug_builds[];
