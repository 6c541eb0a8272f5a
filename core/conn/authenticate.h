/* SPDX-License-Identifier: Apache-2.0 */
/* conn/authenticate.h - ask the auth components in the order of the file. */
#ifndef WPS_CONN_AUTHENTICATE_H
#define WPS_CONN_AUTHENTICATE_H

#include "conn/conn.h"

struct authentication;
struct principal;

/* The verdict: WPS_OK with who (now the callee's, freed with free()), WPS_OK
 * with NULL when all declined, else why not. Never inside the call that
 * started it. */
typedef void (*authenticated_fn)(void *arg, int status, struct principal *who,
                                 struct wps_str detail);

/* NULL when out of memory. Thread: the worker of the request, for both. */
struct authentication *authenticate_start(struct wps_worker *w,
                                          struct wps_request *req,
                                          authenticated_fn fn, void *arg);
/* fn will not run. Not after it has. */
void authenticate_cancel(struct authentication *a);

#endif
