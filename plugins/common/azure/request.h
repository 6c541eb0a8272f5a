/* SPDX-License-Identifier: Apache-2.0 */
/* request.h - what a client of an Azure subprotocol asks for, without bytes.
 *
 * The wire format has already refused what is malformed (azure-client.md 5.2,
 * 5.3 and names.h); what is here is well-formed and may still be refused.
 */
#ifndef WPS_AZURE_REQUEST_H
#define WPS_AZURE_REQUEST_H

#include <webpubsub/types.h>

enum {
  AZURE_PING = 1,
  AZURE_SEQUENCE_ACK,
  AZURE_INVOKE,
  AZURE_CANCEL_INVOCATION,
  /* From here on requests are done in the order they came. */
  AZURE_JOIN,
  AZURE_LEAVE,
  AZURE_SEND,
  AZURE_EVENT,
  AZURE_STREAM_START,
  AZURE_STREAM_DATA,
  AZURE_STREAM_END,
  AZURE_GROUP_STATE /* set, subscribe, unsubscribe */
};

enum { AZURE_HAS_ACK = 1 << 0, AZURE_NO_ECHO = 1 << 1 };

/* Borrows everything; lives while its frame is handled. */
struct azure_request {
  uint32_t kind;  /* AZURE_* */
  uint32_t flags; /* AZURE_HAS_ACK, AZURE_NO_ECHO */
  uint64_t id;    /* ack id with AZURE_HAS_ACK; of SEQUENCE_ACK its number */
  struct wps_str name; /* group; event; id of a stream or an invocation */
  uint32_t data_type;  /* WPS_DATA_* */
  uint32_t ttl_ms;     /* 0: none */
  struct wps_bytes data;
  const struct wps_pair *metadata;
  size_t metadata_count;
};

#endif
