/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ws_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/rand.h"
#include "ctl/http_client.h"
#include "ctl/net.h"

enum {
  PING = 9,
  PONG = 10,
  FIN = 0x80,
  MASK = 0x80,
  MESSAGE_MAX = 64 * 1024 * 1024,
  FINISH_MS = 2000
};

struct ws_client {
  struct net *net;
  struct buf in;      /* bytes not understood yet      */
  struct buf message; /* fragments so far              */
  unsigned opcode;    /* of the message; 0: none begun */
  size_t used;        /* of `in`, by the last frame    */
  bool closed;        /* a close frame has come        */
  char protocol[256];
  char why[WS_WHY_MAX];
};

struct frame {
  unsigned first; /* FIN, reserved bits, opcode */
  const char *payload;
  size_t len;
};

/* ---- handshake ---- */

bool ws_accept_matches(const char *key, const char *accept)
{
  static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char digest[EVP_MAX_MD_SIZE];
  char text[64 + sizeof(guid)], expected[64];
  unsigned len = 0;
  int n = snprintf(text, sizeof(text), "%s%s", key, guid);

  if (EVP_Digest(text, (size_t)n, digest, &len, EVP_sha1(), NULL) != 1)
    return false;
  base64_encode(digest, len, expected);
  expected[base64_encoded_len(len)] = '\0';
  return strcmp(expected, accept) == 0;
}

static bool shake_hands(struct ws_client *c, const struct net_url *url,
                        const struct ws_options *how)
{
  uint8_t nonce[16];
  char key[25] = "", key_line[64], offer[300];
  const char *headers[80] = {"Connection: Upgrade", "Upgrade: websocket",
                             "Sec-WebSocket-Version: 13", key_line};
  size_t n = 4, room = ARRAY_LEN(headers) - 5;
  struct http_answer answer;
  struct http_question q = {.method = "GET", .url = url, .headers = headers};
  bool ok;

  if (how->header_count > room || rand_bytes(nonce, sizeof(nonce)) != WPS_OK) {
    snprintf(c->why, sizeof(c->why), "more than %zu headers", room);
    return false;
  }
  base64_encode(nonce, sizeof(nonce), key);
  snprintf(key_line, sizeof(key_line), "Sec-WebSocket-Key: %s", key);
  if (how->subprotocol != NULL) {
    snprintf(offer, sizeof(offer), "Sec-WebSocket-Protocol: %s",
             how->subprotocol);
    headers[n++] = offer;
  }
  for (size_t i = 0; i < how->header_count; i++)
    headers[n++] = how->headers[i];
  q.header_count = n;
  ok = http_ask(c->net, &q, &answer, c->why, sizeof(c->why));
  if (ok && answer.status != 101) {
    snprintf(c->why, sizeof(c->why), "HTTP %u %s%s%.*s", answer.status,
             http_reason(answer.status), answer.body.len > 0 ? ": " : "",
             (int)(answer.body.len < 200 ? answer.body.len : 200),
             answer.body.len > 0 ? answer.body.data : "");
    ok = false;
  } else if (ok && !ws_accept_matches(key, answer.accept)) {
    snprintf(c->why, sizeof(c->why), "Sec-WebSocket-Accept is wrong");
    ok = false;
  }
  if (ok) {
    snprintf(c->protocol, sizeof(c->protocol), "%s", answer.protocol);
    ok = buf_add(&c->in, answer.rest.data, answer.rest.len) == WPS_OK;
  }
  http_answer_free(&answer);
  return ok;
}

static void ws_free(struct ws_client *c)
{
  net_close(c->net);
  buf_free(&c->in);
  buf_free(&c->message);
  free(c);
}

struct ws_client *ws_open(const struct ws_options *how, char *why,
                          size_t why_size)
{
  struct net_options options = {.ca_file = how->ca_file,
                                .timeout_ms = how->timeout_ms};
  struct ws_client *c;
  struct net_url url;

  if (!net_url_parse(how->url, &url, why, why_size))
    return NULL;
  if ((c = calloc(1, sizeof(*c))) == NULL) {
    snprintf(why, why_size, "out of memory");
    return NULL;
  }
  buf_init(&c->in, MESSAGE_MAX + 16);
  buf_init(&c->message, MESSAGE_MAX);
  c->net = net_open(&url, &options, why, why_size);
  if (c->net != NULL) {
    if (shake_hands(c, &url, how))
      return c;
    snprintf(why, why_size, "%s", c->why);
  }
  ws_free(c);
  return NULL;
}

const char *ws_subprotocol(const struct ws_client *c)
{
  return c->protocol;
}

const char *ws_why(const struct ws_client *c)
{
  return c->why;
}

void ws_timeout(struct ws_client *c, int64_t timeout_ms)
{
  net_timeout(c->net, timeout_ms);
}

/* ---- out ---- */

size_t ws_head_write(uint8_t out[WS_HEAD_MAX], unsigned opcode, size_t len)
{
  size_t n = 2;

  out[0] = (uint8_t)(FIN | opcode);
  if (len < 126) {
    out[1] = (uint8_t)(MASK | len);
  } else if (len < 65536) {
    out[1] = MASK | 126;
    out[n++] = (uint8_t)(len >> 8);
    out[n++] = (uint8_t)len;
  } else {
    out[1] = MASK | 127;
    for (int shift = 56; shift >= 0; shift -= 8)
      out[n++] = (uint8_t)((uint64_t)len >> shift);
  }
  return n;
}

bool ws_send(struct ws_client *c, unsigned opcode, struct wps_bytes data)
{
  uint8_t head[WS_HEAD_MAX], *mask;
  size_t n = ws_head_write(head, opcode, data.len);
  struct buf out;
  bool ok;

  mask = head + n;
  buf_init(&out, MESSAGE_MAX + sizeof(head));
  if (rand_bytes(mask, 4) != WPS_OK || buf_add(&out, head, n + 4) != WPS_OK ||
      buf_add(&out, data.ptr, data.len) != WPS_OK) {
    snprintf(c->why, sizeof(c->why), "the message is too long");
    buf_free(&out);
    return false;
  }
  for (size_t i = 0; i < data.len; i++)
    out.data[n + 4 + i] = (char)((uint8_t)out.data[n + 4 + i] ^ mask[i % 4]);
  ok = net_write(c->net, out.data, out.len);
  if (!ok)
    snprintf(c->why, sizeof(c->why), "%s", net_why(c->net));
  buf_free(&out);
  return ok;
}

/* ---- in ---- */

static bool broken(struct ws_client *c, const char *what)
{
  snprintf(c->why, sizeof(c->why), "%s", what);
  return false;
}

static bool fill(struct ws_client *c, size_t wanted)
{
  char bytes[16384];
  ssize_t got;

  while (c->in.len < wanted) {
    if ((got = net_read(c->net, bytes, sizeof(bytes))) < 0)
      return broken(c, net_why(c->net));
    if (got == 0)
      return broken(c, "the connection ended without a close frame");
    if (buf_add(&c->in, bytes, (size_t)got) != WPS_OK)
      return broken(c, "out of memory");
  }
  return true;
}

bool ws_head_read(const void *bytes, size_t have, struct ws_head *out)
{
  const uint8_t *p = bytes;

  if (have < 2)
    return false;
  out->first = p[0];
  out->masked = (p[1] & MASK) != 0;
  out->len = p[1] & 0x7f;
  out->size = out->len < 126 ? 2 : out->len == 126 ? 4 : 10;
  if (have < out->size)
    return false;
  if (out->size > 2) {
    out->len = 0;
    for (size_t i = 2; i < out->size; i++)
      out->len = out->len << 8 | p[i];
  }
  return true;
}

/* The payload stays in `in` until the next call. */
static bool frame_read(struct ws_client *c, struct frame *f)
{
  struct ws_head head;

  buf_consume(&c->in, c->used);
  c->used = 0;
  while (!ws_head_read(c->in.data, c->in.len, &head))
    if (!fill(c, c->in.len + 1))
      return false;
  if (head.masked)
    return broken(c, "the server sent a masked frame");
  if (head.len > MESSAGE_MAX)
    return broken(c, "the server sent a message of more than 64 MiB");
  if (!fill(c, head.size + (size_t)head.len))
    return false;
  f->first = head.first;
  f->payload = c->in.data + head.size;
  f->len = (size_t)head.len;
  c->used = head.size + f->len;
  return true;
}

static bool control(struct ws_client *c, const struct frame *f,
                    struct ws_message *out)
{
  unsigned opcode = f->first & 0x0f;

  if ((f->first & FIN) == 0 || f->len > 125)
    return broken(c, "the server sent a malformed control frame");
  if (opcode == PING)
    return ws_send(c, PONG, (struct wps_bytes){f->payload, f->len});
  if (opcode == PONG)
    return true;
  if (opcode != WS_CLOSE || f->len == 1)
    return broken(c, "the server sent a frame of an unknown kind");
  out->opcode = WS_CLOSE;
  out->code =
      f->len < 2
          ? 1005u
          : (unsigned)((uint8_t)f->payload[0] << 8 | (uint8_t)f->payload[1]);
  out->data = f->len < 2 ? (struct wps_bytes){"", 0}
                         : (struct wps_bytes){f->payload + 2, f->len - 2};
  if (!c->closed)
    ws_send(c, WS_CLOSE, (struct wps_bytes){f->payload, f->len < 2 ? 0 : 2});
  c->closed = true;
  return true;
}

bool ws_receive(struct ws_client *c, struct ws_message *out)
{
  struct frame f = {0};
  unsigned opcode;

  memset(out, 0, sizeof(*out));
  for (;;) {
    if (!frame_read(c, &f))
      return false;
    opcode = f.first & 0x0f;
    if ((f.first & 0x70) != 0)
      return broken(c, "the server set a reserved bit");
    if (opcode >= 8) {
      if (!control(c, &f, out))
        return false;
      if (out->opcode == WS_CLOSE)
        return true;
      continue;
    }
    if (opcode > 2 || (opcode == 0) != (c->opcode != 0))
      return broken(c, "the server sent fragments out of order");
    if (opcode != 0) {
      buf_reset(&c->message);
      c->opcode = opcode;
    }
    if (buf_add(&c->message, f.payload, f.len) != WPS_OK)
      return broken(c, "the message is too long");
    if ((f.first & FIN) == 0)
      continue;
    out->opcode = c->opcode;
    out->data = (struct wps_bytes){c->message.data, c->message.len};
    c->opcode = 0;
    return true;
  }
}

void ws_finish(struct ws_client *c)
{
  static const uint8_t normal[2] = {1000 >> 8, 1000 & 0xff};
  struct ws_message m;

  if (!c->closed && ws_send(c, WS_CLOSE, (struct wps_bytes){normal, 2})) {
    c->closed = true;
    net_timeout(c->net, FINISH_MS);
    while (ws_receive(c, &m) && m.opcode != WS_CLOSE)
      ;
  }
  ws_free(c);
}
