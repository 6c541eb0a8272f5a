/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/utf8.h"

/* How a line gets out without ever blocking and without touching the flags of
 * a descriptor that other programs share (stderr of a terminal):
 *   files, terminals  write(2) as it is;
 *   sockets           send(2) with MSG_DONTWAIT;
 *   pipes             a description of our own, opened through /proc with
 *                     O_NONBLOCK. A line fits into PIPE_BUF, so it goes whole
 *                     or not at all;
 *   other pipes       poll(2) first, under a lock among our own threads. */
enum log_sink { LOG_SINK_DIRECT, LOG_SINK_SOCKET, LOG_SINK_POLL };

static struct {
  int fd;
  int own_fd; /* -1, or ours to close */
  enum log_sink sink;
  _Atomic uint32_t level;
  enum log_format format;
} settings = {STDERR_FILENO, -1, LOG_SINK_DIRECT, WPS_LOG_INFO, LOG_KEY_VALUE};

static atomic_uint_fast64_t lost_total;
static atomic_uint_fast64_t lost_since; /* not told yet                    */
static atomic_bool torn;                /* the last write stopped mid-line */
static pthread_mutex_t poll_lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local const char *thread_name = "main";

void log_setup(int fd, uint32_t level, enum log_format format)
{
  struct stat st;

  if (settings.own_fd >= 0)
    close(settings.own_fd);
  settings.fd = fd;
  settings.own_fd = -1;
  settings.sink = LOG_SINK_DIRECT;
  settings.level = level;
  settings.format = format;
  if (fstat(fd, &st) != 0)
    return;
  if (S_ISSOCK(st.st_mode)) {
    settings.sink = LOG_SINK_SOCKET;
  } else if (S_ISFIFO(st.st_mode)) {
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    settings.own_fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    settings.sink = settings.own_fd >= 0 ? LOG_SINK_DIRECT : LOG_SINK_POLL;
  }
}

void log_level_set(uint32_t level)
{
  atomic_store_explicit(&settings.level, level, memory_order_relaxed);
}

bool log_enabled(uint32_t level)
{
  return level <= atomic_load_explicit(&settings.level, memory_order_relaxed);
}

uint64_t log_lost(void)
{
  return atomic_load_explicit(&lost_total, memory_order_relaxed);
}

void log_thread_name(const char *name)
{
  thread_name = name;
}

/* ---- composing ---- */

/* Room is kept at the end for closing the line, so that a cut line is as well
 * formed as any other. */
enum { LOG_TAIL = 32 };

struct line {
  char text[LOG_LINE_MAX];
  size_t len;
  size_t limit; /* of the value being written */
  bool json;
  bool cut;
};

static bool line_add(struct line *l, const char *text, size_t len)
{
  if (len > l->limit - l->len) {
    l->cut = true;
    return false;
  }
  memcpy(l->text + l->len, text, len);
  l->len += len;
  return true;
}

/* Length of the well-formed UTF-8 sequence here; 0: none. */
static size_t sequence_len(const unsigned char *at, size_t left)
{
  size_t len = *at < 0x80 ? 1 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;

  return len <= left && utf8_valid(at, len) ? len : 0;
}

/* What moves a terminal's cursor or ends a line for some reader: C0, DEL, C1,
 * U+2028, U+2029. */
static bool sequence_is_control(const unsigned char *at, size_t len)
{
  return (len == 1 && (*at < 0x20 || *at == 0x7f)) ||
         (len == 2 && at[0] == 0xc2 && at[1] < 0xa0) ||
         (len == 3 && at[0] == 0xe2 && at[1] == 0x80 &&
          (at[2] == 0xa8 || at[2] == 0xa9));
}

/* One character, escaped where needed, whole or not at all. An octet that is
 * no UTF-8 becomes \xHH, in JSON as text: "\\xHH". */
static bool line_add_sequence(struct line *l, const unsigned char *at,
                              size_t len)
{
  char escape[16];
  int n;

  if (len == 0) {
    n = snprintf(escape, sizeof(escape), l->json ? "\\\\x%02x" : "\\x%02x",
                 *at);
  } else if (*at == '"' || *at == '\\') {
    n = snprintf(escape, sizeof(escape), "\\%c", *at);
  } else if (!sequence_is_control(at, len)) {
    return line_add(l, (const char *)at, len);
  } else if (*at == '\n' || *at == '\r' || *at == '\t') {
    n = snprintf(escape, sizeof(escape), "\\%c",
                 *at == '\n'   ? 'n'
                 : *at == '\r' ? 'r'
                               : 't');
  } else {
    unsigned code = len == 1   ? *at
                    : len == 2 ? at[1]
                               : 0x2000u + (at[2] & 0x3fu);

    n = snprintf(escape, sizeof(escape), "\\u%04x", code);
  }
  return line_add(l, escape, (size_t)n);
}

static bool needs_quotes(struct wps_str s)
{
  const unsigned char *at = (const unsigned char *)s.ptr;

  if (s.len == 0)
    return true;
  for (size_t i = 0; i < s.len;) {
    size_t len = sequence_len(at + i, s.len - i);

    if (len == 0 || sequence_is_control(at + i, len) || at[i] == ' ' ||
        at[i] == '"' || at[i] == '=' || at[i] == '\\')
      return true;
    i += len;
  }
  return false;
}

/* key=value or "key":"value", with its separator; as much of the value as
 * `room` allows. A pair of which not even the key fits is left out. */
static void line_add_pair(struct line *l, const char *key, struct wps_str value,
                          bool always_quoted, size_t room)
{
  const unsigned char *at = (const unsigned char *)value.ptr;
  size_t start = l->len;
  size_t end = sizeof(l->text) - LOG_TAIL;
  bool quoted = l->json || always_quoted || needs_quotes(value);
  bool fits;

  l->limit = end;
  if (room < end - start)
    l->limit = start + room;
  if (l->json)
    fits = line_add(l, start == 0 ? "{\"" : ",\"", 2) &&
           line_add(l, key, strlen(key)) && line_add(l, "\":\"", 3);
  else
    fits = (start == 0 || line_add(l, " ", 1)) &&
           (key[0] == '\0' ||
            (line_add(l, key, strlen(key)) && line_add(l, "=", 1))) &&
           (!quoted || line_add(l, "\"", 1));
  if (!fits || l->limit - l->len < 1) {
    l->len = start;
    l->cut = true;
    return;
  }
  l->limit--; /* the closing quote */
  for (size_t i = 0; i < value.len;) {
    size_t len = sequence_len(at + i, value.len - i);

    if (!line_add_sequence(l, at + i, len))
      break;
    i += len == 0 ? 1 : len;
  }
  if (quoted)
    l->text[l->len++] = '"';
}

static struct wps_str str_of(const char *terminated)
{
  return (struct wps_str){terminated, strlen(terminated)};
}

static const char *level_name(uint32_t level)
{
  return level <= WPS_LOG_ERROR  ? "error"
         : level <= WPS_LOG_WARN ? "warn"
         : level <= WPS_LOG_INFO ? "info"
                                 : "debug";
}

static void line_start(struct line *l, uint32_t level, const char *component)
{
  int64_t now_ms = clock_unix_ms();
  time_t seconds = (time_t)(now_ms / 1000);
  struct tm tm;
  char stamp[48];

  l->len = 0;
  l->json = settings.format == LOG_JSON;
  l->cut = false;
  memset(&tm, 0, sizeof(tm));
  gmtime_r(&seconds, &tm);
  snprintf(stamp, sizeof(stamp), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
           tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
           tm.tm_sec, (int)(now_ms % 1000));
  line_add_pair(l, l->json ? "time" : "", str_of(stamp), false, SIZE_MAX);
  line_add_pair(l, "level", str_of(level_name(level)), false, SIZE_MAX);
  line_add_pair(l, "component", str_of(component), false, 256);
  line_add_pair(l, "thread", str_of(thread_name), false, 256);
}

static void line_end(struct line *l)
{
  const char *tail = l->json  ? l->cut ? ",\"cut\":\"yes\"}\n" : "}\n"
                     : l->cut ? " cut=yes\n"
                              : "\n";

  l->limit = sizeof(l->text);
  line_add(l, tail, strlen(tail));
}

/* ---- writing ---- */

static ssize_t sink_write(const char *text, size_t len)
{
  int fd = settings.own_fd >= 0 ? settings.own_fd : settings.fd;
  ssize_t n;

  if (FAULT("log_write")) {
    errno = ENOSPC;
    return -1;
  }
  if (settings.sink == LOG_SINK_POLL) {
    struct pollfd p = {.fd = fd, .events = POLLOUT};

    pthread_mutex_lock(&poll_lock);
    if (poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) != 0)
      n = write(fd, text, len);
    else
      n = -1;
    pthread_mutex_unlock(&poll_lock);
    return n;
  }
  do {
    if (settings.sink == LOG_SINK_SOCKET)
      n = send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    else
      n = write(fd, text, len);
  } while (n < 0 && errno == EINTR);
  return n;
}

static bool line_write(struct line *l)
{
  ssize_t n;

  if (atomic_load_explicit(&torn, memory_order_relaxed) &&
      atomic_exchange(&torn, false) && sink_write("\n", 1) != 1) {
    atomic_store(&torn, true);
    return false;
  }
  n = sink_write(l->text, l->len);
  if (n == (ssize_t)l->len)
    return true;
  if (n > 0)
    atomic_store(&torn, true);
  return false;
}

/* Says first what was lost before, so that a reader sees where the gap is. */
static bool lost_write(void)
{
  uint64_t count = atomic_exchange(&lost_since, 0);
  struct line l;
  char text[64];

  if (count == 0)
    return true;
  snprintf(text, sizeof(text), "%" PRIu64 " log lines were lost", count);
  line_start(&l, WPS_LOG_WARN, "core");
  line_add_pair(&l, "msg", str_of(text), true, SIZE_MAX);
  line_end(&l);
  if (line_write(&l))
    return true;
  atomic_fetch_add(&lost_since, count);
  return false;
}

struct wps_str log_number(char room[LOG_NUMBER_ROOM], uint64_t number)
{
  int len = snprintf(room, LOG_NUMBER_ROOM, "%" PRIu64, number);

  return (struct wps_str){room, (size_t)len};
}

void log_fields(uint32_t level, const char *component, const char *message,
                const struct log_field *fields, size_t count)
{
  int saved = errno;
  struct line l;

  if (!log_enabled(level))
    return;
  line_start(&l, level, component);
  /* A long message leaves room for who and where. */
  line_add_pair(&l, "msg", str_of(message), true,
                count > 0 ? LOG_LINE_MAX / 2 : SIZE_MAX);
  for (size_t i = 0; i < count; i++)
    if (fields[i].value.ptr != NULL)
      line_add_pair(&l, fields[i].key, fields[i].value, false, SIZE_MAX);
  line_end(&l);
  if ((atomic_load_explicit(&lost_since, memory_order_relaxed) != 0 &&
       !lost_write()) ||
      !line_write(&l)) {
    atomic_fetch_add(&lost_total, 1);
    atomic_fetch_add(&lost_since, 1);
  }
  errno = saved;
}

void log_line(uint32_t level, const char *component, const char *fmt, ...)
{
  char text[LOG_LINE_MAX];
  int saved = errno;
  va_list ap;

  if (!log_enabled(level))
    return;
  va_start(ap, fmt);
  if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
    text[0] = '\0';
  va_end(ap);
  log_fields(level, component, text, NULL, 0);
  errno = saved;
}
