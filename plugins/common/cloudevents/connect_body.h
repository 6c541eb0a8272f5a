/* SPDX-License-Identifier: Apache-2.0 */
/* connect_body.h - the JSON body of a connect event (azure-server.md 3.7).
 * Pure. Thread: any. */
#ifndef CLOUDEVENTS_CONNECT_BODY_H
#define CLOUDEVENTS_CONNECT_BODY_H

#include <webpubsub/types.h>

struct text;

/* Lists as a request has them: names repeat, and nobody has checked that names
 * and values are UTF-8. */
struct connect_facts {
  const struct wps_pair *claims, *query, *headers;
  size_t claim_count, query_count, header_count;
  const struct wps_str *subprotocols;
  size_t subprotocol_count;
  struct wps_bytes certificate; /* DER, or {NULL, 0} */
};

/* Appended to `out`, which says itself when memory ran out. The access token
 * is left out, wherever it stood. Errors: ENOMEM, EINTERNAL (libcrypto). */
int connect_body_write(const struct connect_facts *facts, struct text *out);

#endif
