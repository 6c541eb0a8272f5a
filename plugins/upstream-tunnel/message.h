/* SPDX-License-Identifier: Apache-2.0 */
/* message.h - the messages of a tunnel (azure-server.md 9.1). Pure. Thread:
 * any. */
#ifndef TUNNEL_MESSAGE_H
#define TUNNEL_MESSAGE_H

#include <webpubsub/types.h>

struct text;

enum {
  TUNNEL_REQUEST = 1, /* HTTP, of either side */
  TUNNEL_RESPONSE = 2,
  TUNNEL_STATUS = 5,
  TUNNEL_RECONNECT = 6,
  TUNNEL_CLOSE = 7,
  TUNNEL_REBALANCE = 8,
  TUNNEL_CONNECTED = 10
};

/* What a type does not have is not looked at. Absent text is {NULL, 0}. */
struct tunnel_message {
  uint32_t type; /* TUNNEL_* */
  uint32_t code; /* RESPONSE */
  uint64_t ack;  /* REQUEST, RESPONSE */
  bool local_routing;
  bool not_completed; /* RESPONSE: more follows */
  uint8_t reserved[6];
  struct wps_str method, url;     /* REQUEST */
  struct wps_str channel;         /* REQUEST, RESPONSE */
  const struct wps_pair *headers; /* names may repeat */
  size_t header_count;
  struct wps_str target, endpoint; /* RECONNECT, REBALANCE */
  struct wps_str text;             /* STATUS, RECONNECT, CLOSE, REBALANCE */
  struct wps_str connection;       /* CONNECTED ... */
  struct wps_str user, token;      /* ... {NULL, 0}: null */
  struct wps_bytes content;        /* {NULL, 0}: none */
};

/* A whole frame is appended to `out`, which says itself when memory ran out.
 * Texts are made UTF-8 where they are none. */
void tunnel_message_write(const struct tunnel_message *m, struct text *out);

/* Borrows `content` from the bytes, all else is its own. Of a type that is none
 * of ours only `type` is filled in. Errors: EPROTO, ETOOBIG, ENOMEM; then there
 * is nothing to free. */
struct tunnel_message_in {
  struct tunnel_message m;
  struct wps_pair *pairs;
  void *tree;
};
int tunnel_message_read(struct wps_bytes bytes, struct tunnel_message_in *out);
void tunnel_message_free(struct tunnel_message_in *in);

#endif
