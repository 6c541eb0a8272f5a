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
  wps_fn release; /* of data that is somebody else's */
  void *arg;
};

void *fake_copy(const void *bytes, size_t len)
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
  return s.ptr == NULL ? s : (struct wps_str){fake_copy(s.ptr, s.len), s.len};
}

/* ---- messages ---- */

static struct wps_pair *copy_pairs(const struct wps_pair *pairs, size_t count)
{
  struct wps_pair *copies = count > 0 ? calloc(count, sizeof(*copies)) : NULL;

  for (size_t i = 0; i < count; i++) {
    copies[i].name = copy_str(pairs[i].name);
    copies[i].value = copy_str(pairs[i].value);
  }
  return copies;
}

static void free_pairs(const struct wps_pair *pairs, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    free((void *)pairs[i].name.ptr);
    free((void *)pairs[i].value.ptr);
  }
  free((void *)pairs);
}

static struct wps_message *message_adopt(const struct wps_message_info *info,
                                         wps_fn release, void *arg)
{
  struct wps_message *m;

  if (fake.no_memory) {
    if (release != NULL)
      release(arg);
    return NULL;
  }
  m = calloc(1, sizeof(*m));
  m->refs = 1;
  m->release = release;
  m->arg = arg;
  m->info = *info;
  if (release == NULL)
    m->info.data.ptr = fake_copy(info->data.ptr, info->data.len);
  m->info.group = copy_str(info->group);
  m->info.user = copy_str(info->user);
  m->info.conn = copy_str(info->conn);
  m->info.content_type = copy_str(info->content_type);
  m->info.tags = copy_pairs(info->tags, info->tag_count);
  m->info.props = copy_pairs(info->props, info->prop_count);
  fake.live++;
  return m;
}

static struct wps_message *message_create(const struct wps_message_info *info)
{
  return message_adopt(info, NULL, NULL);
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
  if (m->release != NULL)
    m->release(m->arg);
  else
    free((void *)m->info.data.ptr);
  free((void *)m->info.group.ptr);
  free((void *)m->info.user.ptr);
  free((void *)m->info.conn.ptr);
  free((void *)m->info.content_type.ptr);
  free_pairs(m->info.tags, m->info.tag_count);
  free_pairs(m->info.props, m->info.prop_count);
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
                                                   .adopt = message_adopt,
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
      (struct fake_sent){opcode, bytes.len, fake_copy(bytes.ptr, bytes.len)};
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
  switch (action) {
  case WPS_ACT_JOIN:
    return conn->may_join;
  case WPS_ACT_SET_STATE:
    return conn->may_set;
  case WPS_ACT_GET_STATE:
    return conn->may_get;
  default:
    return conn->may_send;
  }
}

static struct wps_worker *conn_worker(const struct wps_conn *conn)
{
  (void)conn;
  return NULL;
}

static struct wps_timer *conn_timer_start(struct wps_conn *conn,
                                          uint64_t delay_ms, uint64_t repeat_ms,
                                          wps_conn_fn fn, void *arg)
{
  struct wps_timer *t = conn->timers;

  if (fake.no_timer)
    return NULL;
  while (t < conn->timers + FAKE_TIMERS_MAX && t->fn != NULL)
    t++;
  assert(t < conn->timers + FAKE_TIMERS_MAX);
  *t = (struct wps_timer){.fn = fn,
                          .arg = arg,
                          .at_us = fake.now_us + (int64_t)delay_ms * 1000,
                          .repeat_us = (int64_t)repeat_ms * 1000};
  return t;
}

static void conn_timer_stop(struct wps_timer *t)
{
  assert(t->fn != NULL);
  t->fn = NULL;
}

static const struct wps_conn_api conn_api = {
    .struct_size = sizeof(conn_api),
    .id = conn_id,
    .hub = conn_hub,
    .user = conn_user,
    .worker = conn_worker,
    .send = conn_send,
    .send_bytes = conn_send_bytes,
    .send_parts = conn_send_parts,
    .deliver = conn_deliver,
    .close = conn_close,
    .hold = conn_hold,
    .timer_start = conn_timer_start,
    .timer_stop = conn_timer_stop,
    .session_enable = conn_session_enable,
    .session_token = conn_session_token,
    .session_ack = conn_session_ack,
    .allowed = conn_allowed};

/* ---- time ---- */

static int64_t worker_now_us(const struct wps_worker *worker)
{
  (void)worker;
  return fake.now_us;
}

static const struct wps_worker_api worker_api = {
    .struct_size = sizeof(worker_api), .now_us = worker_now_us};

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
  } values[] = {{"session_retain", 30000},      {"session_messages", 1000},
                {"session_bytes", 16 << 20},    {"ack_memory", 1000},
                {"event_queue", 1000},          {"event_queue_bytes", 1 << 20},
                {"event_queue_total", 1 << 28}, {"streams", 100},
                {"stream_idle", 300000},        {"stream_ack_delay", 20},
                {"stream_ack_every", 16},       {"invocations", 100}};

  (void)cfg;
  if (strcmp(key, "python_delay") == 0)
    return 0;
  for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
    if (strcmp(values[i].key, key) == 0)
      return values[i].value;
  assert(!"undeclared key");
  return 0;
}

static bool config_get_bool(const struct wps_config *cfg, const char *key)
{
  (void)cfg;
  if (strcmp(key, "early_names") == 0)
    return fake.early_names;
  if (strcmp(key, "json_as_text") == 0)
    return fake.json_as_text;
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
                                   .worker = &worker_api,
                                   .message = &message_api,
                                   .request = &request_api,
                                   .conn = &conn_api,
                                   .hub = &fake_hub};

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
  conn->may_join = conn->may_send = conn->may_set = conn->may_get = true;
  if (ops->open(inst, conn, &hello, &conn->state) != WPS_OK) {
    free(conn);
    return NULL;
  }
  return conn;
}

static int frame(struct wps_conn *conn, uint32_t opcode, const void *data,
                 size_t len)
{
  /* A copy of its exact size, so that a sanitizer sees a byte too many. */
  char *bytes = malloc(len > 0 ? len : 1);
  int rc;

  if (len > 0)
    memcpy(bytes, data, len);
  rc = conn->ops->frame(conn, conn->state, opcode,
                        (struct wps_bytes){bytes, len});
  free(bytes);
  return rc;
}

int fake_frame(struct wps_conn *conn, const char *text)
{
  return frame(conn, WPS_TEXT, text, strlen(text));
}

int fake_bytes(struct wps_conn *conn, const void *bytes, size_t len)
{
  return frame(conn, WPS_BINARY, bytes, len);
}

const char *fake_sent(struct wps_conn *conn)
{
  if (conn->read_count == conn->sent_count)
    return NULL;
  return conn->sent[conn->read_count++].bytes;
}

size_t fake_sent_len(const struct wps_conn *conn)
{
  assert(conn->read_count > 0);
  return conn->sent[conn->read_count - 1].len;
}

void fake_fire(struct wps_conn *conn)
{
  for (int i = 0; i < FAKE_TIMERS_MAX; i++) {
    struct wps_timer *t = &conn->timers[i], once = *t;

    if (once.fn == NULL || once.at_us > fake.now_us)
      continue;
    if (once.repeat_us > 0)
      t->at_us += once.repeat_us;
    else
      t->fn = NULL;
    once.fn(conn, once.arg);
  }
}

void fake_pass(struct wps_conn *conn, int64_t ms)
{
  fake.now_us += ms * 1000;
  fake_fire(conn);
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
