/* SPDX-License-Identifier: Apache-2.0 */
/* write.c - messages, which are written once for all clients. */
#include "plugins/subprotocol-json/write.h"

#include "plugins/common/azure/fragment.h"

void json_put_data(struct json_out *out, const struct wps_message_info *info)
{
  switch (info->data_type) {
  case WPS_DATA_TEXT:
    JSON_OUT(out, ",\"dataType\":\"text\",\"data\":");
    json_out_text(out, (struct wps_str){info->data.ptr, info->data.len});
    break;
  case WPS_DATA_JSON:
    JSON_OUT(out, ",\"dataType\":\"json\",\"data\":");
    json_out_raw(out, info->data.ptr, info->data.len);
    break;
  case WPS_DATA_PROTOBUF:
    JSON_OUT(out, ",\"dataType\":\"protobuf\",\"data\":");
    json_out_base64(out, info->data);
    break;
  default:
    JSON_OUT(out, ",\"dataType\":\"binary\",\"data\":");
    json_out_base64(out, info->data);
    break;
  }
}

void json_put_map(struct json_out *out, const struct wps_pair *pairs,
                  size_t count)
{
  JSON_OUT(out, "{");
  for (size_t i = 0; i < count; i++) {
    if (i > 0)
      JSON_OUT(out, ",");
    json_out_text(out, pairs[i].name);
    JSON_OUT(out, ":");
    json_out_text(out, pairs[i].value);
  }
  JSON_OUT(out, "}");
}

void json_put_metadata(struct json_out *out,
                       const struct wps_message_info *info)
{
  if (info->tag_count > 0) {
    JSON_OUT(out, ",\"metadata\":");
    json_put_map(out, info->tags, info->tag_count);
  }
}

void json_put_state(struct json_out *out, const struct wps_message_info *info)
{
  JSON_OUT(out, "{\"connectionId\":");
  json_out_text(out, info->conn);
  if (info->user.len > 0) {
    JSON_OUT(out, ",\"userId\":");
    json_out_text(out, info->user);
  }
  if (!(info->flags & WPS_MESSAGE_CLEARED)) {
    JSON_OUT(out, ",\"state\":");
    json_put_map(out, info->tags, info->tag_count);
  }
  JSON_OUT(out, ",\"updatedAt\":");
  json_out_u64(out, (uint64_t)info->created_unix_ms);
  JSON_OUT(out, "}");
}

/* What makes a message a part of a stream (5.8). */
static void put_fragment(struct json_out *out,
                         const struct wps_message_info *info)
{
  struct azure_fragment part;

  azure_fragment_read(info, &part);
  if (!part.is)
    return;
  JSON_OUT(out, ",\"stream\":{\"streamId\":");
  json_out_text(out, part.id);
  JSON_OUT(out, ",\"streamSequenceId\":");
  json_out_u64(out, part.sequence);
  if (part.end)
    JSON_OUT(out, ",\"endOfStream\":true");
  if (part.error_name.ptr != NULL) {
    JSON_OUT(out, ",\"error\":{\"name\":");
    json_out_text(out, part.error_name);
    if (part.error_message.ptr != NULL) {
      JSON_OUT(out, ",\"message\":");
      json_out_text(out, part.error_message);
    }
    if (part.error_code.ptr != NULL) {
      JSON_OUT(out, ",\"userErrorCode\":");
      json_out_text(out, part.error_code);
    }
    JSON_OUT(out, "}");
  }
  JSON_OUT(out, "}");
}

static void put_message(struct json_out *out,
                        const struct wps_message_info *info)
{
  JSON_OUT(out, "\"type\":\"message\",\"from\":");
  if (info->from == WPS_FROM_GROUP) {
    JSON_OUT(out, "\"group\",\"group\":");
    json_out_text(out, info->group);
    if (info->user.len > 0) {
      JSON_OUT(out, ",\"fromUserId\":");
      json_out_text(out, info->user);
    }
  } else {
    JSON_OUT(out, "\"server\"");
  }
  json_put_data(out, info);
  json_put_metadata(out, info);
  if (info->prop_count > 0)
    put_fragment(out, info);
  JSON_OUT(out, "}");
}

static void put_update(struct json_out *out,
                       const struct wps_message_info *info)
{
  JSON_OUT(out, "\"type\":\"groupStateUpdate\",\"group\":");
  json_out_text(out, info->group);
  JSON_OUT(out, ",\"items\":[");
  json_put_state(out, info);
  JSON_OUT(out, "]}");
}

/* A snapshot, as the writer has made it. */
static void put_ready(struct json_out *out, const struct wps_message_info *info)
{
  json_out_raw(out, info->data.ptr, info->data.len);
}

int json_write_message(const struct wps_message *msg, uint32_t variant,
                       struct wps_frame **out)
{
  const struct wps_message_info *info = wps->message->info(msg);
  void (*put)(struct json_out * out, const struct wps_message_info *info);
  struct json_out size = {NULL, 0, 0}, text;
  void *bytes;

  switch (info->kind) {
  case WPS_MSG_DATA:
    if (info->data_type == WPS_DATA_JSON && info->data.len == 0)
      return WPS_ENOTSUP;
    put = put_message;
    break;
  case WPS_MSG_STATE:
    put = put_update;
    break;
  case WPS_MSG_PRIVATE:
    put = put_ready;
    break;
  default:
    return WPS_ENOTSUP;
  }
  put(&size, info);
  if (variant == JSON_PLAIN)
    size.len++;
  *out = wps->message->frame_alloc(WPS_TEXT, size.len, &bytes);
  if (*out == NULL)
    return WPS_ENOMEM;
  text = (struct json_out){bytes, size.len, 0};
  if (variant == JSON_PLAIN)
    JSON_OUT(&text, "{");
  put(&text, info);
  return WPS_OK;
}

int json_write_delivery(struct wps_conn *conn, const struct wps_delivery *d)
{
  char head[48];
  struct json_out out = {head, sizeof(head), 0};
  struct wps_part parts[2] = {{.shared = NULL}, {.shared = d->frame}};

  JSON_OUT(&out, "{\"sequenceId\":");
  json_out_u64(&out, d->sequence);
  JSON_OUT(&out, ",");
  parts[0].bytes = (struct wps_bytes){head, out.len};
  return wps->conn->send_parts(conn, WPS_TEXT, parts, 2);
}
