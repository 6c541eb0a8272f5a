/* SPDX-License-Identifier: Apache-2.0 */
/* hub/roles.c - permissions of one client. */
#include "hub/roles.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/table.h"
#include "base/utf8.h"

enum { KIND_JOIN, KIND_PUBLISH, KIND_SET_STATE, KIND_GET_STATE, KIND_COUNT };

struct literal {
  uint32_t allow;
  uint32_t len;
  char name[];
};

struct pattern {
  uint32_t len;
  char text[];
};

struct role_lists {
  struct {
    struct table literals; /* struct literal */
    struct pattern *patterns[ROLES_PATTERNS_MAX];
    size_t pattern_count;
  } kinds[KIND_COUNT];
};

static int kind_of(uint32_t action)
{
  switch (action) {
  case WPS_ACT_JOIN:
    return KIND_JOIN;
  case WPS_ACT_PUBLISH:
    return KIND_PUBLISH;
  case WPS_ACT_SET_STATE:
    return KIND_SET_STATE;
  case WPS_ACT_GET_STATE:
    return KIND_GET_STATE;
  default:
    return -1;
  }
}

/* ---- patterns ---- */

static bool is_wild(char c)
{
  return c == '*' || c == '?' || c == '\\';
}

bool role_pattern_ok(struct wps_str p, const char **why)
{
  size_t stars = 0;

  if (p.len == 0) {
    *why = "the pattern is empty";
    return false;
  }
  if (p.len > 3 * ROLES_PATTERN_LEN_MAX ||
      utf8_utf16_len(p) > ROLES_PATTERN_LEN_MAX) {
    *why = "the pattern is longer than 1024 characters";
    return false;
  }
  for (size_t i = 0; i < p.len; i++) {
    if (p.ptr[i] == '\\') {
      if (i + 1 == p.len || !is_wild(p.ptr[i + 1])) {
        *why = "a backslash must stand before *, ? or \\";
        return false;
      }
      i++;
    } else if (p.ptr[i] == '*') {
      stars++;
    }
  }
  if (stars > ROLES_PATTERN_STARS_MAX) {
    *why = "the pattern has more than 5 asterisks";
    return false;
  }
  return true;
}

static bool has_wildcard(struct wps_str p)
{
  for (size_t i = 0; i < p.len; i++) {
    if (p.ptr[i] == '\\')
      i++;
    else if (p.ptr[i] == '*' || p.ptr[i] == '?')
      return true;
  }
  return false;
}

static size_t char_len(struct wps_str s, size_t at)
{
  size_t n = 1;

  while (at + n < s.len && ((unsigned char)s.ptr[at + n] & 0xc0) == 0x80)
    n++;
  return n;
}

/* Two-pointer glob with two kinds of star. A later star makes trying longer
 * matches of an earlier one of the same or lesser power useless; `*` behind
 * `**` is the exception, so both positions to go back to are kept: the work is
 * at most (text length)^2 times the pattern's length, all three bounded. */
bool role_pattern_match(struct wps_str p, struct wps_str t)
{
  size_t pi = 0, ti = 0;
  size_t one_p = SIZE_MAX, one_t = 0; /* last `*`  */
  size_t all_p = SIZE_MAX, all_t = 0; /* last `**` */

  for (;;) {
    if (pi < p.len && p.ptr[pi] == '*') {
      size_t stars = 0;

      while (pi < p.len && p.ptr[pi] == '*') {
        pi++;
        stars++;
      }
      if (stars >= 2) {
        all_p = pi;
        all_t = ti;
        one_p = SIZE_MAX;
      } else {
        one_p = pi;
        one_t = ti;
      }
      continue;
    }
    if (pi == p.len && ti == t.len)
      return true;
    if (pi < p.len && ti < t.len) {
      if (p.ptr[pi] == '?' && t.ptr[ti] != '.') {
        pi++;
        ti += char_len(t, ti);
        continue;
      }
      if (p.ptr[pi] != '?') {
        size_t literal = p.ptr[pi] == '\\' ? pi + 1 : pi;

        if (p.ptr[literal] == t.ptr[ti]) {
          pi = literal + 1;
          ti++;
          continue;
        }
      }
    }
    /* Give one more character to the innermost star that can take it. */
    if (one_p != SIZE_MAX && one_t < t.len && t.ptr[one_t] != '.') {
      one_t += char_len(t, one_t);
      pi = one_p;
      ti = one_t;
    } else if (all_p != SIZE_MAX && all_t < t.len) {
      all_t += char_len(t, all_t);
      pi = all_p;
      ti = all_t;
      one_p = SIZE_MAX;
    } else {
      return false;
    }
  }
}

/* ---- lists ---- */

static struct wps_str literal_key(const void *value)
{
  const struct literal *l = value;

  return (struct wps_str){l->name, l->len};
}

static struct role_lists *lists_of(struct roles *r)
{
  if (r->lists != NULL)
    return r->lists;
  r->lists = calloc(1, sizeof(*r->lists));
  for (int kind = 0; r->lists != NULL && kind < KIND_COUNT; kind++)
    table_init(&r->lists->kinds[kind].literals, literal_key);
  return r->lists;
}

static void clear_kind(struct roles *r, int kind)
{
  struct literal *l;
  size_t at = 0;

  if (r->lists == NULL)
    return;
  while ((l = table_next(&r->lists->kinds[kind].literals, &at)) != NULL)
    free(l);
  table_free(&r->lists->kinds[kind].literals);
  for (size_t i = 0; i < r->lists->kinds[kind].pattern_count; i++)
    free(r->lists->kinds[kind].patterns[i]);
  r->lists->kinds[kind].pattern_count = 0;
}

void roles_free(struct roles *r)
{
  for (int kind = 0; kind < KIND_COUNT; kind++)
    clear_kind(r, kind);
  free(r->lists);
  r->lists = NULL;
  r->allow_all = 0;
}

static int put_literal(struct roles *r, int kind, struct wps_str name,
                       bool allow)
{
  struct role_lists *lists = lists_of(r);
  struct literal *l;
  int rc;

  if (lists == NULL)
    return WPS_ENOMEM;
  l = table_get(&lists->kinds[kind].literals, name);
  if (l != NULL) {
    l->allow = allow;
    return WPS_OK;
  }
  if (lists->kinds[kind].literals.count >= ROLES_LITERALS_MAX)
    return WPS_ELIMIT;
  l = malloc(sizeof(*l) + name.len);
  if (l == NULL)
    return WPS_ENOMEM;
  l->allow = allow;
  l->len = (uint32_t)name.len;
  memcpy(l->name, name.ptr, name.len);
  rc = table_put(&lists->kinds[kind].literals, l);
  if (rc != WPS_OK)
    free(l);
  return rc;
}

static int put_pattern(struct roles *r, int kind, struct wps_str text)
{
  struct role_lists *lists = lists_of(r);
  struct pattern *p;

  if (lists == NULL)
    return WPS_ENOMEM;
  if (lists->kinds[kind].pattern_count == ROLES_PATTERNS_MAX)
    return WPS_ELIMIT;
  p = malloc(sizeof(*p) + text.len);
  if (p == NULL)
    return WPS_ENOMEM;
  p->len = (uint32_t)text.len;
  memcpy(p->text, text.ptr, text.len);
  lists->kinds[kind].patterns[lists->kinds[kind].pattern_count++] = p;
  return WPS_OK;
}

static bool patterns_allow(const struct roles *r, int kind,
                           struct wps_str group)
{
  for (size_t i = r->lists->kinds[kind].pattern_count; i-- > 0;) {
    const struct pattern *p = r->lists->kinds[kind].patterns[i];

    if (role_pattern_match((struct wps_str){p->text, p->len}, group))
      return true;
  }
  return false;
}

static struct literal *find_literal(const struct roles *r, int kind,
                                    struct wps_str group)
{
  return r->lists == NULL ? NULL
                          : table_get(&r->lists->kinds[kind].literals, group);
}

/* What holds for a group that has no literal entry. */
static bool fallback_allows(const struct roles *r, int kind,
                            struct wps_str group)
{
  if (r->lists != NULL && patterns_allow(r, kind, group))
    return true;
  return (r->allow_all & 1u << kind) != 0;
}

bool roles_allow(const struct roles *r, uint32_t action, struct wps_str group)
{
  int kind = kind_of(action);
  struct literal *l;

  if (kind < 0)
    return false;
  if (group.ptr == NULL)
    return (r->allow_all & 1u << kind) != 0;
  l = find_literal(r, kind, group);
  return l != NULL ? l->allow != 0 : fallback_allows(r, kind, group);
}

static void remove_literal(struct roles *r, int kind, struct wps_str group)
{
  free(table_remove(&r->lists->kinds[kind].literals, group));
}

static int change(struct roles *r, uint32_t action, struct wps_str group,
                  bool allow)
{
  int kind = kind_of(action);
  struct literal *l;

  if (kind < 0)
    return WPS_EINVAL;
  if (group.ptr == NULL) {
    clear_kind(r, kind);
    if (allow)
      r->allow_all |= 1u << kind;
    else
      r->allow_all &= ~(1u << kind);
    return WPS_OK;
  }
  l = find_literal(r, kind, group);
  if (l != NULL && (l->allow != 0) != allow) {
    if (fallback_allows(r, kind, group) == allow)
      remove_literal(r, kind, group);
    else
      l->allow = allow;
    return WPS_OK;
  }
  /* What nobody has granted need not be denied. */
  if (l == NULL && !allow && !fallback_allows(r, kind, group))
    return WPS_OK;
  return put_literal(r, kind, group, allow);
}

int roles_grant(struct roles *r, uint32_t action, struct wps_str group)
{
  return change(r, action, group, true);
}

int roles_revoke(struct roles *r, uint32_t action, struct wps_str group)
{
  return change(r, action, group, false);
}

/* ---- role strings ---- */

struct role_form {
  const char *name;
  int kind;
  bool pattern; /* what follows the dot is a pattern */
  bool bare;    /* may stand without a dot           */
};

static const struct role_form forms[] = {
    {"webpubsub.joinLeaveGroup", KIND_JOIN, false, true},
    {"webpubsub.joinLeaveGroups", KIND_JOIN, true, false},
    {"webpubsub.sendToGroup", KIND_PUBLISH, false, true},
    {"webpubsub.sendToGroups", KIND_PUBLISH, true, false},
    {"webpubsub.setGroupState", KIND_SET_STATE, true, true},
    {"webpubsub.getGroupState", KIND_GET_STATE, true, true},
};

static struct wps_str unescape(struct wps_str p, char *room)
{
  size_t len = 0;

  for (size_t i = 0; i < p.len; i++) {
    if (p.ptr[i] == '\\')
      i++;
    room[len++] = p.ptr[i];
  }
  return (struct wps_str){room, len};
}

static int set_pattern(struct roles *r, int kind, struct wps_str text,
                       const char **why)
{
  char room[3 * ROLES_PATTERN_LEN_MAX];

  if (!role_pattern_ok(text, why))
    return WPS_EINVAL;
  if (!has_wildcard(text))
    return put_literal(r, kind, unescape(text, room), true);
  if (str_eq_c(text, "**")) {
    r->allow_all |= 1u << kind;
    return WPS_OK;
  }
  return put_pattern(r, kind, text);
}

static int set_one(struct roles *r, struct wps_str role, const char **why)
{
  for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
    size_t n = strlen(forms[i].name);
    struct wps_str rest;

    if (!str_starts(role, forms[i].name))
      continue;
    if (role.len == n && forms[i].bare) {
      r->allow_all |= 1u << forms[i].kind;
      return WPS_OK;
    }
    if (role.len == n || role.ptr[n] != '.')
      continue;
    rest = str_skip(role, n + 1);
    if (forms[i].pattern)
      return set_pattern(r, forms[i].kind, rest, why);
    if (rest.len == 0) {
      *why = "the group is empty";
      return WPS_EINVAL;
    }
    return put_literal(r, forms[i].kind, rest, true);
  }
  return WPS_OK;
}

int roles_set(struct roles *r, const struct wps_str *roles, size_t count,
              roles_skipped_fn skipped, void *arg)
{
  roles_free(r);
  for (size_t i = 0; i < count; i++) {
    const char *why = "more than 1000 groups or 10 patterns";
    int rc = set_one(r, roles[i], &why);

    if (rc == WPS_ENOMEM) {
      roles_free(r);
      return rc;
    }
    if (rc != WPS_OK && skipped != NULL)
      skipped(arg, roles[i], why);
  }
  return WPS_OK;
}
