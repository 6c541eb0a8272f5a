/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/subprotocol-protobuf/content.h"

#include "plugins/common/azure/fragment.h"
#include "plugins/common/azure/names.h"

void content_put_text(struct pb_out *out, uint32_t number, struct wps_str text)
{
  if (text.len > 0)
    pb_put_text(out, number, text);
}

void content_put_number(struct pb_out *out, uint32_t number, uint64_t value)
{
  if (value != 0)
    pb_put_u64(out, number, value);
}

uint32_t content_member(const struct wps_message_info *info)
{
  switch (info->kind) {
  case WPS_MSG_DATA:
    return info->data_type == WPS_DATA_JSON && info->data.len == 0 ? 0
                                                                   : DOWN_DATA;
  case WPS_MSG_STATE:
    return DOWN_STATE_UPDATE;
  case WPS_MSG_PRIVATE:
    return DOWN_STATE_SNAPSHOT;
  default:
    return 0;
  }
}

uint32_t content_sequence(uint32_t member)
{
  return member == DOWN_DATA ? 4 : 3;
}

/* What a handler has answered as protobuf nobody has looked into, and what is
 * no Any would spoil the whole message for its receiver. */
static uint32_t choose(const struct wps_message_info *info, bool json_as_text)
{
  enum { TEXT = 1, BINARY = 2, ANY = 3, JSON = 4 };

  switch (info->data_type) {
  case WPS_DATA_TEXT:
    return TEXT;
  case WPS_DATA_JSON:
    return json_as_text ? TEXT : JSON;
  case WPS_DATA_PROTOBUF:
    return azure_any_ok(info->data) ? ANY : BINARY;
  default:
    return BINARY;
  }
}

struct content content_of(const struct wps_message_info *info,
                          bool json_as_text)
{
  struct content content = {.info = info};

  if (info != NULL)
    content.chosen = choose(info, json_as_text);
  return content;
}

static void put_chosen(struct pb_out *out, const void *arg)
{
  const struct content *content = arg;

  pb_put_bytes(out, content->chosen, content->info->data);
}

void content_put_data(struct pb_out *out, uint32_t number,
                      const struct content *content)
{
  pb_put_message(out, number, put_chosen, content);
}

static void put_stream_error(struct pb_out *out, const void *arg)
{
  const struct azure_fragment *fragment = arg;

  content_put_text(out, 1, fragment->error_name);
  content_put_text(out, 2, fragment->error_message);
  if (fragment->error_code.ptr != NULL)
    pb_put_text(out, 3, fragment->error_code);
}

static void put_stream(struct pb_out *out, const void *arg)
{
  const struct azure_fragment *fragment = arg;

  content_put_text(out, 1, fragment->id);
  content_put_number(out, 2, fragment->sequence);
  if (fragment->end)
    pb_put_u64(out, 3, 1);
  if (fragment->error_name.ptr != NULL)
    pb_put_message(out, 4, put_stream_error, fragment);
}

static void put_data_message(struct pb_out *out, const struct content *content)
{
  static const struct wps_str group = WPS_STR_INIT("group");
  static const struct wps_str server = WPS_STR_INIT("server");
  const struct wps_message_info *info = content->info;
  struct azure_fragment fragment;

  if (info->from == WPS_FROM_GROUP) {
    pb_put_text(out, 1, group);
    pb_put_text(out, 2, info->group);
  } else {
    pb_put_text(out, 1, server);
  }
  content_put_data(out, 3, content);
  pb_put_map(out, 5, info->tags, info->tag_count);
  azure_fragment_read(info, &fragment);
  if (fragment.is)
    pb_put_message(out, 6, put_stream, &fragment);
}

static void put_entries(struct pb_out *out, const void *arg)
{
  const struct wps_message_info *info = arg;

  pb_put_map(out, 1, info->tags, info->tag_count);
}

static void put_item(struct pb_out *out, const void *arg)
{
  const struct wps_message_info *info = arg;

  content_put_text(out, 1, info->conn);
  content_put_text(out, 2, info->user);
  if (!(info->flags & WPS_MESSAGE_CLEARED))
    pb_put_message(out, 3, put_entries, info);
  content_put_number(out, 4, (uint64_t)info->created_unix_ms);
}

void content_put_item(struct pb_out *out, uint32_t number,
                      const struct wps_message_info *info)
{
  pb_put_message(out, number, put_item, info);
}

void content_put(struct pb_out *out, const void *arg)
{
  const struct content *content = arg;
  const struct wps_message_info *info = content->info;

  switch (content_member(info)) {
  case DOWN_DATA:
    put_data_message(out, content);
    break;
  case DOWN_STATE_UPDATE:
    pb_put_text(out, 1, info->group);
    content_put_item(out, 2, info);
    break;
  default:
    pb_put_raw(out, info->data);
    break;
  }
}
