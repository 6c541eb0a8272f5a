/* SPDX-License-Identifier: Apache-2.0 */
/* signature.h - ce-signature (azure-server.md 3.4). Thread: any. */
#ifndef CLOUDEVENTS_SIGNATURE_H
#define CLOUDEVENTS_SIGNATURE_H

#include <webpubsub/types.h>

struct text;

/* One item for each access key, with commas; nothing when there is no key. */
void signature_write(struct wps_str conn, struct text *out);

#endif
