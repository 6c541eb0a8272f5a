/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/azure/names.h"

#include <stdlib.h>
#include <string.h>

#include <webpubsub/status.h>

#include "plugins/common/utf8.h"

bool azure_utf8_ok(struct wps_str text)
{
  return text.len == 0 ||
         utf8_run((const unsigned char *)text.ptr, text.len) == text.len;
}

/* Next character of valid UTF-8; past the end of broken text it stops. */
static uint32_t next_char(const unsigned char **p, const unsigned char *end)
{
  uint32_t c = *(*p)++;
  int tails = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;

  if (tails > 0)
    c &= 0x3fu >> tails;
  while (tails-- > 0 && *p < end)
    c = c << 6 | (*(*p)++ & 0x3fu);
  return c;
}

static bool is_space(uint32_t c)
{
  return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
         c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

bool azure_group_ok(struct wps_str group)
{
  const unsigned char *p = (const unsigned char *)group.ptr, *end;
  size_t units = 0;
  bool blank = true;

  if (group.len == 0 || group.len > AZURE_GROUP_BYTES_MAX)
    return false;
  end = p + group.len;
  while (p < end) {
    uint32_t c = next_char(&p, end);

    units += c >= 0x10000 ? 2 : 1;
    blank = blank && is_space(c);
  }
  return !blank && units <= AZURE_GROUP_UNITS_MAX;
}

static bool is_letter(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
  return c >= '0' && c <= '9';
}

bool azure_event_ok(struct wps_str event)
{
  if (event.len == 0 || event.len > AZURE_EVENT_MAX || !is_letter(*event.ptr))
    return false;
  for (size_t i = 1; i < event.len; i++) {
    char c = event.ptr[i];

    if (!is_letter(c) && !is_digit(c) && c != '_' && c != '.' && c != '-')
      return false;
  }
  return true;
}

bool azure_hub_ok(struct wps_str hub)
{
  if (hub.len == 0 || hub.len > AZURE_HUB_MAX || !is_letter(*hub.ptr))
    return false;
  for (size_t i = 1; i < hub.len; i++) {
    char c = hub.ptr[i];

    if (!is_letter(c) && !is_digit(c) &&
        (c == '\0' || strchr("_`,.[]", c) == NULL))
      return false;
  }
  return true;
}

bool azure_equal_fold(struct wps_str a, struct wps_str b)
{
  if (a.len != b.len)
    return false;
  for (size_t i = 0; i < a.len; i++) {
    char x = a.ptr[i], y = b.ptr[i];

    if (x != y && (!is_letter(x) || (x ^ y) != 0x20))
      return false;
  }
  return true;
}

bool azure_metadata_pair_ok(struct wps_str key, struct wps_str value)
{
  if (key.len == 0 || key.len > AZURE_METADATA_KEY_MAX ||
      value.len > AZURE_METADATA_VALUE_MAX)
    return false;
  for (size_t i = 0; i < key.len; i++) {
    char c = key.ptr[i];

    if (!is_letter(c) && !is_digit(c) &&
        (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
      return false;
  }
  for (size_t i = 0; i < value.len; i++)
    if ((unsigned char)value.ptr[i] >= 0x80)
      return false;
  return true;
}

static int compare_keys(const void *a, const void *b)
{
  const struct wps_pair *x = *(const struct wps_pair *const *)a;
  const struct wps_pair *y = *(const struct wps_pair *const *)b;
  size_t len = x->name.len < y->name.len ? x->name.len : y->name.len;
  int order = memcmp(x->name.ptr, y->name.ptr, len);

  if (order == 0)
    order = (x->name.len > len) - (y->name.len > len);
  return order != 0 ? order : (x > y) - (x < y);
}

/* Pointers to all pairs, equal names side by side in their old order: up to
 * 8192 keys fit, too many to compare each with each. */
static const struct wps_pair **sort_pairs(const struct wps_pair *pairs,
                                          size_t count)
{
  const struct wps_pair **sorted = malloc(count * sizeof(*sorted));

  if (sorted == NULL)
    return NULL;
  for (size_t i = 0; i < count; i++)
    sorted[i] = &pairs[i];
  qsort(sorted, count, sizeof(*sorted), compare_keys);
  return sorted;
}

static bool has_twins(const struct wps_pair *pairs, size_t count)
{
  for (size_t i = 1; i < count; i++)
    for (size_t j = 0; j < i; j++)
      if (azure_equal(pairs[i].name, pairs[j].name))
        return true;
  return false;
}

int azure_metadata_check(const struct wps_pair *pairs, size_t count)
{
  const struct wps_pair **sorted;
  size_t sum = 0;
  int rc = WPS_OK;

  for (size_t i = 0; i < count; i++) {
    if (!azure_metadata_pair_ok(pairs[i].name, pairs[i].value))
      return WPS_EPROTO;
    sum += pairs[i].name.len + pairs[i].value.len;
    if (sum > AZURE_METADATA_MAX)
      return WPS_EPROTO;
  }
  if (count <= 16)
    return has_twins(pairs, count) ? WPS_EPROTO : WPS_OK;
  sorted = sort_pairs(pairs, count);
  if (sorted == NULL)
    return WPS_ENOMEM;
  for (size_t i = 1; i < count && rc == WPS_OK; i++)
    if (azure_equal(sorted[i - 1]->name, sorted[i]->name))
      rc = WPS_EPROTO;
  free(sorted);
  return rc;
}

int azure_metadata_last(struct wps_pair *pairs, size_t *count)
{
  const struct wps_pair **sorted;
  size_t kept = 0;

  if (*count < 2)
    return WPS_OK;
  sorted = sort_pairs(pairs, *count);
  if (sorted == NULL)
    return WPS_ENOMEM;
  for (size_t i = 1; i < *count; i++)
    if (azure_equal(sorted[i - 1]->name, sorted[i]->name))
      pairs[sorted[i - 1] - pairs].value.ptr = NULL;
  for (size_t i = 0; i < *count; i++)
    if (pairs[i].value.ptr != NULL)
      pairs[kept++] = pairs[i];
  *count = kept;
  free(sorted);
  return WPS_OK;
}

/* ---- metadata in HTTP headers ---- */

static bool is_blank(char c)
{
  return c == ' ' || c == '\t';
}

bool azure_metadata_key(struct wps_str header, struct wps_str *key)
{
  static const struct wps_str prefix = WPS_STR_INIT(AZURE_METADATA_HEADER);

  if (header.len < prefix.len ||
      !azure_equal_fold((struct wps_str){header.ptr, prefix.len}, prefix))
    return false;
  *key = (struct wps_str){header.ptr + prefix.len, header.len - prefix.len};
  return true;
}

struct wps_str azure_metadata_value(struct wps_str value)
{
  const char *comma = value.len > 0 ? memrchr(value.ptr, ',', value.len) : NULL;

  if (comma != NULL) {
    value.len -= (size_t)(comma + 1 - value.ptr);
    value.ptr = comma + 1;
  }
  while (value.len > 0 && is_blank(*value.ptr)) {
    value.ptr++;
    value.len--;
  }
  while (value.len > 0 && is_blank(value.ptr[value.len - 1]))
    value.len--;
  return value.len > 0 ? value : (struct wps_str){"", 0};
}

void azure_lower(char *out, struct wps_str s)
{
  for (size_t i = 0; i < s.len; i++) {
    char c = s.ptr[i];

    out[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
  }
}
