/* SPDX-License-Identifier: Apache-2.0 */
/* --set and the environment, over a file. */
#include "conf_helper.h"

#include <stdio.h>

#include "base/base.h"
#include "conf/core_schema.h"

static const char base[] = "listen:\n"
                           "  - address: 127.0.0.1:1\n"
                           "log: {level: warn}\n"
                           "plugins:\n"
                           "  auth-jwt: {skew: 5m}\n"
                           "  auth-jwt@2:\n"
                           "hubs:\n"
                           "  chat:\n"
                           "    words: \"*\"\n"
                           "  Mixed.Name: {}\n";

/* The node that a path of keys, with numbers for elements, leads to. */
static struct node *at(struct document *d, const char *const *path)
{
  struct node *n = document_root(d);

  for (; *path != NULL && n != NULL; path++) {
    if (n->kind == NODE_LIST) {
      size_t index = (size_t)(**path - '0');

      n = index < n->count ? n->items[index] : NULL;
    } else {
      n = node_get(n, *path);
    }
  }
  return n;
}
#define AT(d, ...) at(d, (const char *const[]){__VA_ARGS__, NULL})

static void set(struct parsed *p, const char *path, const char *value)
{
  char origin[4200];

  snprintf(origin, sizeof(origin), "--set %s", path);
  document_set(p->doc, path, value, origin, p->faults);
}

START_TEST(replaces_and_adds)
{
  struct parsed p = parse(base);
  struct node *n;

  set(&p, "log.level", "debug");
  set(&p, "workers", "3");
  set(&p, "limits.message_size", "2m");
  set(&p, "plugins.auth-jwt.skew", "1s");
  set(&p, "hubs.chat.anonymous", "allow");
  set(&p, "hubs.*.anonymous", "deny");
  set(&p, "hubs.a\\.b\\\\.anonymous", "allow");
  expect_faults(p.faults, "");
  n = AT(p.doc, "log", "level");
  expect_str(n->scalar, "debug");
  ck_assert_str_eq(n->at.file, "--set log.level");
  ck_assert_uint_eq(n->at.line, 0);
  expect_str(AT(p.doc, "workers")->scalar, "3");
  expect_str(AT(p.doc, "limits", "message_size")->scalar, "2m");
  expect_str(AT(p.doc, "plugins", "auth-jwt", "skew")->scalar, "1s");
  expect_str(AT(p.doc, "hubs", "chat", "anonymous")->scalar, "allow");
  expect_str(AT(p.doc, "hubs", "*", "anonymous")->scalar, "deny");
  expect_str(AT(p.doc, "hubs", "a.b\\", "anonymous")->scalar, "allow");
  expect_str(AT(p.doc, "hubs", "chat", "words")->scalar, "*");
  parsed_free(&p);
}
END_TEST

START_TEST(list_elements)
{
  struct parsed p = parse(base);

  set(&p, "listen.0.address", "[::]:2");
  set(&p, "listen.1.address", "unix:/x");
  set(&p, "listen.1.tls.key", "k");
  set(&p, "access_keys.0", "a # b: c");
  set(&p, "access_keys.1", "file:/y");
  /* A single value is a list of one. */
  set(&p, "hubs.chat.words.1", "more");
  /* Numbers are keys where there is a map. */
  set(&p, "hubs.chat.5", "x");
  expect_faults(p.faults, "");
  expect_str(AT(p.doc, "listen", "0", "address")->scalar, "[::]:2");
  expect_str(AT(p.doc, "listen", "1", "address")->scalar, "unix:/x");
  expect_str(AT(p.doc, "listen", "1", "tls", "key")->scalar, "k");
  expect_str(AT(p.doc, "access_keys", "0")->scalar, "a # b: c");
  expect_str(AT(p.doc, "access_keys", "1")->scalar, "file:/y");
  expect_str(AT(p.doc, "hubs", "chat", "words", "0")->scalar, "*");
  expect_str(AT(p.doc, "hubs", "chat", "words", "1")->scalar, "more");
  expect_str(AT(p.doc, "hubs", "chat", "5")->scalar, "x");
  parsed_free(&p);
}
END_TEST

START_TEST(values_are_yaml_where_they_look_it)
{
  struct parsed p = parse(base);

  set(&p, "a", "[x, \"y z\"]");
  set(&p, "b", " {c: {d: e}}");
  set(&p, "c", "\"quo\\\"ted\"");
  set(&p, "d", "'*'");
  set(&p, "e", "*");
  set(&p, "f", "& # : - !!x");
  set(&p, "g", "");
  set(&p, "h", "[::]:8080");
  set(&p, "i", "\"");
  expect_faults(p.faults, "");
  expect_str(AT(p.doc, "a", "1")->scalar, "y z");
  expect_str(AT(p.doc, "b", "c", "d")->scalar, "e");
  expect_str(AT(p.doc, "c")->scalar, "quo\"ted");
  expect_str(AT(p.doc, "d")->scalar, "*");
  expect_str(AT(p.doc, "e")->scalar, "*");
  expect_str(AT(p.doc, "f")->scalar, "& # : - !!x");
  expect_str(AT(p.doc, "g")->scalar, "");
  expect_str(AT(p.doc, "h")->scalar, "[::]:8080");
  expect_str(AT(p.doc, "i")->scalar, "\"");
  parsed_free(&p);
}
END_TEST

START_TEST(faults_name_the_option)
{
  struct parsed p = parse(base);

  set(&p, "", "1");
  set(&p, "a..b", "1");
  set(&p, ".a", "1");
  set(&p, "a.", "1");
  set(&p, "log.level.x", "1");
  set(&p, "listen.x", "1");
  set(&p, "listen.2.address", "1");
  set(&p, "endpoints.1", "1");
  set(&p, "x", "[1, {]");
  set(&p, "y", "{a: 1, a: *z}");
  expect_faults(
      p.faults,
      "--set : `` is no path of a key, such as hubs.chat.anonymous\n"
      "--set a..b: `a..b` is no path of a key, such as hubs.chat.anonymous\n"
      "--set .a: `.a` is no path of a key, such as hubs.chat.anonymous\n"
      "--set a.: `a.` is no path of a key, such as hubs.chat.anonymous\n"
      "--set log.level.x: `level` is text and has no `x`\n"
      "--set listen.x: `listen` is a list; its elements are 0 to 1, not `x`\n"
      "--set listen.2.address: `listen` has 1 elements; the next is 1, not 2\n"
      "--set endpoints.1: `endpoints` has 0 elements; the next is 0, not 1\n"
      "--set x: not YAML: while parsing a flow node, did not find expected "
      "node content\n"
      "--set y: aliases (*name) are not supported; put a text that begins with "
      "* "
      "in quotes\n"
      "--set y: duplicate key `a`\n");
  parsed_free(&p);
}
END_TEST

START_TEST(long_and_deep_paths)
{
  char path[4096];
  struct parsed p = parse("");
  size_t i;

  memset(path, 'a', sizeof(path) - 1);
  path[sizeof(path) - 1] = '\0';
  set(&p, path, "1");
  ck_assert_uint_eq(faults_count(p.faults), 1);
  for (i = 0; i < 33; i++) {
    path[2 * i] = 'a';
    path[2 * i + 1] = '.';
  }
  path[2 * 32 - 1] = '\0';
  set(&p, path, "1");
  ck_assert_uint_eq(faults_count(p.faults), 1);
  path[2 * 32 - 1] = '.';
  path[2 * 33 - 1] = '\0';
  set(&p, path, "1");
  ck_assert_uint_eq(faults_count(p.faults), 2);
  parsed_free(&p);
}
END_TEST

static void environment(struct parsed *p, const char *const *variables)
{
  static const char *const known[] = {"subprotocol-json", "auth-static", NULL};
  char *envp[32];
  size_t i;

  for (i = 0; variables[i] != NULL; i++)
    envp[i] = strdup(variables[i]);
  envp[i] = NULL;
  document_environment(p->doc, envp, known, p->faults);
  while (i > 0)
    free(envp[--i]);
}
#define ENVIRONMENT(p, ...)                                                    \
  environment(p, (const char *const[]){__VA_ARGS__, NULL})

START_TEST(variables)
{
  struct parsed p = parse(base);
  struct node *n;

  ENVIRONMENT(
      &p, "PATH=/bin", "WEBPUBSUBD=x", "WEBPUBSUBX_A=1",
      "WEBPUBSUBD_HUBS__CHAT__ANONYMOUS=allow", "WEBPUBSUBD_WORKERS=2",
      "WEBPUBSUBD_LIMITS__MESSAGE_SIZE=2m", "WEBPUBSUBD_ACCESS_KEYS__1=b",
      "WEBPUBSUBD_ACCESS_KEYS__0=a=c",
      "WEBPUBSUBD_ENDPOINTS=[http://a, http://b]", "WEBPUBSUBD_FAULT=accept:1",
      "WEBPUBSUBD_CONFIG=/x", "WEBPUBSUBD_SERVICE_HOST=10.0.0.1",
      "WEBPUBSUBD_SERVICE_PORT_HTTP=80", "WEBPUBSUBD_PORT=tcp://10.0.0.1:80",
      "WEBPUBSUBD_PORT_80_TCP_ADDR=10.0.0.1");
  expect_faults(p.faults, "");
  n = AT(p.doc, "hubs", "chat", "anonymous");
  expect_str(n->scalar, "allow");
  ck_assert_str_eq(n->at.file, "environment WEBPUBSUBD_HUBS__CHAT__ANONYMOUS");
  expect_str(AT(p.doc, "workers")->scalar, "2");
  expect_str(AT(p.doc, "limits", "message_size")->scalar, "2m");
  expect_str(AT(p.doc, "access_keys", "0")->scalar, "a=c");
  expect_str(AT(p.doc, "access_keys", "1")->scalar, "b");
  expect_str(AT(p.doc, "endpoints", "1")->scalar, "http://b");
  ck_assert_uint_eq(document_root(p.doc)->count, 8);
  parsed_free(&p);
}
END_TEST

START_TEST(variables_find_keys_with_other_characters)
{
  struct parsed p = parse(base);

  ENVIRONMENT(&p, "WEBPUBSUBD_PLUGINS__AUTH_JWT__SKEW=1s",
              "WEBPUBSUBD_PLUGINS__AUTH_JWT_2__SKEW=2s",
              "WEBPUBSUBD_PLUGINS__AUTH_STATIC__A_B=c",
              "WEBPUBSUBD_PLUGINS__SUBPROTOCOL_JSON=",
              "WEBPUBSUBD_HUBS__MIXED_NAME__ANONYMOUS=allow");
  expect_faults(p.faults, "");
  expect_str(AT(p.doc, "plugins", "auth-jwt", "skew")->scalar, "1s");
  expect_str(AT(p.doc, "plugins", "auth-jwt@2", "skew")->scalar, "2s");
  expect_str(AT(p.doc, "plugins", "auth-static", "a_b")->scalar, "c");
  expect_str(AT(p.doc, "plugins", "subprotocol-json")->scalar, "");
  expect_str(AT(p.doc, "hubs", "Mixed.Name", "anonymous")->scalar, "allow");
  parsed_free(&p);
}
END_TEST

START_TEST(variables_come_in_order)
{
  struct parsed p = parse("");
  const char *list[16];
  char texts[12][40];
  size_t i;

  /* Eleven elements, the last first, and the list itself last of all. */
  for (i = 0; i <= 10; i++) {
    snprintf(texts[i], sizeof(texts[i]), "WEBPUBSUBD_L__%zu=v%zu", 10 - i,
             10 - i);
    list[i] = texts[i];
  }
  list[11] = "WEBPUBSUBD_L=[x, y]";
  list[12] = NULL;
  environment(&p, list);
  expect_faults(p.faults, "");
  ck_assert_uint_eq(AT(p.doc, "l")->count, 11);
  expect_str(AT(p.doc, "l", "0")->scalar, "v0");
  expect_str(AT(p.doc, "l")->items[10]->scalar, "v10");
  parsed_free(&p);
}
END_TEST

START_TEST(variables_that_are_no_paths)
{
  struct parsed p = parse(base);

  ENVIRONMENT(&p, "WEBPUBSUBD_=1", "WEBPUBSUBD_A____B=1", "WEBPUBSUBD___A=1",
              "WEBPUBSUBD_LOG__LEVEL__X=1");
  expect_faults(p.faults,
                "environment WEBPUBSUBD_: the name is no path of a key, such "
                "as WEBPUBSUBD_HUBS__CHAT__ANONYMOUS\n"
                "environment WEBPUBSUBD_A____B: the name is no path of a key, "
                "such as WEBPUBSUBD_HUBS__CHAT__ANONYMOUS\n"
                "environment WEBPUBSUBD_LOG__LEVEL__X: `level` is text and has "
                "no `x`\n"
                "environment WEBPUBSUBD___A: the name is no path of a key, "
                "such as WEBPUBSUBD_HUBS__CHAT__ANONYMOUS\n");
  parsed_free(&p);
}
END_TEST

START_TEST(wrong_values_are_told_by_their_origin)
{
  struct parsed p = parse(base);
  struct wps_config *cfg;

  set(&p, "limits.message_size", "big");
  set(&p, "limit.x", "1");
  set(&p, "access_keys", "[hidden]");
  ENVIRONMENT(&p, "WEBPUBSUBD_LOG__LEVEL=loud", "WEBPUBSUBD_LOGS__LEVEL=info");
  cfg = section_check(document_root(p.doc), NULL, &core_schema, NULL, core_maps,
                      p.faults);
  expect_faults(
      p.faults,
      "--set access_keys: `access_keys`: needs at least 32 bytes, this has 6\n"
      "--set limits.message_size: `message_size`: `big` is not a size such as "
      "512, 64k, 1m or 2g\n"
      "environment WEBPUBSUBD_LOG__LEVEL: `level`: `loud` is not one of "
      "`error`, `warn`, `info`, `debug`\n"
      "--set limit.x: unknown key `limit`; did you mean `limits`?\n"
      "environment WEBPUBSUBD_LOGS__LEVEL: unknown key `logs`; did you mean "
      "`log`?\n");
  section_free(cfg);
  parsed_free(&p);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("conf_override");
  TCase *t = tcase_create("all");

  tcase_add_test(t, replaces_and_adds);
  tcase_add_test(t, list_elements);
  tcase_add_test(t, values_are_yaml_where_they_look_it);
  tcase_add_test(t, faults_name_the_option);
  tcase_add_test(t, long_and_deep_paths);
  tcase_add_test(t, variables);
  tcase_add_test(t, variables_find_keys_with_other_characters);
  tcase_add_test(t, variables_come_in_order);
  tcase_add_test(t, variables_that_are_no_paths);
  tcase_add_test(t, wrong_values_are_told_by_their_origin);
  suite_add_tcase(s, t);
  return run_suite(s);
}
