/* SPDX-License-Identifier: Apache-2.0 */
/* write.c - what is published: encode() and deliver(). */
#include "plugins/subprotocol-protobuf/write.h"

#include "plugins/subprotocol-protobuf/content.h"

int protobuf_write_message(const struct wps_message *msg, uint32_t variant,
                           bool json_as_text, struct wps_frame **out)
{
  struct content content = content_of(wps->message->info(msg), json_as_text);
  uint32_t member = content_member(content.info);
  struct pb_out size = {NULL, 0, 0}, text;
  void *bytes;

  if (member == 0)
    return WPS_ENOTSUP;
  if (variant == PROTOBUF_PLAIN)
    pb_put_message(&size, member, content_put, &content);
  else
    content_put(&size, &content);
  *out = wps->message->frame_alloc(WPS_BINARY, size.len, &bytes);
  if (*out == NULL)
    return WPS_ENOMEM;
  text = (struct pb_out){bytes, size.len, 0};
  if (variant == PROTOBUF_PLAIN)
    pb_put_message(&text, member, content_put, &content);
  else
    content_put(&text, &content);
  return WPS_OK;
}

/* The order of fields is free: the number comes first, so that the rest is
 * everybody's. */
int protobuf_write_delivery(struct wps_conn *conn, const struct wps_delivery *d)
{
  uint32_t member = content_member(wps->message->info(d->msg));
  struct wps_bytes rest = wps->message->frame_bytes(d->frame);
  unsigned char number[16], head[32];
  struct pb_out number_out = {number, sizeof(number), 0};
  struct pb_out out = {head, sizeof(head), 0};
  struct wps_part parts[2] = {{.shared = NULL}, {.shared = d->frame}};

  pb_put_u64(&number_out, content_sequence(member), d->sequence);
  pb_put_head(&out, member, number_out.len + rest.len);
  pb_put_raw(&out, (struct wps_bytes){number, number_out.len});
  parts[0].bytes = (struct wps_bytes){head, out.len};
  return wps->conn->send_parts(conn, WPS_BINARY, parts, 2);
}
