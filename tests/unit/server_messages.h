/* SPDX-License-Identifier: Apache-2.0 */
/* server_messages.h - what the tests of both codecs of upstream-server share:
 * a command as text, and notices of every kind. */
#ifndef WPS_TEST_SERVER_MESSAGES_H
#define WPS_TEST_SERVER_MESSAGES_H

#include <stdarg.h>
#include <stdio.h>

#include <webpubsub/event.h>
#include <webpubsub/message.h>
#include <webpubsub/status.h>

#include "plugins/upstream-server/command.h"
#include "tests/unit/hex.h"

#define S(text)                                                                \
  {                                                                            \
    "" text, sizeof(text) - 1                                                  \
  }
#define LIST(array)                                                            \
  {                                                                            \
    array, sizeof(array) / sizeof((array)[0])                                  \
  }

/* ---- commands ---- */

static char told[8192];
static size_t told_len;

static void tell(const char *format, ...)
{
  va_list args;

  va_start(args, format);
  told_len +=
      (size_t)vsnprintf(told + told_len, sizeof(told) - told_len, format, args);
  va_end(args);
  ck_assert_uint_lt(told_len, sizeof(told));
}

static void tell_str(const char *what, struct wps_str s)
{
  if (s.ptr != NULL)
    tell(" %s[%.*s]", what, (int)s.len, s.ptr);
}

static void tell_names(const char *what, struct server_names list)
{
  for (size_t i = 0; i < list.count; i++) {
    ck_assert_ptr_nonnull(list.items[i].ptr);
    tell_str(what, list.items[i]);
  }
}

static void tell_pairs(const char *what, struct server_pairs list)
{
  for (size_t i = 0; i < list.count; i++)
    tell(" %s[%.*s=%.*s]", what, (int)list.items[i].name.len,
         list.items[i].name.ptr, (int)list.items[i].value.len,
         list.items[i].value.ptr);
}

static void tell_payload(const struct server_payload *p)
{
  static const char *const types[] = {[WPS_DATA_TEXT] = "text",
                                      [WPS_DATA_JSON] = "json",
                                      [WPS_DATA_BINARY] = "binary",
                                      [WPS_DATA_PROTOBUF] = "any"};

  if (p->data_type == 0)
    return;
  ck_assert_ptr_nonnull(p->data.ptr);
  if (p->data_type == WPS_DATA_TEXT || p->data_type == WPS_DATA_JSON) {
    tell_str(types[p->data_type], (struct wps_str){p->data.ptr, p->data.len});
  } else {
    char *hex = hex_text(p->data);

    tell(" %s[%s]", types[p->data_type], hex);
    free(hex);
  }
}

static const char *describe(const struct server_command *c)
{
  static const char *const kinds[] = {
      [COMMAND_CLOSE_CLIENT] = "closeClient",
      [COMMAND_CLIENT_EXISTS] = "clientExists",
      [COMMAND_SEND_TO_CLIENT] = "sendToClient",
      [COMMAND_USER_EXISTS] = "userExists",
      [COMMAND_SEND_TO_USER] = "sendToUser",
      [COMMAND_SEND_TO_ALL] = "sendToAll",
      [COMMAND_COUNT] = "count",
      [COMMAND_CLOSE_USER] = "closeUser",
      [COMMAND_CLOSE_GROUP] = "closeGroup",
      [COMMAND_CLOSE_ALL] = "closeAll",
      [COMMAND_ADD_CLIENT] = "addClientToGroup",
      [COMMAND_ADD_USER] = "addUserToGroup",
      [COMMAND_REMOVE_CLIENT] = "removeClientFromGroup",
      [COMMAND_REMOVE_USER] = "removeUserFromGroup",
      [COMMAND_GROUP_HAS_CLIENT] = "groupContainsClient",
      [COMMAND_GROUP_HAS_USER] = "groupContainsUser",
      [COMMAND_GRANT] = "grant",
      [COMMAND_REVOKE] = "revoke",
      [COMMAND_PUBLISH] = "publish",
      [COMMAND_SUBSCRIBE] = "subscribe",
      [COMMAND_UNSUBSCRIBE] = "unsubscribe",
      [COMMAND_HANDLE_EVENTS] = "handleEvents",
      [COMMAND_CONNECT_RESPONSE] = "connectResponse",
      [COMMAND_MESSAGE_RESPONSE] = "messageResponse"};
  static const char *const responses[] = {"empty", "payload", "error"};

  told_len = 0;
  tell("%s %u", kinds[c->kind], c->ack_id);
  tell_str("conn", c->connection);
  tell_str("user", c->user);
  tell_str("group", c->group);
  if (c->kind == COMMAND_COUNT)
    tell(" target %u", c->target);
  if (c->kind == COMMAND_GRANT || c->kind == COMMAND_REVOKE)
    tell(" permission %u", c->permission);
  if (c->kind == COMMAND_HANDLE_EVENTS)
    tell(" id %d events %x", c->registration, c->system_events);
  if (c->kind >= COMMAND_CONNECT_RESPONSE)
    tell(" %s", responses[c->response]);
  if (c->response == RESPONSE_ERROR)
    tell(" code %d", c->error_code);
  tell_str("detail", c->error_detail);
  tell_str("reason", c->reason);
  tell_payload(&c->payload);
  tell_names("excluded", c->excluded);
  tell_str("filter", c->filter);
  tell("%s%s%s%s", c->no_echo ? " quiet" : "",
       c->with_payload ? " withPayload" : "", c->all_user_events ? " all" : "",
       c->replace_roles ? " replace" : "");
  tell_names("on", c->user_events);
  tell_names("groups", c->groups);
  tell_str("subprotocol", c->subprotocol);
  tell_pairs("header", c->headers);
  tell_names("role", c->roles);
  tell_pairs("meta", c->metadata);
  tell_str("state", c->state);
  return told;
}

/* `want`: what it says, "EPROTO", or "EINVAL ack why". */
static inline void read_bytes(const struct server_codec *codec,
                              struct wps_bytes frame, const char *want)
{
  struct command_room room = {NULL};
  struct server_command c;
  const char *why = NULL;
  int rc = codec->read(frame, &room, &c, &why);

  if (rc == WPS_EPROTO) {
    ck_assert_str_eq("EPROTO", want);
  } else if (rc == WPS_EINVAL) {
    told_len = 0;
    tell("EINVAL %u %s", c.ack_id, why);
    ck_assert_str_eq(told, want);
  } else {
    ck_assert_int_eq(rc, WPS_OK);
    ck_assert_str_eq(describe(&c), want);
  }
  command_room_clear(&room);
}

/* ---- notices ---- */

static const struct wps_str offers[] = {S("json.webpubsub.azure.v1"), S("x")};
static const struct wps_str prints[] = {S("ab12"), S("cd34")};
static const struct wps_str all_roles[] = {S("publisher"),
                                           S("manager.\xC3\xA4")};
static const struct wps_pair claims[] = {
    {S("role"), S("a")}, {S("role"), S("b")}, {S("sub"), S("al")}};
static const struct wps_pair headers[] = {{S("host"), S("h")}};
static const struct wps_pair query[] = {{S("a"), S("")}, {S("a"), S("")}};
static const struct wps_pair meta[] = {{S("k"), S("v")}, {S("e"), S("")}};

#define CONTEXT                                                                \
  .context = {.connection = S("c1"), .user = S("al"), .hub = S("chat")}

/* One of each kind and of each variety. */
static const struct server_notice notices[] = {
    {.kind = NOTICE_CONNECT,
     .ack_id = 1,
     .context = {.connection = S("c1"),
                 .user = S("al"),
                 .hub = S("chat"),
                 .claims = LIST(claims),
                 .headers = LIST(headers),
                 .query = LIST(query)},
     .subprotocols = LIST(offers),
     .thumbprints = LIST(prints)},
    {.kind = NOTICE_CONNECT,
     .ack_id = 2147483647,
     .context = {.connection = S("c1"), .hub = S("chat")}},
    {.kind = NOTICE_DISCONNECTED,
     .ack_id = 2,
     CONTEXT,
     .reason = S("gone \"away\"")},
    {.kind = NOTICE_DISCONNECTED, .ack_id = 2, CONTEXT},
    {.kind = NOTICE_CONNECTED,
     .ack_id = 3,
     .context = {.connection = S("c1"),
                 .hub = S("chat"),
                 .subprotocol = S("x"),
                 .state = S("")}},
    {.kind = NOTICE_EVENT,
     .ack_id = 4,
     CONTEXT,
     .event = S("order"),
     .payload = {.data_type = WPS_DATA_JSON, .data = S("{\"a\": 1}")}},
    {.kind = NOTICE_EVENT,
     .ack_id = 4,
     CONTEXT,
     .event = S("order"),
     .payload = {.data_type = WPS_DATA_TEXT, .data = S("")}},
    {.kind = NOTICE_EVENT, .ack_id = 4, CONTEXT, .event = S("order")},
    {.kind = NOTICE_PUBLISH,
     .ack_id = 5,
     CONTEXT,
     .group = S("g"),
     .payload_size = 300},
    {.kind = NOTICE_PUBLISH,
     .ack_id = 5,
     CONTEXT,
     .group = S("g"),
     .payload = {.data_type = WPS_DATA_BINARY, .data = S("\x01\xff")}},
    {.kind = NOTICE_JOIN, .ack_id = 6, CONTEXT, .group = S("g")},
    {.kind = NOTICE_LEAVE, .ack_id = 7, CONTEXT, .group = S("g")},
    {.kind = NOTICE_JOINED, .ack_id = 8, CONTEXT, .group = S("g")},
    {.kind = NOTICE_LEFT, .ack_id = 9, CONTEXT, .group = S("g")},
    {.kind = NOTICE_MESSAGE,
     .group = S("g"),
     .from_user = S("bo"),
     .payload = {.data_type = WPS_DATA_TEXT, .data = S("hi\n")},
     .metadata = LIST(meta)},
    {.kind = NOTICE_MESSAGE,
     .group = S("g"),
     .payload = {.data_type = WPS_DATA_PROTOBUF, .data = S("\x0a\x01u")}},
    {.kind = NOTICE_ACK, .ack_id = 10},
    {.kind = NOTICE_ACK, .ack_id = 10, .has_count = true},
    {.kind = NOTICE_ACK, .ack_id = 10, .has_count = true, .count = 300},
    {.kind = NOTICE_ACK,
     .ack_id = 11,
     .result = RESULT_FAILURE,
     .error = S("Forbidden"),
     .detail = S("needs it")},
    {.kind = NOTICE_ACK,
     .ack_id = 12,
     .result = RESULT_TIMEOUT,
     .error = S("Timeout")},
    {.kind = NOTICE_HELLO,
     .connection = S("s1"),
     .hub = S("chat"),
     .roles = LIST(all_roles)},
    {.kind = NOTICE_HELLO, .connection = S("s1"), .hub = S("chat")},
};
enum { NOTICES = sizeof(notices) / sizeof(notices[0]) };

static inline struct wps_bytes written(const struct server_codec *codec,
                                       const struct server_notice *notice)
{
  void *bytes = NULL;
  size_t len = 0;

  ck_assert_int_eq(codec->write(notice, &bytes, &len), WPS_OK);
  ck_assert_ptr_nonnull(bytes);
  return (struct wps_bytes){bytes, len};
}

#endif
