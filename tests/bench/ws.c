/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/ws.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/meter.h"

enum { OP_TEXT = 1, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

void ws_target(struct ws_target *target, uint16_t port, const char *path,
               const char *subprotocol)
{
  int len =
      snprintf(target->request, sizeof(target->request),
               "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\n"
               "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
               "Sec-WebSocket-Protocol: %s\r\n\r\n",
               path, port, subprotocol);

  if (len < 0 || (size_t)len >= sizeof(target->request))
    meter_die("the path is too long");
  target->request_len = (size_t)len;
  target->address = meter_loopback(port);
}

static void watch(struct ws *ws, int epoll, int op, uint32_t events)
{
  struct epoll_event e = {.events = events, .data.ptr = ws};

  if (epoll_ctl(epoll, op, ws->fd, &e) != 0)
    meter_die("epoll_ctl: %s", strerror(errno));
}

void ws_open(struct ws *ws, int epoll, const struct ws_target *target)
{
  int one = 1;

  if (ws->in == NULL)
    ws->in = malloc(WS_BUFFER);
  ws->have = 0;
  ws->state = WS_CONNECTING;
  ws->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (ws->fd < 0 || ws->in == NULL)
    meter_die("socket: %s", strerror(errno));
  setsockopt(ws->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  if (connect(ws->fd, (const struct sockaddr *)&target->address,
              sizeof(target->address)) != 0 &&
      errno != EINPROGRESS)
    meter_die("connect: %s", strerror(errno));
  watch(ws, epoll, EPOLL_CTL_ADD, EPOLLOUT);
}

/* Closed loops keep at most a few small frames under way: they fit. */
static void send_all(struct ws *ws, const void *data, size_t len)
{
  if (send(ws->fd, data, len, MSG_NOSIGNAL) != (ssize_t)len && errno != EPIPE &&
      errno != ECONNRESET)
    meter_die("send: %s", strerror(errno));
}

/* The mask is zero: the payload goes out as it is. */
static void send_frame(struct ws *ws, int opcode, const char *data, size_t len)
{
  char frame[8 + 16 * 1024];
  size_t head = 2;

  if (len > sizeof(frame) - 8)
    meter_die("a message of %zu bytes", len);
  frame[0] = (char)(0x80 | opcode);
  if (len < 126) {
    frame[1] = (char)(0x80 | len);
  } else {
    frame[1] = (char)(0x80 | 126);
    frame[2] = (char)(len >> 8);
    frame[3] = (char)len;
    head = 4;
  }
  memset(frame + head, 0, 4);
  head += 4;
  if (len != 0)
    memcpy(frame + head, data, len);
  send_all(ws, frame, head + len);
}

void ws_send(struct ws *ws, const char *data, size_t len)
{
  send_frame(ws, OP_TEXT, data, len);
}

void ws_close(struct ws *ws)
{
  send_frame(ws, OP_CLOSE, "\x03\xe8", 2);
}

/* Bytes of the answer's head; 0: not all there yet. */
static size_t handshake(struct ws *ws)
{
  char *end = memmem(ws->in, ws->have, "\r\n\r\n", 4);

  if (end == NULL)
    return 0;
  if (memcmp(ws->in, "HTTP/1.1 101", 12) != 0)
    meter_die("the handshake was answered %.60s", ws->in);
  ws->state = WS_OPEN;
  return (size_t)(end + 4 - ws->in);
}

/* Bytes of the frame at `at`; 0: not all there yet. */
static size_t frame(struct ws *ws, size_t at, ws_message_fn *message)
{
  const unsigned char *p = (const unsigned char *)ws->in + at;
  size_t have = ws->have - at, head = 2, len;

  if (have < 2)
    return 0;
  len = p[1] & 0x7f;
  if (len == 127)
    meter_die("a frame of more than 64 KiB");
  if (len == 126) {
    head = 4;
    if (have < 4)
      return 0;
    len = (size_t)p[2] << 8 | p[3];
  }
  if (head + len > WS_BUFFER)
    meter_die("a frame of %zu bytes", len);
  if (have < head + len)
    return 0;
  switch (p[0] & 0xf) {
  case OP_PING:
    send_frame(ws, OP_PONG, ws->in + at + head, len);
    break;
  case OP_PONG:
  case OP_CLOSE:
    break;
  default:
    message(ws, ws->in + at + head, len);
  }
  return head + len;
}

static void consume(struct ws *ws, ws_message_fn *message)
{
  size_t at = ws->state == WS_HANDSHAKE ? handshake(ws) : 0, len;

  if (ws->state != WS_OPEN)
    return;
  while ((len = frame(ws, at, message)) != 0)
    at += len;
  ws->have -= at;
  if (ws->have != 0)
    memmove(ws->in, ws->in + at, ws->have);
}

bool ws_ready(struct ws *ws, int epoll, const struct ws_target *target,
              ws_message_fn *message)
{
  ssize_t n;

  if (ws->state == WS_CONNECTING) {
    int error = 0;
    socklen_t size = sizeof(error);

    getsockopt(ws->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0)
      meter_die("connect: %s", strerror(error));
    ws->state = WS_HANDSHAKE;
    watch(ws, epoll, EPOLL_CTL_MOD, EPOLLIN);
    send_all(ws, target->request, target->request_len);
    return true;
  }
  n = recv(ws->fd, ws->in + ws->have, WS_BUFFER - ws->have, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return true;
  if (n <= 0) {
    if (ws->state == WS_HANDSHAKE)
      meter_die("the connection ended before the handshake's answer");
    close(ws->fd);
    ws->state = WS_CLOSED;
    return false;
  }
  ws->have += (size_t)n;
  consume(ws, message);
  return true;
}
