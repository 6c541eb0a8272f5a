/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/listener.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fault.h"
#include "base/log.h"
#include "loop/io.h"
#include "wire/addr.h"
#include "wire/stream.h"

enum { BACKLOG = 4096, PAUSE_MS = 100, LOG_EVERY_US = 10 * 1000 * 1000 };

struct listener {
  struct io io;
  struct defer turn;  /* to accept one */
  struct timer pause; /* runs while accepting rests */
  struct listener_group *group;
  struct wps_worker *worker; /* NULL: not started */
  accept_fn fn;
  void *arg;
  int fd; /* -1: closed. A unix socket's is the group's */
};

struct listener_group {
  struct addr addr;
  char name[ADDR_TEXT_MAX];
  size_t name_len;
  struct tls_context *_Atomic tls;
  /* Accept errors are told once per LOG_EVERY_US, by whichever worker. */
  _Atomic int64_t logged_us;
  atomic_uint paused; /* since the last line */
  /* unix: one descriptor for all, closed by the last to stop. */
  int local_fd;
  atomic_uint local_users;
  dev_t local_dev;
  ino_t local_ino;
  uint32_t count;
  struct listener items[]; /* by worker */
};

static bool is_local(const struct listener_group *g)
{
  return g->addr.sa.any.sa_family == AF_UNIX;
}

/* ---- opening ---- */

static int why_errno(char *why, size_t why_size, const char *name,
                     const char *what)
{
  char text[128];
  const char *reason = strerror_r(errno, text, sizeof(text));

  snprintf(why, why_size, "cannot listen on %s: %s%s%s", name, what,
           what[0] == '\0' ? "" : ": ", reason);
  return -1;
}

static bool socket_set(int fd, int level, int option)
{
  int on = 1;

  return setsockopt(fd, level, option, &on, sizeof(on)) == 0;
}

static int tcp_socket(const struct addr *a, bool share)
{
  int fd = socket(a->sa.any.sa_family,
                  SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int saved;

  if (fd < 0)
    return -1;
  /* TCP_NODELAY passes to the accepted sockets. */
  if (socket_set(fd, SOL_SOCKET, SO_REUSEADDR) &&
      (!share || socket_set(fd, SOL_SOCKET, SO_REUSEPORT)) &&
      socket_set(fd, IPPROTO_TCP, TCP_NODELAY) &&
      (a->sa.any.sa_family != AF_INET6 ||
       socket_set(fd, IPPROTO_IPV6, IPV6_V6ONLY)) &&
      bind(fd, &a->sa.any, a->len) == 0)
    return fd;
  saved = errno;
  close(fd);
  errno = saved;
  return -1;
}

/* With SO_REUSEPORT a second server of the same user would silently get a part
 * of the clients. One attempt to bind without it finds that out. */
static bool port_is_free(const struct addr *a)
{
  int fd = tcp_socket(a, false);

  if (fd < 0)
    return false;
  close(fd);
  return true;
}

static int listen_tcp(struct listener_group *g, char *why, size_t why_size)
{
  if (addr_port(&g->addr) != 0 && !port_is_free(&g->addr))
    return why_errno(why, why_size, g->name, "");
  for (uint32_t i = 0; i < g->count; i++) {
    int fd = tcp_socket(&g->addr, true);

    if (fd < 0)
      return why_errno(why, why_size, g->name, "");
    g->items[i].fd = fd;
    if (listen(fd, BACKLOG) != 0)
      return why_errno(why, why_size, g->name, "");
    /* The first takes a free port, the others join it. */
    if (i == 0) {
      struct addr bound = g->addr;

      if (getsockname(fd, &bound.sa.any, &bound.len) != 0)
        return why_errno(why, why_size, g->name, "");
      addr_set_port(&g->addr, addr_port(&bound));
      g->name_len = addr_format(&g->addr, g->name);
    }
  }
  return 0;
}

/* A socket file that nobody answers on is left over from a crash. */
static int local_make_way(const struct listener_group *g, char *why,
                          size_t why_size)
{
  const char *path = g->addr.sa.local.sun_path;
  struct stat st;
  int fd, status, saved;

  if (lstat(path, &st) != 0)
    return errno == ENOENT ? 0 : why_errno(why, why_size, g->name, "");
  if (!S_ISSOCK(st.st_mode)) {
    snprintf(why, why_size,
             "cannot listen on %s: the file exists and is no socket", g->name);
    return -1;
  }
  fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return why_errno(why, why_size, g->name, "");
  status = connect(fd, &g->addr.sa.any, g->addr.len);
  saved = errno;
  close(fd);
  errno = saved;
  if (status == 0 || errno == EAGAIN) {
    snprintf(why, why_size, "cannot listen on %s: another process does",
             g->name);
    return -1;
  }
  if (errno == ENOENT)
    return 0;
  if (errno != ECONNREFUSED || unlink(path) != 0)
    return why_errno(why, why_size, g->name, "");
  return 0;
}

static int listen_local(struct listener_group *g, char *why, size_t why_size)
{
  struct stat st;
  int fd;

  if (local_make_way(g, why, why_size) != 0)
    return -1;
  fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return why_errno(why, why_size, g->name, "");
  g->local_fd = fd;
  /* Narrow from the start: bind() takes the mode from the descriptor, less the
   * umask; chmod() then gives back what the umask took. */
  if (fchmod(fd, 0660) != 0 || bind(fd, &g->addr.sa.any, g->addr.len) != 0)
    return why_errno(why, why_size, g->name, "");
  if (lstat(g->addr.sa.local.sun_path, &st) == 0) {
    g->local_dev = st.st_dev;
    g->local_ino = st.st_ino;
  }
  if (chmod(g->addr.sa.local.sun_path, 0660) != 0 || listen(fd, BACKLOG) != 0)
    return why_errno(why, why_size, g->name, "");
  for (uint32_t i = 0; i < g->count; i++)
    g->items[i].fd = fd;
  atomic_store(&g->local_users, g->count);
  return 0;
}

struct listener_group *listener_open(const char *address,
                                     struct tls_context *tls,
                                     uint32_t worker_count, char *why,
                                     size_t why_size)
{
  struct listener_group *g;
  struct addr a;

  if (!addr_parse(&a, address, true, why, why_size))
    return NULL;
  g = calloc(1, sizeof(*g) + worker_count * sizeof(g->items[0]));
  if (g == NULL) {
    snprintf(why, why_size, "out of memory");
    return NULL;
  }
  g->addr = a;
  g->name_len = addr_format(&a, g->name);
  atomic_init(&g->tls, tls);
  g->local_fd = -1;
  atomic_init(&g->logged_us, INT64_MIN);
  g->count = worker_count;
  for (uint32_t i = 0; i < worker_count; i++) {
    g->items[i].group = g;
    g->items[i].fd = -1;
  }
  if ((is_local(g) ? listen_local(g, why, why_size)
                   : listen_tcp(g, why, why_size)) != 0) {
    listener_free(g);
    return NULL;
  }
  return g;
}

bool listener_address_ok(const char *address, char *why, size_t why_size)
{
  struct addr a;

  return addr_parse(&a, address, false, why, why_size);
}

bool listener_address_is_loopback(const char *address)
{
  return addr_text_is_loopback(address);
}

/* ---- accepting ---- */

static void listener_log(struct listener *l, int error)
{
  struct listener_group *g = l->group;
  int64_t last = atomic_load(&g->logged_us);
  struct log_field fields[3] = {{"listener", listener_name(g)}};
  char text[128], count[16];
  const char *reason;

  atomic_fetch_add(&g->paused, 1);
  if ((last != INT64_MIN && l->worker->now_us - last < LOG_EVERY_US) ||
      !atomic_compare_exchange_strong(&g->logged_us, &last, l->worker->now_us))
    return;
  reason = strerror_r(error, text, sizeof(text));
  snprintf(count, sizeof(count), "%u", atomic_exchange(&g->paused, 0));
  fields[1] = (struct log_field){"error", {reason, strlen(reason)}};
  fields[2] = (struct log_field){"pauses", {count, strlen(count)}};
  log_fields(WPS_LOG_WARN, "core", "cannot accept clients, trying again",
             fields, ARRAY_LEN(fields));
}

static void listener_resume(struct timer *t)
{
  struct listener *l = CONTAINER_OF(t, struct listener, pause);

  io_want(l->worker, &l->io, WPS_READ);
}

/* No memory, no descriptors, or what we do not know: rest for a moment, since
 * the client stays in the queue and the descriptor stays readable. */
static void listener_pause(struct listener *l, int error)
{
  defer_cancel(&l->turn);
  io_want(l->worker, &l->io, 0);
  timer_start(l->worker, &l->pause, PAUSE_MS);
  listener_log(l, error);
}

static int listener_accept_one(struct listener *l, struct addr *from)
{
  if (FAULT("accept")) {
    errno = EMFILE;
    return -1;
  }
  from->len = sizeof(from->sa);
  return accept4(l->fd, &from->sa.any, &from->len,
                 SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* Errors of the one client that was to be accepted, not of the listener. */
static bool client_has_gone(int error)
{
  switch (error) {
  case EINTR:
  case ECONNABORTED:
  case EPROTO:
  case EPERM:
  case ENETDOWN:
  case ENOPROTOOPT:
  case EHOSTDOWN:
  case ENONET:
  case EHOSTUNREACH:
  case EOPNOTSUPP:
  case ENETUNREACH:
  case ETIMEDOUT:
    return true;
  default:
    return false;
  }
}

/* Each client is a chore of its own behind the handshakes of those before it:
 * when these take all the time there is for newcomers, the queue is the
 * kernel's. */
static void listener_turn(struct defer *d)
{
  struct listener *l = CONTAINER_OF(d, struct listener, turn);
  char remote[ADDR_TEXT_MAX];
  struct stream *s;
  struct addr from;
  size_t len;
  int fd = listener_accept_one(l, &from);

  if (fd < 0) {
    if (client_has_gone(errno))
      worker_chore(l->worker, &l->turn);
    else if (errno == EAGAIN || errno == EWOULDBLOCK)
      io_want(l->worker, &l->io, WPS_READ);
    else
      listener_pause(l, errno);
    return;
  }
  worker_chore(l->worker, &l->turn);
  s = stream_new(fd, l->group->tls);
  if (s == NULL) {
    listener_pause(l, ENOMEM);
    return;
  }
  if (is_local(l->group)) {
    /* What a client has bound its end to is of no interest. */
    from.len = 0;
    from.sa.any.sa_family = AF_UNIX;
  }
  len = addr_format(&from, remote);
  l->fn(l->arg, l->worker, s, (struct wps_str){remote, len}, l->group);
}

/* Not watched until its turn has come, lest each poll says it again. */
static void listener_ready(struct io *io, uint32_t events)
{
  struct listener *l = CONTAINER_OF(io, struct listener, io);

  UNUSED(events);
  io_want(l->worker, &l->io, 0);
  worker_chore(l->worker, &l->turn);
}

int listener_start(struct listener_group *g, struct wps_worker *w, accept_fn fn,
                   void *arg)
{
  struct listener *l;

  CHECK(w->index < g->count);
  l = &g->items[w->index];
  CHECK(l->worker == NULL);
  if (l->fd < 0)
    return WPS_ECLOSED;
  l->worker = w;
  l->fn = fn;
  l->arg = arg;
  timer_init(&l->pause, listener_resume);
  defer_init(&l->turn, listener_turn);
  io_init(&l->io, l->fd, listener_ready);
  io_want(w, &l->io, WPS_READ);
  return WPS_OK;
}

void listener_stop(struct listener_group *g, struct wps_worker *w)
{
  struct listener *l = &g->items[w->index];

  if (l->worker == NULL)
    return;
  timer_stop(w, &l->pause);
  defer_cancel(&l->turn);
  if (is_local(g))
    io_leave(w, &l->io);
  else
    io_stop(w, &l->io);
  l->worker = NULL;
  if (!is_local(g)) {
    close(l->fd);
  } else if (atomic_fetch_sub(&g->local_users, 1) == 1) {
    close(g->local_fd);
    g->local_fd = -1;
  }
  l->fd = -1;
}

void listener_free(struct listener_group *g)
{
  struct stat st;

  if (g == NULL)
    return;
  if (!is_local(g)) {
    for (uint32_t i = 0; i < g->count; i++)
      if (g->items[i].fd >= 0)
        close(g->items[i].fd);
  } else {
    if (g->local_fd >= 0)
      close(g->local_fd);
    /* Not a file that somebody has put there since. */
    if (g->local_ino != 0 && lstat(g->addr.sa.local.sun_path, &st) == 0 &&
        st.st_dev == g->local_dev && st.st_ino == g->local_ino)
      unlink(g->addr.sa.local.sun_path);
  }
  free(g);
}

struct wps_str listener_name(const struct listener_group *g)
{
  return (struct wps_str){g->name, g->name_len};
}

void listener_renew_tls(struct listener_group *g, struct tls_context *tls)
{
  atomic_store(&g->tls, tls);
}

bool listener_is_tls(const struct listener_group *g)
{
  return g->tls != NULL;
}
