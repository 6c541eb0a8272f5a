/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets of reliable clients: azure-client.md 7.6, checklist C-115, C-125. */
#include "conn/ticket.h"

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

int main(void)
{
  Suite *suite = suite_create("tickets");
  TCase *tc = tcase_create("all");
  SRunner *runner;
  int failed;

  tcase_add_test(tc, a_ticket_fits_one_connection_of_one_hub);
  tcase_add_test(tc, rotating_access_keys_leaves_tickets_good);
  suite_add_tcase(suite, tc);
  runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
