/* SPDX-License-Identifier: Apache-2.0 */
/* auth-static: names, keys, hubs, and what a wrong one costs. */
#include "auth_host.h"
#include "plugins/auth-static/auth-static.h"

#include "plugins/common/b64.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct wps_plugin webpubsub_plugin_v1;

#define API_KEY "0123456789abcdef0123456789abcdef"
/* "alice:correct horse", "alice:wrong", "nobody:correct horse" */
#define ALICE "Basic YWxpY2U6Y29ycmVjdCBob3JzZQ=="
#define ALICE_WRONG "Basic YWxpY2U6d3Jvbmc="
#define NOBODY "Basic bm9ib2R5OmNvcnJlY3QgaG9yc2U="

static struct wps_config alice = {.values = {{"name", "alice"},
                                             {"secret", "correct horse"},
                                             {"roles", "webpubsub.sendToGroup"},
                                             {"roles", WPS_ROLE_OWNER},
                                             {"groups", "g1"},
                                             {"groups", "g2"},
                                             {"hubs", "Chat"}}};
static struct wps_config device = {
    .values = {{"key", API_KEY},
               {"user_id", "sensor-1"},
               {"roles", "webpubsub.joinLeaveGroup"}}};
static struct wps_config both = {
    .values = {{"iterations", "1000"},
               {"max_checks", "3"},
               {"check_threads", "1"},
               {"remember", "60000"}},
    .sections = {{"users", &alice}, {"keys", &device}}};
static struct wps_config none = {.values = {{"iterations", "1000"},
                                            {"max_checks", "3"},
                                            {"check_threads", "2"},
                                            {"remember", "0"}}};

static const struct wps_component *component;
static void *inst, *wstate;

static void start(const struct wps_config *cfg)
{
  component = host_load(&webpubsub_plugin_v1);
  ck_assert_int_eq(component->check(cfg), WPS_OK);
  ck_assert_int_eq(component->create(NULL, cfg, NULL, &inst), WPS_OK);
  ck_assert_int_eq(component->worker_start(inst, NULL, &wstate), WPS_OK);
}

static void stop(void)
{
  component->worker_stop(inst, wstate);
  component->destroy(inst);
}

static void ask(struct wps_request *req, struct wps_reply *reply)
{
  memset(reply, 0, sizeof(*reply));
  component->ops.auth->authenticate(inst, wstate, req, reply);
}

static struct wps_request client(const char *name, const char *value)
{
  return (struct wps_request){.purpose = WPS_FOR_CLIENT,
                              .path = "/client/hubs/chat",
                              .audience = "/client/hubs/chat",
                              .hub = "chat",
                              .headers = {{name, value}}};
}

static int outcome(struct wps_request req, struct wps_reply *reply)
{
  ask(&req, reply);
  while (host.job_count > 0)
    host_run_job(WPS_OK);
  return reply->outcome;
}

START_TEST(password)
{
  struct wps_reply reply;

  start(&both);
  ck_assert_int_eq(outcome(client("Authorization", ALICE), &reply),
                   REPLY_ACCEPTED);
  ck_assert_str_eq(reply.user, "alice");
  ck_assert_str_eq(reply.roles, "webpubsub.sendToGroup");
  ck_assert_str_eq(reply.groups, "g1,g2");
  ck_assert_str_eq(reply.credential, "alice");
  ck_assert_int_eq(outcome(client("Authorization", ALICE_WRONG), &reply),
                   REPLY_FAILED);
  ck_assert_int_eq(reply.status, WPS_EUNAUTHORIZED);
  ck_assert_int_eq(outcome(client("Authorization", NOBODY), &reply),
                   REPLY_FAILED);
  ck_assert_int_eq(reply.status, WPS_EUNAUTHORIZED);
  ck_assert_ptr_null(strstr(reply.detail, "horse"));
  stop();
}
END_TEST

/* Name and password together have 1024 bytes at most. */
START_TEST(password_longest)
{
  char secret[1024 - 4 + 1], text[1024 + 1], header[6 + 1368 + 1] = "Basic ";
  struct wps_config bob = {.values = {{"name", "bob"}, {"secret", secret}}};
  struct wps_config cfg = {.values = {{"iterations", "1000"},
                                      {"max_checks", "3"},
                                      {"check_threads", "1"},
                                      {"check_threads", "1"},
                                      {"remember", "0"}},
                           .sections = {{"users", &bob}}};
  struct wps_reply reply;

  memset(secret, 's', sizeof(secret) - 1);
  secret[sizeof(secret) - 1] = '\0';
  snprintf(text, sizeof(text), "bob:%s", secret);
  b64_encode((struct wps_bytes){text, 1024}, header + 6);
  header[sizeof(header) - 1] = '\0';
  start(&cfg);
  ck_assert_int_eq(outcome(client("Authorization", header), &reply),
                   REPLY_ACCEPTED);
  stop();
}
END_TEST

/* A name that does not exist is not told by the time of its check. */
START_TEST(nobody_is_as_slow)
{
  struct wps_config eve = {
      .values = {{"name", "eve"},
                 {"secret_hash",
                  "pbkdf2-sha256:5000:c2FsdHNhbHQ:"
                  "qQDPSZa3Ormyy9oK1Pu0ZLLwP2Svzmx3yu8OvDdq_J0"}}};
  struct wps_config cfg = none;

  cfg.sections[0].key = "users";
  cfg.sections[0].section = &eve;
  start(&cfg);
  ck_assert_uint_eq(((struct auth_static *)inst)->nobody.iterations, 5000);
  stop();
}
END_TEST

START_TEST(password_malformed)
{
  static const char *const bad[] = {"Basic",
                                    "Basic ",
                                    "basic x",
                                    "Basic YWxpY2U=",
                                    "Basic YWxpY2U6eA",
                                    "Basic YWxp Y2U6eA==",
                                    "Basic YWxpY2U6eB=="};
  struct wps_reply reply;
  char *longest = malloc(3000);

  start(&both);
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
    ck_assert_int_eq(outcome(client("Authorization", bad[i]), &reply),
                     REPLY_FAILED);
    ck_assert_int_eq(reply.status, WPS_EUNAUTHORIZED);
    ck_assert_str_eq(reply.detail, "malformed Basic credentials");
  }
  snprintf(longest, 3000, "Basic %02000d", 0);
  ck_assert_int_eq(outcome(client("Authorization", longest), &reply),
                   REPLY_FAILED);
  free(longest);
  stop();
}
END_TEST

START_TEST(hubs)
{
  struct wps_request req = client("Authorization", ALICE);
  struct wps_reply reply;

  start(&both);
  req.hub = "other";
  ck_assert_int_eq(outcome(req, &reply), REPLY_FAILED);
  ck_assert_int_eq(reply.status, WPS_EFORBIDDEN);
  /* Now remembered, and still not allowed. */
  ck_assert_int_eq(outcome(req, &reply), REPLY_FAILED);
  ck_assert_int_eq(reply.status, WPS_EFORBIDDEN);
  req.hub = "chat";
  ck_assert_int_eq(outcome(req, &reply), REPLY_ACCEPTED);
  /* Who does not know the password learns nothing about hubs. */
  req = client("Authorization", ALICE_WRONG);
  req.hub = "other";
  ck_assert_int_eq(outcome(req, &reply), REPLY_FAILED);
  ck_assert_int_eq(reply.status, WPS_EUNAUTHORIZED);
  stop();
}
END_TEST

START_TEST(api_key)
{
  struct wps_request req = client("X-API-Key", API_KEY);
  struct wps_reply reply;

  start(&both);
  ck_assert_int_eq(outcome(req, &reply), REPLY_ACCEPTED);
  ck_assert_str_eq(reply.user, "sensor-1");
  ck_assert_str_eq(reply.credential, "keys[0]");
  ck_assert_str_eq(reply.roles, "webpubsub.joinLeaveGroup");
  ck_assert_int_eq(outcome(client("X-API-Key", API_KEY "x"), &reply),
                   REPLY_FAILED);
  ck_assert_int_eq(reply.status, WPS_EUNAUTHORIZED);
  ck_assert_int_eq(outcome(client("X-API-Key", ""), &reply), REPLY_FAILED);
  req = client("Host", "x");
  req.query[0].name = "api_key";
  req.query[0].value = API_KEY;
  ck_assert_int_eq(outcome(req, &reply), REPLY_ACCEPTED);
  req.query[0].value = "";
  ck_assert_int_eq(outcome(req, &reply), REPLY_DECLINED);
  stop();
}
END_TEST

START_TEST(for_api)
{
  struct wps_request req = client("Authorization", ALICE);
  struct wps_reply reply;

  start(&both);
  req.purpose = WPS_FOR_API;
  ck_assert_int_eq(outcome(req, &reply), REPLY_ACCEPTED);
  ck_assert_str_eq(reply.roles, WPS_ROLE_OWNER);
  ck_assert_str_eq(reply.groups, "");
  req = client("Host", "x");
  req.purpose = WPS_FOR_API;
  req.query[0].name = "api_key";
  req.query[0].value = API_KEY;
  ck_assert_int_eq(outcome(req, &reply), REPLY_DECLINED);
  /* Who opens a WebSocket may have no headers to set. */
  req.purpose = WPS_FOR_SERVER;
  ck_assert_int_eq(outcome(req, &reply), REPLY_ACCEPTED);
  ck_assert_str_eq(reply.roles, "");
  req = client("Authorization", ALICE);
  req.purpose = WPS_FOR_SERVER;
  ck_assert_int_eq(outcome(req, &reply), REPLY_ACCEPTED);
  ck_assert_str_eq(reply.roles, WPS_ROLE_OWNER ",webpubsub.sendToGroup");
  stop();
}
END_TEST

/* Only an owner's other roles are worth something to a server. */
START_TEST(reader_for_server)
{
  static struct wps_config reader = {
      .values = {{"key", API_KEY},
                 {"roles", "webpubsub.sendToGroup"},
                 {"roles", WPS_ROLE_READER}}};
  struct wps_config cfg = none;
  struct wps_request req = client("X-API-Key", API_KEY);
  struct wps_reply reply;

  cfg.sections[0].key = "keys";
  cfg.sections[0].section = &reader;
  start(&cfg);
  req.purpose = WPS_FOR_SERVER;
  ck_assert_int_eq(outcome(req, &reply), REPLY_ACCEPTED);
  ck_assert_str_eq(reply.roles, WPS_ROLE_READER);
  stop();
}
END_TEST

START_TEST(declines)
{
  struct wps_reply reply;

  start(&both);
  ck_assert_int_eq(outcome(client("Authorization", "Bearer a.b.c"), &reply),
                   REPLY_DECLINED);
  ck_assert_int_eq(outcome(client("Authorization", "Basicx"), &reply),
                   REPLY_DECLINED);
  ck_assert_int_eq(outcome(client(NULL, NULL), &reply), REPLY_DECLINED);
  stop();
  start(&none);
  ck_assert_int_eq(outcome(client("Authorization", ALICE), &reply),
                   REPLY_DECLINED);
  ck_assert_int_eq(outcome(client("X-API-Key", API_KEY), &reply),
                   REPLY_DECLINED);
  stop();
}
END_TEST

START_TEST(remembered)
{
  struct wps_request req = client("Authorization", ALICE);
  struct wps_reply reply;

  start(&both);
  ask(&req, &reply);
  ck_assert_uint_eq(host.job_count, 1);
  host_run_job(WPS_OK);
  ck_assert_int_eq(reply.outcome, REPLY_ACCEPTED);
  ask(&req, &reply);
  ck_assert_uint_eq(host.job_count, 0);
  ck_assert_int_eq(reply.outcome, REPLY_ACCEPTED);
  host.now_us += INT64_C(60000000);
  ask(&req, &reply);
  ck_assert_uint_eq(host.job_count, 1);
  host_run_job(WPS_OK);
  stop();
}
END_TEST

START_TEST(storm)
{
  struct wps_request right = client("Authorization", ALICE);
  struct wps_request wrong = client("Authorization", ALICE_WRONG);
  struct wps_reply a, b, c, d;

  start(&both);
  ask(&right, &a);
  ask(&right, &b);
  ask(&wrong, &c);
  ask(&right, &d);
  /* One runs, two wait, the next is too much. */
  ck_assert_uint_eq(host.job_count, 1);
  ck_assert_int_eq(d.outcome, REPLY_FAILED);
  ck_assert_int_eq(d.status, WPS_EAGAIN);
  host_run_job(WPS_OK);
  ck_assert_int_eq(a.outcome, REPLY_ACCEPTED);
  ck_assert_int_eq(b.outcome, REPLY_ACCEPTED);
  ck_assert_int_eq(c.outcome, REPLY_OPEN);
  ck_assert_uint_eq(host.job_count, 1);
  host_run_job(WPS_OK);
  ck_assert_int_eq(c.outcome, REPLY_FAILED);
  stop();
}
END_TEST

/* Workers take turns on the threads that checks may have. */
START_TEST(turns)
{
  struct wps_request req = client("Authorization", ALICE_WRONG);
  struct wps_config cfg = none;
  struct wps_reply first[3], second[3];
  void *worker[3];

  cfg.sections[0].key = "users";
  cfg.sections[0].section = &alice;
  start(&cfg);
  worker[0] = wstate;
  for (size_t i = 1; i < 3; i++)
    ck_assert_int_eq(component->worker_start(inst, NULL, &worker[i]), WPS_OK);
  for (size_t i = 0; i < 3; i++) {
    wstate = worker[i];
    ask(&req, &first[i]);
    ask(&req, &second[i]);
  }
  ck_assert_uint_eq(host.job_count, 2);
  /* The third worker has waited longest, and then those that have had theirs.
   */
  host_run_job(WPS_OK);
  host_run_posts();
  ck_assert_int_eq(first[0].outcome, REPLY_FAILED);
  ck_assert_uint_eq(host.job_count, 2);
  host_run_job(WPS_OK);
  host_run_posts();
  ck_assert_int_eq(first[1].outcome, REPLY_FAILED);
  host_run_job(WPS_OK);
  host_run_posts();
  ck_assert_int_eq(first[2].outcome, REPLY_FAILED);
  ck_assert_int_eq(second[0].outcome, REPLY_OPEN);
  /* Without memory to tell the next one, its turn is not lost. */
  host.post_status = WPS_ENOMEM;
  ck_assert_uint_eq(host.job_count, 2);
  host_run_job(WPS_OK);
  ck_assert_int_eq(second[0].outcome, REPLY_FAILED);
  ck_assert_uint_eq(host.job_count, 1);
  host.post_status = WPS_OK;
  host_run_job(WPS_OK);
  ck_assert_int_eq(second[1].outcome, REPLY_FAILED);
  host_run_posts();
  ck_assert_uint_eq(host.job_count, 1);
  host_run_job(WPS_OK);
  ck_assert_int_eq(second[2].outcome, REPLY_FAILED);
  ck_assert_uint_eq(host.job_count + host.post_count, 0);
  ck_assert_uint_eq(((struct auth_static *)inst)->checks.running, 0);
  component->worker_stop(inst, worker[1]);
  component->worker_stop(inst, worker[2]);
  wstate = worker[0];
  stop();
}
END_TEST

START_TEST(abandoned_costs_nothing)
{
  struct wps_request right = client("Authorization", ALICE);
  struct wps_request wrong = client("Authorization", ALICE_WRONG);
  struct wps_reply a, b;

  start(&both);
  ask(&right, &a);
  ask(&wrong, &b);
  b.abandoned = true;
  host_run_job(WPS_OK);
  ck_assert_uint_eq(host.job_count, 0);
  ck_assert_int_eq(b.outcome, REPLY_FAILED);
  stop();
}
END_TEST

START_TEST(pool_full_and_stopping)
{
  struct wps_request req = client("Authorization", ALICE);
  struct wps_reply a, b;

  start(&both);
  host.offload_status = WPS_EAGAIN;
  ask(&req, &a);
  ck_assert_int_eq(a.outcome, REPLY_FAILED);
  ck_assert_int_eq(a.status, WPS_EAGAIN);
  host.offload_status = WPS_OK;
  ask(&req, &a);
  ask(&req, &b);
  host.offload_status = WPS_ECLOSED;
  host_run_job(WPS_ECANCELED);
  ck_assert_int_eq(a.outcome, REPLY_FAILED);
  ck_assert_int_eq(b.outcome, REPLY_FAILED);
  stop();
}
END_TEST

/* ---- configuration ---- */

static void expect_error(struct wps_config *user, struct wps_config *key,
                         const char *text)
{
  struct wps_config cfg = none;

  if (user != NULL) {
    cfg.sections[0].key = "users";
    cfg.sections[0].section = user;
  } else {
    cfg.sections[0].key = "keys";
    cfg.sections[0].section = key;
  }
  component = host_load(&webpubsub_plugin_v1);
  ck_assert_int_eq(component->check(&cfg), WPS_EINVAL);
  ck_assert_msg(strstr(host.error, text) != NULL, "%s", host.error);
}

START_TEST(configuration_faults)
{
  struct wps_config u = {.values = {{"name", "a:b"}, {"secret", "12345678"}}};
  struct wps_config k = {.values = {{"key", "too short"}}};
  struct wps_config cfg = none;

  expect_error(&u, NULL, "name: ");
  u.values[0].value = "a";
  u.values[1].value = "1234567";
  expect_error(&u, NULL, "secret: ");
  u.values[1].key = NULL;
  expect_error(&u, NULL, "either");
  u.values[1].key = "secret_hash";
  u.values[1].value = "pbkdf2-sha256:1000:AAAA:AAAA";
  expect_error(&u, NULL, "secret_hash: ");
  expect_error(NULL, &k, "key: ");
  k.values[0].value = API_KEY;
  k.values[1].key = k.values[2].key = "roles";
  k.values[1].value = "webpubsubd.ownr";
  k.values[2].value = "manager";
  expect_error(NULL, &k, "roles: webpubsubd.owner and");
  k.values[1].value = WPS_ROLE_READER;
  expect_error(NULL, &k, "roles: publisher, subscriber");
  k.values[2].value = "publisher.news";
  expect_error(NULL, &k, "roles: publisher, subscriber");
  k.values[1].key = k.values[2].key = NULL;
  cfg.sections[0].key = cfg.sections[1].key = "keys";
  cfg.sections[0].section = cfg.sections[1].section = &k;
  component = host_load(&webpubsub_plugin_v1);
  ck_assert_int_eq(component->check(&cfg), WPS_EINVAL);
  ck_assert_ptr_nonnull(strstr(host.error, "already"));
  ck_assert_ptr_null(strstr(host.error, API_KEY));
}
END_TEST

START_TEST(hashes)
{
  static const char *const bad[] = {
      "",
      "pbkdf2-sha256",
      "pbkdf2-sha256:1000:c2FsdHNhbHQ:",
      "pbkdf2-sha1:1000:c2FsdHNhbHQ:"
      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
      "pbkdf2-sha256:999:c2FsdHNhbHQ:"
      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
      "pbkdf2-sha256:1000:c2FsdA:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
      "pbkdf2-sha256:99999999:c2FsdHNhbHQ:"
      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
  /* Python: hashlib.pbkdf2_hmac("sha256", b"correct horse", b"saltsalt",
   * 1000) */
  static const char good[] = "pbkdf2-sha256:1000:c2FsdHNhbHQ:"
                             "qQDPSZa3Ormyy9oK1Pu0ZLLwP2Svzmx3yu8OvDdq_J0";
  struct secret_hash h;

  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
    ck_assert_msg(
        !secret_hash_parse((struct wps_str){bad[i], strlen(bad[i])}, &h), "%s",
        bad[i]);
  ck_assert(secret_hash_parse((struct wps_str){good, strlen(good)}, &h));
  ck_assert(secret_hash_matches(&h, (struct wps_str){"correct horse", 13}));
  ck_assert(!secret_hash_matches(&h, (struct wps_str){"correct horsE", 13}));
  ck_assert(!secret_hash_matches(&h, (struct wps_str){"", 0}));
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("auth-static");
  TCase *c = tcase_create("all");
  SRunner *runner;
  int failed;

  tcase_add_test(c, password);
  tcase_add_test(c, password_longest);
  tcase_add_test(c, nobody_is_as_slow);
  tcase_add_test(c, password_malformed);
  tcase_add_test(c, hubs);
  tcase_add_test(c, api_key);
  tcase_add_test(c, for_api);
  tcase_add_test(c, reader_for_server);
  tcase_add_test(c, declines);
  tcase_add_test(c, remembered);
  tcase_add_test(c, storm);
  tcase_add_test(c, turns);
  tcase_add_test(c, abandoned_costs_nothing);
  tcase_add_test(c, pool_full_and_stopping);
  tcase_add_test(c, configuration_faults);
  tcase_add_test(c, hashes);
  suite_add_tcase(suite, c);
  runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
