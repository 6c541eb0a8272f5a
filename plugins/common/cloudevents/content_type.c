/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/cloudevents/content_type.h"

#include <string.h>

#include "plugins/common/cloudevents/text.h"

struct wps_str content_type_of(uint32_t data_type)
{
  switch (data_type) {
  case WPS_DATA_TEXT:
    return STR("text/plain; charset=utf-8");
  case WPS_DATA_JSON:
    return STR("application/json");
  case WPS_DATA_PROTOBUF:
    return STR("application/x-protobuf");
  default:
    return STR("application/octet-stream");
  }
}

uint32_t content_type_read(struct wps_str type)
{
  const char *semicolon = type.len > 0 ? memchr(type.ptr, ';', type.len) : NULL;

  if (semicolon != NULL)
    type.len = (size_t)(semicolon - type.ptr);
  type = str_strip(type);
  if (type.len == 0)
    return WPS_DATA_BINARY;
  if (str_equal_fold(type, STR("text/plain")))
    return WPS_DATA_TEXT;
  if (str_equal_fold(type, STR("application/json")))
    return WPS_DATA_JSON;
  if (str_equal_fold(type, STR("application/octet-stream")))
    return WPS_DATA_BINARY;
  if (str_equal_fold(type, STR("application/x-protobuf")))
    return WPS_DATA_PROTOBUF;
  return 0;
}
