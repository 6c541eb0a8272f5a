/* SPDX-License-Identifier: Apache-2.0 */
/* wire/tls.h - server contexts of OpenSSL: one certificate, TLS 1.2 and up,
 * optional client certificates, buffers released when idle. */
#ifndef WPS_WIRE_TLS_H
#define WPS_WIRE_TLS_H

#include "base/base.h"

struct tls_context;

struct tls_settings {
  const char *certificate; /* PEM chain, file name      */
  const char *key;         /* PEM, file name            */
  const char *client_ca;   /* PEM, or NULL: do not ask  */
  bool client_required;    /* with client_ca            */
};

/* NULL on failure, with a sentence that names the file in `why`. Checks that
 * key and certificate fit and that the key is not readable by everybody.
 * Thread: main. */
struct tls_context *tls_context_new(const struct tls_settings *settings,
                                    char *why, size_t why_size);
/* Streams that still use it keep what they need. */
void tls_context_free(struct tls_context *ctx);

/* For stream.c: the server's side of a connection; NULL when out of memory. */
struct ssl_st *tls_accept(struct tls_context *ctx, int fd);

#endif
