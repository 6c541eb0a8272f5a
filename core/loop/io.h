/* SPDX-License-Identifier: Apache-2.0 */
/* loop/io.h - readiness of a file descriptor (level-triggered).
 *
 * Embeds libev's watcher so that a socket costs no second allocation. Thread:
 * the worker it was started on. */
#ifndef WPS_LOOP_IO_H
#define WPS_LOOP_IO_H

#include <ev.h>

#include "base/base.h"

#include <webpubsub/worker.h> /* WPS_READ, WPS_WRITE */

struct wps_worker;

struct io {
  ev_io watcher; /* first: fn gets the io back from it */
  void (*fn)(struct io *self, uint32_t events);
};

void io_init(struct io *io, int fd,
             void (*fn)(struct io *self, uint32_t events));
/* What is waited for, WPS_READ | WPS_WRITE; 0 stops. Cheap when unchanged. */
void io_want(struct wps_worker *w, struct io *io, uint32_t events);
/* Before the descriptor is closed. */
void io_stop(struct wps_worker *w, struct io *io);
/* Before the descriptor stays open and goes to another worker: io_stop() alone
 * leaves it registered in the kernel, and this worker would hear of it again
 * and might touch its number after the other one has closed it. */
void io_leave(struct wps_worker *w, struct io *io);
static inline int io_fd(const struct io *io)
{
  return io->watcher.fd;
}

#endif
