/* SPDX-License-Identifier: Apache-2.0 */
/* jwt_base64.h - strict base64url for tokens.
 *
 * libcrypto's codec skips white space, takes '-' for an end mark and ignores
 * unused bits: two texts for one value, which a token must not have.
 */
#ifndef WPS_COMMON_JWT_BASE64_H
#define WPS_COMMON_JWT_BASE64_H

#include <webpubsub/types.h>

/* Room that a decoder needs for a text of `len` characters. */
#define TOKEN_BASE64_ROOM(len) (((len) + 3) / 4 * 3)

/* Without padding. Thread: any. */
bool token_base64url_decode(struct wps_str text, void *out, size_t *out_len);
/* Writes and terminates; `out` has room for (len + 2) / 3 * 4 + 1 bytes. */
void token_base64url_encode(const void *bytes, size_t len, char *out);

#endif
