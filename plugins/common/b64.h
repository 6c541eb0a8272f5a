/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/common/b64.h - strict base64 for plugins, over libcrypto's codec. */
#ifndef WPS_COMMON_B64_H
#define WPS_COMMON_B64_H

#include <webpubsub/types.h>

/* Padded standard alphabet, no terminator. */
static inline size_t b64_encoded_len(size_t len)
{
  return (len / 3 + (len % 3 != 0)) * 4;
}
void b64_encode(struct wps_bytes bytes, char *out);

/* Standard alphabet, padded, no white space, unused bits zero. `out` has room
 * for text.len / 4 * 3 bytes. Errors: EPROTO. */
int b64_decode(struct wps_str text, void *out, size_t *out_len);

#endif
