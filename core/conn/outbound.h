/* SPDX-License-Identifier: Apache-2.0 */
/* conn/outbound.h - what waits to be written to one socket.
 *
 * Queuing marks the queue dirty; the worker's flusher writes every dirty queue
 * once per turn: small pieces are gathered in the worker's send buffer, large
 * frames go out by reference, and what is the same for many queues is gathered
 * once for all of them. Limits count what the socket would not take
 * after a flush, so that a burst within one turn closes nobody. An empty queue
 * holds no memory.
 */
#ifndef WPS_CONN_OUTBOUND_H
#define WPS_CONN_OUTBOUND_H

#include "base/list.h"
#include "loop/worker.h"
#include "msg/message.h"
#include "wire/stream.h"

struct outbound;

/* Private bytes of one unit, from a per-worker free list when small. */
struct out_head {
  struct out_head *next_free;
  uint32_t len;
  uint32_t size_class; /* 0: malloc'ed */
  unsigned char bytes[];
};

enum {
  OUT_COUNTED = 1 << 0,  /* a delivered message: counts against the number */
  OUT_LAST = 1 << 1,     /* close frame: nothing may be queued behind it   */
  OUT_PAYLOAD = 1 << 2,  /* of `frame` only the payload: head has the rest */
  OUT_HANDSHAKE = 1 << 3 /* the 101: without it no frame makes sense */
};

struct out_unit {
  struct out_head *head;   /* written first, NULL: none */
  struct wps_frame *frame; /* then this, NULL: none     */
  struct wps_message
      *expires; /* not written by its ttl: dropped; NULL: never */
  uint32_t flags;
  uint32_t reserved;
};

struct outbound_ops {
  /* The socket failed; called from the flusher. */
  void (*failed)(struct outbound *o, const char *why);
  /* After a flush that left something: is it too much? */
  void (*left)(struct outbound *o);
  /* Everything has been written. */
  void (*emptied)(struct outbound *o);
  /* The first of a unit that may expire has been written; NULL: nobody asks. */
  void (*wrote)(struct outbound *o, struct wps_message *expires);
};

struct outbound {
  struct out_unit *units; /* ring */
  uint32_t first, count, cap;
  uint32_t counted;      /* units with OUT_COUNTED */
  struct list dirty;     /* in out_worker.dirty */
  struct stream *stream; /* NULL: what is queued is dropped */
  size_t bytes;          /* queued, all of it      */
  size_t counted_bytes;  /* of units with OUT_COUNTED */
  size_t sent;           /* of the first unit      */
  bool blocked;          /* waits for writability, maybe only for its turn */
  bool full;             /* the socket did not take what it was given */
  const struct outbound_ops *ops;
};

enum { OUT_HEAD_CLASSES = 2 };

struct out_ring {
  struct out_ring *next_free;
};

/* out_same.h */
enum { OUT_SAME_MAX = 64, OUT_SAME_BYTES = 512 * 1024 };
struct out_same {
  struct wps_frame *frames[OUT_SAME_MAX]; /* references */
  uint32_t count;
  bool gathered;
  size_t bytes;
  unsigned char *room; /* OUT_SAME_BYTES; NULL: none, and nothing is shared */
};

struct out_worker {
  struct list dirty;
  struct flusher flusher;
  struct out_same same;
  struct out_head *free_heads[OUT_HEAD_CLASSES];
  uint32_t free_counts[OUT_HEAD_CLASSES];
  struct out_ring *free_rings;
  uint32_t free_ring_count;
};

static inline struct out_unit *outbound_unit(struct outbound *o, uint32_t i)
{
  return &o->units[(o->first + i) & (o->cap - 1)];
}

void out_worker_start(struct out_worker *ow, struct wps_worker *w);
void out_worker_stop(struct out_worker *ow);

void outbound_init(struct outbound *o, const struct outbound_ops *ops);
/* Drop everything; leaves the dirty list. The stream is not touched. */
void outbound_clear(struct outbound *o, struct wps_worker *w);
/* Drop what is not partly written: the frame on the wire must be finished, what
 * TLS has taken be repeated, and a 101 sent. */
void outbound_drop_unsent(struct outbound *o, struct wps_worker *w);
/* Move everything to another queue with other ops, as linger.c does. `to` is
 * initialised and empty. */
void outbound_move(struct outbound *to, struct outbound *from,
                   struct wps_worker *w);

/* Queue; references are taken. Errors: ENOMEM, ECLOSED (no stream, or a close
 * frame is queued). */
int outbound_frame(struct outbound *o, struct wps_worker *w,
                   struct wps_frame *frame, uint32_t flags,
                   struct wps_message *expires);
/* A frame of opcode made of parts: bytes are gathered in front of one shared
 * frame; other shapes are flattened into one private block. */
int outbound_parts(struct outbound *o, struct wps_worker *w, uint32_t opcode,
                   const struct wps_part *parts, size_t count, uint32_t flags,
                   struct wps_message *expires);
/* The head of the 101, the first unit. */
int outbound_handshake(struct outbound *o, struct wps_worker *w,
                       const void *bytes, size_t len);
/* A close frame, the last unit. */
int outbound_close(struct outbound *o, struct wps_worker *w, uint16_t code,
                   struct wps_str reason);

/* Write it now rather than with all others; the flusher's own time, from which
 * ops are called. */
void outbound_flush(struct outbound *o, struct wps_worker *w);
/* The socket has just taken `sent` bytes of the first unit from another hand,
 * and would not take more; the same. */
void outbound_refused(struct outbound *o, size_t sent);
void outbound_writable(struct outbound *o, struct wps_worker *w);

#endif
