/* SPDX-License-Identifier: Apache-2.0 */
/* response.h - one HTTP answer as it comes in, line by line and piece by piece.
 *
 * It keeps what events need and bounds what a server may send. Knows nothing of
 * libcurl. Thread: the worker's. */
#ifndef WEBHOOK_RESPONSE_H
#define WEBHOOK_RESPONSE_H

#include <webpubsub/types.h>

#include "plugins/common/cloudevents/answer.h"
#include "plugins/common/cloudevents/text.h"

enum {
  RESPONSE_BODY_MAX = CE_BODY_MAX,
  RESPONSE_HEADERS_MAX = 128 * 1024,
  RESPONSE_REFUSAL_MAX = CE_REFUSAL_MAX,
  RESPONSE_METADATA_MAX = 1024 /* headers */
};

/* What is wanted of the body. */
enum {
  RESPONSE_DROP = 0,    /* none of it                                     */
  RESPONSE_SUCCESS = 1, /* that of 2xx                                    */
  RESPONSE_REFUSAL = 2  /* and the beginning of 4xx                       */
};

struct response {
  uint32_t wanted; /* RESPONSE_*, set before the first line */
  uint32_t code;   /* of the status line that counts        */
  bool ended;      /* the blank line of the head was there  */
  bool has_type, has_state, has_cookie;
  bool headers_over, body_over; /* more than is allowed                     */
  bool cut;                     /* enough of the body is here; stopped      */
  bool no_memory;
  uint32_t metadata_count;
  uint32_t cookie_count; /* also of interim answers */
  size_t head_bytes, body_bytes;
  struct text type, state;
  struct text allowed;  /* WebHook-Allowed-Origin, all lines, with commas   */
  struct text metadata; /* NAME NUL VALUE NUL ...                           */
  struct text body;
};

/* For the next answer; keeps small buffers. */
void response_reset(struct response *r, uint32_t wanted);
void response_free(struct response *r);

/* One line of the head with its line end, blank and status lines included; and
 * what follows. False: stop, the flags say why. */
bool response_header(struct response *r, struct wps_str line);
bool response_body(struct response *r, struct wps_bytes bytes);

/* Metadata headers; `out` has room for metadata_count. */
void response_metadata(const struct response *r, struct wps_pair *out);
/* All of it; `metadata` as above. Borrows. */
struct ce_answer response_answer(const struct response *r,
                                 struct wps_pair *metadata);

/* Does WebHook-Allowed-Origin name `origin`, with or without a port, or all? */
bool response_allows(const struct response *r, struct wps_str origin);

#endif
