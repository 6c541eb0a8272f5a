/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/str.h"

enum { SECRET_MAX = 64 * 1024, NAME_MAX_ = 4096 };

struct unit {
  const char *name;
  int64_t factor;
};

static const struct unit durations[] = {
    {"h", 3600 * 1000}, {"m", 60 * 1000}, {"s", 1000}, {"ms", 1}};
static const struct unit sizes[] = {
    {"g", 1024 * 1024 * 1024}, {"m", 1024 * 1024}, {"k", 1024}, {"", 1}};

static bool parse_unit(struct wps_str s, const struct unit *units, size_t count,
                       int64_t *out)
{
  size_t digits = 0, i;
  uint64_t number;

  while (digits < s.len && s.ptr[digits] >= '0' && s.ptr[digits] <= '9')
    digits++;
  if (!str_to_u64((struct wps_str){s.ptr, digits}, &number))
    return false;
  s = str_skip(s, digits);
  for (i = 0; i < count; i++) {
    if (!str_eq_c(s, units[i].name))
      continue;
    if (number > (uint64_t)(INT64_MAX / units[i].factor))
      return false;
    *out = (int64_t)number * units[i].factor;
    return true;
  }
  return false;
}

bool parse_duration(struct wps_str s, int64_t *ms)
{
  if (str_eq_c(s, "0")) {
    *ms = 0;
    return true;
  }
  return parse_unit(s, durations, ARRAY_LEN(durations), ms);
}

bool parse_size(struct wps_str s, int64_t *bytes)
{
  char lower[32];

  /* A capital unit can mean nothing else: sizes know no milli. */
  if (s.len == 0 || s.len > sizeof(lower))
    return false;
  memcpy(lower, s.ptr, s.len);
  str_lower(lower, s.len);
  return parse_unit((struct wps_str){lower, s.len}, sizes, ARRAY_LEN(sizes),
                    bytes);
}

static void unit_text(int64_t number, const struct unit *units, size_t count,
                      char *out, size_t size)
{
  size_t i = 0;

  while (i + 1 < count && (number == 0 || number % units[i].factor != 0))
    i++;
  snprintf(out, size, "%" PRId64 "%s", number / units[i].factor, units[i].name);
}

void units_duration_text(int64_t ms, char *out, size_t size)
{
  if (ms == 0)
    snprintf(out, size, "0");
  else
    unit_text(ms, durations, ARRAY_LEN(durations), out, size);
}

void units_size_text(int64_t bytes, char *out, size_t size)
{
  unit_text(bytes, sizes, ARRAY_LEN(sizes), out, size);
}

/* The whole of a small file. False with a sentence. */
static bool read_secret_file(const char *path, char **out, size_t *out_len,
                             char *why, size_t why_size)
{
  struct stat st;
  char *text = NULL;
  size_t len = 0;
  ssize_t got;
  /* Not blocking: the name could be that of a pipe. */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

  if (fd < 0 || fstat(fd, &st) != 0) {
    snprintf(why, why_size, "cannot read the file %s: %s", path,
             strerror(errno));
    goto fail;
  }
  if (!S_ISREG(st.st_mode)) {
    snprintf(why, why_size, "%s is not a regular file", path);
    goto fail;
  }
  if ((st.st_mode & S_IRWXO) != 0) {
    snprintf(why, why_size,
             "%s is open to everybody (mode %03o); take that away with "
             "chmod o-rwx",
             path, (unsigned)(st.st_mode & 0777));
    goto fail;
  }
  text = malloc(SECRET_MAX + 1);
  if (text == NULL) {
    snprintf(why, why_size, "out of memory");
    goto fail;
  }
  while (len <= SECRET_MAX) {
    got = read(fd, text + len, SECRET_MAX + 1 - len);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0) {
      snprintf(why, why_size, "cannot read the file %s: %s", path,
               strerror(errno));
      goto fail;
    }
    if (got == 0)
      break;
    len += (size_t)got;
  }
  if (len > SECRET_MAX) {
    snprintf(why, why_size, "%s is larger than %d bytes", path, SECRET_MAX);
    goto fail;
  }
  if (len > 0 && text[len - 1] == '\n')
    len--;
  if (len > 0 && text[len - 1] == '\r')
    len--;
  if (len == 0) {
    snprintf(why, why_size, "the file %s is empty", path);
    goto fail;
  }
  text[len] = '\0';
  close(fd);
  *out = text;
  *out_len = len;
  return true;

fail:
  if (text != NULL) {
    explicit_bzero(text, SECRET_MAX + 1);
    free(text);
  }
  if (fd >= 0)
    close(fd);
  return false;
}

bool parse_secret(struct wps_str s, char **out, size_t *out_len, char *why,
                  size_t why_size)
{
  char name[NAME_MAX_];
  struct wps_str rest = s;
  bool from_file = str_starts(s, "file:"), from_env = str_starts(s, "env:");

  *out = NULL;
  *out_len = 0;
  if (s.len > 0 && memchr(s.ptr, '\0', s.len) != NULL) {
    snprintf(why, why_size, "a secret cannot hold a NUL byte");
    return false;
  }
  if (from_file || from_env) {
    rest = str_skip(s, from_file ? 5 : 4);
    if (rest.len == 0 || rest.len >= sizeof(name)) {
      snprintf(why, why_size, "%s",
               from_file ? "no file is named after file:"
                         : "no variable is named after env:");
      return false;
    }
    memcpy(name, rest.ptr, rest.len);
    name[rest.len] = '\0';
  }
  if (from_file) {
    if (!read_secret_file(name, out, out_len, why, why_size))
      return false;
    if (memchr(*out, '\0', *out_len) != NULL) {
      snprintf(why, why_size, "the file %s holds a NUL byte", name);
      explicit_bzero(*out, *out_len);
      free(*out);
      *out = NULL;
      *out_len = 0;
      return false;
    }
    return true;
  }
  if (from_env) {
    const char *value = getenv(name);

    if (value == NULL || value[0] == '\0') {
      snprintf(why, why_size, "the environment variable %s is %s", name,
               value == NULL ? "not set" : "empty");
      return false;
    }
    rest = str_from(value);
  }
  *out = str_dup(rest);
  if (*out == NULL) {
    snprintf(why, why_size, "out of memory");
    return false;
  }
  *out_len = rest.len;
  return true;
}

/* "${file:PATH}" or "${env:NAME}" in front of `s`: its length, else 0. */
static size_t reference_len(struct wps_str s)
{
  const char *end;

  if (!str_starts(s, "${file:") && !str_starts(s, "${env:"))
    return 0;
  end = memchr(s.ptr, '}', s.len);
  return end != NULL ? (size_t)(end - s.ptr) + 1 : 0;
}

bool parse_secrets_within(struct wps_str s, char **out, size_t *out_len,
                          char *why, size_t why_size)
{
  struct buf text;

  buf_init(&text, CONF_TEXT_MAX);
  while (s.len > 0) {
    size_t len = reference_len(s), secret_len;
    char *secret;

    if (len == 0) {
      buf_add_byte(&text, *s.ptr);
      s = str_skip(s, 1);
      continue;
    }
    if (!parse_secret((struct wps_str){s.ptr + 2, len - 3}, &secret,
                      &secret_len, why, why_size))
      goto fail;
    buf_add(&text, secret, secret_len);
    explicit_bzero(secret, secret_len);
    free(secret);
    s = str_skip(s, len);
  }
  buf_add_byte(&text, '\0');
  snprintf(why, why_size, "out of memory");
  if (text.failed)
    goto fail;
  *out = text.data;
  *out_len = text.len - 1;
  return true;

fail:
  if (text.data != NULL)
    explicit_bzero(text.data, text.len);
  buf_free(&text);
  return false;
}
