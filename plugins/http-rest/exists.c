/* SPDX-License-Identifier: Apache-2.0 */
/* exists.c - is there a connection, a user, a group? */
#include <stdlib.h>

#include "plugins/http-rest/rest.h"

static void counted(void *arg, int status, uint64_t clients)
{
  struct rest_call *call = arg;

  if (status != WPS_OK)
    rest_failed(call, status);
  else if (clients > 0)
    rest_empty(call, 200);
  else if (call->target.kind == WPS_TO_USER)
    rest_missing(call, "Warning.User.NotExisted", "User", call->user);
  else if (call->target.kind == WPS_TO_GROUP)
    rest_missing(call, "Warning.Group.NotExisted", "Group", call->group);
  else
    rest_missing(call, "Warning.Connection.NotExisted", "Connection",
                 call->conn);
}

void rest_exists(struct rest_call *call)
{
  int rc = wps->hub->count(call->rest->self, &call->target, counted, call);

  if (rc != WPS_OK)
    rest_failed(call, rc);
}

/* "'it''s' in groups"; allocated. */
static struct wps_str group_filter(struct wps_str group)
{
  static const struct wps_str tail = WPS_STR_INIT("' in groups");
  struct wps_str text = {NULL, 0};
  char *to = malloc(group.len * 2 + tail.len + 1);

  if (to == NULL)
    return text;
  text.ptr = to;
  to[text.len++] = '\'';
  for (size_t i = 0; i < group.len; i++) {
    if (group.ptr[i] == '\'')
      to[text.len++] = '\'';
    to[text.len++] = group.ptr[i];
  }
  for (size_t i = 0; i < tail.len; i++)
    to[text.len++] = tail.ptr[i];
  return text;
}

void rest_user_in_group(struct rest_call *call)
{
  struct wps_str text = group_filter(call->group);
  int rc = WPS_ENOMEM;

  if (text.ptr != NULL) {
    rc = wps->hub->filter(text, &call->filter, NULL, 0);
    free((void *)(uintptr_t)text.ptr);
  }
  if (rc != WPS_OK) {
    rest_failed(call, rc);
    return;
  }
  call->target.filter = call->filter;
  rest_exists(call);
}
