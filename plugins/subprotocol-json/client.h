/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - what open() stores for a client. */
#ifndef WPS_JSON_CLIENT_H
#define WPS_JSON_CLIENT_H

#include "plugins/common/azure/client.h"
#include "plugins/subprotocol-json/late.h"

struct json_client {
  struct azure_client azure; /* first: what callbacks get as state */
  struct json_late *late;    /* NULL: acks go at once */
  bool early;                /* it came by the early name */
};

#endif
