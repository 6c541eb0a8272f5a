/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/subprotocol-json/write.h"

#include "plugins/common/json_write.h"

/* Control messages nearly always fit; longer ones get a frame of their size. */
enum { SMALL = 512 };

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
  if (info->tag_count > 0) {
    JSON_OUT(out, ",\"metadata\":{");
    for (size_t i = 0; i < info->tag_count; i++) {
      if (i > 0)
        JSON_OUT(out, ",");
      json_out_text(out, info->tags[i].name);
      JSON_OUT(out, ":");
      json_out_text(out, info->tags[i].value);
    }
    JSON_OUT(out, "}");
  }
  JSON_OUT(out, "}");
}

int json_write_message(const struct wps_message *msg, uint32_t variant,
                       struct wps_frame **out)
{
  const struct wps_message_info *info = wps->message->info(msg);
  struct json_out size = {NULL, 0, 0}, text;
  void *bytes;

  if (info->kind != WPS_MSG_DATA ||
      (info->data_type == WPS_DATA_JSON && info->data.len == 0))
    return WPS_ENOTSUP;
  put_message(&size, info);
  if (variant == JSON_PLAIN)
    size.len++;
  *out = wps->message->frame_alloc(WPS_TEXT, size.len, &bytes);
  if (*out == NULL)
    return WPS_ENOMEM;
  text = (struct json_out){bytes, size.len, 0};
  if (variant == JSON_PLAIN)
    JSON_OUT(&text, "{");
  put_message(&text, info);
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

/* ---- control messages: one function puts each, for both sizes ---- */

struct control {
  void (*put)(struct json_out *out, const struct control *c);
  struct wps_str text; /* id, token or reason */
  struct wps_str user, conn;
  uint64_t id;
  const struct azure_error *error;
};

static int send_control(struct wps_conn *conn, const struct control *c)
{
  char small[SMALL];
  struct json_out out = {small, sizeof(small), 0};
  struct wps_frame *frame;
  void *bytes;
  int rc;

  c->put(&out, c);
  if (out.len <= out.cap)
    return wps->conn->send_bytes(conn, WPS_TEXT,
                                 (struct wps_bytes){small, out.len});
  frame = wps->message->frame_alloc(WPS_TEXT, out.len, &bytes);
  if (frame == NULL)
    return WPS_ENOMEM;
  out = (struct json_out){bytes, out.len, 0};
  c->put(&out, c);
  rc = wps->conn->send(conn, frame);
  wps->message->frame_unref(frame);
  return rc;
}

static void put_connected(struct json_out *out, const struct control *c)
{
  JSON_OUT(out, "{\"type\":\"system\",\"event\":\"connected\",\"userId\":");
  if (c->user.len > 0)
    json_out_text(out, c->user);
  else
    JSON_OUT(out, "null");
  JSON_OUT(out, ",\"connectionId\":");
  json_out_text(out, c->conn);
  if (c->text.ptr != NULL) {
    JSON_OUT(out, ",\"reconnectionToken\":");
    json_out_text(out, c->text);
  }
  JSON_OUT(out, "}");
}

static int send_connected(struct wps_conn *conn, struct wps_str token)
{
  return send_control(conn, &(struct control){.put = put_connected,
                                              .text = token,
                                              .user = wps->conn->user(conn),
                                              .conn = wps->conn->id(conn)});
}

static void put_disconnected(struct json_out *out, const struct control *c)
{
  JSON_OUT(out, "{\"type\":\"system\",\"event\":\"disconnected\",\"message\":");
  json_out_text(out, c->text);
  JSON_OUT(out, "}");
}

static int send_disconnected(struct wps_conn *conn, struct wps_str text)
{
  return send_control(conn,
                      &(struct control){.put = put_disconnected, .text = text});
}

static int send_pong(struct wps_conn *conn)
{
  static const char pong[] = "{\"type\":\"pong\"}";

  return wps->conn->send_bytes(conn, WPS_TEXT,
                               (struct wps_bytes){pong, sizeof(pong) - 1});
}

static void put_error(struct json_out *out, const struct azure_error *error)
{
  JSON_OUT(out, ",\"error\":{\"name\":");
  json_out_text(out, error->name);
  JSON_OUT(out, ",\"message\":");
  json_out_text(out, error->message);
  JSON_OUT(out, "}}");
}

static void put_ack(struct json_out *out, const struct control *c)
{
  JSON_OUT(out, "{\"type\":\"ack\",\"ackId\":");
  json_out_u64(out, c->id);
  if (c->error == NULL) {
    JSON_OUT(out, ",\"success\":true}");
  } else {
    JSON_OUT(out, ",\"success\":false");
    put_error(out, c->error);
  }
}

static int send_ack(struct wps_conn *conn, uint64_t id,
                    const struct azure_error *error)
{
  return send_control(
      conn, &(struct control){.put = put_ack, .id = id, .error = error});
}

static void put_invoke_refused(struct json_out *out, const struct control *c)
{
  JSON_OUT(out, "{\"type\":\"invokeResponse\",\"invocationId\":");
  json_out_text(out, c->text);
  JSON_OUT(out, ",\"success\":false");
  put_error(out, c->error);
}

static int send_invoke_refused(struct wps_conn *conn, struct wps_str id,
                               const struct azure_error *error)
{
  return send_control(
      conn,
      &(struct control){.put = put_invoke_refused, .text = id, .error = error});
}

static void put_stream_closed(struct json_out *out, const struct control *c)
{
  JSON_OUT(out, "{\"type\":\"streamClosed\",\"streamId\":");
  json_out_text(out, c->text);
  put_error(out, c->error);
}

static int send_stream_closed(struct wps_conn *conn, struct wps_str id,
                              const struct azure_error *error)
{
  return send_control(
      conn,
      &(struct control){.put = put_stream_closed, .text = id, .error = error});
}

const struct azure_writer json_writer = {.connected = send_connected,
                                         .disconnected = send_disconnected,
                                         .pong = send_pong,
                                         .ack = send_ack,
                                         .invoke_refused = send_invoke_refused,
                                         .stream_closed = send_stream_closed};
