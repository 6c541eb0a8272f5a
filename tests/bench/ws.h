/* SPDX-License-Identifier: Apache-2.0 */
/* bench/ws.h - a WebSocket client for load: many in one thread, on epoll. It
 * believes the server more than a real client may; the tests do not. */
#ifndef BENCH_WS_H
#define BENCH_WS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WS_BUFFER = 64 * 1024 };

enum ws_state { WS_CLOSED, WS_CONNECTING, WS_HANDSHAKE, WS_OPEN };

struct ws {
  int fd;
  enum ws_state state;
  size_t have;
  char *in; /* WS_BUFFER, once the first byte came */
  void *owner;
};

/* A text or binary message; the bytes live until it returns. It may send, and
 * must not close. */
typedef void ws_message_fn(struct ws *ws, const char *data, size_t len);

/* What to ask for: the target with its query, and a subprotocol. */
struct ws_target {
  struct sockaddr_in address;
  char request[4096];
  size_t request_len;
};

void ws_target(struct ws_target *target, uint16_t port, const char *path,
               const char *subprotocol);

/* Begin; from then on call ws_ready() when epoll names it. */
void ws_open(struct ws *ws, int epoll, const struct ws_target *target);

/* False: the connection has ended, and is closed. A refusal ends the program.
 */
bool ws_ready(struct ws *ws, int epoll, const struct ws_target *target,
              ws_message_fn *message);

void ws_send(struct ws *ws, const char *data, size_t len);

/* A close frame; the end comes by ws_ready(). */
void ws_close(struct ws *ws);

#endif
