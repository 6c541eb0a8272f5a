/* SPDX-License-Identifier: Apache-2.0 */
/* base/str.h - helpers for struct wps_str. */
#ifndef WPS_BASE_STR_H
#define WPS_BASE_STR_H

#include <string.h>

#include "base/base.h"
#include "base/check.h"

struct wps_str str_from(const char *terminated); /* NULL gives {NULL, 0} */
static inline bool str_eq(struct wps_str a, struct wps_str b)
{
  return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
bool str_eq_c(struct wps_str a, const char *terminated);
/* ASCII letters fold; all other bytes must be equal. */
bool str_ieq(struct wps_str a, struct wps_str b);
bool str_ieq_c(struct wps_str a, const char *terminated);
bool str_starts(struct wps_str s, const char *prefix);
bool str_istarts(struct wps_str s, const char *prefix);
/* Drops n <= len bytes. */
static inline struct wps_str str_skip(struct wps_str s, size_t n)
{
  CHECK(n <= s.len);
  if (n == 0) /* NULL + 0 is not ours to compute */
    return s;
  return (struct wps_str){s.ptr + n, s.len - n};
}
struct wps_str str_trim(struct wps_str s); /* spaces and tabs */
/* Next element of a comma-separated list, trimmed; false at the end. Empty
 * elements are skipped, as RFC 9110 5.6.1 asks of a recipient. */
bool str_next_token(struct wps_str *list, struct wps_str *token);
/* Decimal digits only; false when empty, with other bytes, or out of range. */
bool str_to_u64(struct wps_str s, uint64_t *out);
/* Copy to *at, which moves on behind it: for blocks that were measured before.
 * Gives the copy; an absent string stays absent. */
static inline struct wps_str str_put(char **at, struct wps_str s)
{
  struct wps_str copy = {*at, s.len};

  if (s.ptr == NULL)
    return s;
  if (s.len != 0)
    memcpy(*at, s.ptr, s.len);
  *at += s.len;
  return copy;
}
/* malloc'ed and terminated copy; NULL when out of memory. */
char *str_dup(struct wps_str s);
/* malloc'ed printf; NULL when out of memory. */
char *str_printf(const char *fmt, ...) WPS_PRINTF(1, 2);
/* Lexicographic by bytes, as for qsort. */
int str_cmp(struct wps_str a, struct wps_str b);
/* Lower-case ASCII letters in place. */
void str_lower(char *s, size_t len);

#endif
