/* SPDX-License-Identifier: Apache-2.0 */
/* membership.c - a connection, or all that a user has now, into a group and out
 * of it. */
#include "plugins/http-rest/rest.h"

static void joined(void *arg, int status, uint64_t clients)
{
  struct rest_call *call = arg;

  if (status == WPS_ELIMIT)
    rest_bad(call, "Request", REST_GROUPS_FULL);
  else if (status != WPS_OK)
    rest_failed(call, status);
  else if (clients > 0)
    rest_empty(call, 200);
  else if (call->target.kind == WPS_TO_USER)
    rest_missing(call, "Warning.User.NotExisted", "User", call->user);
  else
    rest_missing(call, "Error.Connection.NotExisted", "Connection", call->conn);
}

static void left(void *arg, int status, uint64_t clients)
{
  (void)clients;
  rest_ended(arg, status, 204);
}

void rest_join(struct rest_call *call)
{
  int rc = wps->hub->command_join(call->rest->self, &call->target, &call->group,
                                  1, joined, call);

  if (rc != WPS_OK)
    rest_failed(call, rc);
}

void rest_leave(struct rest_call *call)
{
  int rc = wps->hub->command_leave(call->rest->self, &call->target,
                                   &call->group, 1, left, call);

  if (rc != WPS_OK)
    rest_failed(call, rc);
}

void rest_leave_all(struct rest_call *call)
{
  int rc = wps->hub->command_leave(call->rest->self, &call->target, NULL, 0,
                                   left, call);

  if (rc != WPS_OK)
    rest_failed(call, rc);
}
