/* SPDX-License-Identifier: Apache-2.0 */
/* Durations, sizes, secrets and suggestions. */
#include "conf_helper.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "conf/internal.h"

struct unit_case {
  const char *text;
  int64_t value; /* -1: refused */
};

START_TEST(durations)
{
  static const struct unit_case cases[] = {
      {"0", 0},
      {"0s", 0},
      {"250ms", 250},
      {"30s", 30000},
      {"5m", 300000},
      {"2h", 7200000},
      {"007s", 7000},
      {"9223372036854775807ms", INT64_MAX},
      {"1", -1},
      {"30", -1},
      {"", -1},
      {"s", -1},
      {"-1s", -1},
      {"+1s", -1},
      {"1.5s", -1},
      {"1 s", -1},
      {" 1s", -1},
      {"1s ", -1},
      {"1S", -1},
      {"1MS", -1},
      {"1d", -1},
      {"1sec", -1},
      {"1ms1", -1},
      {"0x1s", -1},
      {"9223372036854775807s", -1},
      {"9223372036854775808ms", -1},
      {"99999999999999999999999ms", -1},
      {"2562047788015216h", -1},
  };
  size_t i;

  for (i = 0; i < ARRAY_LEN(cases); i++) {
    int64_t got = -1;
    bool good = parse_duration(str_from(cases[i].text), &got);

    ck_assert_msg(good == (cases[i].value >= 0), "%s", cases[i].text);
    ck_assert_msg(got == cases[i].value, "%s", cases[i].text);
  }
}
END_TEST

/* azure-client.md C-63: the sizes of limits are powers of two. */
START_TEST(C_63_sizes)
{
  static const struct unit_case cases[] = {
      {"0", 0},
      {"1", 1},
      {"512", 512},
      {"64k", 65536},
      {"1m", 1048576},
      {"1M", 1048576},
      {"2g", 2147483648},
      {"9223372036854775807", INT64_MAX},
      {"8589934591g", 9223372035781033984},
      {"8589934592g", -1},
      {"9223372036854775808", -1},
      {"", -1},
      {"k", -1},
      {"-1", -1},
      {"1.5m", -1},
      {"1mb", -1},
      {"1MiB", -1},
      {"1 m", -1},
      {"1ms", -1},
      {"1e3", -1},
      {"000000000000000000000000000000001m", -1},
  };
  size_t i;

  for (i = 0; i < ARRAY_LEN(cases); i++) {
    int64_t got = -1;
    bool good = parse_size(str_from(cases[i].text), &got);

    ck_assert_msg(good == (cases[i].value >= 0), "%s", cases[i].text);
    ck_assert_msg(got == cases[i].value, "%s", cases[i].text);
  }
}
END_TEST

START_TEST(units_as_text)
{
  char out[32];

  units_duration_text(0, out, sizeof(out));
  ck_assert_str_eq(out, "0");
  units_duration_text(1500, out, sizeof(out));
  ck_assert_str_eq(out, "1500ms");
  units_duration_text(60000, out, sizeof(out));
  ck_assert_str_eq(out, "1m");
  units_duration_text(7200000, out, sizeof(out));
  ck_assert_str_eq(out, "2h");
  units_size_text(0, out, sizeof(out));
  ck_assert_str_eq(out, "0");
  units_size_text(1000, out, sizeof(out));
  ck_assert_str_eq(out, "1000");
  units_size_text(16 * 1024 * 1024, out, sizeof(out));
  ck_assert_str_eq(out, "16m");
}
END_TEST

static char path[64];

static void write_secret(const void *bytes, size_t len, mode_t mode)
{
  FILE *file;

  snprintf(path, sizeof(path), "/tmp/test-conf-XXXXXX");
  file = fdopen(mkstemp(path), "w");
  ck_assert_ptr_nonnull(file);
  ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
  ck_assert_int_eq(fclose(file), 0);
  ck_assert_int_eq(chmod(path, mode), 0);
}

/* `want` NULL: refused with `why`, where %s is the path. */
static void expect_secret(const char *text, const char *want, const char *why)
{
  char got_why[512] = "", want_why[512], *got;
  size_t len;
  bool good =
      parse_secret(str_from(text), &got, &len, got_why, sizeof(got_why));

  if (want != NULL) {
    ck_assert_msg(good, "%s", got_why);
    ck_assert_uint_eq(len, strlen(want));
    ck_assert_str_eq(got, want);
  } else {
    ck_assert(!good);
    ck_assert_ptr_null(got);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(want_why, sizeof(want_why), why, path);
#pragma GCC diagnostic pop
    ck_assert_str_eq(got_why, want_why);
  }
  free(got);
}

static void expect_secret_file(const void *bytes, size_t len, mode_t mode,
                               const char *want, const char *why)
{
  char text[80];

  write_secret(bytes, len, mode);
  snprintf(text, sizeof(text), "file:%s", path);
  expect_secret(text, want, why);
  unlink(path);
}

START_TEST(secrets_from_files)
{
  static char large[64 * 1024 + 1];

  memset(large, 'x', sizeof(large));
  expect_secret_file("abc", 3, 0600, "abc", NULL);
  expect_secret_file("abc\n", 4, 0640, "abc", NULL);
  expect_secret_file("abc\r\n", 5, 0400, "abc", NULL);
  /* One line end belongs to the file, white space may belong to the secret. */
  expect_secret_file(" abc \n\n", 7, 0600, " abc \n", NULL);
  expect_secret_file("", 0, 0600, NULL, "the file %s is empty");
  expect_secret_file("\n", 1, 0600, NULL, "the file %s is empty");
  expect_secret_file("a\0b", 3, 0600, NULL, "the file %s holds a NUL byte");
  expect_secret_file("abc", 3, 0644, NULL,
                     "%s is open to everybody (mode 644); take that away with "
                     "chmod o-rwx");
  expect_secret_file("abc", 3, 0602, NULL,
                     "%s is open to everybody (mode 602); take that away with "
                     "chmod o-rwx");
  expect_secret_file(large, sizeof(large), 0600, NULL,
                     "%s is larger than 65536 bytes");
  expect_secret("file:/nonexistent/key", NULL,
                "cannot read the file /nonexistent/key: No such file or "
                "directory");
  expect_secret("file:/tmp", NULL, "/tmp is not a regular file");
  expect_secret("file:/dev/null", NULL, "/dev/null is not a regular file");
  expect_secret("file:", NULL, "no file is named after file:");
}
END_TEST

START_TEST(secret_in_a_pipe_does_not_hang)
{
  char text[80];

  snprintf(path, sizeof(path), "/tmp/test-conf-pipe-%d", (int)getpid());
  ck_assert_int_eq(mkfifo(path, 0600), 0);
  snprintf(text, sizeof(text), "file:%s", path);
  expect_secret(text, NULL, "%s is not a regular file");
  unlink(path);
}
END_TEST

START_TEST(secrets_from_elsewhere)
{
  setenv("TEST_CONF_SECRET", "from outside", 1);
  setenv("TEST_CONF_EMPTY", "", 1);
  unsetenv("TEST_CONF_NONE");
  expect_secret("env:TEST_CONF_SECRET", "from outside", NULL);
  expect_secret("env:TEST_CONF_EMPTY", NULL,
                "the environment variable TEST_CONF_EMPTY is empty");
  expect_secret("env:TEST_CONF_NONE", NULL,
                "the environment variable TEST_CONF_NONE is not set");
  expect_secret("env:", NULL, "no variable is named after env:");
  expect_secret("itself", "itself", NULL);
  expect_secret("ENV:itself", "ENV:itself", NULL);
  expect_secret("", "", NULL);
}
END_TEST

static void expect_within(const char *text, const char *value,
                          const char *fault)
{
  char why[512] = "", *out = NULL;
  size_t len = 0;
  bool good = parse_secrets_within((struct wps_str){text, strlen(text)}, &out,
                                   &len, why, sizeof(why));

  ck_assert_msg(good == (value != NULL), "%s: %s", text, why);
  if (!good) {
    ck_assert_str_eq(why, fault);
    return;
  }
  ck_assert_str_eq(out, value);
  ck_assert_uint_eq(len, strlen(value));
  free(out);
}

START_TEST(secrets_within_a_text)
{
  setenv("TEST_CONF_SECRET", "a${env:TEST_CONF_SECRET}b", 1);
  unsetenv("TEST_CONF_NONE");
  expect_within("", "", NULL);
  expect_within("http://h/{event}?code=$x", "http://h/{event}?code=$x", NULL);
  expect_within("${x} ${env ${file", "${x} ${env ${file", NULL);
  expect_within("${env:NOT_CLOSED", "${env:NOT_CLOSED", NULL);
  /* What comes in is not looked at again. */
  expect_within("<${env:TEST_CONF_SECRET}>", "<a${env:TEST_CONF_SECRET}b>",
                NULL);
  expect_within("${env:TEST_CONF_NONE}", NULL,
                "the environment variable TEST_CONF_NONE is not set");
  expect_within("x${env:}", NULL, "no variable is named after env:");
  expect_within("x${file:}", NULL, "no file is named after file:");
}
END_TEST

START_TEST(suggestions)
{
  static const char *const known[] = {"anonymous", "ping_interval",
                                      "event_handlers", "url", "tls"};
  static const char *const cases[][2] = {
      {"anonymus", "anonymous"},
      {"anonymuos", "anonymous"},
      {"Anonymous", "anonymous"},
      {"pingInterval", "ping_interval"},
      {"ping-interval", "ping_interval"},
      {"ping_intervall", "ping_interval"},
      {"event_handler", "event_handlers"},
      {"handlers", NULL},
      {"ulr", "url"},
      {"uri", "url"},
      {"tsl", "tls"},
      {"u", NULL},
      {"xyz", NULL},
      {"", NULL},
      {"wholly_different", NULL},
  };
  char longer[200];
  size_t i;

  for (i = 0; i < ARRAY_LEN(cases); i++) {
    const char *got = nearest(str_from(cases[i][0]), known, ARRAY_LEN(known));

    if (cases[i][1] == NULL)
      ck_assert_msg(got == NULL, "%s: %s", cases[i][0], got);
    else
      ck_assert_msg(got != NULL && strcmp(got, cases[i][1]) == 0, "%s",
                    cases[i][0]);
  }
  memset(longer, 'a', sizeof(longer));
  ck_assert_ptr_null(nearest((struct wps_str){longer, sizeof(longer)}, known,
                             ARRAY_LEN(known)));
  ck_assert_ptr_null(nearest(STR("anonymous"), NULL, 0));
}
END_TEST

int main(void)
{
  Suite *s = suite_create("conf_units");
  TCase *t = tcase_create("all");

  tcase_add_test(t, durations);
  tcase_add_test(t, C_63_sizes);
  tcase_add_test(t, units_as_text);
  tcase_add_test(t, secrets_from_files);
  tcase_add_test(t, secret_in_a_pipe_does_not_hang);
  tcase_add_test(t, secrets_from_elsewhere);
  tcase_add_test(t, secrets_within_a_text);
  tcase_add_test(t, suggestions);
  suite_add_tcase(s, t);
  return run_suite(s);
}
