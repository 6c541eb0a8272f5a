/* SPDX-License-Identifier: Apache-2.0 */
/* base/rand.h - unguessable bytes and names, from libcrypto. */
#ifndef WPS_BASE_RAND_H
#define WPS_BASE_RAND_H

#include "base/base.h"

/* Errors: EINTERNAL (no entropy). */
int rand_bytes(void *out, size_t len);
/* 27 characters of [0-9A-Za-z_-]: 160 random bits; out is terminated. */
#define RAND_ID_LEN 27
int rand_id(char out[RAND_ID_LEN + 1]);
/* A random UUID (version 4), 36 characters, terminated. */
int rand_uuid(char out[37]);

#endif
