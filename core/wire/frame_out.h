/* SPDX-License-Identifier: Apache-2.0 */
/* wire/frame_out.h - headers of outgoing WebSocket frames (unmasked). */
#ifndef WPS_WIRE_FRAME_OUT_H
#define WPS_WIRE_FRAME_OUT_H

#include "base/base.h"

enum { FRAME_HEADER_MAX = 10 };
enum { FRAME_CLOSE = 8, FRAME_PING = 9, FRAME_PONG = 10 };

/* Size of the header of a frame with `len` bytes of payload: 2, 4 or 10. */
static inline size_t frame_header_len(uint64_t len)
{
  return len < 126 ? 2 : len < 65536 ? 4 : 10;
}
/* Write it (FIN set); returns its size. */
size_t frame_header_write(unsigned char out[FRAME_HEADER_MAX], uint32_t opcode,
                          uint64_t len);
/* The payload of a close frame: code and reason cut to 123 bytes at a UTF-8
 * boundary; code 0 or 1005 gives an empty one. Returns its length. */
size_t frame_close_payload(unsigned char out[125], uint16_t code,
                           struct wps_str reason);

#endif
