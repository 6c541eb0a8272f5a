/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/http-rest/path.h"

#include <stdlib.h>
#include <string.h>

#include "plugins/common/azure/names.h"

/* ---- %2F ---- */

static struct wps_str raw_path(const struct wps_request *req)
{
  struct wps_str s = wps->request->target(req);
  const char *at;

  /* "http://host/path", as proxies are asked. */
  if (s.len > 0 && *s.ptr != '/') {
    at = memmem(s.ptr, s.len, "://", 3);
    if (at != NULL) {
      s.len -= (size_t)(at + 3 - s.ptr);
      s.ptr = at + 3;
      at = memchr(s.ptr, '/', s.len);
      s.len = at != NULL ? s.len - (size_t)(at - s.ptr) : 0;
      s.ptr = at;
    }
  }
  at = s.len > 0 ? memchr(s.ptr, '?', s.len) : NULL;
  if (at != NULL)
    s.len = (size_t)(at - s.ptr);
  return s;
}

static bool has_slash_escape(struct wps_str s)
{
  for (size_t i = 0; i + 2 < s.len; i++)
    if (s.ptr[i] == '%' && s.ptr[i + 1] == '2' && (s.ptr[i + 2] | 0x20) == 'f')
      return true;
  return false;
}

int path_read(struct path *path, const struct wps_request *req,
              const char *pattern, bool legacy)
{
  struct wps_str raw;

  *path = (struct path){.req = req};
  if (!legacy)
    return WPS_OK;
  raw = raw_path(req);
  if (!has_slash_escape(raw))
    return WPS_OK;
  path->room = malloc(raw.len);
  if (path->room == NULL)
    return WPS_ENOMEM;
  path->pattern = pattern;
  path->size = raw.len;
  return WPS_OK;
}

void path_free(struct path *path)
{
  free(path->room);
}

/* The next segment; both begin with a slash. */
static struct wps_str next_segment(struct wps_str *rest)
{
  struct wps_str s = {rest->ptr + 1, rest->len - 1};
  const char *slash = s.len > 0 ? memchr(s.ptr, '/', s.len) : NULL;

  if (slash != NULL)
    s.len = (size_t)(slash - s.ptr);
  rest->ptr += s.len + 1;
  rest->len -= s.len + 1;
  return s;
}

static int hex(char c)
{
  return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* The core has checked the escapes of the whole path. */
static struct wps_str decoded(struct path *path, struct wps_str raw)
{
  struct wps_str out = {path->room + path->used, 0};
  char *to = path->room + path->used;

  if (raw.len > path->size - path->used)
    return out;
  for (size_t i = 0; i < raw.len; i++) {
    char c = raw.ptr[i];

    if (c == '%' && i + 2 < raw.len) {
      char byte = (char)(hex(raw.ptr[i + 1]) << 4 | hex(raw.ptr[i + 2]));

      if (byte != '/') {
        c = byte;
        i += 2;
      }
    }
    to[out.len++] = c;
  }
  path->used += out.len;
  return out;
}

struct wps_str path_param(struct path *path, const char *name)
{
  struct wps_str pattern, raw;

  if (path->pattern == NULL)
    return wps->request->param(path->req, name);
  pattern = (struct wps_str){path->pattern, strlen(path->pattern)};
  raw = raw_path(path->req);
  while (pattern.len > 0 && raw.len > 0) {
    struct wps_str want = next_segment(&pattern), is = next_segment(&raw);

    if (want.len > 2 && *want.ptr == '{' && want.len - 2 == strlen(name) &&
        memcmp(want.ptr + 1, name, want.len - 2) == 0)
      return decoded(path, is);
  }
  return (struct wps_str){NULL, 0};
}

/* ---- the server's URL ---- */

static struct wps_str without_slash(struct wps_str s)
{
  while (s.len > 0 && s.ptr[s.len - 1] == '/')
    s.len--;
  return s;
}

static struct wps_str authority(struct wps_str url)
{
  const char *at = memmem(url.ptr, url.len, "://", 3);

  if (at != NULL) {
    url.len -= (size_t)(at + 3 - url.ptr);
    url.ptr = at + 3;
  }
  at = url.len > 0 ? memchr(url.ptr, '/', url.len) : NULL;
  if (at != NULL)
    url.len = (size_t)(at - url.ptr);
  return url;
}

static bool host_ok(struct wps_str host)
{
  if (host.len == 0 || host.len > 512)
    return false;
  for (size_t i = 0; i < host.len; i++)
    if (host.ptr[i] <= ' ' || host.ptr[i] > '~' ||
        strchr("\"<>\\/?#@", host.ptr[i]) != NULL)
      return false;
  return true;
}

struct path_base path_base(const struct wps_request *req)
{
  static const struct wps_str nowhere = WPS_STR_INIT("localhost");
  static const struct wps_str http = WPS_STR_INIT("http://");
  static const struct wps_str https = WPS_STR_INIT("https://");
  struct wps_str host = wps->request->header(req, "host");
  struct path_base base = {{"", 0}, {NULL, 0}};
  struct wps_str url;

  for (size_t i = 0; wps->server->endpoint_at(i, &url) == WPS_OK; i++) {
    bool asked_for = azure_equal_fold(authority(url), host);

    if (i == 0 || asked_for)
      base.rest = without_slash(url);
    if (asked_for)
      break;
  }
  if (base.rest.ptr != NULL)
    return base;
  base.scheme = wps->request->scheme(req).len == https.len - 3 ? https : http;
  base.rest = host_ok(host) ? host : nowhere;
  return base;
}
