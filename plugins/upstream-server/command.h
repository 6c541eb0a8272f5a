/* SPDX-License-Identifier: Apache-2.0 */
/* command.h - what an application server and this service say to each other,
 * without bytes (doc/server-protocol.md): what both codecs read and write.
 *
 * Kinds are the field numbers of the protobuf form. Everything here borrows: a
 * command from its frame and the room of the reader, a notice from its maker.
 * Thread: any, nothing is shared.
 */
#ifndef WPS_UPSTREAM_SERVER_COMMAND_H
#define WPS_UPSTREAM_SERVER_COMMAND_H

#include <webpubsub/types.h>

/* ---- server to service ---- */

enum {
  COMMAND_CLOSE_CLIENT = 1,
  COMMAND_CLIENT_EXISTS = 2,
  COMMAND_SEND_TO_CLIENT = 3,
  COMMAND_USER_EXISTS = 4,
  COMMAND_SEND_TO_USER = 5,
  COMMAND_SEND_TO_ALL = 6,
  COMMAND_COUNT = 7,
  COMMAND_CLOSE_USER = 8,
  COMMAND_CLOSE_GROUP = 9,
  COMMAND_CLOSE_ALL = 10,
  COMMAND_ADD_CLIENT = 11, /* to a group */
  COMMAND_ADD_USER = 12,
  COMMAND_REMOVE_CLIENT = 13,
  COMMAND_REMOVE_USER = 14,
  COMMAND_GROUP_HAS_CLIENT = 15,
  COMMAND_GROUP_HAS_USER = 16,
  COMMAND_GRANT = 17,
  COMMAND_REVOKE = 18,
  COMMAND_PUBLISH = 20,
  COMMAND_SUBSCRIBE = 21,
  COMMAND_UNSUBSCRIBE = 22,
  COMMAND_HANDLE_EVENTS = 30,
  COMMAND_CONNECT_RESPONSE = 100,
  COMMAND_MESSAGE_RESPONSE = 101
};

enum { COUNT_HUB = 0, COUNT_GROUP = 1, COUNT_USER = 2 };
enum { PERMIT_JOIN_LEAVE = 0, PERMIT_SEND = 1 };
enum { RESPONSE_EMPTY = 0, RESPONSE_PAYLOAD, RESPONSE_ERROR };

/* What fits a frame many times over is refused before it takes memory. */
enum { COMMAND_NAMES_MAX = 65536, COMMAND_PAIRS_MAX = 8192 }; /* of a list */

struct server_payload {
  uint32_t data_type; /* WPS_DATA_*; 0: there is none */
  uint32_t reserved;
  struct wps_bytes data; /* JSON: valid */
};

struct server_names {
  const struct wps_str *items;
  size_t count;
};

struct server_pairs {
  const struct wps_pair *items;
  size_t count;
};

/* Strings are {NULL, 0} where they are absent. */
struct server_command {
  uint32_t kind;             /* COMMAND_* */
  uint32_t ack_id;           /* 1..2^31-1; 0: no ack is wanted */
  struct wps_str connection; /* these three: whom or what it is about */
  struct wps_str user;
  struct wps_str group;  /* GRANT, REVOKE: absent, all groups */
  struct wps_str reason; /* CLOSE_* */
  struct server_payload payload;
  struct server_names excluded; /* connection ids */
  struct wps_str filter;        /* azure-server.md 7.6 */
  uint32_t target;        /* COUNT: COUNT_*; its name is in user or group */
  uint32_t permission;    /* GRANT, REVOKE: PERMIT_* */
  bool no_echo;           /* PUBLISH: not to this connection's own taps */
  bool with_payload;      /* HANDLE_EVENTS */
  bool all_user_events;   /* HANDLE_EVENTS: "*" is among them */
  bool replace_roles;     /* CONNECT_RESPONSE */
  int32_t registration;   /* HANDLE_EVENTS: its id */
  uint32_t system_events; /* HANDLE_EVENTS: WPS_EVENT_* */
  struct server_names user_events;
  struct server_names groups; /* HANDLE_EVENTS: patterns; CONNECT_RESPONSE */
  uint32_t response;          /* *_RESPONSE: RESPONSE_* */
  int32_t error_code;         /* RESPONSE_ERROR; 0: not said */
  struct wps_str error_detail;
  struct wps_str subprotocol; /* CONNECT_RESPONSE, as are the next two */
  struct server_pairs headers;
  struct server_names roles;
  struct server_pairs metadata; /* MESSAGE_RESPONSE */
  struct wps_str state;         /* *_RESPONSE */
};

/* Memory for one command, freed at once. Zero is empty. */
struct command_room {
  struct command_block *blocks;
};
/* Aligned for pointers. NULL: no memory. */
void *command_room_take(struct command_room *room, size_t len);
void command_room_clear(struct command_room *room);

/* system_events and all_user_events of HANDLE_EVENTS, whose other members are
 * there. False: one of the names is none. */
bool command_take_events(struct server_command *out,
                         const struct server_names *system_events);

/* ---- service to server ---- */

enum {
  NOTICE_CONNECT = 1,
  NOTICE_DISCONNECTED = 2,
  NOTICE_CONNECTED = 3, /* a client */
  NOTICE_EVENT = 10,
  NOTICE_PUBLISH = 20,
  NOTICE_JOIN = 21,
  NOTICE_LEAVE = 22,
  NOTICE_JOINED = 23,
  NOTICE_LEFT = 24,
  NOTICE_MESSAGE = 30, /* of a subscribed group */
  NOTICE_ACK = 100,
  NOTICE_HELLO = 101 /* the first one */
};

enum { RESULT_SUCCESS = 0, RESULT_FAILURE = 1, RESULT_TIMEOUT = 2 };

struct server_context {
  struct wps_str connection, user, hub; /* user absent: none */
  struct wps_str subprotocol, state;    /* absent: not said */
  struct server_pairs claims;           /* CONNECT only, as are the next two; */
  struct server_pairs headers, query;   /*   equal names are side by side     */
};

struct server_notice {
  uint32_t kind;   /* NOTICE_* */
  uint32_t ack_id; /* of an event that is to be answered, of an ACK */
  struct server_context context;
  int32_t registration;             /* of an event: by which it came; 0: none */
  struct wps_str group;             /* PUBLISH .. MESSAGE */
  struct wps_str event;             /* EVENT */
  struct wps_str reason;            /* DISCONNECTED */
  struct server_names subprotocols; /* CONNECT */
  struct server_names thumbprints;  /* CONNECT: of client certificates */
  struct server_payload payload;    /* EVENT, PUBLISH, MESSAGE */
  uint64_t payload_size;            /* PUBLISH */
  struct wps_str from_user;         /* MESSAGE; absent: none */
  struct server_pairs metadata;     /* MESSAGE */
  uint32_t result;                  /* ACK: RESULT_* */
  bool has_count;                   /* ACK */
  uint64_t count;                   /* ACK */
  struct wps_str error, detail;     /* ACK of a failure */
  struct wps_str connection;        /* HELLO: of this server */
  struct wps_str hub;               /* HELLO */
  struct server_names roles;        /* HELLO */
};

/* ---- codecs ---- */

/* One of the two forms on the wire. */
struct server_codec {
  struct wps_str subprotocol; /* its name in the handshake */
  uint32_t opcode;            /* WPS_TEXT or WPS_BINARY */
  uint32_t reserved;

  /* One frame. With EINVAL `out` has kind and ack_id, and *why the sentence for
   * its failed ack; without an ack id it is malformed as well.
   * Errors: EPROTO (malformed: the connection ends), EINVAL, ENOMEM. */
  int (*read)(struct wps_bytes frame, struct command_room *room,
              struct server_command *out, const char **why);
  /* The bytes of a notice, malloc'ed. Errors: ENOMEM. */
  int (*write)(const struct server_notice *notice, void **bytes, size_t *len);
};

extern const struct server_codec server_json, server_protobuf;

#endif
