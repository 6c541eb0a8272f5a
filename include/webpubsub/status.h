/* SPDX-License-Identifier: Apache-2.0 */
/* webpubsub/status.h - the one vocabulary of results.
 *
 * Functions that can fail return int: WPS_OK or one of the negative values.
 * The value says who is at fault and what a caller may do next; the sentence
 * for humans goes to the log or to the `detail` argument beside it.
 */
#ifndef WEBPUBSUB_STATUS_H
#define WEBPUBSUB_STATUS_H

#include <webpubsub/abi.h>

/* X(NAME, value, http, close, meaning): `http` and `close` are what a client
 * is told when the failure ends a request or a connection. */
#define WPS_STATUS_MAP(X)                                                     \
  X(EINVAL,        -1, 400, 1008, "the caller broke the documented contract") \
  X(ENOMEM,        -2, 503, 1013, "out of memory")                            \
  X(EPROTO,        -3, 400, 1002, "the peer sent malformed data")             \
  X(ETOOBIG,       -4, 413, 1009, "larger than a configured limit")           \
  X(EUNAUTHORIZED, -5, 401, 1008, "who the peer is could not be established") \
  X(EFORBIDDEN,    -6, 403, 1008, "known peer, operation not allowed")        \
  X(ENOTFOUND,     -7, 404, 1008, "no such object")                           \
  X(EEXIST,        -8, 409, 1008, "already there, or already done")           \
  X(ENOTSUP,       -9, 501, 1003, "not implemented here; ask the next one")   \
  X(EAGAIN,       -10, 503, 1013, "queue full; retry after draining")         \
  X(ELIMIT,       -11, 429, 1008, "quota or rate limit reached")              \
  X(ETIMEOUT,     -12, 504, 1011, "no answer within the deadline")            \
  X(EUNAVAILABLE, -13, 502, 1011, "a remote dependency is down")              \
  X(ECLOSED,      -14, 410, 1001, "the connection or session has ended")      \
  X(ECANCELED,    -15, 499, 1001, "withdrawn, usually at shutdown")           \
  X(EINTERNAL,    -16, 500, 1011, "a bug or an impossible state")

enum wps_status {
  WPS_OK = 0
#define X(name, value, http, close, meaning) , WPS_##name = value
  WPS_STATUS_MAP(X)
#undef X
};

#endif
