/* SPDX-License-Identifier: Apache-2.0 */
/* token.c - :generateToken. The service key signs, so that the token outlives
 * an exchange of access keys (azure-server.md 7.13). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/azure/names.h"
#include "plugins/common/json_write.h"
#include "plugins/common/jwt_base64.h"
#include "plugins/http-rest/rest.h"

#define ISSUER "https://webpubsub.azure.com"

enum { MINUTES_MAX = 2147483647, MINUTES_DEFAULT = 60, MAC_LEN = 32 };

struct grant {
  struct wps_str user;
  struct wps_str *roles, *groups; /* owned */
  size_t role_count, group_count;
  const char *path; /* in front of the hub's name */
  int64_t from_s, until_s;
};

/* Names the key without telling anything about it: as long as the key stays,
 * it stays. */
int rest_kid(char *out, size_t size)
{
  static const struct wps_str purpose = WPS_STR_INIT("client-token-kid");
  static const struct wps_bytes text = {"kid", 3};
  uint8_t m[32];
  int rc = wps->server->sign(WPS_KEY_SERVICE, purpose, text, m);

  if (rc == WPS_OK)
    snprintf(out, size,
             "s-%02x%02x%02x%02x-%02x%02x-4%01x%02x-%02x%02x-"
             "%02x%02x%02x%02x%02x%02x",
             m[0], m[1], m[2], m[3], m[4], m[5], m[6] & 15, m[7],
             0x80 | (m[8] & 0x3f), m[9], m[10], m[11], m[12], m[13], m[14],
             m[15]);
  return rc;
}

/* ---- claims ---- */

static void put_list(struct json_out *out, const struct wps_str *items,
                     size_t count)
{
  for (size_t i = 0; i < count; i++) {
    if (i > 0)
      JSON_OUT(out, ",");
    json_out_text(out, items[i]);
  }
}

static void put_header(struct json_out *out, const struct rest *rest)
{
  JSON_OUT(out, "{\"alg\":\"HS256\",\"kid\":\"");
  json_out_raw(out, rest->kid, strlen(rest->kid));
  JSON_OUT(out, "\",\"typ\":\"JWT\",\"cty\":\"JWT\"}");
}

static void put_claims(struct json_out *out, const struct rest_call *call,
                       const struct grant *g)
{
  struct path_base base = path_base(call->req);

  JSON_OUT(out, "{");
  if (g->user.len > 0) {
    JSON_OUT(out, "\"sub\":");
    json_out_text(out, g->user);
    JSON_OUT(out, ",");
  }
  if (g->role_count > 0) {
    JSON_OUT(out, "\"role\":[");
    put_list(out, g->roles, g->role_count);
    JSON_OUT(out, "],");
  }
  if (g->group_count > 0) {
    JSON_OUT(out, "\"webpubsub.group\":[");
    put_list(out, g->groups, g->group_count);
    JSON_OUT(out, "],");
  }
  JSON_OUT(out, "\"nbf\":");
  json_out_u64(out, (uint64_t)g->from_s);
  JSON_OUT(out, ",\"exp\":");
  json_out_u64(out, (uint64_t)g->until_s);
  JSON_OUT(out, ",\"iat\":");
  json_out_u64(out, (uint64_t)g->from_s);
  JSON_OUT(out, ",\"iss\":\"" ISSUER "\",\"aud\":\"");
  json_out_raw(out, base.scheme.ptr, base.scheme.len);
  json_out_raw(out, base.rest.ptr, base.rest.len);
  json_out_raw(out, g->path, strlen(g->path));
  json_out_raw(out, call->hub.ptr, call->hub.len);
  JSON_OUT(out, "\"}");
}

/* ---- the token ---- */

static size_t base64_room(size_t len)
{
  return (len + 2) / 3 * 4 + 1;
}

/* {"token":"HEADER.CLAIMS.MAC"}, written part by part into one block. */
static char *document(const struct rest_call *call, const struct grant *g)
{
  static const struct wps_str purpose = WPS_STR_INIT("client-token");
  static const char open[] = "{\"token\":\"", end[] = "\"}";
  struct json_out header = {NULL, 0, 0}, claims = {NULL, 0, 0};
  uint8_t mac[MAC_LEN];
  char *raw, *doc, *token, *at;

  put_header(&header, call->rest);
  put_claims(&claims, call, g);
  header = (struct json_out){NULL, header.len, 0};
  claims = (struct json_out){NULL, claims.len, 0};
  raw = malloc(header.cap + claims.cap);
  doc = malloc(sizeof(open) + base64_room(header.cap) +
               base64_room(claims.cap) + base64_room(MAC_LEN) + sizeof(end));
  if (raw == NULL || doc == NULL)
    goto fail;
  header.buf = raw;
  claims.buf = raw + header.cap;
  put_header(&header, call->rest);
  put_claims(&claims, call, g);
  memcpy(doc, open, sizeof(open) - 1);
  token = doc + sizeof(open) - 1;
  token_base64url_encode(header.buf, header.len, token);
  at = token + strlen(token);
  *at++ = '.';
  token_base64url_encode(claims.buf, claims.len, at);
  at += strlen(at);
  if (wps->server->sign(WPS_KEY_SERVICE, purpose,
                        (struct wps_bytes){token, (size_t)(at - token)},
                        mac) != WPS_OK)
    goto fail;
  *at++ = '.';
  token_base64url_encode(mac, sizeof(mac), at);
  memcpy(at + strlen(at), end, sizeof(end));
  free(raw);
  return doc;

fail:
  free(raw);
  free(doc);
  return NULL;
}

/* ---- parameters ---- */

static bool read_client_type(struct rest_call *call, struct grant *g)
{
  static const struct {
    const char *name, *path;
  } types[] = {{"Default", "/client/hubs/"},
               {"MQTT", "/clients/mqtt/hubs/"},
               {"SocketIO", "/clients/socketio/hubs/"}};
  struct wps_str text;

  if (!rest_read_text(call, "clientType", &text))
    return false;
  g->path = types[0].path;
  if (text.ptr == NULL)
    return true;
  for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
    if (azure_equal_fold(
            text, (struct wps_str){types[i].name, strlen(types[i].name)})) {
      g->path = types[i].path;
      return true;
    }
  rest_bad(call, "clientType",
           "Invalid client type. It has to be Default, MQTT or SocketIO.");
  return false;
}

static bool grant_read(struct rest_call *call, struct grant *g)
{
  uint32_t minutes;

  if (!rest_read_text(call, "userId", &g->user) ||
      !rest_read_int(call, "minutesToExpire", 1, MINUTES_MAX, MINUTES_DEFAULT,
                     &minutes) ||
      !read_client_type(call, g) ||
      !rest_read_list(call, "role", false, &g->roles, &g->role_count) ||
      !rest_read_list(call, "group", true, &g->groups, &g->group_count))
    return false;
  for (size_t i = 0; i < g->group_count; i++)
    if (!rest_group_ok(g->groups[i])) {
      rest_bad(call, "group", "%s", REST_BAD_GROUP);
      return false;
    }
  g->from_s = wps->worker->unix_ms() / 1000;
  g->until_s = g->from_s + (int64_t)minutes * 60;
  return true;
}

void rest_generate_token(struct rest_call *call)
{
  struct grant g = {.user = {NULL, 0}};
  char *doc = NULL;

  if (grant_read(call, &g)) {
    doc = document(call, &g);
    if (doc != NULL)
      rest_json(call, wps->message->frame(
                          WPS_TEXT, (struct wps_bytes){doc, strlen(doc)}));
    else
      rest_failed(call, WPS_ENOMEM);
  }
  free(doc);
  free(g.roles);
  free(g.groups);
}
