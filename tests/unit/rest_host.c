/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/rest_host.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/hmac.h>

extern const struct wps_plugin webpubsub_plugin_v1;

#define SERVICE_KEY "the-service-key-of-this-host-0123456789"

struct rest_host rest_host;

void rest_host_failed(const char *what, int line)
{
  fprintf(stderr, "rest_host, line %d: not so: %s\n", line, what);
  abort();
}

static struct wps_http_route routes[REST_ROUTES_MAX];
static void *inst, *wstate;

struct wps_frame {
  size_t len;
  char bytes[];
};

struct wps_message {
  int unused;
};

struct wps_filter {
  char text[REST_TEXT_MAX];
};

struct wps_reply {
  bool finished;
};

static struct {
  wps_count_fn count;
  wps_published_fn published;
  wps_listing_fn listing;
  void *arg;
  uint64_t tag;
} pending;

static struct wps_str text_of(const char *c)
{
  return (struct wps_str){c, c != NULL ? strlen(c) : 0};
}

static void keep(char *out, size_t size, struct wps_str s)
{
  REST_MUST(s.len < size);
  if (s.len > 0)
    memcpy(out, s.ptr, s.len);
  out[s.len] = '\0';
}

static void join(char *out, size_t size, const struct wps_str *list, size_t n)
{
  size_t at = 0;

  out[0] = '\0';
  for (size_t i = 0; i < n && at < size; i++)
    at += (size_t)snprintf(out + at, size - at, "%s%.*s", i > 0 ? "|" : "",
                           (int)list[i].len, list[i].ptr);
}

/* ---- configuration, log, worker ---- */

static bool get_bool(const struct wps_config *cfg, const char *key)
{
  (void)cfg;
  if (strcmp(key, "accept_newer_api_versions") == 0)
    return rest_host.accept_newer;
  REST_MUST(strcmp(key, "legacy_encoded_slash") == 0);
  return rest_host.legacy_slash;
}

static int64_t get_int(const struct wps_config *cfg, const char *key)
{
  (void)cfg;
  if (strcmp(key, "max_message") == 0)
    return rest_host.max_message;
  if (strcmp(key, "max_groups") == 0)
    return rest_host.max_groups;
  if (strcmp(key, "rate") == 0)
    return rest_host.rate;
  REST_MUST(strcmp(key, "burst") == 0);
  return rest_host.burst;
}

static const struct wps_config_api config_api = {.struct_size =
                                                     sizeof(config_api),
                                                 .get_bool = get_bool,
                                                 .get_int = get_int};

static void log_write(struct wps_instance *self, struct wps_conn *conn,
                      uint32_t level, const char *fmt, ...)
{
  char line[2048];
  va_list args;

  (void)self, (void)conn, (void)level;
  va_start(args, fmt);
  vsnprintf(line, sizeof(line), fmt, args);
  va_end(args);
}

static const struct wps_log_api log_api = {.struct_size = sizeof(log_api),
                                           .write = log_write};

static struct wps_worker *current(void)
{
  return NULL;
}

static int64_t now_us(const struct wps_worker *w)
{
  (void)w;
  return rest_host.now_us;
}

static int64_t unix_ms(void)
{
  return rest_host.unix_ms;
}

static const struct wps_worker_api worker_api = {.struct_size =
                                                     sizeof(worker_api),
                                                 .current = current,
                                                 .now_us = now_us,
                                                 .unix_ms = unix_ms};

/* ---- messages and frames ---- */

static struct wps_message *message_create(const struct wps_message_info *info)
{
  struct rest_asked *a = &rest_host.asked;
  size_t at = 0;

  if (rest_host.no_memory ||
      (rest_host.message_max != 0 && info->data.len > rest_host.message_max))
    return NULL;
  a->data_type = info->data_type;
  a->from = info->from;
  a->ttl_ms = info->ttl_ms;
  keep(a->message_group, sizeof(a->message_group), info->group);
  a->data_len = info->data.len;
  keep(a->data, sizeof(a->data),
       (struct wps_str){info->data.ptr,
                        info->data.len < 1024 ? info->data.len : 1024});
  a->tags[0] = '\0';
  for (size_t i = 0; i < info->tag_count && at < sizeof(a->tags); i++)
    at += (size_t)snprintf(a->tags + at, sizeof(a->tags) - at, "%s%.*s=%.*s",
                           i > 0 ? "|" : "", (int)info->tags[i].name.len,
                           info->tags[i].name.ptr, (int)info->tags[i].value.len,
                           info->tags[i].value.ptr);
  rest_host.live++;
  return calloc(1, sizeof(struct wps_message));
}

static void message_unref(struct wps_message *m)
{
  rest_host.live--;
  free(m);
}

static struct wps_frame *frame_alloc(uint32_t opcode, size_t len, void **out)
{
  struct wps_frame *f;

  (void)opcode;
  if (rest_host.no_memory)
    return NULL;
  f = malloc(sizeof(*f) + len);
  f->len = len;
  *out = f->bytes;
  rest_host.live++;
  return f;
}

static struct wps_frame *frame_new(uint32_t opcode, struct wps_bytes bytes)
{
  void *room;
  struct wps_frame *f = frame_alloc(opcode, bytes.len, &room);

  if (f != NULL)
    memcpy(room, bytes.ptr, bytes.len);
  return f;
}

static void frame_unref(struct wps_frame *f)
{
  rest_host.live--;
  free(f);
}

static const struct wps_message_api message_api = {.struct_size =
                                                       sizeof(message_api),
                                                   .create = message_create,
                                                   .unref = message_unref,
                                                   .frame = frame_new,
                                                   .frame_alloc = frame_alloc,
                                                   .frame_unref = frame_unref};

/* ---- answers ---- */

static void respond(struct wps_reply *reply, const struct wps_http_response *r)
{
  struct rest_answered *a = &rest_host.answer;

  REST_MUST(!reply->finished);
  reply->finished = true;
  a->code = r->code;
  a->count = r->header_count;
  REST_MUST(a->count <= 16);
  for (size_t i = 0; i < r->header_count; i++) {
    keep(a->headers[i].name, sizeof(a->headers[i].name), r->headers[i].name);
    keep(a->headers[i].value, sizeof(a->headers[i].value), r->headers[i].value);
  }
  if (r->body != NULL) {
    a->body_len = r->body->len;
    keep(a->body, sizeof(a->body),
         (struct wps_str){r->body->bytes, r->body->len});
  }
}

static void reply_fail(struct wps_reply *reply, int status,
                       struct wps_str detail)
{
  (void)detail;
  REST_MUST(!reply->finished);
  reply->finished = true;
  rest_host.answer.failed = status;
}

static const struct wps_reply_api reply_api = {.struct_size = sizeof(reply_api),
                                               .fail = reply_fail};

static int route(struct wps_instance *self, const struct wps_http_route *def)
{
  (void)self;
  REST_MUST(rest_host.route_count < REST_ROUTES_MAX);
  routes[rest_host.route_count++] = *def;
  return WPS_OK;
}

static const struct wps_http_api http_api = {
    .struct_size = sizeof(http_api), .route = route, .respond = respond};

const struct wps_http_route *rest_route_at(size_t index)
{
  return index < rest_host.route_count ? &routes[index] : NULL;
}

const char *rest_header(const char *name)
{
  for (size_t i = 0; i < rest_host.answer.count; i++)
    if (strcasecmp(rest_host.answer.headers[i].name, name) == 0)
      return rest_host.answer.headers[i].value;
  return NULL;
}

/* ---- the hub ---- */

static int asked(int what, const struct wps_target *t)
{
  struct rest_asked *a = &rest_host.asked;

  a->what = what;
  a->kind = t->kind;
  REST_MUST(t->struct_size == sizeof(*t));
  keep(a->hub, sizeof(a->hub), t->hub);
  keep(a->name, sizeof(a->name), t->name);
  a->excluded_count = t->excluded_count;
  join(a->excluded, sizeof(a->excluded), t->excluded, t->excluded_count);
  if (t->filter != NULL)
    memcpy(a->filter, t->filter->text, sizeof(a->filter));
  return rest_host.call_status;
}

static int counted(int what, const struct wps_target *t, wps_count_fn done,
                   void *arg)
{
  int rc = asked(what, t);

  if (rc == WPS_OK) {
    pending.count = done;
    pending.arg = arg;
  }
  return rc;
}

static int publish(struct wps_instance *self, struct wps_conn *conn,
                   struct wps_message *msg, const struct wps_target *t,
                   wps_published_fn done, void *arg, uint64_t tag)
{
  int rc = asked(ASKED_PUBLISH, t);

  (void)self, (void)msg;
  REST_MUST(conn == NULL);
  if (rc == WPS_OK) {
    pending.published = done;
    pending.arg = arg;
    pending.tag = tag;
  }
  return rc;
}

static int groups(int what, const struct wps_target *who,
                  const struct wps_str *names, size_t count, wps_count_fn done,
                  void *arg)
{
  rest_host.asked.group_count = count;
  join(rest_host.asked.groups, sizeof(rest_host.asked.groups), names, count);
  return counted(what, who, done, arg);
}

static int command_join(struct wps_instance *self, const struct wps_target *who,
                        const struct wps_str *names, size_t count,
                        wps_count_fn done, void *arg)
{
  (void)self;
  return groups(ASKED_JOIN, who, names, count, done, arg);
}

static int command_leave(struct wps_instance *self,
                         const struct wps_target *who,
                         const struct wps_str *names, size_t count,
                         wps_count_fn done, void *arg)
{
  (void)self;
  return groups(ASKED_LEAVE, who, names, count, done, arg);
}

static void keep_text(struct wps_str text)
{
  rest_host.asked.has_text = text.ptr != NULL;
  keep(rest_host.asked.text, sizeof(rest_host.asked.text), text);
}

static int command_close(struct wps_instance *self,
                         const struct wps_target *who, uint16_t code,
                         struct wps_str reason, wps_count_fn done, void *arg)
{
  (void)self;
  rest_host.asked.code = code;
  keep_text(reason);
  return counted(ASKED_CLOSE, who, done, arg);
}

static int command_permission(struct wps_instance *self,
                              const struct wps_target *who, uint32_t op,
                              uint32_t action, struct wps_str group,
                              wps_count_fn done, void *arg)
{
  (void)self;
  rest_host.asked.op = op;
  rest_host.asked.action = action;
  keep_text(group);
  return counted(ASKED_PERMISSION, who, done, arg);
}

static int count(struct wps_instance *self, const struct wps_target *who,
                 wps_count_fn done, void *arg)
{
  (void)self;
  return counted(ASKED_COUNT, who, done, arg);
}

static int list(struct wps_instance *self, const struct wps_target *who,
                const struct wps_list_query *query, wps_listing_fn done,
                void *arg)
{
  int rc = asked(ASKED_LIST, who);

  (void)self;
  rest_host.asked.limit = query->limit;
  keep_text(query->after);
  if (rc == WPS_OK) {
    pending.listing = done;
    pending.arg = arg;
  }
  return rc;
}

/* "bad" with what follows it is no expression. */
static int filter(struct wps_str text, const struct wps_filter **out, char *why,
                  size_t why_size)
{
  struct wps_filter *f;

  if (text.len >= 3 && memcmp(text.ptr, "bad", 3) == 0) {
    snprintf(why, why_size, "Invalid syntax for '%.*s'. (Parameter 'filter')",
             (int)text.len, text.ptr);
    return WPS_EINVAL;
  }
  f = calloc(1, sizeof(*f));
  keep(f->text, sizeof(f->text), text);
  rest_host.live++;
  *out = f;
  return WPS_OK;
}

static void filter_unref(const struct wps_filter *f)
{
  rest_host.live--;
  free((void *)(uintptr_t)f);
}

static const struct wps_hub_api hub_api = {.struct_size = sizeof(hub_api),
                                           .publish = publish,
                                           .filter = filter,
                                           .filter_unref = filter_unref,
                                           .command_join = command_join,
                                           .command_leave = command_leave,
                                           .command_close = command_close,
                                           .command_permission =
                                               command_permission,
                                           .count = count,
                                           .list = list};

static void end_listing(void)
{
  struct wps_listed items[16];
  struct wps_listing l = {.struct_size = sizeof(l),
                          .status = rest_host.done_status,
                          .items = items,
                          .item_size = sizeof(items[0])};

  for (size_t i = 0; i < 16 && rest_host.members[i] != NULL; i++) {
    const char *member = rest_host.members[i], *eq = strchr(member, '=');
    struct wps_str id = {member, strcspn(member, "=")};
    char copy[64];

    keep(copy, sizeof(copy), id);
    if (rest_host.asked.has_text && strcmp(copy, rest_host.asked.text) <= 0)
      continue;
    if (l.count == rest_host.asked.limit) {
      l.more = 1;
      break;
    }
    items[l.count++] = (struct wps_listed){
        .conn = id, .user = text_of(eq != NULL ? eq + 1 : NULL)};
  }
  pending.listing(pending.arg, &l);
}

static void end_pending(void)
{
  if (pending.count != NULL) {
    pending.count(pending.arg, rest_host.done_status, rest_host.clients);
  } else if (pending.published != NULL) {
    struct wps_published result = {.struct_size = sizeof(result),
                                   .status = rest_host.done_status};

    pending.published(NULL, pending.arg, pending.tag, &result);
  } else if (pending.listing != NULL) {
    end_listing();
  }
  memset(&pending, 0, sizeof(pending));
}

/* ---- keys ---- */

static int endpoint_at(size_t index, struct wps_str *out)
{
  if (index >= 4 || rest_host.endpoints[index] == NULL)
    return WPS_ENOTFOUND;
  *out = text_of(rest_host.endpoints[index]);
  return WPS_OK;
}

static int sign(uint32_t key, struct wps_str purpose, struct wps_bytes data,
                uint8_t mac[32])
{
  char secret[256];
  unsigned len = 32;

  REST_MUST(key == WPS_KEY_SERVICE);
  REST_MUST(purpose.len > 0);
  snprintf(secret, sizeof(secret), SERVICE_KEY "%.*s", (int)purpose.len,
           purpose.ptr);
  HMAC(EVP_sha256(), secret, (int)strlen(secret), data.ptr, data.len, mac,
       &len);
  return WPS_OK;
}

static int verify(uint32_t key, struct wps_str purpose, struct wps_bytes data,
                  const uint8_t mac[32], uint32_t *which)
{
  uint8_t own[32];

  (void)which;
  sign(key, purpose, data, own);
  return CRYPTO_memcmp(own, mac, 32) == 0 ? WPS_OK : WPS_EUNAUTHORIZED;
}

static const struct wps_server_api server_api = {.struct_size =
                                                     sizeof(server_api),
                                                 .endpoint_at = endpoint_at,
                                                 .sign = sign,
                                                 .verify = verify};

static const char *status_name(int status)
{
  (void)status;
  return "ESOMETHING";
}

static const struct wps_host table = {.struct_size = sizeof(table),
                                      .abi_major = WPS_ABI_MAJOR,
                                      .config = &config_api,
                                      .log = &log_api,
                                      .worker = &worker_api,
                                      .reply = &reply_api,
                                      .message = &message_api,
                                      .request = &rest_request_api,
                                      .hub = &hub_api,
                                      .http = &http_api,
                                      .server = &server_api,
                                      .status_name = status_name};

/* ---- running it ---- */

void rest_host_load(void)
{
  *webpubsub_plugin_v1.host = &table;
}

void rest_host_reset(void)
{
  memset(&rest_host, 0, sizeof(rest_host));
  rest_host.max_message = 1024 * 1024;
  rest_host.accept_newer = true;
  rest_host.scheme = "http";
  rest_host.credential = "access_keys[0]";
  rest_host.unix_ms = INT64_C(1700000000123);
  rest_host.now_us = 1000000;
  rest_host.clients = 1;
  rest_host_load();
}

void rest_host_start(void)
{
  const struct wps_component *c = webpubsub_plugin_v1.components[0];

  rest_host.route_count = 0;
  REST_MUST(c->create(NULL, NULL, NULL, &inst) == WPS_OK);
  REST_MUST(c->worker_start(inst, NULL, &wstate) == WPS_OK);
}

void rest_host_stop(void)
{
  const struct wps_component *c = webpubsub_plugin_v1.components[0];

  c->worker_stop(inst, wstate);
  c->destroy(inst);
  REST_MUST(rest_host.live == 0);
}

static void ask(struct wps_request *req)
{
  struct wps_reply reply = {false};

  memset(&rest_host.asked, 0, sizeof(rest_host.asked));
  memset(&rest_host.answer, 0, sizeof(rest_host.answer));
  REST_MUST(req->route < rest_host.route_count);
  routes[req->route].handle(inst, wstate, req, &reply);
  REST_MUST(reply.finished !=
            (pending.count != NULL || pending.published != NULL ||
             pending.listing != NULL));
  end_pending();
  REST_MUST(reply.finished);
  rest_request_free(req);
}

void rest_ask(const char *text)
{
  ask(rest_request_new(text));
}

void rest_ask_body(const char *head, const void *bytes, size_t len)
{
  struct wps_request *req = rest_request_new(head);

  req->body = (struct wps_bytes){bytes, len};
  ask(req);
}

void rest_ask_too_big(const char *head)
{
  struct wps_request *req = rest_request_new(head);

  req->body_status = WPS_ETOOBIG;
  req->body = (struct wps_bytes){NULL, 0};
  ask(req);
}
