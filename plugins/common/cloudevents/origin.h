/* SPDX-License-Identifier: Apache-2.0 */
/* origin.h - who says that it sends events: WebHook-Request-Origin
 * (azure-server.md 3.3). */
#ifndef CLOUDEVENTS_ORIGIN_H
#define CLOUDEVENTS_ORIGIN_H

#include <webpubsub/types.h>

enum { ORIGIN_MAX = 256 };

/* The host of the first endpoint, without its port, or this machine's name.
 * Thread: main, in create(). */
void origin_choose(struct wps_instance *self, char out[ORIGIN_MAX]);

#endif
