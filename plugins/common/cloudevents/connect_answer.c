/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/cloudevents/connect_answer.h"

#include <stdlib.h>
#include <string.h>

#include <webpubsub/status.h>

#include "plugins/common/cloudevents/text.h"
#include "plugins/common/json_scan.h"

struct members {
  struct json_value user, subprotocol, roles, groups; /* type 0: not there */
};

/* An array has no scanner of its own: between its brackets stand values and
 * commas, all of them known to be well-formed. */
struct elements {
  const char *at, *end;
};

static struct elements elements_of(const struct json_value *array)
{
  return (struct elements){array->ptr + 1, array->ptr + array->len - 1};
}

static bool is_space(char c)
{
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',';
}

/* The end of the value at p; of others than strings only where it ends
 * matters, because they are refused. */
static const char *value_end(const char *p, const char *end)
{
  if (*p != '"') {
    while (p < end && *p != ',')
      p++;
    return p;
  }
  for (p++; p < end && *p != '"'; p++)
    if (*p == '\\')
      p++;
  return p + 1;
}

static bool next_element(struct elements *e, struct json_value *out)
{
  const char *from;

  while (e->at < e->end && is_space(*e->at))
    e->at++;
  if (e->at >= e->end)
    return false;
  from = e->at;
  e->at = value_end(from, e->end);
  memset(out, 0, sizeof(*out));
  out->ptr = from;
  out->len = (uint32_t)(e->at - from);
  out->type = *from == '"' ? SCAN_STRING : SCAN_NULL;
  out->escaped = memchr(from, '\\', out->len) != NULL;
  return true;
}

static int take_member(struct members *m, const struct json_member *member,
                       const char **why)
{
  static const struct {
    struct wps_str name;
    size_t offset;
    uint8_t type;
    uint8_t reserved[7];
    const char *why;
  } known[] = {
      {WPS_STR_INIT("userId"),
       offsetof(struct members, user),
       SCAN_STRING,
       {0},
       "userId is no string"},
      {WPS_STR_INIT("subprotocol"),
       offsetof(struct members, subprotocol),
       SCAN_STRING,
       {0},
       "subprotocol is no string"},
      {WPS_STR_INIT("roles"),
       offsetof(struct members, roles),
       SCAN_ARRAY,
       {0},
       "roles is no array"},
      {WPS_STR_INIT("groups"),
       offsetof(struct members, groups),
       SCAN_ARRAY,
       {0},
       "groups is no array"},
  };

  for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
    struct json_value *at =
        (struct json_value *)(void *)((char *)m + known[i].offset);

    if (!json_scan_equal(&member->key, known[i].name, true))
      continue;
    if (member->value.type != SCAN_NULL &&
        member->value.type != known[i].type) {
      *why = known[i].why;
      return WPS_EPROTO;
    }
    /* The last one counts, also when it takes back what was said. */
    *at = member->value;
    if (member->value.type == SCAN_NULL)
      at->type = 0;
  }
  return WPS_OK;
}

static int find_members(struct wps_str body, struct members *m,
                        const char **why)
{
  struct json_member member;
  struct json_scan scan;
  int rc = json_scan_object(&scan, body);

  if (rc != WPS_OK) {
    *why = "the body is no JSON object";
    return rc;
  }
  while ((rc = json_scan_member(&scan, &member)) == 1) {
    rc = take_member(m, &member, why);
    if (rc != WPS_OK)
      return rc;
  }
  if (rc != 0)
    *why = "the body is no valid JSON";
  return rc;
}

/* How many strings; others are an error. */
static int count_strings(const struct json_value *array, size_t *count,
                         const char *sentence, const char **why)
{
  struct elements e = elements_of(array);
  struct json_value one;

  *count = 0;
  while (next_element(&e, &one)) {
    if (one.type != SCAN_STRING) {
      *why = sentence;
      return WPS_EPROTO;
    }
    ++*count;
  }
  return WPS_OK;
}

static struct wps_str put_text(char **at, const struct json_value *string)
{
  struct wps_str s = {*at, json_scan_text(string, *at)};

  *at += s.len;
  return s;
}

static void put_strings(char **at, const struct json_value *array,
                        struct wps_str *out)
{
  struct elements e = elements_of(array);
  struct json_value one;

  while (next_element(&e, &one))
    *out++ = put_text(at, &one);
}

static int fill(struct connect_answer *out, const struct members *m,
                const char **why)
{
  struct wps_str *strings;
  size_t bytes;
  char *at;
  int rc;

  if (m->roles.type != 0) {
    rc = count_strings(&m->roles, &out->role_count,
                       "an element of roles is no string", why);
    if (rc != WPS_OK)
      return rc;
  }
  if (m->groups.type != 0) {
    rc = count_strings(&m->groups, &out->group_count,
                       "an element of groups is no string", why);
    if (rc != WPS_OK)
      return rc;
  }
  /* No text is longer than the JSON it stands in. */
  bytes = (size_t)m->user.len + m->subprotocol.len + m->roles.len +
          m->groups.len + 1;
  out->block =
      malloc((out->role_count + out->group_count) * sizeof(*strings) + bytes);
  if (out->block == NULL)
    return WPS_ENOMEM;
  strings = (struct wps_str *)(void *)out->block;
  at = (char *)(strings + out->role_count + out->group_count);
  if (m->user.type != 0)
    out->user = put_text(&at, &m->user);
  if (m->subprotocol.type != 0)
    out->subprotocol = put_text(&at, &m->subprotocol);
  if (m->roles.type != 0) {
    put_strings(&at, &m->roles, strings);
    out->roles = strings;
  }
  if (m->groups.type != 0) {
    put_strings(&at, &m->groups, strings + out->role_count);
    out->groups = strings + out->role_count;
  }
  return WPS_OK;
}

int connect_answer_read(struct wps_str body, struct connect_answer *out,
                        const char **why)
{
  struct members m;
  struct json_value value;
  int rc;

  memset(out, 0, sizeof(*out));
  memset(&m, 0, sizeof(m));
  if (body.len >= 3 && memcmp(body.ptr, "\xef\xbb\xbf", 3) == 0) {
    body.ptr += 3; /* .NET writes one when asked for UTF-8 */
    body.len -= 3;
  }
  if (body.len == 0)
    return WPS_OK;
  if (body.len <= 64 && json_scan_value(body, &value) == WPS_OK &&
      value.type == SCAN_NULL)
    return WPS_OK;
  rc = find_members(body, &m, why);
  return rc == WPS_OK ? fill(out, &m, why) : rc;
}

void connect_answer_free(struct connect_answer *a)
{
  free(a->block);
  memset(a, 0, sizeof(*a));
}
