/* SPDX-License-Identifier: Apache-2.0 */
/* wire/addr.h - addresses as the configuration and the log write them. */
#ifndef WPS_WIRE_ADDR_H
#define WPS_WIRE_ADDR_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/base.h"

struct addr {
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
    struct sockaddr_storage room;
  } sa;
  socklen_t len;
};

/* "unix:" and a path, or "[ip6]:port" with the longest of both. */
enum { ADDR_TEXT_MAX = 128 };

/* host:port, [ipv6]:port, unix:/path. A name is looked up when `resolve` is set
 * (which may block; an IPv4 address is preferred), else only its form is
 * checked and the address stays empty. False with a sentence in why. */
bool addr_parse(struct addr *a, const char *text, bool resolve, char *why,
                size_t why_size);
/* 127.0.0.0/8, ::1, the name localhost, unix. */
bool addr_text_is_loopback(const char *text);
/* "1.2.3.4:80", "[::1]:80", "unix:/path", "unix:"; terminated. Returns the
 * length. */
size_t addr_format(const struct addr *a, char out[ADDR_TEXT_MAX]);
uint16_t addr_port(const struct addr *a);
void addr_set_port(struct addr *a, uint16_t port);

#endif
