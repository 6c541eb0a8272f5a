/* SPDX-License-Identifier: Apache-2.0 */
/* For tests that need a request: from the text of its head. */
#ifndef WPS_TESTS_UNIT_HTTP_HELPER_H
#define WPS_TESTS_UNIT_HTTP_HELPER_H

#include <check.h>
#include <string.h>

#include "base/str.h"
#include "http/request.h"

/* NULL with the status in *status when it is refused. */
static inline struct wps_request *request_from(const char *text,
                                               uint32_t *status)
{
  static const struct http_limits limits = {16384, 16384, 100};
  struct http_head head;
  const char *why = "";
  size_t used = 0;
  enum http_head_result r =
      http_head_parse(text, strlen(text), &limits, &head, &used, status, &why);

  ck_assert_msg(r == HTTP_HEAD_DONE, "%s", why);
  ck_assert_uint_eq(used, strlen(text));
  return request_new(&head, STR("192.0.2.1:5000"), STR("0.0.0.0:80"), false,
                     status, &why);
}

static inline bool str_is(struct wps_str s, const char *text)
{
  return s.ptr != NULL && str_eq_c(s, text);
}

#endif
