/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - log lines about events that failed (azure-server.md 3.13). Of a
 * flood the first of each second are written, and how many there were. */
#ifndef CLOUDEVENTS_REPORT_H
#define CLOUDEVENTS_REPORT_H

#include <webpubsub/event.h>

struct text;

struct limiter {
  int64_t second;
  uint32_t written, hidden;
};

/* True: write; *hidden is how many were not since the last one. */
bool limiter_pass(struct limiter *l, int64_t now_us, uint32_t per_second,
                  uint32_t *hidden);

/* "Sending message during operation hub:...,requestType:...": users of the
 * service search for these words. */
void report_operation(struct text *out, const struct wps_event *event);

#endif
