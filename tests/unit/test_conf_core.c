/* SPDX-License-Identifier: Apache-2.0 */
/* The server's own keys, what a schema cannot say of them, and the texts that
 * are made from schemas. */
#include "conf_helper.h"

#include "base/buf.h"
#include "base/str.h"
#include "conf/core_schema.h"
#include "conf/manual.h"

#define KEY "0123456789abcdef0123456789abcdef"

static struct wps_config *check_core(struct parsed *p)
{
  struct wps_config *cfg = section_check(
      document_root(p->doc), NULL, &core_schema, NULL, core_maps, p->faults);

  ck_assert_ptr_nonnull(cfg);
  core_check(cfg);
  return cfg;
}

static void expect_core(const char *text, const char *faults)
{
  struct parsed p = parse(text);
  struct wps_config *cfg = check_core(&p);

  expect_faults(p.faults, faults);
  section_free(cfg);
  parsed_free(&p);
}

START_TEST(defaults)
{
  struct parsed p = parse("");
  struct wps_config *cfg = check_core(&p);
  const struct wps_config *s;

  expect_faults(p.faults, "");
  s = config_api.section_at(cfg, "limits", 0);
  ck_assert_int_eq(config_api.get_int(s, "message_size"), 1048576);
  ck_assert_int_eq(config_api.get_int(s, "connections"), 100000);
  ck_assert_int_eq(config_api.get_int(s, "queue_messages"), 1000);
  ck_assert_int_eq(config_api.get_int(s, "queue_bytes"), 16 * 1048576);
  s = config_api.section_at(cfg, "http", 0);
  ck_assert_int_eq(config_api.get_int(s, "request_line"), 16384);
  ck_assert_int_eq(config_api.get_int(s, "headers"), 100);
  ck_assert_int_eq(config_api.get_int(s, "headers_timeout"), 10000);
  s = config_api.section_at(cfg, "websocket", 0);
  ck_assert_int_eq(config_api.get_int(s, "ping_interval"), 20000);
  s = config_api.section_at(cfg, "log", 0);
  ck_assert_int_eq(config_api.get_int(s, "level"), 2);
  /* Nobody from outside gets in where nothing is said. */
  ck_assert_uint_eq(config_api.count(cfg, "listen"), 1);
  s = config_api.section_at(cfg, "listen", 0);
  expect_str(config_api.get_str(s, "address"), "127.0.0.1:8080");
  ck_assert_uint_eq(config_api.count(s, "tls"), 0);
  ck_assert_uint_eq(config_api.count(cfg, "access_keys"), 0);
  ck_assert_uint_eq(core_workers(cfg), 0);
  section_free(cfg);
  parsed_free(&p);
}
END_TEST

START_TEST(design_example)
{
  struct parsed p =
      parse("listen:\n"
            "  - address: 0.0.0.0:8080\n"
            "  - address: 0.0.0.0:8443\n"
            "    tls: { certificate: /c.pem, key: /k.pem, client_ca: /ca.pem "
            "}\n"
            "endpoints: [ \"https://pubsub.example.com\" ]\n"
            "access_keys: [ \"env:TEST_CONF_A\", \"env:TEST_CONF_B\" ]\n"
            "workers: auto\n"
            "plugins:\n"
            "  subprotocol-simple: {}\n"
            "hubs:\n"
            "  \"*\":\n"
            "    anonymous: deny\n"
            "  chat:\n"
            "    anonymous: allow\n"
            "    event_handlers:\n"
            "      - url: \"http://127.0.0.1:3000/eventhandler/{event}\"\n"
            "        user_events: \"*\"\n"
            "        system_events: [connect, connected, disconnected]\n"
            "limits: { message_size: 1m, connections: 100000 }\n");
  struct wps_config *cfg, *hub, *handler;
  struct node *chat;
  const struct wps_config *tls;

  setenv("TEST_CONF_A", KEY "a", 1);
  setenv("TEST_CONF_B", KEY "b", 1);
  cfg = check_core(&p);
  tls =
      config_api.section_at(config_api.section_at(cfg, "listen", 1), "tls", 0);
  expect_str(config_api.get_str(tls, "client_ca"), "/ca.pem");
  ck_assert_int_eq(config_api.get_int(tls, "client_certificate"), 0);
  expect_str(config_api.str_at(cfg, "access_keys", 1), KEY "b");
  chat = node_get(node_get(document_root(p.doc), "hubs"), "chat");
  hub = section_check(chat, NULL, &hub_schema, NULL, hub_maps, p.faults);
  ck_assert_int_eq(config_api.get_int(hub, "anonymous"), 1);
  ck_assert_uint_eq(config_api.count(hub, "ping_interval"), 0);
  handler = section_check(node_get(chat, HUB_EVENT_HANDLERS)->items[0], NULL,
                          &handler_schema, NULL, NULL, p.faults);
  expect_str(config_api.str_at(handler, "user_events", 0), "*");
  ck_assert_uint_eq(config_api.count(handler, "system_events"), 3);
  expect_str(config_api.str_at(handler, "system_events", 2), "disconnected");
  expect_faults(p.faults, "");
  section_free(handler);
  section_free(hub);
  section_free(cfg);
  parsed_free(&p);
}
END_TEST

START_TEST(relations)
{
  expect_core("listen:\n"
              "  - address: 127.0.0.1:1\n"
              "  - { address: 127.0.0.1:1, tls: { certificate: c, key: k,\n"
              "      client_certificate: required } }\n"
              "workers: 65\n"
              "endpoints: [ ftp://x ]\n"
              "shutdown: { timeout: 1s, spread: 2s }\n",
              "t.yaml:3:16: `address`: 127.0.0.1:1 is listed twice\n"
              "t.yaml:4:27: `client_certificate`: needs `client_ca` beside it\n"
              "t.yaml:5:10: `workers`: expected auto or a number from 1 to 64\n"
              "t.yaml:6:12: `endpoints`: element 1 is no URL that begins with "
              "http:// or https://\n"
              "t.yaml:7:34: `spread`: cannot be longer than `timeout`\n");
  expect_core("listen: [ { address: 127.0.0.1:0 }, { address: 127.0.0.1:0 } ]\n"
              "workers: 64\n"
              "shutdown: { timeout: 1s }\n",
              "");
  expect_core("listen: []\nworkers: 0\n",
              "t.yaml:1:9: `listen`: needs at least one element\n"
              "t.yaml:2:10: `workers`: expected auto or a number from 1 to "
              "64\n");
}
END_TEST

START_TEST(access_keys)
{
  expect_core("access_keys: [ " KEY ", " KEY "2 ]\n", "");
  expect_core("access_keys:\n"
              "  - too-short-by-one-byte-0123456789\n"
              "  - too-short-by-one-byte-012345678\n",
              "t.yaml:3:5: `access_keys`: needs at least 32 bytes, this has "
              "31\n");
  expect_core("access_keys: [ " KEY ";, \"" KEY "\\t\", \"" KEY " \", " KEY
              "x, " KEY "x ]\n",
              "t.yaml:1:14: `access_keys`: key 1 has a `;`, which ends it in a "
              "connection string\n"
              "t.yaml:1:14: `access_keys`: key 2 has a control character, or "
              "more than one line\n"
              "t.yaml:1:14: `access_keys`: key 3 begins or ends with a space\n"
              "t.yaml:1:14: `access_keys`: keys 4 and 5 are the same\n");
  expect_core("service_key: abc\n",
              "t.yaml:1:14: `service_key`: needs at least 32 bytes, this has "
              "3\n");
  ck_assert(key_is_published(STR(PUBLISHED_KEY)));
  ck_assert(!key_is_published(STR(KEY)));
}
END_TEST

START_TEST(resource_manager_names)
{
  struct parsed p = parse("anonymousConnectPolicy: allow\n"
                          "webSocketKeepAliveIntervalInSeconds: 20\n"
                          "eventHandlers: []\n"
                          "eventListeners: []\n"
                          "anonymus: allow\n"
                          "event_listeners: []\n"
                          "presence_events: {}\n"
                          "auth: { managedIdentity: { resource: x } }\n");
  struct wps_config *cfg = section_check(document_root(p.doc), NULL,
                                         &hub_schema, NULL, hub_maps, p.faults);

  expect_faults(p.faults,
                "t.yaml:1:1: unknown key `anonymousConnectPolicy`; here it is "
                "called `anonymous`\n"
                "t.yaml:2:1: unknown key `webSocketKeepAliveIntervalInSeconds`;"
                " here it is called `ping_interval`\n"
                "t.yaml:3:1: unknown key `eventHandlers`; here it is called "
                "`event_handlers`\n"
                "t.yaml:4:1: unknown key `eventListeners`: this version has no "
                "event listeners; events go to `event_handlers`\n"
                "t.yaml:5:1: unknown key `anonymus`; did you mean "
                "`anonymous`?\n"
                "t.yaml:6:1: unknown key `event_listeners`: this version has "
                "no event listeners; events go to `event_handlers`\n"
                "t.yaml:7:1: unknown key `presence_events`; it belongs "
                "into `event_handlers`\n"
                "t.yaml:8:1: unknown key `auth`\n");
  section_free(cfg);
  parsed_free(&p);
}
END_TEST

/* What an upstream has of its own stands beside these. */
START_TEST(handler_values)
{
  static const char *const types[] = {"none", "bearer", NULL};
  static const struct wps_config_item auth_items[] = {
      {.key = "type", .type = WPS_CONF_ENUM, .choices = types},
  };
  static const struct wps_config_schema auth = WPS_CONFIG_SCHEMA(auth_items);
  static const struct wps_config_item own_items[] = {
      {.key = "auth", .type = WPS_CONF_SECTION, .items = &auth},
  };
  static const struct wps_config_schema own = WPS_CONFIG_SCHEMA(own_items);
  struct parsed p = parse("urlTemplate: x\n"
                          "userEventPattern: \"*\"\n"
                          "systemEvents: [ connect ]\n"
                          "groupPresenceEvents: {}\n"
                          "url: http://h/\n"
                          "auth: { type: ManagedIdentity,\n"
                          " managedIdentity: { resource: x } }\n");
  struct wps_config *cfg = section_check(document_root(p.doc), NULL,
                                         &handler_schema, &own, NULL, p.faults);

  expect_faults(p.faults,
                "t.yaml:1:1: unknown key `urlTemplate`; here it is called "
                "`url`\n"
                "t.yaml:2:1: unknown key `userEventPattern`; here it is called "
                "`user_events`\n"
                "t.yaml:3:1: unknown key `systemEvents`; here it is called "
                "`system_events`\n"
                "t.yaml:4:1: unknown key `groupPresenceEvents`; here it is "
                "called `presence_events`\n"
                "t.yaml:6:15: `type`: `ManagedIdentity`: managed identities "
                "are there in Azure only\n"
                "t.yaml:7:2: unknown key `managedIdentity`: managed identities "
                "are there in Azure only\n");
  ck_assert_ptr_nonnull(config_api.section_at(cfg, "auth", 0));
  section_free(cfg);
  parsed_free(&p);
}
END_TEST

START_TEST(hub_values)
{
  struct parsed p = parse("anonymous: maybe\nping_interval: 121s\n");
  struct wps_config *cfg = section_check(document_root(p.doc), NULL,
                                         &hub_schema, NULL, hub_maps, p.faults);

  expect_faults(p.faults,
                "t.yaml:1:12: `anonymous`: `maybe` is not one of `deny`, "
                "`allow`\n"
                "t.yaml:2:16: `ping_interval`: must be between 1s and 2m, not "
                "121s\n");
  ck_assert_int_eq(config_api.get_int(cfg, "anonymous"), 0);
  section_free(cfg);
  parsed_free(&p);
}
END_TEST

/* ---- texts made from schemas ---- */

static const char *const kinds[] = {"small", "large", NULL};
static const struct wps_config_item must_items[] = {
    {.key = "file",
     .type = WPS_CONF_STRING,
     .flags = WPS_CONF_REQUIRED,
     .help = "a file"},
    {.key = "kind",
     .type = WPS_CONF_ENUM,
     .fallback = "large",
     .choices = kinds,
     .help = "which"},
};
static const struct wps_config_schema must = WPS_CONFIG_SCHEMA(must_items);
static const struct wps_config_item sample_items[] = {
    {.key = "on", .type = WPS_CONF_BOOL, .fallback = "false", .help = "is it?"},
    {.key = "wait",
     .type = WPS_CONF_DURATION_MS,
     .fallback = "30s",
     .min = 1000,
     .max = 60000,
     .help = ".odd help with \\"},
    {.key = "word", .type = WPS_CONF_STRING, .fallback = "", .help = "a | b"},
    {.key = "star",
     .type = WPS_CONF_STRING,
     .fallback = "a: \"*\"",
     .help = "quoted"},
    {.key = "key", .type = WPS_CONF_SECRET, .min = 32, .help = "hidden"},
    {.key = "names",
     .type = WPS_CONF_STRING,
     .flags = WPS_CONF_LIST,
     .fallback = "[a, \"b\"]",
     .help = "names"},
    {.key = "must", .type = WPS_CONF_SECTION, .items = &must, .help = "inner"},
    {.key = "each",
     .type = WPS_CONF_SECTION,
     .flags = WPS_CONF_LIST,
     .items = &must,
     .help = "several"},
};
static const struct wps_config_schema sample = WPS_CONFIG_SCHEMA(sample_items);

START_TEST(yaml_of_a_schema)
{
  struct buf out;
  struct parsed p;
  struct wps_config *cfg;

  buf_init(&out, 1 << 20);
  ck_assert_int_eq(manual_yaml(&out, 2, &sample), WPS_OK);
  ck_assert_str_eq(buf_c(&out), "  # is it? (true or false)\n"
                                "  on: false\n"
                                "  # .odd help with \\ (duration, 1s to 1m)\n"
                                "  wait: 30s\n"
                                "  # a | b (text)\n"
                                "  word: \"\"\n"
                                "  # quoted (text)\n"
                                "  star: \"a: \\\"*\\\"\"\n"
                                "  # hidden (secret, at least 32 bytes)\n"
                                "  # key:\n"
                                "  # names (list of texts)\n"
                                "  names: [a, \"b\"]\n"
                                "  # inner\n"
                                "  # must:\n"
                                "    # # a file (text)\n"
                                "    # file:\n"
                                "    # # which (small | large)\n"
                                "    # kind: large\n"
                                "  # several (list of sections)\n"
                                "  # each: []\n");
  p = parse(buf_c(&out));
  cfg =
      section_check(document_root(p.doc), NULL, &sample, NULL, NULL, p.faults);
  expect_faults(p.faults, "");
  expect_str(config_api.get_str(cfg, "star"), "a: \"*\"");
  section_free(cfg);
  parsed_free(&p);
  buf_free(&out);
}
END_TEST

/* --print-defaults prints a file that is right, and says what holds. */
START_TEST(defaults_can_be_read_back)
{
  static const struct manual_block blocks[] = {
      {.name = "auth-one", .summary = "One", .schema = &sample},
      {.name = "auth-two", .summary = "Two", .schema = &must},
      {.name = "auth-three", .summary = "Three"},
  };
  struct buf out;
  struct parsed p;
  struct wps_config *cfg, *plugin;
  struct node *plugins;
  size_t i;

  buf_init(&out, 1 << 20);
  ck_assert_int_eq(manual_defaults(&out, blocks, 3), WPS_OK);
  p = parse(buf_c(&out));
  cfg = check_core(&p);
  for (i = 0; i < core_schema.item_count; i++) {
    const struct wps_config_item *item = &core_schema.items[i];

    ck_assert_msg(item->type == WPS_CONF_SECTION || item->fallback == NULL ||
                      section_has(cfg, item->key),
                  "%s", item->key);
    ck_assert_msg(item->help != NULL, "%s", item->key);
  }
  plugins = node_get(document_root(p.doc), "plugins");
  ck_assert_uint_eq(plugins->count, 2);
  plugin = section_check(node_get(plugins, "auth-one"), NULL, &sample, NULL,
                         NULL, p.faults);
  expect_faults(p.faults, "");
  section_free(plugin);
  section_free(cfg);
  parsed_free(&p);
  buf_free(&out);
}
END_TEST

START_TEST(mdoc_of_a_schema)
{
  struct buf out;

  buf_init(&out, 1 << 20);
  ck_assert_int_eq(manual_mdoc(&out, "plugins.x.", &sample), WPS_OK);
  ck_assert_str_eq(
      buf_c(&out),
      ".It Ic plugins.x.on\nIs it?\n(true or false; default false).\n"
      ".It Ic plugins.x.wait\n\\&.odd help with \\e.\n"
      "(duration, 1s to 1m; default 30s).\n"
      ".It Ic plugins.x.word\nA | b.\n(text; default empty).\n"
      ".It Ic plugins.x.star\nQuoted.\n(text; default a: \"*\").\n"
      ".It Ic plugins.x.key\nHidden.\n(secret, at least 32 bytes).\n"
      ".It Ic plugins.x.names\nNames.\n(list of texts; default [a, \"b\"]).\n"
      ".It Ic plugins.x.must\nInner.\n.Bl -tag -width Ds\n"
      ".It Ic plugins.x.must.file\nA file.\n(text; required).\n"
      ".It Ic plugins.x.must.kind\nWhich.\n(small | large; default large).\n"
      ".El\n"
      ".It Ic plugins.x.each\nSeveral.\n(list of sections).\n"
      ".Bl -tag -width Ds\n"
      ".It Ic plugins.x.each[].file\nA file.\n(text; required).\n"
      ".It Ic plugins.x.each[].kind\nWhich.\n(small | large; default large).\n"
      ".El\n");
  buf_free(&out);
}
END_TEST

START_TEST(pages)
{
  static const struct manual_block block = {.name = "upstream-x",
                                            .summary = "Sends | it",
                                            .schema = &sample,
                                            .handler_schema = &must};
  struct buf out;

  buf_init(&out, 1 << 20);
  ck_assert_int_eq(manual_page_yaml5(&out, &block, 1), WPS_OK);
  ck_assert_ptr_nonnull(strstr(buf_c(&out), "\n.It Ic hubs.NAME.anonymous\n"));
  ck_assert_ptr_nonnull(
      strstr(buf_c(&out), "\n.It Ic plugins.upstream-x.must.file\n"));
  ck_assert_ptr_nonnull(
      strstr(buf_c(&out), "\n.It Ic hubs.NAME.event_handlers[].kind\n"));
  buf_reset(&out);
  ck_assert_int_eq(manual_page_markdown(&out, &block, 1), WPS_OK);
  ck_assert_ptr_nonnull(strstr(
      buf_c(&out), "\n| `limits.message_size` | size, 1k to 64m | `1m` | "));
  ck_assert_ptr_nonnull(
      strstr(buf_c(&out), "\n| `word` | text | empty | a \\| b |\n"));
  buf_free(&out);

  /* A page that does not fit is an error, not half a page. */
  buf_init(&out, 100);
  ck_assert_int_ne(manual_page_yaml5(&out, &block, 1), WPS_OK);
  buf_free(&out);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("conf_core");
  TCase *t = tcase_create("all");

  tcase_add_test(t, defaults);
  tcase_add_test(t, design_example);
  tcase_add_test(t, relations);
  tcase_add_test(t, access_keys);
  tcase_add_test(t, resource_manager_names);
  tcase_add_test(t, handler_values);
  tcase_add_test(t, hub_values);
  tcase_add_test(t, yaml_of_a_schema);
  tcase_add_test(t, defaults_can_be_read_back);
  tcase_add_test(t, mdoc_of_a_schema);
  tcase_add_test(t, pages);
  suite_add_tcase(s, t);
  return run_suite(s);
}
