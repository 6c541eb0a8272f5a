/* SPDX-License-Identifier: Apache-2.0 */
/* conn/event_outcome.c - what became of an event: for who waits, for the log,
 * and for the client's state. */
#include <stdio.h>

#include "base/str.h"
#include "conn/events_internal.h"

static struct wps_str event_name(const struct wps_event *event)
{
  switch (event->type) {
  case WPS_EVENT_CONNECT:
    return STR("connect");
  case WPS_EVENT_CONNECTED:
    return STR("connected");
  case WPS_EVENT_DISCONNECTED:
    return STR("disconnected");
  case WPS_EVENT_JOINED:
    return STR("joined");
  case WPS_EVENT_LEFT:
    return STR("left");
  case WPS_EVENT_JOIN:
    return STR("join");
  case WPS_EVENT_LEAVE:
    return STR("leave");
  case WPS_EVENT_PUBLISH:
    return STR("publish");
  default:
    return event->name;
  }
}

void event_log(uint32_t level, const struct wps_event *event,
               const char *message, struct wps_str cause)
{
  struct log_field fields[] = {
      {"hub", event->hub},
      {"connection", event->conn},
      {"user", event->user.len != 0 ? event->user : STR_NONE},
      {"event", event_name(event)},
      {"group", event->group.len != 0 ? event->group : STR_NONE},
      {"cause", cause.len != 0 ? cause : STR_NONE}};

  if (log_enabled(level))
    log_fields(level, "core", message, fields, ARRAY_LEN(fields));
}

void events_log_failed(const struct wps_event *event, struct wps_str cause)
{
  event_log(WPS_LOG_WARN, event, "event failed", cause);
}

static const struct answer *answer_of(const struct reply_result *result)
{
  return result->kind == REPLY_ANSWER ? result->value : NULL;
}

int events_outcome(const struct wps_event *event,
                   const struct reply_result *result)
{
  const struct answer *a = answer_of(result);
  struct wps_str cause = result->detail;
  char room[64];
  int status = result->status;

  if (result->kind == REPLY_OK)
    return WPS_OK;
  if (a != NULL) {
    if (a->view.code == 0 || (a->view.code >= 200 && a->view.code <= 299))
      return WPS_OK;
    status = WPS_EFORBIDDEN;
    cause = (struct wps_str){
        room,
        (size_t)snprintf(room, sizeof(room),
                         "the handler answered with status %u", a->view.code)};
    if ((event->type & WPS_EVENT_ASKED) != 0) {
      event_log(WPS_LOG_DEBUG, event, "request refused", cause);
      return status;
    }
  } else if (result->kind == REPLY_DECLINE) {
    status = WPS_EUNAVAILABLE;
    cause = STR("the upstream does not take it");
  } else if (cause.len == 0) {
    cause = STR("the upstream gives no reason");
  }
  events_log_failed(event, cause);
  return status;
}

void events_keep_state(struct client_events *ce, const struct wps_event *event,
                       const struct reply_result *result)
{
  const struct answer *a = answer_of(result);

  if (a != NULL && (a->view.flags & WPS_ANSWER_APP_STATE) != 0 &&
      events_set_state(ce, a->view.app_state) != WPS_OK)
    event_log(WPS_LOG_WARN, event,
              "the state that an event handler returned is not kept",
              a->view.app_state.len > CLIENT_STATE_MAX
                  ? STR("it is larger than 64 KiB")
                  : STR("out of memory"));
}
