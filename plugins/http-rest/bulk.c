/* SPDX-License-Identifier: Apache-2.0 */
/* bulk.c - :addToGroups and :removeFromGroups. The whole request is looked at
 * before anything happens; only limits.groups_per_connection shows in doing. */
#include <stdlib.h>
#include <string.h>

#include "plugins/common/json_scan.h"
#include "plugins/http-rest/rest.h"

struct bulk {
  struct json_value groups, filter; /* type 0: not there */
  struct wps_str *names;            /* with their text, in one block */
  size_t count;
};

static bool is_space(char c)
{
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Members count in any case, the last of a name holds. */
static bool read_members(struct wps_str text, struct bulk *bulk)
{
  static const struct wps_str groups = WPS_STR_INIT("groups");
  static const struct wps_str filter = WPS_STR_INIT("filter");
  struct json_member member;
  struct json_scan scan;
  int rc;

  if (json_scan_object(&scan, text) != WPS_OK)
    return false;
  while ((rc = json_scan_member(&scan, &member)) == 1)
    if (json_scan_equal(&member.key, groups, true))
      bulk->groups = member.value;
    else if (json_scan_equal(&member.key, filter, true))
      bulk->filter = member.value;
  return rc == 0;
}

/* The next element of a scanned array of strings, from the byte behind its '['
 * on. 1, 0 at the end, -1 when it is no string. */
static int next_string(const char **at, struct json_value *out)
{
  const char *p = *at;

  while (is_space(*p) || *p == ',')
    p++;
  if (*p == ']')
    return 0;
  if (*p != '"')
    return -1;
  *out = (struct json_value){.ptr = p, .type = SCAN_STRING};
  for (p++; *p != '"'; p++)
    if (*p == '\\') {
      out->escaped = 1;
      p++;
    }
  out->len = (uint32_t)(++p - out->ptr);
  *at = p;
  return 1;
}

static void bad_groups(struct rest_call *call)
{
  rest_bad(call, "Groups",
           "Invalid groups. It has to be a list of group names, not empty. %s",
           REST_BAD_GROUP);
}

/* False: the call has ended. */
static bool read_groups(struct rest_call *call, struct bulk *bulk)
{
  const struct json_value *array = &bulk->groups;
  struct json_value item;
  const char *at;
  size_t count = 0;
  char *room;
  int rc;

  if (array->type != SCAN_ARRAY) {
    bad_groups(call);
    return false;
  }
  for (at = array->ptr + 1; (rc = next_string(&at, &item)) == 1;)
    count++;
  if (rc < 0 || count == 0) {
    bad_groups(call);
    return false;
  }
  if (call->rest->max_groups != 0 && count > call->rest->max_groups) {
    rest_bad(call, "Groups", "Too many groups. There may be at most %llu.",
             (unsigned long long)call->rest->max_groups);
    return false;
  }
  bulk->names = malloc(count * sizeof(*bulk->names) + array->len);
  if (bulk->names == NULL) {
    rest_failed(call, WPS_ENOMEM);
    return false;
  }
  room = (char *)(bulk->names + count);
  for (at = array->ptr + 1; next_string(&at, &item) == 1;) {
    struct wps_str name = {room, json_scan_text(&item, room)};

    if (!rest_group_ok(name)) {
      bad_groups(call);
      return false;
    }
    room += name.len;
    bulk->names[bulk->count++] = name;
  }
  return true;
}

static bool read_filter(struct rest_call *call, const struct bulk *bulk)
{
  struct wps_str text;
  char *room;
  bool good;

  if (bulk->filter.type == 0 || bulk->filter.type == SCAN_NULL)
    return true;
  if (bulk->filter.type != SCAN_STRING) {
    rest_bad(call, "Filter", "Invalid filter. It has to be a text.");
    return false;
  }
  room = malloc(bulk->filter.len);
  if (room == NULL) {
    rest_failed(call, WPS_ENOMEM);
    return false;
  }
  text = (struct wps_str){room, json_scan_text(&bulk->filter, room)};
  good = rest_compile_filter(call, text, "Filter");
  free(room);
  return good;
}

static bool bulk_read(struct rest_call *call, struct bulk *bulk)
{
  struct rest_body body;
  bool good = false;

  *bulk = (struct bulk){.count = 0};
  if (!rest_read_body(call, true, &body))
    return false;
  if (!read_members((struct wps_str){body.data.ptr, body.data.len}, bulk))
    rest_bad(call, "Request", "The request body has to be a JSON object.");
  else
    good = read_groups(call, bulk) && read_filter(call, bulk);
  free(body.owned);
  return good;
}

static void changed(void *arg, int status, uint64_t clients)
{
  (void)clients;
  if (status == WPS_ELIMIT)
    rest_bad(arg, "Groups", REST_GROUPS_FULL);
  else
    rest_ended(arg, status, 200);
}

static void run(struct rest_call *call,
                int (*command)(struct wps_instance *, const struct wps_target *,
                               const struct wps_str *, size_t, wps_count_fn,
                               void *))
{
  struct bulk bulk;

  if (bulk_read(call, &bulk)) {
    int rc = command(call->rest->self, &call->target, bulk.names, bulk.count,
                     changed, call);

    if (rc != WPS_OK)
      rest_failed(call, rc);
  }
  free(bulk.names);
}

void rest_bulk_join(struct rest_call *call)
{
  run(call, wps->hub->command_join);
}

void rest_bulk_leave(struct rest_call *call)
{
  run(call, wps->hub->command_leave);
}
