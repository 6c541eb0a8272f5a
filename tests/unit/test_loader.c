/* SPDX-License-Identifier: Apache-2.0 */
/* plug/loader: each refusal with its sentence. The plugins are those of
 * tests/fixtures, as built below top_builddir. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "plug/plugin.h"

static const struct wps_host host = {
    .struct_size = sizeof(host),
    .abi_major = WPS_ABI_MAJOR,
    .abi_minor = WPS_ABI_MINOR,
    .server_version = "test",
};

static char folder[1024];

static char *fixture(const char *name)
{
  return str_printf("%s/%s.so", folder, name);
}

static void expect_refused(const char *path, const char *sentence)
{
  struct loaded l;
  char why[1024] = "", *expected = str_printf("%s: %s", path, sentence);

  ck_assert(!loader_open(path, &host, &l, why, sizeof(why)));
  ck_assert_msg(strncmp(why, expected, strlen(expected)) == 0,
                "expected: %s\ngot: %s", expected, why);
  ck_assert_ptr_null(strchr(why, '\n'));
  ck_assert_ptr_null(l.plugin);
  free(expected);
}

static const struct {
  const char *name, *sentence;
} bad[] = {
    {"missing", "no such file; install the plugin or correct the path"},
    {"bad-major", "built for ABI 2.0, this server has 1.0; rebuild the plugin "
                  "against the installed headers"},
    {"bad-next", "built for ABI 2, this server has 1.0; rebuild the plugin "
                 "against the installed headers"},
    {"bad-minor", "needs ABI 1.7, this server has 1.0; install a newer server "
                  "or rebuild the plugin against its headers"},
    {"bad-symbol", "exports no webpubsub_plugin_v1; "},
    {"bad-callbacks", "component auth-bad has no authenticate(), which every "
                      "auth needs"},
    {"bad-destroy",
     "component http-bad has no destroy(), which every http needs"},
    {"bad-kind", "component \"bad\" is of kind 4, which this server (ABI 1.0) "
                 "does not know"},
};

START_TEST(test_bad_fixture)
{
  char *path = fixture(bad[_i].name);

  expect_refused(path, bad[_i].sentence);
  free(path);
}
END_TEST

START_TEST(test_good_fixture)
{
  char *path = fixture("http-control"), why[256];
  struct loaded a, b;

  ck_assert_msg(loader_open(path, &host, &a, why, sizeof(why)), "%s", why);
  ck_assert_str_eq(a.path, path);
  ck_assert_str_eq(a.plugin->name, "http-control");
  ck_assert_ptr_eq(*a.plugin->host, &host);
  ck_assert_ptr_nonnull(plugin_component(a.plugin, "http-control"));
  ck_assert_ptr_null(plugin_component(a.plugin, "http-contro"));
  ck_assert_ptr_null(plugin_component(a.plugin, "http-controls"));
  ck_assert_ptr_null(plugin_component(a.plugin, "auth-control"));
  ck_assert_ptr_null(plugin_component(a.plugin, "control"));
  ck_assert_msg(loader_open(path, &host, &b, why, sizeof(why)), "%s", why);
  ck_assert_ptr_eq(a.plugin, b.plugin);
  free(a.path);
  free(b.path);
  free(path);
}
END_TEST

static char copied[64]; /* the copy */

/* A copy in a folder of its own, with these permissions. */
static void copy(const char *name, mode_t mode)
{
  char dir[] = "/tmp/wps-loader-XXXXXX";
  char *from = fixture(name), block[65536];
  FILE *in, *out;
  size_t n;

  ck_assert_ptr_nonnull(mkdtemp(dir));
  snprintf(copied, sizeof(copied), "%s/copy.so", dir);
  in = fopen(from, "rb");
  out = fopen(copied, "wb");
  ck_assert(in != NULL && out != NULL);
  while ((n = fread(block, 1, sizeof(block), in)) > 0)
    ck_assert_uint_eq(fwrite(block, 1, n, out), n);
  fclose(in);
  ck_assert_int_eq(fclose(out), 0);
  ck_assert_int_eq(chmod(copied, mode), 0);
  free(from);
}

static void copy_remove(void)
{
  unlink(copied);
  *strrchr(copied, '/') = '\0';
  rmdir(copied);
}

START_TEST(test_permissions)
{
  char *sentence, why[256];
  struct loaded l;

  copy("http-control", 0777);
  sentence = str_printf("writable by everybody; run: chmod go-w %s", copied);
  expect_refused(copied, sentence);
  free(sentence);
  ck_assert_int_eq(chmod(copied, 0775), 0);
  sentence = str_printf("writable by its group; run: chmod go-w %s", copied);
  expect_refused(copied, sentence);
  free(sentence);
  ck_assert_int_eq(chmod(copied, 0755), 0);
  ck_assert_msg(loader_open(copied, &host, &l, why, sizeof(why)), "%s", why);
  free(l.path);
  if (geteuid() == 0) {
    ck_assert_int_eq(chown(copied, 12345, (gid_t)-1), 0);
    expect_refused(copied, "owned by user 12345; it must belong to root or to "
                           "the user that runs the server");
  }
  copy_remove();
}
END_TEST

START_TEST(test_no_library)
{
  char *expected;
  FILE *f;

  copy("http-control", 0644);
  f = fopen(copied, "wb");
  ck_assert_ptr_nonnull(f);
  fputs("this is no library\n", f);
  fclose(f);
  expect_refused(copied, "cannot be loaded: ");
  copy_remove();
  expect_refused(folder, "not a regular file");
  expected = str_printf("%s/none/none.so", folder);
  expect_refused(expected, "no such file");
  free(expected);
}
END_TEST

START_TEST(test_kind_names)
{
  ck_assert_str_eq(kind_name(WPS_KIND_SUBPROTOCOL), "subprotocol");
  ck_assert_str_eq(kind_name(WPS_KIND_AUTH), "auth");
  ck_assert_str_eq(kind_name(WPS_KIND_UPSTREAM), "upstream");
  ck_assert_str_eq(kind_name(WPS_KIND_HTTP), "http");
  ck_assert_ptr_null(kind_name(0));
  ck_assert_ptr_null(kind_name(4));
}
END_TEST

int main(void)
{
  const char *build = getenv("top_builddir");
  Suite *s = suite_create("loader");
  TCase *tc = tcase_create("loader");
  SRunner *sr;
  int failed;

  snprintf(folder, sizeof(folder), "%s/tests/fixtures/.libs",
           build != NULL ? build : ".");
  tcase_add_loop_test(tc, test_bad_fixture, 0, ARRAY_LEN(bad));
  tcase_add_test(tc, test_good_fixture);
  tcase_add_test(tc, test_permissions);
  tcase_add_test(tc, test_no_library);
  tcase_add_test(tc, test_kind_names);
  suite_add_tcase(s, tc);
  sr = srunner_create(s);
  srunner_run_all(sr, CK_NORMAL);
  failed = srunner_ntests_failed(sr);
  srunner_free(sr);
  return failed != 0;
}
