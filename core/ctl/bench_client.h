/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/bench_client.h - many WebSocket clients at once, none of them blocking.
 *
 * A client's request is prepared before it connects, so that making tokens is
 * no part of what is measured. What is received is read into one area that all
 * clients share, and is looked at there. What is sent waits in the client's
 * buffer until clients_flush(): one send() for all messages of a turn.
 */
#ifndef WPS_CTL_BENCH_CLIENT_H
#define WPS_CTL_BENCH_CLIENT_H

#include "base/buf.h"
#include "ctl/net.h"

#include <sys/epoll.h>
#include <sys/socket.h>

enum client_state {
  CLIENT_NEW,
  CLIENT_CONNECTING,
  CLIENT_SHAKING, /* the request is on its way                    */
  CLIENT_OPEN,    /* frames go both ways                          */
  CLIENT_READY,   /* and the owner has called it so               */
  CLIENT_CLOSED
};

struct client {
  int fd;
  enum client_state state;
  bool wants_out, dirty;
  uint8_t mask[4]; /* one key for all frames of a client */
  struct buf out;
  char *kept; /* the beginning of what has not come as a whole */
  size_t kept_len, kept_size;
  int64_t began;
  /* The owner's: bench_traffic.c says what they are. */
  unsigned group, hint, unacknowledged;
  struct publisher *publisher;
  struct track *tracks;
};

struct clients {
  struct client *all;
  size_t count, started, ready, closed;
  const char *subprotocol; /* NULL: none */
  char key[25];            /* Sec-WebSocket-Key of all */
  struct sockaddr_storage address;
  socklen_t address_len;
  int epoll;
  char *area;
  struct client **dirty;
  size_t dirty_count;
  struct epoll_event events[1024];
  /* The owner, and what it is told. */
  void *owner;
  void (*opened)(struct clients *s, struct client *c);
  void (*message)(struct clients *s, struct client *c, const char *text,
                  size_t len, int64_t now);
  void (*failed)(struct clients *s, struct client *c, const char *why);
};

/* Files are allowed for, addresses found and one connection tried. False with a
 * sentence; clients_free() is due in both cases. */
bool clients_init(struct clients *s, size_t count, const struct net_url *url,
                  char *why, size_t why_size);
void clients_free(struct clients *s);
/* Put the request into the buffer of a client that is not connected. */
bool client_prepare(struct clients *s, struct client *c,
                    const struct net_url *url, const char *more_query);
void client_connect(struct clients *s, struct client *c);
/* The next bytes to be sent, to be written by the caller; NULL after the client
 * has failed because too much waits already. */
char *client_room(struct clients *s, struct client *c, size_t len);
void client_send(struct clients *s, struct client *c, unsigned opcode,
                 const char *data, size_t len);
void client_text(struct clients *s, struct client *c, const char *fmt, ...)
    WPS_PRINTF(3, 4);
/* The bytes of a whole masked frame; *payload_at is where its payload begins.
 * NULL when out of memory. */
char *client_frame(const struct client *c, unsigned opcode, const char *data,
                   size_t len, size_t *frame_len, size_t *payload_at);
void client_ready(struct clients *s, struct client *c);
void client_fail(struct clients *s, struct client *c, const char *fmt, ...)
    WPS_PRINTF(3, 4);
/* Wait up to `wait` ns for something to happen, and let it. The number of
 * clients it happened to. */
int clients_turn(struct clients *s, int64_t wait);
void clients_flush(struct clients *s);
/* Say 1000 and leave. */
void clients_leave(struct clients *s);

#endif
