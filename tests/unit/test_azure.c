/* SPDX-License-Identifier: Apache-2.0 */
/* The rules that Azure subprotocols share, each file by itself. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/azure/acks.h"
#include "plugins/common/azure/client.h"
#include "plugins/common/azure/event.h"
#include "plugins/common/azure/handshake.h"
#include "plugins/common/azure/names.h"
#include "tests/unit/fake_host.h"

WPS_HIDDEN const struct wps_host *wps;

static struct wps_str str(const char *s)
{
  return (struct wps_str){s, s == NULL ? 0 : strlen(s)};
}

static struct wps_str repeat(char *buf, const char *unit, size_t times)
{
  size_t len = strlen(unit);

  for (size_t i = 0; i < times; i++)
    memcpy(buf + i * len, unit, len);
  return (struct wps_str){buf, times * len};
}

/* ---- names ---- */

START_TEST(groups)
{
  char buf[5000];

  ck_assert(azure_group_ok(str("a")));
  ck_assert(azure_group_ok(str(" a ")));
  ck_assert(azure_group_ok(str("/#+*\x01")));
  ck_assert(azure_group_ok((struct wps_str){"\0", 1}));
  ck_assert(!azure_group_ok(str("")));
  ck_assert(!azure_group_ok((struct wps_str){NULL, 0}));
  ck_assert(!azure_group_ok(str(" ")));
  ck_assert(!azure_group_ok(str("\t\n\r \xc2\xa0\xe2\x80\x83\xe3\x80\x80")));
  ck_assert(azure_group_ok(repeat(buf, "a", 1024)));
  ck_assert(!azure_group_ok(repeat(buf, "a", 1025)));
  /* UTF-16 units, not bytes: 1024 of three bytes, 512 of four. */
  ck_assert(azure_group_ok(repeat(buf, "\xe2\x82\xac", 1024)));
  ck_assert(!azure_group_ok(repeat(buf, "\xe2\x82\xac", 1025)));
  ck_assert(azure_group_ok(repeat(buf, "\xf0\x9f\x98\x80", 512)));
  ck_assert(!azure_group_ok(repeat(buf, "\xf0\x9f\x98\x80", 513)));
}
END_TEST

START_TEST(c74_events)
{
  char buf[200];

  ck_assert(azure_event_ok(str("Order-1.a_b")));
  ck_assert(azure_event_ok(str("a")));
  ck_assert(azure_event_ok(repeat(buf, "a", 128)));
  ck_assert(!azure_event_ok(repeat(buf, "a", 129)));
  ck_assert(!azure_event_ok(str("")));
  ck_assert(!azure_event_ok(str("1a")));
  ck_assert(!azure_event_ok(str("_a")));
  ck_assert(!azure_event_ok(str("a/b")));
  ck_assert(!azure_event_ok(str("a b")));
  ck_assert(!azure_event_ok(str("\xc3\xa9")));
  ck_assert(!azure_event_ok(str("a\xc3\xa9")));
}
END_TEST

START_TEST(c75_metadata)
{
  struct wps_pair pairs[3000];
  static char keys[3000][8];
  char long_value[1100];

  ck_assert(azure_metadata_pair_ok(str("!#$%&'*+-.^_`|~09azAZ"), str("")));
  ck_assert(azure_metadata_pair_ok(str("k"), str("\x01 ~\x7f")));
  ck_assert(!azure_metadata_pair_ok(str(""), str("v")));
  ck_assert(!azure_metadata_pair_ok(str("a b"), str("v")));
  ck_assert(!azure_metadata_pair_ok(str("a:"), str("v")));
  ck_assert(!azure_metadata_pair_ok((struct wps_str){"\0", 1}, str("v")));
  ck_assert(!azure_metadata_pair_ok(str("\xc3\xa9"), str("v")));
  ck_assert(!azure_metadata_pair_ok(str("k"), str("\xc3\xa9")));
  ck_assert(azure_metadata_pair_ok(repeat(long_value, "k", 256), str("")));
  ck_assert(!azure_metadata_pair_ok(repeat(long_value, "k", 257), str("")));
  ck_assert(azure_metadata_pair_ok(str("k"), repeat(long_value, "v", 1024)));
  ck_assert(!azure_metadata_pair_ok(str("k"), repeat(long_value, "v", 1025)));

  /* 8 KiB in all: eight of 1 + 1023. */
  for (int i = 0; i < 9; i++) {
    keys[i][0] = (char)('a' + i);
    pairs[i] = (struct wps_pair){{keys[i], 1}, {long_value, 1023}};
  }
  ck_assert_int_eq(azure_metadata_check(pairs, 8), WPS_OK);
  ck_assert_int_eq(azure_metadata_check(pairs, 9), WPS_EPROTO);
  pairs[7].value.len = 1024;
  ck_assert_int_eq(azure_metadata_check(pairs, 8), WPS_EPROTO);

  /* No key twice, few or many. */
  for (size_t n = 2; n < 1500; n += 37) {
    for (size_t i = 0; i < n; i++) {
      int len = snprintf(keys[i], sizeof(keys[i]), "%zx", i);

      pairs[i] = (struct wps_pair){{keys[i], (size_t)len}, {"", 0}};
    }
    ck_assert_int_eq(azure_metadata_check(pairs, n), WPS_OK);
    pairs[n - 1].name = pairs[n / 3].name;
    ck_assert_int_eq(azure_metadata_check(pairs, n), WPS_EPROTO);
  }
}
END_TEST

START_TEST(last_of_equal_names)
{
  struct wps_pair pairs[] = {{WPS_STR_INIT("a"), WPS_STR_INIT("1")},
                             {WPS_STR_INIT("b"), WPS_STR_INIT("2")},
                             {WPS_STR_INIT("a"), WPS_STR_INIT("3")},
                             {WPS_STR_INIT("ab"), WPS_STR_INIT("4")},
                             {WPS_STR_INIT("a"), WPS_STR_INIT("5")}};
  size_t count = 5;

  ck_assert_int_eq(azure_metadata_last(pairs, &count), WPS_OK);
  ck_assert_uint_eq(count, 3);
  ck_assert_mem_eq(pairs[0].value.ptr, "2", 1);
  ck_assert_mem_eq(pairs[1].value.ptr, "4", 1);
  ck_assert_mem_eq(pairs[2].value.ptr, "5", 1);
}
END_TEST

START_TEST(anys)
{
#define ANY(s) azure_any_ok((struct wps_bytes){s, sizeof(s) - 1})
  ck_assert(ANY(""));
  ck_assert(ANY("\x0a\x03"
                "a/b\x12\x02\x08\x01"));
  ck_assert(ANY("\x12\x00\x0a\x00"));
  ck_assert(ANY("\x18\x01\x25"
                "1234\x29"
                "12345678"));         /* unknown fields */
  ck_assert(ANY("\x1b\x23\x24\x1c")); /* groups */
  ck_assert(ANY("\x0a\x02\xc3\xa9"));
  ck_assert(!ANY("\x0a"));
  ck_assert(!ANY("\x0a\x03"
                 "ab"));
  ck_assert(!ANY("\x0a\x02\xc3\x28")); /* not UTF-8 */
  ck_assert(!ANY("\x02\x00"));         /* field 0 */
  ck_assert(!ANY("\x0f"));             /* wire type 7 */
  ck_assert(!ANY("\x1b\x24"));
  ck_assert(!ANY("\x1b"));
  ck_assert(!ANY("\x1c"));
  ck_assert(!ANY("\x25"
                 "123"));
  ck_assert(!ANY("\x29"
                 "1234567"));
  ck_assert(!ANY("\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
  ck_assert(!ANY("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
#undef ANY
}
END_TEST

/* ---- ack ids ---- */

static void succeed(struct azure_acks *acks, uint64_t id, uint32_t window)
{
  ck_assert_int_eq(azure_acks_begin(acks, id), WPS_OK);
  ck_assert_uint_eq(azure_acks_find(acks, id), AZURE_ACK_PENDING);
  azure_acks_end(acks, id, true, window);
}

START_TEST(acks_remember_successes)
{
  struct azure_acks acks = {0};

  ck_assert_uint_eq(azure_acks_find(&acks, 1), AZURE_ACK_NEW);
  succeed(&acks, 1, 1000);
  ck_assert_uint_eq(azure_acks_find(&acks, 1), AZURE_ACK_DONE);
  azure_acks_begin(&acks, 2);
  azure_acks_end(&acks, 2, false, 1000);
  ck_assert_uint_eq(azure_acks_find(&acks, 2), AZURE_ACK_NEW);
  succeed(&acks, 2, 1000);
  succeed(&acks, UINT64_MAX, 1000);
  succeed(&acks, 0, 1000);
  ck_assert_uint_eq(azure_acks_find(&acks, 2), AZURE_ACK_DONE);
  ck_assert_uint_eq(azure_acks_find(&acks, UINT64_MAX), AZURE_ACK_DONE);
  ck_assert_uint_eq(azure_acks_find(&acks, 0), AZURE_ACK_DONE);
  ck_assert_uint_eq(azure_acks_find(&acks, UINT64_MAX - 1), AZURE_ACK_NEW);
  azure_acks_clear(&acks);
}
END_TEST

START_TEST(c68_window_of_1000)
{
  struct azure_acks acks = {0};

  for (uint64_t id = 1; id <= 1000; id++)
    succeed(&acks, id, 1000);
  ck_assert_uint_eq(azure_acks_find(&acks, 1), AZURE_ACK_DONE);
  succeed(&acks, 1001, 1000);
  ck_assert_uint_eq(azure_acks_find(&acks, 1), AZURE_ACK_NEW);
  ck_assert_uint_eq(azure_acks_find(&acks, 2), AZURE_ACK_DONE);
  succeed(&acks, 1, 1000);
  ck_assert_uint_eq(azure_acks_find(&acks, 2), AZURE_ACK_NEW);
  ck_assert_uint_eq(azure_acks_find(&acks, 3), AZURE_ACK_DONE);
  ck_assert_uint_eq(azure_acks_find(&acks, 1), AZURE_ACK_DONE);
  azure_acks_clear(&acks);
}
END_TEST

/* Random ids against a plain list, side by side and far apart. */
START_TEST(acks_against_a_model)
{
  enum { WINDOW = 50, IDS = 300 };
  const uint64_t step = _i == 0 ? 1 : UINT64_C(0x9e3779b97f4a7c15);
  struct azure_acks acks = {0};
  uint64_t order[WINDOW];
  size_t count = 0;
  bool pending[IDS] = {false};
  uint64_t seed = 7;

  for (int round = 0; round < 200000; round++) {
    uint64_t id;
    bool done = false;

    seed = seed * 6364136223846793005u + 1442695040888963407u;
    id = (seed >> 33) % IDS;
    if (seed >> 62 == 0) /* a run of consecutive ones now and then */
      id = (uint64_t)round % IDS;
    for (size_t i = 0; i < count; i++)
      done = done || order[i] == id;
    ck_assert_uint_eq(azure_acks_find(&acks, id * step), done ? AZURE_ACK_DONE
                                                         : pending[id]
                                                             ? AZURE_ACK_PENDING
                                                             : AZURE_ACK_NEW);
    if (done)
      continue;
    if (!pending[id]) {
      ck_assert_int_eq(azure_acks_begin(&acks, id * step), WPS_OK);
      pending[id] = true;
      continue;
    }
    pending[id] = false;
    azure_acks_end(&acks, id * step, (seed >> 40 & 3) != 0, WINDOW);
    if ((seed >> 40 & 3) == 0)
      continue;
    if (count == WINDOW) {
      memmove(order, order + 1, (WINDOW - 1) * sizeof(order[0]));
      count--;
    }
    order[count++] = id;
  }
  azure_acks_clear(&acks);
}
END_TEST

/* Clients choose their ids, and many may be under way: no id costs more time
 * than another. */
START_TEST(acks_of_clients_that_do_not_count)
{
  enum { IDS = 100000 };
  struct azure_acks acks = {0};

  for (uint64_t i = 0; i < IDS; i++)
    ck_assert_int_eq(azure_acks_begin(&acks, i * 65), WPS_OK);
  for (uint64_t i = 0; i < IDS; i++) {
    ck_assert_uint_eq(azure_acks_find(&acks, i * 65), AZURE_ACK_PENDING);
    azure_acks_end(&acks, i * 65, true, IDS);
    ck_assert_uint_eq(azure_acks_find(&acks, i * 65), AZURE_ACK_DONE);
    ck_assert_uint_eq(azure_acks_find(&acks, i * 65 + 1), AZURE_ACK_NEW);
  }
  /* Counting again, they are forgotten from the oldest on. */
  for (uint64_t i = 1; i <= IDS; i++) {
    succeed(&acks, UINT64_MAX / 2 + i, IDS);
    ck_assert_uint_eq(azure_acks_find(&acks, (i - 1) * 65), AZURE_ACK_NEW);
    if (i < IDS)
      ck_assert_uint_eq(azure_acks_find(&acks, i * 65), AZURE_ACK_DONE);
  }
  ck_assert_uint_eq(azure_acks_find(&acks, UINT64_MAX / 2 + 1), AZURE_ACK_DONE);
  azure_acks_clear(&acks);
}
END_TEST

/* One run, and 32 under way: no memory. All that is known comes along when that
 * is not enough any more. */
START_TEST(acks_of_clients_that_count)
{
  for (int why = 0; why < 3; why++) {
    struct azure_acks acks = {0};

    for (uint64_t id = 0; id < 1000; id++) {
      ck_assert_int_eq(azure_acks_begin(&acks, id), WPS_OK);
      ck_assert_int_eq(azure_acks_begin(&acks, id + 31), WPS_OK);
      ck_assert_uint_eq(azure_acks_find(&acks, id + 31), AZURE_ACK_PENDING);
      ck_assert_uint_eq(azure_acks_find(&acks, id + 30), AZURE_ACK_NEW);
      azure_acks_end(&acks, id + 31, false, 100);
      azure_acks_end(&acks, id, true, 100);
      ck_assert_uint_eq(azure_acks_find(&acks, id), AZURE_ACK_DONE);
      ck_assert_uint_eq(azure_acks_find(&acks, id - 100), AZURE_ACK_NEW);
      ck_assert_uint_eq(azure_acks_find(&acks, id + 31), AZURE_ACK_NEW);
    }
    azure_acks_begin(&acks, 1000);
    azure_acks_begin(&acks, 1002);
    ck_assert_ptr_null(acks.many);
    if (why == 0)
      azure_acks_begin(&acks, 1032);
    else if (why == 1)
      azure_acks_begin(&acks, 800);
    else
      azure_acks_end(&acks, 1002, true, 100);
    ck_assert_ptr_nonnull(acks.many);
    ck_assert_uint_eq(azure_acks_find(&acks, why == 0   ? 1032
                                             : why == 1 ? 800
                                                        : 1000),
                      AZURE_ACK_PENDING);
    ck_assert_uint_eq(azure_acks_find(&acks, 1000), AZURE_ACK_PENDING);
    ck_assert_uint_eq(azure_acks_find(&acks, 1001), AZURE_ACK_NEW);
    ck_assert_uint_eq(azure_acks_find(&acks, 1002),
                      why == 2 ? AZURE_ACK_DONE : AZURE_ACK_PENDING);
    ck_assert_uint_eq(azure_acks_find(&acks, 999), AZURE_ACK_DONE);
    ck_assert_uint_eq(azure_acks_find(&acks, 901), AZURE_ACK_DONE);
    ck_assert_uint_eq(azure_acks_find(&acks, 900),
                      why == 2 ? AZURE_ACK_NEW : AZURE_ACK_DONE);
    azure_acks_end(&acks, 1000, true, 101);
    ck_assert_uint_eq(azure_acks_find(&acks, 1000), AZURE_ACK_DONE);
    azure_acks_clear(&acks);
  }
}
END_TEST

/* ---- handshake ---- */

static int negotiate(const char *const *query, const char *const *offers,
                     uint32_t kind, struct wps_negotiation *out)
{
  struct wps_pair pairs[8];
  struct wps_str names[8];
  struct wps_request req = {.query = pairs, .offers = names};

  for (; query != NULL && *query != NULL; query += 2)
    pairs[req.query_count++] = (struct wps_pair){str(query[0]), str(query[1])};
  for (; offers != NULL && *offers != NULL; offers++)
    names[req.offer_count++] = str(*offers);
  *out = (struct wps_negotiation){.struct_size = sizeof(*out),
                                  .selected = str("offered")};
  return azure_negotiate(&req, kind, out);
}

#define QUERY(...) ((const char *const[]){__VA_ARGS__, NULL, NULL})

static void refused(const char *const *query, const char *body)
{
  struct wps_negotiation out;

  for (uint32_t kind = AZURE_SIMPLE; kind <= AZURE_RELIABLE; kind++) {
    ck_assert_int_eq(negotiate(query, NULL, kind, &out), WPS_EINVAL);
    ck_assert_uint_eq(out.http_code, 400);
    ck_assert_uint_eq(out.reason.len, strlen(body));
    ck_assert_mem_eq(out.reason.ptr, body, strlen(body));
  }
}

static void taken(const char *const *query)
{
  struct wps_negotiation out;

  for (uint32_t kind = AZURE_SIMPLE; kind <= AZURE_RELIABLE; kind++) {
    ck_assert_int_eq(negotiate(query, NULL, kind, &out), WPS_OK);
    ck_assert_uint_eq(out.close_code, 0);
    ck_assert(out.resume_id.ptr == NULL);
    ck_assert_uint_eq(out.selected.len, 7);
  }
}

START_TEST(c22_c23_modes)
{
  static const char mode_text[] = "Only raw sendToGroup mode is supported.";
  static const char group_text[] = "The raw sendToGroup group name is invalid.";

  taken(NULL);
  taken(QUERY("webpubsub_mode", ""));
  taken(QUERY("webpubsub_mode", "SENDEVENT"));
  taken(QUERY("webpubsub_mode", "sendEvent", "group", "", "noEcho", "maybe"));
  taken(QUERY("webpubsub_mode", "SENDTOGROUP", "group", "room"));
  taken(QUERY("webpubsub_mode", "sendToGroup", "group", "r", "noEcho", "TRUE"));
  taken(QUERY("webpubsub_mode", "sendToGroup", "group", "r", "noEcho", ""));
  taken(QUERY("webpubsub_mode", "bad", "webpubsub_mode", "sendEvent"));
  taken(QUERY("WEBPUBSUB_MODE", "bad"));
  refused(QUERY("webpubsub_mode", "bad"), mode_text);
  refused(QUERY("webpubsub_mode", "sendEvent", "webpubsub_mode", "x"),
          mode_text);
  refused(QUERY("webpubsub_mode", "sendToGroup"), group_text);
  refused(QUERY("webpubsub_mode", "sendToGroup", "group", ""), group_text);
  refused(QUERY("webpubsub_mode", "sendToGroup", "group", " "), group_text);
  refused(QUERY("webpubsub_mode", "sendToGroup", "group", "a\xff"), group_text);
  refused(QUERY("webpubsub_mode", "sendToGroup", "group", "a", "group", ""),
          group_text);
  refused(
      QUERY("webpubsub_mode", "sendToGroup", "group", "a", "noEcho", "maybe"),
      "The raw sendToGroup noEcho value is invalid.");
}
END_TEST

START_TEST(recovery)
{
  const char *const *query =
      QUERY("access_token", "old", "awps_connection_id", "c1",
            "awps_reconnection_token", "t1", "webpubsub_mode", "bad");
  const char *const reliable[] = {"json.webpubsub.azure.v1",
                                  "JSON.reliable.webpubsub.azure.v1", NULL};
  const char *const plain[] = {"json.webpubsub.azure.v1", NULL};
  struct wps_negotiation out;

  ck_assert_int_eq(negotiate(query, reliable, AZURE_RELIABLE, &out), WPS_OK);
  ck_assert_mem_eq(out.resume_id.ptr, "c1", 2);
  ck_assert_mem_eq(out.resume_token.ptr, "t1", 2);
  ck_assert_uint_eq(out.close_code, 1008);
  ck_assert_uint_eq(out.selected.len, 7);
  ck_assert_uint_gt(out.reason.len, 0);

  ck_assert_int_eq(negotiate(query, reliable, AZURE_PLAIN, &out), WPS_ENOTSUP);
  ck_assert_int_eq(negotiate(query, plain, AZURE_PLAIN, &out), WPS_OK);
  ck_assert_uint_eq(out.close_code, 1008);
  ck_assert(out.resume_id.ptr == NULL);
  ck_assert_uint_eq(out.selected.len, 7); /* or ws would not see the 1008 */
  ck_assert_int_eq(negotiate(query, NULL, AZURE_SIMPLE, &out), WPS_OK);
  ck_assert_uint_eq(out.close_code, 1008);

  /* One of the two is a first handshake. */
  taken(QUERY("awps_connection_id", "c1"));
  taken(QUERY("awps_reconnection_token", "t1"));
}
END_TEST

/* ---- events ---- */

static struct wps_message *answer_message(const struct wps_pair *headers,
                                          size_t count, uint32_t type,
                                          const char *body)
{
  struct wps_message_info info = {
      .struct_size = sizeof(info), .data_type = type, .from = WPS_FROM_SERVER};
  struct wps_event_answer answer = {
      .struct_size = sizeof(answer), .headers = headers, .header_count = count};
  struct wps_message *out;

  if (body != NULL) {
    info.data = (struct wps_bytes){body, strlen(body)};
    answer.msg = wps->message->create(&info);
  }
  ck_assert_int_eq(azure_answer_message(&answer, &out), WPS_OK);
  if (answer.msg != NULL)
    wps->message->unref(answer.msg);
  return out;
}

static void tag_is(const struct wps_message *msg, size_t i, const char *key,
                   const char *value)
{
  const struct wps_message_info *info = wps->message->info(msg);

  ck_assert_uint_lt(i, info->tag_count);
  ck_assert_uint_eq(info->tags[i].name.len, strlen(key));
  ck_assert_mem_eq(info->tags[i].name.ptr, key, strlen(key));
  ck_assert_uint_eq(info->tags[i].value.len, strlen(value));
  if (*value != '\0')
    ck_assert_mem_eq(info->tags[i].value.ptr, value, strlen(value));
}

START_TEST(c76_answers)
{
  static const struct wps_pair headers[] = {
      {WPS_STR_INIT("Content-Type"), WPS_STR_INIT("text/plain")},
      {WPS_STR_INIT("x-webpubsub-metadata-Key"), WPS_STR_INIT("one")},
      {WPS_STR_INIT("X-WebPubSub-Metadata-b"), WPS_STR_INIT("x, y ,\t z ")},
      {WPS_STR_INIT("X-WEBPUBSUB-METADATA-KEY"), WPS_STR_INIT("two")},
      {WPS_STR_INIT("X-WebPubSub-Metadata-"), WPS_STR_INIT("no key")},
      {WPS_STR_INIT("X-WebPubSub-Metadata-c"), WPS_STR_INIT("\xc3\xa9")},
      {WPS_STR_INIT("X-WebPubSub-Metadata-d"), WPS_STR_INIT("a,")}};
  struct wps_message *out;

  ck_assert_int_eq(azure_answer_message(NULL, &out), WPS_OK);
  ck_assert(out == NULL);
  ck_assert(answer_message(NULL, 0, 0, NULL) == NULL);
  ck_assert(answer_message(NULL, 0, WPS_DATA_BINARY, "") == NULL);
  ck_assert(answer_message(headers, 1, WPS_DATA_BINARY, "") == NULL);

  out = answer_message(NULL, 0, WPS_DATA_JSON, "{}");
  ck_assert_uint_eq(wps->message->info(out)->data_type, WPS_DATA_JSON);
  wps->message->unref(out);

  out = answer_message(headers, 7, WPS_DATA_JSON, "{}");
  ck_assert_uint_eq(wps->message->info(out)->data_type, WPS_DATA_JSON);
  ck_assert_uint_eq(wps->message->info(out)->tag_count, 3);
  tag_is(out, 0, "b", "z");
  tag_is(out, 1, "key", "two");
  tag_is(out, 2, "d", "");
  wps->message->unref(out);

  /* Without a body: text, empty. */
  out = answer_message(headers, 7, WPS_DATA_BINARY, "");
  ck_assert_uint_eq(wps->message->info(out)->data_type, WPS_DATA_TEXT);
  ck_assert_uint_eq(wps->message->info(out)->data.len, 0);
  ck_assert_uint_eq(wps->message->info(out)->from, WPS_FROM_SERVER);
  wps->message->unref(out);
}
END_TEST

/* ---- closing ---- */

static char *kept;

static struct wps_closing close_for(uint32_t cause, uint32_t code,
                                    const char *reason, const char *words)
{
  struct wps_closing how = {.struct_size = sizeof(how),
                            .cause = cause,
                            .code = code,
                            .reason = str(reason),
                            .told = str(reason)};
  struct wps_str said;

  ck_assert(azure_closing(&how, &kept, &said) == (words != NULL));
  if (words != NULL)
    ck_assert(azure_equal(said, str(words)));
  return how;
}

static bool same(struct wps_str a, const char *b)
{
  return azure_equal(a, str(b));
}

START_TEST(closing_texts)
{
  struct wps_closing how;

  how = close_for(WPS_CLOSED_COMMAND, 1000, "bye",
                  "Application server closed the connection. Reason: bye");
  ck_assert_uint_eq(how.code, 1000);
  ck_assert(same(how.reason, "bye"));
  ck_assert(same(how.told, "Application server closed the connection. "
                           "Reason: bye"));
  how = close_for(WPS_CLOSED_COMMAND, 1000, "",
                  "Application server closed the connection.");
  ck_assert(same(how.told, "Application server closed the connection."));
  ck_assert(same(how.reason, ""));
  how = close_for(WPS_CLOSED_COMMAND, 1000, "\xff",
                  "Application server closed the connection.");
  ck_assert(same(how.reason, ""));
  how = close_for(WPS_CLOSED_SHUTDOWN, 1001, "x", NULL);
  ck_assert_uint_eq(how.code, 1001);
  ck_assert(same(how.told, "ServiceReload"));
  how = close_for(WPS_CLOSED_SLOW, 1000, "x", NULL);
  ck_assert_uint_eq(how.code, 1008);
  ck_assert(same(how.reason, "The outbound message queue is full."));
  ck_assert(same(how.told, "SlowClient"));
  how = close_for(WPS_CLOSED_SESSION_FULL, 1000, "x", NULL);
  ck_assert_uint_eq(how.code, 1008);
  ck_assert(same(how.reason, "The reliable message buffer is full."));
  how = close_for(WPS_CLOSED_FRAMING, 1002, "preset", NULL);
  ck_assert_uint_eq(how.code, 1002);
  ck_assert(same(how.reason, "preset"));
  how = close_for(WPS_CLOSED_TOO_BIG, 1009, "preset", NULL);
  ck_assert_uint_eq(how.code, 1009);
  ck_assert(same(how.told, "preset"));
  how = close_for(WPS_CLOSED_FAILURE, 1013, "x", "Internal server error");
  ck_assert_uint_eq(how.code, 1011);
  free(kept);
  kept = NULL;
}
END_TEST

static void setup(void)
{
  wps = &fake_host;
}

static void teardown(void)
{
  fake_reset();
}

int main(void)
{
  Suite *s = suite_create("azure");
  TCase *t = tcase_create("rules");
  SRunner *r;
  int failed;

  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, groups);
  tcase_add_test(t, c74_events);
  tcase_add_test(t, c75_metadata);
  tcase_add_test(t, last_of_equal_names);
  tcase_add_test(t, anys);
  tcase_add_test(t, acks_remember_successes);
  tcase_add_test(t, c68_window_of_1000);
  tcase_add_loop_test(t, acks_against_a_model, 0, 2);
  tcase_add_test(t, acks_of_clients_that_do_not_count);
  tcase_add_test(t, acks_of_clients_that_count);
  tcase_add_test(t, c22_c23_modes);
  tcase_add_test(t, recovery);
  tcase_add_test(t, c76_answers);
  tcase_add_test(t, closing_texts);
  suite_add_tcase(s, t);
  r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
