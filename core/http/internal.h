/* SPDX-License-Identifier: Apache-2.0 */
/* http/internal.h - requests that the server makes to itself: a head is put
 * together and read like any other, so that routes see no difference. */
#ifndef WPS_HTTP_INTERNAL_H
#define WPS_HTTP_INTERNAL_H

#include "base/base.h"
#include "base/list.h"

#include <webpubsub/http.h>

struct wps_worker;

/* http->dispatch of the ABI. Thread: worker. Errors: EINVAL, ENOMEM. */
int http_internal(struct wps_worker *w, struct wps_instance *self,
                  const struct wps_http_call *call, wps_http_answer_fn fn,
                  void *arg);

/* The worker stops: those under way are answered with 503. */
void http_internals_stop(struct list *internals);

#endif
