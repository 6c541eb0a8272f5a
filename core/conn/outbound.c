/* SPDX-License-Identifier: Apache-2.0 */
/* conn/outbound.c - queue, flush, and the private heads of units. */
#include "conn/outbound.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "conn/conn.h"
#include "conn/out_same.h"

enum {
  SMALL_HEAD = 64 - sizeof(struct out_head),
  LARGE_HEAD = 256 - sizeof(struct out_head),
  FREE_HEADS_MAX = 1024,
  FREE_RINGS_MAX = 4096,
  RING_MIN = 8,      /* units; a power of two */
  GATHER_MAX = 2048, /* larger frames are not copied */
  IOV_MAX_USED = 64,
  FLUSH_BYTES_MAX = 1024 * 1024,   /* per queue and turn, for fairness */
  FLUSH_REST_MAX = 4 * 1024 * 1024 /* what may be put off that way */
};

static const uint32_t head_sizes[OUT_HEAD_CLASSES] = {SMALL_HEAD, LARGE_HEAD};

static struct out_worker *out_of(struct wps_worker *w)
{
  return &w->conns->out;
}

/* ---- private heads ---- */

static struct out_head *head_new(struct out_worker *ow, size_t len)
{
  struct out_head *h;

  for (uint32_t i = 0; i < OUT_HEAD_CLASSES; i++) {
    if (len > head_sizes[i])
      continue;
    h = ow->free_heads[i];
    if (h != NULL) {
      ow->free_heads[i] = h->next_free;
      ow->free_counts[i]--;
    } else {
      h = malloc(sizeof(*h) + head_sizes[i]);
      if (h == NULL)
        return NULL;
      h->size_class = i + 1;
    }
    h->len = (uint32_t)len;
    return h;
  }
  if (len > UINT32_MAX)
    return NULL;
  h = malloc(sizeof(*h) + len);
  if (h == NULL)
    return NULL;
  h->size_class = 0;
  h->len = (uint32_t)len;
  return h;
}

static void head_free(struct out_worker *ow, struct out_head *h)
{
  if (h == NULL)
    return;
  if (h->size_class != 0 &&
      ow->free_counts[h->size_class - 1] < FREE_HEADS_MAX) {
    h->next_free = ow->free_heads[h->size_class - 1];
    ow->free_heads[h->size_class - 1] = h;
    ow->free_counts[h->size_class - 1]++;
    return;
  }
  free(h);
}

/* ---- units ---- */

static size_t unit_bytes(const struct out_unit *u)
{
  size_t n = u->head != NULL ? u->head->len : 0;

  if (u->frame != NULL)
    n += (u->flags & OUT_PAYLOAD) != 0 ? u->frame->len
                                       : frame_wire_len(u->frame);
  return n;
}

static struct out_unit *unit_at(struct outbound *o, uint32_t i)
{
  return outbound_unit(o, i);
}

static void unit_release(struct out_worker *ow, struct out_unit *u)
{
  head_free(ow, u->head);
  frame_unref(u->frame);
  message_unref(u->expires);
}

/* Most queues are filled and emptied within one turn: their rings go round in a
 * free list. */
static void ring_free(struct out_worker *ow, struct out_unit *units,
                      uint32_t cap)
{
  struct out_ring *ring = (struct out_ring *)(void *)units;

  if (cap != RING_MIN || ow->free_ring_count == FREE_RINGS_MAX) {
    free(units);
    return;
  }
  ring->next_free = ow->free_rings;
  ow->free_rings = ring;
  ow->free_ring_count++;
}

static struct out_unit *ring_new(struct out_worker *ow, uint32_t cap)
{
  struct out_ring *ring = ow->free_rings;

  if (cap != RING_MIN || ring == NULL)
    return malloc(cap * sizeof(struct out_unit));
  ow->free_rings = ring->next_free;
  ow->free_ring_count--;
  return (struct out_unit *)(void *)ring;
}

static void shrink(struct outbound *o, struct out_worker *ow)
{
  if (o->units != NULL)
    ring_free(ow, o->units, o->cap);
  o->units = NULL;
  o->first = 0;
  o->cap = 0;
}

static void account_in(struct outbound *o, const struct out_unit *u)
{
  size_t n = unit_bytes(u);

  o->bytes += n;
  if ((u->flags & OUT_COUNTED) == 0)
    return;
  o->counted++;
  o->counted_bytes += n;
}

static void account_out(struct outbound *o, const struct out_unit *u)
{
  size_t n = unit_bytes(u);

  o->bytes -= n;
  if ((u->flags & OUT_COUNTED) == 0)
    return;
  o->counted--;
  o->counted_bytes -= n;
}

static void pop_first(struct outbound *o, struct out_worker *ow)
{
  struct out_unit *u = unit_at(o, 0);

  account_out(o, u);
  unit_release(ow, u);
  o->first = (o->first + 1) & (o->cap - 1);
  o->count--;
  o->sent = 0;
}

static int grow(struct outbound *o, struct out_worker *ow)
{
  uint32_t next = o->cap == 0 ? RING_MIN : o->cap * 2;
  struct out_unit *bigger;

  if (next < o->cap)
    return WPS_ENOMEM;
  bigger = ring_new(ow, next);
  if (bigger == NULL)
    return WPS_ENOMEM;
  for (uint32_t i = 0; i < o->count; i++)
    bigger[i] = *unit_at(o, i);
  if (o->units != NULL)
    ring_free(ow, o->units, o->cap);
  o->units = bigger;
  o->first = 0;
  o->cap = next;
  return WPS_OK;
}

static bool closing(struct outbound *o)
{
  return o->count != 0 && (unit_at(o, o->count - 1)->flags & OUT_LAST) != 0;
}

/* Takes over what the unit owns, also on errors. */
static int push(struct outbound *o, struct wps_worker *w, struct out_unit *u)
{
  struct out_worker *ow = out_of(w);
  int rc = o->stream == NULL || closing(o) ? WPS_ECLOSED : WPS_OK;

  if (rc == WPS_OK && o->count == o->cap)
    rc = grow(o, ow);
  if (rc != WPS_OK) {
    unit_release(ow, u);
    return rc;
  }
  *unit_at(o, o->count++) = *u;
  account_in(o, u);
  if (!o->blocked && list_empty(&o->dirty))
    list_add_tail(&ow->dirty, &o->dirty);
  return WPS_OK;
}

void outbound_init(struct outbound *o, const struct outbound_ops *ops)
{
  memset(o, 0, sizeof(*o));
  list_init(&o->dirty);
  o->ops = ops;
}

void outbound_clear(struct outbound *o, struct wps_worker *w)
{
  while (o->count != 0)
    pop_first(o, out_of(w));
  shrink(o, out_of(w));
  o->blocked = o->full = false;
  list_remove(&o->dirty);
}

/* Bytes behind `sent` that cannot be taken back either. */
static size_t owed(const struct outbound *o)
{
  return o->stream != NULL ? stream_owed(o->stream) : 0;
}

void outbound_drop_unsent(struct outbound *o, struct wps_worker *w)
{
  struct out_worker *ow = out_of(w);
  size_t gone = o->sent + owed(o), at = 0;
  uint32_t keep = 0;

  while (keep < o->count && at < gone)
    at += unit_bytes(unit_at(o, keep++));
  if (keep == 0 && o->count != 0 && (unit_at(o, 0)->flags & OUT_HANDSHAKE) != 0)
    keep = 1;
  while (o->count > keep) {
    struct out_unit *u = unit_at(o, o->count - 1);

    account_out(o, u);
    unit_release(ow, u);
    o->count--;
  }
}

void outbound_move(struct outbound *to, struct outbound *from,
                   struct wps_worker *w)
{
  const struct outbound_ops *ops = to->ops;

  list_remove(&from->dirty);
  *to = *from;
  to->ops = ops;
  list_init(&to->dirty);
  outbound_init(from, from->ops);
  if (to->count != 0 && !to->blocked)
    list_add_tail(&out_of(w)->dirty, &to->dirty);
}

int outbound_frame(struct outbound *o, struct wps_worker *w,
                   struct wps_frame *frame, uint32_t flags,
                   struct wps_message *expires)
{
  struct out_unit u = {.frame = frame_ref(frame), .flags = flags};

  if (expires != NULL && expires->expires_ms != 0)
    u.expires = message_ref(expires);
  return push(o, w, &u);
}

int outbound_parts(struct outbound *o, struct wps_worker *w, uint32_t opcode,
                   const struct wps_part *parts, size_t count, uint32_t flags,
                   struct wps_message *expires)
{
  struct out_unit u = {.flags = flags};
  unsigned char header[FRAME_HEADER_MAX];
  size_t total = 0, private_len = 0, header_len;
  /* The usual shape: private bytes, then one shared frame at the end. */
  bool shared_end = count != 0 && parts[count - 1].shared != NULL;
  unsigned char *at;

  for (size_t i = 0; i < count; i++) {
    size_t n =
        parts[i].shared != NULL ? parts[i].shared->len : parts[i].bytes.len;

    if (n > SIZE_MAX / 2 - total)
      return WPS_ETOOBIG;
    total += n;
    if (i + 1 < count || !shared_end)
      private_len += n;
  }
  header_len = frame_header_write(header, opcode, total);
  u.head = head_new(out_of(w), header_len + private_len);
  if (u.head == NULL)
    return WPS_ENOMEM;
  at = u.head->bytes;
  memcpy(at, header, header_len);
  at += header_len;
  for (size_t i = 0; i + (shared_end ? 1 : 0) < count; i++) {
    struct wps_bytes b = parts[i].bytes;

    if (parts[i].shared != NULL)
      b = (struct wps_bytes){parts[i].shared->payload, parts[i].shared->len};
    if (b.len != 0)
      memcpy(at, b.ptr, b.len);
    at += b.len;
  }
  if (shared_end) {
    u.frame = frame_ref(parts[count - 1].shared);
    u.flags |= OUT_PAYLOAD;
  }
  if (expires != NULL && expires->expires_ms != 0)
    u.expires = message_ref(expires);
  return push(o, w, &u);
}

int outbound_handshake(struct outbound *o, struct wps_worker *w,
                       const void *bytes, size_t len)
{
  struct out_unit u = {.head = head_new(out_of(w), len),
                       .flags = OUT_HANDSHAKE};

  if (u.head == NULL)
    return WPS_ENOMEM;
  memcpy(u.head->bytes, bytes, len);
  return push(o, w, &u);
}

int outbound_close(struct outbound *o, struct wps_worker *w, uint16_t code,
                   struct wps_str reason)
{
  unsigned char payload[125];
  struct wps_part part = {
      NULL, {payload, frame_close_payload(payload, code, reason)}};

  return outbound_parts(o, w, FRAME_CLOSE, &part, 1, OUT_LAST, NULL);
}

/* ---- flush ---- */

/* Messages that waited past their time leave the queue unwritten
 * (azure-client.md 5.10). Only ever at the front: what is behind is looked at
 * when its turn comes. */
static bool first_is_stale(struct outbound *o, int64_t now_us)
{
  struct out_unit *u = unit_at(o, 0);

  return o->sent == 0 && u->expires != NULL &&
         message_expired(u->expires, now_us) && owed(o) == 0;
}

static void consume(struct outbound *o, struct out_worker *ow, size_t n)
{
  while (n != 0) {
    struct out_unit *u = unit_at(o, 0);
    size_t left = unit_bytes(u) - o->sent;

    if (u->expires != NULL && o->sent == 0 && o->ops->wrote != NULL)
      o->ops->wrote(o, u->expires);

    if (n < left) {
      o->sent += n;
      return;
    }
    n -= left;
    pop_first(o, ow);
  }
}

struct gather {
  struct iovec iov[IOV_MAX_USED];
  int count;
  unsigned char *room; /* worker's send buffer */
  size_t used, total;
};

/* False when there is no place for it. */
static bool gather_piece(struct gather *g, const unsigned char *p, size_t len)
{
  if (len == 0)
    return true;
  if (len <= GATHER_MAX) {
    struct iovec *last = g->count != 0 ? &g->iov[g->count - 1] : NULL;

    if (g->used + len > WORKER_SEND_BUFFER)
      return false;
    memcpy(g->room + g->used, p, len);
    if (last != NULL &&
        (unsigned char *)last->iov_base + last->iov_len == g->room + g->used) {
      last->iov_len += len;
    } else {
      if (g->count == IOV_MAX_USED)
        return false;
      g->iov[g->count++] = (struct iovec){g->room + g->used, len};
    }
    g->used += len;
  } else {
    if (g->count == IOV_MAX_USED)
      return false;
    g->iov[g->count++] = (struct iovec){(void *)(uintptr_t)p, len};
  }
  g->total += len;
  return true;
}

static bool gather_unit(struct gather *g, const struct out_unit *u, size_t skip)
{
  struct gather before = {
      .count = g->count, .used = g->used, .total = g->total};
  size_t last_len = g->count != 0 ? g->iov[g->count - 1].iov_len : 0;
  const unsigned char *p;
  size_t len;

  if (u->head != NULL && skip < u->head->len) {
    if (!gather_piece(g, u->head->bytes + skip, u->head->len - skip))
      goto full;
    skip = 0;
  } else if (u->head != NULL) {
    skip -= u->head->len;
  }
  if (u->frame == NULL)
    return true;
  p = (u->flags & OUT_PAYLOAD) != 0 ? u->frame->payload : frame_wire(u->frame);
  len =
      (u->flags & OUT_PAYLOAD) != 0 ? u->frame->len : frame_wire_len(u->frame);
  if (gather_piece(g, p + skip, len - skip))
    return true;
full:
  g->count = before.count;
  g->used = before.used;
  g->total = before.total;
  if (g->count != 0)
    g->iov[g->count - 1].iov_len = last_len;
  return false;
}

/* All units are plain and have been written. */
static void consume_all(struct outbound *o)
{
  for (uint32_t i = 0; i < o->count; i++)
    frame_unref(unit_at(o, i)->frame);
  o->first = o->count = o->counted = 0;
  o->bytes = o->counted_bytes = 0;
}

/* The whole queue, where it needs no gathering of its own: one frame is sent
 * from where it is, several when another queue has had the same. *n: what
 * stream_writev() said. */
static bool send_whole(struct outbound *o, struct out_same *same, ssize_t *n)
{
  struct iovec all;

  if (o->count == 1) {
    const struct out_unit *u = unit_at(o, 0);

    if (o->sent != 0 || !out_is_plain(u))
      return false;
    all = (struct iovec){(void *)(uintptr_t)frame_wire(u->frame), o->bytes};
  } else {
    if (!out_same_fits(same, o))
      return false;
    all = out_same_bytes(same);
  }
  if (owed(o) != 0)
    return false;
  *n = stream_writev(o->stream, &all, 1);
  return true;
}

/* Gathers from the front of the queue, and sends; *total is how much. */
static ssize_t send_front(struct outbound *o, struct wps_worker *w,
                          size_t *total)
{
  struct gather g;

  if (o->count > 1)
    out_same_note(&out_of(w)->same, o);
  g.count = 0;
  g.used = g.total = 0;
  g.room = w->send_buffer;
  for (uint32_t i = 0; i < o->count; i++) {
    struct out_unit *u = unit_at(o, i);

    if (i != 0 && u->expires != NULL &&
        message_expired(u->expires, w->now_us) && g.total >= owed(o))
      break;
    if (!gather_unit(&g, u, i == 0 ? o->sent : 0))
      break;
  }
  *total = g.total;
  return stream_writev(o->stream, g.iov, g.count);
}

void outbound_refused(struct outbound *o, size_t sent)
{
  o->sent = sent;
  o->blocked = o->full = true;
  list_remove(&o->dirty);
  stream_want_write(o->stream, true);
  o->ops->left(o);
}

static void flush(struct outbound *o, struct wps_worker *w)
{
  struct out_worker *ow = out_of(w);
  size_t written = 0;

  while (o->count != 0 &&
         (written < FLUSH_BYTES_MAX || o->bytes > FLUSH_REST_MAX)) {
    size_t total = o->bytes;
    ssize_t n;

    if (send_whole(o, &ow->same, &n)) {
      if (n >= 0 && (size_t)n == total) {
        consume_all(o);
        break;
      }
    } else if (first_is_stale(o, w->now_us)) {
      pop_first(o, ow);
      continue;
    } else {
      n = send_front(o, w, &total);
    }
    if (n == STREAM_ERROR) {
      o->ops->failed(o, stream_error(o->stream));
      return;
    }
    if (n >= 0) {
      consume(o, ow, (size_t)n);
      written += (size_t)n;
    }
    if (n < 0 || (size_t)n < total) {
      outbound_refused(o, o->sent);
      return;
    }
  }
  if (o->count != 0) {
    /* Others first; the socket would take more. */
    o->blocked = true;
    stream_want_write(o->stream, true);
    return;
  }
  shrink(o, ow);
  o->ops->emptied(o);
}

void outbound_flush(struct outbound *o, struct wps_worker *w)
{
  if (list_empty(&o->dirty))
    return;
  list_remove(&o->dirty);
  if (o->stream != NULL && !o->blocked)
    flush(o, w);
}

void outbound_writable(struct outbound *o, struct wps_worker *w)
{
  stream_want_write(o->stream, false);
  o->blocked = o->full = false;
  if (list_empty(&o->dirty))
    list_add_tail(&out_of(w)->dirty, &o->dirty);
}

static bool flush_all(struct flusher *f, struct wps_worker *w)
{
  struct out_worker *ow = CONTAINER_OF(f, struct out_worker, flusher);
  struct list *node;
  bool any = false;

  while ((node = list_pop(&ow->dirty)) != NULL) {
    struct outbound *o = CONTAINER_OF(node, struct outbound, dirty);

    any = true;
    if (o->stream == NULL || o->blocked)
      continue;
    flush(o, w);
  }
  out_same_forget(&ow->same);
  return any;
}

void out_worker_start(struct out_worker *ow, struct wps_worker *w)
{
  memset(ow, 0, sizeof(*ow));
  list_init(&ow->dirty);
  out_same_start(&ow->same);
  ow->flusher.fn = flush_all;
  worker_add_flusher(w, &ow->flusher);
}

void out_worker_stop(struct out_worker *ow)
{
  for (size_t i = 0; i < OUT_HEAD_CLASSES; i++)
    while (ow->free_heads[i] != NULL) {
      struct out_head *h = ow->free_heads[i];

      ow->free_heads[i] = h->next_free;
      free(h);
    }
  while (ow->free_rings != NULL) {
    struct out_ring *ring = ow->free_rings;

    ow->free_rings = ring->next_free;
    free(ring);
  }
  out_same_stop(&ow->same);
}
