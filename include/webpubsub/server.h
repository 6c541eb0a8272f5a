/* SPDX-License-Identifier: Apache-2.0 */
/* webpubsub/server.h - this server: its addresses and keys. */
#ifndef WEBPUBSUB_SERVER_H
#define WEBPUBSUB_SERVER_H

#include <webpubsub/types.h>

WPS_BEGIN_DECLS

/* Keys to sign with. Access keys are those of the configuration, in its order;
 * the service key is the server's own and survives their rotation. */
enum { WPS_KEY_ACCESS = 0, WPS_KEY_SERVICE = 1000 };

struct wps_server_api {
  uint32_t struct_size, reserved;

  /* Public URLs, first is preferred; none when the configuration names none.
   * Thread: any. Lifetime: that of the server. Errors: ENOTFOUND past the end.
   */
  int (*endpoint_at)(size_t index, struct wps_str *out);

  /* HMAC-SHA-256 of `data` with WPS_KEY_ACCESS + n or WPS_KEY_SERVICE: sign()
   * writes it, verify() compares in constant time with any access key that is
   * valid now, or the service key, and says in *which (NULL: not wanted) the
   * index of the access key. The keys themselves do not leave the core.
   * `purpose` enters the service key ("" for none), so that a signature made
   * for one thing is worth nothing for another. Thread: any.
   * Errors: ENOTFOUND (no such key; verify: no access key at all),
   * EUNAUTHORIZED (verify), ENOMEM, EINTERNAL (libcrypto). */
  int (*sign)(uint32_t key, struct wps_str purpose, struct wps_bytes data,
              uint8_t mac[32]);
  int (*verify)(uint32_t key, struct wps_str purpose, struct wps_bytes data,
                const uint8_t mac[32], uint32_t *which);
};

WPS_END_DECLS

#endif
