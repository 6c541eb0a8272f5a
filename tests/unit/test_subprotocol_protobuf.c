/* SPDX-License-Identifier: Apache-2.0 */
/* subprotocol-protobuf through its component, against a fake host: the vectors
 * of azure-client.md 6.4 that go down, and what goes up to the hub. */
#include <check.h>
#include <string.h>

#include <webpubsub/plugin.h>

#include "plugins/common/azure/client.h"
#include "plugins/common/b64.h"
#include "plugins/common/pb.h"
#include "tests/unit/fake_host.h"
#include "tests/unit/hex.h"

#define S(literal) ((struct wps_str)WPS_STR_INIT(literal))

extern const struct wps_plugin webpubsub_plugin_v1;

enum { PLAIN = 0, RELIABLE = 1 };

static const struct wps_subprotocol *ops;
static void *inst;
static struct wps_conn *conn;

static void create(void)
{
  const struct wps_component *c = webpubsub_plugin_v1.components[0];

  *webpubsub_plugin_v1.host = &fake_host;
  ops = c->ops.subprotocol;
  ck_assert_int_eq(c->create(NULL, NULL, NULL, &inst), WPS_OK);
}

static void setup(void)
{
  create();
  conn = fake_conn(ops, inst, PLAIN, "alice", NULL);
}

static void setup_reliable(void)
{
  create();
  conn = fake_conn(ops, inst, RELIABLE, "alice", NULL);
}

static void setup_text(void)
{
  fake.json_as_text = true;
  setup();
}

static void teardown(void)
{
  fake_gone(conn);
  webpubsub_plugin_v1.components[0]->destroy(inst);
  fake_reset();
}

static int frame(uint32_t opcode, const char *text)
{
  struct wps_bytes bytes = hex_bytes(text);
  int rc = ops->frame(conn, conn->state, opcode, bytes);

  free((void *)bytes.ptr);
  return rc;
}

static void up(const char *text)
{
  ck_assert_int_eq(frame(WPS_BINARY, text), WPS_OK);
}

static struct wps_bytes next_sent(void)
{
  const struct fake_sent *s;

  ck_assert_uint_lt(conn->read_count, conn->sent_count);
  s = &conn->sent[conn->read_count++];
  ck_assert_uint_eq(s->opcode, WPS_BINARY);
  return (struct wps_bytes){s->bytes, s->len};
}

/* The next thing sent is `want`; NULL: there is none. */
static void sends(const char *want)
{
  if (want == NULL)
    ck_assert_uint_eq(conn->read_count, conn->sent_count);
  else
    hex_same(next_sent(), want);
}

static void sends_base64(const char *text)
{
  unsigned char *bytes = malloc(strlen(text));
  struct wps_bytes sent = next_sent();
  size_t len;

  ck_assert_int_eq(
      b64_decode((struct wps_str){text, strlen(text)}, bytes, &len), WPS_OK);
  ck_assert_uint_eq(sent.len, len);
  ck_assert_mem_eq(sent.ptr, bytes, len);
  free(bytes);
}

static const struct azure_writer *writer(void)
{
  return ((const struct azure_rules *)inst)->writer;
}

static struct wps_message *message(const struct wps_message_info *info)
{
  struct wps_message_info with_size = *info;

  with_size.struct_size = sizeof(with_size);
  return wps->message->create(&with_size);
}

/* A message as this client gets it. */
static void deliver(const struct wps_message_info *info)
{
  struct wps_message *msg = message(info);

  ck_assert_ptr_nonnull(msg);
  ck_assert_int_eq(wps->conn->deliver(conn, msg), WPS_OK);
  wps->message->unref(msg);
}

static struct wps_message_info from_group(const char *group, uint32_t type,
                                          const char *data)
{
  return (struct wps_message_info){.from = WPS_FROM_GROUP,
                                   .group = {group, strlen(group)},
                                   .data_type = type,
                                   .data = {data, strlen(data)},
                                   .user = S("bob"),
                                   .conn = S("conn-9")};
}

static struct wps_message_info from_server(uint32_t type, const char *data)
{
  return (struct wps_message_info){
      .from = WPS_FROM_SERVER, .data_type = type, .data = {data, strlen(data)}};
}

static struct wps_message_info state_of(const char *group,
                                        const struct wps_pair *entries,
                                        size_t count, int64_t at)
{
  return (struct wps_message_info){.kind = WPS_MSG_STATE,
                                   .from = WPS_FROM_GROUP,
                                   .group = {group, strlen(group)},
                                   .data_type = WPS_DATA_TEXT,
                                   .data = {"", 0},
                                   .conn = S("conn1"),
                                   .user = S("alice"),
                                   .tags = entries,
                                   .tag_count = count,
                                   .created_unix_ms = at};
}

/* ---- what is sent ---- */

START_TEST(greeting)
{
  sends("1A{0A{0A{.conn-1} 12{.alice}}}");
}
END_TEST

START_TEST(acks)
{
  static const struct azure_error no = {WPS_STR_INIT("Forbidden"),
                                        WPS_STR_INIT("No")};
  static const struct azure_error official = {WPS_STR_INIT("Forbidden"),
                                              WPS_STR_INIT("message")};

  (void)next_sent();
  writer()->ack(conn, 1, NULL);
  sends("0A 04 08 01 10 01");
  writer()->ack(conn, 3, &no); /* without success, which is false */
  sends("0A 13 08 03 1A 0F 0A 09 46 6F 72 62 69 64 64 65 6E 12 02 4E 6F");
  writer()->ack(conn, 123, NULL);
  sends_base64("CgQIexAB");
  writer()->ack(conn, 123, &official);
  sends("0A{08 7B 1A{0A{.Forbidden} 12{.message}}}");
  writer()->ack(conn, 0, NULL);
  sends("0A 02 10 01");
}
END_TEST

START_TEST(system_messages)
{
  (void)next_sent();
  conn->user = NULL;
  writer()->connected(conn, (struct wps_str){NULL, 0});
  sends("1A{0A{0A{.conn-1}}}");
  conn->user = "user";
  writer()->connected(conn, S("rec"));
  sends("1A{0A{0A{.conn-1} 12{.user} 1A{.rec}}}");
  writer()->disconnected(conn, S("bye"));
  sends("1A 07 12 05 12 03 62 79 65");
  writer()->disconnected(conn, S("msg"));
  sends_base64("GgcSBRIDbXNn");
  writer()->disconnected(conn, S(""));
  sends("1A 02 12 00");
  writer()->pong(conn);
  sends("22 00");
}
END_TEST

START_TEST(long_control_messages)
{
  static char words[3000];
  struct wps_bytes sent;
  struct pb_in in;
  struct pb_field f;

  (void)next_sent();
  memset(words, 'w', sizeof(words));
  writer()->disconnected(conn, (struct wps_str){words, sizeof(words)});
  sent = next_sent();
  for (int depth = 0; depth < 3; depth++) {
    pb_in_init(&in, sent);
    ck_assert_int_eq(pb_next(&in, &f), 1);
    ck_assert_uint_eq(f.number, depth == 0 ? 3 : 2);
    ck_assert_ptr_eq(in.at, in.end);
    sent = f.bytes;
  }
  ck_assert_uint_eq(sent.len, sizeof(words));
  fake.no_memory = true;
  ck_assert_int_eq(
      writer()->disconnected(conn, (struct wps_str){words, sizeof(words)}),
      WPS_ENOMEM);
  fake.no_memory = false;
}
END_TEST

START_TEST(group_messages)
{
  struct wps_message_info info = from_group("chat", WPS_DATA_TEXT, "hi");
  static const struct wps_pair tags[] = {
      {WPS_STR_INIT("k"), WPS_STR_INIT("v")}};

  (void)next_sent();
  deliver(&info);
  sends("12 13 0A 05 67 72 6F 75 70 12 04 63 68 61 74 1A 04 0A 02 68 69");
  info = from_group("groupName", WPS_DATA_JSON, "{\"value\":\"xyz\"}");
  deliver(&info);
  sends_base64("EiUKBWdyb3VwEglncm91cE5hbWUaESIPeyJ2YWx1ZSI6Inh5eiJ9");
  info = from_server(WPS_DATA_JSON, "{\"a\":1}");
  deliver(&info);
  sends("12 13 0A 06 73 65 72 76 65 72 1A 09 22 07 7B 22 61 22 3A 31 7D");
  info = from_group("g", WPS_DATA_BINARY, "");
  info.tags = tags;
  info.tag_count = 1;
  deliver(&info);
  sends("12{0A{.group} 12{.g} 1A{12{}} 2A{0A{.k} 12{.v}}}");
  info = from_server(WPS_DATA_PROTOBUF, "\x0a\x01u\x12\x01v");
  deliver(&info);
  sends("12{0A{.server} 1A{1A{0A{.u} 12{.v}}}}");
  info = from_server(WPS_DATA_PROTOBUF, "\xff"); /* of a handler, unseen */
  deliver(&info);
  sends("12{0A{.server} 1A{12{FF}}}");
}
END_TEST

START_TEST(fragments)
{
  struct wps_pair props[] = {
      {WPS_STR_INIT("stream.id"), WPS_STR_INIT("s1")},
      {WPS_STR_INIT("stream.seq"), WPS_STR_INIT("1")},
      {WPS_STR_INIT("stream.end"), WPS_STR_INIT("")},
      {WPS_STR_INIT("stream.error.name"), WPS_STR_INIT("UserError")},
      {WPS_STR_INIT("stream.error.message"), WPS_STR_INIT("boom")},
      {WPS_STR_INIT("stream.error.code"), WPS_STR_INIT("E1")}};
  struct wps_message_info info = from_group("chat", WPS_DATA_TEXT, "hi");

  (void)next_sent();
  info.props = props;
  info.prop_count = 2;
  deliver(&info);
  sends("12 1B 0A 05 67 72 6F 75 70 12 04 63 68 61 74 1A 04 0A 02 68 69 32 06 "
        "0A 02 73 31 10 01");
  info.data.len = 0;
  props[1].value = S("2");
  info.prop_count = 3;
  deliver(&info);
  sends("12 1B 0A 05 67 72 6F 75 70 12 04 63 68 61 74 1A 02 0A 00 32 08 0A 02 "
        "73 31 10 02 18 01");
  info.prop_count = 6;
  deliver(&info);
  sends("12{0A{.group} 12{.chat} 1A{0A{}} 32{0A{.s1} 10 02 18 01 "
        "22{0A{.UserError} 12{.boom} 1A{.E1}}}}");
  info.prop_count = 4;
  deliver(&info);
  sends("12{0A{.group} 12{.chat} 1A{0A{}} 32{0A{.s1} 10 02 18 01 "
        "22{0A{.UserError}}}}");
}
END_TEST

START_TEST(stream_answers)
{
  static const struct azure_error gap = {WPS_STR_INIT("InvalidSequenceId"),
                                         WPS_STR_INIT("gap")};
  static const struct azure_error idle = {WPS_STR_INIT("IdleTimeout"),
                                          WPS_STR_INIT("idle")};

  (void)next_sent();
  writer()->stream_ack(conn, S("s1"), 1);
  sends("32 06 0A 02 73 31 10 01");
  writer()->stream_nack(conn, S("s1"), &gap, 2);
  sends("3A 1E 0A 02 73 31 12 11 49 6E 76 61 6C 69 64 53 65 71 75 65 6E 63 65 "
        "49 64 1A 03 67 61 70 20 02");
  writer()->stream_closed(conn, S("s1"), NULL);
  sends("42 04 0A 02 73 31");
  writer()->stream_closed(conn, S("s1"), &idle);
  sends("42 19 0A 02 73 31 12 13 0A 0B 49 64 6C 65 54 69 6D 65 6F 75 74 12 04 "
        "69 64 6C 65");
}
END_TEST

START_TEST(invoke_responses)
{
  static const struct wps_pair tags[] = {
      {WPS_STR_INIT("k"), WPS_STR_INIT("v")}};
  static const struct azure_error error = {WPS_STR_INIT("NotFound"),
                                           WPS_STR_INIT("x")};
  struct wps_message_info body = from_server(WPS_DATA_TEXT, "hi");

  (void)next_sent();
  writer()->invoke_response(conn, S("1"), NULL, &body, true);
  sends("2A 0B 0A 01 31 10 01 1A 04 0A 02 68 69");
  writer()->invoke_response(conn, S("1"), &error, NULL, false);
  sends("2A 12 0A 01 31 22 0D 0A 08 4E 6F 74 46 6F 75 6E 64 12 01 78");
  writer()->invoke_response(conn, S("1"), NULL, NULL, false);
  sends("2A 05 0A 01 31 10 01");
  body.tags = tags;
  body.tag_count = 1;
  writer()->invoke_response(conn, S("1"), NULL, &body, false);
  sends("2A{0A{.1} 10 01 2A{0A{.k} 12{.v}}}");
  body.data_type = WPS_DATA_BINARY;
  writer()->invoke_response(conn, S("1"), NULL, &body, true);
  sends("2A{0A{.1} 10 01 1A{12{.hi}} 2A{0A{.k} 12{.v}}}");
}
END_TEST

START_TEST(states)
{
  static const struct wps_pair typing[] = {
      {WPS_STR_INIT("activity"), WPS_STR_INIT("typing")}};
  struct wps_message_info info = state_of("chat-room", typing, 1, 0);
  struct wps_message *items[2], *snapshot;

  (void)next_sent();
  info.conn = S("conn-a1");
  info.created_unix_ms = INT64_C(1741652400000);
  deliver(&info);
  sends("4A{0A{.chat-room} 12{0A{.conn-a1} 12{.alice} 1A{0A{0A{.activity} "
        "12{.typing}}} 20 80 AF CA 94 D8 32}}");
  info.flags = WPS_MESSAGE_CLEARED;
  info.tag_count = 0;
  info.user = (struct wps_str){NULL, 0};
  deliver(&info);
  sends("4A{0A{.chat-room} 12{0A{.conn-a1} 20 80 AF CA 94 D8 32}}");
  info.flags = 0; /* a state without entries is one */
  deliver(&info);
  sends("4A{0A{.chat-room} 12{0A{.conn-a1} 1A{} 20 80 AF CA 94 D8 32}}");

  snapshot = writer()->snapshot(S("chat"), NULL, 0);
  ck_assert_int_eq(wps->conn->deliver(conn, snapshot), WPS_OK);
  sends("52 06 0A 04 63 68 61 74");
  wps->message->unref(snapshot);
  snapshot = writer()->snapshot(S("empty-room"), NULL, 0);
  ck_assert_int_eq(wps->conn->deliver(conn, snapshot), WPS_OK);
  sends_base64("UgwKCmVtcHR5LXJvb20=");
  wps->message->unref(snapshot);

  info = state_of("chat", typing, 1, 5);
  items[0] = message(&info);
  info.conn = S("conn2");
  info.tag_count = 0;
  items[1] = message(&info);
  snapshot = writer()->snapshot(S("chat"), items, 2);
  ck_assert_int_eq(wps->conn->deliver(conn, snapshot), WPS_OK);
  sends("52{0A{.chat} 12{0A{.conn1} 12{.alice} 1A{0A{0A{.activity} "
        "12{.typing}}} 20 05} 12{0A{.conn2} 12{.alice} 1A{} 20 05}}");
  wps->message->unref(snapshot);
  fake.no_memory = true;
  ck_assert_ptr_null(writer()->snapshot(S("chat"), items, 2));
  fake.no_memory = false;
  wps->message->unref(items[0]);
  wps->message->unref(items[1]);
}
END_TEST

START_TEST(states_of_the_official_clients)
{
  static const struct wps_pair typing[] = {
      {WPS_STR_INIT("activity"), WPS_STR_INIT("typing")}};
  struct wps_message_info info =
      state_of("chat-room", typing, 1, INT64_C(1741652400000));

  (void)next_sent();
  info.conn = S("conn-a1");
  deliver(&info);
  sends_base64(
      "SjoKCWNoYXQtcm9vbRItCgdjb25uLWExEgVhbGljZRoUChIKCGFjdGl2aXR5EgZ0eXBpbmcg"
      "gK/KlNgy");
  info.flags = WPS_MESSAGE_CLEARED;
  info.created_unix_ms = INT64_C(1741652405000);
  deliver(&info);
  sends_base64("SiQKCWNoYXQtcm9vbRIXCgdjb25uLWExEgVhbGljZSCI1sqU2DI=");
}
END_TEST

START_TEST(not_for_these_clients)
{
  struct wps_message_info info = from_group("g", WPS_DATA_JSON, "");
  struct wps_message *msg = message(&info);
  struct wps_frame *f;

  ck_assert_int_eq(ops->encode(inst, msg, PLAIN, &f), WPS_ENOTSUP);
  wps->message->unref(msg);
  info = from_group("g", WPS_DATA_TEXT, "x");
  info.kind = 9;
  msg = message(&info);
  ck_assert_int_eq(ops->encode(inst, msg, PLAIN, &f), WPS_ENOTSUP);
  wps->message->unref(msg);
  info.kind = WPS_MSG_DATA;
  msg = message(&info);
  fake.no_memory = true;
  ck_assert_int_eq(ops->encode(inst, msg, PLAIN, &f), WPS_ENOMEM);
  fake.no_memory = false;
  wps->message->unref(msg);
}
END_TEST

START_TEST(json_as_text)
{
  struct wps_message_info info = from_group("g", WPS_DATA_JSON, "[1]");

  (void)next_sent();
  deliver(&info);
  sends("12{0A{.group} 12{.g} 1A{0A{.[1]}}}");
}
END_TEST

START_TEST(json_as_text_in_answers)
{
  struct wps_message_info body = from_server(WPS_DATA_JSON, "[1]");

  (void)next_sent();
  writer()->invoke_response(conn, S("1"), NULL, &body, true);
  sends("2A{0A{.1} 10 01 1A{0A{.[1]}}}");
}
END_TEST

/* ---- reliable ---- */

START_TEST(sequence_numbers_come_first)
{
  static const struct wps_pair typing[] = {
      {WPS_STR_INIT("activity"), WPS_STR_INIT("typing")}};
  struct wps_message_info info = from_group("chat", WPS_DATA_TEXT, "hi");
  struct wps_message *snapshot;

  sends("1A{0A{0A{.conn-1} 12{.alice} 1A{.token1}}}");
  deliver(&info);
  sends("12{20 01 0A{.group} 12{.chat} 1A{0A{.hi}}}");
  info = state_of("chat", typing, 1, INT64_C(1760000000000));
  deliver(&info);
  sends("4A{18 02 0A{.chat} 12{0A{.conn1} 12{.alice} 1A{0A{0A{.activity} "
        "12{.typing}}} 20 80 80 B3 C1 9C 33}}");
  snapshot = writer()->snapshot(S("chat"), NULL, 0);
  ck_assert_int_eq(wps->conn->deliver(conn, snapshot), WPS_OK);
  sends("52{18 03 0A{.chat}}");
  wps->message->unref(snapshot);
  conn->sequence = 299;
  info = from_server(WPS_DATA_JSON, "1");
  deliver(&info);
  sends("12{20 AC 02 0A{.server} 1A{22{.1}}}");
}
END_TEST

START_TEST(sequence_ack)
{
  up("42 02 08 07");
  ck_assert_uint_eq(conn->acked, 7);
  up("42 00");
  ck_assert_uint_eq(conn->acked, 0);
}
END_TEST

START_TEST(a_large_frame_and_its_head)
{
  static char many[70000];
  struct wps_message_info info = from_group("g", WPS_DATA_TEXT, "");
  struct wps_bytes sent;
  struct pb_in in;
  struct pb_field f;

  (void)next_sent();
  memset(many, 'x', sizeof(many));
  info.data = (struct wps_bytes){many, sizeof(many)};
  deliver(&info);
  sent = next_sent();
  pb_in_init(&in, sent);
  ck_assert_int_eq(pb_next(&in, &f), 1);
  ck_assert_uint_eq(f.number, 2);
  ck_assert_ptr_eq(in.at, in.end);
  pb_in_init(&in, f.bytes);
  ck_assert_int_eq(pb_next(&in, &f), 1);
  ck_assert_uint_eq(f.number, 4);
  ck_assert_uint_eq(f.value, 1);
}
END_TEST

/* ---- what comes in ---- */

START_TEST(requests_reach_the_hub)
{
  const struct wps_message_info *info;

  (void)next_sent();
  up("32 08 0A 04 63 68 61 74 10 01");
  ck_assert_uint_eq(fake.asked[0].what, FAKE_JOIN);
  ck_assert_str_eq(fake.asked[0].name, "chat");
  fake_end(WPS_OK);
  sends("0A 04 08 01 10 01");
  up("0A 10 0A 04 63 68 61 74 10 03 1A 04 0A 02 68 69 20 01");
  ck_assert_uint_eq(fake.asked[1].what, FAKE_PUBLISH);
  ck_assert_uint_eq(fake.asked[1].target_flags, WPS_TARGET_NOT_SELF);
  info = wps->message->info(fake.asked[1].msg);
  ck_assert_uint_eq(info->data_type, WPS_DATA_TEXT);
  ck_assert_uint_eq(info->data.len, 2);
  fake_end(WPS_OK);
  sends("0A 04 08 03 10 01");
  up("4A 00");
  sends("22 00");
  up("42 02 08 07"); /* of a plain client: nothing */
  ck_assert_uint_eq(conn->acked, 0);
  sends(NULL);
}
END_TEST

START_TEST(malformed_closes)
{
  up("A0 06 01");
  ck_assert(conn->closed);
  ck_assert_uint_eq(conn->code, 1007);
  ck_assert_str_eq(
      conn->reason,
      "The client message is not a valid protobuf protocol message.");
  up("32 08 0A 04 63 68 61 74 10 01");
  ck_assert_uint_eq(fake.asked_count, 0);
}
END_TEST

START_TEST(text_closes)
{
  ck_assert_int_eq(frame(WPS_TEXT, "4A 00"), WPS_OK);
  ck_assert(conn->closed);
  ck_assert_uint_eq(conn->code, 1003);
  ck_assert_str_eq(conn->reason, "Only binary messages are allowed.");
}
END_TEST

static int negotiate(const char *name, uint32_t *variant)
{
  struct wps_str offer = {name, strlen(name)};
  struct wps_request req = {.offers = &offer, .offer_count = 1};
  struct wps_negotiation out = {.struct_size = sizeof(out), .selected = offer};
  int rc = ops->negotiate(inst, &req, offer, &out);

  *variant = out.variant;
  return rc;
}

START_TEST(names)
{
  uint32_t variant;

  ck_assert_int_eq(negotiate("protobuf.webpubsub.azure.v1", &variant), WPS_OK);
  ck_assert_uint_eq(variant, PLAIN);
  ck_assert_int_eq(negotiate("Protobuf.Reliable.WebPubSub.Azure.V1", &variant),
                   WPS_OK);
  ck_assert_uint_eq(variant, RELIABLE);
  ck_assert_int_eq(negotiate("protobuf.webpubsub.azure", &variant),
                   WPS_ENOTSUP);
  teardown();
  fake.early_names = true;
  setup();
  ck_assert_int_eq(negotiate("protobuf.webpubsub.azure", &variant), WPS_OK);
  ck_assert_uint_eq(variant, PLAIN);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("subprotocol-protobuf");
  TCase *plain = tcase_create("plain");
  TCase *text = tcase_create("json as text");
  TCase *reliable = tcase_create("reliable");
  SRunner *r;
  int failed;

  tcase_add_checked_fixture(plain, setup, teardown);
  tcase_add_test(plain, greeting);
  tcase_add_test(plain, acks);
  tcase_add_test(plain, system_messages);
  tcase_add_test(plain, long_control_messages);
  tcase_add_test(plain, group_messages);
  tcase_add_test(plain, fragments);
  tcase_add_test(plain, stream_answers);
  tcase_add_test(plain, invoke_responses);
  tcase_add_test(plain, states);
  tcase_add_test(plain, states_of_the_official_clients);
  tcase_add_test(plain, not_for_these_clients);
  tcase_add_test(plain, requests_reach_the_hub);
  tcase_add_test(plain, malformed_closes);
  tcase_add_test(plain, text_closes);
  tcase_add_test(plain, names);
  tcase_add_checked_fixture(text, setup_text, teardown);
  tcase_add_test(text, json_as_text);
  tcase_add_test(text, json_as_text_in_answers);
  tcase_add_checked_fixture(reliable, setup_reliable, teardown);
  tcase_add_test(reliable, sequence_numbers_come_first);
  tcase_add_test(reliable, sequence_ack);
  tcase_add_test(reliable, a_large_frame_and_its_head);
  suite_add_tcase(s, plain);
  suite_add_tcase(s, text);
  suite_add_tcase(s, reliable);
  r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
