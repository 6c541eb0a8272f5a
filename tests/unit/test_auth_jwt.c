/* SPDX-License-Identifier: Apache-2.0 */
/* auth-jwt as a component: where the token is, what it must name, and who
 * comes out. azure-client.md 1.3, C-7 to C-10, C-25 to C-34. */
#include "auth_host.h"
#include "test_jwt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const struct wps_plugin webpubsub_plugin_v1;

#define CHAT "http://localhost:8080/client/hubs/chat"
#define SEND "https://pubsub.example.com/api/hubs/chat/:send"

static struct wps_config plain = {
    .values = {{"max_token_size", "8192"}, {"clock_skew", "300000"}}};

static const struct wps_component *component;
static void *inst;

static void start(const struct wps_config *cfg)
{
  component = host_load(&webpubsub_plugin_v1);
  host.unix_ms = INT64_C(1760000000000);
  ck_assert_int_eq(component->check(cfg), WPS_OK);
  ck_assert_int_eq(component->create(NULL, cfg, NULL, &inst), WPS_OK);
}

static char *token_for(const char *aud)
{
  char payload[512];

  snprintf(payload, sizeof(payload),
           "{\"aud\":\"%s\",\"exp\":1760000001,\"sub\":\"alice\","
           "\"role\":[\"r1\",\"r2\"],\"webpubsub.group\":\"g\"}",
           aud);
  return mint(HS256_HEADER, payload);
}

/* "Host: localhost:8080" and whatever else is given. */
static struct wps_reply ask(const char *query, const char *authorization)
{
  struct wps_request req = {
      .purpose = WPS_FOR_CLIENT,
      .path = "/client/hubs/chat",
      .audience = "/client/hubs/chat",
      .hub = "chat",
      .headers = {{"Host", "localhost:8080"}, {"Authorization", authorization}},
      .query = {{"access_token", query}}};
  struct wps_reply reply = {.outcome = REPLY_OPEN};

  if (authorization == NULL)
    req.headers[1].name = NULL;
  if (query == NULL)
    req.query[0].name = NULL;
  component->ops.auth->authenticate(inst, NULL, &req, &reply);
  return reply;
}

static struct wps_reply ask_api(const char *path, const char *token)
{
  char header[4096];
  struct wps_request req = {
      .purpose = WPS_FOR_API,
      .path = path,
      .hub = "chat",
      .headers = {{"Host", "localhost:8080"}, {"Authorization", header}},
      .query = {{"access_token", token}}};
  struct wps_reply reply = {.outcome = REPLY_OPEN};

  snprintf(header, sizeof(header), "Bearer %s", token);
  component->ops.auth->authenticate(inst, NULL, &req, &reply);
  return reply;
}

START_TEST(c7_no_token)
{
  start(&plain);
  ck_assert_int_eq(ask(NULL, NULL).outcome, REPLY_DECLINED);
  ck_assert_int_eq(ask("", NULL).outcome, REPLY_DECLINED);
  ck_assert_int_eq(ask(NULL, "Basic YTpi").outcome, REPLY_DECLINED);
  ck_assert_int_eq(ask(NULL, "Bearerx").outcome, REPLY_DECLINED);
  component->destroy(inst);
}
END_TEST

START_TEST(c8_invalid_token)
{
  start(&plain);
  ck_assert_int_eq(ask("x", NULL).status, WPS_EUNAUTHORIZED);
  ck_assert_int_eq(ask(NULL, "Bearer").status, WPS_EUNAUTHORIZED);
  ck_assert_int_eq(ask(NULL, "Bearer  ").status, WPS_EUNAUTHORIZED);
  ck_assert_int_eq(ask(NULL, "Bearer a b").status, WPS_EUNAUTHORIZED);
  component->destroy(inst);
}
END_TEST

START_TEST(c9_header)
{
  char *token = token_for(CHAT), header[1024];
  struct wps_reply reply;

  start(&plain);
  snprintf(header, sizeof(header), "bearer %s", token);
  ck_assert_int_eq(ask(NULL, header).outcome, REPLY_ACCEPTED);
  ck_assert_int_eq(ask("", header).outcome, REPLY_ACCEPTED);
  snprintf(header, sizeof(header), " BEARER   %s ", token);
  reply = ask(NULL, header);
  ck_assert_int_eq(reply.outcome, REPLY_ACCEPTED);
  ck_assert_str_eq(reply.user, "alice");
  ck_assert_str_eq(reply.roles, "r1,r2");
  ck_assert_str_eq(reply.groups, "g");
  ck_assert_uint_eq(reply.claim_count, 6);
  ck_assert_int_eq(reply.expires_unix_ms, INT64_C(1760000001000));
  free(token);
  component->destroy(inst);
}
END_TEST

START_TEST(c10_query_wins)
{
  char *token = token_for(CHAT), header[1024];

  start(&plain);
  ck_assert_int_eq(ask(token, "Bearer x").outcome, REPLY_ACCEPTED);
  snprintf(header, sizeof(header), "Bearer %s", token);
  ck_assert_int_eq(ask("x", header).status, WPS_EUNAUTHORIZED);
  free(token);
  component->destroy(inst);
}
END_TEST

START_TEST(c29_endpoints_and_host)
{
  static const struct {
    const char *aud;
    bool good;
  } cases[] = {{CHAT, true},
               {"https://localhost:8080/client/hubs/chat", true},
               {"https://pubsub.example.com/client/hubs/chat", true},
               {"http://PUBSUB.example.com/client/hubs/CHAT", true},
               {"https://two.example.com:8443/client/hubs/chat", true},
               {"https://three.example.com/client/hubs/chat", false},
               {"wss://pubsub.example.com/client/hubs/chat", false},
               {"https://pubsub.example.com/client/hubs/chat/", false},
               {"https://pubsub.example.com/client/hubs/other", false},
               {"https://pubsub.example.com/client/?hub=chat", false},
               {SEND, false}};

  start(&plain);
  host.endpoints[0] = "https://pubsub.example.com";
  host.endpoints[1] = "https://two.example.com:8443";
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    char *token = token_for(cases[i].aud);

    ck_assert_msg((ask(token, NULL).outcome == REPLY_ACCEPTED) == cases[i].good,
                  "%s", cases[i].aud);
    free(token);
  }
  component->destroy(inst);
}
END_TEST

START_TEST(says_what_was_expected)
{
  char *token = token_for("https://s3cret.example.com/client/hubs/chat");

  start(&plain);
  ck_assert_str_eq(ask(token, NULL).detail,
                   "the token is for another audience; expected " CHAT);
  host.endpoints[0] = "https://pubsub.example.com";
  ck_assert_str_eq(ask(token, NULL).detail,
                   "the token is for another audience; expected "
                   "https://pubsub.example.com/client/hubs/chat");
  free(token);
  component->destroy(inst);
}
END_TEST

START_TEST(legacy_form)
{
  char *token = token_for("http://localhost:8080/client/?hub=chat");
  struct wps_request req = {.purpose = WPS_FOR_CLIENT,
                            .path = "/client",
                            .audience = "/client/hubs/chat",
                            .hub = "chat",
                            .headers = {{"Host", "localhost:8080"}},
                            .query = {{"access_token", token}}};
  struct wps_reply reply = {.outcome = REPLY_OPEN};

  start(&plain);
  component->ops.auth->authenticate(inst, NULL, &req, &reply);
  ck_assert_int_eq(reply.outcome, REPLY_ACCEPTED);
  req.path = "/client/hubs/chat";
  reply.outcome = REPLY_OPEN;
  component->ops.auth->authenticate(inst, NULL, &req, &reply);
  ck_assert_int_eq(reply.status, WPS_EUNAUTHORIZED);
  free(token);
  component->destroy(inst);
}
END_TEST

START_TEST(for_api)
{
  char *token = token_for(SEND "?api-version=2024-12-01"), *host_token;
  struct wps_reply reply;

  start(&plain);
  /* Host counts only while no endpoint is configured. */
  host_token = token_for("http://localhost:8080/api/hubs/chat/:send");
  ck_assert_int_eq(ask_api("/api/hubs/chat/:send", host_token).outcome,
                   REPLY_ACCEPTED);
  host.endpoints[0] = "https://pubsub.example.com";
  ck_assert_int_eq(ask_api("/api/hubs/chat/:send", host_token).status,
                   WPS_EUNAUTHORIZED);
  reply = ask_api("/api/hubs/chat/:send", token);
  ck_assert_int_eq(reply.outcome, REPLY_ACCEPTED);
  ck_assert_str_eq(reply.roles, WPS_ROLE_OWNER);
  ck_assert_str_eq(reply.groups, "");
  ck_assert_int_eq(ask_api("/api/hubs/chat", token).status, WPS_EUNAUTHORIZED);
  free(token);
  free(host_token);
  /* A client's token is no server's, and the query is not looked at. */
  token = token_for("https://pubsub.example.com/client/hubs/chat");
  ck_assert_int_eq(ask_api("/api/hubs/chat/:send", token).status,
                   WPS_EUNAUTHORIZED);
  free(token);
  component->destroy(inst);
}
END_TEST

/* ---- configuration ---- */

static char folder[] = "/tmp/test_jwt_XXXXXX";

static const char *file_write(const char *name, const char *text, char *path,
                              size_t size)
{
  FILE *f;

  snprintf(path, size, "%s/%s", folder, name);
  f = fopen(path, "w");
  ck_assert_ptr_nonnull(f);
  fputs(text, f);
  fclose(f);
  return path;
}

START_TEST(public_keys)
{
  EVP_PKEY *ec = ec_make("P-256");
  char *pem = public_pem(ec), path[100], *token;
  struct wps_config cfg = {.values = {{"max_token_size", "8192"},
                                      {"clock_skew", "300000"},
                                      {"public_keys", path},
                                      {"issuer", "https://id.example"},
                                      {"audience", "my-app"}}};

  ck_assert_ptr_nonnull(mkdtemp(folder));
  file_write("ec.pem", pem, path, sizeof(path));
  start(&cfg);
  token = mint_public("{\"alg\":\"ES256\"}",
                      "{\"aud\":\"my-app\",\"exp\":1760000001,"
                      "\"iss\":\"https://id.example\",\"sub\":\"eve\"}",
                      ec);
  ck_assert_int_eq(ask(token, NULL).outcome, REPLY_ACCEPTED);
  free(token);
  /* The extra audiences are not for tokens of our own keys, */
  token = token_for("my-app");
  ck_assert_int_eq(ask(token, NULL).status, WPS_EUNAUTHORIZED);
  free(token);
  /* and others' keys make nobody a server. */
  host.endpoints[0] = "https://pubsub.example.com";
  token = mint_public("{\"alg\":\"ES256\"}",
                      "{\"aud\":\"" SEND "\",\"exp\":1760000001,"
                      "\"iss\":\"https://id.example\"}",
                      ec);
  ck_assert_int_eq(ask_api("/api/hubs/chat/:send", token).status,
                   WPS_EUNAUTHORIZED);
  free(token);
  component->destroy(inst);
  unlink(path);
  rmdir(folder);
  free(pem);
  EVP_PKEY_free(ec);
}
END_TEST

static void expect_fault(const char *key, const char *value, const char *text)
{
  struct wps_config cfg = plain;

  cfg.values[2].key = key;
  cfg.values[2].value = value;
  component = host_load(&webpubsub_plugin_v1);
  ck_assert_int_eq(component->check(&cfg), WPS_EINVAL);
  ck_assert_msg(strstr(host.error, text) != NULL, "%s", host.error);
}

START_TEST(configuration_faults)
{
  char path[100];

  ck_assert_ptr_nonnull(mkdtemp(folder));
  expect_fault("public_keys", "/nonexistent/key.pem", "No such file");
  expect_fault("public_keys", "/tmp", "regular file");
  expect_fault("jwks", "/nonexistent/jwks", "No such file");
  file_write("bad", "hello", path, sizeof(path));
  expect_fault("public_keys", path, "PEM");
  expect_fault("jwks", path, "JSON");
  expect_fault("issuer", "x", "without public_keys");
  expect_fault("audience", "x", "without public_keys");
  unlink(path);
  rmdir(folder);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("auth-jwt");
  TCase *c = tcase_create("component");
  SRunner *runner;
  int failed;

  tcase_add_test(c, c7_no_token);
  tcase_add_test(c, c8_invalid_token);
  tcase_add_test(c, c9_header);
  tcase_add_test(c, c10_query_wins);
  tcase_add_test(c, c29_endpoints_and_host);
  tcase_add_test(c, says_what_was_expected);
  tcase_add_test(c, legacy_form);
  tcase_add_test(c, for_api);
  tcase_add_test(c, public_keys);
  tcase_add_test(c, configuration_faults);
  suite_add_tcase(suite, c);
  runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
