/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of streams: the server's side of a stream, on the main loop of the
 * test's thread and on workers where a stream moves; the client's side is a
 * thread of its own or plain calls. */
#ifndef WPS_TESTS_UNIT_STREAM_HELPER_H
#define WPS_TESTS_UNIT_STREAM_HELPER_H

#include <openssl/ssl.h>

#include "wire/stream.h"
#include "wire/tls.h"

extern struct workers *all;
extern struct wps_worker *w;
extern int client_fd;
extern struct stream *stream;

void stream_setup(void);
void stream_teardown(void);

/* stream and client_fd: the two ends of a local pair. */
void make_pair(struct tls_context *with);

/* ---- a server that collects, with a habit each test chooses ---- */

enum { COLLECTED_MAX = 4 << 20 };
extern char collected[COLLECTED_MAX];

struct server {
  struct stream *s;
  char *got;
  size_t len, wanted; /* quits the loop with this much */
  size_t step;        /* reads this much per call, then stops; 0: all */
  ssize_t last;       /* result that ended it: 0 or STREAM_ERROR */
  uint32_t calls;
  bool close_first, detach_first;
  uint32_t pause_at; /* call in which reading pauses; 0: never */
  struct timer resume;
};

extern const struct stream_ops collect_ops;
void never_writable(struct stream *s, void *arg);
void server_run(struct server *v, size_t wanted);

/* ---- what is the same plain and under TLS ---- */

/* Write more than fits, to a client that reads in pieces of any size. `ssl`
 * NULL: plain; freed. Closes both ends. */
void bulk_run(SSL *ssl, uint32_t seed);

enum { MOVES = 2000 };
/* The stream goes from worker to worker with each byte of `text`, which the
 * client has sent or is sending. Leaves both ends open. */
void move_run(const char text[MOVES]);

#endif
