/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "host/host.h"
#include "msg/principal.h"
#include "plug/reply.h"

static void accept_as(struct wps_reply *reply, const struct wps_principal *who)
{
  struct principal *copy = principal_copy(who);

  if (copy == NULL)
    reply_finish(reply, REPLY_FAIL, WPS_ENOMEM, STR("out of memory"), NULL,
                 NULL);
  else
    reply_finish(reply, REPLY_PRINCIPAL, WPS_OK, STR_NONE, copy, free);
}

const struct wps_auth_api host_auth_api = {
    .struct_size = sizeof(host_auth_api),
    .accept = accept_as,
};
