/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, tickets and messages: azure-client.md 7.6, checklist C-115, C-125. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/str.h"
#include "conn/ticket.h"
#include "msg/message.h"
#include "msg/principal.h"

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
  ck_assert_int_eq(keys_verify(k, 0, STR(""), data, mac), WPS_OK);
  mac[31] ^= 1;
  ck_assert_int_eq(keys_verify(k, 0, STR(""), data, mac), WPS_EUNAUTHORIZED);
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
  ck_assert_int_eq(keys_verify(k, KEYS_SERVICE, STR("a"), data, mac), WPS_OK);
  ck_assert_int_eq(keys_verify(k, KEYS_SERVICE, STR("b"), data, mac),
                   WPS_EUNAUTHORIZED);
  keys_free(k);
}
END_TEST

START_TEST(without_keys_nothing_verifies)
{
  struct keys *k = keys_new(NULL, 0, (struct wps_bytes){NULL, 0});
  uint8_t mac[KEYS_MAC_LEN] = {0};

  ck_assert_int_eq(keys_verify(k, 0, STR(""), (struct wps_bytes){"x", 1}, mac),
                   WPS_ENOTFOUND);
  keys_free(k);
}
END_TEST

START_TEST(a_ticket_fits_one_connection_of_one_hub)
{
  struct keys *k = make(access_text, service_text);
  char t[TICKET_LEN + 1], changed[TICKET_LEN + 1];

  ck_assert_int_eq(ticket_make(k, STR("chat"), STR("c1"), t), WPS_OK);
  ck_assert_uint_eq(strlen(t), TICKET_LEN);
  ck_assert_int_eq(ticket_check(k, STR("chat"), STR("c1"), str_from(t)),
                   WPS_OK);
  ck_assert_int_ne(ticket_check(k, STR("chat"), STR("c2"), str_from(t)),
                   WPS_OK);
  ck_assert_int_ne(ticket_check(k, STR("news"), STR("c1"), str_from(t)),
                   WPS_OK);
  /* Moving bytes between the names does not help. */
  ck_assert_int_ne(ticket_check(k, STR("chatc"), STR("1"), str_from(t)),
                   WPS_OK);
  for (size_t i = 0; i < TICKET_LEN; i++) {
    memcpy(changed, t, sizeof(changed));
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    ck_assert_int_ne(ticket_check(k, STR("chat"), STR("c1"), str_from(changed)),
                     WPS_OK);
  }
  ck_assert_int_ne(ticket_check(k, STR("chat"), STR("c1"), STR("")), WPS_OK);
  keys_free(k);
}
END_TEST

START_TEST(rotating_access_keys_leaves_tickets_good)
{
  struct keys *before = make(access_text, service_text);
  struct keys *after =
      make("another access key, 32 bytes and more", service_text);
  struct keys *elsewhere = make(access_text, NULL);
  char t[TICKET_LEN + 1];

  ck_assert_int_eq(ticket_make(before, STR("chat"), STR("c1"), t), WPS_OK);
  ck_assert_int_eq(ticket_check(after, STR("chat"), STR("c1"), str_from(t)),
                   WPS_OK);
  ck_assert_int_ne(ticket_check(elsewhere, STR("chat"), STR("c1"), str_from(t)),
                   WPS_OK);
  keys_free(before);
  keys_free(after);
  keys_free(elsewhere);
}
END_TEST

START_TEST(messages_copy_everything)
{
  char data[] = "hello", name[] = "k", value[] = "v", group[] = "room";
  struct wps_pair tag = {{name, 1}, {value, 1}};
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = WPS_DATA_TEXT,
                                  .data = {data, 5},
                                  .group = {group, 4},
                                  .tags = &tag,
                                  .tag_count = 1,
                                  .ttl_ms = 1000};
  struct wps_message *m = message_api.create(&info);
  const struct wps_message_info *copy;

  memset(data, 'x', 5);
  name[0] = value[0] = group[0] = 'x';
  copy = message_api.info(m);
  ck_assert_mem_eq(copy->data.ptr, "hello", 5);
  ck_assert(str_eq_c(copy->group, "room"));
  ck_assert(str_eq_c(copy->tags[0].name, "k"));
  ck_assert(str_eq_c(copy->tags[0].value, "v"));
  ck_assert(copy->created_unix_ms != 0);
  ck_assert_uint_eq(m->cost, 7);
  ck_assert(!message_expired(m, (m->expires_ms - 1) * 1000));
  ck_assert(message_expired(m, m->expires_ms * 1000));
  message_unref(m);
}
END_TEST

START_TEST(a_message_over_the_limit_is_none)
{
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data = {"0123456789", 10}};

  message_set_limit(9);
  ck_assert_ptr_null(message_api.create(&info));
  message_set_limit(1024 * 1024);
}
END_TEST

static void count_release(void *arg)
{
  ++*(int *)arg;
}

START_TEST(adopted_data_is_released_once)
{
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data = {"0123456789", 10}};
  struct wps_message *m;
  int released = 0;

  m = message_api.adopt(&info, count_release, &released);
  ck_assert_ptr_eq(message_api.info(m)->data.ptr, info.data.ptr);
  message_api.ref(m);
  message_unref(m);
  ck_assert_int_eq(released, 0);
  message_unref(m);
  ck_assert_int_eq(released, 1);
  message_set_limit(9);
  ck_assert_ptr_null(message_api.adopt(&info, count_release, &released));
  ck_assert_int_eq(released, 2);
  message_set_limit(1024 * 1024);
}
END_TEST

START_TEST(frames_carry_their_header)
{
  struct wps_frame *f =
      message_api.frame(WPS_TEXT, (struct wps_bytes){"hi", 2});

  ck_assert_uint_eq(frame_wire_len(f), 4);
  ck_assert_mem_eq(frame_wire(f), "\x81\x02hi", 4);
  frame_unref(f);
}
END_TEST

START_TEST(a_principal_has_each_role_once)
{
  struct wps_str roles[] = {STR("a"), STR("b"), STR("a")};
  struct wps_principal who = {.struct_size = sizeof(who),
                              .user = STR("alice"),
                              .roles = roles,
                              .role_count = 3,
                              .groups = roles,
                              .group_count = 2};
  struct principal *p = principal_copy(&who);

  ck_assert_uint_eq(p->view.role_count, 2);
  ck_assert_uint_eq(p->view.group_count, 2);
  ck_assert(str_eq_c(p->view.roles[1], "b"));
  ck_assert(str_eq_c(p->view.user, "alice"));
  free(p);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("messages and tickets");
  TCase *tc = tcase_create("all");
  SRunner *runner;
  int failed;

  tcase_add_test(tc, hmac_is_the_usual_one);
  tcase_add_test(tc, purposes_do_not_mix);
  tcase_add_test(tc, without_keys_nothing_verifies);
  tcase_add_test(tc, a_ticket_fits_one_connection_of_one_hub);
  tcase_add_test(tc, rotating_access_keys_leaves_tickets_good);
  tcase_add_test(tc, messages_copy_everything);
  tcase_add_test(tc, a_message_over_the_limit_is_none);
  tcase_add_test(tc, adopted_data_is_released_once);
  tcase_add_test(tc, frames_carry_their_header);
  tcase_add_test(tc, a_principal_has_each_role_once);
  suite_add_tcase(suite, tc);
  runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
