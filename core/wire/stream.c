/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/stream.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/check.h"
#include "base/fault.h"
#include "base/str.h"
#include "wire/tls.h"

enum { RECORD_MAX = 16384, IOV_AT_ONCE = 1024 };

/* One per client: what only TLS needs stands at the end and is not allocated
 * for plain sockets. */
struct stream {
  struct io io;              /* first */
  struct wps_worker *worker; /* NULL: detached */
  const struct stream_ops *ops;
  void *arg;
  bool *gone;  /* told when detached or closed inside a callback */
  char *error; /* malloc'ed, or no_memory; NULL: none */
  bool tls;
  bool read_on, write_on;
  /* TLS only. A handshake message may have to go out before more comes in, and
   * the other way round: then the other readiness is waited for. */
  bool read_wants_write, write_wants_read;
  bool drained; /* the last read found nothing more to decrypt */
  bool ended;   /* the last read found the end behind the bytes it gave */

  /* `tls` only: */
  SSL *ssl;
  struct defer again; /* input that no descriptor will announce */
  /* Bytes given to OpenSSL that it has not got rid of: what is written next
   * must begin with them and be no shorter. */
  uint32_t owed;
};

_Static_assert(offsetof(struct stream, ssl) <= 104,
               "there is one per idle client, and 8 more go with it");

static char no_memory[] = "out of memory";

static void stream_ready(struct io *io, uint32_t events);
static void stream_again(struct defer *d);

struct stream *stream_new(int fd, struct tls_context *tls)
{
  size_t size =
      tls == NULL ? offsetof(struct stream, ssl) : sizeof(struct stream);
  struct stream *s = malloc(size);

  if (s == NULL) {
    close(fd);
    return NULL;
  }
  memset(s, 0, size);
  io_init(&s->io, fd, stream_ready);
  s->drained = true;
  s->tls = tls != NULL;
  if (tls == NULL)
    return s;
  defer_init(&s->again, stream_again);
  s->ssl = tls_accept(tls, fd);
  if (s->ssl == NULL) {
    close(fd);
    free(s);
    return NULL;
  }
  return s;
}

/* ---- readiness ---- */

/* Bring what is waited for in line with the flags. */
static void stream_update(struct stream *s)
{
  uint32_t events = 0;

  if (s->worker == NULL)
    return;
  if (s->read_on)
    events |= s->read_wants_write ? WPS_WRITE : WPS_READ;
  if (s->write_on)
    events |= s->write_wants_read ? WPS_READ : WPS_WRITE;
  io_want(s->worker, &s->io, events);
  if (!s->tls)
    return;
  if (s->read_on && (s->ended || (!s->drained && SSL_has_pending(s->ssl))))
    worker_defer_next(s->worker, &s->again);
  else
    defer_cancel(&s->again);
}

static void stream_call(struct stream *s, bool readable, bool writable)
{
  bool gone = false;

  s->gone = &gone;
  if (readable) {
    s->read_wants_write = false;
    s->ops->readable(s, s->arg);
    if (gone)
      return;
  }
  if (writable && s->write_on) {
    s->write_wants_read = false;
    s->ops->writable(s, s->arg);
    if (gone)
      return;
  }
  s->gone = NULL;
  stream_update(s);
}

static void stream_ready(struct io *io, uint32_t events)
{
  struct stream *s = CONTAINER_OF(io, struct stream, io);

  stream_call(s,
              s->read_on &&
                  (events & (s->read_wants_write ? WPS_WRITE : WPS_READ)) != 0,
              s->write_on &&
                  (events & (s->write_wants_read ? WPS_READ : WPS_WRITE)) != 0);
}

static void stream_again(struct defer *d)
{
  struct stream *s = CONTAINER_OF(d, struct stream, again);

  stream_call(s, s->read_on, false);
}

void stream_attach(struct stream *s, struct wps_worker *w,
                   const struct stream_ops *ops, void *arg)
{
  CHECK(s->worker == NULL);
  s->worker = w;
  s->ops = ops;
  s->arg = arg;
  s->read_on = true;
  s->write_on = false;
  stream_update(s);
}

void stream_set_ops(struct stream *s, const struct stream_ops *ops, void *arg)
{
  s->ops = ops;
  s->arg = arg;
}

static void stream_leave(struct stream *s, bool closing)
{
  if (s->worker == NULL)
    return;
  if (closing)
    io_stop(s->worker, &s->io);
  else
    io_leave(s->worker, &s->io);
  if (s->tls)
    defer_cancel(&s->again);
  s->worker = NULL;
  if (s->gone != NULL)
    *s->gone = true;
  s->gone = NULL;
}

void stream_detach(struct stream *s)
{
  stream_leave(s, false);
}

void stream_want_read(struct stream *s, bool on)
{
  s->read_on = on;
  stream_update(s);
}

void stream_want_write(struct stream *s, bool on)
{
  s->write_on = on;
  stream_update(s);
}

/* ---- errors ---- */

/* The first one is the cause; what follows it is noise. */
static ssize_t stream_fail(struct stream *s, const char *what,
                           const char *reason)
{
  if (s->error != NULL)
    return STREAM_ERROR;
  s->error = str_printf("%s: %s", what, reason);
  if (s->error == NULL)
    s->error = no_memory;
  return STREAM_ERROR;
}

static ssize_t stream_fail_errno(struct stream *s, const char *what, int error)
{
  char text[128];

  return stream_fail(s, what, strerror_r(error, text, sizeof(text)));
}

/* What a failed SSL call means; `end` is the result for an orderly end. */
static ssize_t tls_result(struct stream *s, const char *what, int ret,
                          bool *wants_other, int other, ssize_t end)
{
  int saved = errno;
  int error = SSL_get_error(s->ssl, ret);
  const char *reason;

  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
    bool wants = error == other;

    if (*wants_other != wants) {
      *wants_other = wants;
      stream_update(s);
    }
    return STREAM_AGAIN;
  }
  if (error == SSL_ERROR_ZERO_RETURN ||
      (error == SSL_ERROR_SYSCALL && saved == 0))
    return end;
  if (error == SSL_ERROR_SYSCALL)
    return stream_fail_errno(s, what, saved);
  reason = ERR_reason_error_string(ERR_peek_error());
  ERR_clear_error();
  return stream_fail(s, "TLS", reason == NULL ? "unknown error" : reason);
}

static void tls_went_on(struct stream *s, bool *wants_other)
{
  if (!*wants_other)
    return;
  *wants_other = false;
  stream_update(s);
}

/* ---- reading ---- */

/* One call of SSL_read() gives one record at most, however many of them OpenSSL
 * has taken from the socket. All of them are read: what came together is to be
 * answered together. An end or a failure behind them is left to the next call.
 */
static ssize_t tls_read(struct stream *s, void *buf, size_t len)
{
  size_t total = 0;
  ssize_t result;
  int ret;

  do {
    size_t left = len - total;

    ERR_clear_error();
    errno = 0;
    ret = SSL_read(s->ssl, (char *)buf + total,
                   left > INT_MAX ? INT_MAX : (int)left);
    s->drained = ret <= 0;
    if (ret > 0)
      total += (size_t)ret;
  } while (ret > 0 && total < len && SSL_has_pending(s->ssl));
  if (ret > 0) {
    tls_went_on(s, &s->read_wants_write);
    return (ssize_t)total;
  }
  result =
      tls_result(s, "read", ret, &s->read_wants_write, SSL_ERROR_WANT_WRITE, 0);
  if (total == 0)
    return result;
  s->ended = result != STREAM_AGAIN;
  return (ssize_t)total;
}

ssize_t stream_read(struct stream *s, void *buf, size_t len)
{
  ssize_t n;

  if (FAULT("read"))
    return stream_fail_errno(s, "read", ECONNRESET);
  if (s->error != NULL)
    return STREAM_ERROR;
  if (s->tls)
    return tls_read(s, buf, len);
  do
    n = recv(stream_fd(s), buf, len, 0);
  while (n < 0 && errno == EINTR);
  if (n >= 0)
    return n;
  if (errno == EAGAIN || errno == EWOULDBLOCK)
    return STREAM_AGAIN;
  return stream_fail_errno(s, "read", errno);
}

/* ---- writing ---- */

/* A place in an iovec array. */
struct cursor {
  const struct iovec *iov;
  int left;    /* iovecs from here on         */
  size_t done; /* bytes of the first of them  */
};

static void cursor_skip_empty(struct cursor *c)
{
  while (c->left > 0 && c->done == c->iov->iov_len) {
    c->iov++;
    c->left--;
    c->done = 0;
  }
}

static void cursor_advance(struct cursor *c, size_t n)
{
  while (n > 0) {
    size_t here = c->iov->iov_len - c->done;
    size_t step = n < here ? n : here;

    c->done += step;
    n -= step;
    cursor_skip_empty(c);
  }
}

static size_t cursor_copy(struct cursor c, unsigned char *out, size_t max)
{
  size_t len = 0;

  while (c.left > 0 && len < max) {
    size_t here = c.iov->iov_len - c.done;
    size_t step = here < max - len ? here : max - len;

    memcpy(out + len, (const char *)c.iov->iov_base + c.done, step);
    len += step;
    cursor_advance(&c, step);
  }
  return len;
}

/* The bytes of one SSL_write, at most a record: a piece that fills one or
 * stands alone as it is, small pieces joined in `record`. What is owed goes by
 * itself: OpenSSL would go on behind it, and when it then had to wait, the next
 * call would have to repeat that, too. */
static size_t tls_chunk(const struct stream *s, const struct cursor *c,
                        unsigned char *record, const unsigned char **chunk)
{
  size_t here = c->iov->iov_len - c->done;
  size_t max = s->owed > 0 ? s->owed : RECORD_MAX;

  if (here >= max || c->left == 1) {
    *chunk = (const unsigned char *)c->iov->iov_base + c->done;
    return here < max ? here : max;
  }
  *chunk = record;
  return cursor_copy(*c, record, max);
}

static ssize_t tls_writev(struct stream *s, const struct iovec *iov,
                          int iov_count)
{
  unsigned char record[RECORD_MAX];
  struct cursor c = {iov, iov_count, 0};
  ssize_t total = 0;

  cursor_skip_empty(&c);
  while (c.left > 0) {
    const unsigned char *chunk;
    size_t len = tls_chunk(s, &c, record, &chunk);
    ssize_t result;
    int ret;

    if (len < s->owed)
      return stream_fail(s, "write", "a repeated write has become shorter");
    ERR_clear_error();
    errno = 0;
    ret = SSL_write(s->ssl, chunk, (int)len);
    if (ret <= 0) {
      result = tls_result(s, "write", ret, &s->write_wants_read,
                          SSL_ERROR_WANT_READ, STREAM_ERROR);
      if (result == STREAM_AGAIN) {
        s->owed = (uint32_t)len;
        return total > 0 ? total : STREAM_AGAIN;
      }
      return stream_fail(s, "write", "the client has closed");
    }
    s->owed = 0;
    tls_went_on(s, &s->write_wants_read);
    total += ret;
    cursor_advance(&c, (size_t)ret);
  }
  return total;
}

static ssize_t plain_writev(struct stream *s, const struct iovec *iov,
                            int iov_count)
{
  struct msghdr m = {0};
  ssize_t n;

  m.msg_iov = (struct iovec *)(uintptr_t)iov; /* only read */
  m.msg_iovlen = (size_t)(iov_count < IOV_AT_ONCE ? iov_count : IOV_AT_ONCE);
  do {
    if (iov_count == 1)
      n = send(stream_fd(s), iov->iov_base, iov->iov_len, MSG_NOSIGNAL);
    else
      n = sendmsg(stream_fd(s), &m, MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n >= 0)
    return n;
  if (errno == EAGAIN || errno == EWOULDBLOCK)
    return STREAM_AGAIN;
  return stream_fail_errno(s, "write", errno);
}

ssize_t stream_writev(struct stream *s, const struct iovec *iov, int iov_count)
{
  struct iovec half;

  if (FAULT("write"))
    return stream_fail_errno(s, "write", EPIPE);
  if (s->error != NULL)
    return STREAM_ERROR;
  if (iov_count <= 0)
    return 0;
  if (FAULT("short_write")) {
    half.iov_base = iov->iov_base;
    half.iov_len = (iov->iov_len + 1) / 2;
    if (half.iov_len >= stream_owed(s)) {
      iov = &half;
      iov_count = 1;
    }
  }
  return s->tls ? tls_writev(s, iov, iov_count)
                : plain_writev(s, iov, iov_count);
}

void stream_prefetch(const struct stream *s)
{
  __builtin_prefetch(s);
  __builtin_prefetch((const char *)s + 64);
}

size_t stream_owed(const struct stream *s)
{
  return s->tls ? s->owed : 0;
}

/* ---- the end ---- */

void stream_shutdown(struct stream *s)
{
  if (s->tls && s->error == NULL && s->owed == 0 &&
      SSL_is_init_finished(s->ssl)) {
    ERR_clear_error();
    SSL_shutdown(s->ssl);
    ERR_clear_error();
  }
  shutdown(stream_fd(s), SHUT_WR);
}

void stream_close(struct stream *s, bool reset)
{
  int fd;

  if (s == NULL)
    return;
  fd = stream_fd(s);
  stream_leave(s, true);
  if (reset) {
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  }
  if (s->tls)
    SSL_free(s->ssl);
  close(fd);
  if (s->error != no_memory)
    free(s->error);
  free(s);
}

/* ---- questions ---- */

const char *stream_error(const struct stream *s)
{
  return s->error == NULL ? "" : s->error;
}

bool stream_is_tls(const struct stream *s)
{
  return s->tls;
}

int stream_fd(const struct stream *s)
{
  return io_fd(&s->io);
}

unsigned char *stream_client_cert(const struct stream *s, size_t *len)
{
  unsigned char *der = NULL, *copy = NULL;
  X509 *cert;
  int n;

  *len = 0;
  if (!s->tls || SSL_get_verify_result(s->ssl) != X509_V_OK)
    return NULL;
  cert = SSL_get1_peer_certificate(s->ssl);
  if (cert == NULL)
    return NULL;
  n = i2d_X509(cert, &der);
  X509_free(cert);
  if (n <= 0)
    return NULL;
  copy = malloc((size_t)n);
  if (copy != NULL) {
    memcpy(copy, der, (size_t)n);
    *len = (size_t)n;
  }
  OPENSSL_free(der);
  return copy;
}
