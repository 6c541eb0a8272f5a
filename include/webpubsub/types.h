/* SPDX-License-Identifier: Apache-2.0 */
/* webpubsub/types.h - small frozen values and the names of opaque objects. */
#ifndef WEBPUBSUB_TYPES_H
#define WEBPUBSUB_TYPES_H

#include <webpubsub/abi.h>

WPS_BEGIN_DECLS

/* Borrowed text: UTF-8 (what an HTTP request brought may be anything, see
 * request.h), not NUL-terminated, {NULL, 0} when absent; empty but present is
 * any other pointer with length 0, which nobody follows. It lives as long as
 * the object or the call it came from, which its function says. */
struct wps_str {
  const char *ptr;
  size_t len;
};

/* Borrowed octets, with the same lifetime rule. */
struct wps_bytes {
  const void *ptr;
  size_t len;
};

#define WPS_STR_INIT(literal) { "" literal, sizeof(literal) - 1 }

/* One element of a header, query, claim or label list; names may repeat. */
struct wps_pair {
  struct wps_str name;
  struct wps_str value;
};

/* A weak name for a connection: may be copied, stored and passed between
 * threads for ever. Only the owning worker can turn it back into a pointer. */
struct wps_conn_ref {
  uint64_t opaque[2];
};

/* Opaque objects. The core allocates them, and only the core looks inside. */
struct wps_instance; /* one configured component, per process           */
struct wps_worker;   /* one event-loop thread                           */
struct wps_conn;     /* one client, owned by exactly one worker         */
struct wps_member;   /* one membership: this client in that group       */
struct wps_message;  /* immutable, refcounted application message       */
struct wps_tap;      /* an ear at a group, see hub.h                    */
struct wps_filter;   /* a compiled filter expression, refcounted        */
struct wps_frame;    /* immutable, refcounted encoded bytes             */
struct wps_request;  /* one HTTP request, a WebSocket handshake included*/
struct wps_reply;    /* a promise to answer once, from any thread       */
struct wps_config;   /* one validated section of the configuration      */
struct wps_timer;    /* a running timer of a worker or a connection     */
struct wps_watch;    /* a watched file descriptor of a worker           */

/* Sizes and constants travel as uint32_t, never as an enum type, because the
 * size of an enum belongs to the compiler. */
enum { WPS_TEXT = 1, WPS_BINARY = 2 };                    /* frame opcodes   */
enum {                                                    /* message payload */
  WPS_DATA_TEXT = 1,
  WPS_DATA_JSON = 2,
  WPS_DATA_BINARY = 3,
  WPS_DATA_PROTOBUF = 4
};

typedef void (*wps_fn)(void *arg);
typedef void (*wps_done_fn)(void *arg, int status);
typedef void (*wps_conn_fn)(struct wps_conn *conn, void *arg);

/* The end of something a client asked for: on its worker, with conn NULL when
 * it has gone by then. `tag` is what the caller gave, an ack id for example, so
 * that the common case needs no allocation. */
typedef void (*wps_conn_done_fn)(struct wps_conn *conn, void *arg,
                                 uint64_t tag, int status);

WPS_END_DECLS

#endif
