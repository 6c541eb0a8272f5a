/* SPDX-License-Identifier: Apache-2.0 */
/* http/router.c - patterns, most specific first.
 *
 * A pattern is a list of segments; two patterns with equal segments but for the
 * names of parameters are one place, which holds a route per method. Places are
 * kept sorted, literals before parameters with a rest before plain parameters,
 * so that the first that fits is the one that counts, also for a 405: a
 * parameter never serves a method that the literal beside it lacks. */
#include "http/router.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "http/request.h"

enum { SEGMENTS_MAX = 24 };

struct segment {
  struct wps_str literal; /* the whole of it, or what follows the parameter */
  struct wps_str param;   /* {NULL,0}: none */
};

struct entry {
  struct route route;
  char *text; /* method, pattern, name, scope */
  struct segment segments[SEGMENTS_MAX];
  size_t segment_count;
};

struct router {
  struct entry **entries;
  size_t count;
};

struct router *router_new(void)
{
  return calloc(1, sizeof(struct router));
}

static void entry_free(struct entry *e)
{
  free(e->text);
  free(e);
}

void router_free(struct router *r)
{
  size_t i;

  if (r == NULL)
    return;
  for (i = 0; i < r->count; i++)
    entry_free(r->entries[i]);
  free(r->entries);
  free(r);
}

/* ---- patterns ---- */

static bool is_unreserved(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

/* What may stand in a path as it is: a pattern has no escapes. */
static bool literal_ok(struct wps_str s)
{
  size_t i;

  for (i = 0; i < s.len; i++)
    if (!is_unreserved(s.ptr[i]) &&
        (s.ptr[i] == '\0' || strchr("!$&'()*+,;=:@", s.ptr[i]) == NULL))
      return false;
  return true;
}

static bool segment_parse(struct wps_str s, struct segment *out)
{
  const char *close;
  size_t i;

  *out = (struct segment){s, STR_NONE};
  if (s.len == 0 || s.ptr[0] != '{')
    return literal_ok(s);
  close = memchr(s.ptr, '}', s.len);
  if (close == NULL || close == s.ptr + 1)
    return false;
  out->param = (struct wps_str){s.ptr + 1, (size_t)(close - s.ptr) - 1};
  for (i = 0; i < out->param.len; i++)
    if (!is_unreserved(out->param.ptr[i]))
      return false;
  out->literal = str_skip(s, out->param.len + 2);
  /* "{x}ab" could cut an escape in two. */
  return literal_ok(out->literal) &&
         (out->literal.len == 0 || strchr(":;,=@!$", *out->literal.ptr));
}

static bool entry_parse(struct entry *e, struct wps_str pattern)
{
  size_t params = 0, i;

  if (pattern.len == 0 || pattern.ptr[0] != '/')
    return false;
  while (pattern.len > 0) {
    struct wps_str rest = str_skip(pattern, 1), one = rest;
    const char *slash = rest.len == 0 ? NULL : memchr(rest.ptr, '/', rest.len);
    struct segment *s = &e->segments[e->segment_count];

    if (slash != NULL)
      one.len = (size_t)(slash - rest.ptr);
    /* Only the last may be empty: "/admin/", "/". */
    if (e->segment_count == SEGMENTS_MAX || (one.len == 0 && slash != NULL) ||
        !segment_parse(one, s))
      return false;
    for (i = 0; s->param.ptr != NULL && i < e->segment_count; i++)
      if (str_eq(e->segments[i].param, s->param))
        return false; /* the same name twice */
    if (s->param.ptr != NULL && ++params > REQUEST_PARAMS_MAX)
      return false;
    e->segment_count++;
    pattern = str_skip(rest, one.len);
  }
  return true;
}

/* The core serves these itself. */
static bool is_reserved(const struct entry *e)
{
  const struct segment *s = e->segments;

  if (s[0].param.ptr != NULL)
    return false;
  if (str_ieq_c(s[0].literal, "client"))
    return true;
  return e->segment_count == 2 && s[1].param.ptr == NULL &&
         str_eq_c(s[0].literal, "api") && str_eq_c(s[1].literal, "health");
}

static int segment_rank(const struct segment *s)
{
  if (s->param.ptr == NULL)
    return 0;
  return s->literal.len > 0 ? 1 : 2;
}

/* Order of places; 0: the same place. */
static int entry_cmp(const struct entry *a, const struct entry *b)
{
  size_t i;
  int d;

  for (i = 0; i < a->segment_count && i < b->segment_count; i++) {
    const struct segment *x = &a->segments[i], *y = &b->segments[i];

    d = segment_rank(x) - segment_rank(y);
    if (d == 0 && x->literal.len != y->literal.len)
      d = x->literal.len > y->literal.len ? -1 : 1; /* a longer rest first */
    if (d == 0)
      d = str_cmp(x->literal, y->literal);
    if (d != 0)
      return d;
  }
  if (a->segment_count == b->segment_count)
    return 0;
  return a->segment_count < b->segment_count ? -1 : 1;
}

/* ---- filling ---- */

static bool method_ok(const char *method)
{
  const char *c;

  if (method == NULL || method[0] == '\0')
    return false;
  if (strcmp(method, "*") == 0)
    return true;
  for (c = method; *c != '\0'; c++)
    if (!((*c >= 'A' && *c <= 'Z') || *c == '-'))
      return false;
  return c - method <= 32;
}

static const char *keep(char **at, const char *s)
{
  size_t len;
  char *copy = *at;

  if (s == NULL)
    return NULL;
  len = strlen(s) + 1;
  memcpy(copy, s, len);
  *at += len;
  return copy;
}

static size_t kept_len(const char *s)
{
  return s == NULL ? 0 : strlen(s) + 1;
}

static int entry_new(struct wps_instance *instance,
                     const struct wps_http_route *def, struct entry **out)
{
  struct entry *e = calloc(1, sizeof(*e));
  struct wps_http_route *to;
  char *at;

  if (e == NULL)
    return WPS_ENOMEM;
  e->text = malloc(kept_len(def->method) + kept_len(def->pattern) +
                   kept_len(def->name) + kept_len(def->scope));
  if (e->text == NULL) {
    free(e);
    return WPS_ENOMEM;
  }
  at = e->text;
  to = &e->route.def;
  to->struct_size = sizeof(*to);
  to->purpose = def->purpose;
  to->method = keep(&at, def->method);
  to->pattern = keep(&at, def->pattern);
  to->name = keep(&at, def->name);
  to->scope = keep(&at, def->scope);
  to->max_body_bytes = def->max_body_bytes;
  to->handle = def->handle;
  if (to->name == NULL)
    to->name = to->pattern;
  e->route.instance = instance;
  if (!entry_parse(e, str_from(to->pattern))) {
    entry_free(e);
    return WPS_EINVAL;
  }
  *out = e;
  return WPS_OK;
}

int router_add(struct router *r, struct wps_instance *instance,
               const struct wps_http_route *def)
{
  struct entry **grown, *e;
  size_t at;
  int rc;

  if (!WPS_HAS(def, handle) || def->handle == NULL || def->pattern == NULL ||
      !method_ok(def->method) ||
      (def->purpose != 0 && def->purpose != WPS_FOR_API &&
       def->purpose != WPS_FOR_SERVER))
    return WPS_EINVAL;
  rc = entry_new(instance, def, &e);
  if (rc != WPS_OK)
    return rc;
  rc = WPS_EEXIST;
  if (is_reserved(e))
    goto fail;
  for (at = 0; at < r->count; at++) {
    int d = entry_cmp(e, r->entries[at]);

    if (d < 0)
      break;
    if (d == 0 &&
        strcmp(e->route.def.method, r->entries[at]->route.def.method) == 0)
      goto fail;
  }
  rc = WPS_ENOMEM;
  grown = realloc(r->entries, (r->count + 1) * sizeof(struct entry *));
  if (grown == NULL)
    goto fail;
  r->entries = grown;
  memmove(grown + at + 1, grown + at, (r->count - at) * sizeof(struct entry *));
  grown[at] = e;
  r->count++;
  return WPS_OK;

fail:
  entry_free(e);
  return rc;
}

/* ---- matching ---- */

static size_t path_split(struct wps_str path, struct wps_str *segments)
{
  size_t count = 0;

  if (path.len == 0 || path.ptr[0] != '/')
    return 0;
  for (;;) {
    const char *slash;

    path = str_skip(path, 1);
    if (count == SEGMENTS_MAX)
      return 0; /* longer than any pattern */
    slash = path.len == 0 ? NULL : memchr(path.ptr, '/', path.len);
    segments[count] = path;
    if (slash == NULL)
      return count + 1;
    segments[count].len = (size_t)(slash - path.ptr);
    path = str_skip(path, segments[count].len);
    count++;
  }
}

static bool ends_with(struct wps_str s, struct wps_str tail)
{
  return s.len > tail.len &&
         memcmp(s.ptr + s.len - tail.len, tail.ptr, tail.len) == 0;
}

static unsigned nibble(char c)
{
  return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;
}

/* `raw` has good escapes: a request with others is refused before. */
static bool literal_fits(struct wps_str literal, struct wps_str raw)
{
  size_t i = 0, j = 0;

  if (raw.len == literal.len)
    return str_eq(literal, raw);
  while (i < literal.len && j < raw.len) {
    char c = raw.ptr[j++];

    if (c == '%' && raw.len - j >= 2) {
      c = (char)(nibble(raw.ptr[j]) << 4 | nibble(raw.ptr[j + 1]));
      j += 2;
    }
    if (literal.ptr[i++] != c)
      return false;
  }
  return i == literal.len && j == raw.len;
}

bool router_path_is(struct wps_str raw_path, const char *path)
{
  struct wps_str wanted[SEGMENTS_MAX], given[SEGMENTS_MAX];
  size_t count = path_split(str_from(path), wanted), i;

  if (path_split(raw_path, given) != count)
    return false;
  for (i = 0; i < count && literal_fits(wanted[i], given[i]); i++)
    ;
  return i == count;
}

static bool entry_fits(const struct entry *e, const struct wps_str *segments,
                       size_t count)
{
  size_t i;

  if (e->segment_count != count)
    return false;
  for (i = 0; i < count; i++) {
    const struct segment *s = &e->segments[i];

    if (s->param.ptr == NULL) {
      if (!literal_fits(s->literal, segments[i]))
        return false;
    } else if (s->literal.len > 0) {
      if (!ends_with(segments[i], s->literal))
        return false;
    } else if (segments[i].len == 0) {
      return false;
    }
  }
  return true;
}

static bool fill_params(const struct entry *e, const struct wps_str *segments,
                        struct wps_request *req)
{
  char *at = req->param_room;
  size_t i;

  req->param_count = 0;
  for (i = 0; i < e->segment_count; i++) {
    const struct segment *s = &e->segments[i];
    struct wps_str raw = segments[i];
    struct wps_pair *param = &req->params[req->param_count];

    if (s->param.ptr == NULL)
      continue;
    raw.len -= s->literal.len;
    param->name = s->param;
    param->value.ptr = at;
    if (!percent_decode(raw, false, at, &param->value.len))
      return false;
    at += raw.len;
    if (str_eq_c(s->param, "hub"))
      req->hub = param->value;
    req->param_count++;
  }
  return true;
}

static void allow_add(char *room, size_t size, size_t *len, const char *method)
{
  int n;

  if (*len >= size)
    return;
  n = snprintf(room + *len, size - *len, "%s%s", *len > 0 ? ", " : "", method);
  if (n > 0 && (size_t)n < size - *len)
    *len += (size_t)n;
}

const struct route *router_match(const struct router *r,
                                 struct wps_request *req, char *room,
                                 size_t room_size, struct wps_str *allow)
{
  struct wps_str segments[SEGMENTS_MAX];
  size_t count = path_split(req->raw_path, segments), first, at, len = 0;
  const struct entry *any = NULL, *get = NULL, *exact = NULL;
  bool head = false;

  *allow = STR_NONE;
  for (first = 0; first < r->count; first++)
    if (entry_fits(r->entries[first], segments, count))
      break;
  if (count == 0 || first == r->count)
    return NULL;
  for (at = first; at < r->count; at++) {
    const struct entry *e = r->entries[at];
    const char *method = e->route.def.method;

    if (at > first && entry_cmp(r->entries[first], e) != 0)
      break;
    if (str_eq_c(req->method, method))
      exact = e;
    else if (strcmp(method, "*") == 0)
      any = e;
    if (strcmp(method, "GET") == 0)
      get = e;
    head = head || strcmp(method, "HEAD") == 0;
    allow_add(room, room_size, &len, method);
  }
  /* HEAD is GET without its body, unless a route says otherwise. */
  if (exact == NULL && any == NULL && get != NULL &&
      str_eq_c(req->method, "HEAD"))
    exact = get;
  if (exact == NULL)
    exact = any;
  if (exact != NULL)
    return fill_params(exact, segments, req) ? &exact->route : NULL;
  if (get != NULL && !head)
    allow_add(room, room_size, &len, "HEAD");
  *allow = (struct wps_str){room, len};
  return NULL;
}
