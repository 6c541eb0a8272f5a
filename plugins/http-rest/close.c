/* SPDX-License-Identifier: Apache-2.0 */
/* close.c - ending connections. The sentence around the reason is the
 * subprotocols' own (azure-server.md 7.8). */
#include "plugins/http-rest/rest.h"

enum { CLOSE_NORMAL = 1000 };

static void closed(void *arg, int status, uint64_t clients)
{
  (void)clients;
  rest_ended(arg, status, 204);
}

void rest_close(struct rest_call *call)
{
  struct wps_str reason;
  int rc;

  if (!rest_read_text(call, "reason", &reason) ||
      (call->op->to != WPS_TO_CONN && !rest_read_excluded(call)))
    return;
  rc = wps->hub->command_close(call->rest->self, &call->target, CLOSE_NORMAL,
                               reason, closed, call);
  if (rc != WPS_OK)
    rest_failed(call, rc);
}
