/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/ws_client.h - a small blocking WebSocket client. */
#ifndef WPS_CTL_WS_CLIENT_H
#define WPS_CTL_WS_CLIENT_H

#include "base/base.h"

enum { WS_WHY_MAX = 512 };

struct ws_options {
  const char *url;
  const char *subprotocol;    /* offered as it is; NULL: none  */
  const char *const *headers; /* "Name: value"                 */
  size_t header_count;
  const char *ca_file; /* NULL: the system's            */
  int64_t timeout_ms;  /* of each wait; 0: none         */
};

enum { WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8 };

struct ws_message {
  unsigned opcode;       /* WS_TEXT, WS_BINARY, WS_CLOSE                    */
  struct wps_bytes data; /* of a close: its reason; until the next call */
  unsigned code;         /* WS_CLOSE: 1005 when none was sent                 */
};

struct ws_client;

/* Connects and shakes hands. NULL with a sentence, which for an answer other
 * than 101 begins with "HTTP STATUS". */
struct ws_client *ws_open(const struct ws_options *how, char *why,
                          size_t why_size);
/* What the server selected, "" when nothing. */
const char *ws_subprotocol(const struct ws_client *c);
bool ws_send(struct ws_client *c, unsigned opcode, struct wps_bytes data);
/* The next message, fragments joined, pings answered. False with ws_why(). */
bool ws_receive(struct ws_client *c, struct ws_message *out);
void ws_timeout(struct ws_client *c, int64_t timeout_ms);
const char *ws_why(const struct ws_client *c);
/* Says 1000, waits for the answer a moment, and frees. */
void ws_finish(struct ws_client *c);

/* ---- for clients that do their own reading and writing ---- */

enum { WS_HEAD_MAX = 14 }; /* of a frame, the mask included */

struct ws_head {
  unsigned first; /* FIN, reserved bits, opcode */
  bool masked;
  size_t size;  /* of the head    */
  uint64_t len; /* of the payload */
};

/* False when not all of it is there. */
bool ws_head_read(const void *bytes, size_t have, struct ws_head *out);
/* The head of a whole message of a client; its size. The mask is to follow. */
size_t ws_head_write(uint8_t out[WS_HEAD_MAX], unsigned opcode, size_t len);
/* Whether Sec-WebSocket-Accept is the answer to Sec-WebSocket-Key. */
bool ws_accept_matches(const char *key, const char *accept);

#endif
