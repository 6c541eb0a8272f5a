/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/bench_process.h - clocks, and what a process has used. */
#ifndef WPS_CTL_BENCH_PROCESS_H
#define WPS_CTL_BENCH_PROCESS_H

#include "base/base.h"

int64_t bench_now(void);
/* CPU time of this process. */
int64_t bench_own_cpu(void);
/* CPU time of all threads of a process, to the nanosecond where /proc counts in
 * hundredths of a second; -1 when it is not there. */
int64_t process_cpu(int64_t pid);
/* Bytes; -1 when it is not known. */
int64_t process_rss(int64_t pid);

#endif
