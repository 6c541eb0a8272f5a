/* SPDX-License-Identifier: Apache-2.0 */
/* wire/listener.h - listening sockets: one per worker and TCP address
 * (SO_REUSEPORT), one shared by all workers for a unix socket.
 *
 * Accept errors (EMFILE, ENFILE, ENOBUFS, ENOMEM) pause accepting on that
 * listener for 100 ms, with one log line per 10 s; ECONNABORTED and the like
 * are passed over. Existing clients are not touched.
 */
#ifndef WPS_WIRE_LISTENER_H
#define WPS_WIRE_LISTENER_H

#include "loop/worker.h"

struct tls_context;
struct stream;

/* One configured address, opened once per worker. */
struct listener_group;

/* Called on the worker for each accepted client. `remote` is "ip:port",
 * "[ip]:port" or "unix:". The stream is not attached yet. */
typedef void (*accept_fn)(void *arg, struct wps_worker *w, struct stream *s,
                          struct wps_str remote,
                          const struct listener_group *from);

/* address: "0.0.0.0:8080", "[::1]:0", "localhost:80", "unix:/path". Port 0
 * takes a free port, the same for all workers. NULL on failure, with a sentence
 * in `why` (a stale unix socket is replaced; a live one is a failure). Thread:
 * main. */
struct listener_group *listener_open(const char *address,
                                     struct tls_context *tls,
                                     uint32_t worker_count, char *why,
                                     size_t why_size);
/* Only parse: false with a sentence. For webpubsubd -t. */
bool listener_address_ok(const char *address, char *why, size_t why_size);
bool listener_address_is_loopback(const char *address); /* or a unix socket */

/* Start accepting on this worker. Thread: that worker. */
int listener_start(struct listener_group *g, struct wps_worker *w, accept_fn fn,
                   void *arg);
/* Stop accepting on this worker and close its socket. Thread: that worker. */
void listener_stop(struct listener_group *g, struct wps_worker *w);
/* Close the rest, unlink a unix socket. Thread: main, after all stopped. */
void listener_free(struct listener_group *g);

/* As bound, with the real port: "127.0.0.1:41234". */
struct wps_str listener_name(const struct listener_group *g);
bool listener_is_tls(const struct listener_group *g);
/* Greet those who come from now on with another certificate. The old context
 * must live on: a worker may be accepting with it. Thread: main. */
void listener_renew_tls(struct listener_group *g, struct tls_context *tls);

#endif
