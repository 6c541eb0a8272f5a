/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/jwt_audience.h"

#include <string.h>
#include <strings.h>

struct url {
  uint32_t default_port;
  bool websocket; /* ws, wss */
  struct token_origin origin;
  struct wps_str path; /* up to the query, may be empty     */
  struct wps_str rest; /* "?query#fragment", may be empty   */
};

static bool same_fold(struct wps_str a, struct wps_str b)
{
  return a.len == b.len &&
         (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

static bool take_fold(struct wps_str *s, const char *prefix)
{
  size_t n = strlen(prefix);

  if (s->len < n || strncasecmp(s->ptr, prefix, n) != 0)
    return false;
  s->ptr += n;
  s->len -= n;
  return true;
}

static void drop_last_slash(struct wps_str *s)
{
  if (s->len > 0 && s->ptr[s->len - 1] == '/')
    s->len--;
}

/* Bytes before the first c. */
static size_t span_to(struct wps_str s, char c)
{
  const char *at = s.len == 0 ? NULL : memchr(s.ptr, c, s.len);

  return at == NULL ? s.len : (size_t)(at - s.ptr);
}

/* host, host:port, [v6], [v6]:port; port 0 when none is written. */
static bool authority_read(struct wps_str s, struct wps_str *host,
                           uint32_t *port)
{
  size_t n = 0;

  if (s.len > 0 && s.ptr[0] == '[') {
    const char *end = memchr(s.ptr, ']', s.len);

    if (end == NULL)
      return false;
    n = (size_t)(end - s.ptr) + 1;
  } else {
    n = span_to(s, ':');
  }
  *host = (struct wps_str){s.ptr, n};
  *port = 0;
  if (n == 0 || memchr(s.ptr, '@', s.len) != NULL)
    return false;
  if (n == s.len)
    return true;
  if (s.ptr[n] != ':' || s.len - n > 6 || s.len - n < 2)
    return false;
  for (n++; n < s.len; n++) {
    if (s.ptr[n] < '0' || s.ptr[n] > '9')
      return false;
    *port = *port * 10 + (uint32_t)(s.ptr[n] - '0');
  }
  return *port > 0 && *port <= 65535;
}

static bool url_read(struct wps_str s, struct url *u)
{
  struct wps_str authority;
  size_t n;

  memset(u, 0, sizeof(*u));
  if (take_fold(&s, "http://") ||
      (u->websocket = take_fold(&s, "ws://")) == true)
    u->default_port = 80;
  else if (take_fold(&s, "https://") ||
           (u->websocket = take_fold(&s, "wss://")) == true)
    u->default_port = 443;
  else
    return false;
  n = span_to(s, '/');
  n = span_to((struct wps_str){s.ptr, n}, '?');
  n = span_to((struct wps_str){s.ptr, n}, '#');
  authority = (struct wps_str){s.ptr, n};
  if (!authority_read(authority, &u->origin.host, &u->origin.port))
    return false;
  s.ptr += n;
  s.len -= n;
  n = span_to(s, '?');
  n = span_to((struct wps_str){s.ptr, n}, '#');
  u->path = (struct wps_str){s.ptr, n};
  u->rest = (struct wps_str){s.ptr + n, s.len - n};
  return true;
}

bool token_origin_from_url(struct wps_str url, struct token_origin *out)
{
  struct url u;

  if (!url_read(url, &u) || u.websocket || u.rest.len > 0)
    return false;
  *out = u.origin;
  out->is_port = out->port != 0 ? out->port : u.default_port;
  if (out->port == u.default_port)
    out->port = 0;
  out->base = u.path;
  drop_last_slash(&out->base);
  return true;
}

bool token_origin_from_host(struct wps_str host, bool tls,
                            struct token_origin *out)
{
  memset(out, 0, sizeof(*out));
  if (!authority_read(host, &out->host, &out->port))
    return false;
  out->is_port = out->port != 0 ? out->port : tls ? 443 : 80;
  if (out->port == (tls ? 443u : 80u))
    out->port = 0;
  return true;
}

static bool same_origin(const struct url *u, const struct token_origin *origin)
{
  uint32_t port = u->origin.port != 0 ? u->origin.port : u->default_port;
  uint32_t expected = origin->port != 0 ? origin->port : u->default_port;

  return (port == expected || port == origin->is_port) &&
         same_fold(u->origin.host, origin->host);
}

static int hex(char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

static char lower(char c)
{
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_exact(struct wps_str a, struct wps_str b)
{
  return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Is `text`, with its escapes decoded once when asked, equal to `plain`? */
static bool path_is(struct wps_str text, struct wps_str plain, bool decode,
                    bool fold)
{
  size_t i = 0, j = 0;

  if (!decode && (text.len != plain.len || !fold))
    return same_exact(text, plain);
  while (i < text.len && j < plain.len) {
    char c = text.ptr[i++], d = plain.ptr[j++];

    if (decode && c == '%') {
      int high = i < text.len ? hex(text.ptr[i]) : -1;
      int low = i + 1 < text.len ? hex(text.ptr[i + 1]) : -1;

      if (high < 0 || low < 0)
        return false;
      c = (char)(high << 4 | low);
      i += 2;
    }
    if (c != d && !(fold && lower(c) == lower(d)))
      return false;
  }
  return i == text.len && j == plain.len;
}

static bool base_skip(struct wps_str *path, struct wps_str base)
{
  if (path->len < base.len ||
      !same_fold((struct wps_str){path->ptr, base.len}, base))
    return false;
  path->ptr += base.len;
  path->len -= base.len;
  return true;
}

bool token_audience_client(struct wps_str aud,
                           const struct token_origin *origin,
                           struct wps_str path, struct wps_str legacy_hub)
{
  struct url u;

  if (!url_read(aud, &u) || u.websocket || !same_origin(&u, origin) ||
      !base_skip(&u.path, origin->base))
    return false;
  if (u.rest.len == 0)
    return same_exact(u.path, path) || path_is(u.path, path, false, true) ||
           path_is(u.path, path, true, true);
  if (legacy_hub.ptr == NULL || !take_fold(&u.path, "/client"))
    return false;
  drop_last_slash(&u.path);
  return u.path.len == 0 && take_fold(&u.rest, "?hub=") &&
         path_is(u.rest, legacy_hub, true, true);
}

bool token_audience_api(struct wps_str aud, const struct token_origin *origin,
                        struct wps_str path)
{
  struct url u;

  if (!url_read(aud, &u) || !same_origin(&u, origin) ||
      !base_skip(&u.path, origin->base))
    return false;
  drop_last_slash(&u.path);
  return path_is(u.path, path, false, false) ||
         path_is(u.path, path, true, false);
}

/* The first argument of that name; {NULL, 0}: none. `rest` is "?query#..." */
static struct wps_str query_get(struct wps_str rest, struct wps_str name)
{
  struct wps_str arg;
  size_t n;

  rest.len = span_to(rest, '#');
  while (rest.len > 0) {
    rest.ptr++; /* '?' or '&' */
    rest.len--;
    arg = (struct wps_str){rest.ptr, span_to(rest, '&')};
    rest.ptr += arg.len;
    rest.len -= arg.len;
    n = span_to(arg, '=');
    if (n < arg.len && path_is((struct wps_str){arg.ptr, n}, name, true, false))
      return (struct wps_str){arg.ptr + n + 1, arg.len - n - 1};
  }
  return (struct wps_str){NULL, 0};
}

bool token_audience_server(struct wps_str aud,
                           const struct token_origin *origin,
                           struct wps_str path, struct wps_str hub)
{
  static const struct wps_str name = WPS_STR_INIT("hub");
  struct wps_str named;
  struct url u;

  if (!token_audience_api(aud, origin, path) || !url_read(aud, &u))
    return false;
  named = query_get(u.rest, name);
  return named.ptr != NULL && hub.len > 0 && path_is(named, hub, true, true);
}
