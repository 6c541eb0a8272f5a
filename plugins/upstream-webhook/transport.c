/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/upstream-webhook/transport.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <webpubsub/host.h>
#include <webpubsub/status.h>

enum { TURNS_MAX = 64 };

#define NEVER INT64_MAX

struct socket_note {
  struct transport *transport;
  struct wps_watch *watch; /* paused while libcurl does not wait for it */
  uint32_t events;
  bool ours; /* made by transport_socket(): its end will be told */
  bool reserved[3];
};

/* ---- sockets ---- */

static struct socket_note *note_of(struct transport *t, curl_socket_t fd)
{
  return fd >= 0 && (size_t)fd < t->sock_cap ? t->socks[fd] : NULL;
}

static struct socket_note *note_make(struct transport *t, curl_socket_t fd)
{
  struct socket_note *note = note_of(t, fd);
  size_t cap = t->sock_cap != 0 ? t->sock_cap : 64;

  if (note != NULL || fd < 0)
    return note;
  while (cap <= (size_t)fd)
    cap *= 2;
  if (cap > t->sock_cap) {
    struct socket_note **grown =
        realloc(t->socks, cap * sizeof(struct socket_note *));

    if (grown == NULL)
      return NULL;
    memset(grown + t->sock_cap, 0,
           (cap - t->sock_cap) * sizeof(struct socket_note *));
    t->socks = grown;
    t->sock_cap = cap;
  }
  note = calloc(1, sizeof(*note));
  if (note != NULL)
    note->transport = t;
  t->socks[fd] = note;
  return note;
}

static void note_drop(struct transport *t, curl_socket_t fd)
{
  struct socket_note *note = note_of(t, fd);

  if (note == NULL)
    return;
  if (note->watch != NULL)
    wps->worker->watch_stop(note->watch);
  free(note);
  t->socks[fd] = NULL;
}

static void ready(void *arg, int fd, uint32_t events)
{
  struct socket_note *note = arg;
  struct transport *t = note->transport;
  int bits = ((events & WPS_READ) != 0 ? CURL_CSELECT_IN : 0) |
             ((events & WPS_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
  int running;

  curl_multi_socket_action(t->multi, fd, bits, &running);
  transport_turn(t);
}

/* libcurl's: what it waits for at a socket. A kept connection is only paused,
 * because it comes back with the next request. */
static int want(CURL *easy, curl_socket_t fd, int what, void *arg, void *sockp)
{
  struct transport *t = arg;
  struct socket_note *note;
  uint32_t events = (what & CURL_POLL_IN ? (uint32_t)WPS_READ : 0) |
                    (what & CURL_POLL_OUT ? (uint32_t)WPS_WRITE : 0);

  (void)easy, (void)sockp;
  if (what == CURL_POLL_REMOVE)
    events = 0;
  note = events != 0 ? note_make(t, fd) : note_of(t, fd);
  /* Without memory that one transfer waits for its timeout: an error told to
   * libcurl here would end all of them, for ever. */
  if (note == NULL)
    return 0;
  if (events == 0 && !note->ours) {
    note_drop(t, fd);
    return 0;
  }
  if (note->watch == NULL && events != 0) {
    note->watch =
        wps->worker->watch(t->self, t->worker, fd, events, ready, note);
  } else if (note->watch != NULL && note->events != events) {
    wps->worker->watch_update(note->watch, events);
  }
  note->events = events;
  return 0;
}

curl_socket_t transport_socket(struct transport *t,
                               const struct curl_sockaddr *address)
{
  curl_socket_t fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
                            address->protocol);
  struct socket_note *note;

  if (fd == CURL_SOCKET_BAD)
    return fd;
  note_drop(t, fd);
  note = note_make(t, fd);
  if (note == NULL) {
    close(fd);
    return CURL_SOCKET_BAD;
  }
  note->ours = true;
  return fd;
}

int transport_close_socket(void *transport, curl_socket_t fd)
{
  note_drop(transport, fd);
  return close(fd);
}

/* ---- time ---- */

static int want_time(CURLM *multi, long timeout_ms, void *arg)
{
  struct transport *t = arg;

  (void)multi;
  t->due_us = timeout_ms < 0
                  ? NEVER
                  : wps->worker->now_us(t->worker) + (int64_t)timeout_ms * 1000;
  return 0;
}

static void time_over(void *arg)
{
  struct transport *t = arg;

  t->timer = NULL;
  transport_turn(t);
}

/* A timer that is early enough stays: libcurl changes its mind several times
 * per request, and to wake up for nothing is cheaper. */
static void arm(struct transport *t)
{
  int64_t now = wps->worker->now_us(t->worker), delay_ms;

  if (t->closing || t->due_us == NEVER ||
      (t->timer != NULL && t->timer_due_us <= t->due_us))
    return;
  if (t->timer != NULL)
    wps->worker->timer_stop(t->timer);
  delay_ms = t->due_us > now ? (t->due_us - now + 999) / 1000 : 0;
  t->timer = wps->worker->timer_start(t->self, t->worker, (uint64_t)delay_ms, 0,
                                      time_over, t);
  t->timer_due_us = t->due_us;
}

/* ---- turns ---- */

static void collect(struct transport *t)
{
  CURLMsg *message;
  int left;

  while ((message = curl_multi_info_read(t->multi, &left)) != NULL) {
    CURL *easy = message->easy_handle;
    CURLcode rc = message->data.result;

    if (message->msg != CURLMSG_DONE)
      continue;
    curl_multi_remove_handle(t->multi, easy);
    exchange_ended(easy, rc);
  }
}

void transport_turn(struct transport *t)
{
  int running;

  if (t->turning) {
    t->again = true;
    return;
  }
  t->turning = true;
  for (int i = 0; i < TURNS_MAX; i++) {
    t->again = false;
    if (t->due_us <= wps->worker->now_us(t->worker)) {
      t->due_us = NEVER;
      curl_multi_socket_action(t->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    collect(t);
    t->after(t->after_arg);
    if (!t->again && t->due_us > wps->worker->now_us(t->worker))
      break;
  }
  t->turning = false;
  arm(t);
}

int transport_add(struct transport *t, CURL *easy)
{
  return curl_multi_add_handle(t->multi, easy) == CURLM_OK ? WPS_OK
                                                           : WPS_ENOMEM;
}

void transport_remove(struct transport *t, CURL *easy)
{
  curl_multi_remove_handle(t->multi, easy);
}

/* ---- life ---- */

void transport_capacity(struct transport *t, size_t connections)
{
  long n = connections < 100000 ? (long)connections : 100000;

  /* Its own default is a multiple of the transfers of the moment, so that a
   * quiet one would close warm connections. */
  curl_multi_setopt(t->multi, CURLMOPT_MAXCONNECTS, n);
}

int transport_open(struct transport *t, struct wps_instance *self,
                   struct wps_worker *worker, void (*after)(void *arg),
                   void *arg)
{
  memset(t, 0, sizeof(*t));
  t->self = self;
  t->worker = worker;
  t->after = after;
  t->after_arg = arg;
  t->due_us = NEVER;
  t->multi = curl_multi_init();
  if (t->multi == NULL)
    return WPS_ENOMEM;
  curl_multi_setopt(t->multi, CURLMOPT_SOCKETFUNCTION, want);
  curl_multi_setopt(t->multi, CURLMOPT_SOCKETDATA, t);
  curl_multi_setopt(t->multi, CURLMOPT_TIMERFUNCTION, want_time);
  curl_multi_setopt(t->multi, CURLMOPT_TIMERDATA, t);
  transport_capacity(t, 16);
  return WPS_OK;
}

void transport_close(struct transport *t)
{
  t->closing = true;
  if (t->multi != NULL)
    curl_multi_cleanup(t->multi);
  t->multi = NULL;
  if (t->timer != NULL)
    wps->worker->timer_stop(t->timer);
  t->timer = NULL;
  for (size_t fd = 0; fd < t->sock_cap; fd++)
    note_drop(t, (curl_socket_t)fd);
  free(t->socks);
  t->socks = NULL;
  t->sock_cap = 0;
}
