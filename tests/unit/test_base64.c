/* SPDX-License-Identifier: Apache-2.0 */
/* base/base64.h */
#include "base/base64.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static void same(const char *raw, const char *padded, const char *url)
{
  struct wps_str in = str_from(raw);
  char text[64];
  unsigned char back[64];
  size_t len;

  ck_assert_uint_eq(base64_encoded_len(in.len), strlen(padded));
  base64_encode(in.ptr, in.len, text);
  ck_assert_mem_eq(text, padded, strlen(padded));
  ck_assert_int_eq(base64_decode(str_from(padded), back, &len), WPS_OK);
  ck_assert(str_eq(in, (struct wps_str){(char *)back, len}));
  ck_assert_uint_eq(base64url_encoded_len(in.len), strlen(url));
  base64url_encode(in.ptr, in.len, text);
  ck_assert_mem_eq(text, url, strlen(url));
  ck_assert_int_eq(base64url_decode(str_from(url), back, &len), WPS_OK);
  ck_assert(str_eq(in, (struct wps_str){(char *)back, len}));
}

START_TEST(rfc4648_vectors)
{
  same("", "", "");
  same("f", "Zg==", "Zg");
  same("fo", "Zm8=", "Zm8");
  same("foo", "Zm9v", "Zm9v");
  same("foob", "Zm9vYg==", "Zm9vYg");
  same("fooba", "Zm9vYmE=", "Zm9vYmE");
  same("foobar", "Zm9vYmFy", "Zm9vYmFy");
  same("\xfb\xff\xbf", "+/+/", "-_-_");
}
END_TEST

START_TEST(every_length_and_no_byte_more)
{
  for (size_t len = 0; len < 2400; len += len < 40 ? 1 : 61) {
    unsigned char *raw = malloc(len + 1), *back;
    size_t text_len = base64_encoded_len(len), got;
    size_t url_len = base64url_encoded_len(len);
    /* Exactly as large as promised: a sanitizer sees a byte beyond. */
    char *text = malloc(text_len + (text_len == 0));
    char *url = malloc(url_len + (url_len == 0));

    for (size_t i = 0; i < len; i++)
      raw[i] = (unsigned char)(i * 151 + len);
    base64_encode(raw, len, text);
    back = malloc(text_len / 4 * 3 + (text_len == 0));
    ck_assert_int_eq(
        base64_decode((struct wps_str){text, text_len}, back, &got), WPS_OK);
    ck_assert_uint_eq(got, len);
    ck_assert(len == 0 || memcmp(raw, back, len) == 0);
    free(back);
    base64url_encode(raw, len, url);
    back = malloc(url_len / 4 * 3 + 3);
    ck_assert_int_eq(
        base64url_decode((struct wps_str){url, url_len}, back, &got), WPS_OK);
    ck_assert_uint_eq(got, len);
    ck_assert(len == 0 || memcmp(raw, back, len) == 0);
    free(back);
    free(url);
    free(text);
    free(raw);
  }
}
END_TEST

START_TEST(strict)
{
  static const char *const bad[] = {
      "Z",        "Zg",      "Zg=",      "Zm8",   "Zg===", "=",
      "====",     "Z===",    "Zh==",     "Zm9=",  "Zm9v ", " Zm9v",
      "Zm9v\n",   "Zm 9",    "Zg==Zg==", "Z=g=",  "Zg=g",  "-_-_",
      "Zm9v====", "Zm9\xff", "Zm9?",     "A\0==",
  };
  static const char *const bad_url[] = {
      "Z", "Zg==", "Zm8=", "Zh", "Zm9", "+/+/", "Zm9v\n", " Zm9v", "Zm9vZ", ".",
  };
  unsigned char out[32];
  size_t len;

  for (size_t i = 0; i < ARRAY_LEN(bad); i++)
    if (base64_decode(str_from(bad[i]), out, &len) != WPS_EPROTO)
      ck_abort_msg("accepted \"%s\"", bad[i]);
  for (size_t i = 0; i < ARRAY_LEN(bad_url); i++)
    if (base64url_decode(str_from(bad_url[i]), out, &len) != WPS_EPROTO)
      ck_abort_msg("accepted url \"%s\"", bad_url[i]);
  ck_assert_int_eq(base64_decode(STR("Z\0=="), out, &len), WPS_EPROTO);
  ck_assert_int_eq(base64url_decode(STR("Zg\0"), out, &len), WPS_EPROTO);
}
END_TEST

START_TEST(every_byte_in_every_place)
{
  static const char alphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  char text[8] = "AAAAAAAA";
  unsigned char out[9];
  size_t len;

  for (size_t at = 0; at < 8; at++)
    for (int c = 0; c < 256; c++) {
      bool letter = c != 0 && strchr(alphabet, c) != NULL;
      struct wps_str s = {text, 8};

      text[at] = (char)c;
      ck_assert((base64_decode(s, out, &len) == WPS_OK) ==
                (letter || c == '+' || c == '/' || (c == '=' && at == 7)));
      ck_assert((base64url_decode(s, out, &len) == WPS_OK) ==
                (letter || c == '-' || c == '_'));
      text[at] = 'A';
    }
}
END_TEST

int main(void)
{
  Suite *s = suite_create("base64");
  TCase *t = tcase_create("base64");
  SRunner *r = srunner_create(s);
  int failed;

  suite_add_tcase(s, t);
  tcase_add_test(t, rfc4648_vectors);
  tcase_add_test(t, every_length_and_no_byte_more);
  tcase_add_test(t, strict);
  tcase_add_test(t, every_byte_in_every_place);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
