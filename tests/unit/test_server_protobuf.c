/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of application servers in Protocol Buffers:
 * plugins/upstream-server/protobuf.c and protobuf_read.c, against bytes made by
 * hand from the schema of doc/server-protocol.md. */
#include "plugins/common/pb.h"
#include "tests/unit/server_messages.h"

const struct wps_host *wps = NULL; /* nothing here has one */

static void reads(const char *bytes, const char *want)
{
  struct wps_bytes frame = hex_bytes(bytes);

  read_bytes(&server_protobuf, frame, want);
  free((void *)frame.ptr);
}

/* ---- commands ---- */

static const struct {
  const char *bytes, *want;
} commands[] = {
    {"0A {08 01 12 {.c} 1A {0A {.bye}}}", "closeClient 1 conn[c] reason[bye]"},
    {"0A {12 {.c} 1A {}}", "closeClient 0 conn[c] reason[]"},
    {"12 {08 02 12 {.c}}", "clientExists 2 conn[c]"},
    {"1A {08 03 12 {.c} 1A {12 {.h C3 A4}}}",
     "sendToClient 3 conn[c] text[h\xC3\xA4]"},
    {"1A {08 03 12 {.c} 1A {}}", "sendToClient 3 conn[c] text[]"},
    {"1A {08 03 12 {.c}}", "sendToClient 3 conn[c]"},
    {"22 {08 04 12 {.u}}", "userExists 4 user[u]"},
    {"2A {08 05 12 {.u} 1A {08 02 12 {.[1]}}}", "sendToUser 5 user[u] "
                                                "json[[1]]"},
    {"32 {08 06 12 {08 01 12 {01}} 1A {.a} 1A {} 1A {.b} 22 {.f}}",
     "sendToAll 6 binary[01] excluded[a] excluded[] excluded[b] filter[f]"},
    {"3A {08 07}", "count 7 target 0"},
    {"3A {08 07 10 00 1A {.x}}", "count 7 target 0"},
    {"3A {08 07 10 01 1A {.g}}", "count 7 group[g] target 1"},
    {"3A {08 07 10 02 1A {.u}}", "count 7 user[u] target 2"},
    {"42 {08 08 12 {.u} 1A {0A {.r}} 22 {.c}}",
     "closeUser 8 user[u] reason[r] excluded[c]"},
    {"4A {08 09 12 {.g} 22 {.c}}", "closeGroup 9 group[g] excluded[c]"},
    {"52 {08 0A 1A {0A {.r}} 22 {.c}}", "closeAll 10 reason[r] excluded[c]"},
    {"5A {08 0B 12 {.c} 1A {.g}}", "addClientToGroup 11 conn[c] group[g]"},
    {"62 {08 0C 12 {.u} 1A {.g}}", "addUserToGroup 12 user[u] group[g]"},
    {"6A {08 0D 12 {.c} 1A {.g}}", "removeClientFromGroup 13 conn[c] group[g]"},
    {"72 {08 0E 12 {.u} 1A {.g}}", "removeUserFromGroup 14 user[u] group[g]"},
    {"7A {08 0F 12 {.c} 1A {.g}}", "groupContainsClient 15 conn[c] group[g]"},
    {"82 01 {08 10 12 {.u} 1A {.g}}", "groupContainsUser 16 user[u] group[g]"},
    {"8A 01 {08 11 12 {.c} 18 01 22 {.g}}",
     "grant 17 conn[c] group[g] permission 1"},
    {"8A 01 {08 11 12 {.c} 22 {}}", "grant 17 conn[c] group[] permission 0"},
    {"92 01 {08 12 12 {.c} 18 00}", "revoke 18 conn[c] permission 0"},
    {"A2 01 {08 14 12 {.g} 1A {08 03 12 {0A {.u}}} 22 {.c} 2A {.f} 30 01}",
     "publish 20 group[g] any[0A 01 75] excluded[c] filter[f] quiet"},
    {"A2 01 {12 {.g} 1A {08 01} 2A {} 30 00}", "publish 0 group[g] binary[]"},
    {"AA 01 {08 15 12 {.g}}", "subscribe 21 group[g]"},
    {"B2 01 {08 FF FF FF FF 07 12 {.g}}", "unsubscribe 2147483647 group[g]"},
    {"F2 01 {08 1E 10 07 1A {.connect} 1A {.connected} 1A {.disconnected} "
     "1A {.join} 1A {.leave} 1A {.publish} 1A {.joined} 1A {.left} "
     "22 {.a} 22 {.*} 2A {.f} 32 {.r-*} 38 01}",
     "handleEvents 30 id 7 events 1fb filter[f] withPayload all on[a] on[*] "
     "groups[r-*]"},
    {"F2 01 {08 1E}", "handleEvents 30 id 0 events 0"},
    {"A2 06 {08 64}", "connectResponse 100 empty"},
    {"A2 06 {08 64 12 {}}", "connectResponse 100 empty"},
    {"A2 06 {08 64 1A {12 {.p}}}", "connectResponse 100 payload text[p]"},
    {"A2 06 {08 64 2A {.a} 2A {.b} 32 {0A {.u}} 3A {0A {.s}} "
     "42 {0A {.a} 12 {.1}} 42 {12 {.2} 0A {.b}} 42 {0A {.a} 12 {.3}} 42 {} "
     "4A {.r} 50 01 5A {}}",
     "connectResponse 100 user[u] empty replace groups[a] groups[b] "
     "subprotocol[s] header[b=2] header[a=3] header[=] role[r] state[]"},
    {"A2 06 {08 64 22 {08 91 03 12 {0A {.no}}}}",
     "connectResponse 100 error code 401 detail[no]"},
    {"AA 06 {08 65}", "messageResponse 101 empty"},
    {"AA 06 {08 65 1A {08 02 12 {.0}} 2A {0A {.k} 12 {.v}} 32 {0A {.st}}}",
     "messageResponse 101 payload json[0] meta[k=v] state[st]"},
    {"AA 06 {08 65 22 {}}", "messageResponse 101 error code 0"},
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

START_TEST(every_command)
{
  reads(commands[_i].bytes, commands[_i].want);
}
END_TEST

/* A message has no end of its own: cut is malformed but for nothing at all,
 * which is none either. */
START_TEST(cut_at_every_byte)
{
  struct wps_bytes all = hex_bytes(commands[_i].bytes);

  for (size_t len = all.len; len-- > 0;) {
    unsigned char *copy = malloc(len > 0 ? len : 1);

    memcpy(copy, all.ptr, len);
    read_bytes(&server_protobuf, (struct wps_bytes){copy, len}, "EPROTO");
    free(copy);
  }
  free((void *)all.ptr);
}
END_TEST

/* The same with fields that nobody knows at every level. */
START_TEST(unknown_fields_are_passed_over)
{
  reads("78 05 AA 01 {08 15 12 {.g}} 1D 01 02 03 04", "subscribe 21 group[g]");
  reads("AA 01 {08 15 12 {.g} 1A {FF FF} 78 01 F9 07 01 02 03 04 05 06 07 08 "
        "F2 07 {.x} 1B 08 09 1C}",
        "subscribe 21 group[g]");
  reads("A2 01 {1A {12 {.t} 1A {.z} 20 05} 12 {.g}}",
        "publish 0 group[g] text[t]");
  reads("0A {1A {12 {.x} 0A {.r} 08 01}}", "closeClient 0 reason[r]");
  reads("A2 06 {42 {1A {.x} 0A {.n} 12 {.v}} 22 {1A {.x} 08 05}}",
        "connectResponse 0 error code 5 header[n=v]");
  reads("52 {12 {.x}}", "closeAll 0");
  /* Wire types that are not those of the schema. */
  reads("AA 01 {0A {.1} 10 05 12 {.g}}", "subscribe 0 group[g]");
  reads("A2 06 {42 {0A {.n} 10 01} 20 01 1D 01 02 03 04}",
        "connectResponse 0 empty header[n=]");
  reads("A2 01 {1A {0A {.1} 10 01 12 {.t}}}", "publish 0 text[t]");
  reads("0A {1A {08 05}}", "closeClient 0 reason[]");
}
END_TEST

START_TEST(order_and_repetition)
{
  reads("AA 01 {12 {.g} 08 05}", "subscribe 5 group[g]");
  reads("AA 01 {08 05 12 {.a} 08 06 12 {.g}}", "subscribe 6 group[g]");
  reads("AA 01 {08 05 12 {.a} 12 {}}", "subscribe 5");
  reads("AA 01 {08 80 80 80 80 80 80 80 80 80 00 12 {.g}}",
        "subscribe 0 group[g]");
  /* Of several members the last one counts, by itself ... */
  reads("A2 01 {08 01 12 {.a} 30 01 22 {.x}} AA 01 {12 {.g}}",
        "subscribe 0 group[g]");
  reads("AA 01 {08 07} 0A {12 {.c}} AA 01 {12 {.g}}", "subscribe 0 group[g]");
  /* ... and the same one again adds to what is there. */
  reads("A2 01 {08 01 12 {.a} 22 {.x} 1A {12 {.t}}} "
        "A2 01 {12 {.g} 22 {.y} 1A {08 01}}",
        "publish 1 group[g] binary[74] excluded[x] excluded[y]");
  reads("0A {1A {0A {.r}} 1A {}}", "closeClient 0 reason[r]");
  /* empty, payload and error are one of three. */
  reads("AA 06 {1A {08 01 12 {.x}} 12 {}}", "messageResponse 0 empty");
  reads("AA 06 {22 {08 05 12 {0A {.d}}} 1A {12 {.x}}}",
        "messageResponse 0 payload text[x]");
  reads("AA 06 {1A {08 01 12 {.x}} 22 {08 05}}",
        "messageResponse 0 error code 5");
  reads("AA 06 {22 {08 05} 22 {12 {0A {.d}}}}",
        "messageResponse 0 error code 5 detail[d]");
  reads("AA 06 {1A {08 02} 22 {} 1A {12 {.x}}}",
        "messageResponse 0 payload text[x]");
}
END_TEST

START_TEST(long_lists)
{
  unsigned char bytes[3 + 3 * 40] = {0x52, 3 * 40};
  struct command_room room = {NULL};
  struct server_command c;
  const char *why;

  for (int i = 0; i < 40; i++) {
    bytes[2 + 3 * i] = 0x22;
    bytes[3 + 3 * i] = 1;
    bytes[4 + 3 * i] = (unsigned char)('A' + i);
  }
  ck_assert_int_eq(server_protobuf.read((struct wps_bytes){bytes, 2 + 3 * 40},
                                        &room, &c, &why),
                   WPS_OK);
  ck_assert_uint_eq(c.excluded.count, 40);
  for (int i = 0; i < 40; i++) {
    ck_assert_uint_eq(c.excluded.items[i].len, 1);
    ck_assert_int_eq(c.excluded.items[i].ptr[0], 'A' + i);
  }
  command_room_clear(&room);
}
END_TEST

static const char *const too_long = "EINVAL 5 a list is too long";

/* The empty `field` so many times in `member`, and then its ack id. */
static void reads_many(uint32_t member, uint32_t field, size_t count,
                       bool refused)
{
  struct pb_out out = {malloc(2 * count + 16), 2 * count + 16, 0};
  struct wps_bytes nothing = {"", 0};
  struct command_room room = {NULL};
  struct server_command c;
  const char *why;

  pb_put_head(&out, member, 2 * count + 2);
  for (size_t i = 0; i < count; i++)
    pb_put_bytes(&out, field, nothing);
  pb_put_u64(&out, 1, 5);
  if (refused)
    read_bytes(&server_protobuf, (struct wps_bytes){out.buf, out.len},
               too_long);
  else
    ck_assert_int_eq(server_protobuf.read((struct wps_bytes){out.buf, out.len},
                                          &room, &c, &why),
                     WPS_OK);
  command_room_clear(&room);
  free(out.buf);
}

START_TEST(lists_are_bounded)
{
  reads_many(COMMAND_CLOSE_ALL, 4, COMMAND_NAMES_MAX, false);
  reads_many(COMMAND_CLOSE_ALL, 4, COMMAND_NAMES_MAX + 1, true);
  reads_many(COMMAND_MESSAGE_RESPONSE, 5, COMMAND_PAIRS_MAX, false);
  reads_many(COMMAND_MESSAGE_RESPONSE, 5, COMMAND_PAIRS_MAX + 1, true);
}
END_TEST

static const char *const malformed[] = {
    "", "08 01", "78 05", "00", "AA", "AB 01 AC 01", "AA 01 {08}",
    "AA 01 {08 80}", "AA 01 {12 05 .g}", "AA 01 {12 {.g}} AA 01 {0C}",
    "AA 01 {0E}",
    /* no UTF-8 */
    "AA 01 {12 {FF}}", "A2 01 {22 {FF}}", "A2 01 {2A {C0 80}}",
    "0A {1A {0A {FF}}}", "0A {12 {ED A0 80}}", "22 {12 {FF}}",
    "A2 06 {42 {0A {FF}}}", "AA 06 {2A {12 {FF}}}", "F2 01 {1A {FF}}",
    "8A 01 {22 {FF}}", "3A {1A {FF}}", "AA 06 {22 {12 {0A {FF}}}}",
    /* what is within */
    "A2 01 {1A {08}}", "A2 01 {1A {12 05}}", "0A {1A {0A}}", "A2 06 {42 {0A}}",
    "A2 06 {12 {08}}", "A2 06 {22 {08}}", "A2 06 {22 {12 {0A}}}",
    /* negative */
    "AA 01 {08 FF FF FF FF FF FF FF FF FF 01}", "AA 01 {08 80 80 80 80 08}",
    "F2 01 {10 FF FF FF FF FF FF FF FF FF 01}"};
enum { MALFORMED = sizeof(malformed) / sizeof(malformed[0]) };

START_TEST(what_is_malformed)
{
  reads(malformed[_i], "EPROTO");
}
END_TEST

START_TEST(what_is_refused)
{
  reads("9A 01 {08 05}", "EINVAL 5 no such type of message");
  reads("9A 01 {12 {.x} 08 05}", "EINVAL 5 no such type of message");
  reads("9A 01 {}", "EINVAL 0 no such type of message");
  reads("9A 01 {.abc}", "EINVAL 0 no such type of message");
  reads("9A 01 {08 FF FF FF FF FF FF FF FF FF 01}",
        "EINVAL 0 no such type of message");
  reads("9A 01 {08 05} AA 01 {12 {.g}}", "subscribe 0 group[g]");
  reads("AA 01 {12 {.g}} 9A 01 {08 05}", "subscribe 0 group[g]");
  reads("3A {10 03 08 01}", "EINVAL 1 target has to be hub, group or user");
  reads("3A {10 FF FF FF FF FF FF FF FF FF 01 08 01}",
        "EINVAL 1 target has to be hub, group or user");
  reads("8A 01 {18 02 08 01}",
        "EINVAL 1 permission has to be joinLeaveGroup or sendToGroup");
  reads("F2 01 {1A {.join} 1A {.Left} 08 03}",
        "EINVAL 3 systemEvents has a name that is none");
  reads("32 {12 {08 04 12 {.x}} 08 04}",
        "EINVAL 4 the format of the payload is none");
  reads("32 {12 {12 {FF}} 08 04}", "EINVAL 4 the payload is no text");
  reads("32 {12 {08 02} 08 04}", "EINVAL 4 the payload is no JSON");
  reads("32 {12 {08 02 12 {.null}} 08 04}", "EINVAL 4 the payload is no JSON");
  reads("32 {12 {08 02 12 {.{ .\"a\":1 .}}} 08 04}",
        "EINVAL 4 the payload is no JSON");
  reads("32 {12 {08 03 12 {0A 05}} 08 04}",
        "EINVAL 4 the payload is no google.protobuf.Any");
}
END_TEST

/* ---- notices ---- */

#define WHO "{0A {.c1} 12 {0A {.al}} 1A {0A {.chat}}}"

static const char *const bytes_of[NOTICES] = {
    "0A {08 01 12 {0A {.c1} 12 {0A {.al}} 1A {0A {.chat}} "
    "2A {0A {.role} 12 {.a,b}} 2A {0A {.sub} 12 {.al}} "
    "32 {0A {.host} 12 {.h}} 3A {0A {.a} 12 {.,}}} "
    "1A {.json.webpubsub.azure.v1} 1A {.x} 22 {0A {.ab12}} 22 {0A {.cd34}}}",
    "0A {08 FF FF FF FF 07 12 {0A {.c1} 1A {0A {.chat}}}}",
    "12 {08 02 12 " WHO " 1A {.gone 20 .\"away\"}}",
    "12 {08 02 12 " WHO "}",
    "1A {08 03 12 {0A {.c1} 1A {0A {.chat}} 42 {0A {.x}} 4A {}}}",
    "52 {08 04 12 {.order} 1A " WHO " 22 {08 02 12 {7B .\"a\": 20 .1 7D}}}",
    "52 {08 04 12 {.order} 1A " WHO " 22 {}}",
    "52 {08 04 12 {.order} 1A " WHO "}",
    "A2 01 {08 05 12 {.g} 1A " WHO " 22 {08 AC 02}}",
    "A2 01 {08 05 12 {.g} 1A " WHO " 22 {} 2A {08 01 12 {01 FF}}}",
    "AA 01 {08 06 12 {.g} 1A " WHO "}",
    "B2 01 {08 07 12 {.g} 1A " WHO "}",
    "BA 01 {08 08 12 {.g} 1A " WHO "}",
    "C2 01 {08 09 12 {.g} 1A " WHO "}",
    ("F2 01 {0A {.g} 12 {12 {.hi 0A}} 1A {0A {.bo}} 22 {0A {.k} 12 {.v}} "
     "22 {0A {.e} 12 {}}}"),
    "F2 01 {0A {.g} 12 {08 03 12 {0A {.u}}}}",
    "A2 06 {08 0A}",
    "A2 06 {08 0A 28 00}",
    "A2 06 {08 0A 28 AC 02}",
    "A2 06 {08 0B 10 01 1A {0A {.needs 20 .it}} 22 {.Forbidden}}",
    "A2 06 {08 0C 10 02 22 {.Timeout}}",
    "AA 06 {0A {.s1} 12 {.chat} 1A {.publisher} 1A {.manager. C3 A4}}",
    "AA 06 {0A {.s1} 12 {.chat}}",
};

START_TEST(every_notice)
{
  struct wps_bytes bytes = written(&server_protobuf, &notices[_i]);

  hex_same(bytes, bytes_of[_i]);
  free((void *)bytes.ptr);
}
END_TEST

START_TEST(both_have_their_names)
{
  ck_assert_uint_eq(server_json.opcode, WPS_TEXT);
  ck_assert_uint_eq(server_protobuf.opcode, WPS_BINARY);
  ck_assert_int_eq(memcmp(server_json.subprotocol.ptr, "json", 5), 0);
  ck_assert_int_eq(memcmp(server_protobuf.subprotocol.ptr, "protobuf", 9), 0);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("server_protobuf");
  TCase *t = tcase_create("codec");
  SRunner *runner = srunner_create(s);
  int failed;

  tcase_add_loop_test(t, every_command, 0, COMMANDS);
  tcase_add_loop_test(t, cut_at_every_byte, 0, COMMANDS);
  tcase_add_test(t, unknown_fields_are_passed_over);
  tcase_add_test(t, order_and_repetition);
  tcase_add_test(t, long_lists);
  tcase_add_test(t, lists_are_bounded);
  tcase_add_loop_test(t, what_is_malformed, 0, MALFORMED);
  tcase_add_test(t, what_is_refused);
  tcase_add_loop_test(t, every_notice, 0, NOTICES);
  tcase_add_test(t, both_have_their_names);
  suite_add_tcase(s, t);
  srunner_run_all(runner, CK_NORMAL);
  failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
