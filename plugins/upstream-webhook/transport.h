/* SPDX-License-Identifier: Apache-2.0 */
/* transport.h - libcurl's multi interface on a worker's loop.
 *
 * One multi per worker. libcurl says which sockets and which time it waits for;
 * the worker's watches and one timer tell it what happened. libcurl is never
 * entered from one of its own callbacks: these only take notes, and
 * transport_turn() acts on them. Thread: the worker's. */
#ifndef WEBHOOK_TRANSPORT_H
#define WEBHOOK_TRANSPORT_H

#include <curl/curl.h>

#include <webpubsub/types.h>

struct exchange;
struct socket_note;

struct transport {
  struct wps_instance *self;
  struct wps_worker *worker;
  CURLM *multi;
  struct wps_timer *timer;
  int64_t timer_due_us;       /* of timer                            */
  int64_t due_us;             /* libcurl wants to be called; or none */
  struct socket_note **socks; /* by descriptor                       */
  size_t sock_cap;
  size_t held;              /* bytes of answers in memory */
  void (*after)(void *arg); /* whenever transfers have ended; may start some */
  void *after_arg;
  bool turning, again, closing;
  uint8_t reserved[5];
};

/* Errors: ENOMEM. */
int transport_open(struct transport *t, struct wps_instance *self,
                   struct wps_worker *worker, void (*after)(void *arg),
                   void *arg);
/* No exchange is under way any more. */
void transport_close(struct transport *t);
/* So many connections may be kept, and be open to one host. */
void transport_capacity(struct transport *t, size_t connections);

/* Begin; exchange_ended() is called by a later turn. Errors: ENOMEM. */
int transport_add(struct transport *t, CURL *easy);
/* Break off, or take out what has ended. */
void transport_remove(struct transport *t, CURL *easy);
/* Do what is due. Calls exchange_ended() and after(), unless it is inside of
 * one of them already. */
void transport_turn(struct transport *t);

/* Callbacks of every handle: sockets are made and closed here, so that their
 * watches end first. */
curl_socket_t transport_socket(struct transport *t,
                               const struct curl_sockaddr *address);
int transport_close_socket(void *transport, curl_socket_t fd);

/* In exchange.c: a transfer is over; `easy` has left the multi. */
void exchange_ended(CURL *easy, CURLcode rc);

#endif
