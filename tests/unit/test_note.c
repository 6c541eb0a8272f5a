/* SPDX-License-Identifier: Apache-2.0 */
/* What an upstream keeps about a client: event->keep and event->kept. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "msg/event.h"
#include "msg/note.h"
#include "plug/plugin.h"

static struct wps_bytes bytes(const char *text)
{
  return (struct wps_bytes){text, strlen(text)};
}

static bool keeps(const struct event *e, const char *text)
{
  struct wps_bytes kept = event_kept(NULL, &e->view);

  return kept.len == strlen(text) && memcmp(kept.ptr, text, kept.len) == 0;
}

START_TEST(one_box_for_all_events)
{
  const struct wps_event from = {.type = WPS_EVENT_CONNECT};
  struct note *box = note_new(), *other = note_new();
  struct event *a = event_new(&from, box), *b = event_new(&from, box),
               *c = event_new(&from, other);

  ck_assert_ptr_null(event_kept(NULL, &a->view).ptr);
  ck_assert_int_eq(event_keep(NULL, &a->view, bytes("jar")), WPS_OK);
  ck_assert(keeps(a, "jar"));
  ck_assert(keeps(b, "jar"));
  ck_assert_ptr_null(event_kept(NULL, &c->view).ptr);
  ck_assert_int_eq(event_keep(NULL, &b->view, bytes("another")), WPS_OK);
  ck_assert(keeps(a, "another"));
  /* Nothing is a note, too. */
  ck_assert_int_eq(event_keep(NULL, &b->view, bytes("")), WPS_OK);
  ck_assert(keeps(a, ""));
  ck_assert_ptr_nonnull(event_kept(NULL, &a->view).ptr);
  ck_assert_int_eq(event_keep(NULL, &b->view, bytes("last")), WPS_OK);
  /* It outlives the client, as long as there is an event. */
  note_unref(box);
  event_unref(a);
  ck_assert(keeps(b, "last"));
  event_unref(b);
  note_unref(other);
  event_unref(c);
}
END_TEST

START_TEST(limit)
{
  const struct wps_event from = {.type = WPS_EVENT_CONNECT};
  struct note *box = note_new();
  struct event *e = event_new(&from, box);
  char *large = calloc(1, NOTE_MAX + 1);

  ck_assert_int_eq(
      event_keep(NULL, &e->view, (struct wps_bytes){large, NOTE_MAX}), WPS_OK);
  ck_assert_int_eq(
      event_keep(NULL, &e->view, (struct wps_bytes){large, NOTE_MAX + 1}),
      WPS_ELIMIT);
  ck_assert_uint_eq(event_kept(NULL, &e->view).len, NOTE_MAX);
  free(large);
  event_unref(e);
  note_unref(box);
}
END_TEST

START_TEST(each_for_itself)
{
  struct wps_instance owners[NOTE_OWNERS_MAX + 1] = {{.name = NULL}};
  const struct wps_event from = {.type = WPS_EVENT_MESSAGE};
  struct note *box = note_new();
  struct event *e = event_new(&from, box);
  const char *const words[] = {"zero", "one", "two", "three"};
  struct wps_bytes kept;

  for (size_t i = 0; i < NOTE_OWNERS_MAX; i++)
    ck_assert_int_eq(event_keep(&owners[i], &e->view, bytes(words[i])), WPS_OK);
  ck_assert_int_eq(
      event_keep(&owners[NOTE_OWNERS_MAX], &e->view, bytes("more")),
      WPS_ELIMIT);
  ck_assert_ptr_null(event_kept(&owners[NOTE_OWNERS_MAX], &e->view).ptr);
  /* The others' pages stay where they are. */
  kept = event_kept(&owners[0], &e->view);
  ck_assert_int_eq(event_keep(&owners[1], &e->view, bytes("another one")),
                   WPS_OK);
  ck_assert_ptr_eq(event_kept(&owners[0], &e->view).ptr, kept.ptr);
  /* A part of what is there may be what is to be there. */
  kept = event_kept(&owners[1], &e->view);
  ck_assert_int_eq(
      event_keep(&owners[1], &e->view,
                 (struct wps_bytes){(const char *)kept.ptr + 8, 3}),
      WPS_OK);
  for (size_t i = 0; i < NOTE_OWNERS_MAX; i++) {
    kept = event_kept(&owners[i], &e->view);
    ck_assert_uint_eq(kept.len, strlen(words[i]));
    ck_assert_mem_eq(kept.ptr, words[i], kept.len);
  }
  event_unref(e);
  note_unref(box);
}
END_TEST

/* Events of nobody, as a test may make them. */
START_TEST(without_a_box)
{
  const struct wps_event from = {.type = WPS_EVENT_MESSAGE};
  struct event *e = event_new(&from, NULL);

  ck_assert_ptr_null(event_kept(NULL, &e->view).ptr);
  ck_assert_int_eq(event_keep(NULL, &e->view, bytes("x")), WPS_ENOMEM);
  event_unref(e);
  event_unref(NULL);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("note");
  TCase *t = tcase_create("note");
  SRunner *r;
  int failed;

  tcase_add_test(t, one_box_for_all_events);
  tcase_add_test(t, limit);
  tcase_add_test(t, each_for_itself);
  tcase_add_test(t, without_a_box);
  suite_add_tcase(s, t);
  r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
