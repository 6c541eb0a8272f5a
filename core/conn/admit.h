/* SPDX-License-Identifier: Apache-2.0 */
/* conn/admit.h - from a handshake to a client, or to a refusal
 * (azure-client.md 1.6, in that order).
 *
 * Thread: the worker that received the request. */
#ifndef WPS_CONN_ADMIT_H
#define WPS_CONN_ADMIT_H

#include "conn/authenticate.h"
#include "conn/conn.h"
#include "http/server.h"

struct answer;
struct note;
struct principal;

struct admission {
  struct list node; /* conn_worker.admissions */
  struct wps_worker *worker;
  struct http_conn *hc;
  struct wps_request *req;
  const struct hub_settings *settings;
  const struct wps_instance *instance;
  struct wps_negotiation chosen;
  struct timer delay; /* before all that follows the negotiation */
  struct authentication auth;
  struct wps_reply *connecting; /* connect event under way */
  struct principal *who;        /* NULL: nobody */
  struct note *note;            /* of the connect event, NULL: none */
  struct answer *answer;        /* the same */
  bool counted;                 /* holds a place in server->connections */
  char id[32];                  /* of the connection to be, terminated */
};

/* Hooks of http/server.h; arg is the conn_server. */
bool admit_is_client(void *arg, const struct wps_request *req);
void admit_client(void *arg, struct http_conn *hc, struct wps_request *req);
void admit_authorize(void *arg, struct http_conn *hc, struct wps_request *req);

/* Give up a place, everything else, and the memory. The http_conn is gone or
 * has been finished. */
void admission_free(struct admission *a);
/* Shutdown: 503 to all that wait for an answer. */
void admissions_refuse(struct wps_worker *w);

/* open.c: the 101 and the client. Consumes a. */
void conn_open(struct admission *a);
/* resume.c: the socket goes to the client that `chosen` names. Consumes a. */
void conn_resume(struct admission *a);

#endif
