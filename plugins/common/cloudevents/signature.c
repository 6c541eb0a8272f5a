/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/cloudevents/signature.h"

#include <webpubsub/host.h>
#include <webpubsub/status.h>

#include "plugins/common/cloudevents/text.h"

enum { MAC_LEN = 32 };

static void put_item(struct text *out, const uint8_t mac[MAC_LEN])
{
  static const char digits[] = "0123456789abcdef";
  char hex[2 * MAC_LEN];

  for (size_t i = 0; i < MAC_LEN; i++) {
    hex[2 * i] = digits[mac[i] >> 4];
    hex[2 * i + 1] = digits[mac[i] & 15];
  }
  text_add_str(out, STR("sha256="));
  text_add(out, hex, sizeof(hex));
}

void signature_write(struct wps_str conn, struct text *out)
{
  const struct wps_bytes data = {conn.ptr, conn.len};
  uint8_t mac[MAC_LEN];

  for (uint32_t n = 0;
       wps->server->sign(WPS_KEY_ACCESS + n, STR(""), data, mac) == WPS_OK;
       n++) {
    if (n > 0)
      text_add_str(out, STR(","));
    put_item(out, mac);
  }
}
