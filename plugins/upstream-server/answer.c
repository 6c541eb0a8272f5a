/* SPDX-License-Identifier: Apache-2.0 */
/* answer.c - what an application server says to an event. */
#include <string.h>

#include <webpubsub/host.h>

#include "plugins/common/cloudevents/text.h"
#include "plugins/upstream-server/server.h"

enum { USER_MAX = 16 * 1024, STATE_MAX = 16 * 1024, REFUSED = 403 };

/* It may become a header elsewhere: no control characters. */
static bool is_line(struct wps_str s)
{
  for (size_t i = 0; i < s.len; i++)
    if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
      return false;
  return true;
}

static void take_state(struct server_service *s, const struct wps_event *event,
                       const struct server_command *c,
                       struct wps_event_answer *out)
{
  if (c->state.ptr == NULL)
    return;
  if (c->state.len > STATE_MAX || !is_line(c->state)) {
    wps->log->write(s->peers.self, NULL, WPS_LOG_WARN,
                    "hub %.*s, connection %.*s: the state of the answer has "
                    "more than 16 KiB, or control characters: ignored",
                    STR_ARG(event->hub), STR_ARG(event->conn));
    return;
  }
  out->flags |= WPS_ANSWER_APP_STATE;
  out->app_state = c->state;
}

/* ---- connect ---- */

static void refuse_connect(const struct server_command *c,
                           struct wps_reply *reply)
{
  const struct wps_message_info info = {
      .struct_size = sizeof(info),
      .data_type = WPS_DATA_TEXT,
      .data = {c->error_detail.ptr, c->error_detail.len},
      .from = WPS_FROM_SERVER,
      .content_type = STR("text/plain; charset=utf-8")};
  struct wps_event_answer answer = {.struct_size = sizeof(answer),
                                    .code = REFUSED};

  if (c->error_code >= 400 && c->error_code <= 599)
    answer.code = (uint32_t)c->error_code;
  if (answer.code < 500 && c->error_detail.len > 0)
    answer.msg = wps->message->create(&info);
  wps->event->answer(reply, &answer);
  if (answer.msg != NULL)
    wps->message->unref(answer.msg);
}

static int answer_connect(struct server_service *s,
                          const struct wps_event *event,
                          const struct server_command *c,
                          struct wps_reply *reply, const char **why)
{
  struct wps_event_answer answer = {.struct_size = sizeof(answer), .code = 200};

  if (c->response == RESPONSE_ERROR) {
    refuse_connect(c, reply);
    return WPS_OK;
  }
  *why = "userId is longer than 16 KiB";
  if (c->user.len > USER_MAX)
    return WPS_EPROTO;
  take_state(s, event, c, &answer);
  if (c->user.ptr != NULL) {
    answer.flags |= WPS_ANSWER_USER;
    answer.user = c->user;
  }
  if (c->roles.count > 0 || c->replace_roles) {
    answer.flags |= WPS_ANSWER_ROLES;
    answer.roles = c->roles.items;
    answer.role_count = c->roles.count;
  }
  if (c->groups.count > 0) {
    answer.flags |= WPS_ANSWER_GROUPS;
    answer.groups = c->groups.items;
    answer.group_count = c->groups.count;
  }
  if (c->subprotocol.len > 0)
    answer.subprotocol = c->subprotocol;
  wps->event->answer(reply, &answer);
  return WPS_OK;
}

/* ---- what clients say and ask ---- */

/* Metadata as the subprotocols find it among the headers of an answer. */
static int metadata_headers(const struct server_command *c,
                            struct command_room *room,
                            struct wps_event_answer *out)
{
  static const struct wps_str prefix = WPS_STR_INIT(AZURE_METADATA_HEADER);
  struct wps_pair *pairs;

  if (c->metadata.count == 0)
    return WPS_OK;
  pairs = command_room_take(room, c->metadata.count * sizeof(*pairs));
  if (pairs == NULL)
    return WPS_ENOMEM;
  out->headers = pairs;
  for (size_t i = 0; i < c->metadata.count; i++) {
    const struct wps_pair *in = &c->metadata.items[i];
    char *name = command_room_take(room, prefix.len + in->name.len);

    if (name == NULL)
      return WPS_ENOMEM;
    if (!azure_metadata_pair_ok(in->name, in->value))
      continue;
    memcpy(name, prefix.ptr, prefix.len);
    memcpy(name + prefix.len, in->name.ptr, in->name.len);
    pairs[out->header_count++] = (struct wps_pair){
        .name = {name, prefix.len + in->name.len}, .value = in->value};
  }
  return WPS_OK;
}

static int make_message(const struct server_payload *p,
                        struct wps_message **out, const char **why)
{
  const struct wps_message_info info = {.struct_size = sizeof(info),
                                        .data_type = p->data_type,
                                        .data = p->data,
                                        .from = WPS_FROM_SERVER};

  *out = wps->message->create(&info);
  if (*out != NULL)
    return WPS_OK;
  *why = "its payload is longer than limits.message_size, or memory ran out";
  return WPS_ETOOBIG;
}

static int answer_message(struct server_service *s,
                          const struct wps_event *event,
                          const struct server_command *c,
                          struct wps_reply *reply, const char **why)
{
  struct wps_event_answer answer = {.struct_size = sizeof(answer), .code = 200};
  struct command_room room = {NULL};
  int rc;

  if (c->response == RESPONSE_PAYLOAD) {
    rc = make_message(&c->payload, &answer.msg, why);
    if (rc != WPS_OK)
      return rc;
  }
  *why = "out of memory";
  rc = metadata_headers(c, &room, &answer);
  if (rc == WPS_OK) {
    take_state(s, event, c, &answer);
    wps->event->answer(reply, &answer);
  }
  command_room_clear(&room);
  if (answer.msg != NULL)
    wps->message->unref(answer.msg);
  return rc;
}

static void answer_request(struct server_service *s,
                           const struct wps_event *event,
                           const struct server_command *c,
                           struct wps_reply *reply)
{
  struct wps_event_answer answer = {.struct_size = sizeof(answer), .code = 200};

  if (c->response == RESPONSE_ERROR)
    answer.code = REFUSED;
  take_state(s, event, c, &answer);
  wps->event->answer(reply, &answer);
}

int answer_give(struct server_service *s, const struct wps_event *event,
                const struct server_command *answer, struct wps_reply *reply,
                const char **why)
{
  bool connect = event->type == WPS_EVENT_CONNECT;

  *why = "the answer is one for another kind of event";
  if (connect != (answer->kind == COMMAND_CONNECT_RESPONSE))
    return WPS_EPROTO;
  if (connect)
    return answer_connect(s, event, answer, reply, why);
  if ((event->type & (WPS_EVENT_JOIN | WPS_EVENT_LEAVE | WPS_EVENT_PUBLISH)) !=
      0) {
    answer_request(s, event, answer, reply);
    return WPS_OK;
  }
  *why = "the application server answered with an error";
  if (event->type == WPS_EVENT_MESSAGE && answer->response != RESPONSE_ERROR)
    return answer_message(s, event, answer, reply, why);
  if (answer->response == RESPONSE_ERROR)
    return WPS_EUNAVAILABLE;
  if (reply != NULL)
    wps->reply->ok(reply);
  return WPS_OK;
}
