/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/fake_host.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake fake;

struct wps_frame {
  long refs;
  uint32_t opcode;
  size_t len;
  char bytes[];
};

struct wps_message {
  long refs;
  struct wps_message_info info;
};

static void *copy(const void *bytes, size_t len)
{
  char *c = malloc(len + 1);

  assert(c != NULL);
  if (len > 0)
    memcpy(c, bytes, len);
  c[len] = '\0';
  return c;
}

static struct wps_str copy_str(struct wps_str s)
{
  return s.ptr == NULL ? s : (struct wps_str){copy(s.ptr, s.len), s.len};
}

/* ---- messages ---- */

static struct wps_message *message_create(const struct wps_message_info *info)
{
  struct wps_message *m;
  struct wps_pair *tags = NULL;

  if (fake.no_memory)
    return NULL;
  m = calloc(1, sizeof(*m));
  m->refs = 1;
  m->info = *info;
  m->info.data.ptr = copy(info->data.ptr, info->data.len);
  m->info.group = copy_str(info->group);
  m->info.user = copy_str(info->user);
  m->info.conn = copy_str(info->conn);
  m->info.content_type = copy_str(info->content_type);
  if (info->tag_count > 0)
    tags = calloc(info->tag_count, sizeof(*tags));
  for (size_t i = 0; i < info->tag_count; i++) {
    tags[i].name = copy_str(info->tags[i].name);
    tags[i].value = copy_str(info->tags[i].value);
  }
  m->info.tags = tags;
  fake.live++;
  return m;
}

static struct wps_message *message_ref(struct wps_message *m)
{
  m->refs++;
  return m;
}

static void message_unref(struct wps_message *m)
{
  assert(m->refs > 0);
  if (--m->refs > 0)
    return;
  free((void *)m->info.data.ptr);
  free((void *)m->info.group.ptr);
  free((void *)m->info.user.ptr);
  free((void *)m->info.conn.ptr);
  free((void *)m->info.content_type.ptr);
  for (size_t i = 0; i < m->info.tag_count; i++) {
    free((void *)m->info.tags[i].name.ptr);
    free((void *)m->info.tags[i].value.ptr);
  }
  free((void *)m->info.tags);
  free(m);
  fake.live--;
}

static const struct wps_message_info *message_info(const struct wps_message *m)
{
  return &m->info;
}

static struct wps_frame *frame_alloc(uint32_t opcode, size_t len, void **out)
{
  struct wps_frame *f;

  if (fake.no_memory)
    return NULL;
  f = malloc(sizeof(*f) + len);
  f->refs = 1;
  f->opcode = opcode;
  f->len = len;
  *out = f->bytes;
  fake.live++;
  return f;
}

static struct wps_frame *frame_make(uint32_t opcode, struct wps_bytes bytes)
{
  void *at;
  struct wps_frame *f = frame_alloc(opcode, bytes.len, &at);

  if (f != NULL && bytes.len > 0)
    memcpy(at, bytes.ptr, bytes.len);
  return f;
}

static struct wps_frame *frame_ref(struct wps_frame *f)
{
  f->refs++;
  return f;
}

static void frame_unref(struct wps_frame *f)
{
  assert(f->refs > 0);
  if (--f->refs == 0) {
    free(f);
    fake.live--;
  }
}

static struct wps_bytes frame_bytes(const struct wps_frame *f)
{
  return (struct wps_bytes){f->bytes, f->len};
}

static const struct wps_message_api message_api = {.struct_size =
                                                       sizeof(message_api),
                                                   .create = message_create,
                                                   .ref = message_ref,
                                                   .unref = message_unref,
                                                   .info = message_info,
                                                   .frame = frame_make,
                                                   .frame_alloc = frame_alloc,
                                                   .frame_ref = frame_ref,
                                                   .frame_unref = frame_unref,
                                                   .frame_bytes = frame_bytes};

/* ---- connections ---- */

static struct wps_str str(const char *s)
{
  return (struct wps_str){s, s == NULL ? 0 : strlen(s)};
}

static struct wps_str conn_id(const struct wps_conn *conn)
{
  (void)conn;
  return str("conn-1");
}

static struct wps_str conn_hub(const struct wps_conn *conn)
{
  (void)conn;
  return str("chat");
}

static struct wps_str conn_user(const struct wps_conn *conn)
{
  return str(conn->user);
}

static int conn_send_bytes(struct wps_conn *conn, uint32_t opcode,
                           struct wps_bytes bytes)
{
  assert(!conn->dead);
  if (conn->detached || conn->closed)
    return WPS_ECLOSED;
  if (conn->send_rc != WPS_OK && conn->send_rc != WPS_EAGAIN)
    return conn->send_rc;
  assert(conn->sent_count < FAKE_SENT_MAX);
  conn->sent[conn->sent_count++] =
      (struct fake_sent){opcode, bytes.len, copy(bytes.ptr, bytes.len)};
  return conn->send_rc;
}

static int conn_send(struct wps_conn *conn, struct wps_frame *f)
{
  return conn_send_bytes(conn, f->opcode, frame_bytes(f));
}

static int conn_send_parts(struct wps_conn *conn, uint32_t opcode,
                           const struct wps_part *parts, size_t count)
{
  char *all = NULL;
  size_t len = 0;
  int rc;

  for (size_t i = 0; i < count; i++) {
    struct wps_bytes b =
        parts[i].shared != NULL ? frame_bytes(parts[i].shared) : parts[i].bytes;

    all = realloc(all, len + b.len);
    memcpy(all + len, b.ptr, b.len);
    len += b.len;
  }
  rc = conn_send_bytes(conn, opcode, (struct wps_bytes){all, len});
  free(all);
  return rc;
}

static int conn_deliver(struct wps_conn *conn, struct wps_message *msg)
{
  struct wps_frame *f;
  int rc = conn->ops->encode(conn->inst, msg, conn->variant, &f);

  if (rc != WPS_OK)
    return rc;
  if (conn->session.struct_size != 0) {
    struct wps_delivery d = {.struct_size = sizeof(d),
                             .sequence = ++conn->sequence,
                             .msg = msg,
                             .frame = f};

    rc = conn->detached ? WPS_OK : conn->ops->deliver(conn, conn->state, &d);
  } else {
    rc = conn_send(conn, f);
  }
  frame_unref(f);
  return rc;
}

static void conn_close(struct wps_conn *conn, uint16_t code,
                       struct wps_str reason)
{
  if (conn->closed)
    return;
  conn->closed = true;
  conn->code = code;
  assert(reason.len <= 123);
  if (reason.len > 0)
    memcpy(conn->reason, reason.ptr, reason.len);
  conn->reason[reason.len] = '\0';
}

static void conn_hold(struct wps_conn *conn, bool on)
{
  assert(conn->held != on);
  conn->held = on;
}

static int conn_session_enable(struct wps_conn *conn,
                               const struct wps_session *opts)
{
  conn->session = *opts;
  fake.sessions++;
  return WPS_OK;
}

static struct wps_str conn_session_token(const struct wps_conn *conn)
{
  struct wps_conn *c = (struct wps_conn *)conn;

  snprintf(c->token, sizeof(c->token), "token%u", ++c->tokens);
  return str(c->token);
}

static int conn_session_ack(struct wps_conn *conn, uint64_t sequence)
{
  conn->acked = sequence;
  return WPS_OK;
}

static bool conn_allowed(const struct wps_conn *conn, uint32_t action,
                         struct wps_str group)
{
  (void)group;
  return action == WPS_ACT_JOIN ? conn->may_join : conn->may_send;
}

static const struct wps_conn_api conn_api = {
    .struct_size = sizeof(conn_api),
    .id = conn_id,
    .hub = conn_hub,
    .user = conn_user,
    .send = conn_send,
    .send_bytes = conn_send_bytes,
    .send_parts = conn_send_parts,
    .deliver = conn_deliver,
    .close = conn_close,
    .hold = conn_hold,
    .session_enable = conn_session_enable,
    .session_token = conn_session_token,
    .session_ack = conn_session_ack,
    .allowed = conn_allowed};

/* ---- hub ---- */

static struct fake_asked *ask(uint32_t what, struct wps_conn *conn,
                              struct wps_str name, void *arg, uint64_t tag)
{
  struct fake_asked *a = &fake.asked[fake.asked_count++];

  assert(fake.asked_count <= FAKE_QUEUE_MAX);
  *a = (struct fake_asked){.what = what,
                           .conn = conn,
                           .name = copy(name.ptr, name.len),
                           .arg = arg,
                           .tag = tag};
  return a;
}

static int hub_join(struct wps_conn *conn, struct wps_str group,
                    const struct wps_membership *how, wps_joined_fn done,
                    void *arg, uint64_t tag)
{
  struct fake_asked *a;

  (void)how;
  if (fake.join_rc != WPS_OK)
    return fake.join_rc;
  a = ask(FAKE_JOIN, conn, group, arg, tag);
  a->done.joined = done;
  a->has_done = done != NULL;
  return WPS_OK;
}

static int hub_leave(struct wps_conn *conn, struct wps_str group,
                     wps_conn_done_fn done, void *arg, uint64_t tag)
{
  struct fake_asked *a = ask(FAKE_LEAVE, conn, group, arg, tag);

  a->done.left = done;
  a->has_done = done != NULL;
  return WPS_OK;
}

static int hub_publish(struct wps_instance *self, struct wps_conn *conn,
                       struct wps_message *msg, const struct wps_target *target,
                       wps_published_fn done, void *arg, uint64_t tag)
{
  struct fake_asked *a;

  (void)self;
  assert(target->struct_size == sizeof(*target));
  assert(target->kind == WPS_TO_GROUP);
  if (fake.publish_rc != WPS_OK)
    return fake.publish_rc;
  a = ask(FAKE_PUBLISH, conn, target->name, arg, tag);
  a->msg = message_ref(msg);
  a->target_flags = target->flags;
  a->done.published = done;
  a->has_done = done != NULL;
  return WPS_OK;
}

static int hub_event(struct wps_conn *conn,
                     const struct wps_client_event *event, wps_answer_fn done,
                     void *arg, uint64_t tag)
{
  struct fake_asked *a;

  if (fake.event_rc != WPS_OK)
    return fake.event_rc;
  a = ask(FAKE_EVENT, conn, event->name, arg, tag);
  a->msg = message_ref(event->msg);
  a->done.answer = done;
  a->has_done = true;
  a->headers = copy("", 0);
  for (size_t i = 0; i < event->header_count; i++) {
    char *more;
    int len =
        asprintf(&more, "%s%.*s: %.*s\n", a->headers,
                 (int)event->headers[i].name.len, event->headers[i].name.ptr,
                 (int)event->headers[i].value.len, event->headers[i].value.ptr);

    assert(len >= 0);
    free(a->headers);
    a->headers = more;
  }
  return WPS_OK;
}

static const struct wps_hub_api hub_api = {.struct_size = sizeof(hub_api),
                                           .join = hub_join,
                                           .leave = hub_leave,
                                           .publish = hub_publish,
                                           .event = hub_event};

/* ---- requests, configuration, log ---- */

static int request_query_at(const struct wps_request *req, size_t index,
                            struct wps_pair *out)
{
  if (index >= req->query_count)
    return WPS_ENOTFOUND;
  *out = req->query[index];
  return WPS_OK;
}

static struct wps_str request_query(const struct wps_request *req,
                                    const char *name)
{
  for (size_t i = 0; i < req->query_count; i++)
    if (req->query[i].name.len == strlen(name) &&
        memcmp(req->query[i].name.ptr, name, strlen(name)) == 0)
      return req->query[i].value;
  return (struct wps_str){NULL, 0};
}

static int request_subprotocol_at(const struct wps_request *req, size_t index,
                                  struct wps_str *out)
{
  if (index >= req->offer_count)
    return WPS_ENOTFOUND;
  *out = req->offers[index];
  return WPS_OK;
}

static const struct wps_request_api request_api = {
    .struct_size = sizeof(request_api),
    .query = request_query,
    .query_at = request_query_at,
    .subprotocol_at = request_subprotocol_at};

static int64_t config_get_int(const struct wps_config *cfg, const char *key)
{
  static const struct {
    const char *key;
    int64_t value;
  } values[] = {{"session_retain", 30000},     {"session_messages", 1000},
                {"session_bytes", 16 << 20},   {"ack_memory", 1000},
                {"event_queue", 1000},         {"event_queue_bytes", 1 << 20},
                {"event_queue_total", 1 << 28}};

  (void)cfg;
  for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
    if (strcmp(values[i].key, key) == 0)
      return values[i].value;
  assert(!"undeclared key");
  return 0;
}

static bool config_get_bool(const struct wps_config *cfg, const char *key)
{
  (void)cfg;
  assert(strcmp(key, "drop_on_event_failure") == 0);
  return fake.drop_on_event_failure;
}

static const struct wps_config_api config_api = {.struct_size =
                                                     sizeof(config_api),
                                                 .get_bool = config_get_bool,
                                                 .get_int = config_get_int};

static void log_write(struct wps_instance *self, struct wps_conn *conn,
                      uint32_t level, const char *fmt, ...)
{
  char line[512];
  va_list args;

  (void)self, (void)conn, (void)level;
  va_start(args, fmt);
  vsnprintf(line, sizeof(line), fmt, args);
  va_end(args);
}

static bool log_enabled(struct wps_instance *self, uint32_t level)
{
  (void)self, (void)level;
  return true;
}

static const struct wps_log_api log_api = {
    .struct_size = sizeof(log_api), .write = log_write, .enabled = log_enabled};

const struct wps_host fake_host = {.struct_size = sizeof(fake_host),
                                   .abi_major = WPS_ABI_MAJOR,
                                   .abi_minor = WPS_ABI_MINOR,
                                   .server_version = "0",
                                   .config = &config_api,
                                   .log = &log_api,
                                   .message = &message_api,
                                   .request = &request_api,
                                   .conn = &conn_api,
                                   .hub = &hub_api};

/* ---- for tests ---- */

void fake_reset(void)
{
  for (size_t i = 0; i < fake.asked_count; i++) {
    free(fake.asked[i].name);
    free(fake.asked[i].headers);
    if (fake.asked[i].msg != NULL)
      message_unref(fake.asked[i].msg);
  }
  assert(fake.live == 0);
  memset(&fake, 0, sizeof(fake));
}

struct wps_conn *fake_conn(const struct wps_subprotocol *ops, void *inst,
                           uint32_t variant, const char *user,
                           const struct wps_request *req)
{
  static const struct wps_request none;
  struct wps_conn *conn = calloc(1, sizeof(*conn));
  struct wps_hello hello = {.struct_size = sizeof(hello),
                            .variant = variant,
                            .req = req != NULL ? req : &none};

  conn->ops = ops;
  conn->inst = inst;
  conn->variant = variant;
  conn->user = user;
  conn->may_join = conn->may_send = true;
  if (ops->open(inst, conn, &hello, &conn->state) != WPS_OK) {
    free(conn);
    return NULL;
  }
  return conn;
}

int fake_frame(struct wps_conn *conn, const char *text)
{
  /* A copy of its exact size, so that a sanitizer sees a byte too many. */
  size_t len = strlen(text);
  char *bytes = malloc(len > 0 ? len : 1);
  int rc;

  memcpy(bytes, text, len);
  rc = conn->ops->frame(conn, conn->state, WPS_TEXT,
                        (struct wps_bytes){bytes, len});
  free(bytes);
  return rc;
}

const char *fake_sent(struct wps_conn *conn)
{
  if (conn->read_count == conn->sent_count)
    return NULL;
  return conn->sent[conn->read_count++].bytes;
}

void fake_detach(struct wps_conn *conn)
{
  conn->detached = true;
}

void fake_gone(struct wps_conn *conn)
{
  conn->ops->close(conn, conn->state, conn->code,
                   (struct wps_str){conn->reason, strlen(conn->reason)});
  for (size_t i = 0; i < fake.asked_count; i++)
    if (fake.asked[i].conn == conn)
      fake.asked[i].conn = NULL;
  for (size_t i = 0; i < conn->sent_count; i++)
    free(conn->sent[i].bytes);
  free(conn);
}

static void end(struct fake_asked *a, int status)
{
  a->ended = true;
  if (!a->has_done)
    return;
  switch (a->what) {
  case FAKE_JOIN:
    a->done.joined(
        a->conn, a->arg, a->tag,
        &(struct wps_joined){.struct_size = sizeof(struct wps_joined),
                             .status = status});
    break;
  case FAKE_LEAVE:
    a->done.left(a->conn, a->arg, a->tag, status);
    break;
  default:
    a->done.published(
        a->conn, a->arg, a->tag,
        &(struct wps_published){.struct_size = sizeof(struct wps_published),
                                .status = status});
    break;
  }
}

bool fake_end(int status)
{
  for (size_t i = 0; i < fake.asked_count; i++)
    if (!fake.asked[i].ended && fake.asked[i].what != FAKE_EVENT) {
      end(&fake.asked[i], status);
      return true;
    }
  return false;
}

void fake_end_all(void)
{
  while (fake_end(WPS_OK))
    ;
}

void fake_answer(int status, const struct wps_event_answer *answer)
{
  for (size_t i = 0; i < fake.asked_count; i++) {
    struct fake_asked *a = &fake.asked[i];

    if (!a->ended && a->what == FAKE_EVENT) {
      a->ended = true;
      a->done.answer(a->conn, a->arg, a->tag, status, answer);
      return;
    }
  }
  assert(!"no event waits");
}
