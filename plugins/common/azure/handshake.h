/* SPDX-License-Identifier: Apache-2.0 */
/* handshake.h - what the query of a handshake says (azure-client.md 1.5, 1.6,
 * 7.4), the same for all clients of the endpoint. Thread: any worker.
 */
#ifndef WPS_AZURE_HANDSHAKE_H
#define WPS_AZURE_HANDSHAKE_H

#include <webpubsub/host.h>
#include <webpubsub/subprotocol.h>

enum { AZURE_MODE_EVENT = 1, AZURE_MODE_GROUP = 2 };

/* How frames of a simple client are meant; borrows from the request. */
struct azure_mode {
  uint32_t mode; /* AZURE_MODE_* */
  bool no_echo;
  uint8_t reserved[3];
  struct wps_str group;
};

/* Errors: EINVAL, with `why` the body of a 400. */
int azure_mode_read(const struct wps_request *req, struct azure_mode *out,
                    struct wps_str *why);

enum { AZURE_SIMPLE = 0, AZURE_PLAIN = 1, AZURE_RELIABLE = 2 };

/* negotiate() of all of them: a recovery, or the checks of a first handshake.
 * Errors: ENOTSUP (a reliable protocol that is offered too shall recover),
 * EINVAL (400 with the text of 1.6). */
int azure_negotiate(const struct wps_request *req, uint32_t kind,
                    struct wps_negotiation *out);

#endif
