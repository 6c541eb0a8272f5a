/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/azure_rig.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/azure/fragment.h"

WPS_HIDDEN const struct wps_host *wps;
struct rig rig;

/* ---- what it says ---- */

__attribute__((format(printf, 2, 3))) static int say(struct wps_conn *conn,
                                                     const char *fmt, ...)
{
  char *line;
  va_list args;
  int len, rc;

  va_start(args, fmt);
  len = vasprintf(&line, fmt, args);
  va_end(args);
  ck_assert_int_ge(len, 0);
  rc = wps->conn->send_bytes(conn, WPS_TEXT,
                             (struct wps_bytes){line, (size_t)len});
  free(line);
  return rc;
}

#define STR(s) (int)(s).len, (s).ptr

static int connected(struct wps_conn *conn, struct wps_str token)
{
  return say(conn, "connected%s%.*s", token.ptr != NULL ? " " : "", STR(token));
}

static int disconnected(struct wps_conn *conn, struct wps_str text)
{
  return say(conn, "disconnected %.*s", STR(text));
}

static int pong(struct wps_conn *conn)
{
  return say(conn, "pong");
}

static int ack(struct wps_conn *conn, uint64_t id,
               const struct azure_error *error)
{
  if (error == NULL)
    return say(conn, "ack %llu", (unsigned long long)id);
  return say(conn, "ack %llu %.*s: %.*s", (unsigned long long)id,
             STR(error->name), STR(error->message));
}

static int invoke_response(struct wps_conn *conn, struct wps_str id,
                           const struct azure_error *error,
                           const struct wps_message_info *body, bool has_data)
{
  char tags[256] = "", data[256] = "";
  size_t len = 0;

  if (error != NULL) {
    ck_assert(body == NULL && !has_data);
    return say(conn, "invoked %.*s %.*s: %.*s", STR(id), STR(error->name),
               STR(error->message));
  }
  ck_assert(body != NULL || !has_data);
  if (has_data)
    snprintf(data, sizeof(data), " %u:%.*s", body->data_type,
             (int)body->data.len, (const char *)body->data.ptr);
  for (size_t i = 0; body != NULL && i < body->tag_count; i++)
    len += (size_t)snprintf(tags + len, sizeof(tags) - len, " %.*s=%.*s",
                            STR(body->tags[i].name), STR(body->tags[i].value));
  return say(conn, "invoked %.*s%s%s", STR(id), data, tags);
}

static int stream_ack(struct wps_conn *conn, struct wps_str id,
                      uint64_t expected)
{
  return say(conn, "streamAck %.*s %llu", STR(id),
             (unsigned long long)expected);
}

static int stream_nack(struct wps_conn *conn, struct wps_str id,
                       const struct azure_error *error, uint64_t expected)
{
  return say(conn, "streamNack %.*s %llu %.*s: %.*s", STR(id),
             (unsigned long long)expected, STR(error->name),
             STR(error->message));
}

static int stream_closed(struct wps_conn *conn, struct wps_str id,
                         const struct azure_error *error)
{
  if (error == NULL)
    return say(conn, "streamClosed %.*s", STR(id));
  return say(conn, "streamClosed %.*s %.*s: %.*s", STR(id), STR(error->name),
             STR(error->message));
}

static struct wps_message *snapshot(struct wps_str group,
                                    struct wps_message *const *states,
                                    size_t count)
{
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .kind = WPS_MSG_PRIVATE,
                                  .from = WPS_FROM_GROUP,
                                  .group = group};
  char text[512];
  int len = snprintf(text, sizeof(text), "snapshot %.*s", STR(group));

  for (size_t i = 0; i < count; i++)
    len +=
        snprintf(text + len, sizeof(text) - (size_t)len, "%s%.*s",
                 i == 0 ? " " : ",", STR(wps->message->info(states[i])->conn));
  info.data = (struct wps_bytes){text, (size_t)len};
  return wps->message->create(&info);
}

static const struct azure_writer writer = {.connected = connected,
                                           .disconnected = disconnected,
                                           .pong = pong,
                                           .ack = ack,
                                           .invoke_response = invoke_response,
                                           .stream_ack = stream_ack,
                                           .stream_nack = stream_nack,
                                           .stream_closed = stream_closed,
                                           .snapshot = snapshot};

/* ---- a subprotocol ---- */

static int open_client(void *inst, struct wps_conn *conn,
                       const struct wps_hello *hello, void **state)
{
  struct azure_client *client = malloc(sizeof(*client));
  int rc = azure_client_open(client, inst, conn, hello->variant == 1);

  ck_assert_int_eq(rc, WPS_OK);
  *state = client;
  return rc;
}

static int frame(struct wps_conn *conn, void *state, uint32_t opcode,
                 struct wps_bytes data)
{
  (void)opcode;
  return azure_client_request(state, conn, data.ptr);
}

static int encode(void *inst, const struct wps_message *msg, uint32_t variant,
                  struct wps_frame **out)
{
  const struct wps_message_info *info = wps->message->info(msg);
  char text[600];
  int len = snprintf(text, sizeof(text), "%s%.*s",
                     info->kind == WPS_MSG_PRIVATE ? "" : "message ",
                     (int)info->data.len, (const char *)info->data.ptr);

  (void)inst, (void)variant;
  *out = wps->message->frame(WPS_TEXT, (struct wps_bytes){text, (size_t)len});
  return *out != NULL ? WPS_OK : WPS_ENOMEM;
}

static int deliver(struct wps_conn *conn, void *state,
                   const struct wps_delivery *d)
{
  (void)state;
  return wps->conn->send(conn, d->frame);
}

static void close_client(struct wps_conn *conn, void *state, uint16_t code,
                         struct wps_str reason)
{
  (void)code, (void)reason;
  azure_client_end(state, conn);
  azure_client_clear(state);
  free(state);
}

static const struct wps_subprotocol ops = {.struct_size = sizeof(ops),
                                           .open = open_client,
                                           .frame = frame,
                                           .encode = encode,
                                           .deliver = deliver,
                                           .close = close_client};

/* ---- for tests ---- */

void rig_setup(void)
{
  wps = &fake_host;
  memset(&rig, 0, sizeof(rig));
  fake.now_us = 1000 * 1000;
  rig.rules =
      (struct azure_rules){.writer = &writer,
                           .ack_window = 1000,
                           .waiting_max = 1000,
                           .waiting_bytes_max = 1024 * 1024,
                           .waiting_total_max = 256 * 1024 * 1024,
                           .waiting_total = &rig.waiting,
                           .streams_max = 100,
                           .stream_idle_ms = 300000,
                           .stream_ack_ms = 20,
                           .stream_ack_every = 16,
                           .invocations_max = 100,
                           .session = {.struct_size = sizeof(rig.rules.session),
                                       .retain_ms = 30000}};
}

void rig_teardown(void)
{
  rig_gone();
  ck_assert_uint_eq(atomic_load(&rig.waiting), 0);
  fake_reset();
}

void rig_open(bool reliable)
{
  rig.conn = fake_conn(&ops, &rig.rules, reliable, "alice", NULL);
  rig_says(reliable ? "connected token1" : "connected");
}

void rig_gone(void)
{
  if (rig.conn != NULL)
    fake_gone(rig.conn);
  rig.conn = NULL;
}

void rig_detach(void)
{
  fake_detach(rig.conn);
  ck_assert_int_eq(azure_client_detached(rig_client(), rig.conn, 1006), WPS_OK);
}

void rig_resume(void)
{
  rig.conn->detached = false;
  ck_assert_int_eq(azure_client_resumed(rig_client(), rig.conn), WPS_OK);
}

struct azure_client *rig_client(void)
{
  return rig.conn->state;
}

struct wps_str rig_str(const char *s)
{
  return (struct wps_str){s, s == NULL ? 0 : strlen(s)};
}

struct wps_bytes rig_text(const char *s)
{
  return (struct wps_bytes){s, strlen(s)};
}

/* Of its exact size, so that a sanitizer sees a byte too many. */
static void *lend(const void *from, size_t len)
{
  void *block = from != NULL ? malloc(len > 0 ? len : 1) : NULL;

  if (len > 0)
    memcpy(block, from, len);
  return block;
}

static struct wps_str lend_str(struct wps_str s)
{
  return (struct wps_str){lend(s.ptr, s.len), s.len};
}

static struct wps_pair *lend_pairs(const struct wps_pair *from, size_t count)
{
  struct wps_pair *pairs = lend(from, count * sizeof(*from));

  for (size_t i = 0; i < count; i++) {
    pairs[i].name = lend_str(from[i].name);
    pairs[i].value = lend_str(from[i].value);
  }
  return pairs;
}

static void take_back(const struct wps_pair *pairs, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    free((void *)pairs[i].name.ptr);
    free((void *)pairs[i].value.ptr);
  }
  free((void *)pairs);
}

void rig_ask(const struct azure_request *req)
{
  struct azure_request *lent = lend(req, sizeof(*req));
  struct wps_str *texts[] = {&lent->name, &lent->ref, &lent->error_message,
                             &lent->error_code, &lent->why};
  int rc;

  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
    *texts[i] = lend_str(*texts[i]);
  lent->data.ptr = lend(req->data.ptr, req->data.len);
  lent->metadata = lend_pairs(req->metadata, req->metadata_count);
  lent->state = lend_pairs(req->state, req->state_count);
  rc = ops.frame(rig.conn, rig.conn->state, WPS_TEXT,
                 (struct wps_bytes){lent, sizeof(*lent)});
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
    free((void *)texts[i]->ptr);
  free((void *)lent->data.ptr);
  take_back(lent->metadata, req->metadata_count);
  take_back(lent->state, req->state_count);
  free(lent);
  ck_assert_int_eq(rc, WPS_OK);
}

void rig_says(const char *want)
{
  const char *got = fake_sent(rig.conn);

  if (want == NULL)
    ck_assert_msg(got == NULL, "said %s", got);
  else
    ck_assert_msg(got != NULL && strcmp(got, want) == 0, "said %s\nnot  %s",
                  got, want);
}

struct fake_asked *rig_asked(size_t i, uint32_t what, const char *name)
{
  ck_assert_uint_lt(i, fake.asked_count);
  ck_assert_uint_eq(fake.asked[i].what, what);
  ck_assert_str_eq(fake.asked[i].name, name);
  return &fake.asked[i];
}

const struct wps_message_info *rig_fragment(size_t i, const char *group,
                                            const char *stream,
                                            const char *data)
{
  const struct wps_message_info *info =
      wps->message->info(rig_asked(i, FAKE_PUBLISH, group)->msg);
  struct azure_fragment f;
  struct wps_str absent = rig_str("-");
  char text[600];
  int len;

  azure_fragment_read(info, &f);
  ck_assert(f.is);
  len = snprintf(text, sizeof(text), "%.*s %llu%s", STR(f.id),
                 (unsigned long long)f.sequence, f.end ? " end" : "");
  if (f.error_name.ptr != NULL)
    snprintf(text + len, sizeof(text) - (size_t)len, " %.*s|%.*s|%.*s",
             STR(f.error_name),
             STR(f.error_message.ptr != NULL ? f.error_message : absent),
             STR(f.error_code.ptr != NULL ? f.error_code : absent));
  ck_assert_str_eq(text, stream);
  ck_assert_uint_eq(info->data.len, strlen(data));
  ck_assert_mem_eq(info->data.ptr, data, strlen(data));
  ck_assert_uint_eq(info->kind, WPS_MSG_DATA);
  ck_assert_uint_eq(info->from, WPS_FROM_GROUP);
  ck_assert_uint_eq(info->ttl_ms, 0);
  ck_assert_uint_eq(info->tag_count, 0);
  ck_assert_uint_eq(info->group.len, strlen(group));
  ck_assert_mem_eq(info->group.ptr, group, strlen(group));
  ck_assert_mem_eq(info->user.ptr, "alice", 5);
  ck_assert_mem_eq(info->conn.ptr, "conn-1", 6);
  return info;
}
