/* SPDX-License-Identifier: Apache-2.0 */
/* msg/principal.h - an owned copy of an identity. */
#ifndef WPS_MSG_PRINCIPAL_H
#define WPS_MSG_PRINCIPAL_H

#include "base/base.h"

#include <webpubsub/auth.h>

/* One block; `view` points into it. */
struct principal {
  struct wps_principal view;
};

/* NULL when out of memory. Freed with free(). Duplicate roles and groups
 * collapse (azure-client.md 2.2). */
struct principal *principal_copy(const struct wps_principal *who);

#endif
