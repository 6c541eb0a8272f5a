/* SPDX-License-Identifier: Apache-2.0 */
/* routes.c - the table of operations (azure-server.md 7.1). doc/openapi.json
 * has the same, which tests/unit/test_rest_parts.c checks. */
#include "plugins/http-rest/rest.h"

#define HUB "/api/hubs/{hub}"
#define CONN HUB "/connections/{connectionId}"
#define GROUP HUB "/groups/{group}"
#define USER HUB "/users/{userId}"
#define PERMISSION HUB "/permissions/{permission}/connections/{connectionId}"

/* X(operationId, method, path, function, flags, target) */
#define OPERATIONS(X)                                                          \
  X(SendToAll, "POST", HUB "/:send", rest_send, REST_BODY, WPS_TO_HUB)         \
  X(SendToConnection, "POST", CONN "/:send", rest_send, REST_BODY,             \
    WPS_TO_CONN)                                                               \
  X(SendToGroup, "POST", GROUP "/:send", rest_send, REST_BODY, WPS_TO_GROUP)   \
  X(SendToUser, "POST", USER "/:send", rest_send, REST_BODY, WPS_TO_USER)      \
  X(ConnectionExists, "HEAD", CONN, rest_exists, REST_READS, WPS_TO_CONN)      \
  X(GroupExists, "HEAD", GROUP, rest_exists, REST_READS, WPS_TO_GROUP)         \
  X(UserExists, "HEAD", USER, rest_exists, REST_READS, WPS_TO_USER)            \
  X(CloseConnection, "DELETE", CONN, rest_close, 0, WPS_TO_CONN)               \
  X(CloseAllConnections, "POST", HUB "/:closeConnections", rest_close, 0,      \
    WPS_TO_HUB)                                                                \
  X(CloseGroupConnections, "POST", GROUP "/:closeConnections", rest_close, 0,  \
    WPS_TO_GROUP)                                                              \
  X(CloseUserConnections, "POST", USER "/:closeConnections", rest_close, 0,    \
    WPS_TO_USER)                                                               \
  X(AddConnectionToGroup, "PUT", GROUP "/connections/{connectionId}",          \
    rest_join, 0, WPS_TO_CONN)                                                 \
  X(RemoveConnectionFromGroup, "DELETE", GROUP "/connections/{connectionId}",  \
    rest_leave, 0, WPS_TO_CONN)                                                \
  X(RemoveConnectionFromAllGroups, "DELETE", CONN "/groups", rest_leave_all,   \
    0, WPS_TO_CONN)                                                            \
  X(AddUserToGroup, "PUT", USER "/groups/{group}", rest_join, 0, WPS_TO_USER)  \
  X(RemoveUserFromGroup, "DELETE", USER "/groups/{group}", rest_leave, 0,      \
    WPS_TO_USER)                                                               \
  X(RemoveUserFromAllGroups, "DELETE", USER "/groups", rest_leave_all, 0,      \
    WPS_TO_USER)                                                               \
  X(CheckUserExistsInGroup, "HEAD", USER "/groups/{group}",                    \
    rest_user_in_group, REST_READS, WPS_TO_USER)                               \
  X(AddConnectionsToGroups, "POST", HUB "/:addToGroups", rest_bulk_join,       \
    REST_BODY, WPS_TO_HUB)                                                     \
  X(RemoveConnectionsFromGroups, "POST", HUB "/:removeFromGroups",             \
    rest_bulk_leave, REST_BODY, WPS_TO_HUB)                                    \
  X(ListConnectionsInGroup, "GET", GROUP "/connections", rest_list,            \
    REST_READS, WPS_TO_GROUP)                                                  \
  X(GrantPermission, "PUT", PERMISSION, rest_grant, 0, WPS_TO_CONN)            \
  X(RevokePermission, "DELETE", PERMISSION, rest_revoke, 0, WPS_TO_CONN)       \
  X(CheckPermission, "HEAD", PERMISSION, rest_check, REST_READS, WPS_TO_CONN)  \
  X(GenerateClientToken, "POST", HUB "/:generateToken", rest_generate_token,   \
    REST_SECRET, WPS_TO_HUB)                                                   \
  X(Invoke, "POST", HUB "/:invoke", rest_invoke, REST_BODY, WPS_TO_HUB)        \
  X(GetOpenApi, "GET", "/api/openapi.json", rest_openapi, REST_PUBLIC, 0)

enum {
#define X(id, method, pattern, run, flags, to) OP_##id,
  OPERATIONS(X)
#undef X
};

const struct rest_op rest_ops[] = {
#define X(id, method, pattern, run, flags, to)                                 \
  {#id, method, pattern, run, flags, to},
    OPERATIONS(X)
#undef X
};
const size_t rest_op_count = sizeof(rest_ops) / sizeof(rest_ops[0]);

/* A route is told no more than its instance, hence a function for each. */
#define X(id, method, pattern, run, flags, to)                                 \
  static void handle_##id(void *inst, void *wstate, struct wps_request *req,   \
                          struct wps_reply *reply)                             \
  {                                                                            \
    rest_handle(&rest_ops[OP_##id], inst, wstate, req, reply);                 \
  }
OPERATIONS(X)
#undef X

static void (*const handlers[])(void *, void *, struct wps_request *,
                                struct wps_reply *) = {
#define X(id, method, pattern, run, flags, to) handle_##id,
    OPERATIONS(X)
#undef X
};

int rest_routes(struct rest *rest)
{
  for (size_t i = 0; i < rest_op_count; i++) {
    const struct rest_op *op = &rest_ops[i];
    const struct wps_http_route route = {
        .struct_size = sizeof(route),
        .purpose = op->flags & REST_PUBLIC ? 0 : WPS_FOR_API,
        .method = op->method,
        .pattern = op->pattern,
        .name = op->name,
        .scope = op->flags & REST_READS ? WPS_ROLE_READER : NULL,
        .max_body_bytes = op->flags & REST_BODY ? rest->max_message : 0,
        .handle = handlers[i]};
    int rc = wps->http->route(rest->self, &route);

    if (rc != WPS_OK) {
      wps->log->write(rest->self, NULL, WPS_LOG_ERROR, "route %s %s: %s",
                      op->method, op->pattern, wps->status_name(rc));
      return rc;
    }
  }
  return WPS_OK;
}
