/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/upstream-webhook/answer.h"

#include <stdlib.h>

#include <webpubsub/host.h>
#include <webpubsub/status.h>

#include "plugins/common/json_scan.h"
#include "plugins/upstream-webhook/connect_answer.h"
#include "plugins/upstream-webhook/response.h"
#include "plugins/upstream-webhook/site.h"

enum { USER_MAX = 16 * 1024 };

uint32_t answer_wants(const struct wps_event *event)
{
  switch (event->type) {
  case WPS_EVENT_CONNECT:
    return RESPONSE_REFUSAL;
  case WPS_EVENT_MESSAGE:
    return RESPONSE_SUCCESS;
  default:
    return RESPONSE_DROP;
  }
}

/* The state header of a blocking event (3.5). */
static void take_state(struct site *site, const struct wps_event *event,
                       const struct response *r,
                       struct wps_event_answer *answer)
{
  if (!r->has_state)
    return;
  if (r->state.len > RESPONSE_STATE_MAX) {
    wps->log->write(site->inst->self, NULL, WPS_LOG_WARN,
                    "hub %.*s, connection %.*s: ce-connectionState of the "
                    "answer has %zu bytes, more than 16 KiB: ignored",
                    STR_ARG(event->hub), STR_ARG(event->conn), r->state.len);
    return;
  }
  answer->flags |= WPS_ANSWER_APP_STATE;
  answer->app_state = text_str(&r->state);
}

/* ---- connect ---- */

static int accept_connect(struct site *site, const struct wps_event *event,
                          const struct response *r, struct wps_reply *reply,
                          const char **why)
{
  struct wps_event_answer answer = {.struct_size = sizeof(answer),
                                    .code = r->code};
  struct connect_answer said;
  int rc = connect_answer_read(text_str(&r->body), &said, why);

  if (rc != WPS_OK)
    return rc;
  if (said.user.len > USER_MAX) {
    connect_answer_free(&said);
    *why = "userId is longer than 16 KiB";
    return WPS_EPROTO;
  }
  take_state(site, event, r, &answer);
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

void answer_refuse(const struct response *r, struct wps_reply *reply)
{
  const struct wps_message_info info = {
      .struct_size = sizeof(info),
      .data_type = WPS_DATA_BINARY,
      .data = {r->body.ptr, r->body.len},
      .from = WPS_FROM_SERVER,
      .content_type =
          r->has_type ? text_str(&r->type) : (struct wps_str){NULL, 0}};
  struct wps_event_answer answer = {.struct_size = sizeof(answer),
                                    .code = r->code};

  if (r->code < 500 && r->body.len > 0)
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

static int make_message(const struct response *r, struct wps_message **out,
                        const char **why)
{
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = response_data_type(r),
                                  .data = {r->body.ptr, r->body.len},
                                  .from = WPS_FROM_SERVER};
  int rc = check_body(info.data_type, text_str(&r->body), why);

  if (rc != WPS_OK)
    return rc;
  *out = wps->message->create(&info);
  if (*out != NULL)
    return WPS_OK;
  *why = "the body is longer than limits.message_size, or memory ran out";
  return WPS_ETOOBIG;
}

static int accept_message(struct site *site, const struct wps_event *event,
                          const struct response *r, struct wps_reply *reply,
                          const char **why)
{
  struct wps_event_answer answer = {.struct_size = sizeof(answer),
                                    .code = r->code};
  struct wps_pair *metadata = NULL;
  int rc;

  if (r->body.len > 0) {
    rc = make_message(r, &answer.msg, why);
    if (rc != WPS_OK)
      return rc;
  }
  if (r->metadata_count > 0) {
    metadata = calloc(r->metadata_count, sizeof(*metadata));
    if (metadata == NULL) {
      if (answer.msg != NULL)
        wps->message->unref(answer.msg);
      return WPS_ENOMEM;
    }
    response_metadata(r, metadata);
    answer.headers = metadata;
    answer.header_count = r->metadata_count;
  }
  take_state(site, event, r, &answer);
  wps->event->answer(reply, &answer);
  free(metadata);
  if (answer.msg != NULL)
    wps->message->unref(answer.msg);
  return WPS_OK;
}

int answer_accept(struct site *site, const struct wps_event *event,
                  const struct response *r, struct wps_reply *reply,
                  const char **why)
{
  *why = "out of memory";
  if (event->type == WPS_EVENT_CONNECT)
    return accept_connect(site, event, r, reply, why);
  if (event->type == WPS_EVENT_MESSAGE)
    return accept_message(site, event, r, reply, why);
  if (reply != NULL)
    wps->reply->ok(reply);
  return WPS_OK;
}
