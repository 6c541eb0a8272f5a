/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the server to itself, on one worker and without a socket. */
#include "http/internal.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "http/http_conn.h"
#include "msg/message.h"
#include "msg/principal.h"
#include "plug/plugin.h"
#include "tests/unit/on_worker.h"

static struct workers *ws;
static struct http_server server;
static struct wps_instance instance = {.name = (char *)"internal-test"};
static struct wps_reply *_Atomic kept;

/* ---- routes ---- */

static void respond(struct wps_reply *reply, uint32_t code,
                    const struct wps_pair *headers, size_t count,
                    const char *body)
{
  void *to;
  struct wps_frame *frame = frame_new(WPS_TEXT, strlen(body), &to);
  struct wps_http_response r = {.struct_size = sizeof(r),
                                .code = code,
                                .headers = headers,
                                .header_count = count,
                                .body = frame};

  memcpy(to, body, strlen(body));
  http_respond(reply, &r);
  frame_unref(frame);
}

static void echo(void *inst, void *wstate, struct wps_request *req,
                 struct wps_reply *reply)
{
  static const struct wps_pair headers[] = {
      {WPS_STR_INIT("X-Own"), WPS_STR_INIT("1")},
      {WPS_STR_INIT("content-length"), WPS_STR_INIT("99")},
      {WPS_STR_INIT("Connection"), WPS_STR_INIT("close")},
      {WPS_STR_INIT("Transfer-Encoding"), WPS_STR_INIT("chunked")},
      {WPS_STR_INIT("X-Other"), WPS_STR_INIT("")}};
  struct wps_bytes body = request_api.body(req);
  char text[64];

  (void)inst;
  (void)wstate;
  snprintf(text, sizeof(text), "%.*s|%.*s|%d", (int)body.len,
           (const char *)body.ptr, STR_ARG(request_api.listener(req)),
           request_api.body_status(req));
  respond(reply, request_api.body_status(req) == WPS_OK ? 201 : 413, headers,
          ARRAY_LEN(headers), text);
}

static void keep(void *inst, void *wstate, struct wps_request *req,
                 struct wps_reply *reply)
{
  (void)inst;
  (void)wstate;
  (void)req;
  atomic_store(&kept, reply);
}

static void fails(void *inst, void *wstate, struct wps_request *req,
                  struct wps_reply *reply)
{
  struct wps_str how = request_api.param(req, "how");

  (void)inst;
  (void)wstate;
  if (str_eq_c(how, "ok"))
    reply_api.ok(reply);
  else if (str_eq_c(how, "decline"))
    reply_api.decline(reply);
  else if (str_eq_c(how, "principal"))
    reply_finish(reply, REPLY_PRINCIPAL, WPS_OK, STR_NONE, NULL, NULL);
  else if (str_eq_c(how, "header"))
    respond(reply, 200,
            &(struct wps_pair){WPS_STR_INIT("a"), WPS_STR_INIT("b\r\nc: d")}, 1,
            "");
  else
    reply_api.fail(reply, WPS_EFORBIDDEN, STR("for the log"));
}

static const struct wps_http_route routes[] = {
    {sizeof(routes[0]), WPS_FOR_API, "POST", "/echo", NULL, NULL, 10, echo},
    {sizeof(routes[0]), WPS_FOR_API, "GET", "/echo", NULL, NULL, 0, echo},
    {sizeof(routes[0]), WPS_FOR_API, "PUT", "/only/{x}", NULL, "scope", 0,
     echo},
    {sizeof(routes[0]), WPS_FOR_API, "GET", "/keep", NULL, NULL, 0, keep},
    {sizeof(routes[0]), WPS_FOR_API, "GET", "/fails/{how}", NULL, NULL, 0,
     fails},
    {sizeof(routes[0]), WPS_FOR_SERVER, "GET", "/server", NULL, NULL, 0, echo},
    {sizeof(routes[0]), 0, "GET", "/open", NULL, NULL, 0, echo},
};

/* ---- a call and its answer ---- */

struct asked {
  struct wps_http_call call;
  int rc;
  atomic_int answers;
  bool inside; /* of the call */
  uint32_t code;
  char headers[256], body[256];
};

static void answered(void *arg, const struct wps_http_response *r)
{
  struct asked *a = arg;
  size_t at = 0;

  ck_assert(!a->inside);
  ck_assert_uint_eq(r->struct_size, sizeof(*r));
  a->code = r->code;
  a->headers[0] = '\0';
  for (size_t i = 0; i < r->header_count; i++)
    at += (size_t)snprintf(a->headers + at, sizeof(a->headers) - at,
                           "%.*s=%.*s;", STR_ARG(r->headers[i].name),
                           STR_ARG(r->headers[i].value));
  snprintf(a->body, sizeof(a->body), "%.*s",
           r->body != NULL ? (int)r->body->len : 0,
           r->body != NULL ? (const char *)r->body->payload : "");
  atomic_fetch_add(&a->answers, 1);
}

static void call_now(void *arg)
{
  struct asked *a = arg;

  a->inside = true;
  a->rc = http_internal(worker_current(), &instance, &a->call, answered, a);
  a->inside = false;
}

static struct wps_str owner = WPS_STR_INIT(WPS_ROLE_OWNER);
static struct wps_principal boss = {.struct_size = sizeof(boss),
                                    .user = WPS_STR_INIT("boss"),
                                    .roles = &owner,
                                    .role_count = 1};

static struct asked make(const char *method, const char *target)
{
  return (struct asked){.call = {.struct_size = sizeof(struct wps_http_call),
                                 .method = str_from(method),
                                 .target = str_from(target),
                                 .who = &boss,
                                 .remote = WPS_STR_INIT("me")}};
}

static void ask(struct asked *a)
{
  on_worker(ws, 0, call_now, a);
  for (int i = 0; i < 3; i++)
    worker_turn(ws, 0);
  ck_assert_int_eq(atomic_load(&a->answers),
                   a->rc == WPS_OK && atomic_load(&kept) == NULL);
}

static uint32_t code_of(const char *method, const char *target)
{
  struct asked a = make(method, target);

  ask(&a);
  ck_assert_int_eq(a.rc, WPS_OK);
  return a.code;
}

/* ---- life ---- */

static int start(struct wps_worker *w, void *arg)
{
  return http_worker_start(w, arg);
}

static void stop(struct wps_worker *w, void *arg)
{
  (void)arg;
  http_worker_stop(w);
}

static const struct worker_hooks hooks = {start, stop, &server};

static void setup(void)
{
  server = (struct http_server){
      .settings = {{2000, 2000, 20}, 1000, 60000, 60000, 60000, 60000, 60000},
      .router = router_new()};
  for (size_t i = 0; i < ARRAY_LEN(routes); i++)
    ck_assert_int_eq(router_add(server.router, &instance, &routes[i]), WPS_OK);
  atomic_store(&kept, NULL);
  ws = workers_new(1);
  ck_assert_int_eq(workers_start(ws, &hooks, 1), WPS_OK);
}

static void teardown(void)
{
  if (ws != NULL) {
    workers_stop(ws);
    workers_free(ws);
  }
  router_free(server.router);
}

/* ---- tests ---- */

START_TEST(reaches_a_route)
{
  struct asked a = make("POST", "/echo?x=1");

  a.call.body = (struct wps_bytes){"0123456789", 10};
  ask(&a);
  ck_assert_uint_eq(a.code, 201);
  ck_assert_str_eq(a.body, "0123456789|internal|0");
  ck_assert_str_eq(a.headers, "X-Own=1;X-Other=;");
}
END_TEST

START_TEST(too_large)
{
  struct asked a = make("POST", "/echo"), b = make("GET", "/echo");

  a.call.body = (struct wps_bytes){"0123456789a", 11};
  ask(&a);
  ck_assert_uint_eq(a.code, 413);
  ck_assert_str_eq(a.body, "|internal|-4");
  b.call.body = (struct wps_bytes){"0123456789a", 11};
  ask(&b);
  ck_assert_uint_eq(b.code, 201);
}
END_TEST

START_TEST(head_has_no_body)
{
  struct asked a = make("HEAD", "/echo");

  ask(&a);
  ck_assert_uint_eq(a.code, 201);
  ck_assert_str_eq(a.body, "");
  ck_assert_str_eq(a.headers, "X-Own=1;X-Other=;");
}
END_TEST

START_TEST(the_core_answers)
{
  struct wps_str scope = WPS_STR_INIT("scope"), other = WPS_STR_INIT("other");
  struct wps_principal who = boss;
  struct asked a = make("GET", "/only/x");
  char target[4000];

  ask(&a);
  ck_assert_uint_eq(a.code, 405);
  ck_assert_str_eq(a.headers, "Allow=PUT;");
  ck_assert_uint_eq(code_of("GET", "/nowhere"), 404);
  ck_assert_uint_eq(code_of("GET", "/open"), 404);
  ck_assert_uint_eq(code_of("GET", "/server"), 404);
  ck_assert_uint_eq(code_of("GET", "/api/health"), 404);
  ck_assert_uint_eq(code_of("GET", "/echo?%"), 400);
  ck_assert_uint_ge(code_of("CONNECT", "/echo"), 400);
  ck_assert_uint_ge(code_of("PRI", "/echo"), 400);
  ck_assert_uint_ge(code_of("get", "/echo"), 400);
  ck_assert_uint_ge(code_of("GET", "/echo#x"), 400);
  ck_assert_uint_ge(code_of("GET", "//echo"), 400);
  ck_assert_uint_ge(code_of("GET", "/echo\x80"), 400);
  ck_assert_uint_eq(code_of("GET", "/%ff"), 400);
  memset(target, '/', sizeof(target));
  target[sizeof(target) - 1] = '\0';
  ck_assert_uint_eq(code_of("GET", target), 414);

  a = make("PUT", "/only/x");
  a.call.who = &who;
  who.roles = &scope;
  ask(&a);
  ck_assert_uint_eq(a.code, 201);
  who.roles = &other;
  a = make("PUT", "/only/x");
  a.call.who = &who;
  ask(&a);
  ck_assert_uint_eq(a.code, 403);
}
END_TEST

START_TEST(other_answers)
{
  ck_assert_uint_eq(code_of("GET", "/fails/ok"), 204);
  ck_assert_uint_eq(code_of("GET", "/fails/decline"), 404);
  ck_assert_uint_eq(code_of("GET", "/fails/principal"), 500);
  ck_assert_uint_eq(code_of("GET", "/fails/header"), 500);
  ck_assert_uint_eq(code_of("GET", "/fails/x"), 403);
}
END_TEST

START_TEST(headers)
{
  struct wps_pair many[30], long_one = {WPS_STR_INIT("X-Long"), {NULL, 0}};
  struct asked a = make("GET", "/echo");
  char value[3000];

  for (size_t i = 0; i < ARRAY_LEN(many); i++)
    many[i] = (struct wps_pair){STR("X-One"), STR("1")};
  a.call.headers = many;
  a.call.header_count = 5;
  ask(&a);
  ck_assert_uint_eq(a.code, 201);
  a = make("GET", "/echo");
  a.call.headers = many;
  a.call.header_count = ARRAY_LEN(many);
  ask(&a);
  ck_assert_uint_eq(a.code, 431);
  memset(value, 'x', sizeof(value));
  long_one.value = (struct wps_str){value, sizeof(value)};
  a = make("GET", "/echo");
  a.call.headers = &long_one;
  a.call.header_count = 1;
  ask(&a);
  ck_assert_uint_eq(a.code, 431);
}
END_TEST

START_TEST(cannot_be_sent)
{
  static const char *const methods[] = {"", "G T", "GET\r\n", "G\x80"};
  static const char *const targets[] = {
      "",        "echo",          "*",         "http://h/echo",
      "/echo x", "/echo\r\nX: y", "/echo\x7f", "/e\tcho"};
  static const struct wps_pair bad[] = {
      {WPS_STR_INIT("X"), WPS_STR_INIT("a\r\nY: b")},
      {WPS_STR_INIT("X"), WPS_STR_INIT("a\nb")},
      {WPS_STR_INIT("X"), WPS_STR_INIT("a\0b")},
      {WPS_STR_INIT("X Y"), WPS_STR_INIT("a")},
      {WPS_STR_INIT(""), WPS_STR_INIT("a")},
      {WPS_STR_INIT("X:"), WPS_STR_INIT("a")},
      {WPS_STR_INIT("HOST"), WPS_STR_INIT("a")},
      {WPS_STR_INIT("Content-Length"), WPS_STR_INIT("0")},
      {WPS_STR_INIT("Transfer-Encoding"), WPS_STR_INIT("chunked")},
      {WPS_STR_INIT("Connection"), WPS_STR_INIT("Upgrade")},
      {WPS_STR_INIT("Upgrade"), WPS_STR_INIT("websocket")},
      {WPS_STR_INIT("Expect"), WPS_STR_INIT("100-continue")},
  };
  struct asked a;

  for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
    a = make(methods[i], "/echo");
    ask(&a);
    ck_assert_msg(a.rc == WPS_EINVAL, "%s", methods[i]);
  }
  for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
    a = make("GET", targets[i]);
    ask(&a);
    ck_assert_msg(a.rc == WPS_EINVAL, "%s", targets[i]);
  }
  for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
    a = make("GET", "/echo");
    a.call.headers = &bad[i];
    a.call.header_count = 1;
    ask(&a);
    ck_assert_msg(a.rc == WPS_EINVAL, "%s", bad[i].name.ptr);
  }
  a = make("GET", "/echo");
  a.call.who = NULL;
  ask(&a);
  ck_assert_int_eq(a.rc, WPS_EINVAL);
}
END_TEST

START_TEST(from_another_thread)
{
  struct asked a = make("GET", "/keep");

  ask(&a);
  ck_assert_int_eq(atomic_load(&a.answers), 0);
  respond(atomic_exchange(&kept, NULL), 200, NULL, 0, "late");
  while (atomic_load(&a.answers) == 0)
    worker_turn(ws, 0);
  ck_assert_str_eq(a.body, "late");
}
END_TEST

START_TEST(no_answer_before_the_end)
{
  struct asked a = make("GET", "/keep"), b = make("GET", "/nowhere");

  ask(&a);
  on_worker(ws, 0, call_now, &b);
  workers_stop(ws);
  workers_free(ws);
  ws = NULL;
  ck_assert_int_eq(atomic_load(&a.answers), 1);
  ck_assert_int_eq(atomic_load(&b.answers), 1);
  ck_assert_uint_eq(a.code, 503);
  reply_api.ok(atomic_exchange(&kept, NULL)); /* to nobody */
  ck_assert_int_eq(atomic_load(&a.answers), 1);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("http_internal");
  TCase *c = tcase_create("all");
  SRunner *runner;
  int failed;

  tcase_add_checked_fixture(c, setup, teardown);
  tcase_add_test(c, reaches_a_route);
  tcase_add_test(c, too_large);
  tcase_add_test(c, head_has_no_body);
  tcase_add_test(c, the_core_answers);
  tcase_add_test(c, other_answers);
  tcase_add_test(c, headers);
  tcase_add_test(c, cannot_be_sent);
  tcase_add_test(c, from_another_thread);
  tcase_add_test(c, no_answer_before_the_end);
  suite_add_tcase(suite, c);
  runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
