/* SPDX-License-Identifier: Apache-2.0 */
/* address.h - is an address of a private network? Pure. Thread: any. */
#ifndef WEBHOOK_ADDRESS_H
#define WEBHOOK_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/* Loopback, private, shared, link-local, unspecified, multicast and reserved
 * ones, of IPv4, of IPv6, and of IPv4 inside IPv6. */
bool address_is_private(const struct sockaddr *address);
/* As text, "192.0.2.1" or "2001:db8::1"; what is no address is private. */
bool address_text_is_private(const char *text);

#endif
