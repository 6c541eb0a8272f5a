/* SPDX-License-Identifier: Apache-2.0 */
/* wire/stream.h - a connected socket on one worker: plain or TLS.
 *
 * Thread: the worker it is attached to; a detached stream belongs to whoever
 * holds it and may be handed to another worker.
 */
#ifndef WPS_WIRE_STREAM_H
#define WPS_WIRE_STREAM_H

#include <sys/uio.h>

#include "loop/io.h"
#include "loop/worker.h"

struct tls_context;
struct stream;

struct stream_ops {
  /* Input may be there: stream_read() until it says STREAM_AGAIN, or stop
   * early: then it is called again in the next turn (also for what TLS has
   * already decrypted). */
  void (*readable)(struct stream *s, void *arg);
  /* Asked for with stream_want_write() and possible now. */
  void (*writable)(struct stream *s, void *arg);
};

/* Results of read and write below zero. */
enum {
  STREAM_AGAIN = -1, /* nothing now; readable()/writable() will be called   */
  STREAM_ERROR = -2  /* reset, TLS failure; stream_error() has the sentence */
};

/* Take over a connected non-blocking socket; tls NULL: plain. Not yet watched
 * until stream_attach(). NULL when out of memory, and fd is closed. */
struct stream *stream_new(int fd, struct tls_context *tls);
/* Watch on `w` with these callbacks; reading starts enabled. */
void stream_attach(struct stream *s, struct wps_worker *w,
                   const struct stream_ops *ops, void *arg);
/* Change who gets the callbacks, on the same worker. */
void stream_set_ops(struct stream *s, const struct stream_ops *ops, void *arg);
/* Stop watching, so that another worker may attach it. */
void stream_detach(struct stream *s);

/* >0 bytes, 0 orderly end (FIN, close_notify), STREAM_AGAIN, STREAM_ERROR. The
 * TLS handshake happens inside. */
ssize_t stream_read(struct stream *s, void *buf, size_t len);
/* >=0 bytes taken (may be short), STREAM_AGAIN, STREAM_ERROR. Plain streams
 * write all of it with one system call; TLS joins small pieces to full records.
 */
ssize_t stream_writev(struct stream *s, const struct iovec *iov, int iov_count);
/* A write is about to come. NULL is allowed. */
void stream_prefetch(const struct stream *s);
/* TLS may have taken bytes of which stream_writev() has not said so yet: the
 * next call must begin with that many of the same. 0 on plain streams. */
size_t stream_owed(const struct stream *s);
/* Pause and continue reading. While paused the end of the socket may go
 * unnoticed until it is written to. */
void stream_want_read(struct stream *s, bool on);
void stream_want_write(struct stream *s, bool on);
/* Send FIN (close_notify first under TLS, best effort). */
void stream_shutdown(struct stream *s);
/* Close at once and free. `reset`: send RST instead of FIN. Any state. */
void stream_close(struct stream *s, bool reset);

const char *stream_error(const struct stream *s); /* "" when there was none */
bool stream_is_tls(const struct stream *s);
int stream_fd(const struct stream *s);
/* The client's certificate in DER, verified; malloc'ed copy, NULL: none. */
unsigned char *stream_client_cert(const struct stream *s, size_t *len);

#endif
