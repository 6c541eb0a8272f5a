/* SPDX-License-Identifier: Apache-2.0 */
/* The server's keys: HMAC, purposes, and having none. */
#include "base/keys.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static const char service_text[] = "a service key that is long enough, 32+";
static const char access_text[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

static struct keys *make(const char *access, const char *service)
{
  struct wps_bytes a = {access, strlen(access)};
  struct wps_bytes s = {service, service != NULL ? strlen(service) : 0};

  return keys_new(&a, 1, s);
}

START_TEST(hmac_is_the_usual_one)
{
  /* RFC 4231, case 2. */
  static const uint8_t expected[KEYS_MAC_LEN] = {
      0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24,
      0x26, 0x08, 0x95, 0x75, 0xc7, 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27,
      0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43};
  struct keys *k = make("Jefe", service_text);
  struct wps_bytes data = {"what do ya want for nothing?", 28};
  uint8_t mac[KEYS_MAC_LEN];

  ck_assert_int_eq(keys_sign(k, 0, STR(""), data, mac), WPS_OK);
  ck_assert_mem_eq(mac, expected, sizeof(mac));
  ck_assert_int_eq(keys_verify(k, 0, STR(""), data, mac, NULL), WPS_OK);
  mac[31] ^= 1;
  ck_assert_int_eq(keys_verify(k, 0, STR(""), data, mac, NULL),
                   WPS_EUNAUTHORIZED);
  ck_assert_int_eq(keys_sign(k, 1, STR(""), data, mac), WPS_ENOTFOUND);
  keys_free(k);
}
END_TEST

START_TEST(purposes_do_not_mix)
{
  struct keys *k = make(access_text, service_text);
  struct wps_bytes data = {"x", 1};
  uint8_t mac[KEYS_MAC_LEN];

  ck_assert_int_eq(keys_sign(k, KEYS_SERVICE, STR("a"), data, mac), WPS_OK);
  ck_assert_int_eq(keys_verify(k, KEYS_SERVICE, STR("a"), data, mac, NULL),
                   WPS_OK);
  ck_assert_int_eq(keys_verify(k, KEYS_SERVICE, STR("b"), data, mac, NULL),
                   WPS_EUNAUTHORIZED);
  keys_free(k);
}
END_TEST

START_TEST(without_keys_nothing_verifies)
{
  struct keys *k = keys_new(NULL, 0, (struct wps_bytes){NULL, 0});
  uint8_t mac[KEYS_MAC_LEN] = {0};

  ck_assert_int_eq(
      keys_verify(k, 0, STR(""), (struct wps_bytes){"x", 1}, mac, NULL),
      WPS_ENOTFOUND);
  keys_free(k);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("keys");
  TCase *tc = tcase_create("all");
  SRunner *runner;
  int failed;

  tcase_add_test(tc, hmac_is_the_usual_one);
  tcase_add_test(tc, purposes_do_not_mix);
  tcase_add_test(tc, without_keys_nothing_verifies);
  suite_add_tcase(suite, tc);
  runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
