/* SPDX-License-Identifier: Apache-2.0 */
/* Maps against schemas: types, ranges, defaults, and every fault at once. */
#include "conf_helper.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const colours[] = {"red", "green", "blue", NULL};

static const struct wps_config_item inner_items[] = {
    {.key = "name", .type = WPS_CONF_STRING, .flags = WPS_CONF_REQUIRED},
    {.key = "weight",
     .type = WPS_CONF_INT,
     .fallback = "7",
     .min = 1,
     .max = 10},
};
static const struct wps_config_schema inner = WPS_CONFIG_SCHEMA(inner_items);

static const struct wps_config_item plain_items[] = {
    {.key = "depth", .type = WPS_CONF_INT, .fallback = "3"},
};
static const struct wps_config_schema plain = WPS_CONFIG_SCHEMA(plain_items);

static const struct wps_config_item items[] = {
    {.key = "flag", .type = WPS_CONF_BOOL, .fallback = "true"},
    {.key = "number",
     .type = WPS_CONF_INT,
     .fallback = "-5",
     .min = -10,
     .max = 100},
    {.key = "free", .type = WPS_CONF_INT},
    {.key = "wait",
     .type = WPS_CONF_DURATION_MS,
     .fallback = "2s",
     .min = 100,
     .max = 3600000},
    {.key = "room", .type = WPS_CONF_SIZE_BYTES, .fallback = "1m", .min = 1024},
    {.key = "text", .type = WPS_CONF_STRING, .fallback = "some text"},
    {.key = "short", .type = WPS_CONF_STRING, .min = 2, .max = 4},
    {.key = "secret", .type = WPS_CONF_SECRET},
    {.key = "keys", .type = WPS_CONF_SECRET, .flags = WPS_CONF_LIST, .min = 8},
    {.key = "colour",
     .type = WPS_CONF_ENUM,
     .fallback = "green",
     .choices = colours},
    {.key = "colours",
     .type = WPS_CONF_ENUM,
     .flags = WPS_CONF_LIST,
     .choices = colours},
    {.key = "words",
     .type = WPS_CONF_STRING,
     .flags = WPS_CONF_LIST,
     .fallback = "[one, \"two\"]"},
    {.key = "delays",
     .type = WPS_CONF_DURATION_MS,
     .flags = WPS_CONF_LIST,
     .fallback = "[1s, 3s, 5s]",
     .min = 0,
     .max = 60000},
    {.key = "one", .type = WPS_CONF_SECTION, .items = &inner},
    {.key = "plain", .type = WPS_CONF_SECTION, .items = &plain},
    {.key = "many",
     .type = WPS_CONF_SECTION,
     .flags = WPS_CONF_LIST,
     .items = &inner},
};
static const struct wps_config_schema schema = WPS_CONFIG_SCHEMA(items);

struct checked {
  struct parsed p;
  struct wps_config *cfg;
};

static struct checked check_against(const char *text,
                                    const struct wps_config_schema *against,
                                    const struct wps_config_schema *more)
{
  struct checked c;

  c.p = parse(text);
  c.cfg = section_check(document_root(c.p.doc), NULL, against, more, NULL,
                        c.p.faults);
  ck_assert_ptr_nonnull(c.cfg);
  return c;
}

static struct checked check(const char *text)
{
  return check_against(text, &schema, NULL);
}

static void checked_free(struct checked *c)
{
  section_free(c->cfg);
  parsed_free(&c->p);
}

static void expect_check(const char *text, const char *faults)
{
  struct checked c = check(text);

  expect_faults(c.p.faults, faults);
  checked_free(&c);
}

START_TEST(defaults)
{
  struct checked c = check("");
  const struct wps_config *one;

  expect_faults(c.p.faults, "");
  ck_assert(config_api.get_bool(c.cfg, "flag"));
  ck_assert_int_eq(config_api.get_int(c.cfg, "number"), -5);
  ck_assert_int_eq(config_api.get_int(c.cfg, "free"), 0);
  ck_assert_uint_eq(config_api.count(c.cfg, "free"), 0);
  ck_assert_uint_eq(config_api.count(c.cfg, "number"), 1);
  ck_assert_int_eq(config_api.get_int(c.cfg, "wait"), 2000);
  ck_assert_int_eq(config_api.get_int(c.cfg, "room"), 1048576);
  expect_str(config_api.get_str(c.cfg, "text"), "some text");
  ck_assert_ptr_null(config_api.get_str(c.cfg, "short").ptr);
  ck_assert_ptr_null(config_api.get_str(c.cfg, "secret").ptr);
  ck_assert_int_eq(config_api.get_int(c.cfg, "colour"), 1);
  expect_str(config_api.get_str(c.cfg, "colour"), "green");
  ck_assert_uint_eq(config_api.count(c.cfg, "colours"), 0);
  ck_assert_uint_eq(config_api.count(c.cfg, "words"), 2);
  expect_str(config_api.str_at(c.cfg, "words", 0), "one");
  expect_str(config_api.str_at(c.cfg, "words", 1), "two");
  ck_assert_ptr_null(config_api.str_at(c.cfg, "words", 2).ptr);
  /* A section that is not written has its defaults, and counts as absent. */
  ck_assert_uint_eq(config_api.count(c.cfg, "one"), 0);
  one = config_api.section_at(c.cfg, "one", 0);
  ck_assert_ptr_nonnull(one);
  ck_assert_int_eq(config_api.get_int(one, "weight"), 7);
  ck_assert_ptr_null(config_api.get_str(one, "name").ptr);
  ck_assert_ptr_null(config_api.section_at(c.cfg, "one", 1));
  ck_assert_ptr_null(config_api.section_at(c.cfg, "many", 0));
  ck_assert(!section_has(c.cfg, "flag"));
  checked_free(&c);
}
END_TEST

static void expect_delays(const char *text, bool written, size_t count,
                          int64_t first)
{
  struct checked c = check(text);

  expect_faults(c.p.faults, "");
  ck_assert(config_api.has(c.cfg, "delays") == written);
  ck_assert_uint_eq(config_api.count(c.cfg, "delays"), count);
  ck_assert_int_eq(config_api.int_at(c.cfg, "delays", 0), first);
  ck_assert_int_eq(config_api.int_at(c.cfg, "delays", count), 0);
  checked_free(&c);
}

START_TEST(list_of_durations)
{
  struct checked c = check("");

  ck_assert_int_eq(config_api.int_at(c.cfg, "delays", 1), 3000);
  ck_assert_int_eq(config_api.int_at(c.cfg, "delays", 2), 5000);
  ck_assert_int_eq(config_api.int_at(c.cfg, "number", 0), -5);
  ck_assert_int_eq(config_api.int_at(c.cfg, "room", 0), 1048576);
  expect_str(config_api.str_at(c.cfg, "delays", 1), "3s");
  checked_free(&c);
  expect_delays("", false, 3, 1000);
  expect_delays("delays:", false, 3, 1000);
  expect_delays("delays: []", true, 0, 0);
  expect_delays("delays: 250ms", true, 1, 250);
  expect_delays("delays: [ 2s, 0s ]", true, 2, 2000);
  expect_delays("delays: [ 1s, 3s, 5s ]", true, 3, 1000);
  expect_check("delays: [ 1s, 3 ]",
               "t.yaml:1:15: `delays`: `3` has no unit; write 3ms, 3s, 3m or "
               "3h\n");
  expect_check("delays: [ 1s, 2m ]",
               "t.yaml:1:15: `delays`: must be between 0 and 1m, not 2m\n");
}
END_TEST

START_TEST(what_was_written)
{
  struct checked c = check("number: -5\nfree: ~\none: { name: x }\nmany: []\n");

  expect_faults(c.p.faults, "");
  ck_assert(config_api.has(c.cfg, "number"));
  ck_assert(!config_api.has(c.cfg, "flag"));
  ck_assert(!config_api.has(c.cfg, "free"));
  ck_assert(config_api.has(c.cfg, "one"));
  ck_assert(config_api.has(c.cfg, "many"));
  ck_assert(!config_api.has(c.cfg, "plain"));
  ck_assert(config_api.has(config_api.section_at(c.cfg, "one", 0), "name"));
  ck_assert(!config_api.has(config_api.section_at(c.cfg, "one", 0), "weight"));
  ck_assert(!config_api.has(config_api.section_at(c.cfg, "plain", 0), "depth"));
  checked_free(&c);
}
END_TEST

START_TEST(no_node_at_all)
{
  struct faults *f = faults_new();
  struct position at = {"x.yaml", 4, 2};
  struct wps_config *cfg = section_check(NULL, &at, &inner, NULL, NULL, f);

  expect_faults(f, "x.yaml:4:2: the key `name` is missing\n");
  ck_assert_uint_eq(section_position(cfg, "weight").line, 4);
  ck_assert_uint_eq(section_position(cfg, NULL).column, 2);
  ck_assert_ptr_eq(section_faults(cfg), f);
  section_free(cfg);
  section_free(NULL);
  faults_free(f);
}
END_TEST

START_TEST(values)
{
  struct checked c = check("flag: no\n"
                           "number: \"100\"\n"
                           "free: -9223372036854775807\n"
                           "wait: 1h\n"
                           "room: 64k\n"
                           "text: 5\n"
                           "short: no\n"
                           "secret: 1e3\n"
                           "colour: blue\n"
                           "colours: [red, blue]\n"
                           "words: []\n"
                           "one: {name: x}\n"
                           "many: [{name: a}, {name: b, weight: 2}]\n");
  const struct wps_config *s;

  expect_faults(c.p.faults, "");
  ck_assert(!config_api.get_bool(c.cfg, "flag"));
  ck_assert_int_eq(config_api.get_int(c.cfg, "number"), 100);
  ck_assert_int_eq(config_api.get_int(c.cfg, "free"), -INT64_MAX);
  ck_assert_int_eq(config_api.get_int(c.cfg, "wait"), 3600000);
  ck_assert_int_eq(config_api.get_int(c.cfg, "room"), 65536);
  /* The key says that these are text, whatever they look like. */
  expect_str(config_api.get_str(c.cfg, "text"), "5");
  expect_str(config_api.get_str(c.cfg, "short"), "no");
  expect_str(config_api.get_str(c.cfg, "secret"), "1e3");
  ck_assert_int_eq(config_api.get_int(c.cfg, "colour"), 2);
  ck_assert_uint_eq(config_api.count(c.cfg, "colours"), 2);
  expect_str(config_api.str_at(c.cfg, "colours", 1), "blue");
  ck_assert_uint_eq(config_api.count(c.cfg, "words"), 0);
  ck_assert_uint_eq(config_api.count(c.cfg, "one"), 1);
  s = config_api.section_at(c.cfg, "many", 1);
  expect_str(config_api.get_str(s, "name"), "b");
  ck_assert_int_eq(config_api.get_int(s, "weight"), 2);
  ck_assert_uint_eq(config_api.count(c.cfg, "many"), 2);
  ck_assert_ptr_null(config_api.section_at(c.cfg, "many", 2));
  ck_assert(section_has(c.cfg, "words"));
  checked_free(&c);
}
END_TEST

START_TEST(values_outlive_the_document)
{
  struct checked c = check("text: kept\none: {name: too}\n");

  document_free(c.p.doc);
  c.p.doc = NULL;
  expect_str(config_api.get_str(c.cfg, "text"), "kept");
  ck_assert_str_eq(section_position(c.cfg, "text").file, "t.yaml");
  expect_str(config_api.get_str(config_api.section_at(c.cfg, "one", 0), "name"),
             "too");
  checked_free(&c);
}
END_TEST

START_TEST(nothing_written)
{
  struct checked c = check("flag:\nnumber: ~\ntext: null\nshort: \"~\"\n"
                           "plain:\nmany:\n");

  expect_faults(c.p.faults,
                "t.yaml:4:8: `short`: needs at least 2 bytes, this has 1\n");
  ck_assert(config_api.get_bool(c.cfg, "flag"));
  ck_assert_int_eq(config_api.get_int(c.cfg, "number"), -5);
  expect_str(config_api.get_str(c.cfg, "text"), "some text");
  ck_assert(!section_has(c.cfg, "text"));
  ck_assert_int_eq(
      config_api.get_int(config_api.section_at(c.cfg, "plain", 0), "depth"), 3);
  checked_free(&c);
}
END_TEST

START_TEST(one_is_a_list)
{
  struct checked c = check("words: \"*\"\nmany: {name: a}\ncolours: red\n");

  expect_faults(c.p.faults, "");
  ck_assert_uint_eq(config_api.count(c.cfg, "words"), 1);
  expect_str(config_api.str_at(c.cfg, "words", 0), "*");
  ck_assert_uint_eq(config_api.count(c.cfg, "many"), 1);
  checked_free(&c);
}
END_TEST

START_TEST(every_type_fault)
{
  expect_check("flag: [true]\n"
               "number: {a: 1}\n"
               "free: []\n"
               "wait: {}\n"
               "room: []\n"
               "text: {a: b}\n"
               "short: [a]\n"
               "secret: [hidden]\n"
               "keys: {hidden: hidden}\n"
               "colour: [red]\n"
               "colours: {a: b}\n"
               "words: [a, [b], {c: d}, ~]\n"
               "one: text\n"
               "plain: [{}]\n"
               "many: [text, [x]]\n",
               "t.yaml:1:7: `flag`: expected true or false, found a list\n"
               "t.yaml:2:9: `number`: expected a whole number, found a "
               "section\n"
               "t.yaml:3:7: `free`: expected a whole number, found a list\n"
               "t.yaml:4:7: `wait`: expected a duration such as 500ms, 30s, 5m "
               "or 2h, found a section\n"
               "t.yaml:5:7: `room`: expected a size such as 512, 64k, 1m or "
               "2g, found a list\n"
               "t.yaml:6:7: `text`: expected text, found a section\n"
               "t.yaml:7:8: `short`: expected text, found a list\n"
               "t.yaml:8:9: `secret`: expected file:PATH, env:NAME or the "
               "secret itself, found a list\n"
               "t.yaml:9:7: `keys`: expected a list whose elements are each "
               "file:PATH, env:NAME or the secret itself, found a section\n"
               "t.yaml:10:9: `colour`: expected one of `red`, `green`, `blue`, "
               "found a list\n"
               "t.yaml:11:10: `colours`: expected a list whose elements are "
               "each one of `red`, `green`, `blue`, found a section\n"
               "t.yaml:12:12: `words`: expected a list whose elements are each "
               "text, found a list\n"
               "t.yaml:12:17: `words`: expected a list whose elements are each "
               "text, found a section\n"
               "t.yaml:12:25: `words`: expected a list whose elements are each "
               "text, found nothing\n"
               "t.yaml:13:6: `one`: expected a section (keys and values), "
               "found text\n"
               "t.yaml:14:8: `plain`: expected a section (keys and values), "
               "found a list\n"
               "t.yaml:15:8: `many`: expected a list whose elements are each a "
               "section (keys and values), found text\n"
               "t.yaml:15:14: `many`: expected a list whose elements are each "
               "a section (keys and values), found a list\n");
}
END_TEST

START_TEST(every_value_fault)
{
  expect_check("flag: maybe\n"
               "number: 12x\n"
               "free: 9223372036854775808\n"
               "wait: 30\n"
               "room: 1mb\n"
               "colour: gren\n"
               "colours: [red, mauve]\n",
               "t.yaml:1:7: `flag`: `maybe` is not true or false\n"
               "t.yaml:2:9: `number`: `12x` is not a whole number\n"
               "t.yaml:3:7: `free`: `9223372036854775808` is not a whole "
               "number\n"
               "t.yaml:4:7: `wait`: `30` has no unit; write 30ms, 30s, 30m or "
               "30h\n"
               "t.yaml:5:7: `room`: `1mb` is not a size such as 512, 64k, 1m "
               "or 2g\n"
               "t.yaml:6:9: `colour`: `gren` is not one of `red`, `green`, "
               "`blue`; did you mean `green`?\n"
               "t.yaml:7:16: `colours`: `mauve` is not one of `red`, `green`, "
               "`blue`\n");
  expect_check("number: \"\"\nflag: True\nwait: \"\"\n",
               "t.yaml:1:9: `number`: `` is not a whole number\n"
               "t.yaml:2:7: `flag`: `True` is not true or false\n"
               "t.yaml:3:7: `wait`: `` is not a duration such as 500ms, 30s, "
               "5m or 2h\n");
}
END_TEST

START_TEST(ranges)
{
  expect_check("number: 101\nwait: 99ms\nroom: 1000\nshort: abcde\n"
               "many: [{name: a, weight: 0}]\n",
               "t.yaml:1:9: `number`: must be between -10 and 100, not 101\n"
               "t.yaml:2:7: `wait`: must be between 100ms and 1h, not 99ms\n"
               "t.yaml:3:7: `room`: must be at least 1k, not 1000\n"
               "t.yaml:4:8: `short`: can have at most 4 bytes, this has 5\n"
               "t.yaml:5:26: `weight`: must be between 1 and 10, not 0\n");
  expect_check("number: -10\nwait: 1h\nroom: 99999999g\nshort: ab\n", "");
}
END_TEST

START_TEST(faulty_values_read_as_defaults)
{
  struct checked c = check("number: x\ntext: [a]\ncolour: no\nwords: {a: 1}\n"
                           "one: x\n");

  ck_assert_uint_eq(faults_count(c.p.faults), 5);
  ck_assert_int_eq(config_api.get_int(c.cfg, "number"), -5);
  expect_str(config_api.get_str(c.cfg, "text"), "some text");
  ck_assert_int_eq(config_api.get_int(c.cfg, "colour"), 1);
  ck_assert_uint_eq(config_api.count(c.cfg, "words"), 2);
  ck_assert_ptr_nonnull(config_api.section_at(c.cfg, "one", 0));
  checked_free(&c);
}
END_TEST

START_TEST(unknown_keys)
{
  expect_check("numbr: 1\n"
               "xyzzy: 1\n"
               "weight: 3\n"
               "one: {name: a, wait: 1, weigth: 2}\n"
               "userEventPattern: a\n"
               "webSocketKeepAliveIntervalInSeconds: 5\n",
               "t.yaml:1:1: unknown key `numbr`; did you mean `number`?\n"
               "t.yaml:2:1: unknown key `xyzzy`\n"
               "t.yaml:3:1: unknown key `weight`; it belongs into `one`\n"
               "t.yaml:4:16: unknown key `wait`\n"
               "t.yaml:4:25: unknown key `weigth`; did you mean `weight`?\n"
               "t.yaml:5:1: unknown key `userEventPattern`; here it is called "
               "`user_events`\n"
               "t.yaml:6:1: unknown key `webSocketKeepAliveIntervalInSeconds`; "
               "here it is called `ping_interval`\n");
}
END_TEST

START_TEST(long_keys_are_cut)
{
  char text[1024], *got;
  struct checked c;

  memset(text, 'k', 900);
  memcpy(text + 900, ": 1\n", 5);
  c = check(text);
  got = faults_text(c.p.faults);
  ck_assert_uint_lt(strlen(got), 150);
  free(got);
  checked_free(&c);
}
END_TEST

START_TEST(required)
{
  struct checked c = check_against("{}", &inner, NULL);

  expect_faults(c.p.faults, "t.yaml:1:1: the key `name` is missing\n");
  checked_free(&c);
  expect_check("many:\n  - weight: 2\n  - name:\n",
               "t.yaml:2:5: the key `name` is missing\n"
               "t.yaml:3:10: the key `name` is missing\n");
  expect_check("many: [~]\n", "t.yaml:1:8: the key `name` is missing\n");
}
END_TEST

START_TEST(required_list_has_elements)
{
  static const struct wps_config_item list_items[] = {
      {.key = "list",
       .type = WPS_CONF_STRING,
       .flags = WPS_CONF_LIST | WPS_CONF_REQUIRED}};
  static const struct wps_config_schema list = WPS_CONFIG_SCHEMA(list_items);
  struct checked c = check_against("list: []\n", &list, NULL);

  expect_faults(c.p.faults, "t.yaml:1:7: `list`: needs at least one element\n");
  checked_free(&c);
}
END_TEST

START_TEST(section_of_the_wrong_kind)
{
  struct parsed p = parse("a: [1]\nb: text\n");
  struct node *root = document_root(p.doc);
  struct wps_config *a, *b;

  a = section_check(node_get(root, "a"), NULL, &inner, NULL, NULL, p.faults);
  b = section_check(node_get(root, "b"), NULL, &inner, NULL, NULL, p.faults);
  expect_faults(p.faults,
                "t.yaml:1:4: expected a section (keys and values), found a "
                "list\n"
                "t.yaml:2:4: expected a section (keys and values), found "
                "text\n");
  ck_assert_int_eq(config_api.get_int(a, "weight"), 7);
  section_free(a);
  section_free(b);
  parsed_free(&p);
}
END_TEST

START_TEST(two_schemas)
{
  struct checked c =
      check_against("name: a\ndepth: 9\nweigh: 1\n", &inner, &plain);

  expect_faults(c.p.faults,
                "t.yaml:3:1: unknown key `weigh`; did you mean `weight`?\n");
  ck_assert_int_eq(config_api.get_int(c.cfg, "depth"), 9);
  ck_assert_int_eq(config_api.get_int(c.cfg, "weight"), 7);
  checked_free(&c);
}
END_TEST

START_TEST(ignored_keys)
{
  static const char *const ignored[] = {"one", "hubs", NULL};
  struct parsed p = parse("one: [of, the, wrong, kind]\nhubs: {a: 1}\n"
                          "hub: 1\n");
  struct wps_config *cfg = section_check(document_root(p.doc), NULL, &schema,
                                         NULL, ignored, p.faults);

  expect_faults(p.faults,
                "t.yaml:3:1: unknown key `hub`; did you mean `hubs`?\n");
  ck_assert_uint_eq(config_api.count(cfg, "one"), 0);
  ck_assert_ptr_null(config_api.section_at(cfg, "one", 0));
  section_free(cfg);
  parsed_free(&p);
}
END_TEST

START_TEST(secrets)
{
  char path[] = "/tmp/test-conf-XXXXXX", text[256], want[512];
  int fd = mkstemp(path);
  struct checked c;

  ck_assert_int_eq(write(fd, "from a file\n", 12), 12);
  close(fd);
  setenv("TEST_CONF_KEY", "from outside", 1);
  snprintf(text, sizeof(text),
           "secret: file:%s\nkeys:\n  - env:TEST_CONF_KEY\n  - verbatim\n",
           path);
  c = check(text);
  expect_faults(c.p.faults, "");
  expect_str(config_api.get_str(c.cfg, "secret"), "from a file");
  expect_str(config_api.str_at(c.cfg, "keys", 0), "from outside");
  expect_str(config_api.str_at(c.cfg, "keys", 1), "verbatim");
  checked_free(&c);

  chmod(path, 0644);
  snprintf(want, sizeof(want),
           "t.yaml:1:9: `secret`: %s is open to everybody (mode 644); take "
           "that away with chmod o-rwx\n"
           "t.yaml:3:5: `keys`: the environment variable TEST_CONF_GONE is not "
           "set\n"
           "t.yaml:4:5: `keys`: needs at least 8 bytes, this has 6\n"
           "t.yaml:5:5: `keys`: cannot read the file /nonexistent/k: No such "
           "file or directory\n",
           path);
  snprintf(text, sizeof(text),
           "secret: file:%s\nkeys:\n  - env:TEST_CONF_GONE\n  - hidden\n"
           "  - file:/nonexistent/k\n",
           path);
  expect_check(text, want);
  unlink(path);
}
END_TEST

START_TEST(schemas_of_other_versions)
{
  /* An item of a later version, and one from before `help`. */
  struct larger {
    struct wps_config_item item;
    const char *later;
  };
  static const struct larger larger_items[] = {
      {{.key = "a", .type = WPS_CONF_INT, .fallback = "1"}, "x"},
      {{.key = "b", .type = WPS_CONF_INT, .fallback = "2"}, "y"}};
  struct wps_config_schema s = {.struct_size = sizeof(s)};
  struct smaller {
    const char *key;
    uint32_t type, flags;
    const char *fallback;
  };
  static const struct smaller smaller_items[] = {{"a", WPS_CONF_INT, 0, "1"},
                                                 {"b", WPS_CONF_INT, 0, "2"}};
  struct checked c;

  s.items = &larger_items[0].item;
  s.item_size = sizeof(struct larger);
  s.item_count = 2;
  c = check_against("a: 5\nb2: 1\n", &s, NULL);
  expect_faults(c.p.faults, "t.yaml:2:1: unknown key `b2`\n");
  ck_assert_int_eq(config_api.get_int(c.cfg, "a"), 5);
  ck_assert_int_eq(config_api.get_int(c.cfg, "b"), 2);
  checked_free(&c);

  s.items = (const struct wps_config_item *)(const void *)smaller_items;
  s.item_size = sizeof(struct smaller);
  c = check_against("a: 5\n", &s, NULL);
  expect_faults(c.p.faults, "");
  ck_assert_int_eq(config_api.get_int(c.cfg, "a"), 5);
  ck_assert_int_eq(config_api.get_int(c.cfg, "b"), 2);
  checked_free(&c);
}
END_TEST

START_TEST(defaults_that_do_not_fit)
{
  static const struct wps_config_item bad_items[] = {
      {.key = "a", .type = WPS_CONF_INT, .fallback = "x"},
      {.key = "b",
       .type = WPS_CONF_STRING,
       .flags = WPS_CONF_LIST,
       .fallback = "[x"}};
  static const struct wps_config_schema bad = WPS_CONFIG_SCHEMA(bad_items);
  struct checked c = check_against("{}", &bad, NULL);

  expect_faults(c.p.faults,
                "t.yaml:1:1: `a`: the default `x` does not fit the schema; "
                "report this to who wrote it\n"
                "t.yaml:1:1: `b`: the default `[x` does not fit the schema; "
                "report this to who wrote it\n");
  checked_free(&c);
}
END_TEST

START_TEST(sections_by_default)
{
  static const struct wps_config_item list_items[] = {
      {.key = "list",
       .type = WPS_CONF_SECTION,
       .flags = WPS_CONF_LIST,
       .fallback = "[{ name: a }, { name: b, weight: 9 }]",
       .items = &inner}};
  static const struct wps_config_schema list = WPS_CONFIG_SCHEMA(list_items);
  struct checked c = check_against("{}", &list, NULL);
  const struct wps_config *s = config_api.section_at(c.cfg, "list", 1);

  ck_assert_uint_eq(config_api.count(c.cfg, "list"), 2);
  expect_str(config_api.get_str(s, "name"), "b");
  ck_assert_int_eq(config_api.error(s, "name", "no %s", "b"), WPS_EINVAL);
  expect_faults(c.p.faults, "t.yaml:1:1: `name`: no b\n");
  checked_free(&c);
}
END_TEST

START_TEST(faults_of_components)
{
  struct checked c = check("number: 4\none: {name: a}\n");
  const struct wps_config *one = config_api.section_at(c.cfg, "one", 0);

  ck_assert_int_eq(config_api.error(c.cfg, "number", "no %d", 4), WPS_EINVAL);
  config_api.error(c.cfg, "text", "of a key that is not written");
  config_api.error(one, NULL, "of a section");
  config_api.error(one, "name", "inside");
  expect_faults(c.p.faults, "t.yaml:1:1: `text`: of a key that is not written\n"
                            "t.yaml:1:9: `number`: no 4\n"
                            "t.yaml:2:6: of a section\n"
                            "t.yaml:2:13: `name`: inside\n");
  checked_free(&c);
}
END_TEST

START_TEST(all_at_once)
{
  struct parsed p = parse("numbr: 1\nflag: perhaps\na: *x\nflag: no\n"
                          "many: [{weight: 99}]\nwait: 5\n");
  struct wps_config *cfg =
      section_check(document_root(p.doc), NULL, &schema, NULL, NULL, p.faults);

  config_api.error(cfg, "many", "from the component");
  expect_faults(
      p.faults,
      "t.yaml:1:1: unknown key `numbr`; did you mean `number`?\n"
      "t.yaml:2:7: `flag`: `perhaps` is not true or false\n"
      "t.yaml:3:1: unknown key `a`\n"
      "t.yaml:3:4: aliases (*name) are not supported; put a text that begins "
      "with "
      "* in quotes\n"
      "t.yaml:4:1: duplicate key `flag`; it is also in line 2\n"
      "t.yaml:5:7: `many`: from the component\n"
      "t.yaml:5:8: the key `name` is missing\n"
      "t.yaml:5:17: `weight`: must be between 1 and 10, not 99\n"
      "t.yaml:6:7: `wait`: `5` has no unit; write 5ms, 5s, 5m or 5h\n");
  section_free(cfg);
  parsed_free(&p);
}
END_TEST

/* What asks for a key that the schema does not have. */
static void ask_for_undeclared(void)
{
  struct checked c = check("");

  ck_assert_int_eq(config_api.get_int(c.cfg, "undeclared"), 0);
  ck_assert(!config_api.get_bool(c.cfg, "undeclared"));
  ck_assert_ptr_null(config_api.get_str(c.cfg, "undeclared").ptr);
  ck_assert_ptr_null(config_api.str_at(c.cfg, "undeclared", 0).ptr);
  ck_assert_ptr_null(config_api.section_at(c.cfg, "undeclared", 0));
  ck_assert_uint_eq(config_api.count(c.cfg, "undeclared"), 0);
  checked_free(&c);
}

START_TEST(undeclared_key)
{
  ask_for_undeclared();
}
END_TEST

START_TEST(key_of_another_type)
{
  struct checked c = check("");

  ck_assert_int_eq(config_api.get_int(c.cfg, "text"), 0);
  checked_free(&c);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("conf_section");
  TCase *t = tcase_create("all");

  tcase_add_test(t, defaults);
  tcase_add_test(t, list_of_durations);
  tcase_add_test(t, what_was_written);
  tcase_add_test(t, no_node_at_all);
  tcase_add_test(t, values);
  tcase_add_test(t, values_outlive_the_document);
  tcase_add_test(t, nothing_written);
  tcase_add_test(t, one_is_a_list);
  tcase_add_test(t, every_type_fault);
  tcase_add_test(t, every_value_fault);
  tcase_add_test(t, ranges);
  tcase_add_test(t, faulty_values_read_as_defaults);
  tcase_add_test(t, unknown_keys);
  tcase_add_test(t, long_keys_are_cut);
  tcase_add_test(t, required);
  tcase_add_test(t, required_list_has_elements);
  tcase_add_test(t, section_of_the_wrong_kind);
  tcase_add_test(t, two_schemas);
  tcase_add_test(t, ignored_keys);
  tcase_add_test(t, secrets);
  tcase_add_test(t, schemas_of_other_versions);
  tcase_add_test(t, defaults_that_do_not_fit);
  tcase_add_test(t, sections_by_default);
  tcase_add_test(t, faults_of_components);
  tcase_add_test(t, all_at_once);
#ifdef WPS_DEBUG
  tcase_add_test_raise_signal(t, undeclared_key, SIGABRT);
  tcase_add_test_raise_signal(t, key_of_another_type, SIGABRT);
#else
  tcase_add_test(t, undeclared_key);
  tcase_add_test(t, key_of_another_type);
#endif
  suite_add_tcase(s, t);
  return run_suite(s);
}
