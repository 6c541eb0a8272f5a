/* SPDX-License-Identifier: Apache-2.0 */
/* body.c - what a body is, and whether it is that. */
#include <stdlib.h>

#include "plugins/common/azure/names.h"
#include "plugins/common/json_scan.h"
#include "plugins/http-rest/rest.h"

#define NOT_JSON "The request body is not a valid JSON."

/* WPS_DATA_*, or 0. Nothing said is octets. */
static uint32_t type_of(struct wps_str content_type)
{
  if (content_type.len == 0)
    return WPS_DATA_BINARY;
  if (media_type_is(content_type, "application/json"))
    return WPS_DATA_JSON;
  if (media_type_is(content_type, "text/plain"))
    return WPS_DATA_TEXT;
  if (media_type_is(content_type, "application/octet-stream"))
    return WPS_DATA_BINARY;
  if (media_type_is(content_type, "application/x-protobuf"))
    return WPS_DATA_PROTOBUF;
  return 0;
}

static void too_long(struct rest_call *call)
{
  rest_bad(call, "Request",
           "Invalid Content-Length header. The body may have at most %llu "
           "bytes.",
           (unsigned long long)call->rest->max_message);
}

/* Text of another charset becomes UTF-8. */
static bool to_utf8(struct rest_call *call, uint32_t charset,
                    struct rest_body *body)
{
  size_t len;
  int rc;

  if (charset == CHARSET_UTF8)
    return true;
  rc = charset_convert(&call->worker->charsets, charset, body->data,
                       &body->owned, &len);
  if (rc == WPS_OK) {
    body->data = (struct wps_bytes){body->owned, len};
    if (len <= call->rest->max_message)
      return true;
    too_long(call);
  } else if (rc == WPS_ENOTSUP) {
    rest_unsupported(call, "The charset is not supported. Use UTF-8, "
                           "ISO-8859-1 or UTF-16.");
  } else if (rc == WPS_EPROTO) {
    rest_bad(call, "Request",
             "The request body is not text in the charset of its Content-Type "
             "header.");
  } else {
    rest_failed(call, rc);
  }
  return false;
}

static bool check(struct rest_call *call, const struct rest_body *body)
{
  struct wps_str text = {body->data.ptr, body->data.len};
  struct json_value value;

  switch (body->type) {
  case WPS_DATA_JSON:
    if (json_scan_value(text, &value) == WPS_OK)
      return true;
    rest_bad(call, "Request", NOT_JSON);
    return false;
  case WPS_DATA_TEXT:
    if (azure_utf8_ok(text))
      return true;
    rest_bad(call, "Request", "The request body is not valid UTF-8.");
    return false;
  case WPS_DATA_PROTOBUF:
    if (azure_any_ok(body->data))
      return true;
    rest_bad(call, "Request",
             "The request body is not an encoded google.protobuf.Any.");
    return false;
  default:
    return true;
  }
}

bool rest_read_body(struct rest_call *call, bool json, struct rest_body *out)
{
  struct wps_str type = wps->request->header(call->req, "content-type");
  uint32_t charset;

  *out = (struct rest_body){.data = wps->request->body(call->req)};
  if (wps->request->body_status(call->req) != WPS_OK ||
      out->data.len > call->rest->max_message) {
    too_long(call);
    return false;
  }
  if (out->data.ptr == NULL)
    out->data.ptr = "";
  out->type = type_of(type);
  if (out->type == 0 || (json && out->type != WPS_DATA_JSON)) {
    rest_unsupported(call, json ? "The content type has to be "
                                  "application/json."
                                : "The content type has to be "
                                  "application/json, text/plain, "
                                  "application/octet-stream or "
                                  "application/x-protobuf.");
    return false;
  }
  charset = out->type == WPS_DATA_JSON || out->type == WPS_DATA_TEXT
                ? media_type_charset(type)
                : CHARSET_UTF8;
  if (to_utf8(call, charset, out) && check(call, out))
    return true;
  free(out->owned);
  out->owned = NULL;
  return false;
}
