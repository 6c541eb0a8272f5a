/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/azure/fragment.h"

#include <stdio.h>
#include <string.h>

#include <webpubsub/host.h>

#include "plugins/common/azure/names.h"

static const struct wps_str prop_id = WPS_STR_INIT("stream.id");
static const struct wps_str prop_sequence = WPS_STR_INIT("stream.seq");
static const struct wps_str prop_end = WPS_STR_INIT("stream.end");
static const struct wps_str prop_name = WPS_STR_INIT("stream.error.name");
static const struct wps_str prop_message = WPS_STR_INIT("stream.error.message");
static const struct wps_str prop_code = WPS_STR_INIT("stream.error.code");

static uint64_t read_number(struct wps_str digits)
{
  uint64_t n = 0;

  for (size_t i = 0; i < digits.len; i++)
    n = n * 10 + (uint64_t)(digits.ptr[i] - '0');
  return n;
}

/* Present, if only as nothing. */
static struct wps_str some(struct wps_str s)
{
  return s.ptr != NULL ? s : (struct wps_str){"", 0};
}

void azure_fragment_read(const struct wps_message_info *info,
                         struct azure_fragment *out)
{
  memset(out, 0, sizeof(*out));
  for (size_t i = 0; i < info->prop_count; i++) {
    const struct wps_pair *p = &info->props[i];

    if (azure_equal(p->name, prop_id)) {
      out->is = true;
      out->id = p->value;
    } else if (azure_equal(p->name, prop_sequence)) {
      out->sequence = read_number(p->value);
    } else if (azure_equal(p->name, prop_end)) {
      out->end = true;
    } else if (azure_equal(p->name, prop_name)) {
      out->error_name = some(p->value);
    } else if (azure_equal(p->name, prop_message)) {
      out->error_message = some(p->value);
    } else if (azure_equal(p->name, prop_code)) {
      out->error_code = some(p->value);
    }
  }
}

static void release(void *payload)
{
  wps->message->unref(payload);
}

struct wps_message *azure_fragment_make(const struct azure_fragment *fragment,
                                        const struct wps_message_info *body,
                                        struct wps_message *payload)
{
  struct wps_message_info info = *body;
  struct wps_pair props[6];
  char digits[24];
  int len = snprintf(digits, sizeof(digits), "%llu",
                     (unsigned long long)fragment->sequence);
  size_t count = 0;

  props[count++] = (struct wps_pair){prop_id, fragment->id};
  props[count++] = (struct wps_pair){prop_sequence, {digits, (size_t)len}};
  if (fragment->end)
    props[count++] = (struct wps_pair){prop_end, {"1", 1}};
  if (fragment->error_name.ptr != NULL)
    props[count++] = (struct wps_pair){prop_name, fragment->error_name};
  if (fragment->error_message.ptr != NULL)
    props[count++] = (struct wps_pair){prop_message, fragment->error_message};
  if (fragment->error_code.ptr != NULL)
    props[count++] = (struct wps_pair){prop_code, fragment->error_code};
  info.props = props;
  info.prop_count = count;
  if (payload == NULL)
    return wps->message->create(&info);
  info.data = wps->message->info(payload)->data;
  info.data_type = wps->message->info(payload)->data_type;
  return wps->message->adopt(&info, release, wps->message->ref(payload));
}
