/* SPDX-License-Identifier: Apache-2.0 */
/* http/request.c - a head becomes an object of its own, in one block. */
#include "http/request.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

enum { QUERY_MAX = 1024 };

/* Where the next string of the block goes. Sizes are counted before, so that
 * it cannot overrun. */
struct cursor {
  char *at;
};

static struct wps_str put(struct cursor *c, struct wps_str s)
{
  struct wps_str out = {c->at, s.len};

  if (s.len > 0)
    memcpy(c->at, s.ptr, s.len);
  c->at += s.len;
  return out;
}

static bool put_decoded(struct cursor *c, struct wps_str s, bool plus,
                        struct wps_str *out)
{
  out->ptr = c->at;
  if (!percent_decode(s, plus, c->at, &out->len))
    return false;
  c->at += s.len;
  return true;
}

/* Next non-empty "name=value" of a query; false at the end. */
static bool query_next(struct wps_str *rest, struct wps_pair *raw)
{
  while (rest->len > 0) {
    const char *amp = memchr(rest->ptr, '&', rest->len);
    size_t len = amp == NULL ? rest->len : (size_t)(amp - rest->ptr);
    const char *eq = len == 0 ? NULL : memchr(rest->ptr, '=', len);

    raw->name = (struct wps_str){rest->ptr, len};
    raw->value = STR("");
    if (eq != NULL) {
      raw->name.len = (size_t)(eq - rest->ptr);
      raw->value = (struct wps_str){eq + 1, len - raw->name.len - 1};
    }
    *rest = str_skip(*rest, amp == NULL ? len : len + 1);
    if (len > 0)
      return true;
  }
  return false;
}

struct counts {
  size_t query, subprotocols;
};

/* What stands behind the request, and how long the arrays are. */
static size_t request_measure(struct counts *n, const struct http_head *head,
                              struct wps_str remote, struct wps_str listener)
{
  struct wps_str rest = head->raw_query;
  struct wps_pair raw;
  size_t size, i, left = head->field_count[FIELD_WS_PROTOCOL];

  size = head->text.len + remote.len + listener.len;
  size += head->raw_path.len * 2; /* decoded path, decoded params */
  for (i = head->field_first[FIELD_WS_PROTOCOL]; left > 0; i++) {
    struct wps_str list = head->headers[i].value, token;

    if (head->header_kind[i] != FIELD_WS_PROTOCOL)
      continue;
    left--;
    while (str_next_token(&list, &token))
      n->subprotocols++;
  }
  while (query_next(&rest, &raw))
    n->query++;
  size += head->raw_query.len;
  size += (head->header_count + n->query) * sizeof(struct wps_pair);
  size += n->subprotocols * sizeof(struct wps_str);
  return size;
}

/* The head has been copied as a whole: the same part of the copy. */
static struct wps_str moved(struct wps_str s, const char *from, const char *to)
{
  return (struct wps_str){to + (s.ptr - from), s.len};
}

static void request_take_headers(struct wps_request *r, const char *copy,
                                 const struct http_head *head)
{
  const char *from = head->text.ptr;
  size_t i, n = 0;

  for (i = 0; i < head->header_count; i++) {
    struct wps_str list, token;

    r->headers[i].name = moved(head->headers[i].name, from, copy);
    r->headers[i].value = moved(head->headers[i].value, from, copy);
    list = r->headers[i].value;
    if (head->header_kind[i] == FIELD_WS_PROTOCOL)
      while (str_next_token(&list, &token))
        r->subprotocols[n++] = token;
  }
}

static bool request_copy_query(struct wps_request *r, struct cursor *c,
                               struct wps_str rest)
{
  struct wps_pair raw;
  size_t n;

  for (n = 0; query_next(&rest, &raw); n++)
    if (!put_decoded(c, raw.name, true, &r->query[n].name) ||
        !put_decoded(c, raw.value, true, &r->query[n].value))
      return false;
  return true;
}

/* One block, of which only the first part is cleared. */
static struct wps_request *request_alloc(const struct http_head *head,
                                         struct wps_str remote,
                                         struct wps_str listener,
                                         uint32_t *status, const char **why)
{
  struct counts n = {0, 0};
  size_t size = request_measure(&n, head, remote, listener);
  struct wps_request *r;

  if (n.query > QUERY_MAX) {
    *status = 400;
    *why = "too many query arguments";
    return NULL;
  }
  *status = 503;
  *why = "out of memory";
  r = malloc(sizeof(*r) + size);
  if (r == NULL)
    return NULL;
  memset(r, 0, offsetof(struct wps_request, hub_room));
  r->header_count = head->header_count;
  r->query_count = n.query;
  r->subprotocol_count = n.subprotocols;
  atomic_init(&r->refs, 1);
  buf_init(&r->body, 0);
  return r;
}

struct wps_request *request_new(const struct http_head *head,
                                struct wps_str remote, struct wps_str listener,
                                bool tls, uint32_t *status, const char **why)
{
  struct wps_request *r = request_alloc(head, remote, listener, status, why);
  const char *from = head->text.ptr, *copy;
  struct wps_str key;
  struct cursor c;

  if (r == NULL)
    return NULL;
  /* Arrays first, for their alignment. */
  r->headers = (struct wps_pair *)(void *)(r + 1);
  r->query = r->headers + r->header_count;
  r->subprotocols = (struct wps_str *)(void *)(r->query + r->query_count);
  c.at = (char *)(r->subprotocols + r->subprotocol_count);

  copy = put(&c, head->text).ptr;
  r->method = moved(head->method, from, copy);
  r->target = moved(head->target, from, copy);
  r->raw_path = moved(head->raw_path, from, copy);
  request_take_headers(r, copy, head);
  r->remote = put(&c, remote);
  r->listener = put(&c, listener);
  r->scheme = tls ? STR("https") : STR("http");
  *status = 400;
  *why = "bad escape in the path";
  if (!put_decoded(&c, head->raw_path, false, &r->path))
    goto fail;
  *why = "bad escape in the query";
  if (!request_copy_query(r, &c, head->raw_query))
    goto fail;
  r->param_room = c.at;
  r->minor = head->minor;
  r->keep_alive = head->keep_alive;
  r->handshake_status = handshake_check(head, &key, &r->handshake_why);
  if (r->handshake_status == 0)
    r->handshake_key = moved(key, from, copy);
  return r;

fail:
  request_unref(r);
  return NULL;
}

struct wps_request *request_ref(struct wps_request *r)
{
  atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
  return r;
}

void request_unref(struct wps_request *r)
{
  if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1)
    return;
  free(r->principal_owned);
  free((void *)(uintptr_t)r->client_cert.ptr);
  buf_free(&r->body);
  free(r);
}

void request_release(void *request)
{
  request_unref(request);
}

/* ---- for the log ---- */

/* Names may come escaped, and better one value too many is hidden. */
static bool is_secret_name(struct wps_str raw)
{
  static const char *const parts[] = {"token", "key",    "secret",
                                      "passw", "signat", "credential"};
  static const char *const whole[] = {
      "sig", "auth", "authorization", "jwt", "code", "sas", "pwd"};
  char name[64];
  size_t len, i, at;

  if (raw.len > sizeof(name) || !percent_decode(raw, true, name, &len))
    return true;
  str_lower(name, len);
  for (i = 0; i < ARRAY_LEN(whole); i++)
    if (str_eq_c((struct wps_str){name, len}, whole[i]))
      return true;
  for (i = 0; i < ARRAY_LEN(parts); i++)
    for (at = 0; at < len; at++)
      if (str_starts((struct wps_str){name + at, len - at}, parts[i]))
        return true;
  return false;
}

void target_for_log(struct wps_str target, struct buf *out)
{
  const char *mark =
      target.len == 0 ? NULL : memchr(target.ptr, '?', target.len);
  struct wps_str rest = STR_NONE;
  struct wps_pair raw;
  char before = '?';

  if (mark != NULL) {
    rest = str_skip(target, (size_t)(mark - target.ptr) + 1);
    target.len = (size_t)(mark - target.ptr);
  }
  buf_add_str(out, target);
  while (query_next(&rest, &raw)) {
    buf_add_byte(out, before);
    buf_add_str(out, raw.name);
    if (raw.value.len > 0) {
      buf_add_byte(out, '=');
      buf_add_str(out, is_secret_name(raw.name) ? STR("***") : raw.value);
    }
    before = '&';
  }
}

void request_log_target(const struct wps_request *r, struct buf *out)
{
  target_for_log(r->target, out);
}

/* ---- wps->request ---- */

static struct wps_str api_method(const struct wps_request *r)
{
  return r->method;
}

static struct wps_str api_target(const struct wps_request *r)
{
  return r->target;
}

static struct wps_str api_path(const struct wps_request *r)
{
  return r->path;
}

static struct wps_str api_hub(const struct wps_request *r)
{
  return r->hub;
}

static struct wps_str api_listener(const struct wps_request *r)
{
  return r->listener;
}

static struct wps_str api_remote(const struct wps_request *r)
{
  return r->remote;
}

static struct wps_str api_scheme(const struct wps_request *r)
{
  return r->scheme;
}

static uint32_t api_purpose(const struct wps_request *r)
{
  return r->purpose;
}

static struct wps_str api_audience(const struct wps_request *r)
{
  return r->audience;
}

static const struct wps_principal *api_principal(const struct wps_request *r)
{
  return r->principal;
}

static struct wps_str api_header(const struct wps_request *r, const char *name)
{
  struct wps_str wanted = str_from(name);
  size_t i;

  for (i = 0; i < r->header_count; i++)
    if (str_ieq(r->headers[i].name, wanted))
      return r->headers[i].value;
  return STR_NONE;
}

static struct wps_str pair_get(const struct wps_pair *pairs, size_t count,
                               const char *name)
{
  struct wps_str wanted = str_from(name);
  size_t i;

  for (i = 0; i < count; i++)
    if (str_eq(pairs[i].name, wanted))
      return pairs[i].value;
  return STR_NONE;
}

static struct wps_str api_query(const struct wps_request *r, const char *name)
{
  return pair_get(r->query, r->query_count, name);
}

static struct wps_str api_param(const struct wps_request *r, const char *name)
{
  return pair_get(r->params, r->param_count, name);
}

static int api_header_at(const struct wps_request *r, size_t index,
                         struct wps_pair *out)
{
  if (index >= r->header_count)
    return WPS_ENOTFOUND;
  *out = r->headers[index];
  return WPS_OK;
}

static int api_query_at(const struct wps_request *r, size_t index,
                        struct wps_pair *out)
{
  if (index >= r->query_count)
    return WPS_ENOTFOUND;
  *out = r->query[index];
  return WPS_OK;
}

static int api_subprotocol_at(const struct wps_request *r, size_t index,
                              struct wps_str *out)
{
  if (index >= r->subprotocol_count)
    return WPS_ENOTFOUND;
  *out = r->subprotocols[index];
  return WPS_OK;
}

static struct wps_bytes api_body(const struct wps_request *r)
{
  return (struct wps_bytes){r->body.data, r->body.len};
}

static int api_body_status(const struct wps_request *r)
{
  return r->body_status;
}

static struct wps_bytes api_client_cert(const struct wps_request *r)
{
  return r->client_cert;
}

const struct wps_request_api request_api = {
    .struct_size = sizeof(struct wps_request_api),
    .method = api_method,
    .target = api_target,
    .path = api_path,
    .hub = api_hub,
    .listener = api_listener,
    .remote = api_remote,
    .scheme = api_scheme,
    .purpose = api_purpose,
    .audience = api_audience,
    .principal = api_principal,
    .header = api_header,
    .query = api_query,
    .param = api_param,
    .header_at = api_header_at,
    .query_at = api_query_at,
    .subprotocol_at = api_subprotocol_at,
    .body = api_body,
    .body_status = api_body_status,
    .client_cert = api_client_cert,
};
