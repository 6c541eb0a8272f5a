/* SPDX-License-Identifier: Apache-2.0 */
/* Texts become trees, and what YAML has beyond trees is refused in its place.
 */
#include "conf_helper.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

START_TEST(tree)
{
  struct parsed p = parse("a: 1\nb:\n  - x\n  - \"~\"\nc: {d: [], e: }\n");
  struct node *root = document_root(p.doc), *n;

  expect_faults(p.faults, "");
  ck_assert_int_eq(root->kind, NODE_MAP);
  ck_assert_uint_eq(root->count, 3);
  n = node_get(root, "a");
  expect_str(n->scalar, "1");
  ck_assert_uint_eq(n->at.line, 1);
  ck_assert_uint_eq(n->at.column, 4);
  ck_assert_str_eq(n->at.file, "t.yaml");
  n = node_get(root, "b");
  ck_assert_int_eq(n->kind, NODE_LIST);
  ck_assert_uint_eq(n->count, 2);
  ck_assert_uint_eq(n->items[1]->at.line, 4);
  ck_assert_uint_eq(n->items[1]->at.column, 5);
  ck_assert(n->items[1]->quoted);
  ck_assert(!n->items[0]->quoted);
  n = node_get(root, "c");
  ck_assert_uint_eq(root->key_at[2].line, 5);
  ck_assert_uint_eq(node_get(n, "d")->count, 0);
  expect_str(node_get(n, "e")->scalar, "");
  ck_assert_ptr_null(node_get(n, "f"));
  ck_assert_ptr_null(node_get(root->items[0], "f"));
  ck_assert_ptr_null(node_get(NULL, "f"));
  parsed_free(&p);
}
END_TEST

START_TEST(json)
{
  struct parsed p = parse("{\"a\": [1, true, null, \"x\\u00e9\\n\"],\n"
                          "\t\"b\": {\"c\": -1.5e3}}\n");
  struct node *root = document_root(p.doc), *n;

  expect_faults(p.faults, "");
  n = node_get(root, "a");
  ck_assert_uint_eq(n->count, 4);
  expect_str(n->items[3]->scalar, "x\xc3\xa9\n");
  expect_str(node_get(node_get(root, "b"), "c")->scalar, "-1.5e3");
  parsed_free(&p);
}
END_TEST

START_TEST(nothing_is_an_empty_map)
{
  static const char *const texts[] = {
      "", "\n", "# only this\n", "---\n", "{}", "null", "~\n", "\xef\xbb\xbf"};
  size_t i;

  for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    struct parsed p = parse(texts[i]);

    expect_faults(p.faults, "");
    ck_assert_int_eq(document_root(p.doc)->kind, NODE_MAP);
    ck_assert_uint_eq(document_root(p.doc)->count, 0);
    parsed_free(&p);
  }
}
END_TEST

START_TEST(root_of_another_kind)
{
  expect_text_faults("- a\n", "t.yaml:1:1: a configuration is a map of keys "
                              "and values, this is a list\n");
  expect_text_faults("\n  just text\n",
                     "t.yaml:2:3: a configuration is a map of keys and "
                     "values, this is text\n");
}
END_TEST

START_TEST(aliases_anchors_tags)
{
  expect_text_faults(
      "a: &x 1\n"
      "b: *x\n"
      "c: !!str 5\n"
      "d: !mine [ &y 1 ]\n"
      "e: &z {f: !!int \"7\"}\n",
      "t.yaml:1:4: anchors (&name) are not supported\n"
      "t.yaml:2:4: aliases (*name) are not supported; put a text that begins "
      "with * in quotes\n"
      "t.yaml:3:4: tags (!name) are not supported; the key "
      "says of which type its value is\n"
      "t.yaml:4:4: tags (!name) are not supported; the key says of which type "
      "its value is\n"
      "t.yaml:4:12: anchors (&name) are not supported\n"
      "t.yaml:5:4: anchors (&name) are not supported\n"
      "t.yaml:5:11: tags (!name) are not supported; the key "
      "says of which type its value is\n");
  expect_text_faults("a: 1\nb: *\n", "t.yaml:2:4: not YAML: put a text that "
                                     "begins with * in quotes\n");
  expect_text_faults("*:\n  a: 1\n", "t.yaml:1:1: not YAML: put a text that "
                                     "begins with * in quotes\n");
}
END_TEST

START_TEST(duplicate_keys)
{
  struct parsed p = parse("a: 1\nb: {c: 2, \"c\": 3}\n'a': 4\n");

  expect_faults(p.faults,
                "t.yaml:2:11: duplicate key `c`; it is also in line 2\n"
                "t.yaml:3:1: duplicate key `a`; it is also in line 1\n");
  /* The first one stays. */
  expect_str(node_get(document_root(p.doc), "a")->scalar, "1");
  parsed_free(&p);
  expect_text_faults("? [a]\n: 1\n? {b: c}\n: 2\n",
                     "t.yaml:1:3: a key has to be text\n"
                     "t.yaml:3:3: a key has to be text\n");
}
END_TEST

START_TEST(several_documents)
{
  expect_text_faults("a: 1\n---\nb: 2\n",
                     "t.yaml:2:1: a second document begins here; there can be "
                     "only one\n");
  expect_text_faults("--- {a: 1}\n...\n", "");
}
END_TEST

START_TEST(broken)
{
  expect_text_faults("a: [1, 2\nb: 3\n",
                     "t.yaml:2:2: not YAML: while parsing a flow sequence "
                     "that begins in line 1, did not find expected ',' or "
                     "']'\n");
  expect_text_faults("a: 1\n b: 2\n",
                     "t.yaml:2:3: not YAML: mapping values are not allowed "
                     "in this context\n");
  expect_text_faults("a:\n\t- b\n",
                     "t.yaml:2:1: not YAML: while scanning for the next token "
                     "that begins in line 2, found character that cannot "
                     "start any token\n");
}
END_TEST

START_TEST(broken_keeps_what_was_read)
{
  struct parsed p = parse("a: 1\nb: [c, {d: e\n");

  ck_assert_uint_eq(faults_count(p.faults), 1);
  expect_str(node_get(document_root(p.doc), "a")->scalar, "1");
  parsed_free(&p);
}
END_TEST

START_TEST(complete_or_cut)
{
  static const struct {
    const char *text;
    bool complete;
  } cases[] = {
      {"", true},
      {"a: 1\na: 2\n", true},
      {"a: *x\n", true},
      {"a: !t 1\n", true},
      {"a: 1\n---\nb: 1\n", true},
      {"a: [\n", false},
      {"a: \xff\n", false},
      {"- a\n", false},
      {"a: \x01\n", false},
  };
  size_t i;

  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct parsed p = parse(cases[i].text);

    ck_assert_msg(document_complete(p.doc) == cases[i].complete, "%s",
                  cases[i].text);
    parsed_free(&p);
  }
}
END_TEST

START_TEST(bytes_that_are_no_text)
{
  struct parsed p;

  expect_text_faults("a: 1\nb: \xc3\xa9\xff\n",
                     "t.yaml:2:5: not valid UTF-8\n");
  expect_text_faults("a: \xed\xa0\x80\n", "t.yaml:1:4: not valid UTF-8\n");
  expect_text_faults("a: cut\xe2\x82", "t.yaml:1:7: not valid UTF-8\n");
  expect_text_faults("a: 1\nb: x\x1b[31m\n",
                     "t.yaml:2:5: not YAML: control characters are not "
                     "allowed\n");
  p = parse_bytes("a: \0\n", 5);
  expect_faults(p.faults, "t.yaml:1:4: not YAML: control characters are not "
                          "allowed\n");
  parsed_free(&p);
  /* UTF-16 is not guessed. */
  p = parse_bytes("\xff\xfe"
                  "a\0:\0",
                  6);
  expect_faults(p.faults, "t.yaml:1:1: not valid UTF-8\n");
  parsed_free(&p);
}
END_TEST

/* `open` n times, then "x", then `close` n times; malloc'ed. */
static char *nest(const char *open, const char *close, size_t n)
{
  size_t each = strlen(open) + strlen(close), i;
  char *text = calloc(1, n * each + 2), *at = text;

  ck_assert_ptr_nonnull(text);
  for (i = 0; i < n; i++) {
    memcpy(at, open, strlen(open));
    at += strlen(open);
  }
  *at++ = 'x';
  for (i = 0; i < n; i++) {
    memcpy(at, close, strlen(close));
    at += strlen(close);
  }
  return text;
}

START_TEST(deep)
{
  char *text = nest("{a: ", "}", 32);

  expect_text_faults(text, "");
  free(text);
  text = nest("{a: ", "}", 33);
  expect_text_faults(text, "t.yaml:1:129: nested more than 32 levels deep\n");
  free(text);
  text = nest("[", "]", 200000);
  expect_text_faults(text, "t.yaml:1:1: a configuration is a map of keys and "
                           "values, this is a list\n"
                           "t.yaml:1:33: nested more than 32 levels deep\n");
  free(text);
}
END_TEST

START_TEST(too_large)
{
  size_t len = 1024 * 1024;
  char *text = malloc(len + 1);
  struct parsed p;

  ck_assert_ptr_nonnull(text);
  memset(text, '#', len + 1);
  p = parse_bytes(text, len);
  expect_faults(p.faults, "");
  parsed_free(&p);
  p = parse_bytes(text, len + 1);
  expect_faults(p.faults,
                "t.yaml: larger than 1048576 bytes, which no configuration "
                "is\n");
  parsed_free(&p);
  free(text);
}
END_TEST

START_TEST(many_keys)
{
  enum { KEYS = 20000 };
  char *text = malloc(KEYS * 12), *at = text;
  struct parsed p;
  int i;

  ck_assert_ptr_nonnull(text);
  for (i = 0; i < KEYS; i++)
    at += snprintf(at, 12, "k%d: 1\n", i);
  at += snprintf(at, 12, "k0: 1\n");
  p = parse_bytes(text, (size_t)(at - text));
  ck_assert_uint_eq(document_root(p.doc)->count, KEYS);
  expect_faults(p.faults,
                "t.yaml:20001:1: duplicate key `k0`; it is also in line 1\n");
  parsed_free(&p);
  free(text);
}
END_TEST

START_TEST(load)
{
  char path[] = "/tmp/test-conf-XXXXXX";
  int fd = mkstemp(path);
  struct faults *f = faults_new();
  struct document *d;
  char *text;

  ck_assert_int_ge(fd, 0);
  ck_assert_int_eq(write(fd, "a: 1\na: 2\n", 10), 10);
  close(fd);
  d = document_load(path, f);
  expect_str(node_get(document_root(d), "a")->scalar, "1");
  text = faults_text(f);
  ck_assert_ptr_nonnull(strstr(text, ":2:1: duplicate key"));
  ck_assert_int_eq(strncmp(text, path, strlen(path)), 0);
  free(text);
  document_free(d);
  unlink(path);
  faults_free(f);

  f = faults_new();
  d = document_load("/nonexistent/x.yaml", f);
  ck_assert_ptr_nonnull(d);
  ck_assert_uint_eq(document_root(d)->count, 0);
  ck_assert(!document_complete(d));
  document_free(d);
  d = document_load("/", f);
  ck_assert_ptr_nonnull(d);
  ck_assert(!document_complete(d));
  document_free(d);
  expect_faults(f, "/nonexistent/x.yaml: cannot be opened: No such file or "
                   "directory\n"
                   "/: cannot be read: Is a directory\n");
  faults_free(f);
}
END_TEST

START_TEST(faults_are_sorted_and_kept_once)
{
  struct faults *f = faults_new();

  faults_add(f, NULL, "nowhere");
  faults_add(f, &(struct position){"b", 2, 1}, "four");
  faults_add(f, &(struct position){"--set x", 0, 0}, "an option");
  faults_add(f, &(struct position){"b", 1, 9}, "three");
  faults_add(f, &(struct position){"b", 1, 2}, "two %d", 2);
  faults_add(f, &(struct position){"a", 7, 7}, "one");
  faults_add(f, &(struct position){"b", 1, 9}, "three");
  faults_add(f, NULL, "nowhere");
  ck_assert_uint_eq(faults_count(f), 6);
  expect_faults(f, "a:7:7: one\nb:1:2: two 2\nb:1:9: three\nb:2:1: four\n"
                   "nowhere\n--set x: an option\n");
  faults_free(f);
}
END_TEST

START_TEST(faults_have_an_end)
{
  struct faults *f = faults_new();
  char *text;
  uint32_t i;

  for (i = 1; i <= 600; i++)
    faults_add(f, &(struct position){"a", i, 1}, "x");
  ck_assert_uint_eq(faults_count(f), 600);
  text = faults_text(f);
  ck_assert_ptr_nonnull(strstr(text, "a:500:1: x\nand 100 more\n"));
  free(text);
  faults_free(f);
  faults_free(NULL);
}
END_TEST

START_TEST(faults_do_not_steer_the_terminal)
{
  struct parsed p = parse("{\"k\\e[2J\\x9b\\n\": 1, \"k\\e[2J\\x9b\\n\": 2}");

  expect_faults(p.faults, "t.yaml:1:21: duplicate key `k?[2J???`; it is also "
                          "in line 1\n");
  parsed_free(&p);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("conf_document");
  TCase *t = tcase_create("all");

  tcase_set_timeout(t, 60);
  tcase_add_test(t, tree);
  tcase_add_test(t, json);
  tcase_add_test(t, nothing_is_an_empty_map);
  tcase_add_test(t, root_of_another_kind);
  tcase_add_test(t, aliases_anchors_tags);
  tcase_add_test(t, duplicate_keys);
  tcase_add_test(t, several_documents);
  tcase_add_test(t, broken);
  tcase_add_test(t, broken_keeps_what_was_read);
  tcase_add_test(t, complete_or_cut);
  tcase_add_test(t, bytes_that_are_no_text);
  tcase_add_test(t, deep);
  tcase_add_test(t, too_large);
  tcase_add_test(t, many_keys);
  tcase_add_test(t, load);
  tcase_add_test(t, faults_are_sorted_and_kept_once);
  tcase_add_test(t, faults_have_an_end);
  tcase_add_test(t, faults_do_not_steer_the_terminal);
  suite_add_tcase(s, t);
  return run_suite(s);
}
