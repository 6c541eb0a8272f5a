/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/thread.h"

#include <signal.h>

int thread_start(pthread_t *thread, void *(*fn)(void *arg), void *arg)
{
  static const int faults[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
                               SIGABRT, SIGTRAP, SIGSYS, SIGPROF};
  sigset_t block, before;
  int error;

  sigfillset(&block);
  for (size_t i = 0; i < ARRAY_LEN(faults); i++)
    sigdelset(&block, faults[i]);
  /* The mask is inherited, so there is no moment without it. */
  pthread_sigmask(SIG_SETMASK, &block, &before);
  error = pthread_create(thread, NULL, fn, arg);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return error == 0 ? WPS_OK : WPS_ENOMEM;
}
