/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/subprotocol-protobuf/parse.h: the vectors of azure-client.md 6.4 and
 * the rules of 6.1. */
#include "plugins/subprotocol-protobuf/parse.h"

#include <stdarg.h>
#include <stdio.h>

#include <webpubsub/status.h>

#include "plugins/common/azure/names.h"
#include "plugins/common/b64.h"
#include "tests/unit/hex.h"

#define ANY_URL "type.googleapis.com/azure.webpubsub.TestMessage"

static char told[8192];
static size_t told_len;

static void tell(const char *format, ...)
{
  va_list args;

  va_start(args, format);
  told_len +=
      (size_t)vsnprintf(told + told_len, sizeof(told) - told_len, format, args);
  va_end(args);
  ck_assert_uint_lt(told_len, sizeof(told));
}

static void tell_str(const char *what, struct wps_str s)
{
  if (s.ptr != NULL)
    tell("%s%.*s", what, (int)s.len, s.ptr);
}

static void tell_pairs(const char *what, const struct wps_pair *pairs,
                       size_t count)
{
  for (size_t i = 0; i < count; i++)
    tell("%s%.*s=%.*s", what, (int)pairs[i].name.len, pairs[i].name.ptr,
         (int)pairs[i].value.len, pairs[i].value.ptr);
}

static void tell_data(const struct azure_request *req)
{
  static const char *const types[] = {[WPS_DATA_TEXT] = "text",
                                      [WPS_DATA_JSON] = "json",
                                      [WPS_DATA_BINARY] = "binary",
                                      [WPS_DATA_PROTOBUF] = "any"};

  ck_assert_ptr_nonnull(req->data.ptr);
  if (req->data_type == WPS_DATA_TEXT || req->data_type == WPS_DATA_JSON) {
    tell(" %s[%.*s]", types[req->data_type], (int)req->data.len,
         (const char *)req->data.ptr);
  } else {
    char *hex = hex_text(req->data);

    tell(" %s[%s]", types[req->data_type], hex);
    free(hex);
  }
}

static const char *describe(const struct azure_request *req)
{
  static const char *const kinds[] = {[AZURE_PING] = "ping",
                                      [AZURE_SEQUENCE_ACK] = "sequence-ack",
                                      [AZURE_INVOKE] = "invoke",
                                      [AZURE_CANCEL_INVOCATION] = "cancel",
                                      [AZURE_JOIN] = "join",
                                      [AZURE_LEAVE] = "leave",
                                      [AZURE_SEND] = "send",
                                      [AZURE_EVENT] = "event",
                                      [AZURE_STREAM_START] = "stream-start",
                                      [AZURE_STREAM_DATA] = "stream-data",
                                      [AZURE_STREAM_END] = "stream-end",
                                      [AZURE_SET_STATE] = "set-state",
                                      [AZURE_WATCH_STATE] = "watch-state",
                                      [AZURE_UNWATCH_STATE] = "unwatch-state"};

  told_len = 0;
  tell("%s", kinds[req->kind]);
  tell_str(" ", req->name);
  tell_str(" #", req->ref);
  if (req->flags & AZURE_HAS_ACK || req->kind == AZURE_SEQUENCE_ACK)
    tell(" ack %llu", (unsigned long long)req->id);
  if (req->flags & AZURE_HAS_SEQUENCE)
    tell(" %llu", (unsigned long long)req->sequence);
  if (req->flags & AZURE_NO_ECHO)
    tell(" quiet");
  if (req->ttl_ms != 0)
    tell(" ttl %u", req->ttl_ms);
  if (req->idle_ms != 0)
    tell(" idle %u", req->idle_ms);
  if (req->kind == AZURE_SEND || req->kind == AZURE_EVENT ||
      req->flags & AZURE_HAS_DATA)
    tell_data(req);
  tell_pairs(" ", req->metadata, req->metadata_count);
  if (req->flags & AZURE_HAS_STATE)
    tell(" state");
  tell_pairs(" ", req->state, req->state_count);
  if (req->flags & AZURE_HAS_ERROR)
    tell(" error");
  tell_str(" message ", req->error_message);
  tell_str(" code ", req->error_code);
  if (req->flags & AZURE_BAD)
    tell_str(" bad ", req->why);
  return told;
}

static void parse_bytes(struct wps_bytes bytes, const char *want)
{
  struct protobuf_parse parse;
  int rc = protobuf_parse(&parse, bytes);

  if (want == NULL) {
    if (rc == WPS_OK)
      ck_abort_msg("parsed: %s", describe(&parse.req));
    ck_assert_int_eq(rc, WPS_EPROTO);
  } else {
    ck_assert_msg(rc == WPS_OK, "not parsed: %s", want);
    ck_assert_str_eq(describe(&parse.req), want);
  }
  protobuf_parse_free(&parse);
}

/* want NULL: malformed. */
static void parses(const char *hex, const char *want)
{
  struct wps_bytes bytes = hex_bytes(hex);

  parse_bytes(bytes, want);
  free((void *)bytes.ptr);
}

static void parses_base64(const char *text, const char *want)
{
  unsigned char *bytes = malloc(strlen(text));
  size_t len;

  ck_assert_int_eq(
      b64_decode((struct wps_str){text, strlen(text)}, bytes, &len), WPS_OK);
  parse_bytes((struct wps_bytes){bytes, len}, want);
  free(bytes);
}

static const struct {
  const char *hex, *want;
} vectors[] = {
    {"32 08 0A 04 63 68 61 74 10 01", "join chat ack 1"},
    {"3A 08 0A 04 63 68 61 74 10 02", "leave chat ack 2"},
    {"0A 10 0A 04 63 68 61 74 10 03 1A 04 0A 02 68 69 20 01",
     "send chat ack 3 quiet text[hi]"},
    {"0A 18 0A 04 63 68 61 74 10 03 1A 04 0A 02 68 69 28 3C 32 06 0A 01 6B 12 "
     "01 76",
     "send chat ack 3 ttl 60000 text[hi] k=v"},
    {"0A 11 0A 04 63 68 61 74 1A 09 22 07 7B 22 61 22 3A 31 7D",
     "send chat json[{\"a\":1}]"},
    {"0A 0D 0A 04 63 68 61 74 1A 05 12 03 01 02 03",
     "send chat binary[01 02 03]"},
    {"2A 14 0A 05 6F 72 64 65 72 12 09 22 07 7B 22 61 22 3A 31 7D 18 04",
     "event order ack 4 json[{\"a\":1}]"},
    {"42 02 08 07", "sequence-ack ack 7"},
    {"4A 00", "ping"},
    {"52 0F 0A 04 65 63 68 6F 12 01 31 1A 04 0A 02 68 69",
     "invoke echo #1 text[hi]"},
    {"5A 03 0A 01 31", "cancel #1"},
    {"0A 10 0A 04 63 68 61 74 3A 08 0A 02 73 31 10 E0 D4 03",
     "stream-start chat #s1 idle 60000"},
    {"6A 0C 0A 02 73 31 10 01 1A 04 0A 02 68 69", "stream-data #s1 1 text[hi]"},
    {"6A 04 0A 02 73 31", "stream-data #s1"},
    {"72 04 0A 02 73 31", "stream-end #s1"},
    {"72 10 0A 02 73 31 12 0A 0A 04 62 6F 6F 6D 12 02 45 31",
     "stream-end #s1 error message boom code E1"},
    {"7A 1E 0A 04 63 68 61 74 10 08 1A 14 0A 12 0A 08 61 63 74 69 76 69 74 79 "
     "12 06 74 79 70 69 6E 67",
     "set-state chat ack 8 state activity=typing"},
    {"7A 08 0A 04 63 68 61 74 10 09", "set-state chat ack 9"},
    {"82 01 08 0A 04 63 68 61 74 10 0A", "watch-state chat ack 10"},
    {"8A 01 08 0A 04 63 68 61 74 10 0B", "unwatch-state chat ack 11"},
};

START_TEST(vectors_of_the_document)
{
  parses(vectors[_i].hex, vectors[_i].want);
}
END_TEST

START_TEST(vector_of_an_any)
{
  parses("0A 3F 0A 04 .chat 1A 37 1A 35 0A 2F ." ANY_URL " 12 02 08 01",
         "send chat any[0A 2F 74 79 70 65 2E 67 6F 6F 67 6C 65 61 70 69 73 2E "
         "63 6F 6D 2F 61 7A 75 72 65 2E 77 65 62 70 75 62 73 75 62 2E 54 65 73 "
         "74 4D 65 73 73 61 67 65 12 02 08 01]");
}
END_TEST

static const struct {
  const char *base64, *want;
} official[] = {
    {"MgcKBWdyb3Vw", "join group"},
    {"MgsKBWdyb3VwEOXYAg==", "join group ack 44133"},
    {"OgcKBWdyb3Vw", "leave group"},
    {"OgoKBWdyb3VwELlg", "leave group ack 12345"},
    {"Cg4KBWdyb3VwGgUKA3h6eQ==", "send group text[xzy]"},
    {"ChAKBWdyb3VwGgUKA3h6eSAA", "send group text[xzy]"},
    {"Ch8KBWdyb3VwELlgGhEiD3sidmFsdWUiOiJ4enkifSAB",
     "send group ack 12345 quiet json[{\"value\":\"xzy\"}]"},
    {"ChMKBWdyb3VwELlgGgUSA3h5eiAB",
     "send group ack 12345 quiet binary[78 79 7A]"},
    {"Ch4KBWdyb3VwELlgGhAaDgoHZXhhbXBsZRIDeHl6IAE=",
     "send group ack 12345 quiet any[0A 07 65 78 61 6D 70 6C 65 12 03 78 79 "
     "7A]"},
    {"Kg4KBWV2ZW50EgUKA3h6eQ==", "event event text[xzy]"},
    {"Kh0KBWV2ZW50EhEiD3sidmFsdWUiOiJ4enkifRi5YA==",
     "event event ack 12345 json[{\"value\":\"xzy\"}]"},
    {"KhEKBWV2ZW50EgUSA3h5ehi5YA==", "event event ack 12345 binary[78 79 7A]"},
    {"QgQIwMQH", "sequence-ack ack 123456"},
    {"eiMKCWNoYXQtcm9vbRABGhQKEgoIYWN0aXZpdHkSBnR5cGluZw==",
     "set-state chat-room ack 1 state activity=typing"},
    {"eg0KCWNoYXQtcm9vbRAC", "set-state chat-room ack 2"},
    {"ggENCgljaGF0LXJvb20QAw==", "watch-state chat-room ack 3"},
    {"igENCgljaGF0LXJvb20QBA==", "unwatch-state chat-room ack 4"},
};

START_TEST(vectors_of_the_official_clients)
{
  parses_base64(official[_i].base64, official[_i].want);
}
END_TEST

START_TEST(metadata_and_ttl)
{
  parses("0A{0A{.chat} 1A{0A{.hi}} 28 3C 32{0A{.k} 12{.v}}}",
         "send chat ttl 60000 text[hi] k=v");
  parses("0A{0A{.chat} 1A{0A{.hi}} 28 AC 02}", "send chat ttl 300000 text[hi]");
  parses("0A{0A{.chat} 1A{0A{.hi}} 28 00}", "send chat text[hi]");
  parses("0A{0A{.chat} 1A{0A{.hi}} 28 AD 02}", NULL);
  /* -1 of an int32. */
  parses("0A{0A{.chat} 1A{0A{.hi}} 28 FF FF FF FF FF FF FF FF FF 01}", NULL);
  /* Missing key, wrong key, the same key twice, a value that is no ASCII. */
  parses("0A{0A{.chat} 1A{0A{.hi}} 32{12{.v}}}", NULL);
  parses("0A{0A{.chat} 1A{0A{.hi}} 32{0A{20} 12{.v}}}", NULL);
  parses("0A{0A{.chat} 1A{0A{.hi}} 32{0A{.k} 12{.v}} 32{0A{.k} 12{.w}}}", NULL);
  parses("0A{0A{.chat} 1A{0A{.hi}} 32{0A{.k} 12{C3 BC}}}", NULL);
  /* A missing value is empty; of a key twice in one entry the last counts. */
  parses("0A{0A{.chat} 1A{0A{.hi}} 32{0A{.k}}}", "send chat text[hi] k=");
  parses("0A{0A{.chat} 1A{0A{.hi}} 32{0A{.j} 0A{.k} 12{.v}}}",
         "send chat text[hi] k=v");
}
END_TEST

START_TEST(many_pairs)
{
  /* 300 of {1: two letters}, in one state and in metadata. */
  enum { PAIRS = 300, PAIR = 6 };
  unsigned char bytes[PAIRS * PAIR + 32];
  struct protobuf_parse parse;
  size_t len = 0;

  memcpy(bytes, "\x2a\x90\x0e\x0a\x06order1", 11);
  len = 11;
  for (unsigned i = 0; i < PAIRS; i++, len += PAIR)
    memcpy(bytes + len,
           (unsigned char[]){0x22, 4, 0x0a, 2, (unsigned char)('a' + i % 20),
                             (unsigned char)('a' + i / 20)},
           PAIR);
  ck_assert_uint_eq(len, 3 + 0x710);
  ck_assert_int_eq(protobuf_parse(&parse, (struct wps_bytes){bytes, len}),
                   WPS_OK);
  ck_assert_uint_eq(parse.req.metadata_count, PAIRS);
  for (unsigned i = 0; i < PAIRS; i++) {
    ck_assert_uint_eq(parse.req.metadata[i].name.len, 2);
    ck_assert_int_eq(parse.req.metadata[i].name.ptr[0], 'a' + (int)i % 20);
    ck_assert_uint_eq(parse.req.metadata[i].value.len, 0);
  }
  protobuf_parse_free(&parse);
}
END_TEST

START_TEST(too_many_pairs)
{
  /* {group: "g", state: {PAIRS empty entries}} */
  static const char head[] = "\x7a\x89\x80\x01\x0a\x01g\x1a\x82\x80\x01";
  enum { PAIRS = 8193, HEAD = sizeof(head) - 1, LEN = HEAD + 2 * PAIRS };
  unsigned char *bytes = malloc(LEN);
  struct protobuf_parse parse;

  memcpy(bytes, head, HEAD);
  for (size_t at = HEAD; at < LEN; at += 2)
    memcpy(bytes + at, "\x0a\x00", 2);
  ck_assert_int_eq(protobuf_parse(&parse, (struct wps_bytes){bytes, LEN}),
                   WPS_EPROTO);
  protobuf_parse_free(&parse);
  bytes[1] -= 2; /* one less */
  bytes[8] -= 2;
  ck_assert_int_eq(protobuf_parse(&parse, (struct wps_bytes){bytes, LEN - 2}),
                   WPS_OK);
  ck_assert_uint_eq(parse.req.state_count, 1);
  protobuf_parse_free(&parse);
  free(bytes);
}
END_TEST

START_TEST(data_absent_or_chosen)
{
  parses("0A{0A{.chat}}", NULL);
  parses("0A{0A{.chat} 1A{}}", NULL);
  parses("0A{0A{.chat} 1A{0A{}}}", "send chat text[]");
  parses("0A{0A{.chat} 1A{12{}}}", "send chat binary[]");
  parses("0A{0A{.chat} 1A{1A{}}}", "send chat any[]");
  parses("0A{0A{.chat} 1A{22{}}}", NULL);
  parses("0A{0A{.chat} 32{0A{.k} 12{.v}}}", "send chat text[] k=v");
  parses("0A{0A{.chat} 1A{} 32{0A{.k} 12{.v}}}", "send chat text[] k=v");
  parses("2A{0A{.e}}", NULL);
  parses("2A{0A{.e} 22{0A{.k} 12{.v}}}", "event e text[] k=v");
  parses("52{0A{.e} 12{.1}}", "invoke e #1");
  parses("52{0A{.e} 12{.1} 1A{}}", NULL);
  parses("52{0A{.e} 12{.1} 22{0A{.k} 12{.v}}}", "invoke e #1 k=v");
  parses("52{0A{.e} 12{.1} 1A{0A{}}}", "invoke e #1 text[]");
}
END_TEST

START_TEST(json_is_json)
{
  parses("0A{0A{.g} 1A{22{.[]}}}", "send g json[[]]");
  parses("0A{0A{.g} 1A{22{20 .[1] 20}}}", "send g json[ [1] ]");
  parses("0A{0A{.g} 1A{22{.null}}}", NULL);
  parses("0A{0A{.g} 1A{22{20 .null 20}}}", NULL);
  parses("0A{0A{.g} 1A{22{.x}}}", NULL);
  parses("0A{0A{.g} 1A{22{.[]x}}}", NULL);
  parses("0A{0A{.g} 1A{22{22 FF 22}}}", NULL);
}
END_TEST

START_TEST(any_is_any)
{
  parses("0A{0A{.g} 1A{1A{08 01}}}", "send g any[08 01]");
  parses("0A{0A{.g} 1A{1A{08}}}", NULL);
  parses("0A{0A{.g} 1A{1A{0A{FF}}}}", NULL);
}
END_TEST

START_TEST(names_and_ids)
{
  parses("32{}", NULL);
  parses("32{0A{}}", NULL);
  parses("32{0A{20}}", NULL);
  parses("32{0A{FF}}", NULL);
  parses("32{0A{C3 BC}}", "join \xc3\xbc");
  parses("2A{0A{.1} 12{0A{.hi}}}", NULL);
  parses("2A{12{0A{.hi}}}", NULL);
  parses("52{0A{.e}}", NULL);
  parses("52{0A{.e} 12{}}", NULL);
  parses("52{12{.1}}", NULL);
  parses("5A{}", NULL);
  parses("6A{}", NULL);
  parses("72{}", NULL);
  parses("0A{0A{.g} 3A{}}", NULL);
  parses("0A{0A{.g} 3A{0A{}}}", NULL);
  parses("42{}", "sequence-ack ack 0");
}
END_TEST

START_TEST(long_ids)
{
  struct wps_bytes bytes;
  struct protobuf_parse parse;
  unsigned char *b = malloc(6 + 300);

  /* An invocation of 256 bytes, and of 257; a stream of 257. */
  bytes = (struct wps_bytes){b, 6 + 256};
  memcpy(b, "\x5a\x83\x02\x0a\x80\x02", 6);
  memset(b + 6, 'i', 300);
  ck_assert_int_eq(protobuf_parse(&parse, bytes), WPS_OK);
  protobuf_parse_free(&parse);
  free(b);
  b = malloc(9 + 257);
  bytes = (struct wps_bytes){b, 9 + 257};
  memcpy(b,
         "\x52\x87\x02\x0a\x01"
         "e\x12\x81\x02",
         9);
  memset(b + 9, 'i', 257);
  ck_assert_int_eq(protobuf_parse(&parse, bytes), WPS_EPROTO);
  protobuf_parse_free(&parse);
  memcpy(b, "\x6a\x84\x02\x0a\x81\x02", 6);
  memset(b + 6, 'i', 257);
  bytes.len = 6 + 257;
  ck_assert_int_eq(protobuf_parse(&parse, bytes), WPS_OK);
  ck_assert_uint_eq(parse.req.ref.len, 257);
  protobuf_parse_free(&parse);
  free(b);
}
END_TEST

START_TEST(presence_of_numbers)
{
  parses("32{0A{.g} 10 00}", "join g ack 0");
  parses("32{0A{.g} 10 FF FF FF FF FF FF FF FF FF 01}",
         "join g ack 18446744073709551615");
  parses("32{0A{.g} 10 05 10 06}", "join g ack 6");
  parses("32{0A{.g} 15 01 00 00 00}", "join g"); /* no varint */
  parses("32{0A{.g} 12{.x}}", "join g");         /* nor this */
  parses("32{08 05 0A{.g}}", "join g");          /* a group as a number */
  parses("32{08 05}", NULL);
  parses("0A{0A{.g} 1A{0A{.hi}} 20 05}", "send g quiet text[hi]");
  parses("0A{0A{.g} 1A{0A{.hi}} 20 01 20 00}", "send g text[hi]");
}
END_TEST

START_TEST(streams)
{
  parses("0A{0A{.g} 3A{0A{.s}}}", "stream-start g #s");
  parses("0A{0A{.g} 3A{0A{.s} 10 00}}",
         "stream-start g #s bad idleTimeoutMs has to be an integer from 1 to "
         "4294967295.");
  parses("0A{0A{.g} 3A{0A{.s} 10 FF FF FF FF 0F}}",
         "stream-start g #s idle 4294967295");
  parses("0A{0A{.g} 10 05 20 01 3A{0A{.s}}}", "stream-start g #s ack 5 quiet");
  parses("0A{0A{.g} 1A{0A{.hi}} 3A{0A{.s}}}", "stream-start g #s text[hi]");
  parses("0A{0A{.g} 1A{} 3A{0A{.s}}}", "stream-start g #s");
  parses("0A{0A{.g} 1A{22{.x}} 3A{0A{.s}}}", NULL);
  parses("2A{0A{.e} 2A{0A{.s}}}",
         "stream-start e #s bad Streams go to groups only.");
  parses("2A{0A{.e} 18 04 2A{0A{.s}}}",
         "stream-start e #s ack 4 bad Streams go to groups only.");
  parses("52{0A{.e} 12{.1} 2A{0A{.s}}}",
         "stream-start e #s bad Streams go to groups only.");
  parses("6A{0A{.s}}", "stream-data #s");
  parses("6A{0A{.s} 10 01}", NULL);
  parses("6A{0A{.s} 1A{0A{.hi}}}", NULL);
  parses("6A{0A{.s} 10 01 1A{}}", NULL);
  parses("6A{0A{.s} 1A{}}", NULL);
  parses("6A{0A{.s} 10 00 1A{12{}}}", "stream-data #s 0 binary[]");
  parses("6A{0A{.s} 10 02 1A{22{.x}}}", NULL);
  parses("72{0A{.s} 12{}}", "stream-end #s error");
  parses("72{0A{.s} 12{0A{}}}", "stream-end #s error message ");
  parses("72{0A{.s} 12{12{.E}}}", "stream-end #s error code E");
  parses("72{0A{.s} 12{12{FF}}}", NULL);
}
END_TEST

START_TEST(states)
{
  parses("7A{0A{.g}}", "set-state g");
  parses("7A{0A{.g} 1A{}}", "set-state g state");
  parses("7A{0A{.g} 1A{0A{}}}", "set-state g state =");
  parses("7A{0A{.g} 1A{0A{0A{.k}}}}", "set-state g state k=");
  /* Of a key twice the last counts, over several submessages. */
  parses("7A{0A{.g} 1A{0A{0A{.k} 12{.1}} 0A{0A{.l} 12{.2}}} "
         "1A{0A{0A{.k} 12{.3}}}}",
         "set-state g state l=2 k=3");
  parses("7A{0A{.g} 1A{0A{0A{FF}}}}", NULL);
}
END_TEST

START_TEST(the_last_of_a_oneof_counts)
{
  parses("4A{} 32{0A{.g}}", "join g");
  parses("32{0A{.g}} 4A{}", "ping");
  /* What came before another member is forgotten ... */
  parses("32{0A{.g} 10 01} 4A{} 32{0A{.h}}", "join h");
  parses("32{0A{.g}} 4A{} 32{10 01}", NULL);
  parses("0A{32{0A{.j} 12{.v}} 0A{.g}} 4A{} 0A{0A{.h} 32{0A{.k} 12{.w}}}",
         "send h text[] k=w");
  /* ... and the same again adds to it. */
  parses("32{0A{.g}} 32{10 01}", "join g ack 1");
  parses("32{0A{.g} 10 01} 32{0A{.h}}", "join h ack 1");
  parses("0A{0A{.g} 32{0A{.j} 12{.v}} 10 05} 0A{32{0A{.k} 12{.w}}}",
         "send g ack 5 text[] j=v k=w");
  parses("0A{0A{.g} 1A{0A{.hi}} 1A{12{.x}}}", "send g binary[78]");
  parses("0A{0A{.g} 1A{0A{.hi} 12{}}}", "send g binary[]");
  parses("0A{0A{.g} 1A{0A{.hi}} 1A{}}", "send g text[hi]");
  parses("0A{0A{.g} 3A{0A{.s}} 3A{10 05}}", "stream-start g #s idle 5");
  /* What loses has to be well-formed all the same. */
  parses("32{0A{FF}} 4A{}", NULL);
  parses("32{0A 05} 4A{}", NULL);
  parses("0A{0A{.g} 1A{0A{FF} 12{.x}}}", NULL);
}
END_TEST

START_TEST(unknown_fields_are_skipped)
{
  parses("", NULL);
  parses("A0 06 01", NULL);
  parses("12{0A{}}", NULL); /* 2 is not used */
  parses("62{0A{}}", NULL); /* 12 neither */
  parses("30 05", NULL);    /* 6, but no submessage */
  parses("A0 06 01 32{0A{.g} A2 06{.xy}} A2 06{.z}", "join g");
  parses("32{0A{.g} 9B 06 08 01 9C 06}", "join g");
  parses("32{0A{.g} 9B 06 08 01}", NULL);
  parses("33 08 01 34 4A{}", "ping"); /* 6 as a group */
  parses("4A{08 01}", "ping");
  parses("0A{0A{.g} 1A{2A{.xx} 0A{.hi}}}", "send g text[hi]");
  parses("0A{0A{.g} 1A{0A{.hi} 2A{.xx}}}", "send g text[hi]");
  parses("0A{0A{.g} 32{1A{.xx} 0A{.k} 12{.v}}}", "send g text[] k=v");
  parses("0A{0A{.g} 3A{0A{.s} 1A{.xx} 18 05}}", "stream-start g #s");
}
END_TEST

START_TEST(cut_at_every_byte)
{
  for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
    struct wps_bytes bytes = hex_bytes(vectors[i].hex);

    for (size_t len = 0; len < bytes.len; len++) {
      unsigned char *part = malloc(len > 0 ? len : 1);

      memcpy(part, bytes.ptr, len);
      parse_bytes((struct wps_bytes){part, len}, NULL);
      free(part);
    }
    free((void *)bytes.ptr);
  }
}
END_TEST

int main(void)
{
  Suite *s = suite_create("subprotocol-protobuf parse");
  TCase *c = tcase_create("parse");
  SRunner *r = srunner_create(s);
  int failed;

  tcase_add_loop_test(c, vectors_of_the_document, 0,
                      (int)(sizeof(vectors) / sizeof(vectors[0])));
  tcase_add_test(c, vector_of_an_any);
  tcase_add_loop_test(c, vectors_of_the_official_clients, 0,
                      (int)(sizeof(official) / sizeof(official[0])));
  tcase_add_test(c, metadata_and_ttl);
  tcase_add_test(c, many_pairs);
  tcase_add_test(c, too_many_pairs);
  tcase_add_test(c, data_absent_or_chosen);
  tcase_add_test(c, json_is_json);
  tcase_add_test(c, any_is_any);
  tcase_add_test(c, names_and_ids);
  tcase_add_test(c, long_ids);
  tcase_add_test(c, presence_of_numbers);
  tcase_add_test(c, streams);
  tcase_add_test(c, states);
  tcase_add_test(c, the_last_of_a_oneof_counts);
  tcase_add_test(c, unknown_fields_are_skipped);
  tcase_add_test(c, cut_at_every_byte);
  suite_add_tcase(s, c);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
