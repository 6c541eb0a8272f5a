/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/http_client.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <http_parser.h>

#include "base/str.h"

enum { FIELD_MAX = 1024 };

struct reading {
  struct http_answer *out;
  char name[64], value[FIELD_MAX];
  size_t name_len, value_len;
  size_t head_len;
  bool in_value, done, head;
};

static void field_done(struct reading *r)
{
  r->name[r->name_len] = r->value[r->value_len] = '\0';
  if (strcasecmp(r->name, "Sec-WebSocket-Accept") == 0)
    snprintf(r->out->accept, sizeof(r->out->accept), "%.63s", r->value);
  else if (strcasecmp(r->name, "Sec-WebSocket-Protocol") == 0)
    snprintf(r->out->protocol, sizeof(r->out->protocol), "%.255s", r->value);
  r->name_len = r->value_len = 0;
  r->in_value = false;
}

static void keep(char *to, size_t *len, size_t max, const char *at, size_t n)
{
  if (n > max - 1 - *len)
    n = max - 1 - *len;
  memcpy(to + *len, at, n);
  *len += n;
}

static int on_name(http_parser *p, const char *at, size_t n)
{
  struct reading *r = p->data;

  if (r->in_value)
    field_done(r);
  keep(r->name, &r->name_len, sizeof(r->name), at, n);
  return (r->head_len += n) > HTTP_HEAD_MAX;
}

static int on_value(http_parser *p, const char *at, size_t n)
{
  struct reading *r = p->data;

  r->in_value = true;
  keep(r->value, &r->value_len, sizeof(r->value), at, n);
  return (r->head_len += n) > HTTP_HEAD_MAX;
}

static int on_head(http_parser *p)
{
  struct reading *r = p->data;

  field_done(r);
  r->out->status = p->status_code;
  return r->head ? 1 : 0;
}

static int on_body(http_parser *p, const char *at, size_t n)
{
  struct reading *r = p->data;

  return buf_add(&r->out->body, at, n) != WPS_OK;
}

static int on_end(http_parser *p)
{
  struct reading *r = p->data;

  r->done = true;
  /* What follows is not HTTP. */
  if (p->status_code == 101)
    http_parser_pause(p, 1);
  return 0;
}

static bool answer_read(struct net *n, struct reading *r, char *why,
                        size_t why_size)
{
  static const http_parser_settings settings = {.on_header_field = on_name,
                                                .on_header_value = on_value,
                                                .on_headers_complete = on_head,
                                                .on_body = on_body,
                                                .on_message_complete = on_end};
  http_parser parser;
  char bytes[16384];
  size_t used;
  ssize_t got;

  http_parser_init(&parser, HTTP_RESPONSE);
  parser.data = r;
  while (!r->done) {
    if ((got = net_read(n, bytes, sizeof(bytes))) < 0) {
      snprintf(why, why_size, "%s", net_why(n));
      return false;
    }
    used = http_parser_execute(&parser, &settings, bytes, (size_t)got);
    if (HTTP_PARSER_ERRNO(&parser) != HPE_OK &&
        HTTP_PARSER_ERRNO(&parser) != HPE_PAUSED) {
      snprintf(why, why_size, "the answer is not HTTP: %s",
               http_errno_description(HTTP_PARSER_ERRNO(&parser)));
      return false;
    }
    if (got == 0 && !r->done) {
      snprintf(why, why_size, "the server closed without a whole answer");
      return false;
    }
    if (r->out->status == 101 && used < (size_t)got)
      buf_add(&r->out->rest, bytes + used, (size_t)got - used);
  }
  return true;
}

bool http_ask(struct net *n, const struct http_question *q,
              struct http_answer *out, char *why, size_t why_size)
{
  struct reading r = {.out = out, .head = strcmp(q->method, "HEAD") == 0};
  const char *target = q->url->target;
  struct buf request;
  bool ok;

  memset(out, 0, sizeof(*out));
  buf_init(&out->body, HTTP_BODY_MAX);
  buf_init(&out->rest, HTTP_BODY_MAX);
  buf_init(&request, HTTP_BODY_MAX);
  buf_printf(&request, "%s %s%s HTTP/1.1\r\nHost: %s\r\n", q->method,
             *target == '/' ? "" : "/", target, q->url->authority);
  for (size_t i = 0; i < q->header_count; i++)
    buf_printf(&request, "%s\r\n", q->headers[i]);
  if (q->body != NULL)
    buf_printf(&request, "Content-Length: %zu\r\n", strlen(q->body));
  buf_add_c(&request, "\r\n");
  if (q->body != NULL)
    buf_add_c(&request, q->body);
  if (request.failed) {
    snprintf(why, why_size, "the request is too long");
    ok = false;
  } else if (!net_write(n, request.data, request.len)) {
    snprintf(why, why_size, "%s", net_why(n));
    ok = false;
  } else {
    ok = answer_read(n, &r, why, why_size);
  }
  buf_free(&request);
  return ok;
}

void http_answer_free(struct http_answer *a)
{
  buf_free(&a->body);
  buf_free(&a->rest);
}

const char *http_reason(unsigned status)
{
  switch (status) {
#define X(code, name, text)                                                    \
  case code:                                                                   \
    return #text;
    HTTP_STATUS_MAP(X)
#undef X
  default:
    return "?";
  }
}
