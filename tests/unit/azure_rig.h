/* SPDX-License-Identifier: Apache-2.0 */
/* azure_rig.h - a client of the Azure rules whose wire format is a line of
 * text, over fake_host: what it is asked comes as struct azure_request, what it
 * says is compared with
 *
 *   connected [TOKEN]            ack ID [NAME: MESSAGE]          pong
 *   disconnected TEXT            snapshot GROUP CONN,CONN
 *   invoked ID [TYPE:DATA] [KEY=VALUE]...     invoked ID NAME: MESSAGE
 *   streamAck ID N               streamNack ID N NAME: MESSAGE
 *   streamClosed ID [NAME: MESSAGE]           message DATA
 */
#ifndef WPS_AZURE_RIG_H
#define WPS_AZURE_RIG_H

#include <check.h>

#include "plugins/common/azure/client.h"
#include "tests/unit/fake_host.h"

struct rig {
  struct azure_rules rules; /* of rig_open(); the test may change them */
  _Atomic size_t waiting;
  struct wps_conn *conn;
};
extern struct rig rig;

void rig_setup(void);
void rig_teardown(void); /* ends the client; nothing may be left of it */
void rig_open(bool reliable);
/* Its end, before the teardown. */
void rig_gone(void);
/* The socket breaks, and comes back. */
void rig_detach(void);
void rig_resume(void);
struct azure_client *rig_client(void);

struct wps_str rig_str(const char *s); /* NULL: absent */
struct wps_bytes rig_text(const char *s);
/* One request, in memory that is gone when the call has returned. */
void rig_ask(const struct azure_request *req);
#define ASK(...) rig_ask(&(struct azure_request){__VA_ARGS__})

/* Of a stream to the group "room", and an event to wait behind. */
#define RIG_START(id, ...)                                                     \
  ASK(.kind = AZURE_STREAM_START, .ref = rig_str(id), .name = rig_str("room"), \
      __VA_ARGS__)
#define RIG_KEEPALIVE(id) ASK(.kind = AZURE_STREAM_DATA, .ref = rig_str(id))
#define RIG_DATA(id, n, text)                                                  \
  ASK(.kind = AZURE_STREAM_DATA, .ref = rig_str(id),                           \
      .flags = AZURE_HAS_SEQUENCE | AZURE_HAS_DATA, .sequence = n,             \
      .data_type = WPS_DATA_TEXT, .data = rig_text(text))
#define RIG_END(id, ...)                                                       \
  ASK(.kind = AZURE_STREAM_END, .ref = rig_str(id), __VA_ARGS__)
#define RIG_EVENT(event_name)                                                  \
  ASK(.kind = AZURE_EVENT, .name = rig_str(event_name),                        \
      .data_type = WPS_DATA_TEXT, .data = rig_text("x"))

/* The next thing it says; NULL: nothing. */
void rig_says(const char *want);
/* Request number `i` to the hub. */
struct fake_asked *rig_asked(size_t i, uint32_t what, const char *name);
/* A publication of a stream: "ID N", "ID N end", "ID N end NAME|MESSAGE|CODE"
 * (MESSAGE, CODE: "-" when absent). */
const struct wps_message_info *rig_fragment(size_t i, const char *group,
                                            const char *stream,
                                            const char *data);

#endif
