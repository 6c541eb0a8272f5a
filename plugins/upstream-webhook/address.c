/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/upstream-webhook/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

static bool in_net(uint32_t address, uint32_t net, int bits)
{
  return (address ^ net) >> (32 - bits) == 0;
}

static bool ipv4_is_private(uint32_t a)
{
  return in_net(a, 0x00000000, 8) ||  /* this network        */
         in_net(a, 0x0a000000, 8) ||  /* 10.0.0.0/8          */
         in_net(a, 0x64400000, 10) || /* 100.64.0.0/10       */
         in_net(a, 0x7f000000, 8) ||  /* loopback            */
         in_net(a, 0xa9fe0000, 16) || /* link-local          */
         in_net(a, 0xac100000, 12) || /* 172.16.0.0/12       */
         in_net(a, 0xc0000000, 24) || /* 192.0.0.0/24        */
         in_net(a, 0xc0a80000, 16) || /* 192.168.0.0/16      */
         in_net(a, 0xc6120000, 15) || /* 198.18.0.0/15       */
         in_net(a, 0xe0000000, 4) ||  /* multicast           */
         in_net(a, 0xf0000000, 4);    /* reserved, broadcast */
}

static uint32_t ipv4_at(const uint8_t *p)
{
  uint32_t a;

  memcpy(&a, p, sizeof(a));
  return ntohl(a);
}

static bool ipv6_is_private(const struct in6_addr *a)
{
  static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
  const uint8_t *p = a->s6_addr;

  if (IN6_IS_ADDR_V4MAPPED(a) || IN6_IS_ADDR_V4COMPAT(a))
    return ipv4_is_private(ipv4_at(p + 12));
  if (memcmp(p, nat64, sizeof(nat64)) == 0)
    return ipv4_is_private(ipv4_at(p + 12));
  if (p[0] == 0x20 && p[1] == 0x02) /* 6to4 */
    return ipv4_is_private(ipv4_at(p + 2));
  return IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_UNSPECIFIED(a) ||
         IN6_IS_ADDR_MULTICAST(a) || IN6_IS_ADDR_LINKLOCAL(a) ||
         IN6_IS_ADDR_SITELOCAL(a) || (p[0] & 0xfe) == 0xfc;
}

bool address_is_private(const struct sockaddr *address)
{
  struct sockaddr_in in;
  struct sockaddr_in6 in6;

  if (address->sa_family == AF_INET) {
    memcpy(&in, address, sizeof(in));
    return ipv4_is_private(ntohl(in.sin_addr.s_addr));
  }
  if (address->sa_family == AF_INET6) {
    memcpy(&in6, address, sizeof(in6));
    return ipv6_is_private(&in6.sin6_addr);
  }
  return true;
}

bool address_text_is_private(const char *text)
{
  struct in6_addr in6;
  struct in_addr in;

  if (inet_pton(AF_INET, text, &in) == 1)
    return ipv4_is_private(ntohl(in.s_addr));
  if (inet_pton(AF_INET6, text, &in6) == 1)
    return ipv6_is_private(&in6);
  return true;
}
