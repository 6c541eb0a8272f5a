/* SPDX-License-Identifier: Apache-2.0 */
/* wire/frame_out.c - headers of outgoing WebSocket frames. */
#include "wire/frame_out.h"

#include <string.h>

#include "base/utf8.h"

enum { CLOSE_REASON_MAX = 123, CLOSE_NO_CODE = 1005 };

size_t frame_header_write(unsigned char out[FRAME_HEADER_MAX], uint32_t opcode,
                          uint64_t len)
{
  size_t size = frame_header_len(len);

  out[0] = (unsigned char)(0x80 | (opcode & 0x0F));
  if (size == 2) {
    out[1] = (unsigned char)len;
    return size;
  }
  out[1] = size == 4 ? 126 : 127;
  for (size_t i = size - 1; i >= 2; i--) {
    out[i] = (unsigned char)(len & 0xFF);
    len >>= 8;
  }
  return size;
}

size_t frame_close_payload(unsigned char out[125], uint16_t code,
                           struct wps_str reason)
{
  if (code == 0 || code == CLOSE_NO_CODE)
    return 0;
  out[0] = (unsigned char)(code >> 8);
  out[1] = (unsigned char)(code & 0xFF);
  reason = utf8_cut(reason, CLOSE_REASON_MAX);
  if (reason.len > 0)
    memcpy(out + 2, reason.ptr, reason.len);
  return 2 + reason.len;
}
