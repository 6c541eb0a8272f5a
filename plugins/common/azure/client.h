/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - the rules of a client of an Azure subprotocol, without its bytes
 * (azure-client.md 5.4-5.9, 7).
 *
 * A plugin embeds azure_client in its state, parses frames to azure_request
 * and writes what azure_writer asks for; everything between is here.
 * Thread: the client's worker.
 */
#ifndef WPS_AZURE_CLIENT_H
#define WPS_AZURE_CLIENT_H

#include <webpubsub/host.h>
#include <webpubsub/subprotocol.h>

#include "plugins/common/azure/acks.h"
#include "plugins/common/azure/request.h"

struct azure_invocations;
struct azure_streams;
struct azure_waiting;

struct azure_error {
  struct wps_str name;
  struct wps_str message;
};

/* The wire format. Each sends one message; errors as conn->send. */
struct azure_writer {
  /* token {NULL, 0}: not a reliable client. */
  int (*connected)(struct wps_conn *conn, struct wps_str token);
  int (*disconnected)(struct wps_conn *conn, struct wps_str text);
  int (*pong)(struct wps_conn *conn);
  int (*ack)(struct wps_conn *conn, uint64_t id,
             const struct azure_error *error); /* NULL: success */
  /* With error: failed. Else `body` (data_type, data, tags) is shown; its data
   * counts only where `has_data`, its tags always. NULL: nothing to show. */
  int (*invoke_response)(struct wps_conn *conn, struct wps_str id,
                         const struct azure_error *error,
                         const struct wps_message_info *body, bool has_data);
  int (*stream_ack)(struct wps_conn *conn, struct wps_str id,
                    uint64_t expected);
  int (*stream_nack)(struct wps_conn *conn, struct wps_str id,
                     const struct azure_error *error, uint64_t expected);
  /* NULL: as asked for. */
  int (*stream_closed)(struct wps_conn *conn, struct wps_str id,
                       const struct azure_error *error);
  /* A message of kind WPS_MSG_PRIVATE, from GROUP, whose data is what encode()
   * will show: states of kind WPS_MSG_STATE. NULL: too large, or no memory. */
  struct wps_message *(*snapshot)(struct wps_str group,
                                  struct wps_message *const *states,
                                  size_t count);
};

/* One per instance, immutable but for what waits. */
struct azure_rules {
  struct wps_instance *self;
  const struct azure_writer *writer;
  uint32_t ack_window; /* successes remembered for each client */
  /* Requests behind an event; while there are so many, the client is held. */
  uint32_t waiting_max;
  size_t waiting_bytes_max;
  size_t waiting_total_max;      /* bytes of all clients ... */
  _Atomic size_t *waiting_total; /* ... and how many there are */
  bool drop_on_event_failure;    /* of an event without ack id */
  uint32_t streams_max;          /* active ones of a client */
  uint32_t stream_idle_ms;       /* when a start says nothing */
  uint32_t stream_ack_ms;        /* an ack waits no longer ... */
  uint32_t stream_ack_every;     /* ... nor for more fragments */
  uint32_t invocations_max;      /* pending ones of a client */
  struct wps_session session;    /* of reliable clients */
};

enum {
  AZURE_CLIENT_RELIABLE = 1 << 0,
  AZURE_CLIENT_EVENT = 1 << 1,     /* an event is under way */
  AZURE_CLIENT_EVENT_ACK = 1 << 2, /* which wants an ack */
  AZURE_CLIENT_CLOSED = 1 << 3,    /* we have closed it, or it has ended */
  AZURE_CLIENT_HELD = 1 << 4,      /* too much waits behind the event */
  AZURE_CLIENT_ASKING = 1 << 5,  /* hub->ask is under way: as with EVENT ... */
  AZURE_CLIENT_WATCHING = 1 << 6 /* ... and hub->member_watch: all wait */
};

struct azure_client {
  const struct azure_rules *rules;
  struct azure_acks acks;
  struct azure_waiting *first; /* knows the last */
  uint32_t flags;              /* AZURE_CLIENT_* */
  uint32_t waiting;
  size_t waiting_bytes;
  struct azure_streams *streams;         /* NULL until the first start */
  struct azure_invocations *invocations; /* NULL until the first invocation */
  char *told; /* why it was closed, while that may be looked at */
};

/* open(): make it, send the greeting. After an error there is nothing to
 * clear. Errors: those of the session and of sending. */
int azure_client_open(struct azure_client *client,
                      const struct azure_rules *rules, struct wps_conn *conn,
                      bool reliable);
/* close(): events and messages that still wait for their turn are the
 * application's and the groups', though the client has gone. */
void azure_client_end(struct azure_client *client, struct wps_conn *conn);
void azure_client_clear(struct azure_client *client);

/* frame(): one well-formed request. Errors: ENOMEM. */
int azure_client_request(struct azure_client *client, struct wps_conn *conn,
                         const struct azure_request *req);

/* End it ourselves, as for what is not well-formed. */
void azure_client_close(struct azure_client *client, struct wps_conn *conn,
                        uint16_t code, struct wps_str reason);

/* The callbacks of the same names. */
int azure_client_detached(struct azure_client *client, struct wps_conn *conn,
                          uint16_t code);
int azure_client_resumed(struct azure_client *client, struct wps_conn *conn);
void azure_client_closing(struct azure_client *client, struct wps_conn *conn,
                          struct wps_closing *how);

/* Code and texts of a close by the core, for any client; *kept, at first
 * NULL, is what they may point at, to be freed with the client. True: clients
 * with a protocol are told *words before it. */
bool azure_closing(struct wps_closing *how, char **kept, struct wps_str *words);

#endif
