/* SPDX-License-Identifier: Apache-2.0 */
/* parse.h - a message of a JSON client to a request (azure-client.md 5.2, 5.3).
 *
 * Malformed is what 5.1 answers with 1007. Thread: any.
 */
#ifndef WPS_JSON_PARSE_H
#define WPS_JSON_PARSE_H

#include "plugins/common/azure/request.h"

enum { JSON_PARSE_ROOM = 2048, JSON_PARSE_PAIRS = 8 };

/* A request and what it borrows beside the text; large only on the stack. */
struct json_parse {
  struct azure_request req;
  struct wps_str text; /* what the client has sent */
  char *room;          /* where text without escapes and decoded base64 go */
  size_t used;
  char *heap;                  /* when small is too small */
  struct wps_pair *pairs_heap; /* when pairs are too few */
  struct wps_pair pairs[JSON_PARSE_PAIRS];
  char small[JSON_PARSE_ROOM];
};

/* `text` is what the client has sent, whole; p->req lives as long as both.
 * `early`: an object without a type but with an event is that event, its data
 * in `payload`. Call json_parse_free() in any case. Errors: EPROTO (malformed),
 * ENOMEM. */
int json_parse(struct json_parse *p, struct wps_str text, bool early);
void json_parse_free(struct json_parse *p);

#endif
