/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/io.h"

#include <sys/epoll.h>

#include "loop/worker.h"
#include "loop/worker_private.h"

static void io_ready(struct ev_loop *loop, ev_io *watcher, int revents)
{
  struct io *io = (struct io *)(void *)watcher;
  uint32_t events = 0;

  UNUSED(loop);
  if ((revents & EV_READ) != 0)
    events |= WPS_READ;
  if ((revents & EV_WRITE) != 0)
    events |= WPS_WRITE;
  /* libev stops a watcher whose descriptor is bad; whoever reads or writes
   * next learns of it by the result. */
  if ((revents & EV_ERROR) != 0)
    events |= WPS_READ | WPS_WRITE;
  io->fn(io, events);
}

void io_init(struct io *io, int fd,
             void (*fn)(struct io *self, uint32_t events))
{
  ev_init(&io->watcher, io_ready);
  ev_io_set(&io->watcher, fd, 0);
  io->fn = fn;
}

void io_want(struct wps_worker *w, struct io *io, uint32_t events)
{
  int wanted = ((events & WPS_READ) != 0 ? EV_READ : 0) |
               ((events & WPS_WRITE) != 0 ? EV_WRITE : 0);

  if (wanted == 0) {
    ev_io_stop(w->loop, &io->watcher);
    return;
  }
  if (ev_is_active(&io->watcher)) {
    if ((io->watcher.events & (EV_READ | EV_WRITE)) == wanted)
      return;
    ev_io_stop(w->loop, &io->watcher);
  }
  /* Not ev_io_set: that would claim a new descriptor and cost a failing
   * epoll_ctl each time. After io_init() the claim is still set, once. */
  ev_io_modify(&io->watcher, wanted);
  ev_io_start(w->loop, &io->watcher);
}

void io_stop(struct wps_worker *w, struct io *io)
{
  ev_io_stop(w->loop, &io->watcher);
}

/* libev has no call for this, nor one that names its epoll descriptor; but
 * whoever embeds a loop into another watches that descriptor. So the embedding
 * is prepared on a loop that never runs, just to read it. It is asked each
 * time, because libev may make a new one. */
static int worker_epoll(struct wps_worker *w)
{
  struct worker_private *p = w->private_;
  int fd;

  ev_embed_start(p->probe, &p->epoll);
  fd = p->epoll.io.fd;
  ev_embed_stop(p->probe, &p->epoll);
  return fd;
}

void io_leave(struct wps_worker *w, struct io *io)
{
  struct epoll_event none = {0};

  ev_io_stop(w->loop, &io->watcher);
  /* ENOENT: it was never started, or libev has done it. */
  epoll_ctl(worker_epoll(w), EPOLL_CTL_DEL, io_fd(io), &none);
  /* The next start claims the descriptor anew, on this loop, too. */
  ev_io_set(&io->watcher, io_fd(io), 0);
}
