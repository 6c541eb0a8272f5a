/* SPDX-License-Identifier: Apache-2.0 */
/* base/base64.h - strict base64 and base64url over libcrypto's codec. */
#ifndef WPS_BASE_BASE64_H
#define WPS_BASE_BASE64_H

#include "base/base.h"

/* Output sizes, without a terminator. */
size_t base64_encoded_len(size_t len); /* padded standard alphabet */
void base64_encode(const void *bytes, size_t len, char *out);
/* Standard alphabet, padded, no white space, unused bits zero. `out` has room
 * for len / 4 * 3 bytes. Errors: EPROTO. */
int base64_decode(struct wps_str text, void *out, size_t *out_len);
/* Would it be decoded, and to how many bytes? Errors: EPROTO. */
int base64_check(struct wps_str text, size_t *len);

size_t base64url_encoded_len(size_t len); /* no padding */
void base64url_encode(const void *bytes, size_t len, char *out);
/* URL alphabet, unpadded, unused bits zero; room for len / 4 * 3 + 3 bytes.
 * Errors: EPROTO. */
int base64url_decode(struct wps_str text, void *out, size_t *out_len);

#endif
