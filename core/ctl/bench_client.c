/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/bench_client.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/rand.h"
#include "ctl/bench.h"
#include "ctl/bench_process.h"
#include "ctl/http_client.h"
#include "ctl/ws_client.h"

enum {
  PING = 9,
  PONG = 10,
  FIN = 0x80,
  RESERVED = 0x70,
  OPCODE = 0x0f,
  FRAME_MAX = 2 * BENCH_SIZE_MAX,
  RECEIVE_SIZE = 256 * 1024,
  WAITING_MAX = 64 * 1024 * 1024,
  FILES_ELSE = 16, /* files that are no clients */
  PROBE_SECONDS = 5,
  KEPT_SMALL = 4096
};

/* ---- all of them ---- */

static bool files_allow(size_t clients, char *why, size_t why_size)
{
  rlim_t needed = (rlim_t)clients + FILES_ELSE;
  struct rlimit limit;

  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed)
    return true;
  limit.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
  if (limit.rlim_cur == needed && setrlimit(RLIMIT_NOFILE, &limit) == 0)
    return true;
  snprintf(why, why_size,
           "%zu connections need %llu open files, and %llu are allowed "
           "(ulimit -n)",
           clients, (unsigned long long)needed,
           (unsigned long long)limit.rlim_max);
  return false;
}

/* Which of a name's addresses answers is found out once, with a connection
 * that says nothing. */
static bool address_find(struct clients *s, const struct net_url *url,
                         char *why, size_t why_size)
{
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all, *a;
  struct timeval patience = {.tv_sec = PROBE_SECONDS};
  int rc = getaddrinfo(url->host, url->port, &hints, &all), error = 0, fd;

  if (rc != 0) {
    snprintf(why, why_size, "%s: %s", url->host, gai_strerror(rc));
    return false;
  }
  for (a = all; a != NULL; a = a->ai_next) {
    fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, 0);
    error = errno;
    if (fd < 0)
      continue;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    rc = connect(fd, a->ai_addr, a->ai_addrlen);
    error = errno == EINPROGRESS ? ETIMEDOUT : errno;
    close(fd);
    if (rc == 0)
      break;
  }
  if (a != NULL) {
    memcpy(&s->address, a->ai_addr, a->ai_addrlen);
    s->address_len = a->ai_addrlen;
  } else {
    snprintf(why, why_size, "%s port %s: %s", url->host, url->port,
             strerror(error));
  }
  freeaddrinfo(all);
  return a != NULL;
}

bool clients_init(struct clients *s, size_t count, const struct net_url *url,
                  char *why, size_t why_size)
{
  uint8_t nonce[16];

  s->epoll = -1;
  s->count = count;
  s->all = calloc(count, sizeof(*s->all));
  s->dirty = calloc(count, sizeof(struct client *));
  s->area = malloc(FRAME_MAX + RECEIVE_SIZE + 1);
  if (s->all == NULL || s->dirty == NULL || s->area == NULL ||
      rand_bytes(nonce, sizeof(nonce)) != WPS_OK) {
    snprintf(why, why_size, "out of memory");
    return false;
  }
  base64_encode(nonce, sizeof(nonce), s->key);
  for (size_t i = 0; i < count; i++) {
    s->all[i].fd = -1;
    buf_init(&s->all[i].out, WAITING_MAX);
    if (rand_bytes(s->all[i].mask, 4) != WPS_OK)
      return false;
  }
  if (!files_allow(count, why, why_size) ||
      !address_find(s, url, why, why_size))
    return false;
  if ((s->epoll = epoll_create1(EPOLL_CLOEXEC)) >= 0)
    return true;
  snprintf(why, why_size, "epoll: %s", strerror(errno));
  return false;
}

void clients_free(struct clients *s)
{
  for (size_t i = 0; s->all != NULL && i < s->count; i++) {
    if (s->all[i].fd >= 0)
      close(s->all[i].fd);
    buf_free(&s->all[i].out);
    free(s->all[i].kept);
  }
  if (s->epoll >= 0)
    close(s->epoll);
  free(s->all);
  free(s->dirty);
  free(s->area);
}

/* ---- the end of one ---- */

static void client_close(struct clients *s, struct client *c)
{
  if (c->state == CLIENT_READY)
    s->ready--;
  if (c->state != CLIENT_NEW)
    s->closed++;
  c->state = CLIENT_CLOSED;
  if (c->fd >= 0)
    close(c->fd);
  c->fd = -1;
  buf_free(&c->out);
  free(c->kept);
  c->kept = NULL;
  c->kept_len = c->kept_size = 0;
}

void client_fail(struct clients *s, struct client *c, const char *fmt, ...)
{
  char why[BENCH_WHY_MAX];
  va_list args;

  if (c->state == CLIENT_CLOSED)
    return;
  va_start(args, fmt);
  vsnprintf(why, sizeof(why), fmt, args);
  va_end(args);
  s->failed(s, c, why);
  client_close(s, c);
}

/* ---- out ---- */

/* What is to be told to epoll: always in, sometimes out. */
static void client_watch(struct clients *s, struct client *c, int operation,
                         bool wants_out)
{
  struct epoll_event e = {.events = wants_out ? EPOLLIN | EPOLLOUT : EPOLLIN,
                          .data.ptr = c};

  c->wants_out = wants_out;
  if (epoll_ctl(s->epoll, operation, c->fd, &e) != 0)
    client_fail(s, c, "epoll: %s", strerror(errno));
}

static void client_flush(struct clients *s, struct client *c)
{
  ssize_t n;

  while (c->out.len > 0) {
    n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno != EAGAIN) {
      client_fail(s, c, "the connection broke: %s", strerror(errno));
      return;
    }
    if (n < 0) {
      if (!c->wants_out)
        client_watch(s, c, EPOLL_CTL_MOD, true);
      return;
    }
    buf_consume(&c->out, (size_t)n);
  }
  if (c->wants_out)
    client_watch(s, c, EPOLL_CTL_MOD, false);
}

void clients_flush(struct clients *s)
{
  for (size_t i = 0; i < s->dirty_count; i++) {
    struct client *c = s->dirty[i];

    c->dirty = false;
    if (c->state >= CLIENT_SHAKING && c->state < CLIENT_CLOSED && !c->wants_out)
      client_flush(s, c);
  }
  s->dirty_count = 0;
}

char *client_room(struct clients *s, struct client *c, size_t len)
{
  char *at;

  if (c->state == CLIENT_CLOSED)
    return NULL;
  if (buf_reserve(&c->out, len) != WPS_OK) {
    client_fail(s, c, "the server does not read what is sent to it");
    return NULL;
  }
  if (!c->dirty) {
    c->dirty = true;
    s->dirty[s->dirty_count++] = c;
  }
  at = c->out.data + c->out.len;
  c->out.len += len;
  return at;
}

static void mask(char *to, const char *from, size_t len, const uint8_t key[4])
{
  for (size_t i = 0; i < len; i++)
    to[i] = (char)((uint8_t)from[i] ^ key[i % 4]);
}

void client_send(struct clients *s, struct client *c, unsigned opcode,
                 const char *data, size_t len)
{
  uint8_t head[WS_HEAD_MAX];
  size_t n = ws_head_write(head, opcode, len);
  char *at = client_room(s, c, n + 4 + len);

  if (at == NULL)
    return;
  memcpy(at, head, n);
  memcpy(at + n, c->mask, 4);
  mask(at + n + 4, data, len, c->mask);
}

void client_text(struct clients *s, struct client *c, const char *fmt, ...)
{
  char text[2048];
  va_list args;
  int n;

  va_start(args, fmt);
  n = vsnprintf(text, sizeof(text), fmt, args);
  va_end(args);
  if (n > 0 && (size_t)n < sizeof(text))
    client_send(s, c, WS_TEXT, text, (size_t)n);
}

char *client_frame(const struct client *c, unsigned opcode, const char *data,
                   size_t len, size_t *frame_len, size_t *payload_at)
{
  uint8_t head[WS_HEAD_MAX];
  size_t n = ws_head_write(head, opcode, len);
  char *frame = malloc(n + 4 + len);

  if (frame == NULL)
    return NULL;
  memcpy(frame, head, n);
  memcpy(frame + n, c->mask, 4);
  mask(frame + n + 4, data, len, c->mask);
  *frame_len = n + 4 + len;
  *payload_at = n + 4;
  return frame;
}

/* ---- connecting ---- */

bool client_prepare(struct clients *s, struct client *c,
                    const struct net_url *url, const char *more_query)
{
  buf_printf(&c->out,
             "GET %s%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\n"
             "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: %s\r\n",
             url->target, more_query, url->authority, s->key);
  if (s->subprotocol != NULL)
    buf_printf(&c->out, "Sec-WebSocket-Protocol: %s\r\n", s->subprotocol);
  return buf_add_c(&c->out, "\r\n") == WPS_OK;
}

void client_connect(struct clients *s, struct client *c)
{
  const struct sockaddr *to = (const struct sockaddr *)&s->address;
  int on = 1;

  s->started++;
  c->state = CLIENT_CONNECTING;
  c->began = bench_now();
  c->fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0) {
    client_fail(s, c, "socket: %s", strerror(errno));
    return;
  }
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (connect(c->fd, to, s->address_len) != 0 && errno != EINPROGRESS)
    client_fail(s, c, "connect: %s",
                errno == EADDRNOTAVAIL
                    ? "no local port is left for another connection "
                      "(net.ipv4.ip_local_port_range)"
                    : strerror(errno));
  else
    client_watch(s, c, EPOLL_CTL_ADD, true);
}

static void client_connected(struct clients *s, struct client *c)
{
  socklen_t len = sizeof(int);
  int error = 0;

  if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 ||
      error != 0) {
    client_fail(s, c, "connect: %s", strerror(error != 0 ? error : errno));
    return;
  }
  c->state = CLIENT_SHAKING;
  client_flush(s, c);
}

/* The value of a field of a terminated head, cut to `size`; "" without it. */
static void field_copy(const char *head, const char *name, char *out,
                       size_t size)
{
  const char *at = strcasestr(head, name);
  size_t len = 0;

  if (at != NULL) {
    at += strlen(name);
    at += strspn(at, " \t");
    len = strcspn(at, " \t\r\n");
  }
  if (len >= size)
    len = size - 1;
  memcpy(out, at != NULL ? at : "", len);
  out[len] = '\0';
}

static void refused(struct clients *s, struct client *c, const char *head,
                    const char *body)
{
  unsigned status = (unsigned)strtoul(head + 9, NULL, 10);

  client_fail(s, c, "HTTP %u %s%s%.*s%s", status, http_reason(status),
              *body != '\0' ? ": " : "", (int)strcspn(body, "\r\n"), body,
              status == 401 || status == 403
                  ? "; the server does not take the token"
                  : "");
}

/* Where the frames begin, NULL when the head is not complete or is not what was
 * asked for. There is room for a terminator at `end`. */
static char *shake_hands(struct clients *s, struct client *c, char *head,
                         char *end)
{
  char accept[64], protocol[128], *rest;

  *end = '\0';
  rest = strstr(head, "\r\n\r\n");
  if (rest == NULL)
    return NULL;
  rest += 4;
  rest[-2] = '\0';
  if (strncmp(head, "HTTP/1.1 101", 12) != 0) {
    refused(s, c, strlen(head) > 12 ? head : "HTTP/1.1 0", rest);
    return NULL;
  }
  field_copy(head, "\nSec-WebSocket-Accept:", accept, sizeof(accept));
  field_copy(head, "\nSec-WebSocket-Protocol:", protocol, sizeof(protocol));
  if (!ws_accept_matches(s->key, accept)) {
    client_fail(s, c, "Sec-WebSocket-Accept is wrong");
  } else if (s->subprotocol != NULL &&
             strcasecmp(protocol, s->subprotocol) != 0) {
    client_fail(s, c, "the server does not speak %s", s->subprotocol);
  } else {
    c->state = CLIENT_OPEN;
    buf_free(&c->out);
    s->opened(s, c);
    return rest;
  }
  return NULL;
}

void client_ready(struct clients *s, struct client *c)
{
  c->state = CLIENT_READY;
  s->ready++;
}

/* ---- in ---- */

static void control(struct clients *s, struct client *c, unsigned opcode,
                    const char *p, size_t len)
{
  if (opcode == PING)
    client_send(s, c, PONG, p, len);
  else if (opcode == WS_CLOSE)
    client_fail(s, c, "the server closed a connection: %u %.*s",
                len < 2 ? 1005u
                        : (unsigned)((uint8_t)p[0] << 8 | (uint8_t)p[1]),
                len < 2 ? 0 : (int)len - 2, len < 2 ? "" : p + 2);
  else if (opcode != PONG)
    client_fail(s, c, "the server sent a frame of an unknown kind");
}

/* Keep what is not complete yet. */
static void client_keep(struct clients *s, struct client *c, const char *p,
                        size_t len)
{
  char *more;

  if (len > c->kept_size || (len == 0 && c->kept_size > KEPT_SMALL)) {
    more = len > 0 ? realloc(c->kept, 2 * len) : NULL;
    if (len > 0 && more == NULL) {
      client_fail(s, c, "out of memory");
      return;
    }
    if (len == 0)
      free(c->kept);
    c->kept = more;
    c->kept_size = 2 * len;
  }
  if (len > 0)
    memcpy(c->kept, p, len);
  c->kept_len = len;
}

/* Frames that are there as a whole; where the rest begins. Messages in several
 * frames are left out: servers that publish have no reason to cut them. */
static char *frames_take(struct clients *s, struct client *c, char *p,
                         const char *end, int64_t now)
{
  struct ws_head h;

  while (c->state != CLIENT_CLOSED && ws_head_read(p, (size_t)(end - p), &h)) {
    unsigned opcode = h.first & OPCODE;
    const char *payload = p + h.size;

    if (h.masked || (h.first & RESERVED) != 0 || h.len > FRAME_MAX - 16) {
      client_fail(s, c, "the server sent a malformed frame, or a huge one");
      break;
    }
    if ((uint64_t)(end - payload) < h.len)
      break;
    if (opcode >= WS_CLOSE)
      control(s, c, opcode, payload, (size_t)h.len);
    else if ((h.first & FIN) == 0 || opcode == 0)
      client_fail(s, c, "the server sent a message in fragments");
    else
      s->message(s, c, payload, (size_t)h.len, now);
    p += h.size + h.len;
  }
  return p;
}

static void client_read(struct clients *s, struct client *c)
{
  char *p = s->area + FRAME_MAX, *end;
  ssize_t got = recv(c->fd, p, RECEIVE_SIZE, 0);

  if (got < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (got <= 0) {
    client_fail(s, c, got < 0 ? "the connection broke: %s%s" : "%s%s",
                got < 0 ? strerror(errno) : "the server hung up",
                c->state == CLIENT_SHAKING ? " during the handshake" : "");
    return;
  }
  end = p + got;
  if (c->kept_len > 0) {
    /* Less than a frame: that much room is in front. */
    p -= c->kept_len;
    memcpy(p, c->kept, c->kept_len);
    c->kept_len = 0;
  }
  if (c->state == CLIENT_SHAKING) {
    char *frames = shake_hands(s, c, p, end);

    p = frames != NULL ? frames : p;
    if (frames == NULL && end - p > HTTP_HEAD_MAX)
      client_fail(s, c, "the server's answer is too long");
  }
  if (c->state >= CLIENT_OPEN && c->state < CLIENT_CLOSED)
    p = frames_take(s, c, p, end, bench_now());
  if (c->state != CLIENT_CLOSED && (p < end || c->kept_size > 0))
    client_keep(s, c, p, (size_t)(end - p));
}

int clients_turn(struct clients *s, int64_t wait)
{
  struct timespec t = {.tv_sec = wait / 1000000000,
                       .tv_nsec = wait % 1000000000};
  int n = epoll_pwait2(s->epoll, s->events, ARRAY_LEN(s->events), &t, NULL);

  for (int i = 0; i < n; i++) {
    struct client *c = s->events[i].data.ptr;
    uint32_t what = s->events[i].events;

    if (c->state == CLIENT_CONNECTING) {
      client_connected(s, c);
      continue;
    }
    if (c->state != CLIENT_CLOSED && (what & EPOLLOUT) != 0)
      client_flush(s, c);
    if (c->state != CLIENT_CLOSED && (what & ~(uint32_t)EPOLLOUT) != 0)
      client_read(s, c);
  }
  return n < 0 ? 0 : n;
}

void clients_leave(struct clients *s)
{
  static const char normal[2] = {1000 >> 8, (char)(1000 & 0xff)};

  for (size_t i = 0; i < s->count; i++)
    if (s->all[i].state == CLIENT_READY)
      client_send(s, &s->all[i], WS_CLOSE, normal, 2);
  clients_flush(s);
}
