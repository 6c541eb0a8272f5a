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
  ck_assert_str_eq(reply.credential, "access_keys[0]");
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

/* The token of azure-server.md 8, and what else that section says. */
START_TEST(s108_test_token)
{
  static const char token[] =
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
      "eyJhdWQiOiJodHRwczovL3B1YnN1Yi5leGFtcGxlLmNvbS9hcGkvaHVicy9jaGF0Lzpz"
      "ZW5kIiwiZXhwIjo0MTAyNDQ0ODAwfQ."
      "0wFhpY8_yaN-ZuHA7yOvbu_HBF_dolSxupC6Tb5emNI";

  start(&plain);
  host.endpoints[0] = "https://pubsub.example.com";
  ck_assert_int_eq(ask_api("/api/hubs/chat/:send", token).outcome,
                   REPLY_ACCEPTED);
  ck_assert_int_eq(ask_api("/api/hubs/chat/groups/g/:send", token).status,
                   WPS_EUNAUTHORIZED);
  component->destroy(inst);
}
END_TEST

START_TEST(s109_to_s113_audiences)
{
  static const struct {
    const char *payload;
    bool good;
  } cases[] = {
      {"\"aud\":\"" SEND
       "?api-version=2024-12-01&filter=a%20b\",\"exp\":1760000001",
       true},
      {"\"aud\":\"" SEND "/\",\"exp\":1760000001", true},
      {"\"aud\":\"wss://pubsub.example.com/api/hubs/chat/:send\","
       "\"exp\":1760000001",
       true},
      {"\"aud\":\"https://two.example.com:8443/api/hubs/chat/:send\","
       "\"exp\":1760000001",
       true},
      {"\"aud\":\"https://two.example.com/api/hubs/chat/:send\","
       "\"exp\":1760000001",
       false},
      {"\"aud\":\"https://proxy.example.com/api/hubs/chat/:send\","
       "\"exp\":1760000001",
       false},
      {"\"aud\":\"" SEND "/x\",\"exp\":1760000001", false},
      {"\"aud\":[\"x\",\"" SEND "\"],\"exp\":1760000001", true},
      {"\"aud\":[\"x\",\"y\"],\"exp\":1760000001", false},
      {"\"aud\":[],\"exp\":1760000001", false},
      {"\"aud\":\"" SEND "\",\"exp\":1759999880", true},  /* 2 minutes ago */
      {"\"aud\":\"" SEND "\",\"exp\":1759999400", false}, /* 10 minutes ago */
      {"\"aud\":\"" SEND "\"", false},
      {"\"exp\":1760000001", false},
      {"\"aud\":\"" SEND "\",\"exp\":1760009999,\"nbf\":1760000240", true},
      {"\"aud\":\"" SEND "\",\"exp\":1760009999,\"nbf\":1760000600", false},
      {"\"aud\":\"" SEND "\",\"exp\":1760000001,\"iat\":1760099999,"
       "\"iss\":\"x\"",
       true},
  };

  start(&plain);
  host.endpoints[0] = "https://pubsub.example.com";
  host.endpoints[1] = "https://two.example.com:8443";
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    char payload[512], *token;
    struct wps_reply reply;

    snprintf(payload, sizeof(payload), "{%s}", cases[i].payload);
    token = mint(HS256_HEADER, payload);
    reply = ask_api("/api/hubs/chat/:send", token);
    ck_assert_msg((reply.outcome == REPLY_ACCEPTED) == cases[i].good, "%s: %s",
                  payload, reply.detail);
    free(token);
  }
  component->destroy(inst);
}
END_TEST

/* "/" at the end of the target, and "%2F" at the end of a name. */
START_TEST(last_slash)
{
  static const struct {
    const char *target, *path, *aud;
    bool good;
  } cases[] = {
      {"/api/hubs/h/users/a/?x", "/api/hubs/h/users/a/",
       "http://localhost:8080/api/hubs/h/users/a", true},
      {"/api/hubs/h/users/a/", "/api/hubs/h/users/a/",
       "http://localhost:8080/api/hubs/h/users/a/", true},
      {"/api/hubs/h/users/a%2F?x=/", "/api/hubs/h/users/a/",
       "http://localhost:8080/api/hubs/h/users/a%2F?x=/", true},
      {"/api/hubs/h/users/a%2F", "/api/hubs/h/users/a/",
       "http://localhost:8080/api/hubs/h/users/a", false},
      {"/api/hubs/h/users/a", "/api/hubs/h/users/a",
       "http://localhost:8080/api/hubs/h/users/a%2F", false},
  };

  start(&plain);
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    char header[1024], *token = token_for(cases[i].aud);
    struct wps_reply reply = {.outcome = REPLY_OPEN};
    struct wps_request req = {
        .purpose = WPS_FOR_API,
        .path = cases[i].path,
        .target = cases[i].target,
        .hub = "h",
        .headers = {{"Host", "localhost:8080"}, {"Authorization", header}}};

    snprintf(header, sizeof(header), "Bearer %s", token);
    component->ops.auth->authenticate(inst, NULL, &req, &reply);
    ck_assert_msg((reply.outcome == REPLY_ACCEPTED) == cases[i].good,
                  "%s for %s", cases[i].aud, cases[i].target);
    free(token);
  }
  component->destroy(inst);
}
END_TEST

/* A group of 1024 characters outside of ASCII, escaped, and then base64. */
START_TEST(long_audience)
{
  char *path = calloc(1, 4000), *escaped = calloc(1, 12000);
  char *payload = malloc(16000), *header = malloc(24000), *token;
  struct wps_reply reply = {.outcome = REPLY_OPEN};
  struct wps_request req = {
      .purpose = WPS_FOR_API,
      .path = path,
      .hub = "chat",
      .headers = {{"Host", "localhost:8080"}, {"Authorization", header}}};

  memcpy(path, "/api/hubs/chat/groups/", 22);
  memcpy(escaped, path, 22);
  for (int i = 0; i < 1024; i++) {
    memcpy(path + 22 + (size_t)i * 3, "\xe2\x82\xac", 3);
    memcpy(escaped + 22 + (size_t)i * 9, "%E2%82%AC", 9);
  }
  snprintf(payload, 16000,
           "{\"aud\":\"http://localhost:8080%s\",\"exp\":1760000001}", escaped);
  token = mint(HS256_HEADER, payload);
  ck_assert_uint_gt(strlen(token), 12000);
  snprintf(header, 24000, "Bearer %s", token);
  start(&plain);
  component->ops.auth->authenticate(inst, NULL, &req, &reply);
  ck_assert_int_eq(reply.outcome, REPLY_ACCEPTED);
  ck_assert_str_eq(ask(token, NULL).detail, "the token is too long");
  component->destroy(inst);
  free(token);
  free(header);
  free(payload);
  free(escaped);
  free(path);
}
END_TEST

/* azure-server.md 9.1: the token in the query or the header, and roles of its
 * own beside the owner's. */
START_TEST(s122_server)
{
  struct wps_request req = {.purpose = WPS_FOR_SERVER,
                            .path = "/server/tunnel",
                            .target = "/server/tunnel?hub=Chat",
                            .hub = "Chat",
                            .headers = {{"Host", "localhost:8080"}}};
  char *token = token_for("ws://localhost:8080/server/tunnel?hub=chat");
  char *other = token_for("ws://localhost:8080/server/tunnel?hub=other");
  char header[1024];
  struct wps_reply reply = {.outcome = REPLY_OPEN};

  start(&plain);
  component->ops.auth->authenticate(inst, NULL, &req, &reply);
  ck_assert_int_eq(reply.outcome, REPLY_DECLINED);

  req.query[0].name = "access_token";
  req.query[0].value = token;
  reply = (struct wps_reply){.outcome = REPLY_OPEN};
  component->ops.auth->authenticate(inst, NULL, &req, &reply);
  ck_assert_int_eq(reply.outcome, REPLY_ACCEPTED);
  ck_assert_str_eq(reply.roles, WPS_ROLE_OWNER ",r1,r2");
  ck_assert_str_eq(reply.groups, "");
  ck_assert_str_eq(reply.user, "alice");

  /* The query goes first. */
  snprintf(header, sizeof(header), "Bearer %s", other);
  req.headers[1].name = "Authorization";
  req.headers[1].value = header;
  reply = (struct wps_reply){.outcome = REPLY_OPEN};
  component->ops.auth->authenticate(inst, NULL, &req, &reply);
  ck_assert_int_eq(reply.outcome, REPLY_ACCEPTED);

  req.query[0].name = NULL;
  reply = (struct wps_reply){.outcome = REPLY_OPEN};
  component->ops.auth->authenticate(inst, NULL, &req, &reply);
  ck_assert_int_eq(reply.outcome, REPLY_FAILED);
  ck_assert_int_eq(reply.status, WPS_EUNAUTHORIZED);
  ck_assert_str_eq(reply.detail,
                   "the token is for another audience; expected "
                   "http://localhost:8080/server/tunnel?hub=Chat");

  snprintf(header, sizeof(header), "Bearer %s", token);
  reply = (struct wps_reply){.outcome = REPLY_OPEN};
  component->ops.auth->authenticate(inst, NULL, &req, &reply);
  ck_assert_int_eq(reply.outcome, REPLY_ACCEPTED);
  component->destroy(inst);
  free(other);
  free(token);
}
END_TEST

static char *signed_with(const char *key, const char *header, const char *aud)
{
  char payload[256];

  snprintf(payload, sizeof(payload), "{\"aud\":\"%s\",\"exp\":1760000001}",
           aud);
  return mint_bytes(header, strlen(header), payload, strlen(payload), key);
}

START_TEST(says_which_key)
{
  char *token = signed_with(HOST_KEY_2, HS256_HEADER, CHAT);
  struct wps_reply reply;

  start(&plain);
  reply = ask(token, NULL);
  ck_assert_int_eq(reply.outcome, REPLY_ACCEPTED);
  ck_assert_str_eq(reply.credential, "access_keys[1]");
  free(token);
  token = signed_with(HOST_KEY_2, HS256_HEADER,
                      "http://localhost:8080/api/hubs/chat/:send");
  reply = ask_api("/api/hubs/chat/:send", token);
  ck_assert_int_eq(reply.outcome, REPLY_ACCEPTED);
  ck_assert_str_eq(reply.credential, "access_keys[1]");
  free(token);
  component->destroy(inst);
}
END_TEST

#define GENERATED_HEADER                                                       \
  "{\"alg\":\"HS256\",\"kid\":\"s-1\",\"typ\":\"JWT\",\"cty\":\"JWT\"}"

/* azure-server.md 7.13 and S-99: a key of its own, for clients only. */
START_TEST(s99_generated)
{
  static const char *const others[] = {HS256_HEADER,
                                       "{\"alg\":\"HS256\",\"kid\":\"x-s-1\"}",
                                       "{\"alg\":\"HS256\",\"kid\":\"S-1\"}",
                                       "{\"alg\":\"HS256\",\"kid\":[\"s-1\"]}"};
  char *token = signed_with(HOST_SERVICE_KEY, GENERATED_HEADER, CHAT);
  struct wps_reply reply;

  start(&plain);
  reply = ask(token, NULL);
  ck_assert_int_eq(reply.outcome, REPLY_ACCEPTED);
  ck_assert_str_eq(reply.credential, "service_key");
  free(token);
  for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
    token = signed_with(HOST_SERVICE_KEY, others[i], CHAT);
    ck_assert_int_eq(ask(token, NULL).status, WPS_EUNAUTHORIZED);
    free(token);
  }
  /* Whoever writes such a kid into a token of an access key may do so. */
  token = signed_with(HOST_KEY, GENERATED_HEADER, CHAT);
  reply = ask(token, NULL);
  ck_assert_int_eq(reply.outcome, REPLY_ACCEPTED);
  ck_assert_str_eq(reply.credential, "access_keys[0]");
  free(token);
  token = signed_with(HOST_SERVICE_KEY, GENERATED_HEADER,
                      "http://localhost:8080/api/hubs/chat/:send");
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
  ck_assert_str_eq(ask(token, NULL).credential, "public_keys");
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

/* azure-server.md 8, the variant with an identity provider. */
START_TEST(api_roles)
{
  static const struct {
    const char *payload, *roles;
    int outcome;
  } cases[] = {
      {"\"aud\":\"https://webpubsub.azure.com\",\"roles\":[\"x\",\"Owner\"],"
       "\"iss\":\"https://id.example\"",
       WPS_ROLE_OWNER, REPLY_ACCEPTED},
      {"\"aud\":\"https://webpubsub.azure.com\",\"roles\":\"Reader\","
       "\"iss\":\"https://id.example\"",
       WPS_ROLE_READER, REPLY_ACCEPTED},
      {"\"aud\":\"https://webpubsub.azure.com\","
       "\"roles\":[\"Reader\",\"Owner\"],\"iss\":\"https://id.example\"",
       WPS_ROLE_OWNER, REPLY_ACCEPTED},
      /* Authenticated, and the core finds no role. */
      {"\"aud\":\"https://webpubsub.azure.com\",\"role\":\"Owner\","
       "\"iss\":\"https://id.example\"",
       "", REPLY_ACCEPTED},
      {"\"aud\":\"https://webpubsub.azure.com\",\"roles\":\"Owner\","
       "\"iss\":\"https://other.example\"",
       "", REPLY_FAILED},
      {"\"aud\":\"https://webpubsub.azure.com\",\"roles\":\"Owner\"", "",
       REPLY_FAILED},
      {"\"aud\":\"https://other.example\",\"roles\":\"Owner\","
       "\"iss\":\"https://id.example\"",
       "", REPLY_FAILED},
  };
  EVP_PKEY *ec = ec_make("P-256");
  char *pem = public_pem(ec), path[100], *token, payload[512];
  struct wps_config cfg = {
      .values = {{"max_token_size", "8192"},
                 {"clock_skew", "300000"},
                 {"public_keys", path},
                 {"issuer", "https://id.example"},
                 {"audience", "https://webpubsub.azure.com"},
                 {"owner_roles", "Owner"},
                 {"reader_roles", "Reader"}}};
  struct wps_reply reply;

  ck_assert_ptr_nonnull(mkdtemp(folder));
  file_write("ec.pem", pem, path, sizeof(path));
  start(&cfg);
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    snprintf(payload, sizeof(payload), "{\"exp\":1760000001,%s}",
             cases[i].payload);
    token = mint_public("{\"alg\":\"ES256\"}", payload, ec);
    reply = ask_api("/api/hubs/chat/:send", token);
    ck_assert_msg(reply.outcome == cases[i].outcome, "%s: %s", payload,
                  reply.detail);
    ck_assert_str_eq(reply.roles, cases[i].roles);
    free(token);
  }
  /* To connect as a server takes an owner; only then do its own roles count. */
  for (size_t i = 0; i < 2; i++) {
    struct wps_request req = {.purpose = WPS_FOR_SERVER,
                              .path = "/server",
                              .hub = "chat",
                              .query = {{"access_token", NULL}}};

    snprintf(payload, sizeof(payload),
             "{\"exp\":1760000001,\"aud\":\"https://webpubsub.azure.com\","
             "\"roles\":\"%s\",\"role\":[\"publisher\",\"%s\"],"
             "\"iss\":\"https://id.example\"}",
             i == 0 ? "Owner" : "Reader", WPS_ROLE_OWNER);
    token = mint_public("{\"alg\":\"ES256\"}", payload, ec);
    req.query[0].value = token;
    reply = (struct wps_reply){.outcome = REPLY_OPEN};
    component->ops.auth->authenticate(inst, NULL, &req, &reply);
    ck_assert_int_eq(reply.outcome, REPLY_ACCEPTED);
    ck_assert_str_eq(reply.roles, i == 0 ? WPS_ROLE_OWNER
                                      ",publisher," WPS_ROLE_OWNER
                                         : WPS_ROLE_READER);
    free(token);
  }
  /* An access key is worth what it was. */
  token = token_for("http://localhost:8080/api/hubs/chat/:send");
  reply = ask_api("/api/hubs/chat/:send", token);
  ck_assert_str_eq(reply.roles, WPS_ROLE_OWNER);
  free(token);
  token = token_for("https://webpubsub.azure.com");
  ck_assert_int_eq(ask_api("/api/hubs/chat/:send", token).status,
                   WPS_EUNAUTHORIZED);
  free(token);
  component->destroy(inst);
  cfg.values[4].key = "owner_roles"; /* no audience */
  ck_assert_int_eq(component->check(&cfg), WPS_EINVAL);
  ck_assert_msg(strstr(host.error, "issuer") != NULL, "%s", host.error);
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
  expect_fault("owner_roles", "x", "without public_keys");
  expect_fault("reader_roles", "x", "without public_keys");
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
  tcase_add_test(c, s108_test_token);
  tcase_add_test(c, s109_to_s113_audiences);
  tcase_add_test(c, last_slash);
  tcase_add_test(c, long_audience);
  tcase_add_test(c, s122_server);
  tcase_add_test(c, says_which_key);
  tcase_add_test(c, s99_generated);
  tcase_add_test(c, public_keys);
  tcase_add_test(c, api_roles);
  tcase_add_test(c, configuration_faults);
  suite_add_tcase(suite, c);
  runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
