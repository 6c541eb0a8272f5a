/* SPDX-License-Identifier: Apache-2.0 */
/* http/router: which route a request gets, and what a pattern may be. */
#include <stdio.h>
#include <stdlib.h>

#include "http/router.h"
#include "tests/unit/http_helper.h"

#include <webpubsub/request.h>

static void handle(void *inst, void *wstate, struct wps_request *req,
                   struct wps_reply *reply)
{
  (void)inst;
  (void)wstate;
  (void)req;
  (void)reply;
}

static int add(struct router *r, const char *method, const char *pattern)
{
  const struct wps_http_route def = {
      .struct_size = sizeof(def),
      .method = method,
      .pattern = pattern,
      .handle = handle,
  };

  return router_add(r, NULL, &def);
}

static struct router *filled(void)
{
  static const char *const patterns[][2] = {
      {"POST", "/api/hubs/{hub}/:send"},
      {"POST", "/api/hubs/{hub}/:closeConnections"},
      {"POST", "/api/hubs/{hub}/groups/{group}/:send"},
      {"GET", "/api/hubs/{hub}/connections/{id}"},
      {"DELETE", "/api/hubs/{hub}/connections/{id}"},
      {"PUT", "/api/hubs/{hub}/{what}"},
      {"GET", "/users/{id}"},
      {"DELETE", "/users/{id}"},
      {"GET", "/users/me"},
      {"POST", "/users/{id}:kick"},
      {"*", "/any/{x}"},
      {"GET", "/any/{x}"},
      {"GET", "/"},
      {"GET", "/admin/"},
      {"HEAD", "/both"},
      {"GET", "/both"},
  };
  struct router *r = router_new();

  for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
    ck_assert_int_eq(add(r, patterns[i][0], patterns[i][1]), WPS_OK);
  return r;
}

/* "METHOD pattern name=value ..." of the match, "404", or "405 Allow". */
static void expect(const struct router *router, const char *method,
                   const char *path, const char *expected)
{
  char text[512], room[128], got[512];
  const struct route *route;
  struct wps_request *req;
  struct wps_str allow;
  uint32_t status;
  size_t len;

  snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: h\r\n\r\n", method,
           path);
  req = request_from(text, &status);
  ck_assert_ptr_nonnull(req);
  route = router_match(router, req, room, sizeof(room), &allow);
  if (route != NULL) {
    len = (size_t)snprintf(got, sizeof(got), "%s %s", route->def.method,
                           route->def.pattern);
    for (size_t i = 0; i < req->param_count; i++)
      len += (size_t)snprintf(got + len, sizeof(got) - len, " %.*s=%.*s",
                              STR_ARG(req->params[i].name),
                              STR_ARG(req->params[i].value));
  } else if (allow.len > 0) {
    snprintf(got, sizeof(got), "405 %.*s", STR_ARG(allow));
  } else {
    snprintf(got, sizeof(got), "404");
  }
  ck_assert_str_eq(got, expected);
  request_unref(req);
}

START_TEST(test_match)
{
  struct router *r = filled();

  expect(r, "POST", "/api/hubs/chat/:send",
         "POST /api/hubs/{hub}/:send hub=chat");
  expect(r, "POST", "/api/hubs/ch%61t%20x/:send?api-version=1",
         "POST /api/hubs/{hub}/:send hub=chat x");
  expect(r, "POST", "/api/hubs/a/groups/b%2Fc/:send",
         "POST /api/hubs/{hub}/groups/{group}/:send hub=a group=b/c");
  expect(r, "GET", "/api/hubs/a/connections/1",
         "GET /api/hubs/{hub}/connections/{id} hub=a id=1");
  expect(r, "HEAD", "/api/hubs/a/connections/1",
         "GET /api/hubs/{hub}/connections/{id} hub=a id=1");
  expect(r, "PUT", "/api/hubs/a/:other",
         "PUT /api/hubs/{hub}/{what} hub=a what=:other");
  expect(r, "GET", "/users/you", "GET /users/{id} id=you");
  expect(r, "GET", "/users/me", "GET /users/me");
  expect(r, "POST", "/users/you:kick", "POST /users/{id}:kick id=you");
  expect(r, "POST", "/users/a:b:kick", "POST /users/{id}:kick id=a:b");
  expect(r, "GET", "/any/1", "GET /any/{x} x=1");
  expect(r, "PATCH", "/any/1", "* /any/{x} x=1");
  expect(r, "HEAD", "/any/1", "* /any/{x} x=1");
  expect(r, "GET", "/", "GET /");
  expect(r, "GET", "/admin/", "GET /admin/");
  expect(r, "HEAD", "/both", "HEAD /both");
  expect(r, "GET", "http://h/users/you", "GET /users/{id} id=you");
  router_free(r);
}
END_TEST

START_TEST(test_s107_escapes_in_literals)
{
  struct router *r = filled();

  expect(r, "POST", "/api/hubs/a/%3Asend", "POST /api/hubs/{hub}/:send hub=a");
  expect(r, "POST", "/api/hubs/a/%3asend", "POST /api/hubs/{hub}/:send hub=a");
  expect(r, "POST", "/%61pi/hub%73/a/groups/g/%3As%65nd",
         "POST /api/hubs/{hub}/groups/{group}/:send hub=a group=g");
  expect(r, "GET", "/users/%6De", "GET /users/me");
  /* Once, */
  expect(r, "PUT", "/api/hubs/a/%253Asend",
         "PUT /api/hubs/{hub}/{what} hub=a what=%3Asend");
  expect(r, "GET", "/users/%256De", "GET /users/{id} id=%6De");
  /* and an encoded slash separates nothing. */
  expect(r, "GET", "/users%2Fme", "404");
  expect(r, "POST", "/api/hubs/a%2F:send", "404");
  expect(r, "PUT", "/api/hubs/a/b%2F:send",
         "PUT /api/hubs/{hub}/{what} hub=a what=b/:send");
  /* What belongs to a value stays with it. */
  expect(r, "GET", "/users/you%3Akick", "GET /users/{id} id=you:kick");
  expect(r, "POST", "/users/you%3Akick", "405 GET, DELETE, HEAD");
  router_free(r);
}
END_TEST

START_TEST(test_path_is)
{
  ck_assert(router_path_is(STR("/api/health"), "/api/health"));
  ck_assert(router_path_is(STR("/%61pi/healt%68"), "/api/health"));
  ck_assert(!router_path_is(STR("/api%2Fhealth"), "/api/health"));
  ck_assert(!router_path_is(STR("/api/health/"), "/api/health"));
  ck_assert(!router_path_is(STR("/api/healt"), "/api/health"));
  ck_assert(!router_path_is(STR("/api/healthy"), "/api/health"));
  ck_assert(!router_path_is(STR("*"), "/api/health"));
}
END_TEST

START_TEST(test_no_match)
{
  struct router *r = filled();

  expect(r, "GET", "/nothing", "404");
  expect(r, "GET", "/admin", "404");
  expect(r, "GET", "//", "404");
  expect(r, "GET", "/users/", "404"); /* a parameter is never empty */
  expect(r, "POST", "/users/:kick", "405 GET, DELETE, HEAD");
  expect(r, "POST", "/api/hubs//:send", "404");
  expect(r, "GET", "/USERS/me", "404");
  expect(r, "GET", "/users/me/x", "404");
  expect(r, "GET",
         "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/"
         "22/23/24/25/26/27/28/29/30",
         "404");
  expect(r, "POST", "/both", "405 HEAD, GET");
  /* The literal is the place, and it knows no DELETE. */
  expect(r, "DELETE", "/users/me", "405 GET, HEAD");
  expect(r, "GET", "/api/hubs/a/:send", "405 POST");
  router_free(r);
}
END_TEST

START_TEST(test_hub_of_the_route)
{
  struct router *r = filled();
  struct wps_str allow;
  uint32_t status;
  char room[64];
  struct wps_request *req = request_from(
      "GET /api/hubs/a%62/connections/x HTTP/1.1\r\nHost: h\r\n\r\n", &status);

  ck_assert_ptr_nonnull(router_match(r, req, room, sizeof(room), &allow));
  ck_assert(str_is(request_api.hub(req), "ab"));
  ck_assert(str_is(request_api.param(req, "id"), "x"));
  request_unref(req);
  router_free(r);
}
END_TEST

static const struct {
  const char *method, *pattern;
  int status;
} added[] = {
    {"GET", "/users/{name}", WPS_EEXIST}, /* names do not tell places apart */
    {"GET", "/any/{y}", WPS_EEXIST},
    {"PUT", "/any/{y}", WPS_OK},
    {"GET", "/api/health", WPS_EEXIST},
    {"POST", "/api/health", WPS_EEXIST},
    {"GET", "/api/health2", WPS_OK},
    {"GET", "/client", WPS_EEXIST},
    {"GET", "/Client/x", WPS_EEXIST},
    {"GET", "/client/hubs/{hub}", WPS_EEXIST},
    {"GET", "/clients", WPS_OK},
    {"GET", "", WPS_EINVAL},
    {"GET", "users", WPS_EINVAL},
    {"GET", NULL, WPS_EINVAL},
    {NULL, "/x", WPS_EINVAL},
    {"", "/x", WPS_EINVAL},
    {"get", "/x", WPS_EINVAL},
    {"G T", "/x", WPS_EINVAL},
    {"GET", "/x//y", WPS_EINVAL},
    {"GET", "/x%20y", WPS_EINVAL},
    {"GET", "/x?y", WPS_EINVAL},
    {"GET", "/x y", WPS_EINVAL},
    {"GET", "/{}", WPS_EINVAL},
    {"GET", "/{x", WPS_EINVAL},
    {"GET", "/a{x}", WPS_EINVAL},
    {"GET", "/{x}{y}", WPS_EINVAL},
    {"GET", "/{x}tail", WPS_EINVAL},
    {"GET", "/{x}/{x}", WPS_EINVAL},
    {"GET", "/{x}:tail", WPS_OK},
    {"GET", "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}", WPS_OK},
    {"GET", "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}", WPS_EINVAL},
};

START_TEST(test_add)
{
  struct router *r = filled();

  ck_assert_int_eq(add(r, added[_i].method, added[_i].pattern),
                   added[_i].status);
  router_free(r);
}
END_TEST

START_TEST(test_add_checks_the_struct)
{
  struct router *r = router_new();
  struct wps_http_route def = {
      .struct_size = offsetof(struct wps_http_route, handle),
      .method = "GET",
      .pattern = "/x",
      .handle = handle,
  };

  ck_assert_int_eq(router_add(r, NULL, &def), WPS_EINVAL);
  def.struct_size = sizeof(def);
  def.purpose = WPS_FOR_CLIENT;
  ck_assert_int_eq(router_add(r, NULL, &def), WPS_EINVAL);
  def.purpose = WPS_FOR_API;
  def.handle = NULL;
  ck_assert_int_eq(router_add(r, NULL, &def), WPS_EINVAL);
  def.handle = handle;
  ck_assert_int_eq(router_add(r, NULL, &def), WPS_OK);
  ck_assert_int_eq(router_add(r, NULL, &def), WPS_EEXIST);
  router_free(r);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("router");
  TCase *tc = tcase_create("router");
  SRunner *sr;
  int failed;

  tcase_add_test(tc, test_match);
  tcase_add_test(tc, test_s107_escapes_in_literals);
  tcase_add_test(tc, test_path_is);
  tcase_add_test(tc, test_no_match);
  tcase_add_test(tc, test_hub_of_the_route);
  tcase_add_loop_test(tc, test_add, 0, ARRAY_LEN(added));
  tcase_add_test(tc, test_add_checks_the_struct);
  suite_add_tcase(s, tc);
  sr = srunner_create(s);
  srunner_run_all(sr, CK_NORMAL);
  failed = srunner_ntests_failed(sr);
  srunner_free(sr);
  return failed != 0;
}
