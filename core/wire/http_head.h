/* SPDX-License-Identifier: Apache-2.0 */
/* wire/http_head.h - one HTTP/1.1 request head: strict pre-scan, http-parser,
 * then what neither checks.
 *
 * Pure functions over bytes, no sockets: this is what the HTTP fuzz target
 * links. Strictness: RFC 9112 with everything ambiguous refused (bare CR or
 * LF, obs-fold, space before the colon, both length headers, several lengths,
 * a Transfer-Encoding other than exactly "chunked", HTTP/1.0 with one, more or
 * less than one Host in 1.1, versions but 1.0 and 1.1).
 */
#ifndef WPS_WIRE_HTTP_HEAD_H
#define WPS_WIRE_HTTP_HEAD_H

#include "base/base.h"

struct http_limits {
  size_t line_max;   /* request line, 16 KiB     */
  size_t head_max;   /* header block, 16 KiB     */
  size_t header_max; /* number of fields, 100    */
};

enum { HTTP_HEADERS_CAP = 256 };

/* Fields that mean something here; each is found by its name once. */
enum http_field {
  FIELD_OTHER,
  FIELD_HOST,
  FIELD_EXPECT,
  FIELD_CONTENT_LENGTH,
  FIELD_TRANSFER_ENCODING,
  FIELD_CONNECTION,
  FIELD_PROXY_CONNECTION,
  FIELD_UPGRADE,
  FIELD_WS_KEY,
  FIELD_WS_VERSION,
  FIELD_WS_PROTOCOL,
  FIELD_KINDS
};

struct http_head {
  struct wps_str text; /* from the method to the end of the empty line */
  struct wps_str method;
  struct wps_str target;    /* as it came */
  struct wps_str raw_path;  /* target up to '?'; of an absolute-form target
                               the path of the URL */
  struct wps_str raw_query; /* behind '?', {NULL,0}: none */
  struct wps_pair headers[HTTP_HEADERS_CAP]; /* values trimmed */
  uint8_t header_kind[HTTP_HEADERS_CAP];     /* enum http_field */
  uint16_t field_count[FIELD_KINDS];
  uint16_t field_first[FIELD_KINDS]; /* in headers, while the count is not 0 */
  size_t header_count;
  uint32_t minor; /* HTTP/1.minor */
  bool keep_alive;
  bool chunked;
  bool has_length;
  bool upgrade_websocket; /* Upgrade has websocket, Connection has upgrade */
  bool expect_continue;
  uint64_t content_length;
};

enum http_head_result { HTTP_HEAD_MORE, HTTP_HEAD_DONE, HTTP_HEAD_BAD };

/* Look at data[0..len): MORE when the head is not complete (and no limit is
 * exceeded), DONE with *used bytes consumed, BAD with the status to answer
 * (400, 414, 431, 501, 505) and a short text. All strings of `out` point into
 * data. Leading CRLFs (at most two) are passed over. */
enum http_head_result http_head_parse(const char *data, size_t len,
                                      const struct http_limits *limits,
                                      struct http_head *out, size_t *used,
                                      uint32_t *status, const char **why);

/* The first field of a kind; {NULL,0}: none. */
struct wps_str http_head_field(const struct http_head *h, enum http_field kind);
/* Is `token` an element of any of the fields of a kind? */
bool http_head_has_token(const struct http_head *h, enum http_field kind,
                         const char *token);
/* First field of that name, any case; {NULL,0}: none. */
struct wps_str http_head_get(const struct http_head *h, const char *name);

enum { HANDSHAKE_KEY_LEN = 24, HANDSHAKE_ACCEPT_LEN = 28 };

/* The WebSocket handshake of RFC 6455 4.2.1: GET, HTTP/1.1, no body, Upgrade,
 * Connection, version 13, one good key. 0 when it is right, else the status
 * (400; 426 for a version other than 13) and why. `key`, then, is
 * Sec-WebSocket-Key, of HANDSHAKE_KEY_LEN bytes. */
uint32_t handshake_check(const struct http_head *h, struct wps_str *key,
                         const char **why);

/* SHA-1, looked up and set up once, because that costs several times what
 * hashing a key does. One thread at a time. */
struct handshake;
struct handshake *handshake_new(void); /* NULL: out of memory */
void handshake_free(struct handshake *hs);
/* Sec-WebSocket-Accept for a key that handshake_check() gave, terminated.
 * False: libcrypto is out of memory. */
bool handshake_accept(struct handshake *hs, const char key[HANDSHAKE_KEY_LEN],
                      char accept[HANDSHAKE_ACCEPT_LEN + 1]);

/* Strict incremental decoder of a chunked body. */
struct chunked {
  uint32_t state;
  uint32_t digits;
  uint64_t left;
  size_t trailer; /* bytes of extensions and trailers so far; bounded 4 KiB */
};
void chunked_init(struct chunked *c);
enum chunked_result {
  CHUNKED_MORE,
  CHUNKED_DONE,
  CHUNKED_BAD,
  CHUNKED_TOO_BIG
};
struct buf;
/* Decodes into `body` (its max is the limit). *used: bytes consumed. */
enum chunked_result chunked_feed(struct chunked *c, const char *data,
                                 size_t len, size_t *used, struct buf *body);

/* Percent-decoding into out (room for s.len bytes); `plus`: '+' is a space.
 * False on bad escapes, NUL, or bytes that are no UTF-8. */
bool percent_decode(struct wps_str s, bool plus, char *out, size_t *out_len);

#endif
