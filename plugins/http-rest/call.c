/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - one request from its first check to its answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/azure/names.h"
#include "plugins/http-rest/params.h"
#include "plugins/http-rest/rest.h"

enum { REQUEST_ID_MAX = 128 };

static void call_free(struct rest_call *call)
{
  if (call->filter != NULL)
    wps->hub->filter_unref(call->filter);
  free(call->excluded);
  path_free(&call->path);
  free(call);
}

/* ---- answers ---- */

struct headers {
  struct wps_pair pairs[8];
  size_t count;
};

static void add(struct headers *h, const char *name, struct wps_str value)
{
  h->pairs[h->count].name = (struct wps_str){name, strlen(name)};
  h->pairs[h->count++].value = value;
}

static void add_text(struct headers *h, const char *name, const char *value)
{
  add(h, name, (struct wps_str){value, strlen(value)});
}

/* What a client wants to find its request again by: short, and nothing that a
 * log or a terminal could take for something else. */
static bool request_id_ok(struct wps_str id)
{
  if (id.len == 0 || id.len > REQUEST_ID_MAX)
    return false;
  for (size_t i = 0; i < id.len; i++)
    if (id.ptr[i] < '!' || id.ptr[i] > '~')
      return false;
  return true;
}

static void add_common(struct headers *h, const struct wps_request *req)
{
  struct wps_str id = wps->request->header(req, "x-ms-client-request-id");

  add_text(h, "api-supported-versions", REST_SUPPORTED);
  if (wps->request->scheme(req).len == 5)
    add_text(h, "Strict-Transport-Security",
             "max-age=15724800; includeSubDomains");
  if (request_id_ok(id))
    add(h, "x-ms-client-request-id", id);
}

void rest_answer(struct rest_call *call, const struct rest_answer *a)
{
  struct wps_http_response r = {
      .struct_size = sizeof(r), .code = a->code, .body = a->body};
  struct headers h = {.count = 0};
  char seconds[16];

  if (a->type != NULL && a->body == NULL) {
    static const struct wps_str why = WPS_STR_INIT("out of memory");

    wps->reply->fail(call->reply, WPS_ENOMEM, why);
    call_free(call);
    return;
  }
  add_common(&h, call->req);
  if (a->type != NULL)
    add_text(&h, "Content-Type", a->type);
  if (a->error_code != NULL)
    add_text(&h, "x-ms-error-code", a->error_code);
  if (a->retry_after_s != 0) {
    snprintf(seconds, sizeof(seconds), "%u", a->retry_after_s);
    add_text(&h, "Retry-After", seconds);
  }
  if (call->op->flags & REST_SECRET)
    add_text(&h, "Cache-Control", "no-store");
  r.headers = h.pairs;
  r.header_count = h.count;
  wps->http->respond(call->reply, &r);
  if (a->body != NULL)
    wps->message->frame_unref(a->body);
  call_free(call);
}

void rest_empty(struct rest_call *call, uint32_t code)
{
  rest_answer(call, &(struct rest_answer){.code = code});
}

void rest_json(struct rest_call *call, struct wps_frame *body)
{
  rest_answer(call,
              &(struct rest_answer){.code = 200,
                                    .type = "application/json; charset=utf-8",
                                    .body = body});
}

/* ---- parameters ---- */

bool rest_read_text(struct rest_call *call, const char *name,
                    struct wps_str *out)
{
  if (param_text(call->req, name, out) == WPS_OK)
    return true;
  rest_bad(call, name,
           "Invalid value for '%s'. It has to be UTF-8, given once.", name);
  return false;
}

bool rest_read_int(struct rest_call *call, const char *name, uint32_t min,
                   uint32_t max, uint32_t fallback, uint32_t *out)
{
  if (param_int(call->req, name, min, max, fallback, out) == WPS_OK)
    return true;
  rest_bad(call, name,
           "Invalid value for '%s'. It has to be an integer between %u and %u, "
           "given once.",
           name, min, max);
  return false;
}

bool rest_read_list(struct rest_call *call, const char *name, bool empty,
                    struct wps_str **out, size_t *count)
{
  int rc = param_list(call->req, name, empty, out, count);

  if (rc == WPS_OK)
    return true;
  if (rc == WPS_EINVAL)
    rest_bad(call, name, "Invalid value for '%s'. It has to be UTF-8.", name);
  else
    rest_failed(call, rc);
  return false;
}

bool rest_read_excluded(struct rest_call *call)
{
  if (!rest_read_list(call, "excluded", false, &call->excluded,
                      &call->target.excluded_count))
    return false;
  call->target.excluded = call->excluded;
  return true;
}

bool rest_compile_filter(struct rest_call *call, struct wps_str text,
                         const char *target)
{
  char why[REST_FILTER_WHY];
  int rc;

  if (text.len == 0)
    return true;
  rc = wps->hub->filter(text, &call->filter, why, sizeof(why));
  if (rc == WPS_OK) {
    call->target.filter = call->filter;
    return true;
  }
  call->filter = NULL;
  if (rc == WPS_EINVAL)
    rest_invalid(call, target, why);
  else
    rest_failed(call, rc);
  return false;
}

bool rest_read_filter(struct rest_call *call)
{
  struct wps_str text;

  return rest_read_text(call, "filter", &text) &&
         rest_compile_filter(call, text, "filter");
}

/* ---- what every operation has ---- */

static bool pass_rate(struct rest_call *call)
{
  const struct wps_principal *who = wps->request->principal(call->req);
  struct wps_str key = {NULL, 0};
  struct wps_worker *w = wps->worker->current();
  uint32_t retry_s;

  if (call->rest->rate == NULL)
    return true;
  if (who != NULL)
    key = who->credential.len > 0 ? who->credential : who->user;
  if (rate_take(call->rest->rate, key, wps->worker->now_us(w), &retry_s))
    return true;
  rest_too_many(call, rate_per_second(call->rest->rate), retry_s);
  return false;
}

static bool check_version(struct rest_call *call)
{
  struct wps_str version;

  if (param_text(call->req, "api-version", &version) == WPS_OK &&
      (version.ptr == NULL ||
       api_version_ok(version, call->rest->accept_newer)))
    return true;
  rest_bad(call, "api-version", "The specified API version is not supported.");
  return false;
}

static bool check_hub(struct rest_call *call)
{
  struct wps_str hub = path_param(&call->path, "hub");

  if (hub_name_read(hub, call->hub_room, sizeof(call->hub_room))) {
    call->hub = (struct wps_str){call->hub_room, hub.len};
    return true;
  }
  rest_bad(call, "hub",
           "Invalid hub name. Valid hub name should be in between 1 and %u "
           "characters long, begin with a letter, and have letters, digits and "
           "_`,.[] only.",
           REST_HUB_MAX);
  return false;
}

static bool check_id(struct rest_call *call, const char *name,
                     struct wps_str *out)
{
  *out = path_param(&call->path, name);
  if (out->ptr == NULL || (out->len > 0 && azure_utf8_ok(*out)))
    return true;
  rest_bad(call, name, "Invalid %s. It has to be UTF-8 and not empty.", name);
  return false;
}

bool rest_group_ok(struct wps_str group)
{
  return azure_utf8_ok(group) && azure_group_ok(group);
}

static bool check_group(struct rest_call *call)
{
  call->group = path_param(&call->path, "group");
  if (call->group.ptr == NULL || rest_group_ok(call->group))
    return true;
  rest_bad(call, "group", "%s", REST_BAD_GROUP);
  return false;
}

static bool check_names(struct rest_call *call)
{
  struct wps_target *t = &call->target;

  if (!check_hub(call) || !check_group(call) ||
      !check_id(call, "userId", &call->user) ||
      !check_id(call, "connectionId", &call->conn))
    return false;
  t->struct_size = sizeof(*t);
  t->kind = call->op->to;
  t->hub = call->hub;
  t->name = t->kind == WPS_TO_GROUP  ? call->group
            : t->kind == WPS_TO_USER ? call->user
            : t->kind == WPS_TO_CONN ? call->conn
                                     : (struct wps_str){NULL, 0};
  return true;
}

void rest_handle(const struct rest_op *op, struct rest *rest,
                 struct rest_worker *worker, struct wps_request *req,
                 struct wps_reply *reply)
{
  static const struct wps_str no_memory = WPS_STR_INIT("out of memory");
  struct rest_call *call = calloc(1, sizeof(*call));

  if (call == NULL) {
    wps->reply->fail(reply, WPS_ENOMEM, no_memory);
    return;
  }
  call->rest = rest;
  call->worker = worker;
  call->req = req;
  call->reply = reply;
  call->op = op;
  if (op->flags & REST_PUBLIC) {
    op->run(call);
    return;
  }
  if (path_read(&call->path, req, op->pattern, rest->legacy_slash) != WPS_OK) {
    rest_failed(call, WPS_ENOMEM);
    return;
  }
  if (pass_rate(call) && check_version(call) && check_names(call))
    op->run(call);
}
