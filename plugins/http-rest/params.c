/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/http-rest/params.h"

#include <stdlib.h>
#include <string.h>

#include <webpubsub/host.h>

#include "plugins/common/azure/names.h"

/* When the list of versions was last looked at. */
enum { BUILD_YEAR = 2026, BUILD_MONTH = 11, BUILD_DAY = 21 };

static struct wps_str text_of(const char *c)
{
  return (struct wps_str){c, strlen(c)};
}

int param_text(const struct wps_request *req, const char *name,
               struct wps_str *out)
{
  struct wps_str want = text_of(name);
  struct wps_pair pair;

  *out = (struct wps_str){NULL, 0};
  for (size_t i = 0; wps->request->query_at(req, i, &pair) == WPS_OK; i++) {
    if (!azure_equal_fold(pair.name, want))
      continue;
    if (out->ptr != NULL || !azure_utf8_ok(pair.value))
      return WPS_EINVAL;
    *out = pair.value;
    if (out->ptr == NULL)
      out->ptr = "";
  }
  return WPS_OK;
}

int param_int(const struct wps_request *req, const char *name, uint32_t min,
              uint32_t max, uint32_t fallback, uint32_t *out)
{
  struct wps_str text;
  uint64_t n = 0;

  *out = fallback;
  if (param_text(req, name, &text) != WPS_OK)
    return WPS_EINVAL;
  if (text.ptr == NULL)
    return WPS_OK;
  if (text.len == 0 || text.len > 10)
    return WPS_EINVAL;
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] < '0' || text.ptr[i] > '9')
      return WPS_EINVAL;
    n = n * 10 + (uint64_t)(text.ptr[i] - '0');
  }
  if (n < min || n > max)
    return WPS_EINVAL;
  *out = (uint32_t)n;
  return WPS_OK;
}

int param_list(const struct wps_request *req, const char *name, bool empty,
               struct wps_str **out, size_t *count)
{
  struct wps_str want = text_of(name);
  struct wps_pair pair;
  size_t found = 0;

  *out = NULL;
  *count = 0;
  for (size_t i = 0; wps->request->query_at(req, i, &pair) == WPS_OK; i++)
    if (azure_equal_fold(pair.name, want)) {
      if (!azure_utf8_ok(pair.value))
        return WPS_EINVAL;
      found += empty || pair.value.len > 0;
    }
  if (found == 0)
    return WPS_OK;
  *out = malloc(found * sizeof(**out));
  if (*out == NULL)
    return WPS_ENOMEM;
  for (size_t i = 0; wps->request->query_at(req, i, &pair) == WPS_OK; i++)
    if (azure_equal_fold(pair.name, want) && (empty || pair.value.len > 0))
      (*out)[(*count)++] = pair.value;
  return WPS_OK;
}

/* ---- names ---- */

static bool is_letter(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
  return c >= '0' && c <= '9';
}

bool hub_name_read(struct wps_str name, char *out, size_t room)
{
  if (name.len == 0 || name.len > room || !is_letter(*name.ptr))
    return false;
  for (size_t i = 0; i < name.len; i++) {
    char c = name.ptr[i];

    if (!is_letter(c) && !is_digit(c) &&
        (c == '\0' || strchr("_`,.[]", c) == NULL))
      return false;
    out[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
  }
  return true;
}

uint32_t permission_read(struct wps_str name)
{
  if (azure_equal_fold(name, text_of("sendToGroup")) ||
      azure_equal(name, text_of("1")))
    return WPS_ACT_PUBLISH;
  if (azure_equal_fold(name, text_of("joinLeaveGroup")) ||
      azure_equal(name, text_of("2")))
    return WPS_ACT_JOIN;
  return 0;
}

/* ---- versions ---- */

static int days_in(int year, int month)
{
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

  if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
    return 29;
  return days[month - 1];
}

static int number(const char *p, size_t len)
{
  int n = 0;

  for (size_t i = 0; i < len; i++)
    n = n * 10 + (p[i] - '0');
  return n;
}

/* "2025-08-01", or 0. */
static int date_read(struct wps_str s)
{
  int year, month, day;

  if (s.len != 10)
    return 0;
  for (size_t i = 0; i < 10; i++)
    if (i == 4 || i == 7 ? s.ptr[i] != '-' : !is_digit(s.ptr[i]))
      return 0;
  year = number(s.ptr, 4);
  month = number(s.ptr + 5, 2);
  day = number(s.ptr + 8, 2);
  if (month < 1 || month > 12 || day < 1 || day > days_in(year, month))
    return 0;
  return (year * 100 + month) * 100 + day;
}

bool api_version_ok(struct wps_str version, bool newer)
{
  static const char *const known[] = {
      "2021-10-01",         "2022-11-01",         "2023-07-01",
      "2024-01-01",         "2024-12-01",         "2020-10-01",
      "2021-05-01-preview", "2021-08-01-preview", "2022-10-01-preview"};
  static const struct wps_str preview = WPS_STR_INIT("-preview");
  int date;

  for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
    if (azure_equal(version, text_of(known[i])))
      return true;
  if (!newer)
    return false;
  if (version.len > preview.len &&
      azure_equal((struct wps_str){version.ptr + version.len - preview.len,
                                   preview.len},
                  preview))
    version.len -= preview.len;
  date = date_read(version);
  return date > 20241201 &&
         date <= ((BUILD_YEAR + 1) * 100 + BUILD_MONTH) * 100 + BUILD_DAY;
}
