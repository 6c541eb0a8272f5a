/* SPDX-License-Identifier: Apache-2.0 */
/* base/utf8.h */
#include "base/utf8.h"

#include <check.h>
#include <string.h>

static bool fed(const unsigned char *p, size_t len, size_t step)
{
  struct utf8_state s = {0};

  for (size_t at = 0; at < len; at += step)
    if (!utf8_feed(&s, p + at, len - at < step ? len - at : step))
      return false;
  return utf8_complete(&s);
}

/* Encode any number below 2^21 in `bytes` bytes, also where that is wrong. */
static void encode(uint32_t c, size_t bytes, unsigned char *out)
{
  static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};

  if (bytes == 1) {
    out[0] = (unsigned char)c;
    return;
  }
  for (size_t i = bytes - 1; i > 0; i--) {
    out[i] = (unsigned char)(0x80 | (c & 0x3F));
    c >>= 6;
  }
  out[0] = (unsigned char)(lead[bytes] | c);
}

START_TEST(every_character_in_every_length)
{
  for (uint32_t c = 0; c < 0x140000; c++) {
    size_t right = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    bool is_char = c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);

    for (size_t n = right; n <= 4; n++) {
      unsigned char text[4];

      encode(c, n, text);
      if (utf8_valid(text, n) != (is_char && n == right) ||
          fed(text, n, 1) != (is_char && n == right))
        ck_abort_msg("U+%04X in %zu bytes", c, n);
    }
  }
}
END_TEST

START_TEST(every_pair_of_bytes_behind_every_offset)
{
  unsigned char text[16];

  memset(text, 'a', sizeof(text));
  for (unsigned first = 0; first < 256; first++)
    for (unsigned second = 0; second < 256; second++)
      for (size_t at = 0; at < 10; at++) {
        bool good = (first < 0x80 && second < 0x80) ||
                    (first >= 0xC2 && first <= 0xDF && second >= 0x80 &&
                     second <= 0xBF);

        text[at] = (unsigned char)first;
        text[at + 1] = (unsigned char)second;
        if (utf8_valid(text, 12) != good || fed(text, 12, 5) != good)
          ck_abort_msg("%02x %02x at %zu", first, second, at);
        text[at] = text[at + 1] = 'a';
      }
}
END_TEST

START_TEST(cut_texts_are_incomplete)
{
  static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z";

  for (size_t n = 0; n <= sizeof(text) - 1; n++) {
    bool whole = n <= 1 || n == 3 || n == 6 || n >= 10;
    struct utf8_state s = {0};

    ck_assert(utf8_valid(text, n) == whole);
    ck_assert(utf8_feed(&s, text, n));
    ck_assert(utf8_complete(&s) == whole);
    ck_assert(utf8_feed(&s, text + n, sizeof(text) - 1 - n));
    ck_assert(utf8_complete(&s));
  }
}
END_TEST

START_TEST(refused_at_the_first_wrong_byte)
{
  struct utf8_state s = {0};

  ck_assert(utf8_feed(&s, "\xed", 1));
  ck_assert(!utf8_feed(&s, "\xa0", 1)); /* surrogate */
  s = (struct utf8_state){0};
  ck_assert(!utf8_feed(&s, "\xc0", 1)); /* overlong */
  s = (struct utf8_state){0};
  ck_assert(utf8_feed(&s, "\xe0", 1));
  ck_assert(!utf8_feed(&s, "\x9f", 1));
  s = (struct utf8_state){0};
  ck_assert(utf8_feed(&s, "\xf4", 1));
  ck_assert(!utf8_feed(&s, "\x90", 1));
  s = (struct utf8_state){0};
  ck_assert(!utf8_feed(&s, "\xf5", 1));
  ck_assert(utf8_feed(&s, NULL, 0));
  ck_assert(utf8_valid(NULL, 0));
}
END_TEST

START_TEST(cuts_at_boundaries)
{
  struct wps_str s = STR("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z");
  static const size_t want[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};

  for (size_t max = 0; max < ARRAY_LEN(want); max++) {
    ck_assert_uint_eq(utf8_cut(s, max).len, want[max]);
    ck_assert_ptr_eq(utf8_cut(s, max).ptr, s.ptr);
  }
  ck_assert_uint_eq(utf8_cut(STR_NONE, 5).len, 0);
}
END_TEST

START_TEST(utf16_lengths)
{
  ck_assert_uint_eq(utf8_utf16_len(STR_NONE), 0);
  ck_assert_uint_eq(utf8_utf16_len(STR("abc")), 3);
  ck_assert_uint_eq(utf8_utf16_len(STR("\xc3\xa4\xe2\x82\xac")), 2);
  ck_assert_uint_eq(utf8_utf16_len(STR("\xf0\x9f\x98\x80")), 2);
  ck_assert_uint_eq(utf8_utf16_len(STR("\xef\xbf\xbf")), 1);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("utf8");
  TCase *t = tcase_create("utf8");
  SRunner *r = srunner_create(s);
  int failed;

  suite_add_tcase(s, t);
  tcase_set_timeout(t, 60);
  tcase_add_test(t, every_character_in_every_length);
  tcase_add_test(t, every_pair_of_bytes_behind_every_offset);
  tcase_add_test(t, cut_texts_are_incomplete);
  tcase_add_test(t, refused_at_the_first_wrong_byte);
  tcase_add_test(t, cuts_at_boundaries);
  tcase_add_test(t, utf16_lengths);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
