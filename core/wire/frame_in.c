/* SPDX-License-Identifier: Apache-2.0 */
/* wire/frame_in.c - WebSocket frames from a client.
 *
 * Every header, on either path, passes header_read() before anything is done
 * with its payload: wslay leaves some of RFC 6455 unchecked, notices the rest
 * late, and allocates what a header announces. What is left to wslay is to
 * unmask, check UTF-8 and put together data frames that come in pieces.
 * Control frames are at most 125 bytes and are gathered here, because wslay
 * would queue answers that are ours to give and skips two bytes of every piece
 * of a close reason.
 *
 * A binding is exact about what wslay holds: it is fed one frame at a time,
 * never a byte behind its end, so at the end of a frame outside a fragmented
 * message its context is as good as new and goes to the next connection.
 */
#include "wire/frame_in.h"

#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#include "base/check.h"
#include "base/utf8.h"
#include "wire/frame_out.h"

enum { OP_CONTINUATION = 0, HEADER_MAX = 14, CONTROL_MAX = 125 };
enum { CODE_PROTOCOL = 1002, CODE_NO_STATUS = 1005, CODE_INVALID = 1007 };
enum { CODE_TOO_BIG = 1009, CODE_INTERNAL = 1011 };
enum { HEADER_DONE = 0, HEADER_MORE = 1 };
enum { IN_ENDED = 1 << 0 }; /* frame_in.flags: not to be fed again */

struct frame_header {
  uint64_t len;
  uint32_t opcode;
  bool fin;
  uint8_t size; /* of the header itself */
  unsigned char mask[4];
};

/* The data message that is being received. */
struct assembly {
  bool open; /* a frame without FIN was last */
  uint32_t fragments;
  uint64_t len;
};

/* The arguments of one frame_in_feed(). */
struct feeding {
  struct frame_pool *pool;
  struct frame_in *in;
  const struct frame_in_limits *limits;
  const struct frame_in_ops *ops;
  void *arg;
  const char **why;
};

struct frame_binding {
  struct frame_binding *next; /* in the pool's idle list */
  wslay_event_context_ptr ctx;
  const struct feeding *call; /* while wslay runs */
  bool stopped;               /* the receiver has had enough */
  bool in_payload;            /* header is complete, `left` bytes to come */
  uint8_t raw_len;            /* of an incomplete header */
  uint8_t control_len;
  unsigned char raw[HEADER_MAX];
  unsigned char control[CONTROL_MAX];
  struct frame_header header;
  uint64_t left;
  int64_t found_us; /* by frame_in_age_us(); 0: not yet */
  struct assembly message;
  struct wps_bytes slices[2]; /* what wslay may read now */
};

struct frame_pool {
  struct frame_binding *idle;
  size_t idle_count, idle_max;
  size_t total, bound;
};

static int refuse(const char **why, int code, const char *text)
{
  *why = text;
  return code;
}

static uint64_t be_read(const unsigned char *p, size_t bytes)
{
  uint64_t v = 0;

  for (size_t i = 0; i < bytes; i++)
    v = v << 8 | p[i];
  return v;
}

static int first_byte_check(unsigned char b, const struct assembly *message,
                            const struct frame_in_limits *limits,
                            const char **why)
{
  bool fin = (b & 0x80) != 0;
  uint32_t opcode = b & 0x0F;

  if (b & 0x70)
    return refuse(why, CODE_PROTOCOL, "reserved bit set");
  switch (opcode) {
  case OP_CONTINUATION:
    if (!message->open)
      return refuse(why, CODE_PROTOCOL, "continuation of nothing");
    break;
  case WPS_TEXT:
  case WPS_BINARY:
    if (message->open)
      return refuse(why, CODE_PROTOCOL, "new message inside another");
    break;
  case FRAME_CLOSE:
  case FRAME_PING:
  case FRAME_PONG:
    if (!fin)
      return refuse(why, CODE_PROTOCOL, "fragmented control frame");
    return HEADER_DONE;
  default:
    return refuse(why, CODE_PROTOCOL, "reserved opcode");
  }
  if ((!fin || message->open) && message->fragments >= limits->fragments_max)
    return refuse(why, CODE_TOO_BIG, "too many fragments");
  return HEADER_DONE;
}

/* Look at a header of which n >= 1 bytes are there. Refuses as soon as the
 * bytes allow, so that the verdict does not depend on how they were cut. */
static int header_read(const unsigned char *p, size_t n,
                       const struct assembly *message,
                       const struct frame_in_limits *limits,
                       struct frame_header *h, const char **why)
{
  size_t extended;
  int rc = first_byte_check(p[0], message, limits, why);

  if (rc != HEADER_DONE)
    return rc;
  if (n < 2)
    return HEADER_MORE;
  h->fin = (p[0] & 0x80) != 0;
  h->opcode = p[0] & 0x0F;
  h->len = p[1] & 0x7F;
  if ((p[1] & 0x80) == 0)
    return refuse(why, CODE_PROTOCOL, "unmasked frame");
  if (h->opcode >= FRAME_CLOSE && h->len > CONTROL_MAX)
    return refuse(why, CODE_PROTOCOL, "control frame too long");
  extended = h->len == 126 ? 2 : h->len == 127 ? 8 : 0;
  if (n < 2 + extended)
    return HEADER_MORE;
  if (extended > 0) {
    h->len = be_read(p + 2, extended);
    if (h->len < (extended == 2 ? 126u : 65536u) || h->len >> 63 != 0)
      return refuse(why, CODE_PROTOCOL, "bad frame length");
  }
  if (h->opcode < FRAME_CLOSE && (h->len > limits->message_max ||
                                  message->len > limits->message_max - h->len))
    return refuse(why, CODE_TOO_BIG, "message too big");
  h->size = (uint8_t)(2 + extended + 4);
  if (n < h->size)
    return HEADER_MORE;
  memcpy(h->mask, p + 2 + extended, 4);
  return HEADER_DONE;
}

static void unmask(unsigned char *p, size_t len, const unsigned char mask[4])
{
  uint64_t wide, v;
  size_t i = 0;

  memcpy(&wide, mask, 4);
  memcpy((unsigned char *)&wide + 4, mask, 4);
  for (; len - i >= 8; i += 8) {
    memcpy(&v, p + i, 8);
    v ^= wide;
    memcpy(p + i, &v, 8);
  }
  for (; i < len; i++)
    p[i] ^= mask[i & 3];
}

/* RFC 6455 7.4 and the registry behind it. */
static bool close_code_ok(uint16_t code)
{
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

static int close_take(const struct feeding *f, const unsigned char *p,
                      size_t len)
{
  struct wps_str reason = {"", 0};
  uint16_t code = CODE_NO_STATUS;

  if (len == 1)
    return refuse(f->why, CODE_PROTOCOL, "close frame of one byte");
  if (len >= 2) {
    code = (uint16_t)be_read(p, 2);
    if (!close_code_ok(code))
      return refuse(f->why, CODE_PROTOCOL, "bad close code");
    reason = (struct wps_str){(const char *)p + 2, len - 2};
    if (!utf8_valid(reason.ptr, reason.len))
      return refuse(f->why, CODE_INVALID, "close reason is not UTF-8");
  }
  f->ops->closed(f->arg, code, reason);
  return FRAME_STOPPED;
}

/* A whole control frame, unmasked. */
static int control_take(const struct feeding *f, uint32_t opcode,
                        const unsigned char *p, size_t len)
{
  bool go_on;

  if (opcode == FRAME_CLOSE)
    return close_take(f, p, len);
  if (opcode == FRAME_PING)
    go_on = f->ops->ping(f->arg, p, len);
  else
    go_on = f->ops->pong(f->arg, p, len);
  return go_on ? FRAME_OK : FRAME_STOPPED;
}

/* A whole frame in the receive buffer. */
static int whole_take(const struct feeding *f, const struct frame_header *h,
                      unsigned char *payload)
{
  size_t len = (size_t)h->len;

  unmask(payload, len, h->mask);
  if (h->opcode >= FRAME_CLOSE)
    return control_take(f, h->opcode, payload, len);
  if (h->opcode == WPS_TEXT && !utf8_valid(payload, len))
    return refuse(f->why, CODE_INVALID, "text is not UTF-8");
  return f->ops->message(f->arg, h->opcode, payload, len) ? FRAME_OK
                                                          : FRAME_STOPPED;
}

/* ---- bindings ---- */

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *out, size_t cap,
                       int flags, void *user_data)
{
  struct frame_binding *b = user_data;
  struct wps_bytes *from = b->slices[0].len > 0 ? &b->slices[0] : &b->slices[1];
  size_t n = from->len < cap ? from->len : cap;

  UNUSED(flags);
  if (n == 0) {
    wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
    return -1;
  }
  memcpy(out, from->ptr, n);
  from->ptr = (const unsigned char *)from->ptr + n;
  from->len -= n;
  return (ssize_t)n;
}

static void on_message(wslay_event_context_ptr ctx,
                       const struct wslay_event_on_msg_recv_arg *msg,
                       void *user_data)
{
  struct frame_binding *b = user_data;
  /* wslay gives NULL for an empty message. Its copy is freed right behind this
   * call and nobody else sees it, so the receiver may write to it. */
  unsigned char *data =
      msg->msg_length == 0 ? b->control : (unsigned char *)(uintptr_t)msg->msg;

  if (b->call->ops->message(b->call->arg, msg->opcode, data, msg->msg_length))
    return;
  b->stopped = true;
  wslay_event_shutdown_read(ctx);
}

static void binding_free(struct frame_pool *p, struct frame_binding *b)
{
  wslay_event_context_free(b->ctx);
  free(b);
  p->total--;
}

static struct frame_binding *binding_new(struct frame_pool *p)
{
  static const struct wslay_event_callbacks callbacks = {
      .recv_callback = on_recv, .on_msg_recv_callback = on_message};
  struct frame_binding *b = calloc(1, sizeof(*b));

  if (b == NULL)
    return NULL;
  if (wslay_event_context_server_init(&b->ctx, &callbacks, b) != 0) {
    free(b);
    return NULL;
  }
  /* Then it cannot queue a close frame of its own either. */
  wslay_event_shutdown_write(b->ctx);
  p->total++;
  return b;
}

static bool lend(const struct feeding *f)
{
  struct frame_pool *p = f->pool;
  struct frame_binding *b = p->idle;
  size_t max = f->limits->message_max;

  if (b != NULL) {
    p->idle = b->next;
    p->idle_count--;
  } else {
    b = binding_new(p);
    if (b == NULL)
      return false;
  }
  wslay_event_config_set_max_recv_msg_length(
      b->ctx, max < CONTROL_MAX ? CONTROL_MAX : max);
  b->next = NULL;
  b->message = (struct assembly){0};
  b->found_us = 0;
  p->bound++;
  f->in->binding = b;
  return true;
}

/* At the end of a frame, when wslay and the binding hold nothing. */
static void give_back(const struct feeding *f)
{
  struct frame_pool *p = f->pool;
  struct frame_binding *b = f->in->binding;

  DCHECK(!b->in_payload && !b->message.open && b->raw_len == 0);
  DCHECK(wslay_event_get_queued_msg_count(b->ctx) == 0);
  f->in->binding = NULL;
  p->bound--;
  if (p->idle_count >= p->idle_max || !wslay_event_get_read_enabled(b->ctx)) {
    binding_free(p, b);
    return;
  }
  b->call = NULL;
  b->next = p->idle;
  p->idle = b;
  p->idle_count++;
}

/* Let wslay read the slices, which do not reach behind the frame. */
static int wslay_run(const struct feeding *f, struct frame_binding *b)
{
  int rc;

  b->call = f;
  b->stopped = false;
  rc = wslay_event_recv(b->ctx);
  b->call = NULL;
  if (rc == WSLAY_ERR_NOMEM)
    return refuse(f->why, CODE_INTERNAL, "out of memory");
  if (rc != 0)
    return refuse(f->why, CODE_INTERNAL, "internal error");
  if (b->stopped)
    return FRAME_STOPPED;
  /* The headers were good and the sum within the limit: only text is left. */
  if (!wslay_event_get_read_enabled(b->ctx))
    return refuse(f->why, CODE_INVALID, "text is not UTF-8");
  CHECK(b->slices[0].len == 0 && b->slices[1].len == 0);
  return FRAME_OK;
}

/* Collect the header of the next frame; *used bytes were taken. */
static int bound_header(const struct feeding *f, struct frame_binding *b,
                        const unsigned char *data, size_t len, size_t *used)
{
  struct frame_header *h = &b->header;
  size_t had = b->raw_len;
  size_t take = len < HEADER_MAX - had ? len : HEADER_MAX - had;
  int rc;

  memcpy(b->raw + had, data, take);
  rc = header_read(b->raw, had + take, &b->message, f->limits, h, f->why);
  if (rc == HEADER_MORE) {
    b->raw_len = (uint8_t)(had + take);
    *used = take;
    return FRAME_OK;
  }
  if (rc != HEADER_DONE)
    return rc;
  *used = h->size - had;
  b->raw_len = 0;
  b->in_payload = true;
  b->left = h->len;
  b->control_len = 0;
  b->slices[0] = (struct wps_bytes){NULL, 0};
  if (h->opcode < FRAME_CLOSE) {
    b->message.open = !h->fin;
    b->message.fragments++;
    b->message.len += h->len;
    b->slices[0] = (struct wps_bytes){b->raw, h->size};
  }
  return FRAME_OK;
}

static int bound_payload(const struct feeding *f, struct frame_binding *b,
                         const unsigned char *data, size_t len, size_t *used)
{
  size_t take = b->left < len ? (size_t)b->left : len;
  bool control = b->header.opcode >= FRAME_CLOSE;
  int rc = FRAME_OK;

  *used = take;
  b->left -= take;
  if (b->left == 0)
    b->in_payload = false;
  if (!control) {
    b->slices[1] = (struct wps_bytes){data, take};
    return wslay_run(f, b);
  }
  if (take > 0)
    memcpy(b->control + b->control_len, data, take);
  b->control_len = (uint8_t)(b->control_len + take);
  if (b->left == 0) {
    unmask(b->control, b->control_len, b->header.mask);
    rc = control_take(f, b->header.opcode, b->control, b->control_len);
  }
  return rc;
}

/* One frame at most, or all there is of it. */
static int bound_feed(const struct feeding *f, const unsigned char *data,
                      size_t len, size_t *used)
{
  struct frame_binding *b = f->in->binding;
  size_t header = 0, payload = 0;
  int rc;

  if (!b->in_payload) {
    rc = bound_header(f, b, data, len, &header);
    if (rc != FRAME_OK)
      return rc;
  }
  if (b->in_payload) {
    rc = bound_payload(f, b, data + header, len - header, &payload);
    if (rc != FRAME_OK)
      return rc;
  }
  *used = header + payload;
  if (!b->in_payload && b->raw_len == 0 && !b->message.open)
    give_back(f);
  return FRAME_OK;
}

static int feed(const struct feeding *f, unsigned char *data, size_t len)
{
  static const struct assembly nothing;
  size_t at = 0;
  int rc;

  while (at < len) {
    struct frame_header h;
    size_t used = 0;

    if (f->in->binding == NULL) {
      rc = header_read(data + at, len - at, &nothing, f->limits, &h, f->why);
      if (rc == HEADER_DONE && h.fin && h.len <= len - at - h.size) {
        rc = whole_take(f, &h, data + at + h.size);
        if (rc != FRAME_OK)
          return rc;
        at += h.size + (size_t)h.len;
        continue;
      }
      if (rc != HEADER_DONE && rc != HEADER_MORE)
        return rc;
      if (!lend(f))
        return refuse(f->why, CODE_INTERNAL, "out of memory");
    }
    rc = bound_feed(f, data + at, len - at, &used);
    if (rc != FRAME_OK)
      return rc;
    at += used;
  }
  return FRAME_OK;
}

int frame_in_feed(struct frame_pool *p, struct frame_in *in,
                  const struct frame_in_limits *limits, unsigned char *data,
                  size_t len, const struct frame_in_ops *ops, void *arg,
                  const char **why)
{
  struct feeding f = {p, in, limits, ops, arg, why};
  int rc;

  DCHECK((in->flags & IN_ENDED) == 0);
  *why = "";
  rc = feed(&f, data, len);
  if (rc != FRAME_OK)
    in->flags |= IN_ENDED;
  return rc;
}

int64_t frame_in_age_us(struct frame_in *in, int64_t now_us, bool anew)
{
  struct frame_binding *b = in->binding;

  /* It goes with the last byte of what it holds. */
  if (b == NULL)
    return 0;
  if (b->found_us == 0 || anew)
    b->found_us = now_us;
  return now_us - b->found_us;
}

void frame_in_release(struct frame_pool *p, struct frame_in *in)
{
  in->flags = 0;
  if (in->binding == NULL)
    return;
  /* It holds a piece of this client's data, so it is of no use to others. */
  p->bound--;
  binding_free(p, in->binding);
  in->binding = NULL;
}

struct frame_pool *frame_pool_new(size_t max_idle_contexts)
{
  struct frame_pool *p = calloc(1, sizeof(*p));

  if (p != NULL)
    p->idle_max = max_idle_contexts;
  return p;
}

void frame_pool_free(struct frame_pool *p)
{
  if (p == NULL)
    return;
  DCHECK(p->bound == 0);
  while (p->idle != NULL) {
    struct frame_binding *b = p->idle;

    p->idle = b->next;
    binding_free(p, b);
  }
  free(p);
}

void frame_pool_stats(const struct frame_pool *p, size_t *total, size_t *bound)
{
  *total = p->total;
  *bound = p->bound;
}
