/* SPDX-License-Identifier: Apache-2.0 */
/* host/host.c - the table of tables. */
#include "host/host.h"

#include "conf/config.h"
#include "http/request.h"
#include "msg/message.h"
#include "plug/reply.h"

static const struct host_context *context_now;

void host_set_context(const struct host_context *context)
{
  context_now = context;
}

const struct host_context *host_context(void)
{
  return context_now;
}

static const char *status_name(int status)
{
  switch (status) {
  case WPS_OK:
    return "OK";
#define X(name, value, http, close, meaning)                                   \
  case value:                                                                  \
    return #name;
    WPS_STATUS_MAP(X)
#undef X
  default:
    return "?";
  }
}

const struct wps_host host_table = {
    .struct_size = sizeof(host_table),
    .abi_major = WPS_ABI_MAJOR,
    .abi_minor = WPS_ABI_MINOR,
    .server_version = PACKAGE_VERSION,
    .config = &config_api,
    .log = &host_log_api,
    .worker = &host_worker_api,
    .reply = &reply_api,
    .message = &message_api,
    .request = &request_api,
    .conn = &host_conn_api,
    .hub = &host_hub_api,
    .auth = &host_auth_api,
    .event = &host_event_api,
    .http = &host_http_api,
    .server = &host_server_api,
    .status_name = status_name,
};
