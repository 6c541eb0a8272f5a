/* SPDX-License-Identifier: Apache-2.0 */
/* conn/authenticate.h - ask the auth components in the order of the file. */
#ifndef WPS_CONN_AUTHENTICATE_H
#define WPS_CONN_AUTHENTICATE_H

#include "conn/conn.h"

struct principal;

/* The verdict: WPS_OK with who (now the callee's, freed with free()), WPS_OK
 * with NULL when all declined, else why not. Never inside the call that
 * started it. */
typedef void (*authenticated_fn)(void *arg, int status, struct principal *who,
                                 struct wps_str detail);

/* Part of what waits for the verdict, zero before. */
struct authentication {
  struct wps_worker *worker;
  struct wps_request *req;
  struct wps_reply *reply; /* outstanding */
  struct defer nobody;     /* no component is left: answer later */
  size_t next;             /* in instances */
  int status;              /* of `nobody` */
  authenticated_fn fn;     /* NULL: not under way */
  void *arg;
};

/* Thread: the worker of the request, for both. */
void authenticate_start(struct authentication *a, struct wps_worker *w,
                        struct wps_request *req, authenticated_fn fn,
                        void *arg);
/* If it is under way: fn will not run. */
void authenticate_cancel(struct authentication *a);

#endif
