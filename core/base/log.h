/* SPDX-License-Identifier: Apache-2.0 */
/* base/log.h - log lines: key=value or JSON, one write(2) each.
 *
 * Thread: any. A line is at most LOG_LINE_MAX bytes; values are quoted and
 * escaped, so that no input of a peer can forge a line. A write that fails
 * (full disk, closed pipe) drops the line and counts it; the next line that
 * gets through says how many were lost. Never blocks: stderr that is a full
 * pipe drops as well.
 */
#ifndef WPS_BASE_LOG_H
#define WPS_BASE_LOG_H

#include "base/base.h"

#include <webpubsub/log.h>

enum { LOG_LINE_MAX = 4096 };
enum log_format { LOG_KEY_VALUE = 0, LOG_JSON = 1 };

/* Start-up settings; before threads start. fd is kept open by the caller. */
void log_setup(int fd, uint32_t level, enum log_format format);
/* Thread: any, at any time. */
void log_level_set(uint32_t level);
bool log_enabled(uint32_t level);
uint64_t log_lost(void);

/* A key and its value; numbers through log_number(). A value with ptr NULL is
 * left out. */
struct log_field {
  const char *key;
  struct wps_str value;
};

/* Decimal digits in the caller's room. */
enum { LOG_NUMBER_ROOM = 21 };
struct wps_str log_number(char room[LOG_NUMBER_ROOM], uint64_t number);

/* One line: time, level, component ("core", "auth-jwt"), message, fields. */
void log_fields(uint32_t level, const char *component, const char *message,
                const struct log_field *fields, size_t count);
/* The same with a formatted message and no fields. */
void log_line(uint32_t level, const char *component, const char *fmt, ...)
    WPS_PRINTF(3, 4);

/* What the thread is called in its lines ("main", "worker-0"). Thread-local,
 * `name` must outlive the thread. */
void log_thread_name(const char *name);

#endif
