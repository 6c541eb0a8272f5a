/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/azure/handshake.h"

#include <string.h>

#include "plugins/common/azure/names.h"

static const struct wps_str bad_mode =
    WPS_STR_INIT("Only raw sendToGroup mode is supported.");
static const struct wps_str bad_group =
    WPS_STR_INIT("The raw sendToGroup group name is invalid.");
static const struct wps_str bad_echo =
    WPS_STR_INIT("The raw sendToGroup noEcho value is invalid.");
static const struct wps_str not_recovered =
    WPS_STR_INIT("The connection could not be recovered.");

static bool is(struct wps_str a, const char *b)
{
  return azure_equal_fold(a, (struct wps_str){b, strlen(b)});
}

static bool named(struct wps_str a, const char *b)
{
  return azure_equal(a, (struct wps_str){b, strlen(b)});
}

int azure_mode_read(const struct wps_request *req, struct azure_mode *out,
                    struct wps_str *why)
{
  struct wps_str mode = {NULL, 0}, group = {NULL, 0}, echo = {NULL, 0};
  struct wps_pair arg;

  memset(out, 0, sizeof(*out));
  out->mode = AZURE_MODE_EVENT;
  /* Of repeated ones the last counts. */
  for (size_t i = 0; wps->request->query_at(req, i, &arg) == WPS_OK; i++) {
    if (named(arg.name, "webpubsub_mode"))
      mode = arg.value;
    else if (named(arg.name, "group"))
      group = arg.value;
    else if (named(arg.name, "noEcho"))
      echo = arg.value;
  }
  if (mode.len == 0 || is(mode, "sendEvent"))
    return WPS_OK;
  if (!is(mode, "sendToGroup")) {
    *why = bad_mode;
    return WPS_EINVAL;
  }
  if (!azure_utf8_ok(group) || !azure_group_ok(group)) {
    *why = bad_group;
    return WPS_EINVAL;
  }
  if (echo.len != 0 && !is(echo, "true") && !is(echo, "false")) {
    *why = bad_echo;
    return WPS_EINVAL;
  }
  out->mode = AZURE_MODE_GROUP;
  out->group = group;
  out->no_echo = is(echo, "true");
  return WPS_OK;
}

static bool offers_reliable(const struct wps_request *req)
{
  struct wps_str name;

  for (size_t i = 0; wps->request->subprotocol_at(req, i, &name) == WPS_OK; i++)
    if (is(name, "json.reliable.webpubsub.azure.v1") ||
        is(name, "protobuf.reliable.webpubsub.azure.v1"))
      return true;
  return false;
}

int azure_negotiate(const struct wps_request *req, uint32_t kind,
                    struct wps_negotiation *out)
{
  struct wps_str id = wps->request->query(req, "awps_connection_id");
  struct wps_str token = wps->request->query(req, "awps_reconnection_token");
  struct azure_mode mode;

  if (id.ptr != NULL && token.ptr != NULL) {
    if (kind == AZURE_PLAIN && offers_reliable(req))
      return WPS_ENOTSUP;
    /* SDKs try again after any HTTP error; 1008 is their sign to stop. The
     * offer is echoed all the same: the library under the JavaScript SDK fails
     * a handshake that takes none of its offers before it sees any frame. */
    out->close_code = 1008;
    out->reason = not_recovered;
    if (kind == AZURE_RELIABLE) {
      out->resume_id = id;
      out->resume_token = token;
    }
    return WPS_OK;
  }
  if (azure_mode_read(req, &mode, &out->reason) != WPS_OK) {
    out->http_code = 400;
    return WPS_EINVAL;
  }
  return WPS_OK;
}
