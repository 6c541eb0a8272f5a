/* SPDX-License-Identifier: Apache-2.0 */
#include "frame_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

enum { CONT = 0, TEXT = 1, PING = 9, PONG = 10 };

static void note(struct buf *log, const char *what, const void *data,
                 size_t len)
{
  buf_add_c(log, what);
  buf_add(log, data, len);
  buf_add_byte(log, ';');
}

static bool on_message(void *arg, uint32_t opcode, unsigned char *data,
                       size_t len)
{
  struct frame_log *l = arg;

  note(&l->text, opcode == TEXT ? "1:" : "2:", data, len);
  memset(data, 0xEE, len); /* the receiver may */
  return ++l->calls != l->stop_after;
}

static bool on_ping(void *arg, const unsigned char *data, size_t len)
{
  struct frame_log *l = arg;

  note(&l->text, "ping:", data, len);
  return ++l->calls != l->stop_after;
}

static bool on_pong(void *arg, const unsigned char *data, size_t len)
{
  struct frame_log *l = arg;

  note(&l->text, "pong:", data, len);
  return ++l->calls != l->stop_after;
}

static void on_closed(void *arg, uint16_t code, struct wps_str reason)
{
  struct frame_log *l = arg;

  buf_printf(&l->text, "close %u:", code);
  note(&l->text, "", reason.ptr, reason.len);
}

const struct frame_in_ops frame_log_ops = {on_message, on_ping, on_pong,
                                           on_closed};

int frame_model(struct wps_str in, const struct frame_in_limits *l,
                struct buf *log, bool *boundary)
{
  const unsigned char *p = (const unsigned char *)in.ptr;
  size_t at = 0, fragments = 0;
  unsigned open = 0;
  struct buf msg;
  struct utf8_state utf8 = {0};
  int rc = FRAME_OK;

  buf_init(&msg, 64 << 20);
  *boundary = false;
  while (rc == FRAME_OK && at < in.len) {
    size_t have = in.len - at, head = 2, avail;
    unsigned op = p[at] & 15, fin = p[at] & 0x80;
    uint64_t len;
    unsigned char *data;

    rc = 1002;
    if ((p[at] & 0x70) || (op > 2 && op < 8) || op > 10 || (op > 7 && !fin) ||
        (op == 0 && !open) || ((op == 1 || op == 2) && open))
      break;
    rc = 1009;
    if (op < 8 && (open || !fin) && fragments + 1 > l->fragments_max)
      break;
    rc = FRAME_OK;
    if (have < 2)
      goto end;
    len = p[at + 1] & 127;
    rc = 1002;
    if (!(p[at + 1] & 128) || (op > 7 && len > 125))
      break;
    rc = FRAME_OK;
    if (len > 125) {
      size_t bytes = len == 126 ? 2 : 8;

      if (have < 2 + bytes)
        goto end;
      len = 0;
      for (size_t i = 0; i < bytes; i++)
        len = len * 256 + p[at + 2 + i];
      head += bytes;
      rc = 1002;
      if (len < (bytes == 2 ? 126u : 65536u) || len > INT64_MAX)
        break;
    }
    rc = 1009;
    if (op < 8 && msg.len + len > l->message_max)
      break;
    rc = FRAME_OK;
    if (have < head + 4)
      goto end;
    at += head + 4;
    avail = in.len - at < len ? in.len - at : (size_t)len;
    data = malloc(avail + 1);
    for (size_t i = 0; i < avail; i++)
      data[i] = p[at + i] ^ p[at - 4 + i % 4];
    at += avail;
    if (op > 7) {
      unsigned code = avail >= 2 ? data[0] * 256u + data[1] : 1005;

      if (avail < len) {
        free(data);
        goto end;
      }
      if (op == PING || op == PONG) {
        buf_printf(log, "p%cng:", op == PING ? 'i' : 'o');
        buf_add(log, data, avail);
        buf_add_byte(log, ';');
      } else if (avail == 1 ||
                 (avail > 1 && (code < 1000 || (code > 1003 && code < 1007) ||
                                (code > 1014 && code < 3000) || code > 4999))) {
        rc = 1002;
      } else if (avail > 2 && !utf8_valid(data + 2, avail - 2)) {
        rc = 1007;
      } else {
        buf_printf(log, "close %u:", code);
        if (avail > 2)
          buf_add(log, data + 2, avail - 2);
        buf_add_byte(log, ';');
        rc = FRAME_STOPPED;
      }
      free(data);
      continue;
    }
    if (op != CONT) {
      open = op;
      utf8 = (struct utf8_state){0};
    }
    fragments++;
    if (open == TEXT && !utf8_feed(&utf8, data, avail))
      rc = 1007;
    buf_add(&msg, data, avail);
    free(data);
    if (rc != FRAME_OK)
      break;
    if (avail < len)
      goto end;
    if (!fin)
      continue;
    if (open == TEXT && !utf8_complete(&utf8)) {
      rc = 1007;
      break;
    }
    buf_printf(log, "%u:", open);
    buf_add(log, msg.data, msg.len);
    buf_add_byte(log, ';');
    buf_reset(&msg);
    open = 0;
    fragments = 0;
  }
  *boundary = !open;
end:
  buf_free(&msg);
  return rc;
}
