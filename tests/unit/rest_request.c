/* SPDX-License-Identifier: Apache-2.0 */
/* rest_request.c - text becomes a request, as far as http-rest looks at one. */
#include "tests/unit/rest_host.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct wps_str text_of(const char *c)
{
  return (struct wps_str){c, c != NULL ? strlen(c) : 0};
}

static struct wps_str target(const struct wps_request *req)
{
  return text_of(req->target);
}

static struct wps_str scheme(const struct wps_request *req)
{
  (void)req;
  return text_of(rest_host.scheme);
}

static const struct wps_principal *principal(const struct wps_request *req)
{
  return &req->who;
}

static struct wps_str find(const struct wps_pair *pairs, size_t count,
                           const char *name)
{
  for (size_t i = 0; i < count; i++)
    if (pairs[i].name.len == strlen(name) &&
        strncasecmp(pairs[i].name.ptr, name, pairs[i].name.len) == 0)
      return pairs[i].value;
  return text_of(NULL);
}

static struct wps_str header(const struct wps_request *req, const char *name)
{
  return find(req->headers, req->header_count, name);
}

static struct wps_str param(const struct wps_request *req, const char *name)
{
  return find(req->params, req->param_count, name);
}

static int header_at(const struct wps_request *req, size_t i,
                     struct wps_pair *out)
{
  if (i >= req->header_count)
    return WPS_ENOTFOUND;
  *out = req->headers[i];
  return WPS_OK;
}

static int query_at(const struct wps_request *req, size_t i,
                    struct wps_pair *out)
{
  if (i >= req->query_count)
    return WPS_ENOTFOUND;
  *out = req->query[i];
  return WPS_OK;
}

static struct wps_bytes body(const struct wps_request *req)
{
  return req->body;
}

static int body_status(const struct wps_request *req)
{
  return req->body_status;
}

const struct wps_request_api rest_request_api = {.struct_size =
                                                     sizeof(rest_request_api),
                                                 .target = target,
                                                 .scheme = scheme,
                                                 .principal = principal,
                                                 .header = header,
                                                 .param = param,
                                                 .header_at = header_at,
                                                 .query_at = query_at,
                                                 .body = body,
                                                 .body_status = body_status};

/* Escapes are decoded into the `*at` room, which has enough of it. */
static struct wps_str decode(char **at, struct wps_str s, bool plus)
{
  struct wps_str out = {*at, 0};
  char *to = *at;

  for (size_t i = 0; i < s.len; i++) {
    char hex[3] = {0};

    if (s.ptr[i] == '%' && i + 2 < s.len) {
      memcpy(hex, s.ptr + i + 1, 2);
      to[out.len++] = (char)strtol(hex, NULL, 16);
      i += 2;
    } else {
      to[out.len++] = plus && s.ptr[i] == '+' ? ' ' : s.ptr[i];
    }
  }
  *at += s.len + 1;
  return out;
}

static void read_query(struct wps_request *req, char **room, const char *query)
{
  while (query != NULL && *query != '\0' && req->query_count < REST_PAIRS_MAX) {
    size_t len = strcspn(query, "&"), name = strcspn(query, "=&");
    struct wps_pair *pair = &req->query[req->query_count];

    if (len > 0) {
      req->query_count++;
      pair->name = decode(room, (struct wps_str){query, name}, true);
      pair->value = text_of("");
      if (name < len)
        pair->value = decode(
            room, (struct wps_str){query + name + 1, len - name - 1}, true);
    }
    query += len + (query[len] == '&');
  }
}

static bool read_params(struct wps_request *req, char **room,
                        const char *pattern, const char *path)
{
  req->param_count = 0;
  for (;;) {
    size_t want = strcspn(pattern, "/"), is = strcspn(path, "/?");

    if (*pattern == '{') {
      struct wps_pair *pair = &req->params[req->param_count++];

      pair->name = (struct wps_str){pattern + 1, want - 2};
      pair->value = decode(room, (struct wps_str){path, is}, false);
    } else if (want != is || strncmp(pattern, path, is) != 0) {
      return false;
    }
    pattern += want;
    path += is;
    if (*pattern != '/' || *path != '/')
      return *pattern == '\0' && (*path == '\0' || *path == '?');
    pattern++;
    path++;
  }
}

struct wps_request *rest_request_new(const char *head)
{
  struct wps_request *req = calloc(1, sizeof(*req));
  size_t len = strlen(head);
  char *room, *line, *next;
  const char *path;

  /* The text, and what is decoded of it once for each route. */
  req->text = calloc(1, (len + 1) * 2 * REST_ROUTES_MAX + 64 * 1024);
  memcpy(req->text, head, len);
  room = req->text + len + 1;
  line = req->text;
  next = strchr(line, '\n');
  if (next != NULL)
    *next++ = '\0';
  req->method = line;
  req->target = strchr(line, ' ');
  REST_MUST(req->target != NULL);
  *(char *)(uintptr_t)req->target++ = '\0';
  while (next != NULL && *next != '\n' && *next != '\0') {
    struct wps_pair *pair = &req->headers[req->header_count++];
    char *colon;

    line = next;
    next = strchr(line, '\n');
    if (next != NULL)
      *next++ = '\0';
    colon = strchr(line, ':');
    REST_MUST(colon != NULL);
    pair->name = (struct wps_str){line, (size_t)(colon - line)};
    pair->value = text_of(colon[1] == ' ' ? colon + 2 : colon + 1);
  }
  if (next != NULL && *next == '\n')
    req->body = (struct wps_bytes){next + 1, strlen(next + 1)};
  read_query(req, &room,
             strchr(req->target, '?') != NULL ? strchr(req->target, '?') + 1
                                              : NULL);
  req->who =
      (struct wps_principal){.struct_size = sizeof(req->who),
                             .credential = text_of(rest_host.credential)};
  path = strncmp(req->target, "http://", 7) == 0 ? strchr(req->target + 7, '/')
                                                 : req->target;
  for (; req->route < rest_host.route_count; req->route++)
    if (strcmp(rest_route_at(req->route)->method, req->method) == 0 &&
        read_params(req, &room, rest_route_at(req->route)->pattern, path))
      break;
  return req;
}

void rest_request_free(struct wps_request *req)
{
  if (req != NULL)
    free(req->text);
  free(req);
}

const struct wps_request *rest_request(const char *head)
{
  static struct wps_request *last;

  rest_request_free(last);
  last = head != NULL ? rest_request_new(head) : NULL;
  return last;
}
