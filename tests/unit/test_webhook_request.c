/* SPDX-License-Identifier: Apache-2.0 */
/* Events as HTTP requests: every header, the signature, bodies. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <webpubsub/host.h>
#include <webpubsub/status.h>

#include "plugins/common/cloudevents/report.h"
#include "plugins/common/cloudevents/request.h"
#include "plugins/common/cloudevents/signature.h"
#include "plugins/common/cloudevents/url.h"

/* ---- as much of a host as requests see ---- */

static const char *keys[3];

static int sign(uint32_t key, struct wps_str purpose, struct wps_bytes data,
                uint8_t mac[32])
{
  unsigned int len = 32;

  ck_assert_uint_eq(purpose.len, 0);
  if (key >= 3 || keys[key] == NULL)
    return WPS_ENOTFOUND;
  ck_assert_ptr_nonnull(HMAC(EVP_sha256(), keys[key], (int)strlen(keys[key]),
                             data.ptr, data.len, mac, &len));
  return WPS_OK;
}

struct wps_message {
  struct wps_message_info info;
};

static const struct wps_message_info *message_info(const struct wps_message *m)
{
  return &m->info;
}

struct wps_request {
  struct wps_pair query[4], headers[4];
  struct wps_str offers[4];
};

static int pair_at(const struct wps_pair *list, size_t index,
                   struct wps_pair *out)
{
  if (index >= 4 || list[index].name.ptr == NULL)
    return WPS_ENOTFOUND;
  *out = list[index];
  return WPS_OK;
}

static int query_at(const struct wps_request *req, size_t index,
                    struct wps_pair *out)
{
  return pair_at(req->query, index, out);
}

static int header_at(const struct wps_request *req, size_t index,
                     struct wps_pair *out)
{
  return pair_at(req->headers, index, out);
}

static int subprotocol_at(const struct wps_request *req, size_t index,
                          struct wps_str *out)
{
  if (index >= 4 || req->offers[index].ptr == NULL)
    return WPS_ENOTFOUND;
  *out = req->offers[index];
  return WPS_OK;
}

static struct wps_bytes client_cert(const struct wps_request *req)
{
  (void)req;
  return (struct wps_bytes){NULL, 0};
}

static const struct wps_server_api server_api = {
    .struct_size = sizeof(server_api), .sign = sign};
static const struct wps_message_api message_api = {
    .struct_size = sizeof(message_api), .info = message_info};
static const struct wps_request_api request_api = {
    .struct_size = sizeof(request_api),
    .query_at = query_at,
    .header_at = header_at,
    .subprotocol_at = subprotocol_at,
    .client_cert = client_cert};
static const struct wps_host fake = {.struct_size = sizeof(fake),
                                     .server = &server_api,
                                     .message = &message_api,
                                     .request = &request_api};
const struct wps_host *wps = &fake;

/* ---- one request ---- */

static struct request r;
static const char *why;

static const struct wps_event plain = {
    .struct_size = sizeof(plain),
    .type = WPS_EVENT_CONNECTED,
    .id = WPS_STR_INIT("b5e8a2c4-0000-4000-8000-000000000000"),
    .sequence = 1,
    .unix_ms = 1795273200999, /* 2026-11-21T15:00:00.999Z */
    .hub = WPS_STR_INIT("chat"),
    .conn = WPS_STR_INIT("conn1")};

static int build(const struct wps_event *event, const char *url)
{
  struct url_template t;
  char reason[200];
  struct request_context context = {.url = &t,
                                    .origin = STR("pubsub.example.com")};

  ck_assert_int_eq(url_template_read(str_of(url), &t, reason, sizeof(reason)),
                   WPS_OK);
  why = NULL;
  return request_event(&r, &context, event, &why);
}

/* All of them, as lines. */
static const char *lines(void)
{
  static char out[8192];
  struct wps_pair one;
  size_t at = 0, len = 0;
  uint32_t count = 0;

  out[0] = '\0';
  for (; request_next(&r, &at, &one); count++)
    len += (size_t)snprintf(out + len, sizeof(out) - len, "%.*s:%s%.*s\n",
                            STR_ARG(one.name), one.value.len > 0 ? " " : "",
                            STR_ARG(one.value));
  ck_assert(len < sizeof(out));
  ck_assert_uint_eq(count, r.lines);
  ck_assert_uint_eq(at, r.head.len);
  return out;
}

static bool has(const char *line)
{
  char wanted[1024];

  snprintf(wanted, sizeof(wanted), "\n%s\n", line);
  return strstr(lines(), wanted) != NULL;
}

static void setup(void)
{
  memset(&r, 0, sizeof(r));
  keys[0] = "primarykey";
  keys[1] = "secondarykey";
  keys[2] = NULL;
}

static void teardown(void)
{
  request_free(&r);
}

/* ---- signature ---- */

static void signature_is(const char *conn, const char *expected)
{
  struct text out = {0};

  signature_write(str_of(conn), &out);
  ck_assert(str_equal(text_str(&out), str_of(expected)));
  text_free(&out);
}

START_TEST(s13_two_keys)
{
  signature_is("conn1", "sha256=d784e4dad05e26fdb4ce36a5cf7dd790"
                        "ff4182734a00fcac0a13051124b98a86,"
                        "sha256=2ad6a047c82972e9f198ccda49410389"
                        "1528a6c502f2c714e9276288f5fce77d");
}
END_TEST

START_TEST(s14_the_vector_of_dotnet)
{
  keys[0] = "7aab239577fd4f24bc919802fb629f5f";
  keys[1] = NULL;
  signature_is("0f9c97a2f0bf4706afe87a14e0797b11",
               "sha256=7767effcb3946f3e1de039df4b986ef0"
               "2c110b1469d02c0a06f41b3b727ab561");
  keys[0] = NULL;
  signature_is("conn1", "");
}
END_TEST

/* ---- headers ---- */

START_TEST(s10_s11_s12_all_of_connected)
{
  struct wps_event e = plain;

  e.user = STR("alice");
  e.subprotocol = STR("json.webpubsub.azure.v1");
  e.app_state = STR("eyJrZXkiOiJhIn0=");
  ck_assert_int_eq(build(&e, "http://h/api/{hub}/{event}?code=x"), WPS_OK);
  ck_assert_str_eq(r.url.ptr, "http://h/api/chat/connected?code=x");
  ck_assert_str_eq(lines(),
                   "Content-Type: application/json; charset=utf-8\n"
                   "WebHook-Request-Origin: pubsub.example.com\n"
                   "ce-awpsversion: 1.0\n"
                   "ce-specversion: 1.0\n"
                   "ce-type: azure.webpubsub.sys.connected\n"
                   "ce-source: /hubs/chat/client/conn1\n"
                   "ce-id: 1\n"
                   "ce-time: 2026-11-21T15:00:00Z\n"
                   "ce-signature: sha256=d784e4dad05e26fdb4ce36a5cf7dd790"
                   "ff4182734a00fcac0a13051124b98a86,"
                   "sha256=2ad6a047c82972e9f198ccda49410389"
                   "1528a6c502f2c714e9276288f5fce77d\n"
                   "ce-hub: chat\n"
                   "ce-connectionId: conn1\n"
                   "ce-eventName: connected\n"
                   "x-ms-client-request-id: "
                   "b5e8a2c4-0000-4000-8000-000000000000\n"
                   "ce-userId: alice\n"
                   "ce-subprotocol: json.webpubsub.azure.v1\n"
                   "ce-connectionState: eyJrZXkiOiJhIn0=\n");
  ck_assert(str_equal((struct wps_str){r.body.ptr, r.body.len}, STR("{}")));
}
END_TEST

START_TEST(s15_what_is_absent)
{
  struct wps_event e = plain;

  keys[0] = NULL;
  ck_assert_int_eq(build(&e, "http://h/"), WPS_OK);
  ck_assert_ptr_null(strstr(lines(), "ce-userId"));
  ck_assert_ptr_null(strstr(lines(), "ce-subprotocol"));
  ck_assert_ptr_null(strstr(lines(), "ce-connectionState"));
  ck_assert_ptr_null(strstr(lines(), "ce-signature"));
  ck_assert_ptr_null(strstr(lines(), "Authorization"));
}
END_TEST

START_TEST(s36_an_empty_state_is_an_empty_header)
{
  struct wps_event e = plain;

  e.app_state = STR("");
  ck_assert_int_eq(build(&e, "http://h/"), WPS_OK);
  ck_assert(has("ce-connectionState:"));
  e.app_state = STR("  \r\n ");
  ck_assert_int_eq(build(&e, "http://h/"), WPS_OK);
  ck_assert(has("ce-connectionState:"));
}
END_TEST

START_TEST(s133_only_the_user_may_be_other_than_ascii)
{
  struct wps_event e = plain;

  e.user = STR("J\xc3\xbcrgen\r\nX: y");
  ck_assert_int_eq(build(&e, "http://h/"), WPS_OK);
  ck_assert(has("ce-userId: J\xc3\xbcrgenX: y"));
  e.app_state = STR("\xc3\xbc");
  ck_assert_int_eq(build(&e, "http://h/"), WPS_EINVAL);
  ck_assert_ptr_nonnull(why);
}
END_TEST

static struct wps_message message(uint32_t type, const char *data)
{
  return (struct wps_message){{.struct_size = sizeof(struct wps_message_info),
                               .data_type = type,
                               .data = {data, strlen(data)}}};
}

START_TEST(s43_s44_s45_content_types)
{
  static const struct {
    uint32_t type;
    uint32_t reserved;
    const char *line;
  } cases[] = {{WPS_DATA_TEXT, 0, "text/plain; charset=utf-8"},
               {WPS_DATA_JSON, 0, "application/json"},
               {WPS_DATA_BINARY, 0, "application/octet-stream"},
               {WPS_DATA_PROTOBUF, 0, "application/x-protobuf"}};

  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct wps_message m = message(cases[i].type, "{\"id\":1}");
    struct wps_event e = plain;
    char line[100];

    e.type = WPS_EVENT_MESSAGE;
    e.name = STR("order");
    e.msg = &m;
    ck_assert_int_eq(build(&e, "http://h/{event}"), WPS_OK);
    snprintf(line, sizeof(line), "Content-Type: %s\n", cases[i].line);
    ck_assert(strncmp(lines(), line, strlen(line)) == 0);
    ck_assert(has("ce-type: azure.webpubsub.user.order"));
    ck_assert(has("ce-eventName: order"));
    ck_assert_ptr_eq(r.body.ptr, m.info.data.ptr);
    ck_assert_uint_eq(r.body.len, 8);
  }
}
END_TEST

START_TEST(s134_metadata)
{
  struct wps_message m = message(WPS_DATA_TEXT, "");
  struct wps_pair headers[] = {{STR("X-WebPubSub-Metadata-a"), STR(" b\nc ")},
                               {STR("X-WebPubSub-Metadata-e"), STR("")}};
  struct wps_event e = plain;

  e.type = WPS_EVENT_MESSAGE;
  e.name = STR("e");
  e.msg = &m;
  e.headers = headers;
  e.header_count = 2;
  ck_assert_int_eq(build(&e, "http://h/"), WPS_OK);
  ck_assert(has("X-WebPubSub-Metadata-a: bc"));
  ck_assert(has("X-WebPubSub-Metadata-e:"));
  ck_assert_ptr_nonnull(r.body.ptr);
  headers[0].value = STR("\xc3\xbc");
  ck_assert_int_eq(build(&e, "http://h/"), WPS_EINVAL);
  headers[0] = (struct wps_pair){STR("X-A: b"), STR("c")};
  ck_assert_int_eq(build(&e, "http://h/"), WPS_EINVAL);
  headers[0] = (struct wps_pair){STR(""), STR("c")};
  ck_assert_int_eq(build(&e, "http://h/"), WPS_EINVAL);
}
END_TEST

START_TEST(names_that_are_not_ascii)
{
  struct wps_message m = message(WPS_DATA_TEXT, "");
  struct wps_event e = plain;

  e.type = WPS_EVENT_MESSAGE;
  e.name = STR("\xc3\xbc");
  e.msg = &m;
  ck_assert_int_eq(build(&e, "http://h/{event}"), WPS_EINVAL);
}
END_TEST

/* ---- bodies ---- */

START_TEST(s38_reasons)
{
  struct wps_event e = plain;

  e.type = WPS_EVENT_DISCONNECTED;
  ck_assert_int_eq(build(&e, "http://h/"), WPS_OK);
  ck_assert(str_equal((struct wps_str){r.body.ptr, r.body.len},
                      STR("{\"reason\":\"\"}")));
  e.reason = STR("\"bye\"\n\xff");
  ck_assert_int_eq(build(&e, "http://h/"), WPS_OK);
  ck_assert(str_equal((struct wps_str){r.body.ptr, r.body.len},
                      STR("{\"reason\":\"\\\"bye\\\"\\n\xef\xbf\xbd\"}")));
}
END_TEST

START_TEST(s57_joined_and_left)
{
  struct wps_event e = plain;

  e.type = WPS_EVENT_JOINED;
  e.group = STR("gr\"oup1");
  e.sequence = 4;
  ck_assert_int_eq(build(&e, "http://h/{event}"), WPS_OK);
  ck_assert_str_eq(r.url.ptr, "http://h/joined");
  ck_assert(strncmp(lines(), "Content-Type: application/json; charset=utf-8\n",
                    46) == 0);
  ck_assert(has("ce-type: azure.webpubsub.gp.joined"));
  ck_assert(has("ce-eventName: joined"));
  ck_assert(has("ce-id: 4"));
  ck_assert(str_equal((struct wps_str){r.body.ptr, r.body.len},
                      STR("{\"group\":\"gr\\\"oup1\"}")));
  e.type = WPS_EVENT_LEFT;
  ck_assert_int_eq(build(&e, "http://h/{event}"), WPS_OK);
  ck_assert_str_eq(r.url.ptr, "http://h/left");
  ck_assert(has("ce-type: azure.webpubsub.gp.left"));
  ck_assert(has("ce-eventName: left"));
}
END_TEST

START_TEST(s20_connect)
{
  static const struct wps_pair claims[] = {{STR("sub"), STR("alice")}};
  struct wps_request req = {
      .query = {{STR("room"), STR("7")}, {STR("access_token"), STR("secret")}},
      .headers = {{STR("Host"), STR("h")}},
      .offers = {STR("a"), STR("b")}};
  struct wps_event e = plain;

  e.type = WPS_EVENT_CONNECT;
  e.sequence = 0;
  e.user = STR("alice");
  e.app_state = STR("never");
  e.subprotocol = STR("never");
  e.req = &req;
  e.claims = claims;
  e.claim_count = 1;
  ck_assert_int_eq(build(&e, "http://h/{event}"), WPS_OK);
  ck_assert(has("ce-id: 0"));
  ck_assert(has("ce-type: azure.webpubsub.sys.connect"));
  ck_assert_ptr_null(strstr(lines(), "never"));
  ck_assert(str_equal(
      (struct wps_str){r.body.ptr, r.body.len},
      STR("{\"claims\":{\"sub\":[\"alice\"],"
          "\"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
          "nameidentifier\":[\"alice\"]},\"query\":{\"room\":[\"7\"]},"
          "\"headers\":{\"Host\":[\"h\"]},\"subprotocols\":[\"a\",\"b\"],"
          "\"clientCertificates\":[]}")));
}
END_TEST

START_TEST(s58_the_probe)
{
  ck_assert_int_eq(request_probe(&r, METHOD_OPTIONS, STR("http://h/validate"),
                                 STR("pubsub.example.com")),
                   WPS_OK);
  ck_assert_str_eq(lines(), "WebHook-Request-Origin: pubsub.example.com\n"
                            "ce-awpsversion: 1.0\n");
  ck_assert_uint_eq(r.body.len, 0);
}
END_TEST

START_TEST(operations_in_the_log)
{
  struct wps_event e = plain;
  struct text out = {0};

  e.type = WPS_EVENT_CONNECT;
  report_operation(&out, &e);
  ck_assert(str_equal(
      text_str(&out),
      STR("Sending message during operation hub:chat,event:connect,type:sys,"
          "category:connections,requestType:Connect")));
  text_free(&out);
}
END_TEST

START_TEST(a_flood_of_lines_is_counted)
{
  struct limiter l = {0};
  uint32_t hidden = 9;

  for (int i = 0; i < 3; i++)
    ck_assert(limiter_pass(&l, 5000000 + i, 3, &hidden));
  ck_assert_uint_eq(hidden, 0);
  for (int i = 0; i < 7; i++)
    ck_assert(!limiter_pass(&l, 5900000, 3, &hidden));
  ck_assert(limiter_pass(&l, 6000000, 3, &hidden));
  ck_assert_uint_eq(hidden, 7);
  ck_assert(limiter_pass(&l, 6000000, 3, &hidden));
  ck_assert_uint_eq(hidden, 0);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("webhook_request");
  TCase *t = tcase_create("request");
  SRunner *runner = srunner_create(s);
  int failed;

  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, s13_two_keys);
  tcase_add_test(t, s14_the_vector_of_dotnet);
  tcase_add_test(t, s10_s11_s12_all_of_connected);
  tcase_add_test(t, s15_what_is_absent);
  tcase_add_test(t, s36_an_empty_state_is_an_empty_header);
  tcase_add_test(t, s133_only_the_user_may_be_other_than_ascii);
  tcase_add_test(t, s43_s44_s45_content_types);
  tcase_add_test(t, s134_metadata);
  tcase_add_test(t, names_that_are_not_ascii);
  tcase_add_test(t, s38_reasons);
  tcase_add_test(t, s57_joined_and_left);
  tcase_add_test(t, s20_connect);
  tcase_add_test(t, s58_the_probe);
  tcase_add_test(t, operations_in_the_log);
  tcase_add_test(t, a_flood_of_lines_is_counted);
  suite_add_tcase(s, t);
  srunner_run_all(runner, CK_NORMAL);
  failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
