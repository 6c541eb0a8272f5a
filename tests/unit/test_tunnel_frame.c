/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of tunnels: the vectors of azure-server.md 9.4 both ways, other ways
 * to write the same, and what is none. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <webpubsub/host.h>
#include <webpubsub/status.h>

#include "plugins/common/b64.h"
#include "plugins/common/cloudevents/text.h"
#include "plugins/upstream-tunnel/frame.h"
#include "plugins/upstream-tunnel/message.h"
#include "plugins/upstream-tunnel/path.h"

const struct wps_host *wps = NULL; /* nothing here has one */

static bool equal(struct wps_str a, const char *b)
{
  return str_equal(a, str_of(b)) && (a.ptr == NULL) == (b == NULL);
}

/* ---- vectors ---- */

static const struct wps_pair a_is_b[] = {
    {WPS_STR_INIT("a"), WPS_STR_INIT("b")}};

static const struct {
  struct tunnel_message m;
  const char *base64;
} vectors[] = {
    {{.type = TUNNEL_CONNECTED,
      .connection = WPS_STR_INIT("a"),
      .user = WPS_STR_INIT("b"),
      .token = WPS_STR_INIT("c")},
     "WQAAAJMK2VR7IlR5cGUiOjEwLCJDb25uZWN0aW9uSWQiOiJhIiwiVXNlcklkIjoiYiIsIlJl"
     "Y29ubmVjdGlvblRva2VuIjoiYyIsIlRyYWNpbmdJZCI6bnVsbH3A"},
    {{.type = TUNNEL_REBALANCE,
      .target = WPS_STR_INIT("a"),
      .endpoint = WPS_STR_INIT("b"),
      .text = WPS_STR_INIT("c")},
     "TAAAAJMI2Ud7IlR5cGUiOjgsIlRhcmdldElkIjoiYSIsIkVuZHBvaW50IjoiYiIsIk1lc3Nh"
     "Z2UiOiJjIiwiVHJhY2luZ0lkIjpudWxsfcA="},
    {{.type = TUNNEL_RECONNECT,
      .target = WPS_STR_INIT("a"),
      .endpoint = WPS_STR_INIT("b"),
      .text = WPS_STR_INIT("c")},
     "TAAAAJMG2Ud7IlR5cGUiOjYsIlRhcmdldElkIjoiYSIsIkVuZHBvaW50IjoiYiIsIk1lc3Nh"
     "Z2UiOiJjIiwiVHJhY2luZ0lkIjpudWxsfcA="},
    {{.type = TUNNEL_STATUS, .text = WPS_STR_INIT("a")},
     "LgAAAJMF2Sl7IlR5cGUiOjUsIk1lc3NhZ2UiOiJhIiwiVHJhY2luZ0lkIjpudWxsfcA="},
    {{.type = TUNNEL_CLOSE, .text = WPS_STR_INIT("a")},
     "LgAAAJMH2Sl7IlR5cGUiOjcsIk1lc3NhZ2UiOiJhIiwiVHJhY2luZ0lkIjpudWxsfcA="},
    {{.type = TUNNEL_REQUEST,
      .ack = 1,
      .method = WPS_STR_INIT("HEAD"),
      .url = WPS_STR_INIT("a"),
      .headers = a_is_b,
      .header_count = 1,
      .local_routing = true,
      .channel = WPS_STR_INIT("a"),
      .content = {"Hello", 5}},
     "igAAAJMB2X97IlR5cGUiOjEsIkFja0lkIjoxLCJIdHRwTWV0aG9kIjoiSEVBRCIsIlVybCI6"
     "ImEiLCJIZWFkZXJzIjp7ImEiOlsiYiJdfSwiTG9jYWxSb3V0aW5nIjp0cnVlLCJDaGFubmVs"
     "TmFtZSI6ImEiLCJUcmFjaW5nSWQiOm51bGx9xAVIZWxsbw=="},
    {{.type = TUNNEL_RESPONSE,
      .ack = 1,
      .code = 200,
      .headers = a_is_b,
      .header_count = 1,
      .local_routing = true,
      .channel = WPS_STR_INIT("a"),
      .content = {"Hello", 5}},
     "kgAAAJMC2Yd7IlR5cGUiOjIsIkFja0lkIjoxLCJTdGF0dXNDb2RlIjoyMDAsIkhlYWRlcnMi"
     "OnsiYSI6WyJiIl19LCJMb2NhbFJvdXRpbmciOnRydWUsIkNoYW5uZWxOYW1lIjoiYSIsIk5v"
     "dENvbXBsZXRlZCI6ZmFsc2UsIlRyYWNpbmdJZCI6bnVsbH3EBUhlbGxv"},
};
enum { VECTORS = sizeof(vectors) / sizeof(vectors[0]) };

/* Decoded, in a block of its exact size. */
static char *bytes_of(const char *base64, size_t *len)
{
  struct wps_str text = str_of(base64);
  char *bytes = malloc(text.len);

  ck_assert_ptr_nonnull(bytes);
  ck_assert_int_eq(b64_decode(text, bytes, len), WPS_OK);
  return bytes;
}

static bool same(struct wps_str a, struct wps_str b)
{
  return str_equal(a, b) && (a.ptr == NULL) == (b.ptr == NULL);
}

START_TEST(s117_vectors)
{
  const struct tunnel_message *m = &vectors[_i].m;
  struct tunnel_message_in in;
  struct text out = {0};
  size_t len;
  char *bytes = bytes_of(vectors[_i].base64, &len);

  tunnel_message_write(m, &out);
  ck_assert_uint_eq(out.len, len);
  ck_assert_mem_eq(out.ptr, bytes, len);
  ck_assert_int_eq(tunnel_message_read((struct wps_bytes){bytes, len}, &in),
                   WPS_OK);
  ck_assert_uint_eq(in.m.type, m->type);
  ck_assert_uint_eq(in.m.code, m->code);
  ck_assert_uint_eq(in.m.ack, m->ack);
  ck_assert_int_eq(in.m.local_routing, m->local_routing);
  ck_assert_int_eq(in.m.not_completed, m->not_completed);
  ck_assert(same(in.m.method, m->method) && same(in.m.url, m->url));
  ck_assert(same(in.m.channel, m->channel) && same(in.m.target, m->target));
  ck_assert(same(in.m.endpoint, m->endpoint) && same(in.m.text, m->text));
  ck_assert(same(in.m.connection, m->connection));
  ck_assert(same(in.m.user, m->user) && same(in.m.token, m->token));
  ck_assert_uint_eq(in.m.header_count, m->header_count);
  for (size_t i = 0; i < m->header_count; i++) {
    ck_assert(same(in.m.headers[i].name, m->headers[i].name));
    ck_assert(same(in.m.headers[i].value, m->headers[i].value));
  }
  ck_assert_uint_eq(in.m.content.len, m->content.len);
  if (m->content.len > 0)
    ck_assert_mem_eq(in.m.content.ptr, m->content.ptr, m->content.len);
  tunnel_message_free(&in);
  /* Cut anywhere it is none. */
  for (size_t cut = 0; cut < len; cut++)
    ck_assert_int_eq(tunnel_message_read((struct wps_bytes){bytes, cut}, &in),
                     WPS_EPROTO);
  text_free(&out);
  free(bytes);
}
END_TEST

START_TEST(s116_the_minimal_greeting)
{
  static const char json[] = "{\"Type\":10,\"ConnectionId\":\"t1\",\"UserId\":"
                             "null,\"ReconnectionToken\":null,\"TracingId\":"
                             "null}";
  const struct tunnel_message m = {.type = TUNNEL_CONNECTED,
                                   .connection = STR("t1")};
  struct text out = {0};

  tunnel_message_write(&m, &out);
  ck_assert_uint_eq(out.len, 96);
  ck_assert_mem_eq(out.ptr, "\x5c\0\0\0\x93\x0a\xd9\x57", 8);
  ck_assert_mem_eq(out.ptr + 8, json, 87);
  ck_assert_int_eq(out.ptr[95], (char)0xc0);
  text_free(&out);
}
END_TEST

/* ---- frames ---- */

static struct frame f;

/* Length and body, from an exact copy that stays until the next one. */
static int read_body(const char *body, size_t len, size_t more)
{
  static char *copy;
  int rc;

  free(copy);
  copy = malloc(len + more + 4);
  ck_assert_ptr_nonnull(copy);
  for (int i = 0; i < 4; i++)
    copy[i] = (char)(len >> (8 * i) & 0xff);
  if (len > 0)
    memcpy(copy + 4, body, len);
  memset(copy + 4 + len, 'x', more);
  rc = frame_read((struct wps_bytes){copy, len + more + 4}, &f);
  return rc;
}

#define READ(literal) read_body("" literal, sizeof(literal) - 1, 0)

START_TEST(any_width)
{
  static const char *const types[] = {"\x02",
                                      "\xcc\x02",
                                      "\xcd\0\x02",
                                      "\xce\0\0\0\x02",
                                      "\xcf\0\0\0\0\0\0\0\x02",
                                      "\xd0\x02"};
  static const size_t type_len[] = {1, 2, 3, 5, 9, 2};
  static const char *const jsons[] = {"\xa2{}", "\xd9\x02{}", "\xda\0\x02{}",
                                      "\xdb\0\0\0\x02{}"};
  static const size_t json_len[] = {3, 4, 5, 7};
  static const char *const contents[] = {
      "\xc4\x01z", "\xc5\0\x01z", "\xc6\0\0\0\x01z", "\xa1z", "\xd9\x01z"};
  static const size_t content_len[] = {3, 4, 6, 2, 3};
  static const char *const arrays[] = {"\x93", "\xdc\0\x03", "\xdd\0\0\0\x03"};
  static const size_t array_len[] = {1, 3, 5};

  for (size_t a = 0; a < 3; a++)
    for (size_t t = 0; t < 6; t++)
      for (size_t j = 0; j < 4; j++)
        for (size_t c = 0; c < 5; c++) {
          struct text body = {0};

          text_add(&body, arrays[a], array_len[a]);
          text_add(&body, types[t], type_len[t]);
          text_add(&body, jsons[j], json_len[j]);
          text_add(&body, contents[c], content_len[c]);
          ck_assert_int_eq(read_body(body.ptr, body.len, 0), WPS_OK);
          ck_assert_uint_eq(f.type, 2);
          ck_assert(equal(f.json, "{}"));
          ck_assert_uint_eq(f.content.len, 1);
          ck_assert_mem_eq(f.content.ptr, "z", 1);
          text_free(&body);
        }
}
END_TEST

START_TEST(no_content_and_an_empty_one)
{
  ck_assert_int_eq(READ("\x93\x05\xa2{}\xc0"), WPS_OK);
  ck_assert_ptr_null(f.content.ptr);
  ck_assert_int_eq(READ("\x93\x05\xa2{}\xc4\0"), WPS_OK);
  ck_assert_ptr_nonnull(f.content.ptr);
  ck_assert_uint_eq(f.content.len, 0);
}
END_TEST

START_TEST(bytes_behind_the_length_do_not_count)
{
  ck_assert_int_eq(read_body("\x93\x05\xa2{}\xc0", 6, 10), WPS_OK);
  ck_assert_uint_eq(f.type, 5);
}
END_TEST

START_TEST(what_is_no_frame)
{
  ck_assert_int_eq(frame_read((struct wps_bytes){"", 0}, &f), WPS_EPROTO);
  ck_assert_int_eq(frame_read((struct wps_bytes){"\0\0\0", 3}, &f), WPS_EPROTO);
  ck_assert_int_eq(frame_read((struct wps_bytes){"\0\0\0\0", 4}, &f),
                   WPS_EPROTO);
  ck_assert_int_eq(
      frame_read((struct wps_bytes){"\xff\xff\xff\xff\x93", 5}, &f),
      WPS_EPROTO);
  ck_assert_int_eq(READ("\x92\x05\xa2{}"), WPS_EPROTO);
  ck_assert_int_eq(READ("\x94\x05\xa2{}\xc0\xc0"), WPS_EPROTO);
  ck_assert_int_eq(READ("\x93\x05\xa2{}"), WPS_EPROTO);
  ck_assert_int_eq(READ("\x93\x05\xa2{}\xc0\xc0"), WPS_EPROTO);
  ck_assert_int_eq(READ("\x93\xff\xa2{}\xc0"), WPS_EPROTO);
  ck_assert_int_eq(READ("\x93\xa1z\xa2{}\xc0"), WPS_EPROTO);
  ck_assert_int_eq(READ("\x93\xcf\0\0\0\x01\0\0\0\0\xa2{}\xc0"), WPS_EPROTO);
  ck_assert_int_eq(READ("\x93\x05\xc4\x02{}\xc0"), WPS_EPROTO);
  ck_assert_int_eq(READ("\x93\x05\xc0\xc0"), WPS_EPROTO);
  ck_assert_int_eq(READ("\x93\x05\xa2{}\x01"), WPS_EPROTO);
  ck_assert_int_eq(READ("\x93\x05\xa2{}\xc3"), WPS_EPROTO);
  ck_assert_int_eq(READ("\x93\x05\xa2{}\xcb\0\0\0\0\0\0\0\0"), WPS_EPROTO);
  ck_assert_int_eq(READ("\x93\x05\xa2{}\x90"), WPS_EPROTO);
  ck_assert_int_eq(READ("\x93\x05\xa2{}\x81\xa1z\x01"), WPS_EPROTO);
  ck_assert_int_eq(READ("\x93\x05\xa2{}\xd4\x01\x02"), WPS_EPROTO);
  ck_assert_int_eq(READ("\x93\x05\xa2{}\xc6\xff\xff\xff\xff"), WPS_EPROTO);
  ck_assert_int_eq(READ("\x93\x05\xdb\xff\xff\xff\xff{}\xc0"), WPS_EPROTO);
}
END_TEST

START_TEST(frames_are_bounded)
{
  char *much = calloc(1, FRAME_CONTENT_MAX + 1);
  struct frame one = {.type = 1, .json = {much, FRAME_JSON_MAX}};
  struct text out = {0};

  one.content = (struct wps_bytes){much, FRAME_CONTENT_MAX};
  frame_write(&one, &out);
  ck_assert(out.len <= FRAME_MAX);
  ck_assert_int_eq(frame_read((struct wps_bytes){out.ptr, out.len}, &f),
                   WPS_OK);
  text_clear(&out);
  one.content.len++;
  frame_write(&one, &out);
  ck_assert_int_eq(frame_read((struct wps_bytes){out.ptr, out.len}, &f),
                   WPS_ETOOBIG);
  text_clear(&out);
  one.content.len = 0;
  one.json.len++;
  frame_write(&one, &out);
  ck_assert_int_eq(frame_read((struct wps_bytes){out.ptr, out.len}, &f),
                   WPS_ETOOBIG);
  text_free(&out);
  free(much);
}
END_TEST

/* ---- messages ---- */

static struct tunnel_message_in in;

static int message(uint32_t type, const char *json)
{
  struct frame one = {.type = type, .json = str_of(json)};
  struct text out = {0};
  int rc;

  tunnel_message_free(&in);
  frame_write(&one, &out);
  rc = tunnel_message_read((struct wps_bytes){out.ptr, out.len}, &in);
  text_free(&out);
  return rc;
}

START_TEST(s123_headers_in_any_form)
{
  ck_assert_int_eq(
      message(2, "{\"AckId\":7,\"StatusCode\":200,\"Headers\":{"
                 "\"CE-ConnectionState\":\"s\",\"a\":[\"1\",\"2\"],\"b\":[],"
                 "\"c\":null},\"more\":1}"),
      WPS_OK);
  ck_assert_uint_eq(in.m.header_count, 3);
  ck_assert(equal(in.m.headers[0].name, "CE-ConnectionState"));
  ck_assert(equal(in.m.headers[0].value, "s"));
  ck_assert(equal(in.m.headers[2].name, "a"));
  ck_assert(equal(in.m.headers[2].value, "2"));
  ck_assert(!in.m.not_completed && !in.m.local_routing);
  ck_assert_ptr_null(in.m.channel.ptr);
  ck_assert_int_eq(message(2, "{\"AckId\":7,\"StatusCode\":200,\"Headers\":{},"
                              "\"NotCompleted\":true}"),
                   WPS_OK);
  ck_assert_uint_eq(in.m.header_count, 0);
  ck_assert(in.m.not_completed);
  tunnel_message_free(&in);
}
END_TEST

START_TEST(what_is_no_message)
{
  static const char *const responses[] = {
      "",
      "[]",
      "1",
      "{",
      "{}",
      "{\"AckId\":1}",
      "{\"AckId\":\"1\",\"StatusCode\":200}",
      "{\"AckId\":-1,\"StatusCode\":200}",
      "{\"AckId\":1.5,\"StatusCode\":200}",
      "{\"AckId\":1,\"StatusCode\":\"200\"}",
      "{\"AckId\":1,\"StatusCode\":1000}",
      "{\"AckId\":1,\"StatusCode\":200,\"Headers\":[]}",
      "{\"AckId\":1,\"StatusCode\":200,\"Headers\":{\"a\":1}}",
      "{\"AckId\":1,\"StatusCode\":200,\"Headers\":{\"a\":[1]}}",
      "{\"AckId\":1,\"StatusCode\":200,\"NotCompleted\":0}",
      "{\"AckId\":1,\"StatusCode\":200,\"ChannelName\":0}",
      "{\"AckId\":1,\"StatusCode\":200,\"ChannelName\":\"\\u0000\"}",
      "{\"AckId\":1,\"StatusCode\":200,\"ChannelName\":\"\xff\"}",
      "{\"AckId\":99999999999999999999,\"StatusCode\":200}",
  };

  for (size_t i = 0; i < sizeof(responses) / sizeof(responses[0]); i++)
    ck_assert_msg(message(2, responses[i]) == WPS_EPROTO, "%s", responses[i]);
  ck_assert_int_eq(message(1, "{\"AckId\":1,\"HttpMethod\":\"GET\"}"),
                   WPS_EPROTO);
  ck_assert_int_eq(message(1, "{\"AckId\":1,\"Url\":\"/\"}"), WPS_EPROTO);
  ck_assert_int_eq(message(10, "{\"ConnectionId\":1}"), WPS_EPROTO);
  ck_assert_int_eq(message(6, "{\"TargetId\":1}"), WPS_EPROTO);
  /* Others do not count. */
  ck_assert_int_eq(message(3, "no JSON"), WPS_OK);
  ck_assert_uint_eq(in.m.type, 3);
}
END_TEST

START_TEST(headers_of_one_name_are_one_member)
{
  static const struct wps_pair headers[] = {{WPS_STR_INIT("A"), STR("1")},
                                            {WPS_STR_INIT("B"), STR("2")},
                                            {WPS_STR_INIT("a"), STR("\"3\"")}};
  const struct tunnel_message m = {.type = TUNNEL_RESPONSE,
                                   .code = 200,
                                   .channel = STR(""),
                                   .headers = headers,
                                   .header_count = 3};
  static const char wanted[] = "\"Headers\":{\"A\":[\"1\",\"\\\"3\\\"\"],"
                               "\"B\":[\"2\"]}";
  struct text out = {0};
  const char *found;

  tunnel_message_write(&m, &out);
  text_terminate(&out);
  found = strstr(out.ptr + 8, "\"Headers\"");
  ck_assert_ptr_nonnull(found);
  ck_assert(strncmp(found, wanted, sizeof(wanted) - 1) == 0);
  text_free(&out);
}
END_TEST

/* ---- paths ---- */

static const char *target_of(const char *url)
{
  static char out[100];
  struct wps_str target;

  if (!path_target(str_of(url), &target))
    return NULL;
  snprintf(out, sizeof(out), "%.*s", STR_ARG(target));
  return out;
}

START_TEST(s121_targets)
{
  ck_assert_str_eq(target_of("https://host/api/hubs/a?b=c"), "/api/hubs/a?b=c");
  ck_assert_str_eq(target_of("x://u:p@[::1]:80/api#f"), "/api");
  ck_assert_str_eq(target_of("/api/hubs/a"), "/api/hubs/a");
  ck_assert_str_eq(target_of("/a://b/c"), "/a://b/c");
  ck_assert_ptr_null(target_of(""));
  ck_assert_ptr_null(target_of("https://host"));
  ck_assert_ptr_null(target_of("https://host?/api"));
  ck_assert_ptr_null(target_of("api/hubs"));
}
END_TEST

static bool is_of(const char *target, const char *hub)
{
  return path_is_of_hub(str_of(target), str_of(hub));
}

START_TEST(s121_hubs)
{
  ck_assert(is_of("/api/hubs/chat/:send", "chat"));
  ck_assert(is_of("/api/hubs/chat", "chat"));
  ck_assert(is_of("/api/hubs/CH%41t/:send?x=/", "chat"));
  ck_assert(!is_of("/api/hubs/chat2/:send", "chat"));
  ck_assert(!is_of("/api/hubs/cha/:send", "chat"));
  ck_assert(!is_of("/api/hubs/cha%/:send", "cha"));
  ck_assert(!is_of("/api/hubs//chat/:send", "chat"));
  ck_assert(!is_of("/api//hubs/chat/:send", "chat"));
  ck_assert(!is_of("//api/hubs/chat/:send", "chat"));
  ck_assert(!is_of("/API/hubs/chat/:send", "chat"));
  ck_assert(!is_of("/api/health", "chat"));
  ck_assert(!is_of("/api/hubs?/chat/", "chat"));
  ck_assert(!is_of("/api/hubs/%2563hat/", "chat"));
  ck_assert(!is_of("/api/hubs/chat%2F../", "chat"));
}
END_TEST

int main(void)
{
  Suite *s = suite_create("tunnel_frame");
  TCase *t = tcase_create("frame");
  SRunner *runner = srunner_create(s);
  int failed;

  tcase_add_loop_test(t, s117_vectors, 0, VECTORS);
  tcase_add_test(t, s116_the_minimal_greeting);
  tcase_add_test(t, any_width);
  tcase_add_test(t, no_content_and_an_empty_one);
  tcase_add_test(t, bytes_behind_the_length_do_not_count);
  tcase_add_test(t, what_is_no_frame);
  tcase_add_test(t, frames_are_bounded);
  tcase_add_test(t, s123_headers_in_any_form);
  tcase_add_test(t, what_is_no_message);
  tcase_add_test(t, headers_of_one_name_are_one_member);
  tcase_add_test(t, s121_targets);
  tcase_add_test(t, s121_hubs);
  suite_add_tcase(s, t);
  srunner_run_all(runner, CK_NORMAL);
  failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
