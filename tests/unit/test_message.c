/* SPDX-License-Identifier: Apache-2.0 */
/* Messages, frames and principals: what is copied, counted and released. */
#include "msg/message.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "msg/principal.h"

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
  Suite *suite = suite_create("messages");
  TCase *tc = tcase_create("all");
  SRunner *runner;
  int failed;

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
