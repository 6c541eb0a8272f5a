/* SPDX-License-Identifier: Apache-2.0 */
/* write_control.c - what is said to one client alone: one function puts each
 * message, for both sizes. */
#include <stdlib.h>

#include "plugins/subprotocol-json/client.h"
#include "plugins/subprotocol-json/write.h"

/* Control messages nearly always fit; longer ones get a frame of their size. */
enum { SMALL = 512 };

struct control {
  void (*put)(struct json_out *out, const struct control *c);
  struct wps_str text; /* id, token or reason */
  struct wps_str user, conn;
  uint64_t id; /* ack id, expected number */
  const struct azure_error *error;
  const struct wps_message_info *body; /* or NULL */
  bool has_data;
};

static struct wps_frame *control_frame(const struct control *c, size_t size)
{
  struct wps_frame *frame;
  struct json_out out;
  void *bytes;

  frame = wps->message->frame_alloc(WPS_TEXT, size, &bytes);
  if (frame == NULL)
    return NULL;
  out = (struct json_out){bytes, size, 0};
  c->put(&out, c);
  return frame;
}

static int send_control(struct wps_conn *conn, const struct control *c)
{
  char small[SMALL];
  struct json_out out = {small, sizeof(small), 0};
  struct wps_frame *frame;
  int rc;

  c->put(&out, c);
  if (out.len <= out.cap)
    return wps->conn->send_bytes(conn, WPS_TEXT,
                                 (struct wps_bytes){small, out.len});
  frame = control_frame(c, out.len);
  if (frame == NULL)
    return WPS_ENOMEM;
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

static int send_ack_late(struct wps_conn *conn, uint64_t id,
                         const struct azure_error *error)
{
  struct control c = {.put = put_ack, .id = id, .error = error};
  struct json_client *client = wps->conn->own(conn);
  struct json_out size = {NULL, 0, 0};
  struct wps_frame *frame;

  put_ack(&size, &c);
  frame = control_frame(&c, size.len);
  if (frame == NULL)
    return WPS_ENOMEM;
  json_late_send(client->late, conn, frame);
  return WPS_OK;
}

static void put_invoke_response(struct json_out *out, const struct control *c)
{
  JSON_OUT(out, "{\"type\":\"invokeResponse\",\"invocationId\":");
  json_out_text(out, c->text);
  if (c->error != NULL) {
    JSON_OUT(out, ",\"success\":false");
    put_error(out, c->error);
    return;
  }
  JSON_OUT(out, ",\"success\":true");
  if (c->has_data)
    json_put_data(out, c->body);
  if (c->body != NULL)
    json_put_metadata(out, c->body);
  JSON_OUT(out, "}");
}

static int send_invoke_response(struct wps_conn *conn, struct wps_str id,
                                const struct azure_error *error,
                                const struct wps_message_info *body,
                                bool has_data)
{
  return send_control(conn,
                      &(struct control){.put = put_invoke_response,
                                        .text = id,
                                        .error = error,
                                        .body = body,
                                        .has_data = has_data && body != NULL});
}

static void put_stream_ack(struct json_out *out, const struct control *c)
{
  JSON_OUT(out, "{\"type\":\"streamAck\",\"streamId\":");
  json_out_text(out, c->text);
  JSON_OUT(out, ",\"expectedSequenceId\":");
  json_out_u64(out, c->id);
  JSON_OUT(out, "}");
}

static int send_stream_ack(struct wps_conn *conn, struct wps_str id,
                           uint64_t expected)
{
  return send_control(
      conn,
      &(struct control){.put = put_stream_ack, .text = id, .id = expected});
}

static void put_stream_nack(struct json_out *out, const struct control *c)
{
  JSON_OUT(out, "{\"type\":\"streamNack\",\"streamId\":");
  json_out_text(out, c->text);
  JSON_OUT(out, ",\"name\":");
  json_out_text(out, c->error->name);
  JSON_OUT(out, ",\"message\":");
  json_out_text(out, c->error->message);
  JSON_OUT(out, ",\"expectedSequenceId\":");
  json_out_u64(out, c->id);
  JSON_OUT(out, "}");
}

static int send_stream_nack(struct wps_conn *conn, struct wps_str id,
                            const struct azure_error *error, uint64_t expected)
{
  return send_control(conn, &(struct control){.put = put_stream_nack,
                                              .text = id,
                                              .id = expected,
                                              .error = error});
}

static void put_stream_closed(struct json_out *out, const struct control *c)
{
  JSON_OUT(out, "{\"type\":\"streamClosed\",\"streamId\":");
  json_out_text(out, c->text);
  if (c->error != NULL)
    put_error(out, c->error);
  else
    JSON_OUT(out, "}");
}

static int send_stream_closed(struct wps_conn *conn, struct wps_str id,
                              const struct azure_error *error)
{
  return send_control(
      conn,
      &(struct control){.put = put_stream_closed, .text = id, .error = error});
}

/* ---- snapshots of group states ---- */

struct snapshot {
  struct wps_str group;
  struct wps_message *const *states;
  size_t count;
};

static void put_snapshot(struct json_out *out, const struct snapshot *s)
{
  JSON_OUT(out, "\"type\":\"groupStateSnapshot\",\"group\":");
  json_out_text(out, s->group);
  JSON_OUT(out, ",\"items\":[");
  for (size_t i = 0; i < s->count; i++) {
    if (i > 0)
      JSON_OUT(out, ",");
    json_put_state(out, wps->message->info(s->states[i]));
  }
  JSON_OUT(out, "]}");
}

static struct wps_message *make_snapshot(struct wps_str group,
                                         struct wps_message *const *states,
                                         size_t count)
{
  struct snapshot s = {group, states, count};
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = WPS_DATA_TEXT,
                                  .kind = WPS_MSG_PRIVATE,
                                  .from = WPS_FROM_GROUP,
                                  .group = group};
  struct json_out size = {NULL, 0, 0}, text;
  char *bytes;

  put_snapshot(&size, &s);
  bytes = malloc(size.len);
  if (bytes == NULL)
    return NULL;
  text = (struct json_out){bytes, size.len, 0};
  put_snapshot(&text, &s);
  info.data = (struct wps_bytes){bytes, size.len};
  return wps->message->adopt(&info, free, bytes);
}

#define WRITER(how_to_ack)                                                     \
  {                                                                            \
    .connected = send_connected, .disconnected = send_disconnected,            \
    .pong = send_pong, .ack = (how_to_ack),                                    \
    .invoke_response = send_invoke_response, .stream_ack = send_stream_ack,    \
    .stream_nack = send_stream_nack, .stream_closed = send_stream_closed,      \
    .snapshot = make_snapshot                                                  \
  }

const struct azure_writer json_writer = WRITER(send_ack);
const struct azure_writer json_writer_late = WRITER(send_ack_late);
