/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/subprotocol-json/parse_values.h"

#include <stdlib.h>

#include <webpubsub/status.h>

#include "plugins/common/azure/names.h"
#include "plugins/common/b64.h"

/* Room for `len` bytes. All that is ever asked for comes from different parts
 * of the text, each at most twice: free of escapes, and decoded. */
static char *take_room(struct json_parse *p, size_t len)
{
  char *at;

  if (p->room == NULL) {
    p->room = p->small;
    if (p->text.len > sizeof(p->small) / 2) {
      p->heap = malloc(p->text.len * 2);
      if (p->heap == NULL)
        return NULL;
      p->room = p->heap;
    }
  }
  at = p->room + p->used;
  p->used += len;
  return at;
}

/* The text of a string; in place when it has no escapes. */
static int take_text(struct json_parse *p, const struct json_value *v,
                     struct wps_str *out)
{
  char *at;

  if (v->type != SCAN_STRING)
    return WPS_EPROTO;
  *out = json_value_inner(v);
  if (!v->escaped)
    return WPS_OK;
  at = take_room(p, out->len);
  if (at == NULL)
    return WPS_ENOMEM;
  out->len = json_scan_text(v, at);
  out->ptr = at;
  return WPS_OK;
}

int json_take_group(struct json_parse *p, const struct json_value *v)
{
  int rc = take_text(p, &v[KEY_GROUP], &p->req.name);

  if (rc == WPS_OK && !azure_group_ok(p->req.name))
    rc = WPS_EPROTO;
  return rc;
}

int json_take_event(struct json_parse *p, const struct json_value *v)
{
  int rc = take_text(p, &v[KEY_EVENT], &p->req.name);

  if (rc == WPS_OK && !azure_event_ok(p->req.name))
    rc = WPS_EPROTO;
  return rc;
}

int json_take_ack(struct json_parse *p, const struct json_value *v)
{
  if (json_absent(&v[KEY_ACK_ID]))
    return WPS_OK;
  p->req.flags |= AZURE_HAS_ACK;
  return json_scan_u64(&v[KEY_ACK_ID], &p->req.id);
}

int json_take_ttl(struct json_parse *p, const struct json_value *v)
{
  uint64_t seconds;

  if (json_absent(&v[KEY_TTL]))
    return WPS_OK;
  if (json_scan_u64(&v[KEY_TTL], &seconds) != WPS_OK || seconds > AZURE_TTL_MAX)
    return WPS_EPROTO;
  p->req.ttl_ms = (uint32_t)seconds * 1000;
  return WPS_OK;
}

int json_take_echo(struct json_parse *p, const struct json_value *v)
{
  switch (v[KEY_NO_ECHO].type) {
  case 0:
  case SCAN_NULL:
  case SCAN_FALSE:
    return WPS_OK;
  case SCAN_TRUE:
    p->req.flags |= AZURE_NO_ECHO;
    return WPS_OK;
  default:
    return WPS_EPROTO;
  }
}

/* ---- maps of strings ---- */

/* Every value of an object is a string. */
static int check_strings(const struct json_value *object, size_t *count)
{
  struct json_scan scan;
  struct json_member m;
  int more;

  *count = 0;
  if (json_scan_object(&scan, json_value_raw(object)) != WPS_OK)
    return WPS_EPROTO;
  while ((more = json_scan_member(&scan, &m)) > 0) {
    if (m.value.type != SCAN_STRING)
      return WPS_EPROTO;
    ++*count;
  }
  return more;
}

/* Its members in their order, twins included; a message has one map. */
static int take_pairs(struct json_parse *p, const struct json_value *object,
                      size_t count, struct wps_pair **out)
{
  struct wps_pair *pairs = p->pairs;
  struct json_scan scan;
  struct json_member m;
  int rc = WPS_OK;

  if (count > JSON_PARSE_PAIRS) {
    pairs = p->pairs_heap = malloc(count * sizeof(*pairs));
    if (pairs == NULL)
      return WPS_ENOMEM;
  }
  *out = pairs;
  json_scan_object(&scan, json_value_raw(object));
  for (; rc == WPS_OK && json_scan_member(&scan, &m) > 0; pairs++) {
    rc = take_text(p, &m.key, &pairs->name);
    if (rc == WPS_OK)
      rc = take_text(p, &m.value, &pairs->value);
  }
  return rc;
}

int json_take_metadata(struct json_parse *p, const struct json_value *v)
{
  struct wps_pair *pairs;
  size_t count;
  int rc;

  if (json_absent(&v[KEY_METADATA]))
    return WPS_OK;
  rc = check_strings(&v[KEY_METADATA], &count);
  /* A key has a byte at least, so that more would break the sum anyway. */
  if (rc != WPS_OK || count > AZURE_METADATA_MAX)
    return WPS_EPROTO;
  rc = take_pairs(p, &v[KEY_METADATA], count, &pairs);
  if (rc != WPS_OK)
    return rc;
  p->req.metadata = pairs;
  p->req.metadata_count = count;
  return azure_metadata_check(pairs, count);
}

/* How large it may be is for the rules: permission comes first. */
int json_take_state(struct json_parse *p, const struct json_value *v)
{
  struct wps_pair *pairs;
  size_t count;
  int rc;

  if (json_absent(&v[KEY_STATE]))
    return WPS_OK;
  if (check_strings(&v[KEY_STATE], &count) != WPS_OK)
    return WPS_EPROTO;
  rc = take_pairs(p, &v[KEY_STATE], count, &pairs);
  if (rc == WPS_OK)
    rc = azure_metadata_last(pairs, &count);
  p->req.flags |= AZURE_HAS_STATE;
  p->req.state = pairs;
  p->req.state_count = count;
  return rc;
}

/* ---- payloads ---- */

static int take_data_type(struct json_parse *p, const struct json_value *v)
{
  static const struct {
    struct wps_str name;
    uint32_t type;
  } types[] = {{WPS_STR_INIT("json"), WPS_DATA_JSON},
               {WPS_STR_INIT("text"), WPS_DATA_TEXT},
               {WPS_STR_INIT("binary"), WPS_DATA_BINARY},
               {WPS_STR_INIT("protobuf"), WPS_DATA_PROTOBUF}};

  p->req.data_type = WPS_DATA_JSON;
  if (json_absent(&v[KEY_DATA_TYPE]))
    return WPS_OK;
  if (v[KEY_DATA_TYPE].type != SCAN_STRING)
    return WPS_EPROTO;
  for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
    if (json_scan_equal(&v[KEY_DATA_TYPE], types[i].name, true)) {
      p->req.data_type = types[i].type;
      return WPS_OK;
    }
  return WPS_EPROTO;
}

static int decode_base64(struct json_parse *p, struct wps_str digits)
{
  char *at = take_room(p, digits.len / 4 * 3);
  size_t len;

  if (at == NULL)
    return WPS_ENOMEM;
  if (b64_decode(digits, at, &len) != WPS_OK)
    return WPS_EPROTO;
  p->req.data = (struct wps_bytes){at, len};
  if (p->req.data_type == WPS_DATA_PROTOBUF && !azure_any_ok(p->req.data))
    return WPS_EPROTO;
  return WPS_OK;
}

int json_take_data(struct json_parse *p, const struct json_value *v)
{
  const struct json_value *data = &v[KEY_DATA];
  struct wps_str s;
  int rc;

  rc = take_data_type(p, v);
  if (rc != WPS_OK)
    return rc;
  if (data->type == 0) {
    if (p->req.metadata_count == 0)
      return WPS_EPROTO;
    p->req.data_type = WPS_DATA_TEXT;
    p->req.data = (struct wps_bytes){"", 0};
    return WPS_OK;
  }
  if (p->req.data_type == WPS_DATA_JSON) {
    p->req.data = (struct wps_bytes){data->ptr, data->len};
    return data->type == SCAN_NULL ? WPS_EPROTO : WPS_OK;
  }
  rc = take_text(p, data, &s);
  if (rc != WPS_OK)
    return rc;
  if (p->req.data_type != WPS_DATA_TEXT)
    return decode_base64(p, s);
  p->req.data = (struct wps_bytes){s.ptr, s.len};
  return WPS_OK;
}

int json_take_data_pair(struct json_parse *p, const struct json_value *v)
{
  bool present = v[KEY_DATA].type != 0;

  if (json_absent(&v[KEY_DATA_TYPE]) == present)
    return WPS_EPROTO;
  if (!present)
    return WPS_OK;
  p->req.flags |= AZURE_HAS_DATA;
  return json_take_data(p, v);
}

int json_take_no_data(struct json_parse *p, const struct json_value *v)
{
  if (json_absent(&v[KEY_DATA]) && json_absent(&v[KEY_DATA_TYPE]))
    return WPS_OK;
  p->req.flags |= AZURE_HAS_DATA;
  return json_absent(&v[KEY_DATA]) ? take_data_type(p, v)
                                   : json_take_data(p, v);
}

/* ---- streams ---- */

int json_take_id(struct json_parse *p, const struct json_value *id)
{
  int rc = take_text(p, id, &p->req.ref);

  if (rc == WPS_OK && p->req.ref.len == 0)
    rc = WPS_EPROTO;
  return rc;
}

/* The members of an object that have these names, of twins the last. */
static int find_members(const struct json_value *object,
                        const struct wps_str *names, size_t count,
                        struct json_value *out)
{
  struct json_scan scan;
  struct json_member m;

  if (json_scan_object(&scan, json_value_raw(object)) != WPS_OK)
    return WPS_EPROTO;
  while (json_scan_member(&scan, &m) > 0)
    for (size_t i = 0; i < count; i++)
      if (json_scan_equal(&m.key, names[i], false))
        out[i] = m.value;
  return WPS_OK;
}

int json_take_stream(struct json_parse *p, const struct json_value *v)
{
  static const struct wps_str names[] = {WPS_STR_INIT("streamId"),
                                         WPS_STR_INIT("idleTimeoutMs")};
  static const struct wps_str bad_idle =
      WPS_STR_INIT("idleTimeoutMs has to be an integer from 1 to 4294967295.");
  struct json_value member[2] = {{.type = 0}, {.type = 0}};
  uint64_t ms;

  if (find_members(&v[KEY_STREAM], names, 2, member) != WPS_OK)
    return WPS_EPROTO;
  if (!json_absent(&member[1])) {
    if (json_scan_u64(&member[1], &ms) == WPS_OK && ms > 0 &&
        ms <= UINT32_MAX) {
      p->req.idle_ms = (uint32_t)ms;
    } else {
      p->req.flags |= AZURE_BAD;
      p->req.why = bad_idle;
    }
  }
  return json_take_id(p, &member[0]);
}

/* A name in it is not the client's to give and passed over. */
int json_take_stream_error(struct json_parse *p, const struct json_value *v)
{
  static const struct wps_str names[] = {WPS_STR_INIT("message"),
                                         WPS_STR_INIT("userErrorCode")};
  struct json_value member[2] = {{.type = 0}, {.type = 0}};
  int rc = WPS_OK;

  if (json_absent(&v[KEY_ERROR]))
    return WPS_OK;
  if (find_members(&v[KEY_ERROR], names, 2, member) != WPS_OK)
    return WPS_EPROTO;
  p->req.flags |= AZURE_HAS_ERROR;
  if (!json_absent(&member[0]))
    rc = take_text(p, &member[0], &p->req.error_message);
  if (rc == WPS_OK && !json_absent(&member[1]))
    rc = take_text(p, &member[1], &p->req.error_code);
  return rc;
}
