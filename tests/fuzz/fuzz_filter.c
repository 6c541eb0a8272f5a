/* SPDX-License-Identifier: Apache-2.0 */
/* Filter expressions: the input is the text, and what is accepted is matched
 * against clients that are made up, one of them from the text itself. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/utf8.h"
#include "hub/filter.h"
#include "hub/hub.h"

enum { GROUPS = 8 };

static struct group groups[GROUPS] = {
    {.name = {"group1", 6}},   {.name = {"room 2", 6}}, {.name = {"", 0}},
    {.name = {"\xc3\xa9", 2}}, {.name = {"a", 1}},      {.name = {"b", 1}},
    {.name = {"c", 1}},        {.name = {"\xff", 1}}};
static struct wps_member members[GROUPS];
static struct wps_member *list[GROUPS];

static const struct hub_facts names[] = {
    {{"c1", 2}, {NULL, 0}, {NULL, 0}},
    {{"c2", 2}, {"user1", 5}, {"json.webpubsub.azure.v1", 23}},
    {{"\xf0\x9f\x98\x80", 4},
     {"A\xc3\x84\xf0\x9f\x98\x80 \xc4\xb0", 9},
     {"", 0}},
    {{"\xff", 1}, {"\xf0\x9f\x98", 3}, {"\x80", 1}}};

/* A sentence is whole, whatever room there is for it. */
static void refused(struct wps_str text, const char *why, size_t size)
{
  static const char begin[] = "Invalid syntax for '";
  static const char end[] = " (Parameter 'filter')";
  size_t len = strnlen(why, size);
  char small[200];
  const struct wps_filter *f;

  if (len == size || !utf8_valid(why, len) ||
      strncmp(why, begin, sizeof(begin) - 1) != 0 ||
      strcmp(why + len - (sizeof(end) - 1), end) != 0)
    abort();
  if (filter_new(text, &f, small, text.len % sizeof(small)) != WPS_EINVAL ||
      f != NULL)
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct wps_str text = {(const char *)data, size};
  const struct wps_filter *f;
  char why[4096];

  for (size_t i = 0; i < GROUPS; i++) {
    members[i].group = &groups[i];
    list[i] = &members[i];
  }
  if (filter_new(text, &f, why, sizeof(why)) != WPS_OK) {
    refused(text, why, sizeof(why));
    return 0;
  }
  for (uint32_t i = 0; i <= ARRAY_LEN(names); i++) {
    struct hub_client c = {.members = list, .member_count = i * 2};
    struct hub_facts own = {text, text, text};
    const struct hub_facts *facts = i < ARRAY_LEN(names) ? &names[i] : &own;

    /* It says the same each time. */
    if (filter_match(f, &c, facts) != filter_match(f, &c, facts))
      abort();
  }
  filter_unref(f);
  return 0;
}
