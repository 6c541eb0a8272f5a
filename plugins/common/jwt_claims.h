/* SPDX-License-Identifier: Apache-2.0 */
/* jwt_claims.h - the payload of a token, as flat lists.
 *
 * What nearly all tokens have (some hundred bytes of text without escapes,
 * whole numbers, words, and lists of these) is scanned where it lies and takes
 * no memory; jansson reads all else, and is the one who refuses. The scanner
 * takes nothing that jansson would read otherwise.
 */
#ifndef WPS_COMMON_JWT_CLAIMS_H
#define WPS_COMMON_JWT_CLAIMS_H

#include <jansson.h>

#include <webpubsub/types.h>

enum { CLAIMS_FEW = 24, CLAIMS_BYTES_FEW = 1024 };

enum { CLAIM_TEXT = 1, CLAIM_NUMBER, CLAIM_OTHER };

/* Names that mean something to the server. */
enum claim_name {
  CLAIM_AUD,
  CLAIM_EXP,
  CLAIM_ISS,
  CLAIM_NBF,
  CLAIM_SUB,
  CLAIM_ROLE,
  CLAIM_NAMEID,
  CLAIM_GROUP, /* "webpubsub.group" */
  CLAIM_NAMES
};

/* A member of the payload. */
struct claim {
  struct wps_str name;
  size_t first, count; /* its values in claims.pairs; a list may have none */
  double number;       /* of CLAIM_NUMBER */
  uint8_t type;        /* CLAIM_*; a list of text is text, others OTHER */
  bool list;
};

struct claims {
  struct claim *items; /* in the order of the payload */
  size_t count;
  struct wps_pair *pairs; /* as wps_principal wants them */
  size_t pair_count;
  const struct claim *known[CLAIM_NAMES]; /* in `items`; NULL: not there */
  uint8_t *bytes;                         /* decoded */
  size_t len;
  json_t *tree; /* what the strings above point into, if not into `bytes` */
  char **texts; /* and the JSON text of values that are none */
  size_t text_count;
  /* Not moved or copied, because of these. */
  struct claim few[CLAIMS_FEW];
  struct wps_pair few_pairs[CLAIMS_FEW];
  uint8_t few_bytes[CLAIMS_BYTES_FEW];
};

/* Thread: any. All of these leave claims_clear() to be called. */

/* From base64url. Errors: EPROTO, ENOMEM. */
int claims_decode(struct claims *c, struct wps_str text);
/* What claims_decode() has got. Errors: EPROTO (no JSON object, a name twice),
 * ENOMEM. */
int claims_parse(struct claims *c);
/* The same by jansson alone, for comparing. */
int claims_parse_tree(struct claims *c);
void claims_clear(struct claims *c);

/* A JSON object, or NULL. */
json_t *claims_tree(const uint8_t *bytes, size_t len);

#endif
