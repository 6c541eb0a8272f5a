/* SPDX-License-Identifier: Apache-2.0 */
/* Roles and patterns: azure-client.md 3, checklist C-36 to C-41, C-44. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "hub/roles.h"

static struct wps_str s(const char *text)
{
  return str_from(text);
}

struct skipped {
  size_t count;
  char last[64];
};

static void on_skipped(void *arg, struct wps_str role, const char *why)
{
  struct skipped *k = arg;

  (void)role;
  k->count++;
  snprintf(k->last, sizeof(k->last), "%s", why);
}

static struct roles with(const char *role, struct skipped *k)
{
  struct roles r = {0};
  struct wps_str one = s(role);

  memset(k, 0, sizeof(*k));
  ck_assert_int_eq(roles_set(&r, &one, 1, on_skipped, k), WPS_OK);
  return r;
}

static bool may(const char *role, uint32_t action, const char *group)
{
  struct skipped k;
  struct roles r = with(role, &k);
  bool yes = roles_allow(&r, action, group != NULL ? s(group) : STR_NONE);

  roles_free(&r);
  return yes;
}

START_TEST(c36_one_permission_is_not_the_other)
{
  ck_assert(may("webpubsub.joinLeaveGroup", WPS_ACT_JOIN, "a"));
  ck_assert(!may("webpubsub.joinLeaveGroup", WPS_ACT_PUBLISH, "a"));
  ck_assert(may("webpubsub.sendToGroup", WPS_ACT_PUBLISH, "a"));
  ck_assert(!may("webpubsub.sendToGroup", WPS_ACT_JOIN, "a"));
  ck_assert(!may("webpubsub.sendtogroup", WPS_ACT_PUBLISH, "a"));
  ck_assert(!may("nonsense", WPS_ACT_PUBLISH, "a"));
}
END_TEST

START_TEST(c37_a_literal_takes_all_behind_the_second_dot)
{
  ck_assert(may("webpubsub.sendToGroup.a.b", WPS_ACT_PUBLISH, "a.b"));
  ck_assert(!may("webpubsub.sendToGroup.a.b", WPS_ACT_PUBLISH, "a"));
  ck_assert(!may("webpubsub.sendToGroup.a.b", WPS_ACT_PUBLISH, NULL));
}
END_TEST

START_TEST(c38_stars_and_dots)
{
  ck_assert(may("webpubsub.sendToGroups.chat-*", WPS_ACT_PUBLISH, "chat-1"));
  ck_assert(may("webpubsub.sendToGroups.chat-*", WPS_ACT_PUBLISH, "chat-"));
  ck_assert(!may("webpubsub.sendToGroups.chat-*", WPS_ACT_PUBLISH, "chat-1.x"));
  ck_assert(may("webpubsub.sendToGroups.chat-**", WPS_ACT_PUBLISH, "chat-1.x"));
  ck_assert(may("webpubsub.joinLeaveGroups.**", WPS_ACT_JOIN, NULL));
}
END_TEST

START_TEST(c40_invalid_patterns_are_passed_over)
{
  static const char *const bad[] = {
      "webpubsub.sendToGroups.*a*b*c*d*e*", "webpubsub.sendToGroups.a\\",
      "webpubsub.sendToGroups.", "webpubsub.sendToGroups.a\\b"};

  for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
    struct skipped k;
    struct roles r = with(bad[i], &k);

    ck_assert_uint_eq(k.count, 1);
    ck_assert(!roles_allow(&r, WPS_ACT_PUBLISH, s("a")));
    roles_free(&r);
  }
}
END_TEST

START_TEST(c41_the_singular_form_knows_no_wildcards)
{
  ck_assert(may("webpubsub.sendToGroup.chat-*", WPS_ACT_PUBLISH, "chat-*"));
  ck_assert(!may("webpubsub.sendToGroup.chat-*", WPS_ACT_PUBLISH, "chat-1"));
}
END_TEST

START_TEST(state_roles_have_patterns_without_a_plural)
{
  ck_assert(may("webpubsub.setGroupState.a*", WPS_ACT_SET_STATE, "ab"));
  ck_assert(may("webpubsub.getGroupState", WPS_ACT_GET_STATE, "ab"));
  ck_assert(!may("webpubsub.getGroupState", WPS_ACT_SET_STATE, "ab"));
}
END_TEST

struct match_case {
  const char *pattern, *text;
  bool match;
};

static const struct match_case cases[] = {
    {"clientA.*", "clientA.x", true},
    {"clientA.*", "clientA.x.y", false},
    {"clientA.*", "clientA", false},
    {"clientA.**", "clientA.x", true},
    {"clientA.**", "clientA.x.y", true},
    {"clientA.rooms.?1", "clientA.rooms.a1", true},
    {"clientA.rooms.?1", "clientA.rooms..1", false},
    {"clientA.rooms.?1", "clientA.rooms.ab1", false},
    {"literal\\*star", "literal*star", true},
    {"literal\\*star", "literalXstar", false},
    {"a?c",
     "a\xc3\xa9"
     "c",
     true},
    {"*.b.*", "a.b.c", true},
    {"*.b.*", "x.a.b.c", false},
    {"**.b.*", "x.a.b.c", true},
    {"**.b.*", "x.b.a.b.c", true},
    {"**b*c", "a.b.b.xc", false},
    {"**b*c", "a.b.bxc", true},
    {"*a*b", "xaxxab", true},
    {"***", "a.b", true},
    {"**", "", true},
    {"*", "", true},
    {"?", "", false},
    {"\\?\\\\", "?\\", true},
};

START_TEST(pattern_language)
{
  const struct match_case *c = &cases[_i];
  const char *why;

  ck_assert(role_pattern_ok(s(c->pattern), &why));
  ck_assert_msg(role_pattern_match(s(c->pattern), s(c->text)) == c->match,
                "%s against %s", c->pattern, c->text);
}
END_TEST

/* The matcher against the obvious recursive one on all short strings. */
static bool slow_match(const char *p, const char *t)
{
  if (*p == '\0')
    return *t == '\0';
  if (*p == '*') {
    const char *q = p;
    bool all;

    while (*q == '*')
      q++;
    all = q - p >= 2;
    for (;; t++) {
      if (slow_match(q, t))
        return true;
      if (*t == '\0' || (!all && *t == '.'))
        return false;
    }
  }
  if (*t == '\0')
    return false;
  if (*p == '?')
    return *t != '.' && slow_match(p + 1, t + 1);
  return *p == *t && slow_match(p + 1, t + 1);
}

static void nth(uint32_t n, const char *letters, char *out)
{
  size_t base = strlen(letters), len = 0;

  for (; n != 0; n /= (uint32_t)base)
    out[len++] = letters[n % base];
  out[len] = '\0';
}

START_TEST(matcher_agrees_with_the_obvious_one)
{
  char p[16], t[16];
  const char *why;

  for (uint32_t i = 1; i < 1500; i++) {
    nth(i, "a.*?b", p);
    if (!role_pattern_ok(s(p), &why))
      continue;
    for (uint32_t k = 0; k < 121; k++) {
      nth(k, ".ab", t);
      ck_assert_msg(role_pattern_match(s(p), s(t)) == slow_match(p, t),
                    "%s against %s", p, t);
    }
  }
}
END_TEST

START_TEST(c44_grant_and_revoke)
{
  struct skipped k;
  struct roles r = with("webpubsub.sendToGroups.chat-*", &k);

  ck_assert_int_eq(roles_revoke(&r, WPS_ACT_PUBLISH, s("chat-1")), WPS_OK);
  ck_assert(!roles_allow(&r, WPS_ACT_PUBLISH, s("chat-1")));
  ck_assert(roles_allow(&r, WPS_ACT_PUBLISH, s("chat-2")));
  /* Granting takes the denial away; the pattern holds again. */
  ck_assert_int_eq(roles_grant(&r, WPS_ACT_PUBLISH, s("chat-1")), WPS_OK);
  ck_assert(roles_allow(&r, WPS_ACT_PUBLISH, s("chat-1")));
  ck_assert_int_eq(roles_revoke(&r, WPS_ACT_PUBLISH, STR_NONE), WPS_OK);
  ck_assert(!roles_allow(&r, WPS_ACT_PUBLISH, s("chat-2")));
  ck_assert_int_eq(roles_grant(&r, WPS_ACT_PUBLISH, s("a")), WPS_OK);
  ck_assert(roles_allow(&r, WPS_ACT_PUBLISH, s("a")));
  ck_assert(!roles_allow(&r, WPS_ACT_PUBLISH, s("b")));
  ck_assert(!roles_allow(&r, WPS_ACT_JOIN, s("a")));
  ck_assert_int_eq(roles_grant(&r, WPS_ACT_PUBLISH, STR_NONE), WPS_OK);
  ck_assert(roles_allow(&r, WPS_ACT_PUBLISH, s("b")));
  ck_assert_int_eq(roles_revoke(&r, WPS_ACT_PUBLISH, s("b")), WPS_OK);
  ck_assert(!roles_allow(&r, WPS_ACT_PUBLISH, s("b")));
  ck_assert_int_eq(roles_grant(&r, 99, STR_NONE), WPS_EINVAL);
  roles_free(&r);
}
END_TEST

START_TEST(counts_are_bounded)
{
  enum { MANY = 1002 };
  static char text[MANY][48];
  static struct wps_str all[MANY + 12];
  struct skipped k = {0};
  struct roles r = {0};
  size_t n = 0;

  for (size_t i = 0; i < MANY; i++) {
    snprintf(text[i], sizeof(text[i]), "webpubsub.sendToGroup.g%zu", i);
    all[n++] = s(text[i]);
  }
  for (size_t i = 0; i < 12; i++)
    all[n++] = s("webpubsub.joinLeaveGroups.x*");
  ck_assert_int_eq(roles_set(&r, all, n, on_skipped, &k), WPS_OK);
  ck_assert_uint_eq(k.count, 4);
  ck_assert(roles_allow(&r, WPS_ACT_PUBLISH, s("g999")));
  ck_assert(!roles_allow(&r, WPS_ACT_PUBLISH, s("g1000")));
  ck_assert_int_eq(roles_grant(&r, WPS_ACT_PUBLISH, s("one more")), WPS_ELIMIT);
  roles_free(&r);
}
END_TEST

/* azure-server.md 7.12: over the limit nothing is changed; taking away what
 * nobody has takes no room, so that it works also then. */
START_TEST(a_full_list_of_grants)
{
  struct roles r = {0};
  char name[16];

  for (unsigned i = 0; i < 2 * ROLES_LITERALS_MAX; i++) {
    snprintf(name, sizeof(name), "no%u", i);
    ck_assert_int_eq(roles_revoke(&r, WPS_ACT_JOIN, s(name)), WPS_OK);
  }
  for (unsigned i = 0; i < ROLES_LITERALS_MAX; i++) {
    snprintf(name, sizeof(name), "g%u", i);
    ck_assert_int_eq(roles_grant(&r, WPS_ACT_JOIN, s(name)), WPS_OK);
  }
  ck_assert_int_eq(roles_grant(&r, WPS_ACT_JOIN, s("more")), WPS_ELIMIT);
  ck_assert(!roles_allow(&r, WPS_ACT_JOIN, s("more")));
  ck_assert_int_eq(roles_revoke(&r, WPS_ACT_JOIN, s("more")), WPS_OK);
  ck_assert_int_eq(roles_grant(&r, WPS_ACT_JOIN, s("g7")), WPS_OK);
  ck_assert_int_eq(roles_grant(&r, WPS_ACT_PUBLISH, s("more")), WPS_OK);
  for (unsigned i = 0; i < ROLES_LITERALS_MAX; i++) {
    snprintf(name, sizeof(name), "g%u", i);
    ck_assert(roles_allow(&r, WPS_ACT_JOIN, s(name)));
  }
  /* Room for one again. */
  ck_assert_int_eq(roles_revoke(&r, WPS_ACT_JOIN, s("g7")), WPS_OK);
  ck_assert_int_eq(roles_grant(&r, WPS_ACT_JOIN, s("more")), WPS_OK);
  ck_assert(roles_allow(&r, WPS_ACT_JOIN, s("more")));
  ck_assert(!roles_allow(&r, WPS_ACT_JOIN, s("g7")));
  roles_free(&r);
}
END_TEST

/* A literal decides against the role, until it is granted again. */
START_TEST(a_denial_of_what_a_role_allows)
{
  struct skipped k;
  struct roles r = with("webpubsub.sendToGroup", &k);

  ck_assert_int_eq(roles_revoke(&r, WPS_ACT_PUBLISH, s("g")), WPS_OK);
  ck_assert_int_eq(roles_revoke(&r, WPS_ACT_PUBLISH, s("g")), WPS_OK);
  ck_assert(!roles_allow(&r, WPS_ACT_PUBLISH, s("g")));
  ck_assert(roles_allow(&r, WPS_ACT_PUBLISH, s("h")));
  ck_assert_int_eq(roles_grant(&r, WPS_ACT_PUBLISH, s("g")), WPS_OK);
  ck_assert_int_eq(roles_grant(&r, WPS_ACT_PUBLISH, s("g")), WPS_OK);
  ck_assert(roles_allow(&r, WPS_ACT_PUBLISH, s("g")));
  ck_assert_int_eq(roles_revoke(&r, WPS_ACT_PUBLISH, s("g")), WPS_OK);
  ck_assert(!roles_allow(&r, WPS_ACT_PUBLISH, s("g")));
  roles_free(&r);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("roles");
  TCase *tc = tcase_create("roles");
  SRunner *runner;
  int failed;

  tcase_add_test(tc, c36_one_permission_is_not_the_other);
  tcase_add_test(tc, c37_a_literal_takes_all_behind_the_second_dot);
  tcase_add_test(tc, c38_stars_and_dots);
  tcase_add_test(tc, c40_invalid_patterns_are_passed_over);
  tcase_add_test(tc, c41_the_singular_form_knows_no_wildcards);
  tcase_add_test(tc, state_roles_have_patterns_without_a_plural);
  tcase_add_loop_test(tc, pattern_language, 0, (int)ARRAY_LEN(cases));
  tcase_add_test(tc, matcher_agrees_with_the_obvious_one);
  tcase_add_test(tc, c44_grant_and_revoke);
  tcase_add_test(tc, counts_are_bounded);
  tcase_add_test(tc, a_full_list_of_grants);
  tcase_add_test(tc, a_denial_of_what_a_role_allows);
  suite_add_tcase(suite, tc);
  runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
