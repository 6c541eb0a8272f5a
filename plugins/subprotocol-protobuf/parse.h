/* SPDX-License-Identifier: Apache-2.0 */
/* parse.h - a message of a protobuf client to a request (azure-client.md 6.2).
 *
 * Malformed is what 6.1 answers with 1007. Thread: any.
 */
#ifndef WPS_PROTOBUF_PARSE_H
#define WPS_PROTOBUF_PARSE_H

#include "plugins/common/azure/request.h"

enum { PROTOBUF_PARSE_PAIRS = 8 };

/* A request; but for pairs it borrows from the bytes. */
struct protobuf_parse {
  struct azure_request req;
  struct wps_pair *heap; /* when pairs are too few */
  size_t count, room;    /* of metadata or a state */
  struct wps_pair pairs[PROTOBUF_PARSE_PAIRS];
};

/* `bytes` is what the client has sent, whole; p->req lives as long as both.
 * Call protobuf_parse_free() in any case. Errors: EPROTO (malformed), ENOMEM.
 */
int protobuf_parse(struct protobuf_parse *p, struct wps_bytes bytes);
void protobuf_parse_free(struct protobuf_parse *p);

#endif
