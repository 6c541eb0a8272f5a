/* SPDX-License-Identifier: Apache-2.0 */
/* http/request: what wps->request shows, and what the log does not. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/http_helper.h"

#include <webpubsub/auth.h>

static const char handshake[] =
    "GET /client/hubs/ch%61t?access_token=abc&a=1&b&A=2&a=x%20y+z&e= "
    "HTTP/1.1\r\n"
    "Host: example.org\r\n"
    "Upgrade: websocket\r\n"
    "Connection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: one, two\r\n"
    "X-Empty:\r\n"
    "Sec-WebSocket-Protocol:  three ,\r\n"
    "X-Twice: first\r\n"
    "x-twice: second\r\n"
    "\r\n";

START_TEST(test_accessors)
{
  const struct wps_request_api *api = &request_api;
  uint32_t status;
  struct wps_request *r = request_from(handshake, &status);
  struct wps_pair pair;
  struct wps_str s;

  ck_assert_ptr_nonnull(r);
  ck_assert(str_is(api->method(r), "GET"));
  ck_assert(str_starts(api->target(r), "/client/hubs/ch%61t?access_token="));
  ck_assert(str_is(api->path(r), "/client/hubs/chat"));
  ck_assert(str_is(r->raw_path, "/client/hubs/ch%61t"));
  ck_assert(str_is(api->listener(r), "0.0.0.0:80"));
  ck_assert(str_is(api->remote(r), "192.0.2.1:5000"));
  ck_assert(str_is(api->scheme(r), "http"));
  ck_assert(str_is(api->header(r, "HOST"), "example.org"));
  ck_assert(str_is(api->header(r, "X-TWICE"), "first"));
  ck_assert(str_is(api->header(r, "x-empty"), ""));
  ck_assert_ptr_null(api->header(r, "x-none").ptr);
  ck_assert(str_is(api->query(r, "a"), "1"));
  ck_assert(str_is(api->query(r, "A"), "2"));
  ck_assert(str_is(api->query(r, "b"), ""));
  ck_assert(str_is(api->query(r, "e"), ""));
  ck_assert_ptr_null(api->query(r, "c").ptr);
  ck_assert_int_eq(api->query_at(r, 4, &pair), WPS_OK);
  ck_assert(str_is(pair.name, "a") && str_is(pair.value, "x y z"));
  ck_assert_int_eq(api->query_at(r, 6, &pair), WPS_ENOTFOUND);
  ck_assert_int_eq(api->header_at(r, 0, &pair), WPS_OK);
  ck_assert(str_is(pair.name, "Host"));
  ck_assert_int_eq(api->header_at(r, 10, &pair), WPS_ENOTFOUND);
  ck_assert_int_eq(api->subprotocol_at(r, 0, &s), WPS_OK);
  ck_assert(str_is(s, "one"));
  ck_assert_int_eq(api->subprotocol_at(r, 2, &s), WPS_OK);
  ck_assert(str_is(s, "three"));
  ck_assert_int_eq(api->subprotocol_at(r, 3, &s), WPS_ENOTFOUND);
  ck_assert_uint_eq(r->handshake_status, 0);
  ck_assert(str_eq(r->handshake_key, STR("dGhlIHNhbXBsZSBub25jZQ==")));
  ck_assert_ptr_null(api->hub(r).ptr);
  ck_assert_ptr_null(api->principal(r));
  ck_assert_uint_eq(api->body(r).len, 0);
  ck_assert_int_eq(api->body_status(r), WPS_OK);
  ck_assert_ptr_null(api->client_cert(r).ptr);
  ck_assert_ptr_null(api->param(r, "hub").ptr);
  ck_assert_uint_eq(api->purpose(r), 0);
  request_unref(request_ref(r));
  request_unref(r);
}
END_TEST

START_TEST(test_no_handshake)
{
  uint32_t status;
  struct wps_request *r =
      request_from("GET /client HTTP/1.1\r\nHost: h\r\n\r\n", &status);

  ck_assert_uint_eq(r->handshake_status, 400);
  ck_assert_uint_gt(strlen(r->handshake_why), 0);
  ck_assert(r->keep_alive);
  request_unref(r);
}
END_TEST

static const char *const bad_targets[] = {
    "/a%00b", "/%ff", "/a?b=%00", "/a?%c3=1", "/a?x=%ed%a0%80",
};

START_TEST(test_bad_escapes)
{
  char text[256];
  uint32_t status = 0;

  snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: h\r\n\r\n",
           bad_targets[_i]);
  ck_assert_ptr_null(request_from(text, &status));
  ck_assert_uint_eq(status, 400);
}
END_TEST

START_TEST(test_too_many_query_arguments)
{
  static char text[8192];
  uint32_t status = 0;
  size_t len = (size_t)snprintf(text, sizeof(text), "GET /?");

  while (len < 4096)
    len += (size_t)snprintf(text + len, sizeof(text) - len, "a&");
  snprintf(text + len, sizeof(text) - len, " HTTP/1.1\r\nHost: h\r\n\r\n");
  ck_assert_ptr_null(request_from(text, &status));
  ck_assert_uint_eq(status, 400);
}
END_TEST

static const struct {
  const char *target, *shown;
} shown[] = {
    {"/client", "/client"},
    {"/client?", "/client"},
    {"/client?hub=a&access_token=eyJ.x.y", "/client?hub=a&access_token=***"},
    {"/c?awps_reconnection_token=AAA&awps_connection_id=1",
     "/c?awps_reconnection_token=***&awps_connection_id=1"},
    {"/c?access%5Ftoken=AAA", "/c?access%5Ftoken=***"},
    {"/c?ACCESS_TOKEN=AAA&&b", "/c?ACCESS_TOKEN=***&b"},
    {"/c?api_key=1&apikey=2&sig=3&Signature=4", "/c?api_key=***&apikey=***&"
                                                "sig=***&Signature=***"},
    {"/c?access_token", "/c?access_token"},
    {"/c?%zz=AAA", "/c?%zz=***"},
    {"http://h/c?token=AAA", "http://h/c?token=***"},
};

START_TEST(test_target_for_log)
{
  struct buf out;

  buf_init(&out, 1024);
  target_for_log(str_from(shown[_i].target), &out);
  ck_assert_str_eq(buf_c(&out), shown[_i].shown);
  buf_free(&out);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("request");
  TCase *tc = tcase_create("request");
  SRunner *sr;
  int failed;

  tcase_add_test(tc, test_accessors);
  tcase_add_test(tc, test_no_handshake);
  tcase_add_loop_test(tc, test_bad_escapes, 0, ARRAY_LEN(bad_targets));
  tcase_add_test(tc, test_too_many_query_arguments);
  tcase_add_loop_test(tc, test_target_for_log, 0, ARRAY_LEN(shown));
  suite_add_tcase(s, tc);
  sr = srunner_create(s);
  srunner_run_all(sr, CK_NORMAL);
  failed = srunner_ntests_failed(sr);
  srunner_free(sr);
  return failed != 0;
}
