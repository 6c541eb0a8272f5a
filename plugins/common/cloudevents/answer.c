/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/cloudevents/answer.h"

#include <webpubsub/host.h>
#include <webpubsub/status.h>

#include "plugins/common/cloudevents/connect_answer.h"
#include "plugins/common/cloudevents/content_type.h"
#include "plugins/common/cloudevents/text.h"
#include "plugins/common/json_scan.h"

enum { USER_MAX = 16 * 1024 };

/* The state header of a blocking event (3.5). */
static void take_state(struct wps_instance *self, const struct wps_event *event,
                       const struct ce_answer *a,
                       struct wps_event_answer *answer)
{
  if (a->state.ptr == NULL)
    return;
  if (a->state.len > CE_STATE_MAX) {
    wps->log->write(self, NULL, WPS_LOG_WARN,
                    "hub %.*s, connection %.*s: ce-connectionState of the "
                    "answer has %zu bytes, more than 16 KiB: ignored",
                    STR_ARG(event->hub), STR_ARG(event->conn), a->state.len);
    return;
  }
  answer->flags |= WPS_ANSWER_APP_STATE;
  answer->app_state = a->state;
}

/* ---- connect ---- */

static int accept_connect(struct wps_instance *self,
                          const struct wps_event *event,
                          const struct ce_answer *a, struct wps_reply *reply,
                          const char **why)
{
  struct wps_event_answer answer = {.struct_size = sizeof(answer),
                                    .code = a->code};
  struct connect_answer said;
  int rc = connect_answer_read(a->body, &said, why);

  if (rc != WPS_OK)
    return rc;
  if (said.user.len > USER_MAX) {
    connect_answer_free(&said);
    *why = "userId is longer than 16 KiB";
    return WPS_EPROTO;
  }
  take_state(self, event, a, &answer);
  if (said.user.ptr != NULL) {
    answer.flags |= WPS_ANSWER_USER;
    answer.user = said.user;
  }
  if (said.roles != NULL) {
    answer.flags |= WPS_ANSWER_ROLES;
    answer.roles = said.roles;
    answer.role_count = said.role_count;
  }
  if (said.group_count > 0) {
    answer.flags |= WPS_ANSWER_GROUPS;
    answer.groups = said.groups;
    answer.group_count = said.group_count;
  }
  if (said.subprotocol.len > 0)
    answer.subprotocol = said.subprotocol;
  wps->event->answer(reply, &answer);
  connect_answer_free(&said);
  return WPS_OK;
}

void ce_answer_refuse(const struct ce_answer *a, struct wps_reply *reply)
{
  const struct wps_message_info info = {.struct_size = sizeof(info),
                                        .data_type = WPS_DATA_BINARY,
                                        .data = {a->body.ptr, a->body.len},
                                        .from = WPS_FROM_SERVER,
                                        .content_type = a->type};
  struct wps_event_answer answer = {.struct_size = sizeof(answer),
                                    .code = a->code};

  if (a->code < 500 && a->body.len > 0)
    answer.msg = wps->message->create(&info);
  wps->event->answer(reply, &answer);
  if (answer.msg != NULL)
    wps->message->unref(answer.msg);
}

/* ---- user events ---- */

static int check_body(uint32_t data_type, struct wps_str body, const char **why)
{
  struct json_value value;

  switch (data_type) {
  case 0:
    *why = "the content type is none of text/plain, application/json, "
           "application/octet-stream, application/x-protobuf";
    return WPS_EPROTO;
  case WPS_DATA_TEXT:
    *why = "the body of text/plain is not UTF-8";
    return utf8_ok(body) ? WPS_OK : WPS_EPROTO;
  case WPS_DATA_JSON:
    *why = "the body of application/json is not valid JSON";
    return json_scan_value(body, &value);
  default:
    return WPS_OK;
  }
}

static int make_message(const struct ce_answer *a, struct wps_message **out,
                        const char **why)
{
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = content_type_read(a->type),
                                  .data = {a->body.ptr, a->body.len},
                                  .from = WPS_FROM_SERVER};
  int rc = check_body(info.data_type, a->body, why);

  if (rc != WPS_OK)
    return rc;
  *out = wps->message->create(&info);
  if (*out != NULL)
    return WPS_OK;
  *why = "the body is longer than limits.message_size, or memory ran out";
  return WPS_ETOOBIG;
}

static int accept_message(struct wps_instance *self,
                          const struct wps_event *event,
                          const struct ce_answer *a, struct wps_reply *reply,
                          const char **why)
{
  struct wps_event_answer answer = {.struct_size = sizeof(answer),
                                    .code = a->code};
  int rc;

  if (a->body.len > 0) {
    rc = make_message(a, &answer.msg, why);
    if (rc != WPS_OK)
      return rc;
  }
  answer.headers = a->metadata;
  answer.header_count = a->metadata_count;
  take_state(self, event, a, &answer);
  wps->event->answer(reply, &answer);
  if (answer.msg != NULL)
    wps->message->unref(answer.msg);
  return WPS_OK;
}

int ce_answer_accept(struct wps_instance *self, const struct wps_event *event,
                     const struct ce_answer *a, struct wps_reply *reply,
                     const char **why)
{
  *why = "out of memory";
  if (event->type == WPS_EVENT_CONNECT)
    return accept_connect(self, event, a, reply, why);
  if (event->type == WPS_EVENT_MESSAGE)
    return accept_message(self, event, a, reply, why);
  if (reply != NULL)
    wps->reply->ok(reply);
  return WPS_OK;
}
