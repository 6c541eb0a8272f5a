/* SPDX-License-Identifier: Apache-2.0 */
#include "base/keys.h"
#include "host/host.h"

_Static_assert((uint32_t)KEYS_SERVICE == (uint32_t)WPS_KEY_SERVICE,
               "one number for the service key");

static int endpoint_at(size_t index, struct wps_str *out)
{
  const struct host_context *h = host_context();

  if (index >= h->endpoint_count)
    return WPS_ENOTFOUND;
  *out = h->endpoints[index];
  return WPS_OK;
}

static int sign(uint32_t key, struct wps_str purpose, struct wps_bytes data,
                uint8_t mac[32])
{
  return keys_sign(host_context()->keys, key, purpose, data, mac);
}

static int verify(uint32_t key, struct wps_str purpose, struct wps_bytes data,
                  const uint8_t mac[32], uint32_t *which)
{
  return keys_verify(host_context()->keys, key, purpose, data, mac, which);
}

const struct wps_server_api host_server_api = {
    .struct_size = sizeof(host_server_api),
    .endpoint_at = endpoint_at,
    .sign = sign,
    .verify = verify,
};
