/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/utf8.h"
#include "conf/config.h"
#include "conf/core_schema.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif
#define DEFAULT_CONFIG SYSCONFDIR "/webpubsubd/webpubsubd.yaml"

bool access_option(struct access *a, int c, const char *value)
{
  switch (c) {
  case 'D':
    a->dev = true;
    return true;
  case 'C':
    a->config = value;
    return true;
  case 'S':
    a->connection = value;
    return true;
  case 'E':
    a->endpoint_arg = value;
    return true;
  case 'K':
    a->key_arg = value;
    return true;
  case 'A':
    a->ca_file = value;
    return true;
  default:
    return false;
  }
}

/* ---- where they come from ---- */

static bool key_set(struct access *a, struct wps_str text)
{
  char why[256];
  size_t len;

  free(a->key);
  a->key = NULL;
  if (parse_secret(text, &a->key, &len, why, sizeof(why)))
    return true;
  ctl_fail("the access key: %s", why);
  return false;
}

static bool endpoint_set(struct access *a, struct wps_str url)
{
  while (url.len > 0 && url.ptr[url.len - 1] == '/')
    url.len--;
  if (!str_istarts(url, "http://") && !str_istarts(url, "https://")) {
    ctl_fail("an endpoint must begin with http:// or https://");
    return false;
  }
  free(a->endpoint);
  a->endpoint = str_dup(url);
  return a->endpoint != NULL;
}

static bool connection_read(struct access *a)
{
  struct wps_str rest = str_from(a->connection);

  while (rest.len > 0) {
    const char *end = memchr(rest.ptr, ';', rest.len);
    struct wps_str part = {rest.ptr,
                           end != NULL ? (size_t)(end - rest.ptr) : rest.len};

    rest = str_skip(rest, part.len + (end != NULL));
    if (str_istarts(part, "Endpoint=") && !endpoint_set(a, str_skip(part, 9)))
      return false;
    if (str_istarts(part, "AccessKey=") && !key_set(a, str_skip(part, 10)))
      return false;
  }
  return true;
}

static struct wps_str scalar_of(const struct node *n)
{
  return n != NULL && n->kind == NODE_SCALAR ? n->scalar : STR_NONE;
}

static struct node *first_of(const struct node *map, const char *key)
{
  struct node *list = map != NULL ? node_get(map, key) : NULL;

  return list != NULL && list->kind == NODE_LIST && list->count > 0
             ? list->items[0]
             : NULL;
}

/* A listener on all addresses is reached as localhost from here. */
static bool endpoint_from_listener(struct access *a, const struct node *listen)
{
  struct wps_str address = STR_NONE;
  const char *scheme = "http";
  char *text;
  bool ok;

  if (listen != NULL && listen->kind == NODE_MAP) {
    address = scalar_of(node_get(listen, "address"));
    if (node_get(listen, "tls") != NULL)
      scheme = "https";
  }
  if (address.len == 0 || str_starts(address, "unix:")) {
    ctl_fail("%s names no endpoint; give --endpoint", a->config);
    return false;
  }
  if (str_starts(address, "0.0.0.0:"))
    text =
        str_printf("%s://localhost%.*s", scheme, STR_ARG(str_skip(address, 7)));
  else if (str_starts(address, "[::]:"))
    text =
        str_printf("%s://localhost%.*s", scheme, STR_ARG(str_skip(address, 4)));
  else
    text = str_printf("%s://%.*s", scheme, STR_ARG(address));
  ok = text != NULL && endpoint_set(a, str_from(text));
  free(text);
  return ok;
}

static bool config_read(struct access *a)
{
  struct faults *faults = faults_new();
  struct document *d = document_load(a->config, faults);
  struct node *root = d != NULL ? document_root(d) : NULL;
  struct wps_str endpoint, key;
  bool ok = false;
  char *text;

  if (d == NULL || faults_count(faults) > 0) {
    text = faults_text(faults);
    fputs(text != NULL ? text : "", stderr);
    free(text);
    ctl_fail("%s cannot be used", a->config);
    goto out;
  }
  endpoint = scalar_of(first_of(root, "endpoints"));
  key = scalar_of(first_of(root, "access_keys"));
  if (key.len == 0 && a->key_arg == NULL) {
    ctl_fail("%s has no access_keys", a->config);
    goto out;
  }
  ok = (key.len == 0 || a->key_arg != NULL || key_set(a, key)) &&
       (a->endpoint_arg != NULL ||
        (endpoint.len > 0
             ? endpoint_set(a, endpoint)
             : endpoint_from_listener(a, first_of(root, "listen"))));

out:
  document_free(d);
  faults_free(faults);
  return ok;
}

/* A claim that cannot be written would be left out of the token. */
static bool claims_are_utf8(const struct access *a)
{
  bool good = a->user == NULL || utf8_valid(a->user, strlen(a->user));

  for (size_t i = 0; i < a->roles.count; i++)
    good = good && utf8_valid(a->roles.items[i], strlen(a->roles.items[i]));
  for (size_t i = 0; i < a->groups.count; i++)
    good = good && utf8_valid(a->groups.items[i], strlen(a->groups.items[i]));
  good = good && (a->api == NULL || utf8_valid(a->api, strlen(a->api)));
  if (!good)
    ctl_fail("users, roles, groups and paths are UTF-8");
  return good;
}

bool access_find(struct access *a)
{
  if (!claims_are_utf8(a))
    return false;
  if (a->config == NULL && !a->dev && a->connection == NULL &&
      (a->endpoint_arg == NULL || a->key_arg == NULL) &&
      access(DEFAULT_CONFIG, R_OK) == 0)
    a->config = DEFAULT_CONFIG;
  if (a->dev && (!endpoint_set(a, STR("http://localhost:8080")) ||
                 !key_set(a, STR(PUBLISHED_KEY))))
    return false;
  if (a->connection != NULL && !connection_read(a))
    return false;
  if (a->config != NULL && !config_read(a))
    return false;
  if (a->endpoint_arg != NULL && !endpoint_set(a, str_from(a->endpoint_arg)))
    return false;
  if (a->key_arg != NULL && !key_set(a, str_from(a->key_arg)))
    return false;
  if (a->endpoint == NULL || a->key == NULL) {
    ctl_fail("which server? Give --dev, --config, --connection, or "
             "--endpoint and --key");
    return false;
  }
  return true;
}

void access_free(struct access *a)
{
  if (a->key != NULL)
    OPENSSL_cleanse(a->key, strlen(a->key));
  free(a->key);
  free(a->endpoint);
}

/* ---- tokens ---- */

/* Names of hubs hold no characters that need more than this. */
static void hub_add(struct buf *out, const char *hub)
{
  for (const char *c = hub; *c != '\0'; c++) {
    if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
        (*c >= '0' && *c <= '9') || *c == '_' || *c == '.' || *c == '-')
      buf_add_byte(out, *c);
    else
      buf_printf(out, "%%%02X", (unsigned)(uint8_t)*c);
  }
}

static json_t *list_json(const struct repeated *r)
{
  json_t *list = json_array();

  for (size_t i = 0; i < r->count; i++)
    json_array_append_new(list, json_string(r->items[i]));
  return list;
}

static char *claims_json(const struct access *a)
{
  int64_t now = clock_unix_ms() / 1000;
  json_t *claims = json_object();
  struct buf aud;
  char *text;

  buf_init(&aud, 64 * 1024);
  if (a->api != NULL) {
    buf_printf(&aud, "%s%s", a->endpoint, a->api);
  } else {
    buf_printf(&aud, "%s/client/hubs/", a->endpoint);
    hub_add(&aud, a->hub);
  }
  json_object_set_new(claims, "aud",
                      json_string(buf_c(&aud) != NULL ? buf_c(&aud) : ""));
  buf_free(&aud);
  json_object_set_new(claims, "iat", json_integer(now));
  json_object_set_new(claims, "exp", json_integer(now + a->ttl_ms / 1000));
  if (a->user != NULL)
    json_object_set_new(claims, "sub", json_string(a->user));
  if (a->roles.count > 0)
    json_object_set_new(claims, "role", list_json(&a->roles));
  if (a->groups.count > 0)
    json_object_set_new(claims, "webpubsub.group", list_json(&a->groups));
  text = json_dumps(claims, JSON_COMPACT);
  json_decref(claims);
  return text;
}

static void base64url_add(struct buf *out, const void *bytes, size_t len)
{
  size_t n = base64url_encoded_len(len);

  if (buf_reserve(out, n) != WPS_OK)
    return;
  base64url_encode(bytes, len, out->data + out->len);
  out->len += n;
}

char *access_token(const struct access *a)
{
  static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
  char *claims = claims_json(a), *token = NULL;
  unsigned char mac[32];
  unsigned len = sizeof(mac);
  struct buf out;

  if (claims == NULL)
    return NULL;
  buf_init(&out, 1024 * 1024);
  base64url_add(&out, header, sizeof(header) - 1);
  buf_add_byte(&out, '.');
  base64url_add(&out, claims, strlen(claims));
  if (!out.failed &&
      HMAC(EVP_sha256(), a->key, (int)strlen(a->key), (unsigned char *)out.data,
           out.len, mac, &len) != NULL) {
    buf_add_byte(&out, '.');
    base64url_add(&out, mac, len);
    if (!out.failed)
      token = str_dup((struct wps_str){out.data, out.len});
  }
  buf_free(&out);
  free(claims);
  return token;
}

char *access_url(const struct access *a, const char *token)
{
  struct buf out;
  char *url = NULL;

  if (a->api != NULL)
    return str_printf("%s%s", a->endpoint, a->api);
  buf_init(&out, 1024 * 1024);
  /* "http" becomes "ws", "https" becomes "wss". */
  buf_printf(&out, "ws%s/client/hubs/", a->endpoint + 4);
  hub_add(&out, a->hub);
  buf_printf(&out, "?access_token=%s", token);
  if (!out.failed)
    url = str_dup((struct wps_str){out.data, out.len});
  buf_free(&out);
  return url;
}
