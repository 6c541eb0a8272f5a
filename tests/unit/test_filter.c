/* SPDX-License-Identifier: Apache-2.0 */
/* The filter language of azure-server.md 7.6: S-85, S-86 and S-127, and every
 * line of its tables. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/utf8.h"
#include "hub/filter.h"
#include "hub/hub.h"

/* A client of this test: memberships without an index. */
struct client {
  struct hub_client hub;
  struct hub_facts facts;
  struct group groups[8];
  struct wps_member members[8];
  struct wps_member *list[8];
};

static void client_make(struct client *c, const char *id, const char *user,
                        const char *subprotocol, const char *const *groups)
{
  memset(c, 0, sizeof(*c));
  c->facts =
      (struct hub_facts){str_from(id), str_from(user), str_from(subprotocol)};
  for (size_t i = 0; groups != NULL && groups[i] != NULL; i++) {
    c->groups[i].name = str_from(groups[i]);
    c->members[i].group = &c->groups[i];
    c->list[i] = &c->members[i];
    c->hub.member_count++;
  }
  c->hub.members = c->list;
}

static const struct wps_filter *filter_of(struct wps_str text)
{
  const struct wps_filter *f;
  char why[4096] = "";
  int rc = filter_new(text, &f, why, sizeof(why));

  ck_assert_msg(rc == WPS_OK, "%.*s: %s", STR_ARG(text), why);
  return f;
}

static bool matches(const char *text, const struct client *c)
{
  const struct wps_filter *f = filter_of(str_from(text));
  bool yes = filter_match(f, &c->hub, &c->facts);

  filter_unref(f);
  return yes;
}

/* Of a user, with nothing else known. */
static bool is_so(const char *text, const char *user)
{
  struct client c;

  client_make(&c, "c1", user, NULL, NULL);
  return matches(text, &c);
}

static const char *const two_groups[] = {"group1", "room 2", NULL};

/* ---- S-85: the examples ---- */

struct example {
  const char *text;
  unsigned who; /* bit per client below */
};

static const struct example examples[] = {
    {"'group1' in groups or 'group2' in groups", 1},
    {"userId in ('user1','user2') and 'group1' in groups", 1},
    {"userId eq 'user1' and (not ('group1' in groups))", 2},
    {"userId eq 'user''1'", 4},
    {"length(groups) gt 1", 1},
    {"userId eq null", 8},
    {"userId ne null", 7},
    {"protocol eq 'json.webpubsub.azure.v1'", 2},
    {"protocol eq null", 13},
    {"userId in ('Doe, John','O''Brien, Jane')", 0},
    {"connectionId eq 'c4'", 8},
    {"CONNECTIONID eq 'c4' or USERID eq 'user1'", 11},
    {"('room 2' in groups or 'x' in groups) and not ('y' in groups)", 1},
    {"true", 15},
    {"false", 0},
};

START_TEST(s85_examples_select)
{
  const struct example *e = &examples[_i];
  struct client c[4];
  unsigned who = 0;

  client_make(&c[0], "c1", "user1", NULL, two_groups);
  client_make(&c[1], "c2", "user1", "json.webpubsub.azure.v1", NULL);
  client_make(&c[2], "c3", "user'1", NULL, NULL);
  client_make(&c[3], "c4", NULL, NULL, NULL);
  for (unsigned i = 0; i < ARRAY_LEN(c); i++)
    if (matches(e->text, &c[i]))
      who |= 1u << i;
  ck_assert_msg(who == e->who, "%s: %x", e->text, who);
}
END_TEST

/* ---- messages ---- */

struct refused {
  const char *text, *why; /* without what all have at the end */
};

#define SYNTAX(n, text)                                                        \
  "Invalid syntax for '" text "': Syntax error at position " #n " in '" text   \
  "'."

static const struct refused refusals[] = {
    /* from the table */
    {"not length(userId)",
     "Invalid syntax for 'not length(userId)': Type 'null', expect 'bool'."},
    {"userId lt 1",
     "Invalid syntax for 'userId lt 1': Type 'string', expect 'int'."},
    {"ab eq 1", "Invalid syntax for 'ab eq 1': Token 'ab' is not supported."},
    {"invalid(ab,c)", "Invalid syntax for 'invalid(ab,c)': Token "
                      "'invalid(ab,c)' is not supported."},
    {"( not 'a' )",
     "Invalid syntax for 'not 'a'': Type 'string', expect 'bool'."},
    /* syntax: the position is behind the token */
    {"invalid filter", SYNTAX(14, "invalid filter")},
    {"", SYNTAX(0, "")},
    {" ", SYNTAX(1, " ")},
    {"userId eq", SYNTAX(9, "userId eq")},
    {"userId eq 'a", SYNTAX(12, "userId eq 'a")},
    {"userId eq 'a' AND true", SYNTAX(17, "userId eq 'a' AND true")},
    {"(true", SYNTAX(5, "(true")},
    {"true)", SYNTAX(5, "true)")},
    {"()", SYNTAX(2, "()")},
    {"userId eq 'a' & true", SYNTAX(15, "userId eq 'a' & true")},
    {"userId in 'a'", SYNTAX(13, "userId in 'a'")},
    {"userId in null", SYNTAX(14, "userId in null")},
    {"userId in ('a',)", SYNTAX(16, "userId in ('a',)")},
    {"userId in (,'a')", SYNTAX(12, "userId in (,'a')")},
    {"userId in ('a' 'b')", SYNTAX(18, "userId in ('a' 'b')")},
    {"'a' in length(groups)", SYNTAX(14, "'a' in length(groups)")},
    {"not", SYNTAX(3, "not")},
    {"- 1 eq 1", SYNTAX(1, "- 1 eq 1")},
    /* in UTF-16: a letter of two bytes, a character outside of the BMP */
    {"userId eq '\xc3\xa9\xf0\x9f\x98\x80' x",
     SYNTAX(17, "userId eq '\xc3\xa9\xf0\x9f\x98\x80' x")},
    {"true \xc3\xa9", SYNTAX(6, "true \xc3\xa9")},
    /* types */
    {"userId", "Invalid syntax for 'userId': Type 'string', expect 'bool'."},
    {"protocol",
     "Invalid syntax for 'protocol': Type 'string', expect 'bool'."},
    {"groups",
     "Invalid syntax for 'groups': Type 'collection', expect 'bool'."},
    {"null", "Invalid syntax for 'null': Type 'null', expect 'bool'."},
    {"(1)", "Invalid syntax for '1': Type 'int', expect 'bool'."},
    {"length(groups)",
     "Invalid syntax for 'length(groups)': Type 'int', expect 'bool'."},
    {"'a' gt 1", "Invalid syntax for ''a' gt 1': Type 'string', expect 'int'."},
    {"1 ge 'a'", "Invalid syntax for '1 ge 'a'': Type 'string', expect 'int'."},
    {"1 le true", "Invalid syntax for '1 le true': Type 'bool', expect 'int'."},
    {"groups gt 1",
     "Invalid syntax for 'groups gt 1': Type 'collection', expect 'int'."},
    {"true or 'a'",
     "Invalid syntax for 'true or 'a'': Type 'string', expect 'bool'."},
    {"false and null",
     "Invalid syntax for 'false and null': Type 'null', expect 'bool'."},
    {"'a' in userId",
     "Invalid syntax for ''a' in userId': Type 'string', expect 'collection'."},
    {"tolower(1) eq 'a'",
     "Invalid syntax for 'tolower(1)': Type 'int', expect 'string'."},
    {"trim(groups) eq 'a'",
     "Invalid syntax for 'trim(groups)': Type 'collection', expect 'string'."},
    {"contains('a',1)",
     "Invalid syntax for 'contains('a',1)': Type 'int', expect 'string'."},
    {"concat(null,1) eq 'a'",
     "Invalid syntax for 'concat(null,1)': Type 'null', expect 'string'."},
    {"concat(userId,1) eq 'a'",
     "Invalid syntax for 'concat(userId,1)': Type 'int', expect 'string'."},
    {"substring('a','b') eq 'a'", "Invalid syntax for 'substring('a','b')': "
                                  "Type 'string', expect 'int'."},
    {"substring(userId,null) eq 'a'",
     "Invalid syntax for 'substring(userId,null)': Type 'null', expect "
     "'int'."},
    /* tokens */
    {"ab", "Invalid syntax for 'ab': Token 'ab' is not supported."},
    {" not ab ", "Invalid syntax for ' not ab ': Token 'ab' is not supported."},
    {"(not ab) and true",
     "Invalid syntax for '(not ab) and true': Token 'ab' is not supported."},
    {"length(ab) eq 1",
     "Invalid syntax for 'length(ab)': Token 'ab' is not supported."},
    {"userId in (ab)",
     "Invalid syntax for 'userId in (ab)': Token 'ab' is not supported."},
    {"'a' in ab", "Invalid syntax for ''a' in ab': Token 'ab' is not "
                  "supported."},
    {"a.b eq 1", "Invalid syntax for 'a.b eq 1': Token 'a.b' is not "
                 "supported."},
    {"Length(groups) eq 1", "Invalid syntax for 'Length(groups)': Token "
                            "'Length(groups)' is not supported."},
    {"1.5 eq 1",
     "Invalid syntax for '1.5 eq 1': Token '1.5' is not supported."},
    {"2147483648 eq 1", "Invalid syntax for '2147483648 eq 1': Token "
                        "'2147483648' is not supported."},
    {"-2147483649 eq 1", "Invalid syntax for '-2147483649 eq 1': Token "
                         "'-2147483649' is not supported."},
    {"2020-01-01 eq 1", "Invalid syntax for '2020-01-01 eq 1': Token "
                        "'2020-01-01' is not supported."},
    {"length(groups) add 1 gt 2",
     "Invalid syntax for 'length(groups) add 1': Token 'add' is not "
     "supported."},
    /* arguments */
    {"length() eq 1",
     "Invalid syntax for 'length()': Invalid token 'length()'."},
    {"length(1) eq 1",
     "Invalid syntax for 'length(1)': Invalid token 'length(1)'."},
    {"length( 'a' , 'b' ) eq 1",
     "Invalid syntax for 'length('a','b')': Invalid token "
     "'length('a','b')'."},
    {"concat('a') eq 'a'",
     "Invalid syntax for 'concat('a')': Invalid token 'concat('a')'."},
    {"substring('a') eq 'a'",
     "Invalid syntax for 'substring('a')': Invalid token 'substring('a')'."},
    {"substring('a',1,1,1) eq 'a'",
     "Invalid syntax for 'substring('a',1,1,1)': Invalid token "
     "'substring('a',1,1,1)'."},
    /* the printed operator: blanks, parentheses */
    {"(userId eq 'a'or userId eq 'b')and connectionId",
     "Invalid syntax for '((userId eq 'a') or (userId eq 'b')) and "
     "connectionId': Type 'string', expect 'bool'."},
    {"'a' in ( 'b', 1 ) and userId",
     "Invalid syntax for '('a' in ( 'b', 1 )) and userId': Type 'string', "
     "expect 'bool'."},
    {"not(not(groups))",
     "Invalid syntax for 'not groups': Type 'collection', expect 'bool'."},
    {"not not userId",
     "Invalid syntax for 'not userId': Type 'string', expect 'bool'."},
};

START_TEST(messages)
{
  const struct refused *r = &refusals[_i];
  const struct wps_filter *f = (const struct wps_filter *)&f;
  char why[1024], expected[1024];

  snprintf(expected, sizeof(expected), "%s (Parameter 'filter')", r->why);
  ck_assert_int_eq(filter_new(str_from(r->text), &f, why, sizeof(why)),
                   WPS_EINVAL);
  ck_assert_str_eq(why, expected);
  ck_assert_ptr_null(f);
}
END_TEST

/* ---- precedence ---- */

static const struct example truths[] = {
    {"true or false and false", 1},
    {"(true or false) and false", 0},
    {"false and false or true", 1},
    {"false and (false or true)", 0},
    {"not true or true", 1},
    {"not (true or true)", 0},
    {"not false and false", 0},
    {"not false eq true", 1},
    {"not false eq false", 0},
    {"1 lt 2 eq true", 1},
    {"1 eq 1 eq true", 1},
    {"1 eq (1 eq true)", 0},
    {"not true in (true)", 0},
    {"not true in (false)", 1},
    {"not (true in (true))", 0},
    {"not not true", 1},
    {"not(true)", 0},
    {"true and\ttrue\r\nand true", 1},
    {"(((true)))", 1},
    {"'a'eq'a'", 1},
};

START_TEST(precedence)
{
  const struct example *e = &truths[_i];

  ck_assert_msg(is_so(e->text, NULL) == (e->who != 0), "%s", e->text);
}
END_TEST

START_TEST(not_binds_tighter_than_in)
{
  const struct wps_filter *f;
  char why[200];

  ck_assert_int_eq(filter_new(STR("not 'g1' in groups"), &f, why, sizeof(why)),
                   WPS_EINVAL);
  ck_assert_str_eq(why, "Invalid syntax for 'not 'g1'': Type 'string', expect "
                        "'bool'. (Parameter 'filter')");
  ck_assert_int_eq(filter_new(STR("not userId eq 'a'"), &f, why, sizeof(why)),
                   WPS_EINVAL);
}
END_TEST

/* ---- functions and nulls, of the user "Ab C" and of nobody ---- */

static const struct example functions[] = {
    /* 1: true for the user, 2: true without one */
    {"tolower(userId) eq 'ab c'", 1},
    {"toupper(userId) eq 'AB C'", 1},
    {"tolower(userId) eq null", 2},
    {"toupper(null) eq null", 3},
    {"trim(userId) eq null", 2},
    {"trim(concat(' ',concat(userId,'\t\n'))) eq 'Ab C'", 1},
    {"trim(' ') eq ''", 3},
    {"trim('\xc2\xa0x\xe3\x80\x80') eq 'x'", 3},
    {"toupper('stra\xc3\x9f\x65 \xc3\xa4') eq 'STRA\xc3\x9f\x45 \xc3\x84'", 3},
    {"tolower('\xc3\x84\xd0\x96') eq '\xc3\xa4\xd0\xb6'", 3},
    {"tolower('I\xc4\xb0') eq 'i\xc4\xb0'", 3},
    {"toupper('i\xc4\xb1') eq 'I\xc4\xb1'", 3},
    {"contains(userId,'b C')", 1},
    {"contains(userId,'B')", 0},
    {"contains(userId,'')", 1},
    {"contains('x',null)", 0},
    {"not contains(null,'x')", 3},
    {"contains('','')", 3},
    {"startswith(userId,'Ab')", 1},
    {"startswith(userId,'b')", 0},
    {"startswith(userId,'Ab C and more')", 0},
    {"startswith('',userId)", 0},
    {"endswith(userId,' C')", 1},
    {"endswith(userId,'Ab')", 0},
    {"endswith(userId,'')", 1},
    {"indexof(userId,'b') eq 1", 1},
    {"indexof(userId,'z') eq -1", 3},
    {"indexof(userId,'z') eq 0", 0},
    {"indexof(null,'z') eq -1", 3},
    {"indexof('z',null) eq -1", 3},
    {"indexof('z','') eq 0", 3},
    {"indexof('\xf0\x9f\x98\x80z','z') eq 2", 3},
    {"length(userId) eq 4", 1},
    {"length(userId) eq null", 2},
    {"length('\xc3\xa9\xf0\x9f\x98\x80') eq 3", 3},
    {"length('') eq 0", 3},
    {"length(groups) eq 0", 3},
    {"concat(userId,'x') eq 'Ab Cx'", 1},
    {"concat(userId,'x') eq 'x'", 2},
    {"concat('x',userId) eq 'x'", 2},
    {"concat(userId,null) eq null", 2},
    {"concat(null,null) eq null", 3},
    {"concat('a','b') eq 'ab'", 3},
    {"substring(userId,1) eq 'b C'", 1},
    {"substring(userId,4) eq ''", 1},
    {"substring(userId,5) eq null", 3},
    {"substring(userId,-1) eq null", 3},
    {"substring(userId,1,2) eq 'b '", 1},
    {"substring(userId,1,0) eq ''", 1},
    {"substring(userId,1,3) eq 'b C'", 1},
    {"substring(userId,1,4) eq null", 3},
    {"substring(userId,1,-1) eq null", 3},
    {"substring(userId,0,2147483647) eq null", 3},
    {"substring(null,0) eq null", 3},
    {"substring('a\xf0\x9f\x98\x80z',3) eq 'z'", 3},
    {"substring('a\xf0\x9f\x98\x80z',1,2) eq '\xf0\x9f\x98\x80'", 3},
    {"length(substring('a\xf0\x9f\x98\x80z',2)) eq 2", 3},
    {"length(substring('a\xf0\x9f\x98\x80z',0,2)) eq 2", 3},
    {"length(substring('\xf0\x9f\x98\x80\xf0\x9f\x98\x80',1,2)) eq 2", 3},
    {"substring('a\xf0\x9f\x98\x80z',2) eq 'z'", 0},
    /* comparing */
    {"userId eq 'Ab C'", 1},
    {"userId eq 'ab c'", 0},
    {"userId ne 'x'", 3},
    {"userId eq 1", 0},
    {"userId ne 1", 3},
    {"1 eq '1'", 0},
    {"1 eq true", 0},
    {"null eq false", 0},
    {"null eq null", 3},
    {"userId eq protocol", 2},
    {"groups eq groups", 3},
    {"groups eq null", 0},
    {"+5 eq 5", 3},
    {"-5 lt -4", 3},
    {"-2147483648 lt 2147483647", 3},
    {"2 gt 1 and 1 ge 1 and 1 le 1 and 1 lt 2", 3},
    {"1 gt 2 or 1 ge 2 or 2 le 1 or 2 lt 1", 0},
    {"length(userId) gt 3", 1},
    {"length(userId) lt 100", 1},
    {"null lt 1", 0},
    {"1 ge null", 0},
    {"not (null lt 1)", 3},
    /* in */
    {"userId in ('x','Ab C')", 1},
    {"userId in (null)", 2},
    {"userId in ()", 0},
    {"null in (null,1)", 3},
    {"1 in ('1',true,1)", 3},
    {"1 in (2,3)", 0},
    {"userId in (concat('Ab',' C'),connectionId)", 1},
    {"'g' in groups", 0},
    {"null in groups", 0},
    {"1 in groups", 0},
    {"userId in groups", 0},
    {"'a' in (groups)", 0},
    /* a type that only some clients have: no match for them */
    {"contains(userId,1)", 0},
    {"not contains(userId,1)", 2},
    {"length(userId) lt 'a'", 0},
    {"false or contains(userId,1) eq false", 2},
    {"true or contains(userId,1)", 3},
};

START_TEST(functions_and_nulls)
{
  const struct example *e = &functions[_i];
  unsigned who = 0;

  if (is_so(e->text, "Ab C"))
    who |= 1;
  if (is_so(e->text, NULL))
    who |= 2;
  ck_assert_msg(who == e->who, "%s: %u", e->text, who);
}
END_TEST

START_TEST(groups_by_value)
{
  struct client c;

  client_make(&c, "c1", "group1", NULL, two_groups);
  ck_assert(matches("userId in groups", &c));
  ck_assert(matches("concat('room',' 2') in groups", &c));
  ck_assert(!matches("connectionId in groups", &c));
  ck_assert(matches("length(groups) eq 2", &c));
  ck_assert(matches("'group1' in GROUPS and not ('Group1' in groups)", &c));
}
END_TEST

/* ---- limits ---- */

struct text {
  char bytes[20000];
  size_t len;
};

static void add(struct text *t, const char *what, unsigned times)
{
  size_t n = strlen(what);

  for (; times > 0; times--) {
    ck_assert_uint_le(t->len + n, sizeof(t->bytes));
    memcpy(t->bytes + t->len, what, n);
    t->len += n;
  }
}

/* NULL: it is accepted; else the end of the sentence. */
static void expect(const struct text *t, const char *why)
{
  const struct wps_filter *f;
  char sentence[4096] = "", end[256];
  int rc = filter_new((struct wps_str){t->bytes, t->len}, &f, sentence,
                      sizeof(sentence));

  if (why == NULL) {
    ck_assert_msg(rc == WPS_OK, "%s", sentence);
    filter_unref(f);
    return;
  }
  ck_assert_int_eq(rc, WPS_EINVAL);
  snprintf(end, sizeof(end), "': %s (Parameter 'filter')", why);
  ck_assert_uint_gt(strlen(sentence), strlen(end));
  ck_assert_str_eq(sentence + strlen(sentence) - strlen(end), end);
  ck_assert_int_eq(strncmp(sentence, "Invalid syntax for '", 20), 0);
  ck_assert_uint_lt(strlen(sentence), 1200);
}

START_TEST(limit_of_operators)
{
  static const char why[] = "The filter has more than 200 operators.";
  struct text t = {.len = 0};

  add(&t, "true", 1);
  add(&t, " or true", 200);
  expect(&t, NULL);
  add(&t, " or true", 1);
  expect(&t, why);
  /* A hundred clauses. */
  t.len = 0;
  add(&t, "startswith(userId,'ab')eq true", 1);
  add(&t, " or startswith(userId,'ab')eq true", 99);
  expect(&t, NULL);
  add(&t, " or not not true", 1);
  expect(&t, why);
}
END_TEST

START_TEST(limit_of_nesting)
{
  static const char why[] = "The filter is nested more than 100 levels deep.";
  static const char *const ways[][3] = {
      {"(", "true", ")"},
      {"not ", "true", ""},
      {"tolower(", "userId", ")"},
  };

  for (size_t i = 0; i < ARRAY_LEN(ways); i++)
    for (unsigned depth = 100; depth <= 101; depth++) {
      struct text t = {.len = 0};

      add(&t, ways[i][0], depth);
      add(&t, ways[i][1], 1);
      add(&t, ways[i][2], depth);
      if (i == 2)
        add(&t, " eq null", 1);
      expect(&t, depth == 100 ? NULL : why);
    }
}
END_TEST

START_TEST(limit_of_length)
{
  static const char why[] = "The filter is longer than 8192 bytes.";
  struct text t = {.len = 0};

  add(&t, "userId eq '", 1);
  add(&t, "\xc3\xa9", 4090);
  add(&t, "'", 1);
  ck_assert_uint_eq(t.len, 8192);
  expect(&t, NULL);
  add(&t, " ", 1);
  expect(&t, why);
}
END_TEST

START_TEST(long_texts_are_cut_in_sentences)
{
  struct text t = {.len = 0};
  char why[4096], small[64];
  const struct wps_filter *f;

  add(&t, "userId eq '", 1);
  add(&t, "\xc3\xa9", 2000);
  add(&t, "' x", 1);
  for (size_t size = 0; size <= sizeof(why); size += size < 300 ? 1 : 97) {
    memset(why, 'x', sizeof(why));
    ck_assert_int_eq(
        filter_new((struct wps_str){t.bytes, t.len}, &f, why, size),
        WPS_EINVAL);
    if (size == 0) {
      ck_assert_int_eq(why[0], 'x');
      continue;
    }
    ck_assert_uint_lt(strlen(why), size);
    ck_assert(utf8_valid(why, strlen(why)));
    if (size >= 200)
      ck_assert_ptr_nonnull(strstr(why, "...'. (Parameter 'filter')"));
  }
  ck_assert_ptr_nonnull(strstr(why, "Syntax error at position 2014 in 'user"));
  ck_assert_int_eq(filter_new(STR("ab"), &f, small, sizeof(small)), WPS_EINVAL);
  ck_assert_uint_lt(strlen(small), sizeof(small));
}
END_TEST

START_TEST(bytes_that_are_no_text)
{
  const struct wps_filter *f;
  char why[300];

  ck_assert_int_eq(filter_new(STR("userId eq '\xff'"), &f, why, sizeof(why)),
                   WPS_EINVAL);
  ck_assert_str_eq(why, "Invalid syntax for 'userId eq '': The filter is not "
                        "UTF-8. (Parameter 'filter')");
  /* A NUL is a character like others inside of a string. */
  f = filter_of(STR("length('a\0b') eq 3"));
  filter_unref(f);
  ck_assert_int_eq(filter_new(STR("true\0"), &f, why, sizeof(why)), WPS_EINVAL);
  ck_assert_str_eq(why, "Invalid syntax for 'true\xef\xbf\xbd': Syntax error "
                        "at position 5 in 'true\xef\xbf\xbd'. (Parameter "
                        "'filter')");
}
END_TEST

/* Names of clients are the clients': nothing is read beyond, whatever is in
 * them. */
START_TEST(clients_with_strange_names)
{
  static const char *const users[] = {"\xff\xc3", "\xf0\x9f\x98", "\x80",
                                      "\xed\xa0\x80x", "\xc4\xb0\xe2\xb1\xa5"};
  static const char *const texts[] = {
      "length(toupper(userId)) gt 0",
      "length(tolower(userId)) gt 0",
      "length(trim(userId)) gt 0",
      "concat(substring(userId,0,1),substring(userId,1)) eq userId",
      "indexof(userId,userId) eq 0",
  };

  for (size_t i = 0; i < ARRAY_LEN(users); i++)
    for (size_t k = 0; k < ARRAY_LEN(texts); k++) {
      char *copy = malloc(strlen(users[i]));
      struct client c;

      ck_assert_ptr_nonnull(copy);
      client_make(&c, "c", NULL, NULL, NULL);
      memcpy(copy, users[i], strlen(users[i]));
      c.facts.user = (struct wps_str){copy, strlen(users[i])};
      matches(texts[k], &c);
      free(copy);
    }
}
END_TEST

/* What functions make for one client is bounded: 64 KiB. */
START_TEST(strings_that_are_made_are_bounded)
{
  struct text t = {.len = 0};
  char *user = malloc(60000);
  const struct wps_filter *f;
  struct client c;

  ck_assert_ptr_nonnull(user);
  memset(user, 'a', 60000);
  client_make(&c, "c", NULL, NULL, NULL);
  c.facts.user = (struct wps_str){user, 60000};
  ck_assert(matches("length(concat(userId,'b')) eq 60001", &c));
  ck_assert(!matches("length(concat(userId,userId)) gt 0", &c));
  ck_assert(!matches("not (concat(userId,userId) eq 'a')", &c));
  /* Of a check only the types count, so that it makes none. */
  add(&t, "length(", 1);
  add(&t, "concat(", 90);
  add(&t, "userId", 1);
  add(&t, ",'b')", 90);
  add(&t, ") eq 90", 1);
  f = filter_of((struct wps_str){t.bytes, t.len});
  c.facts.user = STR_NONE;
  ck_assert(filter_match(f, &c.hub, &c.facts));
  filter_unref(f);
  free(user);
}
END_TEST

/* What they look at for one client is bounded, too, and only that. */
START_TEST(strings_that_are_looked_at_are_bounded)
{
  struct text t = {.len = 0};
  char *user = malloc(4000);
  const struct wps_filter *f;
  struct client c;

  ck_assert_ptr_nonnull(user);
  memset(user, 'a', 4000);
  client_make(&c, "c", NULL, NULL, NULL);
  c.facts.user = (struct wps_str){user, 4000};
  add(&t, "false in (", 1);
  add(&t, "contains(userId,'b'),", 70);
  add(&t, "true) or true", 1);
  f = filter_of((struct wps_str){t.bytes, t.len});
  ck_assert(filter_match(f, &c.hub, &c.facts)); /* the first decides */
  filter_unref(f);
  t.len = 0;
  add(&t, "true in (", 1);
  add(&t, "contains(userId,'b'),", 70);
  add(&t, "true)", 1);
  f = filter_of((struct wps_str){t.bytes, t.len});
  ck_assert(!filter_match(f, &c.hub, &c.facts));
  c.facts.user.len = 3000;
  ck_assert(filter_match(f, &c.hub, &c.facts));
  filter_unref(f);
  free(user);
}
END_TEST

START_TEST(a_list_of_names_has_not_those_without)
{
  struct client c;

  client_make(&c, "c", NULL, NULL, NULL);
  ck_assert(!matches("userId in ('','a')", &c));
  ck_assert(matches("userId in ('',null)", &c));
  client_make(&c, "c", "a", NULL, NULL);
  ck_assert(matches("userId in ('','a')", &c));
  ck_assert(!matches("userId in ('','aa')", &c));
  ck_assert(matches("trim(' \xc2\xa0 x \xe3\x80\x80\xc2\x85 ') eq 'x'", &c));
  ck_assert(matches("trim(' \xe3\x80\x80\xc2\xa0 ') eq ''", &c));
  ck_assert(
      matches("trim('\xc3\xa0\xe2\x82\xac') eq '\xc3\xa0\xe2\x82\xac'", &c));
}
END_TEST

START_TEST(references)
{
  const struct wps_filter *f = filter_of(STR("true"));

  ck_assert_ptr_eq(filter_ref(f), f);
  filter_unref(f);
  filter_unref(f);
  ck_assert_ptr_null(filter_ref(NULL));
  filter_unref(NULL);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("filter");
  TCase *tc = tcase_create("filter");
  SRunner *runner;
  int failed;

  tcase_add_loop_test(tc, s85_examples_select, 0, ARRAY_LEN(examples));
  tcase_add_loop_test(tc, messages, 0, ARRAY_LEN(refusals));
  tcase_add_loop_test(tc, precedence, 0, ARRAY_LEN(truths));
  tcase_add_test(tc, not_binds_tighter_than_in);
  tcase_add_loop_test(tc, functions_and_nulls, 0, ARRAY_LEN(functions));
  tcase_add_test(tc, groups_by_value);
  tcase_add_test(tc, limit_of_operators);
  tcase_add_test(tc, limit_of_nesting);
  tcase_add_test(tc, limit_of_length);
  tcase_add_test(tc, long_texts_are_cut_in_sentences);
  tcase_add_test(tc, bytes_that_are_no_text);
  tcase_add_test(tc, clients_with_strange_names);
  tcase_add_test(tc, strings_that_are_made_are_bounded);
  tcase_add_test(tc, strings_that_are_looked_at_are_bounded);
  tcase_add_test(tc, a_list_of_names_has_not_those_without);
  tcase_add_test(tc, references);
  suite_add_tcase(suite, tc);
  runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
