/* SPDX-License-Identifier: Apache-2.0 */
/* Operations of the REST API behind the router, with a hub that only records.
 *
 * Input, line by line: the number of an operation; what stands for its path
 * parameters, separated by '/'; the query; headers; an empty line; the body.
 * Beyond not crashing: every request is answered once, with a code and headers
 * that may be sent, everything is given back, and a refusal has a body that is
 * JSON and did nothing.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "tests/unit/rest_host.h"

enum { INPUT_MAX = 2000 };

static void must(bool holds)
{
  if (!holds)
    abort();
}

struct text {
  char bytes[16 * 1024];
  size_t len;
};

static bool is_escape(const char *s, size_t len)
{
  return len > 2 && isxdigit((unsigned char)s[1]) &&
         isxdigit((unsigned char)s[2]) && !(s[1] == '0' && s[2] == '0');
}

/* What the core refuses becomes something else. */
static void add(struct text *t, const char *s, size_t len, const char *refused)
{
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)s[i];

    if (c < ' ' || c == 0x7f || strchr(refused, c) != NULL ||
        (c == '%' && *refused != '\0' && !is_escape(s + i, len - i)))
      c = '_';
    must(t->len < sizeof(t->bytes) - 1);
    t->bytes[t->len++] = (char)c;
  }
}

static void add_path(struct text *t, const char *pattern, const char *names,
                     size_t len)
{
  for (size_t i = 0; pattern[i] != '\0'; i++) {
    size_t one = 0;

    if (pattern[i] != '{') {
      add(t, pattern + i, 1, "");
      continue;
    }
    i += strcspn(pattern + i, "}");
    while (one < len && names[one] != '/')
      one++;
    /* The router gives nothing empty away. */
    if (one == 0)
      add(t, "x", 1, "");
    add(t, names, one, " ?#");
    names += one + (one < len);
    len -= one + (one < len);
  }
}

static size_t line_len(const char *s, size_t len)
{
  const char *end = len > 0 ? memchr(s, '\n', len) : NULL;

  return end != NULL ? (size_t)(end - s) : len;
}

static void skip(const char **s, size_t *len, size_t n)
{
  n += n < *len;
  *s += n;
  *len -= n;
}

static void check_answer(void)
{
  const struct rest_answered *a = &rest_host.answer;
  const char *type = rest_header("Content-Type");
  json_t *doc;

  must(a->failed == 0 && a->code >= 200 && a->code <= 503);
  for (size_t i = 0; i < a->count; i++)
    must(strpbrk(a->headers[i].value, "\r\n") == NULL);
  must((a->code >= 400) == (rest_header("x-ms-error-code") != NULL));
  must((a->body_len > 0) == (type != NULL));
  if (a->body_len > 0) {
    doc = json_loadb(a->body, a->body_len, JSON_REJECT_DUPLICATES, NULL);
    must(doc != NULL);
    json_decref(doc);
  }
  if (a->code >= 400 && a->code != 404)
    must(rest_host.asked.what == ASKED_NOTHING);
}

static void run(const char *s, size_t len)
{
  size_t n = line_len(s, len), op = 0;
  static struct text head;

  head.len = 0;
  for (size_t i = 0; i < n; i++)
    op = op * 10 + (unsigned char)s[i] % 10;
  skip(&s, &len, n);
  op %= rest_host.route_count;
  add(&head, rest_route_at(op)->method, strlen(rest_route_at(op)->method), "");
  head.bytes[head.len++] = ' ';
  n = line_len(s, len);
  add_path(&head, rest_route_at(op)->pattern, s, n);
  skip(&s, &len, n);
  n = line_len(s, len);
  add(&head, "?", 1, "");
  add(&head, s, n, " #");
  skip(&s, &len, n);
  for (size_t headers = 0; (n = line_len(s, len)) > 0; headers++) {
    if (headers < 16 && memchr(s, ':', n) != NULL && *s != ':') {
      head.bytes[head.len++] = '\n';
      add(&head, s, n, "");
    }
    skip(&s, &len, n);
  }
  skip(&s, &len, 0);
  head.bytes[head.len] = '\0';
  rest_ask_body(head.bytes, s, len);
  check_answer();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size > INPUT_MAX)
    return 0;
  rest_host_reset();
  rest_host.legacy_slash = size % 2 == 1;
  rest_host.members[0] = "c1=u1";
  rest_host.members[1] = "c2";
  rest_host.members[2] = "c3=u3";
  rest_host.clients = size % 3;
  rest_host_start();
  run((const char *)data, size);
  rest_host_stop();
  return 0;
}
