/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the configuration share. */
#ifndef WPS_TESTS_UNIT_CONF_HELPER_H
#define WPS_TESTS_UNIT_CONF_HELPER_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "conf/config.h"

/* The document of a text, called "t.yaml", and its faults. */
struct parsed {
  struct faults *faults;
  struct document *doc;
};

static inline struct parsed parse_bytes(const char *text, size_t len)
{
  struct parsed p;

  p.faults = faults_new();
  ck_assert_ptr_nonnull(p.faults);
  p.doc = document_parse("t.yaml", text, len, p.faults);
  ck_assert_ptr_nonnull(p.doc);
  return p;
}

static inline struct parsed parse(const char *text)
{
  return parse_bytes(text, strlen(text));
}

static inline void parsed_free(struct parsed *p)
{
  document_free(p->doc);
  faults_free(p->faults);
}

static inline void expect_faults(const struct faults *f, const char *text)
{
  char *got = faults_text(f);

  ck_assert_ptr_nonnull(got);
  ck_assert_str_eq(got, text);
  free(got);
}

/* The text has exactly these faults. */
static inline void expect_text_faults(const char *text, const char *faults)
{
  struct parsed p = parse(text);

  expect_faults(p.faults, faults);
  parsed_free(&p);
}

static inline void expect_str(struct wps_str got, const char *want)
{
  ck_assert_uint_eq(got.len, strlen(want));
  if (got.len > 0)
    ck_assert_mem_eq(got.ptr, want, got.len);
}

static inline int run_suite(Suite *suite)
{
  SRunner *runner = srunner_create(suite);
  int failed;

  srunner_run_all(runner, CK_ENV);
  failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}

#endif
