/* SPDX-License-Identifier: Apache-2.0 */
/* notice.c - what an event says to an application server. */
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include <webpubsub/host.h>

#include "plugins/common/cloudevents/text.h"
#include "plugins/upstream-server/server.h"

/* What came over HTTP may be anything: as UTF-8. */
static int clean(struct command_room *room, struct wps_str in,
                 struct wps_str *out)
{
  struct text text = {0};
  char *at = NULL;

  *out = in;
  if (in.ptr == NULL || azure_utf8_ok(in))
    return WPS_OK;
  text_add_clean(&text, in);
  if (!text.failed)
    at = command_room_take(room, text.len);
  if (at != NULL) {
    memcpy(at, text.ptr, text.len);
    *out = (struct wps_str){at, text.len};
  }
  text_free(&text);
  return at != NULL ? WPS_OK : WPS_ENOMEM;
}

/* ---- lists of a connect event ---- */

struct entry {
  struct wps_pair pair;
  size_t index;
};

static int compare(const void *a, const void *b)
{
  const struct entry *x = a, *y = b;
  size_t len =
      x->pair.name.len < y->pair.name.len ? x->pair.name.len : y->pair.name.len;
  int order = len > 0 ? memcmp(x->pair.name.ptr, y->pair.name.ptr, len) : 0;

  if (order == 0)
    order = (x->pair.name.len > y->pair.name.len) -
            (x->pair.name.len < y->pair.name.len);
  return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

/* Equal names side by side, each with its values in their order: codecs count
 * on it. */
static int sort(struct command_room *room, struct wps_pair *pairs, size_t count)
{
  struct entry *entries = command_room_take(room, count * sizeof(*entries) + 1);

  if (entries == NULL)
    return WPS_ENOMEM;
  for (size_t i = 0; i < count; i++)
    entries[i] = (struct entry){pairs[i], i};
  qsort(entries, count, sizeof(*entries), compare);
  for (size_t i = 0; i < count; i++)
    pairs[i] = entries[i].pair;
  return WPS_OK;
}

static int lower(struct command_room *room, struct wps_str *name)
{
  char *at = command_room_take(room, name->len + 1);

  if (at == NULL)
    return WPS_ENOMEM;
  azure_lower(at, *name);
  name->ptr = at;
  return WPS_OK;
}

static bool is_credential(struct wps_str name)
{
  return str_equal_fold(name, STR("access_token")) ||
         str_equal_fold(name, STR("Authorization")) ||
         str_prefix_fold(name, STR("X-ASRS-Internal-"));
}

typedef int (*pair_at_fn)(const struct wps_request *req, size_t index,
                          struct wps_pair *out);

/* `at` gives ENOTFOUND behind the last. */
static int list_request(const struct wps_request *req, pair_at_fn at,
                        bool any_case, struct command_room *room,
                        struct server_pairs *out)
{
  struct wps_pair *pairs, one;
  size_t count = 0;
  int rc = WPS_OK;

  while (at(req, count, &one) == WPS_OK)
    count++;
  pairs = command_room_take(room, count * sizeof(*pairs) + 1);
  if (pairs == NULL)
    return WPS_ENOMEM;
  *out = (struct server_pairs){pairs, 0};
  for (size_t i = 0; rc == WPS_OK && i < count; i++) {
    at(req, i, &one);
    if (is_credential(one.name))
      continue;
    rc = clean(room, one.name, &one.name);
    if (rc == WPS_OK && any_case)
      rc = lower(room, &one.name);
    if (rc == WPS_OK)
      rc = clean(room, one.value, &one.value);
    pairs[out->count++] = one;
  }
  return rc == WPS_OK ? sort(room, pairs, out->count) : rc;
}

static int list_claims(const struct wps_event *event, struct command_room *room,
                       struct server_pairs *out)
{
  struct wps_pair *pairs =
      command_room_take(room, event->claim_count * sizeof(*pairs) + 1);
  int rc = WPS_OK;

  if (pairs == NULL)
    return WPS_ENOMEM;
  *out = (struct server_pairs){pairs, event->claim_count};
  for (size_t i = 0; rc == WPS_OK && i < event->claim_count; i++) {
    rc = clean(room, event->claims[i].name, &pairs[i].name);
    if (rc == WPS_OK)
      rc = clean(room, event->claims[i].value, &pairs[i].value);
  }
  return rc == WPS_OK ? sort(room, pairs, out->count) : rc;
}

static int list_offers(const struct wps_request *req, struct command_room *room,
                       struct server_names *out)
{
  struct wps_str *items, one;
  size_t count = 0;
  int rc = WPS_OK;

  while (wps->request->subprotocol_at(req, count, &one) == WPS_OK)
    count++;
  items = command_room_take(room, count * sizeof(*items) + 1);
  if (items == NULL)
    return WPS_ENOMEM;
  for (size_t i = 0; rc == WPS_OK && i < count; i++) {
    wps->request->subprotocol_at(req, i, &one);
    rc = clean(room, one, &items[i]);
  }
  *out = (struct server_names){items, count};
  return rc;
}

static int list_certificate(const struct wps_request *req,
                            struct command_room *room, struct server_names *out)
{
  struct wps_bytes der = wps->request->client_cert(req);
  unsigned char sha1[EVP_MAX_MD_SIZE];
  struct wps_str *item;
  unsigned int len = 0;
  char *hex;

  if (der.len == 0)
    return WPS_OK;
  if (EVP_Digest(der.ptr, der.len, sha1, &len, EVP_sha1(), NULL) != 1)
    return WPS_EINTERNAL;
  item = command_room_take(room, sizeof(*item) + 2 * len);
  if (item == NULL)
    return WPS_ENOMEM;
  hex = (char *)(item + 1);
  for (unsigned int i = 0; i < len; i++) {
    hex[2 * i] = "0123456789abcdef"[sha1[i] >> 4];
    hex[2 * i + 1] = "0123456789abcdef"[sha1[i] & 15];
  }
  *item = (struct wps_str){hex, 2 * len};
  *out = (struct server_names){item, 1};
  return WPS_OK;
}

static int read_connect(const struct wps_event *event,
                        struct command_room *room, struct server_notice *out)
{
  struct server_context *c = &out->context;
  int rc = list_claims(event, room, &c->claims);

  if (rc == WPS_OK)
    rc = list_request(event->req, wps->request->header_at, true, room,
                      &c->headers);
  if (rc == WPS_OK)
    rc = list_request(event->req, wps->request->query_at, false, room,
                      &c->query);
  if (rc == WPS_OK)
    rc = list_offers(event->req, room, &out->subprotocols);
  if (rc == WPS_OK)
    rc = list_certificate(event->req, room, &out->thumbprints);
  return rc;
}

/* ---- the rest ---- */

int notice_payload(const struct wps_message_info *info,
                   struct command_room *room, struct server_payload *out)
{
  struct wps_str text = {info->data.ptr, info->data.len};
  int rc = WPS_OK;

  *out =
      (struct server_payload){.data_type = info->data_type, .data = info->data};
  if (info->data_type == WPS_DATA_TEXT && text.len > 0) {
    rc = clean(room, text, &text);
    out->data = (struct wps_bytes){text.ptr, text.len};
  }
  return rc;
}

static uint32_t kind_of(uint32_t type)
{
  switch (type) {
  case WPS_EVENT_CONNECT:
    return NOTICE_CONNECT;
  case WPS_EVENT_CONNECTED:
    return NOTICE_CONNECTED;
  case WPS_EVENT_DISCONNECTED:
    return NOTICE_DISCONNECTED;
  case WPS_EVENT_JOINED:
    return NOTICE_JOINED;
  case WPS_EVENT_LEFT:
    return NOTICE_LEFT;
  case WPS_EVENT_JOIN:
    return NOTICE_JOIN;
  case WPS_EVENT_LEAVE:
    return NOTICE_LEAVE;
  case WPS_EVENT_PUBLISH:
    return NOTICE_PUBLISH;
  default:
    return NOTICE_EVENT;
  }
}

static struct wps_str unless_empty(struct wps_str s)
{
  return s.len > 0 ? s : (struct wps_str){NULL, 0};
}

static int read_context(const struct wps_event *event,
                        struct command_room *room, struct server_context *out)
{
  int rc;

  *out =
      (struct server_context){.connection = event->conn,
                              .user = unless_empty(event->user),
                              .hub = event->hub,
                              .subprotocol = unless_empty(event->subprotocol)};
  rc = clean(room, event->app_state, &out->state);
  if (rc == WPS_OK)
    rc = clean(room, out->subprotocol, &out->subprotocol);
  return rc;
}

int notice_read(const struct wps_event *event, bool with_payload,
                struct command_room *room, struct server_notice *out)
{
  const struct wps_message_info *info =
      event->msg != NULL ? wps->message->info(event->msg) : NULL;
  int rc;

  *out = (struct server_notice){.kind = kind_of(event->type)};
  rc = read_context(event, room, &out->context);
  if (rc != WPS_OK)
    return rc;
  switch (event->type) {
  case WPS_EVENT_CONNECT:
    return read_connect(event, room, out);
  case WPS_EVENT_CONNECTED:
    return WPS_OK;
  case WPS_EVENT_DISCONNECTED:
    return clean(room, event->reason, &out->reason);
  case WPS_EVENT_MESSAGE:
    out->event = event->name;
    return info != NULL ? notice_payload(info, room, &out->payload) : WPS_OK;
  case WPS_EVENT_PUBLISH:
    out->group = event->group;
    if (info == NULL)
      return WPS_OK;
    out->payload_size = info->data.len;
    return with_payload ? notice_payload(info, room, &out->payload) : WPS_OK;
  default:
    out->group = event->group;
    return WPS_OK;
  }
}
