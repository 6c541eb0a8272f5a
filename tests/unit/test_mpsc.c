/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mpsc.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

struct item {
  struct mpsc_node node;
  uint32_t producer;
  uint32_t number;
};

START_TEST(empty_then_fifo)
{
  struct mpsc q;
  struct item items[3];

  mpsc_init(&q);
  ck_assert_ptr_null(mpsc_pop(&q));
  for (int round = 0; round < 3; round++) {
    for (size_t i = 0; i < 3; i++)
      mpsc_push(&q, &items[i].node);
    for (size_t i = 0; i < 3; i++)
      ck_assert_ptr_eq(mpsc_pop(&q), &items[i].node);
    ck_assert_ptr_null(mpsc_pop(&q));
  }
}
END_TEST

START_TEST(a_popped_node_may_be_pushed_again)
{
  struct mpsc q;
  struct item one;

  mpsc_init(&q);
  for (int round = 0; round < 100; round++) {
    mpsc_push(&q, &one.node);
    ck_assert_ptr_eq(mpsc_pop(&q), &one.node);
  }
  ck_assert_ptr_null(mpsc_pop(&q));
}
END_TEST

enum { PRODUCERS = 4, EACH = 20000 };

struct producer {
  struct mpsc *q;
  struct item *items;
  uint32_t id;
};

static void *produce(void *arg)
{
  struct producer *p = arg;

  for (uint32_t i = 0; i < EACH; i++) {
    p->items[i].producer = p->id;
    p->items[i].number = i;
    mpsc_push(p->q, &p->items[i].node);
  }
  return NULL;
}

START_TEST(many_producers_keep_their_order)
{
  struct mpsc q;
  struct producer producers[PRODUCERS];
  pthread_t threads[PRODUCERS];
  uint32_t next[PRODUCERS] = {0};

  mpsc_init(&q);
  for (uint32_t i = 0; i < PRODUCERS; i++) {
    producers[i] = (struct producer){&q, calloc(EACH, sizeof(struct item)), i};
    ck_assert_ptr_nonnull(producers[i].items);
    ck_assert_int_eq(pthread_create(&threads[i], NULL, produce, &producers[i]),
                     0);
  }
  for (uint32_t seen = 0; seen < PRODUCERS * EACH;) {
    struct mpsc_node *node = mpsc_pop(&q);
    struct item *item;

    if (node == NULL) {
      sched_yield();
      continue;
    }
    item = CONTAINER_OF(node, struct item, node);
    ck_assert_uint_lt(item->producer, PRODUCERS);
    ck_assert_uint_eq(item->number, next[item->producer]);
    next[item->producer]++;
    seen++;
  }
  ck_assert_ptr_null(mpsc_pop(&q));
  for (uint32_t i = 0; i < PRODUCERS; i++) {
    pthread_join(threads[i], NULL);
    free(producers[i].items);
  }
}
END_TEST

int main(void)
{
  Suite *s = suite_create("mpsc");
  TCase *tc = tcase_create("mpsc");
  SRunner *r;
  int failed;

  tcase_set_timeout(tc, 60);
  tcase_add_test(tc, empty_then_fifo);
  tcase_add_test(tc, a_popped_node_may_be_pushed_again);
  tcase_add_test(tc, many_producers_keep_their_order);
  suite_add_tcase(s, tc);
  r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
