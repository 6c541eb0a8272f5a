/* SPDX-License-Identifier: Apache-2.0 */
/* error.c - refusals, as azure-server.md 7.3 has them.
 *
 * SDKs parse the body and compare `message`, so that its bytes count.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/azure/names.h"
#include "plugins/common/json_write.h"
#include "plugins/http-rest/rest.h"

#define BAD_REQUEST "Error.BadRequest"
#define INTERNAL "Error.InternalServerError"

enum { BUSY_RETRY_S = 1, DRAIN_RETRY_S = 5 };

static struct wps_str text_of(const char *c)
{
  return (struct wps_str){c, strlen(c)};
}

/* ---- documents ---- */

struct problem {
  uint32_t status;
  bool validation; /* the longer form */
  const char *code, *target, *title;
  struct wps_str message;
};

static void write_member(struct json_out *out, const char *name)
{
  json_out_text(out, text_of(name));
  JSON_OUT(out, ":");
}

static void write_problem(struct json_out *out, const struct problem *p)
{
  JSON_OUT(out, "{");
  write_member(out, "code");
  json_out_text(out, text_of(p->code));
  JSON_OUT(out, ",\"message\":");
  json_out_text(out, p->message);
  JSON_OUT(out, ",\"target\":");
  json_out_text(out, text_of(p->target));
  if (!p->validation) {
    JSON_OUT(out, ",\"details\":null,\"innererror\":null}");
    return;
  }
  JSON_OUT(out, ",\"errors\":{");
  write_member(out, p->target);
  JSON_OUT(out, "[");
  json_out_text(out, p->message);
  JSON_OUT(out, "]},\"type\":null,\"title\":");
  json_out_text(out, text_of(p->title));
  JSON_OUT(out, ",\"status\":");
  json_out_u64(out, p->status);
  JSON_OUT(out, ",\"detail\":null,\"instance\":null,\"extensions\":{}}");
}

static struct wps_frame *problem_frame(const struct problem *p)
{
  struct json_out out = {NULL, 0, 0};
  struct wps_frame *frame;
  void *room;

  write_problem(&out, p);
  frame = wps->message->frame_alloc(WPS_TEXT, out.len, &room);
  if (frame == NULL)
    return NULL;
  out = (struct json_out){room, out.len, 0};
  write_problem(&out, p);
  return frame;
}

static void refuse(struct rest_call *call, const struct problem *p,
                   uint32_t retry_after_s)
{
  wps->log->write(call->rest->self, NULL, WPS_LOG_DEBUG, "%s: %u %s: %.*s",
                  call->op->name, p->status, p->code, (int)p->message.len,
                  p->message.ptr);
  rest_answer(call, &(struct rest_answer){
                        .code = p->status,
                        .retry_after_s = retry_after_s,
                        .type = p->validation
                                    ? "application/problem+json; charset=utf-8"
                                    : "application/json; charset=utf-8",
                        .error_code = p->code,
                        .body = problem_frame(p)});
}

/* ---- kinds of them ---- */

static void refuse_v(struct rest_call *call, uint32_t status, const char *code,
                     const char *target, uint32_t retry_after_s,
                     const char *fmt, va_list args)
{
  struct problem p = {.status = status, .code = code, .target = target};
  char *text;
  int n = vasprintf(&text, fmt, args);

  p.message = n < 0 ? text_of(code) : (struct wps_str){text, (size_t)n};
  refuse(call, &p, retry_after_s);
  if (n >= 0)
    free(text);
}

void rest_error(struct rest_call *call, uint32_t status, const char *code,
                const char *target, const char *fmt, ...)
{
  va_list args;

  va_start(args, fmt);
  refuse_v(call, status, code, target, 0, fmt, args);
  va_end(args);
}

void rest_bad(struct rest_call *call, const char *target, const char *fmt, ...)
{
  va_list args;

  va_start(args, fmt);
  refuse_v(call, 400, BAD_REQUEST, target, 0, fmt, args);
  va_end(args);
}

static void refuse_later(struct rest_call *call, uint32_t status,
                         const char *code, uint32_t retry_after_s,
                         const char *fmt, ...) WPS_PRINTF(5, 6);

static void refuse_later(struct rest_call *call, uint32_t status,
                         const char *code, uint32_t retry_after_s,
                         const char *fmt, ...)
{
  va_list args;

  va_start(args, fmt);
  refuse_v(call, status, code, "Request", retry_after_s, fmt, args);
  va_end(args);
}

/* The sentence quotes what the client wrote; a cut may have gone through a
 * character. */
static struct wps_str whole_characters(const char *text)
{
  struct wps_str s = text_of(text);
  size_t cut = 0;

  while (cut < 4 && s.len > 0 && !azure_utf8_ok(s)) {
    s.len--;
    cut++;
  }
  return azure_utf8_ok(s) ? s : text_of("The filter is not valid.");
}

void rest_invalid(struct rest_call *call, const char *target,
                  const char *message)
{
  refuse(call,
         &(struct problem){.status = 400,
                           .validation = true,
                           .code = BAD_REQUEST,
                           .target = target,
                           .title = "One or more validation errors occurred.",
                           .message = whole_characters(message)},
         0);
}

void rest_unsupported(struct rest_call *call, const char *message)
{
  refuse(call,
         &(struct problem){.status = 415,
                           .validation = true,
                           .code = "Error.UnsupportedMediaType",
                           .target = "Content-Type",
                           .title = "Unsupported Media Type",
                           .message = text_of(message)},
         0);
}

void rest_missing(struct rest_call *call, const char *code, const char *kind,
                  struct wps_str id)
{
  rest_error(call, 404, code, kind, "%s `%.*s` is not found.", kind,
             (int)id.len, id.ptr);
}

void rest_too_many(struct rest_call *call, uint32_t per_second,
                   uint32_t retry_after_s)
{
  refuse_later(call, 429, "Error.TooManyRequests", retry_after_s,
               "Too many requests. There may be %u per second with one key.",
               per_second);
}

void rest_failed(struct rest_call *call, int status)
{
  switch (status) {
  case WPS_EINVAL:
    rest_bad(call, "Request", "The request is not valid.");
    break;
  case WPS_ENOMEM:
  case WPS_EAGAIN:
    refuse_later(call, 503, INTERNAL, BUSY_RETRY_S,
                 "The server is out of memory.");
    break;
  case WPS_ECANCELED:
  case WPS_ECLOSED:
    refuse_later(call, 503, INTERNAL, DRAIN_RETRY_S, "The server is stopping.");
    break;
  default:
    rest_error(call, 500, INTERNAL, "Request",
               "The server could not do this (%s).", wps->status_name(status));
    break;
  }
}

void rest_ended(struct rest_call *call, int status, uint32_t code)
{
  if (status == WPS_OK)
    rest_empty(call, code);
  else
    rest_failed(call, status);
}
