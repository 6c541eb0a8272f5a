/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/addr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { HOST_MAX = 255 };

static bool addr_parse_local(struct addr *a, const char *path, char *why,
                             size_t why_size)
{
  size_t len = strlen(path);

  if (path[0] != '/') {
    snprintf(why, why_size, "a unix socket needs an absolute path: unix:%s",
             path);
    return false;
  }
  if (len >= sizeof(a->sa.local.sun_path)) {
    snprintf(why, why_size, "the path of a unix socket has at most %zu bytes",
             sizeof(a->sa.local.sun_path) - 1);
    return false;
  }
  a->sa.local.sun_family = AF_UNIX;
  memcpy(a->sa.local.sun_path, path, len + 1);
  a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
  return true;
}

/* Split into host and port; brackets are taken off. */
static bool addr_split(const char *text, char host[HOST_MAX + 1],
                       bool *literal6, uint16_t *port)
{
  const char *colon = strrchr(text, ':');
  const char *start = text;
  size_t len;
  unsigned long number = 0;

  if (colon == NULL || colon[1] == '\0' || strlen(colon + 1) > 5)
    return false;
  for (const char *at = colon + 1; *at != '\0'; at++) {
    if (!isdigit((unsigned char)*at))
      return false;
    number = number * 10 + (unsigned long)(*at - '0');
  }
  if (number > 65535)
    return false;
  *port = (uint16_t)number;
  len = (size_t)(colon - text);
  *literal6 = text[0] == '[';
  if (*literal6) {
    if (len < 3 || text[len - 1] != ']')
      return false;
    start++;
    len -= 2;
  }
  if (len == 0 || len > HOST_MAX)
    return false;
  memcpy(host, start, len);
  host[len] = '\0';
  return true;
}

static bool host_name_ok(const char *host)
{
  for (const char *at = host; *at != '\0'; at++)
    if (!isalnum((unsigned char)*at) && *at != '.' && *at != '-')
      return false;
  return host[0] != '.' && host[0] != '-';
}

static bool addr_resolve(struct addr *a, const char *host, char *why,
                         size_t why_size)
{
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
  struct addrinfo *found = NULL, *best;
  int error = getaddrinfo(host, NULL, &hints, &found);

  if (error != 0) {
    snprintf(why, why_size, "cannot find the address of %s: %s", host,
             gai_strerror(error));
    return false;
  }
  best = found;
  for (struct addrinfo *at = found; at != NULL; at = at->ai_next) {
    if (at->ai_family == AF_INET) {
      best = at;
      break;
    }
  }
  memcpy(&a->sa, best->ai_addr, best->ai_addrlen);
  a->len = best->ai_addrlen;
  freeaddrinfo(found);
  return true;
}

bool addr_parse(struct addr *a, const char *text, bool resolve, char *why,
                size_t why_size)
{
  char host[HOST_MAX + 1];
  bool literal6;
  uint16_t port;

  memset(a, 0, sizeof(*a));
  if (strncmp(text, "unix:", 5) == 0)
    return addr_parse_local(a, text + 5, why, why_size);
  if (!addr_split(text, host, &literal6, &port)) {
    snprintf(why, why_size,
             "\"%s\" is no address: write HOST:PORT, [IPV6]:PORT or "
             "unix:/PATH",
             text);
    return false;
  }
  if (literal6) {
    if (inet_pton(AF_INET6, host, &a->sa.v6.sin6_addr) != 1) {
      snprintf(why, why_size, "\"%s\" is no IPv6 address", host);
      return false;
    }
    a->sa.v6.sin6_family = AF_INET6;
    a->len = sizeof(a->sa.v6);
  } else if (inet_pton(AF_INET, host, &a->sa.v4.sin_addr) == 1) {
    a->sa.v4.sin_family = AF_INET;
    a->len = sizeof(a->sa.v4);
  } else if (strchr(host, ':') != NULL) {
    snprintf(why, why_size, "an IPv6 address needs brackets: [%s]:%u", host,
             (unsigned)port);
    return false;
  } else if (!host_name_ok(host) ||
             strspn(host, "0123456789.") == strlen(host)) {
    snprintf(why, why_size, "\"%s\" is neither an address nor a host name",
             host);
    return false;
  } else if (resolve) {
    if (!addr_resolve(a, host, why, why_size))
      return false;
  } else {
    return true;
  }
  addr_set_port(a, port);
  return true;
}

bool addr_text_is_loopback(const char *text)
{
  char host[HOST_MAX + 1], why[8];
  struct addr a;
  bool literal6;
  uint16_t port;

  if (!addr_parse(&a, text, false, why, sizeof(why)))
    return false;
  switch (a.sa.any.sa_family) {
  case AF_UNIX:
    return true;
  case AF_INET:
    return ntohl(a.sa.v4.sin_addr.s_addr) >> 24 == 127;
  case AF_INET6:
    return IN6_IS_ADDR_LOOPBACK(&a.sa.v6.sin6_addr) ||
           (IN6_IS_ADDR_V4MAPPED(&a.sa.v6.sin6_addr) &&
            a.sa.v6.sin6_addr.s6_addr[12] == 127);
  default:
    return addr_split(text, host, &literal6, &port) &&
           strcasecmp(host, "localhost") == 0;
  }
}

static size_t put_decimal(char *out, unsigned n)
{
  char digits[10];
  size_t len = 0;

  do
    digits[sizeof(digits) - ++len] = (char)('0' + n % 10);
  while ((n /= 10) > 0);
  memcpy(out, digits + sizeof(digits) - len, len);
  return len;
}

/* "192.0.2.1:50000". By hand, because it is done for each client, and printf()
 * twice would be a good part of accepting one. */
static size_t format_v4(const struct addr *a, char out[ADDR_TEXT_MAX])
{
  uint32_t bits = ntohl(a->sa.v4.sin_addr.s_addr);
  size_t len = 0;

  for (int shift = 24; shift >= 0; shift -= 8) {
    len += put_decimal(out + len, bits >> shift & 0xff);
    out[len++] = shift > 0 ? '.' : ':';
  }
  len += put_decimal(out + len, addr_port(a));
  out[len] = '\0';
  return len;
}

size_t addr_format(const struct addr *a, char out[ADDR_TEXT_MAX])
{
  char host[INET6_ADDRSTRLEN];
  int n = 0;

  out[0] = '\0';
  switch (a->sa.any.sa_family) {
  case AF_UNIX:
    n = snprintf(out, ADDR_TEXT_MAX, "unix:%s",
                 a->len > offsetof(struct sockaddr_un, sun_path)
                     ? a->sa.local.sun_path
                     : "");
    break;
  case AF_INET:
    return format_v4(a, out);
  case AF_INET6:
    inet_ntop(AF_INET6, &a->sa.v6.sin6_addr, host, sizeof(host));
    n = snprintf(out, ADDR_TEXT_MAX, "[%s]:%u", host, (unsigned)addr_port(a));
    break;
  default:
    n = snprintf(out, ADDR_TEXT_MAX, "unknown:");
  }
  return n < 0 ? 0 : (size_t)n;
}

uint16_t addr_port(const struct addr *a)
{
  return a->sa.any.sa_family == AF_INET    ? ntohs(a->sa.v4.sin_port)
         : a->sa.any.sa_family == AF_INET6 ? ntohs(a->sa.v6.sin6_port)
                                           : 0;
}

void addr_set_port(struct addr *a, uint16_t port)
{
  if (a->sa.any.sa_family == AF_INET)
    a->sa.v4.sin_port = htons(port);
  else if (a->sa.any.sa_family == AF_INET6)
    a->sa.v6.sin6_port = htons(port);
}
