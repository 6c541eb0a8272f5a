/* SPDX-License-Identifier: Apache-2.0 */
/* permission.c - granting, revoking and asking for one group
 * (azure-server.md 7.12). The name of the group is literal, always. */
#include "plugins/http-rest/params.h"
#include "plugins/http-rest/rest.h"

static void granted(void *arg, int status, uint64_t clients)
{
  struct rest_call *call = arg;

  if (status == WPS_ELIMIT)
    rest_error(call, 409, "Error.Connection.Conflict", "Connection",
               "At most 1000 groups can be granted or denied to a connection "
               "for one permission.");
  else if (status != WPS_OK)
    rest_failed(call, status);
  else if (clients == 0)
    rest_missing(call, "Info.Connection.NotExisted", "Connection", call->conn);
  else
    rest_empty(call, 200);
}

static void revoked(void *arg, int status, uint64_t clients)
{
  if (status == WPS_ELIMIT)
    granted(arg, status, clients);
  else
    rest_ended(arg, status, 204);
}

static void run(struct rest_call *call, uint32_t op, wps_count_fn done)
{
  uint32_t action = permission_read(path_param(&call->path, "permission"));
  struct wps_str group;
  int rc;

  if (action == 0) {
    rest_bad(call, "permission",
             "Invalid permission. It has to be sendToGroup or "
             "joinLeaveGroup.");
    return;
  }
  if (!rest_read_text(call, "targetName", &group))
    return;
  if (!rest_group_ok(group)) {
    rest_bad(call, "Request", "%s", REST_BAD_GROUP);
    return;
  }
  rc = wps->hub->command_permission(call->rest->self, &call->target, op, action,
                                    group, done, call);
  if (rc != WPS_OK)
    rest_failed(call, rc);
}

void rest_grant(struct rest_call *call)
{
  run(call, WPS_OP_GRANT, granted);
}

void rest_revoke(struct rest_call *call)
{
  run(call, WPS_OP_REVOKE, revoked);
}

void rest_check(struct rest_call *call)
{
  run(call, WPS_OP_CHECK, granted);
}
