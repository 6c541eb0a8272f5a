/* SPDX-License-Identifier: Apache-2.0 */
/* registry.c - who comes and goes, and the drain. */
#include <string.h>

#include <webpubsub/host.h>

#include "plugins/common/cloudevents/text.h"
#include "plugins/common/peers/internal.h"

struct peer *peer_ref(struct peer *p)
{
  atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
  return p;
}

void peer_unref(struct peer *p)
{
  if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
    p->peers->ops->peer_free(p);
}

/* ---- coming and going ---- */

void peers_init(struct peers *ps, const struct peers_ops *ops,
                struct wps_instance *self)
{
  memset(ps, 0, sizeof(*ps));
  ps->ops = ops;
  ps->self = self;
  pthread_mutex_init(&ps->lock, NULL);
  for (size_t i = 0; i < PEERS_HUB_BUCKETS; i++)
    list_init(&ps->hubs[i]);
}

void peers_free(struct peers *ps)
{
  hubs_free(ps);
  pthread_mutex_destroy(&ps->lock);
}

static bool have_room(struct peers *ps)
{
  bool room;

  pthread_mutex_lock(&ps->lock);
  room = ps->open < ps->max_connections;
  pthread_mutex_unlock(&ps->lock);
  return room;
}

void peers_accept(struct peers *ps, const struct wps_request *req,
                  struct wps_reply *reply, const struct wps_accept *how)
{
  if (!azure_hub_ok(wps->request->hub(req)))
    wps->reply->fail(reply, WPS_EINVAL, STR("`hub` names no hub"));
  else if (!have_room(ps))
    wps->reply->fail(reply, WPS_ELIMIT, str_of(ps->ops->everywhere));
  else
    wps->conn->accept(ps->self, reply, how);
}

static int add(struct peers *ps, struct peer *p, struct roster **old)
{
  int rc;

  if (ps->closing)
    return WPS_ECLOSED;
  if (ps->open >= ps->max_connections)
    return WPS_ELIMIT;
  p->serial = ps->last_serial + 1;
  rc = hubs_renew(ps, p, p, NULL, old);
  if (rc != WPS_OK)
    return rc;
  ps->last_serial++;
  ps->open++;
  return WPS_OK;
}

int peers_add(struct peer *p)
{
  struct roster *old = NULL;
  int rc;

  pthread_mutex_lock(&p->peers->lock);
  rc = add(p->peers, p, &old);
  pthread_mutex_unlock(&p->peers->lock);
  roster_unref(old);
  return rc;
}

int peers_change(struct peer *p, struct peer_offer *offer)
{
  struct roster *old = NULL;
  int rc;

  pthread_mutex_lock(&p->peers->lock);
  rc = atomic_load(&p->gone) ? WPS_ECLOSED
                             : hubs_renew(p->peers, p, p, offer, &old);
  pthread_mutex_unlock(&p->peers->lock);
  roster_unref(old);
  return rc;
}

/* Without memory it stays in the roster, and is passed over, until somebody
 * else comes or goes. */
void peers_leave(struct peer *p)
{
  struct roster *old = NULL;

  pthread_mutex_lock(&p->peers->lock);
  if (!atomic_exchange(&p->gone, true))
    hubs_renew(p->peers, p, NULL, NULL, &old);
  pthread_mutex_unlock(&p->peers->lock);
  roster_unref(old);
}

/* ---- the drain ---- */

/* The reply of a drain that is over. Under the lock. */
static struct wps_reply *take_drained(struct peers *ps)
{
  struct wps_reply *reply = NULL;

  if (ps->closing && ps->open == 0) {
    reply = ps->drained;
    ps->drained = NULL;
  }
  return reply;
}

static void finish(struct wps_reply *reply)
{
  if (reply != NULL)
    wps->reply->ok(reply);
}

void peers_closed(struct peers *ps)
{
  struct wps_reply *reply;

  pthread_mutex_lock(&ps->lock);
  ps->open--;
  reply = take_drained(ps);
  pthread_mutex_unlock(&ps->lock);
  finish(reply);
}

static void close_one(struct wps_conn *conn, void *arg)
{
  struct peer *p = arg;

  if (conn != NULL)
    peer_end(p, conn, 1001, STR("The server is going away"));
  peer_unref(p);
}

/* Where a worker has stopped close_one() runs at once, on this thread; then it
 * takes no lock. */
static void tell_to_close(struct peer *p)
{
  if (wps->conn->post(p->ref, close_one, peer_ref(p)) != WPS_OK)
    peer_unref(p); /* the end of the workers ends it */
}

/* Closes them once nothing is under way. */
static void go_on(struct peers *ps, struct wps_reply *drained)
{
  struct wps_reply *reply;

  pthread_mutex_lock(&ps->lock);
  if (drained != NULL)
    ps->drained = drained;
  if (!ps->closing && atomic_load(&ps->pending) == 0) {
    ps->closing = true;
    hubs_each(ps, tell_to_close);
  }
  reply = take_drained(ps);
  pthread_mutex_unlock(&ps->lock);
  finish(reply);
}

/* Either this one sees that nothing is under way any more, or the last event
 * sees that it is `draining`. */
void peers_drain(struct peers *ps, struct wps_reply *reply)
{
  atomic_store(&ps->draining, true);
  go_on(ps, reply);
}

void peers_event_over(struct peer *p)
{
  struct peers *ps = p->peers;

  atomic_fetch_sub(&p->pending, 1);
  if (atomic_fetch_sub(&ps->pending, 1) == 1 && atomic_load(&ps->draining))
    go_on(ps, NULL);
}
