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
  AZURE_SET_STATE,
  AZURE_WATCH_STATE,
  AZURE_UNWATCH_STATE
};

enum {
  AZURE_HAS_ACK = 1 << 0,
  AZURE_NO_ECHO = 1 << 1,
  AZURE_HAS_DATA = 1 << 2,     /* INVOKE, STREAM_*: data, data_type count */
  AZURE_HAS_SEQUENCE = 1 << 3, /* STREAM_DATA that is no keepalive */
  AZURE_HAS_ERROR = 1 << 4,    /* STREAM_END of a stream that failed */
  AZURE_HAS_STATE = 1 << 5,    /* SET_STATE that is no clear */
  AZURE_BAD = 1 << 6           /* INVOKE, STREAM_START: refuse with `why` */
};

/* Borrows everything; lives while its frame is handled. */
struct azure_request {
  uint32_t kind;  /* AZURE_* */
  uint32_t flags; /* AZURE_HAS_ACK, ... */
  uint64_t id;    /* ack id with AZURE_HAS_ACK; of SEQUENCE_ACK its number */
  struct wps_str name; /* group, event */
  struct wps_str ref;  /* of a stream (1 byte at least) or an invocation */
  uint64_t sequence;   /* STREAM_DATA with AZURE_HAS_SEQUENCE */
  uint32_t idle_ms;    /* STREAM_START; 0: not said */
  uint32_t ttl_ms;     /* 0: none */
  uint32_t data_type;  /* WPS_DATA_* */
  uint32_t reserved;
  struct wps_bytes data;
  const struct wps_pair *metadata;
  size_t metadata_count;
  const struct wps_pair *state; /* with AZURE_HAS_STATE; each key once */
  size_t state_count;
  struct wps_str error_message, error_code; /* STREAM_END; {NULL,0}: not said */
  struct wps_str why;                       /* AZURE_BAD */
};

#endif
