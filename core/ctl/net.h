/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/net.h - URLs and blocking connections with a deadline, TLS verified. */
#ifndef WPS_CTL_NET_H
#define WPS_CTL_NET_H

#include "base/base.h"

#include <sys/types.h>

struct net_url {
  bool tls;
  char host[256]; /* without brackets                       */
  char port[6];
  char authority[300]; /* as the Host header has it         */
  const char *target;  /* "/path?query"; in the text parsed */
};

/* ws, wss, http, https; no user name, no fragment. False with a sentence. */
bool net_url_parse(const char *text, struct net_url *out, char *why,
                   size_t why_size);

struct net;

struct net_options {
  const char *ca_file; /* NULL: the system's certificates */
  int64_t timeout_ms;  /* of each wait; 0: none           */
};

/* NULL with a sentence. */
struct net *net_open(const struct net_url *url, const struct net_options *how,
                     char *why, size_t why_size);
void net_close(struct net *n);
/* 0: forever. */
void net_timeout(struct net *n, int64_t timeout_ms);
/* Bytes read, 0 at the end, -1 with a sentence in net_why(). */
ssize_t net_read(struct net *n, void *out, size_t size);
bool net_write(struct net *n, const void *bytes, size_t len);
const char *net_why(const struct net *n);

#endif
