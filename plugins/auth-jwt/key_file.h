/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WPS_AUTH_JWT_KEY_FILE_H
#define WPS_AUTH_JWT_KEY_FILE_H

#include "plugins/common/jwt_keys.h"

/* Read a PEM file or a JWKS. False with a sentence in why. Thread: main. */
bool key_file_add(struct token_keys *keys, struct wps_str path, bool jwks,
                  char *why, size_t why_size);

#endif
