/* SPDX-License-Identifier: Apache-2.0 */
/* send.c - :send to all, to a group, a user, a connection; :invoke. */
#include <stdlib.h>
#include <string.h>

#include "plugins/common/azure/names.h"
#include "plugins/http-rest/rest.h"

/* ---- metadata ---- */

struct tags {
  struct wps_pair *pairs; /* with the text of their names, in one block */
  size_t count;
};

/* Errors: EPROTO (against the rules), ENOMEM. */
static int tags_read(const struct wps_request *req, struct tags *tags)
{
  size_t count = 0, bytes = 0;
  struct wps_pair header;
  struct wps_str key;
  char *names;
  int rc;

  *tags = (struct tags){NULL, 0};
  for (size_t i = 0; wps->request->header_at(req, i, &header) == WPS_OK; i++)
    if (azure_metadata_key(header.name, &key)) {
      count++;
      bytes += key.len;
    }
  if (count == 0)
    return WPS_OK;
  tags->pairs = malloc(count * sizeof(*tags->pairs) + bytes);
  if (tags->pairs == NULL)
    return WPS_ENOMEM;
  names = (char *)(tags->pairs + count);
  for (size_t i = 0; wps->request->header_at(req, i, &header) == WPS_OK; i++) {
    if (!azure_metadata_key(header.name, &key))
      continue;
    azure_lower(names, key);
    tags->pairs[tags->count].name = (struct wps_str){names, key.len};
    tags->pairs[tags->count++].value = azure_metadata_value(header.value);
    names += key.len;
  }
  rc = azure_metadata_last(tags->pairs, &tags->count);
  return rc != WPS_OK ? rc : azure_metadata_check(tags->pairs, tags->count);
}

/* ---- sending ---- */

static void published(struct wps_conn *conn, void *arg, uint64_t tag,
                      const struct wps_published *result)
{
  (void)conn, (void)tag;
  rest_ended(arg, result->status, 202);
}

/* The core refuses what is over its own limit as it does a lack of memory. */
static void refuse_message(struct rest_call *call,
                           const struct wps_message_info *info)
{
  struct wps_message_info empty = {.struct_size = sizeof(empty),
                                   .data_type = WPS_DATA_BINARY,
                                   .from = WPS_FROM_SERVER};
  struct wps_message *msg = wps->message->create(&empty);

  if (msg == NULL || info->data.len == 0) {
    rest_failed(call, WPS_ENOMEM);
  } else {
    rest_bad(call, "Request",
             "Invalid Content-Length header. The message is larger than "
             "limits.message_size of the server.");
  }
  if (msg != NULL)
    wps->message->unref(msg);
}

static void publish(struct rest_call *call, uint32_t ttl_s,
                    const struct rest_body *body, const struct tags *tags)
{
  bool group = call->op->to == WPS_TO_GROUP;
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = body->type,
                                  .data = body->data,
                                  .from =
                                      group ? WPS_FROM_GROUP : WPS_FROM_SERVER,
                                  .ttl_ms = ttl_s * 1000,
                                  .group = call->group,
                                  .tags = tags->pairs,
                                  .tag_count = tags->count};
  struct wps_message *msg;
  int rc;

  if (!group)
    info.group = (struct wps_str){NULL, 0};
  msg = wps->message->create(&info);
  if (msg == NULL) {
    refuse_message(call, &info);
    return;
  }
  rc = wps->hub->publish(call->rest->self, NULL, msg, &call->target, published,
                         call, 0);
  wps->message->unref(msg);
  if (rc != WPS_OK)
    rest_failed(call, rc);
}

static bool read_target(struct rest_call *call)
{
  switch (call->op->to) {
  case WPS_TO_HUB:
  case WPS_TO_GROUP:
    return rest_read_excluded(call) && rest_read_filter(call);
  case WPS_TO_USER:
    return rest_read_filter(call);
  default:
    return true;
  }
}

void rest_send(struct rest_call *call)
{
  struct rest_body body;
  struct tags tags;
  uint32_t ttl_s;
  int rc;

  if (!rest_read_int(call, "messageTtlSeconds", 0, AZURE_TTL_MAX, 0, &ttl_s) ||
      !read_target(call) || !rest_read_body(call, false, &body))
    return;
  rc = tags_read(call->req, &tags);
  if (rc == WPS_OK)
    publish(call, ttl_s, &body, &tags);
  else if (rc == WPS_EPROTO)
    rest_bad(call, "Request",
             "Invalid metadata. A key may have at most %u bytes of a token, a "
             "value %u bytes of ASCII, all of them together %u bytes.",
             AZURE_METADATA_KEY_MAX, AZURE_METADATA_VALUE_MAX,
             AZURE_METADATA_MAX);
  else
    rest_failed(call, rc);
  free(tags.pairs);
  free(body.owned);
}

/* Clients of Socket.IO answer it, and there are none here. */
void rest_invoke(struct rest_call *call)
{
  if (rest_read_excluded(call) && rest_read_filter(call))
    rest_empty(call, 200);
}
