/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/http_client.h - one request, one response, over ctl/net.h. */
#ifndef WPS_CTL_HTTP_CLIENT_H
#define WPS_CTL_HTTP_CLIENT_H

#include "base/buf.h"
#include "ctl/net.h"

enum { HTTP_BODY_MAX = 16 * 1024 * 1024, HTTP_HEAD_MAX = 64 * 1024 };

struct http_answer {
  unsigned status;
  struct buf body;
  char accept[64];    /* Sec-WebSocket-Accept   */
  char protocol[256]; /* Sec-WebSocket-Protocol */
  struct buf rest;    /* what came after a 101  */
};

struct http_question {
  const char *method;
  const struct net_url *url;
  const char *const *headers; /* "Name: value" */
  size_t header_count;
  const char *body; /* NULL: none */
};

/* False with a sentence. The answer is to be freed in both cases. */
bool http_ask(struct net *n, const struct http_question *q,
              struct http_answer *out, char *why, size_t why_size);
void http_answer_free(struct http_answer *a);
/* "Unauthorized" */
const char *http_reason(unsigned status);

#endif
