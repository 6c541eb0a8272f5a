/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/upstream-tunnel/message.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <webpubsub/status.h>

#include "plugins/common/cloudevents/text.h"
#include "plugins/upstream-tunnel/frame.h"

enum { CODE_MAX = 999 };

/* ---- writing: members in the order of the service ---- */

static void put_text(struct text *json, const char *name, struct wps_str value)
{
  text_printf(json, ",\"%s\":", name);
  if (value.ptr == NULL)
    text_add_str(json, STR("null"));
  else
    text_add_json(json, value);
}

static void put_bool(struct text *json, const char *name, bool value)
{
  text_printf(json, ",\"%s\":%s", name, value ? "true" : "false");
}

static bool is_repetition(const struct tunnel_message *m, size_t index)
{
  for (size_t i = 0; i < index; i++)
    if (str_equal_fold(m->headers[i].name, m->headers[index].name))
      return true;
  return false;
}

static void put_headers(struct text *json, const struct tunnel_message *m)
{
  bool first = true;

  text_add_str(json, STR(",\"Headers\":{"));
  for (size_t i = 0; i < m->header_count; i++) {
    if (is_repetition(m, i))
      continue;
    if (!first)
      text_add_str(json, STR(","));
    first = false;
    text_add_json(json, m->headers[i].name);
    text_add_str(json, STR(":["));
    text_add_json(json, m->headers[i].value);
    for (size_t k = i + 1; k < m->header_count; k++)
      if (str_equal_fold(m->headers[i].name, m->headers[k].name)) {
        text_add_str(json, STR(","));
        text_add_json(json, m->headers[k].value);
      }
    text_add_str(json, STR("]"));
  }
  text_add_str(json, STR("}"));
}

static void put_request(struct text *json, const struct tunnel_message *m)
{
  text_printf(json, ",\"AckId\":%llu", (unsigned long long)m->ack);
  put_text(json, "HttpMethod", m->method);
  put_text(json, "Url", m->url);
  put_headers(json, m);
  put_bool(json, "LocalRouting", m->local_routing);
  put_text(json, "ChannelName", m->channel);
}

static void put_response(struct text *json, const struct tunnel_message *m)
{
  text_printf(json, ",\"AckId\":%llu,\"StatusCode\":%u",
              (unsigned long long)m->ack, m->code);
  put_headers(json, m);
  put_bool(json, "LocalRouting", m->local_routing);
  put_text(json, "ChannelName", m->channel);
  put_bool(json, "NotCompleted", m->not_completed);
}

static void put_members(struct text *json, const struct tunnel_message *m)
{
  text_printf(json, "{\"Type\":%u", m->type);
  switch (m->type) {
  case TUNNEL_REQUEST:
    put_request(json, m);
    break;
  case TUNNEL_RESPONSE:
    put_response(json, m);
    break;
  case TUNNEL_RECONNECT:
  case TUNNEL_REBALANCE:
    put_text(json, "TargetId", m->target);
    put_text(json, "Endpoint", m->endpoint);
    put_text(json, "Message", m->text);
    break;
  case TUNNEL_CONNECTED:
    put_text(json, "ConnectionId", m->connection);
    put_text(json, "UserId", m->user);
    put_text(json, "ReconnectionToken", m->token);
    break;
  default:
    put_text(json, "Message", m->text);
    break;
  }
  text_add_str(json, STR(",\"TracingId\":null}"));
}

void tunnel_message_write(const struct tunnel_message *m, struct text *out)
{
  struct text json = {0};
  struct frame f = {.type = m->type, .content = m->content};

  put_members(&json, m);
  f.json = text_str(&json);
  if (json.failed)
    out->failed = true;
  else
    frame_write(&f, out);
  text_free(&json);
}

/* ---- reading ---- */

/* Absent and null are {NULL, 0}. Errors: EPROTO. */
static int take_text(const json_t *tree, const char *name, struct wps_str *out)
{
  const json_t *value = json_object_get(tree, name);

  *out = (struct wps_str){NULL, 0};
  if (value == NULL || json_is_null(value))
    return WPS_OK;
  if (!json_is_string(value))
    return WPS_EPROTO;
  *out = (struct wps_str){json_string_value(value), json_string_length(value)};
  return WPS_OK;
}

static int take_bool(const json_t *tree, const char *name, bool *out)
{
  const json_t *value = json_object_get(tree, name);

  *out = false;
  if (value == NULL || json_is_null(value))
    return WPS_OK;
  if (!json_is_boolean(value))
    return WPS_EPROTO;
  *out = json_is_true(value);
  return WPS_OK;
}

static int take_number(const json_t *tree, const char *name, uint64_t max,
                       uint64_t *out)
{
  const json_t *value = json_object_get(tree, name);

  if (!json_is_integer(value) || json_integer_value(value) < 0 ||
      (uint64_t)json_integer_value(value) > max)
    return WPS_EPROTO;
  *out = (uint64_t)json_integer_value(value);
  return WPS_OK;
}

/* How many values a header has; -1: it is none. */
static int value_count(const json_t *value)
{
  size_t i;
  const json_t *one;

  if (json_is_null(value))
    return 0;
  if (json_is_string(value))
    return 1;
  if (!json_is_array(value))
    return -1;
  json_array_foreach(value, i, one) if (!json_is_string(one)) return -1;
  return (int)json_array_size(value);
}

static int take_headers(json_t *tree, struct tunnel_message_in *out)
{
  json_t *headers = json_object_get(tree, "Headers"), *value;
  size_t count = 0, at = 0;
  const char *name;

  if (headers == NULL || json_is_null(headers))
    return WPS_OK;
  if (!json_is_object(headers))
    return WPS_EPROTO;
  json_object_foreach(headers, name, value)
  {
    int n = value_count(value);

    if (n < 0)
      return WPS_EPROTO;
    count += (size_t)n;
  }
  if (count == 0)
    return WPS_OK;
  out->pairs = calloc(count, sizeof(*out->pairs));
  if (out->pairs == NULL)
    return WPS_ENOMEM;
  json_object_foreach(headers, name, value)
  {
    int n = value_count(value);

    for (int i = 0; i < n; i++) {
      const json_t *one =
          json_is_array(value) ? json_array_get(value, (size_t)i) : value;

      out->pairs[at].name = str_of(name);
      out->pairs[at].value =
          (struct wps_str){json_string_value(one), json_string_length(one)};
      at++;
    }
  }
  out->m.headers = out->pairs;
  out->m.header_count = count;
  return WPS_OK;
}

/* An exchange of HTTP, either half. */
static int take_http(json_t *tree, struct tunnel_message_in *out)
{
  struct tunnel_message *m = &out->m;
  uint64_t code = 0;
  int rc = take_number(tree, "AckId", INT64_MAX, &m->ack);

  if (rc == WPS_OK)
    rc = take_bool(tree, "LocalRouting", &m->local_routing);
  if (rc == WPS_OK)
    rc = take_text(tree, "ChannelName", &m->channel);
  if (rc == WPS_OK)
    rc = take_headers(tree, out);
  if (rc == WPS_OK && m->type == TUNNEL_REQUEST) {
    rc = take_text(tree, "HttpMethod", &m->method);
    if (rc == WPS_OK)
      rc = take_text(tree, "Url", &m->url);
    if (rc == WPS_OK && (m->method.ptr == NULL || m->url.ptr == NULL))
      rc = WPS_EPROTO;
  } else if (rc == WPS_OK) {
    rc = take_number(tree, "StatusCode", CODE_MAX, &code);
    m->code = (uint32_t)code;
    if (rc == WPS_OK)
      rc = take_bool(tree, "NotCompleted", &m->not_completed);
  }
  return rc;
}

static int take_members(json_t *tree, struct tunnel_message_in *out)
{
  struct tunnel_message *m = &out->m;
  int rc = WPS_OK;

  switch (m->type) {
  case TUNNEL_REQUEST:
  case TUNNEL_RESPONSE:
    return take_http(tree, out);
  case TUNNEL_CONNECTED:
    rc |= take_text(tree, "ConnectionId", &m->connection);
    rc |= take_text(tree, "UserId", &m->user);
    rc |= take_text(tree, "ReconnectionToken", &m->token);
    break;
  default:
    rc |= take_text(tree, "TargetId", &m->target);
    rc |= take_text(tree, "Endpoint", &m->endpoint);
    rc |= take_text(tree, "Message", &m->text);
    break;
  }
  return rc == WPS_OK ? WPS_OK : WPS_EPROTO;
}

static bool is_known(uint32_t type)
{
  return type == TUNNEL_REQUEST || type == TUNNEL_RESPONSE ||
         (type >= TUNNEL_STATUS && type <= TUNNEL_REBALANCE) ||
         type == TUNNEL_CONNECTED;
}

int tunnel_message_read(struct wps_bytes bytes, struct tunnel_message_in *out)
{
  struct frame f;
  json_t *tree;
  int rc;

  memset(out, 0, sizeof(*out));
  rc = frame_read(bytes, &f);
  if (rc != WPS_OK)
    return rc;
  out->m.type = f.type;
  if (!is_known(f.type))
    return WPS_OK;
  out->m.content = f.content;
  tree = json_loadb(f.json.ptr, f.json.len, 0, NULL);
  if (tree == NULL)
    return WPS_EPROTO;
  out->tree = tree;
  rc = json_is_object(tree) ? take_members(tree, out) : WPS_EPROTO;
  if (rc != WPS_OK)
    tunnel_message_free(out);
  return rc;
}

void tunnel_message_free(struct tunnel_message_in *in)
{
  free(in->pairs);
  json_decref(in->tree);
  memset(in, 0, sizeof(*in));
}
