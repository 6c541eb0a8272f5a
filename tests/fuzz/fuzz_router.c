/* SPDX-License-Identifier: Apache-2.0 */
/* Which route a request gets, with the routes of the management API.
 *
 * The input is "METHOD target". Beyond not crashing: parameters are what a
 * plain reading of the path gives, and escaping more of a path changes neither
 * route nor parameters.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "http/request.h"
#include "http/router.h"

enum { TARGET_MAX = 2048, TEXT_MAX = 4 * TARGET_MAX };

static const char *const routes[][2] = {
    {"POST", "/api/hubs/{hub}/:send"},
    {"POST", "/api/hubs/{hub}/connections/{connectionId}/:send"},
    {"POST", "/api/hubs/{hub}/groups/{group}/:send"},
    {"POST", "/api/hubs/{hub}/users/{userId}/:send"},
    {"HEAD", "/api/hubs/{hub}/connections/{connectionId}"},
    {"HEAD", "/api/hubs/{hub}/groups/{group}"},
    {"HEAD", "/api/hubs/{hub}/users/{userId}"},
    {"DELETE", "/api/hubs/{hub}/connections/{connectionId}"},
    {"POST", "/api/hubs/{hub}/:closeConnections"},
    {"POST", "/api/hubs/{hub}/groups/{group}/:closeConnections"},
    {"POST", "/api/hubs/{hub}/users/{userId}/:closeConnections"},
    {"PUT", "/api/hubs/{hub}/groups/{group}/connections/{connectionId}"},
    {"DELETE", "/api/hubs/{hub}/groups/{group}/connections/{connectionId}"},
    {"DELETE", "/api/hubs/{hub}/connections/{connectionId}/groups"},
    {"PUT", "/api/hubs/{hub}/users/{userId}/groups/{group}"},
    {"DELETE", "/api/hubs/{hub}/users/{userId}/groups/{group}"},
    {"HEAD", "/api/hubs/{hub}/users/{userId}/groups/{group}"},
    {"DELETE", "/api/hubs/{hub}/users/{userId}/groups"},
    {"POST", "/api/hubs/{hub}/:addToGroups"},
    {"POST", "/api/hubs/{hub}/:removeFromGroups"},
    {"GET", "/api/hubs/{hub}/groups/{group}/connections"},
    {"PUT", "/api/hubs/{hub}/permissions/{permission}/connections/"
            "{connectionId}"},
    {"DELETE", "/api/hubs/{hub}/permissions/{permission}/connections/"
               "{connectionId}"},
    {"HEAD", "/api/hubs/{hub}/permissions/{permission}/connections/"
             "{connectionId}"},
    {"POST", "/api/hubs/{hub}/:generateToken"},
    {"GET", "/api/openapi.json"},
    /* What the patterns of others may look like. */
    {"*", "/{page}"},
    {"GET", "/jobs/{id}:cancel"},
};

static void must(bool holds)
{
  if (!holds)
    abort();
}

static void handle(void *inst, void *wstate, struct wps_request *req,
                   struct wps_reply *reply)
{
  (void)inst;
  (void)wstate;
  (void)req;
  (void)reply;
}

static struct router *filled(void)
{
  struct router *r = router_new();

  must(r != NULL);
  for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
    const struct wps_http_route def = {.struct_size = sizeof(def),
                                       .purpose = WPS_FOR_API,
                                       .method = routes[i][0],
                                       .pattern = routes[i][1],
                                       .handle = handle};

    must(router_add(r, NULL, &def) == WPS_OK);
  }
  return r;
}

static struct wps_request *request_of(const char *line, size_t len)
{
  static const struct http_limits limits = {TEXT_MAX, 16384, 100};
  static const char rest[] = " HTTP/1.1\r\nHost: h\r\n\r\n";
  struct wps_request *req = NULL;
  char *text = malloc(len + sizeof(rest));
  struct http_head head;
  uint32_t status = 0;
  const char *why = NULL;
  size_t used = 0;

  must(text != NULL);
  memcpy(text, line, len);
  memcpy(text + len, rest, sizeof(rest) - 1);
  if (http_head_parse(text, len + sizeof(rest) - 1, &limits, &head, &used,
                      &status, &why) == HTTP_HEAD_DONE)
    req = request_new(&head, STR("192.0.2.1:5000"), STR("0.0.0.0:80"), false,
                      &status, &why);
  free(text);
  return req;
}

/* Segment `index` of a path, still escaped; false past the end. */
static bool segment_at(struct wps_str path, size_t index, struct wps_str *out)
{
  for (;; index--) {
    const char *slash;

    if (path.len == 0 || path.ptr[0] != '/')
      return false;
    path = str_skip(path, 1);
    slash = path.len > 0 ? memchr(path.ptr, '/', path.len) : NULL;
    *out = path;
    if (slash != NULL)
      out->len = (size_t)(slash - path.ptr);
    if (index == 0)
      return true;
    path = str_skip(path, out->len);
  }
}

/* The slow reading: pattern and path, segment by segment. */
static void check_params(const struct wps_request *req, const char *pattern)
{
  struct wps_str one, raw, none;
  char text[TEXT_MAX];
  size_t i, n = 0, len;

  for (i = 0; segment_at(str_from(pattern), i, &one); i++) {
    const char *close = one.len > 0 ? memchr(one.ptr, '}', one.len) : NULL;
    struct wps_str tail = STR("");

    must(segment_at(req->raw_path, i, &raw));
    if (close == NULL) {
      must(percent_decode(raw, false, text, &len));
      must(str_eq(one, (struct wps_str){text, len}));
      continue;
    }
    tail = str_skip(one, (size_t)(close - one.ptr) + 1);
    must(raw.len > tail.len);
    must(tail.len == 0 ||
         memcmp(raw.ptr + raw.len - tail.len, tail.ptr, tail.len) == 0);
    raw.len -= tail.len;
    must(percent_decode(raw, false, text, &len) && len > 0);
    must(n < req->param_count);
    must(str_eq(req->params[n].value, (struct wps_str){text, len}));
    n++;
  }
  must(n == req->param_count);
  must(!segment_at(req->raw_path, i, &none));
}

/* The same request with every other byte of its path escaped, of those that
 * are not, and the rest of a pattern kept as it is. */
static void check_escaped(const struct router *r, const struct wps_request *req,
                          const struct route *expected)
{
  char line[TEXT_MAX], room[256];
  struct wps_request *other;
  struct wps_str allow, path = req->raw_path;
  size_t len;

  if (path.len > TARGET_MAX / 2 || req->method.len > 32 ||
      (expected != NULL && strchr(expected->def.pattern, '}') != NULL &&
       strstr(expected->def.pattern, "}:") != NULL))
    return;
  len = (size_t)snprintf(line, sizeof(line), "%.*s ", STR_ARG(req->method));
  for (size_t i = 0; i < path.len; i++) {
    char c = path.ptr[i];
    bool keep = c == '/' || c == '%' || (i >= 1 && path.ptr[i - 1] == '%') ||
                (i >= 2 && path.ptr[i - 2] == '%') || (c != ':' && i % 2 == 0);

    len += (size_t)snprintf(line + len, sizeof(line) - len,
                            keep ? "%c" : "%%%02X", (unsigned char)c);
  }
  other = request_of(line, len);
  must(other != NULL);
  if (expected != NULL) {
    must(router_match(r, other, room, sizeof(room), &allow) == expected);
    must(other->param_count == req->param_count);
    for (size_t i = 0; i < req->param_count; i++)
      must(str_eq(other->params[i].value, req->params[i].value));
  }
  request_unref(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static struct router *r;
  const struct route *route;
  struct wps_request *req;
  struct wps_str allow;
  char room[256];

  if (r == NULL)
    r = filled();
  if (size > TARGET_MAX)
    return 0;
  req = request_of((const char *)data, size);
  if (req == NULL)
    return 0;
  route = router_match(r, req, room, sizeof(room), &allow);
  if (route != NULL) {
    must(str_eq_c(req->method, route->def.method) ||
         strcmp(route->def.method, "*") == 0 ||
         (str_eq_c(req->method, "HEAD") &&
          strcmp(route->def.method, "GET") == 0));
    check_params(req, route->def.pattern);
  } else {
    must(allow.len < sizeof(room));
  }
  check_escaped(r, req, route);
  request_unref(req);
  return 0;
}
