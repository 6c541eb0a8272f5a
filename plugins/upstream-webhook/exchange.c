/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/upstream-webhook/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <webpubsub/host.h>
#include <webpubsub/status.h>

#include "plugins/upstream-webhook/address.h"
#include "plugins/upstream-webhook/authority.h"
#include "plugins/upstream-webhook/cookies.h"
#include "plugins/upstream-webhook/options.h"
#include "plugins/upstream-webhook/transport.h"

/* Measured: 4 KiB costs less than the 16 KiB that libcurl takes and frees with
 * each request; answers are short. */
enum { RECEIVE_BUFFER = 4096, MAX_AGE_S = 110, KEPT_HEAD = 64 * 1024 };

/* Bodies of answers that a worker reads at a time, beside the limit of each. */
enum { HELD_MAX = 256 * 1024 * 1024, HELD_SHORT = 64 * 1024 };

/* ---- libcurl's callbacks ---- */

static size_t on_header(char *bytes, size_t size, size_t count, void *arg)
{
  struct exchange *x = arg;

  return response_header(&x->response, (struct wps_str){bytes, size * count})
             ? size * count
             : 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
  struct exchange *x = arg;
  struct transport *t = x->transport;
  size_t before = x->response.body.len, more;

  if (!response_body(&x->response, (struct wps_bytes){bytes, size * count}))
    return 0;
  more = x->response.body.len - before;
  x->held += more;
  t->held += more;
  /* Short ones of other handlers come through. */
  if (t->held > HELD_MAX && x->held > HELD_SHORT)
    x->response.no_memory = true;
  return x->response.no_memory ? 0 : size * count;
}

static curl_socket_t on_socket(void *arg, curlsocktype purpose,
                               struct curl_sockaddr *address)
{
  struct exchange *x = arg;

  (void)purpose;
  if (x->authority != NULL)
    authority_resolved(x->authority, true);
  if (x->refuse_private && address_is_private(&address->addr)) {
    x->refused = true;
    return CURL_SOCKET_BAD;
  }
  return transport_socket(x->transport, address);
}

/* Also before a request on a connection that another handle has opened. */
static int on_request(void *arg, char *remote, char *local, int remote_port,
                      int local_port)
{
  struct exchange *x = arg;

  (void)local, (void)remote_port, (void)local_port;
  if (x->authority != NULL)
    authority_resolved(x->authority, false);
  if (x->refuse_private && address_text_is_private(remote)) {
    x->refused = true;
    return CURL_PREREQFUNC_ABORT;
  }
  return CURL_PREREQFUNC_OK;
}

/* ---- life ---- */

static CURLcode set_path(CURL *easy, CURLoption option, struct wps_str path)
{
  char *text;
  CURLcode rc;

  if (path.ptr == NULL)
    return CURLE_OK;
  text = strndup(path.ptr, path.len);
  if (text == NULL)
    return CURLE_OUT_OF_MEMORY;
  rc = curl_easy_setopt(easy, option, text); /* copies */
  free(text);
  return rc;
}

static bool set_up(struct exchange *x, const struct options *o)
{
  CURL *e = x->easy;
  int rc = 0;

#define SET(option, value) rc |= (int)curl_easy_setopt(e, option, value)
  SET(CURLOPT_PRIVATE, x);
  SET(CURLOPT_ERRORBUFFER, x->error);
  SET(CURLOPT_NOSIGNAL, 1L);
  SET(CURLOPT_QUICK_EXIT, 1L);
  SET(CURLOPT_PROXY, "");
  SET(CURLOPT_PROTOCOLS_STR, "http,https");
  SET(CURLOPT_FOLLOWLOCATION, 0L);
  SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
  SET(CURLOPT_PATH_AS_IS, 1L);
  SET(CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER);
  SET(CURLOPT_MAXAGE_CONN, (long)MAX_AGE_S);
  SET(CURLOPT_TCP_KEEPALIVE, 1L);
  SET(CURLOPT_HTTP_VERSION,
      o->http2 ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
  SET(CURLOPT_PIPEWAIT, o->http2 ? 1L : 0L);
  SET(CURLOPT_HEADERFUNCTION, on_header);
  SET(CURLOPT_HEADERDATA, x);
  SET(CURLOPT_WRITEFUNCTION, on_body);
  SET(CURLOPT_WRITEDATA, x);
  SET(CURLOPT_OPENSOCKETFUNCTION, on_socket);
  SET(CURLOPT_OPENSOCKETDATA, x);
  SET(CURLOPT_CLOSESOCKETFUNCTION, transport_close_socket);
  SET(CURLOPT_CLOSESOCKETDATA, x->transport);
  SET(CURLOPT_PREREQFUNCTION, on_request);
  SET(CURLOPT_PREREQDATA, x);
  SET(CURLOPT_COOKIEFILE, ""); /* no file: only reads Set-Cookie */
#undef SET
  rc |= (int)set_path(e, CURLOPT_CAINFO, o->ca);
  rc |= (int)set_path(e, CURLOPT_SSLCERT, o->client_certificate);
  rc |= (int)set_path(e, CURLOPT_SSLKEY, o->client_key);
  return rc == CURLE_OK;
}

struct exchange *exchange_new(struct transport *t, const struct options *o)
{
  struct exchange *x = calloc(1, sizeof(*x));

  if (x == NULL)
    return NULL;
  list_init(&x->node);
  x->transport = t;
  x->refuse_private = o->refuse_private;
  x->easy = curl_easy_init();
  if (x->easy == NULL || !set_up(x, o)) {
    exchange_free(x);
    return NULL;
  }
  return x;
}

void exchange_free(struct exchange *x)
{
  if (x->under_way)
    exchange_cancel(x);
  list_remove(&x->node);
  curl_easy_cleanup(x->easy);
  request_free(&x->request);
  text_free(&x->head);
  response_free(&x->response);
  free(x->lines);
  free(x);
}

/* ---- one exchange ---- */

/* "Name: value"; to curl "Name:" means none at all, "Name;" an empty one. */
static void put_line(struct text *out, struct wps_str name, struct wps_str mark,
                     struct wps_str value)
{
  text_add_str(out, name);
  text_add_str(out, mark);
  text_add_str(out, value);
  text_add(out, "", 1);
}

/* All lines, each terminated; curl's own are not sent. Their number. */
static size_t write_lines(struct text *out, const struct request *r)
{
  static const struct wps_str own[] = {WPS_STR_INIT("Expect"),
                                       WPS_STR_INIT("Accept"),
                                       WPS_STR_INIT("Content-Type")};
  enum { OWN = sizeof(own) / sizeof(own[0]) };
  bool said[OWN] = {false};
  struct wps_pair one;
  size_t at = 0, count = r->lines;

  text_clear(out);
  while (request_next(r, &at, &one)) {
    for (size_t i = 0; i < OWN; i++)
      said[i] = said[i] || str_equal(one.name, own[i]);
    put_line(out, one.name, one.value.len > 0 ? STR(": ") : STR(";"),
             one.value);
  }
  for (size_t i = 0; i < OWN; i++)
    if (!said[i]) {
      put_line(out, own[i], STR(":"), STR(""));
      count++;
    }
  return count;
}

/* libcurl wants a chain of lines: the nodes stand in one array. */
static bool chain_lines(struct exchange *x)
{
  size_t count = write_lines(&x->head, &x->request);
  char *at = x->head.ptr;

  if (x->head.failed)
    return false;
  if (count > x->line_cap) {
    struct curl_slist *grown = realloc(x->lines, count * sizeof(*grown));

    if (grown == NULL)
      return false;
    x->lines = grown;
    x->line_cap = count;
  }
  for (size_t i = 0; i < count; i++) {
    x->lines[i].data = at;
    x->lines[i].next = i + 1 < count ? &x->lines[i + 1] : NULL;
    at += strlen(at) + 1;
  }
  return true;
}

static CURLcode set_method(struct exchange *x)
{
  uint32_t method = x->request.method;
  CURLcode rc;

  if (method == x->method)
    return CURLE_OK;
  x->method = 0;
  rc = method == METHOD_GET ? curl_easy_setopt(x->easy, CURLOPT_HTTPGET, 1L)
                            : curl_easy_setopt(x->easy, CURLOPT_POST, 1L);
  if (rc == CURLE_OK)
    rc = curl_easy_setopt(x->easy, CURLOPT_CUSTOMREQUEST,
                          method == METHOD_OPTIONS ? "OPTIONS" : NULL);
  if (rc == CURLE_OK)
    x->method = method;
  return rc;
}

int exchange_start(struct exchange *x, uint32_t wanted, uint64_t timeout_ms,
                   uint64_t connect_timeout_ms)
{
  const struct request *r = &x->request;
  int rc = (int)set_method(x);

  if (connect_timeout_ms > timeout_ms)
    connect_timeout_ms = timeout_ms;
  if (rc != CURLE_OK || !chain_lines(x))
    return WPS_ENOMEM;
  rc |= (int)curl_easy_setopt(x->easy, CURLOPT_URL, r->url.ptr);
  rc |= (int)curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->lines);
  if (r->method != METHOD_GET) {
    rc |= (int)curl_easy_setopt(x->easy, CURLOPT_POSTFIELDS, r->body.ptr);
    rc |= (int)curl_easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                (curl_off_t)r->body.len);
  }
  rc |= (int)curl_easy_setopt(x->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
  rc |= (int)curl_easy_setopt(x->easy, CURLOPT_CONNECTTIMEOUT_MS,
                              (long)connect_timeout_ms);
  if (rc != CURLE_OK)
    return WPS_ENOMEM;
  x->error[0] = '\0';
  x->refused = false;
  response_reset(&x->response, wanted);
  rc = transport_add(x->transport, x->easy);
  if (rc != WPS_OK)
    return rc;
  x->under_way = true;
  return WPS_OK;
}

void exchange_rest(struct exchange *x)
{
  x->transport->held -= x->held;
  x->held = 0;
  if (x->cookies || x->response.cookie_count > 0 || x->response.headers_over)
    cookies_clear(x);
  x->authority = NULL;
  if (x->head.cap > KEPT_HEAD)
    text_free(&x->head);
}

/* Of one answer libcurl takes 50 cookies; after that it takes no more, also
 * none of the next client's, until the handle has begun another request. */
bool exchange_is_spent(const struct exchange *x)
{
  enum { COOKIES_OF_AN_ANSWER = 50 };

  return x->response.cookie_count >= COOKIES_OF_AN_ANSWER;
}

void exchange_cancel(struct exchange *x)
{
  if (!x->under_way)
    return;
  transport_remove(x->transport, x->easy);
  x->under_way = false;
}

static int outcome(const struct exchange *x, CURLcode rc)
{
  const struct response *r = &x->response;

  if (r->no_memory || rc == CURLE_OUT_OF_MEMORY)
    return ENDED_LOCAL;
  if (r->headers_over || r->body_over)
    return ENDED_UNUSABLE;
  if (rc == CURLE_OK || (r->cut && rc == CURLE_WRITE_ERROR))
    return r->code != 0 ? ENDED_ANSWERED : ENDED_NETWORK;
  if (rc == CURLE_OPERATION_TIMEDOUT)
    return ENDED_TIMEOUT;
  return ENDED_NETWORK;
}

void exchange_ended(CURL *easy, CURLcode rc)
{
  struct exchange *x = NULL;
  char *private_ = NULL;
  int ended;

  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private_);
  x = (struct exchange *)(void *)private_;
  ended = outcome(x, rc);
  if (x->refused)
    snprintf(x->error, sizeof(x->error),
             "the address is private, which `refuse_private` forbids");
  else if (ended == ENDED_UNUSABLE)
    snprintf(x->error, sizeof(x->error), "%s",
             x->response.headers_over
                 ? "the headers of the answer are longer than 128 KiB"
                 : "the body of the answer is longer than 16 MiB");
  else if (ended == ENDED_LOCAL)
    snprintf(x->error, sizeof(x->error),
             "out of memory, a header line of more than 100 KiB, or more than "
             "256 MiB of answers at a time");
  else if (rc != CURLE_OK && x->error[0] == '\0')
    snprintf(x->error, sizeof(x->error), "%s", curl_easy_strerror(rc));
  x->under_way = false;
  x->done(x, ended);
}

const char *exchange_error(const struct exchange *x)
{
  return x->error[0] != '\0' ? x->error : "no HTTP answer";
}
