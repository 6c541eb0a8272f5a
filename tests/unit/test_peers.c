/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/common/peers: who gets an event, how long it holds a place, and the
 * ends of all of it. */
#include <check.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "peers_rig.h"

/* Clients live on worker 0, peers on the others. */
enum { MESSAGE = WPS_EVENT_MESSAGE };

static struct rig_peer *open_on(uint32_t index)
{
  return rig_open(index, "chat", NULL);
}

/* Delivered and sent, or failed. */
static struct rig_event *event(struct rig_client *c, uint32_t type,
                               const char *name)
{
  struct rig_event *e = rig_event_new(c, type, "chat", name);

  rig_deliver(0, e, type != WPS_EVENT_DISCONNECTED);
  core_settle();
  return e;
}

/* Who gets it; NULL: nobody. It is answered. */
static struct rig_peer *who_gets(struct rig_client *c, const char *name)
{
  struct rig_event *e = event(c, MESSAGE, name);
  struct rig_peer *p = e->peer;

  if (p != NULL)
    ck_assert(rig_answer(p, e->ack));
  core_settle();
  ck_assert_uint_eq(e->ended, 1);
  ck_assert_int_eq(e->status, p != NULL ? WPS_OK : WPS_EUNAVAILABLE);
  rig_event_free(e);
  return p;
}

static struct rig_peer *of_nobody_known(void)
{
  struct rig_client c = {.note_len = 0};

  return who_gets(&c, "x");
}

static void offer(struct rig_peer *p, uint32_t events, char letter);

/* ---- who ---- */

START_TEST(clients_take_turns_and_stay)
{
  struct rig_client c[4] = {{.note_len = 0}};
  struct rig_peer *p[3];

  rig_ops.takes = NULL;
  ck_assert_ptr_null(of_nobody_known());
  for (int i = 0; i < 3; i++)
    p[i] = open_on(1 + i % 2);
  for (int i = 0; i < 4; i++)
    ck_assert_ptr_eq(who_gets(&c[i], "x"), p[i % 3]);
  for (int i = 3; i >= 0; i--)
    ck_assert_ptr_eq(who_gets(&c[i], "x"), p[i % 3]);

  /* The turn was p[1]'s. */
  rig_close(p[1]);
  ck_assert_ptr_eq(who_gets(&c[1], "x"), p[2]);
  ck_assert_ptr_eq(who_gets(&c[1], "x"), p[2]);
  ck_assert_ptr_eq(of_nobody_known(), p[0]);
  p[1] = open_on(1);
  ck_assert_ptr_eq(of_nobody_known(), p[2]);
  ck_assert_ptr_eq(of_nobody_known(), p[1]);
  for (int i = 0; i < 3; i++)
    rig_close(p[i]);
  ck_assert_ptr_null(of_nobody_known());
}
END_TEST

START_TEST(hubs_are_apart)
{
  struct rig_peer *p = rig_open(1, "OTHER", NULL);
  struct rig_client c = {.note_len = 0};
  struct rig_event *e = rig_event_new(&c, MESSAGE, "other", "x");

  rig_ops.takes = NULL;
  ck_assert_ptr_null(of_nobody_known());
  rig_deliver(0, e, true);
  core_settle();
  ck_assert_ptr_eq(e->peer, p);
  ck_assert(rig_answer(p, e->ack));
  rig_close(p);
  core_settle();
  rig_event_free(e);
}
END_TEST

START_TEST(a_full_one_is_passed_over)
{
  struct rig_client c[2] = {{.note_len = 0}};
  struct rig_event *e, *second;
  struct rig_peer *a, *b;

  rig_ops.takes = NULL;
  rig_peers.max_pending = 1;
  a = open_on(1);
  e = event(&c[0], MESSAGE, "x");
  ck_assert_ptr_eq(e->peer, a);
  ck_assert_ptr_null(of_nobody_known());
  b = open_on(2);
  second = event(&c[0], MESSAGE, "x");
  ck_assert_ptr_eq(second->peer, b);
  ck_assert(rig_answer(a, e->ack));
  ck_assert_ptr_eq(who_gets(&c[0], "x"), a);
  ck_assert(rig_answer(b, second->ack));
  atomic_store(&a->peer.full, true);
  ck_assert_ptr_eq(who_gets(&c[1], "x"), b);
  ck_assert_ptr_eq(who_gets(&c[1], "x"), b);
  rig_close(a);
  rig_close(b);
  core_settle();
  rig_event_free(e);
  rig_event_free(second);
}
END_TEST

START_TEST(there_is_a_most)
{
  struct rig_peer *p;
  int rc;

  rig_peers.max_connections = 1;
  p = open_on(1);
  ck_assert_ptr_null(rig_open(2, "chat", &rc));
  ck_assert_int_eq(rc, WPS_ELIMIT);
  rig_close(p);
  rig_close(open_on(2));
}
END_TEST

/* ---- what they take ---- */

struct offering {
  struct rig_peer *peer;
  struct peer_offer *offer;
};

static void offer_step(void *arg)
{
  struct offering *o = arg;

  ck_assert_int_eq(peer_offer(&o->peer->peer, o->offer), WPS_OK);
}

static uint32_t worker_of(const struct rig_peer *p)
{
  return core_index(p->conn->worker);
}

static void offer(struct rig_peer *p, uint32_t events, char letter)
{
  struct offering o = {p, rig_offer(events, letter)};

  core_step(worker_of(p), offer_step, &o);
  peer_offer_unref(o.offer);
}

static bool wanted(uint32_t type, const char *name)
{
  struct rig_client c = {.note_len = 0};
  struct rig_event *e = rig_event_new(&c, type, "chat", name);
  bool want = peers_want(&rig_peers, &e->view);

  rig_event_free(e);
  return want;
}

START_TEST(offers_say_who)
{
  struct rig_client c = {.note_len = 0};
  struct rig_peer *a = open_on(1), *b = open_on(2), *both = open_on(1);

  ck_assert(!wanted(MESSAGE, "a"));
  ck_assert_ptr_null(who_gets(&c, "a"));
  offer(a, MESSAGE, 'a');
  offer(b, MESSAGE | WPS_EVENT_JOIN, 'b');
  offer(both, MESSAGE, '\0');
  ck_assert(wanted(MESSAGE, "z") && wanted(WPS_EVENT_JOIN, "b"));
  ck_assert(!wanted(WPS_EVENT_JOIN, "a") && !wanted(WPS_EVENT_LEAVE, "b"));
  ck_assert_ptr_eq(who_gets(&c, "z"), both);
  ck_assert_ptr_eq(who_gets(&c, "a"), both);
  offer(both, 0, '\0');
  ck_assert_ptr_eq(who_gets(&c, "a"), a);
  ck_assert_ptr_eq(who_gets(&c, "b"), b);
  ck_assert_ptr_null(who_gets(&c, "z"));
  ck_assert(!wanted(MESSAGE, "z"));
  rig_close(a);
  rig_close(b);
  ck_assert(!wanted(MESSAGE, "a"));
  rig_close(both);
}
END_TEST

static void offer_in_vain(void *arg)
{
  struct offering *o = arg;

  peer_end(&o->peer->peer, o->peer->conn, 1008, (struct wps_str){"", 0});
  ck_assert_int_eq(peer_offer(&o->peer->peer, o->offer), WPS_ECLOSED);
}

START_TEST(one_that_has_been_ended_offers_nothing)
{
  struct offering o = {open_on(1), rig_offer(MESSAGE, '\0')};

  core_step(1, offer_in_vain, &o);
  peer_offer_unref(o.offer);
  ck_assert(!wanted(MESSAGE, "a"));
  rig_close(o.peer);
}
END_TEST

static sem_t inside, go_on;

static void stay(const struct wps_event *e)
{
  if (e->name.ptr[0] != 's')
    return;
  sem_post(&inside);
  while (sem_wait(&go_on) != 0)
    ;
}

static void want_slowly(void *arg)
{
  struct rig_client c = {.note_len = 0};
  struct rig_event *e = rig_event_new(&c, MESSAGE, "chat", "slow");

  *(bool *)arg = peers_want(&rig_peers, &e->view);
  rig_event_free(e);
  sem_post(&inside);
}

/* A filter that takes its time: other workers ask, choose, come, go and change
 * what they take, and it is none of its business. */
START_TEST(nobody_waits_for_who_is_looking)
{
  struct rig_client c = {.note_len = 0};
  struct rig_event *e = rig_event_new(&c, MESSAGE, "chat", "quick");
  struct rig_peer *a = open_on(1), *b;
  bool want = false;

  sem_init(&inside, 0, 0);
  sem_init(&go_on, 0, 0);
  rig_in_takes = stay;
  offer(a, MESSAGE, '\0');
  core_post(wps->worker->at(2), want_slowly, &want);
  while (sem_wait(&inside) != 0)
    ;
  ck_assert(wanted(MESSAGE, "quick"));
  offer(a, MESSAGE, 'q');
  b = open_on(1);
  rig_close(b);
  rig_deliver(0, e, true);
  ck_assert_ptr_eq(e->peer, a);
  rig_close(a);
  ck_assert(!wanted(MESSAGE, "quick"));
  sem_post(&go_on);
  while (sem_wait(&inside) != 0)
    ;
  core_settle();
  ck_assert(want); /* by what it has seen */
  ck_assert_uint_eq(e->ended, 1);
  rig_event_free(e);
}
END_TEST

/* ---- their place ---- */

START_TEST(who_is_not_waited_for_holds_no_place)
{
  struct rig_client c = {.note_len = 0};
  struct rig_event *e;
  struct rig_peer *p;

  rig_ops.takes = NULL;
  rig_peers.max_pending = 1;
  p = open_on(1);
  e = event(&c, MESSAGE, "x");
  ck_assert_uint_eq(p->conn->sent, 1);
  ck_assert_uint_eq(e->refs, 1);
  rig_abandon(0, e);
  core_settle();
  ck_assert_uint_eq(e->refs, 0);
  ck_assert_uint_eq(atomic_load(&rig_peers.pending), 0);
  ck_assert_ptr_eq(who_gets(&c, "y"), p);
  /* The answer comes after all. */
  ck_assert(!rig_answer(p, e->ack));
  ck_assert_uint_eq(rig_debug_lines, 1);
  ck_assert_uint_eq(e->ended, 0);
  rig_close(p);
  rig_event_free(e);
}
END_TEST

static void deliver_and_abandon(void *arg)
{
  struct rig_event *e = arg;

  rig_deliver_here(e, true);
  core_reply_abandon(e->reply);
}

START_TEST(who_is_not_waited_for_is_not_sent)
{
  struct rig_client c = {.note_len = 0};
  struct rig_event *e = rig_event_new(&c, MESSAGE, "chat", "x");
  struct rig_peer *p;

  rig_ops.takes = NULL;
  p = open_on(1);
  core_step(0, deliver_and_abandon, e);
  core_settle();
  ck_assert_uint_eq(p->conn->sent, 0);
  ck_assert_uint_eq(e->refs, 0);
  rig_close(p);
  rig_event_free(e);
}
END_TEST

START_TEST(connected_goes_on)
{
  struct rig_client c = {.note_len = 0};
  struct rig_event *e;
  struct rig_peer *p;

  rig_ops.takes = NULL;
  p = open_on(1);
  e = event(&c, WPS_EVENT_CONNECTED, "");
  rig_abandon(0, e);
  core_settle();
  ck_assert_uint_eq(p->peer.pending, 1);
  ck_assert(rig_answer(p, e->ack));
  rig_close(p);
  core_settle();
  rig_event_free(e);
}
END_TEST

START_TEST(answers_to_nothing)
{
  struct rig_client c = {.note_len = 0};
  struct rig_event *e;
  struct rig_peer *p;

  rig_ops.takes = NULL;
  p = open_on(1);
  e = event(&c, MESSAGE, "x");
  ck_assert(!rig_answer(p, 0));
  ck_assert(!rig_answer(p, e->ack + PEERS_EVENT_BUCKETS));
  ck_assert(rig_answer(p, e->ack));
  ck_assert(!rig_answer(p, e->ack));
  rig_close(p);
  core_settle();
  rig_event_free(e);
}
END_TEST

START_TEST(sending_can_fail)
{
  struct rig_client c = {.note_len = 0};
  struct rig_event *e;
  struct rig_peer *p;

  rig_ops.takes = NULL;
  p = open_on(1);
  p->conn->send_rc = WPS_EAGAIN;
  e = event(&c, MESSAGE, "x");
  ck_assert_uint_eq(e->ended, 0);
  ck_assert(p->peer.full);
  rig_abandon(0, e);
  core_settle();
  rig_event_free(e);
  atomic_store(&p->peer.full, false);

  p->conn->send_rc = WPS_ENOMEM;
  e = event(&c, MESSAGE, "x");
  ck_assert_int_eq(e->status, WPS_ENOMEM);
  rig_event_free(e);
  rig_close(p);

  /* Nothing would ever end it. */
  p = open_on(1);
  p->conn->no_timer = true;
  e = event(&c, MESSAGE, "x");
  ck_assert_uint_eq(e->ended, 1);
  ck_assert_int_eq(e->status, WPS_ENOMEM);
  ck_assert_uint_eq(p->peer.pending, 0);
  rig_event_free(e);
  rig_close(p);
}
END_TEST

static sem_t is_late;

static void tell_late(struct rig_event *e)
{
  ck_assert_int_eq(e->status, WPS_ETIMEOUT);
  sem_post(&is_late);
}

START_TEST(their_time_is_over)
{
  static const uint64_t after_ms[] = {3600 * 1000, 60, 1, 30};
  struct rig_client c = {.note_len = 0};
  struct rig_event *e[4];
  struct rig_peer *p;

  rig_ops.takes = NULL;
  sem_init(&is_late, 0, 0);
  p = open_on(1);
  for (int i = 0; i < 4; i++) {
    rig_timeout_ms = after_ms[i];
    e[i] = rig_event_new(&c, MESSAGE, "chat", "x");
    e[i]->when_ended = tell_late;
    rig_deliver(0, e[i], true);
  }
  for (int i = 0; i < 3; i++)
    while (sem_wait(&is_late) != 0)
      ;
  core_settle();
  ck_assert_uint_eq(e[0]->ended, 0);
  ck_assert_uint_eq(p->peer.pending, 1);
  ck_assert(!rig_answer(p, e[1]->ack));
  e[0]->when_ended = NULL;
  ck_assert(rig_answer(p, e[0]->ack));
  core_settle();
  rig_close(p);
  for (int i = 0; i < 4; i++)
    rig_event_free(e[i]);
}
END_TEST

START_TEST(the_end_of_a_peer_ends_its_events)
{
  struct rig_client c = {.note_len = 0};
  struct rig_event *e[40], *late;
  struct rig_peer *p;

  rig_ops.takes = NULL;
  p = open_on(1);
  for (int i = 0; i < 40; i++)
    e[i] = event(&c, i % 4 == 3 ? WPS_EVENT_DISCONNECTED : MESSAGE, "x");
  p->conn->dead = true; /* it will be told so, but has not been yet */
  late = event(&c, MESSAGE, "x");
  ck_assert_uint_eq(late->ended, 1);
  rig_close(p);
  core_settle();
  for (int i = 0; i < 40; i++) {
    ck_assert_uint_eq(e[i]->ended, i % 4 == 3 ? 0 : 1);
    if (e[i]->ended != 0)
      ck_assert_int_eq(e[i]->status, WPS_EUNAVAILABLE);
    rig_event_free(e[i]);
  }
  rig_event_free(late);
}
END_TEST

/* ---- the drain ---- */

static _Atomic unsigned drained;

static void is_drained(void *arg, int status)
{
  (void)arg;
  ck_assert_int_eq(status, WPS_OK);
  drained++;
}

static void drain_step(void *arg)
{
  peers_drain(&rig_peers, core_reply(is_drained, arg));
}

START_TEST(nobody_to_drain)
{
  int rc;

  drained = 0;
  core_step(0, drain_step, NULL);
  core_settle();
  ck_assert_uint_eq(drained, 1);
  ck_assert_ptr_null(rig_open(1, "chat", &rc));
  ck_assert_int_eq(rc, WPS_ECLOSED);
}
END_TEST

START_TEST(a_drain_waits_for_events_then_for_closes)
{
  struct rig_client c = {.note_len = 0};
  struct rig_event *e, *abandoned;
  struct rig_peer *a, *b;

  drained = 0;
  rig_ops.takes = NULL;
  a = open_on(1);
  b = rig_open(2, "idle", NULL);
  e = event(&c, WPS_EVENT_DISCONNECTED, "");
  abandoned = event(&c, MESSAGE, "x");
  core_step(0, drain_step, NULL);
  core_settle();
  ck_assert(a->conn->code == 0 && b->conn->code == 0);
  rig_abandon(0, abandoned);
  core_settle();
  ck_assert_uint_eq(a->conn->code, 0);
  ck_assert(rig_answer(a, e->ack));
  core_settle();
  ck_assert_uint_eq(a->conn->code, 1001);
  ck_assert_uint_eq(b->conn->code, 1001);
  ck_assert_ptr_null(of_nobody_known());
  rig_close(a);
  core_settle();
  ck_assert_uint_eq(drained, 0);
  rig_close(b);
  core_settle();
  ck_assert_uint_eq(drained, 1);
  rig_event_free(e);
  rig_event_free(abandoned);
}
END_TEST

START_TEST(a_drain_after_the_end_of_the_last)
{
  struct rig_client c = {.note_len = 0};
  struct rig_event *e;
  struct rig_peer *p;

  drained = 0;
  rig_ops.takes = NULL;
  p = open_on(1);
  e = event(&c, MESSAGE, "x");
  core_step(0, drain_step, NULL);
  rig_close(p);
  core_settle();
  ck_assert_uint_eq(e->ended, 1);
  ck_assert_uint_eq(drained, 1);
  rig_event_free(e);
}
END_TEST

static Suite *peers_suite(void)
{
  Suite *s = suite_create("peers");
  TCase *tc = tcase_create("peers");

  tcase_add_checked_fixture(tc, rig_start, rig_stop);
  tcase_add_test(tc, clients_take_turns_and_stay);
  tcase_add_test(tc, hubs_are_apart);
  tcase_add_test(tc, a_full_one_is_passed_over);
  tcase_add_test(tc, there_is_a_most);
  tcase_add_test(tc, offers_say_who);
  tcase_add_test(tc, one_that_has_been_ended_offers_nothing);
  tcase_add_test(tc, nobody_waits_for_who_is_looking);
  tcase_add_test(tc, who_is_not_waited_for_holds_no_place);
  tcase_add_test(tc, who_is_not_waited_for_is_not_sent);
  tcase_add_test(tc, connected_goes_on);
  tcase_add_test(tc, answers_to_nothing);
  tcase_add_test(tc, sending_can_fail);
  tcase_add_test(tc, their_time_is_over);
  tcase_add_test(tc, the_end_of_a_peer_ends_its_events);
  tcase_add_test(tc, nobody_to_drain);
  tcase_add_test(tc, a_drain_waits_for_events_then_for_closes);
  tcase_add_test(tc, a_drain_after_the_end_of_the_last);
  tcase_set_timeout(tc, 60);
  suite_add_tcase(s, tc);
  return s;
}

int main(void)
{
  SRunner *r = srunner_create(peers_suite());
  int failed;

  srunner_run_all(r, CK_NORMAL);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
