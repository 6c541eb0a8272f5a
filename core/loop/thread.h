/* SPDX-License-Identifier: Apache-2.0 */
/* loop/thread.h - threads on which no signal arrives. */
#ifndef WPS_LOOP_THREAD_H
#define WPS_LOOP_THREAD_H

#include <pthread.h>

#include "base/base.h"

/* Start a joinable thread with all signals blocked but those that a fault of
 * its own raises. Errors: ENOMEM. */
int thread_start(pthread_t *thread, void *(*fn)(void *arg), void *arg);

#endif
