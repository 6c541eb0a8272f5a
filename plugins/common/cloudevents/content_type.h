/* SPDX-License-Identifier: Apache-2.0 */
/* content_type.h - payloads and what HTTP calls them (azure-server.md 3.10).
 * Thread: any. */
#ifndef CLOUDEVENTS_CONTENT_TYPE_H
#define CLOUDEVENTS_CONTENT_TYPE_H

#include <webpubsub/types.h>

/* Of a WPS_DATA_*. */
struct wps_str content_type_of(uint32_t data_type);

/* What Content-Type ({NULL, 0}: none) says about a body; parameters do not
 * count. 0: nothing that a client can get. */
uint32_t content_type_read(struct wps_str type);

#endif
