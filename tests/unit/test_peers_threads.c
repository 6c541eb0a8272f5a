/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/common/peers with everything at once: on each worker peers come, go,
 * change what they take and answer what they have not been asked, and clients
 * raise events and lose interest; then a drain. Each event ends once, and
 * nothing is left. Meant for the thread sanitizer. */
#include <check.h>
#include <semaphore.h>
#include <stdlib.h>

#include "peers_rig.h"

enum { ROUNDS = 2000, PEERS = 6, CLIENTS = 4, EVENTS = 40 };

static const char *const hubs[] = {"one", "two"};
static const char *const names[] = {"a", "b", "c"};

/* Its worker's. */
struct side {
  unsigned seed;
  unsigned rounds; /* left */
  struct rig_peer *peers[PEERS];
  struct rig_client clients[CLIENTS];
  struct rig_event *events[EVENTS];
  bool given_up[EVENTS];
  unsigned raised;
};

static struct side sides[RIG_WORKERS];
static sem_t over;
static _Atomic unsigned drained;

static unsigned pick(struct side *s, unsigned below)
{
  return (unsigned)rand_r(&s->seed) % below;
}

/* ---- peers ---- */

static void change(struct side *s, struct rig_peer *p)
{
  struct peer_offer *o =
      rig_offer(pick(s, 4) == 0 ? 0 : WPS_EVENT_MESSAGE | WPS_EVENT_JOINED,
                "\0abc"[pick(s, 4)]);
  int rc = peer_offer(&p->peer, o);

  ck_assert(rc == WPS_OK || (rc == WPS_ECLOSED && p->conn->code != 0));
  peer_offer_unref(o);
}

static void answer_any(struct side *s, struct rig_peer *p)
{
  uint32_t given = atomic_load(&p->peer.next_ack);

  for (int i = 0; i < 8; i++)
    rig_answer_here(p, given > 0 ? pick(s, given) + 1 : 1);
}

static void play_peer(struct side *s)
{
  struct rig_peer **at = &s->peers[pick(s, PEERS)];

  if (*at == NULL) {
    *at = rig_open_here(hubs[pick(s, 2)], NULL);
    if (*at != NULL)
      change(s, *at);
    return;
  }
  switch (pick(s, 8)) {
  case 0:
    rig_close_here(*at);
    *at = NULL;
    break;
  case 1:
    peer_end(&(*at)->peer, (*at)->conn, 1008, (struct wps_str){"", 0});
    break;
  case 2:
    change(s, *at);
    break;
  case 3:
    atomic_store(&(*at)->peer.full, pick(s, 2) == 0);
    break;
  default:
    answer_any(s, *at);
    break;
  }
}

/* ---- clients ---- */

static void play_client(struct side *s)
{
  unsigned at = pick(s, EVENTS);
  struct rig_event *e = s->events[at];
  bool waits = pick(s, 4) != 0;

  if (e != NULL && e->reply != NULL && pick(s, 2) == 0) {
    core_reply_abandon(e->reply);
    e->reply = NULL;
    s->given_up[at] = true;
  }
  if (e != NULL && e->reply == NULL && atomic_load(&e->refs) == 0) {
    rig_event_free(e);
    e = s->events[at] = NULL;
  }
  if (e != NULL)
    return;
  e = rig_event_new(&s->clients[pick(s, CLIENTS)],
                    waits ? WPS_EVENT_MESSAGE : WPS_EVENT_JOINED,
                    hubs[pick(s, 2)], names[pick(s, 3)]);
  peers_want(&rig_peers, &e->view);
  s->events[at] = e;
  s->given_up[at] = false;
  s->raised++;
  rig_deliver_here(e, waits);
}

/* ---- all of it ---- */

static void play(void *arg)
{
  struct side *s = arg;

  for (int i = 0; i < 4; i++) {
    play_peer(s);
    play_client(s);
  }
  if (--s->rounds > 0)
    core_post(core_worker_api.current(), play, s);
  else
    sem_post(&over);
}

static void run_all(unsigned rounds)
{
  for (uint32_t i = 0; i < RIG_WORKERS; i++) {
    sides[i].rounds = rounds;
    core_post(core_worker_api.at(i), play, &sides[i]);
  }
  for (uint32_t i = 0; i < RIG_WORKERS; i++)
    while (sem_wait(&over) != 0)
      ;
  core_settle();
}

static void close_all(void *arg)
{
  struct side *s = arg;

  for (size_t i = 0; i < PEERS; i++)
    if (s->peers[i] != NULL)
      rig_close_here(s->peers[i]);
}

static void look_at_all(void *arg)
{
  struct side *s = arg;

  for (size_t i = 0; i < EVENTS; i++) {
    struct rig_event *e = s->events[i];

    if (e == NULL)
      continue;
    ck_assert_ptr_null(e->reply);
    ck_assert_uint_eq(e->ended,
                      e->view.type == WPS_EVENT_MESSAGE && !s->given_up[i]);
    rig_event_free(e);
  }
  ck_assert_uint_gt(s->raised, 0);
}

static void is_drained(void *arg, int status)
{
  (void)arg, (void)status;
  drained++;
}

static void drain(void *arg)
{
  peers_drain(&rig_peers, core_reply(is_drained, arg));
}

START_TEST(everything_at_once)
{
  sem_init(&over, 0, 0);
  rig_peers.max_pending = 5;
  for (uint32_t i = 0; i < RIG_WORKERS; i++)
    sides[i] = (struct side){.seed = i + 1};
  run_all(ROUNDS);
  core_post(core_worker_api.at(0), drain, NULL);
  run_all(ROUNDS / 10);
  for (uint32_t i = 0; i < RIG_WORKERS; i++)
    core_step(i, close_all, &sides[i]);
  core_settle();
  for (uint32_t i = 0; i < RIG_WORKERS; i++)
    core_step(i, look_at_all, &sides[i]);
  ck_assert_uint_eq(drained, 1);
  ck_assert_uint_eq(atomic_load(&rig_peers.pending), 0);
  ck_assert_uint_eq(rig_peers.open, 0);
  ck_assert_uint_gt(rig_finished, 0);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("peers and threads");
  TCase *tc = tcase_create("threads");
  SRunner *r;
  int failed;

  tcase_add_checked_fixture(tc, rig_start, rig_stop);
  tcase_add_test(tc, everything_at_once);
  tcase_set_timeout(tc, 300);
  suite_add_tcase(s, tc);
  r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
