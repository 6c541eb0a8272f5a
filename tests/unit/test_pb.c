/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/common/pb.h */
#include "plugins/common/pb.h"

#include <stdio.h>

#include <webpubsub/status.h>

#include "tests/unit/hex.h"

/* "1v150 2b[abc] !" : number, kind and value of each field, and the error. */
static void reads(const char *bytes, const char *want)
{
  struct wps_bytes b = hex_bytes(bytes);
  struct pb_in in;
  struct pb_field f;
  char text[512];
  size_t len = 0;
  int more;

  pb_in_init(&in, b);
  text[0] = '\0';
  while ((more = pb_next(&in, &f)) > 0) {
    const char *space = len > 0 ? " " : "";

    ck_assert_ptr_nonnull(f.bytes.ptr);
    if (f.wire == PB_BYTES)
      len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%ub[%.*s]",
                              space, f.number, (int)f.bytes.len,
                              (const char *)f.bytes.ptr);
    else
      len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u%c%llu",
                              space, f.number,
                              f.wire == PB_VARINT    ? 'v'
                              : f.wire == PB_FIXED32 ? 'i'
                                                     : 'l',
                              (unsigned long long)f.value);
  }
  if (more < 0) {
    ck_assert_int_eq(more, WPS_EPROTO);
    snprintf(text + len, sizeof(text) - len, "%s!", len > 0 ? " " : "");
  }
  ck_assert_str_eq(text, want);
  free((void *)b.ptr);
}

START_TEST(every_wire_type)
{
  reads("", "");
  reads("08 96 01", "1v150");
  reads("12 03 .abc", "2b[abc]");
  reads("12 00", "2b[]");
  reads("1D 01 02 03 04", "3i67305985");
  reads("21 01 00 00 00 00 00 00 80", "4l9223372036854775809");
  reads("F8 FF FF FF 0F 01", "536870911v1");
  reads("08 01 10 02 08 03", "1v1 2v2 1v3");
}
END_TEST

START_TEST(varints)
{
  reads("08 00", "1v0");
  reads("08 80 00", "1v0");
  reads("08 FF FF FF FF FF FF FF FF FF 01", "1v18446744073709551615");
  reads("08 FF FF FF FF FF FF FF FF FF 7F", "1v18446744073709551615");
  reads("08 80 80 80 80 80 80 80 80 80 80 01", "!");
  reads("08 FF FF FF FF FF FF FF FF FF 81 01", "!");
  reads("08", "!");
  reads("08 80", "!");
  reads("80", "!");
  reads("88 80 80 80 00 07", "1v7");
}
END_TEST

START_TEST(what_is_no_field)
{
  reads("00 01", "!");             /* number 0 */
  reads("02 00", "!");             /* the same */
  reads("0E", "!");                /* wire type 6 */
  reads("0F 01", "!");             /* and 7 */
  reads("88 80 80 80 10 01", "!"); /* a tag beyond 32 bits */
  reads("08 01 12 04 .abc", "1v1 !");
  reads("12 FF FF FF FF FF FF FF FF FF 01", "!");
  reads("1D 01 02 03", "!");
  reads("21 01 02 03 04 05 06 07", "!");
}
END_TEST

START_TEST(groups_are_passed_over)
{
  reads("0B 0C 10 05", "2v5");
  reads("10 05 0B 08 01 12 03 .abc 1D 01 02 03 04 0C 10 06", "2v5 2v6");
  reads("0B 13 0B 0C 14 0C 10 05", "2v5");
  reads("0B", "!");
  reads("0B 14", "!");
  reads("0C", "!");
  reads("0B 13 0C 14", "!");
  reads("0B 08", "!");
  reads("0B 00 0C", "!");
}
END_TEST

START_TEST(groups_nest_a_hundred_times)
{
  unsigned char bytes[202];
  struct pb_in in;
  struct pb_field f;

  memset(bytes, 0x0b, 101);
  memset(bytes + 101, 0x0c, 101);
  pb_in_init(&in, (struct wps_bytes){bytes + 1, 200});
  ck_assert_int_eq(pb_next(&in, &f), 0);
  pb_in_init(&in, (struct wps_bytes){bytes, 202});
  ck_assert_int_eq(pb_next(&in, &f), WPS_EPROTO);
}
END_TEST

START_TEST(no_byte_beyond_the_end)
{
  struct wps_bytes b =
      hex_bytes("08 96 01 12 03 .abc 1D 01 02 03 04 0B 21 01 02 03 04 05 06 "
                "07 08 0C 12 01 .x");
  struct pb_field f;

  for (size_t len = 0; len <= b.len; len++) {
    unsigned char *part = malloc(len > 0 ? len : 1);
    struct pb_in in;
    int more;

    memcpy(part, b.ptr, len);
    pb_in_init(&in, (struct wps_bytes){part, len});
    while ((more = pb_next(&in, &f)) > 0)
      ck_assert(f.wire != PB_BYTES || f.bytes.len <= len);
    if (len == b.len)
      ck_assert_int_eq(more, 0);
    free(part);
  }
  free((void *)b.ptr);
}
END_TEST

START_TEST(texts_are_utf8)
{
  static const struct {
    const char *bytes;
    bool ok;
  } cases[] = {{"0A 00", true},           {"0A 02 C3 BC", true},
               {"0A 01 00", true},        {"0A 01 C3", false},
               {"0A 03 ED A0 80", false}, {"0A 02 C0 80", false},
               {"08 05", false}};

  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct wps_bytes b = hex_bytes(cases[i].bytes);
    struct wps_str s = {NULL, 0};
    struct pb_in in;
    struct pb_field f;

    pb_in_init(&in, b);
    ck_assert_int_eq(pb_next(&in, &f), 1);
    ck_assert_int_eq(pb_text(&f, &s), cases[i].ok ? WPS_OK : WPS_EPROTO);
    if (cases[i].ok)
      ck_assert_ptr_nonnull(s.ptr);
    free((void *)b.ptr);
  }
}
END_TEST

/* ---- writing ---- */

static void put_inner(struct pb_out *out, const void *arg)
{
  pb_put_text(out, 1, *(const struct wps_str *)arg);
}

static void put_outer(struct pb_out *out, const void *arg)
{
  pb_put_message(out, 2, put_inner, arg);
  pb_put_u64(out, 3, 300);
}

static void put_all(struct pb_out *out, struct wps_str text)
{
  static const struct wps_pair pairs[] = {
      {WPS_STR_INIT("k"), WPS_STR_INIT("v")}, {{"", 0}, {"", 0}}};

  pb_put_u64(out, 1, 0);
  pb_put_u64(out, 16, UINT64_MAX);
  pb_put_bytes(out, 2, (struct wps_bytes){"\0\xff", 2});
  pb_put_text(out, 3, (struct wps_str){"", 0});
  pb_put_message(out, 4, put_outer, &text);
  pb_put_map(out, 5, pairs, 2);
}

START_TEST(writes_what_it_measures)
{
  struct wps_str text = WPS_STR_INIT("hi");
  struct pb_out size = {NULL, 0, 0}, out;
  unsigned char *buf;

  put_all(&size, text);
  buf = malloc(size.len);
  out = (struct pb_out){buf, size.len, 0};
  put_all(&out, text);
  ck_assert_uint_eq(out.len, size.len);
  hex_same((struct wps_bytes){buf, out.len},
           "08 00 80 01 FF FF FF FF FF FF FF FF FF 01 12 02 00 FF 1A 00 "
           "22 09 12 04 0A 02 .hi 18 AC 02 "
           "2A 06 0A 01 .k 12 01 .v 2A 04 0A 00 12 00");
  free(buf);
}
END_TEST

START_TEST(a_full_buffer_only_counts)
{
  struct wps_str text = WPS_STR_INIT("hi");
  struct pb_out size = {NULL, 0, 0};

  put_all(&size, text);
  for (size_t cap = 0; cap < size.len; cap++) {
    unsigned char *buf = malloc(cap + 1);
    struct pb_out out = {buf, cap, 0};

    put_all(&out, text);
    ck_assert_uint_eq(out.len, size.len);
    free(buf);
  }
}
END_TEST

START_TEST(long_lengths)
{
  static char many[20000];
  struct pb_out size = {NULL, 0, 0}, out;
  struct wps_str text = {many, sizeof(many)};
  struct pb_in in;
  struct pb_field f;
  unsigned char *buf;

  memset(many, 'x', sizeof(many));
  pb_put_message(&size, 9, put_inner, &text);
  buf = malloc(size.len);
  out = (struct pb_out){buf, size.len, 0};
  pb_put_message(&out, 9, put_inner, &text);
  ck_assert_uint_eq(out.len, size.len);
  pb_in_init(&in, (struct wps_bytes){buf, out.len});
  ck_assert_int_eq(pb_next(&in, &f), 1);
  ck_assert_uint_eq(f.number, 9);
  pb_in_init(&in, f.bytes);
  ck_assert_int_eq(pb_next(&in, &f), 1);
  ck_assert_uint_eq(f.bytes.len, sizeof(many));
  ck_assert_int_eq(pb_next(&in, &f), 0);
  free(buf);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("pb");
  TCase *c = tcase_create("pb");
  SRunner *r = srunner_create(s);
  int failed;

  tcase_add_test(c, every_wire_type);
  tcase_add_test(c, varints);
  tcase_add_test(c, what_is_no_field);
  tcase_add_test(c, groups_are_passed_over);
  tcase_add_test(c, groups_nest_a_hundred_times);
  tcase_add_test(c, no_byte_beyond_the_end);
  tcase_add_test(c, texts_are_utf8);
  tcase_add_test(c, writes_what_it_measures);
  tcase_add_test(c, a_full_buffer_only_counts);
  tcase_add_test(c, long_lengths);
  suite_add_tcase(s, c);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
