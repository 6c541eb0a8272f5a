/* SPDX-License-Identifier: Apache-2.0 */
/* control.c - what is said to one client: azure_writer. */
#include <stdlib.h>

#include "plugins/subprotocol-protobuf/content.h"
#include "plugins/subprotocol-protobuf/write.h"

/* Control messages nearly always fit; longer ones get a frame of their size. */
enum { SMALL = 512 };

struct control {
  struct wps_str text; /* id, token or reason */
  struct wps_str user, conn;
  uint64_t id; /* ack id, expected number */
  const struct azure_error *error;
  const struct content *body;
  bool has_data;
};

static int send_control(struct wps_conn *conn, uint32_t member, pb_put_fn put,
                        const struct control *c)
{
  unsigned char small[SMALL];
  struct pb_out out = {small, sizeof(small), 0};
  struct wps_frame *frame;
  void *bytes;
  int rc;

  pb_put_message(&out, member, put, c);
  if (out.len <= out.cap)
    return wps->conn->send_bytes(conn, WPS_BINARY,
                                 (struct wps_bytes){small, out.len});
  frame = wps->message->frame_alloc(WPS_BINARY, out.len, &bytes);
  if (frame == NULL)
    return WPS_ENOMEM;
  out = (struct pb_out){bytes, out.len, 0};
  pb_put_message(&out, member, put, c);
  rc = wps->conn->send(conn, frame);
  wps->message->frame_unref(frame);
  return rc;
}

static void put_error(struct pb_out *out, const void *arg)
{
  const struct azure_error *error = arg;

  content_put_text(out, 1, error->name);
  content_put_text(out, 2, error->message);
}

/* ---- system messages ---- */

static void put_connected(struct pb_out *out, const void *arg)
{
  const struct control *c = arg;

  content_put_text(out, 1, c->conn);
  content_put_text(out, 2, c->user);
  if (c->text.ptr != NULL)
    pb_put_text(out, 3, c->text);
}

static void put_disconnected(struct pb_out *out, const void *arg)
{
  const struct control *c = arg;

  content_put_text(out, 2, c->text);
}

static void put_system_connected(struct pb_out *out, const void *arg)
{
  pb_put_message(out, 1, put_connected, arg);
}

static void put_system_disconnected(struct pb_out *out, const void *arg)
{
  pb_put_message(out, 2, put_disconnected, arg);
}

static int send_connected(struct wps_conn *conn, struct wps_str token)
{
  return send_control(conn, DOWN_SYSTEM, put_system_connected,
                      &(struct control){.text = token,
                                        .user = wps->conn->user(conn),
                                        .conn = wps->conn->id(conn)});
}

static int send_disconnected(struct wps_conn *conn, struct wps_str text)
{
  return send_control(conn, DOWN_SYSTEM, put_system_disconnected,
                      &(struct control){.text = text});
}

/* ---- answers ---- */

static void put_nothing(struct pb_out *out, const void *arg)
{
  (void)out, (void)arg;
}

static int send_pong(struct wps_conn *conn)
{
  return send_control(conn, DOWN_PONG, put_nothing, NULL);
}

static void put_ack(struct pb_out *out, const void *arg)
{
  const struct control *c = arg;

  content_put_number(out, 1, c->id);
  if (c->error == NULL)
    pb_put_u64(out, 2, 1);
  else
    pb_put_message(out, 3, put_error, c->error);
}

static int send_ack(struct wps_conn *conn, uint64_t id,
                    const struct azure_error *error)
{
  return send_control(conn, DOWN_ACK, put_ack,
                      &(struct control){.id = id, .error = error});
}

static void put_invoke_response(struct pb_out *out, const void *arg)
{
  const struct control *c = arg;

  content_put_text(out, 1, c->text);
  if (c->error != NULL) {
    pb_put_message(out, 4, put_error, c->error);
    return;
  }
  pb_put_u64(out, 2, 1);
  if (c->body->info == NULL)
    return;
  if (c->has_data)
    content_put_data(out, 3, c->body);
  pb_put_map(out, 5, c->body->info->tags, c->body->info->tag_count);
}

static int invoke_response(struct wps_conn *conn, struct wps_str id,
                           const struct azure_error *error,
                           const struct content *body, bool has_data)
{
  return send_control(
      conn, DOWN_INVOKE_RESPONSE, put_invoke_response,
      &(struct control){
          .text = id, .error = error, .body = body, .has_data = has_data});
}

static int send_invoke_response(struct wps_conn *conn, struct wps_str id,
                                const struct azure_error *error,
                                const struct wps_message_info *body,
                                bool has_data)
{
  struct content content = content_of(body, false);

  return invoke_response(conn, id, error, &content, has_data);
}

static int send_text_response(struct wps_conn *conn, struct wps_str id,
                              const struct azure_error *error,
                              const struct wps_message_info *body,
                              bool has_data)
{
  struct content content = content_of(body, true);

  return invoke_response(conn, id, error, &content, has_data);
}

/* ---- streams ---- */

static void put_stream_ack(struct pb_out *out, const void *arg)
{
  const struct control *c = arg;

  content_put_text(out, 1, c->text);
  content_put_number(out, 2, c->id);
}

static int send_stream_ack(struct wps_conn *conn, struct wps_str id,
                           uint64_t expected)
{
  return send_control(conn, DOWN_STREAM_ACK, put_stream_ack,
                      &(struct control){.text = id, .id = expected});
}

static void put_stream_nack(struct pb_out *out, const void *arg)
{
  const struct control *c = arg;

  content_put_text(out, 1, c->text);
  content_put_text(out, 2, c->error->name);
  content_put_text(out, 3, c->error->message);
  content_put_number(out, 4, c->id);
}

static int send_stream_nack(struct wps_conn *conn, struct wps_str id,
                            const struct azure_error *error, uint64_t expected)
{
  return send_control(
      conn, DOWN_STREAM_NACK, put_stream_nack,
      &(struct control){.text = id, .id = expected, .error = error});
}

static void put_stream_closed(struct pb_out *out, const void *arg)
{
  const struct control *c = arg;

  content_put_text(out, 1, c->text);
  if (c->error != NULL)
    pb_put_message(out, 2, put_error, c->error);
}

static int send_stream_closed(struct wps_conn *conn, struct wps_str id,
                              const struct azure_error *error)
{
  return send_control(conn, DOWN_STREAM_CLOSED, put_stream_closed,
                      &(struct control){.text = id, .error = error});
}

/* ---- group states ---- */

static void put_snapshot(struct pb_out *out, struct wps_str group,
                         struct wps_message *const *states, size_t count)
{
  pb_put_text(out, 1, group);
  for (size_t i = 0; i < count; i++)
    content_put_item(out, 2, wps->message->info(states[i]));
}

static struct wps_message *make_snapshot(struct wps_str group,
                                         struct wps_message *const *states,
                                         size_t count)
{
  struct pb_out out = {NULL, 0, 0};
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = WPS_DATA_BINARY,
                                  .kind = WPS_MSG_PRIVATE,
                                  .from = WPS_FROM_GROUP,
                                  .group = group};
  struct wps_message *msg;
  unsigned char *bytes;

  put_snapshot(&out, group, states, count);
  bytes = malloc(out.len);
  if (bytes == NULL)
    return NULL;
  out = (struct pb_out){bytes, out.len, 0};
  put_snapshot(&out, group, states, count);
  info.data = (struct wps_bytes){bytes, out.len};
  msg = wps->message->create(&info);
  free(bytes);
  return msg;
}

#define WRITER(response)                                                       \
  {                                                                            \
    .connected = send_connected, .disconnected = send_disconnected,            \
    .pong = send_pong, .ack = send_ack, .invoke_response = (response),         \
    .stream_ack = send_stream_ack, .stream_nack = send_stream_nack,            \
    .stream_closed = send_stream_closed, .snapshot = make_snapshot             \
  }

const struct azure_writer protobuf_writer = WRITER(send_invoke_response);
const struct azure_writer protobuf_text_writer = WRITER(send_text_response);
